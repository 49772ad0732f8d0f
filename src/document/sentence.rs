//! Text → sentences. The law: sentences are disjoint, in order, and every character outside them is white space,
//! invisible, or [stands in](super::blank) for white space.

use super::Span;
use super::blank::{stand_in, written_line_end};
use super::table::is_table_row;
use crate::text::fold::is_han;

/// A sentence longer than this is cut at the last clause mark before it: input without a full stop must not
/// become one endless sentence.
pub const MAX_SENTENCE_CHARS: usize = 600;
/// A quotation may hold full stops without ending the sentence, up to this length.
const MAX_QUOTATION_CHARS: usize = 200;

/// Splits `text`, whose line ends are paragraph ends, into sentences.
///
/// Full stops inside quotation marks or brackets do not end a sentence (`他说：“……。”` is one), closing marks
/// stay with the sentence they close, and a line end always ends one.
pub fn sentences(text: &[char]) -> Vec<Span> {
    let mut out = Vec::new();
    for line in line_spans(text, Span::new(0, text.len())) {
        split_paragraph(text, line, &mut out);
    }
    out
}

/// The lines of a part of the text, each with its line end; one that is written out stands in no line.
pub fn line_spans(text: &[char], part: Span) -> impl Iterator<Item = Span> {
    let mut next = part.start;
    std::iter::from_fn(move || {
        let start = next;
        if start >= part.end {
            return None;
        }
        for at in start..part.end {
            if is_line_end(text[at]) {
                next = at + 1;
                return Some(Span::new(start, next));
            }
            if let Some(len) = written_line_end(text, Span::new(at, part.end)) {
                next = at + len;
                return Some(Span::new(start, at));
            }
        }
        next = part.end;
        Some(Span::new(start, part.end))
    })
}

/// Characters that end a line, beside `\n`: form feed and vertical tab (pages of PDF text), Unicode separators.
pub fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether `c` ends a sentence wherever it stands.
pub fn is_terminal(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '!' | '?' | '｡')
}

/// Whether `c` closes a quotation or a bracket.
pub fn is_closing(c: char) -> bool {
    matches!(
        c,
        '”' | '’' | '」' | '』' | '）' | ')' | '》' | '〉' | '】' | '〕' | '］' | ']'
    )
}

fn closing_of(c: char) -> Option<char> {
    Some(match c {
        '“' => '”',
        '‘' => '’',
        '「' => '」',
        '『' => '』',
        '（' => '）',
        '(' => ')',
        '《' => '》',
        '【' => '】',
        '〔' => '〕',
        _ => return None,
    })
}

fn split_paragraph(text: &[char], line: Span, out: &mut Vec<Span>) {
    if is_row(text, line) {
        push(text, line, out);
        return;
    }
    let mut start = line.start;
    let mut at = line.start;
    // One pending closing mark per open bracket, and where its quotation began.
    let mut open: Vec<(char, usize)> = Vec::new();
    // Where full stops are of full width, those of half width stand in names: 史蒂芬.霍金, 首席执行官Dr. Lim. A sentence in Latin
    // letters has no other.
    let is_wide = line.of(text).contains(&'。');
    let has_han = |start: usize, at: usize| text[start..at].iter().copied().any(is_han);
    while at < line.end {
        // Lost blanks end a sentence: they indented a paragraph, or a full stop stands before them.
        if let Some(blanks) = stand_in(text, Span::new(at, line.end)) {
            push(text, Span::new(start, at), out);
            at += blanks;
            start = at;
            open.clear();
            continue;
        }
        let c = turned(text, line, at).unwrap_or(text[at]);
        if let Some(closing) = opening(text, line, (at, c), &open) {
            open.push((closing, at));
        } else if (is_closing(c) || c == '"')
            && let Some(depth) = open.iter().rposition(|&(closing, _)| same_mark(closing, c))
        {
            open.truncate(depth);
        }
        at += 1;
        // A quotation that never closes must not swallow the rest of the paragraph.
        if open
            .first()
            .is_some_and(|&(_, from)| at - from > MAX_QUOTATION_CHARS)
        {
            open.remove(0);
        }
        let ends = is_terminal(c)
            || is_latin_full_stop(text, line, at - 1) && !(is_wide && has_han(start, at))
            || is_narrow_full_stop(text, line, start, at - 1) && !is_wide
            || is_closed_quotation(text, start, at);
        if ends && closes_after(text, line, at, &open) && !goes_on(text, line, at) {
            while at < line.end
                && at - start < MAX_SENTENCE_CHARS
                && (is_terminal(text[at]) || is_closing(text[at]) || matches!(text[at], '…' | '"'))
                && stand_in(text, Span::new(at, line.end)).is_none()
            {
                at += 1;
            }
            open.clear();
            push(text, Span::new(start, at), out);
            start = at;
        } else if at - start >= MAX_SENTENCE_CHARS {
            let cut = text[start..at]
                .iter()
                .rposition(|c| matches!(c, '；' | ';' | '，' | ',' | '、'));
            let cut = cut.filter(|&cut| cut > 0).map_or(at, |cut| start + cut + 1);
            push(text, Span::new(start, cut), out);
            (start, at) = (cut, cut);
            open.clear();
        }
    }
    push(text, Span::new(start, line.end), out);
}

