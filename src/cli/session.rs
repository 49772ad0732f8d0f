//! From model arguments to a loaded model.

use super::args::{DocumentArgs, ModelArgs};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use crate::analysis::sector::{Taxonomy, TaxonomyError};
use crate::analysis::summary::Length;
use crate::encoder::candle::device;
use crate::model::{self, Model};
use crate::pipeline::document::Options;
use crate::text::{dictionary, patterns};
use std::time::Instant;

/// Threads of the whole program; all cores unless somebody says otherwise.
pub(super) fn set_threads(threads: Option<u16>) {
    // Fails only when a pool exists already, which is fine.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.map_or(0, usize::from))
        .build_global();
}

/// Loads the model that was asked for; the word dictionary is read and the patterns are compiled meanwhile.
pub(super) fn load_model(args: &ModelArgs, printer: &Printer) -> Result<Model, CliError> {
    let began = Instant::now();
    set_threads(args.threads);
    std::thread::spawn(dictionary::load);
    std::thread::spawn(patterns::load);
    let taxonomy = match &args.sectors {
        None => Taxonomy::embedded(),
        Some(path) => Taxonomy::read(path).map_err(|e| {
            let hint = match e {
                TaxonomyError::Unreadable(_) => "check the path",
                TaxonomyError::Invalid(_) => "the form is that of prompts/sectors.toml: [[sector]] tables with key, label, text and perhaps iptc",
            };
            CliError::new(ExitStatus::Usage, format!("{} {e}", path.display())).hint(hint)
        })?,
    };
    let (device, chosen) = device::open(args.device)?;
    printer.detail(&format!("device: {chosen}"));
    let model = model::load(&args.model, taxonomy, device, args.dtype)?;
    printer.detail(&format!(
        "model: {} loaded in {} ms",
        args.model,
        began.elapsed().as_millis()
    ));
    Ok(model)
}

/// Options of a document.
pub(super) fn options(args: &DocumentArgs) -> Options {
    Options {
        layout: args.layout.into(),
        encoding: args.encoding.0,
        summary: match args.max_chars {
            Some(chars) => Length::Chars(chars as usize),
            None => Length::Sentences(args.sentences.into()),
        },
        keywords: args.keywords.into(),
        ..Options::default()
    }
}
