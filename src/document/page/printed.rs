//! Lines as they are printed, and what those that meet say of the paragraphs they stand in, whatever their widths.

use super::credits::trailing_credit;
use super::furniture::is_furniture;
use super::line::{PATTERN_CHARS, after_last_sentence, ends_in_a_note, last_mark, opens_with_dash};
use super::seams;
use crate::document::Span;
use crate::document::sentence::is_terminal;
use crate::text::dateline::dateline_chars;
use crate::text::fold::folded_head;
use crate::text::patterns::PATTERNS;

/// A line as it is printed, or several that a width broke.
pub(super) struct Printed {
    /// Without white space at its ends.
    pub span: Span,
    /// Columns of white space before it.
    pub indent: usize,
    pub blank_before: usize,
}

/// Columns that set the beginning of a paragraph off.
pub(super) const INDENT: usize = 2;
/// Whether lines from `i` on, none of which ends a sentence, are the headline of the report below them. If there are several, the
/// first one does not read on from the line above, and is not as long.
pub(super) fn heads_report(text: &[char], lines: &[Printed], i: usize) -> bool {
    let said = |i: usize| lines[i].span.of(text);
    let opens = |i: usize| opens_report(said(i)) || is_credit(said(i));
    let is_deck = |&i: &usize| !opens(i) && !stops(said(i)) && lines[i].indent < INDENT;
    let decks = (i..lines.len()).take(MAX_DECKS).take_while(is_deck).count();
    let is_above = decks > 0 && i + decks < lines.len() && opens(i + decks);
    let (above, first) = (said(i - 1), said(i));
    is_above
        && (decks == 1
            || above.len().abs_diff(first.len()) > 1 && !seams::reads_on(above, first, 0.0))
}

/// Whether a line is a headline by where it stands, though as wide as the lines below: the page's first one, or below a finished
/// paragraph and more blank lines than are `usual`, and what stands below hardly reads on from it.
pub(super) fn is_set_off(text: &[char], lines: &[Printed], i: usize, usual: usize) -> bool {
    let Some(below) = lines.get(i + 1) else {
        return false;
    };
    let said = lines[i].span.of(text);
    let is_finished = |above: &[char]| last_mark(above) == Some('。') || is_furniture(above);
    // A deck opens with a dash.
    let opens = i == 0 || opens_with_dash(said);
    let is_apart =
        opens || lines[i].blank_before > usual && is_finished(lines[i - 1].span.of(text));
    let commas = said.iter().filter(|c| matches!(c, '，' | ',')).count();
    // Lines that a width broke read on by more than this in 0.77, 0.84 and 0.95 of all cases, from a headline in 0.33, 0.48 and 0.79.
    let most = match (opens, commas) {
        (true, 0) => -0.5,
        (false, 0) | (true, _) => -1.0,
        _ => -2.0,
    };
    let is_whole = || {
        let first = said
            .first()
            .is_some_and(|&c| c.is_alphanumeric() || "“《【—".contains(c));
        let count = |mark: char| said.iter().filter(|&&c| c == mark).count();
        first && count('“') == count('”') && count('《') == count('》')
    };
    is_apart
        && below.blank_before <= usual
        && commas <= 1
        && !said.iter().any(|c| "。；、：".contains(*c))
        && !ends_somehow(said)
        && is_whole()
        && !seams::reads_on(said, below.span.of(text), most)
}

/// Whether a line ends in brackets behind a sentence, or in a credit that is set off: nothing of its paragraph is missing. What
/// stands in brackets may begin in the line above.
pub(super) fn is_signed(text: &[char], lines: &[Printed], i: usize) -> bool {
    let near = lines[i.saturating_sub(1)..=i].iter();
    let printed: Vec<char> = near.flat_map(|line| line.span.of(text)).copied().collect();
    let is_set_off = || {
        after_last_sentence(&printed)
            .first()
            .is_some_and(|c| c.is_whitespace())
    };
    ends_in_a_note(&printed) || is_set_off() && trailing_credit(&printed) > 0
}

/// `文/本报记者 …`, below a headline that is as long as the lines.
pub(super) fn is_credit(line: &[char]) -> bool {
    line.len() <= MAX_CREDIT_CHARS && {
        let folded = folded_head(line, MAX_CREDIT_CHARS);
        let says_who = [&PATTERNS.byline, &PATTERNS.signature];
        PATTERNS.credited.is_match(&folded) && says_who.iter().any(|who| who.is_match(&folded))
    }
}

/// Lines of a headline.
const MAX_DECKS: usize = 4;

/// A longer line is no credit.
const MAX_CREDIT_CHARS: usize = 40;

/// `本报讯（记者 …`, below a headline that is as long as the lines.
pub(super) fn opens_report(line: &[char]) -> bool {
    let opens = line
        .iter()
        .take(OPENING_CHARS)
        .any(|c| matches!(c, '讯' | '电' | '（' | '(' | '【' | '〔' | '['));
    opens && dateline_chars(&folded_head(line, PATTERN_CHARS)) > 0
}

/// Where such an opening has its mark.
const OPENING_CHARS: usize = 24;

/// How long what opens a line is, if it is not broken: `214.8` of `214.8亿元`.
pub(super) fn unbroken(line: &[char]) -> usize {
    let is_of_word = |c: &&char| c.is_ascii_alphanumeric() || matches!(c, '.' | '%' | ',' | '-');
    let word = line.iter().take(MAX_UNBROKEN).take_while(is_of_word);
    word.count()
}

/// What is longer is broken too.
const MAX_UNBROKEN: usize = 16;

/// Ends in a full stop, or what counts as one.
pub(super) fn stops(line: &[char]) -> bool {
    last_mark(line).is_some_and(is_terminal)
}

/// Ends in a mark.
pub(super) fn ends_somehow(line: &[char]) -> bool {
    last_mark(line).is_some_and(|c| !c.is_alphanumeric())
}
