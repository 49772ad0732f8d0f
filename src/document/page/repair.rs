//! Putting a broken page back into reading order.
//!
//! Text of a scanned page arrives with paragraphs cut in mid-sentence, their rest standing inside another article or
//! before its own headline, and passages printed twice. Three steps, each of which leaves alone what it is not sure of:
//!
//! 1. *Repeated passages* are used once, where they fit their surroundings best.
//! 2. *Joins*: which fragment continues which open end. All pairs are scored by the model's continuation head and by
//!    distance; the best assignment is found exactly (Kuhn and Munkres), "none of them" being a choice that has its
//!    price. A wrong join is worse than a broken paragraph.
//! 3. *Moves*: a fragment that continues a paragraph elsewhere goes there, and takes with it as many of the paragraphs
//!    after it as share more rare character pairs with the article it goes to than with the one it leaves.

use super::{Block, BlockKind};
use crate::document::Span;
use crate::text::fold::{fold, is_han};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use std::collections::{HashMap, HashSet};

/// Says how well one fragment continues another in mid-sentence.
pub trait Continuation {
    /// A logit for each (end of the left fragment, beginning of the right one), folded; above 0 means yes.
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32>;

    /// Above 0 when a folded fragment looks like the middle of a sentence rather than its beginning. Cheap.
    fn openness(&self, _fragment: &[char]) -> f32 {
        0.0
    }
}

/// Knows nothing, joins nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoContinuation;

impl Continuation for NoContinuation {
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
        vec![f32::NEG_INFINITY; pairs.len()]
    }
}

/// Blocks in reading order, and what was found on the way.
#[derive(Debug, Default)]
pub struct Repaired {
    pub blocks: Vec<Block>,
    /// (passage that is left out, the same passage that is used).
    pub duplicates: Vec<(Span, Span)>,
    /// Paragraphs that stop in mid-sentence and whose rest was not found.
    pub open_ends: Vec<Span>,
}

/// Characters on each side of a seam that are looked at.
const SEAM_CHARS: usize = 40;
/// Shorter fragments are not joined: there is nothing to judge by.
const MIN_LEFT_CHARS: usize = 12;
/// Shorter passages may be repeated without being printed twice.
const MIN_DUPLICATE_CHARS: usize = 12;
/// Shorter passages are only the same when they are equal.
const MIN_NEAR_DUPLICATE_CHARS: usize = 24;
/// Longer ones too: comparing takes the square of the length.
const MAX_NEAR_DUPLICATE_CHARS: usize = 3000;
/// Passages before one among which a misread copy of it is looked for.
const NEAR_DUPLICATE_REACH: usize = 200;
/// Blocks after and before an open end among which its rest is looked for.
const REACH: usize = 60;
/// Of the fragments near an open end, how many the model is asked about: what stands next, and those that look most like
/// the middle of a sentence. Asking costs fifty tokens a pair.
const ASKED: usize = 6;
/// Open ends at most; a text with more is written so.
const MAX_OPEN_ENDS: usize = 400;
/// Paragraphs that a fragment takes along at most.
const MAX_RUN: usize = 30;
/// The price of leaving an open end open, in logits: a join must be likelier than that.
const NO_JOIN: f32 = 1.0;
/// What it speaks for a join that nothing stands between, in logits.
const ADJACENT: f32 = 2.5;
/// What each doubling of the distance speaks against it.
const DISTANCE: f32 = 0.25;
/// What speaks against a join after what may be a heading, in logits.
const HEADING: f32 = 0.75;
/// Text in which more than this share of the paragraphs end without a mark is written so (verse, lists, wrapped
/// lines): nothing there is broken.
const MAX_OPEN_SHARE: f32 = 0.4;

