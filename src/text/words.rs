//! Words and their word classes, from jieba.

use super::dictionary;
use crate::document::Span;

/// Where the dictionary's words end in `text`; of words guessed from their characters many would join what does not belong
/// together.
pub fn pieces(text: &[char]) -> Vec<usize> {
    let jieba = dictionary::of(text);
    let text: String = text.iter().collect();
    let words = jieba.cut(&text, false);
    words.iter().map(|word| word.end).collect()
}

/// The length of the dictionary's word that stands across place `at` of `text`, 0 if a word ends there.
pub fn word_across(text: &[char], at: usize) -> usize {
    let mut start = 0;
    for end in pieces(text) {
        if end >= at {
            return if end > at { end - start } else { 0 };
        }
        start = end;
    }
    0
}

/// What a word can be in a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WordClass {
    Noun,
    Person,
    Place,
    Organisation,
    /// Other proper names.
    Name,
    Verb,
    /// Adjectives and words that only stand before a noun (`先进`, `国家级`).
    Modifier,
    /// Numbers, quantities, times.
    Number,
    /// Latin letters, digits and mixtures: `C919`, `5G`.
    Latin,
    /// Idioms and set phrases.
    Phrase,
    /// Particles, pronouns, conjunctions, adverbs and what is left.
    Other,
}

impl WordClass {
    pub const ALL: [WordClass; 11] = [
        Self::Noun,
        Self::Person,
        Self::Place,
        Self::Organisation,
        Self::Name,
        Self::Verb,
        Self::Modifier,
        Self::Number,
        Self::Latin,
        Self::Phrase,
        Self::Other,
    ];

    /// From a tag of the ICTCLAS set that jieba's dictionary uses.
    fn from_tag(tag: &str, word: &str) -> Self {
        if word.chars().all(|c| c.is_ascii_alphanumeric()) {
            let letters = word.chars().any(|c| c.is_ascii_alphabetic());
            return if letters { Self::Latin } else { Self::Number };
        }
        match tag {
            t if t.starts_with("nr") => Self::Person,
            t if t.starts_with("ns") => Self::Place,
            "nt" => Self::Organisation,
            "nz" => Self::Name,
            "vn" | "an" => Self::Noun,
            t if t.starts_with('n') || t == "j" || t == "s" || t == "g" || t == "k" => Self::Noun,
            t if t.starts_with('v') => Self::Verb,
            t if t.starts_with('a') || t == "b" || t == "z" || t == "h" => Self::Modifier,
            t if t.starts_with('m') || t.starts_with('t') || t == "q" => Self::Number,
            "i" | "l" => Self::Phrase,
            "eng" => Self::Latin,
            _ => Self::Other,
        }
    }
}

/// A word at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub span: Span,
    pub class: WordClass,
}

/// Segments folded text. The law: the words are disjoint, in order, and cover every character.
pub fn words(folded: &[char]) -> Vec<Word> {
    let text: String = folded.iter().collect();
    let mut out: Vec<Word> = Vec::with_capacity(folded.len() / 2 + 1);
    let mut end = 0;
    for tag in dictionary::of(folded).tag(&text, true) {
        debug_assert_eq!(tag.start, end, "jieba covers its input");
        out.push(Word {
            span: Span::new(tag.start, tag.end),
            class: WordClass::from_tag(tag.tag, tag.word),
        });
        end = tag.end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_names_and_nouns() {
        let text: Vec<char> = "湖南召开民政工作会议".chars().collect();
        let words = words(&text);
        assert_eq!(words[0].span.text(&text), "湖南");
        assert_eq!(words[0].class, WordClass::Place);
    }

    proptest! {
        #[test]
        fn words_cover_the_text(text in "\\PC{0,60}") {
            let chars: Vec<char> = text.chars().collect();
            let mut end = 0;
            for word in words(&chars) {
                prop_assert_eq!(word.span.start, end);
                end = word.span.end;
            }
            prop_assert_eq!(end, chars.len());
        }
    }
}
