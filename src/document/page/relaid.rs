//! A page whose lines were put into another order: its text, and where each of its characters is printed.

use super::Page;
use crate::document::{Article, Span};

/// A page's text in reading order.
#[derive(Default)]
pub(super) struct Relaid {
    pub text: Vec<char>,
    /// Place in `text`, and the printed characters that stand there, in order. Line ends between pieces are nobody's.
    pieces: Vec<(usize, Span)>,
}

impl Relaid {
    pub fn push(&mut self, text: &[char], piece: Span) {
        if !piece.is_empty() {
            self.pieces.push((self.text.len(), piece));
            self.text.extend_from_slice(piece.of(text));
        }
    }

    pub fn push_line(&mut self, text: &[char], line: Span) {
        self.push(text, line);
        self.end_line();
    }

    /// A line end that is printed elsewhere, or nowhere.
    pub fn end_line(&mut self) {
        self.text.push('\n');
    }

    /// The page's articles with their places in the printed text.
    pub fn printed(&self, mut page: Page) -> Page {
        for article in &mut page.articles {
            self.print(article);
        }
        // Piece by piece, as far as both passages are broken at the same places.
        let pairs = |(span, of): (Span, Span)| {
            let pieces = self.places(span).into_iter().zip(self.places(of));
            pieces.take_while(|(one, other)| one.len() == other.len())
        };
        page.duplicates = page.duplicates.into_iter().flat_map(pairs).collect();
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
    pub fn places(&self, span: Span) -> Vec<Span> {
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
