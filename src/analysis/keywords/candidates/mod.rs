//! Candidate phrases: runs of words, names with marks inside, what stands in 《》 and “”.

mod collect;
mod features;
mod units;

use crate::document::Span;
use crate::text::document_frequency::DocumentFrequency;
use collect::Found;
use features::Context;
use std::collections::HashMap;
use units::{Unit, key_of, units};

/// Length of [`Candidate::features`]. The model's heads have learnt with 68 and four zeros behind them: room for more.
pub const FEATURES: usize = 72;
/// The longest phrase, in characters and in words.
pub const MAX_PHRASE_CHARS: usize = 20;
const MAX_PHRASE_WORDS: usize = 6;
/// What stands in quotation marks or 《》 may be a little longer.
const MAX_QUOTED_CHARS: usize = 24;
/// The most candidates an article may have: those of the title, then those that stand there most often, then those that come
/// first. An article of five thousand characters has about so many phrases.
const MAX_CANDIDATES: usize = 4_000;
/// Phrases that are noted at most; the articles that are analysed have fewer.
const MAX_NOTED: usize = 60_000;

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
    fn an_enumeration_is_no_keyword_but_a_saying_is() {
        let all = found("", "市水务局、晨报开展“大学习、大提升”活动。");
        assert!(all.iter().any(|c| c == "大学习、大提升"), "{all:?}");
        assert!(!all.iter().any(|c| c == "水务局、晨报"), "{all:?}");
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
