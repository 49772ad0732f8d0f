//! An article whose title stands in a field of its own: often its text begins with the title once more.

use super::assemble::on_one_line;
use super::{Block, BlockKind, assemble, body_blocks, line, seams};
use crate::document::article::MIN_TITLE_HAN;
use crate::document::{Article, Span};
use crate::text::dateline::dateline_chars;
use crate::text::fold::{fold, fold_char, folded_head, is_han};
use crate::text::patterns::PATTERNS;
use std::cmp::Reverse;

/// Before what follows a web page's title, and not the title in its text: `大桥通车_东江网`, `大桥通车_雨雪`. Nothing is cut here but
/// what the text does not repeat: these may be looser than what [`Article::read_title`] asks.
const SITE_MARKS: [&str; 3] = ["_", "|", " - "];

/// The article of text whose title stands elsewhere.
pub fn titled(text: &[char], title: &str) -> Article {
    let mut blocks = body_blocks(text);
    if let Some(repeated) = Repeated::of(text, &blocks, title) {
        repeated.set_apart(text, &mut blocks, 0, BlockKind::Headline);
    }
    let decks = decks(text, &blocks, title);
    for &deck in &decks {
        blocks[deck].kind = BlockKind::Headline;
    }
    let mut article = assemble(text, &blocks).swap_remove(0);
    article.title = on_one_line(title);
    for deck in decks {
        // `市民说——` goes on in the next line.
        if !article.title.ends_with('—') {
            article.title.push(' ');
        }
        let deck = blocks[deck].span.text(text);
        article.title.push_str(&on_one_line(&deck));
    }
    article
}

/// The lines of the headline that the field of its own left to the text: short ones above the dateline, or the one that goes on
/// after a dash.
fn decks(text: &[char], blocks: &[Block], title: &str) -> Vec<usize> {
    let mut bodies = (0..blocks.len()).filter(|&i| blocks[i].kind == BlockKind::Body);
    let is_deck = |&i: &usize| {
        let line = blocks[i].span.of(text);
        let opens_text =
            line::is_enumerated(line) || line::is_marked(line) || line::in_brackets(line);
        let heading = blocks[i].is_heading && line.len() <= MAX_DECK_CHARS;
        heading && blocks[i].dateline_chars == 0 && !opens_text
    };
    let mut decks: Vec<usize> = Vec::new();
    let below = loop {
        match bodies.next() {
            Some(i) if is_deck(&i) && decks.len() < MAX_DECKS => decks.push(i),
            below => break below,
        }
    };
    let is_dated = below.is_some_and(|i| blocks[i].dateline_chars > 0);
    let goes_on = title.trim_end().ends_with('—') && below.is_some_and(|i| !blocks[i].is_heading);
    if !(is_dated || goes_on) {
        decks.clear();
    }
    decks
}

/// A headline has no more lines than this below its first.
const MAX_DECKS: usize = 2;
/// Nor longer ones.
const MAX_DECK_CHARS: usize = 40;

/// A title as its text may repeat it, the longest form first: whole, without the name of a web site, without its last mark.
fn forms(title: &str) -> Vec<Vec<char>> {
    let ends = SITE_MARKS.iter().filter_map(|mark| title.find(mark));
    let mut forms: Vec<Vec<char>> = ends
        .chain([title.len()])
        .flat_map(|end| {
            [
                title[..end].trim(),
                title[..end].trim_end_matches(LAST_MARKS),
            ]
        })
        .map(|form| form.chars().collect())
        .filter(|form: &Vec<char>| form.iter().filter(|&&c| is_han(c)).count() >= MIN_TITLE_HAN)
        .collect();
    forms.sort_unstable_by_key(|form| Reverse(form.len()));
    forms.dedup();
    forms
}

/// Marks that a title may end with and its text leave out.
const LAST_MARKS: [char; 6] = ['！', '？', '!', '?', '…', ' '];

/// A title that stands at the beginning of its text.
pub(super) struct Repeated {
    /// Its blocks.
    blocks: Vec<usize>,
    /// Where the last of them ends being title.
    end: usize,
}

