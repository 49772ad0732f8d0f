//! Columns that stand side by side, as `pdftotext -layout` prints a page: every printed line then has a piece of each.
//!
//! A gutter is a strip of white space that no line of a region crosses, with prose on both sides of it. The columns of a region
//! are read one after the other, from the left; what has no gutter stays as it is. Everything after works on the text in
//! reading order; [`Relaid::printed`] leads its places back to the printed text.

use super::Page;
use crate::document::sentence::line_spans;
use crate::document::{Article, Span};
use crate::text::fold::is_wide;
use std::ops::Range;

/// Printed columns of a line that are looked at; a longer line is no part of a page in columns.
const MAX_COLUMNS: usize = 320;
/// A strip of white space this wide can be a gutter.
const MIN_GUTTER: usize = 2;
/// Lines with text on both sides of a gutter, at least, and their share of a region's lines.
const MIN_ROWS: usize = 4;
const MIN_ROWS_SHARE: f32 = 0.4;
/// Blank lines inside a region, one after another.
const MAX_BLANK: usize = 2;
/// Prose fills its column, cells of a table do not: printed columns on either side of a gutter, on the average.
const MIN_WIDTH: usize = 16;
/// Prose has marks: of the lines of a column, how many do.
const MIN_MARKED_SHARE: f32 = 0.25;

/// A page's text with its columns one after the other.
pub(super) struct Relaid {
    pub text: Vec<char>,
    /// Place in `text`, and the printed characters that stand there, in order. Line ends between pieces are nobody's.
    pieces: Vec<(usize, Span)>,
}

/// The page in reading order, where columns stand side by side.
pub(super) fn relaid(text: &[char]) -> Option<Relaid> {
    let rows: Vec<Row> = line_spans(text, Span::new(0, text.len()))
        .map(|line| Row::of(text, line))
        .collect();
    let mut out = Relaid {
        text: Vec::new(),
        pieces: Vec::new(),
    };
    let (mut at, mut from, mut found) = (0, 0, false);
    while at < rows.len() {
        if rows[at].words.len() < 2 {
            at += 1;
            continue;
        }
        let region = Region::from(&rows, at);
        at = region.end.max(at + 1);
        let gutters = region.gutters(text, &rows);
        if gutters.is_empty() {
            continue;
        }
        found = true;
        out.push(text, Span::new(from, rows[region.start].line.start));
        region.read(text, &rows, &gutters, |piece| out.push_line(text, piece));
        from = rows[region.end - 1].line.end;
    }
    out.push(text, Span::new(from, text.len()));
    found.then_some(out)
}

impl Relaid {
    fn push(&mut self, text: &[char], piece: Span) {
        if !piece.is_empty() {
            self.pieces.push((self.text.len(), piece));
            self.text.extend_from_slice(piece.of(text));
        }
    }

    fn push_line(&mut self, text: &[char], piece: Span) {
        self.push(text, piece);
        self.text.push('\n');
    }

    /// The page's articles with their places in the printed text.
    pub fn printed(&self, mut page: Page) -> Page {
        for article in &mut page.articles {
            self.print(article);
        }
        let first = |span: Span| self.places(span).first().copied();
        let pair = |(span, of): (Span, Span)| Some((first(span)?, first(of)?));
        page.duplicates = page.duplicates.into_iter().filter_map(pair).collect();
        let last = |span: Span| self.places(span).last().copied();
        page.open_ends = page.open_ends.into_iter().filter_map(last).collect();
        page
    }

    fn print(&self, article: &mut Article) {
        let mut spans = Vec::with_capacity(article.spans.len());
        let mut starts = article.paragraph_starts.iter().copied().peekable();
        let mut paragraph_starts = Vec::with_capacity(article.paragraph_starts.len());
        for (i, &span) in article.spans.iter().enumerate() {
            if starts.next_if_eq(&i).is_some() {
                paragraph_starts.push(spans.len());
            }
            spans.extend(self.places(span));
        }
        (article.spans, article.paragraph_starts) = (spans, paragraph_starts);
        for spans in [&mut article.title_spans, &mut article.credit_spans] {
            *spans = spans.iter().flat_map(|&span| self.places(span)).collect();
        }
    }

    /// Where the characters of a span of `text` are printed, those that follow each other together.
    fn places(&self, span: Span) -> Vec<Span> {
        let first = self
            .pieces
            .partition_point(|(start, piece)| start + piece.len() <= span.start);
        let mut out: Vec<Span> = Vec::new();
        for &(start, piece) in &self.pieces[first..] {
            if start >= span.end {
                break;
            }
            let from = span.start.max(start) - start + piece.start;
            let to = span.end.min(start + piece.len()) - start + piece.start;
            match out.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ => out.push(Span::new(from, to)),
            }
        }
        out
    }
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
    too_long: bool,
}

