//! Token states → one vector a text, as the sentence-transformers files say.

use crate::encoder::tokenizer::Tokenizer;
use crate::encoder::{EncodeError, Encoder, TokenBatch};
use serde::Deserialize;

/// Which states make the vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The first mark's state.
    Cls,
    /// The mean of all states, marks included.
    Mean,
}

#[derive(Deserialize)]
struct PoolingFile {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

impl Pooling {
    /// From the text of `1_Pooling/config.json`; mean when there is none.
    pub fn from_json(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else {
            return Ok(Self::Mean);
        };
        let file: PoolingFile =
            serde_json::from_str(text).map_err(|e| format!("1_Pooling/config.json: {e}"))?;
        match (file.pooling_mode_cls_token, file.pooling_mode_mean_tokens) {
            (true, false) => Ok(Self::Cls),
            (false, true) => Ok(Self::Mean),
            _ => Err("1_Pooling/config.json asks for a pooling other than cls or mean".to_owned()),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
        }
    }
}

/// Texts encoded at a time.
const BATCH: usize = 64;

/// The pooled vector of each text, length 1. Text beyond the encoder's limit is not read.
pub(super) fn embed(
    encoder: &dyn Encoder,
    tokenizer: &Tokenizer,
    pooling: Pooling,
    texts: &[Vec<char>],
) -> Result<Vec<Vec<f32>>, EncodeError> {
    let mut out = Vec::with_capacity(texts.len());
    for part in texts.chunks(BATCH) {
        let mut batch = TokenBatch::default();
        for text in part {
            let limit = encoder.max_tokens();
            let readable = &text[..text.len().min(limit * 8)];
            let mut ids = vec![tokenizer.cls];
            ids.extend(
                tokenizer
                    .tokens(readable)
                    .into_iter()
                    .take(limit - 2)
                    .map(|token| token.id),
            );
            ids.push(tokenizer.sep);
            batch.push(&ids);
        }
        let states = encoder.encode(&batch)?;
        for range in batch.cumulative_lengths().windows(2) {
            let vector = match pooling {
                Pooling::Cls => states.row(range[0]).to_vec(),
                Pooling::Mean => states.mean(range[0], range[1]),
            };
            out.push(normalised(vector));
        }
    }
    Ok(out)
}

pub(super) fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// Cosine of two vectors of length 1.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
