//! Reading an encoder without trained heads: everything by cosine of pooled vectors.
//!
//! Sectors: the article against the descriptions of the taxonomy. Summary: closeness to the whole article and
//! position (LexRank's centrality with the lead as prior, Erkan and Radev 2004). Keywords: closeness of the
//! phrase to the article (KeyBERT), among the candidates that frequency and position speak for.

use super::Model;
use super::pooling::{self, Pooling, cosine, normalised};
use super::readout::{ArticleScores, ArticleTokens};
use crate::analysis::sector::Taxonomy;
use crate::encoder::tokenizer::Tokenizer;
use crate::encoder::{EncodeError, Encoder};
use crate::text::fold::fold;

/// Cosines become logits by dividing by this; they lie close together in embedding spaces.
const TEMPERATURE: f32 = 0.03;
/// Sentences (the first ones) and candidates (the best by frequency and place) that are encoded.
const MAX_SENTENCES: usize = 120;
const MAX_PHRASES: usize = 64;

pub(super) struct SimilarityReadout {
    pooling: Pooling,
    /// One vector a sector.
    sectors: Vec<Vec<f32>>,
}

impl SimilarityReadout {
    /// Encodes the taxonomy's descriptions.
    pub fn new(
        encoder: &dyn Encoder,
        tokenizer: &Tokenizer,
        pooling: Pooling,
        taxonomy: &Taxonomy,
    ) -> Result<Self, EncodeError> {
        let texts: Vec<Vec<char>> = taxonomy
            .sectors
            .iter()
            .map(|s| {
                fold(
                    &format!("{}。{}", s.label, s.text)
                        .chars()
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        Ok(Self {
            pooling,
            sectors: pooling::embed(encoder, tokenizer, pooling, &texts)?,
        })
    }

    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// One logit a sector.
    pub fn sectors(
        &self,
        article: &ArticleTokens<'_>,
        model: &Model,
    ) -> Result<Vec<f32>, EncodeError> {
        let lead: Vec<char> = [
            article.title,
            &['。'],
            &article.text[..article.text.len().min(400)],
        ]
        .concat();
        let lead = self.embed(model, &[lead])?.remove(0);
        Ok(self
            .sectors
            .iter()
            .map(|sector| cosine(sector, &lead) / TEMPERATURE)
            .collect())
    }

    fn embed(&self, model: &Model, texts: &[Vec<char>]) -> Result<Vec<Vec<f32>>, EncodeError> {
        pooling::embed(
            model.encoder.as_ref(),
            &model.tokenizer,
            self.pooling,
            texts,
        )
    }

    /// All scores of one article.
    pub fn read(
        &self,
        article: &ArticleTokens<'_>,
        model: &Model,
    ) -> Result<ArticleScores, EncodeError> {
        let sentences: Vec<Vec<char>> = article
            .sentences
            .iter()
            .take(MAX_SENTENCES)
            .map(|s| s.of(article.text).to_vec())
            .collect();
        let vectors = self.embed(model, &sentences)?;
        let mut whole = vec![0.0; model.encoder.width()];
        for (vector, sentence) in vectors.iter().zip(&sentences) {
            let weight = (1.0 + sentence.len() as f32).ln();
            whole
                .iter_mut()
                .zip(vector)
                .for_each(|(sum, x)| *sum += weight * x);
        }
        if !article.title.is_empty() {
            let title = self.embed(model, &[article.title.to_vec()])?.remove(0);
            let weight = 2.0 * (1.0 + article.title.len() as f32).ln();
            whole
                .iter_mut()
                .zip(&title)
                .for_each(|(sum, x)| *sum += weight * x);
        }
        let whole = normalised(whole);
        let salience = (0..article.sentences.len())
            .map(|i| match vectors.get(i) {
                // Centrality, the lead's weight, and a little for saying more.
                Some(vector) => {
                    let features = &article.salience[i];
                    (cosine(vector, &whole) + 0.15 * features[5] + 0.1 * features[11]) / 0.1
                }
                None => -100.0,
            })
            .collect();
        Ok(ArticleScores {
            sectors: self.sectors(article, model)?,
            salience,
            keywords: self.keywords(article, model, &whole)?,
        })
    }

    fn keywords(
        &self,
        article: &ArticleTokens<'_>,
        model: &Model,
        whole: &[f32],
    ) -> Result<Vec<f32>, EncodeError> {
        let evidence: Vec<f32> = article
            .candidates
            .iter()
            .map(|c| {
                let count = (c.in_title.len() + c.in_text.len()) as f32;
                let length = (c.key.len() as f32).min(8.0);
                let early = 1.0 / (1.0 + c.in_text.first().map_or(0.0, |s| s.start as f32 / 200.0));
                (1.0 + count).ln()
                    * length.sqrt()
                    * (0.5 + early)
                    * if c.in_title.is_empty() { 1.0 } else { 1.5 }
            })
            .collect();
        let mut order: Vec<usize> = (0..evidence.len()).collect();
        order.sort_by(|&a, &b| evidence[b].total_cmp(&evidence[a]).then(a.cmp(&b)));
        order.truncate(MAX_PHRASES);
        let phrases: Vec<Vec<char>> = order
            .iter()
            .map(|&i| article.candidates[i].key.clone())
            .collect();
        let mut scores = vec![f32::NEG_INFINITY; article.candidates.len()];
        for (&i, vector) in order.iter().zip(self.embed(model, &phrases)?) {
            scores[i] = (cosine(&vector, whole) - 0.5) * 6.0 + 0.5 * evidence[i] - 1.5;
        }
        Ok(scores)
    }
}
