//! Rotary self-attention over a flat batch on the CPU: a task for each head of each sequence.

use super::attention_int8::Int8Head;
use super::elementwise::exponentiate;
use super::vectorised::vectorised;
use crate::encoder::candle::attention::RotaryTables;
use rayon::prelude::*;
use rten_gemm::{GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

pub struct FlatAttention {
    heads: usize,
    head_size: usize,
    tables: RotaryTables,
    int8: bool,
}

/// Queries of one head that are taken at a time: their scores against 512 keys fill 128 KiB, which a core's cache
/// holds, where all scores of the head would not.
const QUERY_ROWS: usize = 64;

/// Buffers that one thread keeps from head to head.
#[derive(Default)]
struct Buffers {
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
            tables: RotaryTables::new(positions, head_size),
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
        // First each sequence's heads one after another, so that every task writes a piece of its own.
        let mut tasks = Vec::new();
        let mut rest = &mut *by_head;
        for range in cumulative_lengths.windows(2) {
            let sequence = &qkv[range[0] * 3 * width..range[1] * 3 * width];
            for head in 0..self.heads {
                let (out, later) = rest.split_at_mut((range[1] - range[0]) * size);
                tasks.push((sequence, head, out));
                rest = later;
            }
        }
        tasks
            .into_par_iter()
            .try_for_each_init(Buffers::default, |buffers, (sequence, head, out)| {
                self.one_head(sequence, head, buffers, out)
            })?;
        let mut rest = out;
        let mut sequences = Vec::new();
        for range in cumulative_lengths.windows(2) {
            let (sequence, later) = rest.split_at_mut((range[1] - range[0]) * width);
            sequences.push((&by_head[range[0] * width..range[1] * width], sequence));
            rest = later;
        }
        sequences.into_par_iter().for_each(|(by_head, out)| {
            let length = out.len() / width;
            for (head, part) in by_head.chunks_exact(length * size).enumerate() {
                for (row, values) in part.chunks_exact(size).enumerate() {
                    let at = row * width + head * size;
                    out[at..at + size].copy_from_slice(values);
                }
            }
        });
        Ok(())
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
        } = buffers;
        self.rotate(qkv, head * size, 1.0 / (size as f32).sqrt(), q);
        self.rotate(qkv, width + head * size, 1.0, k);
        v.clear();
        for row in qkv.chunks_exact(3 * width) {
            v.extend_from_slice(&row[2 * width + head * size..2 * width + (head + 1) * size]);
        }
        if self.int8 {
            return int8.attend([q, k, v], size, out);
        }
        let length = v.len() / size;
        let executor = GemmExecutor::<f32, f32, f32>::new();
        let keys = NdTensorView::from_data([length, size], k.as_slice());
        let keys = executor.prepack_b(keys.transposed());
        let v = executor.prepack_b(NdTensorView::from_data([length, size], v.as_slice()));
        let blocks = q.chunks(QUERY_ROWS * size);
        for (q, out) in blocks.zip(out.chunks_mut(QUERY_ROWS * size)) {
            let rows = q.len() / size;
            scores.resize(rows * length, 0.0);
            executor.gemm(
                scores,
                GemmInputA::Unpacked(NdTensorView::from_data([rows, size], q)),
                GemmInputB::Packed(&keys),
                GemmOptions::default(),
            )?;
            let mut sums = [0.0; QUERY_ROWS];
            exponentiate_rows(scores, length, &mut sums);
            let weights = NdTensorView::from_data([rows, length], scores.as_slice());
            executor.gemm(
                out,
                GemmInputA::Unpacked(weights),
                GemmInputB::Packed(&v),
                GemmOptions::default(),
            )?;
            // Softmax's division, on the shorter rows.
            divide_rows(out, size, &sums);
        }
        Ok(())
    }

    /// Queries or keys of one head with their positions turned in, times `scale`, into `out`.
    fn rotate(&self, qkv: &[f32], offset: usize, scale: f32, out: &mut Vec<f32>) {
        let columns = 3 * self.heads * self.head_size;
        out.resize(qkv.len() / columns * self.head_size, 0.0);
        let (cos, sin) = (&self.tables.cos, &self.tables.sin);
        rotate_rows(qkv, columns, offset, self.head_size, scale, cos, sin, out);
    }
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

vectorised! {
    #[expect(clippy::too_many_arguments, reason = "a loop's inputs, not an interface")]
    fn rotate_rows(
        qkv: &'a [f32],
        columns: usize,
        offset: usize,
        size: usize,
        scale: f32,
        cos: &'a [f32],
        sin: &'a [f32],
        out: &'a mut [f32],
    ) {
        let rows = out.chunks_exact_mut(size).zip(qkv.chunks_exact(columns));
        let angles = cos.chunks_exact(size / 2).zip(sin.chunks_exact(size / 2));
        for ((out, row), (cos, sin)) in rows.zip(angles) {
            let pairs = out
                .chunks_exact_mut(2)
                .zip(row[offset..offset + size].chunks_exact(2));
            for ((out, x), (cos, sin)) in pairs.zip(cos.iter().zip(sin)) {
                out[0] = (x[0] * cos - x[1] * sin) * scale;
                out[1] = (x[1] * cos + x[0] * sin) * scale;
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
