//! Positions in decoded text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A half-open range `[start, end)` of Unicode scalar values (not bytes).
///
/// Written to JSON as `[start, end]`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(from = "[usize; 2]", into = "[usize; 2]")]
#[schemars(with = "[usize; 2]")]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The range from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(
            start <= end,
            "a span cannot end before it starts: {start}..{end}"
        );
        Self { start, end }
    }

    /// Length in characters.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The same length, `by` characters further on.
    pub fn shifted(self, by: usize) -> Self {
        Self::new(self.start + by, self.end + by)
    }

    /// The characters of `text` that the span stands for.
    pub fn of(self, text: &[char]) -> &[char] {
        &text[self.start..self.end]
    }

    /// [`Span::of`] as a string.
    pub fn text(self, text: &[char]) -> String {
        self.of(text).iter().collect()
    }

    /// Without white space and invisible characters at either end; empty at `start` when nothing else is there.
    pub fn trimmed(self, text: &[char]) -> Self {
        let slice = self.of(text);
        let Some(first) = slice.iter().position(|&c| !is_blank(c)) else {
            return Self::new(self.start, self.start);
        };
        let last = slice.iter().rposition(|&c| !is_blank(c)).unwrap_or(first);
        Self::new(self.start + first, self.start + last + 1)
    }
}

/// White space, and what takes no room: soft hyphens, joiners, marks of direction, byte order marks.
fn is_blank(c: char) -> bool {
    let is_unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_whitespace() || is_unseen
}

impl From<[usize; 2]> for Span {
    fn from([start, end]: [usize; 2]) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }
}

impl From<Span> for [usize; 2] {
    fn from(span: Span) -> Self {
        [span.start, span.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        let text: Vec<char> = "剪报brief".chars().collect();
        assert_eq!(Span::new(0, 2).text(&text), "剪报");
        assert_eq!(Span::new(2, 7).text(&text), "brief");
    }

    #[test]
    fn trims_ideographic_spaces() {
        let text: Vec<char> = "\u{3000} 标题 \n".chars().collect();
        assert_eq!(Span::new(0, text.len()).trimmed(&text), Span::new(2, 4));
        assert!(Span::new(0, 2).trimmed(&text).is_empty());
        let unseen: Vec<char> = "\u{200b}标题\u{202e}".chars().collect();
        assert_eq!(Span::new(0, 4).trimmed(&unseen), Span::new(1, 3));
    }

    #[test]
    fn is_written_as_a_pair() {
        assert_eq!(serde_json::to_string(&Span::new(3, 9)).unwrap(), "[3,9]");
        assert_eq!(
            serde_json::from_str::<Span>("[3,9]").unwrap(),
            Span::new(3, 9)
        );
    }
}
