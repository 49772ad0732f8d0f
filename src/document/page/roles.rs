//! The role of every line on its page: which short lines are headlines, who signs, what a column is called.
//!
//! Trees say how much a short line looks like a headline ([`super::headline`]); what the neighbours of a line rule out
//! is asked before them, and what follows from the roles around it is put right after them.

use super::headline::PageStyle;
use super::headline_context;
use super::line::{self, Line, LineKind};
use super::ruled_out::RuledOut;
use super::{BlockKind, Layout, furniture, jumps, neighbours};
use crate::document::Span;
use crate::text::fold::{fold, folded_head};
use crate::text::names::{are_names, is_author};
use crate::text::patterns::PATTERNS;
use std::collections::HashSet;

/// A headline probability from which a short line opens an article: an article that is swallowed costs a reader more than a heading
/// that is taken for a headline.
const MIN_HEADLINE_PROBABILITY: f32 = 0.4;

/// What each line of a page is, in page order.
pub fn roles(text: &[char], lines: &[Line], layout: Layout) -> Vec<BlockKind> {
    let mut kinds = match layout {
        Layout::Article => None,
        Layout::Page => Some(on_a_page(text, lines)),
        Layout::Auto => Some(on_a_page(text, lines)).filter(|kinds| headline_runs(kinds) > 1),
    }
    .unwrap_or_else(|| in_one_article(text, lines));
    mark_signatures(text, lines, &mut kinds);
    kinds
}

/// Finds the headlines that did not look like one below a fragment in mid-sentence: the lines are read again without those that
/// `moved` elsewhere. Whether there are any.
pub fn look_again(
    text: &[char],
    lines: &[Line],
    layout: Layout,
    moved: &[Span],
    kinds: &mut [BlockKind],
) -> bool {
    let moved: HashSet<Span> = moved.iter().copied().collect();
    let went = |i: usize| moved.contains(&lines[i].span);
    let is_below = |i: usize| i > 0 && went(i - 1) && kinds[i] == BlockKind::Body;
    let is_in_question = |i: usize| is_below(i) && lines[i].kind == LineKind::Short && !went(i);
    let in_question: Vec<usize> = (0..lines.len()).filter(|&i| is_in_question(i)).collect();
    if in_question.is_empty() {
        return false;
    }
    let staying: Vec<usize> = (0..lines.len()).filter(|&i| !went(i)).collect();
    let rest: Vec<Line> = staying.iter().map(|&i| lines[i].clone()).collect();
    let mut found = false;
    for (i, kind) in staying.into_iter().zip(roles(text, &rest, layout)) {
        if kind == BlockKind::Headline && in_question.binary_search(&i).is_ok() {
            (kinds[i], found) = (kind, true);
        }
    }
    found
}

/// What a line is by its looks alone: no headline.
pub fn alone(kind: LineKind) -> BlockKind {
    match kind {
        LineKind::Body | LineKind::Short => BlockKind::Body,
        LineKind::Byline => BlockKind::Byline,
        LineKind::Furniture => BlockKind::Furniture,
    }
}

fn all_alone(lines: &[Line]) -> Vec<BlockKind> {
    lines.iter().map(|line| alone(line.kind)).collect()
}

fn on_a_page(text: &[char], lines: &[Line]) -> Vec<BlockKind> {
    let mut kinds = all_alone(lines);
    let likely = headline_context::probabilities(&PageStyle::of(text, lines), lines);
    let is_short = |i: usize| lines[i].kind == LineKind::Short;
    let ruled_out = RuledOut::of(text, lines);
    for i in 0..lines.len() {
        if furniture::heads_notice(text, lines, i) {
            kinds[i] = BlockKind::Headline;
            continue;
        }
        if !is_short(i) || ruled_out.has(i) {
            continue;
        }
        // The rest of a credit that was cut (`…讯(记者 林|小满)大桥今天通车`) looks like a headline.
        let above_is_short = i > 0 && is_short(i - 1);
        if !above_is_short && line::closes_foreign_bracket(lines[i].span.of(text)) {
            continue;
        }
        // An article that comes from another page has its headline above the line that says so.
        let arrives = |next: &Line| jumps::is_arrival(next.span.of(text));
        let looks_like_one = likely[i] >= MIN_HEADLINE_PROBABILITY;
        if lines.get(i + 1).is_some_and(arrives) || looks_like_one {
            kinds[i] = BlockKind::Headline;
        }
    }
    mark_columns(text, lines, &mut kinds);
    neighbours::settle(text, lines, &mut kinds);
    demote_headlines_without_body(&mut kinds);
    kinds
}

