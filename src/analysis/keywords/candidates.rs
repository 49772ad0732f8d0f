//! Candidate phrases: runs of words, names with marks inside, what stands in 《》 and “”.

use crate::document::Span;
use crate::text::document_frequency::DocumentFrequency;
use crate::text::fold::is_han;
use crate::text::lexicon::LEXICON;
use crate::text::words::{Word, WordClass, words};
use std::collections::HashMap;

/// Length of [`Candidate::features`].
pub const FEATURES: usize = 72;
/// The longest phrase, in characters and in words.
pub const MAX_PHRASE_CHARS: usize = 20;
const MAX_PHRASE_WORDS: usize = 6;
/// What stands in quotation marks or 《》 may be a little longer.
const MAX_QUOTED_CHARS: usize = 24;
/// Only this much of an article is searched: keywords of a book-length text come from its beginning.
const MAX_SEARCHED_CHARS: usize = 20_000;
/// The most candidates an article may have, by first appearance in title and text.
const MAX_CANDIDATES: usize = 4_000;

/// A phrase and the places where it stands.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Folded and lower-cased: what makes two occurrences the same phrase.
    pub key: Vec<char>,
    /// Places in the title, then places in the text.
    pub in_title: Vec<Span>,
    pub in_text: Vec<Span>,
    pub features: [f32; FEATURES],
}

/// All candidates of an article, in order of first appearance (title first). Inputs are folded.
pub fn candidates(
    title: &[char],
    text: &[char],
    sentences: &[Span],
    frequency: &DocumentFrequency,
) -> Vec<Candidate> {
    let text = &text[..text.len().min(MAX_SEARCHED_CHARS)];
    let mut found = Found::default();
    let title_units = units(title, Span::new(0, title.len()));
    found.collect(title, &title_units, true, 0);
    let mut counts: HashMap<Vec<char>, usize> = HashMap::new();
    let mut count_units = |text: &[char], units: &[Unit]| {
        for unit in units {
            *counts.entry(key_of(unit.span.of(text))).or_default() += 1;
        }
    };
    count_units(title, &title_units);
    for (i, sentence) in sentences.iter().enumerate() {
        if sentence.end > text.len() {
            break;
        }
        let units = units(text, *sentence);
        count_units(text, &units);
        found.collect(text, &units, false, i);
    }
    let context = Context {
        counts,
        frequency,
        sentences: sentences.len(),
        title_chars: title.len(),
        text_chars: text.len(),
    };
    found.into_candidates(&context)
}

/// A word, or words that only make sense together.
#[derive(Debug, Clone, Copy)]
struct Unit {
    span: Span,
    class: WordClass,
    /// Words inside.
    words: usize,
    joins: Joins,
}

/// How a unit may take part in a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joins {
    /// Anywhere.
    Anywhere,
    /// Inside a phrase, not at its ends (`的`, `与`, stop words).
    Inside,
    /// Never: punctuation.
    Never,
}

/// Lower case for comparison; one character stays one character.
fn key_of(text: &[char]) -> Vec<char> {
    text.iter().map(|c| c.to_ascii_lowercase()).collect()
}

/// Words of one stretch of text with the things a segmenter cuts apart put together again:
/// `马吉德·拉什德`, `“巴渝工匠杯”`, `（西安）`, `054B型`.
fn units(text: &[char], span: Span) -> Vec<Unit> {
    let slice = span.of(text);
    let words: Vec<Word> = words(slice);
    let mut out: Vec<Unit> = Vec::with_capacity(words.len());
    let mut i = 0;
    while i < words.len() {
        let word = words[i];
        let first = slice[word.span.start];
        // A short marked stretch is one unit that can stand inside a phrase: 专精特新“小巨人”企业.
        let closing = match first {
            '“' => Some('”'),
            '《' => Some('》'),
            '（' => Some('）'),
            '(' => Some(')'),
            _ => None,
        };
        if word.span.len() == 1
            && let Some(closing) = closing
            && let Some(length) = slice[word.span.start..]
                .iter()
                .take(MAX_QUOTED_CHARS + 2)
                .position(|&c| c == closing)
        {
            let inner = &slice[word.span.start + 1..word.span.start + length];
            let plain = inner
                .iter()
                .all(|&c| !matches!(c, '，' | '。' | '；' | '！' | '？' | '“' | '《' | '：'));
            let end = word.span.start + length + 1;
            let last = words[i..].iter().position(|w| w.span.end == end);
            if let Some(last) = last
                && plain
                && length > 1
            {
                let bracket = matches!(first, '（' | '(');
                out.push(Unit {
                    span: Span::new(word.span.start, end).shifted(span.start),
                    class: WordClass::Name,
                    words: last.saturating_sub(1).max(1),
                    joins: if bracket && length > 8 {
                        Joins::Never
                    } else {
                        Joins::Anywhere
                    },
                });
                // Its words follow as units of their own, so that phrases inside are found too.
                i += 1;
                continue;
            }
        }
        out.push(Unit {
            span: word.span.shifted(span.start),
            class: word.class,
            words: 1,
            joins: joins(word.span.of(slice), word.class),
        });
        i += 1;
    }
    merge_names(text, out)
}

