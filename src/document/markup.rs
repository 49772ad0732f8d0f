//! Markup in text: HTML is read as it stands, and the record says so; what marks a line in Markdown is no part of it.

use super::Span;
use crate::text::patterns::PATTERNS;

/// What is looked at of a text.
const MAX_CHARS: usize = 20_000;
/// An article about HTML may name some.
const MIN_TAGS: usize = 6;

/// Whether text looks like a web page's source, or a piece of one: a text about `<p>` does not begin with it.
pub fn is_html(text: &[char]) -> bool {
    let head: String = text.iter().take(MAX_CHARS).collect();
    let first = head.trim_start();
    let mut tags = PATTERNS.html_tag.find_iter(first);
    let opens = tags.next().is_some_and(|tag| tag.start() == 0);
    tags.nth(if opens { 0 } else { MIN_TAGS - 2 }).is_some()
}

/// Whether text looks like JSON, on one line or many.
pub fn is_json(text: &[char]) -> bool {
    // Asked of every document: nearly all of them are none.
    let first = text.iter().find(|c| !c.is_whitespace());
    let head = || text.iter().take(MAX_CHARS).collect::<String>();
    matches!(first, Some('{' | '[')) && PATTERNS.json_object.is_match(&head())
}

/// The words of a heading or of an emphasised line, without what marks it in Markdown: `## 大桥通车`, `**大桥通车**`.
/// A line of nothing but marks is as it was.
pub fn without_markdown(text: &[char], line: Span) -> Span {
    let opening = |span: Span, mark: char| span.of(text).iter().take_while(|&&c| c == mark).count();
    let closing = |span: Span, mark: char| {
        let backwards = span.of(text).iter().rev();
        backwards.take_while(|&&c| c == mark).count()
    };
    let mut words = line;
    let hashes = opening(words, '#');
    if (1..=6).contains(&hashes) && words.of(text).get(hashes) == Some(&' ') {
        words = Span::new(words.start + hashes, words.end - closing(words, '#')).trimmed(text);
    }
    for (mark, least) in [('*', 1), ('_', 2)] {
        let marks = opening(words, mark);
        if marks < least || marks != closing(words, mark) || 2 * marks >= words.len() {
            continue;
        }
        let inner = Span::new(words.start + marks, words.end - marks);
        if !inner.of(text).contains(&mark) {
            words = inner.trimmed(text);
        }
    }
    if words.is_empty() { line } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_source(text: &str) -> bool {
        is_html(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn a_pages_source_is_told_from_text() {
        let source =
            "<html><body class=\"news\"><h1>东江大桥通车</h1>\n<p>大桥今天通车。</p><br/></BODY>";
        assert!(is_source(source));
        assert!(is_source("\n<p>大桥今天通车。</p>"));
        for text in [
            "东江大桥通车\n大桥今天通车。",
            "温度 <5℃ 且 >0℃，p<0.05，a<b>c，如 <p> 与 <div> 两个标签。",
            "<东江日报><大桥><通车><今天><上午><十时>",
        ] {
            assert!(!is_source(text), "{text}");
        }
    }

    #[test]
    fn json_is_told_from_text() {
        let is_json = |text: &str| is_json(&text.chars().collect::<Vec<_>>());
        assert!(is_json("{\"id\": 1, \"text\": \"大桥今天通车。\"}\n"));
        assert!(is_json("[\n  {\n    \"title\": \"大桥通车\""));
        assert!(!is_json("[1]大桥今天通车。"));
        assert!(!is_json("{\"大桥\"}今天通车。"));
    }
}
