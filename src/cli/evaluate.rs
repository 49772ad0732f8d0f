//! `jianbao eval`: a model's figures against gold.

use super::args::{EvalArgs, EvalTask};
use super::error::{CliError, ExitStatus};
use super::printer::Printer;
use super::progress;
use super::session;
use super::targets;
use crate::analysis::summary::Length;
use crate::document::page::{self, Layout};
use crate::document::{Article, Span, decode};
use crate::evaluation::{extracts, pages, sectors};
use crate::model::Model;
use crate::output::record::ArticleBrief;
use crate::output::whole;
use crate::pipeline::document::{self, Input, Options, Problem};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Articles that are read together, so that all cores are busy.
const AT_A_TIME: usize = 32;

/// An article of a JSON Lines file.
#[derive(Deserialize)]
struct ArticleRow {
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

pub(super) fn run(args: &EvalArgs, printer: &Printer) -> Result<(), CliError> {
    check_predictions(args)?;
    match &args.task {
        EvalTask::Sectors { gold, articles } => evaluate_sectors(args, gold, articles, printer),
        EvalTask::Extracts { gold, articles } => {
            evaluate_extracts(args, gold, articles.as_deref(), printer)
        }
        EvalTask::Pages { folder } => evaluate_pages(args, folder, printer),
    }
}

/// Hand-made gold is not overwritten by predictions.
fn check_predictions(args: &EvalArgs) -> Result<(), CliError> {
    let Some(target) = &args.predictions else {
        return Ok(());
    };
    let mut inputs: Vec<PathBuf> = match &args.task {
        EvalTask::Sectors { gold, articles } => vec![gold.clone(), articles.clone()],
        EvalTask::Extracts { gold, articles } => gold.iter().chain(articles).cloned().collect(),
        EvalTask::Pages { folder } => {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            files
                .map(|file| file.path())
                .filter(|path| is_of_pages(path))
                .collect()
        }
    };
    inputs.extend(args.model.sectors.clone());
    targets::check(target, inputs.iter().map(PathBuf::as_path))
}

/// A page or its gold.
fn is_of_pages(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".gold.json") || name.ends_with(".txt")
}

fn evaluate_sectors(
    args: &EvalArgs,
    gold: &Path,
    articles: &Path,
    printer: &Printer,
) -> Result<(), CliError> {
    let golds: Vec<sectors::Gold> = rows(gold)?;
    let articles: HashMap<String, ArticleRow> = rows::<ArticleRow>(articles)?
        .into_iter()
        .map(|row| (row.id.clone(), row))
        .collect();
    let ids = golds.iter().map(|gold| gold.id.as_str());
    check_common(ids, &articles, "count as wrong", printer)?;
    let model = session::load_model(&args.model, printer)?;
    let keys = &model.taxonomy().sectors;
    let unknown = golds
        .iter()
        .find(|gold| keys.iter().all(|sector| sector.key != gold.sector));
    if let Some(gold) = unknown {
        printer.warning(&format!(
            "the gold has a sector {:?} that the taxonomy has not; it can only count as wrong",
            gold.sector
        ));
    }
    let progress = progress::bar(printer, golds.len());
    let mut predictions = Vec::with_capacity(golds.len());
    for golds in golds.chunks(AT_A_TIME) {
        let found: Vec<&ArticleRow> = (golds.iter())
            .filter_map(|gold| articles.get(&gold.id))
            .collect();
        let briefs = titled(&found, &model)?;
        predictions.extend(
            found
                .iter()
                .zip(briefs)
                .map(|(row, brief)| sectors::Prediction {
                    id: row.id.clone(),
                    sector: brief.sector.key,
                    score: brief.sector.score,
                }),
        );
        progress.inc(golds.len() as u64);
    }
    progress.finish_and_clear();
    let figures = sectors::score(&golds, &predictions);
    let mut table = table(
        &[("articles", figures.articles), ("missing", figures.missing)],
        &[
            ("accuracy", figures.accuracy),
            ("accuracy_also", figures.accuracy_also),
            ("macro_f1", figures.macro_f1),
            ("calibration_error", figures.calibration_error),
        ],
    );
    for (gold, predicted, n) in &figures.confusions {
        let _ = writeln!(table, "  {n:3} × {gold} taken for {predicted}");
    }
    finish(args, &figures, &table, &predictions, printer)
}

