//! Lines that a fixed width broke: `pdftotext`, plain-text mail and scanned columns end a line where the paper ends, not where a
//! paragraph does.
//!
//! Lines are taken for wrapped where many one after the other are equally wide and stop in mid-sentence; a page may have
//! parts of different widths. Lines of that width then go on in the next one, unless that is set off as this part of the page
//! sets paragraphs off: by white space before it, by a blank line; where it does neither, a full stop at the line's end has
//! to do.

use super::furniture::is_furniture;
use super::line::is_enumerated;
use super::printed::{
    INDENT, Printed, ends_somehow, heads_report, is_credit, is_set_off, is_signed, opens_report,
    stops, unbroken,
};
use super::seams;
use crate::document::table::is_table_row;
use crate::text::fold::{columns, is_han};

/// How the width of lines is measured: a page is broken after so many columns, of which a Chinese character takes two, or by
/// simpler programs after so many characters.
struct Measure {
    of: fn(char) -> usize,
    /// The narrowest paper: verse and lists have equal lines too, shorter ones.
    min: usize,
    /// The widest: longer lines are paragraphs.
    max: usize,
    /// A mark that must not open a line, or a letter of half width, makes lines differ by so much.
    ragged: usize,
}

const MEASURES: [Measure; 2] = [
    Measure {
        of: columns,
        min: 22,
        max: 120,
        ragged: 3,
    },
    Measure {
        of: |_| 1,
        min: 11,
        max: 60,
        ragged: 1,
    },
];

/// Full lines of a page that is wrapped, and of each part of it.
const MIN_FULL: usize = 4;
const MIN_FULL_IN_PART: usize = 2;
/// Their share of a part's lines that are wide enough.
const MIN_FULL_SHARE: f32 = 0.4;
/// Of the full lines, how many stop in mid-sentence: by chance four in five do.
const MIN_OPEN_SHARE: f32 = 0.6;
/// Widths of lines that are tried on a page, the commonest first.
const WIDTHS: usize = 8;

/// Characters of page furniture; what has fewer may be the rest of a sentence: a number, a mark.
const MIN_SAID: usize = 4;

/// So many lines with numbers in front are a list.
const MIN_ITEMS: usize = 3;

/// What a line costs where lines are broken at a width: a full one that stops in mid-sentence, another full one, one
/// that is shorter, one that is too long. Where lines are not broken it costs nothing.
const OPEN: f32 = -1.0;
const FULL: f32 = -0.3;
/// That a line ends near the width, not at it: of two measures the one counts by which more lines are equal.
const RAGGED: f32 = 0.05;
const SHORTER: f32 = 0.35;
const TOO_LONG: f32 = 5.0;
/// That another width begins. Articles of one page may be set in different ones.
const CHANGE: f32 = 2.5;

/// Of each line is said whether it goes on with the one before.
pub(super) fn put_together(
    lines: Vec<Printed>,
    continues: impl IntoIterator<Item = bool>,
) -> Vec<Printed> {
    let mut out: Vec<Printed> = Vec::with_capacity(lines.len());
    for (line, continues) in lines.into_iter().zip(continues) {
        match out.last_mut() {
            Some(paragraph) if continues => paragraph.span.end = line.span.end,
            _ => out.push(line),
        }
    }
    out
}

/// Of each line, whether it goes on with the one before.
pub(super) fn continuations(text: &[char], lines: &[Printed]) -> Vec<bool> {
    let mut out = vec![false; lines.len()];
    let read = MEASURES
        .iter()
        .map(|measure| Wrapped::parts(text, lines, measure));
    let Some((_, best)) = read.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return out;
    };
    let full = |parts: &[Wrapped]| parts.iter().map(|part| part.full).sum::<usize>();
    if full(&best) >= MIN_FULL {
        for part in best.iter().filter(|part| part.is_prose(text, lines)) {
            part.mark(text, lines, &mut out);
        }
    }
    out
}

/// A part of a page whose lines are broken at one width.
struct Wrapped {
    /// Its first line.
    first: usize,
    len: usize,
    /// Where each of its lines ends, and the one below it, which may be the rest of its last one.
    ends: Vec<usize>,
    /// How much room what opens the line below would have taken, if it is not broken: a number, a word of letters.
    unbroken: Vec<usize>,
    width: usize,
    ragged: usize,
    /// Lines that end there.
    full: usize,
}

