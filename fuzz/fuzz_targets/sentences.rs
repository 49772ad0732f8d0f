#![no_main]
//! Sentences cover everything but white space, what is invisible and what stands in for either, in order.

use jianbao::document::Span;
use jianbao::document::blank::stand_in;
use jianbao::document::sentence::sentences;
use jianbao::text::fold::fold;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let text = fold(&text.chars().take(4000).collect::<Vec<_>>());
    let mut at = 0;
    for span in sentences(&text).into_iter().chain([Span::new(text.len(), text.len())]) {
        assert!(span.start >= at);
        while at < span.start {
            let blank = usize::from(Span::new(at, at + 1).trimmed(&text).is_empty());
            let len = stand_in(&text, Span::new(at, text.len())).unwrap_or(blank);
            assert!(len > 0);
            at += len;
        }
        at = at.max(span.end);
    }
});
