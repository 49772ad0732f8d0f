//! `jianbao bench`: speed on each device and in each number format, side by side.

use super::args::{BenchArgs, Stages};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use super::progress;
use super::session;
use super::targets;
use crate::analysis::sector::Taxonomy;
use crate::benchmark::agreement::{self, MIN_COSINE, Vectors};
use crate::benchmark::machine::{self, Machine};
use crate::benchmark::measure::{self, MeasureError, Prepared, Sample, Stage};
use crate::benchmark::mix::Mix;
use crate::benchmark::plot;
use crate::benchmark::report::{Backend, Case, MixFacts, Report, SCHEMA, TableStyle};
use crate::benchmark::statistics::Spread;
use crate::encoder::HiddenStates;
use crate::encoder::candle::device::{self, DeviceChoice, DeviceError, Precision};
use crate::model::{self, Model, ModelError};
use crate::output::{json, whole};
use crate::pipeline::document::Options;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of an earlier report that are read: thousands of cases.
const MAX_REPORT: u64 = 1 << 24;

/// Tokens a batch where nothing is timed.
const AGREEMENT_BATCH: usize = 4096;

/// A model on a device in a number format, and what it makes of each mix.
struct Runner {
    device: String,
    dtype: String,
    model: Model,
    load_seconds: f64,
    mixes: Vec<Prepared>,
}

/// A case and its timings so far.
struct Running {
    runner: usize,
    mix: usize,
    stage: Stage,
    batch_tokens: usize,
    samples: Vec<Sample>,
    peak_bytes: Option<u64>,
}

pub(super) fn run(args: &BenchArgs, printer: &Printer) -> Result<(), CliError> {
    let report = match &args.report {
        Some(path) => {
            check_targets(args, &[])?;
            let report = earlier(path)?;
            if !draw(args, &report)? {
                return Err(CliError::new(
                    ExitStatus::Input,
                    format!("{} has no case of the encoder to draw", path.display()),
                ));
            }
            report
        }
        None => measure_all(args, printer)?,
    };
    if args.json {
        return printer.json(&report, printer.stdout_is_terminal());
    }
    let style = if args.markdown {
        TableStyle::Markdown
    } else {
        TableStyle::Plain
    };
    printer.text(&report.text(style))
}

/// Where something is to be written, that is possible; before minutes of measuring.
fn check_targets(args: &BenchArgs, mixes: &[Mix]) -> Result<(), CliError> {
    if args.plot.is_some() && args.stage == Stages::EndToEnd {
        let message = "--plot draws the encoder, and --stage end-to-end leaves it out".to_owned();
        return Err(CliError::new(ExitStatus::Usage, message).hint("leave out one of the two"));
    }
    for path in files_of(args) {
        if path.as_os_str() == "-" {
            let message = "--output, --plot and --tokens write files, and `-` is none".to_owned();
            return Err(CliError::new(ExitStatus::Usage, message)
                .hint("--json writes the report to standard output"));
        }
    }
    // The user's own texts, as they were found, and an earlier report.
    let files = mixes.iter().flat_map(|mix| &mix.inputs.files);
    let inputs = files.map(|file| file.path.as_path());
    let inputs: Vec<&Path> = inputs.chain(args.report.as_deref()).collect();
    (files_of(args)).try_for_each(|target| targets::check(target, inputs.iter().copied()))
}

fn files_of(args: &BenchArgs) -> impl Iterator<Item = &PathBuf> {
    let targets = [&args.output, &args.plot, &args.tokens];
    targets.into_iter().flatten()
}

/// What another run wrote with `--output`.
fn earlier(path: &Path) -> Result<Report, CliError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| CliError::unreadable(&name, &e))?;
    let report: Result<Report, _> = serde_json::from_reader(BufReader::new(file).take(MAX_REPORT));
    let refused = |reason: String| {
        CliError::new(
            ExitStatus::Input,
            format!("{name} is no report of a benchmark: {reason}"),
        )
        .hint("`jianbao bench -o FILE` writes one")
    };
    match report {
        Ok(report) if report.schema != SCHEMA => {
            Err(refused(format!("its schema is {}", report.schema)))
        }
        Ok(report) if !report.cases.iter().all(Case::is_plausible) => {
            Err(refused("a case has no speed".to_owned()))
        }
        Ok(report) => Ok(report),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn measure_all(args: &BenchArgs, printer: &Printer) -> Result<Report, CliError> {
    session::set_threads(args.threads);
    let mixes = mixes(args)?;
    check_targets(args, &mixes)?;
    let runners = runners(args, &mixes, printer)?;
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        machine: Machine::this(),
        model: args.model.to_string(),
        threads: rayon::current_num_threads(),
        mixes: mixes
            .iter()
            .zip(&runners[0].mixes)
            .map(|(mix, prepared)| facts(mix, prepared, &runners[0].model))
            .collect(),
        backends: backends(&runners)?,
        cases: Vec::new(),
    };
    if let Some(path) = &args.tokens {
        write_tokens(path, &runners[0].mixes)?;
    }
    let mut cases = cases(args, &runners, &report.backends, mixes.len(), printer);
    let progress = progress::bar(printer, cases.len() * (args.rounds as usize + 1));
    // Round 0 warms up and is not counted.
    for round in 0..=args.rounds {
        for case in &mut cases {
            let runner = &runners[case.runner];
            let options = options(case.batch_tokens);
            let at_least = match round {
                0 => Duration::ZERO,
                _ => Duration::from_secs_f64(args.seconds),
            };
            let forgotten = machine::forget_peak_memory();
            let sample = measure::sample(
                case.stage,
                &mixes[case.mix],
                &runner.mixes[case.mix],
                &runner.model,
                &options,
                at_least,
            )
            .map_err(measure_error)?;
            if round > 0 {
                case.samples.push(sample);
                let peak = machine::peak_memory().filter(|_| forgotten);
                case.peak_bytes = case.peak_bytes.max(peak);
            }
            progress.inc(1);
        }
        // What is measured so far is kept, whatever happens next.
        if round > 0 {
            report.cases = cases
                .iter()
                .filter_map(|case| measured(case, &runners, &mixes))
                .collect();
            write_files(args, &report)?;
        }
    }
    progress.finish_and_clear();
    Ok(report)
}

