//! int8 on the CPU: numbers to integers, and the product of integers that this machine does fastest.
//!
//! Left sides (activations, queries, attention weights) are u8, right sides (weights, keys, values) are i8. Sums are
//! exact on every processor: x86 without VNNI adds pairs of products in 16 bits, so left sides use seven of their
//! eight bits there, since 2 · 127 · 127 still fits.

use super::elementwise::{ROUND, range_with_zero};
use super::panels::{self, PanelWeights};
use super::tiles::{self, TileWeights};
use super::vectorised::vectorised;
use rten_gemm::{GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

/// Rows that spread less are zero; small enough never to matter, and one over a step of it is still a number.
const SMALLEST_SPREAD: f32 = 1e-30;

thread_local! {
    /// The library's product. Choosing one asks the processor what it can, which inside a virtual machine takes
    /// microseconds; and what is chosen stays with its thread.
    static PRODUCT: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
}

/// Whether this processor multiplies with all eight bits of a left side.
pub fn has_full_int8() -> bool {
    PRODUCT.with(|product| !product.may_saturate())
}

/// The largest value of a left side.
pub fn highest() -> u8 {
    if has_full_int8() { 255 } else { 127 }
}

/// A right side, packed for the product that this machine does fastest; all give the same sums.
pub enum Int8Matrix {
    Tiles(TileWeights),
    Panels(PanelWeights),
    Packed(PackedBMatrix<i8>),
}

impl Int8Matrix {
    /// `values` is outputs × inputs, row after row.
    pub fn new(values: &[i8], inputs: usize) -> Self {
        if let Some(tiles) = TileWeights::new(values, inputs) {
            return Self::Tiles(tiles);
        }
        if let Some(panels) = PanelWeights::new(values, inputs) {
            return Self::Panels(panels);
        }
        let matrix = NdTensorView::from_data([values.len() / inputs, inputs], values);
        Self::Packed(PRODUCT.with(|product| product.prepack_b(matrix.transposed())))
    }

    /// `sums ← left · selfᵀ`, rows × inputs times inputs × outputs. Both buffers may grow by some rows without meaning.
    pub fn multiply(
        &self,
        left: &mut Vec<u8>,
        [rows, inputs, outputs]: [usize; 3],
        sums: &mut Vec<i32>,
    ) -> Result<(), GemmError> {
        match self {
            Self::Tiles(weights) => {
                let padded = rows.next_multiple_of(tiles::ROWS);
                left.resize(padded * inputs, 0);
                sums.resize(padded * outputs, 0);
                weights.multiply(left, sums);
                Ok(())
            }
            Self::Panels(weights) => {
                sums.resize(rows * outputs, 0);
                weights.multiply(&left[..rows * inputs], sums);
                Ok(())
            }
            Self::Packed(weights) => {
                sums.resize(rows * outputs, 0);
                let left = NdTensorView::from_data([rows, inputs], &left[..rows * inputs]);
                PRODUCT.with(|product| {
                    product.gemm(
                        sums,
                        GemmInputA::Unpacked(left),
                        GemmInputB::Packed(weights),
                        GemmOptions::default(),
                    )
                })
            }
        }
    }
}

/// Some outputs' sums of all rows.
pub struct Sums<'a> {
    /// The first output, and how many there are.
    pub first: usize,
    pub width: usize,
    /// Rows of `width`.
    pub values: &'a [i32],
}

