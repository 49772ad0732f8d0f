//! What the lines around a headline say of it, after the trees have looked at each line by itself.

use super::BlockKind;
use super::credits::{is_of_a_photo, trailing_credit};
use super::furniture::stands_beside_furniture;
use super::line::{Line, LineKind, ends_in_a_note, is_enumerated, is_marked, opens_with_dash};
use crate::document::sentence::is_terminal;

/// Paragraphs from which on white space before them says how the page prints paragraphs.
const MIN_PARAGRAPHS: usize = 4;

/// Puts headlines right that are none among their neighbours, and lines that belong to one.
pub(super) fn settle(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    add_first_decks(text, lines, kinds);
    add_last_decks(text, lines, kinds);
    add_marked_alike(text, lines, kinds);
    demote_set_off(text, lines, kinds);
    demote_subheads(text, lines, kinds);
}

/// What stands between a signed article and a headline is a deck of that headline, however short; and so is what stands above a deck
/// that opens with a dash (`——从茶园到茶杯`): that is never the first one.
fn add_first_decks(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for i in 0..lines.len().saturating_sub(1) {
        let is_above = lines[i].kind == LineKind::Short
            && kinds[i] == BlockKind::Body
            && kinds[i + 1] == BlockKind::Headline;
        let below_signed =
            i > 0 && is_signed(text, &lines[i - 1]) && lines[i + 1].blank_before == 0;
        if is_above && (below_signed || opens_with_dash(lines[i + 1].span.of(text))) {
            kinds[i] = BlockKind::Headline;
        }
    }
}

/// What stands between a headline and the dateline or byline of its text is a deck too, and so is one line there that opens with a dash or
/// is as long as the headline.
fn add_last_decks(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    for first in 1..lines.len() {
        if kinds[first - 1] != BlockKind::Headline {
            continue;
        }
        let may_be_deck = |&i: &usize| {
            lines[i].kind == LineKind::Short
                && kinds[i] == BlockKind::Body
                && lines[i].blank_before == 0
                && !is_enumerated(lines[i].span.of(text))
        };
        let decks = (first..lines.len())
            .take(MAX_LAST_DECKS + 1)
            .take_while(may_be_deck)
            .count();
        let below = first + decks;
        let is_credited = lines.get(below).is_some_and(|line| {
            let is_byline = kinds[below] == BlockKind::Byline && !is_of_a_photo(line.span.of(text));
            line.blank_before == 0 && (line.dateline_chars > 0 || is_byline)
        });
        let is_deck = || {
            let Some(next) = lines.get(below) else {
                return false;
            };
            let (above, deck) = (lines[first - 1].span, lines[first].span.of(text));
            let is_dashed = opens_with_dash(deck) && !opens_with_dash(next.span.of(text));
            let is_above_text = kinds[below] != BlockKind::Headline && next.blank_before == 0;
            let is_couplet = above.len() == deck.len() && deck.len() >= MIN_COUPLET_CHARS;
            is_dashed || is_above_text && is_couplet && !stands_beside_furniture(deck)
        };
        if decks <= MAX_LAST_DECKS && is_credited || decks == 1 && is_deck() {
            kinds[first..below].fill(BlockKind::Headline);
        }
    }
}

/// Two lines of one length are a headline in two lines, if they are as long as headlines.
const MIN_COUPLET_CHARS: usize = 8;
/// More short lines in a row are a list or verse.
const MAX_LAST_DECKS: usize = 3;

/// Of signed reports whose headlines open with one mark (`▲`), the next one is found too.
fn add_marked_alike(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    let mut mark = None;
    for i in 1..lines.len().saturating_sub(1) {
        if opens_run(kinds, i - 1) {
            mark = lines[i - 1].span.of(text).first().copied();
        }
        let printed = lines[i].span.of(text);
        let is_alike = is_marked(printed) && mark == printed.first().copied();
        let is_short = lines[i].kind == LineKind::Short && kinds[i] == BlockKind::Body;
        let is_above_text = lines[i + 1].kind == LineKind::Body;
        if is_alike && is_short && is_above_text && is_signed(text, &lines[i - 1]) {
            kinds[i] = BlockKind::Headline;
        }
    }
}

