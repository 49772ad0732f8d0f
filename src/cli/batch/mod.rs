//! `jianbao batch`: many inputs → one record each, in a folder or on standard output.

mod run_file;

use super::args::{BatchArgs, BatchFormat};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use super::progress::Progress;
use super::session;
use crate::model::Model;
use crate::pipeline::batch::flow::{self, FlowError, Job, Outcome};
use crate::pipeline::batch::folder::{OutputFolder, PartSink, StreamSink};
use crate::pipeline::batch::inputs::{self, InputKind, InputList, Selection};
use crate::pipeline::batch::manifest;
use crate::pipeline::batch::report::{self, Counts, ResultFormat};
use crate::pipeline::batch::results::is_result;
use crate::pipeline::batch::tasks::{NothingFinished, TaskError};
use crate::pipeline::document::Options;
use run_file::{RESTART, Run, Session};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    let stop = stop_on_interrupt(*printer);
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
    check_inputs(args)?;
    let list = inputs::list(&args.inputs, &selection, Some(&args.output))
        .map_err(|e| CliError::unreadable(&e.path, &e.source))?;
    if list.links > 0 {
        printer.note(&format!(
            "{} not followed; name what they point to to read it",
            counted(list.links, "symbolic link is", "symbolic links are")
        ));
    }
    if list.files.is_empty() && list.unlisted.is_empty() {
        printer.warning(&format!(
            "no file matches {} (see --include)",
            args.include.join(", ")
        ));
    }
    Ok(list)
}

/// What a run would overwrite is no input of it.
fn check_inputs(args: &BatchArgs) -> Result<(), CliError> {
    let Ok(root) = args.output.canonicalize() else {
        return Ok(());
    };
    let is_result = |path: &&PathBuf| {
        path.canonicalize()
            .is_ok_and(|path| is_result(&root, &path))
    };
    match args.inputs.iter().find(is_result) {
        None => Ok(()),
        Some(input) => Err(CliError::would_overwrite(input).hint("give another folder with -o")),
    }
}

/// `1 input`, `2 inputs`.
fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A flag that the first Ctrl-C or SIGTERM sets; the second one ends the program. A hang-up is left alone, so that `nohup` keeps
/// what it promises.
fn stop_on_interrupt(printer: Printer) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: what looks at the flag first finds it set by the signal before.
        let status = ExitStatus::Interrupted as i32;
        let _ = flag::register_conditional_shutdown(signal, status, Arc::clone(&stop));
        let _ = flag::register(signal, Arc::clone(&stop));
    }
    // Nothing may be printed while a signal is handled.
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            std::thread::sleep(NOTICE);
        }
        printer.note("\ninterrupted: finishing the parts at hand (again to stop at once)");
    });
    stop
}

/// How soon an interruption is answered.
const NOTICE: Duration = Duration::from_millis(50);

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
            InputKind::Document
                | InputKind::Special
                | InputKind::Lines(inputs::Compression::Unnamed)
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
    let mut sink = StreamSink(std::io::BufWriter::new(std::io::stdout()));
    let progress = Progress::new(printer, total_bytes(&list));
    let job = Job {
        inputs: Arc::new(list),
        model: &model,
        options: &options(args),
        max_bytes: args.max_bytes,
        finished: Arc::new(NothingFinished),
        stop,
    };
    let outcome = watched(&job, &mut sink, &progress, "standard output")?;
    flow::Sink::end(&mut sink).map_err(|e| CliError::output("standard output", &e))?;
    if outcome.parts.is_none() {
        return Err(CliError::new(
            ExitStatus::Interrupted,
            "interrupted; the records so far are complete lines",
        ));
    }
    match progress.failed() {
        0 => Ok(()),
        failed => some_failed(format!("{failed} inputs failed; their records say why")),
    }
}

/// Runs the job; the moving line is gone before anything else is said.
fn watched(
    job: &Job<'_>,
    sink: &mut impl flow::Sink,
    progress: &Progress,
    target: &str,
) -> Result<Outcome, CliError> {
    let outcome = flow::run(job, sink, progress);
    progress.finish();
    outcome.map_err(|e| flow_error(e, target))
}

fn some_failed(message: String) -> Result<(), CliError> {
    Err(CliError::new(ExitStatus::SomeFailed, message))
}

fn flow_error(error: FlowError, target: &str) -> CliError {
    match error {
        FlowError::Output(e) => CliError::output(target, &e),
        FlowError::Input(e @ TaskError::Part(_)) => {
            CliError::new(ExitStatus::Output, e.to_string())
                .hint("remove that part to have it done again, or give --restart to begin anew")
        }
        FlowError::Input(e @ (TaskError::Changed { .. } | TaskError::Shorter { .. })) => {
            CliError::new(ExitStatus::Usage, e.to_string()).hint(RESTART)
        }
    }
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
    let is_ours = run_file::is_ours(&folder)?;
    // All that can be wrong with the command, before anything is removed.
    let model = session::load_model(&args.model, printer)?;
    let settings = run_file::settings(args, &model)?;
    if is_ours {
        folder.remove_unfinished().map_err(failed)?;
    }
    if args.restart {
        folder.clear().map_err(failed)?;
    }
    let mut run = Run::open(&folder, settings, &list)?;
    folder.make_parts().map_err(failed)?;
    if run.is_new() {
        // First what says whose folder it is.
        run.write(&folder).map_err(failed)?;
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
    run.begin(Session::new(args, &model, finished.len()));
    run.write(&folder).map_err(failed)?;

    let mut sink = PartSink::new(|part, bytes: &[u8]| {
        folder.write(&folder.part(part), |out| out.write_all(bytes))
    });
    let progress = Progress::new(printer, total_bytes(&list));
    let job = Job {
        inputs: Arc::new(list),
        model: &model,
        options: &options(args),
        max_bytes: args.max_bytes,
        finished: Arc::new(finished.clone()),
        stop,
    };
    let outcome = watched(&job, &mut sink, &progress, &target)?;
    let Some(parts) = outcome.parts else {
        run.end(&outcome, None);
        run.write(&folder).map_err(failed)?;
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
    run.end(&outcome, Some(counts.clone()));
    run.write(&folder).map_err(failed)?;
    printer.note(&closing(&counts, &outcome, &model, &target));
    match counts.failed() {
        0 => Ok(()),
        failed => some_failed(format!(
            "{failed} of {} inputs failed; see {}",
            counts.inputs,
            folder.path("errors.jsonl").display()
        )),
    }
}

/// The closing summary.
fn closing(counts: &Counts, outcome: &Outcome, model: &Model, target: &str) -> String {
    let seconds = outcome.wall.as_secs_f64().max(1e-9);
    let mut out = format!(
        "{}, {}, {} characters → {target}\n",
        counted(counts.inputs, "input", "inputs"),
        counted(counts.articles, "article", "articles"),
        counts.chars
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
    for (kind, count) in &counts.warnings {
        out.push_str(&format!("  {count:>8}  with a warning: {kind}\n"));
    }
    for (kind, count) in &counts.failures {
        out.push_str(&format!("  {count:>8}  failed: {kind}\n"));
    }
    out.truncate(out.trim_end().len());
    out
}
