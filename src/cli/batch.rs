//! `jianbao batch`: many inputs → one record each, in a folder or on standard output.

use super::args::{BatchArgs, BatchFormat, LayoutArg};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use super::progress::Progress;
use super::session;
use crate::model::Model;
use crate::model::bundle::sha256;
use crate::output::json;
use crate::pipeline::batch::flow::{self, FlowError, Job, Outcome, Sink};
use crate::pipeline::batch::folder::{FinishedParts, OutputFolder, PartSink, StreamSink};
use crate::pipeline::batch::inputs::{self, InputKind, InputList, Selection};
use crate::pipeline::batch::manifest::{self, Settings};
use crate::pipeline::batch::report::{self, Counts, ResultFormat};
use crate::pipeline::batch::tasks::{NothingFinished, TaskError};
use crate::pipeline::document::Options;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

pub(super) fn run(args: &BatchArgs, printer: &Printer) -> Result<(), CliError> {
    let to_stdout = args.output.as_os_str() == "-";
    if to_stdout && args.format == BatchFormat::Parquet {
        return Err(
            CliError::new(ExitStatus::Usage, "Parquet cannot be written to a pipe")
                .hint("give a folder with -o, or leave --format out"),
        );
    }
    #[cfg(not(feature = "parquet"))]
    if args.format == BatchFormat::Parquet {
        let message = "this program was built without Parquet";
        return Err(
            CliError::new(ExitStatus::Usage, message).hint("build with the feature `parquet`")
        );
    }
    let list = list(args, printer)?;
    let stop = stop_on_interrupt();
    if to_stdout {
        stream(args, list, stop, printer)
    } else {
        into_folder(args, list, stop, printer)
    }
}

fn list(args: &BatchArgs, printer: &Printer) -> Result<InputList, CliError> {
    let selection = Selection::new(&args.include, &args.exclude).map_err(|e| {
        CliError::new(ExitStatus::Usage, e.to_string())
            .hint("globs look like *.txt, 2023/**/*.txt, page-[0-9].txt")
    })?;
    let standard_input = args.inputs.iter().filter(|p| p.as_os_str() == "-").count();
    if standard_input > 1 {
        return Err(CliError::new(
            ExitStatus::Usage,
            "standard input can be named only once",
        ));
    }
    let list = inputs::list(&args.inputs, &selection, Some(&args.output))
        .map_err(|e| CliError::unreadable(&e.path, &e.source))?;
    if list.links > 0 {
        printer.note(&format!("{} symbolic links are not followed", list.links));
    }
    if list.files.is_empty() && list.unlisted.is_empty() {
        printer.warning(&format!(
            "no file matches {} (see --include)",
            args.include.join(", ")
        ));
    }
    Ok(list)
}

/// A flag that the first Ctrl-C sets; the second one ends the program.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Fails only where a handler exists already, in tests that run several commands.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(ExitStatus::Interrupted as i32);
        }
        Printer::new(false, false)
            .note("\ninterrupted: finishing the parts at hand (again to stop at once)");
    });
    stop
}

fn options(args: &BatchArgs) -> Options {
    Options {
        batch_tokens: args.batch_tokens as usize,
        ..session::options(&args.document)
    }
}

/// Bytes to read, unless a stream or a compressed file hides them.
fn total_bytes(list: &InputList) -> Option<u64> {
    let known = |kind| {
        matches!(
            kind,
            InputKind::Document | InputKind::Special | InputKind::Lines(inputs::Compression::None)
        )
    };
    let hidden = list
        .files
        .iter()
        .any(|file| !known(file.kind) || file.path.as_os_str() == "-");
    (!hidden).then(|| list.files.iter().map(|file| file.facts.bytes).sum())
}

