//! The trained heads. Twin of `training/jianbao_training/heads.py`.

use super::context::{ContextHeads, ContextInputs, FirstReading};
use super::readout::{ArticleScores, ArticleTokens};
use crate::analysis::keywords::candidates::{self, Candidate};
use crate::analysis::ngrams::NgramSectors;
use crate::analysis::salience;
use crate::analysis::sector::Taxonomy;
use crate::document::page::starts::SentenceStarts;
use crate::encoder::candle::context::ContextShape;
use crate::encoder::candle::dense::{Dense, Scorer};
use crate::encoder::candle::weights::Weights;
use crate::encoder::window::TokenizedArticle;
use crate::encoder::{EncodeError, HiddenStates, add};
use serde::{Deserialize, Serialize};

/// Occurrences of a candidate that are read, title first.
const MAX_PLACES: usize = 6;
/// Sentences or candidates that are scored at a time: an article can have thousands, of 6 kB each.
const ITEMS_A_BATCH: usize = 128;

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
        let mut keys: Vec<&String> = config.sectors.iter().collect();
        keys.sort_unstable();
        if let Some(twice) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("config.json names the sector {:?} twice", twice[0]));
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
        Ok(FirstReading {
            salience: self.salience_scores(article, states, &mean)?,
            keywords: self.keyword_scores(article, states, &mean)?,
            article: mean,
        })
    }

    /// A sentence: its mean, the article's mean, their product, features.
    fn salience_scores(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
        mean: &[f32],
    ) -> Result<Vec<f32>, EncodeError> {
        let mut scores = Vec::with_capacity(article.sentences.len());
        let sentences: Vec<_> = article.sentences.iter().zip(article.salience).collect();
        for sentences in sentences.chunks(ITEMS_A_BATCH) {
            let mut rows = Vec::with_capacity(sentences.len() * self.salience.inputs());
            for (sentence, features) in sentences {
                let range = article.tokens.body_rows(**sentence);
                let vector = states.mean(range.start, range.end);
                rows.extend_from_slice(&vector);
                rows.extend_from_slice(mean);
                rows.extend(vector.iter().zip(mean).map(|(a, b)| a * b));
                rows.extend_from_slice(&features[..]);
            }
            scores.extend(self.salience.scores(&rows)?);
        }
        Ok(scores)
    }

    /// A candidate: what the encoder says of it, the article's mean, features.
    fn keyword_scores(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
        mean: &[f32],
    ) -> Result<Vec<f32>, EncodeError> {
        let mut scores = vec![f32::NEG_INFINITY; article.candidates.len()];
        let numbers: Vec<usize> = (0..scores.len()).collect();
        for numbers in numbers.chunks(ITEMS_A_BATCH) {
            let mut present = Vec::with_capacity(numbers.len());
            let mut rows = Vec::with_capacity(numbers.len() * self.keyword.inputs());
            for &i in numbers {
                let candidate = &article.candidates[i];
                let Some(states) = candidate_states(candidate, article.tokens, states) else {
                    continue;
                };
                present.push(i);
                rows.extend_from_slice(&states);
                rows.extend_from_slice(mean);
                rows.extend_from_slice(&candidate.features);
            }
            for (i, score) in present.into_iter().zip(self.keyword.scores(&rows)?) {
                scores[i] = score;
            }
        }
        Ok(scores)
    }
}

/// Over a candidate's occurrences the mean of (mean token, first token, last token): three states. `None` for one that no
/// token stands for.
pub(super) fn candidate_states(
    candidate: &Candidate,
    tokens: &TokenizedArticle,
    states: &HiddenStates,
) -> Option<Vec<f32>> {
    let in_title = (candidate.in_title.iter()).map(|span| tokens.title_rows(*span));
    let in_text = (candidate.in_text.iter().take(MAX_PLACES)).map(|span| tokens.body_rows(*span));
    let mut sum = vec![0.0f32; 3 * states.width];
    let (mean, ends) = sum.split_at_mut(states.width);
    let (first, last) = ends.split_at_mut(states.width);
    let mut places = 0;
    for place in in_title
        .chain(in_text)
        .filter(|place| !place.is_empty())
        .take(MAX_PLACES)
    {
        add(mean, &states.mean(place.start, place.end));
        add(first, states.row(place.start));
        add(last, states.row(place.end - 1));
        places += 1;
    }
    sum.iter_mut().for_each(|x| *x /= places.max(1) as f32);
    (places > 0).then_some(sum)
}
