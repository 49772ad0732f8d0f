//! Who signs below a letter to the editor, or behind the last sentence of a report.

use super::assemble::on_one_line;
use super::line;
use crate::document::sentence::is_terminal;
use crate::document::{Article, Span};
use crate::text::fold::{fold, folded_head};
use crate::text::names::may_sign;
use crate::text::patterns::PATTERNS;

/// A longer line is no signature.
const MAX_SIGNATURE_CHARS: usize = 24;
/// What is looked at of a letter to see whom it addresses.
const SALUTATION_CHARS: usize = 24;

/// Names who signs an article that nothing else says the writer of. The signature is printed, not analysed.
pub(super) fn sign(article: &mut Article) {
    if !article.byline.is_empty() {
        return;
    }
    if is_letter(&article.text) {
        sign_letter(article);
    } else {
        sign_report(article);
    }
}

/// Who wrote a report stands behind its last sentence, in brackets: a name that no list has (`（水宣）`, `（溪流）`).
fn sign_report(article: &mut Article) {
    let text = &article.text;
    let open = text.iter().rposition(|c| matches!(c, '（' | '('));
    let Some(open) = open.filter(|&open| text.len() - open <= MAX_SIGNATURE_CHARS) else {
        return;
    };
    let printed = &text[open..];
    let is_last = article.asides.last().is_none_or(|aside| aside.end < open);
    let last_line = article
        .headings
        .last()
        .is_none_or(|heading| heading.end < open);
    // Behind a quotation stands whose it is.
    let behind_sentence = line::ends_in_a_note(text) && is_terminal(text[open - 1]);
    if !(is_last && last_line && behind_sentence && may_sign(&fold(printed))) {
        return;
    }
    let bare: String = printed[1..printed.len() - 1].iter().collect();
    let aside = Span::new(open, text.len());
    article.add_credits(vec![on_one_line(&bare)]);
    article.asides.push(aside);
}

/// Who wrote a letter (`编辑同志：…`) stands below it: `读者 钱女士`, `东江机械厂 何田`.
fn sign_letter(article: &mut Article) {
    let signs = |span: &&Span| span.start > 0 && may_sign_letter(span.of(&article.text));
    let Some(&line) = article.headings.iter().rfind(signs) else {
        return;
    };
    article.add_credits(vec![on_one_line(&line.text(&article.text))]);
    article.headings.retain(|heading| *heading != line);
    // With the line end before it: nothing is left of the line where it is left out.
    article.asides.push(Span::new(line.start - 1, line.end));
    article.asides.sort_unstable_by_key(|aside| aside.start);
}

/// Whether a text, or a line, addresses the editor.
pub(super) fn is_letter(text: &[char]) -> bool {
    PATTERNS
        .letter
        .is_match(&folded_head(text, SALUTATION_CHARS))
}

/// Whether a line may say who wrote the letter above it: `读者 钱女士`.
pub(super) fn may_sign_letter(line: &[char]) -> bool {
    line.len() <= MAX_SIGNATURE_CHARS
        && PATTERNS
            .letter_signature
            .is_match(&folded_head(line, MAX_SIGNATURE_CHARS))
}

#[cfg(test)]
mod tests {
    use crate::document::page::{Layout, repair::NoContinuation, split};

    #[test]
    fn whoever_stands_in_brackets_at_the_end_signs() {
        let byline = |end: &str| {
            let text = format!("东江大桥通车\n大桥今天通车，市民走上大桥参观。{end}");
            let text: Vec<char> = text.chars().collect();
            let mut articles = split(&text, Layout::Article, &NoContinuation).articles;
            let article = articles.swap_remove(0);
            let read: String = article.reading().text.iter().collect();
            assert_eq!(
                read.ends_with("参观。"),
                !article.byline.is_empty(),
                "{end}"
            );
            article.byline
        };
        for (end, who) in [
            ("（水宣）", "水宣"),
            ("（溪流）", "溪流"),
            ("（县融媒体中心 段江）", "县融媒体中心 段江"),
            ("　本报记者 何田 摄", "本报记者 何田"),
            (" □何田", "何田"),
            (" 记者 何田", "记者 何田"),
        ] {
            assert_eq!(byline(end), [who], "{end}");
        }
        for other in [
            "（完）",
            "（待续）",
            "（见图）",
            "（新华社）",
            "（上图）",
            "（编者按）",
            "（含税）",
            "（三天）",
            "（市民的心声）",
            "咨询电话：96388",
        ] {
            assert!(byline(other).is_empty(), "{other}");
        }
    }

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