fn options(batch_tokens: usize) -> Options {
    Options {
        batch_tokens,
        ..Options::default()
    }
}

fn mixes(args: &BenchArgs) -> Result<Vec<Mix>, CliError> {
    if !args.input.is_empty() {
        let mix =
            Mix::of_inputs(&args.input).map_err(|e| CliError::unreadable(&e.path, &e.source))?;
        return Ok(vec![mix]);
    }
    let temporary = std::env::temp_dir().display().to_string();
    args.mix
        .iter()
        .map(|name| {
            let mix = Mix::made(name).map_err(|e| CliError::output(&temporary, &e))?;
            mix.ok_or_else(|| {
                CliError::new(ExitStatus::Usage, format!("there is no mix {name}")).hint(format!(
                    "there are {}; --input reads your own files",
                    Mix::names().join(", ")
                ))
            })
        })
        .collect()
}

/// The models, the CPU in f32 first: everything is compared with it.
fn runners(args: &BenchArgs, mixes: &[Mix], printer: &Printer) -> Result<Vec<Runner>, CliError> {
    let mut wanted = vec![(DeviceChoice::Cpu, Precision::F32)];
    for device in devices(args)? {
        let formats = match (&args.dtype[..], device) {
            ([], DeviceChoice::Cpu) => &[Precision::F32, Precision::Int8][..],
            ([], _) => &[Precision::F32, Precision::F16, Precision::Bf16],
            (asked, _) => asked,
        };
        wanted.extend(formats.iter().map(|&format| (device, format)));
    }
    let mut out: Vec<Runner> = Vec::new();
    for (n, &(choice, precision)) in wanted.iter().enumerate() {
        if wanted[..n].contains(&(choice, precision)) {
            continue;
        }
        let began = Instant::now();
        let (device, _) = device::open(choice)?;
        let name = format!("{choice} {}", precision.name());
        let model = match model::load(&args.model, Taxonomy::embedded(), device, precision.into()) {
            Ok(model) => model,
            Err(error @ ModelError::Precision { .. }) => {
                printer.note(&format!("{name} is left out: {error}"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let load_seconds = began.elapsed().as_secs_f64();
        printer.detail(&format!("{name}: loaded in {load_seconds:.2} s"));
        let prepared = mixes
            .iter()
            .map(|mix| Prepared::new(mix, &model, &Options::default()).map_err(measure_error))
            .collect::<Result<_, _>>()?;
        out.push(Runner {
            device: choice.to_string(),
            dtype: precision.name().to_owned(),
            model,
            load_seconds,
            mixes: prepared,
        });
    }
    Ok(out)
}

/// What was asked for, or the CPU and every GPU kind that opens.
fn devices(args: &BenchArgs) -> Result<Vec<DeviceChoice>, CliError> {
    let mut out = Vec::new();
    for &choice in &args.device {
        match choice {
            DeviceChoice::Auto => {
                out.push(DeviceChoice::Cpu);
                for gpu in [DeviceChoice::Cuda(0), DeviceChoice::Metal] {
                    match device::open(gpu) {
                        Ok(_) => out.push(gpu),
                        Err(DeviceError::NotBuilt(_) | DeviceError::Unavailable { .. }) => {}
                    }
                }
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn facts(mix: &Mix, prepared: &Prepared, model: &Model) -> MixFacts {
    MixFacts {
        name: mix.name.clone(),
        articles: prepared.articles.len(),
        chars: prepared.chars,
        tokens: prepared.tokens.iter().map(|tokens| tokens.rows()).sum(),
        encoded_tokens: prepared.encoded_tokens(),
        padded_tokens: prepared.padded_tokens(model, AGREEMENT_BATCH),
    }
}

/// Every runner against the first.
fn backends(runners: &[Runner]) -> Result<Vec<Backend>, CliError> {
    let reference = vectors(&runners[0])?;
    let backend = |(n, runner): (usize, &Runner)| {
        let agreement = match n {
            0 => agreement::compare(&reference, &reference),
            _ => agreement::compare(&reference, &vectors(runner)?),
        };
        Ok(Backend {
            device: runner.device.clone(),
            dtype: runner.dtype.clone(),
            load_seconds: runner.load_seconds,
            agreement,
        })
    };
    runners.iter().enumerate().map(backend).collect()
}

/// The articles' mean hidden states, mix by mix.
fn vectors(runner: &Runner) -> Result<Vec<(&Prepared, Vectors)>, CliError> {
    let of = |mix| {
        let mut out = Vectors::new();
        let keep = |states: HiddenStates| out.push(states.mean(0, states.rows()));
        Prepared::encode(mix, &runner.model, AGREEMENT_BATCH, keep)?;
        Ok((mix, out))
    };
    runner.mixes.iter().map(of).collect()
}

/// All combinations whose answers can be trusted.
fn cases(
    args: &BenchArgs,
    runners: &[Runner],
    backends: &[Backend],
    mixes: usize,
    printer: &Printer,
) -> Vec<Running> {
    let stages: &[Stage] = match args.stage {
        Stages::Both => &[Stage::Encoder, Stage::EndToEnd],
        Stages::Encoder => &[Stage::Encoder],
        Stages::EndToEnd => &[Stage::EndToEnd],
    };
    let mut out = Vec::new();
    for &stage in stages {
        for mix in 0..mixes {
            for &batch_tokens in &args.batch_tokens {
                for (runner, backend) in backends.iter().enumerate() {
                    if backend.agreement.holds() {
                        out.push(Running {
                            runner,
                            mix,
                            stage,
                            batch_tokens: batch_tokens as usize,
                            samples: Vec::new(),
                            peak_bytes: None,
                        });
                    }
                }
            }
        }
    }
    for (runner, backend) in runners.iter().zip(backends) {
        if !backend.agreement.holds() {
            printer.warning(&format!(
                "{} {} is not measured: its cosine with the CPU in f32 is {:.4}, below {MIN_COSINE}",
                runner.device, runner.dtype, backend.agreement.lowest_cosine
            ));
        }
    }
    out
}

fn measured(case: &Running, runners: &[Runner], mixes: &[Mix]) -> Option<Case> {
    let runner = &runners[case.runner];
    let prepared = &runner.mixes[case.mix];
    let seconds: Vec<f64> = case.samples.iter().map(|sample| sample.seconds).collect();
    let seconds = Spread::of(&seconds)?;
    let joules: Vec<f64> = case
        .samples
        .iter()
        .filter_map(|sample| sample.joules)
        .collect();
    let articles = prepared.articles.len() as f64;
    Some(Case {
        stage: case.stage.name().to_owned(),
        mix: mixes[case.mix].name.clone(),
        device: runner.device.clone(),
        dtype: runner.dtype.clone(),
        batch_tokens: case.batch_tokens,
        tokens_per_second: prepared.encoded_tokens() as f64 / seconds.median,
        articles_per_second: articles / seconds.median,
        chars_per_second: prepared.chars as f64 / seconds.median,
        seconds,
        peak_bytes: case.peak_bytes,
        joules_per_1000_articles: Spread::of(&joules)
            .map(|joules| joules.median * 1000.0 / articles),
    })
}

/// An article a line: title, text, and the sequences that the encoder is given.
fn write_tokens(path: &Path, mixes: &[Prepared]) -> Result<(), CliError> {
    let mut lines = String::new();
    for mix in mixes {
        for (article, tokens) in mix.articles.iter().zip(&mix.tokens) {
            let windows: Vec<&[u32]> = tokens.windows.iter().map(|w| w.ids.as_slice()).collect();
            lines.push_str(&json::line(&serde_json::json!({
                "title": article.title, "text": article.text, "windows": windows,
            })));
        }
    }
    write(path, &lines)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    whole::write_text(path, text).map_err(|e| CliError::output(&path.display().to_string(), &e))
}

fn write_files(args: &BenchArgs, report: &Report) -> Result<(), CliError> {
    if let Some(path) = &args.output {
        write(path, &json::text(report, true))?;
    }
    draw(args, report)?;
    Ok(())
}

/// The picture, if one was asked for; `false` when there is nothing to draw.
fn draw(args: &BenchArgs, report: &Report) -> Result<bool, CliError> {
    let Some(path) = &args.plot else {
        return Ok(true);
    };
    let Some(picture) = plot::svg(report) else {
        return Ok(false);
    };
    write(path, &picture)?;
    Ok(true)
}

fn measure_error(error: MeasureError) -> CliError {
    match error {
        MeasureError::Nothing(_) => CliError::new(ExitStatus::Input, error.to_string())
            .hint("--input takes text files, JSON Lines, and folders with *.txt files"),
        MeasureError::Encode(error) => error.into(),
        MeasureError::Flow(error) => CliError::new(ExitStatus::Input, error.to_string()),
    }
}
