//! The encoder's layers on the CPU: packed matrices, blocks of tokens that stay in the cache.
//!
//! Between two attentions everything is row by row, so a block of [`BLOCK_ROWS`] tokens goes through all of it
//! (projection, norm, the wide middle, norm, the next queries, keys and values) without leaving the core's cache.
//! Threads share sequences or blocks (`stack.rs`); no result depends on which, nor on where a block ends.

pub(super) mod attention;
mod attention_int8;
pub(super) mod elementwise;
mod embeddings;
pub(super) mod int8;
pub(super) mod matrix;
mod norm;
mod panels;
pub(super) mod rows;
mod stack;
mod tiles;
pub(super) mod vectorised;

pub(super) use embeddings::Embeddings;
pub(super) use matrix::Matrix;
pub(super) use norm::Norm;
pub(super) use rows::RowLayer;
pub(super) use stack::CpuStack;

/// Tokens that one thread takes at a time.
pub(super) const BLOCK_ROWS: usize = 64;

/// Flat rows of `width` values, cut into those of each sequence.
fn by_sequence<'a>(
    mut rows: &'a mut [f32],
    cumulative_lengths: &[usize],
    width: usize,
) -> Vec<&'a mut [f32]> {
    let lengths = cumulative_lengths
        .windows(2)
        .map(|range| range[1] - range[0]);
    lengths
        .map(|length| {
            let (sequence, later) = std::mem::take(&mut rows).split_at_mut(length * width);
            rows = later;
            sequence
        })
        .collect()
}
