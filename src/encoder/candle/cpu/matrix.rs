//! A weight matrix packed once for `rten-gemm`, in f32 or in int8.
//!
//! Candle's own CPU matrix product (the `gemm` crate) reaches about half of what `rten-gemm` does with weights
//! packed beforehand (ARCHITECTURE.md has the figures). Its sums run along blocks of fixed depth, so a row's result
//! depends neither on the number of rows nor on the number of threads.
//!
//! int8: weights symmetric with one scale an output, activations u8 with scale and zero point of their own for each
//! row, found as they come (Jacob et al. 2018, <https://arxiv.org/abs/1712.05877>; per row rather than per tensor,
//! as in LLM.int8(), <https://arxiv.org/abs/2208.07339>, so that no row depends on its neighbours). x86 without VNNI adds
//! pairs of products in 16 bits; there activations use seven of their eight bits, since 2 · 127 · 127 still fits. So
//! integer sums are exact on every processor, whatever the order.

use super::elementwise::{ROUND, gelu, range_with_zero};
use super::vectorised::vectorised;
use rten_gemm::{
    BiasVector, GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix,
};
use rten_tensor::NdTensorView;

/// Whether this processor multiplies with all eight bits of an activation.
pub fn has_full_int8() -> bool {
    !GemmExecutor::<u8, i8, i32>::new().may_saturate()
}

/// `x · Wᵀ + b`.
pub struct Matrix {
    packed: Packed,
    bias: Vec<f32>,
    inputs: usize,
}

enum Packed {
    F32(PackedBMatrix<f32>),
    Int8 {
        weight: PackedBMatrix<i8>,
        /// One an output.
        scales: Vec<f32>,
        /// The sum of each output's weights, by which the zero points are taken out again. (rten-gemm 0.27 would do
        /// it, but uses the first eight rows' zero points for every row.)
        weight_sums: Vec<i32>,
    },
}

/// What is done to the result while it is in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    None,
    Gelu,
}

/// Kernels (choosing one takes a microsecond) and buffers that one thread keeps from block to block.
pub struct Scratch {
    f32_product: GemmExecutor<f32, f32, f32>,
    int8_product: GemmExecutor<u8, i8, i32>,
    /// The largest quantised activation.
    highest: u8,
    quantised: Vec<u8>,
    zero_points: Vec<u8>,
    row_scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            f32_product: GemmExecutor::new(),
            int8_product: GemmExecutor::new(),
            highest: if has_full_int8() { 255 } else { 127 },
            quantised: Vec::new(),
            zero_points: Vec::new(),
            row_scales: Vec::new(),
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
            let (quantised, scales) = quantise_weights(weight, inputs);
            let matrix = NdTensorView::from_data([outputs, inputs], quantised.as_slice());
            let weight = GemmExecutor::<u8, i8, i32>::new().prepack_b(matrix.transposed());
            let weight_sums = quantised
                .chunks_exact(inputs)
                .map(|row| row.iter().map(|&w| i32::from(w)).sum())
                .collect();
            Packed::Int8 {
                weight,
                scales,
                weight_sums,
            }
        } else {
            let matrix = NdTensorView::from_data([outputs, inputs], weight);
            Packed::F32(GemmExecutor::<f32, f32, f32>::new().prepack_b(matrix.transposed()))
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
                scratch.f32_product.gemm(
                    out,
                    GemmInputA::Unpacked(NdTensorView::from_data([rows, self.inputs], x)),
                    GemmInputB::Packed(weight),
                    GemmOptions {
                        bias: Some(BiasVector::Row(&self.bias)),
                        ..GemmOptions::default()
                    },
                )?;
                if activation == Activation::Gelu {
                    gelus(out);
                }
            }
            Packed::Int8 {
                weight,
                scales,
                weight_sums,
            } => {
                scratch.quantise(x, self.inputs);
                scratch.sums.resize(out.len(), 0);
                let x = NdTensorView::from_data([rows, self.inputs], scratch.quantised.as_slice());
                scratch.int8_product.gemm(
                    &mut scratch.sums,
                    GemmInputA::Unpacked(x),
                    GemmInputB::Packed(weight),
                    GemmOptions::default(),
                )?;
                dequantise(scratch, scales, weight_sums, &self.bias, activation, out);
            }
        }
        Ok(())
    }
}

/// Symmetric, one scale a row: `weight ≈ quantised · scale`.
fn quantise_weights(weight: &[f32], inputs: usize) -> (Vec<i8>, Vec<f32>) {
    let mut quantised = vec![0; weight.len()];
    let mut scales = vec![0.0; weight.len() / inputs];
    quantise_symmetric(weight, inputs, &mut quantised, &mut scales);
    (quantised, scales)
}

