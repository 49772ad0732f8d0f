//! Elementwise steps in one pass over memory each, parallel over rows.
//!
//! Stock Candle runs bias, GELU-erf, residual and layer norm as separate passes, some on one thread. On other
//! devices than the CPU the stock operations are used.

use candle_core::{CpuStorage, Device, InplaceOp2, InplaceOp3, Layout, Result, Tensor};
use rayon::prelude::*;

/// `x ← gelu(x + bias)` for rows of `x` (tokens × width). GELU by the error function, as BERT has it.
pub fn add_bias_gelu(x: Tensor, bias: &Tensor) -> Result<Tensor> {
    if is_plain_cpu(&x) {
        x.inplace_op2(bias, &AddBiasGelu)?;
        return Ok(x);
    }
    x.broadcast_add(bias)?.gelu_erf()
}

/// The bias of the layer before, then the weight and shift of a layer norm: one tensor of three rows.
pub struct BiasAndNorm {
    rows: Tensor,
    epsilon: f32,
}

impl BiasAndNorm {
    /// From three vectors of the same width.
    pub fn new(bias: &Tensor, weight: &Tensor, shift: &Tensor, epsilon: f32) -> Result<Self> {
        Ok(Self { rows: Tensor::stack(&[bias, weight, shift], 0)?, epsilon })
    }

    /// `x ← layer_norm(x + bias + residual) · weight + shift` for rows of `x` (tokens × width).
    pub fn apply(&self, x: Tensor, residual: &Tensor) -> Result<Tensor> {
        if is_plain_cpu(&x) {
            x.inplace_op3(residual, &self.rows, &AddNorm { epsilon: self.epsilon })?;
            return Ok(x);
        }
        let x = (x.broadcast_add(&self.rows.get(0)?)? + residual)?;
        candle_nn::ops::layer_norm(&x, &self.rows.get(1)?.contiguous()?, &self.rows.get(2)?.contiguous()?, self.epsilon)
    }
}

fn is_plain_cpu(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu) && x.dtype() == candle_core::DType::F32 && x.is_contiguous()
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => Err(candle_core::Error::Msg("not f32".into())),
    }
}

struct AddBiasGelu;

impl InplaceOp2 for AddBiasGelu {
    fn name(&self) -> &'static str {
        "add-bias-gelu"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, x_layout: &Layout, bias: &CpuStorage, bias_layout: &Layout) -> Result<()> {
        let bias = values(bias, bias_layout)?;
        values_mut(x, x_layout)?.par_chunks_mut(bias.len()).with_min_len(8).for_each(|row| {
            for (x, b) in row.iter_mut().zip(bias) {
                *x = gelu(*x + b);
            }
        });
        Ok(())
    }
}

/// `x · Φ(x)` with erf by Abramowitz and Stegun 7.1.26 (largest error 1.5e-7), written so that it vectorises.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let a = z.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let polynomial = t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = 1.0 - polynomial * exp_of_negative(-a * a);
    0.5 * x * (1.0 + erf.copysign(z))
}

/// e^x for x ≤ 0, to some 2e-7 relative: 2^n times a polynomial on [-½ ln 2, ½ ln 2] (Cephes `expf`).
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5.000_000_1e-1;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits((((n as i32) + 127) as u32) << 23)
}

struct AddNorm {
    epsilon: f32,
}

impl InplaceOp3 for AddNorm {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<()> {
        let parameters = values(parameters, parameters_layout)?;
        let width = parameters.len() / 3;
        let (bias, rest) = parameters.split_at(width);
        let (weight, shift) = rest.split_at(width);
        let residual = values(residual, residual_layout)?;
        let rows = values_mut(x, x_layout)?.par_chunks_mut(width).zip(residual.par_chunks(width));
        rows.with_min_len(8).for_each(|(row, residual)| {
            for ((x, r), b) in row.iter_mut().zip(residual).zip(bias) {
                *x += r + b;
            }
            let mean = sum(row, |x| x) / width as f32;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            for ((x, w), s) in row.iter_mut().zip(weight).zip(shift) {
                *x = (*x - mean) * scale * w + s;
            }
        });
        Ok(())
    }
}

/// Sums in eight lanes: vectorises, and always in the same order.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = row.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn gelu_equals_the_stock_operation() {
        let x = Tensor::randn(0f32, 3.0, (17, 40), &Device::Cpu).unwrap();
        let bias = Tensor::randn(0f32, 1.0, 40, &Device::Cpu).unwrap();
        let stock = x.broadcast_add(&bias).unwrap().gelu_erf().unwrap();
        assert!(largest_difference(&add_bias_gelu(x, &bias).unwrap(), &stock) < 2e-6);
    }

    #[test]
    fn norm_equals_the_stock_operation() {
        let make = |shape: (usize, usize)| Tensor::randn(0f32, 2.0, shape, &Device::Cpu).unwrap();
        let (x, residual) = (make((9, 37)), make((9, 37)));
        let (bias, weight, shift) = (make((1, 37)).squeeze(0).unwrap(), make((1, 37)).squeeze(0).unwrap(), make((1, 37)).squeeze(0).unwrap());
        let sum = (x.broadcast_add(&bias).unwrap() + &residual).unwrap();
        let stock = candle_nn::ops::layer_norm(&sum, &weight, &shift, 1e-12).unwrap();
        let ours = BiasAndNorm::new(&bias, &weight, &shift, 1e-12).unwrap().apply(x, &residual).unwrap();
        assert!(largest_difference(&ours, &stock) < 1e-4);
    }
}