fn joins(word: &[char], class: WordClass) -> Joins {
    if word.iter().all(|&c| !is_han(c) && !c.is_alphanumeric()) {
        return if matches!(word, ['·' | '-' | '—' | '、']) {
            Joins::Inside
        } else {
            Joins::Never
        };
    }
    let text: String = word.iter().collect();
    let lone_number = word.len() == 1 && class == WordClass::Number;
    if LEXICON.function.contains(text.as_str()) || class == WordClass::Other || lone_number {
        return Joins::Inside;
    }
    Joins::Anywhere
}

/// Puts transliterated names (`A·B·C`) together.
fn merge_names(text: &[char], units: Vec<Unit>) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut after_dot = false;
    for unit in units {
        let dot = unit.span.of(text) == ['·'];
        let adjacent = out
            .last()
            .is_some_and(|last| last.span.end == unit.span.start);
        let word = unit.joins != Joins::Never && !dot;
        match out.last_mut() {
            Some(last)
                if adjacent && ((dot && last.joins != Joins::Never) || (after_dot && word)) =>
            {
                last.span.end = unit.span.end;
                last.class = WordClass::Person;
                last.joins = Joins::Anywhere;
                after_dot = dot;
            }
            _ => {
                out.push(unit);
                after_dot = false;
            }
        }
    }
    out
}

/// One phrase while it is being collected.
struct Entry {
    key: Vec<char>,
    in_title: Vec<Span>,
    in_text: Vec<Span>,
    first_sentence: usize,
    last_sentence: usize,
    sentences: usize,
    parts: Vec<(WordClass, Vec<char>)>,
    words: usize,
    quoted: usize,
    booked: usize,
    left: Vec<char>,
    right: Vec<char>,
    whole: usize,
    after_list_mark: usize,
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    by_key: HashMap<Vec<char>, usize>,
}

impl Found {
    /// All phrases of a stretch of units.
    fn collect(&mut self, text: &[char], units: &[Unit], title: bool, sentence: usize) {
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
            None if self.entries.len() >= MAX_CANDIDATES => return,
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

    fn into_candidates(self, context: &Context) -> Vec<Candidate> {
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
fn acceptable(text: &[char], phrase: &[Unit]) -> bool {
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
            || ends_in_quantity
            || runs_into_number)
}

/// The characters of one unit of a phrase.
fn text_of<'a>(unit: &Unit, text: &'a [char], phrase: &[Unit]) -> &'a [char] {
    let start = phrase[0].span.start;
    &text[unit.span.start - start..unit.span.end - start]
}

/// What features need to know of the whole article.
struct Context<'a> {
    /// Occurrences of each single word.
    counts: HashMap<Vec<char>, usize>,
    frequency: &'a DocumentFrequency,
    sentences: usize,
    title_chars: usize,
    text_chars: usize,
}

impl Context<'_> {
    fn features(&self, entry: &Entry) -> [f32; FEATURES] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;

    fn found(title: &str, text: &str) -> Vec<String> {
        let (title, text): (Vec<char>, Vec<char>) =
            (title.chars().collect(), text.chars().collect());
        let spans = sentences(&text);
        candidates(&title, &text, &spans, &DocumentFrequency::default())
            .into_iter()
            .map(|c| c.key.into_iter().collect())
            .collect()
    }

    #[test]
    fn finds_compounds_that_a_segmenter_cuts() {
        let all = found(
            "",
            "全省新增专精特新“小巨人”企业20家。马吉德·拉什德出席《东江条例》发布会。中欧班列（西安）开行。",
        );
        for phrase in [
            "专精特新“小巨人”企业",
            "小巨人",
            "马吉德·拉什德",
            "《东江条例》",
            "东江条例",
            "中欧班列（西安）",
        ] {
            assert!(all.iter().any(|c| c == phrase), "{phrase} in {all:?}");
        }
    }

    #[test]
    fn leaves_out_numbers_and_single_characters() {
        let all = found("", "2023年2月17日，增长7.2%的是工业。");
        assert!(
            all.iter()
                .all(|c| c.chars().count() >= 2 && !c.chars().all(|c| c.is_ascii_digit())),
            "{all:?}"
        );
    }
}
