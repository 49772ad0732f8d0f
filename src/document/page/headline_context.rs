//! A second look at the lines that may be headlines, with what the first look ([`super::headline`]) said of all the others.
//!
//! A line by itself often looks like a headline and is a heading inside a feature. What tells them apart is the page: headings
//! come in rows that are alike, the text below goes on about what the headline above says, and the page's other headlines
//! stand apart, or have a credit below them, and this line does not.

use super::headline::{self, FEATURES as FIRST_FEATURES, PageStyle, Pair, is_credit, pairs, share};
use super::line::{Line, LineKind, ends_in_a_note};
use super::trees::Trees;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Length of [`Context::features`].
pub const FEATURES: usize = FIRST_FEATURES + OWN_FEATURES;
/// Of these, what only the second look sees.
const OWN_FEATURES: usize = 38;
/// A run of short lines with one that is as probable is taken for a headline.
const LIKELY: f32 = 0.5;
/// How much of the article above is compared with the text below, and of how many lines at most.
const ABOVE_CHARS: usize = 400;
const ABOVE_LINES: usize = 24;
/// Counts beyond this say no more.
const MOST: usize = 12;

/// Trained by `training/jianbao_training/headline.py`.
static TREES: LazyLock<Trees> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../models/news/headline_context.trees");
    Trees::embedded("headline_context.trees", bytes, FEATURES)
});

/// The probability that a line with these features is (part of) a headline.
pub fn probability(features: &[f32; FEATURES]) -> f32 {
    TREES.probability(features)
}

/// Short lines one below the other.
struct Run {
    first: usize,
    last: usize,
    /// The highest probability among its lines.
    likely: f32,
    stands_apart: bool,
    credited: bool,
    /// Its writer is named below it, as below a feature's headline.
    has_writer: bool,
    /// Characters of its first line, and where its first comma or colon stands.
    chars: usize,
    mark: Option<(usize, char)>,
}

impl Run {
    fn of(page: &PageStyle, lines: &[Line], first: usize, first_look: &[f32]) -> Self {
        let below = |i: &usize| lines[*i].kind == LineKind::Short;
        let last = (first..lines.len())
            .take_while(below)
            .last()
            .unwrap_or(first);
        let line = lines[first].span.of(page.folded());
        let is_mark = |c: &char| matches!(c, ',' | ':' | '，' | '：');
        let mark = line.iter().position(is_mark);
        let next = lines.get(last + 1);
        Self {
            first,
            last,
            likely: first_look[first..=last].iter().copied().fold(0.0, f32::max),
            stands_apart: lines[first].blank_before > 0,
            credited: next.is_some_and(is_credit),
            has_writer: next.is_some_and(|line| line.kind == LineKind::Byline),
            chars: line.len(),
            mark: mark.map(|at| (at, line[at])),
        }
    }

    fn is_likely(&self) -> bool {
        self.likely >= LIKELY
    }

    fn is_built_like(&self, other: &Self) -> bool {
        self.first == self.last
            && other.first == other.last
            && self.mark == other.mark
            && self.chars.abs_diff(other.chars) <= 1
    }
}

/// What the likely headlines of a page have in common, summed over them.
#[derive(Default, Clone, Copy)]
struct Habits {
    likely: f32,
    apart: f32,
    credited: f32,
    indented: f32,
    decks: f32,
}

impl Habits {
    fn of(run: &Run, lines: &[Line]) -> Self {
        let of = |is: bool| if is { run.likely } else { 0.0 };
        Self {
            likely: run.likely,
            apart: of(run.stands_apart),
            credited: of(run.credited),
            indented: of(lines[run.first].is_indented),
            decks: run.likely * (run.last - run.first + 1) as f32,
        }
    }

    fn plus(self, other: Self, sign: f32) -> Self {
        Self {
            likely: self.likely + sign * other.likely,
            apart: self.apart + sign * other.apart,
            credited: self.credited + sign * other.credited,
            indented: self.indented + sign * other.indented,
            decks: self.decks + sign * other.decks,
        }
    }
}

