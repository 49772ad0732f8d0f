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
pub use readout::{ArticleScores, ArticleTokens};

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

    /// Hidden states of a batch.
    pub fn encode(&self, batch: &TokenBatch) -> Result<HiddenStates, EncodeError> {
        self.encoder.encode(batch)
    }

    /// Scores of one article from the states of its tokens (see `TokenizedArticle::gather`).
    pub fn read(
        &self,
        article: &ArticleTokens<'_>,
        states: &HiddenStates,
    ) -> Result<ArticleScores, EncodeError> {
        match &self.readout {
            Readout::Trained {
                heads,
                sectors_by_similarity,
            } => {
                let mut scores = heads.read(article, states, &self.taxonomy)?;
                if let Some(similarity) = sectors_by_similarity {
                    scores.sectors = similarity.sectors(article, self)?;
                }
                Ok(scores)
            }
            Readout::Similarity(similarity) => similarity.read(article, self),
        }
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
