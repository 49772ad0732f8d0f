//! What a readout is given and what it gives back.

use crate::analysis::keywords::candidates::Candidate;
use crate::analysis::salience;
use crate::document::Span;
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

/// Raw scores; higher is better.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleScores {
    /// One logit a sector, in the taxonomy's order.
    pub sectors: Vec<f32>,
    /// One logit a sentence.
    pub salience: Vec<f32>,
    /// One logit a candidate; −∞ for one that was not scored (no token stands for it).
    pub keywords: Vec<f32>,
}
