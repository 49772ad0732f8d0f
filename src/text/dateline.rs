//! The dateline or credit that a report opens with: `新华社北京9月21日电  （记者林小满）`.

use super::patterns::PATTERNS;
use crate::document::Span;
use regex::{Captures, Match};

/// What a line opens with before its text, in characters of the line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Length of it all, with white space and marks after it.
    pub chars: usize,
    pub paper: Option<Span>,
    pub place: Option<Span>,
    pub date: Option<Span>,
    /// Who is named, in order.
    pub people: Vec<Span>,
    /// The agency's headline ends it (`新华社北京3月1日电 题：…`): a line of its own, of which nothing is missing.
    pub is_finished: bool,
}

/// The dateline or credit that a (folded) line opens with.
///
/// Without a date or names, a dateline must be set off by a mark, a space, a quotation or `记者`: `本报讯 记者从…` is one,
/// `国家电网公司…` (电 as in 电网) is not. `本报讯` needs nothing of that, another paper's 讯 may have a lead behind it: `东江晚报讯昨天…`.
pub fn opening(line: &str) -> Option<Opening> {
    let mut found = PATTERNS.dateline.iter().filter_map(|p| p.captures(line));
    found.find_map(|found| read(line, &found))
}

/// How many characters of a line (folded) its [`opening`] has; 0 when there is none.
pub fn dateline_chars(line: &str) -> usize {
    opening(line).map_or(0, |opening| opening.chars)
}

fn read(line: &str, found: &Captures<'_>) -> Option<Opening> {
    let whole = found.get(0).map_or("", |m| m.as_str());
    let agency = found.name("agency");
    // The agency's headline says nothing of what stands before it.
    let whole = agency.map_or(whole, |headline| &line[..headline.start()]);
    let rest = &line[whole.len()..];
    let paper = found.name("paper").or(found.name("unknown"));
    let people: Vec<Match<'_>> = ["people", "correspondent", "reporting", "listed"]
        .into_iter()
        .filter_map(|name| found.name(name))
        .collect();
    let dated = found.name("date").is_some();
    // 通讯 is a kind of report, not the end of a dateline.
    if !dated && whole.contains("通讯") && !whole.contains("通讯员") {
        return None;
    }
    // What somebody reports belongs to the text (…社9月1日报道，); and a credit is left whole (记者 何田 通讯员 周默为…).
    let reports = whole.trim_end().ends_with("报道") && PATTERNS.reports.is_match(rest);
    let credited_too = paper.is_none() && PATTERNS.more_credits.is_match(rest);
    // 电话, 讯问, 消息人士: the word goes on.
    let goes_on = people.is_empty()
        && !whole.ends_with(char::is_whitespace)
        && PATTERNS.goes_on.is_match(rest);
    // A headline of a commentary may end with a bracket: nobody files it.
    let files_nothing = found.name("unfiled").is_some() && rest.is_empty();
    if reports || credited_too || goes_on || files_nothing {
        return None;
    }
    // 合作社, 情报: many a word ends like the name of an agency or a paper. The date or the people tell.
    let sure =
        dated || !people.is_empty() || whole.contains("快讯") || found.name("gathered").is_some();
    if found.name("paper").is_none() && !sure {
        return None;
    }
    // A line that is nothing else names a paper: 发电 closes many a headline.
    let ours = paper.is_some_and(|m| m.as_str().starts_with('本'));
    let named = ours || paper.is_none_or(|m| !m.as_str().ends_with('网'));
    let alone = rest.is_empty() && named;
    let comma = rest.starts_with(['，', ',']) && named;
    let set_off = whole.ends_with(|c: char| c.is_whitespace() || "：:】]）)〕".contains(c));
    let followed = alone || comma || rest.starts_with('“') || rest.starts_with("记者");
    // 本报讯昨天…, 东江晚报讯3月1日…: nothing between. 东江网讯飞… is none.
    let runs_on = whole.ends_with('讯') && (ours || PATTERNS.lead.is_match(rest));
    if !(sure || set_off || followed || runs_on) {
        return None;
    }
    let span = |found: Match<'_>| {
        let text = found.as_str();
        let from = text.len() - text.trim_start_matches(SEPARATORS).len();
        let start = line[..found.start() + from].chars().count();
        let len = text.trim_matches(SEPARATORS).chars().count();
        Some(Span::new(start, start + len)).filter(|span| !span.is_empty())
    };
    Some(Opening {
        chars: whole.chars().count()
            + usize::from(comma)
            + agency.map_or(0, |headline| headline.as_str().chars().count()),
        is_finished: agency.is_some(),
        paper: paper.and_then(span),
        place: ["place", "from", "where"]
            .iter()
            .find_map(|name| span(found.name(name)?)),
        date: found.name("date").or(found.name("before")).and_then(span),
        people: people.into_iter().filter_map(span).collect(),
    })
}