/// A row of a table, whatever white space stands between its cells, is one sentence: alone none says anything.
fn is_row(text: &[char], line: Span) -> bool {
    let row = line.trimmed(text).of(text);
    is_table_row(row) && !row.iter().any(|&c| is_terminal(c))
}

/// The mark that closes what `c`, read at `at`, opens. A straight quotation mark opens when none is open; after a digit
/// it is an inch.
fn opening(
    text: &[char],
    line: Span,
    (at, c): (usize, char),
    open: &[(char, usize)],
) -> Option<char> {
    if c != '"' {
        return closing_of(c);
    }
    // It closes a curved one that nothing else does: `“危险"`, but not in `“所谓"危险"”`.
    let ahead = &text[at + 1..line.end.min(at + 1 + MAX_QUOTATION_CHARS)];
    let is_open = open.iter().any(|&(closing, _)| closing == '”');
    if is_open && ahead.iter().find(|c| matches!(c, '“' | '”')) != Some(&'”') {
        return None;
    }
    let inch = at > line.start && text[at - 1].is_ascii_digit();
    (!inch && open.iter().all(|&(closing, _)| closing != '"')).then_some('"')
}

/// The closing mark in whose place an opening one stands: `再次”拒绝“。`
fn turned(text: &[char], line: Span, at: usize) -> Option<char> {
    let next = text.get(at + 1).filter(|_| at + 1 < line.end);
    let ends = next.is_none_or(|&c| matches!(c, '。' | '，' | '、' | '；'));
    closing_of(text[at]).filter(|_| ends && matches!(text[at], '“' | '‘'))
}

/// All open quotations are closed by the marks that follow directly (or none is open). A bracket or a title in
/// 《》 that is still open ends the sentence only at the end of the line: `话剧《谁先觉醒？》上演`.
fn closes_after(text: &[char], line: Span, at: usize, open: &[(char, usize)]) -> bool {
    let mut left = open.len();
    let mut next = at;
    let mut bracket = false;
    while left > 0
        && next < line.end
        && (is_closing(text[next]) || is_terminal(text[next]) || text[next] == '"')
    {
        if same_mark(open[left - 1].0, text[next]) {
            bracket |= !matches!(text[next], '”' | '’' | '」' | '』' | '"');
            left -= 1;
        }
        next += 1;
    }
    left == 0 && !(bracket && next < line.end)
}

/// The sentence goes on after an exclamation in quotation marks: `高喊“加油！”的口号`.
fn goes_on(text: &[char], line: Span, at: usize) -> bool {
    let mut next = at;
    while next < line.end && (is_terminal(text[next]) || is_closing(text[next])) {
        next += 1;
    }
    let quoted = next > at && matches!(text[next - 1], '”' | '’' | '」' | '』')
        || next == at && at > line.start && matches!(text[at - 1], '”' | '’' | '」' | '』');
    let stop = text[line.start..next].iter().rfind(|&&c| is_terminal(c));
    quoted
        && next < line.end
        && match text[next] {
            '的' | '地' | '等' | '之' | '，' | '、' => true,
            // After a full stop, what begins with these is another sentence.
            '这' | '为' => stop != Some(&'。'),
            _ => false,
        }
}

