//! A model: an encoder, its tokenizer, and a way to read sectors, salience and keywords from hidden states.

pub mod bundle;
pub mod checksums;
mod context;
mod files;
#[cfg(feature = "hub")]
pub mod hub;
pub mod name;
mod pooling;
mod readout;
mod similarity;
mod trained;

pub use bundle::{ModelError, Provenance, load};
pub use context::ContextInputs;
pub use name::ModelSource;
pub use readout::{ArticleScores, ArticleTokens};

use crate::analysis::sector::Taxonomy;
use crate::document::page::repair::Continuation;
use crate::encoder::tokenizer::Tokenizer;
use crate::encoder::window;
use crate::encoder::{EncodeError, Encoder, HiddenStates, TokenBatch};
use crate::output::record::ModelName;
use crate::text::document_frequency::DocumentFrequency;
use similarity::SimilarityReadout;
use trained::TrainedHeads;

/// A loaded model, ready for articles from any thread.
pub struct Model {
    name: ModelName,
    provenance: Provenance,
    encoder: Box<dyn Encoder>,
    tokenizer: Tokenizer,
    frequency: DocumentFrequency,
    readout: Readout,
    taxonomy: Taxonomy,
}

/// How results are read from hidden states.
enum Readout {
    /// Heads trained with the encoder. With another taxonomy than the trained one, sectors go by similarity.
    Trained {
        heads: Box<TrainedHeads>,
        sectors_by_similarity: Option<SimilarityReadout>,
    },
    /// No heads: everything by similarity of pooled vectors.
    Similarity(SimilarityReadout),
}

/// Seams that are encoded together: some four thousand tokens.
const SEAMS_A_BATCH: usize = 80;

impl Continuation for Model {
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
        // What cannot be judged is not joined.
        self.continuation(pairs)
            .unwrap_or_else(|_| vec![f32::NEG_INFINITY; pairs.len()])
    }

    fn openness(&self, fragment: &[char]) -> f32 {
        match &self.readout {
            Readout::Trained { heads, .. } => heads.starts().openness(fragment),
            Readout::Similarity(_) => 0.0,
        }
    }
}

impl Model {
    /// What stands in records.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// Where it came from and what it is made of.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub fn frequency(&self) -> &DocumentFrequency {
        &self.frequency
    }

    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// The longest sequence, marks included.
    pub fn max_tokens(&self) -> usize {
        self.encoder.max_tokens()
    }

    /// Length of a hidden state.
    pub fn width(&self) -> usize {
        self.encoder.width()
    }

    /// Whether [`Model::read`] wants the article's hidden states; an encoder without heads encodes what it needs.
    pub fn needs_states(&self) -> bool {
        matches!(self.readout, Readout::Trained { .. })
    }

    /// Tokens that the encoder computes for a batch; more than the batch has when it pads.
    pub fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        self.encoder.computed_tokens(batch)
    }

    /// Tokens that a batch should have: fewer cost as much.
    pub fn full_batch(&self) -> usize {
        self.encoder.full_batch()
    }

    /// Hidden states of a batch.
    pub fn encode(&self, batch: &TokenBatch) -> Result<HiddenStates, EncodeError> {
        self.encoder.encode(batch)
    }

    /// Scores of one article from the states of its tokens (the title's first, then the body's; none where [`Model::needs_states`] is false).
    pub fn read(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
    ) -> Result<ArticleScores, EncodeError> {
        let scores = match &self.readout {
            Readout::Trained {
                heads,
                sectors_by_similarity,
            } => {
                let mut scores = heads.read(article, states, &self.taxonomy)?;
                if let Some(similarity) = sectors_by_similarity {
                    scores.sectors = similarity.sectors(article, self)?;
                }
                scores
            }
            Readout::Similarity(similarity) => similarity.read(article, self)?,
        };
        let all = [&scores.sectors, &scores.salience, &scores.keywords];
        if all.into_iter().flatten().any(|score| score.is_nan()) {
            return Err(EncodeError(
                "the model computes values that are not numbers".to_owned(),
            ));
        }
        Ok(scores)
    }

    /// What its heads that read in context are given of an article, for training them; nothing without trained heads.
    pub fn context_inputs(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
    ) -> Result<ContextInputs, EncodeError> {
        match &self.readout {
            Readout::Trained { heads, .. } => heads.context_inputs(article, states),
            Readout::Similarity(_) => Ok(ContextInputs::default()),
        }
    }

    /// For each (left, right), folded: how well the right fragment continues the left one in mid-sentence.
    fn continuation(&self, pairs: &[(&[char], &[char])]) -> Result<Vec<f32>, EncodeError> {
        let Readout::Trained { heads, .. } = &self.readout else {
            return Ok(vec![f32::NEG_INFINITY; pairs.len()]);
        };
        let mut out = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(SEAMS_A_BATCH) {
            let (mut batch, mut places) = (TokenBatch::default(), Vec::with_capacity(pairs.len()));
            for (left, right) in pairs {
                let (ids, seam) = window::seam(&self.tokenizer, left, right);
                places.push(*batch.cumulative_lengths().last().unwrap_or(&0) + seam);
                batch.push(&ids);
            }
            let states = self.encoder.encode(&batch)?;
            let seams: Vec<f32> = places
                .into_iter()
                .flat_map(|place| [states.row(place), states.row(place + 1)].concat())
                .collect();
            out.extend(heads.continuation(seams)?);
        }
        Ok(out)
    }

    /// The pooled, normalised vector of each text, as the model's own authors compute it.
    pub fn embed(&self, texts: &[Vec<char>]) -> Result<Vec<Vec<f32>>, EncodeError> {
        let pooling = match &self.readout {
            Readout::Similarity(similarity) => similarity.pooling(),
            Readout::Trained { .. } => pooling::Pooling::Mean,
        };
        pooling::embed(self.encoder.as_ref(), &self.tokenizer, pooling, texts)
    }
}
