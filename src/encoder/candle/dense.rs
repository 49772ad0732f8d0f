//! A small linear layer for heads, on the CPU.

use super::weights::Weights;
use crate::encoder::EncodeError;
use candle_core::{DType, Device, Tensor};

/// `x · Wᵀ + b`.
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
    inputs: usize,
}

impl Dense {
    /// Takes `NAME.weight` (outputs × inputs) and `NAME.bias`.
    pub fn new(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, String> {
        let weight = weights.take(
            &format!("{name}.weight"),
            &[outputs, inputs],
            DType::F32,
            &Device::Cpu,
        )?;
        let bias = weights.take(
            &format!("{name}.bias"),
            &[outputs],
            DType::F32,
            &Device::Cpu,
        )?;
        let weight = weight
            .t()
            .and_then(|t| t.contiguous())
            .map_err(|e| e.to_string())?;
        Ok(Self {
            weight,
            bias,
            inputs,
        })
    }

    fn forward(&self, rows: &Tensor) -> candle_core::Result<Tensor> {
        rows.matmul(&self.weight)?.broadcast_add(&self.bias)
    }

    /// `rows` is a flat matrix of `inputs` columns; the result is flat too.
    pub fn apply(&self, rows: Vec<f32>) -> Result<Vec<f32>, EncodeError> {
        run(rows, self.inputs, |x| self.forward(x))
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
        self.first.inputs
    }

    /// One score a row of the flat matrix.
    pub fn scores(&self, rows: Vec<f32>) -> Result<Vec<f32>, EncodeError> {
        run(rows, self.first.inputs, |x| {
            self.last.forward(&self.first.forward(x)?.gelu_erf()?)
        })
    }
}

fn run(
    rows: Vec<f32>,
    inputs: usize,
    f: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<Vec<f32>, EncodeError> {
    let count = rows.len() / inputs;
    if count == 0 {
        return Ok(Vec::new());
    }
    // A second, repeated row keeps a single row on the same matrix kernel as many rows: same bits either way.
    let mut rows = rows;
    if count == 1 {
        rows.extend_from_within(..);
    }
    let shape = (rows.len() / inputs, inputs);
    let out: Vec<f32> = Tensor::from_vec(rows, shape, &Device::Cpu)
        .and_then(|x| f(&x)?.flatten_all()?.to_vec1())
        .map_err(|e| EncodeError(e.to_string()))?;
    let outputs = out.len() / shape.0;
    Ok(out[..count * outputs].to_vec())
}