/// Repairs a page; blocks of an undamaged one come back as they were.
pub fn repair(text: &[char], blocks: Vec<Block>, model: &dyn Continuation) -> Repaired {
    let mut page = Page::new(text, blocks);
    if page.open_ends().is_none() {
        return Repaired {
            blocks: page.blocks,
            ..Repaired::default()
        };
    }
    let duplicates = page.drop_duplicates();
    let joins = page.joins(model);
    page.into_repaired(duplicates, joins)
}

struct Page<'a> {
    text: &'a [char],
    blocks: Vec<Block>,
    /// The article, by page order, that each block stands in.
    section: Vec<usize>,
    /// Rare character pairs of each body block, with their weights.
    pairs: Vec<Pairs>,
    dropped: Vec<bool>,
}

/// Character pairs and their weights.
type Pairs = HashMap<(char, char), f32>;

/// Of two fragments, the left one and the right one.
type Join = (usize, usize);

impl<'a> Page<'a> {
    fn new(text: &'a [char], blocks: Vec<Block>) -> Self {
        let mut section = Vec::with_capacity(blocks.len());
        let (mut current, mut after_body) = (0, true);
        for block in &blocks {
            match block.kind {
                BlockKind::Headline if after_body => (current, after_body) = (current + 1, false),
                BlockKind::Body => after_body = true,
                _ => {}
            }
            section.push(current);
        }
        let pairs = weighted_pairs(text, &blocks);
        Self {
            text,
            dropped: vec![false; blocks.len()],
            section,
            pairs,
            blocks,
        }
    }

    fn is_body(&self, i: usize) -> bool {
        self.blocks[i].kind == BlockKind::Body && !self.dropped[i]
    }

