//! Page → articles.
//!
//! Columns that stand side by side, or were cut line by line, are read one after the other (`columns`, `interleave`).
//! Lines are classified ([`mod@line`]), headlines found among the short ones ([`headline`]); articles that go on on
//! another page are put together (`jumps`); cut paragraphs, strayed fragments and repeated passages are put right
//! ([`mod@repair`]); everything between two headlines then belongs to the first.

mod assemble;
pub mod borders;
mod columns;
mod credits;
mod furniture;
pub mod headline;
mod interleave;
mod jumps;
pub mod line;
mod pieces;
mod relaid;
pub mod repair;
mod seams;
pub mod starts;
mod table;
mod trees;
mod wrap;

use super::{Article, Span};
use crate::text::fold::{fold, folded_head};
use crate::text::names::{are_names, is_author};
use crate::text::patterns::PATTERNS;
pub use assemble::assemble;
use headline::PageStyle;
use line::{Line, LineKind};
use repair::Continuation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How to read an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// A page when at least two headlines with text below are found, else one article.
    #[default]
    Auto,
    /// A page: every headline found opens an article.
    Page,
    /// One article, whatever its headings.
    Article,
}

/// What a block is on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    Headline,
    Byline,
    Body,
    Furniture,
}

/// A line with its role.
#[derive(Debug, Clone)]
pub struct Block {
    pub span: Span,
    pub kind: BlockKind,
    /// A short line inside an article: a heading, a list item, verse.
    pub is_heading: bool,
    /// Length of the dateline at its beginning, 0 when there is none.
    pub dateline_chars: usize,
    /// White space sets its first line off from the edge.
    pub is_indented: bool,
    /// It goes on where the block before it stopped, in mid-sentence.
    pub continues: bool,
    /// Text of an article whose headline is on another page (`上接第一版`).
    pub opens: bool,
    /// The page says where it goes on (`下转第二版`): nowhere else.
    pub jumps: bool,
}

impl Block {
    fn new(line: &Line, kind: BlockKind) -> Self {
        let is_heading = line.kind == LineKind::Short && kind == BlockKind::Body;
        Self {
            span: line.span,
            kind,
            is_heading,
            dateline_chars: line.dateline_chars,
            is_indented: line.is_indented,
            continues: false,
            opens: false,
            jumps: false,
        }
    }
}

/// A headline probability from which a short line opens an article.
const MIN_HEADLINE_PROBABILITY: f32 = 0.5;

/// A page taken apart.
#[derive(Debug, Default)]
pub struct Page {
    /// At least one for text that is not blank.
    pub articles: Vec<Article>,
    /// (passage that is left out, the same passage that is used).
    pub duplicates: Vec<(Span, Span)>,
    /// Paragraphs that stop in mid-sentence and whose rest was not found.
    pub open_ends: Vec<Span>,
}

/// Splits decoded text into articles, in reading order.
pub fn split(text: &[char], layout: Layout, model: &dyn Continuation) -> Page {
    match columns::relaid(text).or_else(|| interleave::relaid(text)) {
        Some(laid) => laid.printed(split_in_order(&laid.text, layout, model)),
        None => split_in_order(text, layout, model),
    }
}

fn split_in_order(text: &[char], layout: Layout, model: &dyn Continuation) -> Page {
    let (blocks, mut duplicates) = jumps::reunited(text, blocks(text, layout), layout);
    let repaired = repair::repair(text, blocks, model);
    duplicates.extend(repaired.duplicates);
    Page {
        articles: assemble(text, &repaired.blocks),
        duplicates,
        open_ends: repaired.open_ends,
    }
}

