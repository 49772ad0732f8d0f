//! Rotary self-attention over a flat batch, sequence by sequence: no padding, no mask.

use super::cpu::attention_int8::Int8Head;
use super::cpu::elementwise::exponentiate;
use super::cpu::rows::values;
use super::cpu::vectorised::vectorised;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use rten_gemm::{GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;
use std::sync::Arc;

/// cos and sin of every position up to a limit, for one size of head.
pub struct Rotary {
    heads: usize,
    head_size: usize,
    cos: Tensor,
    sin: Tensor,
    /// The same values where the CPU path reads them: `positions × head_size / 2`.
    tables: Arc<(Vec<f32>, Vec<f32>)>,
}

impl Rotary {
    /// Angle `position / 10000^(2i / head_size)` for pair `i` (Su et al. 2021, eq. 15), pairs interleaved.
    pub fn new(
        positions: usize,
        heads: usize,
        head_size: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let half = head_size / 2;
        let frequency = |i: usize| (-(10000f32.ln()) * (2 * i) as f32 / head_size as f32).exp();
        let angles: Vec<f32> = (0..positions)
            .flat_map(|p| (0..half).map(move |i| p as f32 * frequency(i)))
            .collect();
        let cos: Vec<f32> = angles.iter().map(|a| a.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|a| a.sin()).collect();
        let tensor =
            |values: &[f32]| Tensor::from_slice(values, (positions, half), device)?.to_dtype(dtype);
        Ok(Self {
            heads,
            head_size,
            cos: tensor(&cos)?,
            sin: tensor(&sin)?,
            tables: Arc::new((cos, sin)),
        })
    }

    /// `qkv` (tokens × 3 heads · head_size: all queries, all keys, all values) → tokens × heads · head_size.
    /// `int8` is for the CPU.
    pub fn attend(&self, qkv: &Tensor, cumulative_lengths: &[usize], int8: bool) -> Result<Tensor> {
        if matches!(qkv.device(), Device::Cpu) && qkv.dtype() == DType::F32 {
            return qkv.apply_op1_no_bwd(&FlatAttention {
                cumulative_lengths: cumulative_lengths.to_vec(),
                heads: self.heads,
                head_size: self.head_size,
                tables: Arc::clone(&self.tables),
                int8,
            });
        }
        self.attend_by_tensors(qkv, cumulative_lengths)
    }

    /// The same with Candle's own operations, for any device and number format.
    fn attend_by_tensors(&self, qkv: &Tensor, cumulative_lengths: &[usize]) -> Result<Tensor> {
        let (heads, size) = (self.heads, self.head_size);
        let mut out = Vec::with_capacity(cumulative_lengths.len());
        for range in cumulative_lengths.windows(2) {
            let length = range[1] - range[0];
            let qkv = qkv
                .narrow(0, range[0], length)?
                .reshape((1, length, 3 * heads, size))?
                .transpose(1, 2)?;
            let (cos, sin) = (
                self.cos.narrow(0, 0, length)?,
                self.sin.narrow(0, 0, length)?,
            );
            let rotated = candle_nn::rotary_emb::rope_i(
                &qkv.narrow(1, 0, 2 * heads)?.contiguous()?,
                &cos,
                &sin,
            )?;
            let (q, k) = (
                rotated.narrow(1, 0, heads)?.contiguous()?,
                rotated.narrow(1, heads, heads)?.contiguous()?,
            );
            let v = qkv.narrow(1, 2 * heads, heads)?.contiguous()?;
            let scores = (q.matmul(&k.t()?)? * (1.0 / (size as f64).sqrt()))?;
            let attended = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v)?;
            out.push(attended.transpose(1, 2)?.reshape((length, heads * size))?);
        }
        Tensor::cat(&out, 0)
    }
}

struct FlatAttention {
    cumulative_lengths: Vec<usize>,
    heads: usize,
    head_size: usize,
    tables: Arc<(Vec<f32>, Vec<f32>)>,
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

impl CustomOp1 for FlatAttention {
    fn name(&self) -> &'static str {
        "flat-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, columns) = layout.shape().dims2()?;
        let qkv = values(storage, layout)?;
        let (size, width) = (self.head_size, self.heads * self.head_size);
        // First each sequence's heads one after another, so that every task writes a piece of its own.
        let mut by_head = vec![0.0; tokens * width];
        let mut tasks = Vec::new();
        let mut rest = by_head.as_mut_slice();
        for range in self.cumulative_lengths.windows(2) {
            let sequence = &qkv[range[0] * columns..range[1] * columns];
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
            })
            .map_err(|e| candle_core::Error::Msg(format!("attention: {e}")))?;
        let mut out = vec![0.0; tokens * width];
        let mut rest = out.as_mut_slice();
        let mut sequences = Vec::new();
        for range in self.cumulative_lengths.windows(2) {
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
        Ok((CpuStorage::F32(out), (tokens, width).into()))
    }
}

impl FlatAttention {
    /// One head of one sequence into `out`, length × head_size.
    fn one_head(
        &self,
        qkv: &[f32],
        head: usize,
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> std::result::Result<(), GemmError> {
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
        let (cos, sin) = (&self.tables.0, &self.tables.1);
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

    #[test]
    fn equals_attention_by_tensors() {
        let rotary = Rotary::new(64, 3, 8, DType::F32, &Device::Cpu).unwrap();
        let qkv = Tensor::randn(0f32, 1.0, (50, 72), &Device::Cpu).unwrap();
        let lengths = [0, 7, 8, 50];
        let ours = rotary.attend(&qkv, &lengths, false).unwrap();
        let theirs = rotary.attend_by_tensors(&qkv, &lengths).unwrap();
        let difference: f32 = (&ours - theirs)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar()
            .unwrap();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn half_precision_gives_numbers() {
        for dtype in [DType::F16, DType::BF16] {
            let rotary = Rotary::new(64, 2, 8, dtype, &Device::Cpu).unwrap();
            let qkv = Tensor::randn(0f32, 4.0, (20, 48), &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            let out = rotary
                .attend(&qkv, &[0, 4, 20], false)
                .unwrap()
                .to_dtype(DType::F32)
                .unwrap();
            let values: Vec<f32> = out.flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|x| x.is_finite()));
        }
    }
}
