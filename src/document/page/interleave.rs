//! Columns that were cut line by line: a program that knows nothing of columns prints the first line of each, then the second of
//! each. What belongs together is told by how lines read on (`seams.rs`): one pair of lines says little, a page of them
//! much.
//!
//! Lines between blank ones are dealt out to columns by beam search, each to the column whose last line it reads on from
//! best; columns then follow each other. Nothing is moved unless that reads far better than the lines as they stand.

use super::line::{MAX_HEADLINE_CHARS, last_mark};
use super::relaid::Relaid;
use super::seams;
use crate::document::Span;
use crate::document::sentence::{is_terminal, line_spans};
use crate::text::fold::{columns, fold};
use crate::text::patterns::PATTERNS;

/// Columns of a page at most.
const MAX_COLUMNS: usize = 3;
/// Lines between blank ones at most; more are no page.
const MAX_LINES: usize = 400;
/// The narrowest and the widest column, in half-width characters.
const WIDTHS: std::ops::RangeInclusive<usize> = 18..=80;
/// A full line may be so much shorter than the widest.
const RAGGED: usize = 3;
/// Seams that must be there to judge by.
const MIN_SEAMS: usize = 5;
/// A line goes on with one of the last so many.
const REACH: usize = 6;
/// Hypotheses that are followed up.
const BEAM: usize = 48;

/// What speaks for a line's place, in logits.
const MAX_LOGIT: f32 = 4.0;
const INDENTED_IN_MID_SENTENCE: f32 = -3.0;
const INDENTED: f32 = 0.5;
const NOT_INDENTED: f32 = -2.0;
/// Columns take turns: a line that goes on over another distance than the one before it.
const OUT_OF_TURN: f32 = -2.0;
/// What speaks for lines that nobody has to look at any longer.
const READS_WELL: f32 = 0.0;
/// One column more: what begins it goes on from nothing.
const COLUMN: f32 = -4.0;
/// How much more must speak for columns than for the lines as they stand. Of wrapped articles it was 2 at most, of
/// interleaved ones 25 to 50.
const MIN_GAIN: f32 = 7.0;
const MIN_GAIN_A_LINE: f32 = 0.5;

/// The page in reading order, where columns were cut line by line.
pub(super) fn relaid(text: &[char]) -> Option<Relaid> {
    let lines: Vec<Span> = line_spans(text, Span::new(0, text.len())).collect();
    let is_blank = |line: &Span| line.trimmed(text).is_empty();
    let mut out = Relaid::default();
    // Lines up to `from` are laid already.
    let (mut at, mut from, mut found) = (0, 0, false);
    while at < lines.len() {
        let end = at
            + lines[at..]
                .iter()
                .take_while(|line| !is_blank(line))
                .count();
        let block = Block::of(text, &lines[at..end]);
        if let Some((block, columns)) =
            block.and_then(|block| block.columns().map(|columns| (block, columns)))
        {
            found = true;
            let heads = if block.all_begin(&columns) {
                heads(text, &lines[from..at], columns.len())
            } else {
                Vec::new()
            };
            let first = heads.first().map_or(at, |head| from + head);
            if let [upper, ..] = lines[from..first] {
                out.push(text, Span::new(upper.start, lines[first].start));
            }
            for (i, column) in columns.iter().enumerate() {
                let apart = i > 0 && !block.reads_over(&columns[i - 1], column);
                if apart {
                    out.end_line();
                }
                let head = heads
                    .iter()
                    .skip(i)
                    .step_by(columns.len())
                    .map(|head| from + head);
                for line in head.chain(column.iter().map(|line| at + line)) {
                    out.push_line(text, printed(text, lines[line]));
                }
            }
            from = end;
        }
        at = end.max(at + 1);
    }
    if let [upper, ..] = lines[from..] {
        out.push(text, Span::new(upper.start, text.len()));
    }
    found.then_some(out)
}

/// The headlines of `columns` columns: so many short lines directly above them, or twice as many, together or each by itself.
fn heads(text: &[char], above: &[Span], columns: usize) -> Vec<usize> {
    let is_blank = |i: &usize| above[*i].trimmed(text).is_empty();
    let is_head = |i: &usize| {
        let line = fold(above[*i].trimmed(text).of(text));
        line.len() <= MAX_HEADLINE_CHARS
            && !last_mark(&line).is_some_and(|c| "。；，：".contains(c))
            && !PATTERNS
                .furniture
                .is_match(&line.iter().collect::<String>())
    };
    let printed: Vec<usize> = (0..above.len()).rev().filter(|i| !is_blank(i)).collect();
    let together = printed
        .windows(2)
        .take_while(|pair| pair[0] == pair[1] + 1)
        .count()
        + 1;
    let alone = |n: usize| {
        printed.len() >= n
            && printed[..n].windows(2).all(|pair| pair[0] > pair[1] + 1)
            && printed
                .get(n)
                .is_none_or(|&upper| printed[n - 1] > upper + 1)
    };
    let count = match together {
        n if n == columns || n == 2 * columns => n,
        1 if alone(columns) => columns,
        _ => return Vec::new(),
    };
    let mut heads: Vec<usize> = printed.into_iter().take(count).collect();
    heads.reverse();
    if heads.len() == count && heads.iter().all(is_head) {
        heads
    } else {
        Vec::new()
    }
}