/// Where paragraphs are set off and headlines stand at the edge, a line that is set off as they are is a paragraph: talk, a question.
fn demote_set_off(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    let opening: Vec<usize> = (0..lines.len()).filter(|&i| opens_run(kinds, i)).collect();
    let at_edge = opening.iter().filter(|&&i| !lines[i].is_indented).count();
    if !is_set_off(lines) || 2 * at_edge <= opening.len() {
        return;
    }
    for i in opening {
        let above = lines[..i].iter().rev();
        let mut above = above.filter(|line| line.kind == LineKind::Body && line.is_indented);
        let is_as_deep = above
            .next()
            .is_some_and(|body| indent(text, body) == indent(text, &lines[i]));
        if is_as_deep && lines[i].is_indented && !is_credited(lines, kinds, i) {
            demote_run(kinds, i);
        }
    }
}

/// A heading that nothing tells from one inside an article is one where articles stand apart and it does not; in a feature, also where
/// it is built like the one beside it.
fn demote_subheads(text: &[char], lines: &[Line], kinds: &mut [BlockKind]) {
    let runs: Vec<usize> = (0..lines.len()).filter(|&i| opens_run(kinds, i)).collect();
    let Some((_, below)) = runs.split_first() else {
        return;
    };
    // An article is not told from the one above by anything but its heading.
    let is_plain = |&i: &usize| {
        let is_alone = kinds.get(i + 1) == Some(&BlockKind::Body);
        is_alone
            && lines[i].blank_before == 0
            && kinds[i - 1] == BlockKind::Body
            && !lines[i].is_indented
            && !is_credited(lines, kinds, i)
            && !is_signed(text, &lines[i - 1])
            && !is_told_below(text, &lines[i], &lines[i + 1])
    };
    let plain: Vec<usize> = below.iter().copied().filter(is_plain).collect();
    let is_found = |i: &usize| plain.binary_search(i).is_ok();
    let others: Vec<usize> = below.iter().copied().filter(|i| !is_found(i)).collect();
    // Blank lines stand between articles, and nowhere else.
    let stand_apart = is_set_off(lines)
        && others.iter().all(|&i| lines[i].blank_before > 0)
        && lines.windows(2).all(|two| {
            two.iter().any(|line| line.kind != LineKind::Body) || two[1].blank_before == 0
        });
    // A feature has its writer below its headline; reports have datelines, or nothing.
    let has_writer =
        |run: usize| below_run(kinds, run).is_some_and(|j| kinds[j] == BlockKind::Byline);
    let shape = |i: usize| Shape::of(lines[i].span.of(text));
    let alike = |i: usize| {
        let at = runs.binary_search(&i).unwrap_or(0);
        let beside = [runs.get(at + 1), Some(&runs[at - 1])];
        let mut beside = beside.into_iter().flatten();
        beside.any(|other| is_found(other) && shape(*other).is_like(&shape(i)))
    };
    let mut in_feature = false;
    let mut inside = Vec::new();
    for &i in &runs {
        if !is_found(&i) {
            in_feature = has_writer(i);
            continue;
        }
        let is_inside = match in_feature {
            true => stand_apart && !others.is_empty() || alike(i),
            false => stand_apart && others.len() >= MIN_APART,
        };
        if is_inside {
            inside.push(i);
        }
    }
    for i in inside {
        demote_run(kinds, i);
    }
}

/// Headlines with a blank line above, from which on that is how the page prints them.
const MIN_APART: usize = 2;

/// Characters of white space before a line.
fn indent(text: &[char], line: &Line) -> usize {
    let before = text[..line.span.start].iter().rev();
    before
        .take_while(|c| matches!(c, ' ' | '\t' | '\u{3000}' | '\u{a0}'))
        .count()
}

/// Whether the page sets its paragraphs off from the edge.
fn is_set_off(lines: &[Line]) -> bool {
    let bodies = lines.iter().filter(|line| line.kind == LineKind::Body);
    let (all, set_off) = bodies.fold((0, 0), |(all, set_off), line| {
        (all + 1, set_off + usize::from(line.is_indented))
    });
    all >= MIN_PARAGRAPHS && 5 * set_off >= 4 * all
}

/// Whether a lead says what its headline says: of a heading's words the text below it repeats few.
fn is_told_below(text: &[char], heading: &Line, below: &Line) -> bool {
    let lead = below.without_dateline().of(text);
    let lead = &lead[..lead.len().min(LEAD_CHARS)];
    let pairs = heading.span.of(text).windows(2);
    let (all, told) = pairs.fold((0, 0), |(all, told), pair| {
        (
            all + 1,
            told + usize::from(lead.windows(2).any(|other| other == pair)),
        )
    });
    2 * told >= all
}

