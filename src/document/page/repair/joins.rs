//! Which fragment continues which open end.

use super::{Continuation, Join, Page};
use crate::document::page::BlockKind;
use crate::document::sentence::is_terminal;
use crate::text::fold::{fold, is_han};
use crate::text::words::word_across;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Characters on each side of a seam that are looked at.
const SEAM_CHARS: usize = 40;
/// Blocks after and before an open end among which its rest is looked for.
const REACH: usize = 60;
/// Of the fragments near an open end, how many the model is asked about: what stands next, those that look most like
/// the middle of a sentence, those whose words are at home there. Asking costs fifty tokens a pair, so fewer are asked
/// about on a page with many open ends.
const ASKED: std::ops::RangeInclusive<usize> = 4..=20;
/// Pairs that the model is asked about on one page, more or less.
const ASKED_IN_ALL: usize = 1600;
/// The price of leaving an open end open, in logits: a join must be likelier than that.
const NO_JOIN: f32 = 0.5;
/// What speaks for a join that nothing stands between, in logits.
const ADJACENT: f32 = 2.5;
/// What each doubling of the distance speaks against it.
const DISTANCE: f32 = 0.25;
/// What it speaks for a join when all of the fragment's words stand in the open end's article and none where it is now.
const AFFINITY: f32 = 20.0;
/// Characters on each side of a seam in which a word across it is looked for.
const WORD_CHARS: usize = 12;
/// What speaks for a join when a word of two characters, a longer one, or none stands across the seam: in training
/// news, by what factor that is likelier at a true seam than between fragments of two articles (natural logarithms).
const WORD_ACROSS: [f32; 3] = [2.4, 3.8, -0.7];
/// How much of it the continuation head does not know already.
const WORD_SHARE: f32 = 0.7;
/// What two fragments have in common at most when a column was cut through a line.
const MAX_REPEATED_CHARS: usize = 5;
/// A fragment that begins with another one's end is at least this long.
const MIN_RIGHT_CHARS: usize = 20;
/// By how much more of its words it must fit the place it goes to than any other.
const MIN_MARGIN: f32 = 0.02;
/// A page with more such fragments is written so.
const MAX_REPEATED_ENDS: usize = 50;
/// Headings with a mark inside: the longest, in characters, and what speaks against a join after one, in logits.
const MARKED_HEADING: (usize, f32) = (30, 0.3);
/// The same for headings without.
const PLAIN_HEADING: (usize, f32) = (20, 0.75);

/// A fragment that may continue an open end.
struct Candidate {
    /// The open end, by its place in the list of them.
    row: usize,
    right: usize,
    /// What distance and words speak for it, in logits.
    prior: f32,
}

