//! Lines of bounded length from a stream, and the documents they hold.

use super::inputs::Compression;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};

/// What a gzip and a Zstandard stream begin with; no JSON does.
const MAGIC: [(&[u8], Compression); 2] = [
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstandard),
];

/// Opens a stream of lines.
pub fn open<'a>(
    mut reader: impl Read + Send + 'a,
    compression: Compression,
) -> std::io::Result<Box<dyn BufRead + Send + 'a>> {
    let (head, compression) = match compression {
        Compression::Unnamed => beginning(&mut reader)?,
        named => (Vec::new(), named),
    };
    let reader = std::io::Cursor::new(head).chain(reader);
    let unpacked: Box<dyn Read + Send + 'a> = match compression {
        Compression::Unnamed => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(reader))),
        Compression::Zstandard => Box::new(zstd::stream::read::Decoder::new(reader)?),
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, unpacked)))
}

/// What was read of a stream to see how it is packed. Read byte by byte: who types a line wants an answer before the next.
fn beginning(reader: &mut impl Read) -> std::io::Result<(Vec<u8>, Compression)> {
    let mut head = Vec::new();
    loop {
        match MAGIC.iter().find(|(magic, _)| magic.starts_with(&head)) {
            Some((magic, compression)) if *magic == head => return Ok((head, *compression)),
            Some(_) if reader.take(1).read_to_end(&mut head)? == 1 => {}
            _ => return Ok((head, Compression::Unnamed)),
        }
    }
}

/// One line of a stream, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Bytes(Vec<u8>),
    /// A line longer than the limit: its length. None of it was kept.
    TooLong(u64),
}

/// The next line; `None` at the end. Never holds more than `limit` bytes.
pub fn next_line(reader: &mut dyn BufRead, limit: u64) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut length = 0u64;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if buffer.is_empty() {
            if length == 0 {
                return Ok(None);
            }
            break;
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        length += piece.len() as u64;
        if length <= limit {
            line.extend_from_slice(piece);
        } else {
            line = Vec::new();
        }
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if length > limit {
        return Ok(Some(Line::TooLong(length)));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(Line::Bytes(line)))
}

/// The document of one JSON line.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub struct LineDocument {
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    #[serde(default)]
    pub title: Option<String>,
    pub text: String,
}

/// Ids are text; whole numbers are taken as such.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "\"id\" is neither text nor a whole number")]
    enum Id {
        Text(String),
        Number(i64),
        Large(u64),
    }
    Ok(match Id::deserialize(deserializer)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
        Id::Large(number) => number.to_string(),
    })
}

/// A line that holds no document.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its own id, where that can be read.
    pub id: Option<String>,
    /// A sentence for people.
    pub reason: String,
}

/// Parses one line.
pub fn parse(line: &[u8]) -> Result<LineDocument, Refused> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let refused = |id, reason: &str| Refused {
        id,
        reason: format!("is not a JSON object with \"id\" and \"text\": {reason}"),
    };
    // serde reads arrays as objects without names.
    if line
        .trim_ascii_start()
        .first()
        .is_some_and(|&first| first == b'[')
    {
        return Err(refused(None, "it is a list"));
    }
    serde_json::from_slice(line).map_err(|e| {
        let place = if e.column() > 0 {
            format!(" (column {})", e.column())
        } else {
            String::new()
        };
        let text = e.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        refused(id_of(line), &format!("{reason}{place}"))
    })
}

fn id_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(deserialize_with = "text_or_number")]
        id: String,
    }
    serde_json::from_slice(line)
        .ok()
        .map(|named: Named| named.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8], limit: u64, capacity: usize) -> Vec<Line> {
        let mut reader = BufReader::with_capacity(capacity, bytes);
        std::iter::from_fn(|| next_line(&mut reader, limit).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn lines_are_what_the_standard_library_finds(text in "[a-z\n]{0,60}", capacity in 1usize..9, limit in 1u64..20) {
            let expected: Vec<Line> = text
                .lines()
                .map(|line| {
                    let length = line.len() as u64;
                    if length > limit { Line::TooLong(length) } else { Line::Bytes(line.into()) }
                })
                .collect();
            prop_assert_eq!(lines(text.as_bytes(), limit, capacity), expected);
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_line_becomes_a_document() {
        let document = parse(r#"{"id": 7, "text": "文", "more": [1]}"#.as_bytes()).unwrap();
        assert_eq!((document.id.as_str(), document.title), ("7", None));
        assert!(
            parse(b"[]").is_err()
                && parse(b"").is_err()
                && parse(br#"{"id":"a","text":"\ud800"}"#).is_err()
        );
    }

    #[test]
    fn a_refused_line_keeps_its_id_and_says_why() {
        for (line, id, why) in [
            (r#"{"id": "a"}"#, Some("a"), "`text`"),
            (r#"{"id": 7, "text": null}"#, Some("7"), "null"),
            (
                r#"{"id": 1.5, "text": "文"}"#,
                None,
                "neither text nor a whole number",
            ),
            (r#"["a", "题", "文"]"#, None, "it is a list"),
            (r#"{"id": "a", "text": "文"#, None, "column"),
        ] {
            let refused = parse(line.as_bytes()).unwrap_err();
            assert_eq!(refused.id.as_deref(), id, "{line}");
            assert!(refused.reason.contains(why), "{refused:?}");
        }
    }

    #[test]
    fn compressed_streams_are_read() {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all("一\n二".as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let twice = [gzip.clone(), gzip.clone()].concat();
        let mut reader = open(twice.as_slice(), Compression::Gzip).unwrap();
        let mut count = 0;
        while next_line(reader.as_mut(), 100).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
        let mut cut = open(&gzip[..gzip.len() - 9], Compression::Gzip).unwrap();
        let result = std::iter::repeat_with(|| next_line(cut.as_mut(), 100))
            .take(3)
            .find(Result::is_err);
        assert!(result.is_some());
        let zstandard = zstd::encode_all("一\n".as_bytes(), 1).unwrap();
        let mut reader = open(zstandard.as_slice(), Compression::Zstandard).unwrap();
        let first = Some(Line::Bytes("一".into()));
        assert_eq!(next_line(reader.as_mut(), 9).unwrap(), first);
        for unnamed in [&gzip, &zstandard, "一\n二".as_bytes()] {
            let mut reader = open(unnamed, Compression::Unnamed).unwrap();
            assert_eq!(next_line(reader.as_mut(), 9).unwrap(), first);
        }
        for short in ["", "\u{1f}", "("] {
            let mut reader = open(short.as_bytes(), Compression::Unnamed).unwrap();
            let read = next_line(reader.as_mut(), 9).unwrap();
            assert_eq!(read, (!short.is_empty()).then(|| Line::Bytes(short.into())));
        }
    }
}
