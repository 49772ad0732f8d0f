//! The lines of a page and what can be said of each by its looks; what stands beside it settles the rest (`furniture`).

use super::clauses;
use super::credits::trailing_credit;
use super::furniture::{self, MAX_FURNITURE_CHARS};
use super::indents;
use super::parted::{headed, labelled, noted, sited};
use super::printed::{INDENT, Printed};
use super::wrap;
use crate::document::Span;
use crate::document::markup::without_markdown;
use crate::document::sentence::{is_closing, is_terminal, line_spans};
use crate::document::table::is_table_row;
use crate::text::dateline::{dateline_chars, opening};
use crate::text::fold::{fold, folded_head, is_han};
use crate::text::names::are_names;
use crate::text::patterns::PATTERNS;

/// What a line is by its own looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Prose, or a line too long to be a headline.
    Body,
    /// Short and without a full stop: a headline, a heading inside an article, a list item, verse.
    Short,
    /// Names of authors or photographers.
    Byline,
    /// Page numbers, dates, editors.
    Furniture,
}

/// A line that is not blank, with the lines that go on with it where a fixed width broke it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Without white space at its ends.
    pub span: Span,
    pub kind: LineKind,
    /// Blank lines directly before it.
    pub blank_before: usize,
    /// White space sets it off from the edge, as many papers print paragraphs.
    pub is_indented: bool,
    /// The line begins with a dateline that is this long, in characters from `span.start`.
    pub dateline_chars: usize,
}

impl Line {
    /// The line after its dateline.
    pub fn without_dateline(&self) -> Span {
        Span::new(self.span.start + self.dateline_chars, self.span.end)
    }
}

/// Longer lines are never headlines.
pub const MAX_HEADLINE_CHARS: usize = 64;
/// A longer line is no byline.
const MAX_BYLINE_CHARS: usize = 60;
/// A line longer than this that ends with a colon is a sentence.
const ANNOUNCING_CHARS: usize = 18;
/// Patterns look at no more than this of a line: a 5 MB line must not cost more than a short one.
pub(super) const PATTERN_CHARS: usize = 160;

/// The lines of `text` that are not blank.
pub fn lines(text: &[char]) -> Vec<Line> {
    let printed = printed(text);
    let mut continues = wrap::continuations(text, &printed);
    indents::mark(text, &printed, &mut continues);
    let paragraphs = clauses::read_on(text, wrap::put_together(printed, continues));
    let mut parts = (paragraphs.into_iter())
        .map(|line| Printed {
            span: without_markdown(text, line.span),
            ..line
        })
        .flat_map(|line| headed(text, line))
        .flat_map(|line| noted(text, line));
    let first = parts.next().map(|line| sited(text, line)).into_iter();
    let mut lines: Vec<Line> = (first.flat_map(|line| labelled(text, line)))
        .chain(parts)
        .map(|line| classified(text, line))
        .collect();
    furniture::settle(text, &mut lines);
    lines
}

/// What the lines of a text say, as if nothing had broken them.
#[cfg(test)]
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let printed = lines(&text).into_iter().map(|line| line.span.text(&text));
    printed
        .map(|line| line.replace(['\n', '　'], "").replace(r"\n", ""))
        .collect()
}

fn classified(text: &[char], line: Printed) -> Line {
    let span = line.span;
    let head = fold(&span.of(text)[..span.len().min(PATTERN_CHARS)]);
    let head_text: String = head.iter().collect();
    let is_byline = span.len() <= MAX_BYLINE_CHARS
        && (PATTERNS.byline.is_match(&head_text)
            || is_marked(&head) && are_names(&head)
            || is_spaced_out(&head) && PATTERNS.byline.is_match(&head_text.replace(' ', "")));
    let opening = (!is_byline).then(|| opening(&head_text)).flatten();
    let dateline_chars = opening.as_ref().map_or(0, |opening| opening.chars);
    // Nothing but a dateline in brackets closes an article, or stands alone below its headline; one with the agency's
    // headline in it (`电 题：…`) is finished too. Any other may be all of its paragraph that a column had room for.
    let is_finished = opening.is_some_and(|opening| opening.is_finished);
    let is_alone = dateline_chars == span.len() && (is_finished || in_brackets(&head));
    let is_credit = is_byline || is_alone;
    Line {
        span,
        kind: kind_of(&head, &head_text, span.len(), dateline_chars, is_credit),
        blank_before: line.blank_before,
        is_indented: line.indent >= INDENT,
        dateline_chars,
    }
}