/// `“……。”` has just been closed and a new sentence begins: the full stop stood inside.
fn is_closed_quotation(text: &[char], start: usize, at: usize) -> bool {
    at >= start + 2 && matches!(text[at - 1], '”' | '」' | '』' | '"') && is_terminal(text[at - 2])
}

/// `.` ends a sentence after a letter or a Chinese character and before a space or the end of the line.
fn is_latin_full_stop(text: &[char], line: Span, at: usize) -> bool {
    matches!(text[at], '.' | '．')
        && at > line.start
        && text[at - 1].is_alphabetic()
        && text.get(at + 1).filter(|_| at + 1 < line.end).is_none_or(|next| next.is_whitespace())
        // Initials: "J. Smith"
        && !(at >= line.start + 2 && text[at - 1].is_ascii_uppercase() && !text[at - 2].is_alphabetic())
}

/// `.` in place of `。`, as texts in half-width marks have it: between Chinese characters, and not after a number or label
/// (`一.总则`).
fn is_narrow_full_stop(text: &[char], line: Span, start: usize, at: usize) -> bool {
    const MAX_LABEL_CHARS: usize = 4;
    let next = text[at + 1..line.end].first();
    matches!(text[at], '.' | '．')
        && at - start > MAX_LABEL_CHARS
        && (is_han(text[at - 1]) || is_closing(text[at - 1]))
        && next.is_none_or(|&c| {
            is_han(c) || closing_of(c).is_some() || is_closing(c) || matches!(c, '"')
        })
}

/// Whether `b` closes what `a` would; a straight quotation mark closes a curved one too.
fn same_mark(a: char, b: char) -> bool {
    a == b || matches!((a, b), ('）', ')') | (')', '）') | ('”', '"'))
}

