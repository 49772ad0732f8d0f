//! The regular expressions of `prompts/patterns.toml`.

use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Declares the patterns: as they stand in the file, and compiled.
macro_rules! patterns {
    ($($(#[$what:meta])+ $name:ident,)+) => {
        #[derive(Deserialize)]
        struct File {
            dateline: Vec<String>,
            $($name: String,)+
            /// Pieces that stand in patterns by name, in braces.
            part: BTreeMap<String, String>,
        }

        /// How lines that are not prose look. All match folded text; the `regex` crate runs them in linear time.
        pub struct Patterns {
            /// How a report opens, the likeliest first; [`opening`](super::dateline::opening) says what their groups are.
            pub(super) dateline: Vec<Regex>,
            $($(#[$what])+ pub $name: Regex,)+
        }

        impl Patterns {
            fn compiled(file: &File, compile: impl Fn(&str) -> Regex) -> Self {
                Self {
                    dateline: file.dateline.iter().map(|pattern| compile(pattern)).collect(),
                    $($name: compile(&file.$name),)+
                }
            }
        }
    };
}

patterns! {
    /// A whole line that names authors or photographers.
    byline,
    /// Nothing but what may be names: `何田 林小满`.
    names,
    /// What a credit may end with besides names: `报道`, `发自东江`.
    reporting,
    /// Several names, whatever the surnames.
    signatures,
    /// Who wrote down what the author of a note says.
    noted_down,
    /// Who wrote it and what he is, below a headline: `东江大学教授 何田`.
    signature,
    /// Who wrote it, below a headline, looser than `byline`; its groups are names.
    author,
    /// What kind of text it is, where it looks like a name: `文摘`.
    genre,
    /// A line of an interview: `问：…`.
    speech,
    /// Whom a letter or notice addresses: `各有关单位：`.
    salutation,
    /// The opening of a letter to the editor.
    letter,
    /// Who signs below one: `读者 钱女士`.
    letter_signature,
    /// Who wrote it and where he works, below a text in brackets: `（综采二队 何田）`.
    unit_signed,
    /// Whoever may sign behind a report's last sentence, in brackets: `（水宣）`.
    end_signature,
    /// What else stands there: `（待续）`.
    no_signature,
    /// A byline that credits a photograph.
    photo_credit,
    /// The end of a caption with its credit.
    captioned,
    /// A whole line that belongs to the page and to no article.
    furniture,
    /// Furniture where other furniture stands beside it or no text above it: dates, addresses.
    beside_furniture,
    /// What parts of pages, and texts without another headline, are called: `公告`, `短评`.
    label,
    /// How a match ended: `东江3：0临江`.
    score,
    /// How a section of a speech or a notice opens: `一、`, `（二）`.
    section,
    /// A tag of HTML.
    html_tag,
    /// The beginning of JSON objects.
    json_object,
    /// A whole line that says on which page an article goes on: `（下转第二版）`.
    jump_onward,
    /// A whole line that says from which page it comes: `（上接第一版）`.
    jump_from,
    /// The same at the end of a paragraph.
    closing_jump,
    /// What a web page ends with, at the end of a paragraph: `(责任编辑：林小满)`.
    closing_web,
    /// Whom to ask and where, behind a paragraph's last sentence: `咨询电话：96388`.
    particulars,
    /// What else stands behind a web page's last sentence, to the end of its text: credits, declarations, rights.
    end_matter,
    /// A jump line at the beginning of a paragraph.
    opening_jump,
    /// What says that a title follows, which the article had elsewhere: `原标题：`.
    original_title,
    /// The same with the title, in brackets, at the beginning of a paragraph: `（原标题：大桥通车）`.
    opening_note,
    /// What else there is to read below a web page's text.
    web_tail,
    /// Names of web sites behind a title: `…_社会_东江网`.
    site,
    /// A tag behind the title of a web page: `…_市民`.
    site_tag,
    /// The author in a line that says where and when it was printed.
    meta_author,
    /// A paper's name.
    masthead,
    /// What opens a column of short items: `简讯`.
    briefs,
    /// What stands above the headlines of a column: `读者来信`, `【民生关注】`.
    column,
    /// What a column is called in which readers call or write.
    callers,
    /// The opening of a caption.
    caption,
    /// A paragraph that is printed with articles and says nothing of them: rights, risks, subscriptions, captions.
    boilerplate,
    /// What stands below a text without a full stop: who wrote it, links, rights.
    closing_note,
    /// The opening of a numbered or marked line.
    enumerator,
    /// The number or mark that a sentence of a list opens with, or who speaks in an interview.
    list_mark,
    /// What hangs in the air where its sentence stands alone: `此外，`.
    opener,
    /// What a web page asks its reader to do: `点击查看`, `长按二维码`.
    solicits,
    /// Who said the quotation before it: `种粮大户何田说。`
    attribution,
    /// The first words of a news lead.
    lead,
    /// Credits that name nobody who wrote: `来源：…`, `责任编辑：…`.
    no_author,
    /// What a credit says of what was done, before the names: `文/`, `作者：`.
    did_before,
    /// The same behind them: `文/图`, `摄`.
    did_behind,
    /// A medium, and nothing else.
    outlet,
    /// What opens a credit for something else: `摄影`, `图/`.
    did_else,
    /// A role in a credit, after a medium or not: `东江日报全媒体记者`.
    role,
    /// What people are in a credit: `记者`, `通讯员`.
    credited,
    /// What goes on after a dateline in another word: 电话, 讯问.
    goes_on,
    /// What goes on after `报道` when somebody reports something: `…社9月1日报道说`.
    reports,
    /// More people after a credit.
    more_credits,
}

/// The patterns, compiled once.
pub static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../prompts/patterns.toml"))
        .expect("prompts/patterns.toml is part of the program");
    let compile = |pattern: &str| {
        let named = |pattern: String, (name, part): (&String, &String)| {
            pattern.replace(&format!("{{{name}}}"), part)
        };
        let filled = |pattern: String| file.part.iter().fold(pattern, named);
        // A part may name others, and those others.
        let pattern = filled(filled(filled(pattern.to_owned())));
        Regex::new(&pattern).expect("prompts/patterns.toml is part of the program")
    };
    Patterns::compiled(&file, compile)
});

/// Compiles the patterns now instead of at the first use; call it from a thread of its own.
pub fn load() {
    LazyLock::force(&PATTERNS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_page() {
        for line in [
            "第A06版：社会",
            "A06·社会",
            "B3·资本市场",
            "05 综合体育",
            "2025.7.23 星期三",
            "二〇二五年六月三十日 星期一",
            "2025年2月14日 星期五 责编：江流 美编：阿宁",
            "2025年10月15日 星期三 前沿科技 5",
            "本版责任编辑：温岚",
            "报料热线：12345678",
            "主编/秦川 编辑/莫凡",
            "DONGJIANG RIBAO",
            "东江日报 DONGJIANG RIBAO",
            "第5版/共8版",
            "第 3 页 共 8 页",
            "►►►2版",
            "投稿信箱：fukan@djrb.example",
            "零售每份一元",
            "值班总编 何田",
            "媒体联系人：何田 13800000000",
            "（未完待续）",
            "原创 滨湖发布 滨湖发布",
            "相关链接",
            "（责任编辑 何田）",
            "扫码看视频",
            "www.djrb.example 2024年4月18日",
            "首页 | 要闻 | 社会 | 视频",
            "网友评论 0 条 | 我要评论",
            "点个“在看”，让更多人看到",
            "东江供电公司主办 内部资料 免费交流",
            "今日8版 总第1234期",
            "要闻",
            "来源: 东江日报 | 2024-07-21 08:11",
            "（2024年7月21日 来源：东江日报）",
            "发布时间：2024-07-21 信息来源：市交通局 浏览次数：123",
            "【字体：大 中 小】 打印",
            "收藏 打印 字号",
            "（下转第二版）",
            "◀上接A01版",
            "第二版：综合",
            "2 要闻",
            "要闻·02",
            "第01版：要闻 上一版 下一版",
            "2024-01-22 来源：东江日报 作者：何田",
            "东江能源报    04    储能·电网    2024年5月20日   星期一",
            "中华民国一一二年六月十五日 星期四",
            "新闻热线 027-88881234",
            "东江日报社出版",
            "点赞 56 收藏 评论 12",
            "放大缩小默认朗读",
            "东ICP备05001234号 违法和不良信息举报电话：0271-65560000",
            "上一篇：东江大桥今天通车",
            "更多内容请浏览东江网",
            "编辑部电话：8526332 邮箱：dj@djrb.example",
            "今日天气：多云转小雨 18℃～25℃ 东北风2级",
            "东江日报　2017年6月18日　湖畔副刊　责编 何田",
        ] {
            assert!(PATTERNS.furniture.is_match(line), "{line}");
        }
        for line in [
            "05后走进职场",
            "据东江日报3月1日报道，大桥今天通车，全长15公里。",
            "停电时间：2025年12月8日 8:00至20:00",
            "会议时间：2025年3月5日 星期三上午9时",
            "1949年10月1日 中华人民共和国成立",
            "编辑：请您谈谈创作的初衷？",
            "农历蛇年生肖邮票今日首发",
            "我与东江日报",
            "第9版新冠防控方案公布",
            "C1 驾照今起可开房车",
            "补充维生素 B12",
            "中共党史故事丛书出版",
            "法律顾问进村 村民少跑腿",
            "扫一扫就能坐公交",
            "AIGC",
            "《现代汉语词典》（第7版）",
            "2025年10月15日，东江大桥通车",
            "主编的话",
            "编辑部的故事",
            "广告业增长一成",
            "读东江日报 知天下大事",
            "5G进山村",
            "2 比 1",
            "收藏家的故事",
            "打印店里的春天",
            "评论员文章",
            "APEC会议开幕",
            "社会主义新农村建设",
            "点赞身边好人",
            "分享成功的喜悦",
            "东江市2017年6月18日 通车仪式责编会议，市民参加",
        ] {
            assert!(!PATTERNS.furniture.is_match(line), "{line}");
        }
    }

    #[test]
    fn headings_are_no_bylines() {
        for line in [
            "记者手记",
            "评论员文章",
            "优秀通讯员表彰",
            "市长会见记者",
            "甲骨文",
            "讲述：一个普通教师的坚守",
            "半岛电视台记者遇袭身亡",
            "■文旅融合",
            "全国两会 特别报道",
            "安全报道",
            "春节 摄影",
            "学术论文",
            "冬奥会摄影",
            "二十大新闻中心举行记者招待会",
            "实习生就业 政策解读",
            "记者观察",
            "记者：请您介绍一下这座桥的情况",
            "编辑部的春天",
        ] {
            assert!(!PATTERNS.byline.is_match(line), "{line}");
        }
        for line in [
            "本报记者 林小满",
            "（记者林小满）",
            "记者 林小满 通讯员 何 田",
            "东江日报全媒体记者 林小满 通讯员 何田 摄影报道",
            "本报评论员",
            "林小满 摄",
            "文/图 于晴",
            "◎文/图 本报记者 于晴",
            "文．图／本报记者 于晴",
            "【作者】于晴",
            "○本报记者 于晴",
            "特约撰稿 于晴",
            "受访者供图",
            "【东江时报记者 林小满 发自东江】",
            "《东江日报》记者 林小满",
            "记者王小满",
            "记者：林小满 编辑：何田",
            "本报记者 林小满/文 何田/图",
            "作者｜林小满 编辑｜何田",
            "界面新闻记者 | 林小满",
            "澎湃新闻记者 林小满",
            "资料图片",
        ] {
            assert!(PATTERNS.byline.is_match(line), "{line}");
        }
    }
}
