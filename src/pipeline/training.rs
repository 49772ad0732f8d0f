//! What the heads that read in context are given of articles, for training them.

use super::document::{BATCH_TOKENS, Problem};
use super::stages::{self, Prepared, guarded};
use crate::document::{Article, Span};
use crate::model::{ContextInputs, Model};
use rayon::prelude::*;

/// One article as the heads that read in context see it.
#[derive(Debug)]
pub struct InContext {
    /// The text as printed, without datelines and credits; sentences are places in it.
    pub text: Vec<char>,
    pub sentences: Vec<Span>,
    /// The keys of the candidates that are read, in the order of `inputs.candidates`.
    pub keys: Vec<String>,
    pub inputs: ContextInputs,
}

/// Reads articles up to the point where sentences and candidates meet.
pub fn in_context(articles: Vec<Article>, model: &Model) -> Result<Vec<InContext>, Problem> {
    let prepare = |article| guarded(|| Ok(Prepared::new(article, model)));
    let prepared: Vec<Prepared> = articles
        .into_par_iter()
        .map(prepare)
        .collect::<Result<_, _>>()?;
    let borrowed: Vec<&Prepared> = prepared.iter().collect();
    let states = guarded(|| stages::encode(&borrowed, model, BATCH_TOKENS))?;
    let read = |(article, states): (&Prepared, _)| {
        guarded(|| {
            let inputs = model.context_inputs(&article.tokens(model), states)?;
            let candidates = article.candidates(model);
            Ok(InContext {
                text: article.printed().to_vec(),
                sentences: article.sentences().to_vec(),
                keys: (inputs.candidates.numbers.iter())
                    .map(|&i| candidates[i].key.iter().collect())
                    .collect(),
                inputs,
            })
        })
    };
    prepared.par_iter().zip(&states).map(read).collect()
}