/// A blank behind every character, as some scans are read: `本 报 记 者 何 田`.
fn is_spaced_out(line: &[char]) -> bool {
    let mut words = line.split(|c| c.is_whitespace()).filter(|w| !w.is_empty());
    line.len() > 1 && words.all(|word| word.len() == 1)
}

/// The lines as they are printed, those that are blank only counted.
fn printed(text: &[char]) -> Vec<Printed> {
    let mut out = Vec::new();
    let mut blank_before = 0;
    for whole in line_spans(text, Span::new(0, text.len())) {
        let span = whole.trimmed(text);
        if span.is_empty() {
            blank_before += 1;
            continue;
        }
        let before = Span::new(whole.start, span.start).of(text);
        let columns = before.iter().map(|&c| 1 + usize::from(c == '\u{3000}'));
        out.push(Printed {
            span,
            indent: columns.sum(),
            blank_before,
        });
        blank_before = 0;
    }
    out
}

fn kind_of(
    head: &[char],
    head_text: &str,
    len: usize,
    dateline_chars: usize,
    is_credit: bool,
) -> LineKind {
    if len <= MAX_FURNITURE_CHARS && dateline_chars == 0 && PATTERNS.furniture.is_match(head_text) {
        LineKind::Furniture
    } else if is_credit {
        LineKind::Byline
    } else if len <= MAX_HEADLINE_CHARS
        && dateline_chars == 0
        && !ends_like_prose(head)
        && !is_table_row(head)
        && ![&PATTERNS.caption, &PATTERNS.speech, &PATTERNS.salutation]
            .iter()
            .any(|prose| prose.is_match(head_text))
    {
        LineKind::Short
    } else {
        LineKind::Body
    }
}

/// Ends with a full stop (closing marks aside), perhaps with a credit in brackets after it. Headlines may end with `！` and
/// `？`, never with `。`.
fn ends_like_prose(line: &[char]) -> bool {
    let ends = |line: &[char], stops: &str| last_mark(line).is_some_and(|c| stops.contains(c));
    let before_bracket = matches!(line.last(), Some('）' | ')'))
        .then(|| line.iter().rposition(|c| matches!(c, '（' | '(')))
        .flatten();
    // A colon after a sentence's length or several clauses announces something (现公告如下：); after a word or two it is a heading's.
    let is_sentence = line.len() > ANNOUNCING_CHARS || line.iter().any(|c| "，？！".contains(*c));
    let announces = is_sentence && ends(line, "：:");
    // What has a full stop inside and ends in a mark is several sentences; without one it is a cut paragraph's beginning.
    let several = line
        .split_last()
        .is_some_and(|(last, before)| !last.is_alphanumeric() && before.contains(&'。'));
    // Full stops of half width, after a Chinese character.
    let narrow = matches!(line, [.., before, '.' | '．'] if is_han(*before) || is_closing(*before));
    announces
        || several
        || narrow
        || ends(line, "。；，、;,")
        || before_bracket.is_some_and(|open| ends(&line[..open], "。"))
        || ends(&line[..line.len() - trailing_credit(line)], "。")
}

/// Begins a report, or is no text at all: what goes on with no line above it.
pub(super) fn is_apart(line: &[char]) -> bool {
    let head = folded_head(line, PATTERN_CHARS);
    let patterns = [&PATTERNS.furniture, &PATTERNS.byline];
    dateline_chars(&head) > 0 || patterns.iter().any(|pattern| pattern.is_match(&head))
}

/// Ends the way a finished paragraph ends.
pub fn ends_paragraph(line: &[char]) -> bool {
    last_mark(line)
        .is_some_and(|c| is_terminal(c) || matches!(c, '…' | '：' | ':' | '；' | '.' | '．'))
}

/// What stands behind the last full stop of a paragraph and the marks that close after it; all of it where there is none.
pub(super) fn after_last_sentence(paragraph: &[char]) -> &[char] {
    let stop = paragraph.iter().rposition(|&c| is_terminal(c));
    let start = stop.map_or(0, |stop| stop + 1);
    let closing = paragraph[start..].iter().take_while(|&&c| is_closing(c));
    &paragraph[start + closing.count()..]
}

/// A sentence and something in brackets behind it, as closes a paragraph: `…通车。（何田）`.
pub(super) fn ends_in_a_note(line: &[char]) -> bool {
    let open = line.iter().rposition(|c| matches!(c, '（' | '('));
    let before = open.and_then(|open| line[..open].iter().rfind(|c| !c.is_whitespace()));
    matches!(line.last(), Some('）' | ')'))
        && before.is_some_and(|&c| is_terminal(c) || matches!(c, '”' | '’'))
}