impl Page<'_> {
    /// The best assignment of right fragments to open ends, then fragments that repeat an end; in page order.
    pub(super) fn joins(&self, open_ends: &[usize], model: &dyn Continuation) -> Vec<Join> {
        let candidates = self.candidates(open_ends, model);
        let mut joins = Vec::new();
        if !candidates.is_empty() {
            let gains = self.gains(open_ends, &candidates, model);
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

    /// For each open end the few fragments that the model is asked about, in order of rows and blocks.
    fn candidates(&self, lefts: &[usize], model: &dyn Continuation) -> Vec<Candidate> {
        if lefts.is_empty() {
            return Vec::new();
        }
        let bodies = self.bodies();
        let openness: Vec<f32> = bodies
            .iter()
            .map(|&i| model.openness(&self.seam_right(i)))
            .collect();
        let asked_each = (ASKED_IN_ALL / lefts.len()).clamp(*ASKED.start(), *ASKED.end());
        let mut out: Vec<Candidate> = Vec::new();
        for (row, &left) in lefts.iter().enumerate() {
            let place = bodies.binary_search(&left).expect("open ends are bodies");
            let mut asked: Vec<(f32, Candidate)> = reach(place, bodies.len())
                .filter(|&at| at != place && self.may_continue(left, bodies[at]))
                .map(|at| {
                    let steps = at as isize - place as isize;
                    let right = bodies[at];
                    let prior = nearness(steps)
                        + AFFINITY * self.homesickness(left, right)
                        + WORD_SHARE * self.word_across(left, right);
                    let candidate = Candidate { row, right, prior };
                    (openness[at] + prior, candidate)
                })
                .collect();
            asked.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.right.cmp(&y.right)));
            asked.truncate(asked_each);
            out.extend(asked.into_iter().map(|(_, candidate)| candidate));
        }
        out.sort_unstable_by_key(|candidate| (candidate.row, candidate.right));
        out
    }

    /// What each candidate is worth, in logits above leaving the end open.
    fn gains(
        &self,
        lefts: &[usize],
        candidates: &[Candidate],
        model: &dyn Continuation,
    ) -> Vec<f32> {
        let seams: Vec<(Vec<char>, Vec<char>)> = candidates
            .iter()
            .map(|candidate| {
                let left = self.chars(lefts[candidate.row]);
                let left = &left[left.len().saturating_sub(SEAM_CHARS)..];
                (fold(left), self.seam_right(candidate.right))
            })
            .collect();
        let borrowed: Vec<(&[char], &[char])> = seams
            .iter()
            .map(|(a, b)| (a.as_slice(), b.as_slice()))
            .collect();
        let scores = model.scores(&borrowed);
        candidates
            .iter()
            .zip(scores)
            .map(|(candidate, score)| {
                score + candidate.prior - self.heading(lefts[candidate.row]) - NO_JOIN
            })
            .collect()
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
        let (home, here) = (self.section[left], self.section[right]);
        if home == here {
            return 0.0;
        }
        let affinity = |article| self.rare_pairs().affinity(right, article, &[right]);
        affinity(home) - affinity(here)
    }

    /// What a word across the seam says for a join, in logits.
    fn word_across(&self, left: usize, right: usize) -> f32 {
        let (left, right) = (self.chars(left), self.chars(right));
        let left = fold(&left[left.len().saturating_sub(WORD_CHARS)..]);
        let right = fold(&right[..right.len().min(WORD_CHARS)]);
        let is_latin = |c: Option<&char>| c.is_some_and(char::is_ascii_alphanumeric);
        let [two, longer, none] = WORD_ACROSS;
        if is_latin(left.last()) && is_latin(right.first()) {
            return two;
        }
        match word_across(&[left.as_slice(), &right].concat(), left.len()) {
            0 => none,
            2 => two,
            _ => longer,
        }
    }

    /// The beginning of a block, folded.
    fn seam_right(&self, i: usize) -> Vec<char> {
        let chars = self.chars(i);
        fold(&chars[..chars.len().min(SEAM_CHARS)])
    }

    /// What can be the rest of a paragraph at all.
    fn may_continue(&self, left: usize, right: usize) -> bool {
        let block = &self.blocks[right];
        // What stands right below a headline is that article's lead: it continues nothing.
        if self.opens_article(right)
            || block.dateline_chars > 0
            || (block.is_heading && right != left + 1)
        {
            return false;
        }
        let first = self.chars(right).first().copied().unwrap_or(' ');
        !matches!(
            first,
            '“' | '《' | '（' | '(' | '【' | '■' | '●' | '▲' | '□' | '—'
        ) || right == left + 1
    }

    /// The first text below a headline.
    fn opens_article(&self, i: usize) -> bool {
        let before = self.blocks[..i].iter().zip(&self.section).rev();
        before
            .take_while(|&(_, &section)| section == self.section[i])
            .find(|(block, _)| matches!(block.kind, BlockKind::Body | BlockKind::Headline))
            .is_some_and(|(block, _)| block.kind == BlockKind::Headline)
    }

    /// What it speaks against every join that an open end may be a heading: the shorter it is, and without a mark
    /// inside.
    fn heading(&self, i: usize) -> f32 {
        let chars = self.chars(i);
        let marked = chars.iter().any(|c| "，。；、,".contains(*c));
        let (longest, price) = if marked {
            MARKED_HEADING
        } else {
            PLAIN_HEADING
        };
        if self.blocks[i].is_heading && chars.len() <= longest {
            price
        } else {
            0.0
        }
    }
}

/// The places near one, of so many.
fn reach(place: usize, places: usize) -> std::ops::Range<usize> {
    place.saturating_sub(REACH)..places.min(place + REACH + 1)
}

/// What the distance speaks for a join, or against it, in logits.
fn nearness(steps: isize) -> f32 {
    if steps == 1 {
        ADJACENT
    } else {
        -DISTANCE * (steps.unsigned_abs() as f32).log2()
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