/// What of a text is its lead.
const LEAD_CHARS: usize = 80;

/// How a heading is built.
struct Shape {
    chars: usize,
    /// Where its first comma or colon stands.
    mark: Option<(usize, char)>,
}

impl Shape {
    fn of(heading: &[char]) -> Self {
        let is_mark = |c: &char| matches!(c, '，' | ',' | '：' | ':');
        let mark = heading.iter().position(is_mark);
        Self {
            chars: heading.len(),
            mark: mark.map(|at| (at, heading[at])),
        }
    }

    /// `一辆小巴，跑出一条新路` and `一间冷库，留住一份新鲜`.
    fn is_like(&self, other: &Self) -> bool {
        self.mark.is_some() && self.mark == other.mark && self.chars.abs_diff(other.chars) <= 1
    }
}

/// Whether a line is the first one of a headline.
pub(super) fn opens_run(kinds: &[BlockKind], i: usize) -> bool {
    kinds[i] == BlockKind::Headline && (i == 0 || kinds[i - 1] != BlockKind::Headline)
}

/// What stands below the headline that line `i` is of.
fn below_run(kinds: &[BlockKind], i: usize) -> Option<usize> {
    (i..kinds.len()).find(|&j| kinds[j] != BlockKind::Headline)
}

/// Whether a dateline or a byline follows a headline.
fn is_credited(lines: &[Line], kinds: &[BlockKind], i: usize) -> bool {
    below_run(kinds, i)
        .is_some_and(|j| kinds[j] == BlockKind::Byline || lines[j].dateline_chars > 0)
}

/// Whether a paragraph ends in who wrote it.
fn is_signed(text: &[char], line: &Line) -> bool {
    let printed = line.span.of(text);
    line.kind == LineKind::Body
        && (ends_in_a_note(printed)
            || printed.last().is_some_and(|&c| !is_terminal(c)) && trailing_credit(printed) > 0)
}