/// The blocks of a page, in page order.
pub fn blocks(text: &[char], layout: Layout) -> Vec<Block> {
    let lines = line::lines(text);
    let mut kinds: Vec<BlockKind> = lines.iter().map(|line| plain_kind(line.kind)).collect();
    if layout != Layout::Article {
        let style = PageStyle::of(text, &lines);
        let is_short = |i: usize| lines[i].kind == LineKind::Short;
        let speakers = speakers(text, &lines);
        for i in
            (0..lines.len()).filter(|&i| is_short(i) && !never_headline(text, &lines, i, &speakers))
        {
            // The rest of a credit that was cut (`…讯(记者 林|小满)大桥今天通车`) looks like a headline.
            let above_is_short = i > 0 && is_short(i - 1);
            if !above_is_short && line::closes_foreign_bracket(lines[i].span.of(text)) {
                continue;
            }
            // An article that comes from another page has its headline above the line that says so.
            let arrives = |next: &Line| jumps::is_arrival(next.span.of(text));
            let features = headline::features(&style, &lines, i);
            if lines.get(i + 1).is_some_and(arrives)
                || headline::probability(&features) >= MIN_HEADLINE_PROBABILITY
            {
                kinds[i] = BlockKind::Headline;
            }
        }
        mark_columns(text, &lines, &mut kinds);
        demote_headlines_without_body(&mut kinds);
    }
    if layout == Layout::Article || (layout == Layout::Auto && headline_runs(&kinds) < 2) {
        kinds = lines.iter().map(|line| plain_kind(line.kind)).collect();
        mark_opening_headline(text, &lines, &mut kinds);
    }
    mark_signatures(text, &lines, &mut kinds);
    lines
        .iter()
        .zip(kinds)
        .map(|(line, kind)| Block::new(line, kind))
        .collect()
}

/// Somebody talks, or signs a notice; a date of a chronicle, an address, or what stands above a question of an interview.
fn never_headline(text: &[char], lines: &[Line], i: usize, speakers: &HashSet<&[char]>) -> bool {
    let asks = |line: &Line| {
        PATTERNS
            .speech
            .is_match(&folded_head(line.span.of(text), SPEECH_CHARS))
    };
    let is_talk = |line: &Line| line::is_quoted_talk(line.span.of(text));
    let answers = |line: &Line| line.kind == LineKind::Body || is_talk(line);
    let above = i.checked_sub(1).map(|i| &lines[i]);
    let in_talk = is_talk(&lines[i])
        && (above.is_some_and(|above| answers(above) && lines[i].blank_before == 0)
            || lines.get(i + 1).is_some_and(is_talk));
    // Who publishes a notice, above its date, with no text below.
    let is_dated = |line: &Line| furniture::stands_beside_furniture(line.span.of(text));
    let signs = above.is_some_and(|above| above.kind == LineKind::Body)
        && lines.get(i + 1).is_some_and(is_dated)
        && lines
            .get(i + 2)
            .is_none_or(|below| below.kind == LineKind::Short);
    in_talk
        || signs
        || furniture::stands_beside_furniture(lines[i].span.of(text))
        || speaker(lines[i].span.of(text)).is_some_and(|name| speakers.contains(name))
        || lines.get(i + 1).is_some_and(asks) && (i > 0 && lines[i - 1].kind == LineKind::Body)
}

/// Who speaks in an interview or a round table: what several lines of a page open with before a colon.
fn speakers<'a>(text: &'a [char], lines: &[Line]) -> HashSet<&'a [char]> {
    let mut seen = HashSet::new();
    let named = lines.iter().filter_map(|line| speaker(line.span.of(text)));
    named.filter(|name| !seen.insert(*name)).collect()
}

/// The name that a line opens with before a colon.
fn speaker(line: &[char]) -> Option<&[char]> {
    let colon = line
        .iter()
        .take(MAX_SPEAKER_CHARS + 1)
        .position(|c| matches!(c, '：' | ':'))?;
    let name = &line[..colon];
    let is_name = |c: &char| c.is_alphanumeric() || "《》·".contains(*c);
    (name.len() > 1 && colon + 1 < line.len() && name.iter().all(is_name)).then_some(name)
}

/// Names of speakers are no longer.
const MAX_SPEAKER_CHARS: usize = 10;

/// What is looked at of a line to see whether somebody speaks.
const SPEECH_CHARS: usize = 16;

/// What a column is called is no part of the headline below it; above short items without headlines it is theirs.
fn mark_columns(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for i in 0..lines.len().saturating_sub(1) {
        let line = lines[i].span.of(text);
        if lines[i].kind != LineKind::Short || line.len() > MAX_COLUMN_CHARS {
            continue;
        }
        let head = folded_head(line, MAX_COLUMN_CHARS);
        let opens_run = i == 0 || kinds[i - 1] != BlockKind::Headline;
        let above_headline = kinds[i + 1] == BlockKind::Headline
            && opens_run
            && lines[i + 1].span.len() > MAX_COLUMN_CHARS;
        let opens_briefs = PATTERNS.briefs.is_match(&head);
        if above_headline && (opens_briefs || PATTERNS.column.is_match(&head)) {
            kinds[i] = BlockKind::Furniture;
        } else if opens_briefs && lines[i + 1].kind == LineKind::Body {
            kinds[i] = BlockKind::Headline;
        }
    }
}

