//! How common a word is in news: document frequencies, hashed into a small table.

use super::hash;

/// Rows of the table; words share a row when their hashes meet, which makes a rare word look a little commoner.
pub const ROWS: usize = 1 << 15;

/// The row of a word.
pub fn row(word: &[char]) -> usize {
    hash::row(word, ROWS)
}

/// Inverse document frequencies, ln(N / df) in units of 1/20, one byte a row.
#[derive(Debug, Clone)]
pub struct DocumentFrequency {
    rows: Vec<u8>,
}

impl DocumentFrequency {
    /// From a table of [`ROWS`] bytes.
    pub fn new(rows: Vec<u8>) -> Option<Self> {
        (rows.len() == ROWS).then_some(Self { rows })
    }

    /// ln(N / df), from 0 (in every document) to some 10 (in almost none).
    pub fn inverse(&self, word: &[char]) -> f32 {
        f32::from(self.rows[row(word)]) / 20.0
    }
}

impl Default for DocumentFrequency {
    /// Nothing known: every word equally rare.
    fn default() -> Self {
        Self {
            rows: vec![100; ROWS],
        }
    }
}