impl Int8Matrix {
    /// [`Int8Matrix::multiply`], handed on in parts as small as the product has them, while they are in the cache.
    pub fn multiply_in_parts(
        &self,
        left: &mut Vec<u8>,
        [rows, inputs, outputs]: [usize; 3],
        sums: &mut Vec<i32>,
        mut part: impl FnMut(Sums<'_>),
    ) -> Result<(), GemmError> {
        let Self::Panels(weights) = self else {
            self.multiply(left, [rows, inputs, outputs], sums)?;
            part(Sums {
                first: 0,
                width: outputs,
                values: &sums[..rows * outputs],
            });
            return Ok(());
        };
        if rows == 0 {
            return Ok(());
        }
        sums.resize(rows * panels::OUTPUTS, 0);
        for panel in 0..weights.panels() {
            weights.multiply_panel(panel, &left[..rows * inputs], sums, panels::OUTPUTS);
            part(Sums {
                first: panel * panels::OUTPUTS,
                width: panels::OUTPUTS,
                values: sums,
            });
        }
        Ok(())
    }
}

/// Rows as u8, with a scale and a zero point of their own: found as they come, so no row depends on its neighbours.
#[derive(Default)]
pub struct QuantisedRows {
    pub values: Vec<u8>,
    pub zero_points: Vec<u8>,
    pub scales: Vec<f32>,
}

impl QuantisedRows {
    pub fn fill(&mut self, x: &[f32], width: usize, highest: u8) {
        let rows = x.len() / width;
        self.values.resize(x.len(), 0);
        self.zero_points.resize(rows, 0);
        self.scales.resize(rows, 0.0);
        quantise_rows(
            x,
            width,
            highest,
            &mut self.values,
            &mut self.zero_points,
            &mut self.scales,
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
            let scale = (high - low).max(SMALLEST_SPREAD) / f32::from(highest);
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
    /// Symmetric, one scale a row of `width`: `x ≈ quantised · scale`.
    pub fn quantise_symmetric(x: &'a [f32], width: usize, quantised: &'a mut [i8], scales: &'a mut [f32]) {
        let rows = x.chunks_exact(width).zip(quantised.chunks_exact_mut(width));
        for ((row, quantised), row_scale) in rows.zip(scales) {
            let (low, high) = range_with_zero(row);
            let scale = high.max(-low).max(SMALLEST_SPREAD) / 127.0;
            let inverse = 1.0 / scale;
            for (q, x) in quantised.iter_mut().zip(row) {
                *q = (x * inverse + ROUND).to_bits() as i8;
            }
            *row_scale = scale;
        }
    }
}

vectorised! {
    /// The sum of each row of `width`, by which the zero points of left sides are taken out of a product again.
    /// (rten-gemm 0.27 would do it, but uses the first eight rows' zero points for every row.)
    pub fn row_sums(values: &'a [i8], width: usize, sums: &'a mut [i32]) {
        for (row, sum) in values.chunks_exact(width).zip(sums) {
            *sum = row.iter().map(|&x| i32::from(x)).sum();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Compares `multiply(weight, inputs, x, sums)` with the plain product, for [rows, inputs, outputs]; where the processor
    /// lacks the instructions it says so.
    #[expect(clippy::print_stderr, reason = "a skipped test says why")]
    pub fn equals_plain_products(
        instructions: &str,
        are_there: bool,
        shapes: &[[usize; 3]],
        multiply: impl Fn(&[i8], usize, &[u8], &mut [i32]),
    ) {
        if !are_there {
            eprintln!("skipped: this processor has no {instructions}");
            return;
        }
        for &shape in shapes {
            equals_plain_product(shape, &multiply);
        }
    }

    /// Of bytes that look random and are always the same.
    fn equals_plain_product(
        [rows, inputs, outputs]: [usize; 3],
        multiply: &impl Fn(&[i8], usize, &[u8], &mut [i32]),
    ) {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let x: Vec<u8> = (0..rows * inputs).map(|_| next()).collect();
        let weight: Vec<i8> = (0..outputs * inputs).map(|_| next() as i8).collect();
        let mut sums = vec![-1; rows * outputs];
        multiply(&weight, inputs, &x, &mut sums);
        for (sums, x) in sums.chunks_exact(outputs).zip(x.chunks_exact(inputs)) {
            for (sum, weight) in sums.iter().zip(weight.chunks_exact(inputs)) {
                let products = x
                    .iter()
                    .zip(weight)
                    .map(|(&x, &w)| i32::from(x) * i32::from(w));
                assert_eq!(*sum, products.sum::<i32>());
            }
        }
    }

    proptest! {
        #[test]
        fn quantised_rows_are_within_a_step(
            row in proptest::collection::vec(-1e3f32..1e3, 1..80), zeros in 0usize..3
        ) {
            let mut row = row;
            row.extend(vec![0.0; zeros]);
            let mut rows = QuantisedRows::default();
            rows.fill(&row, row.len(), highest());
            let (scale, zero) = (rows.scales[0], f32::from(rows.zero_points[0]));
            for (&x, &q) in row.iter().zip(&rows.values) {
                prop_assert!(((f32::from(q) - zero) * scale - x).abs() <= scale * 1.01);
            }
        }

        #[test]
        fn symmetric_rows_are_within_half_a_step(row in proptest::collection::vec(-1e3f32..1e3, 1..80)) {
            let (mut quantised, mut scale) = (vec![0; row.len()], [0.0]);
            quantise_symmetric(&row, row.len(), &mut quantised, &mut scale);
            for (&x, &q) in row.iter().zip(&quantised) {
                prop_assert!((f32::from(q) * scale[0] - x).abs() <= scale[0] * 0.51);
            }
        }
    }

    #[test]
    fn rows_without_a_spread_are_zero() {
        let mut rows = QuantisedRows::default();
        rows.fill(&[0.0; 8], 4, 255);
        assert_eq!(rows.values, [0; 8]);
        assert_eq!(rows.zero_points, [0; 2]);
    }
}
