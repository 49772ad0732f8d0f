//! What whole pages become.

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
fn a_speech_is_one_article_with_its_speaker() {
    let page = "在全市招商大会上的讲话\n（2024年6月30日）\n何田\n同志们：\n　　今天召开招商大会，总结去年工作，部署下一阶段任务。\n一、充分认识招商的重要性\n　　招商就是发展。去年全市签约项目三百个，与先进地区相比还有差距。\n二、抓住招商的关键\n　　各县区要拿出清单，逐项落实，年底统一考核。";
    let text: Vec<char> = page.chars().collect();
    for layout in [Layout::Auto, Layout::Page] {
        let articles = split(&text, layout, &NoContinuation).articles;
        assert_eq!(articles.len(), 1);
        assert_eq!(articles[0].title, "在全市招商大会上的讲话");
        assert_eq!(articles[0].byline, ["何田"]);
        assert!(
            articles[0]
                .text
                .iter()
                .collect::<String>()
                .starts_with("同志们：")
        );
    }
}

#[test]
fn a_headline_below_a_columns_name_takes_its_place() {
    let [first, _] = [REPORTS[0], REPORTS[1]];
    let page = format!(
        "{}\n{}\n\n读者来信\n不应当这样待客\n编辑同志：\n我是城关镇的一个工人，昨天到百货商店去买一双胶鞋，售货员态度不好。\n希望商店改进服务，对顾客热情一些。",
        first.0, first.1
    );
    assert_eq!(titles(&page), [first.0, "不应当这样待客"]);
}

