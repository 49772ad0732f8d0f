//! An article whose title stands in a field of its own: often its text begins with the title once more. All of the text is its,
//! in order: a line that stops in mid-sentence goes on in the next one.

use super::{Block, BlockKind, assemble, body_blocks, line};
use crate::document::{Article, Span};
use crate::text::fold::{fold_char, folded_head, is_han};
use crate::text::patterns::{PATTERNS, dateline_chars};
use std::cmp::Reverse;

/// A shorter title is any words.
const MIN_TITLE_CHARS: usize = 6;
/// What follows a web page's title, and not the title in its text: `大桥通车_东江网`, `大桥通车 - 东江网`.
const SITE_MARKS: [&str; 3] = ["_", "|", " - "];

/// The article of text whose title stands elsewhere.
pub fn titled(text: &[char], title: &str) -> Article {
    let mut blocks = body_blocks(text);
    if let Some(found) = forms(title)
        .iter()
        .find_map(|form| Repeated::find(text, &blocks, form))
    {
        found.set_apart(text, &mut blocks);
    }
    read_on(text, &mut blocks);
    let mut article = assemble(text, &blocks).swap_remove(0);
    article.title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    article
}

/// A paragraph that was broken after each of its clauses, as texts for small screens are, is one again.
fn read_on(text: &[char], blocks: &mut [Block]) {
    for i in 1..blocks.len() {
        let [above, below] = &mut blocks[i - 1..=i] else {
            continue;
        };
        let stops = matches!(above.span.of(text).last(), Some('，' | '、' | ','));
        let is_text = [&*above, below]
            .iter()
            .all(|block| block.kind == BlockKind::Body);
        if stops && is_text && !line::is_enumerated(below.span.of(text)) {
            below.continues = true;
        }
    }
}

/// A title as its text may repeat it, the longest form first: whole, and without the name of a web site.
fn forms(title: &str) -> Vec<Vec<char>> {
    let ends = SITE_MARKS.iter().filter_map(|mark| title.find(mark));
    let mut forms: Vec<Vec<char>> = ends
        .chain([title.len()])
        .map(|end| title[..end].trim().chars().collect())
        .filter(|form: &Vec<char>| form.iter().filter(|&&c| is_han(c)).count() >= MIN_TITLE_CHARS)
        .collect();
    forms.sort_unstable_by_key(|form| Reverse(form.len()));
    forms
}

/// A title that stands at the beginning of its text.
struct Repeated {
    /// Its blocks.
    blocks: Vec<usize>,
    /// Where the last of them ends being title.
    end: usize,
}

impl Repeated {
    /// On lines of its own, or glued to the text.
    fn find(text: &[char], blocks: &[Block], title: &[char]) -> Option<Self> {
        let mut left: Vec<char> = title
            .iter()
            .copied()
            .filter(|c| !c.is_whitespace())
            .collect();
        let mut found = Vec::new();
        let bodies = blocks.iter().enumerate();
        for (i, block) in bodies.filter(|(_, block)| block.kind == BlockKind::Body) {
            let labelled = label(text, block.span);
            let start = block.span.start + labelled;
            let (said, end) = said(text, Span::new(start, block.span.end), &left);
            found.push(i);
            let rest = Span::new(end, block.span.end).of(text);
            if said == left.len() {
                let is_apart = rest.is_empty() || is_sentence_of_its_own(title, rest, labelled > 0);
                return is_apart.then_some(Self { blocks: found, end });
            }
            if said == 0 || !rest.is_empty() {
                return None;
            }
            left.drain(..said);
        }
        None
    }

    /// Makes it a headline.
    fn set_apart(self, text: &[char], blocks: &mut Vec<Block>) {
        for &i in &self.blocks {
            blocks[i].kind = BlockKind::Headline;
        }
        let Some(&last) = self.blocks.last() else {
            return;
        };
        let rest = Span::new(self.end, blocks[last].span.end).trimmed(text);
        if rest.is_empty() {
            return;
        }
        let body = Block {
            span: rest,
            kind: BlockKind::Body,
            is_heading: false,
            dateline_chars: opening_chars(rest.of(text)),
            ..blocks[last].clone()
        };
        blocks[last].span.end = self.end;
        blocks.insert(last + 1, body);
    }
}

/// Length of `原标题：` before a title.
fn label(text: &[char], span: Span) -> usize {
    let head = folded_head(span.of(text), line::PATTERN_CHARS);
    let found = PATTERNS.original_title.find(&head);
    found.map_or(0, |found| found.as_str().chars().count())
}

/// How much of a title stands at the beginning of a line, white space aside, and where that ends.
fn said(text: &[char], line: Span, title: &[char]) -> (usize, usize) {
    let (mut said, mut end) = (0, line.start);
    for at in line.start..line.end {
        if text[at].is_whitespace() {
            continue;
        }
        if title
            .get(said)
            .is_none_or(|&c| narrow(c) != narrow(text[at]))
        {
            break;
        }
        (said, end) = (said + 1, at + 1);
    }
    (said, end)
}