vectorised! {
    fn quantise_symmetric(weight: &'a [f32], inputs: usize, quantised: &'a mut [i8], scales: &'a mut [f32]) {
        let rows = weight.chunks_exact(inputs).zip(quantised.chunks_exact_mut(inputs));
        for ((row, quantised), row_scale) in rows.zip(scales) {
            let (low, high) = range_with_zero(row);
            let scale = high.max(-low).max(f32::MIN_POSITIVE) / 127.0;
            for (q, x) in quantised.iter_mut().zip(row) {
                *q = (x / scale + ROUND).to_bits() as i8;
            }
            *row_scale = scale;
        }
    }
}

impl Scratch {
    /// Rows of `width` values → u8 with a scale and a zero point each.
    fn quantise(&mut self, x: &[f32], width: usize) {
        let rows = x.len() / width;
        self.quantised.resize(x.len(), 0);
        self.zero_points.resize(rows, 0);
        self.row_scales.resize(rows, 0.0);
        quantise_rows(
            x,
            width,
            self.highest,
            &mut self.quantised,
            &mut self.zero_points,
            &mut self.row_scales,
        );
    }
}

vectorised! {
    fn quantise_rows(
        x: &'a [f32],
        width: usize,
        highest: u8,
        quantised: &'a mut [u8],
        zero_points: &'a mut [u8],
        row_scales: &'a mut [f32],
    ) {
        let rows = x.chunks_exact(width).zip(quantised.chunks_exact_mut(width));
        let parameters = zero_points.iter_mut().zip(row_scales);
        for ((row, quantised), (zero_point, row_scale)) in rows.zip(parameters) {
            let (low, high) = range_with_zero(row);
            let scale = (high - low).max(f32::MIN_POSITIVE) / f32::from(highest);
            let inverse = 1.0 / scale;
            // low ≤ 0 ≤ high, so this is from 0 to the largest, and so is every x / scale + zero.
            let zero = (-low * inverse + ROUND) - ROUND;
            let offset = zero + ROUND;
            for (q, x) in quantised.iter_mut().zip(row) {
                let rounded = (x * inverse + offset).to_bits() as i32 - ROUND.to_bits() as i32;
                *q = rounded.clamp(0, i32::from(highest)) as u8;
            }
            *zero_point = zero as u8;
            *row_scale = scale;
        }
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

vectorised! {
    /// Integer sums → values: zero points taken out, scaled, bias added, activated.
    fn dequantise(
        scratch: &'a Scratch,
        scales: &'a [f32],
        weight_sums: &'a [i32],
        bias: &'a [f32],
        activation: Activation,
        out: &'a mut [f32],
    ) {
        let width = bias.len();
        let rows = out
            .chunks_exact_mut(width)
            .zip(scratch.sums.chunks_exact(width))
            .zip(scratch.row_scales.iter().zip(&scratch.zero_points));
        for ((out, sums), (&row_scale, &zero_point)) in rows {
            let zero_point = i32::from(zero_point);
            let outputs = scales.iter().zip(weight_sums).zip(bias);
            for ((out, sum), ((scale, weight_sum), bias)) in out.iter_mut().zip(sums).zip(outputs) {
                *out = (sum - zero_point * weight_sum) as f32 * (row_scale * scale) + bias;
            }
            if activation == Activation::Gelu {
                for x in out.iter_mut() {
                    *x = gelu(*x);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            assert_eq!(activated[7], gelu(ours[7]));
        }
    }

    proptest! {
        #[test]
        fn quantised_rows_are_within_half_a_step(
            row in proptest::collection::vec(-1e3f32..1e3, 1..80), zeros in 0usize..3
        ) {
            let mut row = row;
            row.extend(vec![0.0; zeros]);
            let mut scratch = Scratch::default();
            scratch.quantise(&row, row.len());
            let (scale, zero) = (scratch.row_scales[0], f32::from(scratch.zero_points[0]));
            for (&x, &q) in row.iter().zip(&scratch.quantised) {
                prop_assert!(((f32::from(q) - zero) * scale - x).abs() <= scale * 1.01);
            }
        }
    }

    #[test]
    fn rows_without_a_spread_are_zero() {
        let mut scratch = Scratch::default();
        scratch.quantise(&[0.0; 8], 4);
        assert_eq!(scratch.quantised, [0; 8]);
        assert_eq!(scratch.zero_points, [0; 2]);
    }
}
