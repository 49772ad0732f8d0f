//! Page → articles.
//!
//! Columns that stand side by side, or were cut line by line, are read one after the other (`columns`, `interleave`).
//! Lines are classified ([`mod@line`]), headlines found among the short ones (`roles`, [`headline`]); articles that go on on
//! another page are put together (`jumps`); cut paragraphs, strayed fragments and repeated passages are put right
//! ([`mod@repair`]); everything between two headlines then belongs to the first.

mod assemble;
pub mod borders;
mod clauses;
mod columns;
mod credits;
mod furniture;
pub mod headline;
pub mod headline_context;
mod indents;
mod interleave;
mod jumps;
pub mod line;
mod mended;
mod neighbours;
mod parted;
mod pieces;
mod printed;
mod relaid;
pub mod repair;
mod repeats;
mod roles;
mod ruled_out;
mod seams;
mod signatures;
pub mod starts;
mod titled;
pub mod trees;
mod wrap;

use super::{Article, Span};
pub use assemble::assemble;
use line::{Line, LineKind};
use repair::Continuation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use titled::titled;

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
    /// White space sets its first line off from the edge.
    pub is_indented: bool,
    /// It goes on where the block before it stopped, in mid-sentence.
    pub continues: bool,
    /// Text of an article whose headline is on another page (`上接第一版`).
    pub opens: bool,
    /// The page says where it goes on (`下转第二版`): nowhere else.
    pub jumps: bool,
}

impl Block {
    fn new(text: &[char], line: &Line, kind: BlockKind) -> Self {
        let is_short = line.kind == LineKind::Short && kind == BlockKind::Body;
        // `两路冷空气将南下，连续降雨！` is a paragraph, `大桥有三千米长；同时` the beginning of one.
        let printed = line.span.of(text);
        let is_heading = is_short && !line::is_talk(printed) && !line::is_cut(printed);
        Self {
            span: line.span,
            kind,
            is_heading,
            dateline_chars: line.dateline_chars,
            is_indented: line.is_indented,
            continues: false,
            opens: false,
            jumps: false,
        }
    }
}

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
    match mended::relaid(text) {
        Some(laid) => laid.printed(split_in_columns(&laid.text, layout, model)),
        None => split_in_columns(text, layout, model),
    }
}

fn split_in_columns(text: &[char], layout: Layout, model: &dyn Continuation) -> Page {
    match columns::relaid(text).or_else(|| interleave::relaid(text)) {
        Some(laid) => laid.printed(split_in_order(&laid.text, layout, model)),
        None => split_in_order(text, layout, model),
    }
}

fn split_in_order(text: &[char], layout: Layout, model: &dyn Continuation) -> Page {
    let lines = line::lines(text);
    let mut kinds = roles::roles(text, &lines, layout);
    let put_right = |kinds: &[BlockKind]| {
        let blocks = blocks_of(text, &lines, kinds);
        let (blocks, duplicates) = jumps::reunited(text, blocks, layout);
        (repair::repair(text, blocks, model), duplicates)
    };
    let (mut repaired, mut duplicates) = put_right(&kinds);
    if roles::look_again(text, &lines, layout, &repaired.moved, &mut kinds) {
        (repaired, duplicates) = put_right(&kinds);
    }
    duplicates.extend(repaired.duplicates);
    Page {
        articles: assemble(text, &repaired.blocks),
        duplicates,
        open_ends: repaired.open_ends,
    }
}

/// The blocks of a page, in page order.
pub fn blocks(text: &[char], layout: Layout) -> Vec<Block> {
    let lines = line::lines(text);
    blocks_of(text, &lines, &roles::roles(text, &lines, layout))
}

fn blocks_of(text: &[char], lines: &[Line], kinds: &[BlockKind]) -> Vec<Block> {
    let blocks = lines.iter().zip(kinds);
    let blocks = blocks.map(|(line, &kind)| Block::new(text, line, kind));
    repeats::set_apart(text, blocks.collect())
}

/// The blocks of text that is one article's body already: no headline is looked for.
pub fn body_blocks(text: &[char]) -> Vec<Block> {
    line::lines(text)
        .into_iter()
        .map(|line| Block::new(text, &line, roles::alone(line.kind)))
        .collect()
}

#[cfg(test)]
mod tests;