/// A page's short lines with what was said of them.
pub struct Context<'a> {
    page: &'a PageStyle,
    lines: &'a [Line],
    /// Of each line, 0 where it is not short.
    first_look: &'a [f32],
    runs: Vec<Run>,
    /// The run each short line is in; of each run the last likely one before it and the next one after it.
    run_of: Vec<usize>,
    likely_above: Vec<Option<usize>>,
    likely_below: Vec<Option<usize>>,
    /// Characters of prose before each line.
    prose: Vec<usize>,
    habits: Habits,
}

impl<'a> Context<'a> {
    /// `first_look` has a probability for each line.
    pub fn of(page: &'a PageStyle, lines: &'a [Line], first_look: &'a [f32]) -> Self {
        let is_short = |i: usize| lines[i].kind == LineKind::Short;
        let mut runs: Vec<Run> = Vec::new();
        let mut run_of = vec![usize::MAX; lines.len()];
        let mut prose = Vec::with_capacity(lines.len() + 1);
        let mut chars = 0;
        for (i, line) in lines.iter().enumerate() {
            prose.push(chars);
            if line.kind == LineKind::Body {
                chars += line.span.len();
            }
            if is_short(i) {
                if i == 0 || !is_short(i - 1) {
                    runs.push(Run::of(page, lines, i, first_look));
                }
                run_of[i] = runs.len() - 1;
            }
        }
        prose.push(chars);
        let nearest = |order: &mut dyn Iterator<Item = usize>| {
            let mut found = vec![None; runs.len()];
            let mut last = None;
            for r in order {
                found[r] = last;
                if runs[r].is_likely() {
                    last = Some(r);
                }
            }
            found
        };
        let likely_above = nearest(&mut (0..runs.len()));
        let likely_below = nearest(&mut (0..runs.len()).rev());
        let all = runs.iter().map(|run| Habits::of(run, lines));
        let habits = all.fold(Habits::default(), |sum, run| sum.plus(run, 1.0));
        Self {
            page,
            lines,
            first_look,
            runs,
            run_of,
            likely_above,
            likely_below,
            prose,
            habits,
        }
    }

    /// What the trees read of line `i`, a [`LineKind::Short`] line of which the first look read `first`.
    pub fn features(&self, i: usize, first: &[f32; FIRST_FEATURES]) -> [f32; FEATURES] {
        let mut out = [0.0; FEATURES];
        out[..FIRST_FEATURES].copy_from_slice(first);
        out[FIRST_FEATURES..].copy_from_slice(&self.own_features(i));
        out
    }

