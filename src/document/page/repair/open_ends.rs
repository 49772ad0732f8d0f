//! Paragraphs that stop in mid-sentence.

use super::super::BlockKind;
use super::super::credits::trailing_credit;
use super::super::line::{after_last_sentence, is_enumerated};
use super::Page;
use crate::document::sentence::is_terminal;
use crate::document::table::is_table_row;
use crate::text::fold::{fold, folded_head};
use crate::text::names::are_names;
use crate::text::patterns::PATTERNS;

/// Shorter fragments are not joined: there is nothing to judge by.
const MIN_LEFT_CHARS: usize = 12;
/// Open ends at most; a text with more is written so.
const MAX_OPEN_ENDS: usize = 400;
/// Text in which more than this share of the paragraphs end without a mark is written so (verse, lists, wrapped
/// lines): nothing there is broken.
const MAX_OPEN_SHARE: f32 = 0.4;

impl Page<'_> {
    /// Paragraphs that stop in mid-sentence; `None` for text that is written so.
    pub(super) fn open_ends(&self) -> Option<Vec<usize>> {
        // Short ones too: a line without a mark at its end may be a heading or the beginning of a cut paragraph.
        let mut open = self.bodies();
        open.retain(|&i| self.chars(i).len() >= MIN_LEFT_CHARS);
        let candidates = open.len() as f32;
        open.retain(|&i| {
            is_open_end(self.chars(i)) && !self.ends_so(i) && !ends_in_particulars(self.chars(i))
        });
        let many = open.len() > 4 && open.len() as f32 > MAX_OPEN_SHARE * candidates;
        (!many && open.len() <= MAX_OPEN_ENDS).then_some(open)
    }

    /// Whether it is likely that an open end, which nothing continues, was cut, and not written so: a heading, a second deck,
    /// a name or a link below the text.
    pub(super) fn lacks_its_rest(&self, i: usize) -> bool {
        let printed = self.chars(i);
        let prose = &printed[self.blocks[i].dateline_chars.min(printed.len())..];
        let is_deck =
            self.opens_article(i) && reads_like_a_deck(prose) && !is_within_brackets(printed);
        let last = prose.iter().rposition(|&c| is_terminal(c));
        let tail = fold(&prose[last.map_or(0, |last| last + 1)..]);
        let is_note = self.next_body(i).is_none() && is_closing_note(&tail);
        !(self.blocks[i].is_heading || is_deck || is_note)
    }

    /// A row of a table, a caption with its credit, an item of a list: it ends without a mark.
    fn ends_so(&self, i: usize) -> bool {
        let chars = self.chars(i);
        let tail = &chars[chars.len().saturating_sub(CREDIT_CHARS)..];
        let is_item = self.blocks[i].is_heading && is_enumerated(chars);
        let heads_table = (self.next_body(i)).is_some_and(|below| is_table_row(self.chars(below)));
        is_table_row(chars)
            || is_item
            || self.blocks[i].is_heading && self.is_below_headline(i) && ends_in_a_name(chars)
            || heads_table && chars.iter().any(|c| c.is_whitespace())
            || PATTERNS
                .captioned
                .is_match(&folded_head(tail, CREDIT_CHARS))
    }

    fn is_below_headline(&self, i: usize) -> bool {
        i > 0 && self.blocks[i - 1].kind != BlockKind::Body
    }
}

/// `公司董事长　何田`, `答疑专家：主任医师 何田`.
fn ends_in_a_name(line: &[char]) -> bool {
    let apart = line.iter().rposition(|&c| c.is_whitespace() || c == '：');
    apart.is_some_and(|apart| are_names(&fold(&line[apart + 1..])))
}

/// Behind the last sentence stands who wrote it or whom to ask (`…。 记者 何田`, `…。咨询电话：96388`), or all of it belongs to the
/// page (`本版内容仅供参考`): nothing goes on.
fn ends_in_particulars(paragraph: &[char]) -> bool {
    let rest = after_last_sentence(paragraph);
    let is_particular = rest.len() <= MAX_NOTE_CHARS
        && PATTERNS
            .particulars
            .is_match(&folded_head(rest, MAX_NOTE_CHARS));
    let head = folded_head(paragraph, MAX_NOTE_CHARS);
    // A caption may be cut as any paragraph.
    let is_the_pages = PATTERNS.boilerplate.is_match(&head) && !PATTERNS.caption.is_match(&head);
    is_particular || is_the_pages || trailing_credit(paragraph) > 0
}

/// Where a caption's credit is looked for.
const CREDIT_CHARS: usize = 24;

/// What stands at the end of a text without a full stop: who wrote it, links, rights.
fn is_closing_note(tail: &[char]) -> bool {
    let head = &tail[..tail.len().min(MAX_NOTE_CHARS)];
    are_names(head)
        || PATTERNS
            .closing_note
            .is_match(&head.iter().collect::<String>())
}

/// What is looked at of such a note.
const MAX_NOTE_CHARS: usize = 160;

/// Two clauses or three; what has more is a sentence.
fn reads_like_a_deck(prose: &[char]) -> bool {
    let commas = prose.iter().filter(|&&c| matches!(c, '，' | ','));
    !prose.contains(&'。') && commas.count() <= 2
}

/// A bracket was opened and not closed: the paragraph goes on.
fn is_within_brackets(printed: &[char]) -> bool {
    let count = |marks: &str| printed.iter().filter(|c| marks.contains(**c)).count();
    count("（(《") > count("）)》")
}

/// Whether a paragraph stops in mid-sentence: after it anything that can end one would be a sign that it does not,
/// a closing bracket or quotation mark too.
pub fn is_open_end(paragraph: &[char]) -> bool {
    paragraph
        .iter()
        .rev()
        .find(|c| !c.is_whitespace())
        .is_some_and(|&c| !"。！？!?”’」』；;：:…）)》】〕—～.".contains(c))
}
