//! Many articles → batches of about the same number of tokens, and their states back to the articles.

use super::window::{TokenizedArticle, Window};
use super::{EncodeError, HiddenStates, TokenBatch};

/// Sequences sorted by length, longest first, and cut into batches of at most `batch_tokens` tokens (or one sequence):
/// what pads, or computes equal lengths together, then wastes little. Each batch is a list of places in `lengths`.
pub fn plan(lengths: &[usize], batch_tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut filled = 0;
    for i in order {
        filled += lengths[i];
        match batches.last_mut() {
            Some(batch) if filled <= batch_tokens => batch.push(i),
            _ => {
                batches.push(vec![i]);
                filled = lengths[i];
            }
        }
    }
    batches
}

/// The states of each article's tokens, `width` values a token.
pub fn encode(
    articles: &[&TokenizedArticle],
    width: usize,
    batch_tokens: usize,
    encode: impl Fn(&TokenBatch) -> Result<HiddenStates, EncodeError>,
) -> Result<Vec<HiddenStates>, EncodeError> {
    let mut out: Vec<HiddenStates> = articles
        .iter()
        .map(|article| HiddenStates {
            values: vec![0.0; article.rows() * width],
            width,
        })
        .collect();
    let windows: Vec<(usize, &Window)> = articles
        .iter()
        .enumerate()
        .flat_map(|(i, article)| article.windows.iter().map(move |window| (i, window)))
        .collect();
    let lengths: Vec<usize> = windows.iter().map(|(_, window)| window.ids.len()).collect();
    for places in plan(&lengths, batch_tokens) {
        let mut batch = TokenBatch::default();
        places.iter().for_each(|&i| batch.push(&windows[i].1.ids));
        let states = encode(&batch)?;
        for (&i, &row) in places.iter().zip(batch.cumulative_lengths()) {
            let (article, window) = windows[i];
            window.copy_states(&states, row, &mut out[article]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch(lengths in proptest::collection::vec(1usize..600, 0..80), budget in 1usize..3000) {
            let batches = plan(&lengths, budget);
            let mut seen = batches.concat();
            let in_order: Vec<usize> = seen.iter().map(|&i| lengths[i]).collect();
            prop_assert!(in_order.is_sorted_by(|a, b| a >= b));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in batches {
                prop_assert!(batch.len() == 1 || batch.iter().map(|&i| lengths[i]).sum::<usize>() <= budget);
            }
        }
    }
}
