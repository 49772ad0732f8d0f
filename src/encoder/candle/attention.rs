//! Rotary self-attention over a flat batch by Candle's own operations, for any device and number format.
//!
//! Sequences of equal length together, others one by one: no padding, no mask (and no −∞ to turn into NaN in f16). The
//! CPU has a faster way of its own, `cpu/attention.rs`.

use candle_core::{DType, Device, Result, Tensor};

/// cos and sin of every position up to a limit, for one size of head: `positions × head_size / 2` each.
pub struct RotaryTables {
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
}

impl RotaryTables {
    /// Angle `position / 10000^(2i / head_size)` for pair `i` (Su et al. 2021, eq. 15), pairs interleaved.
    pub fn new(positions: usize, head_size: usize) -> Self {
        let half = head_size / 2;
        let frequency = |i: usize| (-(10000f32.ln()) * (2 * i) as f32 / head_size as f32).exp();
        let angles: Vec<f32> = (0..positions)
            .flat_map(|p| (0..half).map(move |i| p as f32 * frequency(i)))
            .collect();
        Self {
            cos: angles.iter().map(|a| a.cos()).collect(),
            sin: angles.iter().map(|a| a.sin()).collect(),
        }
    }
}

/// Scores of one head that are computed together at most, over all sequences of a group: 64 windows of 512 tokens.
const MAX_SCORES: usize = 1 << 24;

/// Attention on a device.
pub struct Rotary {
    heads: usize,
    head_size: usize,
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    pub fn new(
        positions: usize,
        heads: usize,
        head_size: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let tables = RotaryTables::new(positions, head_size);
        let tensor = |values: &[f32]| {
            Tensor::from_slice(values, (positions, head_size / 2), device)?.to_dtype(dtype)
        };
        Ok(Self {
            heads,
            head_size,
            cos: tensor(&tables.cos)?,
            sin: tensor(&tables.sin)?,
        })
    }

    /// `qkv` (tokens × 3 heads · head_size: all queries, all keys, all values) → tokens × heads · head_size. Neighbours of
    /// equal length are one product; batches come sorted by length, so most are.
    pub fn attend(&self, qkv: &Tensor, cumulative_lengths: &[usize]) -> Result<Tensor> {
        let (heads, size) = (self.heads, self.head_size);
        let ranges: Vec<(usize, usize)> = cumulative_lengths
            .windows(2)
            .map(|range| (range[0], range[1] - range[0]))
            .collect();
        let mut out = Vec::new();
        let groups = ranges.chunk_by(|(_, a), (_, b)| a == b).flat_map(|equal| {
            let together = MAX_SCORES / (equal[0].1 * equal[0].1).max(1);
            equal.chunks(together.max(1))
        });
        for equal in groups.filter(|equal| equal[0].1 > 0) {
            let ((start, length), count) = (equal[0], equal.len());
            let qkv = qkv
                .narrow(0, start, count * length)?
                .reshape((count, length, 3 * heads, size))?
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
            out.push(
                attended
                    .transpose(1, 2)?
                    .reshape((count * length, heads * size))?,
            );
        }
        Tensor::cat(&out, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