/// What a column is called is no longer.
const MAX_COLUMN_CHARS: usize = 8;

/// Who wrote an article, below its headline and above its text, whatever it looks like: `何田`, `东江大学教授 何田`.
fn mark_signatures(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for i in 1..lines.len().saturating_sub(1) {
        let below_headline =
            kinds[i - 1] == BlockKind::Headline && lines[i].kind == LineKind::Short;
        let above_text = matches!(kinds[i + 1], BlockKind::Body | BlockKind::Byline);
        if !below_headline || !above_text {
            continue;
        }
        let line = fold(lines[i].span.of(text));
        if are_names(&line)
            || is_author(&line)
            || PATTERNS
                .signature
                .is_match(&line.iter().collect::<String>())
        {
            kinds[i] = BlockKind::Byline;
        }
    }
}

/// The blocks of text that is one article's body already: no headline is looked for.
pub fn body_blocks(text: &[char]) -> Vec<Block> {
    line::lines(text)
        .into_iter()
        .map(|line| Block::new(&line, plain_kind(line.kind)))
        .collect()
}

/// The article of text whose title stands elsewhere.
pub fn titled(text: &[char], title: &str) -> Article {
    let mut article = assemble(text, &body_blocks(text)).swap_remove(0);
    article.title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    article
}

fn plain_kind(kind: LineKind) -> BlockKind {
    match kind {
        LineKind::Body | LineKind::Short => BlockKind::Body,
        LineKind::Byline => BlockKind::Byline,
        LineKind::Furniture => BlockKind::Furniture,
    }
}

fn headline_runs(kinds: &[BlockKind]) -> usize {
    let open = |i: usize| {
        kinds[i] == BlockKind::Headline && (i == 0 || kinds[i - 1] != BlockKind::Headline)
    };
    (0..kinds.len()).filter(|&i| open(i)).count()
}

/// A headline at the end of the page, with nothing below it, belongs to the text above.
fn demote_headlines_without_body(kinds: &mut [BlockKind]) {
    for kind in kinds.iter_mut().rev() {
        match kind {
            BlockKind::Body => break,
            BlockKind::Headline => *kind = BlockKind::Body,
            BlockKind::Byline | BlockKind::Furniture => {}
        }
    }
}

/// In a single article the headline is the run of short lines it opens with, if prose follows.
fn mark_opening_headline(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    const MAX_DECKS: usize = 4;
    let first = lines
        .iter()
        .position(|line| !matches!(line.kind, LineKind::Furniture | LineKind::Byline))
        .unwrap_or(lines.len());
    let opens_text = |line: &Line| {
        let line = line.span.of(text);
        line::is_talk(line) || line::is_enumerated(line)
    };
    let decks = lines[first..]
        .iter()
        .enumerate()
        .take_while(|(k, line)| line.kind == LineKind::Short && !(*k > 0 && opens_text(line)))
        .count();
    let is_text = |line: &Line| line.kind == LineKind::Body || opens_text(line);
    let prose_follows = lines[first + decks..].iter().any(is_text);
    if (1..=MAX_DECKS).contains(&decks) && prose_follows {
        kinds[first..first + decks].fill(BlockKind::Headline);
    } else if decks > MAX_DECKS && lines[first + 1].blank_before > 0 {
        // Verse or a list below a title that stands apart.
        kinds[first] = BlockKind::Headline;
    }
}

#[cfg(test)]
mod tests {
    use super::repair::NoContinuation;
    use super::*;

    /// Of short reports, as a local paper prints them.
    const REPORTS: [(&str, &str); 4] = [
        (
            "社区食堂开到家门口",
            "本报讯（记者 林小满）中午十一点半，柳荫社区食堂里坐满了来吃饭的老人。",
        ),
        (
            "新增十二处口袋公园",
            "本报讯（记者 何田）今年东江新建口袋公园12处，新增绿地面积4.6万平方米。",
        ),
        (
            "大棚草莓抢鲜上市",
            "本报讯（通讯员周默）走进青山镇的草莓大棚，果农正忙着采摘装箱，一天能卖出两百箱。",
        ),
        (
            "五中学子夺得机器人金奖",
            "本报讯（记者 林小满）在青少年机器人大赛上，东江五中代表队获得高中组金奖。",
        ),
    ];

    fn titles(text: &str) -> Vec<String> {
        let text: Vec<char> = text.chars().collect();
        let articles = split(&text, Layout::Auto, &NoContinuation).articles;
        articles.into_iter().map(|article| article.title).collect()
    }

