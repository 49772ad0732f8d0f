//! The running stream: open → encode → read and write, a thread each, bounded queues between them.

use super::inputs::InputList;
use super::tasks::{self, Content, Finished, Task, TaskError, unread};
use crate::document::Article;
use crate::document::decode::{self, Decoded};
use crate::document::page::{self, Page};
use crate::encoder::HiddenStates;
use crate::model::Model;
use crate::output::record::{ArticleBrief, Brief, Record, Warning};
use crate::pipeline::document::{Input, Options, Problem, groups, header};
use crate::pipeline::stages::{self, MAX_GROUP_CHARS, Prepared, guarded};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What is to be done, and how.
pub struct Job<'a> {
    pub inputs: Arc<InputList>,
    pub model: &'a Model,
    pub options: &'a Options,
    /// Larger inputs are refused.
    pub max_bytes: u64,
    pub finished: Arc<dyn Finished + Send>,
    /// Set to stop between parts.
    pub stop: Arc<AtomicBool>,
}

/// Where records go, in input order.
pub trait Sink {
    /// A record, and the part it belongs to; parts come in order, each without a gap.
    fn record(&mut self, part: usize, record: &Record) -> std::io::Result<()>;
    /// The last part's last record has come.
    fn end(&mut self) -> std::io::Result<()>;
    /// Nothing more is at hand for now: what is held back should go out.
    fn idle(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Who wants to know how it goes.
pub trait Observer: Sync {
    fn record(&self, record: &Record, bytes: u64);
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The number of parts, when all inputs were gone through; otherwise `stop` was set before the end.
    pub parts: Option<usize>,
    pub wall: Duration,
    /// Time in which the encoder was at work.
    pub encoding: Duration,
    pub tokens: u64,
}

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(transparent)]
    Input(#[from] TaskError),
    #[error("the results cannot be written: {0}")]
    Output(std::io::Error),
}

/// Inputs opened together at most.
const CHUNK_INPUTS: usize = 256;
/// A stream that pauses for this long has what it sent so far answered.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a job. Blocks until all is written, `stop` is set and the parts at hand are done, or something fails for good.
pub fn run(
    job: &Job<'_>,
    sink: &mut dyn Sink,
    observer: &dyn Observer,
) -> Result<Outcome, FlowError> {
    let began = Instant::now();
    let busy = AtomicU64::new(0);
    let tokens = AtomicU64::new(0);
    let (task_in, task_out) = sync_channel::<Result<Task, TaskError>>(CHUNK_INPUTS);
    let parts = spawn_producer(job, task_in);
    let ended = std::thread::scope(|scope| {
        let (opened_in, opened_out) = sync_channel::<Flow<Group>>(1);
        let (encoded_in, encoded_out) = sync_channel::<Flow<Encoded>>(1);
        scope.spawn(move || open_all(job, &task_out, &opened_in));
        let (busy, tokens) = (&busy, &tokens);
        scope.spawn(move || {
            for flow in opened_out {
                let flow = flow.map(|group| {
                    let started = Instant::now();
                    tokens.fetch_add(group.tokens(), Ordering::Relaxed);
                    let encoded = group.encode(job);
                    let nanoseconds = started.elapsed().as_nanos() as u64;
                    busy.fetch_add(nanoseconds, Ordering::Relaxed);
                    encoded
                });
                if encoded_in.send(flow).is_err() {
                    break;
                }
            }
        });
        write_all(job, &encoded_out, sink, observer)
    })?;
    Ok(Outcome {
        parts: parts.get().copied().filter(|_| ended),
        wall: began.elapsed(),
        encoding: Duration::from_nanos(busy.into_inner()),
        tokens: tokens.into_inner(),
    })
}

/// What goes from stage to stage.
enum Flow<T> {
    Group(T),
    Idle,
    /// The input list is at its end.
    End,
    Failed(TaskError),
}

impl<T> Flow<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Flow<U> {
        match self {
            Self::Group(group) => Flow::Group(f(group)),
            Self::Idle => Flow::Idle,
            Self::End => Flow::End,
            Self::Failed(error) => Flow::Failed(error),
        }
    }
}

