//! What was measured, as data and as tables.

use super::agreement::Agreement;
use super::machine::Machine;
use super::statistics::Spread;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The name of this form of report.
pub const SCHEMA: &str = "jianbao-bench/1";

/// Everything about one run of the benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub schema: String,
    pub machine: Machine,
    pub model: String,
    pub threads: usize,
    pub mixes: Vec<MixFacts>,
    pub backends: Vec<Backend>,
    pub cases: Vec<Case>,
}

/// A mix in numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MixFacts {
    pub name: String,
    pub articles: usize,
    pub chars: usize,
    /// Of titles and bodies.
    pub tokens: usize,
    /// That the encoder computes: with marks, titles repeated and windows overlapping.
    pub encoded_tokens: usize,
    /// Of what is computed, tokens that stand for nothing: none where batches are flat.
    pub padded_tokens: usize,
}

/// A device with a number format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Backend {
    pub device: String,
    pub dtype: String,
    pub load_seconds: f64,
    /// With the CPU in f32.
    pub agreement: Agreement,
}

/// One case, measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    pub stage: String,
    pub mix: String,
    pub device: String,
    pub dtype: String,
    pub batch_tokens: usize,
    /// Of one pass over the mix.
    pub seconds: Spread,
    pub tokens_per_second: f64,
    pub articles_per_second: f64,
    pub chars_per_second: f64,
    /// The most memory the process held, all loaded models included.
    pub peak_bytes: Option<u64>,
    /// Of the processor package, for 1,000 articles.
    pub joules_per_1000_articles: Option<f64>,
}

impl Case {
    /// Whether it can have been measured: an axis of logarithms has a place for it.
    pub fn is_plausible(&self) -> bool {
        let speed = self.tokens_per_second;
        self.batch_tokens > 0 && speed.is_finite() && speed > 0.0
    }
}

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStyle {
    Plain,
    Markdown,
}

impl Report {
    /// Machine, agreement, then speed.
    pub fn text(&self, style: TableStyle) -> String {
        let mut out = format!(
            "{}\nmodel {}, {} threads\n\n",
            self.machine.description(),
            self.model,
            self.threads
        );
        out.push_str("Agreement with the CPU in f32:\n\n");
        let rows = self.backends.iter().map(|backend| {
            let agreement = &backend.agreement;
            vec![
                backend.device.clone(),
                backend.dtype.clone(),
                format!("{:.2} s", backend.load_seconds),
                agreement.articles.to_string(),
                format!("{:.4}", agreement.lowest_cosine),
                format!("{:.4}", agreement.mean_cosine),
                percent(agreement.same_sector),
                percent(agreement.same_summary),
            ]
        });
        let head = [
            "device",
            "dtype",
            "load",
            "articles",
            "cosine ≥",
            "mean",
            "same sector",
            "same summary",
        ];
        out.push_str(&table(&head, rows.collect(), style));
        out.push_str("\nTexts:\n\n");
        let rows = self.mixes.iter().map(|mix| {
            vec![
                mix.name.clone(),
                mix.articles.to_string(),
                mix.chars.to_string(),
                mix.tokens.to_string(),
                mix.encoded_tokens.to_string(),
                percent(mix.padded_tokens as f64 / mix.encoded_tokens.max(1) as f64),
            ]
        });
        let head = [
            "mix",
            "articles",
            "characters",
            "tokens",
            "computed",
            "padding",
        ];
        out.push_str(&table(&head, rows.collect(), style));
        out.push_str("\nSpeed (medians; × is against the CPU in f32, same case):\n\n");
        let rows = self.cases.iter().map(|case| {
            let ratio = self.reference(case).map_or("–".to_owned(), |reference| {
                format!(
                    "{:.2}",
                    case.tokens_per_second / reference.tokens_per_second
                )
            });
            vec![
                case.stage.clone(),
                case.mix.clone(),
                case.device.clone(),
                case.dtype.clone(),
                case.batch_tokens.to_string(),
                format!("{:.0}", case.tokens_per_second),
                format!("±{}", percent(case.seconds.relative())),
                format!("{:.2}", case.articles_per_second),
                format!("{:.0}", case.chars_per_second),
                ratio,
                case.peak_bytes.map_or("–".to_owned(), |bytes| {
                    format!("{} MB", bytes / 1_000_000)
                }),
                case.joules_per_1000_articles
                    .map_or("–".to_owned(), |joules| format!("{joules:.0}")),
            ]
        });
        let head = [
            "stage",
            "mix",
            "device",
            "dtype",
            "batch",
            "tokens/s",
            "spread",
            "articles/s",
            "chars/s",
            "×",
            "peak",
            "J/1000",
        ];
        out.push_str(&table(&head, rows.collect(), style));
        out
    }

    /// The same case on the CPU in f32.
    fn reference(&self, case: &Case) -> Option<&Case> {
        self.cases.iter().find(|other| {
            (other.device.as_str(), other.dtype.as_str()) == ("cpu", "f32")
                && (&other.stage, &other.mix, other.batch_tokens)
                    == (&case.stage, &case.mix, case.batch_tokens)
        })
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// Columns as wide as their widest cell, numbers to the right.
fn table(head: &[&str], rows: Vec<Vec<String>>, style: TableStyle) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let number =
        |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '±' || c == '–');
    let mut out = String::new();
    let mut line = |cells: &[String], right: &dyn Fn(usize) -> bool| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, &width))| match right(i) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        let _ = match style {
            TableStyle::Plain => writeln!(out, "{}", cells.join("  ").trim_end()),
            TableStyle::Markdown => writeln!(out, "| {} |", cells.join(" | ")),
        };
    };
    let right = |i: usize| rows.first().is_some_and(|row| number(&row[i]));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    line(&head, &right);
    if style == TableStyle::Markdown {
        let rule: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(i, &width)| match right(i) {
                true => format!("{}:", "-".repeat(width.max(2) - 1)),
                false => "-".repeat(width),
            })
            .collect();
        line(&rule, &right);
    }
    for row in &rows {
        line(row, &right);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_both_styles() {
        let rows = || {
            vec![
                vec!["cpu".to_owned(), "9".to_owned()],
                vec!["cuda:0".to_owned(), "1234".to_owned()],
            ]
        };
        let plain = table(&["device", "n"], rows(), TableStyle::Plain);
        assert_eq!(plain, "device     n\ncpu        9\ncuda:0  1234\n");
        let markdown = table(&["device", "n"], rows(), TableStyle::Markdown);
        assert_eq!(
            markdown,
            "| device |    n |\n| ------ | ---: |\n| cpu    |    9 |\n| cuda:0 | 1234 |\n"
        );
    }
}
