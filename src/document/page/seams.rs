//! Does one fragment read on into another? A trained table of the characters that meet at a seam.
//!
//! What an n-gram language model knows of a text's middle, learnt from some twenty million places in news: `内蒙古` goes on
//! with `自治区`, hardly with `中国`. It costs nothing and errs elsewhere than the encoder, which reads for sense.

use crate::text::fold::fold;
use crate::text::hash;
use crate::text::words::word_across;

/// Rows of the table.
const ROWS: usize = 1 << 20;
/// How many characters left and right of the seam are one feature.
const GRAMS: [(usize, usize); 8] = [
    (1, 1),
    (2, 1),
    (1, 2),
    (2, 2),
    (3, 1),
    (1, 3),
    (3, 2),
    (2, 3),
];
/// Characters on each side that are looked at for the last, or first, three that are not white space.
const CHARS: usize = 8;

/// Trained by `training/jianbao_training/seams.py`.
static TABLE: &[u8; ROWS] = include_bytes!("../../../models/news/seams.bin");

/// Above 0 when what follows the (folded) left fragment may be the right one.
pub fn logit(left: &[char], right: &[char]) -> f32 {
    let near = |c: &&char| !c.is_whitespace();
    let number = |c: &char| if c.is_ascii_digit() { '0' } else { *c };
    let mut left: Vec<char> = (left.iter().rev().take(CHARS).filter(near).map(number))
        .take(3)
        .collect();
    left.reverse();
    let right: Vec<char> = (right.iter().take(CHARS).filter(near).map(number))
        .take(3)
        .collect();
    let rows = GRAMS
        .into_iter()
        .filter(|&(a, b)| a <= left.len() && b <= right.len())
        .map(|(a, b)| {
            let gram = [&left[left.len() - a..], &['|'], &right[..b]].concat();
            hash::row(&gram, ROWS)
        });
    hash::logit(TABLE, rows)
}

/// Whether a line reads on in the next one: a word stands across its end, or the characters that meet speak for it by more than `least`.
pub fn reads_on(said: &[char], next: &[char], least: f32) -> bool {
    let (left, right) = sides(said, next);
    word(&left, &right) > 0 || logit(&left, &right) > least
}

/// What stands on both sides of a line's end, folded, as far as [`logit`] looks.
pub fn sides(said: &[char], next: &[char]) -> (Vec<char>, Vec<char>) {
    let left = &said[said.len().saturating_sub(CHARS)..];
    let right = &next[..next.len().min(CHARS)];
    (fold(left), fold(right))
}

/// Characters on each side in which a word across the seam is looked for.
const WORD_CHARS: usize = 12;

/// The length of a word across the seam of two folded fragments; 2 for Latin letters and digits on both sides, 0 for none.
pub fn word(left: &[char], right: &[char]) -> usize {
    let left = &left[left.len().saturating_sub(WORD_CHARS)..];
    let right = &right[..right.len().min(WORD_CHARS)];
    let is_latin = |c: Option<&char>| c.is_some_and(char::is_ascii_alphanumeric);
    if is_latin(left.last()) && is_latin(right.first()) {
        return 2;
    }
    word_across(&[left, right].concat(), left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_on_is_told_from_what_does_not() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let left = chars("东江市人民代表大会常务委");
        let right = logit(&left, &chars("员会今天召开会议"));
        let wrong = logit(&left, &chars("本报讯今天的天气"));
        assert!(right > 0.0 && wrong < 0.0, "{right} {wrong}");
        assert_eq!(logit(&[], &left), 0.0);
    }
}
