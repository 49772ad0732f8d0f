//! What stands in a line and is a line of its own: a headline in brackets, where an article goes on, the title that it had
//! elsewhere.

use super::line::{MAX_HEADLINE_CHARS, PATTERN_CHARS};
use super::printed::Printed;
use crate::document::Span;
use crate::document::article::before_site;
use crate::document::sentence::is_closing;
use crate::text::dateline::dateline_chars;
use crate::text::fold::folded_head;
use crate::text::patterns::PATTERNS;
use regex::Regex;

/// Shorter ones in brackets are labels (`【记者手记】`).
const MIN_BRACKETED_CHARS: usize = 7;
/// At either end of a paragraph, a longer jump line is none.
const JUMP_CHARS: usize = 24;
/// What is looked at of a line for what stands behind its last sentence.
const END_MATTER_CHARS: usize = 260;

/// A text may open with the title that it had elsewhere (`原标题：大桥通车`): what says so is a line of its own, its brackets too.
pub(super) fn labelled(text: &[char], line: Printed) -> Vec<Printed> {
    let head = folded_head(line.span.of(text), PATTERN_CHARS);
    let Some(label) = PATTERNS.original_title.find(&head) else {
        return vec![line];
    };
    let said = line.span.start + label.as_str().chars().count();
    let in_brackets = label
        .as_str()
        .trim_start()
        .starts_with(['（', '(', '【', '[']);
    let closes = in_brackets && line.span.of(text).last().is_some_and(|&c| is_closing(c));
    let end = (line.span.end - usize::from(closes)).max(said);
    parted(text, &line, [said, end])
}

/// A web page's title may open a text: what stands behind it (`大桥通车_东江网`, `大桥通车_市民`) is no part of its headline.
pub(super) fn sited(text: &[char], line: Printed) -> Printed {
    let printed = line.span.of(text);
    if printed.len() > MAX_SITED_CHARS {
        return line;
    }
    let kept = before_site(printed, &PATTERNS.site);
    let kept = before_site(&printed[..kept], &PATTERNS.site_tag);
    let span = Span::new(line.span.start, line.span.start + kept).trimmed(text);
    Printed { span, ..line }
}

/// A longer line is no web page's title.
const MAX_SITED_CHARS: usize = 80;

/// `【大桥今天通车】东江大桥…`: the headline that a paragraph opens with is a line of its own.
pub(super) fn headed(text: &[char], line: Printed) -> Vec<Printed> {
    let Some(close) = bracketed_headline(line.span.of(text)) else {
        return vec![line];
    };
    let middle = line.span.start + close;
    let headline = Span::new(line.span.start + 1, middle - 1).trimmed(text);
    let rest = Span::new(middle, line.span.end).trimmed(text);
    vec![
        Printed {
            span: headline,
            ..line
        },
        Printed {
            span: rest,
            blank_before: 0,
            ..line
        },
    ]
}

/// `…三十一个。（下转第二版）`, `（上接第一版）会议要求…`: where an article goes on is a line of its own; so is the title that it had
/// elsewhere (`（原标题：大桥通车）今天…`), and what a web page ends with (`…三十一个。(责任编辑：林小满)`).
pub(super) fn noted(text: &[char], line: Printed) -> Vec<Printed> {
    let printed = line.span.of(text);
    let tail = &printed[printed.len().saturating_sub(JUMP_CHARS)..];
    let found = |pattern: &Regex, part: &[char], most: usize| {
        let part = folded_head(part, most);
        let found = pattern.find(&part)?;
        Some(part[found.range()].chars().count())
    };
    let before = found(&PATTERNS.opening_jump, printed, JUMP_CHARS)
        .or_else(|| found(&PATTERNS.opening_note, printed, PATTERN_CHARS))
        .unwrap_or(0);
    let after = found(&PATTERNS.closing_jump, tail, JUMP_CHARS)
        .or_else(|| found(&PATTERNS.closing_web, tail, JUMP_CHARS))
        .unwrap_or(0)
        .max(end_matter(printed));
    let cuts = [before, printed.len() - after];
    if cuts[0] >= cuts[1] {
        return vec![line];
    }
    parted(text, &line, cuts.map(|cut| line.span.start + cut))
}

/// Length of what stands behind the last sentence of a web page's text: credits, declarations, rights.
fn end_matter(printed: &[char]) -> usize {
    let tail = &printed[printed.len().saturating_sub(END_MATTER_CHARS)..];
    let folded = folded_head(tail, END_MATTER_CHARS);
    let found = PATTERNS.end_matter.captures(&folded);
    let rest = found.and_then(|found| found.name("rest"));
    rest.map_or(0, |rest| rest.as_str().chars().count())
}

/// A line cut in two places, as lines of their own.
fn parted(text: &[char], line: &Printed, [start, end]: [usize; 2]) -> Vec<Printed> {
    let parts = [(line.span.start, start), (start, end), (end, line.span.end)];
    let parts = parts.map(|(start, end)| Span::new(start, end).trimmed(text));
    let mut blank_before = line.blank_before;
    let mut out = Vec::new();
    for span in parts.into_iter().filter(|span| !span.is_empty()) {
        out.push(Printed {
            span,
            blank_before,
            ..*line
        });
        blank_before = 0;
    }
    out
}

/// Length of a headline in brackets, them included, before a paragraph's prose.
fn bracketed_headline(line: &[char]) -> Option<usize> {
    if line.first() != Some(&'【') {
        return None;
    }
    let close = line
        .iter()
        .take(MAX_HEADLINE_CHARS)
        .position(|&c| c == '】')?
        + 1;
    let (head, prose) = (&line[1..close - 1], &line[close..]);
    let said = head.iter().filter(|c| !c.is_whitespace()).count();
    let is_headline = said >= MIN_BRACKETED_CHARS && !head.contains(&'。');
    let is_prose = prose.len() >= head.len() && prose.contains(&'。');
    let head = folded_head(line, close);
    (is_headline && is_prose && dateline_chars(&head) == 0 && !PATTERNS.byline.is_match(&head))
        .then_some(close)
}