fn evaluate_extracts(
    args: &EvalArgs,
    gold: &[std::path::PathBuf],
    articles: Option<&Path>,
    printer: &Printer,
) -> Result<(), CliError> {
    let annotators: Vec<Vec<extracts::Gold>> = gold
        .iter()
        .map(|path| extracts_gold(path))
        .collect::<Result<_, _>>()?;
    let texts: HashMap<String, ArticleRow> = match articles {
        Some(path) => rows::<ArticleRow>(path)?
            .into_iter()
            .map(|row| (row.id.clone(), row))
            .collect(),
        None => HashMap::new(),
    };
    if articles.is_some() {
        let ids = annotators[0].iter().map(|gold| gold.id.as_str());
        let instead = "are read as the gold's sentences joined";
        check_common(ids, &texts, instead, printer)?;
    }
    let model = session::load_model(&args.model, printer)?;
    let progress = progress::bar(printer, annotators[0].len());
    let mut predictions = Vec::with_capacity(annotators[0].len());
    for golds in annotators[0].chunks(AT_A_TIME) {
        let joined: Vec<ArticleRow> = (golds.iter())
            .map(|gold| ArticleRow {
                id: gold.id.clone(),
                title: gold.title.clone(),
                text: gold.sentences.concat(),
            })
            .collect();
        let rows: Vec<&ArticleRow> = (joined.iter())
            .map(|row| texts.get(&row.id).unwrap_or(row))
            .collect();
        let briefs = titled(&rows, &model)?;
        predictions.extend(
            rows.iter()
                .zip(briefs)
                .map(|(row, brief)| extracts::Prediction {
                    id: row.id.clone(),
                    summary: brief.summary.into_iter().map(|s| s.text).collect(),
                    keywords: brief.keywords.into_iter().map(|k| k.text).collect(),
                }),
        );
        progress.inc(golds.len() as u64);
    }
    progress.finish_and_clear();
    let figures = extracts::score(&annotators, &predictions);
    let table = table(
        &[("articles", figures.articles), ("missing", figures.missing)],
        &[
            ("rouge1", figures.rouge1),
            ("rouge2", figures.rouge2),
            ("rougeL", figures.rouge_l),
            ("hit@3", figures.hit_at_3),
            ("kw_f1@5", figures.keyword_f1_at_5),
            ("kw_relaxed@5", figures.keyword_relaxed_at_5),
            ("kw_f1@8", figures.keyword_f1_at_8),
            ("kw_relaxed@8", figures.keyword_relaxed_at_8),
        ],
    );
    finish(args, &figures, &table, &predictions, printer)
}

/// Gold whose chosen sentences are all there.
fn extracts_gold(path: &Path) -> Result<Vec<extracts::Gold>, CliError> {
    let golds: Vec<extracts::Gold> = rows(path)?;
    for gold in &golds {
        let sentences = gold.sentences.len();
        if let Some(number) = gold.sum.iter().find(|&&number| number >= sentences) {
            let message = format!(
                "{}: {:?} chooses sentence {number} of {sentences}; they are counted from 0",
                path.display(),
                gold.id
            );
            return Err(CliError::new(ExitStatus::Input, message));
        }
    }
    Ok(golds)
}

/// Gold without its articles measures nothing.
fn check_common<'a>(
    ids: impl Iterator<Item = &'a str> + Clone,
    articles: &HashMap<String, ArticleRow>,
    consequence: &str,
    printer: &Printer,
) -> Result<(), CliError> {
    let all = ids.clone().count();
    let absent = ids.filter(|id| !articles.contains_key(*id)).count();
    if absent == all {
        let message = "no id of the gold stands among the articles".to_owned();
        return Err(CliError::new(ExitStatus::Input, message)
            .hint("--articles takes the JSON Lines that the gold was made for"));
    }
    if absent > 0 {
        printer.warning(&format!(
            "{absent} of {all} ids of the gold do not stand among the articles and {consequence}"
        ));
    }
    Ok(())
}