/// A whole sentence in quotation marks, or one of several clauses that calls or asks: a paragraph, below a headline.
pub fn is_talk(line: &[char]) -> bool {
    is_quoted_talk(line) || calls(line) && line.contains(&'，')
}

/// `“终于通车了！”`
pub fn is_quoted_talk(line: &[char]) -> bool {
    calls(line) && matches!(line, ['“' | '「', .., '”' | '」'])
}

/// Whether a line stops in a sentence that no heading has: after the end of another one, or inside a quotation.
pub fn is_cut(line: &[char]) -> bool {
    let count = |mark: char| line.iter().filter(|&&c| c == mark).count();
    let marks = line.iter().rposition(|&c| matches!(c, '。' | '；'));
    marks.is_some_and(|at| line[at + 1..].iter().any(|c| c.is_alphanumeric()))
        || count('“') > count('”')
}

fn calls(line: &[char]) -> bool {
    last_mark(line).is_some_and(|c| matches!(c, '！' | '？' | '!' | '?' | '…'))
}

/// What a line ends with, closing marks and white space aside.
pub(super) fn last_mark(line: &[char]) -> Option<char> {
    let last = line.iter().rev();
    last.copied()
        .find(|&c| !is_closing(c) && !c.is_whitespace())
}

/// A mark that a credit or an item of a list opens with.
pub fn is_marked(line: &[char]) -> bool {
    line.first().is_some_and(|&c| MARKS.contains(c))
}

const MARKS: &str = "■□●○◎▲△▼◆◇★▌▶①②③④⑤⑥⑦⑧⑨⑩";

/// `——从茶园到茶杯`, as decks open.
pub(super) fn opens_with_dash(line: &[char]) -> bool {
    line.starts_with(&['—', '—'])
}

/// An item of a list: `一、新建公办幼儿园6所`.
pub fn is_enumerated(line: &[char]) -> bool {
    // A dash opens a deck too.
    line.first() != Some(&'—')
        && PATTERNS
            .enumerator
            .is_match(&folded_head(line, ENUMERATOR_CHARS))
}

/// What is looked at of a line for its number.
const ENUMERATOR_CHARS: usize = 8;

/// `（本报记者 …）`, `（作者为…）`: a line of its own in brackets, as closes an article.
pub fn in_brackets(line: &[char]) -> bool {
    let first = matches!(line.first(), Some('（' | '('));
    first && matches!(line.last(), Some('）' | ')'))
}

