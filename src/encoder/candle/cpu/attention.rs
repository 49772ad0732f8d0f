//! Rotary self-attention over a flat batch on the CPU: a task for each head of each sequence.

use super::attention_int8::Int8Head;
use super::by_sequence;
use super::elementwise::exponentiate;
use super::matrix::PRODUCT;
use super::vectorised::vectorised;
use crate::encoder::candle::attention::RotaryTables;
use rayon::prelude::*;
use rten_gemm::{GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

pub struct FlatAttention {
    heads: usize,
    head_size: usize,
    turns: Turns,
    int8: bool,
}

/// What turns a position's values: each times its `cos`, and the other one of its pair times its `sin`, which is negative
/// for the first of a pair. `positions × head_size` each.
struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    fn new(positions: usize, head_size: usize) -> Self {
        let RotaryTables { cos, sin } = RotaryTables::new(positions, head_size);
        Self {
            cos: cos.into_iter().flat_map(|cos| [cos, cos]).collect(),
            sin: sin.into_iter().flat_map(|sin| [-sin, sin]).collect(),
        }
    }
}

/// Queries of one head that are taken at a time: their scores against 512 keys fill 128 KiB, which a core's cache
/// holds, where all scores of the head would not.
const QUERY_ROWS: usize = 64;

/// Buffers that one thread keeps from head to head.
#[derive(Default)]
pub struct Buffers {
    /// One head's result, where it does not have a place of its own.
    mixed: Vec<f32>,
    /// One head's queries, keys and values, where they do not stand by head already.
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    scores: Vec<f32>,
    int8: Int8Head,
}

impl FlatAttention {
    pub fn new(positions: usize, heads: usize, head_size: usize, int8: bool) -> Self {
        Self {
            heads,
            head_size,
            turns: Turns::new(positions, head_size),
            int8,
        }
    }

    /// `qkv` (tokens × 3 heads · head_size: all queries, all keys, all values) → `out`, tokens × heads · head_size.
    /// `by_head` is a buffer as large as `out`.
    pub fn attend(
        &self,
        qkv: &[f32],
        cumulative_lengths: &[usize],
        by_head: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let (size, width) = (self.head_size, self.heads * self.head_size);
        let ranges = cumulative_lengths.windows(2);
        // First each sequence's heads one after another, so that every task writes a piece of its own.
        let mut tasks = Vec::new();
        for (range, part) in ranges.zip(by_sequence(by_head, cumulative_lengths, width)) {
            let sequence = &qkv[range[0] * 3 * width..range[1] * 3 * width];
            let heads = part.chunks_exact_mut((range[1] - range[0]) * size);
            tasks.extend(heads.enumerate().map(|(head, out)| (sequence, head, out)));
        }
        tasks
            .into_par_iter()
            .try_for_each_init(Buffers::default, |buffers, (sequence, head, out)| {
                self.one_head(sequence, head, buffers, out)
            })?;
        by_sequence(out, cumulative_lengths, width)
            .into_par_iter()
            .zip(cumulative_lengths.par_windows(2))
            .for_each(|(out, range)| {
                let by_head = &by_head[range[0] * width..range[1] * width];
                let heads = by_head.chunks_exact(out.len() / self.heads);
                for (head, part) in heads.enumerate() {
                    self.place(part, head, out);
                }
            });
        Ok(())
    }

    /// Rows of all queries, all keys, all values of one sequence, from row `first` of `length`, to their heads' places in
    /// `by_head`: of every head the queries, then of every head the keys, then the values.
    pub fn take(&self, qkv: &[f32], first: usize, length: usize, by_head: &mut [f32]) {
        let size = self.head_size;
        let rows = qkv.len() / (3 * self.heads * size);
        for (n, part) in by_head.chunks_exact_mut(length * size).enumerate() {
            let (out, offset) = (&mut part[first * size..][..rows * size], n * size);
            match n / self.heads {
                0 => self.turn(qkv, offset, first, self.query_scale(), out),
                1 => self.turn(qkv, offset, first, 1.0, out),
                _ => self.columns(qkv, offset, out),
            }
        }
    }