impl Wrapped {
    /// The parts of a page, and what they cost: of all ways to tell lines that are broken at some width from others the
    /// cheapest (Viterbi).
    fn parts(text: &[char], lines: &[Printed], measure: &Measure) -> (f32, Vec<Self>) {
        let end = |line: &Printed| {
            let chars = line.span.of(text).iter().take(measure.max + 1);
            line.indent / 2 * (measure.of)('\u{3000}')
                + chars.map(|&c| (measure.of)(c)).sum::<usize>()
        };
        let ends: Vec<usize> = lines.iter().map(end).collect();
        // Places of `widths`; what comes after them stands for lines that are not broken.
        let widths = common_widths(&ends, measure);
        let unbroken = widths.len();
        let cost = |i: usize, state: usize| {
            let Some(&width) = widths.get(state) else {
                return 0.0;
            };
            match ends[i] {
                end if end > width + measure.ragged => TOO_LONG,
                end if end + measure.ragged < width => SHORTER,
                _ if stops(lines[i].span.of(text)) => FULL,
                end if end == width => OPEN,
                _ => OPEN + RAGGED,
            }
        };
        let mut costs = vec![0.0f32; unbroken + 1];
        let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(lines.len());
        for i in 0..lines.len() {
            let best = cheapest(&costs);
            let from = |state: usize| match costs[state] <= costs[best] + CHANGE {
                true => state,
                false => best,
            };
            let sources: Vec<usize> = (0..costs.len()).map(from).collect();
            costs = (0..costs.len())
                .map(|state| costs[state].min(costs[best] + CHANGE) + cost(i, state))
                .collect();
            came_from.push(sources);
        }
        let mut state = cheapest(&costs);
        let cost_of_all = costs[state];
        let mut states = vec![unbroken; lines.len()];
        for (i, sources) in came_from.iter().enumerate().rev() {
            states[i] = state;
            state = sources[state];
        }
        let mut parts = Vec::new();
        let mut first = 0;
        for run in states.chunk_by(|a, b| a == b) {
            let range = first..first + run.len();
            first = range.end;
            if let Some(&width) = widths.get(run[0]) {
                let part = Self::of(text, lines, &ends, range, width, measure);
                parts.extend(part);
            }
        }
        (cost_of_all, parts)
    }

    /// Lines that are broken at a width, if they look so.
    fn of(
        text: &[char],
        lines: &[Printed],
        ends: &[usize],
        range: std::ops::Range<usize>,
        width: usize,
        measure: &Measure,
    ) -> Option<Self> {
        let mut part = Self {
            first: range.start,
            len: range.len(),
            ends: ends[range.start..ends.len().min(range.end + 1)].to_vec(),
            unbroken: (range.start + 1..range.end + 2)
                .map(|i| lines.get(i).map_or(0, |line| unbroken(line.span.of(text))))
                .collect(),
            width,
            ragged: measure.ragged,
            full: 0,
        };
        let fulls: Vec<usize> = range.filter(|&i| part.is_full(i)).collect();
        part.full = fulls.len();
        let count = |fits: &dyn Fn(usize) -> bool| {
            part.ends[..part.len]
                .iter()
                .filter(|&&end| fits(end))
                .count()
        };
        let wide = count(&|end| end >= measure.min);
        let longer = count(&|end| end > width + measure.ragged);
        let open = (fulls.iter())
            .filter(|&&i| !stops(lines[i].span.of(text)))
            .count();
        let wrapped = part.full >= MIN_FULL_IN_PART
            && part.full as f32 >= MIN_FULL_SHARE * wide as f32
            && longer * 10 <= wide
            && open as f32 >= MIN_OPEN_SHARE * part.full as f32;
        wrapped.then_some(part)
    }

    fn is_full(&self, i: usize) -> bool {
        let (end, next) = (self.ends[i - self.first], self.unbroken[i - self.first]);
        let had_no_room = next > self.ragged && end < self.width && end + next > self.width;
        had_no_room || (self.width - self.ragged..=self.width + self.ragged).contains(&end)
    }

