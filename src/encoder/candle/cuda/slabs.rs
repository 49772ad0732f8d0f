//! How a batch is cut for the device.

use super::kernels::TILE;
use std::ops::Range;

/// Rows of a slab. A model with longer sequences runs on Candle's operations (`CudaStack::can_compute`).
pub const SLAB: usize = 8192;

/// Numbers of a slab's tiles: at most one tile for each sequence, and one more for every [`TILE`] tokens.
pub const MAX_TILES: usize = 4 * (SLAB + SLAB / TILE);

/// Numbers of sequences, so that each group has at most [`SLAB`] tokens.
pub fn slabs(cumulative_lengths: &[usize]) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (i, range) in cumulative_lengths.windows(2).enumerate() {
        match out.last_mut() {
            Some(slab) if range[1] - cumulative_lengths[slab.start] <= SLAB => slab.end = i + 1,
            _ => out.push(i..i + 1),
        }
    }
    out
}

/// The queries of a slab's sequences, [`TILE`] at a time, as the attention kernel takes them: first row and length of the
/// sequence, first query in it, zero.
pub fn tiles(cumulative_lengths: &[usize]) -> Vec<i32> {
    cumulative_lengths
        .windows(2)
        .flat_map(|range| {
            let (start, length) = (range[0], range[1] - range[0]);
            (0..length)
                .step_by(TILE)
                .flat_map(move |query| [start as i32, length as i32, query as i32, 0])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_hold_whole_sequences() {
        let lengths = [5000, 3000, 192, 1, 8192, 10];
        let mut cumulative = vec![0];
        for length in lengths {
            cumulative.push(cumulative.last().unwrap() + length);
        }
        assert_eq!(slabs(&cumulative), [0..3, 3..4, 4..5, 5..6]);
        assert!(slabs(&[0]).is_empty());
    }

    #[test]
    fn tiles_cover_every_query_once() {
        assert_eq!(
            tiles(&[0, 64, 129]),
            [0, 64, 0, 0, 64, 65, 0, 0, 64, 65, 64, 0]
        );
    }
}
