//! Elementwise steps in one pass over memory each, parallel over rows.
//!
//! Stock Candle runs GELU-erf, residual and layer norm as separate passes, some on one thread. On other
//! devices than the CPU the stock operations are used.

use candle_core::{CpuStorage, Device, InplaceOp1, InplaceOp3, Layout, Result, Tensor};
use rayon::prelude::*;

/// `x ← gelu(x)`, by the error function, as BERT has it.
pub fn gelu(x: Tensor) -> Result<Tensor> {
    if is_plain_cpu(&x) {
        x.inplace_op1(&Gelu)?;
        return Ok(x);
    }
    x.gelu_erf()
}

/// A layer norm after a residual: weight and shift in one tensor of two rows.
pub struct ResidualNorm {
    rows: Tensor,
    epsilon: f32,
}

impl ResidualNorm {
    /// From two vectors of the same width.
    pub fn new(weight: &Tensor, shift: &Tensor, epsilon: f32) -> Result<Self> {
        Ok(Self {
            rows: Tensor::stack(&[weight, shift], 0)?,
            epsilon,
        })
    }

    /// `x ← layer_norm(x + residual) · weight + shift` for rows of `x` (tokens × width).
    pub fn apply(&self, x: Tensor, residual: &Tensor) -> Result<Tensor> {
        if is_plain_cpu(&x) {
            x.inplace_op3(
                residual,
                &self.rows,
                &AddNorm {
                    epsilon: self.epsilon,
                },
            )?;
            return Ok(x);
        }
        let x = (x + residual)?;
        candle_nn::ops::layer_norm(
            &x,
            &self.rows.get(0)?.contiguous()?,
            &self.rows.get(1)?.contiguous()?,
            self.epsilon,
        )
    }
}

fn is_plain_cpu(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu) && x.dtype() == candle_core::DType::F32 && x.is_contiguous()
}

/// The f32 values of a contiguous CPU tensor.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => Err(candle_core::Error::Msg("not f32".into())),
    }
}

/// Rows that one thread takes at a time.
const VALUES_A_TASK: usize = 16_384;

struct Gelu;

impl InplaceOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        values_mut(x, layout)?
            .par_chunks_mut(VALUES_A_TASK)
            .for_each(|part| {
                // `dispatch` compiles the loop for AVX2, AVX-512, … and picks one at run time.
                pulp::Arch::new().dispatch(|| {
                    for x in part.iter_mut() {
                        *x = gelu_of(*x);
                    }
                });
            });
        Ok(())
    }
}

/// `x · Φ(x)` with erf by Abramowitz and Stegun 7.1.26 (largest error 1.5e-7), written so that it vectorises.
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let a = z.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let polynomial = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = 1.0 - polynomial * exp_of_negative(-a * a);
    0.5 * x * (1.0 + erf.copysign(z))
}

/// e^x for x ≤ 0, to some 2e-7 relative: 2^n times a polynomial on [-½ ln 2, ½ ln 2] (Cephes `expf`).
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    let x = if x > -87.0 { x } else { -87.0 };
    // Adding and taking away 1.5 · 2²³ rounds to the nearest integer without a call.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
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
        let width = parameters.len() / 2;
        let (weight, shift) = parameters.split_at(width);
        let residual = values(residual, residual_layout)?;
        let rows_a_task = (VALUES_A_TASK / width).max(1) * width;
        let parts = values_mut(x, x_layout)?
            .par_chunks_mut(rows_a_task)
            .zip(residual.par_chunks(rows_a_task));
        parts.for_each(|(part, residual)| {
            pulp::Arch::new().dispatch(|| {
                for (row, residual) in part
                    .chunks_exact_mut(width)
                    .zip(residual.chunks_exact(width))
                {
                    self.one_row(row, residual, weight, shift);
                }
            });
        });
        Ok(())
    }
}

impl AddNorm {
    #[inline(always)]
    fn one_row(&self, row: &mut [f32], residual: &[f32], weight: &[f32], shift: &[f32]) {
        for (x, r) in row.iter_mut().zip(residual) {
            *x += r;
        }
        let width = row.len() as f32;
        let mean = sum(row, |x| x) / width;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / width;
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        for ((x, w), s) in row.iter_mut().zip(weight).zip(shift) {
            *x = (*x - mean) * scale * w + s;
        }
    }
}

/// Sums in lanes: vectorises, and always in the same order.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let chunks = row.chunks_exact(16);
    let mut total = 0.0;
    for &x in chunks.remainder() {
        total += f(x);
    }
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for lane in lanes {
        total += lane;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar()
            .unwrap()
    }

    #[test]
    fn gelu_equals_the_stock_operation() {
        let x = Tensor::randn(0f32, 3.0, (17, 40), &Device::Cpu).unwrap();
        let stock = x.gelu_erf().unwrap();
        assert!(largest_difference(&gelu(x).unwrap(), &stock) < 2e-6);
    }

    #[test]
    fn norm_equals_the_stock_operation() {
        let make = |shape: (usize, usize)| Tensor::randn(0f32, 2.0, shape, &Device::Cpu).unwrap();
        let (x, residual) = (make((9, 37)), make((9, 37)));
        let (weight, shift) = (
            make((1, 37)).squeeze(0).unwrap(),
            make((1, 37)).squeeze(0).unwrap(),
        );
        let stock =
            candle_nn::ops::layer_norm(&(&x + &residual).unwrap(), &weight, &shift, 1e-12).unwrap();
        let ours = ResidualNorm::new(&weight, &shift, 1e-12)
            .unwrap()
            .apply(x, &residual)
            .unwrap();
        assert!(largest_difference(&ours, &stock) < 1e-4);
    }
}
