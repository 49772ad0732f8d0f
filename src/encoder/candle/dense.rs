//! Linear layers for heads: on the CPU, in f32, packed once.

use super::cpu::Matrix;
use super::cpu::matrix::{Activation, Scratch};
use super::weights::Weights;
use crate::encoder::EncodeError;

/// `x · Wᵀ + b`.
pub struct Dense(Matrix);

impl Dense {
    /// Takes `NAME.weight` (outputs × inputs) and `NAME.bias`.
    pub fn new(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, String> {
        let weight = weights.take_values(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = weights.take_values(&format!("{name}.bias"), &[outputs])?;
        Ok(Self(Matrix::new(&weight, bias, false)))
    }

    /// `rows` is a flat matrix of as many columns as there are inputs; the result is flat too. A row's result depends on no
    /// other row.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.activated(rows, Activation::None)
    }

    /// [`Dense::apply`] with GELU after it.
    pub(super) fn gelu(&self, rows: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.activated(rows, Activation::Gelu)
    }

    fn activated(&self, rows: &[f32], activation: Activation) -> Result<Vec<f32>, EncodeError> {
        let count = rows.len() / self.0.inputs();
        let mut out = vec![0.0; count * self.0.outputs()];
        if count > 0 {
            self.0
                .apply(rows, activation, &mut Scratch::default(), &mut out)
                .map_err(|e| EncodeError(e.to_string()))?;
        }
        Ok(out)
    }
}

/// Two layers with GELU between: rows → one number each.
pub struct Scorer {
    first: Dense,
    last: Dense,
}

impl Scorer {
    /// Takes `NAME.first` (hidden × inputs) and `NAME.last` (1 × hidden).
    pub fn new(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        hidden: usize,
    ) -> Result<Self, String> {
        Ok(Self {
            first: Dense::new(weights, &format!("{name}.first"), inputs, hidden)?,
            last: Dense::new(weights, &format!("{name}.last"), hidden, 1)?,
        })
    }

    /// The number of columns a row has.
    pub fn inputs(&self) -> usize {
        self.first.0.inputs()
    }

    /// One score a row of the flat matrix.
    pub fn scores(&self, rows: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.last.apply(&self.first.gelu(rows)?)
    }
}
