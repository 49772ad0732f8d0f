//! Attention of one head in int8: scores and mixing are integer products, the softmax between them is in f32.
//!
//! Queries are u8 a row and keys i8 a row, each with a scale of its own; what a softmax gives is from 0 to 1 and becomes
//! u8 with one scale for all; values are i8 with a scale for each of a head's dimensions over the sequence. Nothing
//! reaches beyond the sequence, so no result depends on neighbours in a batch.

use super::elementwise::{ROUND, exp_roughly, highest_of};
use super::int8::{Int8Matrix, QuantisedRows, highest, quantise_symmetric, row_sums};
use super::vectorised::vectorised;
use rten_gemm::GemmError;

/// Keys are padded to a multiple of this, with keys that no query looks at.
const KEY_BLOCK: usize = 64;
/// Queries that are taken at a time, so that their scores stay in the cache.
const QUERY_ROWS: usize = 64;

/// Dimensions of the values that are turned together: a cache line of a token.
const DIMENSIONS: usize = 16;

/// Buffers that one thread keeps from head to head.
pub struct Int8Head {
    /// The largest u8 used, for a weight of 1.
    highest: u8,
    queries: QuantisedRows,
    keys: Vec<i8>,
    key_scales: Vec<f32>,
    key_sums: Vec<i32>,
    values_by_dimension: Vec<f32>,
    values: Vec<i8>,
    value_scales: Vec<f32>,
    sums: Vec<i32>,
    scores: Vec<f32>,
    weights: Vec<u8>,
    mixed: Vec<i32>,
}

impl Default for Int8Head {
    fn default() -> Self {
        Self {
            highest: highest(),
            queries: QuantisedRows::default(),
            keys: Vec::new(),
            key_scales: Vec::new(),
            key_sums: Vec::new(),
            values_by_dimension: Vec::new(),
            values: Vec::new(),
            value_scales: Vec::new(),
            sums: Vec::new(),
            scores: Vec::new(),
            weights: Vec::new(),
            mixed: Vec::new(),
        }
    }
}

impl Int8Head {
    /// `softmax(q · kᵀ) · v` for rows of `size` values, one a token; `q` is scaled already.
    pub fn attend(
        &mut self,
        [q, k, v]: [&[f32]; 3],
        size: usize,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let length = q.len() / size;
        let padded = length.next_multiple_of(KEY_BLOCK);
        let keys = self.pack_keys(k, size, padded);
        let values = self.pack_values(v, size, padded);
        let mut totals = [0; QUERY_ROWS];
        let blocks = q.chunks(QUERY_ROWS * size);
        for (q, out) in blocks.zip(out.chunks_mut(QUERY_ROWS * size)) {
            let rows = q.len() / size;
            self.queries.fill(q, size, self.highest);
            keys.multiply(
                &mut self.queries.values,
                [rows, size, padded],
                &mut self.sums,
            )?;
            self.scores.resize(padded, 0.0);
            self.weights.resize(rows * padded, 0);
            weigh(
                &self.sums,
                &self.queries,
                (&self.key_scales, &self.key_sums),
                self.highest,
                &mut self.scores,
                &mut self.weights,
                &mut totals[..rows],
            );
            values.multiply(&mut self.weights, [rows, padded, size], &mut self.mixed)?;
            scale_rows(&self.mixed, &self.value_scales, &totals, out);
        }
        Ok(())
    }

    fn pack_keys(&mut self, k: &[f32], size: usize, padded: usize) -> Int8Matrix {
        let length = k.len() / size;
        self.keys.resize(padded * size, 0);
        self.keys[length * size..].fill(0);
        self.key_scales.resize(length, 0.0);
        self.key_sums.resize(length, 0);
        quantise_symmetric(k, size, &mut self.keys, &mut self.key_scales);
        row_sums(&self.keys, size, &mut self.key_sums);
        Int8Matrix::new(&self.keys, size)
    }

