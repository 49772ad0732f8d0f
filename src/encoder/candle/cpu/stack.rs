//! All layers on the CPU, one after another, in buffers that serve every layer.

use super::attention::FlatAttention;
use super::rows::RowLayer;
use rten_gemm::GemmError;

pub struct CpuStack {
    pub layers: Vec<RowLayer>,
    pub attention: FlatAttention,
}

impl CpuStack {
    /// Embedded tokens (tokens × hidden) of a flat batch → hidden states.
    pub fn forward(
        &self,
        mut x: Vec<f32>,
        cumulative_lengths: &[usize],
    ) -> Result<Vec<f32>, GemmError> {
        let mut qkv = vec![0.0; 3 * x.len()];
        let (mut attended, mut next) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for layer in &self.layers {
            layer.before_attention(&x, &mut qkv)?;
            // The next states are not needed yet: their place serves as a buffer.
            self.attention
                .attend(&qkv, cumulative_lengths, &mut next, &mut attended)?;
            layer.after_attention(&attended, &x, &mut next)?;
            std::mem::swap(&mut x, &mut next);
        }
        Ok(x)
    }
}
