//! Putting a broken page back into reading order.
//!
//! Text of a scanned page arrives with paragraphs cut in mid-sentence, their rest standing inside another article or
//! before its own headline, and passages printed twice. Three steps, each of which leaves alone what it is not sure of:
//!
//! 1. *Repeated passages* are used once, where they fit their surroundings best (`duplicates.rs`).
//! 2. *Joins*: which fragment continues which open end. What speaks for each pair (`candidates.rs`: the model's
//!    continuation head, words, distance, the other candidates) goes through small trees; the best assignment is
//!    found exactly (`joins.rs`, Kuhn and Munkres), "none of them" being a choice. A wrong join is worse than a broken
//!    paragraph. Fragments that repeat a sentence's end follow (`repeated_ends.rs`).
//! 3. *Moves*: a fragment that continues a paragraph elsewhere goes there, and takes with it as many of the paragraphs
//!    after it as other trees find at home there (`moves.rs`).

pub(super) mod affinity;
mod candidates;
mod duplicates;
mod joins;
mod moves;
mod open_ends;
mod questions;
mod repeated_ends;

use super::{Block, BlockKind, borders, line};
use crate::document::Span;
use crate::text::fold::fold;
use affinity::RarePairs;
pub(super) use open_ends::is_open_end;
pub use questions::{Questions, questions};
use std::cell::OnceCell;

/// Says how well one fragment continues another in mid-sentence.
pub trait Continuation {
    /// A logit for each (end of the left fragment, beginning of the right one), folded; above 0 means yes.
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32>;

    /// Above 0 when a folded fragment looks like the middle of a sentence rather than its beginning. Cheap.
    fn openness(&self, _fragment: &[char]) -> f32 {
        0.0
    }
}

/// Knows nothing, joins nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoContinuation;

impl Continuation for NoContinuation {
    fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
        vec![f32::NEG_INFINITY; pairs.len()]
    }
}

/// Blocks in reading order, and what was found on the way.
#[derive(Debug, Default)]
pub struct Repaired {
    pub blocks: Vec<Block>,
    /// (passage that is left out, the same passage that is used).
    pub duplicates: Vec<(Span, Span)>,
    /// Paragraphs that stop in mid-sentence and whose rest was not found.
    pub open_ends: Vec<Span>,
    /// Blocks that went elsewhere.
    pub moved: Vec<Span>,
}

/// Characters at either end of a block that say whether it opens or closes its article.
const BORDER_CHARS: usize = 64;
/// Repairs a page; blocks of an undamaged one come back as they were.
pub fn repair(text: &[char], blocks: Vec<Block>, model: &dyn Continuation) -> Repaired {
    let mut page = Page::new(text, blocks);
    let Some(mut open_ends) = page.open_ends() else {
        return Repaired {
            blocks: page.blocks,
            ..Repaired::default()
        };
    };
    let duplicates = page.drop_duplicates(model);
    open_ends.retain(|&i| page.is_body(i) && !page.is_standfirst(i));
    let known = page.known_joins();
    let in_question: Vec<usize> = (open_ends.iter().copied())
        .filter(|&i| !page.blocks[i].jumps)
        .collect();
    let mut joins = page.joins(&in_question, model);
    joins.extend(known);
    open_ends.retain(|&i| joins.iter().all(|&(left, _)| left != i) && page.lacks_its_rest(i));
    let open_ends = open_ends.iter().map(|&i| page.blocks[i].span).collect();
    let (blocks, moved) = page.reordered(&joins);
    Repaired {
        blocks,
        duplicates,
        open_ends,
        moved,
    }
}

/// A page under repair.
struct Page<'a> {
    text: &'a [char],
    blocks: Vec<Block>,
    /// The article, by page order, that each block stands in.
    section: Vec<usize>,
    /// Its paragraphs are indented and something else is not: what is, begins a paragraph.
    indents: bool,
    /// Repeats another block.
    dropped: Vec<bool>,
    /// Made when first asked for: most pages have nothing to repair.
    rare_pairs: OnceCell<RarePairs>,
}