    /// Whether the lines are somebody's sentences, or one line that was broken in a word: of a date and a headline, or a headline and
    /// its credit, two can be as wide.
    fn is_prose(&self, text: &[char], lines: &[Printed]) -> bool {
        // A paragraph may end below.
        let is_here = |i: &usize| self.ends[i - self.first] <= self.width + self.ragged;
        let here = (self.first..self.first + self.ends.len()).filter(is_here);
        let marks = |marks: &'static str| {
            let has = move |i: &usize| lines[*i].span.of(text).iter().any(|c| marks.contains(*c));
            here.clone().filter(has).count()
        };
        let is_broken = |i: usize| {
            let (said, next) = (lines[i].span.of(text), lines[i + 1].span.of(text));
            let (left, right) = seams::sides(said, next);
            seams::word(&left, &right) > 0 || next.first().is_some_and(|c| "：，、）”".contains(*c))
        };
        marks("。！？!?") > 0
            || marks("，,") > 1
            || (self.first..self.first + self.len - 1).any(is_broken)
    }

    /// Whether a headline begins below a paragraph that was cut where its column ended: above what opens a report, or a line
    /// without a mark that is not full and that the paragraph does not read on into.
    fn heads_article(&self, text: &[char], lines: &[Printed], i: usize) -> bool {
        let (above, below) = (lines[i - 1].span.of(text), lines[i].span.of(text));
        let ends_in_word = below.last().is_some_and(|&c| is_han(c));
        heads_report(text, lines, i)
            || ends_in_word
                && !self.is_full(i)
                && !stops(below)
                && !seams::reads_on(above, below, 0.0)
    }

    /// Marks the lines that go on with the one before.
    fn mark(&self, text: &[char], lines: &[Printed], out: &mut [bool]) {
        let here = self.first..self.first + self.len;
        let indented = here.clone().filter(|&i| lines[i].indent >= INDENT).count();
        // Some pages indent paragraphs; where all lines stand apart from the edge, none does.
        let indents = indented > 0 && 2 * indented <= here.len();
        let inner = self.first + 1..self.first + self.ends.len();
        let (below_full, below_last): (Vec<usize>, Vec<usize>) =
            inner.partition(|&i| self.is_full(i - 1));
        // Where every line has a blank one above it, one blank line says nothing.
        let apart = |lines_below: &[usize], blanks: usize| {
            let apart = lines_below
                .iter()
                .filter(|&&i| lines[i].blank_before >= blanks);
            apart.count()
        };
        let usual = usize::from(apart(&below_full, 1) * 10 > below_full.len() * 9);
        let spaced = apart(&below_last, usual + 1);
        let mostly = 2 * spaced > below_last.len();
        // Blank lines that stand between paragraphs set no headline off.
        let may_be_set_off = !indents && !mostly;
        let spaced = spaced >= 2 && mostly;
        let is_item = |i: &usize| is_enumerated(lines[*i].span.of(text));
        let is_list = here.clone().filter(is_item).count() >= MIN_ITEMS;
        for i in below_full {
            let lower = &lines[i];
            let (above, below) = (lines[i - 1].span.of(text), lower.span.of(text));
            // What opens a paragraph, and is the page's or says who wrote it, is all of it.
            let is_no_text = || {
                (is_furniture(above) || is_credit(above) && !opens_report(above))
                    && !seams::reads_on(above, below, 0.0)
            };
            let heads = !out[i - 1]
                && (is_no_text() || may_be_set_off && is_set_off(text, lines, i - 1, usual));
            // What is neither full nor the end of a sentence is no part of a paragraph: a headline after a full last line.
            let stands_alone = is_list && is_enumerated(below)
                || stops(above) && !self.is_full(i) && !ends_somehow(below)
                || self.heads_article(text, lines, i)
                || opens_report(below)
                || is_credit(below)
                || below.iter().filter(|&&c| is_han(c)).count() >= MIN_SAID && is_furniture(below)
                || is_signed(text, lines, i - 1);
            let begins = match (indents, spaced) {
                (true, _) => lower.indent >= INDENT || stands_alone,
                (_, true) => stands_alone,
                _ => stands_alone || stops(above),
            };
            out[i] = lower.blank_before <= usual
                && !begins
                && !heads
                && self.ends[i - self.first] <= self.width + self.ragged
                && !is_table_row(above)
                && !is_table_row(below);
        }
    }
}

