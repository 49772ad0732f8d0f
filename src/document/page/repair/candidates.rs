//! Which fragments may continue which open ends, and what speaks for each pair.

use super::{Continuation, Page};
use crate::document::page::{Block, BlockKind, line, seams};
use crate::document::table::is_table_row;
use crate::text::fold::{fold, folded_head};
use crate::text::patterns::PATTERNS;
use std::collections::HashMap;

/// Characters on each side of a seam that the model reads.
const SEAM_CHARS: usize = 40;
/// Blocks after and before an open end among which its rest is looked for.
pub(super) const REACH: usize = 60;
/// Of the fragments near an open end, how many the model is asked about: what stands next, those that look most like
/// the middle of a sentence, those whose words are at home there. Asking costs fifty tokens a pair, so fewer are asked
/// about on a page with many open ends.
const ASKED: std::ops::RangeInclusive<usize> = 4..=20;
/// Pairs that the model is asked about on one page, more or less.
const ASKED_IN_ALL: usize = 1600;
/// What decides who is asked about, in logits: that nothing stands between; each doubling of the distance; all of the
/// fragment's words standing in the open end's article and none where it is now; a word across the seam.
const ADJACENT: f32 = 2.5;
const DISTANCE: f32 = 0.25;
const AFFINITY: f32 = 20.0;
const WORD: f32 = 1.7;
/// Of the logit of the characters that meet.
const MEETING: f32 = 0.5;
/// Characters on each side of a seam in which marks that come in pairs are looked at: a paragraph, not a line of
/// megabytes.
const MARK_CHARS: usize = 4000;
/// How far a headline is looked for above a paragraph, in blocks.
const MAX_ABOVE: usize = 200;
/// What of a paragraph says that it opens an answer or a section (`问：`, `一、…`).
const OPENING_CHARS: usize = 16;
/// The model's logits are certain enough here.
const MAX_LOGIT: f32 = 12.0;

/// Length of [`Candidate::features`].
pub const FEATURES: usize = 40;

/// A fragment that may continue an open end.
pub(super) struct Candidate {
    /// The open end, by its place in the list of them.
    pub row: usize,
    pub right: usize,
    /// What the trees that decide about joins read.
    pub features: [f32; FEATURES],
}

impl Candidate {
    /// The model's logit for the seam alone.
    pub fn seam(&self) -> f32 {
        self.features[0]
    }
}

/// What is asked about, before the model has answered.
struct Asked {
    row: usize,
    right: usize,
    /// Body blocks from the open end to the fragment.
    steps: isize,
    /// The share of the fragment's rare words in the open end's article, and in the one it stands in.
    home: f32,
    here: f32,
    word: usize,
    /// The logit of the characters that meet.
    meeting: f32,
}

/// What the blocks of a page say before pairs are looked at.
struct Surroundings {
    bodies: Vec<usize>,
    /// The beginning of each body, and the end of each open end, folded.
    beginnings: Vec<Vec<char>>,
    ends: Vec<Vec<char>>,
    /// Of each body, how much it looks like the middle of a sentence.
    openness: Vec<f32>,
    /// Of each body, how much it looks like the first, and the last, one of its article.
    opening: Vec<f32>,
    closing: Vec<f32>,
}

