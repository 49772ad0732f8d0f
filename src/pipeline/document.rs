//! One document: bytes → text → articles → one batch of tokens → scores → record.

use crate::analysis::keywords::Places;
use crate::analysis::keywords::candidates::{Candidate, candidates};
use crate::analysis::summary::{Length, Sentences};
use crate::analysis::{keywords, salience, sector, summary};
use crate::document::decode::{self, DecodeError, Decoded};
use crate::document::page::{self, Layout};
use crate::document::{Article, Span, sentence};
use crate::encoder::window::{TokenizedArticle, Window};
use crate::encoder::{EncodeError, HiddenStates, TokenBatch};
use crate::model::bundle::sha256;
use crate::model::{ArticleStates, ArticleTokens, Model};
use crate::output::record::{
    ArticleBrief, Brief, ErrorBrief, FailedSource, Failure, Record, SCHEMA, Source, Warning,
};
use crate::text::fold::fold;
use encoding_rs::Encoding;
use rayon::prelude::*;

/// How a document is read and what is wanted of it.
#[derive(Debug, Clone)]
pub struct Options {
    pub layout: Layout,
    /// Forces an encoding.
    pub encoding: Option<&'static Encoding>,
    pub summary: Length,
    pub keywords: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            layout: Layout::Auto,
            encoding: None,
            summary: Length::default(),
            keywords: 8,
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

/// Why a document has no brief.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl DocumentError {
    /// The word that stands in an error record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Decode(DecodeError::Empty) => "empty",
            Self::Decode(DecodeError::Binary(_)) => "binary",
            Self::Decode(DecodeError::WrongEncoding { .. }) => "encoding",
            Self::Encode(_) => "encoder",
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

/// Tokens encoded at a time, and so the size of every intermediate result.
const MAX_BATCH_TOKENS: usize = 4096;
/// Articles prepared and encoded together have about this much text, or are one article.
const MAX_GROUP_CHARS: usize = 40_000;
/// Only this much of an article is analysed; its text stands whole in the record, and a warning says so.
pub const MAX_ANALYSED_CHARS: usize = 30_000;

/// Reads one document.
pub fn brief(input: Input<'_>, model: &Model, options: &Options) -> Result<Brief, DocumentError> {
    let decoded = decode::decode(input.bytes, options.encoding)?;
    let articles = page::split(&decoded.chars, options.layout);
    let warnings = warnings(&decoded, &articles);
    Ok(Brief {
        schema: SCHEMA.to_owned(),
        id: input.id.to_owned(),
        source: Source {
            path: input.path.to_owned(),
            sha256: sha256(input.bytes),
            encoding: decoded.encoding.to_owned(),
            chars: decoded.chars.len(),
        },
        model: model.name().clone(),
        articles: briefs(articles, model, options)?,
        duplicates: Vec::new(),
        warnings,
    })
}

/// An article with everything that the text alone tells.
struct Prepared {
    article: Article,
    printed_title: Vec<char>,
    title: Vec<char>,
    text: Vec<char>,
    sentences: Vec<Span>,
    salience: Vec<[f32; salience::FEATURES]>,
    candidates: Vec<Candidate>,
    tokens: TokenizedArticle,
}

impl Prepared {
    fn new(article: Article, model: &Model) -> Self {
        let printed_title: Vec<char> = article.title.chars().collect();
        let (title, mut text) = (fold(&printed_title), fold(&article.text));
        text.truncate(MAX_ANALYSED_CHARS);
        let sentences = sentence::sentences(&text);
        let salience = salience::features(&title, &text, &sentences);
        let candidates = candidates(&title, &text, &sentences, model.frequency());
        let tokens = TokenizedArticle::new(
            model.tokenizer(),
            &title,
            &text,
            model.max_tokens(),
            model.lead_tokens(),
        );
        Self {
            article,
            printed_title,
            title,
            text,
            sentences,
            salience,
            candidates,
            tokens,
        }
    }
}

/// Analyses articles in groups of bounded size; no result depends on the grouping.
pub fn briefs(
    articles: Vec<Article>,
    model: &Model,
    options: &Options,
) -> Result<Vec<ArticleBrief>, EncodeError> {
    let mut out = Vec::with_capacity(articles.len());
    let mut articles = articles.into_iter().peekable();
    while articles.peek().is_some() {
        let (mut group, mut chars) = (Vec::new(), 0);
        while let Some(article) =
            articles.next_if(|a| chars == 0 || chars + a.text.len() <= MAX_GROUP_CHARS)
        {
            chars += article.text.len().max(1);
            group.push(article);
        }
        out.extend(group_briefs(group, model, options)?);
    }
    Ok(out)
}

fn group_briefs(
    articles: Vec<Article>,
    model: &Model,
    options: &Options,
) -> Result<Vec<ArticleBrief>, EncodeError> {
    let prepared: Vec<Prepared> = articles
        .into_par_iter()
        .map(|article| Prepared::new(article, model))
        .collect();
    let states = if model.needs_states() {
        encode(&prepared, model)?
    } else {
        // An encoder without heads encodes what it needs while it is read.
        prepared.iter().map(|_| no_states(model)).collect()
    };
    prepared
        .par_iter()
        .zip(&states)
        .map(|(article, states)| read(article, states, model, options))
        .collect()
}

/// The states of each article's tokens. Sequences go into batches in order, whatever article they belong to; no
/// result depends on where a batch ends.
fn encode(articles: &[Prepared], model: &Model) -> Result<Vec<ArticleStates>, EncodeError> {
    let mut out: Vec<ArticleStates> = articles.iter().map(|_| no_states(model)).collect();
    // Article, whether it is the lead, window.
    let mut sequences: Vec<(usize, bool, &Window)> = Vec::new();
    for (i, article) in articles.iter().enumerate() {
        sequences.extend(
            article
                .tokens
                .windows
                .iter()
                .map(|window| (i, false, window)),
        );
        sequences.extend(article.tokens.lead.iter().map(|window| (i, true, window)));
    }
    let mut rest = &sequences[..];
    while !rest.is_empty() {
        let mut tokens = 0;
        let fitting = rest.iter().take_while(|(_, _, window)| {
            tokens += window.ids.len();
            tokens <= MAX_BATCH_TOKENS
        });
        let (now, later) = rest.split_at(fitting.count().max(1));
        let mut batch = TokenBatch::default();
        now.iter()
            .for_each(|(_, _, window)| batch.push(&window.ids));
        let states = model.encode(&batch)?;
        for ((article, is_lead, window), row) in now.iter().zip(batch.cumulative_lengths()) {
            let ArticleStates { tokens, lead } = &mut out[*article];
            window.take_states(&states, *row, if *is_lead { lead } else { tokens });
        }
        rest = later;
    }
    Ok(out)
}

fn no_states(model: &Model) -> ArticleStates {
    let empty = || HiddenStates::empty(model.width());
    ArticleStates {
        tokens: empty(),
        lead: empty(),
    }
}

/// Turns one article's hidden states into its part of the record.
fn read(
    prepared: &Prepared,
    states: &ArticleStates,
    model: &Model,
    options: &Options,
) -> Result<ArticleBrief, EncodeError> {
    let scores = model.read(
        &ArticleTokens {
            title: &prepared.title,
            text: &prepared.text,
            sentences: &prepared.sentences,
            salience: &prepared.salience,
            candidates: &prepared.candidates,
            tokens: &prepared.tokens,
        },
        states,
    )?;
    let (sector, sectors) = sector::rank(model.taxonomy(), &scores.sectors);
    let article = &prepared.article;
    Ok(ArticleBrief {
        title: article.title.clone(),
        byline: article.byline.clone(),
        dateline: article.dateline.clone(),
        text: article.text.iter().collect(),
        spans: article.spans.clone(),
        title_spans: article.title_spans.clone(),
        sector,
        sectors,
        summary: summary::choose(
            &Sentences {
                text: &article.text,
                folded: &prepared.text,
                sentences: &prepared.sentences,
                headings: &article.headings,
            },
            &scores.salience,
            options.summary,
        ),
        keywords: keywords::choose(
            &Places {
                title: &prepared.printed_title,
                text: &article.text,
                folded_title: &prepared.title,
                folded_text: &prepared.text,
            },
            &prepared.candidates,
            &scores.keywords,
            options.keywords,
        ),
    })
}

fn warnings(decoded: &Decoded, articles: &[Article]) -> Vec<Warning> {
    let mut out = Vec::new();
    if decoded.undecodable > 0 {
        let message = format!(
            "{} byte sequences could not be decoded as {} and stand as U+FFFD",
            decoded.undecodable, decoded.encoding
        );
        out.push(Warning {
            kind: "undecodable".to_owned(),
            message,
            spans: Vec::new(),
        });
    }
    for article in articles
        .iter()
        .filter(|article| article.text.len() > MAX_ANALYSED_CHARS)
    {
        let chars = article.text.len();
        let message = format!(
            "only the first {MAX_ANALYSED_CHARS} of an article's {chars} characters were analysed"
        );
        let (first, last) = (article.spans.first(), article.spans.last());
        let spans = first
            .zip(last)
            .filter(|(a, b)| a.start <= b.end)
            .map(|(a, b)| Span::new(a.start, b.end));
        out.push(Warning {
            kind: "truncated".to_owned(),
            message,
            spans: spans.into_iter().collect(),
        });
    }
    out
}
