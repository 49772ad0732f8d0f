//! Rotary self-attention over a flat batch, sequence by sequence: no padding, no mask.

use super::fused::{exp_of_negative, values};
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
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
    pub fn attend(&self, qkv: &Tensor, cumulative_lengths: &[usize]) -> Result<Tensor> {
        if matches!(qkv.device(), Device::Cpu) && qkv.dtype() == DType::F32 {
            return qkv.apply_op1_no_bwd(&FlatAttention {
                cumulative_lengths: cumulative_lengths.to_vec(),
                heads: self.heads,
                head_size: self.head_size,
                tables: Arc::clone(&self.tables),
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
}

impl CustomOp1 for FlatAttention {
    fn name(&self) -> &'static str {
        "flat-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, columns) = layout.shape().dims2()?;
        let qkv = values(storage, layout)?;
        let (size, width) = (self.head_size, self.heads * self.head_size);
        // One task a sequence and head: each needs length × length scores of its own.
        let tasks: Vec<(usize, usize, usize)> = self
            .cumulative_lengths
            .windows(2)
            .flat_map(|range| {
                (0..self.heads).map(move |head| (range[0], range[1] - range[0], head))
            })
            .collect();
        let parts: Vec<Vec<f32>> = tasks
            .par_iter()
            .map(|&(start, length, head)| {
                self.one_head(
                    &qkv[start * columns..(start + length) * columns],
                    length,
                    head,
                )
            })
            .collect::<Result<_>>()?;
        let mut out = vec![0.0; tokens * width];
        for (&(start, _, head), part) in tasks.iter().zip(&parts) {
            for (row, values) in part.chunks_exact(size).enumerate() {
                let at = (start + row) * width + head * size;
                out[at..at + size].copy_from_slice(values);
            }
        }
        Ok((CpuStorage::F32(out), (tokens, width).into()))
    }
}

impl FlatAttention {
    /// One head of one sequence: length × head_size.
    fn one_head(&self, qkv: &[f32], length: usize, head: usize) -> Result<Vec<f32>> {
        let (size, width) = (self.head_size, self.heads * self.head_size);
        let columns = 3 * width;
        let q = self.rotated(qkv, length, head * size, 1.0 / (size as f32).sqrt());
        let k = self.rotated(qkv, length, width + head * size, 1.0);
        let v: Vec<f32> = qkv
            .chunks_exact(columns)
            .flat_map(|row| &row[2 * width + head * size..2 * width + (head + 1) * size])
            .copied()
            .collect();
        let executor = GemmExecutor::<f32, f32, f32>::new();
        let failed = |e| candle_core::Error::Msg(format!("attention: {e}"));
        let matrix = |values| NdTensorView::from_data([length, size], values);
        let mut scores = vec![0.0; length * length];
        let keys = matrix(k.as_slice());
        executor
            .gemm(
                &mut scores,
                GemmInputA::Unpacked(matrix(q.as_slice())),
                GemmInputB::Unpacked(keys.transposed()),
                GemmOptions::default(),
            )
            .map_err(failed)?;
        let sums = exponentiate(&mut scores, length);
        let mut out = vec![0.0; length * size];
        let weights = NdTensorView::from_data([length, length], scores.as_slice());
        executor
            .gemm(
                &mut out,
                GemmInputA::Unpacked(weights),
                GemmInputB::Unpacked(matrix(v.as_slice())),
                GemmOptions::default(),
            )
            .map_err(failed)?;
        // Softmax's division, on the shorter rows.
        for (row, sum) in out.chunks_exact_mut(size).zip(sums) {
            row.iter_mut().for_each(|x| *x /= sum);
        }
        Ok(out)
    }

    /// Queries or keys of one head with their positions turned in, times `scale`.
    fn rotated(&self, qkv: &[f32], length: usize, offset: usize, scale: f32) -> Vec<f32> {
        let (size, half) = (self.head_size, self.head_size / 2);
        let columns = 3 * self.heads * size;
        let mut out = vec![0.0; length * size];
        let rows = out.chunks_exact_mut(size).zip(qkv.chunks_exact(columns));
        let angles = self
            .tables
            .0
            .chunks_exact(half)
            .zip(self.tables.1.chunks_exact(half));
        for ((out, row), (cos, sin)) in rows.zip(angles) {
            let pairs = out
                .chunks_exact_mut(2)
                .zip(row[offset..offset + size].chunks_exact(2));
            for ((out, x), (cos, sin)) in pairs.zip(cos.iter().zip(sin)) {
                out[0] = (x[0] * cos - x[1] * sin) * scale;
                out[1] = (x[1] * cos + x[0] * sin) * scale;
            }
        }
        out
    }
}

/// Every row becomes `exp(x − max)`; returns the rows' sums.
fn exponentiate(scores: &mut [f32], length: usize) -> Vec<f32> {
    let mut sums = vec![0.0; length];
    pulp::Arch::new().dispatch(|| {
        // Plain loops: only what is inlined here is compiled for the wide instructions.
        for (row, sum) in scores.chunks_exact_mut(length).zip(&mut sums) {
            *sum = exponentiate_row(row);
        }
    });
    sums
}

const LANES: usize = 16;

/// Works in lanes, so that it vectorises and always adds in the same order.
#[inline(always)]
fn exponentiate_row(row: &mut [f32]) -> f32 {
    let mut highest = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut max = f32::NEG_INFINITY;
    for &x in chunks.remainder() {
        max = if x > max { x } else { max };
    }
    for chunk in chunks {
        for (high, &x) in highest.iter_mut().zip(chunk) {
            *high = if x > *high { x } else { *high };
        }
    }
    for high in highest {
        max = if high > max { high } else { max };
    }
    let mut sums = [0.0f32; LANES];
    let mut chunks = row.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (x, sum) in chunk.iter_mut().zip(&mut sums) {
            *x = exp_of_negative(*x - max);
            *sum += *x;
        }
    }
    let mut total = 0.0;
    for x in chunks.into_remainder() {
        *x = exp_of_negative(*x - max);
        total += *x;
    }
    for sum in sums {
        total += sum;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_attention_by_tensors() {
        let rotary = Rotary::new(64, 3, 8, DType::F32, &Device::Cpu).unwrap();
        let qkv = Tensor::randn(0f32, 1.0, (50, 72), &Device::Cpu).unwrap();
        let lengths = [0, 7, 8, 50];
        let ours = rotary.attend(&qkv, &lengths).unwrap();
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
                .attend(&qkv, &[0, 4, 20])
                .unwrap()
                .to_dtype(DType::F32)
                .unwrap();
            let values: Vec<f32> = out.flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|x| x.is_finite()));
        }
    }
}
