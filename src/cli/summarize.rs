//! `jianbao summarize`: one input → one record.

use super::args::{Format, SummarizeArgs};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use super::session;
use super::targets;
use crate::document::decode::decode;
use crate::document::path_text;
use crate::output::json;
use crate::output::record::{Brief, Record};
use crate::output::whole;
use crate::pipeline::document::{self, Input};
use crate::text::dictionary;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A longer text, in bytes, has so many characters that most of the dictionary consists of them.
const MAX_SMALL_TEXT: usize = 1 << 18;

pub(super) fn run(args: &SummarizeArgs, printer: &Printer) -> Result<(), CliError> {
    let path = path_text(&args.input);
    if let Some(output) = file_of(args) {
        let taxonomy = args.model.sectors.iter();
        targets::check(output, taxonomy.chain([&args.input]).map(PathBuf::as_path))?;
    }
    // The input first: a mistyped path should not wait for a model.
    let bytes = read(&args.input, args.max_bytes)?;
    if bytes.len() <= MAX_SMALL_TEXT
        && let Ok(text) = decode(&bytes, args.document.encoding.0)
    {
        dictionary::expect(&text.chars);
    }
    let model = session::load_model(&args.model, printer)?;
    let began = Instant::now();
    let input = Input {
        id: &path,
        path: &path,
        bytes: &bytes,
    };
    let brief = document::brief(input, &model, &session::options(&args.document))
        .map_err(|e| CliError::document(&path, &e))?;
    printer.detail(&format!(
        "{} articles in {} ms",
        brief.articles.len(),
        began.elapsed().as_millis()
    ));
    for warning in &brief.warnings {
        printer.warning(&format!("{path}: {}", warning.message));
    }
    write(args, brief, printer)
}

/// The file to write, if it is not standard output: `-` as everywhere.
fn file_of(args: &SummarizeArgs) -> Option<&Path> {
    let output = args.output.as_deref();
    output.filter(|path| path.as_os_str() != "-")
}

fn write(args: &SummarizeArgs, brief: Brief, printer: &Printer) -> Result<(), CliError> {
    let output = file_of(args);
    let on_terminal = output.is_none() && printer.stdout_is_terminal();
    let format = args.format.unwrap_or(if on_terminal {
        Format::Json
    } else {
        Format::Jsonl
    });
    let record = Record::Brief(Box::new(brief));
    match output {
        None => printer.json(&record, format == Format::Json),
        Some(path) => whole::write_text(path, &json::text(&record, format == Format::Json))
            .map_err(|e| CliError::output(&path.display().to_string(), &e)),
    }
}

/// Reads an input whole, up to a limit; never more than the limit is held in memory.
fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, CliError> {
    let name = path_text(path);
    let unreadable = |e: std::io::Error| CliError::unreadable(&name, &e);
    let reader: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        Box::new(file)
    };
    let mut bytes = Vec::new();
    reader
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("{name} is larger than {max_bytes} bytes");
        return Err(
            CliError::new(ExitStatus::Input, message).hint("raise the limit with --max-bytes")
        );
    }
    Ok(bytes)
}
