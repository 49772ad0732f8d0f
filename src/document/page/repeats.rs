//! What stands below a headline a second time: the headline itself, or a sentence of the text that was pulled up to it.

use super::titled::Repeated;
use super::{Block, BlockKind};
use crate::text::fold::fold_char;
use std::collections::HashSet;

/// A shorter deck may use the words of a sentence and be one all the same.
const MIN_QUOTED_CHARS: usize = 20;

/// Such sentences at most: a run of a thousand short lines is compared with no text below it.
const MAX_QUOTES: usize = 4;

/// Of each headline, later decks that say what an earlier one said, and the title once more below it, belong to no article;
/// last decks that are a sentence of the text open the text (papers print such quotes above commentaries).
pub(super) fn set_apart(text: &[char], mut blocks: Vec<Block>) -> Vec<Block> {
    let is_headline = |block: &Block| block.kind == BlockKind::Headline;
    let mut end = blocks.len();
    while let Some(last) = blocks[..end].iter().rposition(is_headline) {
        let decks = blocks[..=last].iter().rev();
        let first = last + 1 - decks.take_while(|block| is_headline(block)).count();
        drop_said_decks(text, &mut blocks[first..=last]);
        open_with_quotes(text, &mut blocks[first..end]);
        let decks = blocks[first..=last].iter();
        let title: Vec<String> = (decks.filter(|block| is_headline(block)))
            .map(|block| block.span.text(text))
            .collect();
        if let Some(repeated) = Repeated::of(text, &blocks[last + 1..end], &title.join(" ")) {
            repeated.set_apart(text, &mut blocks, last + 1, BlockKind::Furniture);
        }
        end = first;
    }
    blocks
}

fn drop_said_decks(text: &[char], decks: &mut [Block]) {
    let mut earlier = HashSet::new();
    for deck in decks {
        let said = words_of(deck.span.of(text));
        if !said.is_empty() && !earlier.insert(said) {
            deck.kind = BlockKind::Furniture;
        }
    }
}

fn open_with_quotes(text: &[char], section: &mut [Block]) {
    let decks = section.iter().skip(1);
    let decks = decks
        .take_while(|block| block.kind != BlockKind::Body)
        .count();
    for deck in (1..=decks).rev().take(MAX_QUOTES) {
        if section[deck].kind != BlockKind::Headline {
            continue;
        }
        let quoted = words_of(section[deck].span.of(text));
        let bodies = section[deck + 1..].iter();
        let mut bodies = bodies.filter(|block| block.kind == BlockKind::Body);
        // Quotes are sentences, of several clauses most of the time; a deck may use the words of one.
        let has_clauses = section[deck].span.of(text).contains(&'，');
        let is_quote = has_clauses
            && quoted.chars().count() >= MIN_QUOTED_CHARS
            && bodies.any(|body| words_of(body.span.of(text)).contains(&quoted));
        if !is_quote {
            break;
        }
        section[deck].kind = BlockKind::Body;
    }
}

/// The words of a line, folded, without marks.
pub(super) fn words_of(line: &[char]) -> String {
    let chars = line.iter().copied().map(fold_char);
    chars.filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::repair::NoContinuation;
    use crate::document::page::{Layout, line, split};

    const QUOTE: &str = "把大桥修到群众心坎上，靠的是听得进群众的意见，等得起一个合适的方案";

    fn read(page: &str) -> (String, String) {
        let text: Vec<char> = page.chars().collect();
        let page = split(&text, Layout::Article, &NoContinuation);
        let article = &page.articles[0];
        assert!(page.open_ends.is_empty(), "{:?}", page.open_ends);
        (article.title.clone(), article.text.iter().collect())
    }

    #[test]
    fn a_sentence_of_the_text_is_no_deck() {
        let body = format!("东江修桥的故事传开了。{QUOTE}。这座桥等了十年。");
        let page = format!("民生工程要听民意（时评）\n{QUOTE}\n何田\n{body}");
        let (title, text) = read(&page);
        assert_eq!(title, "民生工程要听民意（时评）");
        assert!(text.starts_with(QUOTE), "{text}");
        let page = format!("民生工程要听民意\n——东江修桥记\n{body}");
        assert_eq!(read(&page).0, "民生工程要听民意 ——东江修桥记");
    }

    #[test]
    fn a_hundred_thousand_decks_cost_no_more_than_they_have() {
        let page = "东江大桥通车，市民走上大桥参观，江面上张灯结彩\n".repeat(100_000);
        let text: Vec<char> = page.chars().collect();
        let decks = line::lines(&text);
        let decks = decks
            .iter()
            .map(|line| Block::new(&text, line, BlockKind::Headline));
        let found = set_apart(&text, decks.collect());
        let headlines = found
            .iter()
            .filter(|block| block.kind == BlockKind::Headline);
        assert_eq!(headlines.count(), 1);
    }

    #[test]
    fn a_title_is_printed_once() {
        let body = "3月1日，东江大桥正式通车，全长十五公里。\n市民走上大桥参观，江面上张灯结彩。";
        for between in [
            "东江大桥通车了！两岸百姓圆梦\n",
            "原标题：东江大桥通车了！两岸百姓圆梦\n",
            "原标题：东江大桥通车了！两岸百姓圆梦",
            "东江大桥通车了！两岸百姓圆梦",
        ] {
            let page = format!("东江大桥通车了！两岸百姓圆梦\n{between}{body}");
            assert_eq!(
                read(&page),
                ("东江大桥通车了！两岸百姓圆梦".to_owned(), body.to_owned()),
                "{between}"
            );
        }
    }
}
