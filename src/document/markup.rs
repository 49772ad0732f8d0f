//! Text that is a web page's source: it is read as it stands, and the record says so.

use crate::text::patterns::PATTERNS;

/// What is looked at of a text.
const MAX_CHARS: usize = 20_000;
/// An article about HTML may name some.
const MIN_TAGS: usize = 6;

/// Whether text looks like a web page's source.
pub fn is_html(text: &[char]) -> bool {
    let head: String = text.iter().take(MAX_CHARS).collect();
    PATTERNS
        .html_tag
        .find_iter(&head)
        .nth(MIN_TAGS - 1)
        .is_some()
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
        for text in [
            "东江大桥通车\n大桥今天通车。",
            "温度 <5℃ 且 >0℃，p<0.05，a<b>c，如 <p> 与 <div> 两个标签。",
            "<东江日报><大桥><通车><今天><上午><十时>",
        ] {
            assert!(!is_source(text), "{text}");
        }
    }
}