    /// One sequence on this thread: what [`FlatAttention::take`] has laid out → `out`, tokens × heads · head_size.
    pub fn attend_alone(
        &self,
        by_head: &[f32],
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let mut mixed = std::mem::take(&mut buffers.mixed);
        mixed.resize(out.len() / self.heads, 0.0);
        let parts = by_head.chunks_exact(mixed.len());
        let [q, k, v] = [0, 1, 2].map(|n| parts.clone().skip(n * self.heads));
        for (head, ((q, k), v)) in q.zip(k).zip(v).take(self.heads).enumerate() {
            self.mix(
                [q, k, v],
                &mut buffers.scores,
                &mut buffers.int8,
                &mut mixed,
            )?;
            self.place(&mixed, head, out);
        }
        buffers.mixed = mixed;
        Ok(())
    }

    /// One head's rows into its columns.
    fn place(&self, part: &[f32], head: usize, out: &mut [f32]) {
        let (size, width) = (self.head_size, self.heads * self.head_size);
        let rows = out.chunks_exact_mut(width).zip(part.chunks_exact(size));
        for (row, values) in rows {
            row[head * size..][..size].copy_from_slice(values);
        }
    }

    /// One head of one sequence into `out`, length × head_size.
    fn one_head(
        &self,
        qkv: &[f32],
        head: usize,
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let (size, width) = (self.head_size, self.heads * self.head_size);
        let Buffers {
            q,
            k,
            v,
            scores,
            int8,
            mixed: _,
        } = buffers;
        for part in [&mut *q, k, v] {
            part.resize(out.len(), 0.0);
        }
        self.turn(qkv, head * size, 0, self.query_scale(), q);
        self.turn(qkv, width + head * size, 0, 1.0, k);
        self.columns(qkv, 2 * width + head * size, v);
        self.mix([q, k, v], scores, int8, out)
    }

    /// `softmax(q · kᵀ) · v` of one head.
    fn mix(
        &self,
        qkv: [&[f32]; 3],
        scores: &mut Vec<f32>,
        int8: &mut Int8Head,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        if self.int8 {
            return int8.attend(qkv, self.head_size, out);
        }
        PRODUCT.with(|product| attend_in_f32(product, qkv, self.head_size, scores, out))
    }

    fn query_scale(&self) -> f32 {
        1.0 / (self.head_size as f32).sqrt()
    }

    /// Queries or keys of one head, columns of `qkv` from `offset` on, with their positions (from `first` on) turned in, times
    /// `scale`.
    fn turn(&self, qkv: &[f32], offset: usize, first: usize, scale: f32, out: &mut [f32]) {
        let size = self.head_size;
        let columns = 3 * self.heads * size;
        let turns = &self.turns;
        let (cos, sin) = (&turns.cos[first * size..], &turns.sin[first * size..]);
        turn_rows(qkv, columns, offset, cos, sin, scale, size, out);
    }

    /// Values of one head.
    fn columns(&self, qkv: &[f32], offset: usize, out: &mut [f32]) {
        let size = self.head_size;
        let rows = qkv.chunks_exact(3 * self.heads * size);
        for (row, out) in rows.zip(out.chunks_exact_mut(size)) {
            out.copy_from_slice(&row[offset..offset + size]);
        }
    }
}