impl Page<'_> {
    /// For each open end the few fragments that the model is asked about, in order of rows and blocks.
    pub(super) fn candidates(&self, lefts: &[usize], model: &dyn Continuation) -> Vec<Candidate> {
        if lefts.is_empty() {
            return Vec::new();
        }
        let bodies = self.prose();
        let beginnings: Vec<Vec<char>> = bodies.iter().map(|&i| self.seam_right(i)).collect();
        let openness = (beginnings.iter())
            .map(|beginning| model.openness(beginning))
            .collect();
        let around = Surroundings {
            opening: (bodies.iter().map(|&i| self.looks_like_opening(i))).collect(),
            closing: (bodies.iter().map(|&i| self.looks_like_closing(i))).collect(),
            ends: lefts.iter().map(|&i| self.seam_left(i)).collect(),
            bodies,
            beginnings,
            openness,
        };
        let asked = self.asked(lefts, &around);
        let heads = answers(&asked, &around, model);
        let best = Best::of(&asked, &heads);
        asked
            .iter()
            .zip(&heads)
            .map(|(pair, &head)| Candidate {
                row: pair.row,
                right: pair.right,
                features: self.features(lefts, pair, head, &best, &around),
            })
            .collect()
    }

    fn asked(&self, lefts: &[usize], around: &Surroundings) -> Vec<Asked> {
        let bodies = &around.bodies;
        let asked_each = (ASKED_IN_ALL / lefts.len()).clamp(*ASKED.start(), *ASKED.end());
        let mut out = Vec::new();
        for (row, &left) in lefts.iter().enumerate() {
            let place = bodies.binary_search(&left).expect("open ends are bodies");
            let end = &around.ends[row];
            let mut asked: Vec<(f32, Asked)> = reach(place, bodies.len())
                .filter(|&at| at != place && self.may_continue(left, bodies[at]))
                .map(|at| {
                    let right = bodies[at];
                    let steps = at as isize - place as isize;
                    let (home, here) = self.affinities(left, right);
                    let beginning = &around.beginnings[at];
                    let word = seams::word(end, beginning);
                    let meeting = seams::logit(end, beginning).clamp(-MAX_LOGIT, MAX_LOGIT);
                    let near = if steps == 1 {
                        ADJACENT
                    } else {
                        -DISTANCE * (steps.unsigned_abs() as f32).log2()
                    };
                    let worth = around.openness[at]
                        + near
                        + AFFINITY * (home - here)
                        + MEETING * meeting
                        + if word > 0 { WORD } else { 0.0 };
                    let pair = Asked {
                        row,
                        right,
                        steps,
                        home,
                        here,
                        word,
                        meeting,
                    };
                    (worth, pair)
                })
                .collect();
            asked.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.right.cmp(&y.right)));
            asked.truncate(asked_each);
            asked.sort_by_key(|(_, pair)| pair.right);
            out.extend(asked.into_iter().map(|(_, pair)| pair));
        }
        out
    }

    fn features(
        &self,
        lefts: &[usize],
        pair: &Asked,
        head: f32,
        best: &Best,
        around: &Surroundings,
    ) -> [f32; FEATURES] {
        let &Asked {
            row,
            right,
            steps,
            home,
            here,
            word,
            meeting,
        } = pair;
        let left = lefts[row];
        let (left_chars, right_chars) = (self.chars(left), self.chars(right));
        let flag = |b: bool| f32::from(u8::from(b));
        let bodies = &around.bodies;
        let at = |i: usize| bodies.binary_search(&i).expect("it is a body");
        let (left_at, right_at) = (at(left), at(right));
        let section = |at: Option<usize>| bodies.get(at?).map(|&i| self.section[i]);
        let opens = |at: usize| section(at.checked_sub(1)) != section(Some(at));
        let closes = |at: usize| section(Some(at + 1)) != section(Some(at));
        let is_open = |i: usize| lefts.binary_search(&i).is_ok();
        let (last, first) = (left_chars.last().copied(), right_chars.first().copied());
        // A paragraph without a mark that stands above the lead is a standfirst, not cut.
        let next_at = Some(left_at + 1).filter(|_| !closes(left_at));
        let in_run = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let apart = self.section[right] as f32 - self.section[left] as f32;
        let length = |count: usize| (1.0 + count as f32).ln();
        [
            head,
            best.ahead_of_rights(row, right, head),
            best.ahead_of_lefts(row, right, head),
            flag(steps == 1),
            (steps.unsigned_abs() as f32).log2(),
            flag(steps < 0),
            flag(apart == 0.0),
            apart.clamp(-4.0, 4.0),
            home,
            here,
            home - here,
            best.more_at_home(row, right, home),
            flag(word == 2),
            flag(word > 2),
            around.openness[right_at],
            around.openness.get(left_at + 1).copied().unwrap_or(0.0),
            flag(self.blocks[left].is_heading),
            length(left_chars.len()).min(4.0),
            flag(left_chars.iter().any(|c| "，。；、,".contains(*c))),
            flag(self.blocks[right].is_heading),
            length(right_chars.len()).min(6.0),
            flag(first.is_some_and(|c| "“《（(【■●▲□—‘".contains(c))),
            flag(right_at > 0 && is_open(bodies[right_at - 1])),
            flag(opens(right_at)),
            flag(closes(right_at)),
            flag(closes(left_at)),
            flag(in_run(last) && in_run(first)),
            flag(last.is_some_and(|c| "，、,".contains(c))),
            flag(is_open(right)),
            flag(unclosed(left_chars)),
            flag(unopened(right_chars)),
            length(lefts.len()).min(4.0),
            meeting,
            best.meets_better_than_rights(row, right, meeting),
            best.meets_better_than_lefts(row, right, meeting),
            flag(opens(left_at)),
            around.opening[left_at],
            next_at.map_or(0.0, |at| around.opening[at]),
            around.opening[right_at],
            around.closing[right_at],
        ]
    }

    /// How much of a fragment's words stand in the article of an open end, and in the one it stands in now.
    pub(super) fn affinities(&self, left: usize, right: usize) -> (f32, f32) {
        let affinity = |i: usize| {
            let article = self.section[i];
            self.rare_pairs().affinity(right, article, &[right])
        };
        let here = affinity(right);
        if self.section[left] == self.section[right] {
            (here, here)
        } else {
            (affinity(left), here)
        }
    }

    /// The end of a block, folded.
    fn seam_left(&self, i: usize) -> Vec<char> {
        let chars = self.chars(i);
        fold(&chars[chars.len().saturating_sub(SEAM_CHARS)..])
    }

    /// The beginning of a block, folded.
    pub(super) fn seam_right(&self, i: usize) -> Vec<char> {
        let chars = self.chars(i);
        fold(&chars[..chars.len().min(SEAM_CHARS)])
    }

    /// What can be the rest of a paragraph at all.
    pub(super) fn may_continue(&self, left: usize, right: usize) -> bool {
        let block = &self.blocks[right];
        // What stands right below a headline is that article's lead: it continues nothing.
        // Where paragraphs are indented, what is begins one.
        let begins = self.opens_article(right)
            || self.indents && block.is_indented
            || right != left + 1 && self.is_announced(right);
        let head = folded_head(self.chars(right), OPENING_CHARS);
        let opens = [&PATTERNS.speech, &PATTERNS.section];
        !begins
            && !opens.iter().any(|opening| opening.is_match(&head))
            && !block.continues
            && block.dateline_chars == 0
            && !is_table_row(self.chars(right))
            && !line::is_marked(self.chars(right))
            && (!block.is_heading || right == left + 1)
    }

    /// What somebody says, right below who says it: `她说：`, `“…”`.
    fn is_announced(&self, i: usize) -> bool {
        let above = i.checked_sub(1).filter(|&above| self.is_body(above));
        let announces = |above: usize| matches!(self.chars(above).last(), Some('：' | ':'));
        matches!(self.chars(i).first(), Some('“' | '「')) && above.is_some_and(announces)
    }

    /// Whether a headline stands above a block in its article.
    pub(super) fn has_headline(&self, i: usize) -> bool {
        let mut above = self.above(i).take(MAX_ABOVE);
        above.any(|block| block.kind == BlockKind::Headline)
    }

    /// What stands above a block in its article, the nearest first.
    fn above(&self, i: usize) -> impl Iterator<Item = &Block> {
        let before = self.blocks[..i].iter().zip(&self.section).rev();
        let own = before.take_while(move |&(_, &section)| section == self.section[i]);
        own.map(|(block, _)| block)
    }

    /// The first text of an article.
    pub(super) fn opens_article(&self, i: usize) -> bool {
        if self.blocks[i].opens {
            return true;
        }
        self.above(i)
            .find(|block| matches!(block.kind, BlockKind::Body | BlockKind::Headline))
            .is_some_and(|block| block.kind == BlockKind::Headline)
    }
}

