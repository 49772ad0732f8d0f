//! Sectors from character n-grams: a hashed linear classifier beside the encoder.
//!
//! It costs some microseconds, errs elsewhere than the encoder, and so makes the sum of both better than either.
//! Features are ln(1 + count) × inverse document frequency, scaled to length 1, as in Joulin et al. 2017
//! (<https://arxiv.org/abs/1607.01759>) and Weinberger et al. 2009 (hashing, <https://arxiv.org/abs/0902.2206>).

use crate::text::hash;
use std::collections::BTreeMap;

/// Rows of the table; n-grams share a row when their hashes meet.
pub const ROWS: usize = 1 << 16;
/// Characters of the body that are read.
const MAX_CHARS: usize = 1500;
/// An n-gram of the title counts as this many of the body.
const TITLE_WEIGHT: u32 = 3;

/// How often each row is met in folded text, rows ascending.
pub fn counts(title: &[char], text: &[char]) -> Vec<(usize, u32)> {
    let mut counts = BTreeMap::new();
    let text = &text[..text.len().min(MAX_CHARS)];
    for (part, weight) in [(title, TITLE_WEIGHT), (text, 1)] {
        let part: Vec<char> = part
            .iter()
            .filter(|c| !c.is_whitespace())
            .map(char::to_ascii_lowercase)
            .collect();
        for n in 1..=3 {
            for gram in part.windows(n) {
                *counts.entry(hash::row(gram, ROWS)).or_insert(0) += weight;
            }
        }
    }
    counts.into_iter().collect()
}

/// The trained table.
#[derive(Debug, Clone)]
pub struct NgramSectors {
    /// Inverse document frequency of each row, in units of 1/20.
    idf: Vec<u8>,
    /// `ROWS × classes`, in units of the class's scale.
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl NgramSectors {
    /// `idf`: [`ROWS`] bytes; `weights`: rows × classes; `scales` and `bias`: one a class.
    pub fn new(
        idf: Vec<u8>,
        weights: Vec<i8>,
        scales: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Self, String> {
        let classes = scales.len();
        let fits = idf.len() == ROWS && weights.len() == ROWS * classes && bias.len() == classes;
        let finite = scales.iter().chain(&bias).all(|x| x.is_finite());
        (fits && finite)
            .then_some(Self {
                idf,
                weights,
                scales,
                bias,
            })
            .ok_or_else(|| "the n-gram table has a wrong shape".to_owned())
    }

    /// One logit a class.
    pub fn logits(&self, title: &[char], text: &[char]) -> Vec<f32> {
        let classes = self.scales.len();
        let (mut sums, mut square) = (vec![0.0f32; classes], 0.0f32);
        for (row, count) in counts(title, text) {
            let value = (count as f32).ln_1p() * f32::from(self.idf[row]) / 20.0;
            square += value * value;
            let weights = &self.weights[row * classes..(row + 1) * classes];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * f32::from(*weight);
            }
        }
        let norm = square.sqrt().max(1e-6);
        sums.iter()
            .zip(&self.scales)
            .zip(&self.bias)
            .map(|((sum, scale), bias)| sum / norm * scale + bias)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn counts_title_more_and_ignores_spaces_and_case() {
        let plain = counts(&[], &chars("湖南GDP"));
        assert_eq!(plain, counts(&[], &chars("湖 南\ng d p")));
        assert_eq!(plain.iter().map(|(_, n)| n).sum::<u32>(), 5 + 4 + 3);
        let titled = counts(&chars("湖南GDP"), &[]);
        let tripled: Vec<_> = plain.iter().map(|(row, n)| (*row, n * 3)).collect();
        assert_eq!(titled, tripled);
    }

    #[test]
    fn logits_add_up() {
        let mut weights = vec![0; ROWS * 2];
        let (row, _) = counts(&[], &chars("湖"))[0];
        weights[row * 2] = 10;
        let table = NgramSectors::new(vec![20; ROWS], weights, vec![0.5, 1.0], vec![0.0, -1.0]);
        assert_eq!(table.unwrap().logits(&[], &chars("湖")), [5.0, -1.0]);
        assert!(NgramSectors::new(vec![], vec![], vec![1.0], vec![0.0]).is_err());
    }
}
