//! What a transformer layer does row by row.

use super::BLOCK_ROWS;
use super::elementwise::add_norm;
use super::matrix::{Activation, Matrix, Scratch};
use super::vectorised::vectorised;
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
    pub fn apply(&self, x: &mut [f32], residual: &[f32]) {
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
    /// Query, key and value in one product.
    pub qkv: Matrix,
    pub attention_output: Matrix,
    pub attention_norm: Residual,
    pub intermediate: Matrix,
    pub output: Matrix,
    pub output_norm: Residual,
}

#[derive(Default)]
struct Buffers {
    scratch: Scratch,
    middle: Vec<f32>,
    inner: Vec<f32>,
}

impl RowLayer {
    /// Rows of hidden states → rows of all queries, all keys, all values.
    pub fn before_attention(&self, x: &[f32], qkv: &mut [f32]) -> Result<(), GemmError> {
        let matrix = &self.qkv;
        qkv.par_chunks_mut(BLOCK_ROWS * matrix.outputs())
            .zip(x.par_chunks(BLOCK_ROWS * matrix.inputs()))
            .try_for_each_init(Scratch::default, |scratch, (out, x)| {
                matrix.apply(x, Activation::None, scratch, out)
            })
    }

    /// What was attended to, and the layer's input → the layer's output.
    pub fn after_attention(
        &self,
        attended: &[f32],
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let block = BLOCK_ROWS * self.output.outputs();
        out.par_chunks_mut(block)
            .zip(attended.par_chunks(block))
            .zip(x.par_chunks(block))
            .try_for_each_init(Buffers::default, |buffers, ((out, attended), x)| {
                self.block_after_attention(attended, x, buffers, out)
            })
    }

    fn block_after_attention(
        &self,
        attended: &[f32],
        x: &[f32],
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
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
