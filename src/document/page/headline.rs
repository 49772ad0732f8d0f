//! Which short lines are headlines: features of a line among its neighbours, and small trained trees.
//!
//! A heading inside an article (`亮点：…`, `一、…`, or just a short line) looks like a headline; what tells them
//! apart is the page: whether a dateline or byline follows as under the other headlines, and whether the text
//! goes on about the same things after it.

use super::borders;
use super::line::{Line, LineKind, ends_paragraph, in_brackets};
use super::seams;
use super::trees::Trees;
use crate::document::Span;
use crate::text::fold::{fold, is_han};
use crate::text::patterns::PATTERNS;
use crate::text::words::{Word, WordClass, words};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Length of [`features`].
pub const FEATURES: usize = 81;
/// How much text before and after a line its words are compared with.
const CONTEXT_CHARS: usize = 400;
/// How much of a page says which of its words are rare: a longer page has no more to say.
const RARITY_CHARS: usize = 200_000;

/// Trained by `training/jianbao_training/headline.py`.
static TREES: LazyLock<Trees> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../models/news/headline.trees");
    Trees::embedded("headline.trees", bytes, FEATURES)
});

/// The probability that a line with these features is (part of) a headline.
pub fn probability(features: &[f32; FEATURES]) -> f32 {
    TREES.probability(features)
}

/// Two neighbouring Chinese characters, the cheapest stand-in for words.
pub(super) type Pair = (char, char);

pub(super) fn pairs(folded: &[char]) -> HashSet<Pair> {
    folded
        .windows(2)
        .filter(|w| is_han(w[0]) && is_han(w[1]))
        .map(|w| (w[0], w[1]))
        .collect()
}

pub(super) fn share(part: &HashSet<Pair>, whole: &HashSet<Pair>) -> f32 {
    if part.is_empty() {
        return 0.0;
    }
    part.iter().filter(|pair| whole.contains(*pair)).count() as f32 / part.len() as f32
}

/// What the page says of itself before single lines are looked at.
pub struct PageStyle {
    folded: Vec<char>,
    /// How many lines each pair stands in, and how many lines were counted.
    line_counts: HashMap<Pair, u32>,
    counted_lines: f32,
    /// Share of short-line runs that a dateline or byline follows.
    credited_share: f32,
    short_share: f32,
    /// Share of the paragraphs that are indented, and of those below another one that stand apart from it.
    indented_share: f32,
    spaced_share: f32,
}

impl PageStyle {
    pub fn of(text: &[char], lines: &[Line]) -> Self {
        let short = |i: usize| lines[i].kind == LineKind::Short;
        let run_ends: Vec<usize> = (0..lines.len())
            .filter(|&i| short(i) && (i + 1 == lines.len() || !short(i + 1)))
            .collect();
        let credited = run_ends
            .iter()
            .filter(|&&i| i + 1 < lines.len() && is_credit(&lines[i + 1]))
            .count();
        let shorts = (0..lines.len()).filter(|&i| short(i)).count();
        let is_body = |line: &Line| line.kind == LineKind::Body;
        let share_of = |lines: Vec<bool>| {
            let count = lines.iter().filter(|&&is| is).count();
            count as f32 / lines.len().max(1) as f32
        };
        let bodies = lines.iter().filter(|line| is_body(line));
        let indented = bodies.map(|line| line.is_indented).collect();
        let below_bodies = lines
            .windows(2)
            .filter(|two| is_body(&two[0]) && is_body(&two[1]));
        let spaced = below_bodies.map(|two| two[1].blank_before > 0).collect();
        let folded = fold(text);
        let mut line_counts = HashMap::new();
        let mut counted_lines = 0.0;
        for line in lines
            .iter()
            .take_while(|line| line.span.end <= RARITY_CHARS)
        {
            counted_lines += 1.0;
            for pair in pairs(line.span.of(&folded)) {
                *line_counts.entry(pair).or_default() += 1;
            }
        }
        Self {
            folded,
            line_counts,
            counted_lines,
            credited_share: credited as f32 / run_ends.len().max(1) as f32,
            short_share: shorts as f32 / lines.len().max(1) as f32,
            indented_share: share_of(indented),
            spaced_share: share_of(spaced),
        }
    }

