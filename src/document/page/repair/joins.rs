//! Which fragment continues which open end.

use super::candidates::{Candidate, FEATURES};
use super::{Continuation, Join, Page};
use crate::document::page::trees::Trees;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// What a join that moves nothing is worth in itself, in logits: it cannot put text into a foreign article.
const IN_PLACE: f32 = 0.4;
/// What speaks against a rest that stands above the paragraph in its own article, in logits: columns are printed in order, and only
/// of what strayed there one part may be the rest of another.
const ABOVE: f32 = 2.0;
/// What the end of a sentence that stands elsewhere speaks against joining it to anything else, in logits.
const REPEATED_END: f32 = 0.7;
/// Where the model is as sure as this that a seam is none, nothing else can make it one: of true seams one in two
/// hundred is below.
const MIN_SEAM: f32 = -5.0;
/// Trained by `training/jianbao_training/repair.py`: the logit that one fragment continues the other.
static TREES: LazyLock<Trees> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../../models/news/joins.trees");
    Trees::embedded("joins.trees", bytes, FEATURES)
});

impl Page<'_> {
    /// The best assignment of right fragments to open ends, then fragments that repeat an end; in page order.
    pub(super) fn joins(&self, open_ends: &[usize], model: &dyn Continuation) -> Vec<Join> {
        let repeated = self.repeated_ends(model);
        let candidates = self.candidates(open_ends, model);
        let mut joins = Vec::new();
        if !candidates.is_empty() {
            let gains: Vec<f32> = candidates
                .iter()
                .map(|candidate| self.gain(open_ends[candidate.row], candidate, &repeated))
                .collect();
            joins = self.assign(open_ends, &candidates, &gains);
        }
        let used: HashSet<usize> = joins.iter().map(|&(_, right)| right).collect();
        joins.extend(
            repeated
                .into_iter()
                .filter(|(_, right)| !used.contains(right)),
        );
        without_rings(joins)
    }

    /// What a join is worth, in logits; below 0 it is not made.
    fn gain(&self, left: usize, candidate: &Candidate, repeated: &[Join]) -> f32 {
        if candidate.seam() < MIN_SEAM {
            return f32::NEG_INFINITY;
        }
        let mut gain = TREES.logit(&candidate.features);
        if self.next_body(left) == Some(candidate.right) {
            gain += IN_PLACE;
        }
        if candidate.right < left
            && self.section[candidate.right] == self.section[left]
            && self.has_headline(left)
        {
            gain -= ABOVE;
        }
        if repeated.iter().any(|&(_, right)| right == candidate.right) {
            gain -= REPEATED_END;
        }
        gain
    }

    /// The joins of the assignment that is worth most, the worthiest first.
    fn assign(&self, lefts: &[usize], candidates: &[Candidate], gains: &[f32]) -> Vec<Join> {
        // A column for each right fragment that is in question, and one a row for "none".
        let mut columns: Vec<usize> = candidates.iter().map(|candidate| candidate.right).collect();
        columns.sort_unstable();
        columns.dedup();
        let mut weights = Matrix::new(lefts.len(), columns.len() + lefts.len(), 0i64);
        for (candidate, gain) in candidates.iter().zip(gains) {
            let column = columns
                .binary_search(&candidate.right)
                .expect("it was collected");
            weights[(candidate.row, column)] = (gain.clamp(0.0, 1e4) * 1e3) as i64;
        }
        let (_, assigned) = kuhn_munkres(&weights);
        let mut joins: Vec<(i64, Join)> = assigned
            .iter()
            .enumerate()
            .filter(|&(row, &column)| column < columns.len() && weights[(row, column)] > 0)
            .map(|(row, &column)| (weights[(row, column)], (lefts[row], columns[column])))
            .collect();
        joins.sort_by_key(|&(weight, join)| (Reverse(weight), join));
        joins.into_iter().map(|(_, join)| join).collect()
    }
}

/// No fragment may come after itself: of a ring the weakest join, the last one, goes.
fn without_rings(joins: Vec<Join>) -> Vec<Join> {
    let mut next: HashMap<usize, usize> = HashMap::new();
    for (left, right) in joins {
        let end = std::iter::successors(Some(right), |at| next.get(at).copied()).last();
        if end != Some(left) {
            next.insert(left, right);
        }
    }
    let mut joins: Vec<Join> = next.into_iter().collect();
    joins.sort_unstable();
    joins
}
