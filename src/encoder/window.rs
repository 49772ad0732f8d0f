//! An article as token sequences: the title before every window, windows of about one length, cut between sentences.
//!
//! Twin of `windows` in `training/jianbao_training/heads.py`.

use super::HiddenStates;
use super::tokenizer::{Token, Tokenizer};
use crate::document::Span;

/// Tokens a window has at most, marks included; the trained heads saw no longer ones.
pub const MAX_WINDOW_TOKENS: usize = 512;
/// Tokens of the title that are read; it is repeated in every window.
pub const MAX_TITLE_TOKENS: usize = 64;
/// So far from equal lengths a cut is looked for between sentences.
const SLACK_TOKENS: usize = 96;
/// What ends a sentence, and what may close after it.
const ENDS: [char; 5] = ['。', '！', '？', '!', '?'];
const CLOSERS: [char; 6] = ['”', '’', '』', '」', '）', ')'];

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
    /// The body tokens that stand there.
    body: std::ops::Range<usize>,
}

impl TokenizedArticle {
    /// Tokenizes folded text and lays out windows of at most `max_tokens`.
    pub fn new(tokenizer: &Tokenizer, title: &[char], body: &[char], max_tokens: usize) -> Self {
        let mut title = tokenizer.tokens(title);
        title.truncate(MAX_TITLE_TOKENS.min(max_tokens / 4));
        let text = body;
        let body = tokenizer.tokens(text);
        let windows = layout(
            &title,
            &body,
            text,
            tokenizer,
            max_tokens.min(MAX_WINDOW_TOKENS),
        );
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
    /// Copies the states of the tokens that count (in the first window the title's, then the body's) to their rows of `out`.
    /// `row` is where this window's states begin in `states`.
    pub fn copy_states(&self, states: &HiddenStates, row: usize, out: &mut HiddenStates) {
        let width = states.width;
        let mut copy = |from: usize, count: usize, to: usize| {
            out.values[to * width..(to + count) * width]
                .copy_from_slice(&states.values[from * width..(from + count) * width]);
        };
        if self.body.start == 0 {
            copy(row + 1, self.title, 0);
        }
        let (from, to) = (row + self.head, self.title + self.body.start);
        copy(from, self.body.len(), to);
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

/// Whether a sentence ends with token `i`, whatever closes after it included.
fn ends_sentence(tokens: &[Token], text: &[char], i: usize) -> bool {
    let is = |i: usize, marks: &[char]| marks.contains(&text[tokens[i].span.start]);
    if tokens.get(i + 1).is_some() && is(i + 1, &CLOSERS) {
        return false;
    }
    let closed = (0..=i).rev().find(|&k| !is(k, &CLOSERS));
    closed.is_some_and(|k| is(k, &ENDS))
}

/// Where windows of at most `room` body tokens end: as few as possible, of about one length, between sentences where one ends
/// near.
fn cuts(body: &[Token], text: &[char], room: usize) -> Vec<usize> {
    let (mut out, mut start) = (Vec::new(), 0);
    while body.len() - start > room {
        let rest = body.len() - start;
        let windows = rest.div_ceil(room);
        let equal = start + rest.div_ceil(windows);
        // The other windows must have room for what is left.
        let least = (body.len() - (windows - 1) * room).max(equal.saturating_sub(SLACK_TOKENS));
        let most = (start + room).min(equal + SLACK_TOKENS);
        let between = (least.max(start + 1)..=most)
            .filter(|&end| ends_sentence(body, text, end - 1))
            .min_by_key(|end| end.abs_diff(equal));
        start = between.unwrap_or(equal);
        out.push(start);
    }
    out.push(body.len());
    out
}

fn layout(
    title: &[Token],
    body: &[Token],
    text: &[char],
    tokenizer: &Tokenizer,
    max_tokens: usize,
) -> Vec<Window> {
    let mut head = vec![tokenizer.cls];
    if !title.is_empty() {
        head.extend(title.iter().map(|t| t.id));
        head.push(tokenizer.sep);
    }
    let room = max_tokens - head.len() - 1;
    let mut start = 0;
    cuts(body, text, room)
        .into_iter()
        .map(|end| {
            let mut ids = head.clone();
            ids.extend(body[start..end].iter().map(|t| t.id));
            ids.push(tokenizer.sep);
            let body = std::mem::replace(&mut start, end)..end;
            Window {
                ids,
                title: title.len(),
                head: head.len(),
                body,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A token a character.
    fn tokens(text: &[char]) -> Vec<Token> {
        let token = |i: usize| Token {
            id: i as u32 + 10,
            span: Span::new(i, i + 1),
        };
        (0..text.len()).map(token).collect()
    }

    fn cuts_of(text: &str, room: usize) -> Vec<usize> {
        let text: Vec<char> = text.chars().collect();
        cuts(&tokens(&text), &text, room)
    }

    #[test]
    fn windows_end_between_sentences() {
        // Twelve tokens, room for ten: two windows of six, the cut where a sentence ends near.
        assert_eq!(cuts_of("一二三四。六七八九十一二", 10), [5, 12]);
        assert_eq!(cuts_of("一二三。”六七八九十一二", 10), [5, 12]);
        assert_eq!(cuts_of("一二三四五六七八九十一二", 10), [6, 12]);
        // A sentence's end that would leave too much is none.
        assert_eq!(cuts_of("一。三四五六七八九十一二", 10), [2, 12]);
        assert_eq!(cuts_of("一。三四五六七八九十一二", 9), [6, 12]);
        assert_eq!(cuts_of("一二三", 10), [3]);
        assert_eq!(cuts_of("", 10), [0]);
    }

    proptest! {
        #[test]
        fn every_body_token_stands_in_one_window(title in 0usize..64, body in "[一二三。”]{0,3000}", max in 128usize..513) {
            let tokenizer = Tokenizer::tiny();
            let text: Vec<char> = body.chars().collect();
            let body = tokens(&text);
            let title = tokens(&vec!['题'; title.min(max / 4)]);
            let windows = layout(&title, &body, &text, &tokenizer, max);
            let mut next = 0;
            for window in &windows {
                prop_assert!(window.ids.len() <= max);
                prop_assert_eq!(window.body.start, next);
                next = window.body.end;
                for i in window.body.clone() {
                    prop_assert_eq!(window.ids[window.head + i - window.body.start], body[i].id);
                }
            }
            prop_assert_eq!(next, body.len());
            let room = max - title.len() - 3;
            prop_assert!(windows.len() <= body.len().div_ceil(room).max(1) + 1);
        }
    }
}
