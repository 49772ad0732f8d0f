#![no_main]
//! Sentences cover everything but white space, in order.

use jianbao::document::sentence::sentences;
use jianbao::text::fold::fold;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let text = fold(&text.chars().take(4000).collect::<Vec<_>>());
    let mut end = 0;
    for span in sentences(&text) {
        assert!(span.start >= end && span.start < span.end);
        assert!(text[end..span.start].iter().all(|c| c.is_whitespace()));
        end = span.end;
    }
    assert!(text[end..].iter().all(|c| c.is_whitespace()));
});
