//! Datelines and credits at either end of a paragraph.

use super::line;
use crate::document::{Dateline, Span};
use crate::text::dateline;
use crate::text::fold::{fold, folded_head, is_han};
use crate::text::names::{are_names, credited_names, opens_with_surname, signs_for_a_unit};
use crate::text::patterns::PATTERNS;

/// What of a paragraph is looked at for a dateline.
const HEAD_CHARS: usize = 160;
/// The longest credit in brackets that is looked for at either end of a paragraph.
const MAX_CREDIT_CHARS: usize = 80;

/// What a paragraph opens with before its text: `新华社北京9月21日电（记者 …）`, `（记者 …）`.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// Its length, white space after it included.
    pub chars: usize,
    pub dateline: Option<Dateline>,
    pub credits: Vec<String>,
}

/// The opening of a printed paragraph.
pub(super) fn opening(paragraph: &[char]) -> Opening {
    let mut out = Opening::default();
    let head = fold(&paragraph[..paragraph.len().min(HEAD_CHARS)]);
    let folded: String = head.iter().collect();
    if let Some(found) = dateline::opening(&folded) {
        // Folding keeps every place: what was found stands there as printed.
        let printed = |part: Span| part.text(paragraph).trim().to_owned();
        out.chars = found.chars + blank(&paragraph[found.chars..]);
        out.dateline = found.paper.map(|paper| Dateline {
            paper: printed(paper),
            place: found.place.map(printed),
            date: found.date.map(printed),
        });
        let people = found.people.into_iter();
        let people = people.filter(|part| names_somebody(part.of(&head)));
        out.credits = people
            .flat_map(|people| credits(&printed(people)))
            .collect();
    }
    let credit = leading_credit(&paragraph[out.chars..]);
    if credit > 0 {
        let printed: String = paragraph[out.chars..out.chars + credit].iter().collect();
        out.credits.extend(credits(&printed));
        out.chars += credit;
        out.chars += blank(&paragraph[out.chars..]);
    }
    out
}

/// `（新闻联播）` in a dateline names nobody; of several, each may have any surname.
fn names_somebody(folded: &[char]) -> bool {
    let text: String = folded.iter().collect();
    PATTERNS.credited.is_match(&text) || are_names(folded) || PATTERNS.signatures.is_match(&text)
}

/// Length of the white space that text begins with.
fn blank(text: &[char]) -> usize {
    text.iter().take_while(|c| c.is_whitespace()).count()
}

/// `（记者 张三）……` at the beginning of a paragraph: its length, 0 when there is none.
fn leading_credit(paragraph: &[char]) -> usize {
    let head = &paragraph[..paragraph.len().min(MAX_CREDIT_CHARS)];
    if !matches!(head.first(), Some('（' | '(' | '【' | '[')) {
        return 0;
    }
    let close = head.iter().position(|c| "）)】]".contains(*c));
    close
        .map(|close| close + 1)
        .filter(|&end| is_byline(&head[..end]))
        .unwrap_or(0)
}

/// `……。（记者 张三）`, `……。 本报记者 张三 摄` at the end of a paragraph: its length with white space before it, 0 when there is none.
pub(super) fn trailing_credit(paragraph: &[char]) -> usize {
    match paragraph.last() {
        Some('）' | ')') => bracketed_credit(paragraph),
        _ => bare_credit(paragraph),
    }
}

/// Behind a paragraph's last sentence, without brackets. Names alone need white space or a mark before them: a paragraph may be cut
/// behind a name.
fn bare_credit(paragraph: &[char]) -> usize {
    let rest = line::after_last_sentence(paragraph);
    let credit = &rest[blank(rest)..];
    let is_set_off =
        credit.len() < rest.len() || line::is_marked(credit) || credit.starts_with(&['—']);
    let folded = folded_head(credit, MAX_CREDIT_CHARS);
    let names_somebody = is_set_off || PATTERNS.credited.is_match(&folded);
    let is_credit = !credit.is_empty()
        && rest.len() < paragraph.len()
        && credit.len() <= MAX_BARE_CREDIT_CHARS
        && names_somebody
        && is_byline(credit);
    if is_credit { rest.len() } else { 0 }
}

/// The longest credit without brackets that is looked for behind a sentence.
const MAX_BARE_CREDIT_CHARS: usize = 40;

