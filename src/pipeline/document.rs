//! One document: bytes → text → articles → one batch of tokens → scores → record.

use crate::analysis::keywords::candidates::{Candidate, candidates};
use crate::analysis::summary::Length;
use crate::analysis::{keywords, salience, sector, summary};
use crate::document::decode::{self, DecodeError, Decoded};
use crate::document::page::{self, Layout};
use crate::document::{Article, Span, sentence};
use crate::encoder::window::TokenizedArticle;
use crate::encoder::{EncodeError, HiddenStates, TokenBatch};
use crate::model::{ArticleTokens, Model};
use crate::output::record::{
    ArticleBrief, Brief, ErrorBrief, FailedSource, Failure, Record, SCHEMA, Source, Warning,
};
use crate::text::fold::fold;
use encoding_rs::Encoding;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

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

/// Tokens encoded at a time; bounds memory for a page of any length.
const MAX_BATCH_TOKENS: usize = 4096;

/// Reads one document.
pub fn brief(input: Input<'_>, model: &Model, options: &Options) -> Result<Brief, DocumentError> {
    let decoded = decode::decode(input.bytes, options.encoding)?;
    let articles = page::split(&decoded.chars, options.layout);
    let articles = briefs(articles, model, options)?;
    Ok(Brief {
        schema: SCHEMA.to_owned(),
        id: input.id.to_owned(),
        source: Source {
            path: input.path.to_owned(),
            sha256: Sha256::digest(input.bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            encoding: decoded.encoding.to_owned(),
            chars: decoded.chars.len(),
        },
        model: model.name().clone(),
        articles,
        duplicates: Vec::new(),
        warnings: warnings(&decoded),
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
        let (title, text) = (fold(&printed_title), fold(&article.text));
        let sentences = sentence::sentences(&article.text);
        let salience = salience::features(&title, &text, &sentences);
        let candidates = candidates(&title, &text, &sentences, model.frequency());
        let tokens = TokenizedArticle::new(model.tokenizer(), &title, &text, model.max_tokens());
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

    fn token_count(&self) -> usize {
        self.tokens
            .windows
            .iter()
            .map(|window| window.ids.len())
            .sum()
    }
}

/// Analyses articles, encoding several together up to [`MAX_BATCH_TOKENS`].
pub fn briefs(
    articles: Vec<Article>,
    model: &Model,
    options: &Options,
) -> Result<Vec<ArticleBrief>, EncodeError> {
    let prepared: Vec<Prepared> = articles
        .into_par_iter()
        .map(|article| Prepared::new(article, model))
        .collect();
    let mut out = Vec::with_capacity(prepared.len());
    let mut rest = &prepared[..];
    while !rest.is_empty() {
        let mut tokens = 0;
        let fitting = rest.iter().take_while(|article| {
            tokens += article.token_count();
            tokens <= MAX_BATCH_TOKENS
        });
        let (now, later) = rest.split_at(fitting.count().max(1));
        encode_together(now, model, options, &mut out)?;
        rest = later;
    }
    Ok(out)
}

fn encode_together(
    articles: &[Prepared],
    model: &Model,
    options: &Options,
    out: &mut Vec<ArticleBrief>,
) -> Result<(), EncodeError> {
    let mut batch = TokenBatch::default();
    for article in articles {
        article.tokens.push_windows(&mut batch);
    }
    let states = model.encode(&batch)?;
    let mut rows = Vec::with_capacity(articles.len());
    let mut row = 0;
    for article in articles {
        rows.push(row);
        row += article.token_count();
    }
    let briefs: Result<Vec<ArticleBrief>, EncodeError> = articles
        .par_iter()
        .zip(rows)
        .map(|(article, row)| read(article, &states, row, model, options))
        .collect();
    out.extend(briefs?);
    Ok(())
}

/// Turns one article's hidden states, which begin at `row` of the batch's, into its part of the record.
fn read(
    prepared: &Prepared,
    states: &HiddenStates,
    row: usize,
    model: &Model,
    options: &Options,
) -> Result<ArticleBrief, EncodeError> {
    let own = prepared.tokens.gather(states, row);
    let scores = model.read(
        &ArticleTokens {
            title: &prepared.title,
            text: &prepared.text,
            sentences: &prepared.sentences,
            salience: &prepared.salience,
            candidates: &prepared.candidates,
            tokens: &prepared.tokens,
        },
        &own,
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
            &article.text,
            &prepared.text,
            &prepared.sentences,
            &scores.salience,
            options.summary,
        ),
        keywords: keywords::choose(
            &prepared.printed_title,
            &article.text,
            &prepared.candidates,
            &scores.keywords,
            options.keywords,
        ),
    })
}

fn warnings(decoded: &Decoded) -> Vec<Warning> {
    if decoded.undecodable == 0 {
        return Vec::new();
    }
    let message = format!(
        "{} byte sequences could not be decoded as {} and stand as U+FFFD",
        decoded.undecodable, decoded.encoding
    );
    vec![Warning {
        kind: "undecodable".to_owned(),
        message,
        spans: Vec::new(),
    }]
}
