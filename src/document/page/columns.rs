//! Columns that stand side by side, as `pdftotext -layout` prints a page: every printed line then has a piece of each.
//!
//! A gutter is a strip of white space that no line of a region crosses, with prose on both sides of it. The columns of a region
//! are read one after the other, from the left; what has no gutter stays as it is. Everything after works on the text in
//! reading order; [`Relaid::printed`] leads its places back to the printed text.

use super::furniture::is_furniture;
use super::relaid::Relaid;
use crate::document::Span;
use crate::document::sentence::line_spans;
use crate::text::fold::columns;
use std::collections::HashMap;
use std::ops::Range;

/// How wide a printed line is: on a terminal a Chinese character takes two columns, `pdftotext` counts it as one.
struct Measure {
    of: fn(char) -> usize,
    /// Columns that a character of an indent takes at most.
    indent: usize,
}

const MEASURES: [Measure; 2] = [
    Measure {
        of: columns,
        indent: 2,
    },
    Measure {
        of: |_| 1,
        indent: 1,
    },
];

/// Printed columns of a line that are looked at; a longer line is no part of a page in columns.
const MAX_COLUMNS: usize = 320;
/// White space this wide can be a gutter.
const MIN_GUTTER: usize = 2;
/// Wider white space may be off by some columns: letters of other widths stand before it.
const SURE_GUTTER: usize = 3;
const RAGGED: usize = 5;
/// Lines with text on both sides of a gutter, at least, and their share of a region's lines.
const MIN_ROWS: usize = 4;
const MIN_ROWS_SHARE: f32 = 0.3;
/// Blank lines inside a region, one after another.
const MAX_BLANK: usize = 2;
/// Prose fills its column, cells of a table do not: characters of a line on either side of a gutter, on the average.
const MIN_CHARS: usize = 8;
/// Prose has marks: of the lines of a column, how many do.
const MIN_MARKED_SHARE: f32 = 0.25;

/// The page in reading order, where columns stand side by side.
pub(super) fn relaid(text: &[char]) -> Option<Relaid> {
    let laid = MEASURES
        .iter()
        .filter_map(|measure| measured(text, measure));
    // Of equally good measures the first.
    let best = laid.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(laid, _)| laid)
}

/// With the number of its lines that are aligned.
fn measured(text: &[char], measure: &Measure) -> Option<(Relaid, usize)> {
    let rows: Vec<Row> = line_spans(text, Span::new(0, text.len()))
        .map(|line| Row::of(text, line, measure))
        .collect();
    let mut out = Relaid::default();
    let (mut at, mut from, mut aligned) = (0, 0, 0);
    while at < rows.len() {
        if rows[at].words.len() < 2 || rows[at].stands_across {
            at += 1;
            continue;
        }
        let region = Region::from(&rows, at);
        at = region.end;
        let rows = &rows[region.start..region.end];
        let gutters = region.gutters(text, rows);
        if gutters.is_empty() {
            continue;
        }
        out.push(text, Span::new(from, rows[0].line.start));
        aligned += push_columns(&mut out, text, rows, &gutters, measure);
        from = rows[rows.len() - 1].line.end;
    }
    out.push(text, Span::new(from, text.len()));
    (aligned > 0).then_some((out, aligned))
}

/// Adds the lines of every column, from the left, with the white space that indents them; empty ones where a column has
/// nothing.
///
/// Says how many lines begin where most of their column do, or where those that open a paragraph do: a wrong measure of width
/// scatters them.
fn push_columns(
    out: &mut Relaid,
    text: &[char],
    rows: &[Row],
    gutters: &[usize],
    measure: &Measure,
) -> usize {
    let mut aligned = 0;
    for column in 0..=gutters.len() {
        let parts: Vec<&[Word]> = rows.iter().map(|row| row.column(gutters, column)).collect();
        let starts = usual_starts(&parts);
        let left = starts.first().map_or(0, |&(start, _)| start);
        aligned += starts.iter().take(2).map(|start| start.1).sum::<usize>();
        for part in parts {
            if let [first, .., last] | [first @ last] = part {
                let indent = first.columns.start.saturating_sub(left);
                let before = text[..first.span.start].iter().rev();
                let blank = before
                    .take(indent / measure.indent)
                    .take_while(|&&c| c.is_whitespace() && c != '\n')
                    .count();
                out.push(text, Span::new(first.span.start - blank, last.span.end));
            }
            out.end_line();
        }
    }
    aligned
}

