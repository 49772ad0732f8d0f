//! Quality figures against gold, by the same formulas as the project's reference scorers.

pub mod extracts;
pub mod pages;
pub mod sectors;

/// Without any white space.
pub(crate) fn squeeze(text: &str) -> Vec<char> {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The harmonic mean of precision and recall.
pub(crate) fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    }
}