    #[test]
    fn an_interview_is_one_article() {
        let page = "访耐盐碱水稻专家谭秋生\n\n近日，耐盐碱水稻通过了专家验收，东江时报采访了专家谭秋生。\n东江时报：您为什么选择种稻子？\n谭秋生：我老家就在海边，我想让它长出稻子来。\n东江时报：目前品种的产量达到什么水平？\n谭秋生：亩产五百公斤左右，已经推广了三万亩。";
        let text: Vec<char> = page.chars().collect();
        for layout in [Layout::Auto, Layout::Page] {
            let page = split(&text, layout, &NoContinuation);
            assert_eq!(page.articles.len(), 1);
            assert_eq!(page.articles[0].title, "访耐盐碱水稻专家谭秋生");
        }
    }

    #[test]
    fn a_columns_name_is_in_no_headline() {
        let [first, second] = [REPORTS[0], REPORTS[1]];
        for column in ["读者来信", "【民生关注】", "今日视点", "简讯"] {
            let page = format!(
                "{}\n{}\n\n{column}\n{}\n{}",
                first.0, first.1, second.0, second.1
            );
            assert_eq!(titles(&page), [first.0, second.0], "{column}");
        }
        let briefs = format!(
            "{}\n{}\n\n简讯\n　　●东江大桥今天通车，市民走上大桥参观。\n　　●东江水位今天回落到警戒线以下。",
            first.0, first.1
        );
        assert_eq!(titles(&briefs), [first.0, "简讯"]);
    }

    #[test]
    fn talk_opens_no_article() {
        let page = "乡邮员的四十年\n本报记者 何田\n清晨，老人接过一封信。\n“是我家娃儿的？”\n“是大学的录取通知书！”\n老人笑了，邮递员也笑了，山路上阳光正好。";
        assert_eq!(titles(page), ["乡邮员的四十年"]);
        assert_eq!(
            titles("东江高铁开通\n“终于通车了！”\n今天上午，首发列车驶出东江站，市民高兴。"),
            ["东江高铁开通"]
        );
        assert_eq!(
            titles("东江高铁开通\n——沿线群众盼了十年\n今天上午，首发列车驶出东江站，市民高兴。"),
            ["东江高铁开通 ——沿线群众盼了十年"]
        );
    }

    #[test]
    fn who_wrote_it_stands_below_the_headline() {
        for signature in ["何田", "陈　晨", "——何田", "（何田）", "东江大学教授 何田"]
        {
            let page = format!(
                "夜市经济不能只剩烤串\n{signature}\n天气转热，各地夜市又热闹起来。\n摊主们忙到深夜。"
            );
            let text: Vec<char> = page.chars().collect();
            for layout in [Layout::Auto, Layout::Article] {
                let found = split(&text, layout, &NoContinuation);
                assert_eq!(
                    found.articles[0].title, "夜市经济不能只剩烤串",
                    "{signature}"
                );
                assert_eq!(found.articles[0].byline.len(), 1, "{signature}");
            }
        }
    }

    #[test]
    fn short_reports_are_articles_whatever_stands_between_them() {
        let expected: Vec<&str> = REPORTS.iter().map(|(title, _)| *title).collect();
        for between in [
            "\n",
            "\n\n",
            "\n资料图片\n",
            "\n\n广告\n\n",
            "\n制图：石磊\n",
            "\nA06·社会\n",
        ] {
            let reports = REPORTS.map(|(title, text)| format!("{title}\n{text}"));
            assert_eq!(titles(&reports.join(between)), expected, "{between:?}");
        }
    }

    #[test]
    fn page_heads_and_web_furniture_are_in_no_title() {
        let body = "大桥今天正式通车，全长十五公里，两岸车程缩短到十分钟。\n市民走上大桥参观，江面上张灯结彩，热闹非凡。";
        for head in [
            "东江晚报",
            "2025年7月23日 星期三 社会·民生 05",
            "来源：东江晚报",
            "首页 > 新闻中心 > 正文",
        ] {
            assert_eq!(
                titles(&format!("{head}\n东江大桥通车\n{body}")),
                ["东江大桥通车"],
                "{head}"
            );
        }
        for line in [
            "2024-07-21 16:40:12 来源：东江网",
            "分享到微信",
            "字号：大 中 小",
            "□ 林小满",
        ] {
            assert_eq!(
                titles(&format!("东江大桥通车\n{line}\n{body}")),
                ["东江大桥通车"],
                "{line}"
            );
        }
    }
}
