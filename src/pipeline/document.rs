//! One document: bytes → text → articles → one batch of tokens → scores → record.

use super::stages::{self, MAX_GROUP_CHARS, Prepared, guarded};
use crate::analysis::summary::Length;
use crate::document::decode::{self, DecodeError, Decoded};
use crate::document::markup::{is_html, is_json};
use crate::document::page::{self, Layout, Page};
use crate::document::{Article, Span};
use crate::model::Model;
use crate::output::digest::sha256;
use crate::output::record::{
    ArticleBrief, Brief, Duplicate, ErrorBrief, FailedSource, Failure, Record, SCHEMA, Source,
    Warning,
};
use encoding_rs::Encoding;
use rayon::prelude::*;
pub use stages::MAX_ANALYSED_CHARS;

/// How a document is read and what is wanted of it.
#[derive(Debug, Clone)]
pub struct Options {
    pub layout: Layout,
    /// Forces an encoding.
    pub encoding: Option<&'static Encoding>,
    pub summary: Length,
    pub keywords: usize,
    /// Tokens that the encoder takes at a time, and so the size of every intermediate result.
    pub batch_tokens: usize,
}

/// What [`Options::batch_tokens`] is unless somebody knows better.
pub const BATCH_TOKENS: usize = 4096;

impl Default for Options {
    fn default() -> Self {
        Self {
            layout: Layout::Auto,
            encoding: None,
            summary: Length::default(),
            keywords: 8,
            batch_tokens: BATCH_TOKENS,
        }
    }
}

/// An input's bytes and names.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub id: &'a str,
    pub path: &'a str,
    pub bytes: &'a [u8],
}

/// Why an input has no brief.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("{0}")]
    Encoder(String),
    #[error("met a fault of this program ({0}); please report it with the input")]
    Internal(String),
    /// An input that could not be read at all: a word for programs, a sentence for people.
    #[error("{1}")]
    Unread(&'static str, String),
}

impl Problem {
    /// The word that stands in an error record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Decode(DecodeError::Empty) => "empty",
            Self::Decode(DecodeError::Binary(_)) => "binary",
            Self::Decode(DecodeError::WrongEncoding { .. } | DecodeError::OtherEncoding { .. }) => {
                "encoding"
            }
            Self::Encoder(_) => "encoder",
            Self::Internal(_) => "internal",
            Self::Unread(kind, _) => kind,
        }
    }

    /// The record of an input that failed.
    pub fn record(&self, id: &str, path: &str) -> Record {
        Record::Failure(Box::new(Failure {
            schema: SCHEMA.to_owned(),
            id: id.to_owned(),
            source: FailedSource {
                path: path.to_owned(),
            },
            error: ErrorBrief {
                kind: self.kind().to_owned(),
                message: self.to_string(),
            },
        }))
    }
}

/// Reads one document.
pub fn brief(input: Input<'_>, model: &Model, options: &Options) -> Result<Brief, Problem> {
    let decoded = decode::decode(input.bytes, options.encoding)?;
    let page = guarded(|| Ok(page::split(&decoded.chars, options.layout, model)))?;
    let source = source(input.path, sha256(input.bytes), &decoded);
    let mut brief = header(input.id, source, &decoded, &page, model);
    brief.articles = briefs(page.articles, model, options)?;
    Ok(brief)
}

pub(super) fn source(path: &str, sha256: String, decoded: &Decoded) -> Source {
    Source {
        path: path.to_owned(),
        sha256,
        encoding: decoded.encoding.to_owned(),
        chars: decoded.chars.len(),
    }
}

/// A brief without its articles.
pub(super) fn header(
    id: &str,
    source: Source,
    decoded: &Decoded,
    page: &Page,
    model: &Model,
) -> Brief {
    let duplicates = page.duplicates.iter();
    Brief {
        schema: SCHEMA.to_owned(),
        id: id.to_owned(),
        warnings: warnings(decoded, page),
        source,
        model: model.name().clone(),
        articles: Vec::with_capacity(page.articles.len()),
        duplicates: duplicates
            .map(|&(span, of)| Duplicate { span, of })
            .collect(),
    }
}