/// Of two fragments, the left one and the right one.
type Join = (usize, usize);

impl<'a> Page<'a> {
    fn new(text: &'a [char], blocks: Vec<Block>) -> Self {
        let mut section = Vec::with_capacity(blocks.len());
        let (mut current, mut after_body) = (0, true);
        for block in &blocks {
            match block.kind {
                BlockKind::Headline if after_body => (current, after_body) = (current + 1, false),
                BlockKind::Body => {
                    current += usize::from(block.opens && after_body);
                    after_body = true;
                }
                _ => {}
            }
            section.push(current);
        }
        let bodies = blocks.iter().filter(|block| block.kind == BlockKind::Body);
        let (all, indented) = bodies.fold((0, 0), |(all, indented), block| {
            (all + 1, indented + usize::from(block.is_indented))
        });
        Self {
            text,
            indents: indented < all && 2 * indented > all,
            dropped: vec![false; blocks.len()],
            section,
            rare_pairs: OnceCell::new(),
            blocks,
        }
    }

    fn is_body(&self, i: usize) -> bool {
        self.blocks[i].kind == BlockKind::Body && !self.dropped[i]
    }

    fn bodies(&self) -> Vec<usize> {
        (0..self.blocks.len())
            .filter(|&i| self.is_body(i))
            .collect()
    }

    /// The bodies that are no note in brackets (`（作者为…）`): one of those does not stand between texts.
    fn prose(&self) -> Vec<usize> {
        let mut bodies = self.bodies();
        bodies.retain(|&i| !line::in_brackets(self.chars(i)));
        bodies
    }

    /// What the page itself says to go on with what stands above it.
    fn known_joins(&self) -> Vec<Join> {
        let bodies = self.bodies();
        let joins = bodies.windows(2).map(|pair| (pair[0], pair[1]));
        joins
            .filter(|&(_, right)| self.blocks[right].continues)
            .collect()
    }