/// Closes a bracket before it opens one: its beginning stands elsewhere.
pub fn closes_foreign_bracket(line: &[char]) -> bool {
    let first = line.iter().find(|c| "()（）《》".contains(**c));
    first.is_some_and(|c| ")）》".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> LineKind {
        let text: Vec<char> = line.chars().collect();
        lines(&text)[0].kind
    }

    #[test]
    fn the_rest_of_a_cut_credit_begins_inside_its_bracket() {
        let closes = |line: &str| closes_foreign_bracket(&line.chars().collect::<Vec<_>>());
        assert!(closes("小满 通讯员 何晓)大桥今天通车（图）"));
        assert!(!closes("大桥今天通车（图）") && !closes("大桥今天通车"));
    }

    #[test]
    fn tells_lines_apart() {
        for byline in [
            "东江日报全媒体记者 林小满",
            "通讯员 何田",
            "本报记者 周默 摄影报道",
            "（记者 方圆）",
            "文/图 于晴",
            "摄影：石磊",
            "编辑：王小文",
            "以上图片均为石磊摄（新华社发）",
            "本版图片均由本报记者 石磊 摄",
            "本 报 记 者   罗 建 国",
        ] {
            assert!(
                matches!(kind(byline), LineKind::Byline | LineKind::Furniture),
                "{byline}"
            );
        }
        for furniture in [
            "第3版",
            "2023年2月17日 星期五",
            "（下转第3版）",
            "责任编辑：杨柳 版式：李梅",
            "—— 5 ——",
            "A07",
        ] {
            assert_eq!(kind(furniture), LineKind::Furniture, "{furniture}");
        }
        for short in [
            "今日全省天气预报",
            "春耕时节机声隆隆",
            "亮点：订单排到明年",
            "一、守住粮食安全底线",
            "谁来种地？",
            "图片展记录拍摄背后",
        ] {
            assert_eq!(kind(short), LineKind::Short, "{short}");
        }
        // The beginning of a dateline that a column cut.
        assert_eq!(kind("东江日报2月17日讯(记者 林小"), LineKind::Body);
        assert_eq!(kind("记者来到田间，看到农机来回穿梭。"), LineKind::Body);
        assert_eq!(kind("市长强调记者要多下基层采访"), LineKind::Short);
    }

    #[test]
    fn a_line_that_stops_behind_a_sentence_is_cut() {
        let cut = |line: &str| is_cut(&line.chars().collect::<Vec<_>>());
        for line in ["大桥有三千米长；同时", "大桥通车。市民", "市民说：“终于"]
        {
            assert!(cut(line), "{line}");
        }
        for line in [
            "大桥通车 市民高兴",
            "谁来种地？农民！",
            "“终于通车”",
            "大桥通车。",
            "一、桥面；",
        ] {
            assert!(!cut(line), "{line}");
        }
    }

    #[test]
    fn credits_and_declarations_below_a_web_pages_text_are_none_of_it() {
        let text = |page: &str| -> String {
            let page: Vec<char> = page.chars().collect();
            let blocks = crate::document::page::body_blocks(&page);
            let found = crate::document::page::assemble(&page, &blocks).swap_remove(0);
            found.reading().text.iter().collect()
        };
        let body = "东江大桥今天通车，市民走上大桥参观。";
        for end in [
            "来源：东江发布",
            " 责任编辑：林小满 审核：何田 监制：周默",
            "特别声明：以上文章内容仅代表作者本人观点，不代表本网观点。如有版权问题请与本网联系。",
            "本文为一点号作者原创，未经授权不得转载",
        ] {
            assert_eq!(text(&format!("{body}{end}")), body, "{end}");
        }
        for prose in [
            "他说：来源：东江发布",
            "公司声明：大桥的质量没有问题。",
            "记者：您为什么来？",
        ] {
            assert_eq!(text(&format!("{body}{prose}")), format!("{body}{prose}"));
        }
    }

    #[test]
    fn a_headline_in_brackets_is_a_line_of_its_own() {
        let split = |page: &str| -> Vec<String> {
            let text: Vec<char> = page.chars().collect();
            let found = lines(&text);
            found.iter().map(|line| line.span.text(&text)).collect()
        };
        assert_eq!(
            split("【东江大桥今天通车】东江大桥今天正式通车，全长15公里。"),
            ["东江大桥今天通车", "东江大桥今天正式通车，全长15公里。"]
        );
        for whole in [
            "【记者手记】东江大桥今天正式通车，全长15公里。",
            "【东江晚报记者 林小满】东江大桥今天正式通车，全长15公里。",
            "【东江大桥今天通车】",
        ] {
            assert_eq!(split(whole), [whole]);
        }
    }

    #[test]
    fn labels_are_no_bylines() {
        for label in ["■记者手记", "◆一线传真", "■法官说法", "●背景", "★提醒"]
        {
            assert_eq!(kind(label), LineKind::Short, "{label}");
        }
        assert_eq!(kind("■于晴 何田"), LineKind::Byline);
        assert_eq!(kind("问：您为什么来"), LineKind::Body);
        assert_eq!(kind("各有关单位："), LineKind::Body);
    }

    #[test]
    fn a_row_of_a_table_is_no_headline() {
        assert_eq!(kind("1 东江海鹰 11 8 1 2 25"), LineKind::Body);
    }

    #[test]
    fn a_credit_in_brackets_does_not_make_a_headline_of_prose() {
        assert_eq!(
            kind("大桥今天通车，全长15公里。（本报记者 林小满 采写）"),
            LineKind::Body
        );
        assert_eq!(
            kind("经研究，拟对下列路段实施交通管制。现将有关事项公告如下："),
            LineKind::Body
        );
        assert_eq!(kind("东江大桥今天通车（图）"), LineKind::Short);
        assert_eq!(kind("今年的三件实事："), LineKind::Short);
    }

    #[test]
    fn measures_datelines() {
        for (line, dateline) in [
            (
                "东江日报2月17日讯(记者 林小满)今天召开会议。",
                "东江日报2月17日讯(记者 林小满)",
            ),
            (
                "新华社北京9月21日电  （记者林小满、何田）国务院召开会议。",
                "新华社北京9月21日电  （记者林小满、何田）",
            ),
            ("本报讯 记者从市水务局获悉，水库开工。", "本报讯 "),
            ("【本报讯】水库开工。", "【本报讯】"),
            ("央视网消息：水库开工。", "央视网消息："),
            ("晨报的记者在现场看到，水库开工的消息传来。", ""),
            ("电影节开幕，消息传来。", ""),
        ] {
            let text: Vec<char> = line.chars().collect();
            let line = &lines(&text)[0];
            assert_eq!(
                text[..line.dateline_chars].iter().collect::<String>(),
                dateline
            );
        }
    }
}