/// `softmax(q · kᵀ) · v` for rows of `size` values, one a token; `q` is scaled already.
fn attend_in_f32(
    product: &GemmExecutor<f32, f32, f32>,
    [q, k, v]: [&[f32]; 3],
    size: usize,
    scores: &mut Vec<f32>,
    out: &mut [f32],
) -> Result<(), GemmError> {
    let length = v.len() / size;
    let keys = product.prepack_b(NdTensorView::from_data([length, size], k).transposed());
    let v = product.prepack_b(NdTensorView::from_data([length, size], v));
    let multiply = |out: &mut [f32], left: &[f32], right: &PackedBMatrix<f32>, depth: usize| {
        let left = NdTensorView::from_data([left.len() / depth, depth], left);
        let (left, right) = (GemmInputA::Unpacked(left), GemmInputB::Packed(right));
        product.gemm(out, left, right, GemmOptions::default())
    };
    let blocks = q.chunks(QUERY_ROWS * size);
    for (q, out) in blocks.zip(out.chunks_mut(QUERY_ROWS * size)) {
        scores.resize(q.len() / size * length, 0.0);
        multiply(scores, q, &keys, size)?;
        let mut sums = [0.0; QUERY_ROWS];
        exponentiate_rows(scores, length, &mut sums);
        multiply(out, scores, &v, length)?;
        // Softmax's division, on the shorter rows.
        divide_rows(out, size, &sums);
    }
    Ok(())
}

vectorised! {
    /// Rows of scores become `exp(x − max)`; their sums go into `sums`.
    fn exponentiate_rows(scores: &'a mut [f32], length: usize, sums: &'a mut [f32]) {
        for (row, sum) in scores.chunks_exact_mut(length).zip(sums) {
            *sum = exponentiate(row);
        }
    }
}

vectorised! {
    fn divide_rows(rows: &'a mut [f32], width: usize, divisors: &'a [f32]) {
        for (row, divisor) in rows.chunks_exact_mut(width).zip(divisors) {
            let scale = 1.0 / divisor;
            for x in row {
                *x *= scale;
            }
        }
    }
}

/// Values that are turned together: a vector, in which neighbours change places.
const LANES: usize = 16;

vectorised! {
    #[expect(clippy::too_many_arguments, reason = "a loop's inputs, not an interface")]
    /// Columns `offset..offset + size` of rows of `columns`, turned by their positions, times `scale`.
    fn turn_rows(
        qkv: &'a [f32],
        columns: usize,
        offset: usize,
        cos: &'a [f32],
        sin: &'a [f32],
        scale: f32,
        size: usize,
        out: &'a mut [f32],
    ) {
        let rows = out.chunks_exact_mut(size).zip(qkv.chunks_exact(columns));
        let turns = cos.chunks_exact(size).zip(sin.chunks_exact(size));
        for ((out, row), (cos, sin)) in rows.zip(turns) {
            let x = &row[offset..offset + size];
            let (out, rest) = out.as_chunks_mut::<LANES>();
            let whole = size - rest.len();
            let vectors = x.as_chunks::<LANES>().0.iter().zip(cos.as_chunks::<LANES>().0);
            let vectors = vectors.zip(sin.as_chunks::<LANES>().0);
            for (out, ((x, cos), sin)) in out.iter_mut().zip(vectors) {
                let other: [f32; LANES] = std::array::from_fn(|i| x[i ^ 1]);
                *out = std::array::from_fn(|i| (x[i] * cos[i] + other[i] * sin[i]) * scale);
            }
            for (i, out) in (whole..size).zip(rest) {
                *out = (x[i] * cos[i] + x[i ^ 1] * sin[i]) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::candle::attention::Rotary;
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn equals_attention_by_tensors() {
        let (heads, size, lengths) = (3, 8, [0, 7, 8, 20, 32, 44, 50]);
        let qkv = Tensor::randn(0f32, 1.0, (50, 3 * heads * size), &Device::Cpu).unwrap();
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let rotary = Rotary::new(64, heads, size, DType::F32, &Device::Cpu).unwrap();
        let theirs = values(&rotary.attend(&qkv, &lengths).unwrap());
        for (int8, tolerance) in [(false, 1e-5), (true, 0.1)] {
            let (mut by_head, mut out) = (vec![0.0; 50 * 24], vec![0.0; 50 * 24]);
            FlatAttention::new(64, heads, size, int8)
                .attend(&values(&qkv), &lengths, &mut by_head, &mut out)
                .unwrap();
            for (ours, theirs) in out.iter().zip(&theirs) {
                assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
            }
        }
    }
}
