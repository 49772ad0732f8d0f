//! Bytes → text. Owns encodings and line ends; knows nothing of pages or articles.
//!
//! The order of evidence: a byte order mark, strict UTF-8, UTF-16 without a mark, then detection over the
//! whole input among the encodings Chinese text really comes in (GB18030, Big5, damaged UTF-8).

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// Text as the rest of the program sees it: no byte order mark, `\n` line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Unicode scalar values; every span of a record points in here.
    pub chars: Vec<char>,
    /// The encoding's name as in the WHATWG Encoding Standard.
    pub encoding: &'static str,
    /// How many undecodable byte sequences became U+FFFD.
    pub undecodable: usize,
}

/// Why bytes are not text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("is empty: there is no text in it")]
    Empty,
    #[error("is {0}, not text")]
    Binary(&'static str),
    #[error("cannot be read as {encoding}: {share}% of its characters are undecodable")]
    WrongEncoding {
        encoding: &'static str,
        share: usize,
    },
    #[error("is {found}, not {forced} (no encoding need be named: it is found out)")]
    OtherEncoding {
        forced: &'static str,
        found: &'static str,
    },
}

/// File types people hand over by mistake, by their first bytes.
const SIGNATURES: [(&[u8], &str); 12] = [
    (
        b"%PDF-",
        "a PDF (extract its text first, for example with pdftotext)",
    ),
    (
        b"PK\x03\x04",
        "a ZIP, DOCX or EPUB archive (extract its text first)",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Office document (save it as plain text first)",
    ),
    (b"\x89PNG", "a PNG image (run OCR on it first)"),
    (b"\xff\xd8\xff", "a JPEG image (run OCR on it first)"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image (run OCR on it first)"),
    (b"MM\0*", "a TIFF image (run OCR on it first)"),
    (b"\x1f\x8b", "gzip data (decompress it first)"),
    (b"\x28\xb5\x2f\xfd", "zstd data (decompress it first)"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
];

/// Above this share of control characters, text is taken for binary data.
const MAX_CONTROL_SHARE: f64 = 0.02;
/// Above this share of undecodable sequences, an encoding is taken for the wrong one.
const MAX_UNDECODABLE_SHARE: f64 = 0.2;

/// Looks an encoding up by any of its usual names (`gbk`, `big5`, `utf-16le`, …).
pub fn encoding_named(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.trim().as_bytes())
}

/// Decodes a whole input. `forced` skips detection, not the check for binary data.
pub fn decode(bytes: &[u8], forced: Option<&'static Encoding>) -> Result<Decoded, DecodeError> {
    if let Some((_, what)) = SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
    {
        return Err(DecodeError::Binary(what));
    }
    let (encoding, bytes) = match (forced, Encoding::for_bom(bytes)) {
        (None, Some((encoding, length))) => (encoding, &bytes[length..]),
        // `utf-16` names the one with the low byte first; a mark knows better.
        (Some(encoding), Some((marked, length)))
            if encoding == marked || is_utf16(encoding) && is_utf16(marked) =>
        {
            (marked, &bytes[length..])
        }
        (Some(encoding), _) => (encoding, bytes),
        (None, None) => (detect(bytes), bytes),
    };
    if let Some(found) = forced.and_then(|forced| other_than(forced, bytes)) {
        return Err(DecodeError::OtherEncoding {
            forced: encoding.name(),
            found: found.name(),
        });
    }
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    // Joined and re-saved files begin with several marks, or with one that was decoded by force.
    let text = text.trim_start_matches('\u{feff}');
    // A genuine U+FFFD in the input is counted too: it stands for a loss that happened earlier.
    let undecodable = text
        .chars()
        .filter(|&c| c == char::REPLACEMENT_CHARACTER)
        .count();
    let chars = normalise_line_ends(text);
    let visible = chars.iter().filter(|c| !c.is_whitespace()).count();
    if visible == 0 {
        return Err(DecodeError::Empty);
    }
    let control = chars.iter().filter(|&&c| is_binary_control(c)).count();
    if control as f64 > MAX_CONTROL_SHARE * chars.len() as f64 {
        return Err(DecodeError::Binary("binary data"));
    }
    if undecodable as f64 > MAX_UNDECODABLE_SHARE * visible as f64 {
        let share = undecodable * 100 / visible;
        return Err(match forced {
            Some(encoding) => DecodeError::WrongEncoding {
                encoding: encoding.name(),
                share,
            },
            None => DecodeError::Binary("binary data or an unknown encoding"),
        });
    }
    Ok(Decoded {
        chars,
        encoding: encoding.name(),
        undecodable,
    })
}

fn is_utf16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

/// The encoding that bytes are in beyond doubt, where it is another than the one asked for. Any two bytes are a character of
/// UTF-16 or GB18030, so nothing would look undecodable.
fn other_than(forced: &'static Encoding, bytes: &[u8]) -> Option<&'static Encoding> {
    /// Characters of three bytes each that are no accident.
    const MIN_WIDE: usize = 4;
    /// Bytes, none of them zero, of which every other one is some character's high byte by accident only in shorter texts.
    const MIN_NARROW: usize = 16;
    /// Of characters in the encoding asked for, what must be Chinese or ASCII.
    const MIN_PLAUSIBLE: f64 = 0.5;
    if forced == UTF_8 {
        return None;
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && !bytes.contains(&0)
    {
        let wide = text.chars().filter(|c| c.len_utf8() >= 3).take(MIN_WIDE);
        let is_utf8 = wide.count() == MIN_WIDE || is_utf16(forced) && bytes.len() >= MIN_NARROW;
        return is_utf8.then_some(UTF_8);
    }
    let is_other = is_utf16(forced) && plausible_share(bytes, forced).0 < MIN_PLAUSIBLE;
    is_other
        .then(|| detect(bytes))
        .filter(|&found| found != forced)
}

/// Which encoding bytes without a mark are in.
fn detect(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding;
    }
    if is_damaged_utf8(bytes) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let guess = detector.guess(Some(b"cn"), Utf8Detection::Deny);
    match guess {
        g if g == BIG5 => BIG5,
        _ => by_evidence(bytes),
    }
}

/// Chooses between GB18030 and Big5 by how much of the text is made of the commonest characters.
fn by_evidence(bytes: &[u8]) -> &'static Encoding {
    const COMMON: &str = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工\
        也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两\
        這個國來時會學發動產種後對過說們為經進著電裡現實兩與從無當報記者日月，。、";
    let score = |encoding: &'static Encoding| {
        let (text, _) = encoding.decode_without_bom_handling(bytes);
        let (mut common, mut bad, mut total) = (0usize, 0usize, 0usize);
        for c in text.chars().filter(|c| !c.is_ascii()) {
            total += 1;
            common += usize::from(COMMON.contains(c));
            bad += usize::from(
                c == char::REPLACEMENT_CHARACTER || ('\u{e000}'..='\u{f8ff}').contains(&c),
            );
        }
        (common as f64 - 3.0 * bad as f64) / total.max(1) as f64
    };
    if score(BIG5) > score(GB18030) {
        BIG5
    } else {
        GB18030
    }
}

