//! Paths as text, for ids, records and messages.

use encoding_rs::GB18030;
use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// A path's text. File names are bytes on Unix: archives that were packed under Chinese Windows unpack to names in GBK, which
/// are read as what they say; bytes that are no text at all become `%XX`, so two files keep two names.
pub fn path_text(path: &Path) -> Cow<'_, str> {
    if let Some(text) = path.to_str() {
        return Cow::Borrowed(text);
    }
    let bytes = path.as_os_str().as_encoded_bytes();
    let gbk = GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    gbk.unwrap_or_else(|| Cow::Owned(escaped(bytes)))
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_in_gbk_are_read_and_no_two_become_one() {
        let text = |bytes| path_text(Path::new(OsStr::from_bytes(bytes))).into_owned();
        let (gbk, _, _) = GB18030.encode("报纸/要闻.txt");
        assert_eq!(text(&gbk), "报纸/要闻.txt");
        assert_eq!(text("报纸/要闻.txt".as_bytes()), "报纸/要闻.txt");
        assert_eq!(text(b"a\xff\xff.txt"), "a%FF%FF.txt");
        assert_ne!(text(b"a\xff\xff"), text(b"a\xff\xfe"));
    }
}
