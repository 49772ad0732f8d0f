//! What repair asks its trees, for training them.

use super::{Block, Continuation, Join, Page, candidates, moves};
use crate::document::Span;

/// What the trees of page repair read of a page, for training them.
#[derive(Debug, Default)]
pub struct Questions {
    /// (open end, fragment, features) of each pair that may be joined.
    pub joins: Vec<(Span, Span, [f32; candidates::FEATURES])>,
    /// (open end, its rest, block after the rest, features) of each block that may go along.
    pub moves: Vec<(Span, Span, Span, [f32; moves::FEATURES])>,
}

/// What [`super::repair`] asks its trees. `known` are the true joins, by where their blocks begin: they learn from
/// these, not from what earlier ones took for joins.
pub fn questions(
    text: &[char],
    blocks: Vec<Block>,
    model: &dyn Continuation,
    known: &[(usize, usize)],
) -> Questions {
    let mut page = Page::new(text, blocks);
    let Some(mut open_ends) = page.open_ends() else {
        return Questions::default();
    };
    page.drop_duplicates(model);
    open_ends.retain(|&i| page.is_body(i));
    let span = |i: usize| page.blocks[i].span;
    let block = |start: usize| (page.blocks.binary_search_by_key(&start, |b| b.span.start)).ok();
    let known: Vec<Join> = (known.iter())
        .filter_map(|&(left, right)| Some((block(left)?, block(right)?)))
        .filter(|&(left, right)| open_ends.contains(&left) && page.is_body(right))
        .collect();
    let joins = page.candidates(&open_ends, model);
    let moves = page.moves_in_question(&known);
    Questions {
        joins: joins
            .into_iter()
            .map(|pair| (span(open_ends[pair.row]), span(pair.right), pair.features))
            .collect(),
        moves: moves
            .into_iter()
            .map(|(left, right, block, features)| (span(left), span(right), span(block), features))
            .collect(),
    }
}