/// A line that is not blank, with what indents it.
fn printed(text: &[char], line: Span) -> Span {
    Span::new(line.start, line.trimmed(text).end)
}

/// A line as a piece of a column.
struct Piece {
    folded: Vec<char>,
    indented: bool,
    /// It stops where the column ends, in mid-sentence.
    open: bool,
    full: bool,
}

/// Lines between blank ones.
struct Block {
    pieces: Vec<Piece>,
}

/// Lines dealt out to columns, as far as the search has come.
#[derive(Clone)]
struct Hypothesis {
    score: f32,
    /// The last line of each column.
    last: [Option<usize>; MAX_COLUMNS],
    /// How many lines back the last line found the one that it goes on from.
    stride: usize,
    /// The column of each line.
    column: Vec<u8>,
}

impl Block {
    fn of(text: &[char], lines: &[Span]) -> Option<Self> {
        if !(2 * MIN_SEAMS..=MAX_LINES).contains(&lines.len()) {
            return None;
        }
        let width = |line: &[char]| line.iter().map(|&c| columns(c)).sum::<usize>();
        if lines.iter().any(|line| line.len() > *WIDTHS.end()) {
            return None;
        }
        let widths: Vec<usize> = lines
            .iter()
            .map(|&line| width(printed(text, line).of(text)))
            .collect();
        let mut sorted = widths.clone();
        sorted.sort_unstable();
        // The widest lines but for a few: headlines may be wider than their column.
        let usual = sorted[sorted.len() * 9 / 10];
        let pieces = lines.iter().zip(widths).map(|(line, width)| {
            let trimmed = line.trimmed(text);
            let folded = fold(trimmed.of(text));
            let full = width + RAGGED >= usual;
            Piece {
                indented: trimmed.start > line.start,
                open: full && !last_mark(&folded).is_some_and(is_terminal),
                full,
                folded,
            }
        });
        let pieces: Vec<Piece> = pieces.collect();
        let open = pieces.iter().filter(|piece| piece.open).count();
        (WIDTHS.contains(&usual) && open >= MIN_SEAMS && 3 * open >= pieces.len())
            .then_some(Self { pieces })
    }

    /// The lines of each column, if there are several.
    fn columns(&self) -> Option<Vec<Vec<usize>>> {
        let as_they_stand = self.best(1).score;
        if as_they_stand > READS_WELL {
            return None;
        }
        let several = (2..=MAX_COLUMNS).map(|columns| self.best(columns));
        let best = several.max_by(|a, b| a.score.total_cmp(&b.score))?;
        let gain = best.score - as_they_stand;
        if gain < MIN_GAIN || gain < MIN_GAIN_A_LINE * self.pieces.len() as f32 {
            return None;
        }
        let mut columns = vec![Vec::new(); MAX_COLUMNS];
        for (line, &column) in best.column.iter().enumerate() {
            columns[usize::from(column)].push(line);
        }
        columns.retain(|column| !column.is_empty());
        Some(columns)
    }

    /// Whether every column begins with a paragraph.
    fn all_begin(&self, columns: &[Vec<usize>]) -> bool {
        columns.iter().all(|column| self.pieces[column[0]].indented)
    }

    /// Whether a column goes on in the next one.
    fn reads_over(&self, column: &[usize], next: &[usize]) -> bool {
        let (last, first) = (
            &self.pieces[column[column.len() - 1]],
            &self.pieces[next[0]],
        );
        last.open && first.full && !first.indented
    }

    fn best(&self, columns: usize) -> Hypothesis {
        let mut beam = vec![Hypothesis {
            score: 0.0,
            last: [None; MAX_COLUMNS],
            stride: columns,
            column: Vec::with_capacity(self.pieces.len()),
        }];
        for line in 0..self.pieces.len() {
            let mut next: Vec<Hypothesis> = Vec::with_capacity(beam.len() * columns);
            for dealt in &beam {
                let used = dealt.last.iter().flatten().count();
                for column in 0..columns.min(used + 1) {
                    let before = dealt.last[column];
                    if before.is_some_and(|before| line - before > REACH) {
                        continue;
                    }
                    let mut dealt = dealt.clone();
                    if before.is_none() && column > 0 {
                        dealt.score += COLUMN;
                    }
                    if let Some(before) = before {
                        let in_turn = line - before == dealt.stride;
                        dealt.score +=
                            self.place(before, line) + if in_turn { 0.0 } else { OUT_OF_TURN };
                        dealt.stride = line - before;
                    }
                    dealt.last[column] = Some(line);
                    dealt.column.push(column as u8);
                    next.push(dealt);
                }
            }
            next.sort_by(|a, b| {
                b.score
                    .total_cmp(&a.score)
                    .then_with(|| a.column.cmp(&b.column))
            });
            // Of those that go on alike only the best.
            let mut seen = Vec::new();
            next.retain(|dealt| {
                let state = (dealt.last, dealt.stride);
                let new = !seen.contains(&state);
                if new {
                    seen.push(state);
                }
                new && seen.len() <= BEAM
            });
            beam = next;
        }
        beam.swap_remove(0)
    }