/// UTF-16 that lost its mark: Chinese text has most code units in the CJK blocks and ASCII line ends.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    if bytes.len() < 4 || bytes.len() % 2 == 1 || !bytes.contains(&0) {
        return None;
    }
    [UTF_16LE, UTF_16BE].into_iter().find(|encoding| {
        let (share, malformed) = plausible_share(bytes, encoding);
        !malformed && share >= 0.95
    })
}

/// The share of characters that are Chinese, ASCII or punctuation, if bytes are in this encoding, and whether some cannot be.
fn plausible_share(bytes: &[u8], encoding: &'static Encoding) -> (f64, bool) {
    let (text, malformed) = encoding.decode_without_bom_handling(bytes);
    let (mut good, mut total) = (0usize, 0usize);
    for c in text.chars() {
        total += 1;
        good += usize::from(matches!(c, '\n' | '\r' | '\t' | ' '..='~'
            | '\u{2010}'..='\u{2030}' | '\u{3000}'..='\u{3020}' | '\u{4e00}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}'));
    }
    (good as f64 / total.max(1) as f64, malformed)
}

/// UTF-8 with a few broken bytes (a cut file, a bad disk) is still UTF-8.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut broken, mut wide) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        wide += chunk.valid().chars().filter(|c| c.len_utf8() >= 3).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    wide >= 4 && broken * 10 <= wide
}

fn is_binary_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t' | '\u{b}' | '\u{c}' | '\u{85}')
}