    /// The page's text, folded.
    pub(super) fn folded(&self) -> &[char] {
        &self.folded
    }

    /// The share of `part`'s pairs that `whole` has too, each weighing the more the fewer lines of the page have it.
    pub(super) fn weighted_share(&self, part: &HashSet<Pair>, whole: &HashSet<Pair>) -> f32 {
        // Sums of whole numbers: the order of a hash set cannot change them.
        let weight = |pair: &Pair| {
            let lines = self.line_counts.get(pair).copied().unwrap_or(1) as f32;
            (((1.0 + self.counted_lines) / lines).ln() * 1024.0) as u64
        };
        let total: u64 = part.iter().map(weight).sum();
        let shared: u64 = part.iter().filter(|p| whole.contains(*p)).map(weight).sum();
        shared as f32 / total.max(1) as f32
    }

    /// Text of body lines after line `i` (or before it), up to [`CONTEXT_CHARS`].
    pub(super) fn body_text(&self, lines: &[Line], i: usize, forward: bool) -> Vec<char> {
        let mut out = Vec::with_capacity(CONTEXT_CHARS);
        let order: Box<dyn Iterator<Item = &Line>> = if forward {
            Box::new(lines[i + 1..].iter())
        } else {
            Box::new(lines[..i].iter().rev())
        };
        // Bounded look-around: a page of ten thousand one-character lines stays linear.
        for line in order.take(24) {
            if line.kind != LineKind::Body {
                continue;
            }
            let slice = line.span.of(&self.folded);
            let room = CONTEXT_CHARS - out.len();
            out.extend_from_slice(if forward {
                &slice[..slice.len().min(room)]
            } else {
                &slice[slice.len().saturating_sub(room)..]
            });
            if out.len() >= CONTEXT_CHARS {
                break;
            }
        }
        out
    }
}

pub(super) fn is_credit(line: &Line) -> bool {
    line.dateline_chars > 0 || line.kind == LineKind::Byline
}

/// How two short lines meet: a headline broken over two lines reads on from one to the other, a second deck does not.
#[derive(Default)]
struct Meeting {
    /// Of the table of seams, within ±[`MAX_SEAM`].
    seam: f32,
    /// Length of a word across the seam.
    word: f32,
    /// The shorter line's share of the longer one: the halves of a couplet are equally long.
    evenness: f32,
    /// Spaces between Chinese characters in the neighbour: this page prints its decks in one line.
    spaces: f32,
}

/// Logits of seams beyond this say no more.
const MAX_SEAM: f32 = 6.0;

impl Meeting {
    /// Of `lines[i]` with `lines[i + 1]`, seen from the one that is not `neighbour`.
    fn of(page: &PageStyle, lines: &[Line], i: usize, neighbour: usize) -> Self {
        let Some([upper, lower]) = lines.get(i..i + 2) else {
            return Self::default();
        };
        if upper.kind != LineKind::Short || lower.kind != LineKind::Short {
            return Self::default();
        }
        let (above, below) = (upper.span.of(&page.folded), lower.span.of(&page.folded));
        let (short, long) = (above.len().min(below.len()), above.len().max(below.len()));
        Self {
            seam: seams::logit(above, below).clamp(-MAX_SEAM, MAX_SEAM),
            word: (seams::word(above, below) as f32).min(4.0),
            evenness: short as f32 / long as f32,
            spaces: inner_spaces(lines[neighbour].span.of(&page.folded)),
        }
    }
}

/// What lines that come in rows have in common: talk, an invitation's particulars, scores and prices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `“是我家的？”`
    Quoted,
    /// `地点：市民广场`
    Labelled,
    /// `专家门诊 30元`
    Counted,
    Other,
}

