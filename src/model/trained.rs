//! The trained heads. Twin of `training/jianbao_training/heads.py`.

use super::context::{ContextHeads, ContextInputs, FirstReading};
use super::readout::{ArticleScores, ArticleTokens};
use crate::analysis::keywords::candidates;
use crate::analysis::ngrams::NgramSectors;
use crate::analysis::salience;
use crate::analysis::sector::Taxonomy;
use crate::document::page::starts::SentenceStarts;
use crate::encoder::candle::context::ContextShape;
use crate::encoder::candle::dense::{Dense, Scorer};
use crate::encoder::candle::weights::Weights;
use crate::encoder::{EncodeError, HiddenStates};
use serde::{Deserialize, Serialize};

/// Occurrences of a candidate that are read, title first.
const MAX_PLACES: usize = 6;

/// The form of heads that this program reads.
const FORMAT: u32 = 2;

/// The shape of the heads, under `jianbao` in `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadsConfig {
    /// Version of this form; 2.
    pub format: u32,
    pub name: String,
    /// Sector keys in the order of the head's outputs.
    pub sectors: Vec<String>,
    /// The sector head reads the mean of so many tokens of title and body.
    pub sector_tokens: usize,
    /// Sector logits are divided by this, so that scores are probabilities.
    pub sector_temperature: f32,
    pub salience_hidden: usize,
    pub keyword_hidden: usize,
    pub continuation_hidden: usize,
    /// Heads that score sentences and candidates a second time, together; none in a model that is still in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextShape>,
}

pub(super) struct TrainedHeads {
    config: HeadsConfig,
    sector: Dense,
    /// Logits from n-grams are added to the encoder's, times `ngram_share`.
    ngrams: NgramSectors,
    ngram_share: f32,
    salience: Scorer,
    keyword: Scorer,
    continuation: Scorer,
    starts: SentenceStarts,
    context: Option<ContextHeads>,
}

impl TrainedHeads {
    /// Takes the heads' tensors out of `weights`; `width` is the encoder's.
    pub fn new(config: HeadsConfig, weights: &mut Weights, width: usize) -> Result<Self, String> {
        if config.format != FORMAT {
            return Err(format!(
                "config.json: this program reads format {FORMAT}, not {}",
                config.format
            ));
        }
        let plausible = |n: usize| (1..=8192).contains(&n);
        if !(16..=512).contains(&config.sector_tokens) {
            return Err("config.json: sector_tokens is not from 16 to 512".to_owned());
        }
        if !(config.sector_temperature.is_finite() && config.sector_temperature > 0.0) {
            return Err("config.json: the sector temperature is not a positive number".to_owned());
        }
        if !(plausible(config.salience_hidden)
            && plausible(config.keyword_hidden)
            && plausible(config.continuation_hidden)
            && plausible(config.sectors.len())
            && config.context.is_none_or(|shape| shape.is_plausible()))
        {
            return Err("config.json describes impossible heads".to_owned());
        }
        let classes = config.sectors.len();
        let context = (config.context)
            .map(|shape| ContextHeads::new(weights, shape, width))
            .transpose()?;
        Ok(Self {
            context,
            ngrams: NgramSectors::new(
                weights.take_bytes("ngram.idf")?,
                // Stored as u8 around 128: safetensors' i8 is not read by Candle.
                weights
                    .take_bytes("ngram.weight")?
                    .into_iter()
                    .map(|byte| byte.wrapping_sub(128) as i8)
                    .collect(),
                weights.take_values("ngram.scale", &[classes])?,
                weights.take_values("ngram.bias", &[classes])?,
            )?,
            ngram_share: weights.take_values("head.sector.ngram_share", &[1])?[0],
            sector: Dense::new(weights, "head.sector", width, classes)?,
            salience: Scorer::new(
                weights,
                "head.salience",
                3 * width + salience::FEATURES,
                config.salience_hidden,
            )?,
            keyword: Scorer::new(
                weights,
                "head.keyword",
                4 * width + candidates::FEATURES,
                config.keyword_hidden,
            )?,
            starts: SentenceStarts::new(weights.take_bytes("starts")?)
                .ok_or("the table `starts` has the wrong size")?,
            continuation: Scorer::new(
                weights,
                "head.continuation",
                2 * width,
                config.continuation_hidden,
            )?,
            config,
        })
    }

    /// A logit for each seam, from the states of the two tokens that meet there (rows of two states).
    pub fn continuation(&self, seams: Vec<f32>) -> Result<Vec<f32>, EncodeError> {
        self.continuation.scores(&seams)
    }

    pub fn starts(&self) -> &SentenceStarts {
        &self.starts
    }

    pub fn sectors(&self) -> &[String] {
        &self.config.sectors
    }