fn push(text: &[char], span: Span, out: &mut Vec<Span>) {
    let span = span.trimmed(text);
    if !span.is_empty() {
        out.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        sentences(&chars)
            .into_iter()
            .map(|s| s.text(&chars))
            .collect()
    }

    #[test]
    fn a_quotation_stays_in_one_piece() {
        assert_eq!(
            split("他说：“今年丰收了。明年再来。”大家鼓掌。"),
            ["他说：“今年丰收了。明年再来。”", "大家鼓掌。"]
        );
        assert_eq!(
            split("会议提出“三个坚持”。要求落实！"),
            ["会议提出“三个坚持”。", "要求落实！"]
        );
        assert_eq!(
            split("真的吗？！真的……”他说。"),
            ["真的吗？！", "真的……”他说。"]
        );
    }

    #[test]
    fn a_mark_that_is_turned_the_wrong_way_opens_nothing() {
        assert_eq!(
            split("对方说”不可能“。他当场道歉。他说：“我错了。”"),
            ["对方说”不可能“。", "他当场道歉。", "他说：“我错了。”"]
        );
    }

    #[test]
    fn a_sentence_may_begin_with_what_can_go_on_with_a_shout() {
        assert_eq!(
            split("他说：“大桥通车了。”得到消息，市民来了。他说：“真好。”这是他的话。"),
            [
                "他说：“大桥通车了。”",
                "得到消息，市民来了。",
                "他说：“真好。”",
                "这是他的话。"
            ]
        );
        assert_eq!(split("“加油！”这样的口号响起。").len(), 1);
    }

    #[test]
    fn titles_and_shouts_inside_a_sentence_do_not_end_it() {
        assert_eq!(
            split("话剧《谁先觉醒？》上演。全场高喊“加油！”的口号声响起。"),
            ["话剧《谁先觉醒？》上演。", "全场高喊“加油！”的口号声响起。"]
        );
        assert_eq!(
            split("他说:\"今年丰收了。明年再来。\"大家鼓掌。"),
            ["他说:\"今年丰收了。明年再来。\"", "大家鼓掌。"]
        );
        assert_eq!(
            split("连连惊呼“危险\"。大家鼓掌。"),
            ["连连惊呼“危险\"。", "大家鼓掌。"]
        );
        assert_eq!(
            split("他说：“所谓\"低空经济\"，前景很好。”市民鼓掌。论坛举行。").len(),
            3
        );
        assert_eq!(
            split("增长７．２％，达９．８万亿元。"),
            ["增长７．２％，达９．８万亿元。"]
        );
    }

    #[test]
    fn decimals_and_initials_are_not_full_stops() {
        assert_eq!(
            split("增长7.2%，J. Smith said so. 完"),
            ["增长7.2%，J. Smith said so.", "完"]
        );
        assert_eq!(
            split(
                "苹果公司（Apple Inc.）昨天发布新品。He said yes. 首席执行官Dr. Lim在U.S. 市场发布新品。"
            ),
            [
                "苹果公司（Apple Inc.）昨天发布新品。",
                "He said yes.",
                "首席执行官Dr. Lim在U.S. 市场发布新品。"
            ]
        );
    }

    #[test]
    fn half_width_full_stops_end_sentences() {
        assert_eq!(
            split("大桥今天正式通车.市民走上大桥.“我们等了很久.”他说,C.罗也来了,3.5万人到场."),
            [
                "大桥今天正式通车.",
                "市民走上大桥.",
                "“我们等了很久.”",
                "他说,C.罗也来了,3.5万人到场."
            ]
        );
        assert_eq!(split("一.总则部分.").len(), 1);
        assert_eq!(split("著名物理学家史蒂芬.霍金的塑像落成。").len(), 1);
    }

    #[test]
    fn a_row_of_a_table_is_one_sentence() {
        let row = "东江指数　　　2887.54　　－1.42%";
        assert_eq!(
            split(&format!("收盘一览。\n{row}\n1 东江海鹰 11 8 1 2 25")),
            ["收盘一览。", row, "1 东江海鹰 11 8 1 2 25"]
        );
    }

    #[test]
    fn a_line_end_that_is_written_out_is_one() {
        assert_eq!(
            split(r"大桥通车\n\n  记者昨日获悉，大桥通车。\n10日起收费\n"),
            ["大桥通车", "记者昨日获悉，大桥通车。", "10日起收费"]
        );
        assert_eq!(split(r"其中 \nu 为频率。").len(), 1);
        let text: Vec<char> = r"一\n\n二".chars().collect();
        let lines: Vec<String> = line_spans(&text, Span::new(0, text.len()))
            .map(|line| line.text(&text))
            .collect();
        assert_eq!(lines, ["一", "", "二"]);
    }

    #[test]
    fn a_quotation_that_never_closes_ends_with_its_bound() {
        let text = format!("“{}。后面还有一句。", "长".repeat(MAX_QUOTATION_CHARS + 5));
        assert_eq!(split(&text).len(), 2);
    }

    #[test]
    fn an_endless_sentence_is_cut() {
        let text = "没有句号，".repeat(1000);
        assert!(
            split(&text)
                .iter()
                .all(|s| s.chars().count() <= MAX_SENTENCE_CHARS)
        );
    }

    #[test]
    fn question_marks_in_place_of_blanks_are_in_no_sentence() {
        assert_eq!(
            split("大桥通车。? ? ? ?市民走上大桥。?他说：“真的吗?真的！”????大家鼓掌。??"),
            [
                "大桥通车。",
                "市民走上大桥。",
                "他说：“真的吗?真的！”",
                "大家鼓掌。"
            ]
        );
    }

    proptest! {
        #[test]
        fn sentences_cover_all_that_is_not_space(text in r"[一二。！？”“‘’（） ,.a-z\n…；?\\]{0,200}") {
            let chars: Vec<char> = text.chars().collect();
            let spans = sentences(&chars);
            let mut at = 0;
            for span in spans.into_iter().chain([Span::new(chars.len(), chars.len())]) {
                prop_assert!(span.start >= at && (!span.is_empty() || span.start == chars.len()));
                while at < span.start {
                    let blank = usize::from(chars[at].is_whitespace());
                    let len = stand_in(&chars, Span::new(at, chars.len())).unwrap_or(blank);
                    prop_assert!(len > 0, "{} of {:?}", at, &text);
                    at += len;
                }
                at = span.end.max(at);
            }
        }
    }
}