    /// What speaks for `line` below `before` in one column.
    fn place(&self, before: usize, line: usize) -> f32 {
        let (upper, lower) = (&self.pieces[before], &self.pieces[line]);
        match (upper.open, lower.indented) {
            (true, true) => INDENTED_IN_MID_SENTENCE,
            (true, false) => self.reads_on(before, line),
            (false, true) => INDENTED,
            (false, false) if upper.full => 0.0,
            (false, false) => NOT_INDENTED,
        }
    }

    fn reads_on(&self, before: usize, line: usize) -> f32 {
        let logit = seams::logit(&self.pieces[before].folded, &self.pieces[line].folded);
        logit.clamp(-MAX_LOGIT, MAX_LOGIT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::repair::NoContinuation;
    use super::super::{Layout, split};
    use super::*;

    const BRIDGE: [&str; 2] = [
        "　　本报讯（记者 何田）4月12日，县城新增三条公交线路，覆盖城北、城西片区，方便了两万多名居民出行。",
        "　　新线路共投入新能源公交车24辆，首末班车时间为6时至20时，票价一元。市民可以刷卡或者扫码乘车。",
    ];
    const SHOP: [&str; 2] = [
        "　　本报讯（记者 林小满）日前，石门乡举办电商培训班，六十多名村民学习直播技巧，现场气氛热烈。",
        "　　培训结束后，不少村民当场开设网店，首日销售山货三万余元。乡里还将为他们提供仓储和物流服务。",
    ];

    fn wrapped(paragraphs: &[&str], width: usize) -> Vec<String> {
        let lines = paragraphs.iter().flat_map(|paragraph| {
            let chars: Vec<char> = paragraph.chars().collect();
            let lines = chars
                .chunks(width)
                .map(|line| line.iter().collect::<String>());
            lines.collect::<Vec<_>>()
        });
        lines.collect()
    }

    fn interleaved(columns: &[Vec<String>]) -> String {
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        let rows =
            (0..longest).flat_map(|row| columns.iter().filter_map(move |column| column.get(row)));
        rows.map(|line| format!("{line}\n")).collect()
    }

    fn articles(page: &str) -> Vec<(String, String)> {
        let text: Vec<char> = page.chars().collect();
        let page = split(&text, Layout::Auto, &NoContinuation);
        for article in &page.articles {
            let said: String = article.spans.iter().map(|span| span.text(&text)).collect();
            assert_eq!(
                said,
                article
                    .text
                    .iter()
                    .filter(|c| **c != '\n')
                    .collect::<String>()
            );
        }
        let shown = page.articles.iter();
        shown
            .map(|a| (a.title.clone(), a.text.iter().collect()))
            .collect()
    }

    #[test]
    fn columns_that_were_cut_line_by_line_are_put_together() {
        let plain = |paragraphs: [&str; 2]| paragraphs.map(|p| p.trim().to_owned()).join("\n");
        let expected = [
            ("县城新开三条公交线路".to_owned(), plain(BRIDGE)),
            ("村民学会网上卖山货".to_owned(), plain(SHOP)),
        ];
        for width in [14, 17, 20] {
            let rows = interleaved(&[wrapped(&BRIDGE, width), wrapped(&SHOP, width)]);
            for heads in [
                "县城新开三条公交线路\n村民学会网上卖山货\n\n",
                "县城新开三条公交线路\n\n村民学会网上卖山货\n\n",
            ] {
                assert_eq!(articles(&format!("{heads}{rows}")), expected, "{width}");
            }
        }
    }

    #[test]
    fn lines_that_read_on_stay_as_they_stand() {
        for width in [14, 17, 20] {
            for paragraphs in [BRIDGE, SHOP] {
                let page: Vec<char> = wrapped(&paragraphs, width).join("\n").chars().collect();
                assert!(relaid(&page).is_none(), "{width}");
            }
        }
        let verse =
            "床前的月光照着窗台\n地上的霜色白了石阶\n抬头望见山边的月亮\n低头想起远方的家乡\n"
                .repeat(6);
        assert!(relaid(&verse.chars().collect::<Vec<_>>()).is_none());
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost(page in "([东江大桥通车今天本报讯记者市民走上，。　]{0,18}\n){0,40}") {
            let text: Vec<char> = page.chars().collect();
            if let Some(laid) = relaid(&text) {
                let sorted = |text: &[char]| {
                    let mut chars: Vec<char> = text.iter().copied().filter(|c| !c.is_whitespace()).collect();
                    chars.sort_unstable();
                    chars
                };
                proptest::prop_assert_eq!(sorted(&laid.text), sorted(&text));
            }
        }
    }
}
