//! Lines that are furniture by where they stand: a paper's name, a date, a section above all text, the links below a page of the web.

use super::line::{Line, LineKind, MAX_HEADLINE_CHARS, PATTERN_CHARS};
use crate::document::table::{heads_table, is_table_row};
use crate::text::fold::folded_head;
use crate::text::patterns::PATTERNS;
use std::collections::{HashMap, HashSet};

/// A longer line is no furniture.
pub(super) const MAX_FURNITURE_CHARS: usize = 80;
/// A longer line is no label at the head of a page.
const MAX_LABEL_CHARS: usize = 8;

/// Settles which lines are furniture. One that is only a date, an address, a section's name belongs to the page
/// above all text, or beside other furniture; in the text it is a chronicle's, or closes a notice.
pub(super) fn settle(text: &[char], lines: &mut [Line]) {
    mark_web_tail(text, lines);
    mark_page_head(text, lines);
    mark_index(text, lines);
    mark_dates_of_articles(text, lines);
    let is = |line: Option<&Line>, kind| line.is_some_and(|line| line.kind == kind);
    // Twice: what becomes furniture may have others beside it.
    for _ in 0..2 {
        let mut below_text = false;
        for i in 0..lines.len() {
            below_text |= lines[i].kind == LineKind::Body;
            if lines[i].kind != LineKind::Short {
                continue;
            }
            let above = i.checked_sub(1).map(|above| &lines[above]);
            let below = lines.get(i + 1);
            let beside = is(below, LineKind::Furniture) || is(above, LineKind::Furniture);
            let headline_below = is(below, LineKind::Short);
            let apart = below.is_some_and(|below| below.blank_before > 0);
            let row_below = below.is_some_and(|below| is_table_row(below.span.of(text)));
            if heads_notice(text, lines, i) {
                continue;
            }
            let line = &mut lines[i];
            let printed = line.span.of(text);
            if row_below && heads_table(printed) {
                line.kind = LineKind::Body;
                continue;
            }
            let heads_the_page = beside || !below_text && i == 0 && headline_below;
            // Beside a date or a page number, apart from the headline below it: whatever it says.
            let is_label = beside && apart && headline_below && printed.len() <= MAX_LABEL_CHARS;
            if heads_the_page && is_masthead(printed)
                || is_label && !below_text
                || (!below_text || beside) && stands_beside_furniture(printed)
            {
                line.kind = LineKind::Furniture;
            }
        }
    }
}

/// Lines above the first blank one that a date or a page's number stands among, where below it a headline stands right above its
/// text: labels, names of papers, addresses, menus.
fn mark_page_head(text: &[char], lines: &mut [Line]) {
    let Some(end) = (1..lines.len().min(MAX_HEAD_LINES)).find(|&i| lines[i].blank_before > 0)
    else {
        return;
    };
    let (head, rest) = lines.split_at_mut(end);
    let is_dated = head.iter().any(|line| line.kind == LineKind::Furniture);
    let has_text = |line: &Line| line.span.of(text).iter().any(|c| "。，；".contains(*c));
    let headline_below = matches!(rest, [title, below, ..]
        if title.kind == LineKind::Short && below.blank_before == 0);
    let is_signed = head.iter().any(|line| line.kind == LineKind::Byline);
    if !is_dated || !headline_below || is_signed || head.iter().any(has_text) {
        return;
    }
    for line in head {
        let printed = line.span.of(text);
        let is_mark = |c: &char| "·•|>@".contains(*c);
        if printed.len() <= MAX_LABEL_CHARS || printed.iter().any(is_mark) {
            line.kind = LineKind::Furniture;
        }
    }
}

/// Lines of a headline.
const MAX_DECKS: usize = 3;

/// The head of a page has fewer lines.
const MAX_HEAD_LINES: usize = 16;

