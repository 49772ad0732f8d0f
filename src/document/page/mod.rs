//! Page → articles.
//!
//! Lines are classified ([`mod@line`]), headlines found among the short ones ([`headline`]); cut paragraphs, strayed
//! fragments and repeated passages are put right ([`mod@repair`]); everything between two headlines then belongs to
//! the first.

pub mod headline;
pub mod line;
pub mod network;
pub mod repair;
pub mod starts;

use super::{Article, Dateline, Span};
use crate::text::fold::fold;
use crate::text::patterns::PATTERNS;
use headline::PageStyle;
use line::{Line, LineKind};
use repair::Continuation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to read an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// A page when at least two headlines with text below are found, else one article.
    #[default]
    Auto,
    /// A page: every headline found opens an article.
    Page,
    /// One article, whatever its headings.
    Article,
}

/// What a block is on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    Headline,
    Byline,
    Body,
    Furniture,
}

/// A line with its role.
#[derive(Debug, Clone)]
pub struct Block {
    pub span: Span,
    pub kind: BlockKind,
    /// A short line inside an article: a heading, a list item, verse.
    pub is_heading: bool,
    /// Length of the dateline at its beginning, 0 when there is none.
    pub dateline_chars: usize,
    /// It goes on where the block before it stopped, in mid-sentence.
    pub continues: bool,
}

impl Block {
    fn new(line: &Line, kind: BlockKind) -> Self {
        let is_heading = line.kind == LineKind::Short && kind == BlockKind::Body;
        Self {
            span: line.span,
            kind,
            is_heading,
            dateline_chars: line.dateline_chars,
            continues: false,
        }
    }
}

/// A headline probability from which a short line opens an article.
const MIN_HEADLINE_PROBABILITY: f32 = 0.5;

/// A page taken apart.
#[derive(Debug, Default)]
pub struct Page {
    /// At least one for text that is not blank.
    pub articles: Vec<Article>,
    /// (passage that is left out, the same passage that is used).
    pub duplicates: Vec<(Span, Span)>,
    /// Paragraphs that stop in mid-sentence and whose rest was not found.
    pub open_ends: Vec<Span>,
}

/// Splits decoded text into articles, in reading order.
pub fn split(text: &[char], layout: Layout, model: &dyn Continuation) -> Page {
    let repaired = repair::repair(text, blocks(text, layout), model);
    Page {
        articles: assemble(text, &repaired.blocks),
        duplicates: repaired.duplicates,
        open_ends: repaired.open_ends,
    }
}

/// The blocks of a page, in page order.
pub fn blocks(text: &[char], layout: Layout) -> Vec<Block> {
    let lines = line::lines(text);
    let mut kinds: Vec<BlockKind> = lines.iter().map(|line| plain_kind(line.kind)).collect();
    if layout != Layout::Article {
        let style = PageStyle::of(text, &lines);
        for i in (0..lines.len()).filter(|&i| lines[i].kind == LineKind::Short) {
            let features = headline::features(&style, &lines, i);
            if headline::probability(&features) >= MIN_HEADLINE_PROBABILITY {
                kinds[i] = BlockKind::Headline;
            }
        }
        demote_headlines_without_body(&mut kinds);
    }
    if layout == Layout::Article || (layout == Layout::Auto && headline_runs(&kinds) < 2) {
        kinds = lines.iter().map(|line| plain_kind(line.kind)).collect();
        mark_opening_headline(&lines, &mut kinds);
    }
    lines
        .iter()
        .zip(kinds)
        .map(|(line, kind)| Block::new(line, kind))
        .collect()
}

/// The blocks of text that is one article's body already: no headline is looked for.
pub fn body_blocks(text: &[char]) -> Vec<Block> {
    line::lines(text)
        .into_iter()
        .map(|line| Block::new(&line, plain_kind(line.kind)))
        .collect()
}

/// The article of text whose title stands elsewhere.
pub fn titled(text: &[char], title: &str) -> Article {
    let mut article = assemble(text, &body_blocks(text)).swap_remove(0);
    article.title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    article
}