fn stream(
    args: &BatchArgs,
    list: InputList,
    stop: Arc<AtomicBool>,
    printer: &Printer,
) -> Result<(), CliError> {
    let model = session::load_model(&args.model, printer)?;
    let (progress, ticker) = Progress::new(printer, total_bytes(&list));
    let counting = Counting {
        progress: &progress,
        failed: AtomicBool::new(false),
    };
    let job = Job {
        inputs: Arc::new(list),
        model: &model,
        options: &options(args),
        max_bytes: args.max_bytes,
        finished: Arc::new(NothingFinished),
        stop,
    };
    let mut sink = StreamSink(std::io::BufWriter::new(std::io::stdout()));
    let outcome = flow::run(&job, &mut sink, &counting);
    progress.finish();
    drop(ticker);
    let outcome = outcome.map_err(|e| flow_error(e, "standard output"))?;
    sink.end()
        .map_err(|e| CliError::output("standard output", &e))?;
    if outcome.parts.is_none() {
        return Err(CliError::new(
            ExitStatus::Interrupted,
            "interrupted; the records so far are complete lines",
        ));
    }
    some_failed(
        counting
            .failed
            .into_inner()
            .then_some("some inputs failed; their records say why"),
    )
}

/// Watches for failures on the way.
struct Counting<'a> {
    progress: &'a Progress,
    failed: AtomicBool,
}

impl flow::Observer for Counting<'_> {
    fn record(&self, record: &crate::output::record::Record, bytes: u64) {
        if matches!(record, crate::output::record::Record::Failure(_)) {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.progress.record(record, bytes);
    }
}

fn some_failed(message: Option<&str>) -> Result<(), CliError> {
    match message {
        None => Ok(()),
        Some(message) => Err(CliError::new(ExitStatus::SomeFailed, message)),
    }
}

fn flow_error(error: FlowError, target: &str) -> CliError {
    match error {
        FlowError::Output(e) => CliError::output(target, &e),
        FlowError::Input(TaskError::Part(e)) => CliError::output(target, &e),
        FlowError::Input(e @ TaskError::Changed { .. }) => {
            CliError::new(ExitStatus::Usage, e.to_string()).hint(RESTART)
        }
    }
}

const RESTART: &str =
    "give the same command as before to go on, another -o, or --restart to begin anew";

/// `run.json`: everything about a run that must not stand in a record.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    schema: String,
    /// `running`, `interrupted` or `complete`.
    status: String,
    settings: Settings,
    /// What may differ between two sessions of one run.
    sessions: Vec<Session>,
    #[serde(skip_deserializing)]
    counts: Option<Counts>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    began: String,
    ended: Option<String>,
    seconds: Option<f64>,
    /// Seconds in which the encoder was at work, and their share.
    encoding_seconds: Option<f64>,
    encoding_share: Option<f64>,
    tokens: Option<u64>,
    device: String,
    threads: usize,
    batch_tokens: u32,
    host: String,
    system: String,
    parts_found: usize,
}

const RUN_SCHEMA: &str = "jianbao-run/1";

