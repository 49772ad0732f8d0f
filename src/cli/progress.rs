//! How a batch is going: a line that moves on a terminal, a plain line every ten seconds elsewhere.

use super::printer::Printer;
use crate::output::record::Record;
use crate::pipeline::batch::flow::Observer;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two plain lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// A bar over `steps` equal steps, hidden where nothing may be drawn.
pub(super) fn bar(printer: &Printer, steps: usize) -> ProgressBar {
    if !printer.draws() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta_precise} left") {
        bar.set_style(style);
    }
    bar
}

/// Counts records as they come.
pub(super) struct Progress {
    counts: Arc<Counts>,
    bar: ProgressBar,
    ticker: Mutex<Option<Ticker>>,
}

struct Counts {
    began: Instant,
    /// Of the inputs, when it is known.
    total_bytes: Option<u64>,
    bytes: AtomicU64,
    inputs: AtomicU64,
    articles: AtomicU64,
    chars: AtomicU64,
    errors: AtomicU64,
}

/// The thread that prints plain lines; ends when dropped.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(counts: Arc<Counts>) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let printer = Printer::new(false, false);
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
                printer.note(&counts.line());
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Progress {
    /// `total_bytes` is what there is to read, where it is known.
    pub fn new(printer: &Printer, total_bytes: Option<u64>) -> Self {
        let counts = Arc::new(Counts {
            began: Instant::now(),
            total_bytes: total_bytes.filter(|&bytes| bytes > 0),
            bytes: AtomicU64::new(0),
            inputs: AtomicU64::new(0),
            articles: AtomicU64::new(0),
            chars: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        });
        let mut ticker = None;
        let bar = if printer.draws() {
            let template = match counts.total_bytes {
                Some(_) => "{elapsed_precise} {wide_bar} {percent}%  {msg}  {eta_precise} left",
                None => "{elapsed_precise} {spinner} {msg}",
            };
            let bar = ProgressBar::new(counts.total_bytes.unwrap_or(0));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        } else {
            if !printer.is_quiet() {
                ticker = Some(Ticker::start(Arc::clone(&counts)));
            }
            ProgressBar::hidden()
        };
        let ticker = Mutex::new(ticker);
        Self {
            counts,
            bar,
            ticker,
        }
    }

    /// Inputs without a brief so far.
    pub fn failed(&self) -> u64 {
        self.counts.errors.load(Ordering::Relaxed)
    }

    /// Takes the moving line away, and prints no further plain one.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        drop(self.ticker.lock().ok().and_then(|mut ticker| ticker.take()));
    }
}

impl Counts {
    fn message(&self) -> String {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let rate = get(&self.chars) as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        format!(
            "{} inputs, {} articles, {} errors, {} characters/s",
            HumanCount(get(&self.inputs)),
            HumanCount(get(&self.articles)),
            HumanCount(get(&self.errors)),
            HumanCount(rate as u64),
        )
    }

    fn line(&self) -> String {
        let mut line = self.message();
        let done = self.bytes.load(Ordering::Relaxed);
        if let Some(total) = self.total_bytes
            && done > 0
        {
            let left = self.began.elapsed().as_secs_f64() * total.saturating_sub(done) as f64
                / done as f64;
            let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
            line.push_str(&format!(
                ", {}%, {left} left",
                done.min(total) * 100 / total
            ));
        }
        line
    }
}

impl Observer for Progress {
    fn record(&self, record: &Record, bytes: u64) {
        let counts = &self.counts;
        let add = |n: &AtomicU64, by: u64| {
            n.fetch_add(by, Ordering::Relaxed);
        };
        add(&counts.inputs, 1);
        add(&counts.bytes, bytes);
        match record {
            Record::Brief(brief) => {
                add(&counts.articles, brief.articles.len() as u64);
                add(&counts.chars, brief.source.chars as u64);
            }
            Record::Failure(_) => add(&counts.errors, 1),
        }
        if !self.bar.is_hidden() {
            self.bar.inc(bytes);
            self.bar.set_message(counts.message());
        }
    }
}