/// `\r\n` and `\r` become `\n`; nothing else changes.
fn normalise_line_ends(text: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' {
            chars.next_if_eq(&'\n');
            out.push('\n');
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLIFIED: &str =
        "全市今天召开春耕备耕工作会议，部署粮食生产。\n农业农村部门要求，各地抓好田间管理。";
    const TRADITIONAL: &str =
        "全市今天召開春耕備耕工作會議，部署糧食生產。\n農業部門要求，各地抓好田間管理。";

    fn text(decoded: &Decoded) -> String {
        decoded.chars.iter().collect()
    }

    #[test]
    fn several_marks_at_the_beginning_are_none_in_the_text() {
        for (bytes, forced) in [
            (b"\xef\xbb\xbf\xef\xbb\xbf".to_vec(), None),
            (b"\xef\xbb\xbf".to_vec(), Some(UTF_8)),
        ] {
            let bytes = [bytes, SIMPLIFIED.as_bytes().to_vec()].concat();
            assert_eq!(text(&decode(&bytes, forced).unwrap()), SIMPLIFIED);
        }
    }

    #[test]
    fn finds_every_encoding_by_itself() {
        for (source, encoding, name) in [
            (SIMPLIFIED, UTF_8, "UTF-8"),
            (SIMPLIFIED, GB18030, "gb18030"),
            (TRADITIONAL, BIG5, "Big5"),
            (TRADITIONAL, GB18030, "gb18030"),
        ] {
            let (bytes, _, _) = encoding.encode(source);
            let decoded = decode(&bytes, None).unwrap();
            assert_eq!((text(&decoded).as_str(), decoded.encoding), (source, name));
            assert_eq!(decoded.undecodable, 0);
        }
    }

    #[test]
    fn reads_utf16_with_and_without_a_mark() {
        for big in [false, true] {
            let bytes: Vec<u8> = SIMPLIFIED
                .encode_utf16()
                .flat_map(|unit| {
                    if big {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                })
                .collect();
            let mark: &[u8] = if big { b"\xfe\xff" } else { b"\xff\xfe" };
            assert_eq!(text(&decode(&bytes, None).unwrap()), SIMPLIFIED);
            assert_eq!(
                text(&decode(&[mark, &bytes].concat(), None).unwrap()),
                SIMPLIFIED
            );
        }
    }

    #[test]
    fn keeps_characters_that_only_gb18030_has() {
        let (bytes, _, _) = GB18030.encode("记者㛃一今日在镕基路采访，朱镕基塑像落成。");
        assert!(text(&decode(&bytes, None).unwrap()).contains('㛃'));
    }

    #[test]
    fn counts_what_it_cannot_decode() {
        let mut bytes = SIMPLIFIED.as_bytes().to_vec();
        bytes[4] = 0xff;
        let decoded = decode(&bytes, None).unwrap();
        assert_eq!(decoded.encoding, "UTF-8");
        assert!(decoded.undecodable >= 1);
    }

    #[test]
    fn normalises_mixed_line_ends_and_drops_the_mark() {
        let decoded = decode("\u{feff}一\r\n二\r三\n".as_bytes(), None).unwrap();
        assert_eq!(text(&decoded), "一\n二\n三\n");
    }

    #[test]
    fn refuses_what_is_not_text() {
        assert_eq!(decode(b"", None), Err(DecodeError::Empty));
        assert_eq!(
            decode(" \u{3000}\n".as_bytes(), None),
            Err(DecodeError::Empty)
        );
        assert!(matches!(
            decode(b"%PDF-1.7 ...", None),
            Err(DecodeError::Binary(_))
        ));
        let noise: Vec<u8> = (0..4096u32)
            .map(|i| (i.wrapping_mul(2654435761) >> 13) as u8)
            .collect();
        assert!(
            matches!(decode(&noise, None), Err(DecodeError::Binary(_))),
            "{:?}",
            decode(&noise, None).map(|d| d.encoding)
        );
    }

    #[test]
    fn text_that_is_beyond_doubt_something_else_is_not_read_by_force() {
        let utf16: Vec<u8> = (SIMPLIFIED.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect();
        let (gb, _, _) = GB18030.encode(SIMPLIFIED);
        let utf8 = SIMPLIFIED.as_bytes();
        for (bytes, forced, found) in [
            (utf8, UTF_16LE, "UTF-8"),
            (utf8, GB18030, "UTF-8"),
            (utf8, BIG5, "UTF-8"),
            (b"{\"title\": \"News\"}\n", UTF_16BE, "UTF-8"),
            (&utf16, UTF_16LE, "UTF-16BE"),
            (&gb, UTF_16LE, "gb18030"),
        ] {
            let error = decode(bytes, Some(forced)).unwrap_err();
            let forced = forced.name();
            assert_eq!(error, DecodeError::OtherEncoding { forced, found });
        }
        assert!(decode(&gb, Some(GB18030)).is_ok() && decode(&utf16, Some(UTF_16BE)).is_ok());
        assert!(decode(b"plain", Some(GB18030)).is_ok());
        // An odd byte at the end is a cut file.
        assert!(decode(&utf16[..utf16.len() - 1], Some(UTF_16BE)).is_ok());
    }

    #[test]
    fn a_forced_encoding_that_does_not_fit_is_named() {
        let (bytes, _, _) = GB18030.encode(SIMPLIFIED);
        let error = decode(&bytes, Some(UTF_8)).unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::WrongEncoding {
                    encoding: "UTF-8",
                    ..
                }
            ),
            "{error}"
        );
    }
}
