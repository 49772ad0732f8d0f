//! Elementwise steps: plain loops that vectorise inside [`vectorised!`](super::vectorised).

/// `x · Φ(x)` with erf by Abramowitz and Stegun 7.1.26 (largest error 1.5e-7).
#[inline(always)]
pub(in super::super) fn gelu(x: f32) -> f32 {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let a = z.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let polynomial = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = 1.0 - polynomial * exp_of_negative(-a * a);
    0.5 * x * (1.0 + erf.copysign(z))
}

/// `x · Φ(x)` to 1.1e-3 where |x| is 8, to 6e-5 below 3.6: enough for what becomes an integer from 0 to 255. No
/// exponential, no division: erf(x / √2) as an odd polynomial fitted to the smallest largest error of the product.
#[inline(always)]
pub(super) fn gelu_roughly(x: f32) -> f32 {
    let clamped = x.clamp(-3.6, 3.6);
    let s = clamped * clamped;
    let p = 7.986_103e-8_f32;
    let p = p * s - 4.750_541_6e-6;
    let p = p * s + 1.232_79e-4;
    let p = p * s - 1.863_588_4e-3;
    let p = p * s + 1.856_011e-2;
    let p = p * s - 0.131_132_07;
    let p = p * s + 0.797_036_3;
    0.5 * x * (1.0 + clamped * p)
}

/// e^x for x ≤ 0, to some 2e-7 relative: 2^n times a polynomial on [-½ ln 2, ½ ln 2] (Cephes `expf`).
#[inline(always)]
pub(in super::super) fn exp_of_negative(x: f32) -> f32 {
    let x = if x > -87.0 { x } else { -87.0 };
    // No `as i32`: its check for numbers that do not fit would be done one by one.
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// e^x for x ≤ 0, to some 1e-4: enough for what becomes an integer from 0 to 255.
#[inline(always)]
pub(super) fn exp_roughly(x: f32) -> f32 {
    let x = if x > -30.0 { x } else { -30.0 };
    let exponent = x * std::f32::consts::LOG2_E;
    let rounded = exponent + ROUND;
    let f = exponent - (rounded - ROUND);
    // 2^f on [-½, ½], smallest largest error.
    let p = 0.055_171_66_f32;
    let p = p * f + 0.242_611_12;
    let p = p * f + 0.693_260_98;
    let p = p * f + 0.999_928_07;
    p * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// 1.5 · 2²³: a small number added to it stands, rounded to an integer, in the lowest bits.
pub(super) const ROUND: f32 = 12_582_912.0;

/// `row ← layer_norm(row + residual) · weight + shift`.
#[inline(always)]
pub(super) fn add_norm(
    row: &mut [f32],
    residual: &[f32],
    weight: &[f32],
    shift: &[f32],
    epsilon: f32,
) {
    for (x, r) in row.iter_mut().zip(residual) {
        *x += r;
    }
    norm(row, weight, shift, epsilon);
}

/// `row ← layer_norm(row) · weight + shift`.
#[inline(always)]
pub(super) fn norm(row: &mut [f32], weight: &[f32], shift: &[f32], epsilon: f32) {
    let width = row.len() as f32;
    let mean = sum(row, |x| x) / width;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / width;
    let scale = 1.0 / (variance + epsilon).sqrt();
    for ((x, w), s) in row.iter_mut().zip(weight).zip(shift) {
        *x = (*x - mean) * scale * w + s;
    }
}

const LANES: usize = 16;

/// Sums in lanes: vectorises, and always adds in the same order.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut total = 0.0;
    for &x in chunks.remainder() {
        total += f(x);
    }
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for lane in lanes {
        total += lane;
    }
    total
}

/// The smallest and the largest value, zero included.
#[inline(always)]
pub(super) fn range_with_zero(row: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = ([0.0f32; LANES], [0.0f32; LANES]);
    let chunks = row.chunks_exact(LANES);
    let (mut min, mut max) = (0.0f32, 0.0f32);
    for &x in chunks.remainder() {
        min = if x < min { x } else { min };
        max = if x > max { x } else { max };
    }
    for chunk in chunks {
        for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(chunk) {
            *low = if x < *low { x } else { *low };
            *high = if x > *high { x } else { *high };
        }
    }
    for (low, high) in low.into_iter().zip(high) {
        min = if low < min { low } else { min };
        max = if high > max { high } else { max };
    }
    (min, max)
}

/// The largest value; −∞ of none.
#[inline(always)]
pub(super) fn highest_of(row: &[f32]) -> f32 {
    let mut highest = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut max = f32::NEG_INFINITY;
    for &x in chunks.remainder() {
        max = if x > max { x } else { max };
    }
    for chunk in chunks {
        for (high, &x) in highest.iter_mut().zip(chunk) {
            *high = if x > *high { x } else { *high };
        }
    }
    for high in highest {
        max = if high > max { high } else { max };
    }
    max
}

/// The row becomes `exp(x − max)`; returns the sum.
#[inline(always)]
pub(in super::super) fn exponentiate(row: &mut [f32]) -> f32 {
    let max = highest_of(row);
    let mut sums = [0.0f32; LANES];
    let mut chunks = row.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (x, sum) in chunk.iter_mut().zip(&mut sums) {
            *x = exp_of_negative(*x - max);
            *sum += *x;
        }
    }
    let mut total = 0.0;
    for x in chunks.into_remainder() {
        *x = exp_of_negative(*x - max);
        total += *x;
    }
    for sum in sums {
        total += sum;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_and_exp_are_close_to_the_exact_functions() {
        for i in -2000..2000 {
            let x = i as f32 / 200.0;
            let exact = candle_core::cpu::erf::erf_f64(f64::from(x) / 2f64.sqrt());
            let exact = (0.5 * f64::from(x) * (1.0 + exact)) as f32;
            assert!((gelu(x) - exact).abs() < 2e-6, "{x}");
            let tolerance = if x.abs() < 3.6 { 7e-5 } else { 1.5e-3 };
            assert!((gelu_roughly(x) - exact).abs() < tolerance, "{x}");
            if x <= 0.0 {
                assert!((exp_of_negative(x) - x.exp()).abs() < 3e-7, "{x}");
                assert!((exp_roughly(x) - x.exp()).abs() < 1.2e-4, "{x}");
            }
        }
    }

    #[test]
    fn norm_has_mean_zero_and_spread_one() {
        let mut row: Vec<f32> = (0..37).map(|i| (i * i % 11) as f32).collect();
        let residual = vec![0.5; 37];
        add_norm(&mut row, &residual, &[1.0; 37], &[0.0; 37], 1e-12);
        let mean = row.iter().sum::<f32>() / 37.0;
        let spread = row.iter().map(|x| x * x).sum::<f32>() / 37.0;
        assert!(mean.abs() < 1e-6 && (spread - 1.0).abs() < 1e-5);
    }

    #[test]
    fn ranges_contain_zero_and_every_value() {
        let row: Vec<f32> = (0..50).map(|i| (i as f32 - 10.0) / 3.0).collect();
        assert_eq!(range_with_zero(&row), (-10.0 / 3.0, 13.0));
        assert_eq!(range_with_zero(&row[11..]), (0.0, 13.0));
    }

    #[test]
    fn exponentials_add_up() {
        let mut row: Vec<f32> = (0..40).map(|i| (i % 7) as f32).collect();
        let exact: f32 = row.iter().map(|x| (x - 6.0).exp()).sum();
        assert!((exponentiate(&mut row) - exact).abs() < 1e-5);
    }
}
