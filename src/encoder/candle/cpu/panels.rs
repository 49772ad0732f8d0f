//! int8 products on x86 processors with AVX-512 VNNI, which multiplies 64 pairs of bytes an instruction.
//!
//! `rten-gemm` has a kernel for it too, but copies every left side into an order of its own first, byte by byte: a
//! quarter of the product's time for matrices as narrow as ours. Here left sides stay as they are (four bytes of a row go
//! to all lanes as they are loaded), right sides are packed once. Sums are exact integers, so they have the same bits
//! whichever code computes them.
//!
//! One of two modules of the CPU with `unsafe` code (with `tiles.rs`): vectors are loaded and stored by address.

/// Outputs that are worked on together: four vectors of sixteen sums.
pub const OUTPUTS: usize = 64;
/// Inputs that an instruction multiplies and adds.
const STEP: usize = 4;
/// Bytes of a panel that one step reads.
const STEP_BYTES: usize = OUTPUTS * STEP;
/// Rows that are worked on together: 6 × 4 vectors of sums, 4 of weights and one of inputs fit into 32 registers.
const ROWS: usize = 6;

/// A cache line, and a vector.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([i8; 64]);

/// A matrix in the order in which [`PanelWeights::multiply`] reads it.
pub struct PanelWeights {
    /// Panel after panel of 64 outputs; in a panel, four inputs of each output, then the next four.
    lines: Vec<Line>,
    inputs: usize,
    outputs: usize,
}

impl PanelWeights {
    /// `weight` is outputs × inputs, row after row. `None` where the processor lacks the instructions or the shape does not
    /// fit them.
    pub fn new(weight: &[i8], inputs: usize) -> Option<Self> {
        let outputs = weight.len() / inputs.max(1);
        let fits = inputs > 0 && inputs.is_multiple_of(STEP) && outputs.is_multiple_of(OUTPUTS);
        if !fits || !unit::is_available() {
            return None;
        }
        let mut lines = vec![Line([0; 64]); weight.len() / 64];
        let panels = lines.chunks_exact_mut(inputs);
        for (panel, rows) in panels.zip(weight.chunks_exact(OUTPUTS * inputs)) {
            for (output, row) in rows.chunks_exact(inputs).enumerate() {
                let (line, place) = (output * STEP / 64, output * STEP % 64);
                let steps = panel.chunks_exact_mut(STEP_BYTES / 64);
                for (step, four) in steps.zip(row.chunks_exact(STEP)) {
                    step[line].0[place..place + STEP].copy_from_slice(four);
                }
            }
        }
        Some(Self {
            lines,
            inputs,
            outputs,
        })
    }

    /// `sums ← x · Wᵀ`, rows × inputs times inputs × outputs.
    pub fn multiply(&self, x: &[u8], sums: &mut [i32]) {
        assert_eq!(sums.len(), x.len() / self.inputs * self.outputs);
        // Of no rows there is nothing to compute.
        let panels = if x.is_empty() { 0 } else { self.panels() };
        for n in 0..panels {
            self.multiply_panel(n, x, &mut sums[n * OUTPUTS..], self.outputs);
        }
    }

    /// How many times 64 outputs there are.
    pub fn panels(&self) -> usize {
        self.outputs / OUTPUTS
    }

    /// The sums of 64 outputs, rows `stride` apart. The panel stays in the cache while all rows pass by.
    pub fn multiply_panel(&self, panel: usize, x: &[u8], sums: &mut [i32], stride: usize) {
        assert!(x.len().is_multiple_of(self.inputs));
        let panel = &self.lines[panel * self.inputs..][..self.inputs];
        let blocks = x.chunks(ROWS * self.inputs);
        for (x, sums) in blocks.zip(sums.chunks_mut(ROWS * stride)) {
            unit::block(x, panel, self.inputs, sums, stride);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vector loads and stores; `block` is safe to call"
)]
mod unit {
    use super::{Line, OUTPUTS, ROWS, STEP, STEP_BYTES};
    use std::arch::x86_64::*;

    pub fn is_available() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
    }

