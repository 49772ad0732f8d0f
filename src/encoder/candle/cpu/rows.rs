//! What a transformer layer does row by row.

use super::BLOCK_ROWS;
use super::matrix::{Activation, Matrix, Scratch};
use super::norm::Norm;
use rayon::prelude::*;
use rten_gemm::GemmError;

/// A layer without its attention.
pub struct RowLayer {
    /// Query, key and value in one product.
    pub qkv: Matrix,
    pub attention_output: Matrix,
    pub attention_norm: Norm,
    pub intermediate: Matrix,
    pub output: Matrix,
    pub output_norm: Norm,
}

/// What one thread keeps from block to block.
#[derive(Default)]
pub struct Buffers {
    scratch: Scratch,
    middle: Vec<f32>,
    inner: Vec<f32>,
}

impl RowLayer {
    /// Rows of hidden states → rows of all queries, all keys, all values; `take` gets some of them at a time, and the number
    /// of the first.
    pub fn before_attention(
        &self,
        x: &[f32],
        buffers: &mut Buffers,
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<(), GemmError> {
        let Buffers { scratch, inner, .. } = buffers;
        let (inputs, outputs) = (self.qkv.inputs(), self.qkv.outputs());
        for (n, x) in x.chunks(BLOCK_ROWS * inputs).enumerate() {
            inner.resize(x.len() / inputs * outputs, 0.0);
            self.qkv.apply(x, Activation::None, scratch, inner)?;
            take(n * BLOCK_ROWS, inner);
        }
        Ok(())
    }

    /// The same rows into `qkv`, on all threads.
    pub fn par_before_attention(&self, x: &[f32], qkv: &mut [f32]) -> Result<(), GemmError> {
        qkv.par_chunks_mut(BLOCK_ROWS * self.qkv.outputs())
            .zip(x.par_chunks(BLOCK_ROWS * self.qkv.inputs()))
            .try_for_each_init(Scratch::default, |scratch, (out, x)| {
                self.qkv.apply(x, Activation::None, scratch, out)
            })
    }

    /// What was attended to, and the layer's input, which becomes its output.
    pub fn after_attention(
        &self,
        attended: &[f32],
        buffers: &mut Buffers,
        x: &mut [f32],
    ) -> Result<(), GemmError> {
        let block = BLOCK_ROWS * self.output.outputs();
        let mut blocks = attended.chunks(block).zip(x.chunks_mut(block));
        blocks.try_for_each(|(attended, x)| self.block_after_attention(attended, buffers, x))
    }

    /// [`RowLayer::after_attention`] on all threads.
    pub fn par_after_attention(&self, attended: &[f32], x: &mut [f32]) -> Result<(), GemmError> {
        let block = BLOCK_ROWS * self.output.outputs();
        x.par_chunks_mut(block)
            .zip(attended.par_chunks(block))
            .try_for_each_init(Buffers::default, |buffers, (x, attended)| {
                self.block_after_attention(attended, buffers, x)
            })
    }

    fn block_after_attention(
        &self,
        attended: &[f32],
        buffers: &mut Buffers,
        x: &mut [f32],
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
        self.attention_norm.apply_to_sum(middle, x);
        self.intermediate
            .apply(middle, Activation::Gelu, scratch, inner)?;
        self.output.apply(inner, Activation::None, scratch, x)?;
        self.output_norm.apply_to_sum(x, middle);
        Ok(())
    }
}