/// The model's logit for each pair.
fn answers(asked: &[Asked], around: &Surroundings, model: &dyn Continuation) -> Vec<f32> {
    let seams: Vec<(&[char], &[char])> = asked
        .iter()
        .map(|pair| {
            let at = around
                .bodies
                .binary_search(&pair.right)
                .expect("it is a body");
            (
                around.ends[pair.row].as_slice(),
                around.beginnings[at].as_slice(),
            )
        })
        .collect();
    let mut scores = model.scores(&seams);
    for score in &mut scores {
        *score = score.clamp(-MAX_LOGIT, MAX_LOGIT);
    }
    scores
}

/// The places near one, of so many.
pub(super) fn reach(place: usize, places: usize) -> std::ops::Range<usize> {
    place.saturating_sub(REACH)..places.min(place + REACH + 1)
}

/// The two best of some values, and whose the best is.
#[derive(Clone, Copy)]
struct TopTwo {
    best: f32,
    of: usize,
    second: f32,
}

impl TopTwo {
    fn add(values: &mut HashMap<usize, Self>, key: usize, of: usize, value: f32) {
        let top = values.entry(key).or_insert(Self {
            best: f32::NEG_INFINITY,
            of,
            second: f32::NEG_INFINITY,
        });
        if value > top.best {
            (top.second, top.best, top.of) = (top.best, value, of);
        } else if value > top.second {
            top.second = value;
        }
    }

