//! Does a paragraph open its article, or close it? Two small trained tables over its first and last characters.
//!
//! `近日，记者从水务局获悉` opens one, `他说` does not. What stands below a headline opens an article; what stands below a
//! heading inside an article rarely does.

use crate::text::hash;

/// Rows of each table.
pub const ROWS: usize = 1 << 14;
/// Characters that are looked at.
const CHARS: usize = 24;
/// Length of the longest beginning that has a row of its own.
const PREFIX: usize = 4;

/// Openings, then closings. Trained by `training/jianbao_training/borders.py`.
static TABLES: &[u8; 2 * ROWS] = include_bytes!("../../../models/news/borders.bin");

/// The higher, the more a (folded) paragraph, without its dateline, looks like the first one of its article: a logit but
/// for a constant, which the trees that read it have of their own.
pub fn opens(paragraph: &[char]) -> f32 {
    hash::logit(&TABLES[..ROWS], opening_rows(paragraph))
}

/// The higher, the more a (folded) paragraph looks like the last one of its article.
pub fn closes(paragraph: &[char]) -> f32 {
    hash::logit(&TABLES[ROWS..], closing_rows(paragraph))
}

/// Rows of the first table that a paragraph's beginning falls into.
pub fn opening_rows(paragraph: &[char]) -> Vec<usize> {
    rows(paragraph.iter())
}

/// Rows of the second table that a paragraph's end falls into.
pub fn closing_rows(paragraph: &[char]) -> Vec<usize> {
    rows(paragraph.iter().rev())
}

/// The first one to four characters together, and each two neighbours among the first [`CHARS`]. All numbers are one:
/// any date is a date.
fn rows<'a>(chars: impl Iterator<Item = &'a char>) -> Vec<usize> {
    let mut first: Vec<char> = chars
        .take(2 * CHARS)
        .filter(|c| !c.is_whitespace())
        .map(|c| if c.is_ascii_digit() { '0' } else { *c })
        .collect();
    first.dedup_by(|a, b| *a == '0' && *b == '0');
    first.truncate(CHARS);
    let beginnings = (1..=first.len().min(PREFIX)).map(|n| [&['^'], &first[..n]].concat());
    let pairs = first.windows(2).map(<[char]>::to_vec);
    let mut rows: Vec<usize> = beginnings
        .chain(pairs)
        .map(|gram| hash::row(&gram, ROWS))
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn leads_are_told_from_what_follows_them() {
        let lead = opens(&chars("近日，记者从东江市水务局获悉，水库大坝已经封顶。"));
        let later = opens(&chars("他说，大坝封顶以后，还要等上三个月才能蓄水。"));
        assert!(lead > later + 1.0, "{lead} {later}");
        let last = closes(&chars("大坝将于明年蓄水。（据东江日报报道）"));
        let earlier = closes(&chars("他介绍说，工程分为三个部分："));
        assert!(last > earlier + 1.0, "{last} {earlier}");
    }

    #[test]
    fn any_number_is_a_number() {
        assert_eq!(
            opening_rows(&chars("3月12日，大桥通车")),
            opening_rows(&chars("11月 5日，大桥通车"))
        );
        assert_eq!(opening_rows(&chars("大桥")), closing_rows(&chars("桥大")));
        assert!(opening_rows(&[]).is_empty());
    }
}
