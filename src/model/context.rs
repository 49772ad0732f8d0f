//! The second reading: sentences and candidates that the heads scored one by one are scored again, together.
//! Twin of `training/jianbao_training/context.py`.

use super::readout::ArticleTokens;
use super::trained::candidate_states;
use crate::analysis::context::{self, CANDIDATE_FEATURES, SENTENCE_FEATURES, Scored};
use crate::encoder::candle::context::{ContextHead, ContextItems, ContextShape};
use crate::encoder::candle::weights::Weights;
use crate::encoder::{EncodeError, HiddenStates};

/// The most sentences, and candidates, that are read together: the best ones. Attention takes their square.
const MAX_SENTENCES: usize = 256;
const MAX_CANDIDATES: usize = 64;

/// What the two heads read of an article.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContextInputs {
    pub sentences: ContextItems,
    pub candidates: ContextItems,
    /// The article's mean state.
    pub article: Vec<f32>,
}

/// What the heads said of an article at first: one logit a sentence, a candidate.
pub(super) struct FirstReading {
    pub salience: Vec<f32>,
    pub keywords: Vec<f32>,
    /// The article's mean state.
    pub article: Vec<f32>,
}

impl ContextInputs {
    pub(super) fn new(
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
        first: &FirstReading,
    ) -> Self {
        let FirstReading {
            salience, keywords, ..
        } = first;
        let scored = Scored {
            title: article.title,
            text: article.text,
            sentences: article.sentences,
            own: article.salience,
            salience,
            candidates: article.candidates,
            keywords,
        };
        let numbers = context::best(salience, MAX_SENTENCES);
        let rows = scored.sentence_features();
        let below = context::below_best(salience);
        let sentences = ContextItems {
            features: numbers.iter().flat_map(|&i| rows[i]).collect(),
            vectors: (numbers.iter())
                .flat_map(|&i| {
                    let place = article.tokens.body_rows(article.sentences[i]);
                    states.mean(place.start, place.end)
                })
                .collect(),
            own: numbers.iter().map(|&i| below[i]).collect(),
            numbers,
        };
        let numbers = context::best(keywords, MAX_CANDIDATES);
        let candidates = ContextItems {
            features: scored.candidate_features(&numbers).concat(),
            vectors: (numbers.iter())
                .filter_map(|&i| candidate_states(&article.candidates[i], article.tokens, states))
                .flat_map(|three| three.into_iter().take(states.width))
                .collect(),
            own: numbers.iter().map(|&i| keywords[i]).collect(),
            numbers,
        };
        Self {
            sentences,
            candidates,
            article: first.article.clone(),
        }
    }
}

/// The heads that read in context.
pub(super) struct ContextHeads {
    salience: ContextHead,
    keyword: ContextHead,
}

impl ContextHeads {
    pub fn new(weights: &mut Weights, shape: ContextShape, width: usize) -> Result<Self, String> {
        let mut head = |name, columns| ContextHead::new(weights, name, shape, columns, width);
        Ok(Self {
            salience: head("head.context.salience", SENTENCE_FEATURES)?,
            keyword: head("head.context.keyword", CANDIDATE_FEATURES)?,
        })
    }

    /// Puts the new scores in place of the old ones; what was not read stays below all that was.
    pub fn read_again(
        &self,
        first: &mut FirstReading,
        inputs: &ContextInputs,
    ) -> Result<(), EncodeError> {
        let sentences = self.salience.scores(&inputs.sentences, &inputs.article)?;
        replace(&mut first.salience, &inputs.sentences.numbers, &sentences);
        let candidates = self.keyword.scores(&inputs.candidates, &inputs.article)?;
        replace(&mut first.keywords, &inputs.candidates.numbers, &candidates);
        Ok(())
    }
}

/// New scores for the items of these `numbers`. All others, which had lower old scores than any of them, keep their order
/// and their distances, below the lowest new score.
fn replace(scores: &mut [f32], numbers: &[usize], new: &[f32]) {
    let Some(old_lowest) = numbers.last().map(|&i| scores[i]) else {
        return;
    };
    let lowest = new.iter().copied().fold(f32::INFINITY, f32::min);
    let mut read = vec![false; scores.len()];
    for &i in numbers {
        read[i] = true;
    }
    for (score, read) in scores.iter_mut().zip(read) {
        if !read {
            *score += lowest - old_lowest;
        }
    }
    for (&i, &score) in numbers.iter().zip(new) {
        scores[i] = score;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_stays_below() {
        let mut scores = [1.0, f32::NEG_INFINITY, 3.0, 2.0, 0.5];
        replace(&mut scores, &[2, 3], &[-1.0, 4.0]);
        assert_eq!(scores, [-2.0, f32::NEG_INFINITY, -1.0, 4.0, -2.5]);
        let mut none = [f32::NEG_INFINITY];
        replace(&mut none, &[], &[]);
        assert_eq!(none, [f32::NEG_INFINITY]);
    }
}
