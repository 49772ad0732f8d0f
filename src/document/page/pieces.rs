//! What of a line is its text: breaks of a fixed width and spaces that OCR put in are left out.

use crate::document::Span;
use crate::document::sentence::line_spans;
use crate::text::fold::{is_han, is_wide};

/// The parts of a line that make its text: breaks of a fixed width, and spaces that OCR put between Chinese characters, are
/// left out.
///
/// A line counts as spaced out when four in ten of its neighbouring Chinese characters are apart; a space
/// between two names or two decks in an ordinary line stays, and so do those of a list of names or words.
pub fn pieces(text: &[char], span: Span) -> Vec<Span> {
    line_spans(text, span)
        .map(|line| line.trimmed(text))
        .filter(|line| !line.is_empty())
        .flat_map(|line| pieces_of_line(text, line))
        .collect()
}

fn pieces_of_line(text: &[char], span: Span) -> Vec<Span> {
    let slice = span.of(text);
    let (mut together, mut apart) = (0usize, 0usize);
    let mut previous: Option<(usize, char)> = None;
    for (i, &c) in slice.iter().enumerate().filter(|(_, c)| !c.is_whitespace()) {
        if let Some((at, before)) = previous
            && is_han(before)
            && is_han(c)
        {
            // Wider gaps are columns of a table.
            match i - at {
                1 => together += 1,
                2 => apart += 1,
                _ => {}
            }
        }
        previous = Some((i, c));
    }
    if apart < 3 || apart * 10 < (apart + together) * 4 || is_list(slice) {
        return vec![span];
    }
    let mut out: Vec<Span> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < slice.len() {
        if !slice[at].is_whitespace() {
            at += 1;
            continue;
        }
        let gap = at;
        while at < slice.len() && slice[at].is_whitespace() {
            at += 1;
        }
        if at < slice.len() && (is_wide(slice[gap - 1]) || is_wide(slice[at])) {
            out.push(Span::new(start, gap).shifted(span.start));
            start = at;
        }
    }
    out.push(Span::new(start, slice.len()).shifted(span.start));
    out
}

/// Whether what white space separates are names or words: hardly any of them is a single character, and no mark of prose stands
/// among them.
fn is_list(line: &[char]) -> bool {
    let parts = line.split(|c| c.is_whitespace());
    let han = parts.map(|part| part.iter().filter(|&&c| is_han(c)).count());
    let (single, all) = han.fold((0, 0), |(single, all), han| {
        (single + usize::from(han == 1), all + usize::from(han > 0))
    });
    let is_prose = line.iter().any(|c| matches!(c, '，' | '。' | ',' | '；'));
    single * 4 < all && !is_prose
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_spaces_that_ocr_put_in() {
        let text: Vec<char> = "全 省 工 业 经 济 GDP growth 增 长".chars().collect();
        let joined: String = pieces(&text, Span::new(0, text.len()))
            .into_iter()
            .map(|p| p.text(&text))
            .collect();
        assert_eq!(joined, "全省工业经济GDP growth增长");
        for list in [
            "林小满 何田 出席会议",
            "（记者 何田 通讯员 林小满 文/图）",
            "三等奖 白石 林知远 何晓禾",
        ] {
            let list: Vec<char> = list.chars().collect();
            assert_eq!(pieces(&list, Span::new(0, list.len())).len(), 1);
        }
        let words: Vec<char> = "东江 大桥 正式 通车，市民 高兴。".chars().collect();
        assert_eq!(pieces(&words, Span::new(0, words.len())).len(), 5);
    }
}