/// What a label before a colon has at most.
const MAX_LABEL_CHARS: usize = 6;
/// Characters after the last digit of a line that ends in a number: its unit.
const MAX_UNIT_CHARS: usize = 3;

impl Shape {
    fn of(line: &[char]) -> Self {
        let colon = line.iter().position(|c| matches!(c, ':' | '：'));
        let digit = line.iter().rposition(char::is_ascii_digit);
        match line {
            ['“' | '"' | '「', .., '”' | '"' | '」'] => Self::Quoted,
            _ if colon.is_some_and(|at| (1..=MAX_LABEL_CHARS).contains(&at)) => Self::Labelled,
            _ if digit.is_some_and(|at| at + MAX_UNIT_CHARS + 1 >= line.len()) => Self::Counted,
            _ => Self::Other,
        }
    }
}

/// White space between Chinese characters, up to 3.
fn inner_spaces(line: &[char]) -> f32 {
    let spaces = line
        .windows(3)
        .filter(|w| w[1].is_whitespace() && is_han(w[0]) && is_han(w[2]));
    (spaces.count() as f32).min(3.0)
}

/// Of a line's characters, the share in names of people, and of places and organisations.
fn shares_of_names(line: &[char], words: &[Word]) -> (f32, f32) {
    let share = |classes: &[WordClass]| {
        let named = words.iter().filter(|word| classes.contains(&word.class));
        named.map(|word| word.span.len()).sum::<usize>() as f32 / line.len() as f32
    };
    (
        share(&[WordClass::Person]),
        share(&[WordClass::Place, WordClass::Organisation]),
    )
}