/// The links, counts and comments below a page of the web, whom to ask below a press release: from the line that says so to the next
/// text or credited headline.
fn mark_web_tail(text: &[char], lines: &mut [Line]) {
    let ends_page = |line: &Line| {
        let head = folded_head(line.span.of(text), PATTERN_CHARS);
        line.span.len() <= MAX_HEADLINE_CHARS && PATTERNS.web_tail.is_match(&head)
    };
    if let Some(tail) = lines.iter().position(ends_page) {
        let is_text =
            |line: &Line| line.kind == LineKind::Body && !is_table_row(line.span.of(text));
        // Another article, below a form of the page.
        let is_credited = |line: &Line| line.dateline_chars > 0 || line.kind == LineKind::Byline;
        let opens = |i: usize| lines.get(i + 1).is_some_and(is_credited);
        let end = (tail + 1..lines.len()).find(|&i| is_text(&lines[i]) || opens(i));
        // The headline of another article, apart from the links.
        let headline = |end: usize| {
            let is_short = |i: &usize| lines[*i].kind == LineKind::Short;
            // Its date may stand between.
            let above = (tail + 1..end).rev();
            let decks = above.skip_while(|i| !is_short(i)).take_while(is_short);
            let first = decks.take(MAX_DECKS).find(|&i| lines[i].blank_before > 0)?;
            // Where links stand apart from each other, it may be one of them.
            let mut links = lines[tail + 1..first].iter();
            links.all(|link| link.blank_before == 0).then_some(first)
        };
        let end = end.map_or(lines.len(), |end| headline(end).unwrap_or(end));
        for link in &mut lines[tail..end] {
            link.kind = LineKind::Furniture;
        }
    }
}

/// What the articles of the page are called, one below the other, as sites print it above or below them: each line stands on the page
/// once more, alone.
fn mark_index(text: &[char], lines: &mut [Line]) {
    let title = |line: &Line| {
        let said = line.span.of(text).iter().filter(|c| !c.is_whitespace());
        let said: Vec<char> = said
            .skip_while(|c| !c.is_alphanumeric() && !"“《".contains(**c))
            .copied()
            .collect();
        (line.kind == LineKind::Short && said.len() >= MIN_INDEXED_CHARS).then_some(said)
    };
    let titles: Vec<Option<Vec<char>>> = lines.iter().map(title).collect();
    let mut places: HashMap<&[char], usize> = HashMap::new();
    for title in titles.iter().flatten() {
        *places.entry(title).or_default() += 1;
    }
    let is_twice = |title: &Option<Vec<char>>| {
        title
            .as_ref()
            .is_some_and(|title| places[title.as_slice()] == 2)
    };
    // Runs of lines that stand on the page twice: an index, or one headline above its text.
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for i in (0..titles.len()).filter(|&i| is_twice(&titles[i])) {
        match runs.last_mut() {
            // The first headline may stand right below the index.
            Some(run)
                if run.end == i
                    && lines[i].blank_before == 0
                    && run.len() < MAX_INDEXED
                    && !titles[run.clone()].contains(&titles[i]) =>
            {
                run.end += 1;
            }
            _ => runs.push(i..i + 1),
        }
    }
    let alone = runs.iter().filter(|run| run.len() == 1);
    let headlines: HashSet<&[char]> = alone
        .filter_map(|run| titles[run.start].as_deref())
        .collect();
    for run in runs.iter().filter(|run| run.len() > 1) {
        let has_headline = |title: &Option<Vec<char>>| {
            title
                .as_deref()
                .is_some_and(|title| headlines.contains(title))
        };
        if titles[run.clone()].iter().all(has_headline) {
            lines[run.clone()]
                .iter_mut()
                .for_each(|line| line.kind = LineKind::Furniture);
        }
    }
}

/// Lines of an index; more are several.
const MAX_INDEXED: usize = 64;
/// Shorter lines may be twice on a page by chance.
const MIN_INDEXED_CHARS: usize = 5;

/// The day of an article, between its headline and who wrote it or its text, as sites print it.
fn mark_dates_of_articles(text: &[char], lines: &mut [Line]) {
    for i in 1..lines.len().saturating_sub(1) {
        let is_date = |line: &Line| {
            let line = line.span.of(text);
            line.len() <= MAX_DATE_CHARS
                && line.iter().take_while(|c| c.is_ascii_digit()).count() == 4
                && stands_beside_furniture(line)
        };
        let below = &lines[i + 1];
        let opens_text = below.kind == LineKind::Byline
            || below.dateline_chars > 0
            || below.is_indented && below.kind == LineKind::Body;
        if lines[i].kind == LineKind::Short
            && lines[i - 1].kind == LineKind::Short
            && opens_text
            && is_date(&lines[i])
        {
            lines[i].kind = LineKind::Furniture;
        }
    }
}

