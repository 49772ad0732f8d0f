//! What there is to do: files of a folder, files that were named, streams of JSON Lines.

use super::results::{is_named_like_a_result, is_result};
use crate::document::path_text;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use walkdir::WalkDir;

/// One file, or one stream of JSON Lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    pub path: PathBuf,
    /// The record's id: the path inside the folder that was named, else the path as named.
    pub id: String,
    pub kind: InputKind,
    pub facts: FileFacts,
}

/// What is known of a file without opening it; it tells whether the file changed between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileFacts {
    pub bytes: u64,
    /// Nanoseconds since 1970; 0 when unknown.
    pub modified: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// One document.
    Document,
    /// A document a line.
    Lines(Compression),
    /// Found, but neither file nor folder: a pipe, a socket, a device. Never opened.
    Special,
}

/// How a stream is packed, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// The name says nothing: what the stream begins with decides.
    Unnamed,
    Gzip,
    Zstandard,
}

/// The list, in order, and what was left out of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InputList {
    pub files: Vec<InputFile>,
    /// Symbolic links inside folders, which are not followed.
    pub links: usize,
    /// Folders that could not be listed: path and reason.
    pub unlisted: Vec<(String, String)>,
}

/// Which files of a folder are inputs.
#[derive(Debug)]
pub struct Selection {
    include: GlobSet,
    exclude: GlobSet,
}

impl Selection {
    /// Globs against the path inside the folder; a glob without `/` matches the file name anywhere.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, globset::Error> {
        let set = |globs: &[String]| {
            let mut builder = GlobSetBuilder::new();
            for glob in globs {
                let anywhere = if glob.contains('/') {
                    glob.clone()
                } else {
                    format!("**/{glob}")
                };
                builder.add(Glob::new(&anywhere)?);
            }
            builder.build()
        };
        Ok(Self {
            include: set(include)?,
            exclude: set(exclude)?,
        })
    }

    fn takes(&self, path: &Path) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

/// Why an input cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be listed: {source}")]
pub struct ListError {
    pub path: String,
    pub source: std::io::Error,
}

/// Lists everything that was named, in the order of naming; folders sorted by name at every level. The folder `without`,
/// where results are written, is no input though it may stand inside one.
pub fn list(
    named: &[PathBuf],
    selection: &Selection,
    without: Option<&Path>,
) -> Result<InputList, ListError> {
    let without = without.and_then(|path| path.canonicalize().ok());
    let mut out = InputList::default();
    for path in named {
        if path.as_os_str() == "-" {
            out.files.push(InputFile {
                path: path.clone(),
                id: "-".to_owned(),
                kind: InputKind::Lines(Compression::Unnamed),
                facts: FileFacts::default(),
            });
            continue;
        }
        // What was named is followed when it is a link.
        let metadata = path.metadata().map_err(|source| ListError {
            path: path_text(path).into_owned(),
            source,
        })?;
        if metadata.is_dir() {
            list_folder(path, selection, without.as_deref(), &mut out);
        } else {
            let id = path_text(path).into_owned();
            let kind = if metadata.is_file() {
                kind_of(path)
            } else {
                InputKind::Special
            };
            out.files.push(InputFile {
                path: path.clone(),
                id,
                kind,
                facts: facts(&metadata),
            });
        }
    }
    Ok(out)
}

fn list_folder(folder: &Path, selection: &Selection, without: Option<&Path>, out: &mut InputList) {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    // The folder of the results may be the one that is read: they are no inputs there.
    let left_out = |entry: &walkdir::DirEntry| {
        let real = || entry.path().canonicalize().ok();
        without.is_some_and(|root| match entry.file_type().is_dir() {
            true => real().as_deref() == without,
            false => {
                is_named_like_a_result(entry.path())
                    && real().is_some_and(|path| is_result(root, &path))
            }
        })
    };
    let walk = WalkDir::new(folder)
        .follow_links(false)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            entry.depth() == 0 || !(hidden(entry.file_name()) || left_out(entry))
        });
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = path_text(error.path().unwrap_or(folder)).into_owned();
                let reason = error
                    .io_error()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                out.unlisted.push((path, reason));
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let is_link = entry.file_type().is_symlink();
        let leads_to_folder = || is_link && entry.path().is_dir();
        if !selection.takes(inside) && !leads_to_folder() {
            continue;
        }
        if is_link {
            out.links += 1;
            continue;
        }
        let kind = if entry.file_type().is_file() {
            kind_of(entry.path())
        } else {
            InputKind::Special
        };
        // A file that vanished since is still an input; reading it will say so.
        let facts = entry.metadata().map(|m| facts(&m)).unwrap_or_default();
        out.files.push(InputFile {
            id: path_text(inside).replace('\\', "/"),
            path: entry.into_path(),
            kind,
            facts,
        });
    }
}

fn facts(metadata: &std::fs::Metadata) -> FileFacts {
    let since = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    FileFacts {
        bytes: metadata.len(),
        modified: since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
    }
}

fn kind_of(path: &Path) -> InputKind {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    let (stem, compression) = if let Some(stem) = name.strip_suffix(".gz") {
        (stem, Compression::Gzip)
    } else if let Some(stem) = name.strip_suffix(".zst") {
        (stem, Compression::Zstandard)
    } else {
        (name.as_str(), Compression::Unnamed)
    };
    if stem.ends_with(".jsonl") || stem.ends_with(".ndjson") {
        InputKind::Lines(compression)
    } else {
        InputKind::Document
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn ids(list: &InputList) -> Vec<&str> {
        list.files.iter().map(|file| file.id.as_str()).collect()
    }

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let owned = |globs: &[&str]| globs.iter().map(|&g| g.to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn a_folder_is_listed_sorted_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/deep")).unwrap();
        fs::create_dir_all(at("x.txt")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        for name in [
            "b/deep/1.txt",
            "a.txt",
            "b/2.md",
            ".c.txt",
            ".git/d.txt",
            "x.txt/e.txt",
            "news.jsonl.gz",
        ] {
            fs::write(at(name), "文").unwrap();
        }
        let named = [folder.path().to_owned()];
        let found = list(&named, &selection(&["*.txt"], &[]), None).unwrap();
        assert_eq!(ids(&found), ["a.txt", "b/deep/1.txt", "x.txt/e.txt"]);
        assert_eq!(found.files[0].facts.bytes, 3);
        let found = list(&named, &selection(&["*"], &["b/**", "*.gz"]), None).unwrap();
        assert_eq!(ids(&found), ["a.txt", "x.txt/e.txt"]);
        let found = list(&named, &selection(&["*"], &[]), Some(&at("b"))).unwrap();
        assert_eq!(ids(&found), ["a.txt", "news.jsonl.gz", "x.txt/e.txt"]);
        let found = list(&named, &selection(&["*.gz"], &[]), None).unwrap();
        assert_eq!(found.files[0].kind, InputKind::Lines(Compression::Gzip));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_counted_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "文").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop.txt")).unwrap();
        let found = list(
            &[folder.path().to_owned()],
            &selection(&["*.txt"], &[]),
            None,
        )
        .unwrap();
        assert_eq!((ids(&found), found.links), (vec!["a.txt"], 1));
        let link = folder.path().join("loop.txt/a.txt");
        let found = list(&[link], &selection(&["*.txt"], &[]), None).unwrap();
        assert_eq!(found.files[0].kind, InputKind::Document);
    }

    #[test]
    fn what_is_not_there_cannot_be_listed() {
        let error = list(&["no/such".into()], &selection(&["*"], &[]), None).unwrap_err();
        assert!(error.to_string().contains("no/such"));
    }
}
