//! What a scan or a layout program put between characters that are one line: a blank behind every character, the line end behind an
//! initial that is printed larger than its text (`离`, and below it `毕业还有半年`).
//!
//! Both hide what patterns look for (`本 报 记 者`, `本` above `报讯`), so they are taken out before anything else is asked.

use super::relaid::Relaid;
use super::seams;
use crate::document::Span;
use crate::document::sentence::line_spans;
use crate::text::fold::is_han;

/// Characters of a line from which on it says how a page is spaced.
const MIN_CHARS: usize = 8;
/// Such lines of a page that is.
const MIN_LINES: usize = 3;
/// What stands below a large initial has so many characters at least.
const MIN_BELOW: usize = 8;

/// The page without them, if there are any.
pub(super) fn relaid(text: &[char]) -> Option<Relaid> {
    let lines: Vec<Span> = line_spans(text, Span::new(0, text.len())).collect();
    let spaced = is_spaced_out(text, &lines);
    let mut out = Relaid::default();
    let mut found = spaced;
    for (i, &line) in lines.iter().enumerate() {
        let end = if is_initial(text, &lines, i) {
            found = true;
            line.trimmed(text).end
        } else {
            line.end
        };
        if spaced {
            push_close(text, Span::new(line.start, end), &mut out);
        } else {
            out.push(text, Span::new(line.start, end));
        }
        // A line end that is written out stands in no line.
        if end == line.end && lines.get(i + 1).is_some_and(|next| next.start > line.end) {
            out.push(text, Span::new(line.end, lines[i + 1].start));
        }
    }
    found.then_some(out)
}

/// Whether most lines have a blank behind nearly every character.
fn is_spaced_out(text: &[char], lines: &[Span]) -> bool {
    let (mut all, mut spaced) = (0, 0);
    for line in lines {
        let line = line.trimmed(text).of(text);
        let said = line.iter().filter(|c| !c.is_whitespace()).count();
        if said >= MIN_CHARS {
            all += 1;
            let alone = line
                .windows(3)
                .filter(|near| is_blank_between(near))
                .count();
            spaced += usize::from(5 * alone >= 4 * (said - 1));
        }
    }
    spaced >= MIN_LINES && 2 * spaced > all
}

/// A single blank, and none beside it.
fn is_blank_between(near: &[char]) -> bool {
    matches!(near, [a, blank, b] if blank.is_whitespace() && !a.is_whitespace() && !b.is_whitespace())
}

/// A line without its single blanks, but those between Latin words.
fn push_close(text: &[char], line: Span, out: &mut Relaid) {
    let mut start = line.start;
    for at in line.start + 1..line.end.saturating_sub(1) {
        let near = &text[at - 1..at + 2];
        let is_word = near[0].is_ascii_alphabetic() && near[2].is_ascii_alphabetic();
        if is_blank_between(near) && near[1] != '\u{3000}' && !is_word {
            out.push(text, Span::new(start, at));
            start = at + 1;
        }
    }
    out.push(text, Span::new(start, line.end));
}

/// A line of one character that reads on in the longer one below it, and stands in no headline that is printed from top to bottom.
fn is_initial(text: &[char], lines: &[Span], i: usize) -> bool {
    let said = |i: usize| {
        lines
            .get(i)
            .map_or(&[][..], |line| line.trimmed(text).of(text))
    };
    let [initial] = said(i) else {
        return false;
    };
    let below = said(i + 1);
    let is_short = |line: &[char]| (1..=2).contains(&line.len());
    let is_vertical = i > 0 && is_short(said(i - 1)) || is_short(said(i + 2));
    let goes_on = match initial {
        // `1`, and below it `1月8日`: not the page's number.
        c if c.is_ascii_digit() => below
            .first()
            .is_some_and(|c| c.is_ascii_digit() || "月日年".contains(*c)),
        // The number of a section, or `一列`.
        c if "一二三四五六七八九十上中下".contains(*c) => {
            seams::reads_on(&[*c], below, 1.0)
        }
        c => is_han(*c) && seams::reads_on(&[*c], below, -1.0),
    };
    let marks = |line: &[char]| line.iter().any(|c| "，。：、；（“".contains(*c));
    let is_text = marks(below) || marks(said(i + 2));
    // The last character of a headline that a width broke reads on from what stands above it.
    let is_rest = i > 0 && !said(i - 1).is_empty() && {
        let (above, here) = seams::sides(said(i - 1), &[*initial]);
        let (_, below) = seams::sides(&[], below);
        let reads_on = seams::logit(&above, &here);
        seams::word(&above, &here) > 0 || reads_on > 0.5 && reads_on > seams::logit(&here, &below)
    };
    let next = lines.get(i + 1).and_then(|line| line.of(text).first());
    let is_indented = next.is_some_and(|c| c.is_whitespace());
    goes_on && !is_indented && !is_vertical && !is_rest && below.len() >= MIN_BELOW && is_text
}

