//! What is read: texts of several lengths, or the user's own.

use crate::pipeline::batch::inputs::{self, InputList, ListError, Selection};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// A set of inputs with a name.
pub struct Mix {
    pub name: String,
    pub inputs: Arc<InputList>,
    /// Keeps what was written for the purpose.
    _file: Option<NamedTempFile>,
}

/// Mixes that need no files: name, characters of an article, articles.
const MADE: [(&str, usize, usize); 3] = [
    ("short", 160, 96),
    ("article", 1_000, 24),
    ("long", 6_000, 4),
];

/// Our own page: its sentences, in changing order, make the texts.
const PAGE: &str = include_str!("../../examples/page.txt");

impl Mix {
    /// Names for [`Mix::made`].
    pub fn names() -> [&'static str; 3] {
        MADE.map(|(name, ..)| name)
    }

    /// Texts of a known length made of the example page's sentences; `None` for an unknown name.
    pub fn made(name: &str) -> std::io::Result<Option<Self>> {
        let Some(&(name, chars, articles)) = MADE.iter().find(|(known, ..)| *known == name) else {
            return Ok(None);
        };
        let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile()?;
        for i in 0..articles {
            let row = serde_json::json!({
                "id": format!("{name}-{i}"),
                "title": sentence(i).chars().take(24).collect::<String>(),
                "text": text(i, chars),
            });
            writeln!(file, "{row}")?;
        }
        file.flush()?;
        let all = Selection::new(&[], &[]).expect("no glob cannot be wrong");
        let inputs =
            inputs::list(&[file.path().to_owned()], &all, None).map_err(|error| error.source)?;
        Ok(Some(Self {
            name: name.to_owned(),
            inputs: Arc::new(inputs),
            _file: Some(file),
        }))
    }

    /// The user's own files and folders.
    pub fn of_inputs(paths: &[PathBuf]) -> Result<Self, ListError> {
        let texts = Selection::new(&["*.txt".to_owned()], &[]).expect("a glob that is known");
        Ok(Self {
            name: "input".to_owned(),
            inputs: Arc::new(inputs::list(paths, &texts, None)?),
            _file: None,
        })
    }
}

fn sentence(i: usize) -> &'static str {
    let sentences: Vec<&str> = PAGE
        .split_inclusive('。')
        .map(str::trim)
        .filter(|s| s.ends_with('。') && s.chars().count() > 12)
        .collect();
    // Steps that share no factor with the usual counts go through all of them before one comes again.
    sentences[i.wrapping_mul(7_919).wrapping_add(i / 3) % sentences.len()]
}

/// Article `i`: sentences until there are `chars` characters, a paragraph every third one.
fn text(i: usize, chars: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for n in 0.. {
        let next = sentence(i * 131 + n);
        out.push_str(next);
        length += next.chars().count();
        if length >= chars {
            break;
        }
        if n % 3 == 2 {
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_length_they_should_have() {
        for (name, chars, _) in MADE {
            let text = text(3, chars);
            let length = text.chars().count();
            assert!(
                (chars..chars + chars / 2 + 150).contains(&length),
                "{name} {length}"
            );
            assert!(text.ends_with('。') && text != super::text(4, chars));
            assert!(Mix::made(name).unwrap().unwrap().inputs.files.len() == 1);
        }
        assert!(Mix::made("novel").unwrap().is_none());
    }
}
