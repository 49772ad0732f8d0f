//! One article, put together from places on its page.

use super::{Reading, Span};
use crate::text::fold::{folded_head, is_han};
use crate::text::names::credited_names;
use crate::text::patterns::PATTERNS;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Where and when a report says it was filed: `湖南日报2月17日讯`, `新华社北京9月21日电`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dateline {
    /// The paper or agency, as printed.
    pub paper: String,
    /// The place, when one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The date, as printed.
    pub date: Option<String>,
}

/// Credits of an article at most: a list of a million names must not take the square of that.
const MAX_CREDITS: usize = 256;

/// A shorter title is any words, in Chinese characters.
pub(super) const MIN_TITLE_HAN: usize = 6;

/// An article before analysis.
///
/// The law: `text` is the characters of `spans`, in order, with one `\n` between paragraphs
/// (`paragraph_starts` says which spans open one).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// The headline's decks, joined by one space; empty when there is none.
    pub title: String,
    pub title_spans: Vec<Span>,
    /// Credits as printed: `全媒体记者 曹娟`, `通讯员 陶韬`.
    pub byline: Vec<String>,
    pub dateline: Option<Dateline>,
    /// Lines that are bylines and nothing else, and stand in no text.
    pub credit_spans: Vec<Span>,
    /// The body in reading order, as printed.
    pub text: Vec<char>,
    /// Where `text` came from.
    pub spans: Vec<Span>,
    /// Indices into `spans`: the span that opens each paragraph.
    pub paragraph_starts: Vec<usize>,
    /// Places in `text`: paragraphs that are headings, list items or verse.
    pub headings: Vec<Span>,
    /// Places in `text`, in order: datelines and credits that a paragraph opens or ends with, and lines that are a
    /// credit in brackets, a signature or boilerplate, with the line end before them (at the beginning, after them). They are printed,
    /// not analysed.
    pub asides: Vec<Span>,
}

impl Article {
    /// Adds one paragraph made of `pieces` of `source`, read on without a break.
    pub fn push_paragraph(&mut self, source: &[char], pieces: &[Span], is_heading: bool) {
        let pieces: Vec<Span> = pieces
            .iter()
            .copied()
            .filter(|piece| !piece.is_empty())
            .collect();
        if pieces.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.paragraph_starts.push(self.spans.len());
        let start = self.text.len();
        for piece in pieces {
            self.text.extend_from_slice(piece.of(source));
            self.spans.push(piece);
        }
        if is_heading {
            self.headings.push(Span::new(start, self.text.len()));
        }
    }

    /// Adds credits of people who are not named yet, up to a number that no article has.
    pub fn add_credits(&mut self, credits: Vec<String>) {
        for credit in credits {
            if self.byline.len() == MAX_CREDITS {
                return;
            }
            let named = self.byline.iter().flat_map(|other| credited_names(other));
            let named: HashSet<&str> = named.collect();
            let is_named = credited_names(&credit).all(|name| named.contains(name));
            if self.byline.is_empty() || !(is_named || self.byline.contains(&credit)) {
                self.byline.push(credit);
            }
        }
    }

    /// Places of the paragraphs in `text`.
    pub fn paragraphs(&self) -> Vec<Span> {
        let ends = self.paragraph_starts.iter().skip(1).copied();
        let ends = ends.chain([self.spans.len()]);
        let mut start = 0;
        (self.paragraph_starts.iter().zip(ends))
            .map(|(&from, to)| {
                let len: usize = self.spans[from..to].iter().map(|span| span.len()).sum();
                let paragraph = Span::new(start, start + len);
                start = paragraph.end + 1;
                paragraph
            })
            .collect()
    }

    pub fn has_body(&self) -> bool {
        !self.text.is_empty()
    }

    /// What of the title is analysed: all but the name of a web site behind it (`大桥通车_东江网`).
    pub fn read_title(&self) -> Vec<char> {
        let mut title: Vec<char> = self.title.chars().collect();
        title.truncate(before_site(&title, &PATTERNS.site));
        title
    }

    /// What is analysed.
    pub fn reading(&self) -> Reading {
        Reading::new(&self.text, &self.asides)
    }

    /// Length of what is analysed, in characters.
    pub fn reading_chars(&self) -> usize {
        self.text.len() - self.asides.iter().map(|aside| aside.len()).sum::<usize>()
    }
}

/// Length of a title without what a web page's has behind it.
pub(super) fn before_site(title: &[char], site: &Regex) -> usize {
    let folded = folded_head(title, title.len());
    let kept = site
        .find(&folded)
        .map_or(title.len(), |site| folded[..site.start()].chars().count());
    let said = title[..kept].iter().filter(|&&c| is_han(c)).count();
    // `民生 | 一张网覆盖全城` is a headline.
    match said >= MIN_TITLE_HAN && 2 * kept > title.len() - kept {
        true => kept,
        false => title.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_sites_name_is_not_read() {
        let read = |title: &str| {
            let title = title.to_owned();
            Article {
                title,
                ..Article::default()
            }
            .read_title()
            .into_iter()
            .collect::<String>()
        };
        for title in [
            "东江大桥通车_东江网",
            "东江大桥通车_社会_东江新闻",
            "东江大桥通车 - 东江新闻",
            "东江大桥通车 - ...",
            "东江大桥通车|东江日报",
            "东江大桥通车",
        ] {
            assert_eq!(read(title), "东江大桥通车", "{title}");
        }
        assert_eq!(read("東江大橋通車｜東江時報"), "東江大橋通車");
        for title in [
            "东江大桥通车_雨雪",
            "五一 | 致敬东江",
            "民生 | 老旧小区用上了互联网",
            "新春走基层 | 一张网覆盖全城",
            "东江大桥 --打通两岸交通网",
            "一张网覆盖全城",
            "_东江网",
        ] {
            assert_eq!(read(title), title);
        }
    }
}
