//! Lines that a fixed width broke: `pdftotext`, plain-text mail and scanned columns end a line where the paper ends, not where a
//! paragraph does.
//!
//! A page is taken for wrapped when many of its lines are equally wide and stop in mid-sentence. Lines of that width then go
//! on in the next one, unless that is set off as this page sets paragraphs off: by white space before it, by a blank line;
//! where it does neither, a full stop at the line's end has to do.

use super::line::last_mark;
use super::table::is_table_row;
use crate::document::Span;
use crate::document::sentence::is_terminal;
use crate::text::fold::columns;

/// A line as it is printed, or several that a width broke.
pub(super) struct Printed {
    /// Without white space at its ends.
    pub span: Span,
    /// Columns of white space before it.
    pub indent: usize,
    pub blank_before: usize,
}

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

/// Full lines of a wrapped page, and their share of the lines that are wide enough.
const MIN_FULL: usize = 4;
const MIN_FULL_SHARE: f32 = 0.4;
/// Of the full lines, how many stop in mid-sentence: by chance four in five do.
const MIN_OPEN_SHARE: f32 = 0.6;
/// Columns that set the beginning of a paragraph off.
const INDENT: usize = 2;

/// Lines together with those that go on with them.
pub(super) fn unwrapped(text: &[char], lines: Vec<Printed>) -> Vec<Printed> {
    let continues = continuations(text, &lines);
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
fn continuations(text: &[char], lines: &[Printed]) -> Vec<bool> {
    let mut out = vec![false; lines.len()];
    let wrapped = MEASURES
        .iter()
        .filter_map(|measure| Wrapped::of(text, lines, measure));
    let Some(page) = wrapped.max_by_key(|page| page.full) else {
        return out;
    };
    let indented = lines.iter().filter(|line| line.indent >= INDENT).count();
    // Some pages indent paragraphs; where all lines stand apart from the edge, none does.
    let indents = indented > 0 && 2 * indented <= lines.len();
    let last: Vec<usize> = (1..lines.len()).filter(|&i| !page.is_full(i - 1)).collect();
    let apart = last.iter().filter(|&&i| lines[i].blank_before > 0).count();
    let spaced = apart >= 2 && 2 * apart > last.len();
    for i in 1..lines.len() {
        let (upper, lower) = (&lines[i - 1], &lines[i]);
        let begins = match (indents, spaced) {
            (true, _) => lower.indent >= INDENT,
            (_, true) => false,
            _ => ends_sentence(upper.span.of(text)),
        };
        out[i] = page.is_full(i - 1)
            && lower.blank_before == 0
            && !begins
            && page.ends[i] <= page.width + page.ragged
            && !is_table_row(upper.span.of(text))
            && !is_table_row(lower.span.of(text));
    }
    out
}

/// A page whose lines are broken at a width.
struct Wrapped {
    /// Where each line ends.
    ends: Vec<usize>,
    width: usize,
    ragged: usize,
    /// Lines that end there.
    full: usize,
}

impl Wrapped {
    fn of(text: &[char], lines: &[Printed], measure: &Measure) -> Option<Self> {
        let end = |line: &Printed| {
            let chars = line.span.of(text).iter().take(measure.max + 1);
            line.indent / 2 * (measure.of)('\u{3000}')
                + chars.map(|&c| (measure.of)(c)).sum::<usize>()
        };
        let ends: Vec<usize> = lines.iter().map(end).collect();
        let mut counts = vec![0usize; measure.max + 1];
        for &end in ends.iter().filter(|&&end| end <= measure.max) {
            counts[end] += 1;
        }
        // What stands right of a place is counted with it: lines are cut short, never made longer.
        let near = |width: usize| counts[width - measure.ragged..=width].iter().sum::<usize>();
        let width = (measure.min..=measure.max)
            .rev()
            .max_by_key(|&width| near(width))?;
        let mut page = Self {
            ends,
            width,
            ragged: measure.ragged,
            full: 0,
        };
        let fulls: Vec<usize> = (0..lines.len()).filter(|&i| page.is_full(i)).collect();
        page.full = fulls.len();
        let wide = page.ends.iter().filter(|&&end| end >= measure.min).count();
        let longer = page
            .ends
            .iter()
            .filter(|&&end| end > width + measure.ragged)
            .count();
        let open = fulls
            .iter()
            .filter(|&&i| !ends_sentence(lines[i].span.of(text)));
        let wrapped = page.full >= MIN_FULL
            && page.full as f32 >= MIN_FULL_SHARE * wide as f32
            && longer * 10 <= wide
            && open.count() as f32 >= MIN_OPEN_SHARE * page.full as f32;
        wrapped.then_some(page)
    }

    fn is_full(&self, i: usize) -> bool {
        (self.width - self.ragged..=self.width + self.ragged).contains(&self.ends[i])
    }
}

fn ends_sentence(line: &[char]) -> bool {
    last_mark(line).is_some_and(is_terminal)
}

#[cfg(test)]
mod tests {
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
