//! Layer norm of rows, with or without a residual before it.

use super::elementwise::{add_norm, norm};
use super::vectorised::vectorised;
use crate::encoder::candle::weights::Weights;

/// `(x − mean) / √(variance + epsilon) · weight + shift`, row by row.
pub struct Norm {
    pub weight: Vec<f32>,
    pub shift: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    /// Takes `NAME.weight` and `NAME.bias`.
    pub fn take(
        weights: &mut Weights,
        name: &str,
        width: usize,
        epsilon: f32,
    ) -> Result<Self, String> {
        Ok(Self {
            weight: weights.take_values(&format!("{name}.weight"), &[width])?,
            shift: weights.take_values(&format!("{name}.bias"), &[width])?,
            epsilon,
        })
    }

    /// `x ← norm(x)`.
    pub fn apply(&self, x: &mut [f32]) {
        norms(x, &self.weight, &self.shift, self.epsilon);
    }

    /// `x ← norm(x + residual)`.
    pub fn apply_to_sum(&self, x: &mut [f32], residual: &[f32]) {
        add_norms(x, residual, &self.weight, &self.shift, self.epsilon);
    }
}

vectorised! {
    fn norms(x: &'a mut [f32], weight: &'a [f32], shift: &'a [f32], epsilon: f32) {
        for row in x.chunks_exact_mut(weight.len()) {
            norm(row, weight, shift, epsilon);
        }
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