    fn own_features(&self, i: usize) -> [f32; OWN_FEATURES] {
        let flag = |b: bool| f32::from(u8::from(b));
        let at = self.run_of[i];
        let run = &self.runs[at];
        let likely = |run: Option<&Run>| run.map_or(-1.0, |run| run.likely);
        let (previous, next) = (
            at.checked_sub(1).map(|r| &self.runs[r]),
            self.runs.get(at + 1),
        );
        let (above, below) = (self.likely_above[at], self.likely_below[at]);
        let in_run = |j: Option<usize>| {
            let inside = j.filter(|j| (run.first..=run.last).contains(j));
            inside.map_or(-1.0, |j| self.first_look[j])
        };
        // Unlikely runs between this one and the next likely ones: headings of one article.
        let start = above.map_or(0, |r| r + 1);
        let end = below.unwrap_or(self.runs.len());
        let between = |from: usize, to: usize| (to.saturating_sub(from)).min(MOST) as f32;
        let prose = |from: usize, to: usize| {
            let chars = self.prose[to].saturating_sub(self.prose[from]);
            (1.0 + chars as f32).ln() / 8.0
        };
        let from = above.map_or(0, |r| self.runs[r].last + 1);
        let to = below.map_or(self.lines.len(), |r| self.runs[r].first);
        // The page's other headlines.
        let others = self.habits.plus(Habits::of(run, self.lines), -1.0);
        let of_others = |sum: f32| sum.max(0.0) / others.likely.max(0.1);
        let differs =
            |is: bool, sum: f32| (flag(is) - of_others(sum)) * flag(others.likely > LIKELY);
        let chars = self.lines[i].span.len();
        let length = |run: Option<&Run>| {
            run.map_or(-1.0, |other| other.chars.abs_diff(chars).min(MOST) as f32)
        };
        let alike = |other: Option<&Run>| flag(other.is_some_and(|other| other.is_built_like(run)));
        let near = at.saturating_sub(MOST / 2)..(at + MOST / 2 + 1).min(self.runs.len());
        let rows = near
            .clone()
            .filter(|&r| r != at && self.runs[r].is_built_like(run));
        let set_alike = |other: Option<&Run>| {
            other.map_or(-1.0, |other| flag(other.stands_apart == run.stands_apart))
        };
        // What the article above says, against the text below.
        let title: HashSet<Pair> = above.map_or_else(HashSet::new, |r| self.said_by(&self.runs[r]));
        let told = self.body(from, run.first);
        let after = self.page.body_text(self.lines, run.last, true);
        let (told_set, after_set) = (pairs(&told), pairs(&after));
        let lead_set = pairs(&after[..after.len().min(80)]);
        let own = self.said_by(run);
        let before = run.first.checked_sub(1).map(|j| &self.lines[j]);
        let is_signed = before.is_some_and(|line| {
            line.kind == LineKind::Byline
                || line.kind == LineKind::Body && ends_in_a_note(line.span.of(self.page.folded()))
        });
        [
            self.first_look[i],
            in_run(i.checked_sub(1)),
            in_run(Some(i + 1)),
            run.likely,
            likely(previous),
            likely(next),
            between(start, at),
            between(at + 1, end),
            prose(from, run.first),
            prose(run.last + 1, to),
            flag(above.is_none()),
            above.map_or(-1.0, |r| flag(self.runs[r].stands_apart)),
            above.map_or(-1.0, |r| flag(self.runs[r].credited)),
            above.map_or(-1.0, |r| flag(self.runs[r].has_writer)),
            flag(run.has_writer),
            flag(run.first == run.last),
            (others.likely).min(MOST as f32),
            of_others(others.apart),
            differs(run.stands_apart, others.apart),
            of_others(others.credited),
            differs(run.credited, others.credited),
            of_others(others.indented),
            differs(self.lines[i].is_indented, others.indented),
            of_others(others.decks),
            (run.last - run.first + 1) as f32 - of_others(others.decks),
            length(previous),
            length(next),
            alike(previous),
            alike(next),
            rows.count() as f32,
            set_alike(previous),
            set_alike(next),
            self.page.weighted_share(&title, &after_set),
            self.page.weighted_share(&title, &told_set),
            self.page.weighted_share(&lead_set, &told_set),
            self.page.weighted_share(&own, &told_set) - self.page.weighted_share(&own, &after_set),
            share(&own, &title),
            flag(is_signed),
        ]
    }

    fn said_by(&self, run: &Run) -> HashSet<Pair> {
        let lines = run.first..=run.last.min(run.first + MOST);
        let said = lines.map(|i| pairs(self.lines[i].span.of(self.page.folded())));
        said.flatten().collect()
    }

    /// The first [`ABOVE_CHARS`] of the prose from one line to another.
    fn body(&self, from: usize, to: usize) -> Vec<char> {
        let mut out = Vec::with_capacity(ABOVE_CHARS);
        let lines = self.lines[from.min(to)..to].iter().take(ABOVE_LINES);
        for line in lines.filter(|line| line.kind == LineKind::Body) {
            let said = line.span.of(self.page.folded());
            out.extend_from_slice(&said[..said.len().min(ABOVE_CHARS - out.len())]);
        }
        out
    }
}

