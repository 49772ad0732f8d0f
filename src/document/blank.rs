//! What stands in texts in place of line ends and white space: line ends that are written out, indents of paragraphs that lost
//! theirs, question marks for blanks that a conversion lost.

use super::Span;
use super::sentence::{is_closing, is_line_end};

/// Length of what the part of the text begins with instead of white space; `None` when that is something else.
pub fn stand_in(text: &[char], part: Span) -> Option<usize> {
    written_line_end(text, part)
        .or_else(|| indent(part.of(text)))
        .or_else(|| lost_blanks(text, part))
}

/// Length of two blanks of full width or more: a paragraph is indented so, whose line end was lost.
fn indent(text: &[char]) -> Option<usize> {
    let blanks = text.iter().take_while(|&&c| c == '\u{3000}').count();
    (blanks >= 2).then_some(blanks)
}

/// Length of a line end that is written out (`\n`, a backslash and an n, as texts that were escaped twice have it).
pub fn written_line_end(text: &[char], part: Span) -> Option<usize> {
    let len = match part.of(text) {
        ['\\', 'r', '\\', 'n', ..] => 4,
        ['\\', 'n', ..] => 2,
        _ => return None,
    };
    let rest = &text[part.start + len..part.end];
    let word: String = rest
        .iter()
        .take_while(|c| c.is_ascii_lowercase())
        .take(MAX_COMMAND_CHARS)
        .collect();
    // `\nabla` is a letter of a formula, `C:\news` a folder.
    let before = part.start.checked_sub(1).map(|before| text[before]);
    let is_folder = before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '\\'));
    let is_word = !word.is_empty() && (is_folder || COMMANDS.contains(&word.as_str()));
    (!is_word).then_some(len)
}

/// What formulas have behind `\n`.
const COMMANDS: [&str; 9] = ["u", "e", "i", "abla", "eq", "ot", "otin", "mid", "ewline"];
const MAX_COMMAND_CHARS: usize = 8;

/// Length of question marks, white space among them included, that a conversion put in place of blanks it did not know
/// (`完工。? ? ? ?当天，…`, as GBK has none that does not break).
///
/// A question mark of half width asks nothing behind a full stop of full width, nor when many stand with blanks among them.
fn lost_blanks(text: &[char], part: Span) -> Option<usize> {
    let run = part.of(text);
    // Asked at every character: nearly all of them are none.
    if run.first() != Some(&'?') {
        return None;
    }
    let run = run.iter();
    let run = run.take_while(|&&c| c == '?' || c.is_whitespace() && !is_line_end(c));
    let (mut marks, mut len, mut apart) = (0, 0, false);
    for (at, _) in run.enumerate().filter(|(_, c)| **c == '?') {
        apart |= at > len;
        marks += 1;
        len = at + 1;
    }
    let before = text[..part.start].iter().rev();
    let before = before
        .take(MAX_BLANKS)
        .find(|&&c| !c.is_whitespace() || is_line_end(c));
    let asks = match before {
        None | Some('。' | '！' | '？' | '；' | '：' | '…') => false,
        Some(&c) if is_line_end(c) => false,
        Some(&c) if is_closing(c) => marks < 3 && !apart,
        Some(_) => marks < 5 && !(apart && marks >= 3),
    };
    (!asks).then_some(len)
}

/// White space that is looked back over.
const MAX_BLANKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn opens_with(before: &str, rest: &str) -> Option<usize> {
        let text: Vec<char> = format!("{before}{rest}").chars().collect();
        stand_in(&text, Span::new(before.chars().count(), text.len()))
    }

    #[test]
    fn question_marks_that_ask_nothing_are_blanks() {
        for (before, blanks) in [
            ("大桥通车。", "?"),
            ("大桥通车。", "? ?? ?"),
            ("大桥通车！ ", "????"),
            ("", "??"),
            ("称为“大桥”", "? ? ?"),
            ("称为“大桥”", "????"),
            ("大桥通车", "? ? ? ?"),
        ] {
            let len = blanks.chars().count();
            assert_eq!(opens_with(before, &format!("{blanks}市民")), Some(len));
            assert_eq!(opens_with(before, &format!("{blanks} 市民")), Some(len));
        }
    }

    #[test]
    fn an_indent_is_a_line_end() {
        assert_eq!(opens_with("大桥通车", "　　市民"), Some(2));
        assert_eq!(opens_with("大桥通车", "　市民"), None);
    }

    #[test]
    fn question_marks_that_ask_are_none() {
        for (before, rest) in [
            ("大桥通车了吗", "?市民"),
            ("大桥通车了吗", "???市民"),
            ("什么叫“静”", "?市民"),
            ("大桥通车了吗", "? 市民"),
            ("大桥通车。", " ?"),
            ("大桥通车。", "？"),
            ("大桥通车。", "市民?"),
            ("大桥通车!", "?"),
        ] {
            assert_eq!(opens_with(before, rest), None, "{before}{rest}");
        }
    }
}