    /// By how much a value is ahead of all others', at most `most`.
    fn ahead(&self, of: usize, value: f32, most: f32) -> f32 {
        let other = if of == self.of {
            self.second
        } else {
            self.best
        };
        (value - other).clamp(-most, most)
    }
}

/// The best that the model and the words say of each side's other candidates.
#[derive(Default)]
struct Best {
    by_row: HashMap<usize, TopTwo>,
    by_right: HashMap<usize, TopTwo>,
    home_of_right: HashMap<usize, TopTwo>,
    meeting_by_row: HashMap<usize, TopTwo>,
    meeting_by_right: HashMap<usize, TopTwo>,
}

impl Best {
    fn of(asked: &[Asked], heads: &[f32]) -> Self {
        let mut best = Self::default();
        for (pair, &head) in asked.iter().zip(heads) {
            TopTwo::add(&mut best.by_row, pair.row, pair.right, head);
            TopTwo::add(&mut best.by_right, pair.right, pair.row, head);
            TopTwo::add(&mut best.home_of_right, pair.right, pair.row, pair.home);
            TopTwo::add(&mut best.meeting_by_row, pair.row, pair.right, pair.meeting);
            TopTwo::add(
                &mut best.meeting_by_right,
                pair.right,
                pair.row,
                pair.meeting,
            );
        }
        best
    }

    fn ahead_of_rights(&self, row: usize, right: usize, head: f32) -> f32 {
        self.by_row[&row].ahead(right, head, MAX_LOGIT)
    }

    fn ahead_of_lefts(&self, row: usize, right: usize, head: f32) -> f32 {
        self.by_right[&right].ahead(row, head, MAX_LOGIT)
    }

    fn meets_better_than_rights(&self, row: usize, right: usize, meeting: f32) -> f32 {
        self.meeting_by_row[&row].ahead(right, meeting, MAX_LOGIT)
    }

    fn meets_better_than_lefts(&self, row: usize, right: usize, meeting: f32) -> f32 {
        self.meeting_by_right[&right].ahead(row, meeting, MAX_LOGIT)
    }

    fn more_at_home(&self, row: usize, right: usize, home: f32) -> f32 {
        self.home_of_right[&right].ahead(row, home, 1.0)
    }
}

/// Opening and closing marks that come in pairs.
const PAIRED: [(char, char); 4] = [('“', '”'), ('《', '》'), ('（', '）'), ('(', ')')];

/// Whether a mark is opened and not closed.
fn unclosed(text: &[char]) -> bool {
    let text = &text[text.len().saturating_sub(MARK_CHARS)..];
    PAIRED.iter().any(|&(open, close)| {
        let place = |mark| text.iter().rposition(|&c| c == mark);
        place(open) > place(close)
    })
}

/// Whether a mark is closed that was not opened.
fn unopened(text: &[char]) -> bool {
    let text = &text[..text.len().min(MARK_CHARS)];
    PAIRED.iter().any(|&(open, close)| {
        let place = |mark| text.iter().position(|&c| c == mark);
        place(close).is_some_and(|close| place(open).is_none_or(|open| close < open))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn marks_left_open_on_either_side() {
        assert!(unclosed(&chars("他说：“大桥")));
        assert!(!unclosed(&chars("他说：“大桥通车。”市民")));
        assert!(unopened(&chars("通车了。”市民说：“很好。”")));
        assert!(!unopened(&chars("“很好。”市民说")));
        assert!(!unclosed(&chars("大桥")) && !unopened(&chars("大桥")));
    }

    #[test]
    fn ahead_of_the_best_other() {
        let mut values = HashMap::new();
        for (of, value) in [(1, 2.0), (2, 5.0), (3, 4.0)] {
            TopTwo::add(&mut values, 0, of, value);
        }
        assert_eq!(values[&0].ahead(2, 5.0, 12.0), 1.0);
        assert_eq!(values[&0].ahead(1, 2.0, 12.0), -3.0);
        let mut alone = HashMap::new();
        TopTwo::add(&mut alone, 0, 1, 2.0);
        assert_eq!(alone[&0].ahead(1, 2.0, 12.0), 12.0);
    }
}
