//! Which blocks belong together, by the words they share.

use crate::document::page::Block;
use crate::text::fold::{fold, is_han};
use std::collections::HashMap;

/// Two neighbouring Chinese characters.
type Pair = (char, char);

/// The pairs of Chinese characters of each block, weighted by how few blocks have them, and where else they stand.
pub(in crate::document::page) struct RarePairs {
    /// Of each block, in order.
    blocks: Vec<Vec<(Pair, f32)>>,
    /// Of each article, how many of its blocks have a pair.
    sections: Vec<HashMap<Pair, usize>>,
    /// The article of each block that counts for it.
    section: Vec<Option<usize>>,
}

impl RarePairs {
    /// `section` says which article a block stands in; `counts`, whether the block speaks for that article.
    pub fn new(
        text: &[char],
        blocks: &[Block],
        section: &[usize],
        counts: impl Fn(usize) -> bool,
    ) -> Self {
        let sets: Vec<Vec<Pair>> = blocks
            .iter()
            .map(|block| {
                let folded = fold(block.span.of(text));
                let mut pairs: Vec<Pair> = folded
                    .windows(2)
                    .filter(|pair| is_han(pair[0]) && is_han(pair[1]))
                    .map(|pair| (pair[0], pair[1]))
                    .collect();
                pairs.sort_unstable();
                pairs.dedup();
                pairs
            })
            .collect();
        let mut frequency: HashMap<Pair, usize> = HashMap::new();
        for pair in sets.iter().flatten() {
            *frequency.entry(*pair).or_default() += 1;
        }
        let section: Vec<Option<usize>> = (0..blocks.len())
            .map(|i| counts(i).then_some(section[i]))
            .collect();
        let last = section.iter().flatten().max();
        let mut sections = vec![HashMap::new(); last.map_or(0, |last| last + 1)];
        for (pairs, section) in sets.iter().zip(&section) {
            for pair in pairs.iter().filter(|_| section.is_some()) {
                *sections[section.unwrap_or(0)].entry(*pair).or_default() += 1;
            }
        }
        let all = blocks.len().max(1) as f32;
        let weighted = |pair: Pair| (pair, (all / frequency[&pair] as f32).ln());
        Self {
            blocks: sets
                .into_iter()
                .map(|set| set.into_iter().map(weighted).collect())
                .collect(),
            sections,
            section,
        }
    }

    /// How much of a block's pairs, by weight, stand in an article too, without some of its blocks; from 0 to 1.
    pub fn affinity(&self, block: usize, article: usize, without: &[usize]) -> f32 {
        let Some(counts) = self.sections.get(article) else {
            return 0.0;
        };
        let without: Vec<usize> = without
            .iter()
            .copied()
            .filter(|&i| self.section[i] == Some(article))
            .collect();
        let (mut shared, mut total) = (0.0, 0.0);
        for (pair, weight) in &self.blocks[block] {
            total += weight;
            let there = counts.get(pair).copied().unwrap_or(0);
            if there > 0 && there > without.iter().filter(|&&i| self.has(i, pair)).count() {
                shared += weight;
            }
        }
        shared / f32::max(total, 1e-6)
    }

    /// How much of a block's pairs, by weight, stand in any of some other blocks; from 0 to 1.
    pub fn shared(&self, block: usize, others: &[usize]) -> f32 {
        let (mut shared, mut total) = (0.0, 0.0);
        for (pair, weight) in &self.blocks[block] {
            total += weight;
            if others.iter().any(|&other| self.has(other, pair)) {
                shared += weight;
            }
        }
        shared / f32::max(total, 1e-6)
    }

    fn has(&self, block: usize, pair: &Pair) -> bool {
        self.blocks[block]
            .binary_search_by_key(pair, |(pair, _)| *pair)
            .is_ok()
    }

    /// The share of the pairs that two blocks have in common, of the one that has more; 1 where neither has any.
    pub fn overlap(&self, a: usize, b: usize) -> f32 {
        let shared = self.blocks[a]
            .iter()
            .filter(|(pair, _)| self.has(b, pair))
            .count();
        match self.blocks[a].len().max(self.blocks[b].len()) {
            0 => 1.0,
            more => shared as f32 / more as f32,
        }
    }
}
