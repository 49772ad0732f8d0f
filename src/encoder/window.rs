//! An article as token sequences: the title before every window, neighbouring windows overlapping.
//!
//! Twin of `windows` in `training/jianbao_training/heads.py`.

use super::HiddenStates;
use super::tokenizer::{Token, Tokenizer};
use crate::document::Span;

/// Tokens a window has at most, marks included; the trained heads saw no longer ones.
pub const MAX_WINDOW_TOKENS: usize = 512;
/// Tokens of the title that are read; it is repeated in every window.
pub const MAX_TITLE_TOKENS: usize = 64;
/// Tokens that neighbouring windows share.
pub const OVERLAP_TOKENS: usize = 64;

/// An article's tokens and windows.
#[derive(Debug)]
pub struct TokenizedArticle {
    /// The title's tokens, then the body's; `span` of a title token points into the title.
    pub title: Vec<Token>,
    pub body: Vec<Token>,
    pub windows: Vec<Window>,
}

/// One sequence for the encoder, and which of its tokens count.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    pub ids: Vec<u32>,
    /// Tokens of the title.
    title: usize,
    /// Where the body's first token stands in `ids`.
    head: usize,
    /// The body token that stands at `head`.
    start: usize,
    /// Body tokens whose states are taken from this window; the rest only give context.
    owned: std::ops::Range<usize>,
}

impl TokenizedArticle {
    /// Tokenizes folded text and lays out windows of at most `max_tokens`.
    pub fn new(tokenizer: &Tokenizer, title: &[char], body: &[char], max_tokens: usize) -> Self {
        let mut title = tokenizer.tokens(title);
        title.truncate(MAX_TITLE_TOKENS.min(max_tokens / 4));
        let body = tokenizer.tokens(body);
        let windows = layout(&title, &body, tokenizer, max_tokens.min(MAX_WINDOW_TOKENS));
        Self {
            title,
            body,
            windows,
        }
    }

    /// Tokens of title and body, and so rows of the article's states.
    pub fn rows(&self) -> usize {
        self.title.len() + self.body.len()
    }

    /// Rows (the title's tokens first, then the body's) of the tokens inside a span of the title.
    pub fn title_rows(&self, span: Span) -> std::ops::Range<usize> {
        rows(&self.title, span)
    }

    /// Rows of the tokens inside a span of the body.
    pub fn body_rows(&self, span: Span) -> std::ops::Range<usize> {
        let rows = rows(&self.body, span);
        rows.start + self.title.len()..rows.end + self.title.len()
    }
}

impl Window {
    /// Copies the states of the tokens that count (in the first window the title's, then the owned body tokens) to
    /// their rows of `out`. `row` is where this window's states begin in `states`.
    pub fn copy_states(&self, states: &HiddenStates, row: usize, out: &mut HiddenStates) {
        let width = states.width;
        let mut copy = |from: usize, count: usize, to: usize| {
            out.values[to * width..(to + count) * width]
                .copy_from_slice(&states.values[from * width..(from + count) * width]);
        };
        if self.start == 0 {
            copy(row + 1, self.title, 0);
        }
        let from = row + self.head + self.owned.start - self.start;
        copy(from, self.owned.len(), self.title + self.owned.start);
    }
}

/// Tokens on each side of a seam that the continuation head reads.
pub const SEAM_TOKENS: usize = 24;

/// One sequence over the seam of two fragments, and where in it the left one's last token stands (the right one's first
/// comes next). Twin of `seam` in `training/jianbao_training/heads.py`.
pub fn seam(tokenizer: &Tokenizer, left: &[char], right: &[char]) -> (Vec<u32>, usize) {
    let (left, right) = (tokenizer.tokens(left), tokenizer.tokens(right));
    let left = &left[left.len().saturating_sub(SEAM_TOKENS)..];
    let right = &right[..right.len().min(SEAM_TOKENS)];
    let mut ids = vec![tokenizer.cls];
    ids.extend(left.iter().chain(right).map(|token| token.id));
    ids.push(tokenizer.sep);
    (ids, left.len())
}

/// Tokens that lie inside `span`; tokens are in order.
fn rows(tokens: &[Token], span: Span) -> std::ops::Range<usize> {
    let start = tokens.partition_point(|t| t.span.end <= span.start);
    let end = tokens.partition_point(|t| t.span.start < span.end);
    start..end.max(start)
}

fn layout(
    title: &[Token],
    body: &[Token],
    tokenizer: &Tokenizer,
    max_tokens: usize,
) -> Vec<Window> {
    let mut head = vec![tokenizer.cls];
    if !title.is_empty() {
        head.extend(title.iter().map(|t| t.id));
        head.push(tokenizer.sep);
    }
    let room = max_tokens - head.len() - 1;
    let overlap = OVERLAP_TOKENS.min(room / 4);
    let starts: Vec<usize> = if body.len() <= room {
        vec![0]
    } else {
        (0..body.len() - overlap).step_by(room - overlap).collect()
    };
    starts
        .iter()
        .enumerate()
        .map(|(k, &start)| {
            let end = (start + room).min(body.len());
            let mut ids = head.clone();
            ids.extend(body[start..end].iter().map(|t| t.id));
            ids.push(tokenizer.sep);
            let from = if k == 0 { 0 } else { start + overlap / 2 };
            let to = starts.get(k + 1).map_or(end, |next| next + overlap / 2);
            Window {
                ids,
                title: title.len(),
                head: head.len(),
                start,
                owned: from..to,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(i: usize) -> Token {
        Token {
            id: i as u32 + 10,
            span: Span::new(i, i + 1),
        }
    }

    proptest! {
        #[test]
        fn every_body_token_is_owned_once(title in 0usize..64, body in 0usize..3000, max in 128usize..513) {
            let tokenizer = Tokenizer::tiny();
            let (title, body): (Vec<Token>, Vec<Token>) = ((0..title).map(token).collect(), (0..body).map(token).collect());
            let title = title[..title.len().min(max / 4)].to_vec();
            let windows = layout(&title, &body, &tokenizer, max);
            let mut next = 0;
            for window in &windows {
                prop_assert!(window.ids.len() <= max);
                prop_assert_eq!(window.owned.start, next);
                prop_assert!(window.owned.start >= window.start);
                next = window.owned.end;
                for i in window.owned.clone() {
                    prop_assert_eq!(window.ids[window.head + i - window.start], body[i].id);
                }
            }
            prop_assert_eq!(next, body.len());
        }
    }
}