    /// Up to six rows times 64 outputs; `sums` begins at the first of these outputs, its rows are `stride` apart.
    pub fn block(x: &[u8], panel: &[Line], inputs: usize, sums: &mut [i32], stride: usize) {
        let rows = x.len() / inputs;
        assert!((1..=ROWS).contains(&rows) && x.len() == rows * inputs);
        assert!(inputs.is_multiple_of(STEP) && size_of_val(panel) == OUTPUTS * inputs);
        assert!(sums.len() >= (rows - 1) * stride + OUTPUTS);
        // SAFETY: `PanelWeights` exists only where the instructions do. By the assertions above every address lies
        // inside the three slices: rows of `x` are `inputs` bytes long, a panel has 64 bytes for each of them, and the
        // last row of `sums` has 64 places.
        unsafe {
            match rows {
                1 => fixed::<1>(x, panel, inputs, sums, stride),
                2 => fixed::<2>(x, panel, inputs, sums, stride),
                3 => fixed::<3>(x, panel, inputs, sums, stride),
                4 => fixed::<4>(x, panel, inputs, sums, stride),
                5 => fixed::<5>(x, panel, inputs, sums, stride),
                _ => fixed::<ROWS>(x, panel, inputs, sums, stride),
            }
        }
    }

    /// # Safety
    ///
    /// The processor has the instructions, and the slices are as long as [`block`] asserts for `R` rows.
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn fixed<const R: usize>(
        x: &[u8],
        panel: &[Line],
        inputs: usize,
        sums: &mut [i32],
        stride: usize,
    ) {
        let (x, weights) = (x.as_ptr(), panel.as_ptr().cast::<i8>());
        let mut totals = [[_mm512_setzero_si512(); 4]; R];
        for step in 0..inputs / STEP {
            // SAFETY: `step` is one of the panel's steps, of 256 bytes each.
            let weights: [__m512i; 4] = std::array::from_fn(|n| unsafe {
                _mm512_load_si512(weights.add(step * STEP_BYTES + n * 64).cast())
            });
            for (row, totals) in totals.iter_mut().enumerate() {
                // SAFETY: four bytes of a row of `inputs`, a multiple of four.
                let four = unsafe {
                    x.add(row * inputs + step * STEP)
                        .cast::<i32>()
                        .read_unaligned()
                };
                let four = _mm512_set1_epi32(four);
                for (total, weights) in totals.iter_mut().zip(weights) {
                    *total = _mm512_dpbusd_epi32(*total, four, weights);
                }
            }
        }
        for (row, totals) in totals.into_iter().enumerate() {
            for (n, total) in totals.into_iter().enumerate() {
                // SAFETY: sixteen of the 64 places of this row.
                unsafe {
                    let place = sums.as_mut_ptr().add(row * stride + n * 16);
                    _mm512_storeu_si512(place.cast(), total);
                }
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod unit {
    use super::Line;

    pub fn is_available() -> bool {
        false
    }

    pub fn block(_: &[u8], panel: &[Line], _: usize, _: &mut [i32], _: usize) {
        unreachable!(
            "{} lines of weights for instructions that are not there",
            panel.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::int8::tests::equals_plain_products;
    use super::*;

    #[test]
    fn equals_the_plain_integer_product() {
        let shapes = [
            [0, 64, 128],
            [1, 4, 64],
            [5, 64, 128],
            [64, 384, 192],
            [97, 1536, 64],
        ];
        equals_plain_products(
            "AVX-512 VNNI",
            unit::is_available(),
            &shapes,
            |weight, inputs, x, sums| {
                let panels = PanelWeights::new(weight, inputs).expect("the shape fits");
                panels.multiply(x, sums);
            },
        );
    }

    #[test]
    fn shapes_that_do_not_fit_are_left_to_the_library() {
        assert!(PanelWeights::new(&[1; 33 * 300], 300).is_none());
        assert!(PanelWeights::new(&[1; 64 * 6], 6).is_none());
        assert!(PanelWeights::new(&[], 0).is_none());
    }
}
