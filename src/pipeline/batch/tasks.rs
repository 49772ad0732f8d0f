//! From the input list to tasks, one an input: files by name, lines by content.

use super::PartCutter;
use super::inputs::{Compression, InputFile, InputKind, InputList};
use super::lines::{self, Line, LineDocument};
use crate::document::path_text;
use crate::output::digest::sha256;
use crate::pipeline::document::Problem;
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

/// One input on its way.
#[derive(Debug)]
pub struct Task {
    pub part: usize,
    pub id: String,
    pub path: String,
    pub content: Content,
    /// An earlier input has the same id.
    pub repeated_id: bool,
    /// How much there is to read, as far as it is known.
    pub bytes: u64,
}

/// What is known of an input when its turn comes.
#[derive(Debug)]
pub enum Content {
    File(std::path::PathBuf),
    Text {
        document: LineDocument,
        /// Of the line.
        sha256: String,
    },
    Failed(Problem),
}

/// Who an input of a finished part was: id, and the SHA-256 of its bytes when it was read.
pub type Identity = (String, Option<String>);

/// Parts that an earlier run finished.
pub trait Finished: Sync {
    fn contains(&self, part: usize) -> bool;
    /// The inputs of a finished part.
    fn identities(&self, part: usize) -> std::io::Result<Vec<Identity>>;
}

/// Nothing was done before.
pub struct NothingFinished;

impl Finished for NothingFinished {
    fn contains(&self, _: usize) -> bool {
        false
    }

    fn identities(&self, _: usize) -> std::io::Result<Vec<Identity>> {
        Ok(Vec::new())
    }
}

/// Why the input list cannot be gone through to its end.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("{place} is not the input it was when this run began ({now}, it was {then})")]
    Changed {
        place: String,
        now: String,
        then: String,
    },
    #[error(
        "the input has become shorter: part {part} was done with more inputs than there are now"
    )]
    Shorter { part: usize },
    #[error("a finished part cannot be read: {0}")]
    Part(#[from] std::io::Error),
}

/// Goes through the list and hands every input that is not in a finished part to `send`, in order. Stops between
/// parts when `stop` is set, at once when `send` says so (`false`). Returns the number of parts when it came to the
/// end of the list.
pub fn produce(
    list: &InputList,
    max_bytes: u64,
    finished: &dyn Finished,
    stop: &AtomicBool,
    send: &mut dyn FnMut(Task) -> bool,
) -> Result<Option<usize>, TaskError> {
    let mut producer = Producer {
        cutter: PartCutter::default(),
        ids: HashSet::new(),
        finished,
        skipping: None,
        stop,
        send,
    };
    for (path, reason) in &list.unlisted {
        let problem = Problem::Unread("unreadable", format!("cannot be listed: {reason}"));
        if !producer.offer(path, path, 0, None, || Content::Failed(problem))? {
            return Ok(None);
        }
    }
    for file in &list.files {
        let goes_on = match file.kind {
            InputKind::Document => producer.file(file, || Content::File(file.path.clone()))?,
            InputKind::Special => producer.file(file, || Content::Failed(not_a_file()))?,
            InputKind::Lines(compression) => producer.lines(file, compression, max_bytes)?,
        };
        if !goes_on {
            return Ok(None);
        }
    }
    producer.check_all_met()?;
    Ok(Some(producer.cutter.parts()))
}

struct Producer<'a> {
    cutter: PartCutter,
    /// Hashes of the ids so far: eight bytes an input.
    ids: HashSet<u64>,
    finished: &'a dyn Finished,
    /// The finished part that is being skipped, and the identities not yet met.
    skipping: Option<(usize, std::vec::IntoIter<Identity>)>,
    stop: &'a AtomicBool,
    send: &'a mut dyn FnMut(Task) -> bool,
}