fn bracketed_credit(paragraph: &[char]) -> usize {
    let tail = &paragraph[paragraph.len().saturating_sub(MAX_CREDIT_CHARS)..];
    let open = tail
        .iter()
        .rposition(|c| matches!(c, '（' | '('))
        .map(|at| paragraph.len() - tail.len() + at);
    let Some(open) = open.filter(|&open| open > 0) else {
        return 0;
    };
    let before = &paragraph[..open];
    let spaces = before.iter().rev().take_while(|c| c.is_whitespace());
    let end = open - spaces.count();
    let credit = &paragraph[open..];
    let names_somebody = || is_byline(credit) || dateline_alone(credit).is_some();
    if line::ends_paragraph(&before[end.saturating_sub(4)..end]) && names_somebody() {
        paragraph.len() - end
    } else {
        0
    }
}

/// Credits in brackets further inside a paragraph: `…通车。（记者 何田）另据…`, `…（本报记者 何田 摄）`. A role must say that they are
/// credits: names alone may be anybody's there.
pub(super) fn inner_credits(paragraph: &[char]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(open) = paragraph[at..].iter().position(|c| matches!(c, '（' | '(')) {
        let start = at + open;
        at = start + 1;
        let reach = &paragraph[at..paragraph.len().min(start + MAX_CREDIT_CHARS)];
        let mark = reach.iter().position(|c| "（()）。".contains(*c));
        let close = mark.filter(|&mark| matches!(reach[mark], '）' | ')'));
        let Some(end) = close.map(|close| at + close + 1) else {
            continue;
        };
        let printed = &paragraph[start..end];
        let folded = folded_head(printed, printed.len());
        // `（记者手记）` says what the text is.
        let is_somebody = || credited_names(&folded).any(opens_with_surname);
        if PATTERNS.credited.is_match(&folded) && is_byline(printed) && is_somebody() {
            out.push(Span::new(start, end));
            at = end;
        }
    }
    out
}

/// What is not read of credits inside a paragraph: those that stand side by side together, and none between two words, which would
/// make a phrase without it.
pub(super) fn left_out(paragraph: &[char], credits: Vec<Span>) -> Vec<Span> {
    let mut together: Vec<Span> = Vec::new();
    for credit in credits {
        let between = |from: usize| &paragraph[from..credit.start];
        match together.last_mut() {
            Some(last) if blank(between(last.end)) == between(last.end).len() => {
                last.end = credit.end;
            }
            _ => together.push(credit),
        }
    }
    let printed = |c: &&char| !c.is_whitespace();
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
    together.retain(|credit| {
        let before = paragraph[..credit.start].iter().rfind(printed);
        let after = paragraph[credit.end..].iter().find(printed);
        !(is_word(before) && is_word(after))
    });
    together
}

/// The opening of a line that is a dateline and nothing else.
pub(super) fn dateline_alone(printed: &[char]) -> Option<Opening> {
    let found = opening(printed);
    (found.chars == printed.len() && found.dateline.is_some()).then_some(found)
}

/// Who wrote down what the author of a closing note said: `（作者为…，本报记者何田采访整理）` → `本报记者何田`.
pub(super) fn noted_down(paragraph: &[char]) -> Vec<String> {
    if !matches!(paragraph.last(), Some('）' | ')')) {
        return Vec::new();
    }
    let tail = fold(&paragraph[paragraph.len().saturating_sub(MAX_CREDIT_CHARS)..]);
    let folded: String = tail.iter().collect();
    let who = PATTERNS.noted_down.captures(&folded);
    let who = who.and_then(|found| found.name("who"));
    // Folding keeps every place.
    who.map_or_else(Vec::new, |who| {
        let start = paragraph.len() - folded[who.start()..].chars().count();
        let printed = &paragraph[start..start + who.as_str().chars().count()];
        credits(&printed.iter().collect::<String>())
    })
}

fn is_byline(printed: &[char]) -> bool {
    let folded = fold(printed);
    let line: String = folded.iter().collect();
    PATTERNS.byline.is_match(&line) || are_names(&folded) || signs_for_a_unit(&folded)
}

