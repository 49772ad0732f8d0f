//! What the text logic knows of articles and pages, as JSON Lines for `training/`.
//!
//! Training reads features from here, so that they are computed by one program only, the one that ships.
//!
//! ```text
//! training_features articles [IDF_TABLE] < articles.jsonl   sentences and keyword candidates of each article
//! training_features ngrams < articles.jsonl                 text, rows and counts of the n-gram table (with title, without)
//! training_features words < articles.jsonl                  the distinct words of each article
//! training_features borders < articles.jsonl                rows of each paragraph's beginning and end in the tables of borders
//! training_features pages DIR                               headline features of DIR/page-*.txt with gold files
//! training_features pages DIR EVEN.trees ODD.trees          the same of the second look, with these for the first one
//! training_features repair DIR MODEL_DIR                    features of the joins and moves in question on DIR/page-*.txt
//! training_features context MODEL_DIR < articles.jsonl      what the heads that read in context are given of each article
//! ```
#![expect(
    clippy::print_stderr,
    reason = "a tool for training says how it is used"
)]

use jianbao::analysis::{keywords::candidates::candidates, ngrams, salience};
use jianbao::document::page::trees::Trees;
use jianbao::document::page::{self, borders, headline, headline_context, line};
use jianbao::document::{Article, Span, sentence};
#[cfg(feature = "candle")]
use jianbao::model::Model;
use jianbao::text::document_frequency::{self, DocumentFrequency};
use jianbao::text::{fold::fold, misread, words::words};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Of an article's text, what the language model and the sector head learn from.
const MOST_CHARS: usize = 12_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["articles"] => each_article(|row| article(row, &DocumentFrequency::default())),
        ["articles", table] => {
            let table = std::fs::read(table).expect("the table can be read");
            let frequency = DocumentFrequency::new(table).expect("a table of the right size");
            each_article(|row| article(row, &frequency));
        }
        ["ngrams"] => each_article(ngram_counts),
        ["words"] => each_article(distinct_words),
        ["borders"] => each_article(borders),
        ["pages", dir] => pages(dir, &[]),
        ["pages", dir, even, odd] => pages(dir, &[even, odd].map(|path| trees_in(path))),
        #[cfg(feature = "candle")]
        ["repair", dir, model] => repair(dir, &model_in(model)),
        #[cfg(feature = "candle")]
        ["context", model] => context(&model_in(model)),
        _ => {
            eprintln!(
                "usage: training_features articles [IDF_TABLE] | ngrams | words | borders | pages DIR | repair DIR MODEL_DIR | context MODEL_DIR"
            );
            std::process::exit(2);
        }
    }
}

fn rows() -> impl Iterator<Item = Value> {
    let lines = std::io::stdin().lock().lines();
    lines.map(|line| serde_json::from_str(&line.expect("UTF-8 input")).expect("JSON Lines"))
}

fn each_article(of: impl Fn(&Value) -> Value + Sync) {
    let rows: Vec<Value> = rows().collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for chunk in rows.chunks(256) {
        let of = |row: &Value| of(row).to_string();
        print_lines(&mut out, chunk.par_iter().map(of).collect());
    }
}

fn print_lines(out: &mut impl Write, lines: Vec<String>) {
    for line in lines {
        writeln!(out, "{line}").expect("standard output is open");
    }
}

fn text_of(row: &Value) -> Vec<char> {
    row["text"].as_str().unwrap_or_default().chars().collect()
}

/// The article of `{"id", "title", "text"}` as the program sees it.
fn assembled(row: &Value) -> Article {
    page::titled(&text_of(row), row["title"].as_str().unwrap_or_default())
}

/// Title and body, the dateline taken off.
fn read(row: &Value) -> (Vec<char>, Vec<char>) {
    let article = assembled(row);
    (article.read_title(), article.reading().text)
}

fn article(row: &Value, frequency: &DocumentFrequency) -> Value {
    let (title, text) = read(row);
    let spans = sentence::sentences(&text);
    let (folded_title, folded) = misread::mended(&fold(&title), &fold(&text));
    let salience = salience::features(&folded_title, &folded, &spans);
    let candidates: Vec<Value> = candidates(&folded_title, &folded, &spans, frequency)
        .into_iter()
        .map(|c| json!({"key": c.key.iter().collect::<String>(), "title": c.in_title, "text": c.in_text, "features": round(&c.features)}))
        .collect();
    json!({
        "id": row["id"],
        "title": folded_title.iter().collect::<String>(),
        "text": folded.iter().collect::<String>(),
        "printed": text.iter().collect::<String>(),
        "sentences": spans,
        "salience": salience.iter().map(|f| round(f)).collect::<Vec<_>>(),
        "candidates": candidates,
    })
}

