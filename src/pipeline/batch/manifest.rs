//! What a run was asked to do: kept beside its results, compared before the run goes on.

use super::inputs::{FileFacts, InputList};
use crate::document::path_text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};

/// Everything that can change a record, by name: options, model, program.
pub type Settings = BTreeMap<String, String>;

/// The first difference between two settings, as a sentence.
pub fn settings_difference(then: &Settings, now: &Settings) -> Option<String> {
    let value = |settings: &Settings, key: &str| {
        settings
            .get(key)
            .filter(|value| !value.is_empty())
            .map_or_else(|| "not given".to_owned(), Clone::clone)
    };
    then.keys()
        .chain(now.keys())
        .find(|key| then.get(*key) != now.get(*key))
        .map(|key| {
            format!(
                "{key} was {}, now it is {}",
                value(then, key),
                value(now, key)
            )
        })
}

/// A line of `inputs.jsonl`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    path: String,
    #[serde(flatten)]
    facts: FileFacts,
}

fn rows(list: &InputList) -> impl Iterator<Item = Row> {
    let unlisted = list.unlisted.iter().map(|(path, _)| Row {
        path: path.clone(),
        facts: FileFacts::default(),
    });
    let files = list.files.iter().map(|file| Row {
        path: path_text(&file.path).into_owned(),
        facts: file.facts,
    });
    unlisted.chain(files)
}

/// Writes `inputs.jsonl`.
pub fn write_inputs(list: &InputList, out: &mut dyn Write) -> std::io::Result<()> {
    for row in rows(list) {
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The first difference between `inputs.jsonl` and the list, as a sentence.
pub fn inputs_difference(then: impl BufRead, now: &InputList) -> std::io::Result<Option<String>> {
    let mut rows_now = rows(now);
    for line in then.lines() {
        let then: Row = serde_json::from_str(&line?)?;
        let Some(now) = rows_now.next() else {
            return Ok(Some(format!("{} is not an input any more", then.path)));
        };
        if now.path != then.path {
            // Where the old path still comes later, something was put in before it.
            let difference = if rows_now.any(|later| later.path == then.path) {
                format!("{} is new", now.path)
            } else {
                format!("{} is not an input any more", then.path)
            };
            return Ok(Some(difference));
        }
        if now.facts != then.facts {
            let size = |facts: FileFacts| format!("{} bytes", facts.bytes);
            let difference = if now.facts.bytes == then.facts.bytes {
                format!("{} was written to since", now.path)
            } else {
                let (then, now_size) = (size(then.facts), size(now.facts));
                format!("{} had {then}, now {now_size}", now.path)
            };
            return Ok(Some(difference));
        }
    }
    Ok(rows_now.next().map(|row| format!("{} is new", row.path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::batch::inputs::{InputFile, InputKind};

    fn list(files: &[(&str, u64, u64)]) -> InputList {
        let file = |&(path, bytes, modified): &(&str, u64, u64)| InputFile {
            path: path.into(),
            id: path.to_owned(),
            kind: InputKind::Document,
            facts: FileFacts { bytes, modified },
        };
        InputList {
            files: files.iter().map(file).collect(),
            ..InputList::default()
        }
    }

    #[test]
    fn differences_are_named() {
        let then = list(&[("a", 1, 1), ("b", 2, 2)]);
        let mut bytes = Vec::new();
        write_inputs(&then, &mut bytes).unwrap();
        let difference =
            |now: &[(&str, u64, u64)]| inputs_difference(bytes.as_slice(), &list(now)).unwrap();
        assert_eq!(difference(&[("a", 1, 1), ("b", 2, 2)]), None);
        let say = |now: &[(&str, u64, u64)]| difference(now).unwrap();
        assert_eq!(say(&[("a", 1, 1)]), "b is not an input any more");
        assert_eq!(say(&[("a", 1, 1), ("aa", 1, 1), ("b", 2, 2)]), "aa is new");
        assert_eq!(say(&[("b", 2, 2)]), "a is not an input any more");
        let other_order = [("c", 1, 1), ("a", 1, 1), ("b", 2, 2)];
        assert_eq!(say(&other_order), "c is new");
        assert_eq!(
            say(&[("a", 1, 1), ("b", 3, 4)]),
            "b had 2 bytes, now 3 bytes"
        );
        assert_eq!(say(&[("a", 1, 9), ("b", 2, 2)]), "a was written to since");
        assert_eq!(say(&[("a", 1, 1), ("b", 2, 2), ("c", 1, 1)]), "c is new");
    }

    #[test]
    fn settings_are_compared_by_name() {
        let settings = |pairs: &[(&str, &str)]| -> Settings {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let then = settings(&[("--keywords", "8"), ("model", "x")]);
        assert_eq!(settings_difference(&then, &then), None);
        let now = settings(&[("--keywords", "5"), ("model", "x")]);
        assert_eq!(
            settings_difference(&then, &now).unwrap(),
            "--keywords was 8, now it is 5"
        );
        assert_eq!(
            settings_difference(&then, &settings(&[("model", "x")])).unwrap(),
            "--keywords was 8, now it is not given"
        );
    }
}