/// `2024年10月15日`.
const MAX_DATE_CHARS: usize = 12;

/// `公告`, apart from what stands above and right above its text, or whom it addresses: a part of the page is called so too, but here
/// nothing else is the headline.
pub(super) fn heads_notice(text: &[char], lines: &[Line], i: usize) -> bool {
    let printed = |line: &Line| line.span.of(text);
    let line = &lines[i];
    let is_apart = i == 0 || line.blank_before > 0;
    let addresses =
        |below: &Line| below.span.len() <= MAX_LABEL_CHARS && printed(below).ends_with(&['：']);
    let opens_text = |below: &Line| {
        below.blank_before == 0 && (below.kind == LineKind::Body || addresses(below))
    };
    line.kind == LineKind::Short
        && is_apart
        && line.span.len() <= MAX_LABEL_CHARS
        && lines.get(i + 1).is_some_and(opens_text)
        && PATTERNS
            .label
            .is_match(&folded_head(printed(line), MAX_LABEL_CHARS))
}

/// A paper's name: above all text, beside other furniture or above a headline. By itself, it can be one.
fn is_masthead(line: &[char]) -> bool {
    PATTERNS
        .masthead
        .is_match(&folded_head(line, PATTERN_CHARS))
}

/// By its own looks.
pub(super) fn is_furniture(line: &[char]) -> bool {
    line.len() <= MAX_FURNITURE_CHARS
        && PATTERNS
            .furniture
            .is_match(&folded_head(line, PATTERN_CHARS))
}

/// Furniture where other furniture stands beside it, or no text above it.
pub(super) fn stands_beside_furniture(line: &[char]) -> bool {
    line.len() <= MAX_FURNITURE_CHARS
        && PATTERNS
            .beside_furniture
            .is_match(&folded_head(line, PATTERN_CHARS))
}

#[cfg(test)]
mod tests {
    use crate::document::page::line::{LineKind, lines};

    #[test]
    fn dates_in_the_text_stay_there() {
        let kinds = |page: &str| -> Vec<LineKind> {
            let text: Vec<char> = page.chars().collect();
            lines(&text).iter().map(|line| line.kind).collect()
        };
        let page = "2025年3月5日\n大桥今天通车，市民高兴。\n2025年3月5日\n大桥建设者说，很高兴。\n联系电话：1234\n第3版";
        assert_eq!(
            kinds(page),
            [
                LineKind::Furniture,
                LineKind::Body,
                LineKind::Short,
                LineKind::Body,
                LineKind::Furniture,
                LineKind::Furniture
            ]
        );
    }

    #[test]
    fn what_stands_beside_a_date_at_the_head_is_the_pages() {
        let shorts = |page: &str| -> Vec<String> {
            let text: Vec<char> = page.chars().collect();
            let short = lines(&text)
                .into_iter()
                .filter(|line| line.kind == LineKind::Short);
            short.map(|line| line.span.text(&text)).collect()
        };
        let body = "大桥今天通车，市民走上大桥参观。";
        for head in [
            "清溪报\n2022年4月18日 星期一 第1版 总第3127期",
            "体坛快报 T08\n2022年4月18日 星期一",
            "2 要闻\n东江日报",
            "2022年4月18日 星期一\n湖畔\n",
        ] {
            assert_eq!(
                shorts(&format!("{head}\n东江大桥通车\n{body}")),
                ["东江大桥通车"],
                "{head}"
            );
        }
        let head = "港聞\n二○二三年六月十三日　星期二\n新聞網：www.dj.example\n\n東江大橋通車\n";
        assert_eq!(shorts(&format!("{head}{body}")), ["東江大橋通車"]);
        let web = format!("东江大桥通车\n{body}\n往期推荐\n东江水位下降\n阅读 10万+");
        assert_eq!(shorts(&web), ["东江大桥通车"]);
        assert_eq!(
            shorts("2022年4月18日 星期一\n县公安局\n开展专项行动").len(),
            2
        );
    }

    #[test]
    fn what_the_columns_of_a_table_are_called_is_no_headline() {
        let text: Vec<char> = "城市 优良天数比例 综合指数\n海屏市 100% 9 1.86"
            .chars()
            .collect();
        assert!(lines(&text).iter().all(|line| line.kind == LineKind::Body));
    }
}