fn round(features: &[f32]) -> Vec<f64> {
    features
        .iter()
        .map(|&x| (f64::from(x) * 1e4).round() / 1e4)
        .collect()
}

fn ngram_counts(row: &Value) -> Value {
    let (title, text) = read(row);
    let (title, text) = (fold(&title), fold(&text));
    let learnt = &text[..text.len().min(MOST_CHARS)];
    json!({
        "id": row["id"],
        "title": title.iter().collect::<String>(),
        "text": learnt.iter().collect::<String>(),
        "titled": ngrams::counts(&title, &text),
        "untitled": ngrams::counts(&[], &text),
    })
}

/// Of each paragraph of prose: rows of its beginning, without the dateline, and of its end.
fn borders(row: &Value) -> Value {
    let text = text_of(row);
    let folded = fold(&text);
    let paragraphs: Vec<Value> = line::lines(&text)
        .into_iter()
        .filter(|line| line.kind == line::LineKind::Body)
        .map(|line| {
            let prose = line.without_dateline().of(&folded);
            json!([borders::opening_rows(prose), borders::closing_rows(prose)])
        })
        .collect();
    json!(paragraphs)
}

fn distinct_words(row: &Value) -> Value {
    let (_, text) = read(row);
    let folded = fold(&text);
    let rows: BTreeSet<usize> = words(&folded)
        .into_iter()
        .map(|word| {
            let key: Vec<char> = word
                .span
                .of(&folded)
                .iter()
                .map(|c| c.to_ascii_lowercase())
                .collect();
            document_frequency::row(&key)
        })
        .collect();
    json!(rows)
}

/// The pages of a folder, in order.
fn page_files(dir: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    files
}

fn read_page(path: &Path) -> Vec<char> {
    let text = std::fs::read_to_string(path).expect("UTF-8 page");
    text.chars().collect()
}

fn line_number(text: &[char], at: usize) -> usize {
    text[..at].iter().filter(|&&c| c == '\n').count()
}

#[cfg(feature = "candle")]
fn model_in(folder: &str) -> Model {
    use jianbao::analysis::sector::Taxonomy;
    use jianbao::encoder::candle::device::{DeviceChoice, open};
    use jianbao::model::{ModelSource, load};
    let (device, _) = open(DeviceChoice::Cpu).expect("there is a processor");
    let source = ModelSource::Folder(folder.into());
    load(&source, Taxonomy::embedded(), device, Default::default()).expect("a model's folder")
}

/// Articles that are encoded together.
#[cfg(feature = "candle")]
const GROUP: usize = 32;

/// Sentences and candidates as the heads that read in context see them; matrices in thousandths.
#[cfg(feature = "candle")]
fn context(model: &Model) {
    use jianbao::encoder::candle::context::ContextItems;
    use jianbao::pipeline::training::in_context;
    let items = |items: &ContextItems| json!({"features": round(&items.features), "vectors": thousandths(&items.vectors), "own": round(&items.own)});
    let mut rows = rows();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let group: Vec<Value> = rows.by_ref().take(GROUP).collect();
        if group.is_empty() {
            break;
        }
        let titled = |row: &Value| Article {
            title: row["title"].as_str().unwrap_or_default().to_owned(),
            ..assembled(row)
        };
        let read = in_context(group.iter().map(titled).collect(), model).expect("news articles");
        let lines = (group.par_iter().zip(read))
            .map(|(row, read)| {
                let inputs = &read.inputs;
                let sentences: Vec<String> = (inputs.sentences.numbers.iter())
                    .map(|&i| read.sentences[i].text(&read.text))
                    .collect();
                let value = json!({
                    "id": row["id"],
                    "article": thousandths(&inputs.article),
                    "sentences": sentences,
                    "numbers": inputs.sentences.numbers,
                    "salience": items(&inputs.sentences),
                    "keys": read.keys,
                    "keyword": items(&inputs.candidates),
                });
                value.to_string()
            })
            .collect();
        print_lines(&mut out, lines);
    }
}