/// What stands between the parts of a dateline.
const SEPARATORS: [char; 5] = [' ', '\t', '/', '／', '、'];

#[cfg(test)]
mod tests {
    use super::*;

    /// A line opens with this dateline, to the character.
    fn assert_opens(dateline: &str, rest: &str) {
        let line = format!("{dateline}{rest}");
        assert_eq!(dateline_chars(&line), dateline.chars().count(), "{line}");
    }

    #[test]
    fn what_nobody_files_may_have_a_dateline() {
        for dateline in [
            "东江政法网(特约通讯员何田)",
            "东江网-东江日报（何田 林小满 记者 周默）",
            "东江时刻3月1日讯（东江晨报记者 何田 通讯员 周默）",
            "东江法治报-东江法治在线3月1日讯 ",
        ] {
            assert_opens(dateline, "大桥今天通车。");
        }
    }

    #[test]
    fn text_may_follow_at_once() {
        for (dateline, rest) in [
            ("本报讯", "因水管抢修，两个小区停水。"),
            ("东江晚报讯", "昨天上午，大桥通车。"),
            ("东江网讯", "3月1日，大桥通车。"),
        ] {
            assert_opens(dateline, rest);
        }
    }

    #[test]
    fn words_that_only_look_like_datelines() {
        for line in [
            "东江网讯飞公司昨天发布新品。",
            "本报讯问了三位医生。",
            "记者从国家电网了解到，今年用电量增长。",
            "南方电网广西电网公司发布消息。",
            "国家网络安全宣传周电信日活动举行",
            "国网南网将实现跨电网常态化电力交易",
            "东江日报长篇通讯：大桥是怎样建成的",
            "海上风电场全容量并网发电",
            "据东江广播公司2月18日报道，大桥今天通车。",
            "东江通讯社9月1日报道说，大桥今天通车。",
            "东江新闻记者 何田 通讯员 林 小满为大家讲述。",
            "（大桥今天通车）",
            "记者何田报道了大桥通车的消息。",
            "本报3月1日电话采访了市民王先生，他说很高兴。",
            "东江日报3月1日电子版改版，大家来看。",
            "供销社用电 一年省三成",
            "喜报传讯：三连冠",
            "最新资讯：大桥今天通车。",
            "2024年3月9日—12日，大桥通车。",
            "本报记者走进大桥工地看到，工人正忙。",
            "织密基层防护网（记者观察）",
            "大桥织起致富网（记者 何田）",
            "乡村大舞台（记者走基层）",
            "他在互联网（据通讯员何田介绍，用户达十亿）上走红。",
        ] {
            assert_eq!(dateline_chars(line), 0, "{line}");
        }
    }