    fn chars(&self, i: usize) -> &'a [char] {
        self.blocks[i].span.of(self.text)
    }

    /// The higher, the more a block looks like the first one of its article.
    fn looks_like_opening(&self, i: usize) -> f32 {
        let start = self.blocks[i].dateline_chars;
        let chars = &self.chars(i)[start..];
        borders::opens(&fold(&chars[..chars.len().min(BORDER_CHARS)]))
    }

    /// The higher, the more a block looks like the last one of its article.
    fn looks_like_closing(&self, i: usize) -> f32 {
        let chars = self.chars(i);
        borders::closes(&fold(&chars[chars.len().saturating_sub(BORDER_CHARS)..]))
    }

    fn rare_pairs(&self) -> &RarePairs {
        self.rare_pairs.get_or_init(|| {
            let counts = |i| self.is_body(i) || self.blocks[i].kind == BlockKind::Headline;
            RarePairs::new(self.text, &self.blocks, &self.section, counts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::{Layout, assemble, blocks};

    /// Knows which fragments belong together by a list.
    struct Known(&'static [(&'static str, &'static str)]);

    impl Continuation for Known {
        fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
            let text = |chars: &[char]| chars.iter().collect::<String>();
            pairs
                .iter()
                .map(|(left, right)| {
                    let (left, right) = (text(left), text(right));
                    let known = self
                        .0
                        .iter()
                        .any(|(a, b)| left.ends_with(a) && right.starts_with(b));
                    if known { 6.0 } else { -6.0 }
                })
                .collect()
        }
    }

    const PAGE: &str = "东江大桥今日正式通车\n东江日报3月5日讯(记者 林小满)东江大桥今天正式通车，市民参观大桥的桥面和桥塔，大桥全长三千米，是东江上\n\
        青石中学食堂改造完成\n东江日报3月5日讯(记者 何晓)青石中学食堂改造今天完成，学生们走进食堂用餐。\n最长的一座桥梁。\n大桥的桥塔高一百米，桥面宽三十米。\n食堂的菜品由学生们投票选出，学校食堂每周更换菜品。\n";

    fn repaired(text: &str, model: &dyn Continuation) -> (Vec<String>, Repaired) {
        let text: Vec<char> = text.chars().collect();
        let repaired = repair(&text, blocks(&text, Layout::Page), model);
        let articles = assemble(&text, &repaired.blocks);
        (
            articles.iter().map(|a| a.text.iter().collect()).collect(),
            repaired,
        )
    }

    #[test]
    fn a_fragment_goes_home_and_takes_its_own_with_it() {
        let (articles, found) = repaired(PAGE, &Known(&[("东江上", "最长的")]));
        assert_eq!(articles.len(), 2);
        assert!(
            articles[0].ends_with("是东江上最长的一座桥梁。\n大桥的桥塔高一百米，桥面宽三十米。"),
            "{articles:?}"
        );
        assert!(
            articles[1].ends_with("用餐。\n食堂的菜品由学生们投票选出，学校食堂每周更换菜品。"),
            "{articles:?}"
        );
        assert!(found.open_ends.is_empty());
    }

    #[test]
    fn the_rest_of_a_cut_credit_is_no_headline() {
        let page = PAGE
            .replace(
                "(记者 林小满)东江大桥今天正式通车，",
                "(记者 林\n小满)东江大桥今天正式通车，市民走上大桥\n",
            )
            .replace("，是东江上", "，是东江上最长的一座桥梁。");
        let text: Vec<char> = page.chars().collect();
        let lines = blocks(&text, Layout::Page);
        let rest = lines
            .iter()
            .find(|block| block.span.of(&text).starts_with(&['小', '满', ')']));
        assert_eq!(
            rest.map(|block| block.kind),
            Some(BlockKind::Body),
            "{lines:?}"
        );
    }

    #[test]
    fn a_doubtful_join_is_not_made() {
        let (articles, found) = repaired(PAGE, &Known(&[]));
        assert!(articles[0].ends_with("是东江上"), "{articles:?}");
        assert_eq!(found.open_ends.len(), 1);
        let text: Vec<char> = PAGE.chars().collect();
        let untouched = assemble(&text, &blocks(&text, Layout::Page));
        assert_eq!(untouched.len(), articles.len());
    }

    #[test]
    fn a_passage_printed_twice_is_used_once() {
        let page = PAGE
            .replace("最长的一座桥梁。\n", "")
            .replace("，是东江上", "。\n大桥的桥塔高一百米，桥面宽三十米。");
        let (articles, found) = repaired(&page, &NoContinuation);
        assert_eq!(found.duplicates.len(), 1);
        assert!(
            articles[0].contains("桥塔高一百米") && !articles[1].contains("桥塔高一百米"),
            "{articles:?}"
        );
    }

    /// Joins what its list says, and takes the list's beginnings for the middle of a sentence.
    struct Reading(Known);

    impl Continuation for Reading {
        fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
            self.0.scores(pairs)
        }

        fn openness(&self, fragment: &[char]) -> f32 {
            let fragment: String = fragment.iter().collect();
            let begins = (self.0.0.iter()).any(|(_, right)| fragment.starts_with(right));
            if begins { 1.0 } else { -1.0 }
        }
    }

    #[test]
    fn of_two_copies_the_one_that_reads_on_is_used() {
        // The copy among the school's paragraphs comes first and has as many words in common with them.
        let copy = "最长的一座桥梁，学生们走进食堂用餐。\n学校的食堂每周更换菜品。";
        let page = format!(
            "青石中学食堂改造完成\n东江日报3月5日讯(记者 何晓)青石中学食堂改造今天完成，食堂的菜品由学生们投票选出。\n{copy}\n\
             东江大桥今日正式通车\n东江日报3月5日讯(记者 林小满)东江大桥今天正式通车，大桥全长三千米，是东江上\n{copy}\n大桥的桥塔高一百米。\n"
        );
        let (articles, found) = repaired(&page, &Reading(Known(&[("东江上", "最长的")])));
        assert_eq!(found.duplicates.len(), 2);
        assert!(
            articles[1].contains("是东江上最长的一座桥梁，学生们走进食堂用餐。\n学校的食堂"),
            "{articles:?}"
        );
        assert!(!articles[0].contains("最长的"), "{articles:?}");
    }

    #[test]
    fn a_passage_printed_three_times_is_used_once() {
        let line = "大桥的桥塔高一百米，桥面宽三十米。";
        let page = PAGE.replace("最长的一座桥梁。", &format!("{line}\n学生们说。\n{line}"));
        let (articles, found) = repaired(&page, &NoContinuation);
        assert_eq!(found.duplicates.len(), 2, "{found:?}");
        assert_eq!(articles.concat().matches("桥塔高一百米").count(), 1);
    }

    #[test]
    fn a_standfirst_that_quotes_its_article_is_no_copy() {
        let quoted = "东江大桥的桥面和桥塔都用钢造成，全长三千米，是东江上最长的一座桥梁，通车以后两岸市民往来的时间从一个小时缩短到十分钟，沿江五个乡镇的农产品当天就能进城";
        let lead = "东江日报3月5日讯(记者 林小满)大桥今天正式通车，市民走上大桥参观。";
        let page =
            format!("东江大桥今日正式通车\n{quoted}\n{lead}\n{quoted}。\n大桥的桥塔高一百米。\n");
        let (articles, found) = repaired(&page, &NoContinuation);
        assert!(found.duplicates.is_empty(), "{found:?}");
        assert_eq!(articles.concat().matches(quoted).count(), 2);
        // A misread copy of the sentence is one, whatever the standfirst says.
        let misread = quoted.replace("两岸", "西岸");
        let copied = page.replace("大桥的桥塔高", &format!("{misread}。\n大桥的桥塔高"));
        assert_eq!(repaired(&copied, &NoContinuation).1.duplicates.len(), 1);
        // Further down the same words are a copy.
        let page =
            format!("东江大桥今日正式通车\n{lead}\n{quoted}\n大桥的桥塔高一百米。\n{quoted}。\n");
        assert_eq!(repaired(&page, &NoContinuation).1.duplicates.len(), 1);
    }

    #[test]
    fn a_standfirst_below_a_dateline_is_read_on_nowhere() {
        let quoted = "大桥的桥面和桥塔都用钢造成，全长三千米，是东江上最长的一座桥梁，通车以后两岸往来只要十分钟";
        let page = PAGE
            .replace("最长的一座桥梁。\n", "最长的一座桥梁。\n市民高兴。\n")
            .replace(
                "东江大桥今天正式通车，市民参观大桥的桥面和桥塔，大桥全长三千米，是东江上",
                &format!("{quoted}\n大桥今天正式通车，市民走上大桥参观。\n{quoted}，市民很高兴。"),
            );
        let (articles, found) = repaired(&page, &Known(&[("十分钟", "最长的")]));
        assert!(found.open_ends.is_empty(), "{found:?}");
        assert!(!articles[0].contains("十分钟最长的"), "{articles:?}");
    }

    #[test]
    fn a_note_in_brackets_keeps_no_rest_from_its_paragraph() {
        let page = PAGE.replace("，是东江上\n", "，是东江上\n（作者为东江大学教授）\n");
        let (articles, _) = repaired(&page, &Known(&[("东江上", "最长的")]));
        assert!(
            articles[0].contains("是东江上最长的一座桥梁。\n大桥的桥塔"),
            "{articles:?}"
        );
        assert!(
            articles[0].ends_with("（作者为东江大学教授）"),
            "{articles:?}"
        );
    }

    #[test]
    fn a_misread_copy_is_a_copy_but_another_number_is_not() {
        let line = "东江大桥今天正式通车，市民参观大桥的桥面和桥塔，大桥全长3000米。";
        let twice = |other: &str| {
            repaired(
                &format!("东江大桥今日正式通车\n{line}\n{other}\n"),
                &NoContinuation,
            )
            .1
        };
        assert_eq!(twice(&line.replace("桥塔", "桥搭")).duplicates.len(), 1);
        assert!(twice(&line.replace("3000", "3500")).duplicates.is_empty());
        assert!(
            twice(&line.replace("市民参观", "学生走过"))
                .duplicates
                .is_empty()
        );
    }

    #[test]
    fn a_fragment_that_repeats_the_end_of_a_sentence_goes_home() {
        /// Joins nothing, but takes everything for the middle of a sentence.
        struct Open;
        impl Continuation for Open {
            fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
                NoContinuation.scores(pairs)
            }

            fn openness(&self, _: &[char]) -> f32 {
                1.0
            }
        }
        let page = PAGE
            .replace("，是东江上", "，是东江上最长的大桥。")
            .replace(
                "最长的一座桥梁。\n大桥的",
                "桥。市民在大桥的桥面上合影，大桥的",
            );
        let (untouched, _) = repaired(&page, &NoContinuation);
        assert!(untouched[1].contains("合影"), "{untouched:?}");
        let (articles, _) = repaired(&page, &Open);
        assert!(
            articles[0].contains("最长的大桥。桥。市民在大桥的桥面上合影"),
            "{articles:?}"
        );
    }

    #[test]
    fn no_text_is_lost_when_joins_cross() {
        let lines = [
            "第一段的文字在这里结束了。",
            "左边的段落在这里断开而没有写",
            "中间的一段文字也结束了。",
            "完右边的段落在这里结束了。",
            "另一个断开的段落在这里没有写",
        ];
        let page = format!("东江大桥今日正式通车\n{}\n", lines.join("\n"));
        let known = Known(&[("而没有写", "完右边"), ("这里没有写", "左边的")]);
        let text: Vec<char> = page.chars().collect();
        let before = crate::document::page::body_blocks(&text);
        let count = before.len();
        assert_eq!(repair(&text, before, &known).blocks.len(), count);
    }

    #[test]
    fn what_ends_in_particulars_is_not_cut() {
        for particulars in [
            " 记者 何田",
            "本报记者 何田 摄",
            "咨询电话：96388",
            "报名网址：www.dj.example",
        ] {
            let end = format!("食堂的菜品由学生们投票选出，学校食堂每周更换菜品。{particulars}");
            let page = PAGE
                .replace("，是东江上\n", "。\n")
                .replace("食堂的菜品由学生们投票选出，学校食堂每周更换菜品。", &end);
            let last = particulars.chars().last().unwrap();
            struct Eager;
            impl Continuation for Eager {
                fn scores(&self, pairs: &[(&[char], &[char])]) -> Vec<f32> {
                    vec![6.0; pairs.len()]
                }
            }
            let (articles, found) = repaired(&page, &Eager);
            assert!(articles[1].ends_with(last), "{articles:?}");
            assert!(found.moved.is_empty() && found.open_ends.is_empty());
        }
    }

    #[test]
    fn a_question_is_nobodys_rest() {
        let rest = |rest: &str, known| {
            let page = PAGE.replace("最长的一座桥梁。", rest);
            repaired(&page, &Known(known)).0.swap_remove(0)
        };
        assert!(rest("最长的一座桥梁。", &[("东江上", "最长的")]).contains("东江上最长"));
        let asked = rest("问：最长的桥梁有几座？", &[("东江上", "问：")]);
        assert!(asked.ends_with("东江上"), "{asked}");
    }

    #[test]
    fn what_somebody_says_stays_below_who_says_it() {
        let first = |above: &str| {
            let quotation = format!("{above}\n“最长的一座桥梁，看着就高兴。”");
            let page = PAGE.replace("最长的一座桥梁。", &quotation);
            repaired(&page, &Known(&[("东江上", "“最长的")]))
                .0
                .swap_remove(0)
        };
        assert!(first("食堂很好。").contains("东江上“最长的"));
        assert!(first("她说：").ends_with("东江上"));
    }

    #[test]
    fn verse_is_left_alone() {
        let poem = "白日依山尽黄河入海流白日依山尽\n欲穷千里目更上一层楼欲穷千里目\n".repeat(4);
        let text: Vec<char> = poem.chars().collect();
        let before = crate::document::page::body_blocks(&text);
        let after = repair(&text, before.clone(), &Known(&[("", "")]));
        assert!(after.blocks.iter().all(|block| !block.continues));
    }
}
