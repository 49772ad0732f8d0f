//! A weight matrix packed once: in f32 for `rten-gemm`, in int8 for what `int8.rs` chooses.
//!
//! Candle's own CPU matrix product (the `gemm` crate) reaches about half of what `rten-gemm` does with weights
//! packed beforehand (ARCHITECTURE.md has the figures). Its sums run along blocks of fixed depth, so a row's result
//! depends neither on the number of rows nor on the number of threads.
//!
//! int8: weights symmetric with one scale an output, activations u8 with scale and zero point of their own for each
//! row, found as they come (Jacob et al. 2018, <https://arxiv.org/abs/1712.05877>; per row rather than per tensor,
//! as in LLM.int8(), <https://arxiv.org/abs/2208.07339>, so that no row depends on its neighbours).

use super::elementwise::{gelu, gelu_roughly};
use super::int8::{Int8Matrix, QuantisedRows, highest, quantise_symmetric, row_sums};
use super::vectorised::vectorised;
use rten_gemm::{
    BiasVector, GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix,
};
use rten_tensor::NdTensorView;

/// `x · Wᵀ + b`.
pub struct Matrix {
    packed: Packed,
    bias: Vec<f32>,
    inputs: usize,
}

enum Packed {
    F32(PackedBMatrix<f32>),
    Int8 {
        weight: Int8Matrix,
        /// One an output.
        scales: Vec<f32>,
        /// The sum of each output's weights, by which the activations' zero points are taken out again.
        weight_sums: Vec<i32>,
    },
}

/// What is done to the result while it is in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    None,
    Gelu,
}

thread_local! {
    /// The product of numbers in f32; why it is kept: `int8.rs`.
    pub(super) static PRODUCT: GemmExecutor<f32, f32, f32> = GemmExecutor::new();
}

/// Buffers that one thread keeps from block to block.
pub struct Scratch {
    /// The largest quantised activation.
    highest: u8,
    quantised: QuantisedRows,
    sums: Vec<i32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            highest: highest(),
            quantised: QuantisedRows::default(),
            sums: Vec::new(),
        }
    }
}

impl Matrix {
    /// `weight` as PyTorch stores it: outputs × inputs, row after row.
    pub fn new(weight: &[f32], bias: Vec<f32>, int8: bool) -> Self {
        let outputs = bias.len();
        let inputs = weight.len() / outputs;
        let packed = if int8 {
            let (mut quantised, mut scales) = (vec![0; weight.len()], vec![0.0; outputs]);
            quantise_symmetric(weight, inputs, &mut quantised, &mut scales);
            let mut weight_sums = vec![0; outputs];
            row_sums(&quantised, inputs, &mut weight_sums);
            Packed::Int8 {
                weight: Int8Matrix::new(&quantised, inputs),
                scales,
                weight_sums,
            }
        } else {
            let matrix = NdTensorView::from_data([outputs, inputs], weight);
            Packed::F32(PRODUCT.with(|product| product.prepack_b(matrix.transposed())))
        };
        Self {
            packed,
            bias,
            inputs,
        }
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Rows of `inputs` values → rows of `outputs` values in `out`.
    pub fn apply(
        &self,
        x: &[f32],
        activation: Activation,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let rows = x.len() / self.inputs;
        debug_assert_eq!(out.len(), rows * self.outputs());
        match &self.packed {
            Packed::F32(weight) => {
                let x = NdTensorView::from_data([rows, self.inputs], x);
                let options = GemmOptions {
                    bias: Some(BiasVector::Row(&self.bias)),
                    ..GemmOptions::default()
                };
                PRODUCT.with(|product| {
                    let (x, weight) = (GemmInputA::Unpacked(x), GemmInputB::Packed(weight));
                    product.gemm(out, x, weight, options)
                })?;
                if activation == Activation::Gelu {
                    gelus(out);
                }
            }
            Packed::Int8 {
                weight,
                scales,
                weight_sums,
            } => {
                scratch.quantised.fill(x, self.inputs, scratch.highest);
                let QuantisedRows {
                    values,
                    zero_points,
                    scales: row_scales,
                } = &mut scratch.quantised;
                weight.multiply_in_parts(
                    values,
                    [rows, self.inputs, self.outputs()],
                    &mut scratch.sums,
                    |sums| {
                        let outputs = sums.first..sums.first + sums.width;
                        let columns = Columns {
                            scales: &scales[outputs.clone()],
                            weight_sums: &weight_sums[outputs.clone()],
                            bias: &self.bias[outputs],
                        };
                        let out = &mut out[sums.first..];
                        let rows = (&row_scales[..], &zero_points[..]);
                        dequantise(sums.values, rows, columns, self.outputs(), activation, out);
                    },
                )?;
            }
        }
        Ok(())
    }
}

vectorised! {
    /// `x ← gelu(x)`.
    fn gelus(x: &'a mut [f32]) {
        for x in x.iter_mut() {
            *x = gelu(*x);
        }
    }
}

/// What some outputs' integer sums become values by.
struct Columns<'a> {
    scales: &'a [f32],
    weight_sums: &'a [i32],
    bias: &'a [f32],
}