/// The place of the least cost, the last of equal ones: that lines are not broken goes before.
fn cheapest(costs: &[f32]) -> usize {
    let mut best = costs.len() - 1;
    for (i, cost) in costs.iter().enumerate() {
        if *cost < costs[best] {
            best = i;
        }
    }
    best
}

/// The widths at which many lines end. What ends a little left of one is counted with it: lines are cut short, never made
/// longer.
fn common_widths(ends: &[usize], measure: &Measure) -> Vec<usize> {
    let mut counts = vec![0usize; measure.max + 1];
    for &end in ends.iter().filter(|&&end| end <= measure.max) {
        counts[end] += 1;
    }
    let mut widths = Vec::new();
    while widths.len() < WIDTHS {
        let near = |width: usize| counts[width - measure.ragged..=width].iter().sum::<usize>();
        let best = (measure.min..=measure.max)
            .rev()
            .max_by_key(|&width| near(width));
        let Some(width) = best.filter(|&width| near(width) >= MIN_FULL_IN_PART) else {
            break;
        };
        widths.push(width);
        counts[width - measure.ragged..=width].fill(0);
    }
    widths
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::lines;
    use crate::document::page::repair::NoContinuation;
    use crate::document::page::{Layout, split};

    const TITLE: &str = "校园食堂阳光采购";
    const PARAGRAPHS: [&str; 4] = [
        "记者从市教育局获悉，为加强中小学校园食品安全管理，市教育局与市场监管局近日联合印发《中小学校园食堂管理指引》，要求学校食堂大宗食材公开招标，米面油肉等实行集中采购。",
        "根据指引，校长每学期陪餐不少于18次，陪餐记录须在校内公示。家长委员会每月至少检查一次食堂，检查结果向全体家长公开。",
        "市教育局有关负责人表示，今年秋季学期起，全市860所中小学将全部接入“阳光食堂”平台，采购价格、供货商资质和后厨画面都可以在手机上查看。",
        "截至6月底，平台已收到家长意见379条，办结351条。",
    ];

    /// As a paper of `width` Chinese characters breaks it.
    fn wrapped(paragraph: &str, width: usize, indent: &str) -> String {
        let chars: Vec<char> = indent.chars().chain(paragraph.chars()).collect();
        let lines: Vec<String> = chars.chunks(width).map(|c| c.iter().collect()).collect();
        lines.join("\n")
    }

    #[test]
    fn a_wrapped_article_is_the_article() {
        for width in [14, 15, 18, 22, 30, 40] {
            for (indent, between) in [("　　", "\n"), ("　　", "\n\n"), ("", "\n\n")] {
                let body = PARAGRAPHS.map(|p| wrapped(p, width, indent)).join(between);
                let text: Vec<char> = format!("{TITLE}\n\n{body}\n").chars().collect();
                let articles = split(&text, Layout::Auto, &NoContinuation).articles;
                let read: String = articles[0].text.iter().collect();
                assert_eq!(
                    read,
                    PARAGRAPHS.join("\n"),
                    "{width} {indent:?} {between:?}"
                );
                assert_eq!((articles.len(), &*articles[0].title), (1, TITLE));
            }
        }
    }

    #[test]
    fn articles_of_one_page_may_be_set_in_different_widths() {
        let titles = ["校园食堂阳光采购", "家长走进后厨陪餐", "阳光食堂平台上线"];
        for widths in [[20, 26, 13], [26, 0, 18], [13, 20, 26]] {
            let article = |(title, width): (&str, usize)| {
                let width = if width == 0 { usize::MAX } else { width };
                let body = PARAGRAPHS.map(|p| wrapped(p, width, "　　")).join("\n");
                format!("{title}\n{body}\n")
            };
            let page: Vec<String> = titles.into_iter().zip(widths).map(article).collect();
            let text: Vec<char> = page.join("\n").chars().collect();
            let lines: Vec<String> = lines(&text)
                .iter()
                .map(|line| line.span.text(&text).replace('\n', ""))
                .collect();
            let expected: Vec<String> = (titles.iter())
                .flat_map(|&title| [&[title], &PARAGRAPHS[..]].concat())
                .map(str::to_owned)
                .collect();
            assert_eq!(lines, expected, "{widths:?}");
        }
    }

    #[test]
    fn a_line_is_full_if_the_number_below_had_no_room() {
        let paragraph = "平台去年收到家长意见37912条，今年收到48001条，办结的分别占其中的98.25%和99.18%，校长陪餐1200次，检查食堂3600间，公开招标14.8亿元，节约采购资金20.35%。";
        for width in 14..30 {
            let (mut lines, mut line) = (String::new(), String::new());
            let mut chars = paragraph.chars().peekable();
            while let Some(c) = chars.next() {
                let mut word = c.to_string();
                let is_of_number = |c: &char| c.is_ascii_digit() || ".%".contains(*c);
                while is_of_number(&c) && chars.peek().is_some_and(is_of_number) {
                    word.extend(chars.next());
                }
                if line.chars().count() + word.chars().count() > width {
                    lines += &format!("{line}\n");
                    line.clear();
                }
                line += &word;
            }
            let body = wrapped(PARAGRAPHS[0], width, "");
            let page = format!("{TITLE}\n\n{body}\n\n{lines}{line}\n\n{body}\n");
            let found = super::super::line::paragraphs(&page);
            assert_eq!(
                found[1..],
                [PARAGRAPHS[0], paragraph, PARAGRAPHS[0]],
                "{width}"
            );
        }
    }

    #[test]
    fn a_headline_below_a_column_that_was_cut_is_one() {
        let cut = wrapped(&PARAGRAPHS[0].chars().take(60).collect::<String>(), 20, "");
        let body = wrapped(PARAGRAPHS[2], 20, "　　");
        for head in ["本报讯（记者 何田）", "文/本报记者 何田\n"] {
            let below = wrapped(&format!("{head}{}", PARAGRAPHS[1]), 20, "　　");
            let page = format!("{TITLE}\n{body}\n{cut}\n家长走进后厨陪餐\n{below}\n{body}\n");
            let found = super::super::line::paragraphs(&page);
            assert!(
                found.iter().any(|line| line == "家长走进后厨陪餐"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_headline_below_a_full_last_line_is_no_part_of_it() {
        let full: String = PARAGRAPHS[0].chars().take(37).chain(['。']).collect();
        let body = wrapped(&full, 20, "　　");
        assert!(body.lines().all(|line| line.chars().count() == 20));
        let page = format!("{TITLE}\n{body}\n家长走进后厨陪餐\n{body}\n{body}\n");
        let text: Vec<char> = page.chars().collect();
        let found = lines(&text);
        assert!(
            found
                .iter()
                .any(|line| line.span.text(&text) == "家长走进后厨陪餐")
        );
    }

    #[test]
    fn lines_above_the_text_that_are_as_wide_as_each_other_stay_apart() {
        let body = wrapped(PARAGRAPHS[0], 17, "　　");
        for (above, below) in [
            ("2024年4月18日 星期四", "市教育局通报食堂检查情况"),
            ("责任编辑：何田 版式：林满", "市教育局通报食堂检查情况"),
            ("在年度表彰大会上的讲话", "东江理工大学教授 周南山"),
            ("校园食堂采购今年起公开招标", "■ 张 磊 本报特约记者 何田"),
        ] {
            let found = super::super::line::paragraphs(&format!("{above}\n{below}\n{body}\n"));
            assert_eq!(found[..2], [above, below]);
        }
    }

    #[test]
    fn a_headline_as_wide_as_the_column_is_one_where_it_is_set_off() {
        let body = wrapped(PARAGRAPHS[1], 17, "");
        for title in [
            "市教育局公开招标中小学食堂食材",
            "家长走进后厨，食堂采购全程公开",
        ] {
            let page = format!("{title}\n{body}\n\n{title}\n{body}\n");
            let found = super::super::line::paragraphs(&page);
            assert_eq!(found, [title, PARAGRAPHS[1], title, PARAGRAPHS[1]]);
        }
    }

    #[test]
    fn lines_that_end_where_they_mean_to_stay() {
        let verse = "床前的月光照着窗台\n地上的霜色白了石阶\n抬头望见山边的月亮\n低头想起远方的家乡\n床前的月光照着窗台\n地上的霜色白了石阶";
        let headings = PARAGRAPHS.join("\n");
        for text in [verse, headings.as_str()] {
            let chars: Vec<char> = text.chars().collect();
            let articles = split(&chars, Layout::Article, &NoContinuation).articles;
            let read: String = articles[0].text.iter().collect();
            assert_eq!(read.matches('\n').count(), text.matches('\n').count());
        }
    }
}