/// The credits of a byline: one entry a role, brackets, marks and addresses of mail removed, those of editors and sources left out.
///
/// `（全媒体记者 曹娟 通讯员 陶韬）` → `全媒体记者 曹娟`, `通讯员 陶韬`.
pub(super) fn credits(printed: &str) -> Vec<String> {
    let words = printed.split_whitespace();
    let named: Vec<&str> = words.filter(|word| !word.contains('@')).collect();
    let named = named.join(" ");
    let bare = PATTERNS.reporting.replace(bare(&named), "");
    let mut entries: Vec<String> = Vec::new();
    for word in bare.split_whitespace().flat_map(by_role) {
        let chars: Vec<char> = word.chars().collect();
        let head = folded_head(&chars, chars.len());
        let opens = entries.is_empty()
            || PATTERNS.credited.is_match(&head)
            || PATTERNS.did_else.is_match(&head);
        match entries.last_mut() {
            // A medium stands before its people.
            Some(entry) if !opens || PATTERNS.outlet.is_match(entry) => {
                entry.push(' ');
                entry.push_str(word);
            }
            _ => entries.push(word.to_owned()),
        }
    }
    let names_nobody = |entry: &String| {
        let chars: Vec<char> = entry.chars().collect();
        let head = folded_head(&chars, chars.len());
        !head.contains(is_han) || PATTERNS.no_author.is_match(&head)
    };
    entries.retain(|entry| !names_nobody(entry));
    let people = entries.iter().map(|entry| without_deed(entry).to_owned());
    people.filter(|who| !who.is_empty()).collect()
}

/// A credit without what was done: `文/本报记者 何田`, `作者：何田`, `何田 文/图`.
fn without_deed(entry: &str) -> &str {
    let before = PATTERNS.did_before.captures(entry);
    let before = before.and_then(|found| found.name("deed").or(found.get(0)));
    let entry = &entry[before.map_or(0, |deed| deed.end())..];
    let behind = PATTERNS.did_behind.find(entry);
    entry[..behind.map_or(entry.len(), |deed| deed.start())].trim()
}

/// Whether a credit is a photographer's alone: of a picture, hardly of the article.
pub(super) fn is_of_a_photo(credit: &[char]) -> bool {
    let folded = folded_head(credit, MAX_CREDIT_CHARS);
    PATTERNS.photo_credit.is_match(&folded) && !folded.contains('文')
}

/// A credit without the marks and brackets around it; brackets inside stay.
fn bare(printed: &str) -> &str {
    let is_mark = |c: char| c.is_whitespace() || "■●◎○□▲△▌▍▶◆◇★—|".contains(c);
    let mut bare = printed.trim_matches(is_mark);
    for pair in ["（）", "()", "【】", "[]", "〔〕"] {
        let mut pair = pair.chars();
        let brackets = pair.next().zip(pair.next());
        let inner = brackets.and_then(|(open, close)| bare.strip_prefix(open)?.strip_suffix(close));
        bare = inner.unwrap_or(bare).trim_matches(is_mark);
    }
    bare
}