/// Where the lines of a column begin, and how many: most first, of as many the leftmost.
fn usual_starts(parts: &[&[Word]]) -> Vec<(usize, usize)> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for first in parts.iter().filter_map(|part| part.first()) {
        *counts.entry(first.columns.start).or_default() += 1;
    }
    let mut starts: Vec<(usize, usize)> = counts.into_iter().collect();
    starts.sort_unstable_by_key(|&(start, lines)| (std::cmp::Reverse(lines), start));
    starts
}

/// Characters between white space of two printed columns or more.
struct Word {
    span: Span,
    /// The printed columns that it takes.
    columns: Range<usize>,
}

/// A printed line.
struct Row {
    /// Its line end included.
    line: Span,
    words: Vec<Word>,
    /// Too long for a line in columns, or the page's own (`第3版    2024年3月5日    责编 何田`).
    stands_across: bool,
}

impl Row {
    fn of(text: &[char], line: Span, measure: &Measure) -> Self {
        let mut words: Vec<Word> = Vec::new();
        let mut column = 0;
        for (at, &c) in (line.start..).zip(line.of(text)) {
            let width = match c {
                '\t' => 8 - column % 8,
                c => (measure.of)(c),
            };
            if !c.is_whitespace() {
                let end = column + width;
                match words.last_mut() {
                    Some(word) if column - word.columns.end < MIN_GUTTER => {
                        word.span.end = at + 1;
                        word.columns.end = end;
                    }
                    _ => words.push(Word {
                        span: Span::new(at, at + 1),
                        columns: column..end,
                    }),
                }
            }
            column += width;
            if column > MAX_COLUMNS {
                break;
            }
        }
        let is_of_page = || is_furniture(line.trimmed(text).of(text));
        Self {
            line,
            stands_across: column > MAX_COLUMNS || words.len() > 1 && is_of_page(),
            words,
        }
    }

    /// The white space before each word and after the last one, as far as it can be a gutter.
    fn gaps(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.words.iter().map(|word| word.columns.end);
        let starts = self.words.iter().map(|word| word.columns.start);
        let gaps = std::iter::once(0)
            .chain(ends)
            .zip(starts.chain([MAX_COLUMNS]));
        gaps.map(|(end, start)| {
            let ragged = if start.saturating_sub(end) < SURE_GUTTER {
                0
            } else {
                RAGGED
            };
            end.saturating_sub(ragged).min(MAX_COLUMNS)..(start + ragged).min(MAX_COLUMNS)
        })
    }

    /// How many words stand before a gutter at this printed column: those up to the nearest gap there.
    fn before(&self, gutter: usize) -> usize {
        let distance = |gap: &Range<usize>| {
            gutter.abs_diff(gap.start).max(gutter.abs_diff(gap.end)) - gap.len() / 2
        };
        let here = self
            .gaps()
            .enumerate()
            .filter(|(_, gap)| gap.contains(&gutter));
        here.min_by_key(|(_, gap)| distance(gap))
            .map_or(0, |(words, _)| words)
    }

    fn has_both_sides(&self, gutter: usize) -> bool {
        let before = self.before(gutter);
        before > 0 && before < self.words.len()
    }

