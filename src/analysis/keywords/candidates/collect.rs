//! Phrases as they are met: what may be one, and what is noted of it.

use super::features::Context;
use super::units::{Joins, Unit, key_of};
use super::{
    Candidate, MAX_CANDIDATES, MAX_NOTED, MAX_PHRASE_CHARS, MAX_PHRASE_WORDS, MAX_QUOTED_CHARS,
};
use crate::document::Span;
use crate::text::fold::is_han;
use crate::text::lexicon::LEXICON;
use crate::text::words::WordClass;
use std::collections::HashMap;

/// One phrase while it is being collected.
pub(super) struct Entry {
    pub key: Vec<char>,
    pub in_title: Vec<Span>,
    pub in_text: Vec<Span>,
    /// Numbers of the first and the last sentence it stands in, and of how many it stands in; the first is `usize::MAX` when only
    /// the title has it.
    pub first_sentence: usize,
    pub last_sentence: usize,
    pub sentences: usize,
    /// Its units where it was met first: class and key of each, and of how many words they are.
    pub parts: Vec<(WordClass, Vec<char>)>,
    pub words: usize,
    /// How often it stands in “”, and in 《》.
    pub quoted: usize,
    pub booked: usize,
    /// The different characters before and behind it.
    pub left: Vec<char>,
    pub right: Vec<char>,
    /// How often no Chinese character stands on either side, and how often `、` does.
    pub whole: usize,
    pub after_list_mark: usize,
}

/// All phrases so far, in order of first appearance, and the place of each by its key.
#[derive(Default)]
pub(super) struct Found {
    pub entries: Vec<Entry>,
    pub by_key: HashMap<Vec<char>, usize>,
}

impl Found {
    /// All phrases of a stretch of units.
    pub fn collect(&mut self, text: &[char], units: &[Unit], title: bool, sentence: usize) {
        for start in 0..units.len() {
            if units[start].joins != Joins::Anywhere {
                continue;
            }
            let mut phrase: Vec<Unit> = Vec::with_capacity(MAX_PHRASE_WORDS);
            let mut next = start;
            let mut words = 0;
            while next < units.len() {
                let unit = units[next];
                let adjacent = phrase
                    .last()
                    .is_none_or(|last| last.span.end == unit.span.start);
                let inner_of_marked = phrase
                    .last()
                    .is_some_and(|last| last.span.contains(unit.span));
                if inner_of_marked {
                    next += 1;
                    continue;
                }
                let span = Span::new(units[start].span.start, unit.span.end);
                words += unit.words;
                if !adjacent
                    || unit.joins == Joins::Never
                    || span.len() > MAX_QUOTED_CHARS + 2
                    || words > MAX_PHRASE_WORDS + 2
                {
                    break;
                }
                phrase.push(unit);
                next += 1;
                if unit.joins == Joins::Anywhere
                    && phrase.len() <= MAX_PHRASE_WORDS
                    && acceptable(span.of(text), &phrase)
                {
                    self.add(text, span, &phrase, title, sentence);
                }
            }
            self.collect_inner(text, units[start], title, sentence);
        }
    }

    /// What stands inside 《》 or “” is a phrase whatever its words (`一带一路`, `习近平著作选读`).
    fn collect_inner(&mut self, text: &[char], unit: Unit, title: bool, sentence: usize) {
        let slice = unit.span.of(text);
        if slice.len() >= 4
            && matches!(slice[0], '“' | '《')
            && matches!(slice[slice.len() - 1], '”' | '》')
        {
            let inner = Span::new(unit.span.start + 1, unit.span.end - 1);
            let part = Unit {
                span: inner,
                joins: Joins::Anywhere,
                ..unit
            };
            if acceptable(inner.of(text), &[part]) {
                self.add(text, inner, &[part], title, sentence);
            }
        }
    }