/// Little-endian 16-bit whole numbers in hexadecimal.
#[cfg(feature = "candle")]
fn thousandths(values: &[f32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let whole = |x: &f32| (x * 1000.0).round() as i16;
    let bytes = values.iter().flat_map(|x| whole(x).to_le_bytes());
    let halves = bytes.flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

/// What page repair asks its trees, by line numbers.
#[cfg(feature = "candle")]
fn repair(dir: &str, model: &Model) {
    use page::{Layout, repair::questions};
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for path in page_files(dir) {
        let text = read_page(&path);
        let line = |span: &Span| line_number(&text, span.start);
        let known = true_joins(&text, &path);
        let found = questions(&text, page::blocks(&text, Layout::Page), model, &known);
        let joins: Vec<Value> = (found.joins.iter())
            .map(|(left, right, features)| json!([line(left), line(right), round(features)]))
            .collect();
        let moves: Vec<Value> = (found.moves.iter())
            .map(|(left, right, block, features)| {
                json!([line(left), line(right), line(block), round(features)])
            })
            .collect();
        let name = path.file_name().map(|n| n.to_string_lossy());
        let row = json!({"page": name, "joins": joins, "moves": moves});
        writeln!(out, "{row}").expect("standard output is open");
    }
}

/// Where the two fragments of each cut paragraph begin, by the page's gold file.
#[cfg(feature = "candle")]
fn true_joins(text: &[char], page: &Path) -> Vec<(usize, usize)> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain((0..text.len()).filter(|&i| text[i] == '\n').map(|i| i + 1))
        .collect();
    // Lines begin after their indent, as blocks do.
    let start = |line: &Value| {
        let start =
            starts[usize::try_from(line.as_u64().expect("a line number")).expect("it is small")];
        start
            + text[start..]
                .iter()
                .take_while(|c| c.is_whitespace())
                .count()
    };
    let gold = read_gold(page);
    let articles = gold["articles"].as_array().into_iter().flatten();
    let paragraphs = articles.flat_map(|article| article["body"].as_array().into_iter().flatten());
    let lines = paragraphs.filter_map(Value::as_array);
    lines
        .flat_map(|lines| lines.windows(2))
        .map(|pair| (start(&pair[0]), start(&pair[1])))
        .collect()
}

fn read_gold(page: &Path) -> Value {
    let gold = std::fs::read_to_string(page.with_extension("gold.json")).expect("a gold file");
    serde_json::from_str(&gold).expect("JSON")
}

fn trees_in(path: &str) -> Trees {
    let bytes = std::fs::read(path).expect("the trees can be read");
    Trees::parse(&bytes).expect("trees")
}

/// `first_look` are trees for pages of even and of odd number: those that were not trained on them.
fn pages(dir: &str, first_look: &[Trees]) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (n, path) in page_files(dir).into_iter().enumerate() {
        let text = read_page(&path);
        let gold = read_gold(&path);
        let title_lines: BTreeSet<usize> = gold["articles"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|a| a["title_lines"].as_array().cloned().unwrap_or_default())
            .filter_map(|n| n.as_u64()?.try_into().ok())
            .collect();
        let lines = line::lines(&text);
        let style = headline::PageStyle::of(&text, &lines);
        // Training pages are small: what is read of a line is kept.
        let first: Vec<_> = (0..lines.len())
            .map(|i| {
                (lines[i].kind == line::LineKind::Short)
                    .then(|| headline::features(&style, &lines, i))
            })
            .collect();
        let trees = first_look.get(n % 2);
        let likely = headline_context::of_each(&lines, |i| {
            let said = trees.zip(first[i].as_ref());
            said.map_or(0.0, |(trees, features)| trees.probability(features))
        });
        let context = headline_context::Context::of(&style, &lines, &likely);
        for (i, first) in first.iter().enumerate() {
            let Some(first) = first else { continue };
            let label = title_lines.contains(&line_number(&text, lines[i].span.start));
            let features = match trees {
                None => round(first),
                Some(_) => round(&context.features(i, first)),
            };
            let text = Span::text(lines[i].span, &text);
            writeln!(out, "{}", json!({"page": path.file_name().map(|n| n.to_string_lossy()), "text": text, "label": label, "features": features}))
                .expect("standard output is open");
        }
    }
}
