//! Linear layers: packed once for `rten-gemm` on the CPU, plain Candle matrices elsewhere.
//!
//! Candle's own CPU matrix product (the `gemm` crate) reaches about half of what `rten-gemm` does with weights
//! packed beforehand (ARCHITECTURE.md has the figures). Its sums run along blocks of fixed depth, so a row's
//! result depends neither on the number of rows nor on the number of threads.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

/// `x · W + b`.
pub struct Linear {
    inner: Inner,
}

enum Inner {
    Packed(PackedLinear),
    Plain { weight: Tensor, bias: Tensor },
}

struct PackedLinear {
    weight: PackedBMatrix<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// From a weight as PyTorch stores it (outputs × inputs) and a bias.
    pub fn new(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let packed = matches!(weight.device(), Device::Cpu) && weight.dtype() == DType::F32;
        if !packed {
            return Ok(Self {
                inner: Inner::Plain {
                    weight: weight.t()?.contiguous()?,
                    bias: bias.clone(),
                },
            });
        }
        let (outputs, inputs) = weight.dims2()?;
        let values: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        let executor = GemmExecutor::<f32, f32, f32>::new();
        let matrix = NdTensorView::from_data([outputs, inputs], values.as_slice());
        let weight = executor.prepack_b(matrix.transposed());
        Ok(Self {
            inner: Inner::Packed(PackedLinear {
                weight,
                bias: bias.to_vec1()?,
            }),
        })
    }

    /// `x`: rows × inputs → rows × outputs.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.inner {
            Inner::Packed(packed) => x.apply_op1_no_bwd(packed),
            Inner::Plain { weight, bias } => x.matmul(weight)?.broadcast_add(bias),
        }
    }
}

impl CustomOp1 for PackedLinear {
    fn name(&self) -> &'static str {
        "packed-linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        let x = super::fused::values(storage, layout)?;
        let outputs = self.bias.len();
        let mut out = vec![0.0; rows * outputs];
        // Made anew each time: choosing the kernel costs nanoseconds, and an executor cannot be shared by threads.
        GemmExecutor::<f32, f32, f32>::new()
            .gemm(
                &mut out,
                GemmInputA::Unpacked(NdTensorView::from_data([rows, inputs], x)),
                GemmInputB::Packed(&self.weight),
                GemmOptions {
                    bias: Some(BiasVector::Row(&self.bias)),
                    ..GemmOptions::default()
                },
            )
            .map_err(|e| candle_core::Error::Msg(format!("matrix product: {e}")))?;
        Ok((CpuStorage::F32(out), (rows, outputs).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_plain_product_and_ignores_the_number_of_rows() {
        let random = |shape: (usize, usize)| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let (weight, bias, x) = (
            random((33, 300)),
            random((1, 33)).squeeze(0).unwrap(),
            random((70, 300)),
        );
        let linear = Linear::new(&weight, &bias).unwrap();
        let ours = linear.forward(&x).unwrap();
        let plain = x
            .matmul(&weight.t().unwrap())
            .unwrap()
            .broadcast_add(&bias)
            .unwrap();
        let difference: f32 = (&ours - plain)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar()
            .unwrap();
        assert!(difference < 1e-4, "{difference}");
        let few = linear
            .forward(&x.narrow(0, 5, 3).unwrap().contiguous().unwrap())
            .unwrap();
        let same: Vec<Vec<f32>> = ours.narrow(0, 5, 3).unwrap().to_vec2().unwrap();
        assert_eq!(few.to_vec2::<f32>().unwrap(), same);
    }
}