    /// Scores of one article. The taxonomy's order of sectors may differ from the trained one.
    pub fn read(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
        taxonomy: &Taxonomy,
    ) -> Result<ArticleScores, EncodeError> {
        let lead = states.mean(0, states.rows().min(self.config.sector_tokens));
        let ngrams = self.ngrams.logits(article.title, article.text);
        let mut trained = self.sector.apply(&lead)?;
        for (logit, ngram) in trained.iter_mut().zip(ngrams) {
            *logit += self.ngram_share * ngram;
        }
        let mut reading = self.read_alone(article, states)?;
        if let Some(context) = &self.context {
            let inputs = ContextInputs::new(article, states, &reading);
            context.read_again(&mut reading, &inputs)?;
        }
        let place = |key: &String| self.config.sectors.iter().position(|k| k == key);
        let sectors = taxonomy
            .sectors
            .iter()
            .map(|sector| {
                place(&sector.key).map_or(f32::NEG_INFINITY, |i| {
                    trained[i] / self.config.sector_temperature
                })
            })
            .collect();
        Ok(ArticleScores {
            sectors,
            salience: reading.salience,
            keywords: reading.keywords,
        })
    }

    /// What the heads that read in context are given of an article, for training them.
    pub fn context_inputs(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
    ) -> Result<ContextInputs, EncodeError> {
        let reading = self.read_alone(article, states)?;
        Ok(ContextInputs::new(article, states, &reading))
    }

    /// The first reading: every sentence and every candidate by itself.
    fn read_alone(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
    ) -> Result<FirstReading, EncodeError> {
        let mean = states.mean(0, states.rows());
        let rows = self.salience_rows(article, states, &mean);
        let candidates = CandidateRows::new(article, states);
        Ok(FirstReading {
            salience: self.salience.scores(&rows)?,
            keywords: self.keyword_scores(article, &candidates, &mean)?,
            candidates,
        })
    }

    /// A sentence: its mean, the article's mean, their product, features.
    fn salience_rows(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
        mean: &[f32],
    ) -> Vec<f32> {
        let mut rows = Vec::with_capacity(article.sentences.len() * self.salience.inputs());
        for (sentence, features) in article.sentences.iter().zip(article.salience) {
            let range = article.tokens.body_rows(*sentence);
            let vector = states.mean(range.start, range.end);
            rows.extend_from_slice(&vector);
            rows.extend_from_slice(mean);
            rows.extend(vector.iter().zip(mean).map(|(a, b)| a * b));
            rows.extend_from_slice(features);
        }
        rows
    }

    /// A candidate: its row, the article's mean, features.
    fn keyword_scores(
        &self,
        article: &ArticleTokens<'_>,
        candidates: &CandidateRows,
        mean: &[f32],
    ) -> Result<Vec<f32>, EncodeError> {
        let mut rows = Vec::with_capacity(candidates.present.len() * self.keyword.inputs());
        for (k, &i) in candidates.present.iter().enumerate() {
            rows.extend_from_slice(candidates.row(k));
            rows.extend_from_slice(mean);
            rows.extend_from_slice(&article.candidates[i].features);
        }
        let mut scores = vec![f32::NEG_INFINITY; article.candidates.len()];
        for (&i, score) in candidates.present.iter().zip(self.keyword.scores(&rows)?) {
            scores[i] = score;
        }
        Ok(scores)
    }
}

/// What the encoder says of each candidate: over its occurrences the mean of (mean token, first token, last token).
pub(super) struct CandidateRows {
    /// Candidates that some token stands for, in order.
    present: Vec<usize>,
    /// Three states for each of them.
    values: Vec<f32>,
    width: usize,
}

impl CandidateRows {
    fn new(article: &ArticleTokens<'_>, states: &HiddenStates) -> Self {
        let width = states.width;
        let (mut present, mut values) = (Vec::new(), Vec::new());
        for (i, candidate) in article.candidates.iter().enumerate() {
            let in_title = candidate
                .in_title
                .iter()
                .map(|span| article.tokens.title_rows(*span));
            let in_text = candidate
                .in_text
                .iter()
                .take(MAX_PLACES)
                .map(|span| article.tokens.body_rows(*span));
            let mut sum = vec![0.0f32; 3 * width];
            let mut places = 0;
            for place in in_title
                .chain(in_text)
                .filter(|place| !place.is_empty())
                .take(MAX_PLACES)
            {
                let parts = [
                    &states.mean(place.start, place.end)[..],
                    states.row(place.start),
                    states.row(place.end - 1),
                ];
                for (sum, x) in sum.iter_mut().zip(parts.into_iter().flatten()) {
                    *sum += x;
                }
                places += 1;
            }
            if places > 0 {
                present.push(i);
                values.extend(sum.iter().map(|x| x / places as f32));
            }
        }
        Self {
            present,
            values,
            width,
        }
    }

    fn row(&self, k: usize) -> &[f32] {
        &self.values[k * 3 * self.width..(k + 1) * 3 * self.width]
    }

    /// The mean state of candidate `i`, which is present.
    pub fn mean_state(&self, i: usize) -> Vec<f32> {
        let k = self.present.partition_point(|&present| present < i);
        self.row(k)[..self.width].to_vec()
    }
}
