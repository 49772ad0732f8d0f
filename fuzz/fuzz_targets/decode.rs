#![no_main]
//! Any bytes are text or a clear error.

use jianbao::document::decode::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for encoding in [None, Some("gb18030"), Some("big5"), Some("utf-16le")] {
        let forced = encoding.and_then(jianbao::document::decode::encoding_named);
        if let Ok(decoded) = decode(bytes, forced) {
            assert!(!decoded.chars.contains(&'\r'));
            assert!(decoded.chars.iter().any(|c| !c.is_whitespace()));
            assert_ne!(decoded.chars.first(), Some(&'\u{feff}'));
        }
    }
});