    /// The words of a column.
    fn column(&self, gutters: &[usize], column: usize) -> &[Word] {
        let start = if column == 0 {
            0
        } else {
            self.before(gutters[column - 1])
        };
        let end = gutters
            .get(column)
            .map_or(self.words.len(), |&gutter| self.before(gutter));
        &self.words[start.min(end)..end]
    }
}

/// Lines that have a strip of white space in common.
struct Region {
    start: usize,
    end: usize,
    /// The printed columns that can be a gutter in all of them.
    blank: Vec<bool>,
}

impl Region {
    /// The lines from `start` on, which has two words or more.
    fn from(rows: &[Row], start: usize) -> Self {
        let mut region = Self {
            start,
            end: start + 1,
            blank: vec![true; MAX_COLUMNS],
        };
        region.add(&rows[start]);
        let mut blank_rows = 0;
        for (i, row) in rows.iter().enumerate().skip(start + 1) {
            if row.words.is_empty() {
                blank_rows += 1;
                if blank_rows > MAX_BLANK {
                    break;
                }
                continue;
            }
            let before = region.blank.clone();
            region.add(row);
            if row.stands_across || region.strips(&rows[start]).is_empty() {
                region.blank = before;
                break;
            }
            // A line below white space belongs to the region only if its columns go on.
            if blank_rows == 0 || row.words.len() > 1 {
                region.end = i + 1;
                blank_rows = 0;
            }
        }
        region
    }

    fn add(&mut self, row: &Row) {
        let mut blank = [false; MAX_COLUMNS];
        for gap in row.gaps() {
            blank[gap].fill(true);
        }
        for (all, here) in self.blank.iter_mut().zip(blank) {
            *all &= here;
        }
    }

    /// The middles of strips that are blank in all lines, with words before and after in the first.
    fn strips(&self, first: &Row) -> Vec<usize> {
        let mut out = Vec::new();
        let mut column = 0;
        while column < MAX_COLUMNS {
            let start = column;
            while column < MAX_COLUMNS && self.blank[column] {
                column += 1;
            }
            let middle = (start + column) / 2;
            if column > start && first.has_both_sides(middle) {
                out.push(middle);
            }
            column += 1;
        }
        out
    }

