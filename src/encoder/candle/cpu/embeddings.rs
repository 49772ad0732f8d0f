//! Token ids → normed embeddings, row by row.

use super::elementwise::norm;
use super::rows::Residual;
use super::vectorised::vectorised;
use crate::encoder::candle::weights::Rows;

/// One row a token of the vocabulary, as it is stored: a row of a few hundred bytes is turned into numbers when its token
/// comes, which costs nothing beside a layer, and a table of numbers would be four times as large.
pub struct Embeddings {
    rows: Rows,
    norm: Residual,
}

impl Embeddings {
    pub fn new(rows: Rows, norm: Residual) -> Self {
        Self { rows, norm }
    }

    /// Values a token.
    pub fn width(&self) -> usize {
        self.norm.weight.len()
    }

    /// The rows of `ids` into `out`, tokens × width. Every id is in the vocabulary.
    pub fn fill(&self, ids: &[u32], out: &mut [f32]) {
        let (width, norm) = (self.width(), &self.norm);
        for (id, row) in ids.iter().zip(out.chunks_exact_mut(width)) {
            self.rows.copy_to(*id as usize, row);
        }
        norms(out, &norm.weight, &norm.shift, norm.epsilon);
    }
}

vectorised! {
    fn norms(rows: &'a mut [f32], weight: &'a [f32], shift: &'a [f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(weight.len()) {
            norm(row, weight, shift, epsilon);
        }
    }
}