/// A word cut before each role but one that it opens with: `记者何田、通讯员林小满`.
fn by_role(word: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    for (n, role) in PATTERNS.role.find_iter(word).enumerate() {
        // Before the first stands a paper, or a name from the line above: `记者 何田|通讯员 林小满`.
        let before: Vec<char> = word[..role.start()].chars().collect();
        if n == 0 && !are_names(&before) {
            continue;
        }
        let above = &word[cuts[cuts.len() - 1]..role.start()];
        let mark = above
            .char_indices()
            .rfind(|(_, c)| "、，,/／|".contains(*c));
        let start = mark.map_or(role.start(), |(at, c)| {
            role.start() - above.len() + at + c.len_utf8()
        });
        cuts.push(start);
    }
    cuts.push(word.len());
    let parts = cuts.windows(2).map(|cut| &word[cut[0]..cut[1]]);
    let parts = parts.map(|part| part.trim_matches(|c| "、，,/／|".contains(c)));
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn a_paragraph_opens_with_where_when_and_who() {
        let found = opening(&chars(
            "新华社北京9月21日电 （记者林小满、何田） 国务院召开会议。",
        ));
        assert_eq!(
            found.chars,
            "新华社北京9月21日电 （记者林小满、何田） ".chars().count()
        );
        let dateline = found.dateline.unwrap();
        assert_eq!(dateline.place.as_deref(), Some("北京"));
        assert_eq!(found.credits, ["记者林小满、何田"]);
        assert_eq!(opening(&chars("国务院召开会议。")).chars, 0);
        assert_eq!(opening(&chars("（记者 何田）国务院召开会议。")).chars, 7);
    }

    #[test]
    fn several_names_behind_a_dateline_may_have_any_surname() {
        let credits = |line: &str| opening(&chars(line)).credits;
        assert_eq!(
            credits("本报东江3月5日电（富小满、何田）大桥今天通车。"),
            ["富小满、何田"]
        );
        assert!(credits("央视网消息（新闻联播）：大桥今天通车。").is_empty());
        assert_eq!(
            credits("东江周刊讯(古丽孜依拉 玛丽娜)近日，大桥通车。"),
            ["古丽孜依拉 玛丽娜"]
        );
        let opening = opening(&chars("东江网3月5日22时38分讯（记者 何田）大桥今天通车。"));
        assert_eq!(opening.credits, ["记者 何田"]);
    }

    #[test]
    fn a_paragraph_ends_with_who() {
        let printed = "市民高兴。 （记者 何田）";
        assert_eq!(trailing_credit(&chars(printed)), 8);
        let filed = chars("市民高兴。\n（东江社北京7月17日电  记者郁田、崟小满）");
        assert_eq!(trailing_credit(&filed), filed.len() - 5);
        for other in [
            "市民高兴（记者 何田）",
            "市民高兴。（很高兴）",
            "（记者 何田）",
            "",
        ] {
            assert_eq!(trailing_credit(&chars(other)), 0, "{other}");
        }
    }

    #[test]
    fn one_entry_a_role() {
        let found = credits("（全媒体记者 林小满 通讯员 何晓 周默）");
        assert_eq!(found, ["全媒体记者 林小满", "通讯员 何晓 周默"]);
        for together in [
            "（通讯员林小满 记者何晓）",
            "通讯员林小满、记者何晓",
            "通讯员林小满记者何晓",
        ] {
            assert_eq!(credits(together), ["通讯员林小满", "记者何晓"]);
        }
        assert_eq!(
            credits("（记者 林小满通讯员 何晓）"),
            ["记者 林小满", "通讯员 何晓"]
        );
        assert_eq!(credits("东江日报记者 何晓"), ["东江日报记者 何晓"]);
        assert_eq!(credits("□ 何晓（教师）"), ["何晓（教师）"]);
        assert_eq!(
            credits("（东江晚报   记者 林小满 通讯员 何晓）"),
            ["东江晚报 记者 林小满", "通讯员 何晓"]
        );
        assert_eq!(
            credits("（综合本报记者林小满、何晓报道）"),
            ["本报记者林小满、何晓"]
        );
        assert_eq!(credits("责任编辑：何晓"), Vec::<String>::new());
        assert_eq!(credits("2024-01-22 文/本报记者 何晓"), ["本报记者 何晓"]);
        for (printed, who) in [
            (
                "（记者 林小满 通讯员 何晓 文/图）",
                ["记者 林小满", "通讯员 何晓"],
            ),
            ("（记者 林小满 摄影 何晓）", ["记者 林小满", "摄影 何晓"]),
            ("（记者 林小满 摄影 图/何晓）", ["记者 林小满", "何晓"]),
        ] {
            assert_eq!(credits(printed), who);
        }
        for printed in ["作者：何晓", "文/图 何晓", "何晓 摄", "（何晓 摄影报道）"]
        {
            assert_eq!(credits(printed), ["何晓"], "{printed}");
        }
    }

    #[test]
    fn credits_inside_a_paragraph_say_a_role() {
        let found = |text: &str| {
            let text = chars(text);
            let found = inner_credits(&text).into_iter();
            found.map(|span| span.text(&text)).collect::<Vec<_>>()
        };
        assert_eq!(
            found("大桥通车。（记者 何田）另据消息（本报记者 林小满 摄），免费通行（三天）。"),
            ["（记者 何田）", "（本报记者 林小满 摄）"]
        );
        for none in [
            "他（何田）说（见图）。",
            "（记者",
            "大桥（记者手记）。",
            "大桥（作者何田。系教师）",
        ] {
            assert_eq!(found(none), Vec::<String>::new(), "{none}");
        }
    }
}
