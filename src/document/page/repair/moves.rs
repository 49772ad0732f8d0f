//! Fragments go where they belong, and take along what came with them.

use super::{Block, Join, Page};
use std::collections::{HashMap, HashSet};

/// Paragraphs that a fragment takes along at most.
const MAX_RUN: usize = 30;
/// By how much more of its words a paragraph must fit the article it is taken to.
const MIN_GAIN: f32 = 0.02;
/// In one article there is nothing to choose by words: what was moved is what stands to its end.
const SAME_ARTICLE_GAIN: f32 = 0.1;

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

    /// The blocks that go to `left` with its continuation `right`.
    fn run(&self, left: usize, right: usize, joins: &[Join]) -> Vec<usize> {
        let mut run = vec![right];
        let (home, there) = (self.section[left], self.section[right]);
        let goes_on = joins.iter().any(|&(left, _)| left == right);
        if goes_on || (home == there && right < left) {
            return run;
        }
        // What is joined to something else has a place of its own.
        let joined = |i: usize| joins.iter().any(|&(left, right)| left == i || right == i);
        let following: Vec<usize> = (right + 1..self.blocks.len())
            .take_while(|&i| self.section[i] == there && !joined(i))
            .filter(|&i| self.is_body(i))
            .take(MAX_RUN)
            .collect();
        let (mut gain, mut best, mut taken) = (0.0, 0.0, 0);
        for (n, &block) in following.iter().enumerate() {
            gain += if home == there {
                SAME_ARTICLE_GAIN
            } else {
                let apart = [&following[..=n], &[right]].concat();
                let affinity = |article| self.rare_pairs().affinity(block, article, &apart);
                affinity(home) - affinity(there) - MIN_GAIN
            };
            if gain > best {
                (best, taken) = (gain, n + 1);
            }
        }
        run.extend(&following[..taken]);
        run
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
