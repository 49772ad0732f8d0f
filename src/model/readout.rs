//! What a readout is given and what it gives back.

use crate::analysis::keywords::candidates::Candidate;
use crate::analysis::salience;
use crate::document::Span;
use crate::encoder::HiddenStates;
use crate::encoder::window::TokenizedArticle;

/// One article, prepared.
pub struct ArticleTokens<'a> {
    /// Folded title and body.
    pub title: &'a [char],
    pub text: &'a [char],
    pub sentences: &'a [Span],
    pub salience: &'a [[f32; salience::FEATURES]],
    pub candidates: &'a [Candidate],
    pub tokens: &'a TokenizedArticle,
}

/// The hidden states of one article.
#[derive(Debug, Clone)]
pub struct ArticleStates {
    /// The title's tokens, then the body's.
    pub tokens: HiddenStates,
    /// The same of title and opening in a sequence of their own; empty when the article is no longer than that.
    pub lead: HiddenStates,
}

/// Raw scores; higher is better.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleScores {
    /// One logit a sector, in the taxonomy's order.
    pub sectors: Vec<f32>,
    /// One logit a sentence.
    pub salience: Vec<f32>,
    /// One logit a candidate; −∞ for one that no token stands for.
    pub keywords: Vec<f32>,
}