impl Repeated {
    /// In any of its forms.
    pub(super) fn of(text: &[char], blocks: &[Block], title: &str) -> Option<Self> {
        let forms = forms(title);
        forms.iter().find_map(|form| Self::find(text, blocks, form))
    }

    /// On lines of its own, or glued to the text.
    fn find(text: &[char], blocks: &[Block], title: &[char]) -> Option<Self> {
        let wanted: Vec<char> = (title.iter().copied())
            .filter(|c| !c.is_whitespace())
            .collect();
        let mut found = Vec::new();
        let mut at = 0;
        let mut bodies =
            (blocks.iter().enumerate()).filter(|(_, block)| block.kind == BlockKind::Body);
        while let Some((i, block)) = bodies.next() {
            let label = match at {
                0 => label_chars(block.span.of(text)),
                _ => 0,
            };
            let line = Span::new(block.span.start + label, block.span.end);
            let (length, end) = said(text, line, &wanted[at..]);
            let rest = Span::new(end, block.span.end).trimmed(text);
            found.push(i);
            at += length;
            if at == wanted.len() {
                // Text that is nothing but its title stays.
                let is_title = match rest.is_empty() {
                    true => bodies.next().is_some(),
                    false => {
                        let is_labelled = label > 0 || is_labelled(text, &blocks[..i]);
                        stands_apart(title, rest.of(text), is_labelled)
                    }
                };
                return is_title.then_some(Self { blocks: found, end });
            }
            if length == 0 || !rest.is_empty() {
                return None;
            }
        }
        None
    }

