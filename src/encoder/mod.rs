//! The contract between text and neural network: token ids in, hidden states out.
//!
//! No Candle type crosses it. A batch is flat: all sequences one after another with cumulative lengths, no
//! padding, so a sequence cannot change its neighbour's result.

pub mod batching;
pub mod candle;
pub mod tokenizer;
pub mod window;

/// Sequences of token ids, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    /// All ids, flat.
    ids: Vec<u32>,
    /// Where each sequence begins, and the total: one more entry than sequences.
    cumulative_lengths: Vec<usize>,
}

impl Default for TokenBatch {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            cumulative_lengths: vec![0],
        }
    }
}

impl TokenBatch {
    /// Appends a sequence; empty ones are not allowed.
    pub fn push(&mut self, ids: &[u32]) {
        assert!(!ids.is_empty(), "a sequence has at least one token");
        self.ids.extend_from_slice(ids);
        self.cumulative_lengths.push(self.ids.len());
    }

    pub fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        self.cumulative_lengths
            .windows(2)
            .map(|w| &self.ids[w[0]..w[1]])
    }

    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub fn cumulative_lengths(&self) -> &[usize] {
        &self.cumulative_lengths
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.cumulative_lengths.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One vector a token, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenStates {
    /// `tokens × width` values.
    pub values: Vec<f32>,
    pub width: usize,
}

impl HiddenStates {
    /// No rows yet.
    pub fn empty(width: usize) -> Self {
        Self {
            values: Vec::new(),
            width,
        }
    }

    /// The vector of token `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    /// The mean of rows `start..end`; zeros for an empty range.
    pub fn mean(&self, start: usize, end: usize) -> Vec<f32> {
        let mut out = vec![0.0; self.width];
        for row in start..end {
            add(&mut out, self.row(row));
        }
        let scale = 1.0 / (end.saturating_sub(start)).max(1) as f32;
        out.iter_mut().for_each(|x| *x *= scale);
        out
    }
}

/// `sum ← sum + other`.
pub(crate) fn add(sum: &mut [f32], other: &[f32]) {
    for (sum, x) in sum.iter_mut().zip(other) {
        *sum += x;
    }
}

/// Why an encoder gave no result.
#[derive(Debug, thiserror::Error)]
#[error("the encoder failed: {0}")]
pub struct EncodeError(pub String);

/// A neural encoder on some device.
pub trait Encoder: Send + Sync {
    /// Hidden states of every token of the batch, in order. A sequence's states do not depend on the other
    /// sequences, bit for bit on the same kind of device.
    fn encode(&self, batch: &TokenBatch) -> Result<HiddenStates, EncodeError>;

    /// Tokens that it computes for a batch; more than the batch has when it pads.
    fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        batch.ids().len()
    }

    /// Tokens that a batch should have, where there are so many: fewer leave the device partly idle.
    fn full_batch(&self) -> usize {
        1
    }

    /// Length of a hidden state.
    fn width(&self) -> usize;

    /// The longest sequence it takes, marks included.
    fn max_tokens(&self) -> usize;
}
