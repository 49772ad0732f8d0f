//! The stream's first stage: inputs → text → articles → tokens, on all cores.

use super::flow::{Document, Flow, Group, Job};
use super::tasks::{Content, Task, TaskError, not_a_file, unread};
use crate::document::Article;
use crate::document::decode;
use crate::document::page::{self, Layout, Page};
use crate::output::digest::sha256;
use crate::output::record::{Brief, Warning};
use crate::pipeline::document::{Options, Problem, groups, header, source};
use crate::pipeline::stages::{MAX_GROUP_CHARS, Prepared, guarded};
use encoding_rs::UTF_8;
use rayon::prelude::*;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// Inputs opened together at most.
const CHUNK_INPUTS: usize = 256;
/// Bytes after which the first chunk is full; each has twice as many as the one before, up to what makes a few groups.
/// The first results are there soon, and later ones are computed in larger batches.
const FIRST_CHUNK_BYTES: u64 = 3 << 10;
const CHUNK_BYTES: u64 = 3 * MAX_GROUP_CHARS as u64;
/// A stream that pauses for this long has what it sent so far answered.
const PAUSE: Duration = Duration::from_millis(100);

/// Collects tasks into chunks, opens and prepares them. Ends when the tasks do, or the next stage is gone.
pub(super) fn open_all(
    job: &Job<'_>,
    tasks: &Receiver<Result<Task, TaskError>>,
    next: &SyncSender<Flow<Group>>,
) {
    let mut chunk: Vec<Task> = Vec::new();
    let (mut bytes, mut room) = (0, FIRST_CHUNK_BYTES);
    let mut part = None;
    let is_stopped = || job.stop.load(Ordering::Relaxed);
    loop {
        let received = if chunk.is_empty() {
            // Standard input may stay silent for hours: a stop must be seen all the same.
            tasks.recv_timeout(PAUSE * 5)
        } else {
            tasks.recv_timeout(PAUSE)
        };
        let (full, end) = match received {
            // Inputs that wait already are of parts that nobody has begun.
            Ok(Ok(task)) if part.is_some_and(|part| part != task.part) && is_stopped() => {
                (true, Some(Flow::Stopped))
            }
            Ok(Ok(task)) => {
                part = Some(task.part);
                bytes += task.bytes;
                chunk.push(task);
                let full = bytes >= room || chunk.len() == CHUNK_INPUTS;
                (full, None)
            }
            Ok(Err(error)) => (true, Some(Flow::Failed(error))),
            Err(RecvTimeoutError::Disconnected) => (true, Some(Flow::End)),
            Err(RecvTimeoutError::Timeout) if chunk.is_empty() => {
                // The next stage may be gone as well: results that cannot be written end a run.
                if is_stopped() || next.send(Flow::Idle).is_err() {
                    return;
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => (true, None),
        };
        if !full {
            continue;
        }
        let paused = end.is_none() && bytes < room && chunk.len() < CHUNK_INPUTS;
        (bytes, room) = (0, CHUNK_BYTES.min(2 * room));
        // A group is prepared when there is room for it: a file of many megabytes is many groups.
        for group in open_chunk(std::mem::take(&mut chunk), job) {
            if next.send(Flow::Group(group.prepare(job))).is_err() {
                return;
            }
        }
        if let Some(end) = end {
            let _ = next.send(end);
            return;
        }
        if paused && next.send(Flow::Idle).is_err() {
            return;
        }
    }
}

/// Articles that will be encoded together, as they were split off, and the documents that begin among them.
#[derive(Default)]
struct OpenedGroup {
    documents: Vec<Document>,
    articles: Vec<Article>,
}

impl OpenedGroup {
    fn prepare(self, job: &Job<'_>) -> Group {
        let prepare = |article| {
            guarded(|| {
                let prepared = Prepared::new(article, job.model);
                prepared.candidates(job.model);
                Ok(prepared)
            })
        };
        Group {
            documents: self.documents,
            articles: self.articles.into_par_iter().map(prepare).collect(),
        }
    }
}

fn open_chunk(tasks: Vec<Task>, job: &Job<'_>) -> Vec<OpenedGroup> {
    let opened: Vec<(Document, Vec<Article>)> = tasks
        .into_par_iter()
        .map(|task| open_task(task, job))
        .collect();
    // A document stands in the group of its first article; one without articles goes with the next or the last.
    let mut waiting = Vec::new();
    let mut articles: Vec<(Vec<Document>, Article)> = Vec::new();
    for (document, own) in opened {
        waiting.push(document);
        let own = own.into_iter();
        articles.extend(own.map(|article| (std::mem::take(&mut waiting), article)));
    }
    let mut out: Vec<OpenedGroup> = groups(articles, |(_, article)| article.text.len())
        .into_iter()
        .map(|group| {
            let (documents, articles): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            OpenedGroup {
                documents: documents.into_iter().flatten().collect(),
                articles,
            }
        })
        .collect();
    if !waiting.is_empty() {
        if out.is_empty() {
            out.push(OpenedGroup::default());
        }
        let last = out.last_mut().expect("one is there");
        last.documents.extend(waiting);
    }
    out
}

/// Reads, decodes and splits one input.
fn open_task(task: Task, job: &Job<'_>) -> (Document, Vec<Article>) {
    let Task {
        part,
        id,
        path,
        content,
        repeated_id,
        bytes,
    } = task;
    // Whatever goes wrong in here stays with this input.
    let opened = guarded(|| Ok(open_content(content, &id, &path, job)));
    let (head, articles) = match opened.and_then(|result| result) {
        Ok((mut brief, articles)) => {
            if repeated_id {
                let message = "an earlier input has the same id".to_owned();
                let repeated = Warning::new("repeated-id", message, Vec::new());
                brief.warnings.push(repeated);
            }
            (Ok(brief), articles)
        }
        Err(problem) => (Err(problem), Vec::new()),
    };
    let document = Document {
        part,
        bytes,
        id,
        path,
        head,
        articles: articles.len(),
    };
    (document, articles)
}

fn open_content(
    content: Content,
    id: &str,
    path: &str,
    job: &Job<'_>,
) -> Result<(Brief, Vec<Article>), Problem> {
    let Options {
        layout, encoding, ..
    } = *job.options;
    let mut has_unused_title = false;
    let (decoded, sha256, page) = match content {
        Content::Failed(problem) => return Err(problem),
        Content::File(file) => {
            let bytes = read_file(&file, job.max_bytes)?;
            let decoded = decode::decode(&bytes, encoding)?;
            let page = page::split(&decoded.chars, layout, job.model);
            (decoded, sha256(&bytes), page)
        }
        Content::Text { document, sha256 } => {
            let decoded = decode::decode(document.text.as_bytes(), Some(UTF_8))?;
            let title = document.title.as_deref().unwrap_or_default();
            let is_titled = !title.trim().is_empty();
            has_unused_title = is_titled && layout == Layout::Page;
            let page = if !is_titled || has_unused_title {
                page::split(&decoded.chars, layout, job.model)
            } else {
                Page {
                    articles: vec![page::titled(&decoded.chars, title)],
                    ..Page::default()
                }
            };
            (decoded, sha256, page)
        }
    };
    let source = source(path, sha256, &decoded);
    let mut brief = header(id, source, &decoded, &page, job.model);
    if has_unused_title {
        let message = "the title is not used: a page has many (--layout page)".to_owned();
        brief
            .warnings
            .push(Warning::new("title", message, Vec::new()));
    }
    Ok((brief, page.articles))
}

/// Reads a file whole, up to the limit.
fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Problem> {
    let failed = |e: std::io::Error| {
        let (kind, reason) = unread(&e);
        Problem::Unread(kind, reason)
    };
    // Asked first: opening a pipe that nobody writes to would wait for ever.
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(not_a_file());
    }
    let mut bytes = Vec::new();
    let limit = max_bytes.saturating_add(1);
    if metadata.len() <= max_bytes {
        let file = File::open(path).map_err(failed)?;
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    let length = metadata.len().max(bytes.len() as u64);
    if length > max_bytes {
        let message =
            format!("has {length} bytes, more than the limit of {max_bytes} (--max-bytes)");
        return Err(Problem::Unread("too-large", message));
    }
    Ok(bytes)
}
