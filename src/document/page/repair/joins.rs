//! Which fragment continues which open end.

use super::candidates::{Candidate, FEATURES, reach};
use super::{Continuation, Join, Page};
use crate::document::page::network::Network;
use crate::document::sentence::is_terminal;
use crate::text::fold::is_han;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// What two fragments have in common at most when a column was cut through a line.
const MAX_REPEATED_CHARS: usize = 5;
/// A fragment that begins with another one's end is at least this long.
const MIN_RIGHT_CHARS: usize = 20;
/// By how much more of its words it must fit the place it goes to than any other.
const MIN_MARGIN: f32 = 0.02;
/// A page with more such fragments is written so.
const MAX_REPEATED_ENDS: usize = 50;
/// The network trained with the embedded model: the logit that one fragment continues the other.
static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let json = include_str!("../../../../models/news/joins.json");
    Network::embedded("joins.json", json, FEATURES)
});

impl Page<'_> {
    /// The best assignment of right fragments to open ends, then fragments that repeat an end; in page order.
    pub(super) fn joins(&self, open_ends: &[usize], model: &dyn Continuation) -> Vec<Join> {
        let candidates = self.candidates(open_ends, model);
        let mut joins = Vec::new();
        if !candidates.is_empty() {
            let gains: Vec<f32> = candidates
                .iter()
                .map(|candidate| NETWORK.logit(&candidate.features))
                .collect();
            joins = self.assign(open_ends, &candidates, &gains);
        }
        joins.extend(self.repeated_ends(&joins, model));
        without_rings(joins)
    }

    /// Fragments that begin with the last characters of a sentence that stands whole elsewhere (`…全长三千米。` and
    /// `米。市民…`): where a column was cut through a line, both sides may have it. What comes before the mark must be
    /// too short for a sentence and look like the middle of one; and the fragment's words must be at home where it
    /// goes, clearly more than where it stands and than at any other paragraph that ends so. `joins` come first.
    fn repeated_ends(&self, joins: &[Join], model: &dyn Continuation) -> Vec<Join> {
        let bodies = self.bodies();
        let (lefts, rights): (HashSet<usize>, HashSet<usize>) = joins.iter().copied().unzip();
        let mut out = Vec::new();
        for (place, &right) in bodies.iter().enumerate() {
            let Some(repeated) = self
                .repeated_end(right)
                .filter(|_| !rights.contains(&right))
            else {
                continue;
            };
            if model.openness(&self.seam_right(right)) <= 0.0 {
                continue;
            }
            // The best place, and how well the fragment fits there; the second best one's fit.
            let (mut best, mut second) = (None, 0.0);
            for &left in &bodies[reach(place, bodies.len())] {
                let ends_so = left != right
                    && !lefts.contains(&left)
                    && self.chars(left).len() > repeated.len()
                    && self.chars(left).ends_with(repeated);
                if !ends_so || !self.may_continue(left, right) {
                    continue;
                }
                let fit = self.homesickness(left, right);
                match best {
                    Some((_, most)) if fit <= most => second = f32::max(second, fit),
                    _ => {
                        second = best.map_or(second, |(_, most)| f32::max(second, most));
                        best = Some((left, fit));
                    }
                }
            }
            if let Some((left, fit)) = best.filter(|&(_, fit)| fit > second + MIN_MARGIN) {
                debug_assert!(fit > 0.0);
                out.push((left, right));
            }
            if out.len() > MAX_REPEATED_ENDS {
                // Not a cut page but a way of writing.
                return Vec::new();
            }
        }
        // Each paragraph can go on but once.
        let mut used = HashSet::new();
        out.retain(|&(left, _)| used.insert(left));
        out
    }

    /// The beginning of a block up to its first mark, if that is too short for a sentence.
    fn repeated_end(&self, right: usize) -> Option<&[char]> {
        let chars = self.chars(right);
        let head = &chars[..chars.len().min(MAX_REPEATED_CHARS)];
        let mark = head.iter().position(|&c| is_terminal(c))?;
        let may_repeat =
            mark > 0 && chars.len() >= MIN_RIGHT_CHARS && head[..mark].iter().all(|&c| is_han(c));
        may_repeat.then_some(&head[..=mark])
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

    /// How much more of a fragment's words stand in the article of an open end than in the one it stands in now.
    fn homesickness(&self, left: usize, right: usize) -> f32 {
        let (home, here) = self.affinities(left, right);
        home - here
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
