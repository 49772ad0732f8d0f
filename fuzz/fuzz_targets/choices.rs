#![no_main]
//! What is chosen of an article is printed in it, whatever a model thinks: sentences apart and in order, keywords once each.

use jianbao::analysis::keywords::{self, Places, candidates::candidates};
use jianbao::analysis::salience;
use jianbao::analysis::summary::{self, Length, Sentences};
use jianbao::document::page::titled;
use jianbao::document::sentence::sentences;
use jianbao::text::document_frequency::DocumentFrequency;
use jianbao::text::fold::fold;
use jianbao::text::misread::mended;
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

/// Scores from −4 to 4 that look like chance.
fn logits(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 512.0 - 4.0).collect()
}

fuzz_target!(|input: &str| {
    let (title, text) = input.split_once('\n').unwrap_or(("", input));
    let text: Vec<char> = text.chars().take(4000).collect();
    let article = titled(&text, title);
    let (title, reading) = (article.read_title(), article.reading());
    let (folded_title, folded) = (fold(&title), fold(&reading.text));
    let (read_title, read) = mended(&folded_title, &folded);
    let sentences = sentences(&read);
    let features = salience::features(&read_title, &read, &sentences);
    assert!(features.iter().flatten().all(|feature| feature.is_finite()));
    let headings: Vec<_> = article.headings.iter().map(|&heading| reading.read(heading)).collect();
    let choice = Sentences {
        title: &read_title,
        text: &reading.text,
        folded: &read,
        sentences: &sentences,
        headings: &headings,
    };
    for length in [Length::Sentences(1), Length::Sentences(3), Length::Sentences(20), Length::Chars(90)] {
        let chosen = summary::choose(&choice, &logits(sentences.len()), length);
        assert_eq!(chosen.is_empty(), sentences.is_empty());
        let mut end = 0;
        for sentence in chosen {
            assert!(end <= sentence.span.start && sentence.span.start < sentence.span.end);
            end = sentence.span.end;
            assert_eq!(sentence.text, sentence.span.text(&reading.text));
            let printed = reading.printed(sentence.span);
            assert!(printed.end <= article.text.len());
        }
    }
    let found = candidates(&read_title, &read, &sentences, &DocumentFrequency::default());
    let places = Places {
        title: &title,
        text: &reading.text,
        folded_title: &folded_title,
        folded_text: &folded,
    };
    let printed: [String; 2] = [title.iter().collect(), reading.text.iter().collect()];
    let mut said = HashSet::new();
    for keyword in keywords::choose(&places, &found, &logits(found.len()), 8) {
        assert!(printed.iter().any(|text| text.contains(&keyword.text)), "{}", keyword.text);
        assert!(keyword.count > 0 && said.insert(keyword.text));
    }
});