/// What `of` says of each line, 0 where it is not short.
pub fn of_each(lines: &[Line], of: impl Fn(usize) -> f32) -> Vec<f32> {
    let said = lines.iter().enumerate().map(|(i, line)| match line.kind {
        LineKind::Short => of(i),
        _ => 0.0,
    });
    said.collect()
}

/// What both looks say of every line.
pub fn probabilities(page: &PageStyle, lines: &[Line]) -> Vec<f32> {
    // Features are computed twice: those of a million lines would not be held.
    let first = |i: usize| headline::features(page, lines, i);
    let first_look = of_each(lines, |i| headline::probability(&first(i)));
    let context = Context::of(page, lines, &first_look);
    of_each(lines, |i| probability(&context.features(i, &first(i))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::line::lines;

    const FEATURE: &str = "山货出山记\n本报记者 何田\n清晨六点，雾松乡的山道上已有车灯闪动，何大山把四十斤香菇搬上小巴。\n一辆小巴，跑出一条新路\n交通局把农村客运线路改造了一遍，两年来捎带山货一千多吨。\n一间冷库，留住一份新鲜\n山货娇贵，离了枝头就掉价。县里建起四十间小型冷库，农户按斤付费。\n\n东江高铁全线铺轨完成\n本报讯（记者 林小满）昨天，东江高速铁路全线铺轨完成，年底开通运营。";

    /// What the second look adds for the short line that reads `said`, with a first look that takes `likely` for headlines.
    fn own_features(said: &str, likely: &[&str]) -> [f32; OWN_FEATURES] {
        let text: Vec<char> = FEATURE.chars().collect();
        let lines = lines(&text);
        let page = PageStyle::of(&text, &lines);
        let line = |line: &Line| line.span.text(&text);
        let first_look: Vec<f32> = (lines.iter())
            .map(|l| {
                if likely.contains(&line(l).as_str()) {
                    0.9
                } else {
                    0.0
                }
            })
            .collect();
        let i = lines.iter().position(|l| line(l) == said).unwrap();
        Context::of(&page, &lines, &first_look).own_features(i)
    }

    #[test]
    fn what_others_look_like_is_seen() {
        let both = ["山货出山记", "东江高铁全线铺轨完成"];
        let inner = own_features("一辆小巴，跑出一条新路", &both);
        let next = own_features("东江高铁全线铺轨完成", &both);
        // The runs before and after, unlikely ones on the way to the next likely ones.
        assert_eq!(inner[4..8], [0.9, 0.0, 0.0, 1.0]);
        assert_eq!(next[4..8], [0.0, -1.0, 2.0, 0.0]);
        // A feature above, with its writer; the other heading is built alike, and this one has neither credit nor blank line.
        assert_eq!(
            (inner[13], next[13], inner[28], next[28]),
            (1.0, 1.0, 1.0, 0.0)
        );
        assert!(inner[20] < 0.0 && next[18] > 0.0, "{inner:?} {next:?}");
    }

    #[test]
    fn a_page_of_short_lines_takes_no_square() {
        let text: Vec<char> = "秋天的山\n".repeat(20_000).chars().collect();
        let lines = lines(&text);
        let page = PageStyle::of(&text, &lines);
        let first_look = vec![0.9; lines.len()];
        let context = Context::of(&page, &lines, &first_look);
        assert!(context.own_features(lines.len() / 2)[0] > 0.5);
        assert_eq!(context.runs.len(), 1);
    }

    #[test]
    fn headings_in_a_feature_are_told_from_headlines() {
        let text: Vec<char> = FEATURE.chars().collect();
        let lines = lines(&text);
        let likely = probabilities(&PageStyle::of(&text, &lines), &lines);
        let found = |i: &usize| likely[*i] > 0.5;
        let headlines: Vec<String> = (0..lines.len())
            .filter(found)
            .map(|i| lines[i].span.text(&text))
            .collect();
        assert_eq!(headlines, ["山货出山记", "东江高铁全线铺轨完成"]);
    }
}
