#![no_main]
//! Lines come back whole or counted; compressed streams end or fail.

use jianbao::pipeline::batch::inputs::Compression;
use jianbao::pipeline::batch::lines::{Line, next_line, open, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limit = u64::from(bytes.first().copied().unwrap_or(9)) + 1;
    for compression in [Compression::Unnamed, Compression::Gzip, Compression::Zstandard] {
        let Ok(mut reader) = open(bytes, compression) else {
            continue;
        };
        let mut total = 0;
        // A bomb may unfold for ever; a million lines or bytes are enough here.
        while total < 1_000_000 {
            match next_line(reader.as_mut(), limit) {
                Ok(Some(Line::Bytes(line))) => {
                    assert!(line.len() as u64 <= limit);
                    let _ = parse(&line);
                    total += line.len() as u64 + 1;
                }
                Ok(Some(Line::TooLong(length))) => {
                    assert!(length > limit);
                    total += length;
                }
                Ok(None) | Err(_) => break,
            }
        }
    }
});
