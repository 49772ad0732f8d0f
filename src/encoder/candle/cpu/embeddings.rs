//! Token ids → normed embeddings, row by row.

use super::norm::Norm;
use crate::encoder::candle::weights::Rows;

/// One row a token of the vocabulary, as it is stored: a row of a few hundred bytes is turned into numbers when its token
/// comes, which costs nothing beside a layer, and a table of numbers would be four times as large.
pub struct Embeddings {
    rows: Rows,
    norm: Norm,
}

impl Embeddings {
    pub fn new(rows: Rows, norm: Norm) -> Self {
        Self { rows, norm }
    }

    /// Values a token.
    pub fn width(&self) -> usize {
        self.norm.weight.len()
    }

    /// The rows of `ids` into `out`, tokens × width. Every id is in the vocabulary.
    pub fn fill(&self, ids: &[u32], out: &mut [f32]) {
        for (id, row) in ids.iter().zip(out.chunks_exact_mut(self.width())) {
            self.rows.copy_to(*id as usize, row);
        }
        self.norm.apply(out);
    }
}
