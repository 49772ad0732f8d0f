//! Lines of paragraphs that are set off by white space: what stands at the edge right below goes on with them.
//!
//! [`wrap`](super::wrap) puts lines together that are broken at one width. Beside a picture, in a few lines of a brief, or where
//! nothing is justified there is no such width; the white space before the first line of a paragraph says as much.

use super::line::{self, is_enumerated};
use super::seams;
use super::table::is_table_row;
use super::wrap::{INDENT, Printed};
use crate::document::sentence::{is_closing, is_terminal};
use crate::text::dateline::dateline_chars;
use crate::text::fold::{fold, folded_head};
use crate::text::patterns::PATTERNS;

/// Lines of paper are as long: a shorter one is a heading, a longer one a paragraph, which may be cut in mid-sentence.
const LINE_CHARS: std::ops::RangeInclusive<usize> = 6..=60;
/// Where everything else says so, characters need only not speak against it.
const MIN_LOGIT: f32 = -1.0;
/// What is looked at on each side of a line's end.
const SEAM_CHARS: usize = 8;

/// Marks the lines that go on with the one before, beside those that are marked already.
pub(super) fn mark(text: &[char], lines: &[Printed], continues: &mut [bool]) {
    let mut in_paragraph = false;
    for (i, pair) in lines.windows(2).enumerate() {
        let [above, below] = pair else { continue };
        in_paragraph = above.indent >= INDENT || continues[i] && in_paragraph;
        continues[i + 1] |= in_paragraph && goes_on(text, above, below);
    }
}

/// Whether a line at the edge is the next one of the paragraph above it.
fn goes_on(text: &[char], above: &Printed, below: &Printed) -> bool {
    let (said, next) = (above.span.of(text), below.span.of(text));
    let last = said.iter().rev().find(|&&c| !is_closing(c));
    let stops = last.is_some_and(|&c| is_terminal(c) || matches!(c, '…' | '：' | ':' | '；' | ';'));
    let is_prose = |line: &[char]| line.iter().any(|c| matches!(c, '，' | '。' | '、' | '；'));
    let fits = below.blank_before == 0
        && below.indent == 0
        && LINE_CHARS.contains(&said.len())
        && next.len() <= *LINE_CHARS.end()
        && !stops
        && (is_prose(said) || is_prose(next))
        && ![said, next].into_iter().any(is_table_row)
        && !is_enumerated(next);
    fits && reads_on(said, next) && !is_apart(next)
}

/// Begins a report, or is no text at all.
fn is_apart(next: &[char]) -> bool {
    let head = folded_head(next, line::PATTERN_CHARS);
    let patterns = [&PATTERNS.furniture, &PATTERNS.byline];
    dateline_chars(&head) > 0 || patterns.iter().any(|pattern| pattern.is_match(&head))
}

fn reads_on(said: &[char], next: &[char]) -> bool {
    if matches!(said.last(), Some('，' | '、' | ',')) {
        return true;
    }
    let left = fold(&said[said.len().saturating_sub(SEAM_CHARS)..]);
    let right = fold(&next[..next.len().min(SEAM_CHARS)]);
    seams::word(&left, &right) > 0 || seams::logit(&left, &right) > MIN_LOGIT
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::lines;

    fn paragraphs(text: &str) -> Vec<String> {
        let text: Vec<char> = text.chars().collect();
        let lines = lines(&text).into_iter();
        lines
            .map(|line| line.span.text(&text).replace('\n', ""))
            .collect()
    }

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
