//! Passages that are printed twice.

use super::super::repeats::words_of;
use super::{Continuation, Page, is_open_end};
use crate::document::Span;
use rapidfuzz::distance::levenshtein;
use std::collections::{HashMap, HashSet};

/// Shorter passages may be repeated without being printed twice.
const MIN_CHARS: usize = 12;
/// Shorter passages are only the same when they are equal.
const MIN_NEAR_CHARS: usize = 24;
/// Longer ones too: comparing takes the square of the length.
const MAX_NEAR_CHARS: usize = 3000;
/// Passages before one among which a misread copy of it is looked for.
const NEAR_REACH: usize = 200;
/// Of a misread copy's character pairs, at least this share is right.
const MIN_OVERLAP: f32 = 0.7;

/// Paragraphs that an article may open with before its text.
const MAX_STANDFIRSTS: usize = 6;

/// What a seam that reads on in place speaks for a copy, as a share of one passage's words.
const SEAM: f32 = 0.3;

/// Passages that are judged together at most: each is compared with all the others of its run.
const MAX_RUN: usize = 30;

/// A body block without its white space.
struct Passage {
    block: usize,
    chars: Vec<char>,
}

/// A passage and an earlier one that is the same; block numbers.
type Pair = (usize, usize);

impl Page<'_> {
    /// Marks passages that repeat another one; keeps the copies that stand where they fit. Returns (left out, kept).
    pub(super) fn drop_duplicates(&mut self, model: &dyn Continuation) -> Vec<(Span, Span)> {
        let bodies = self.bodies();
        let mut found = Vec::new();
        // Of a passage that is printed three times, the copy that is used so far.
        let mut used: HashMap<usize, usize> = HashMap::new();
        for run in runs(&self.repeated_passages(&bodies), &bodies) {
            let (first, later): (Vec<usize>, Vec<usize>) = run.into_iter().unzip();
            let earlier: Vec<usize> = first.iter().map(|i| *used.get(i).unwrap_or(i)).collect();
            let later_fits = self.fit(&later, &earlier, &bodies, model)
                > self.fit(&earlier, &later, &bodies, model) + 1e-6;
            for ((first, earlier), later) in first.into_iter().zip(earlier).zip(later) {
                let (kept, left_out) = if later_fits {
                    (later, earlier)
                } else {
                    (earlier, later)
                };
                used.insert(first, kept);
                self.dropped[left_out] = true;
                found.push((self.blocks[left_out].span, self.blocks[kept].span));
            }
        }
        if !found.is_empty() {
            // What is left out speaks for no article any more.
            self.rare_pairs.take();
        }
        found
    }

    /// Each passage that repeats an earlier one, with that one, in page order.
    fn repeated_passages(&self, bodies: &[usize]) -> Vec<Pair> {
        let mut passages: Vec<Passage> = Vec::new();
        for &block in bodies {
            let chars = self.chars(block).iter().copied();
            let chars: Vec<char> = chars.filter(|c| !c.is_whitespace()).collect();
            if chars.len() >= MIN_CHARS {
                passages.push(Passage { block, chars });
            }
        }
        let mut pairs = Vec::new();
        let mut repeats: HashSet<usize> = HashSet::new();
        let mut exact: HashMap<&[char], usize> = HashMap::new();
        for (n, passage) in passages.iter().enumerate() {
            let recent = &passages[n.saturating_sub(NEAR_REACH)..n];
            let earlier = exact.get(passage.chars.as_slice()).copied().or_else(|| {
                let alike = |other: &&Passage| {
                    !repeats.contains(&other.block)
                        && self.are_alike(passage, other)
                        // What a standfirst quotes is not printed by mistake.
                        && !self.is_standfirst_of(other.block, passage.block)
                };
                recent.iter().find(alike).map(|other| other.block)
            });
            match earlier {
                Some(earlier) => {
                    repeats.insert(passage.block);
                    pairs.push((earlier, passage.block));
                }
                None => {
                    exact.insert(&passage.chars, passage.block);
                }
            }
        }
        pairs
    }

    /// Whether a block says in advance, below the headline and without a mark at its end, what stands as a whole sentence in
    /// its article.
    fn is_standfirst_of(&self, block: usize, sentence: usize) -> bool {
        self.section[block] == self.section[sentence]
            && !is_open_end(self.chars(sentence))
            && self.is_above_prose(block)
    }

    /// Whether a block says in advance what its article says below.
    pub(super) fn is_standfirst(&self, block: usize) -> bool {
        let printed = self.chars(block);
        let prose = &printed[self.blocks[block].dateline_chars.min(printed.len())..];
        if prose.len() < MIN_CHARS || !self.is_above_prose(block) {
            return false;
        }
        let quoted = words_of(prose);
        let below = block + 1..self.blocks.len();
        below
            .take_while(|&j| self.section[j] == self.section[block])
            .filter(|&j| self.is_body(j))
            .any(|j| words_of(self.chars(j)).contains(&quoted))
    }

    /// Whether a block stands right below the headline, or below others there that end without a mark like itself.
    fn is_above_prose(&self, block: usize) -> bool {
        let first = block.saturating_sub(MAX_STANDFIRSTS);
        let open = |&i: &usize| is_open_end(self.chars(i));
        let opens_text = |i| self.opens_article(i) || !(0..i).any(|above| self.is_body(above));
        (first..=block).rev().take_while(open).any(opens_text)
    }

    /// How well a run of passages fits where it stands: by the words of the article around it, by an open end right
    /// before it that it may continue, and by a rest right after it that may continue its own.
    fn fit(
        &self,
        run: &[usize],
        copy: &[usize],
        bodies: &[usize],
        model: &dyn Continuation,
    ) -> f32 {
        let without = [run, copy].concat();
        let words: f32 = run
            .iter()
            .map(|&block| {
                self.rare_pairs()
                    .affinity(block, self.section[block], &without)
            })
            .sum();
        let place = |block: &usize| bodies.binary_search(block).expect("it is a body");
        let goes_on = |left: Option<&usize>, right: Option<&usize>| {
            let (Some(&left), Some(&right)) = (left, right) else {
                return false;
            };
            self.section[left] == self.section[right]
                && is_open_end(self.chars(left))
                && model.openness(&self.seam_right(right)) > 0.0
        };
        let (first, last) = (run.first(), run.last());
        let before = first.and_then(|block| bodies.get(place(block).checked_sub(1)?));
        let after = last.and_then(|block| bodies.get(place(block) + 1));
        let seams = [goes_on(before, first), goes_on(last, after)];
        words + SEAM * seams.iter().filter(|&&seam| seam).count() as f32
    }

    /// Whether two passages are the same but for a few misread characters. Numbers must agree: lists repeat their
    /// words.
    fn are_alike(&self, a: &Passage, b: &Passage) -> bool {
        let (short, long) = (
            a.chars.len().min(b.chars.len()),
            a.chars.len().max(b.chars.len()),
        );
        (MIN_NEAR_CHARS..=MAX_NEAR_CHARS).contains(&short)
            && (long - short) * 20 <= long
            && digits(&a.chars).eq(digits(&b.chars))
            && self.rare_pairs().overlap(a.block, b.block) >= MIN_OVERLAP
            && differ_by_at_most(&a.chars, &b.chars, long / 20)
    }
}