    fn add(&mut self, text: &[char], span: Span, phrase: &[Unit], title: bool, sentence: usize) {
        let key = key_of(span.of(text));
        let index = match self.by_key.get(&key) {
            Some(&index) => index,
            None if self.entries.len() >= MAX_NOTED => return,
            None => {
                self.by_key.insert(key.clone(), self.entries.len());
                self.entries.push(Entry {
                    key,
                    in_title: Vec::new(),
                    in_text: Vec::new(),
                    first_sentence: usize::MAX,
                    last_sentence: 0,
                    sentences: 0,
                    parts: phrase
                        .iter()
                        .map(|u| (u.class, key_of(u.span.of(text))))
                        .collect(),
                    words: phrase.iter().map(|u| u.words).sum(),
                    quoted: 0,
                    booked: 0,
                    left: Vec::new(),
                    right: Vec::new(),
                    whole: 0,
                    after_list_mark: 0,
                });
                self.entries.len() - 1
            }
        };
        let entry = &mut self.entries[index];
        let places = if title {
            &mut entry.in_title
        } else {
            &mut entry.in_text
        };
        if places.last() == Some(&span) {
            return;
        }
        places.push(span);
        if !title {
            if entry.first_sentence == usize::MAX || entry.last_sentence != sentence {
                entry.sentences += 1;
            }
            entry.first_sentence = entry.first_sentence.min(sentence);
            entry.last_sentence = sentence;
        }
        let left = span.start.checked_sub(1).map_or('\n', |i| text[i]);
        let right = text.get(span.end).copied().unwrap_or('\n');
        entry.quoted += usize::from((left, right) == ('“', '”'));
        entry.booked +=
            usize::from((left, right) == ('《', '》') || entry.key.first() == Some(&'《'));
        entry.whole += usize::from(!is_han(left) && !is_han(right));
        entry.after_list_mark += usize::from(left == '、' || right == '、');
        if !entry.left.contains(&left) {
            entry.left.push(left);
        }
        if !entry.right.contains(&right) {
            entry.right.push(right);
        }
    }

    pub fn into_candidates(mut self, context: &Context) -> Vec<Candidate> {
        if self.entries.len() > MAX_CANDIDATES {
            let worth = |entry: &Entry| (!entry.in_title.is_empty(), entry.in_text.len());
            let mut worths: Vec<_> = self.entries.iter().map(worth).collect();
            worths.sort_unstable_by(|a, b| b.cmp(a));
            let least = worths[MAX_CANDIDATES - 1];
            // Of the equally good ones that are left, the first.
            let better = worths.partition_point(|worth| *worth > least);
            let mut room = MAX_CANDIDATES - better;
            self.entries.retain(|entry| {
                let is_tied = worth(entry) == least && room > 0;
                room -= usize::from(is_tied);
                worth(entry) > least || is_tied
            });
        }
        self.entries
            .into_iter()
            .map(|entry| Candidate {
                features: context.features(&entry),
                key: entry.key,
                in_title: entry.in_title,
                in_text: entry.in_text,
            })
            .collect()
    }
}

/// Long enough, not a bare number, marks closed.
pub(super) fn acceptable(text: &[char], phrase: &[Unit]) -> bool {
    let readable = text
        .iter()
        .filter(|&&c| is_han(c) || c.is_alphanumeric())
        .count();
    let named = text.iter().any(|&c| is_han(c) || c.is_alphabetic());
    let quoted = phrase.len() == 1 && matches!(text.first(), Some('《' | '“'));
    let limit = if quoted {
        MAX_QUOTED_CHARS + 2
    } else {
        MAX_PHRASE_CHARS
    };
    // A quotation with nothing around it is represented by its inside; a 《title》 may stand with its marks.
    let bare_quotation = phrase.len() == 1 && matches!(text.first(), Some('“' | '（' | '('));
    let opens_with_bracket = matches!(text.first(), Some('（' | '('));
    let generic = phrase.len() == 1 && {
        let word: String = text.iter().collect();
        LEXICON.generic.contains(word.as_str())
    };
    // Dates, amounts and quantities are not keywords; 新时代 and 二十大 are.
    let number = phrase.iter().all(|unit| unit.class == WordClass::Number)
        || matches!(text.first(), Some('·'))
        || matches!(text.last(), Some('·'));
    // A long phrase that runs into an amount (`预计产干茶180`); 净网2018 is a name.
    let runs_into_number = phrase.len() > 3
        && phrase
            .last()
            .is_some_and(|unit| text_of(unit, text, phrase)[0].is_ascii_digit());
    let ends_in_quantity = phrase.len() > 1
        && phrase[0].class == WordClass::Number
        && text[0].is_ascii_digit()
        && phrase.iter().all(|unit| {
            matches!(
                unit.class,
                WordClass::Number | WordClass::Verb | WordClass::Modifier
            )
        });
    (2..=limit).contains(&text.len())
        && readable >= 2
        && named
        && !(bare_quotation
            || opens_with_bracket
            || generic
            || number
            || is_enumeration(text)
            || ends_in_quantity
            || runs_into_number)
}

/// `教育局、日报社` are two things; parts of equal length (`大学习、大提升`) are one saying.
fn is_enumeration(text: &[char]) -> bool {
    let mut parts = text.split(|&c| c == '、').map(<[char]>::len);
    let first = parts.next();
    parts.any(|length| Some(length) != first)
}

/// The characters of one unit of a phrase.
pub(super) fn text_of<'a>(unit: &Unit, text: &'a [char], phrase: &[Unit]) -> &'a [char] {
    let start = phrase[0].span.start;
    &text[unit.span.start - start..unit.span.end - start]
}