    fn pack_values(&mut self, v: &[f32], size: usize, padded: usize) -> Int8Matrix {
        self.values_by_dimension.resize(padded * size, 0.0);
        // Some dimensions at a time: of each token one cache line is read, and each row is written in order.
        let length = v.len() / size;
        let blocks = self.values_by_dimension.chunks_mut(DIMENSIONS * padded);
        for (block, rows) in blocks.enumerate() {
            for (token, values) in v.chunks_exact(size).enumerate() {
                let values = values[block * DIMENSIONS..].iter();
                for (row, x) in rows.chunks_exact_mut(padded).zip(values) {
                    row[token] = *x;
                }
            }
            for row in rows.chunks_exact_mut(padded) {
                row[length..].fill(0.0);
            }
        }
        self.values.resize(padded * size, 0);
        self.value_scales.resize(size, 0.0);
        quantise_symmetric(
            &self.values_by_dimension,
            padded,
            &mut self.values,
            &mut self.value_scales,
        );
        Int8Matrix::new(&self.values, padded)
    }
}

vectorised! {
    /// Integer scores → weights from 0 to `highest` (a row's largest one), and the sum of each row.
    fn weigh(
        sums: &'a [i32],
        queries: &'a QuantisedRows,
        keys: (&'a [f32], &'a [i32]),
        highest: u8,
        scores: &'a mut [f32],
        weights: &'a mut [u8],
        totals: &'a mut [i32],
    ) {
        let (key_scales, key_sums) = keys;
        let (padded, length) = (scores.len(), key_scales.len());
        let scores = &mut scores[..length];
        let rows = sums.chunks_exact(padded).zip(weights.chunks_exact_mut(padded));
        let parameters = queries.zero_points.iter().zip(&queries.scales).zip(totals);
        for ((sums, weights), ((&zero_point, &scale), total)) in rows.zip(parameters) {
            let zero_point = i32::from(zero_point);
            let keys = key_scales.iter().zip(key_sums);
            for ((score, sum), (key_scale, key_sum)) in scores.iter_mut().zip(sums).zip(keys) {
                *score = (sum - zero_point * key_sum) as f32 * (scale * key_scale);
            }
            let most = highest_of(scores);
            let largest = f32::from(highest);
            let (weights, padding) = weights.split_at_mut(length);
            for (weight, score) in weights.iter_mut().zip(scores.iter()) {
                *weight = (exp_roughly(score - most) * largest + ROUND).to_bits() as u8;
            }
            padding.fill(0);
            *total = weights.iter().map(|&weight| i32::from(weight)).sum();
        }
    }
}

vectorised! {
    /// Integer mixtures → values: each dimension's scale, divided by the row's sum of weights.
    fn scale_rows(mixed: &'a [i32], scales: &'a [f32], totals: &'a [i32], out: &'a mut [f32]) {
        let size = scales.len();
        let rows = out.chunks_exact_mut(size).zip(mixed.chunks_exact(size));
        for ((out, mixed), &total) in rows.zip(totals) {
            let share = 1.0 / total as f32;
            for ((out, &sum), scale) in out.iter_mut().zip(mixed).zip(scales) {
                *out = sum as f32 * (scale * share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn plain(q: &[f32], k: &[f32], v: &[f32], size: usize) -> Vec<f32> {
        q.chunks_exact(size)
            .flat_map(|q| {
                let dot = |k: &[f32]| q.iter().zip(k).map(|(a, b)| a * b).sum::<f32>().exp();
                let weights: Vec<f32> = k.chunks_exact(size).map(dot).collect();
                let total: f32 = weights.iter().sum();
                let mut out = vec![0.0; size];
                for (weight, v) in weights.iter().zip(v.chunks_exact(size)) {
                    for (out, v) in out.iter_mut().zip(v) {
                        *out += weight / total * v;
                    }
                }
                out
            })
            .collect()
    }

    #[test]
    fn is_close_to_attention_in_f32_for_any_length() {
        let tolerance = if super::super::int8::has_full_int8() {
            0.02
        } else {
            0.04
        };
        for (length, size) in [(1, 64), (3, 8), (63, 64), (65, 64), (200, 16)] {
            let [q, k, v] = [1, 2, 3].map(|seed| numbers(length * size, seed));
            let mut out = vec![0.0; length * size];
            let mut head = Int8Head::default();
            head.attend(
                [
                    &numbers(90 * size, 9),
                    &numbers(90 * size, 8),
                    &numbers(90 * size, 7),
                ],
                size,
                &mut vec![0.0; 90 * size],
            )
            .unwrap();
            head.attend([&q, &k, &v], size, &mut out).unwrap();
            for (ours, exact) in out.iter().zip(plain(&q, &k, &v, size)) {
                assert!(
                    (ours - exact).abs() < tolerance,
                    "{length} {size}: {ours} {exact}"
                );
            }
        }
    }
}