/// Whether so many characters put in, left out or replaced make one text of the other; soon known where they are far from it.
fn differ_by_at_most(a: &[char], b: &[char], most: usize) -> bool {
    let bounded = levenshtein::Args::default().score_cutoff(most);
    levenshtein::distance_with_args(a.iter().copied(), b.iter().copied(), &bounded).is_some()
}

/// Pairs whose passages follow each other in both places belong together, [`MAX_RUN`] at most. A passage printed three times makes a pair
/// with the first one each time.
fn runs(pairs: &[Pair], bodies: &[usize]) -> Vec<Vec<Pair>> {
    let next = |block: usize| {
        let place = bodies.binary_search(&block).expect("it is a body");
        bodies.get(place + 1).copied()
    };
    let mut runs: Vec<Vec<Pair>> = Vec::new();
    for &(earlier, later) in pairs {
        match runs.last_mut() {
            Some(run)
                if run.len() < MAX_RUN
                    && run.last().is_some_and(|&(a, b)| {
                        next(a) == Some(earlier) && next(b) == Some(later)
                    }) =>
            {
                run.push((earlier, later));
            }
            _ => runs.push(vec![(earlier, later)]),
        }
    }
    runs
}

fn digits(text: &[char]) -> impl Iterator<Item = &char> {
    text.iter().filter(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_characters_may_differ() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let printed = chars("东江大桥今天正式建成通车");
        assert!(differ_by_at_most(&printed, &printed, 0));
        let misread = chars("东江大桥令天正式建成通车了");
        assert!(differ_by_at_most(&printed, &misread, 2));
        assert!(!differ_by_at_most(&printed, &misread, 1));
        let long = printed.repeat(30);
        assert!(differ_by_at_most(
            &long,
            &[&long[7..], &misread].concat(),
            20
        ));
        assert!(!differ_by_at_most(&long, &long[21..], 20));
    }

    #[test]
    fn runs_follow_each_other_in_both_places_and_are_bounded() {
        let bodies: Vec<usize> = (0..100).collect();
        let pairs = [(0, 10), (1, 11), (5, 12), (6, 13), (7, 20)];
        let found = runs(&pairs, &bodies);
        assert_eq!(
            found,
            [
                vec![(0, 10), (1, 11)],
                vec![(5, 12), (6, 13)],
                vec![(7, 20)]
            ]
        );
        let all: Vec<Pair> = (0..50).map(|i| (i, i + 50)).collect();
        let lengths: Vec<usize> = runs(&all, &bodies).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_RUN, 50 - MAX_RUN]);
    }
}