impl Row {
    fn of(text: &[char], line: Span) -> Self {
        let mut words: Vec<Word> = Vec::new();
        let mut column = 0;
        for at in line.start..line.end {
            let c = text[at];
            let width = match c {
                '\t' => 8 - column % 8,
                c if is_wide(c) => 2,
                _ => 1,
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
        Self {
            line,
            too_long: column > MAX_COLUMNS,
            words,
        }
    }

    /// Of a strip of white space: whether words stand before and after it.
    fn has_both_sides(&self, gutter: &Range<usize>) -> bool {
        let first = self.words.first();
        first.is_some_and(|word| word.columns.end <= gutter.start)
            && self
                .words
                .last()
                .is_some_and(|word| word.columns.start >= gutter.end)
    }
}

/// Lines that have a strip of white space in common.
struct Region {
    start: usize,
    end: usize,
    /// The printed columns that are blank in all of them.
    blank: Vec<bool>,
}

impl Region {
    /// The lines from `start` on.
    fn from(rows: &[Row], start: usize) -> Self {
        let mut region = Self {
            start,
            end: start + 1,
            blank: vec![true; MAX_COLUMNS],
        };
        region.add(&rows[start]);
        let (mut blank_rows, mut both_sides) = (0, rows[start].words.len() > 1);
        for (i, row) in rows.iter().enumerate().skip(start + 1) {
            if row.words.is_empty() {
                blank_rows += 1;
                both_sides = false;
                if blank_rows > MAX_BLANK {
                    break;
                }
                continue;
            }
            let before = region.blank.clone();
            region.add(row);
            if row.too_long || region.strips(rows).is_empty() {
                region.blank = before;
                break;
            }
            // A line below a gap belongs to the region only if its columns go on.
            both_sides |= row.words.len() > 1;
            if blank_rows == 0 || both_sides {
                region.end = i + 1;
                blank_rows = 0;
            }
        }
        region
    }

    fn add(&mut self, row: &Row) {
        for word in &row.words {
            let end = word.columns.end.min(MAX_COLUMNS);
            self.blank[word.columns.start.min(end)..end].fill(false);
        }
    }

    /// Strips that are blank in all lines, with words before and after in the first.
    fn strips(&self, rows: &[Row]) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let mut column = 0;
        while column < MAX_COLUMNS {
            let start = column;
            while column < MAX_COLUMNS && self.blank[column] {
                column += 1;
            }
            let strip = start..column;
            if strip.len() >= MIN_GUTTER && rows[self.start].has_both_sides(&strip) {
                out.push(strip);
            }
            column += 1;
        }
        out
    }

    /// The strips that part prose from prose.
    fn gutters(&self, text: &[char], rows: &[Row]) -> Vec<Range<usize>> {
        let rows = &rows[self.start..self.end];
        let lines = rows.iter().filter(|row| !row.words.is_empty()).count();
        let mut strips = self.strips_of(rows);
        strips.retain(|strip| {
            let both = rows.iter().filter(|row| row.has_both_sides(strip)).count();
            both >= MIN_ROWS && both as f32 >= MIN_ROWS_SHARE * lines as f32
        });
        let mut edges: Vec<usize> = vec![0];
        edges.extend(strips.iter().map(|strip| strip.end));
        edges.push(usize::MAX);
        let prose = edges.windows(2).all(|edge| {
            let words = rows
                .iter()
                .filter_map(|row| in_column(row, edge[0]..edge[1]));
            let (mut count, mut width, mut marked) = (0, 0, 0);
            for (span, columns) in words {
                count += 1;
                width += columns.len();
                marked += usize::from(span.of(text).iter().any(|c| "，。、；：？！”".contains(*c)));
            }
            width >= MIN_WIDTH * count && marked as f32 >= MIN_MARKED_SHARE * count as f32
        });
        if prose { strips } else { Vec::new() }
    }

    fn strips_of(&self, rows: &[Row]) -> Vec<Range<usize>> {
        let region = Self {
            start: 0,
            end: rows.len(),
            blank: self.blank.clone(),
        };
        region.strips(rows)
    }

    /// Gives the lines of every column, from the left, with the white space that indents them; empty ones where a column has
    /// nothing.
    fn read(
        &self,
        text: &[char],
        rows: &[Row],
        gutters: &[Range<usize>],
        mut line: impl FnMut(Span),
    ) {
        let rows = &rows[self.start..self.end];
        let mut edge = 0;
        for next in gutters.iter().map(|gutter| gutter.end).chain([usize::MAX]) {
            let parts: Vec<_> = rows.iter().map(|row| in_column(row, edge..next)).collect();
            let left = parts
                .iter()
                .flatten()
                .map(|(_, columns)| columns.start)
                .min();
            for (row, part) in rows.iter().zip(parts) {
                let Some((span, columns)) = part else {
                    line(Span::new(row.line.start, row.line.start));
                    continue;
                };
                // A character of white space that indents it takes one printed column or two.
                let indent = (columns.start - left.unwrap_or(columns.start)) / 2;
                let before = Span::new(row.line.start, span.start).of(text).iter().rev();
                let blank = before
                    .take(indent)
                    .take_while(|c| c.is_whitespace())
                    .count();
                line(Span::new(span.start - blank, span.end));
            }
            edge = next;
        }
    }
}

/// What a line has between two printed columns.
fn in_column(row: &Row, columns: Range<usize>) -> Option<(Span, Range<usize>)> {
    let inside = |word: &&Word| columns.contains(&word.columns.start);
    let first = row.words.iter().find(inside)?;
    let last = row.words.iter().rev().find(inside)?;
    Some((
        Span::new(first.span.start, last.span.end),
        first.columns.start..last.columns.end,
    ))
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
            laid(&wide).unwrap().replace('　', "").replace(' ', ""),
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