/// Analyses articles in groups of bounded size; no result depends on the grouping.
pub fn briefs(
    articles: Vec<Article>,
    model: &Model,
    options: &Options,
) -> Result<Vec<ArticleBrief>, Problem> {
    let mut out = Vec::with_capacity(articles.len());
    for group in groups(articles, |article| article.text.len()) {
        let prepared: Vec<Prepared> = group
            .into_par_iter()
            .map(|article| guarded(|| Ok(Prepared::new(article, model))))
            .collect::<Result<_, _>>()?;
        let borrowed: Vec<&Prepared> = prepared.iter().collect();
        // The one takes the device, the other the CPU.
        let (states, found) = rayon::join(
            || guarded(|| stages::encode(&borrowed, model, options.batch_tokens)),
            || find_candidates(&borrowed, model),
        );
        let (states, ()) = (states?, found?);
        let briefs: Vec<ArticleBrief> = prepared
            .par_iter()
            .zip(&states)
            .map(|(article, states)| guarded(|| stages::read(article, states, model, options)))
            .collect::<Result<_, _>>()?;
        out.extend(briefs);
    }
    Ok(out)
}

fn find_candidates(articles: &[&Prepared], model: &Model) -> Result<(), Problem> {
    guarded(|| {
        articles.par_iter().for_each(|article| {
            article.candidates(model);
        });
        Ok(())
    })
}

/// Cuts a list into groups of at most [`MAX_GROUP_CHARS`] or one.
pub(crate) fn groups<T>(items: Vec<T>, chars: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut groups, mut filled) = (Vec::new(), usize::MAX);
    for item in items {
        let size = chars(&item).max(1);
        if filled.saturating_add(size) > MAX_GROUP_CHARS {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += size;
        groups.last_mut().expect("one was pushed").push(item);
    }
    groups
}

fn warnings(decoded: &Decoded, page: &Page) -> Vec<Warning> {
    let mut out = Vec::new();
    let Decoded {
        encoding,
        undecodable,
        chars,
    } = decoded;
    if *undecodable > 0 {
        let message = format!(
            "{undecodable} byte sequences could not be decoded as {encoding} and stand as U+FFFD"
        );
        out.push(Warning::new("undecodable", message, Vec::new()));
    }
    if is_html(chars) {
        let message = "looks like HTML, which is read as it stands: extract its text first (for example with pandoc -f html -t plain)";
        out.push(Warning::new("html", message.to_owned(), Vec::new()));
    }
    if is_json(chars) {
        let message = "looks like JSON, which is read as it stands: give a line {\"id\", \"text\"} an article, in a file named .jsonl, to batch";
        out.push(Warning::new("json", message.to_owned(), Vec::new()));
    }
    if !page.open_ends.is_empty() {
        let message = "paragraphs stop in mid-sentence and their rest was not found".to_owned();
        out.push(Warning::new("open-end", message, page.open_ends.clone()));
    }
    for article in &page.articles {
        let chars = article.reading_chars();
        if chars <= MAX_ANALYSED_CHARS {
            continue;
        }
        let message = format!(
            "only the first {MAX_ANALYSED_CHARS} of an article's {chars} characters were analysed"
        );
        let ends = article.spans.first().zip(article.spans.last());
        let whole = ends.filter(|(first, last)| first.start <= last.end);
        let spans = whole.map(|(first, last)| Span::new(first.start, last.end));
        out.push(Warning::new(
            "truncated",
            message,
            spans.into_iter().collect(),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_keep_the_order_and_the_bound(sizes in proptest::collection::vec(0usize..50_000, 0..60)) {
            let groups = groups(sizes.clone(), |&size| size);
            prop_assert_eq!(groups.concat(), sizes);
            for group in &groups {
                prop_assert!(group.len() == 1 || group.iter().map(|s| s.max(&1)).sum::<usize>() <= MAX_GROUP_CHARS);
            }
        }
    }
}