/// What the trees read of line `i`, a [`LineKind::Short`] line.
pub fn features(page: &PageStyle, lines: &[Line], i: usize) -> [f32; FEATURES] {
    let line = &lines[i];
    let is_prose = |l: &&Line| l.kind == LineKind::Body;
    let slice = line.span.of(&page.folded);
    let text: String = slice.iter().collect();
    let flag = |b: bool| f32::from(u8::from(b));
    let count = |f: &dyn Fn(char) -> bool| slice.iter().filter(|&&c| f(c)).count() as f32;
    let body = |line: Option<&Line>| line.is_some_and(|l| l.kind == LineKind::Body);
    let short = |line: Option<&Line>| line.is_some_and(|l| l.kind == LineKind::Short);
    let previous = i.checked_sub(1).and_then(|i| lines.get(i));
    let next = lines.get(i + 1);
    // The line after the run of short lines that this one stands in, and how long the run is.
    let run_start = (0..i)
        .rev()
        .take(8)
        .take_while(|&j| lines[j].kind == LineKind::Short)
        .last()
        .unwrap_or(i);
    let run_end = (i + 1..lines.len())
        .take(8)
        .take_while(|&j| lines[j].kind == LineKind::Short)
        .last()
        .unwrap_or(i);
    let after_run = lines.get(run_end + 1);
    let credited = after_run.is_some_and(is_credit);
    let previous_text =
        |l: &Line| Span::new(l.span.end.saturating_sub(12).max(l.span.start), l.span.end);
    let previous_ends = previous.is_none_or(|l| ends_paragraph(previous_text(l).of(&page.folded)));
    let previous_credit = previous.is_some_and(|l| {
        l.kind == LineKind::Byline && PATTERNS.photo_credit.is_match(&l.span.text(&page.folded))
    });
    // The text below a caption is short and ends with its photographer.
    let photo_below = lines[i + 1..]
        .iter()
        .take(5)
        .skip_while(|l| l.kind == LineKind::Short)
        .find(|l| !is_prose(l))
        .is_some_and(|l| {
            l.kind == LineKind::Byline && PATTERNS.photo_credit.is_match(&l.span.text(&page.folded))
        });
    // The paragraphs that would close the article above and open the one below.
    let body_before = lines[..run_start].iter().rev().take(4).find(is_prose);
    let body_after = lines[run_end + 1..].iter().take(4).find(is_prose);
    let prose_of = |l: &Line| l.without_dateline().of(&page.folded);
    let opens = body_after.map_or(0.0, |l| borders::opens(prose_of(l)));
    let closes = body_before.map_or(0.0, |l| borders::closes(prose_of(l)));
    // Credits above a headline close an article; credits below one open it.
    let is_text = |l: &&Line| !matches!(l.kind, LineKind::Byline | LineKind::Furniture);
    let before_credits = lines[..i].iter().rev().take(4).find(is_text);
    let below_byline = previous.is_some_and(|l| l.kind == LineKind::Byline);
    let length = |l: Option<&Line>| l.map_or(0.0, |l| (l.span.len() as f32 / 100.0).min(3.0));
    let (before, after) = (
        page.body_text(lines, i, false),
        page.body_text(lines, i, true),
    );
    let lead = &after[..after.len().min(80)];
    let own = pairs(slice);
    let (before_set, after_set, lead_set) = (pairs(&before), pairs(&after), pairs(lead));
    let near_before = pairs(&before[before.len().saturating_sub(160)..]);
    let near_after = pairs(&after[..after.len().min(160)]);
    // How much prose stands between this line and the next short ones: headings come at regular intervals.
    let prose = |lines: &mut dyn Iterator<Item = &Line>| {
        let chars: usize = lines.take(24).map(|l| l.span.len()).sum();
        (1.0 + chars as f32).ln() / 8.0
    };
    let prose_before = prose(&mut lines[..run_start].iter().rev().take_while(is_prose));
    let prose_after = prose(&mut lines[run_end + 1..].iter().take_while(is_prose));
    let run = &lines[run_start..=run_end];
    let mut other_decks = HashSet::new();
    for (_, deck) in run
        .iter()
        .enumerate()
        .filter(|&(at, _)| run_start + at != i)
    {
        other_decks.extend(pairs(deck.span.of(&page.folded)));
    }
    let lead_text: String = lead.iter().take(24).collect();
    let starts_lead = PATTERNS.lead.is_match(&lead_text);
    let above = i.checked_sub(1).map_or_else(Meeting::default, |above| {
        Meeting::of(page, lines, above, above)
    });
    let below = Meeting::of(page, lines, i, i + 1);
    let line_words = words(slice);
    let (people, places) = shares_of_names(slice, &line_words);
    let ends_in = |class| flag(line_words.last().is_some_and(|word| word.class == class));
    let shape = Shape::of(slice);
    let digits = count(&|c| c.is_ascii_digit());
    [
        (slice.len() as f32 / 20.0).min(2.25),
        flag(slice.len() <= 5),
        flag(slice.len() <= 12),
        flag(
            slice
                .last()
                .is_some_and(|c| matches!(c, '！' | '？' | '!' | '?')),
        ),
        flag(slice.last().is_some_and(|c| matches!(c, '：' | ':'))),
        flag(
            slice
                .last()
                .is_some_and(|c| matches!(c, '”' | '’' | ')' | '）' | '》')),
        ),
        flag(slice.first().is_some_and(|c| matches!(c, '“' | '《' | '‘'))),
        flag(
            slice
                .first()
                .is_some_and(|c| matches!(c, '（' | '(' | '—' | '【')),
        ),
        flag(text.contains('，')),
        count(&|c| c == '，' || c == '、').min(4.0),
        flag(text.contains('。')),
        flag(text.contains('：') || text.contains(':')),
        inner_spaces(slice),
        digits / slice.len() as f32,
        flag(PATTERNS.enumerator.is_match(&text)),
        flag(i == 0),
        flag(i + 1 == lines.len()),
        flag(line.blank_before == 0),
        flag(next.is_some_and(|l| l.blank_before == 0)),
        flag(previous.is_none()),
        length(previous),
        flag(body(previous)),
        flag(short(previous)),
        flag(previous_ends),
        flag(below_byline),
        flag(previous_credit),
        length(next),
        flag(short(next)),
        flag(credited),
        flag(next.is_some_and(is_credit)),
        length(after_run),
        (run_end - run_start) as f32,
        (i - run_start) as f32,
        page.credited_share,
        page.credited_share * flag(!credited),
        page.short_share,
        share(&own, &after_set) - share(&own, &before_set),
        share(&own, &lead_set),
        share(&lead_set, &before_set),
        flag(starts_lead),
        page.weighted_share(&near_after, &before_set),
        page.weighted_share(&near_before, &after_set),
        page.weighted_share(&lead_set, &before_set),
        page.weighted_share(&own, &after_set),
        page.weighted_share(&own, &before_set),
        page.weighted_share(&own, &lead_set),
        page.weighted_share(&other_decks, &after_set),
        page.weighted_share(&other_decks, &before_set),
        prose_before,
        prose_after,
        flag(photo_below),
        opens,
        closes,
        flag(below_byline && body(before_credits)),
        flag(below_byline && short(before_credits)),
        flag(previous.is_some_and(|l| in_brackets(l.span.of(&page.folded)))),
        flag(PATTERNS.photo_credit.is_match(&text)),
        above.seam,
        above.word,
        above.evenness,
        above.spaces,
        below.seam,
        below.word,
        below.evenness,
        below.spaces,
        people,
        places,
        ends_in(WordClass::Person),
        ends_in(WordClass::Verb),
        ends_in(WordClass::Noun),
        flag(line.is_indented),
        page.indented_share,
        page.indented_share * flag(!line.is_indented),
        flag(next.is_some_and(|l| l.is_indented)),
        page.spaced_share,
        (1.0 - page.spaced_share) * flag(line.blank_before > 0),
        (1.0 - page.spaced_share) * flag(next.is_some_and(|l| l.blank_before > 0)),
        flag(shape == Shape::Quoted),
        flag(shape == Shape::Labelled),
        flag(shape == Shape::Counted),
        [previous, next]
            .iter()
            .flatten()
            .filter(|l| l.kind == LineKind::Short && shape != Shape::Other)
            .filter(|l| Shape::of(l.span.of(&page.folded)) == shape)
            .count() as f32,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::line::lines;

    #[test]
    fn a_dateline_below_is_seen() {
        let text: Vec<char> = "河堤加固工程开工\n东江日报3月2日讯(记者 林小满)今天，河堤加固工程在东江开工。\n工程总投资两亿元。"
            .chars()
            .collect();
        let lines = lines(&text);
        let features = features(&PageStyle::of(&text, &lines), &lines, 0);
        assert_eq!((features[28], features[33]), (1.0, 1.0));
        assert!(probability(&features) > 0.5);
    }

    #[test]
    fn a_broken_headline_reads_on_and_a_second_deck_does_not() {
        let read = |upper: &str, lower: &str| {
            let text: Vec<char> = format!("{upper}\n{lower}\n大桥今天通车，市民走上大桥。")
                .chars()
                .collect();
            let lines = lines(&text);
            let page = PageStyle::of(&text, &lines);
            let (below, above) = (features(&page, &lines, 0), features(&page, &lines, 1));
            // The lower line sees the upper one as the upper one sees it.
            assert_eq!(above[57..60], below[61..64]);
            assert_eq!(
                (
                    below[57..61].iter().sum::<f32>(),
                    above[61..65].iter().sum::<f32>()
                ),
                (0.0, 0.0)
            );
            (above[57], above[58])
        };
        let (broken, word) = read("东江市人民代表大会常务委", "员会今天召开会议");
        let (deck, _) = read("东江市人民代表大会召开", "林小满作报告");
        assert!(broken > deck && word > 0.0, "{broken} {deck} {word}");
    }

    #[test]
    fn names_are_counted_by_characters() {
        let line: Vec<char> = "湖南省长沙市召开会议".chars().collect();
        let (people, places) = shares_of_names(&line, &words(&line));
        assert_eq!((people, places), (0.0, 0.6));
    }
}