    /// Makes it a headline, or what belongs to no article; its blocks are counted from `first`.
    pub(super) fn set_apart(
        self,
        text: &[char],
        blocks: &mut Vec<Block>,
        first: usize,
        kind: BlockKind,
    ) {
        for &i in &self.blocks {
            blocks[first + i].kind = kind;
        }
        let Some(last) = self.blocks.last().map(|last| first + last) else {
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

/// Whether the last line above says that a title follows: `原标题：`.
fn is_labelled(text: &[char], above: &[Block]) -> bool {
    above
        .last()
        .is_some_and(|block| label_chars(block.span.of(text)) > 0)
}

/// Length of such a label at the beginning of a line.
fn label_chars(line: &[char]) -> usize {
    let head = folded_head(line, line::PATTERN_CHARS);
    let label = PATTERNS.original_title.find(&head);
    label.map_or(0, |label| label.as_str().chars().count())
}

/// How much of a title stands at the beginning of a line, white space aside, and where that ends.
fn said(text: &[char], line: Span, title: &[char]) -> (usize, usize) {
    let (mut said, mut end) = (0, line.start);
    for (at, &c) in line.of(text).iter().enumerate() {
        if c.is_whitespace() {
            continue;
        }
        if title
            .get(said)
            .is_none_or(|&wanted| narrow(wanted) != narrow(c))
        {
            break;
        }
        (said, end) = (said + 1, line.start + at + 1);
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

/// Whether a title that text is glued to is no part of its first sentence, as `中国国际进口博览会` may be of what follows, or a title
/// that was cut in mid-sentence.
fn stands_apart(title: &[char], rest: &[char], is_labelled: bool) -> bool {
    if opening_chars(rest) > 0 {
        return true;
    }
    let opens = rest
        .first()
        .is_some_and(|&c| c.is_alphanumeric() || matches!(c, '“' | '「' | '《' | '【' | '（'));
    let goes_on = matches!(rest.first(), Some('的' | '了' | '着' | '过' | '们'))
        || title
            .last()
            .is_some_and(|c| matches!(narrow(*c), ',' | '、' | ':'));
    let (left, right) = (fold(title), fold(&rest[..rest.len().min(SEAM_CHARS)]));
    let reads_on = seams::logit(&left, &right) > MAX_LOGIT || seams::word(&left, &right) > 0;
    let has_clauses = title.windows(3).any(|three| {
        let between = is_han(three[0]) && is_han(three[2]);
        between
            && (matches!(narrow(three[1]), ',' | ':' | '!' | '?' | ';') || three[1].is_whitespace())
    });
    let calls = title
        .last()
        .is_some_and(|&c| matches!(narrow(c), '!' | '?' | '…'));
    opens && !goes_on && !reads_on && (is_labelled || has_clauses || calls)
}

/// Titles read on by chance, a little.
const MAX_LOGIT: f32 = 0.5;
/// What is looked at behind a title to tell whether it reads on.
const SEAM_CHARS: usize = 12;

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
                "东江大桥今日通车",
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
    fn the_rest_of_a_headline_that_stands_above_the_dateline_is_title() {
        let title = |head: &str, title: &str| {
            let text: Vec<char> = format!("{head}\n大桥全长十五公里，市民走上大桥参观。")
                .chars()
                .collect();
            let article = titled(&text, title);
            (article.title.clone(), article.title_spans.len())
        };
        let dated = "十年圆梦\n东江日报3月5日讯（记者 何田）东江大桥今天通车。";
        assert_eq!(
            title(dated, "东江大桥通车"),
            ("东江大桥通车 十年圆梦".to_owned(), 1)
        );
        let dash = "两岸近了\n东江大桥今天通车，市民走上大桥参观。";
        assert_eq!(
            title(dash, "东江大桥通车——"),
            ("东江大桥通车——两岸近了".to_owned(), 1)
        );
        // A heading, a caption, an item: of the text.
        assert_eq!(title(dash, "东江大桥通车"), ("东江大桥通车".to_owned(), 0));
        let item = "一、桥面\n东江日报3月5日讯（记者 何田）东江大桥今天通车。";
        assert_eq!(title(item, "东江大桥通车"), ("东江大桥通车".to_owned(), 0));
    }

    #[test]
    fn a_subject_is_no_repeated_title() {
        for (text, title) in [
            ("东江大桥今日通车，两岸市民走上大桥。", "东江大桥今日通车"),
            ("东江市第一人民医院近日启用新楼。", "东江市第一人民医院"),
            ("大桥通车！市民高兴。", "大桥通车！"),
            ("东江大桥今日通车了。", "东江大桥今日开放"),
            (
                "十年圆梦，东江大桥今日通车了许多年。",
                "十年圆梦，东江大桥今日通",
            ),
            ("大桥通车，全长135公里。", "大桥通车，全长13"),
            (
                "大桥通车，市民都说方便，通勤快了。",
                "大桥通车，市民都说方便，",
            ),
        ] {
            assert_eq!(read(text, title), (text.to_owned(), String::new()));
        }
    }

    #[test]
    fn text_that_is_its_title_stays() {
        let (text, _) = read("东江大桥今日通车", "东江大桥今日通车");
        assert_eq!(text, "东江大桥今日通车");
        let (text, _) = read(
            "来源：东江网\n东江大桥今日通车\n（记者 何田）",
            "东江大桥今日通车",
        );
        assert!(text.starts_with("东江大桥今日通车"));
    }

    #[test]
    fn a_title_of_a_million_characters_costs_no_more_than_it_has() {
        let title = "桥".repeat(1_000_000);
        let text: Vec<char> = "桥\n".repeat(200_000).chars().collect();
        assert!(titled(&text, &title).title_spans.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn spans_give_title_and_text(title in "[东江大桥通车，！ _0-9]{0,14}", label in "(原标题：|（原标题：)?", between in "[\n。，]?", text in "[东江大桥通车今天。，\n]{0,40}") {
            let printed: Vec<char> = format!("{label}{title}{between}{text}").chars().collect();
            let article = titled(&printed, &title);
            let rebuilt: String = article.spans.iter().map(|span| span.text(&printed)).collect();
            let text: String = article.text.iter().filter(|&&c| c != '\n').collect();
            proptest::prop_assert_eq!(rebuilt.replace('\n', ""), text);
            proptest::prop_assert!(article.title_spans.iter().all(|span| article.spans.iter().all(|other| span.end <= other.start || other.end <= span.start)));
        }
    }
}