/// In a single article the headline is the run of short lines it opens with, if prose follows.
fn in_one_article(text: &[char], lines: &[Line]) -> Vec<BlockKind> {
    const MAX_DECKS: usize = 4;
    let mut kinds = all_alone(lines);
    let first = lines
        .iter()
        .position(|line| !matches!(line.kind, LineKind::Furniture | LineKind::Byline))
        .unwrap_or(lines.len());
    let opens_text = |line: &Line| {
        let line = line.span.of(text);
        line::is_talk(line) || line::is_enumerated(line)
    };
    let decks = lines[first..]
        .iter()
        .enumerate()
        .take_while(|(k, line)| line.kind == LineKind::Short && !(*k > 0 && opens_text(line)))
        .count();
    let is_text = |line: &Line| line.kind == LineKind::Body || opens_text(line);
    let prose_follows = lines[first + decks..].iter().any(is_text);
    if (1..=MAX_DECKS).contains(&decks) && prose_follows {
        kinds[first..first + decks].fill(BlockKind::Headline);
        let end = first + decks;
        if !line::is_marked(lines[first].span.of(text)) {
            mark_columns(text, &lines[..end], &mut kinds[..end]);
        }
    } else if decks > MAX_DECKS && lines[first + 1].blank_before > 0 {
        // Verse or a list below a title that stands apart.
        kinds[first] = BlockKind::Headline;
    }
    kinds
}

/// What a column is called is no part of the headline below it; above short items without headlines it is theirs.
fn mark_columns(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for i in 0..lines.len().saturating_sub(1) {
        let line = lines[i].span.of(text);
        if lines[i].kind != LineKind::Short || line.len() > MAX_COLUMN_CHARS {
            continue;
        }
        let head = folded_head(line, MAX_COLUMN_CHARS);
        let opens_run = i == 0 || kinds[i - 1] != BlockKind::Headline;
        let run = kinds[i + 1..].iter().zip(&lines[i + 1..]);
        let mut run = run.take_while(|(kind, _)| **kind == BlockKind::Headline);
        let above_headline =
            opens_run && run.any(|(_, deck)| deck.span.len() >= MIN_BELOW_COLUMN_CHARS);
        let opens_briefs = PATTERNS.briefs.is_match(&head);
        let is_column = opens_briefs || PATTERNS.column.is_match(&head);
        // The headline below it may look like a deck of it, or both like text.
        let in_its_place = match kinds[i] {
            BlockKind::Headline => {
                opens_run && is_column && stands_above_a_title(lines, i, MAX_COLUMN_CHARS / 2)
            }
            kind => {
                let is_apart = is_column && lines[i].blank_before > 0;
                kind == BlockKind::Body && opens_column(text, lines, i, is_apart)
            }
        };
        if above_headline && is_column {
            kinds[i] = BlockKind::Furniture;
        } else if in_its_place && kinds[i + 1] == BlockKind::Body {
            kinds[i] = BlockKind::Furniture;
            kinds[i + 1] = BlockKind::Headline;
        } else if opens_briefs && lines[i + 1].kind == LineKind::Body {
            kinds[i] = BlockKind::Headline;
        }
    }
}

/// A short line, longer than so many characters, and text below it.
fn stands_above_a_title(lines: &[Line], i: usize, chars: usize) -> bool {
    matches!(&lines[i + 1..], [title, below, ..]
        if title.kind == LineKind::Short && title.span.len() > chars && below.kind == LineKind::Body)
}

/// `【读者来电】` or `短评`, apart from the text above, or `快讯`: the short line below it, right above its text, is a headline.
fn opens_column(text: &[char], lines: &[Line], i: usize, is_apart: bool) -> bool {
    let printed = lines[i].span.of(text);
    let head = folded_head(printed, MAX_COLUMN_CHARS);
    let is_bracketed = matches!(printed, ['【', .., '】']) && lines[i].blank_before > 0;
    let is_bracketed = is_bracketed && PATTERNS.callers.is_match(&head);
    let is_briefs = || PATTERNS.briefs.is_match(&head);
    lines[i + 1].blank_before == 0
        && stands_above_a_title(lines, i, MIN_BELOW_COLUMN_CHARS)
        && (is_apart || is_bracketed || is_briefs())
}