#[test]
fn briefs_below_what_they_are_called_have_headlines() {
    let (title, text) = REPORTS[0];
    for column in ["\n【读者来电】", "快讯"] {
        let page = format!(
            "{title}\n　　{text}\n{column}\n夜里施工吵得睡不着\n家住柳堤街的伍先生：小区旁边的工地每天施工到凌晨1点，孩子睡不好。\n路灯坏了半个月没人修\n家住东门口的孔女士：巷子里三盏路灯坏了半个多月，有老人摔了跤。"
        );
        assert_eq!(
            titles(&page)[..2],
            [title, "夜里施工吵得睡不着"],
            "{column}"
        );
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
fn a_notice_has_no_other_headline() {
    let [first, second] = [REPORTS[0], REPORTS[1]];
    let notice = "公告\n本院受理原告东江银行诉你借款合同纠纷一案，现依法向你公告送达起诉状副本及开庭传票。\n东江县人民法院";
    let page = format!("{notice}\n\n{notice}\n\n{}\n{}", first.0, first.1);
    assert_eq!(titles(&page), ["公告", "公告", first.0]);
    let below = format!(
        "{}\n{}\n\n{}",
        first.0,
        first.1,
        notice.replace("\n本院", "\n李国强：\n本院")
    );
    assert_eq!(titles(&below), [first.0, "公告"]);
    // Above a headline it is what the page is called.
    let page = format!(
        "公告\n{}\n{}\n\n{}\n{}",
        first.0, first.1, second.0, second.1
    );
    assert_eq!(titles(&page), [first.0, second.0]);
}

#[test]
fn a_headline_below_the_links_of_a_web_page_is_another_articles() {
    let [first, second] = [REPORTS[0], REPORTS[1]];
    for links in ["往期推荐", "推荐阅读\n东江水位下降\n大桥夜景如画"] {
        let page = format!(
            "{}\n{}\n{links}\n\n{}\n{}",
            first.0, first.1, second.0, second.1
        );
        assert_eq!(titles(&page), [first.0, second.0], "{links}");
    }
}

#[test]
fn a_short_comment_below_a_report_is_an_article() {
    let page = "长江上游第一座铁路大桥通车\n两岸五万群众集会庆祝\n　　【本报重庆二十四日专电】长江上游的第一座铁路大桥今天正式通车。\n　　这座桥全长八百二十公尺，有十六个桥孔。建设者们在四年中战胜了三次特大洪水。\n\n短评\n让好办法在更多的车间里开花\n　　一个办法从想到做，中间隔着二十七次试验；一个办法从一个人会到许多人会，中间隔着一本小册子。\n　　我们希望各厂的领导同志，把推广先进经验当作一件正经的工作来抓。";
    assert_eq!(
        titles(page),
        [
            "长江上游第一座铁路大桥通车 两岸五万群众集会庆祝",
            "让好办法在更多的车间里开花"
        ]
    );
}

#[test]
fn a_letter_is_one_article_with_its_reply() {
    let [first, _] = [REPORTS[0], REPORTS[1]];
    for signature in ["读者 小雨", "您的读者：小雨"] {
        let page = format!(
            "孩子发烧要不要捂汗\n　　编辑老师：我的孩子两岁半，上周发烧，奶奶给他盖了两床被子。\n{signature}\n　　小雨读者：您的担心是对的。孩子捂得太严，热量散不出去。\n\n{}\n　　{}",
            first.0, first.1
        );
        assert_eq!(
            titles(&page),
            ["孩子发烧要不要捂汗", first.0],
            "{signature}"
        );
    }
}

#[test]
fn rows_of_scores_and_sentences_of_another_language_open_no_article() {
    let [first, second] = [REPORTS[0], REPORTS[1]];
    for inside in [
        "东江3：1临江\n周家寨0：0中原（点球5：4）\n海蓝1：2长山",
        "The fifth International Tea Expo opened yesterday with 610\nexhibitors from 28 countries",
    ] {
        let page = format!(
            "{}\n{}\n{inside}\n市民说，以后会常来这里。\n\n{}\n{}",
            first.0, first.1, second.0, second.1
        );
        assert_eq!(titles(&page), [first.0, second.0], "{inside}");
    }
}

#[test]
fn who_speaks_stands_above_the_date() {
    let page = "在年度表彰大会上的讲话\n公司党委书记、董事长 裴海山\n（2023年1月12日）\n同志们：\n今天召开表彰大会，总结去年工作，部署下一阶段任务。";
    let text: Vec<char> = page.chars().collect();
    for layout in [Layout::Auto, Layout::Article] {
        let article = split(&text, layout, &NoContinuation)
            .articles
            .swap_remove(0);
        assert_eq!(article.byline, ["公司党委书记、董事长 裴海山"]);
    }
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
    for signature in [
        "何田",
        "陈　晨",
        "——何田",
        "（何田）",
        "东江大学教授 何田",
        "东江省东江市  何  田",
    ] {
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
fn an_agencys_headline_in_its_dateline_is_no_text() {
    let page = "深山里的眼科医生\n东江社临江3月1日电 题：深山里的眼科医生\n东江社记者 何田、林小满\n每到冬天，周默都会背起药箱走进村庄。\n山里的老人出不了门。";
    let text: Vec<char> = page.chars().collect();
    let found = split(&text, Layout::Auto, &NoContinuation);
    let article = &found.articles[0];
    assert_eq!(article.title, "深山里的眼科医生");
    assert!(article.text.starts_with(&['每', '到']), "{article:?}");
    let dateline = article.dateline.as_ref().unwrap();
    assert_eq!(dateline.place.as_deref(), Some("临江"));
    assert!(found.open_ends.is_empty());
}

#[test]
fn the_title_elsewhere_is_no_text() {
    let body = "大桥今天正式通车，全长十五公里，两岸车程缩短到十分钟。\n市民走上大桥参观，江面上张灯结彩，热闹非凡。";
    for note in [
        "（原标题：东江大桥飞架两岸）",
        "原标题：东江大桥飞架两岸\n",
        r"原标题：东江大桥飞架两岸\n　　",
    ] {
        let page: Vec<char> = format!("东江大桥通车\n{note}{body}").chars().collect();
        for layout in [Layout::Auto, Layout::Article] {
            let article = split(&page, layout, &NoContinuation)
                .articles
                .swap_remove(0);
            assert_eq!(article.title, "东江大桥通车", "{note}");
            assert_eq!(article.text, body.chars().collect::<Vec<_>>(), "{note}");
        }
    }
}

#[test]
fn the_title_elsewhere_is_the_only_one_there_is() {
    let body = "大桥今天正式通车，全长十五公里，两岸车程缩短到十分钟。\n市民走上大桥参观，江面上张灯结彩，热闹非凡。";
    for head in [
        "原标题：东江大桥通车\n\n",
        "（原标题：东江大桥通车）\n",
        "（原标题：东江大桥通车）",
    ] {
        assert_eq!(titles(&format!("{head}{body}")), ["东江大桥通车"], "{head}");
    }
}

#[test]
fn a_paragraph_that_calls_is_no_heading() {
    let text: Vec<char> =
        "市气象台介绍，两路冷空气将合并南下，连续降雨！\n防寒提示！\n大家要注意添衣保暖。"
            .chars()
            .collect();
    let article = titled(&text, "东江大降温");
    let headings: Vec<String> = article
        .headings
        .iter()
        .map(|span| span.text(&article.text))
        .collect();
    assert_eq!(headings, ["防寒提示！"]);
}

#[test]
fn line_ends_that_are_written_out_part_paragraphs() {
    let printed = r"东江大桥通车\n\n本报讯（记者 何田）大桥今天正式通车，全长十五公里。\n市民走上大桥参观，江面上张灯结彩。";
    let page: Vec<char> = printed.chars().collect();
    let article = split(&page, Layout::Auto, &NoContinuation)
        .articles
        .swap_remove(0);
    assert_eq!(article.title, "东江大桥通车");
    assert_eq!(article.byline, ["记者 何田"]);
    assert_eq!(article.paragraphs().len(), 2);
    assert!(!article.text.contains(&'\\'));
}

#[test]
fn what_a_web_page_has_behind_its_title_is_in_no_headline() {
    let body =
        "本报讯（记者 何田）大桥今天正式通车，全长十五公里。\n市民走上大桥参观。(责任编辑：周默)";
    for site in [
        "_东江网",
        "_市民",
        "_社会_东江网",
        " - 社会 - 东江网",
        "-东江资讯",
        "--东江资讯...",
    ] {
        let page: Vec<char> = format!("东江大桥通车了{site}\n{body}").chars().collect();
        let found = split(&page, Layout::Auto, &NoContinuation);
        assert_eq!(found.articles[0].title, "东江大桥通车了", "{site}");
        assert!(found.articles[0].text.ends_with(&['参', '观', '。']));
    }
    assert_eq!(
        titles(&format!("东江-西江大桥通车\n{body}")),
        ["东江-西江大桥通车"]
    );
}

#[test]
fn what_goes_on_in_mid_sentence_opens_no_article() {
    let [first, second] = [REPORTS[0], REPORTS[1]];
    for rest in [
        "的，也是最好吃的一家食堂",
        "，老人都说好",
        "”老人们都这样说",
    ] {
        let page = format!(
            "{}\n{}\n{rest}\n{}\n{}",
            first.0, first.1, second.0, second.1
        );
        assert_eq!(titles(&page), [first.0, second.0], "{rest}");
    }
}

#[test]
fn marks_of_markdown_are_in_no_title() {
    let body = "本报讯（记者 何田）大桥今天正式通车，全长十五公里。\n市民走上大桥参观。";
    for (title, expected) in [
        ("# 东江大桥通车", "东江大桥通车"),
        ("### 东江大桥通车", "东江大桥通车"),
        ("## **东江大桥通车**", "东江大桥通车"),
        ("# 东江大桥通车 #", "东江大桥通车"),
        ("***东江大桥通车***", "东江大桥通车"),
        ("__东江大桥通车__", "东江大桥通车"),
        ("**东江**大桥**通车**", "**东江**大桥**通车**"),
        ("#东江大桥通车#", "#东江大桥通车#"),
    ] {
        assert_eq!(titles(&format!("{title}\n\n{body}")), [expected]);
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

#[test]
fn what_a_site_prints_around_its_articles_is_no_text() {
    let [first, second] = [REPORTS[0], REPORTS[1]];
    let articles = format!(
        "{}\n\n2024-09-22\n\n　　{}\n\n【打印】【关闭】\n\n前一篇 后一篇\n\n{}\n\n2024-09-22\n\n　　{}\n",
        first.0, first.1, second.0, second.1
    );
    for page in [
        format!(
            "第05版：县域观察\n■ {}\n■ {}\n\n{articles}",
            first.0, second.0
        ),
        format!("第05版：县域观察\n{}\n{}\n\n{articles}", first.0, second.0),
        format!("{articles}\n本版新闻\n· {}\n· {}", first.0, second.0),
    ] {
        let text: Vec<char> = page.chars().collect();
        let articles = split(&text, Layout::Auto, &NoContinuation).articles;
        let read = |article: &crate::document::Article| -> (String, String) {
            (article.title.clone(), article.text.iter().collect())
        };
        let expected = [first, second].map(|(title, text)| (title.to_owned(), text.to_owned()));
        assert_eq!(
            articles.iter().map(read).collect::<Vec<_>>(),
            expected,
            "{page}"
        );
    }
}