fn settings(args: &BatchArgs, model: &Model) -> Result<Settings, CliError> {
    let layout = match args.document.layout {
        LayoutArg::Auto => "auto",
        LayoutArg::Page => "page",
        LayoutArg::Article => "article",
    };
    let summary = match args.document.max_chars {
        Some(chars) => format!("at most {chars} characters"),
        None => format!("{} sentences", args.document.sentences),
    };
    let sectors = match &args.model.sectors {
        None => "embedded".to_owned(),
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|e| CliError::unreadable(&path.to_string_lossy(), &e))?;
            format!("sha256:{}", sha256(&bytes))
        }
    };
    let encoding = args
        .document
        .encoding
        .0
        .map_or("auto", |encoding| encoding.name());
    let name = model.name();
    Ok([
        ("jianbao", env!("CARGO_PKG_VERSION").to_owned()),
        ("model", format!("{} {}", name.name, name.digest)),
        ("--dtype", name.dtype.clone()),
        ("--device", model.provenance().device.to_owned()),
        ("--layout", layout.to_owned()),
        ("--encoding", encoding.to_owned()),
        ("summary", summary),
        ("--keywords", args.document.keywords.to_string()),
        ("--sectors", sectors),
        ("--max-bytes", args.max_bytes.to_string()),
        ("--include", args.include.join(" ")),
        ("--exclude", args.exclude.join(" ")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect())
}

fn into_folder(
    args: &BatchArgs,
    list: InputList,
    stop: Arc<AtomicBool>,
    printer: &Printer,
) -> Result<(), CliError> {
    let target = args.output.display().to_string();
    let failed = |e: std::io::Error| CliError::output(&target, &e);
    let folder = OutputFolder::open(&args.output).map_err(|e| {
        if e.kind() == std::io::ErrorKind::WouldBlock {
            CliError::new(ExitStatus::Output, format!("{target} is in use"))
                .hint("another jianbao batch writes there; wait for it or give another -o")
        } else {
            failed(e)
        }
    })?;
    if args.restart {
        folder.clear().map_err(failed)?;
    }
    let model = session::load_model(&args.model, printer)?;
    let settings = settings(args, &model)?;
    let mut run = earlier_run(&folder, &settings, &list)?.unwrap_or(Run {
        schema: RUN_SCHEMA.to_owned(),
        status: String::new(),
        settings,
        sessions: Vec::new(),
        counts: None,
    });
    if run.sessions.is_empty() {
        folder
            .write(&folder.path("inputs.jsonl"), |out| {
                manifest::write_inputs(&list, out)
            })
            .map_err(failed)?;
    }
    let finished = folder.finished().map_err(failed)?;
    if !finished.is_empty() {
        printer.note(&format!("going on: {} parts are done", finished.len()));
    }
    run.status = "running".to_owned();
    run.sessions.push(this_session(args, &model, &finished));
    write_run(&folder, &run).map_err(failed)?;

    let (progress, ticker) = Progress::new(printer, total_bytes(&list));
    let job = Job {
        inputs: Arc::new(list),
        model: &model,
        options: &options(args),
        max_bytes: args.max_bytes,
        finished: Arc::new(finished.clone()),
        stop,
    };
    let mut sink = PartSink::new(|part, bytes: &[u8]| {
        folder.write(&folder.part(part), |out| out.write_all(bytes))
    });
    let outcome = flow::run(&job, &mut sink, &progress);
    progress.finish();
    drop(ticker);
    let outcome = outcome.map_err(|e| flow_error(e, &target))?;
    end_session(&mut run, &outcome);
    let Some(parts) = outcome.parts else {
        run.status = "interrupted".to_owned();
        write_run(&folder, &run).map_err(failed)?;
        let done = folder.finished().map_err(failed)?.len();
        let message = format!("interrupted; {done} parts are done and kept in {target}");
        return Err(CliError::new(ExitStatus::Interrupted, message)
            .hint("the same command goes on from there"));
    };
    if let Some(last) = finished.last().filter(|&last| last >= parts) {
        let message =
            format!("the input has become shorter: part {last} was done, now there are {parts}");
        return Err(CliError::new(ExitStatus::Usage, message).hint(RESTART));
    }
    let format = match args.format {
        BatchFormat::Jsonl => ResultFormat::JsonLines,
        #[cfg(feature = "parquet")]
        BatchFormat::Parquet => ResultFormat::Parquet,
        #[cfg(not(feature = "parquet"))]
        BatchFormat::Parquet => unreachable!("refused above"),
    };
    let counts = report::join(&folder, parts, format).map_err(failed)?;
    run.status = "complete".to_owned();
    run.counts = Some(counts.clone());
    write_run(&folder, &run).map_err(failed)?;
    printer.note(&closing(&counts, &outcome, &model, &target));
    let message = format!(
        "{} of {} inputs failed; see {}",
        counts.failed(),
        counts.inputs,
        folder.path("errors.jsonl").display()
    );
    some_failed((counts.failed() > 0).then_some(message.as_str()))
}

/// What an earlier run in this folder was; an error when it was another one.
fn earlier_run(
    folder: &OutputFolder,
    settings: &Settings,
    list: &InputList,
) -> Result<Option<Run>, CliError> {
    let path = folder.path("run.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Parts without a run belong to nobody we know.
            let stray = folder.finished().is_ok_and(|parts| !parts.is_empty());
            return if stray {
                let message = format!("{} has parts but no run.json", folder.root().display());
                Err(CliError::new(ExitStatus::Usage, message).hint(RESTART))
            } else {
                Ok(None)
            };
        }
        Err(e) => return Err(CliError::unreadable(&path.display().to_string(), &e)),
    };
    let refuse = |difference: String| {
        let message = format!(
            "{} holds another run: {difference}",
            folder.root().display()
        );
        Err(CliError::new(ExitStatus::Usage, message).hint(RESTART))
    };
    let run: Run = match serde_json::from_str(&text) {
        Ok(run) => run,
        Err(e) => return refuse(format!("run.json is not readable ({e})")),
    };
    if run.schema != RUN_SCHEMA {
        return refuse(format!("run.json has the form {}", run.schema));
    }
    if let Some(difference) = manifest::settings_difference(&run.settings, settings) {
        return refuse(difference);
    }
    let path = folder.path("inputs.jsonl");
    let then =
        File::open(&path).map_err(|e| CliError::unreadable(&path.display().to_string(), &e))?;
    match manifest::inputs_difference(BufReader::new(then), list) {
        Ok(None) => Ok(Some(run)),
        Ok(Some(difference)) => refuse(difference),
        Err(e) => refuse(format!("inputs.jsonl is not readable ({e})")),
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn this_session(args: &BatchArgs, model: &Model, finished: &FinishedParts) -> Session {
    Session {
        began: now(),
        ended: None,
        seconds: None,
        encoding_seconds: None,
        encoding_share: None,
        tokens: None,
        device: model.provenance().device.to_owned(),
        threads: rayon::current_num_threads(),
        batch_tokens: args.batch_tokens,
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        parts_found: finished.len(),
    }
}

fn end_session(run: &mut Run, outcome: &Outcome) {
    let Some(session) = run.sessions.last_mut() else {
        return;
    };
    let seconds = outcome.wall.as_secs_f64();
    let encoding = outcome.encoding.as_secs_f64();
    session.ended = Some(now());
    session.seconds = Some(seconds);
    session.encoding_seconds = Some(encoding);
    session.encoding_share = Some(encoding / seconds.max(1e-9));
    session.tokens = Some(outcome.tokens);
}

fn write_run(folder: &OutputFolder, run: &Run) -> std::io::Result<()> {
    let text = json::text(run, true);
    folder.write(&folder.path("run.json"), |out| {
        out.write_all(text.as_bytes())
    })
}

/// The closing summary.
fn closing(counts: &Counts, outcome: &Outcome, model: &Model, target: &str) -> String {
    let seconds = outcome.wall.as_secs_f64().max(1e-9);
    let mut out = format!(
        "{} inputs, {} articles, {} characters → {target}\n",
        counts.inputs, counts.articles, counts.chars
    );
    out.push_str(&format!(
        "this session: {seconds:.1} s, {:.0} tokens/s, encoder at work {:.0}% of the time\n",
        outcome.tokens as f64 / seconds,
        100.0 * outcome.encoding.as_secs_f64() / seconds
    ));
    let mut sectors: Vec<(&String, &usize)> = counts.sectors.iter().collect();
    sectors.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let labels = &model.taxonomy().sectors;
    for (key, count) in sectors {
        let label = labels.iter().find(|sector| &sector.key == key);
        let label = label.map_or("", |sector| sector.label.as_str());
        let share = 30 * count / counts.articles.max(1);
        out.push_str(&format!(
            "  {count:>8}  {key:<14} {} {label}\n",
            "▇".repeat(share.max(1))
        ));
    }
    for (kind, count) in &counts.failures {
        out.push_str(&format!("  {count:>8}  failed: {kind}\n"));
    }
    out.truncate(out.trim_end().len());
    out
}
