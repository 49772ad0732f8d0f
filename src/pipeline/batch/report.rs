//! From finished parts to results: one file in input order, the failed ones apart, and the counts.

use super::folder::{OutputFolder, in_file};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

/// What a run's records hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub inputs: usize,
    pub articles: usize,
    /// Characters of the inputs that were read.
    pub chars: usize,
    /// Failed inputs by kind.
    pub failures: BTreeMap<String, usize>,
    /// Inputs with a warning, by its kind.
    pub warnings: BTreeMap<String, usize>,
    /// Articles by sector.
    pub sectors: BTreeMap<String, usize>,
}

/// Of a record, what is counted.
#[derive(Deserialize)]
struct Facts {
    source: SourceFacts,
    articles: Option<Vec<ArticleFacts>>,
    #[serde(default)]
    warnings: Vec<Kind>,
    error: Option<Kind>,
}

#[derive(Deserialize)]
struct SourceFacts {
    chars: Option<usize>,
}

#[derive(Deserialize)]
struct ArticleFacts {
    sector: Key,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Counts {
    /// Counts one line; whether it is of a failed input.
    fn add(&mut self, line: &str) -> serde_json::Result<bool> {
        let facts: Facts = serde_json::from_str(line)?;
        self.inputs += 1;
        self.chars += facts.source.chars.unwrap_or(0);
        for article in facts.articles.into_iter().flatten() {
            self.articles += 1;
            *self.sectors.entry(article.sector.key).or_default() += 1;
        }
        let kinds: BTreeSet<String> = facts.warnings.into_iter().map(|w| w.kind).collect();
        for kind in kinds {
            *self.warnings.entry(kind).or_default() += 1;
        }
        let failed = facts.error.is_some();
        if let Some(error) = facts.error {
            *self.failures.entry(error.kind).or_default() += 1;
        }
        Ok(failed)
    }

    pub fn failed(&self) -> usize {
        self.failures.values().sum()
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    JsonLines,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Joins parts `0..parts` into `results.jsonl` (or `.parquet`) and `errors.jsonl`.
pub fn join(folder: &OutputFolder, parts: usize, format: ResultFormat) -> std::io::Result<Counts> {
    let mut counts = Counts::default();
    folder.write(&folder.path("errors.jsonl"), |errors| {
        let mut count = |line: &str| -> std::io::Result<()> {
            if counts.add(line)? {
                errors.write_all(line.as_bytes())?;
            }
            Ok(())
        };
        match format {
            ResultFormat::JsonLines => folder.write(&folder.path("results.jsonl"), |out| {
                each_line(folder, parts, |line| {
                    count(line)?;
                    out.write_all(line.as_bytes())
                })
            }),
            #[cfg(feature = "parquet")]
            ResultFormat::Parquet => folder.write(&folder.path("results.parquet"), |out| {
                let failed = std::io::Error::other;
                let mut writer = crate::output::parquet::Writer::new(out).map_err(failed)?;
                each_line(folder, parts, |line| {
                    count(line)?;
                    let record = serde_json::from_str(line)?;
                    writer.push(&record).map_err(failed)
                })?;
                writer.finish().map_err(failed)
            }),
        }
    })?;
    Ok(counts)
}

fn each_line(
    folder: &OutputFolder,
    parts: usize,
    mut f: impl FnMut(&str) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut line = String::new();
    for part in 0..parts {
        let path = folder.part(part);
        let in_part = |e| in_file(&path, e);
        let mut reader = BufReader::new(File::open(&path).map_err(in_part)?);
        loop {
            line.clear();
            if reader.read_line(&mut line).map_err(in_part)? == 0 {
                break;
            }
            f(&line)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted() {
        let mut counts = Counts::default();
        let brief = r#"{"source":{"chars":7},"articles":[{"sector":{"key":"law"}},{"sector":{"key":"law"}}],"warnings":[{"kind":"html"},{"kind":"html"}]}"#;
        assert!(!counts.add(brief).unwrap());
        assert!(
            counts
                .add(r#"{"source":{"path":"x"},"error":{"kind":"empty"}}"#)
                .unwrap()
        );
        assert_eq!(
            (
                counts.inputs,
                counts.articles,
                counts.chars,
                counts.failed()
            ),
            (2, 2, 7, 1)
        );
        assert_eq!((counts.sectors["law"], counts.warnings["html"]), (2, 1));
        assert!(counts.add("{").is_err());
    }
}
