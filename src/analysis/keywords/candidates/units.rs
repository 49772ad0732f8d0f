//! Words, and the things a segmenter cuts apart put together again.

use super::MAX_QUOTED_CHARS;
use crate::document::Span;
use crate::text::fold::is_han;
use crate::text::lexicon::LEXICON;
use crate::text::words::{Word, WordClass, words};

/// A word, or words that only make sense together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub span: Span,
    pub class: WordClass,
    /// Words inside.
    pub words: usize,
    pub joins: Joins,
}

/// How a unit may take part in a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joins {
    /// Anywhere.
    Anywhere,
    /// Inside a phrase, not at its ends (`的`, `与`, stop words).
    Inside,
    /// Never: punctuation.
    Never,
}

/// Lower case for comparison; one character stays one character.
pub(super) fn key_of(text: &[char]) -> Vec<char> {
    text.iter().map(|c| c.to_ascii_lowercase()).collect()
}

/// Words of one stretch of text with the things a segmenter cuts apart put together again:
/// `马吉德·拉什德`, `“巴渝工匠杯”`, `（西安）`, `054B型`.
pub(super) fn units(text: &[char], span: Span) -> Vec<Unit> {
    let slice = span.of(text);
    let words = verbs_before_numbers(slice, words(slice));
    let words = names_of_speakers(slice, names_of_places(slice, words));
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

/// `成指报|12345`: the verb is a word of its own.
fn verbs_before_numbers(text: &[char], words: Vec<Word>) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    let counts = |word: &Word| {
        let last = text[word.span.end - 1].to_string();
        word.span.len() > 2 && LEXICON.counting.contains(last.as_str())
    };
    for (i, word) in words.iter().enumerate() {
        let before_number = words
            .get(i + 1)
            .is_some_and(|next| text[next.span.start].is_ascii_digit());
        if before_number && word.class == WordClass::Noun && counts(word) {
            let middle = word.span.end - 1;
            out.push(Word {
                span: Span::new(word.span.start, middle),
                ..*word
            });
            out.push(Word {
                span: Span::new(middle, word.span.end),
                class: WordClass::Other,
            });
        } else {
            out.push(*word);
        }
    }
    out
}

/// `松源|县`, `三|河湾`: one name, where the dictionary does not have it.
fn names_of_places(text: &[char], words: Vec<Word>) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    for word in words {
        let closes =
            word.class == WordClass::Other && LEXICON.place.contains(word.span.text(text).as_str());
        let is_place = word.class == WordClass::Place;
        match out.last_mut() {
            Some(last) if closes && can_open_place(last) => {
                last.span.end = word.span.end;
                last.class = WordClass::Place;
            }
            Some(last)
                if is_place
                    && last.class == WordClass::Number
                    && is_han_digit(last.span.of(text)) =>
            {
                last.span.end = word.span.end;
                last.class = WordClass::Place;
            }
            _ => out.push(word),
        }
    }
    out
}

/// `徐景|和|介绍`: nobody else is named before the verb, so the conjunction is part of the name.
fn names_of_speakers(text: &[char], words: Vec<Word>) -> Vec<Word> {
    let says = |word: Option<&Word>| {
        word.is_some_and(|word| LEXICON.saying.iter().any(|verb| word.span.of(text) == verb))
    };
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    for (i, word) in words.iter().enumerate() {
        let joins = matches!(word.span.of(text), ['和' | '与' | '同']);
        match out.last_mut() {
            Some(last)
                if joins
                    && last.class == WordClass::Person
                    && last.span.len() == 2
                    && says(words.get(i + 1)) =>
            {
                last.span.end = word.span.end;
            }
            _ => out.push(*word),
        }
    }
    out
}

fn can_open_place(word: &Word) -> bool {
    use WordClass::{Name, Noun, Person, Place};
    (2..=4).contains(&word.span.len()) && matches!(word.class, Place | Person | Noun | Name)
}

/// `三`, but no `三千`.
fn is_han_digit(word: &[char]) -> bool {
    matches!(word, [c] if "一二三四五六七八九".contains(*c))
}

pub(super) fn joins(word: &[char], class: WordClass) -> Joins {
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
pub(super) fn merge_names(text: &[char], units: Vec<Unit>) -> Vec<Unit> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_places_are_whole() {
        let cut = |text: &str| -> Vec<String> {
            let text: Vec<char> = text.chars().collect();
            let found = units(&text, Span::new(0, text.len()));
            found.iter().map(|unit| unit.span.text(&text)).collect()
        };
        assert_eq!(cut("松源县连续降雨")[0], "松源县");
        assert_eq!(cut("三河湾遗址")[0], "三河湾");
        assert_eq!(cut("永胜村召开会议")[0], "永胜村");
        assert!(cut("深证成指报12345点").contains(&"成指".to_owned()));
        assert_eq!(cut("三个月"), ["三个", "月"]);
        assert!(cut("副局长徐景和介绍，大桥通车").contains(&"徐景和".to_owned()));
        assert!(!cut("徐景和局长介绍，大桥通车").contains(&"徐景和".to_owned()));
    }
}
