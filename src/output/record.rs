//! The record: what one input becomes. Field order is fixed by the order here.

use crate::analysis::keywords::Keyword;
use crate::analysis::sector::{ChosenSector, SectorScore};
use crate::analysis::summary::SummarySentence;
use crate::document::{Dateline, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of this form of record.
pub const SCHEMA: &str = "jianbao/1";

/// One input: its articles, or why it could not be read. Exactly one for every input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Record {
    Brief(Box<Brief>),
    Failure(Box<Failure>),
}

/// An input that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// Always `jianbao/1`.
    pub schema: String,
    /// The input's own id, or its path.
    pub id: String,
    pub source: Source,
    pub model: ModelName,
    pub articles: Vec<ArticleBrief>,
    /// Passages printed twice, used once.
    pub duplicates: Vec<Duplicate>,
    pub warnings: Vec<Warning>,
}

/// An input that could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Always `jianbao/1`.
    pub schema: String,
    pub id: String,
    pub source: FailedSource,
    pub error: ErrorBrief,
}

/// Where the text came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The path as given; `-` for standard input.
    pub path: String,
    /// SHA-256 of the input's bytes, in hexadecimal.
    pub sha256: String,
    /// WHATWG name of the encoding.
    pub encoding: String,
    /// Unicode scalar values of the decoded text.
    pub chars: usize,
}

/// Where text should have come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedSource {
    pub path: String,
}

/// What went wrong with an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBrief {
    /// A word for programs: `empty`, `binary`, `unreadable`, ….
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// The model that wrote the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelName {
    pub name: String,
    /// `sha256:` and the digest of the weights.
    pub digest: String,
    pub dtype: String,
}

/// One article.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArticleBrief {
    /// Decks joined by one space; empty when the article has no headline.
    pub title: String,
    pub byline: Vec<String>,
    pub dateline: Option<Dateline>,
    /// The body in reading order as printed, datelines too, paragraphs separated by `\n`.
    pub text: String,
    /// Where `text` came from in the decoded input, in reading order.
    pub spans: Vec<Span>,
    pub title_spans: Vec<Span>,
    pub sector: ChosenSector,
    /// All sectors, best first; the scores sum to 1.
    pub sectors: Vec<SectorScore>,
    /// In document order.
    pub summary: Vec<SummarySentence>,
    /// Best first.
    pub keywords: Vec<Keyword>,
}

/// A passage that repeats another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicate {
    pub span: Span,
    /// The passage that was used.
    pub of: Span,
}

/// Something a reader of the record should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// A word for programs: `undecodable`, ….
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// The places it is about, when there are any.
    pub spans: Vec<Span>,
}

impl Warning {
    pub fn new(kind: &str, message: String, spans: Vec<Span>) -> Self {
        Self {
            kind: kind.to_owned(),
            message,
            spans,
        }
    }
}

/// The JSON Schema of [`Record`].
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Record).to_value();
    schema["title"] = SCHEMA.into();
    schema
}
