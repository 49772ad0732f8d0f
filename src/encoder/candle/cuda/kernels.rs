//! Launches of the kernels of `kernels.cu`, and cuBLAS's product.

#![expect(
    unsafe_code,
    reason = "a launch takes pointers and sizes: what the kernels write is asserted to fit; what ids, tiles and positions lead \
              to is bounded by `CudaStack`, which alone calls these"
)]

use super::half::Half;
use super::slabs::{MAX_TILES, SLAB};
use super::weights::{Linear, Norm};
use candle_core::Result;
use candle_core::cuda_backend::cudarc::cublas::sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, Gemm, GemmConfig};
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use std::sync::Arc;

/// The head size that the kernels are written for, and the largest hidden size.
pub const HEAD: usize = 64;
pub const MAX_HIDDEN: usize = 1024;
/// Values that the activation kernel takes at a time.
pub const EIGHT: usize = 8;
/// Queries of a block of the attention kernel.
pub const TILE: usize = 64;
const WARP: u32 = 32;
const ROWS_A_BLOCK: u32 = 4;

const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// One slab's operations, each put into the queue of the calling thread. All buffers have [`SLAB`] rows.
pub struct Kernels {
    stream: Arc<CudaStream>,
    blas: Arc<CudaBlas>,
    embed: CudaFunction,
    attend: CudaFunction,
    residual_norm: CudaFunction,
    bias_gelu: CudaFunction,
}

impl Kernels {
    pub fn load<T: Half>(device: &CudaDevice) -> Result<Self> {
        let kernel = |name: &str| {
            let name = format!("{name}_{}", T::NAME);
            let loaded = device.get_or_load_custom_func(&name, "jianbao", PTX);
            loaded.map(|function| function.into_cuda_function())
        };
        Ok(Self {
            stream: device.cuda_stream(),
            blas: device.cublas_handle(),
            embed: kernel("embed")?,
            attend: kernel("attend")?,
            residual_norm: kernel("residual_norm")?,
            bias_gelu: kernel("bias_gelu")?,
        })
    }

    /// `out ← x · weightᵀ`, without the bias. cuBLAS counts columns first: what it sees is `weightᵀ` and `xᵀ`.
    pub fn product<T: Half>(
        &self,
        linear: &Linear<T>,
        x: &CudaSlice<T>,
        out: &mut CudaSlice<T>,
    ) -> Result<()>
    where
        CudaBlas: Gemm<T>,
    {
        let (inputs, outputs) = (linear.inputs as i32, linear.outputs as i32);
        let config = GemmConfig {
            transa: CUBLAS_OP_T,
            transb: CUBLAS_OP_N,
            m: outputs,
            n: SLAB as i32,
            k: inputs,
            alpha: T::ONE,
            lda: inputs,
            ldb: inputs,
            beta: T::ZERO,
            ldc: outputs,
        };
        assert!(x.len() == SLAB * linear.inputs && out.len() == SLAB * linear.outputs);
        assert!(linear.weight.len() == linear.inputs * linear.outputs);
        // SAFETY: the sizes are those of the slices, by the lines above.
        unsafe { self.blas.gemm(config, &linear.weight, x, out) }.w()
    }

    /// `out ← norm(table[ids])`. Ids are in the vocabulary: `RoFormer::encode` refuses others.
    pub fn embed<T: Half>(
        &self,
        ids: &CudaSlice<u32>,
        table: &CudaSlice<T>,
        norm: &Norm<T>,
        epsilon: f32,
        out: &mut CudaSlice<T>,
    ) -> Result<()> {
        let (rows, hidden) = (SLAB as i32, norm.weight.len() as i32);
        assert!(ids.len() == SLAB && out.len() == SLAB * norm.weight.len());
        let mut builder = self.stream.launch_builder(&self.embed);
        builder.arg(ids).arg(table);
        builder.arg(&norm.weight).arg(&norm.shift).arg(out);
        builder.arg(&rows).arg(&hidden).arg(&epsilon);
        // SAFETY: arguments as in kernels.cu; sizes by the assertion, ids by the contract above.
        unsafe { builder.launch(one_warp_a_row()) }.w()?;
        Ok(())
    }

    /// `out ← attention(qkv + bias)` of the first `count` tiles, rotated by `angles`, (cos, sin) by position and pair.
    pub fn attend<T: Half>(
        &self,
        qkv: (&CudaSlice<T>, &Linear<T>),
        angles: &CudaSlice<f32>,
        (tiles, count): (&CudaSlice<i32>, usize),
        out: &mut CudaSlice<T>,
    ) -> Result<()> {
        let (qkv, bias) = (qkv.0, &qkv.1.bias);
        let heads = bias.len() / 3 / HEAD;
        assert!(qkv.len() == SLAB * 3 * heads * HEAD && out.len() == SLAB * heads * HEAD);
        assert!(tiles.len() == MAX_TILES && 4 * count <= MAX_TILES);
        let config = LaunchConfig {
            grid_dim: (count as u32, heads as u32, 1),
            block_dim: (2 * TILE as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        let heads = heads as i32;
        let mut builder = self.stream.launch_builder(&self.attend);
        builder.arg(qkv).arg(bias).arg(angles);
        builder.arg(tiles).arg(out).arg(&heads);
        // SAFETY: arguments as in kernels.cu; sizes by the assertions; every tile lies inside the slab (`slabs::tiles`) and
        // below the last position of `angles` (the windows' length, which `CudaStack::new` is told).
        unsafe { builder.launch(config) }.w()?;
        Ok(())
    }

    /// `x ← norm(y + bias + x)`.
    pub fn residual_norm<T: Half>(
        &self,
        y: &CudaSlice<T>,
        linear: &Linear<T>,
        norm: &Norm<T>,
        epsilon: f32,
        x: &mut CudaSlice<T>,
    ) -> Result<()> {
        let (rows, hidden) = (SLAB as i32, norm.weight.len() as i32);
        assert!(linear.outputs == norm.weight.len());
        assert!(y.len() == SLAB * linear.outputs && x.len() == y.len());
        let x = &*x;
        let mut builder = self.stream.launch_builder(&self.residual_norm);
        builder.arg(y).arg(&linear.bias).arg(x);
        builder.arg(&norm.weight).arg(&norm.shift).arg(x);
        builder.arg(&rows).arg(&hidden).arg(&epsilon);
        // SAFETY: arguments as in kernels.cu; sizes by the assertions; a warp reads its row of `x` before it writes it.
        unsafe { builder.launch(one_warp_a_row()) }.w()?;
        Ok(())
    }

    /// `x ← gelu(x + bias)`.
    pub fn bias_gelu<T: Half>(&self, x: &mut CudaSlice<T>, linear: &Linear<T>) -> Result<()> {
        assert!(x.len() == SLAB * linear.outputs && linear.outputs.is_multiple_of(EIGHT));
        let (width, eighths) = (linear.outputs as i32, (x.len() / EIGHT) as i32);
        let mut builder = self.stream.launch_builder(&self.bias_gelu);
        builder.arg(x).arg(&linear.bias);
        builder.arg(&width).arg(&eighths);
        // SAFETY: arguments as in kernels.cu; sizes by the assertion.
        unsafe { builder.launch(LaunchConfig::for_num_elems(eighths as u32)) }.w()?;
        Ok(())
    }
}

fn one_warp_a_row() -> LaunchConfig {
    LaunchConfig {
        grid_dim: ((SLAB as u32).div_ceil(ROWS_A_BLOCK), 1, 1),
        block_dim: (WARP * ROWS_A_BLOCK, 1, 1),
        shared_mem_bytes: 0,
    }
}
