//! What can be said of a sentence without a neural network.

use crate::document::Span;
use crate::document::sentence::is_terminal;
use crate::text::fold::is_han;
use crate::text::lexicon::LEXICON;
use crate::text::patterns::PATTERNS;
use std::collections::HashMap;

/// Length of a sentence's features.
pub const FEATURES: usize = 32;

/// Neighbouring characters and how often they stand, with the length of that vector.
pub(super) struct Bigrams {
    counts: HashMap<(char, char), u32>,
    norm: f32,
}

impl Bigrams {
    pub fn of(text: &[char]) -> Self {
        let mut counts = HashMap::new();
        for pair in text
            .windows(2)
            .filter(|w| w.iter().all(|&c| is_han(c) || c.is_ascii_alphanumeric()))
        {
            *counts.entry((pair[0], pair[1])).or_insert(0u32) += 1;
        }
        // Whole numbers: the order of a hash map cannot change their sum.
        let squares: u64 = counts.values().map(|&n| u64::from(n) * u64::from(n)).sum();
        Self {
            counts,
            norm: (squares as f32).sqrt(),
        }
    }

    /// How alike two sentences are, 0 to 1.
    pub fn cosine(&self, other: &Self) -> f32 {
        let (small, large) = if self.counts.len() < other.counts.len() {
            (self, other)
        } else {
            (other, self)
        };
        let product: u64 = small
            .counts
            .iter()
            .filter_map(|(pair, &n)| large.counts.get(pair).map(|&m| u64::from(n) * u64::from(m)))
            .sum();
        if product == 0 {
            0.0
        } else {
            product as f32 / (self.norm * other.norm)
        }
    }

    /// The distinct ones, in no order.
    pub fn pairs(&self) -> impl Iterator<Item = (char, char)> {
        self.counts.keys().copied()
    }

    /// Share of the distinct bigrams that `whole` has too.
    fn covered_by(&self, whole: &Self) -> f32 {
        if self.counts.is_empty() {
            return 0.0;
        }
        self.counts
            .keys()
            .filter(|pair| whole.counts.contains_key(*pair))
            .count() as f32
            / self.counts.len() as f32
    }
}

/// Only this much of a title is compared with every sentence.
const MAX_TITLE_CHARS: usize = 300;

/// Features of every sentence of an article. `title` and `text` are folded; `sentences` are spans of `text`.
pub fn features(title: &[char], text: &[char], sentences: &[Span]) -> Vec<[f32; FEATURES]> {
    let title_bigrams = Bigrams::of(&title[..title.len().min(MAX_TITLE_CHARS)]);
    let document = Bigrams::of(text);
    let bags: Vec<Bigrams> = sentences.iter().map(|s| Bigrams::of(s.of(text))).collect();
    let paragraph_of = paragraphs(text, sentences);
    let paragraphs = paragraph_of.last().map_or(1, |last| last + 1);
    let n = sentences.len();
    let flag = |b: bool| f32::from(u8::from(b));
    let starts = |text: &[char], words: &[Vec<char>]| words.iter().any(|w| text.starts_with(w));
    let has = |text: &[char], words: &[Vec<char>]| {
        words
            .iter()
            .any(|w| text.windows(w.len()).any(|x| x == w.as_slice()))
    };
    (0..n)
        .map(|i| {
            let sentence = sentences[i].of(text);
            let len = sentence.len() as f32;
            let first = i == 0 || paragraph_of[i] != paragraph_of[i - 1];
            let last = i + 1 == n || paragraph_of[i] != paragraph_of[i + 1];
            let digits = sentence.iter().filter(|c| c.is_ascii_digit()).count() as f32;
            let head: String = sentence.iter().take(24).collect();
            // Only a few neighbours: the whole square would be slow on an article of thousands of sentences.
            let near = |range: std::ops::Range<usize>| {
                range
                    .filter(|&j| j != i)
                    .map(|j| bags[i].cosine(&bags[j]))
                    .fold(0.0, f32::max)
            };
            [
                i as f32 / n.max(2) as f32,
                flag(i == 0),
                flag(i == 1),
                flag(i == 2),
                flag(i + 1 == n),
                1.0 / (1.0 + i as f32),
                paragraph_of[i] as f32 / paragraphs.max(2) as f32,
                flag(paragraph_of[i] == 0),
                flag(first),
                flag(last),
                flag(first && last),
                (1.0 + len).ln() / 5.0,
                flag(len < 12.0),
                flag(len < 20.0),
                flag(len > 100.0),
                title_bigrams.covered_by(&bags[i]),
                bags[i].covered_by(&title_bigrams),
                bags[i].cosine(&document),
                near(0..i.min(3)),
                near(i.saturating_sub(4)..(i + 5).min(n)),
                (digits / len).min(1.0),
                flag(digits > 0.0),
                flag(sentence.contains(&'“')),
                flag(matches!(sentence.first(), Some('“' | '‘' | '"'))),
                flag(matches!(sentence.last(), Some('？' | '?'))),
                flag(
                    !sentence
                        .iter()
                        .rev()
                        .take(3)
                        .any(|&c| is_terminal(c) || c == '…'),
                ),
                flag(starts(sentence, &LEXICON.leaning)),
                flag(has(sentence, &LEXICON.saying)),
                flag(PATTERNS.lead.is_match(&head)),
                flag(PATTERNS.enumerator.is_match(&head)),
                (1.0 + n as f32).ln() / 4.0,
                (1.0 + text.len() as f32).ln() / 8.0,
            ]
        })
        .collect()
}

/// The paragraph number of each sentence.
pub(super) fn paragraphs(text: &[char], sentences: &[Span]) -> Vec<usize> {
    let mut out = Vec::with_capacity(sentences.len());
    let (mut number, mut from) = (0, 0);
    for (i, sentence) in sentences.iter().enumerate() {
        let ended = text[from..sentence.start].contains(&'\n');
        number += usize::from(ended && i > 0);
        out.push(number);
        from = sentence.start;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;

    #[test]
    fn the_lead_that_repeats_the_title_stands_out() {
        let title: Vec<char> = "东江大桥通车".chars().collect();
        let text: Vec<char> = "3月2日，东江大桥正式通车。\n他说，等了很久。"
            .chars()
            .collect();
        let spans = sentences(&text);
        let features = features(&title, &text, &spans);
        assert!(features[0][15] > features[1][15]);
        assert_eq!((features[0][28], features[1][26]), (1.0, 1.0));
        assert_eq!((features[0][6], features[1][8]), (0.0, 1.0));
    }
}
