//! `jianbao models`: what there is, and whether it is whole.

use super::args::{ModelsArgs, ModelsCommand};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use crate::analysis::sector::Taxonomy;
use crate::encoder::candle::device::PrecisionChoice;
use crate::model::checksums::{self, Verified};
use crate::model::{self, Model, ModelSource};
use crate::pipeline::document::{self, Input, Options};
use candle_core::Device;
use serde_json::json;
use std::fmt::Write;

pub(super) fn run(args: &ModelsArgs, printer: &Printer) -> Result<(), CliError> {
    match &args.command {
        ModelsCommand::List => list(printer),
        ModelsCommand::Fetch { model } => fetch(model, printer),
        ModelsCommand::Verify { model } => verify(model, printer),
        ModelsCommand::Info { model, json } => info(model, *json, printer),
    }
}

fn load(source: &ModelSource) -> Result<Model, CliError> {
    Ok(model::load(
        source,
        Taxonomy::embedded(),
        Device::Cpu,
        PrecisionChoice::default(),
    )?)
}

fn list(printer: &Printer) -> Result<(), CliError> {
    let mut out = String::new();
    if cfg!(feature = "embedded-model") {
        out.push_str("news\tembedded\n");
    }
    #[cfg(feature = "hub")]
    for (name, folder) in model::hub::list() {
        let _ = writeln!(out, "{name}\t{}", folder.display());
    }
    printer.data(out.as_bytes())
}

#[cfg(feature = "hub")]
fn fetch(source: &ModelSource, printer: &Printer) -> Result<(), CliError> {
    let ModelSource::Hub {
        repository,
        revision,
    } = source
    else {
        return Err(CliError::new(
            ExitStatus::Usage,
            format!("{source} is not a model of the Hub"),
        )
        .hint("expected hf:OWNER/REPO[@REV]"));
    };
    if revision.is_none() {
        printer.note(
            "no revision was given: taking `main`, which can change; hf:OWNER/REPO@COMMIT pins one",
        );
    }
    let folder = model::hub::fetch(repository, revision.as_deref(), &mut |file| {
        printer.note(&format!("{source}: {file}"))
    })?;
    printer.data(format!("{}\n", folder.display()).as_bytes())
}

#[cfg(not(feature = "hub"))]
fn fetch(_: &ModelSource, _: &Printer) -> Result<(), CliError> {
    Err(model::ModelError::NoHub.into())
}

fn verify(source: &ModelSource, printer: &Printer) -> Result<(), CliError> {
    let model = load(source)?;
    let provenance = model.provenance();
    let folder = provenance.folder.as_deref();
    let sums = match folder.map(checksums::verify) {
        None => "inside the program".to_owned(),
        Some(verified) => match verified? {
            None => "no SHA256SUMS to check against".to_owned(),
            Some(Verified { checked, absent: 0 }) => format!("{checked} checksums match"),
            Some(Verified { checked, absent }) => {
                format!("{checked} checksums match, {absent} more files are not here")
            }
        },
    };
    // A model that loads may still compute nonsense.
    let sample = Input {
        id: "sample",
        path: "sample",
        bytes: SAMPLE.as_bytes(),
    };
    let brief = document::brief(sample, &model, &Options::default())
        .map_err(|problem| CliError::new(ExitStatus::Model, format!("{source} {problem}")))?;
    if brief
        .articles
        .iter()
        .all(|article| article.summary.is_empty())
    {
        return Err(CliError::new(
            ExitStatus::Model,
            format!("{source} finds no summary in a plain article"),
        ));
    }
    printer.text(&format!(
        "{source}: fine ({sums}; {})\n",
        model.name().digest
    ))
}

/// What a model is tried on.
const SAMPLE: &str = "东江大桥通车\n\n今天，东江大桥正式建成通车。大桥全长十五公里，总投资十二亿元。市民走上大桥参观拍照。\n";

fn info(source: &ModelSource, as_json: bool, printer: &Printer) -> Result<(), CliError> {
    let model = load(source)?;
    let (name, facts) = (model.name(), model.provenance());
    let folder = facts
        .folder
        .as_ref()
        .map(|folder| folder.display().to_string());
    if as_json {
        return printer.json(
            &json!({"name": name.name, "digest": name.digest, "settings": facts.settings, "folder": folder, "architecture": facts.architecture,
                    "layers": facts.layers, "width": facts.width, "vocabulary": facts.vocabulary,
                    "weights_bytes": facts.bytes, "max_tokens": model.max_tokens(), "readout": facts.readout}),
            true,
        );
    }
    let mut out = String::new();
    let rows = [
        ("name", name.name.clone()),
        ("digest", name.digest.clone()),
        ("settings", facts.settings.clone()),
        (
            "folder",
            folder.unwrap_or_else(|| "inside the program".to_owned()),
        ),
        (
            "encoder",
            format!(
                "{}, {} layers × {}, vocabulary {}",
                facts.architecture, facts.layers, facts.width, facts.vocabulary
            ),
        ),
        ("weights", format!("{:.1} MB", facts.bytes as f64 / 1e6)),
        (
            "window",
            format!(
                "{} tokens; longer articles are read in several windows",
                model.max_tokens()
            ),
        ),
        ("reads by", facts.readout.clone()),
    ];
    for (key, value) in rows {
        let _ = writeln!(out, "{key:9} {value}");
    }
    printer.text(&out)
}