fn plain_kind(kind: LineKind) -> BlockKind {
    match kind {
        LineKind::Body | LineKind::Short => BlockKind::Body,
        LineKind::Byline => BlockKind::Byline,
        LineKind::Furniture => BlockKind::Furniture,
    }
}

fn headline_runs(kinds: &[BlockKind]) -> usize {
    let open = |i: usize| {
        kinds[i] == BlockKind::Headline && (i == 0 || kinds[i - 1] != BlockKind::Headline)
    };
    (0..kinds.len()).filter(|&i| open(i)).count()
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

/// In a single article the headline is the run of short lines it opens with, if prose follows.
fn mark_opening_headline(lines: &[Line], kinds: &mut [BlockKind]) {
    const MAX_DECKS: usize = 4;
    let first = lines
        .iter()
        .position(|line| line.kind != LineKind::Furniture)
        .unwrap_or(lines.len());
    let decks = lines[first..]
        .iter()
        .take_while(|line| line.kind == LineKind::Short)
        .count();
    let prose_follows = lines[first + decks..]
        .iter()
        .any(|line| line.kind == LineKind::Body);
    if (1..=MAX_DECKS).contains(&decks) && prose_follows {
        kinds[first..first + decks].fill(BlockKind::Headline);
    } else if decks > MAX_DECKS && lines[first + 1].blank_before > 0 {
        // Verse or a list below a title that stands apart.
        kinds[first] = BlockKind::Headline;
    }
}

/// Builds articles from blocks in reading order: a headline after text opens the next article, a headline before
/// any text is one more deck.
pub fn assemble(text: &[char], blocks: &[Block]) -> Vec<Article> {
    let mut articles = Vec::new();
    let mut current = Article::default();
    for block in blocks {
        match block.kind {
            BlockKind::Furniture => {}
            BlockKind::Headline => {
                if current.has_body() {
                    articles.push(std::mem::take(&mut current));
                }
                current.title_spans.push(block.span);
            }
            BlockKind::Byline => {
                current.add_credits(credits(&block.span.text(text)));
                current.credit_spans.push(block.span);
            }
            BlockKind::Body => push_body(text, block, &mut current),
        }
    }
    if current.has_body() {
        articles.push(current);
    } else if let Some(last) = articles.last_mut() {
        // A headline whose text was printed twice and is used elsewhere: no text is lost.
        for span in current.title_spans {
            last.push_paragraph(text, &line::pieces(text, span), true);
        }
        last.add_credits(current.byline);
        last.credit_spans.extend(current.credit_spans);
    }
    if articles.is_empty() {
        articles.push(everything(text, blocks));
    }
    for article in &mut articles {
        article.title = title(text, &article.title_spans);
    }
    articles
}

/// A page of nothing but bylines or page numbers: better one odd article than lost text.
fn everything(text: &[char], blocks: &[Block]) -> Article {
    let mut article = Article::default();
    for block in blocks {
        article.push_paragraph(text, &[block.span], false);
    }
    article
}

fn push_body(text: &[char], block: &Block, article: &mut Article) {
    let mut span = block.span;
    if block.dateline_chars > 0 {
        let opening = Span::new(block.span.start, block.span.start + block.dateline_chars);
        let (dateline, people) = read_dateline(&opening.text(text), &fold(opening.of(text)));
        // The first one is the article's; a later one (of a report inside a report) only leaves the text.
        article.dateline = article.dateline.take().or(dateline);
        article.add_credits(people);
        article.credit_spans.push(opening.trimmed(text));
        span = Span::new(opening.end, block.span.end).trimmed(text);
    }
    let (leading, span) = leading_credit(text, span);
    let (span, trailing) = trailing_credit(text, span);
    for credit in [leading, trailing].into_iter().flatten() {
        article.add_credits(credits(&credit.text(text)));
        article.credit_spans.push(credit);
    }
    if !span.is_empty() && block.continues && article.has_body() {
        article.continue_paragraph(text, &line::pieces(text, span));
    } else if !span.is_empty() {
        article.push_paragraph(text, &line::pieces(text, span), block.is_heading);
    }
}

/// The longest credit in brackets that is looked for at either end of a paragraph.
const MAX_CREDIT_CHARS: usize = 40;

/// `（记者 张三）……` at the beginning of a paragraph is a byline.
fn leading_credit(text: &[char], span: Span) -> (Option<Span>, Span) {
    let head = &span.of(text)[..span.len().min(MAX_CREDIT_CHARS)];
    if !matches!(head.first(), Some('（' | '(')) {
        return (None, span);
    }
    let Some(close) = head.iter().position(|c| matches!(c, '）' | ')')) else {
        return (None, span);
    };
    let credit = Span::new(span.start, span.start + close + 1);
    if is_byline(credit.of(text)) {
        (Some(credit), Span::new(credit.end, span.end).trimmed(text))
    } else {
        (None, span)
    }
}

/// `……。（记者 张三）` at the end of a paragraph is a byline.
fn trailing_credit(text: &[char], span: Span) -> (Span, Option<Span>) {
    let slice = span.of(text);
    let tail = &slice[slice.len().saturating_sub(MAX_CREDIT_CHARS)..];
    let open = tail
        .iter()
        .rposition(|c| matches!(c, '（' | '('))
        .map(|at| slice.len() - tail.len() + at);
    let Some(open) = open.filter(|&open| open > 0 && matches!(slice.last(), Some('）' | ')')))
    else {
        return (span, None);
    };
    let credit = Span::new(span.start + open, span.end);
    if line::ends_sentence(&slice[open.saturating_sub(4)..open]) && is_byline(credit.of(text)) {
        return (
            Span::new(span.start, credit.start).trimmed(text),
            Some(credit),
        );
    }
    (span, None)
}

fn is_byline(printed: &[char]) -> bool {
    PATTERNS
        .byline
        .is_match(&fold(printed).into_iter().collect::<String>())
}

/// Reads the groups of a dateline. `folded` has the same characters as `printed`, folded.
fn read_dateline(printed: &str, folded: &[char]) -> (Option<Dateline>, Vec<String>) {
    let folded: String = folded.iter().collect();
    let Some(groups) = PATTERNS.dateline.captures(&folded) else {
        return (None, Vec::new());
    };
    let printed: Vec<char> = printed.chars().collect();
    let group = |name: &str| {
        let found = groups.name(name)?;
        let start = folded[..found.start()].chars().count();
        let len = found.as_str().chars().count();
        let text: String = printed[start..start + len].iter().collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let people = group("people")
        .map(|people| credits(&people))
        .unwrap_or_default();
    let dateline = group("paper").map(|paper| Dateline {
        paper,
        place: group("place"),
        date: group("date"),
    });
    (dateline, people)
}

/// The credits of a byline: one entry a role, brackets and marks removed.
///
/// `（全媒体记者 曹娟 通讯员 陶韬）` → `全媒体记者 曹娟`, `通讯员 陶韬`.
fn credits(printed: &str) -> Vec<String> {
    const ROLES: [&str; 3] = ["通讯员", "实习生", "摄影记者"];
    let bare =
        printed.trim_matches(|c: char| c.is_whitespace() || "（）()【】[]■●◎□▲△".contains(c));
    let mut entries: Vec<String> = Vec::new();
    for word in bare.split_whitespace() {
        let folded: String = fold(&word.chars().collect::<Vec<_>>())
            .into_iter()
            .collect();
        let opens = entries.is_empty()
            || ROLES.iter().any(|role| folded.starts_with(role))
            || folded.ends_with("记者");
        match entries.last_mut() {
            Some(entry) if !opens => {
                entry.push(' ');
                entry.push_str(word);
            }
            _ => entries.push(word.to_owned()),
        }
    }
    entries
}

/// Decks joined by one space; white space inside a deck becomes one space.
fn title(text: &[char], spans: &[Span]) -> String {
    let decks: Vec<String> = spans
        .iter()
        .map(|span| {
            line::pieces(text, *span)
                .into_iter()
                .map(|piece| piece.text(text))
                .collect()
        })
        .collect();
    decks
        .join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
