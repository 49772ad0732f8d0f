//! The stages that articles go through, alone or in a stream: prepare (text), encode (device), read (choices).
//!
//! No result depends on which articles stand together in a group, nor on where a batch of tokens ends.

use super::document::{Options, Problem};
use crate::analysis::keywords::Places;
use crate::analysis::keywords::candidates::{Candidate, candidates};
use crate::analysis::summary::Sentences;
use crate::analysis::{keywords, salience, sector, summary};
use crate::document::{Article, Reading, Span, sentence};
use crate::encoder::batching;
use crate::encoder::window::TokenizedArticle;
use crate::encoder::{EncodeError, HiddenStates};
use crate::model::{ArticleTokens, Model};
use crate::output::record::ArticleBrief;
use crate::text::fold::fold;
use crate::text::misread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Articles encoded together have about this much text, or are one article: some 50 MiB of hidden states.
pub(super) const MAX_GROUP_CHARS: usize = 32_768;
/// Only this much of an article is analysed; its text stands whole in the record, and a warning says so.
pub const MAX_ANALYSED_CHARS: usize = 30_000;
/// And this much of its title; a longer one is no title, but a `title` of JSON Lines can be anything.
const MAX_ANALYSED_TITLE_CHARS: usize = 500;

/// An article with everything that the text alone tells.
pub(super) struct Prepared {
    article: Article,
    printed_title: Vec<char>,
    /// The article's text without datelines and credits.
    reading: Reading,
    /// Title and reading, folded: where keywords are looked up as they are printed.
    folded_title: Vec<char>,
    folded_text: Vec<char>,
    /// The same with what a scan misread put back (folded and mended): this is what all analysis reads.
    title: Vec<char>,
    text: Vec<char>,
    sentences: Vec<Span>,
    salience: Vec<[f32; salience::FEATURES]>,
    /// Found at the first call of [`Prepared::candidates`].
    candidates: OnceLock<Vec<Candidate>>,
    tokens: TokenizedArticle,
}

/// Runs one step of one article. A panic, a bug of ours, is that article's problem alone.
pub(super) fn guarded<T>(step: impl FnOnce() -> Result<T, EncodeError>) -> Result<T, Problem> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|e| Problem::Encoder(e.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Problem::Internal(text.unwrap_or("unknown").to_owned()))
        }
    }
}

/// Folded text with the blanks of full width that were printed: two of them indent a paragraph.
fn with_indents(folded: &[char], printed: &[char]) -> Vec<char> {
    let chars = folded.iter().zip(printed);
    let blank = '\u{3000}';
    chars
        .map(|(&folded, &printed)| if printed == blank { blank } else { folded })
        .collect()
}

impl Prepared {
    pub fn new(article: Article, model: &Model) -> Self {
        let printed_title = article.read_title();
        let reading = article.reading();
        let head = |text: &[char], max: usize| fold(&text[..text.len().min(max)]);
        let folded_title = head(&printed_title, MAX_ANALYSED_TITLE_CHARS);
        let folded_text = head(&reading.text, MAX_ANALYSED_CHARS);
        let (title, text) = misread::mended(&folded_title, &folded_text);
        let sentences = sentence::sentences(&with_indents(&text, &reading.text));
        let salience = salience::features(&title, &text, &sentences);
        let tokens = TokenizedArticle::new(model.tokenizer(), &title, &text, model.max_tokens());
        Self {
            article,
            printed_title,
            reading,
            folded_title,
            folded_text,
            title,
            text,
            sentences,
            salience,
            candidates: OnceLock::new(),
            tokens,
        }
    }

    /// Phrases that may be keywords. The encoder needs none of them, so they can be found while it is at work.
    pub fn candidates(&self, model: &Model) -> &[Candidate] {
        self.candidates
            .get_or_init(|| candidates(&self.title, &self.text, &self.sentences, model.frequency()))
    }

    /// What the model's heads are given of it.
    pub fn tokens<'a>(&'a self, model: &Model) -> ArticleTokens<'a> {
        ArticleTokens {
            title: &self.title,
            text: &self.text,
            sentences: &self.sentences,
            salience: &self.salience,
            candidates: self.candidates(model),
            tokens: &self.tokens,
        }
    }

    /// The text as printed, without datelines and credits.
    pub fn printed(&self) -> &[char] {
        &self.reading.text
    }

    /// Places in the printed text.
    pub fn sentences(&self) -> &[Span] {
        &self.sentences
    }

    /// Tokens that the encoder computes for it, marks included.
    pub fn encoded_tokens(&self) -> usize {
        self.tokens.windows.iter().map(|w| w.ids.len()).sum()
    }
}

/// The states of each article's tokens.
pub(super) fn encode(
    articles: &[&Prepared],
    model: &Model,
    batch_tokens: usize,
) -> Result<Vec<HiddenStates>, EncodeError> {
    if !model.needs_states() {
        // An encoder without heads encodes what it needs while it is read.
        let empty = || HiddenStates::empty(model.width());
        return Ok(std::iter::repeat_with(empty).take(articles.len()).collect());
    }
    let tokens: Vec<&TokenizedArticle> = articles.iter().map(|article| &article.tokens).collect();
    let batch_tokens = batch_tokens.max(model.full_batch());
    batching::encode(&tokens, model.width(), batch_tokens, |batch| {
        model.encode(batch)
    })
}

/// Turns one article's hidden states into its part of the record.
pub(super) fn read(
    prepared: &Prepared,
    states: &HiddenStates,
    model: &Model,
    options: &Options,
) -> Result<ArticleBrief, EncodeError> {
    let scores = model.read(&prepared.tokens(model), states)?;
    let (sector, sectors) = sector::rank(model.taxonomy(), &scores.sectors);
    let (article, reading) = (&prepared.article, &prepared.reading);
    let headings: Vec<Span> = (article.headings.iter())
        .map(|&heading| reading.read(heading))
        .collect();
    let sentences = Sentences {
        title: &prepared.title,
        text: &reading.text,
        folded: &prepared.text,
        sentences: &prepared.sentences,
        headings: &headings,
    };
    let mut summary = summary::choose(&sentences, &scores.salience, options.summary);
    for sentence in &mut summary {
        sentence.span = reading.printed(sentence.span);
        sentence.text = sentence.span.text(&article.text);
    }
    Ok(ArticleBrief {
        title: article.title.clone(),
        byline: article.byline.clone(),
        dateline: article.dateline.clone(),
        text: article.text.iter().collect(),
        spans: article.spans.clone(),
        title_spans: article.title_spans.clone(),
        sector,
        sectors,
        summary,
        keywords: keywords::choose(
            &Places {
                title: &prepared.printed_title,
                text: &reading.text,
                folded_title: &prepared.folded_title,
                folded_text: &prepared.folded_text,
            },
            prepared.candidates(model),
            &scores.keywords,
            options.keywords,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_problem() {
        let problem = guarded(|| -> Result<(), EncodeError> { panic!("index {}", 7) });
        assert!(matches!(problem, Err(Problem::Internal(text)) if text == "index 7"));
        assert!(matches!(guarded(|| Ok(3)), Ok(3)));
        let failed = guarded(|| Err::<(), _>(EncodeError("no memory".to_owned())));
        assert!(matches!(failed, Err(Problem::Encoder(_))));
    }
}
