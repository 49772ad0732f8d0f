//! What a transformer layer does row by row, as two Candle operations.

use super::BLOCK_ROWS;
use super::elementwise::add_norm;
use super::matrix::{Activation, Matrix, Scratch};
use super::vectorised::vectorised;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape};
use rayon::prelude::*;
use rten_gemm::GemmError;

/// A layer norm after a residual.
pub struct Residual {
    pub weight: Vec<f32>,
    pub shift: Vec<f32>,
    pub epsilon: f32,
}

impl Residual {
    /// `x ← layer_norm(x + residual) · weight + shift`, row by row.
    fn apply(&self, x: &mut [f32], residual: &[f32]) {
        add_norms(x, residual, &self.weight, &self.shift, self.epsilon);
    }
}

vectorised! {
    fn add_norms(x: &'a mut [f32], residual: &'a [f32], weight: &'a [f32], shift: &'a [f32], epsilon: f32) {
        let width = weight.len();
        let rows = x.chunks_exact_mut(width).zip(residual.chunks_exact(width));
        for (row, residual) in rows {
            add_norm(row, residual, weight, shift, epsilon);
        }
    }
}

/// A layer without its attention.
pub struct RowLayer {
    /// Matrices and attention are in int8.
    pub int8: bool,
    /// Query, key and value in one product.
    pub qkv: Matrix,
    pub attention_output: Matrix,
    pub attention_norm: Residual,
    pub intermediate: Matrix,
    pub output: Matrix,
    pub output_norm: Residual,
}

/// Before the attention: rows of hidden states → rows of all queries, all keys, all values.
pub struct BeforeAttention<'a>(pub &'a RowLayer);

/// After the attention: (attended, the layer's input) → the layer's output.
pub struct AfterAttention<'a>(pub &'a RowLayer);

impl CustomOp1 for BeforeAttention<'_> {
    fn name(&self) -> &'static str {
        "before-attention"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let matrix = &self.0.qkv;
        let x = values(x, layout)?;
        let rows = x.len() / matrix.inputs();
        let mut out = vec![0.0; rows * matrix.outputs()];
        out.par_chunks_mut(BLOCK_ROWS * matrix.outputs())
            .zip(x.par_chunks(BLOCK_ROWS * matrix.inputs()))
            .try_for_each_init(Scratch::default, |scratch, (out, x)| {
                matrix.apply(x, Activation::None, scratch, out)
            })
            .map_err(failed)?;
        Ok((CpuStorage::F32(out), (rows, matrix.outputs()).into()))
    }
}

impl CustomOp2 for AfterAttention<'_> {
    fn name(&self) -> &'static str {
        "after-attention"
    }

    fn cpu_fwd(
        &self,
        attended: &CpuStorage,
        attended_layout: &Layout,
        x: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (attended, x) = (values(attended, attended_layout)?, values(x, layout)?);
        let width = self.0.output.outputs();
        let mut out = vec![0.0; x.len()];
        let block = BLOCK_ROWS * width;
        out.par_chunks_mut(block)
            .zip(attended.par_chunks(block))
            .zip(x.par_chunks(block))
            .try_for_each_init(Buffers::default, |buffers, ((out, attended), x)| {
                self.0.after_attention(attended, x, buffers, out)
            })
            .map_err(failed)?;
        Ok((CpuStorage::F32(out), (x.len() / width, width).into()))
    }
}

#[derive(Default)]
struct Buffers {
    scratch: Scratch,
    middle: Vec<f32>,
    inner: Vec<f32>,
}

impl RowLayer {
    fn after_attention(
        &self,
        attended: &[f32],
        x: &[f32],
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> std::result::Result<(), GemmError> {
        let Buffers {
            scratch,
            middle,
            inner,
        } = buffers;
        let rows = x.len() / self.output.outputs();
        middle.resize(x.len(), 0.0);
        inner.resize(rows * self.intermediate.outputs(), 0.0);
        self.attention_output
            .apply(attended, Activation::None, scratch, middle)?;
        self.attention_norm.apply(middle, x);
        self.intermediate
            .apply(middle, Activation::Gelu, scratch, inner)?;
        self.output.apply(inner, Activation::None, scratch, out)?;
        self.output_norm.apply(out, middle);
        Ok(())
    }
}

fn failed(error: GemmError) -> candle_core::Error {
    candle_core::Error::Msg(format!("matrix product: {error}"))
}

/// The f32 values of a contiguous CPU tensor.
pub(in super::super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}
