//! Does a fragment begin in mid-sentence? A small trained table of first characters.
//!
//! Page repair asks the encoder about pairs of fragments; this says which ones are worth asking about.

use crate::text::hash;

/// Rows of the table.
pub const ROWS: usize = 1 << 14;

/// Logits by the first one, two and three characters, hashed. Trained by `training/jianbao_training/starts.py`.
#[derive(Debug, Clone)]
pub struct SentenceStarts {
    rows: Vec<u8>,
}

impl SentenceStarts {
    /// From a table of [`ROWS`] bytes.
    pub fn new(rows: Vec<u8>) -> Option<Self> {
        (rows.len() == ROWS).then_some(Self { rows })
    }

    /// Above 0 when the (folded) fragment looks like the middle of a sentence rather than its beginning.
    pub fn openness(&self, fragment: &[char]) -> f32 {
        let first: Vec<char> = fragment
            .iter()
            .take(12)
            .copied()
            .filter(|c| !c.is_whitespace())
            .collect();
        let marks = ['1', '2', '3'].into_iter().zip(1..=first.len());
        let row = |(mark, n): (char, usize)| hash::row(&[&[mark], &first[..n]].concat(), ROWS);
        hash::logit(&self.rows, marks.map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_rows_of_the_first_characters() {
        let mut rows = vec![128; ROWS];
        let row = |text: &str| hash::row(&text.chars().collect::<Vec<_>>(), ROWS);
        rows[row("1的")] = 144;
        rows[row("2的人")] = 120;
        let table = SentenceStarts::new(rows).unwrap();
        let openness = |text: &str| table.openness(&text.chars().collect::<Vec<_>>());
        assert_eq!(openness("的"), 1.0);
        assert_eq!(openness("的 人们"), 0.5);
        assert_eq!(openness(""), 0.0);
        assert!(SentenceStarts::new(vec![0; 3]).is_none());
    }
}
