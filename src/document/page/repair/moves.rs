//! Fragments go where they belong, and take along what came with them.

use super::{Block, Join, Page};
use crate::document::page::network::Network;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Paragraphs that a fragment takes along at most.
const MAX_RUN: usize = 30;
/// Length of [`Page::move_features`].
pub const FEATURES: usize = 18;

/// The network trained with the embedded model: the logit that a block goes along.
static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let json = include_str!("../../../../models/news/moves.json");
    Network::embedded("moves.json", json, FEATURES)
});

impl Page<'_> {
    /// The blocks in reading order, without those that repeat others.
    pub(super) fn reordered(mut self, joins: &[Join]) -> Vec<Block> {
        let mut runs: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut moved: HashSet<usize> = HashSet::new();
        for &(left, right) in joins {
            self.blocks[right].continues = true;
            if self.next_body(left) != Some(right) {
                let run = self.run(left, right, joins);
                moved.extend(&run);
                runs.insert(left, run);
            }
        }
        let mut order = Vec::with_capacity(self.blocks.len());
        for i in (0..self.blocks.len()).filter(|i| !moved.contains(i)) {
            append(i, &runs, &mut order);
        }
        // Whatever the joins: no text is lost.
        let placed: HashSet<usize> = order.iter().copied().collect();
        order.extend((0..self.blocks.len()).filter(|i| !placed.contains(i)));
        order.retain(|&i| !self.dropped[i]);
        order.into_iter().map(|i| self.blocks[i].clone()).collect()
    }

    /// The body block that is read after block `i` if nothing moves, in the same article.
    pub(super) fn next_body(&self, i: usize) -> Option<usize> {
        (i + 1..self.blocks.len())
            .take_while(|&j| self.section[j] == self.section[i])
            .find(|&j| self.is_body(j))
    }

    /// The blocks that go to `left` with its continuation `right`: it, and the beginning of what follows it there that
    /// is worth most.
    fn run(&self, left: usize, right: usize, joins: &[Join]) -> Vec<usize> {
        let following = self.following(left, right, joins);
        let (mut gain, mut best, mut taken) = (0.0, 0.0, 0);
        for n in 0..following.len() {
            gain += NETWORK.logit(&self.move_features(left, right, &following, n));
            if gain > best {
                (best, taken) = (gain, n + 1);
            }
        }
        [&[right], &following[..taken]].concat()
    }

    /// The blocks after a fragment that may go with it: up to the end of the article, or to what has a place of its own.
    fn following(&self, left: usize, right: usize, joins: &[Join]) -> Vec<usize> {
        let (home, there) = (self.section[left], self.section[right]);
        let goes_on = joins.iter().any(|&(left, _)| left == right);
        if goes_on || (home == there && right < left) {
            return Vec::new();
        }
        let joined = |i: usize| joins.iter().any(|&(left, right)| left == i || right == i);
        (right + 1..self.blocks.len())
            .take_while(|&i| self.section[i] == there && !joined(i))
            .filter(|&i| self.is_body(i))
            .take(MAX_RUN)
            .collect()
    }

    /// What the network reads of the `n`th block after a fragment: does it belong to the fragment's article, that of
    /// `left`, or where it stands?
    fn move_features(
        &self,
        left: usize,
        right: usize,
        following: &[usize],
        n: usize,
    ) -> [f32; FEATURES] {
        let words = self.rare_pairs();
        let (home, there) = (self.section[left], self.section[right]);
        let block = following[n];
        let flag = |b: bool| f32::from(u8::from(b));
        let log = |count: usize| (1.0 + count as f32).ln();
        let fits = |block: usize, taken: usize| {
            let apart = [&following[..taken], &[right]].concat();
            [home, there].map(|article| words.affinity(block, article, &apart))
        };
        let moved = [&[right], &following[..n]].concat();
        let [at_home, here] = fits(block, n + 1);
        let next = following.get(n + 1).map(|&next| fits(next, n + 2));
        let nothing_stays = self.next_body(left).is_none();
        let before = (0..right)
            .rev()
            .take_while(|&i| self.section[i] == there)
            .find(|&i| self.is_body(i));
        let after_left = self.next_body(left).filter(|&i| i != right);
        let near = |other: Option<usize>| other.map_or(0.0, |other| words.shared(block, &[other]));
        [
            at_home,
            here,
            at_home - here,
            words.shared(block, &moved),
            words.shared(block, &[left]),
            near(before),
            near(after_left),
            near(moved.last().copied()),
            next.map_or(0.0, |[home, there]| home - there),
            flag(next.is_none()),
            flag(home == there),
            (home as f32 - there as f32).clamp(-4.0, 4.0),
            flag(nothing_stays),
            flag(before.is_none()),
            (n as f32).min(6.0),
            log(following.len() - n),
            log(self.chars(block).len()).min(6.0),
            flag(self.blocks[block].is_heading),
        ]
    }

    /// For training: (open end, rest, block after the rest, features) of each block that may move.
    pub(super) fn moves_in_question(
        &self,
        joins: &[Join],
    ) -> Vec<(usize, usize, usize, [f32; FEATURES])> {
        let moving = joins
            .iter()
            .filter(|&&(left, right)| self.next_body(left) != Some(right));
        moving
            .flat_map(|&(left, right)| {
                let following = self.following(left, right, joins);
                (0..following.len())
                    .map(|n| {
                        (
                            left,
                            right,
                            following[n],
                            self.move_features(left, right, &following, n),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// A block, and after it whatever continues it, with what continues that.
fn append(first: usize, runs: &HashMap<usize, Vec<usize>>, order: &mut Vec<usize>) {
    let mut waiting = vec![first];
    while let Some(i) = waiting.pop() {
        order.push(i);
        if let Some(run) = runs.get(&i) {
            waiting.extend(run.iter().rev());
        }
    }
}
