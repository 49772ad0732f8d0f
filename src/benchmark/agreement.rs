//! Do two ways of computing give the same answers?

use super::measure::Prepared;
use serde::{Deserialize, Serialize};

/// One way of computing against the reference, over all articles of all mixes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    pub articles: usize,
    /// Of the articles' mean hidden states: the lowest and the mean cosine.
    pub lowest_cosine: f64,
    pub mean_cosine: f64,
    /// Shares of the articles with the same first sector, and with the same summary.
    pub same_sector: f64,
    pub same_summary: f64,
}

/// Below this lowest cosine something is broken, and speed is not shown.
pub const MIN_COSINE: f64 = 0.95;

impl Agreement {
    pub fn holds(&self) -> bool {
        self.lowest_cosine >= MIN_COSINE
    }
}

/// The mean hidden state of each article.
pub type Vectors = Vec<Vec<f32>>;

/// Compares article by article; both sides must have read the same mixes.
pub fn compare(reference: &[(&Prepared, Vectors)], other: &[(&Prepared, Vectors)]) -> Agreement {
    let (mut cosines, mut sectors, mut summaries) = (Vec::new(), 0usize, 0usize);
    for ((a, a_vectors), (b, b_vectors)) in reference.iter().zip(other) {
        let vectors = a_vectors.iter().zip(b_vectors);
        for ((a, b), (x, y)) in a.articles.iter().zip(&b.articles).zip(vectors) {
            let cosine = cosine(x, y);
            // What is not a number agrees with nothing.
            cosines.push(if cosine.is_nan() { -1.0 } else { cosine });
            sectors += usize::from(a.sector.key == b.sector.key);
            let texts = |article: &crate::output::record::ArticleBrief| -> Vec<String> {
                article.summary.iter().map(|s| s.text.clone()).collect()
            };
            summaries += usize::from(texts(a) == texts(b));
        }
    }
    let count = cosines.len().max(1) as f64;
    Agreement {
        articles: cosines.len(),
        lowest_cosine: cosines.iter().copied().fold(1.0, f64::min),
        mean_cosine: cosines.iter().sum::<f64>() / count,
        same_sector: sectors as f64 / count,
        same_summary: summaries as f64 / count,
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    // An article without a token has no direction; two of them agree.
    match (dot(a, a) * dot(b, b)).sqrt() {
        0.0 => 1.0,
        norm => dot(a, b) / norm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_is_one_for_the_same_direction() {
        assert!((cosine(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-12);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 3.0]), 0.0);
        assert_eq!(cosine(&[0.0], &[0.0]), 1.0);
    }
}