#[cfg(test)]
mod tests {
    use super::super::repair::NoContinuation;
    use super::super::{Article, Layout, split};

    const BODY: &str = "今天上午，首列农产品专列从东江港驶出，预计十六天后抵达。专列共有四十六个冷藏集装箱，货值约二千一百万元，司机何田说，烧柴油每公里三块二。";

    fn read(text: &[char]) -> Article {
        let page = split(text, Layout::Auto, &NoContinuation);
        page.articles.into_iter().next().unwrap()
    }

    fn wrapped(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let lines: Vec<String> = chars.chunks(16).map(|line| line.iter().collect()).collect();
        lines.join("\n")
    }

    #[test]
    fn blanks_behind_every_character_are_no_text() {
        let spaced = |line: &str| -> String {
            line.chars()
                .flat_map(|c| [c, ' '])
                .collect::<String>()
                .trim_end()
                .to_owned()
        };
        let page = format!("东江港开出首列专列\n本报记者 何田\n{}", wrapped(BODY));
        let page: Vec<String> = page.lines().map(spaced).collect();
        let text: Vec<char> = page.join("\n").chars().collect();
        let article = read(&text);
        assert_eq!(article.title, "东江港开出首列专列");
        assert_eq!(article.byline, ["本报记者 何田"]);
        assert_eq!(article.text.iter().collect::<String>(), BODY);
        let printed: Vec<char> = article
            .spans
            .iter()
            .flat_map(|span| span.of(&text))
            .copied()
            .collect();
        assert_eq!(printed, article.text);
    }

    #[test]
    fn a_large_initial_is_part_of_its_text() {
        for (initial, rest) in [
            ("离", "毕业还有半年，"),
            ("1", "1月8日清晨，"),
            ("一", "列满载苹果的专列，"),
        ] {
            let page = format!(
                "东江港开出首列专列\n本报记者 何田\n\n{initial}\n{}\n",
                wrapped(&format!("{rest}{BODY}"))
            );
            let text: Vec<char> = page.chars().collect();
            let article = read(&text);
            assert_eq!(
                article.text.iter().collect::<String>(),
                format!("{initial}{rest}{BODY}")
            );
        }
        let page = format!(
            "东江港开出首列专列\n本\n{}\n",
            wrapped(&format!("报讯（记者 何田）{BODY}"))
        );
        let text: Vec<char> = page.chars().collect();
        let article = read(&text);
        assert_eq!(article.byline, ["记者 何田"]);
        // A section's number, a page's number, a headline from top to bottom.
        for other in [
            "一\n大桥今天通车，市民走上大桥参观。",
            "3\n大桥今天通车，市民走上大桥参观。",
            "春\n耕\n大桥今天通车，市民走上大桥参观。",
            "第六届长三角一体化发展高层论坛举\n行\n论坛今天在东江举行，成果丰硕。",
            "四月的海陵，稻田画卷美如\n诗\n　　近日，海陵千亩水稻进入最佳观赏期。",
        ] {
            let text: Vec<char> = format!("东江大桥\n{BODY}\n{other}").chars().collect();
            assert!(super::relaid(&text).is_none(), "{other}");
        }
    }
}
