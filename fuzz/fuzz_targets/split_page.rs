#![no_main]
//! Articles are their spans, no character is used twice, and what is printed but not read stands in order.

use jianbao::document::page::repair::Continuation;
use jianbao::document::page::{Layout, split};
use libfuzzer_sys::fuzz_target;

/// Joins whatever a hash says, so that every kind of move is met.
struct Anything;

impl Continuation for Anything {
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
        let hash = |text: &[char]| text.iter().fold(7u32, |h, c| h.wrapping_mul(31) ^ u32::from(*c));
        pairs.iter().map(|(a, b)| (hash(a) ^ hash(b)) as f32 % 17.0 - 8.0).collect()
    }
}

fuzz_target!(|text: &str| {
    let text: Vec<char> = text.chars().take(4000).collect();
    for layout in [Layout::Auto, Layout::Page, Layout::Article] {
        let mut used = vec![false; text.len()];
        for article in split(&text, layout, &Anything).articles {
            let mut rebuilt = Vec::new();
            for (i, span) in article.spans.iter().enumerate() {
                if i > 0 && article.paragraph_starts.contains(&i) {
                    rebuilt.push('\n');
                }
                rebuilt.extend_from_slice(span.of(&text));
            }
            assert_eq!(rebuilt, article.text);
            let mut read_to = 0;
            for aside in &article.asides {
                assert!(read_to <= aside.start && aside.start < aside.end && aside.end <= article.text.len());
                read_to = aside.end;
            }
            assert_eq!(article.reading().text.len(), article.reading_chars());
            let places = article.spans.iter().chain(&article.title_spans);
            for span in places.chain(&article.credit_spans) {
                assert!(!used[span.start..span.end].contains(&true));
                used[span.start..span.end].fill(true);
            }
        }
    }
});