/// Not a scoped thread: it may be blocked on standard input when everything else is over.
fn spawn_producer(
    job: &Job<'_>,
    tasks: SyncSender<Result<Task, TaskError>>,
) -> Arc<OnceLock<usize>> {
    let parts = Arc::new(OnceLock::new());
    let result = Arc::clone(&parts);
    let (inputs, max_bytes) = (Arc::clone(&job.inputs), job.max_bytes);
    let (finished, stop) = (Arc::clone(&job.finished), Arc::clone(&job.stop));
    std::thread::spawn(move || {
        let mut send = |task| tasks.send(Ok(task)).is_ok();
        match tasks::produce(&inputs, max_bytes, finished.as_ref(), &stop, &mut send) {
            Ok(Some(parts)) => {
                let _ = result.set(parts);
            }
            Ok(None) => {}
            Err(error) => {
                let _ = tasks.send(Err(error));
            }
        }
    });
    parts
}

/// A document whose articles follow.
struct Document {
    part: usize,
    bytes: u64,
    id: String,
    path: String,
    head: Result<Brief, Problem>,
    articles: usize,
}

/// Articles that are encoded together, and the documents that begin among them.
struct Group {
    documents: Vec<Document>,
    articles: Vec<Result<Prepared, Problem>>,
}

struct Encoded {
    documents: Vec<Document>,
    articles: Vec<Result<(Prepared, HiddenStates), Problem>>,
}

