//! Lines of paragraphs that are set off by white space: what stands at the edge right below goes on with them.
//!
//! [`wrap`](super::wrap) puts lines together that are broken at one width. Beside a picture, in a few lines of a brief, or where
//! nothing is justified there is no such width; the white space before the first line of a paragraph says as much.

use super::line::{self, is_enumerated};
use super::printed::{INDENT, Printed, heads_report, is_signed};
use super::seams;
use crate::document::sentence::{is_closing, is_terminal};
use crate::document::table::is_table_row;

/// Lines of paper are as long: a shorter one is a heading, a longer one a paragraph, which may be cut in mid-sentence.
const LINE_CHARS: std::ops::RangeInclusive<usize> = 6..=60;
/// How much characters may speak against it that a line reads on: of true neighbours 0.87 and 0.99 have more, of two lines by chance
/// 0.44 and 0.92.
const MIN_LOGIT: f32 = -1.0;
const MIN_LOGIT_OF_TEXT: f32 = -3.0;
/// Paragraphs that are set off, from which on that is how the page prints them.
const MIN_SET_OFF: usize = 2;

/// Marks the lines that go on with the one before, beside those that are marked already.
pub(super) fn mark(text: &[char], lines: &[Printed], continues: &mut [bool]) {
    let is_set_off = |line: &&Printed| line.indent >= INDENT;
    let is_usual = lines.iter().filter(is_set_off).take(MIN_SET_OFF).count() == MIN_SET_OFF;
    let mut in_paragraph = false;
    for i in 1..lines.len() {
        let (above, below) = (&lines[i - 1], &lines[i]);
        in_paragraph = is_set_off(&above) || continues[i - 1] && in_paragraph;
        if !in_paragraph || continues[i] {
            continue;
        }
        // A headline has no mark, and a paragraph below that is set off.
        let is_near = |next: &Printed| next.blank_before == 0 && next.indent == 0;
        let is_text = is_prose(below.span.of(text)) || lines.get(i + 1).is_some_and(is_near);
        continues[i] = goes_on(text, above, below, is_usual && is_text)
            && !is_signed(text, lines, i - 1)
            && !heads_report(text, lines, i);
    }
}

/// Whether a line at the edge is the next one of the paragraph above it. Of text that stands in paragraphs that are set off, one
/// hardly has to ask.
fn goes_on(text: &[char], above: &Printed, below: &Printed, is_text: bool) -> bool {
    let (said, next) = (above.span.of(text), below.span.of(text));
    let last = said.iter().rev().find(|&&c| !is_closing(c));
    let stops = last.is_some_and(|&c| is_terminal(c) || matches!(c, '…' | '：' | ':' | '；' | ';'));
    let fits = below.blank_before == 0
        && below.indent == 0
        && LINE_CHARS.contains(&said.len())
        && next.len() <= *LINE_CHARS.end()
        && !stops
        && (is_text || is_prose(said) || is_prose(next))
        && ![said, next].into_iter().any(is_table_row)
        && !is_enumerated(next);
    let least = if is_text {
        MIN_LOGIT_OF_TEXT
    } else {
        MIN_LOGIT
    };
    fits && reads_on(said, next, least) && !line::is_apart(next)
}

fn is_prose(line: &[char]) -> bool {
    line.iter().any(|c| matches!(c, '，' | '。' | '、' | '；'))
}

fn reads_on(said: &[char], next: &[char], least: f32) -> bool {
    if matches!(said.last(), Some('，' | '、' | ',')) {
        return true;
    }
    seams::reads_on(said, next, least)
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::paragraphs;

    #[test]
    fn lines_at_the_edge_go_on_with_a_paragraph_that_is_set_off() {
        let page = "城区停水通知\n　　因供水主管道改造，定于4月22日22时\n至23日6时，对人民路以南区域实施停水。\n　　停水期间，请储备\n生活用水。\n东江大桥通车\n　　东江大桥今天通车。";
        assert_eq!(
            paragraphs(page),
            [
                "城区停水通知",
                "因供水主管道改造，定于4月22日22时至23日6时，对人民路以南区域实施停水。",
                "停水期间，请储备生活用水。",
                "东江大桥通车",
                "东江大桥今天通车。"
            ]
        );
    }

    #[test]
    fn what_is_no_paragraph_stays_apart() {
        for page in [
            "　　东江大桥通车\n市民参观",
            "　　大桥今天通车，\n　　市民参观。",
            "　　大桥今天通车，\n\n市民参观。",
            "　　大桥今天通车，市民参观\n本报讯（记者 何田）水利工程昨天开工。",
            "　　会议要求，各地要\n一、加固大堤，二、清理河道。",
        ] {
            assert!(paragraphs(page).len() > 1, "{page}");
        }
    }
}
