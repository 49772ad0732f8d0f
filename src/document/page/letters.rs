//! Letters to the editor: who signs below them.

use crate::document::{Article, Span};
use crate::text::fold::folded_head;
use crate::text::patterns::PATTERNS;

/// A longer line is no signature.
const MAX_SIGNATURE_CHARS: usize = 24;
/// What is looked at of a letter to see whom it addresses.
const SALUTATION_CHARS: usize = 24;

/// Who wrote a letter (`编辑同志：…`) stands below it: `读者 钱女士`, `东江机械厂 何田`. It is printed, not analysed.
pub(super) fn sign(article: &mut Article) {
    if !article.byline.is_empty() || !is_letter(article) {
        return;
    }
    let signs = |line: &&Span| {
        let line = line.of(&article.text);
        line.len() <= MAX_SIGNATURE_CHARS
            && PATTERNS
                .letter_signature
                .is_match(&folded_head(line, MAX_SIGNATURE_CHARS))
    };
    let Some(&line) = article.headings.iter().rfind(signs) else {
        return;
    };
    let words = line.text(&article.text);
    let words: Vec<&str> = words.split_whitespace().collect();
    article.add_credits(vec![words.join(" ")]);
    article.headings.retain(|heading| *heading != line);
    // With the line end before it: nothing is left of the line where it is left out.
    article.asides.push(Span::new(line.start - 1, line.end));
    article.asides.sort_unstable_by_key(|aside| aside.start);
}

fn is_letter(article: &Article) -> bool {
    // The signature stands below text.
    let first = article.paragraph_starts.len() > 1;
    first
        && PATTERNS
            .letter
            .is_match(&folded_head(&article.text, SALUTATION_CHARS))
}

#[cfg(test)]
mod tests {
    use crate::document::page::{Layout, repair::NoContinuation, split};

    #[test]
    fn the_writer_of_a_letter_signs_below_it() {
        let article = |text: &str| {
            let text: Vec<char> = text.chars().collect();
            split(&text, Layout::Article, &NoContinuation)
                .articles
                .swap_remove(0)
        };
        let letter = "不应当这样待客\n编辑同志：我到商店去买鞋，售货员态度不好。\n希望商店改进服务，对顾客热情一些。\n东江机械厂　何田\n编者按：何田的批评是对的。";
        let signed = article(letter);
        assert_eq!(signed.byline, ["东江机械厂 何田"]);
        let read: String = signed.reading().text.iter().collect();
        assert!(read.ends_with("热情一些。\n编者按：何田的批评是对的。"));
        let reader = article(&letter.replace("东江机械厂　何田", "读者 钱女士"));
        assert_eq!(reader.byline, ["读者 钱女士"]);
        for other in [
            letter.replace("编辑同志：", ""),
            letter.replace("东江机械厂　何田", "大桥通车"),
        ] {
            assert!(article(&other).byline.is_empty(), "{other}");
        }
    }
}