fn demote_run(kinds: &mut [BlockKind], first: usize) {
    for kind in &mut kinds[first..] {
        if *kind != BlockKind::Headline {
            break;
        }
        *kind = BlockKind::Body;
    }
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::lines;
    use crate::document::page::roles::alone;
    use crate::document::page::{BlockKind, Layout, repair::NoContinuation, split};

    fn titles(page: &str) -> Vec<String> {
        let text: Vec<char> = page.chars().collect();
        let articles = split(&text, Layout::Auto, &NoContinuation).articles;
        articles.into_iter().map(|article| article.title).collect()
    }

    #[test]
    fn headings_inside_a_feature_open_no_article() {
        let page = "山货出山记\n本报记者 何田\n　　清晨六点，雾松乡的山道上已有车灯闪动，何大山把四十斤香菇搬上小巴。\n一辆小巴，跑出一条新路\n　　交通局把农村客运线路改造了一遍，两年来捎带山货一千多吨。\n一间冷库，留住一份新鲜\n　　山货娇贵，离了枝头就掉价。县里建起四十间小型冷库，农户按斤付费。\n东江高铁全线铺轨完成\n　　本报讯（记者 林小满）昨天，东江高速铁路全线铺轨完成，年底开通运营。";
        let expected = ["山货出山记", "东江高铁全线铺轨完成"];
        assert_eq!(titles(page), expected);
        let apart = page
            .replace("一间冷库，留住一份新鲜", "冷库建到村口")
            .replace("\n东江高铁", "\n\n东江高铁");
        assert_eq!(titles(&apart), expected);
    }

    #[test]
    fn a_line_that_is_set_off_as_paragraphs_are_is_one() {
        let page = "借伞\n何田\n　　雨是下午三点下起来的。老周站在修表铺门口，看见站牌下站着一个姑娘，没带伞。\n　　“拿着吧，回头还我。”\n　　姑娘愣了愣：“您认识我？”\n　　“不认识。”老周说，“我女儿也在外地，也不爱带伞。”\n　　姑娘走了，老周回到铺子里，继续修表。一个星期过去，伞没有回来。\n\n戏台\n林小满\n　　河西镇的戏台建在祠堂对面，青砖黛瓦，飞檐翘角。正月里唱大戏，十里八乡的人都来。";
        assert_eq!(titles(page), ["借伞", "戏台"]);
    }

    #[test]
    fn below_a_signature_begins_a_headline() {
        let page = "我县冬修水利开工过半\n　　县水利局要求各乡镇抢抓晴好天气，\n倒排工期，确保明年3月底前全部完工。（水宣）\n柚子红了\n日子甜了\n本报记者 何田\n　　初冬时节，走进桥头镇杨柳湾村，漫\n山遍野的红心柚挂满枝头，果香扑鼻。";
        assert_eq!(titles(page), ["我县冬修水利开工过半", "柚子红了 日子甜了"]);
    }

    #[test]
    fn a_dash_opens_no_first_deck() {
        let page = "“没有什么不可能。”他说，每天放学后，他都要在跑道上走五公里。\n\n让党旗在一线高高飘扬\n\n——东江县抗洪抢险侧记\n　　三天三夜，九十公里堤防安然无恙。";
        let text: Vec<char> = page.chars().collect();
        let lines = lines(&text);
        let mut kinds: Vec<BlockKind> = lines.iter().map(|line| alone(line.kind)).collect();
        kinds[2] = BlockKind::Headline;
        super::settle(&text, &lines, &mut kinds);
        assert_eq!(kinds[1], BlockKind::Headline);
    }

    #[test]
    fn what_stands_above_a_dateline_is_a_deck() {
        let page = "东江大桥通车\n两岸市民走上大桥\n何田宣布通车　林小满主持\n本报东江3月5日电（记者 周默）东江大桥今天通车，市民走上大桥参观，大桥全长三千米。\n\n青石中学食堂改造\n东江日报3月5日讯（记者 何晓）食堂改造今天完成，学生们走进食堂用餐。";
        assert_eq!(
            titles(page),
            [
                "东江大桥通车 两岸市民走上大桥 何田宣布通车 林小满主持",
                "青石中学食堂改造"
            ]
        );
    }

    #[test]
    fn a_dash_below_a_headline_opens_a_deck() {
        let found = |decks: &str| {
            let page = format!(
                "他把巡线路走成了花路\n{decks}\n在东江供电公司，大家都会说到他的那只帆布包。"
            );
            let text: Vec<char> = page.chars().collect();
            let lines = lines(&text);
            let mut kinds: Vec<BlockKind> = lines.iter().map(|line| alone(line.kind)).collect();
            kinds[0] = BlockKind::Headline;
            super::settle(&text, &lines, &mut kinds);
            kinds[1]
        };
        assert_eq!(found("——记输电运检班班长"), BlockKind::Headline);
        assert_eq!(found("——新建公园六座\n——新修道路三条"), BlockKind::Body);
    }

    #[test]
    fn a_line_as_long_as_its_headline_is_of_it_above_the_text() {
        let found = |below: &str| {
            let text: Vec<char> = format!("东江大桥昨日建成通车\n{below}").chars().collect();
            let lines = lines(&text);
            let mut kinds: Vec<BlockKind> = lines.iter().map(|line| alone(line.kind)).collect();
            kinds[0] = BlockKind::Headline;
            super::settle(&text, &lines, &mut kinds);
            kinds[1]
        };
        let body = "市民走上大桥参观，大桥全长三千米。";
        let couplet = "两岸居民往来不再绕行";
        assert_eq!(found(&format!("{couplet}\n{body}")), BlockKind::Headline);
        assert_eq!(found(&format!("{couplet}\n\n{body}")), BlockKind::Body);
        assert_ne!(
            found(&format!("2024年6月13日\n{body}")),
            BlockKind::Headline
        );
    }

    #[test]
    fn reports_under_one_mark_are_told_apart() {
        let page = "▲古塘镇开展河道清漂\n11月18日，古塘镇组织干部群众120余人，清理松溪河漂浮垃圾9吨。（段江）\n▲县实验小学举行消防演练\n11月20日，县实验小学1300余名师生开展应急疏散演练。（何田）";
        assert_eq!(titles(page).len(), 2);
    }

    #[test]
    fn a_photographers_credit_ends_its_paragraph() {
        let page = "面塑课进社区\n　　前天上午，面塑传承人来到望海社区，手把手教居民捏面塑。本报记者 何田 摄\n\n暑期托管班开班\n　　昨天，翠湖社区暑期托管班开班，五十名孩子参加。 记者 林小满";
        assert_eq!(titles(page), ["面塑课进社区", "暑期托管班开班"]);
    }
}