/// Folded, marks too.
fn narrow(c: char) -> char {
    match fold_char(c) {
        c @ '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// Whether a title that text is glued to is no part of the sentence: `中国国际进口博览会` may be the subject of what follows.
fn is_sentence_of_its_own(title: &[char], rest: &[char], is_labelled: bool) -> bool {
    let goes_on = matches!(
        rest.iter().find(|c| !c.is_whitespace()).map(|&c| narrow(c)),
        Some(
            ',' | '、'
                | ';'
                | ':'
                | '。'
                | '!'
                | '?'
                | '”'
                | ')'
                | '》'
                | '的'
                | '-'
                | '—'
                | '|'
                | '_'
        )
    );
    let has_clauses = title.windows(3).any(|three| {
        let between = is_han(three[0]) && is_han(three[2]);
        between
            && (matches!(narrow(three[1]), ',' | ':' | '!' | '?' | ';') || three[1].is_whitespace())
    });
    let calls = title
        .last()
        .is_some_and(|&c| matches!(narrow(c), '!' | '?' | '…'));
    !goes_on && (is_labelled || has_clauses || calls || opening_chars(rest) > 0)
}

fn opening_chars(text: &[char]) -> usize {
    dateline_chars(&folded_head(text, line::PATTERN_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "东江市民今天走上新落成的大桥。\n大桥全长十五公里。";

    /// The text that is left, and what of the printed text is title.
    fn read(text: &str, title: &str) -> (String, String) {
        let text: Vec<char> = text.chars().collect();
        let article = titled(&text, title);
        let printed = article.title_spans.iter().map(|span| span.text(&text));
        let printed = printed.collect::<Vec<_>>().join("|");
        assert_eq!(article.title, title);
        (article.text.iter().collect(), printed)
    }

    #[test]
    fn a_title_that_the_text_repeats_is_no_text() {
        for (head, title, printed) in [
            ("东江大桥今日通车\n", "东江大桥今日通车", "东江大桥今日通车"),
            (
                "　　東江大橋今日通車！\n\n",
                "东江大桥今日通车!",
                "東江大橋今日通車！",
            ),
            (
                "东江大桥今日通车\n",
                "东江大桥今日通车_社会_东江网",
                "东江大桥今日通车",
            ),
            (
                "十年圆梦\n东江大桥今日通车\n",
                "十年圆梦 东江大桥今日通车",
                "十年圆梦|东江大桥今日通车",
            ),
            (
                "来源：东江网\n东江大桥今日通车\n",
                "东江大桥今日通车",
                "东江大桥今日通车",
            ),
            (
                "十年圆梦，东江大桥今日通车",
                "十年圆梦，东江大桥今日通车",
                "十年圆梦，东江大桥今日通车",
            ),
            (
                "东江大桥今日通车！ ",
                "东江大桥今日通车！",
                "东江大桥今日通车！",
            ),
            (
                "原标题：东江大桥今日通车 ",
                "东江大桥今日通车",
                "原标题：东江大桥今日通车",
            ),
        ] {
            assert_eq!(
                read(&format!("{head}{BODY}"), title),
                (BODY.to_owned(), printed.to_owned())
            );
        }
    }

    #[test]
    fn a_dateline_behind_a_glued_title_is_one() {
        let text: Vec<char> = format!("东江大桥今日通车本报讯（记者 何田）{BODY}")
            .chars()
            .collect();
        let article = titled(&text, "东江大桥今日通车");
        assert_eq!(article.byline, ["记者 何田"]);
        assert_eq!(article.title_spans, [Span::new(0, 8)]);
    }

    #[test]
    fn a_subject_is_no_repeated_title() {
        for (text, title) in [
            ("东江大桥今日通车，两岸市民走上大桥。", "东江大桥今日通车"),
            ("东江市第一人民医院近日启用新楼。", "东江市第一人民医院"),
            ("大桥通车！市民高兴。", "大桥通车！"),
            ("东江大桥今日通车了。", "东江大桥今日开放"),
        ] {
            assert_eq!(read(text, title), (text.to_owned(), String::new()));
        }
    }

    #[test]
    fn clauses_on_lines_of_their_own_are_one_paragraph() {
        let text = "经查明，\n司机何某酒后驾车，\n　　目前，\n已被拘留。\n要求如下，\n1.加强管理。";
        assert_eq!(
            read(text, "").0,
            "经查明，司机何某酒后驾车，目前，已被拘留。\n要求如下，\n1.加强管理。"
        );
    }

    #[test]
    fn text_that_is_its_title_stays() {
        let (text, _) = read("东江大桥今日通车", "东江大桥今日通车");
        assert_eq!(text, "东江大桥今日通车");
    }
}