fn evaluate_pages(args: &EvalArgs, folder: &Path, printer: &Printer) -> Result<(), CliError> {
    let name = folder.display().to_string();
    let mut gold_files: Vec<_> = std::fs::read_dir(folder)
        .map_err(|e| CliError::unreadable(&name, &e))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".gold.json"))
        .collect();
    gold_files.sort();
    if gold_files.is_empty() {
        let message = format!("{name} has no page with its gold");
        return Err(CliError::new(ExitStatus::Input, message)
            .hint("a page is NAME.txt with NAME.gold.json beside it"));
    }
    let model = session::load_model(&args.model, printer)?;
    let progress = progress::bar(printer, gold_files.len());
    let (mut scores, mut records) = (Vec::new(), Vec::new());
    for path in &gold_files {
        let gold: pages::Gold = serde_json::from_str(&read_text(path)?).map_err(|e| {
            CliError::new(
                ExitStatus::Input,
                format!("{} is not a gold page: {e}", path.display()),
            )
        })?;
        let text_path = path.to_string_lossy().replace(".gold.json", ".txt");
        let bytes = std::fs::read(&text_path).map_err(|e| CliError::unreadable(&text_path, &e))?;
        let decoded = decode::decode(&bytes, None)
            .map_err(|e| CliError::document(&text_path, &Problem::from(e)))?;
        let predicted: Vec<pages::Predicted> = if args.predictions.is_some() {
            let input = Input {
                id: &text_path,
                path: &text_path,
                bytes: &bytes,
            };
            let options = Options {
                layout: Layout::Page,
                ..Options::default()
            };
            let brief = document::brief(input, &model, &options)
                .map_err(|e| CliError::document(&text_path, &e))?;
            let predicted = brief
                .articles
                .iter()
                .map(|a| predicted(&a.title, &a.spans))
                .collect();
            records.push(brief);
            predicted
        } else {
            // Splitting is all that is scored; the rest is computed only for somebody who wants to see it.
            let page = page::split(&decoded.chars, Layout::Page, &model);
            page.articles
                .iter()
                .map(|a| predicted(&a.title, &a.spans))
                .collect()
        };
        scores.push(pages::score_page(&decoded.chars, &gold, &predicted));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let figures = pages::sum(&scores, 0);
    let of = |n: usize, share: f64| if n == 0 { f64::NAN } else { share };
    let table = table(
        &[
            ("pages", figures.pages),
            ("missing", figures.missing),
            ("joins", figures.joins),
            ("duplicates", figures.duplicates),
        ],
        &[
            ("bcubed_f1", figures.bcubed_f1),
            ("join_acc", of(figures.joins, figures.join_acc)),
            ("order_acc", figures.order_acc),
            ("title_acc", figures.title_acc),
            ("count_exact", figures.count_exact),
            ("dup_once", of(figures.duplicates, figures.dup_once)),
        ],
    );
    finish(args, &figures, &table, &records, printer)
}

fn predicted(title: &str, spans: &[Span]) -> pages::Predicted {
    pages::Predicted {
        title: title.to_owned(),
        spans: spans.to_vec(),
    }
}

/// The briefs of articles whose titles are known.
fn titled(rows: &[&ArticleRow], model: &Model) -> Result<Vec<ArticleBrief>, CliError> {
    let articles: Vec<Article> = (rows.par_iter())
        .map(|row| page::titled(&row.text.chars().collect::<Vec<_>>(), &row.title))
        .collect();
    let options = Options {
        summary: Length::Sentences(3),
        ..Options::default()
    };
    document::briefs(articles, model, &options).map_err(|e| {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        CliError::document(&ids.join(", "), &e)
    })
}

fn finish(
    args: &EvalArgs,
    figures: &impl Serialize,
    table: &str,
    predictions: &[impl Serialize],
    printer: &Printer,
) -> Result<(), CliError> {
    if let Some(path) = &args.predictions {
        let mut lines = String::new();
        for prediction in predictions {
            lines.push_str(&crate::output::json::line(prediction));
        }
        whole::write_text(path, &lines)
            .map_err(|e| CliError::output(&path.display().to_string(), &e))?;
    }
    if args.json {
        printer.json(figures, false)
    } else {
        printer.text(table)
    }
}

/// Counts are whole; what there was nothing to measure of is no figure.
fn table(counts: &[(&str, usize)], shares: &[(&str, f64)]) -> String {
    let counts = counts.iter().map(|&(name, n)| (name, n.to_string()));
    let shares = shares.iter().map(|&(name, share)| match share.is_nan() {
        true => (name, "–".to_owned()),
        false => (name, format!("{share:.4}")),
    });
    let rows = counts.chain(shares);
    rows.fold(String::new(), |mut out, (name, shown)| {
        let _ = writeln!(out, "{name:18} {shown}");
        out
    })
}

fn read_text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|e| CliError::unreadable(&path.display().to_string(), &e))
}

/// Rows of a JSON Lines file, perhaps compressed with gzip.
fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CliError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| CliError::unreadable(&name, &e))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut out: Vec<T> = Vec::new();
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(|e| CliError::unreadable(&name, &e))?;
        if !line.trim().is_empty() {
            let row = serde_json::from_str(&line).map_err(|e| {
                CliError::new(
                    ExitStatus::Input,
                    format!("{name}, line {}: {e}", number + 1),
                )
            })?;
            out.push(row);
        }
    }
    if out.is_empty() {
        let message = format!("{name} has no line");
        return Err(
            CliError::new(ExitStatus::Input, message).hint("check that it was written completely")
        );
    }
    Ok(out)
}
