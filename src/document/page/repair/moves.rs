//! Fragments go where they belong, and take along what came with them.

use super::{Block, Join, Page};
use crate::document::Span;
use crate::document::page::line;
use crate::document::page::trees::Trees;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

/// Paragraphs that a fragment takes along at most.
const MAX_RUN: usize = 30;
/// Length of [`Page::move_features`].
pub const FEATURES: usize = 24;

/// Trained by `training/jianbao_training/repair.py`: the logit that a block goes along.
static TREES: LazyLock<Trees> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../../models/news/moves.trees");
    Trees::embedded("moves.trees", bytes, FEATURES)
});

/// Rounds until every fragment's home is settled: one may go along with another that goes along with a third.
const ROUNDS: usize = 4;

/// Where everything goes.
struct Moves {
    /// Open end → what goes there: its rest, and what the rest takes along.
    runs: HashMap<usize, Vec<usize>>,
    /// The article that each block ends up in.
    homes: Vec<usize>,
}

impl Page<'_> {
    /// The blocks in reading order, without those that repeat others; and those that went elsewhere.
    pub(super) fn reordered(mut self, joins: &[Join]) -> (Vec<Block>, Vec<Span>) {
        for &(_, right) in joins {
            self.blocks[right].continues = true;
        }
        let runs = self.moves(joins).runs;
        let moved: BTreeSet<usize> = runs.values().flatten().copied().collect();
        let mut order = Vec::with_capacity(self.blocks.len());
        for i in (0..self.blocks.len()).filter(|i| !moved.contains(i)) {
            append(i, &runs, &mut order);
        }
        // Whatever the joins: no text is lost.
        let placed: HashSet<usize> = order.iter().copied().collect();
        order.extend((0..self.blocks.len()).filter(|i| !placed.contains(i)));
        order.retain(|&i| !self.dropped[i]);
        let spans = moved.iter().map(|&i| self.blocks[i].span);
        (
            order.iter().map(|&i| self.blocks[i].clone()).collect(),
            spans.collect(),
        )
    }

    /// What each rest takes along depends on the article it goes to, and that on what took its open end along.
    fn moves(&self, joins: &[Join]) -> Moves {
        let moving: Vec<Join> = self.moving(joins).collect();
        let mut moves = Moves {
            runs: HashMap::new(),
            homes: self.section.clone(),
        };
        for _ in 0..ROUNDS {
            let mut homes = self.section.clone();
            for &(left, right) in &moving {
                let run = self.run(left, right, joins, &moves.homes);
                for &block in &run {
                    homes[block] = moves.homes[left];
                }
                moves.runs.insert(left, run);
            }
            if homes == moves.homes {
                break;
            }
            moves.homes = homes;
        }
        moves
    }

    /// Where each block ends up when rests take nothing along but their own rests.
    fn homes_of_rests(&self, joins: &[Join]) -> Vec<usize> {
        let mut homes = self.section.clone();
        for _ in 0..ROUNDS {
            for &(left, right) in joins {
                homes[right] = homes[left];
            }
        }
        homes
    }

    /// The joins whose rest is not what is read next anyway.
    fn moving(&self, joins: &[Join]) -> impl Iterator<Item = Join> {
        let moving = joins.iter().copied();
        moving.filter(|&(left, right)| self.next_body(left) != Some(right))
    }

    /// The body block that is read after block `i` if nothing moves, in the same article.
    pub(super) fn next_body(&self, i: usize) -> Option<usize> {
        (i + 1..self.blocks.len())
            .take_while(|&j| self.section[j] == self.section[i])
            .find(|&j| self.is_body(j))
    }

    /// The same without notes in brackets.
    fn next_prose(&self, i: usize) -> Option<usize> {
        std::iter::successors(self.next_body(i), |&next| self.next_body(next))
            .find(|&next| !line::in_brackets(self.chars(next)))
    }

    /// The blocks that go to `left` with its continuation `right`: it, and the beginning of what follows it there that
    /// is worth most.
    fn run(&self, left: usize, right: usize, joins: &[Join], homes: &[usize]) -> Vec<usize> {
        let following = self.following(left, right, joins, homes);
        let goes_on = |n: usize| {
            let block = n.checked_sub(1).map_or(right, |n| following[n]);
            following
                .get(n)
                .is_some_and(|&next| joins.contains(&(block, next)))
        };
        let (mut gain, mut best, mut taken, mut asked) = (0.0, 0.0, 0, false);
        for n in 0..following.len() {
            // A rest goes nowhere without its own that is right after it.
            if !goes_on(n) {
                asked = true;
                gain += TREES.logit(&self.move_features(left, right, homes[left], &following, n));
            }
            if !goes_on(n + 1) && (gain > best || !asked) {
                (best, taken) = (gain, n + 1);
            }
        }
        [&[right], &following[..taken]].concat()
    }

    /// The blocks after a fragment that may go with it: up to the end of the article, to what has a place of its own, or
    /// to an open end that is read on elsewhere. Of a fragment earlier in the same article nothing but its own rests.
    fn following(&self, left: usize, right: usize, joins: &[Join], homes: &[usize]) -> Vec<usize> {
        let there = self.section[right];
        let stays = homes[left] == there && right < left;
        let mut out = Vec::new();
        let mut last = right;
        for i in (right + 1..self.blocks.len())
            .take_while(|&i| self.section[i] == there)
            .filter(|&i| self.is_body(i))
            .take(MAX_RUN)
        {
            let read_on = joins.iter().find(|&&(left, _)| left == last);
            let read_after = joins.iter().find(|&&(_, right)| right == i);
            if read_on != read_after || (stays && read_on.is_none()) || i == left {
                break;
            }
            out.push(i);
            last = i;
        }
        out
    }

    /// What the trees read of the `n`th block after a fragment: does it belong to the fragment's article, `home`, or
    /// where it stands?
    fn move_features(
        &self,
        left: usize,
        right: usize,
        home: usize,
        following: &[usize],
        n: usize,
    ) -> [f32; FEATURES] {
        let words = self.rare_pairs();
        let there = self.section[right];
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
        let nothing_stays = self.next_prose(left).is_none();
        let before = (0..right)
            .rev()
            .take_while(|&i| self.section[i] == there)
            .find(|&i| self.is_body(i));
        let after_left = self.next_prose(left).filter(|&i| i != right);
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
            self.looks_like_opening(block),
            self.looks_like_closing(block),
            moved.last().map_or(0.0, |&i| self.looks_like_closing(i)),
            before.map_or(0.0, |i| self.looks_like_closing(i)),
            self.looks_like_closing(left),
            after_left.map_or(0.0, |i| self.looks_like_opening(i)),
        ]
    }

    /// For training: (open end, rest, block after the rest, features) of each block that may move.
    pub(super) fn moves_in_question(
        &self,
        joins: &[Join],
    ) -> Vec<(usize, usize, usize, [f32; FEATURES])> {
        let homes = self.homes_of_rests(joins);
        let mut out = Vec::new();
        for (left, right) in self.moving(joins) {
            let following = self.following(left, right, joins, &homes);
            for (n, &block) in following.iter().enumerate() {
                let features = self.move_features(left, right, homes[left], &following, n);
                out.push((left, right, block, features));
            }
        }
        out
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::{Layout, blocks};

    const PAGE: &str = "东江大桥今日正式通车\n东江日报3月5日讯(记者 林小满)大桥全长三千米，是东江上\n\
        青石中学食堂改造完成\n东江日报3月5日讯(记者 何晓)食堂改造今天完成，学生们走进食堂用餐。\n\
        最长的一座桥梁，大桥的桥塔和\n桥面都用钢造成，大桥的灯光和\n食堂的菜品由学生们投票选出，每周更换。\n\
        东江音乐节开幕\n东江日报3月5日讯(记者 何晓)音乐节今天开幕，乐团登台演出。\n夜景今天点亮。\n乐团演出三天。\n";

    /// Numbers of the lines in the order in which they are read with these joins.
    fn order(joins: &[Join]) -> Vec<usize> {
        let text: Vec<char> = PAGE.chars().collect();
        let blocks = blocks(&text, Layout::Page);
        let starts: Vec<usize> = blocks.iter().map(|block| block.span.start).collect();
        let (read, _) = Page::new(&text, blocks).reordered(joins);
        let line = |block: &Block| starts.binary_search(&block.span.start).unwrap();
        read.iter().map(line).collect()
    }

    #[test]
    fn a_rest_takes_its_own_rests_along() {
        assert_eq!(order(&[]), (0..11).collect::<Vec<_>>());
        // 1 is read on in 4, 4 right after it in 5, and 5 in another article, in 9.
        let read = order(&[(1, 4), (4, 5), (5, 9)]);
        assert_eq!(read[..7], [0, 1, 4, 5, 9, 2, 3], "{read:?}");
        let mut all = read;
        all.sort_unstable();
        assert_eq!(all, (0..11).collect::<Vec<_>>());
    }

    #[test]
    fn what_goes_along_has_its_home_where_it_goes() {
        let text: Vec<char> = PAGE.chars().collect();
        let page = Page::new(&text, blocks(&text, Layout::Page));
        let homes = page.moves(&[(1, 4), (4, 5), (5, 9)]).homes;
        assert_eq!([homes[4], homes[5], homes[9]], [homes[1]; 3]);
    }
}
