//! The running stream: open (`open.rs`) → encode → read and write, a thread each, bounded queues between them.

use super::inputs::InputList;
use super::open::open_all;
use super::tasks::{self, Finished, Task, TaskError};
use crate::encoder::HiddenStates;
use crate::model::Model;
use crate::output::record::{ArticleBrief, Brief, Record};
use crate::pipeline::document::{Options, Problem};
use crate::pipeline::stages::{self, Prepared, guarded};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Inputs that wait to be opened: lines are held whole, and a stop should not have to wait for many.
const QUEUED_INPUTS: usize = 8;

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

/// Runs a job. Blocks until all is written, `stop` is set and the parts at hand are done, or something fails for good.
pub fn run(
    job: &Job<'_>,
    sink: &mut dyn Sink,
    observer: &dyn Observer,
) -> Result<Outcome, FlowError> {
    let began = Instant::now();
    let busy = AtomicU64::new(0);
    let tokens = AtomicU64::new(0);
    let (task_in, task_out) = sync_channel::<Result<Task, TaskError>>(QUEUED_INPUTS);
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
pub(super) enum Flow<T> {
    Group(T),
    Idle,
    /// The input list is at its end.
    End,
    /// The last part that was begun is at its end, and no other is wanted.
    Stopped,
    Failed(TaskError),
}

impl<T> Flow<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Flow<U> {
        match self {
            Self::Group(group) => Flow::Group(f(group)),
            Self::Idle => Flow::Idle,
            Self::End => Flow::End,
            Self::Stopped => Flow::Stopped,
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
pub(super) struct Document {
    pub part: usize,
    pub bytes: u64,
    pub id: String,
    pub path: String,
    /// The brief without its articles.
    pub head: Result<Brief, Problem>,
    /// How many articles it has.
    pub articles: usize,
}

/// Articles that are encoded together, and the documents that begin among them.
pub(super) struct Group {
    pub documents: Vec<Document>,
    pub articles: Vec<Result<Prepared, Problem>>,
}

struct Encoded {
    documents: Vec<Document>,
    articles: Vec<Result<(Prepared, HiddenStates), Problem>>,
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
/// before was stopped: between parts, or while it waited for input, perhaps in the middle of one.
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
            Flow::Stopped => {
                sink.end().map_err(FlowError::Output)?;
                return Ok(false);
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