impl Producer<'_> {
    fn file(
        &mut self,
        file: &InputFile,
        content: impl FnOnce() -> Content,
    ) -> Result<bool, TaskError> {
        let path = path_text(&file.path);
        self.offer(&file.id, &path, file.facts.bytes, None, content)
    }

    /// Places an input in a part and hands it on, unless that part is finished. `fingerprint` is compared with the
    /// finished record. `false`: no more inputs are wanted.
    fn offer(
        &mut self,
        id: &str,
        path: &str,
        bytes: u64,
        fingerprint: Option<&str>,
        content: impl FnOnce() -> Content,
    ) -> Result<bool, TaskError> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let repeated_id = !self.ids.insert(hasher.finish());
        let (part, opens) = self.cutter.place(bytes);
        if opens {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.check_all_met()?;
            self.skipping = if self.finished.contains(part) {
                Some((part, self.finished.identities(part)?.into_iter()))
            } else {
                None
            };
        }
        if let Some((_, identities)) = &mut self.skipping {
            let then = identities.next();
            let is_same = then.as_ref().is_some_and(|(then_id, then_sha)| {
                let shas = fingerprint.zip(then_sha.as_deref());
                then_id == id && shas.is_none_or(|(now, then)| now == then)
            });
            if !is_same {
                let say = |id: &str, sha: Option<&str>| match sha {
                    Some(sha) => format!("id {id:?} with SHA-256 {}…", &sha[..sha.len().min(12)]),
                    None => format!("id {id:?}"),
                };
                return Err(TaskError::Changed {
                    place: path.to_owned(),
                    now: say(id, fingerprint),
                    then: then.map_or("not there".to_owned(), |(id, sha)| say(&id, sha.as_deref())),
                });
            }
            return Ok(true);
        }
        Ok((self.send)(Task {
            part,
            id: id.to_owned(),
            path: path.to_owned(),
            content: content(),
            repeated_id,
            bytes,
        }))
    }

    /// A finished part that was skipped had no input that is gone.
    fn check_all_met(&self) -> Result<(), TaskError> {
        match &self.skipping {
            Some((part, left)) if left.len() > 0 => Err(TaskError::Shorter { part: *part }),
            _ => Ok(()),
        }
    }

    fn lines(
        &mut self,
        file: &InputFile,
        compression: Compression,
        max_bytes: u64,
    ) -> Result<bool, TaskError> {
        let path = path_text(&file.path);
        let fail = |e: &std::io::Error, after: usize| {
            let (kind, reason) = unread(e);
            let place = if after == 0 {
                String::new()
            } else {
                format!(" after line {after}")
            };
            Content::Failed(Problem::Unread(kind, format!("{reason}{place}")))
        };
        let opened = if file.path.as_os_str() == "-" {
            lines::open(std::io::stdin(), compression)
        } else {
            File::open(&file.path).and_then(|file| lines::open(file, compression))
        };
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(e) => return self.offer(&file.id, &path, 0, None, || fail(&e, 0)),
        };
        let mut number = 0;
        loop {
            let line = match lines::next_line(reader.as_mut(), max_bytes) {
                Ok(None) => return Ok(true),
                Ok(Some(line)) => line,
                Err(e) => {
                    // What follows cannot be read: one record says so for all of it.
                    let id = format!("{}:{}", file.id, number + 1);
                    return self.offer(&id, &path, 0, None, || fail(&e, number));
                }
            };
            number += 1;
            let place = format!("{path}:{number}");
            let own_id = format!("{}:{number}", file.id);
            let goes_on = match line {
                Line::TooLong(length) => self.offer(&own_id, &place, max_bytes, None, || {
                    let message = format!(
                        "line {number} has {length} bytes, more than the limit of {max_bytes} (--max-bytes)"
                    );
                    Content::Failed(Problem::Unread("too-large", message))
                })?,
                Line::Bytes(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => true,
                Line::Bytes(bytes) => {
                    let sha256 = sha256(&bytes);
                    let size = bytes.len() as u64;
                    match lines::parse(&bytes) {
                        Ok(document) => {
                            let id = document.id.clone();
                            let print = sha256.clone();
                            self.offer(&id, &place, size, Some(&print), || Content::Text {
                                document,
                                sha256,
                            })?
                        }
                        Err(refused) => {
                            let id = refused.id.as_deref().unwrap_or(&own_id);
                            self.offer(id, &place, size, None, || {
                                let message = format!("line {number} {}", refused.reason);
                                Content::Failed(Problem::Unread("json", message))
                            })?
                        }
                    }
                }
            };
            if !goes_on {
                return Ok(false);
            }
        }
    }
}

/// A pipe, a socket or a device.
pub(super) fn not_a_file() -> Problem {
    Problem::Unread("not-a-file", "is neither a file nor a folder".to_owned())
}

/// The word and the sentence for a file that cannot be read.
pub(super) fn unread(error: &std::io::Error) -> (&'static str, String) {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => ("missing", "is not there any more".to_owned()),
        ErrorKind::PermissionDenied => ("unreadable", "may not be read".to_owned()),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            ("compressed", format!("is damaged: {error}"))
        }
        _ => ("unreadable", format!("cannot be read: {error}")),
    }
}