    #[test]
    fn datelines_of_many_papers() {
        for dateline in [
            "新华财经纽约2月27日电（记者何田）",
            "东江晚报讯 记者林小满 通讯员何田 ",
            "本报讯 记者林小满报道：",
            "中央社台北1月5日电 ",
            "新华社北京九月十二日电 ",
            "【新华社沈阳二十三日电】",
            "本报3月1日东江讯（记者 林小满）",
            "法新社巴黎1月7日电 ",
            "东江社3月1日电，",
            "东江经济日报-东江经济网东江3月1日讯（记者 何田）",
            "东江青年报客户端东江3月1日电（东青报·东青网记者 何田）",
            "东江之家 3 月 1 日消息，",
            "东江汇3月1日丨",
            "东江报快讯 ",
            "新浪体育讯 ",
            "第一财经讯 ",
            "36氪讯，",
            "新华社东江3月1日新媒体专电（记者何田）",
            "据新华社平壤／首尔1月7日电 ",
            "（中央社记者何田台北5日电）",
            "（记者何田／台北报导）",
            "（记者何小田台北报导）",
            "（东江1日讯）",
            "（东江综合电）",
            "（东江2日法新电）",
            "综合外电报道，",
            "本报特派记者 何田 发自东江 ",
            "【东江专讯】",
            "〔即时新闻／综合报导〕",
            "【综合报道】",
            "【本报综合】",
            "中央社记者何田台北4日电 ",
            "本报讯 记者何田报道 ",
            "【东江时报综合报道】",
            "【东江网报道 记者 何田】",
            "【大东江报讯】",
            "（新华社东江3月1日电 记者何田、林小满）",
            "记者何田报道：",
            "通讯员何田 记者林小满报道：",
            "记者何田／台北报导 ",
            "东江新闻记者 何田 ",
            "商报讯 ",
            "东江日报全媒体讯 ",
            "东江市讯 ",
            "（东江讯）",
            "综合消息：",
            "本报综合报道  ",
            "东江，2024年3月22日——",
            "（2024年3月22日，东江）——",
            "本报讯　记者 何田　",
            "本报驻东京记者 何田  ",
            "本报记者杭可报道：",
            "记者 杭可 通讯员 何田 报道：",
            "【本报记者何小田东江报道】",
            "（中央社记者何小田台东县十四日电）",
            "▲本报讯（记者 何田）",
            "■东江日报3月1日讯（通讯员 何田）",
            "新华社亚的斯亚贝巴3月1日电（记者何田）",
        ] {
            assert_opens(dateline, "大桥今天通车。");
        }
        // The agency's headline, once more, is part of its dateline.
        for line in [
            "新华社东江3月1日电 题：东江有座“会呼吸”的桥",
            "新华社东江3月1日电　题：一条路，两代人，谁在修？",
            "新华社电 题：卫星通讯上山来",
        ] {
            assert_eq!(dateline_chars(line), line.chars().count(), "{line}");
        }
        // Text after it is text.
        for rest in [
            "大桥通车了。市民走上大桥参观",
            "大桥通车了！市民走上大桥参观",
            "春天里的东江 三月的东江，春风拂面，万物复苏",
        ] {
            let line = format!("新华社东江3月1日电 题：{rest}");
            assert!(dateline_chars(&line) < 14, "{line}");
        }
    }

    #[test]
    fn datelines_have_parts() {
        let parts = |line: &str| {
            let chars: Vec<char> = line.chars().collect();
            let found = opening(line).unwrap();
            let text = |part: Option<Span>| part.map_or(String::new(), |part| part.text(&chars));
            let people: Vec<String> = found.people.iter().map(|part| part.text(&chars)).collect();
            let (paper, place, date) = (text(found.paper), text(found.place), text(found.date));
            [paper, place, date, people.join("|")]
        };
        for (line, wanted) in [
            (
                "（中央社记者何田台北5日电）大桥通车。",
                ["中央社", "台北", "5日", "记者何田"],
            ),
            (
                "本报讯 记者何田报道：大桥通车。",
                ["本报", "", "", "记者何田"],
            ),
            (
                "东江网、东江网客户端东江3月1日消息(东江网记者 何田)大桥通车。",
                ["东江网", "东江", "3月1日", "(东江网记者 何田)"],
            ),
            ("东江新闻网消息 大桥通车。", ["东江新闻网", "", "", ""]),
            (
                "本报东江3月1日电（庞何田、张小满）大桥通车。",
                ["本报", "东江", "3月1日", "（庞何田、张小满）"],
            ),
            (
                "记者何田／台北报导 大桥通车。",
                ["", "台北", "", "记者何田"],
            ),
        ] {
            assert_eq!(parts(line), wanted);
        }
    }
}