    fn chars(&self, i: usize) -> &'a [char] {
        self.blocks[i].span.of(self.text)
    }

    /// Marks passages that repeat another one; keeps the copy that fits its article better.
    fn drop_duplicates(&mut self) -> Vec<(Span, Span)> {
        let squeezed = |i: usize| -> Vec<char> {
            let chars = self.chars(i).iter().copied();
            chars.filter(|c| !c.is_whitespace()).collect()
        };
        let passages: Vec<(usize, Vec<char>)> = (0..self.blocks.len())
            .filter(|&i| self.is_body(i))
            .map(|i| (i, squeezed(i)))
            .filter(|(_, passage)| passage.len() >= MIN_DUPLICATE_CHARS)
            .collect();
        let mut found = Vec::new();
        let mut exact: HashMap<&[char], usize> = HashMap::new();
        for (n, (i, passage)) in passages.iter().enumerate() {
            let recent = &passages[n.saturating_sub(NEAR_DUPLICATE_REACH)..n];
            let earlier = exact.get(passage.as_slice()).copied().or_else(|| {
                let alike = recent.iter().find(|(j, other)| {
                    !self.dropped[*j] && are_alike(passage, other, &self.pairs[*i], &self.pairs[*j])
                });
                alike.map(|(j, _)| *j)
            });
            let Some(earlier) = earlier else {
                exact.insert(passage, *i);
                continue;
            };
            let fits = |at: usize| self.affinity(*i, self.neighbourhood(at, &[*i, earlier]));
            let (kept, left_out) = if fits(*i) > fits(earlier) + 1e-6 {
                (*i, earlier)
            } else {
                (earlier, *i)
            };
            self.dropped[left_out] = true;
            exact.insert(passage, kept);
            found.push((left_out, kept));
        }
        let span = |i: usize| self.blocks[i].span;
        found.into_iter().map(|(a, b)| (span(a), span(b))).collect()
    }

    /// The body blocks of the article that block `at` stands in, but for some.
    fn neighbourhood(&self, at: usize, without: &[usize]) -> Vec<usize> {
        (0..self.blocks.len())
            .filter(|&i| self.section[i] == self.section[at] && !without.contains(&i))
            .filter(|&i| self.is_body(i) || self.blocks[i].kind == BlockKind::Headline)
            .collect()
    }

    /// How much of a block's rare pairs stand in other blocks too, from 0 to 1.
    fn affinity(&self, block: usize, others: Vec<usize>) -> f32 {
        let there: HashSet<&(char, char)> =
            others.iter().flat_map(|&i| self.pairs[i].keys()).collect();
        let pairs = &self.pairs[block];
        // Summed in order of the pairs: a hash table's order would change the last digits.
        let mut sorted: Vec<(&(char, char), &f32)> = pairs.iter().collect();
        sorted.sort_by_key(|(pair, _)| **pair);
        let (mut shared, mut total) = (0.0, 0.0);
        for (pair, weight) in sorted {
            total += weight;
            if there.contains(pair) {
                shared += weight;
            }
        }
        shared / f32::max(total, 1e-6)
    }

    /// Paragraphs that stop in mid-sentence; `None` for text that is written so.
    fn open_ends(&self) -> Option<Vec<usize>> {
        // Short ones too: a line without a mark at its end may be a heading or the beginning of a cut paragraph.
        let candidates: Vec<usize> = (0..self.blocks.len())
            .filter(|&i| self.is_body(i) && self.chars(i).len() >= MIN_LEFT_CHARS)
            .collect();
        let open: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|&i| is_open_end(self.chars(i)))
            .collect();
        let many = open.len() > 4 && open.len() as f32 > MAX_OPEN_SHARE * candidates.len() as f32;
        if many || open.len() > MAX_OPEN_ENDS {
            return None;
        }
        Some(open)
    }

    /// The best assignment of right fragments to open ends.
    fn joins(&self, model: &dyn Continuation) -> Vec<Join> {
        let mut lefts = self.open_ends().unwrap_or_default();
        lefts.retain(|&i| !self.is_plain_heading(i));
        let bodies: Vec<usize> = (0..self.blocks.len())
            .filter(|&i| self.is_body(i))
            .collect();
        let place = |block: usize| bodies.binary_search(&block).unwrap_or(0);
        let openness: Vec<f32> = bodies
            .iter()
            .map(|&i| {
                let start = self.chars(i);
                model.openness(&fold(&start[..start.len().min(SEAM_CHARS)]))
            })
            .collect();
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (row, &left) in lefts.iter().enumerate() {
            let mut near: Vec<(f32, usize)> = bodies
                .iter()
                .zip(&openness)
                .filter(|&(&right, _)| right != left && self.may_continue(left, right))
                .filter_map(|(&right, &openness)| {
                    let steps = place(right) as f32 - place(left) as f32;
                    let price = if steps == 1.0 {
                        -ADJACENT
                    } else {
                        DISTANCE * steps.abs().log2()
                    };
                    (steps.abs() <= REACH as f32).then_some((openness - price, right))
                })
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            pairs.extend(near.iter().take(ASKED).map(|&(_, right)| (row, right)));
        }
        pairs.sort_unstable();
        if pairs.is_empty() {
            return Vec::new();
        }
        let folded: Vec<(Vec<char>, Vec<char>)> = pairs
            .iter()
            .map(|&(row, right)| {
                let (left, right) = (self.chars(lefts[row]), self.chars(right));
                let left = &left[left.len().saturating_sub(SEAM_CHARS)..];
                (fold(left), fold(&right[..right.len().min(SEAM_CHARS)]))
            })
            .collect();
        let borrowed: Vec<(&[char], &[char])> = folded
            .iter()
            .map(|(a, b)| (a.as_slice(), b.as_slice()))
            .collect();
        let scores = model.scores(&borrowed);

        // A column for each right fragment that is in question, and one a row for "none".
        let mut columns: Vec<usize> = pairs.iter().map(|&(_, right)| right).collect();
        columns.sort_unstable();
        columns.dedup();
        let width = columns.len() + lefts.len();
        let mut weights = Matrix::new(lefts.len(), width, 0i64);
        for (&(row, right), score) in pairs.iter().zip(scores) {
            let steps = place(right) as f32 - place(lefts[row]) as f32;
            // A heading is always followed by something: that it stands next to it is no argument.
            let prior = match self.blocks[lefts[row]].is_heading {
                false if steps == 1.0 => ADJACENT,
                heading => -DISTANCE * steps.abs().log2() - if heading { HEADING } else { 0.0 },
            };
            let column = columns.binary_search(&right).expect("it was collected");
            let gain = (score + prior - NO_JOIN).clamp(0.0, 1e4);
            weights[(row, column)] = (gain * 1e3) as i64;
        }
        let (_, assigned) = kuhn_munkres(&weights);
        let mut joins: Vec<(i64, Join)> = assigned
            .iter()
            .enumerate()
            .filter(|&(row, &column)| column < columns.len() && weights[(row, column)] > 0)
            .map(|(row, &column)| (weights[(row, column)], (lefts[row], columns[column])))
            .collect();
        // No fragment may come after itself: of a ring the weakest join goes.
        joins.sort_by_key(|&(weight, join)| (std::cmp::Reverse(weight), join));
        let mut next: HashMap<usize, usize> = HashMap::new();
        for (_, (left, right)) in joins {
            let end = std::iter::successors(Some(right), |at| next.get(at).copied()).last();
            if end != Some(left) {
                next.insert(left, right);
            }
        }
        let mut joins: Vec<Join> = next.into_iter().collect();
        joins.sort_unstable();
        joins
    }

    /// The first text below a headline.
    fn opens_article(&self, i: usize) -> bool {
        let before = self.blocks[..i].iter().zip(&self.section).rev();
        before
            .take_while(|&(_, &section)| section == self.section[i])
            .find(|(block, _)| matches!(block.kind, BlockKind::Body | BlockKind::Headline))
            .is_some_and(|(block, _)| block.kind == BlockKind::Headline)
    }

    /// A heading that is no half sentence: short, without a mark at its end and without one inside.
    fn is_plain_heading(&self, i: usize) -> bool {
        self.blocks[i].is_heading && !self.chars(i).iter().any(|c| "，。；、,".contains(*c))
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

    /// Carries the moves out.
    fn into_repaired(mut self, duplicates: Vec<(Span, Span)>, joins: Vec<Join>) -> Repaired {
        let rights: HashSet<usize> = joins.iter().map(|&(_, right)| right).collect();
        let lefts: HashSet<usize> = joins.iter().map(|&(left, _)| left).collect();
        let open_ends = self
            .open_ends()
            .into_iter()
            .flatten()
            .filter(|&i| !lefts.contains(&i) && !self.blocks[i].is_heading)
            .map(|i| self.blocks[i].span)
            .collect();
        // What follows each left fragment: the run that begins with its right one.
        let mut runs: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut moved: HashSet<usize> = HashSet::new();
        for &(left, right) in &joins {
            self.blocks[right].continues = true;
            if self.next_body(left) == Some(right) {
                continue;
            }
            let run = self.run(left, right, &rights, &lefts);
            moved.extend(&run);
            runs.insert(left, run);
        }
        let mut order = Vec::with_capacity(self.blocks.len());
        for i in 0..self.blocks.len() {
            if !moved.contains(&i) {
                append(i, &runs, &mut order);
            }
        }
        Repaired {
            blocks: order
                .into_iter()
                .filter(|&i| !self.dropped[i])
                .map(|i| self.blocks[i].clone())
                .collect(),
            duplicates,
            open_ends,
        }
    }

    /// The body block that is read after block `i` if nothing moves, in the same article.
    fn next_body(&self, i: usize) -> Option<usize> {
        (i + 1..self.blocks.len())
            .take_while(|&j| self.section[j] == self.section[i])
            .find(|&j| self.is_body(j))
    }

    /// The blocks that go to `left` with its continuation `right`.
    fn run(
        &self,
        left: usize,
        right: usize,
        rights: &HashSet<usize>,
        lefts: &HashSet<usize>,
    ) -> Vec<usize> {
        let mut run = vec![right];
        if lefts.contains(&right) {
            return run;
        }
        let (home, there) = (self.section[left], self.section[right]);
        let following: Vec<usize> = (right + 1..self.blocks.len())
            .take_while(|&i| self.section[i] == there && !rights.contains(&i) && i != left)
            .filter(|&i| self.is_body(i))
            .take(MAX_RUN)
            .collect();
        let mut gain = 0.0;
        let mut best = (0.0, 0);
        for (n, &block) in following.iter().enumerate() {
            let mut apart = following[..=n].to_vec();
            apart.push(right);
            gain += if home == there {
                // In one article there is nothing to choose by words: what was moved is what stands to its end.
                0.1
            } else {
                let stay = self.affinity(block, self.neighbourhood(right, &apart));
                let go = self.affinity(block, self.neighbourhood(left, &apart));
                go - stay - 0.02
            };
            if gain > best.0 {
                best = (gain, n + 1);
            }
        }
        if home == there && right < left {
            return run;
        }
        run.extend(&following[..best.1]);
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

/// Whether two passages are the same but for a few misread characters. Numbers must agree: lists repeat their words.
fn are_alike(a: &[char], b: &[char], pairs_a: &Pairs, pairs_b: &Pairs) -> bool {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    let compared = (MIN_NEAR_DUPLICATE_CHARS..=MAX_NEAR_DUPLICATE_CHARS).contains(&short);
    if !compared || (long - short) * 20 > long {
        return false;
    }
    let shared = pairs_a
        .keys()
        .filter(|pair| pairs_b.contains_key(pair))
        .count();
    if shared * 10 < pairs_a.len().max(pairs_b.len()) * 7 {
        return false;
    }
    let digits = |text: &[char]| -> String { text.iter().filter(|c| c.is_ascii_digit()).collect() };
    digits(a) == digits(b) && strsim::generic_levenshtein(&Chars(a), &Chars(b)) * 20 <= long
}

/// What `strsim` compares.
struct Chars<'a>(&'a [char]);

impl<'b> IntoIterator for &'b Chars<'_> {
    type Item = &'b char;
    type IntoIter = std::slice::Iter<'b, char>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Whether a paragraph stops in mid-sentence.
fn is_open_end(paragraph: &[char]) -> bool {
    paragraph
        .iter()
        .rev()
        .find(|c| !c.is_whitespace())
        .is_some_and(|&c| !"。！？!?”’」』；;：:…）)》】—～.".contains(c))
}

/// Character pairs of each block that few blocks have, weighted by how few.
fn weighted_pairs(text: &[char], blocks: &[Block]) -> Vec<Pairs> {
    let sets: Vec<HashSet<(char, char)>> = blocks
        .iter()
        .map(|block| {
            let folded = fold(block.span.of(text));
            folded
                .windows(2)
                .filter(|pair| is_han(pair[0]) && is_han(pair[1]))
                .map(|pair| (pair[0], pair[1]))
                .collect()
        })
        .collect();
    let mut frequency: HashMap<(char, char), usize> = HashMap::new();
    for pair in sets.iter().flatten() {
        *frequency.entry(*pair).or_default() += 1;
    }
    let count = blocks.len().max(1) as f32;
    sets.into_iter()
        .map(|set| {
            set.into_iter()
                .map(|pair| (pair, (count / frequency[&pair] as f32).ln()))
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::{Layout, assemble, blocks};

    /// Knows which fragments belong together by a list.
    struct Known(&'static [(&'static str, &'static str)]);

    impl Continuation for Known {
        fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
            let text = |chars: &[char]| chars.iter().collect::<String>();
            pairs
                .iter()
                .map(|(left, right)| {
                    let (left, right) = (text(left), text(right));
                    let known = self
                        .0
                        .iter()
                        .any(|(a, b)| left.ends_with(a) && right.starts_with(b));
                    if known { 6.0 } else { -6.0 }
                })
                .collect()
        }
    }

    const PAGE: &str = "东江大桥今日正式通车\n东江日报3月5日讯(记者 林小满)东江大桥今天正式通车，市民参观大桥的桥面和桥塔，大桥全长三千米，是东江上\n\
        青石中学食堂改造完成\n东江日报3月5日讯(记者 何晓)青石中学食堂改造今天完成，学生们走进食堂用餐。\n最长的一座桥梁。\n大桥的桥塔高一百米，桥面宽三十米。\n食堂的菜品由学生们投票选出，学校食堂每周更换菜品。\n";

    fn repaired(text: &str, model: &dyn Continuation) -> (Vec<String>, Repaired) {
        let text: Vec<char> = text.chars().collect();
        let repaired = repair(&text, blocks(&text, Layout::Page), model);
        let articles = assemble(&text, &repaired.blocks);
        (
            articles.iter().map(|a| a.text.iter().collect()).collect(),
            repaired,
        )
    }

    #[test]
    fn a_fragment_goes_home_and_takes_its_own_with_it() {
        let (articles, found) = repaired(PAGE, &Known(&[("东江上", "最长的")]));
        assert_eq!(articles.len(), 2);
        assert!(
            articles[0].ends_with("是东江上最长的一座桥梁。\n大桥的桥塔高一百米，桥面宽三十米。"),
            "{articles:?}"
        );
        assert!(
            articles[1].ends_with("用餐。\n食堂的菜品由学生们投票选出，学校食堂每周更换菜品。"),
            "{articles:?}"
        );
        assert!(found.open_ends.is_empty());
    }

    #[test]
    fn a_doubtful_join_is_not_made() {
        let (articles, found) = repaired(PAGE, &Known(&[]));
        assert!(articles[0].ends_with("是东江上"), "{articles:?}");
        assert_eq!(found.open_ends.len(), 1);
        let text: Vec<char> = PAGE.chars().collect();
        let untouched = assemble(&text, &blocks(&text, Layout::Page));
        assert_eq!(untouched.len(), articles.len());
    }

    #[test]
    fn a_passage_printed_twice_is_used_once() {
        let page = PAGE
            .replace("最长的一座桥梁。\n", "")
            .replace("，是东江上", "。\n大桥的桥塔高一百米，桥面宽三十米。");
        let (articles, found) = repaired(&page, &NoContinuation);
        assert_eq!(found.duplicates.len(), 1);
        assert!(
            articles[0].contains("桥塔高一百米") && !articles[1].contains("桥塔高一百米"),
            "{articles:?}"
        );
    }

    #[test]
    fn a_misread_copy_is_a_copy_but_another_number_is_not() {
        let line = "东江大桥今天正式通车，市民参观大桥的桥面和桥塔，大桥全长3000米。";
        let twice = |other: &str| {
            repaired(
                &format!("东江大桥今日正式通车\n{line}\n{other}\n"),
                &NoContinuation,
            )
            .1
        };
        assert_eq!(twice(&line.replace("桥塔", "桥搭")).duplicates.len(), 1);
        assert!(twice(&line.replace("3000", "3500")).duplicates.is_empty());
        assert!(
            twice(&line.replace("市民参观", "学生走过"))
                .duplicates
                .is_empty()
        );
    }

    #[test]
    fn verse_is_left_alone() {
        let poem = "白日依山尽黄河入海流白日依山尽\n欲穷千里目更上一层楼欲穷千里目\n".repeat(4);
        let text: Vec<char> = poem.chars().collect();
        let before = crate::document::page::body_blocks(&text);
        let after = repair(&text, before.clone(), &Known(&[("", "")]));
        assert!(after.blocks.iter().all(|block| !block.continues));
    }
}
