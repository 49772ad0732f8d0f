//! A model: an encoder, its tokenizer, and a way to read sectors, salience and keywords from hidden states.

pub mod bundle;
#[cfg(feature = "hub")]
pub mod hub;
pub mod name;
mod pooling;
mod readout;
mod similarity;
mod trained;

pub use bundle::{ModelError, Provenance, load};
pub use name::ModelSource;
pub use readout::{ArticleScores, ArticleStates, ArticleTokens};

use crate::analysis::sector::Taxonomy;
use crate::encoder::tokenizer::Tokenizer;
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
        heads: TrainedHeads,
        sectors_by_similarity: Option<SimilarityReadout>,
    },
    /// No heads: everything by similarity of pooled vectors.
    Similarity(SimilarityReadout),
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

    /// How many tokens of title and opening the sector head reads in a sequence of their own.
    pub fn lead_tokens(&self) -> Option<usize> {
        match &self.readout {
            Readout::Trained { heads, .. } => Some(heads.lead_tokens()),
            Readout::Similarity(_) => None,
        }
    }

    /// Whether [`Model::read`] wants the article's hidden states; an encoder without heads encodes what it needs.
    pub fn needs_states(&self) -> bool {
        matches!(self.readout, Readout::Trained { .. })
    }

    /// Hidden states of a batch.
    pub fn encode(&self, batch: &TokenBatch) -> Result<HiddenStates, EncodeError> {
        self.encoder.encode(batch)
    }

    /// Scores of one article from the states of its tokens (the title's first, then the body's; none where [`Model::needs_states`] is false).
    pub fn read(
        &self,
        article: &ArticleTokens<'_>,
        states: &ArticleStates,
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

    /// The pooled, normalised vector of each text, as the model's own authors compute it.
    pub fn embed(&self, texts: &[Vec<char>]) -> Result<Vec<Vec<f32>>, EncodeError> {
        let pooling = match &self.readout {
            Readout::Similarity(similarity) => similarity.pooling(),
            Readout::Trained { .. } => pooling::Pooling::Mean,
        };
        pooling::embed(self.encoder.as_ref(), &self.tokenizer, pooling, texts)
    }
}