    /// The strips that part prose from prose.
    fn gutters(&self, text: &[char], rows: &[Row]) -> Vec<usize> {
        let lines = rows.iter().filter(|row| !row.words.is_empty()).count();
        let mut gutters = self.strips(&rows[0]);
        gutters.retain(|&gutter| {
            let both = rows.iter().filter(|row| row.has_both_sides(gutter)).count();
            both >= MIN_ROWS && both as f32 >= MIN_ROWS_SHARE * lines as f32
        });
        let is_prose = |column: usize| {
            let (mut count, mut chars, mut marked) = (0, 0, 0);
            for words in rows.iter().map(|row| row.column(&gutters, column)) {
                let said = || words.iter().flat_map(|word| word.span.of(text));
                count += usize::from(!words.is_empty());
                chars += said().count();
                marked += usize::from(said().any(|c| "，。、；：？！”".contains(*c)));
            }
            chars >= MIN_CHARS * count && marked as f32 >= MIN_MARKED_SHARE * count as f32
        };
        if (0..=gutters.len()).all(is_prose) {
            gutters
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::repair::NoContinuation;
    use super::super::{Layout, split};
    use super::*;

    const SIDE_BY_SIDE: &str = "\
县城新开三条公交线路            村民学会网上卖山货

    本报讯（记者 何田）4月12        本报讯（记者 林小满）日前，
日，县城新增三条公交线路，覆    石门乡举办电商培训班，六十多
盖城北、城西片区，方便了两万    名村民学习直播技巧。
多名居民出行。                      培训结束后，不少村民当场
    新线路共投入新能源公交车    开设网店，首日销售山货三万余
24辆，首末班车时间为6时至20     元。
时，票价一元。
";

    fn laid(page: &str) -> Option<String> {
        let text: Vec<char> = page.chars().collect();
        relaid(&text).map(|laid| laid.text.into_iter().collect())
    }

    #[test]
    fn columns_are_read_one_after_the_other() {
        let text: Vec<char> = SIDE_BY_SIDE.chars().collect();
        let page = split(&text, Layout::Auto, &NoContinuation);
        let printed: Vec<(String, String)> = (page.articles.iter())
            .map(|article| (article.title.clone(), article.text.iter().collect()))
            .collect();
        assert_eq!(
            printed,
            [
                ("县城新开三条公交线路", "本报讯（记者 何田）4月12日，县城新增三条公交线路，覆盖城北、城西片区，方便了两万多名居民出行。\n新线路共投入新能源公交车24辆，首末班车时间为6时至20时，票价一元。"),
                ("村民学会网上卖山货", "本报讯（记者 林小满）日前，石门乡举办电商培训班，六十多名村民学习直播技巧。\n培训结束后，不少村民当场开设网店，首日销售山货三万余元。"),
            ].map(|(title, text)| (title.to_owned(), text.to_owned()))
        );
        for article in &page.articles {
            let mut said = String::new();
            for (i, span) in article.spans.iter().enumerate() {
                if i > 0 && article.paragraph_starts.contains(&i) {
                    said.push('\n');
                }
                said.push_str(&span.text(&text));
            }
            assert_eq!(said, article.text.iter().collect::<String>());
            assert_eq!(article.title_spans[0].text(&text), article.title);
        }
    }

    #[test]
    fn wide_spaces_make_a_gutter_too() {
        let wide = SIDE_BY_SIDE.replace("    ", "　　");
        assert_eq!(
            laid(&wide).unwrap().replace(['　', ' '], ""),
            laid(SIDE_BY_SIDE).unwrap().replace(' ', "")
        );
    }

    #[test]
    fn tables_verse_and_prose_have_no_columns() {
        for page in [
            "品种    本月    上月\n白菜    1.20    1.35\n萝卜    0.90    0.88\n土豆    1.60    1.52\n黄瓜    2.10    2.40",
            "春眠不觉晓    处处闻啼鸟\n夜来风雨声    花落知多少\n白日依山尽    黄河入海流\n欲穷千里目    更上一层楼",
            "大桥今天通车，市民高兴。\n    大桥全长十五公里，今天通车。\n新华社东江3月1日电　　大桥通车，市民走上大桥。",
            "",
        ] {
            assert_eq!(laid(page), None, "{page}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        let long = SIDE_BY_SIDE.replacen("学会网上卖山货", &"很长".repeat(160), 1);
        assert!(laid(&long).unwrap().contains(&"很长".repeat(160)));
        let laid = laid(&format!("页首一行\n{SIDE_BY_SIDE}页尾一行，很长很长很长很长很长很长很长很长很长很长很长很长很长很长")).unwrap();
        let sorted = |text: &str| {
            let mut chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
            chars.sort_unstable();
            chars
        };
        assert!(laid.starts_with("页首一行\n县城") && laid.contains("元。\n"));
        assert_eq!(
            sorted(&laid),
            sorted(&format!(
                "页首一行\n{SIDE_BY_SIDE}页尾一行，很长很长很长很长很长很长很长很长很长很长很长很长很长很长"
            ))
        );
    }

    proptest::proptest! {
        #[test]
        fn places_lead_back(page in "([东江大桥通车，。 　]{0,24}\n){0,30}") {
            let text: Vec<char> = page.chars().collect();
            if let Some(laid) = relaid(&text) {
                for at in 0..laid.text.len() {
                    let places = laid.places(Span::new(at, at + 1));
                    let printed: String = places.iter().map(|place| place.text(&text)).collect();
                    proptest::prop_assert!(printed == laid.text[at].to_string() || printed.is_empty() && laid.text[at] == '\n');
                }
            }
        }
    }
}