vectorised! {
    /// Integer sums → values: zero points taken out, scaled, bias added, activated. `rows` are scales and zero points;
    /// the rows of `out` are `stride` apart.
    fn dequantise(
        sums: &'a [i32],
        rows: (&'a [f32], &'a [u8]),
        columns: Columns<'a>,
        stride: usize,
        activation: Activation,
        out: &'a mut [f32],
    ) {
        let Columns { scales, weight_sums, bias } = columns;
        let width = bias.len();
        let (row_scales, zero_points) = rows;
        let parameters = row_scales.iter().zip(zero_points);
        let rows = out.chunks_mut(stride).zip(sums.chunks_exact(width));
        for ((out, sums), (&row_scale, &zero_point)) in rows.zip(parameters) {
            let out = &mut out[..width];
            let zero_point = i32::from(zero_point);
            let outputs = scales.iter().zip(weight_sums).zip(bias);
            for ((out, sum), ((scale, weight_sum), bias)) in out.iter_mut().zip(sums).zip(outputs) {
                *out = (sum - zero_point * weight_sum) as f32 * (row_scale * scale) + bias;
            }
            if activation == Activation::Gelu {
                for x in out.iter_mut() {
                    *x = gelu_roughly(*x);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::int8::has_full_int8;
    use super::*;

    /// Numbers that look random and are always the same.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next() + next() + next()).collect()
    }

    fn plain(weight: &[f32], bias: &[f32], x: &[f32]) -> Vec<f32> {
        let inputs = weight.len() / bias.len();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        x.chunks_exact(inputs)
            .flat_map(|x| {
                weight
                    .chunks_exact(inputs)
                    .zip(bias)
                    .map(move |(w, b)| dot(w, x) + b)
            })
            .collect()
    }

    fn applied(matrix: &Matrix, x: &[f32], activation: Activation) -> Vec<f32> {
        let mut out = vec![0.0; x.len() / matrix.inputs() * matrix.outputs()];
        let mut scratch = Scratch::default();
        matrix.apply(x, activation, &mut scratch, &mut out).unwrap();
        out
    }

    #[test]
    fn both_formats_equal_the_plain_product_and_ignore_the_number_of_rows() {
        let (weight, bias, x) = (numbers(33 * 300, 1), numbers(33, 2), numbers(70 * 300, 3));
        let exact = plain(&weight, &bias, &x);
        let int8_tolerance = if has_full_int8() { 0.15 } else { 0.3 };
        for (int8, tolerance) in [(false, 1e-4), (true, int8_tolerance)] {
            let matrix = Matrix::new(&weight, bias.clone(), int8);
            let ours = applied(&matrix, &x, Activation::None);
            for (ours, exact) in ours.iter().zip(&exact) {
                assert!((ours - exact).abs() < tolerance, "{ours} {exact}");
            }
            let few = applied(&matrix, &x[5 * 300..8 * 300], Activation::None);
            assert_eq!(few, ours[5 * 33..8 * 33]);
            let one = applied(&matrix, &x[5 * 300..6 * 300], Activation::None);
            assert_eq!(one, ours[5 * 33..6 * 33]);
            let activated = applied(&matrix, &x, Activation::Gelu);
            let exactly = if int8 {
                gelu_roughly(ours[7])
            } else {
                gelu(ours[7])
            };
            assert_eq!(activated[7], exactly);
        }
    }
}
