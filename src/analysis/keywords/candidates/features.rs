//! What the keyword head is told of a phrase beside its vectors.

use super::FEATURES;
use super::collect::Entry;
use crate::text::document_frequency::DocumentFrequency;
use crate::text::lexicon::LEXICON;
use crate::text::words::WordClass;
use std::collections::HashMap;

/// What features need to know of the whole article.
pub(super) struct Context<'a> {
    /// Occurrences of each single word.
    pub counts: HashMap<Vec<char>, usize>,
    pub frequency: &'a DocumentFrequency,
    pub sentences: usize,
    pub title_chars: usize,
    pub text_chars: usize,
}

impl Context<'_> {
    pub fn features(&self, entry: &Entry) -> [f32; FEATURES] {
        let mut out = [0.0; FEATURES];
        let mut at = 0;
        let mut push = |value: f32| {
            out[at] = value;
            at += 1;
        };
        let flag = |b: bool| f32::from(u8::from(b));
        let count = entry.in_title.len() + entry.in_text.len();
        let len = entry.key.len();
        push((count as f32).ln_1p());
        push((entry.in_text.len() as f32).ln_1p());
        push(flag(count == 1));
        push(flag(!entry.in_title.is_empty()));
        push(
            entry
                .in_title
                .first()
                .map_or(1.0, |s| s.start as f32 / self.title_chars.max(1) as f32),
        );
        push(flag(entry.in_title.first().is_some_and(|s| s.start == 0)));
        push(flag(self.title_chars == 0));
        let first = entry.first_sentence.min(self.sentences);
        push(first as f32 / self.sentences.max(1) as f32);
        push(flag(first == 0));
        push(1.0 / (1.0 + first as f32));
        push(
            entry
                .in_text
                .first()
                .map_or(1.0, |s| s.start as f32 / self.text_chars.max(1) as f32),
        );
        push(
            (entry
                .last_sentence
                .saturating_sub(first.min(entry.last_sentence))) as f32
                / self.sentences.max(1) as f32,
        );
        push((entry.sentences as f32).ln_1p());
        push(entry.sentences as f32 / self.sentences.max(1) as f32);
        push((len as f32).ln());
        for range in [2..=2, 3..=3, 4..=4, 5..=6, 7..=8, 9..=12, 13..=26] {
            push(flag(range.contains(&len)));
        }
        push(entry.words as f32 / 4.0);
        push(flag(entry.parts.len() == 1));
        push(flag(entry.parts.len() == 2));
        push(flag(entry.parts.len() >= 4));
        push(entry.quoted as f32 / count as f32);
        push(entry.booked as f32 / count as f32);
        push(entry.whole as f32 / count as f32);
        push(entry.after_list_mark as f32 / count as f32);
        push(entry.left.len() as f32 / count as f32);
        push(entry.right.len() as f32 / count as f32);
        push((entry.left.len().min(entry.right.len()) as f32).ln_1p());
        push(flag(entry.key.iter().any(|c| c.is_ascii_digit())));
        push(flag(entry.key.iter().any(|c| c.is_ascii_alphabetic())));
        push(flag(entry.key.contains(&'“')));
        push(flag(entry.key.iter().any(|c| matches!(c, '（' | '('))));
        push(flag(
            entry
                .key
                .iter()
                .any(|c| matches!(c, '的' | '和' | '与' | '、')),
        ));
        let part_counts = entry
            .parts
            .iter()
            .map(|(_, key)| self.counts.get(key).copied().unwrap_or(count) as f32);
        let (rarest, commonest) = part_counts
            .fold((f32::MAX, 1.0), |(low, high): (f32, f32), n| {
                (low.min(n), high.max(n))
            });
        push(count as f32 / rarest.max(1.0));
        push(count as f32 / commonest);
        let inverse: Vec<f32> = entry
            .parts
            .iter()
            .map(|(_, key)| self.frequency.inverse(key))
            .collect();
        push(inverse.iter().copied().fold(f32::MAX, f32::min) / 5.0);
        push(inverse.iter().copied().fold(0.0, f32::max) / 5.0);
        push(inverse.iter().sum::<f32>() / inverse.len() as f32 / 5.0);
        push(inverse[0] / 5.0);
        push(inverse[inverse.len() - 1] / 5.0);
        push(self.frequency.inverse(&entry.key) / 5.0);
        let (first_class, last_class) = (entry.parts[0].0, entry.parts[entry.parts.len() - 1].0);
        let is_generic = |key: &[char]| {
            LEXICON
                .generic
                .contains(key.iter().collect::<String>().as_str())
        };
        push(flag(is_generic(&entry.parts[0].1)));
        push(flag(is_generic(&entry.parts[entry.parts.len() - 1].1)));
        for class in &WordClass::ALL[..10] {
            push(flag(first_class == *class));
        }
        for class in &WordClass::ALL[..10] {
            push(flag(last_class == *class));
        }
        debug_assert!(at <= FEATURES);
        out
    }
}