/// Collects tasks into chunks, opens and prepares them. Ends when the tasks do, or the next stage is gone.
fn open_all(
    job: &Job<'_>,
    tasks: &Receiver<Result<Task, TaskError>>,
    next: &SyncSender<Flow<Group>>,
) {
    let mut chunk: Vec<Task> = Vec::new();
    let mut bytes = 0;
    loop {
        let received = if chunk.is_empty() {
            // Standard input may stay silent for hours: a stop must be seen all the same.
            tasks.recv_timeout(PAUSE * 5)
        } else {
            tasks.recv_timeout(PAUSE)
        };
        let (full, end) = match received {
            Ok(Ok(task)) => {
                bytes += task.bytes;
                chunk.push(task);
                let full = bytes >= 3 * MAX_GROUP_CHARS as u64 || chunk.len() == CHUNK_INPUTS;
                (full, None)
            }
            Ok(Err(error)) => (true, Some(Flow::Failed(error))),
            Err(RecvTimeoutError::Disconnected) => (true, Some(Flow::End)),
            Err(RecvTimeoutError::Timeout) if chunk.is_empty() => {
                if job.stop.load(Ordering::Relaxed) {
                    return;
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => (true, None),
        };
        if !full {
            continue;
        }
        let paused = bytes < 3 * MAX_GROUP_CHARS as u64;
        bytes = 0;
        for group in open_chunk(std::mem::take(&mut chunk), job) {
            if next.send(Flow::Group(group)).is_err() {
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

fn open_chunk(tasks: Vec<Task>, job: &Job<'_>) -> Vec<Group> {
    let opened: Vec<(Document, Vec<Article>)> = tasks
        .into_par_iter()
        .map(|task| open_task(task, job))
        .collect();
    // A document stands in the group of its first article; one without articles goes with the next or the last.
    let mut out = Vec::new();
    let mut waiting = Vec::new();
    let mut articles: Vec<(Option<Vec<Document>>, Article)> = Vec::new();
    for (document, own) in opened {
        waiting.push(document);
        for article in own {
            let documents = (!waiting.is_empty()).then(|| std::mem::take(&mut waiting));
            articles.push((documents, article));
        }
    }
    for group in groups(articles, |(_, article)| article.text.len()) {
        let (documents, articles): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        out.push(Group {
            documents: documents.into_iter().flatten().flatten().collect(),
            articles: articles
                .into_par_iter()
                .map(|article| guarded(|| Ok(Prepared::new(article, job.model))))
                .collect(),
        });
    }
    if !waiting.is_empty() {
        match out.last_mut() {
            Some(last) => last.documents.extend(waiting),
            None => out.push(Group {
                documents: waiting,
                articles: Vec::new(),
            }),
        }
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
                brief.warnings.push(Warning {
                    kind: "repeated-id".to_owned(),
                    message: "an earlier input has the same id".to_owned(),
                    spans: Vec::new(),
                });
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
    match content {
        Content::Failed(problem) => Err(problem),
        Content::File(file) => {
            let bytes = read_file(&file, job.max_bytes)?;
            let decoded = decode::decode(&bytes, job.options.encoding)?;
            let page = page::split(&decoded.chars, job.options.layout, job.model);
            let input = Input {
                id,
                path,
                bytes: &bytes,
            };
            Ok((header(input, &decoded, &page, job.model), page.articles))
        }
        Content::Text { document, sha256 } => {
            let Decoded {
                chars, undecodable, ..
            } = decode::decode(document.text.as_bytes(), Some(encoding_rs::UTF_8))?;
            let title = document.title.as_deref().unwrap_or_default();
            let page = if title.trim().is_empty() || job.options.layout == page::Layout::Page {
                page::split(&chars, job.options.layout, job.model)
            } else {
                Page {
                    articles: vec![page::titled(&chars, title)],
                    ..Page::default()
                }
            };
            let decoded = Decoded {
                chars,
                undecodable,
                encoding: "UTF-8",
            };
            let input = Input {
                id,
                path,
                bytes: &[],
            };
            let mut brief = header(input, &decoded, &page, job.model);
            brief.source.sha256 = sha256;
            Ok((brief, page.articles))
        }
    }
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
        return Err(Problem::Unread(
            "not-a-file",
            "is neither a file nor a folder".to_owned(),
        ));
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

impl Group {
    fn tokens(&self) -> u64 {
        let prepared = self.articles.iter().flatten();
        prepared
            .map(|article| article.encoded_tokens() as u64)
            .sum()
    }

    fn encode(self, job: &Job<'_>) -> Encoded {
        let good: Vec<&Prepared> = self.articles.iter().flatten().collect();
        let states = guarded(|| stages::encode(&good, job.model, job.options.batch_tokens));
        let articles = match states {
            Ok(states) => {
                let mut states = states.into_iter();
                let mut with_states = |article| (article, states.next().expect("one an article"));
                self.articles
                    .into_iter()
                    .map(|article| article.map(&mut with_states))
                    .collect()
            }
            Err(problem) => self
                .articles
                .into_iter()
                .map(|article| Err(article.err().unwrap_or_else(|| problem.clone())))
                .collect(),
        };
        Encoded {
            documents: self.documents,
            articles,
        }
    }
}

/// Reads results off the states and writes every document when its last article is there. `false` when the stage
/// before was stopped while it waited for input, perhaps in the middle of a part.
fn write_all(
    job: &Job<'_>,
    encoded: &Receiver<Flow<Encoded>>,
    sink: &mut dyn Sink,
    observer: &dyn Observer,
) -> Result<bool, FlowError> {
    let mut open: VecDeque<(Document, Vec<Result<ArticleBrief, Problem>>)> = VecDeque::new();
    for flow in encoded {
        let group = match flow {
            Flow::Group(group) => group,
            Flow::Idle => {
                sink.idle().map_err(FlowError::Output)?;
                continue;
            }
            Flow::End => {
                sink.end().map_err(FlowError::Output)?;
                return Ok(true);
            }
            Flow::Failed(error) => return Err(error.into()),
        };
        let results: Vec<Result<ArticleBrief, Problem>> = group
            .articles
            .into_par_iter()
            .map(|article| {
                let (prepared, states) = article?;
                guarded(|| stages::read(&prepared, &states, job.model, job.options))
            })
            .collect();
        open.extend(group.documents.into_iter().map(|d| (d, Vec::new())));
        // Articles come in the order of their documents, each to the first that is not full.
        let mut filling = 0;
        for result in results {
            while open[filling].1.len() == open[filling].0.articles {
                filling += 1;
            }
            open[filling].1.push(result);
        }
        while let Some((document, articles)) =
            open.pop_front_if(|(document, articles)| articles.len() == document.articles)
        {
            let (part, bytes) = (document.part, document.bytes);
            let record = finish(document, articles);
            observer.record(&record, bytes);
            sink.record(part, &record).map_err(FlowError::Output)?;
        }
    }
    Ok(false)
}

fn finish(document: Document, articles: Vec<Result<ArticleBrief, Problem>>) -> Record {
    let failed = |problem: Problem| problem.record(&document.id, &document.path);
    match (document.head, articles.into_iter().collect()) {
        (Ok(mut brief), Ok(articles)) => {
            brief.articles = articles;
            Record::Brief(Box::new(brief))
        }
        (Err(problem), _) | (_, Err(problem)) => failed(problem),
    }
}