/// What a column is called is no longer.
const MAX_COLUMN_CHARS: usize = 8;
/// What stands below may be another column's name where it is shorter.
const MIN_BELOW_COLUMN_CHARS: usize = 8;

/// Who wrote an article, below its headline and above its text, whatever it looks like: `何田`, `东江大学教授 何田`.
fn mark_signatures(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for i in 1..lines.len().saturating_sub(1) {
        // A speech has its date between: `（2024年6月30日）`.
        let above = kinds[..i]
            .iter()
            .rev()
            .find(|kind| **kind != BlockKind::Furniture);
        let below_headline =
            above == Some(&BlockKind::Headline) && lines[i].kind == LineKind::Short;
        let below = kinds[i + 1..].iter();
        let below = below.copied().find(|kind| *kind != BlockKind::Furniture);
        let above_text = matches!(below, Some(BlockKind::Body | BlockKind::Byline));
        if !below_headline || !above_text {
            continue;
        }
        let line = fold(lines[i].span.of(text));
        if are_names(&line)
            || is_author(&line)
            || PATTERNS
                .signature
                .is_match(&line.iter().collect::<String>())
        {
            kinds[i] = BlockKind::Byline;
        }
    }
}

fn headline_runs(kinds: &[BlockKind]) -> usize {
    (0..kinds.len())
        .filter(|&i| neighbours::opens_run(kinds, i))
        .count()
}

/// A headline at the end of the page, with nothing below it, belongs to the text above.
fn demote_headlines_without_body(kinds: &mut [BlockKind]) {
    for kind in kinds.iter_mut().rev() {
        match kind {
            BlockKind::Body => break,
            BlockKind::Headline => *kind = BlockKind::Body,
            BlockKind::Byline | BlockKind::Furniture => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_below_what_went_elsewhere_is_looked_for_again() {
        let text: Vec<char> = "东江大桥今日正式通车\n东江日报3月5日讯(记者 林小满)大桥今天通车，全长三千米，是东江上\n\n青石中学食堂改造完成\n\n东江日报3月5日讯(记者 何晓)食堂改造今天完成，学生们走进食堂用餐。\n最长的一座桥梁，市民走上大桥参观。\n\n东江音乐节开幕\n\n东江日报3月5日讯(记者 周默)音乐节今天开幕，乐团登台演出。"
            .chars()
            .collect();
        let lines = line::lines(&text);
        let all = roles(&text, &lines, Layout::Page);
        let place = |head: &str| {
            let head: Vec<char> = head.chars().collect();
            let found = lines
                .iter()
                .position(|line| line.span.of(&text).starts_with(&head));
            found.unwrap()
        };
        let (fragment, headline) = (place("最长的"), place("东江音乐节"));
        assert_eq!(all[headline], BlockKind::Headline);
        // As if the fragment had hidden it.
        let mut kinds = all.clone();
        kinds[headline] = BlockKind::Body;
        let moved = [lines[fragment].span];
        assert!(look_again(&text, &lines, Layout::Page, &moved, &mut kinds));
        assert_eq!(kinds, all);
        // Elsewhere nothing is looked for again.
        kinds[headline] = BlockKind::Body;
        let elsewhere = [lines[fragment - 1].span];
        assert!(!look_again(
            &text,
            &lines,
            Layout::Page,
            &elsewhere,
            &mut kinds
        ));
    }

    #[test]
    fn a_press_release_is_one_article() {
        let text: Vec<char> = "新闻稿\n即时发布\n\n东江制药新药获批上市 用于治疗花粉过敏\n\n东江制药今天宣布，公司研发的新药获得批准，用于治疗花粉过敏的患者。\n研究显示，患者用药十二周以后，症状明显减轻。\n\n关于花粉过敏\n花粉过敏是一种常见的疾病，春天最多。\n\n关于东江制药\n东江制药成立于2009年，拥有员工一千余人。\n\n媒体联系人：\n何田 传播部\n电话：+86 000 8888 0000\n邮箱：media@djzy.example"
            .chars()
            .collect();
        let lines = line::lines(&text);
        for layout in [Layout::Auto, Layout::Article] {
            let kinds = roles(&text, &lines, layout);
            let of = |kind| kinds.iter().filter(|k| **k == kind).count();
            assert_eq!((headline_runs(&kinds), kinds[2]), (1, BlockKind::Headline));
            // Two labels above the title, four lines below.
            assert_eq!(of(BlockKind::Furniture), 6, "{kinds:?}");
        }
    }
}
