//! Laws that hold for any input.

use crate::support::fixture;
use candle_core::Device;
use jianbao::analysis::sector::Taxonomy;
use jianbao::document::Span;
use jianbao::document::page::repair::NoContinuation;
use jianbao::document::page::{self, Layout};
use jianbao::encoder::candle::device::Precision;
use jianbao::model::{self, Model, ModelSource};
use jianbao::pipeline::document::{self, Input, Options};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The tiny model.
pub static TINY: LazyLock<Model> = LazyLock::new(|| {
    model::load(
        &ModelSource::Folder(fixture("tiny")),
        Taxonomy::embedded(),
        Device::Cpu,
        Precision::F32.into(),
    )
    .expect("the fixture loads")
});

/// Lines as pages have them, and lines as no page has them.
fn page_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[东江大桥今天开工通车市民。，]{0,60}",
        "[东江大桥水利工程]{2,20}",
        Just("东江日报3月5日讯(记者 林小满)今天，大桥通车。".to_owned()),
        Just("本报记者 林小满".to_owned()),
        Just("（下转第3版）".to_owned()),
        Just("（原标题：大桥（一期）通车）今天，大桥通车。".to_owned()),
        Just("原标题：东江大桥通车".to_owned()),
        Just(r"今天，\n大桥通车，\n市民高兴。\n".to_owned()),
        Just("（东江日报记者 林小满）".to_owned()),
        Just("水 利 工 程 今 天 开 工 通 车".to_owned()),
        prop::sample::select(vec![
            "编辑同志：",
            "读者报编辑",
            "：今天去买鞋。",
            "读者 钱女士",
            "大桥通车。（水宣）",
            "大桥通车。 记者 何田",
            "▲大桥通车",
            "【读者来电】",
            "　　大桥今天通车，市民高兴。",
            "　　谁来种地？",
            "关于东江大桥",
            "",
            "问：通车了吗？",
            "网友评论",
            "联系电话：12345678",
            "东江指数　　　2887.54　　－1.42%",
            "他说：“危险\"。好。",
        ])
        .prop_map(str::to_owned),
        "[“”《》（）(：。！？a-z0-9　 ]{0,30}",
        "\\PC{0,20}",
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// `text` is its spans, in order, with line ends between paragraphs; no character is used twice.
    #[test]
    fn spans_give_the_text(text in page_text(), layout in prop_oneof![Just(Layout::Auto), Just(Layout::Page), Just(Layout::Article)]) {
        let chars: Vec<char> = text.chars().collect();
        let mut used = vec![false; chars.len()];
        for article in page::split(&chars, layout, &*TINY).articles {
            let mut rebuilt = Vec::new();
            for (i, span) in article.spans.iter().enumerate() {
                if i > 0 && article.paragraph_starts.contains(&i) {
                    rebuilt.push('\n');
                }
                rebuilt.extend_from_slice(span.of(&chars));
            }
            prop_assert_eq!(&rebuilt, &article.text);
            prop_assert!(article.asides.windows(2).all(|two| two[0].end <= two[1].start));
            prop_assert!(article.asides.iter().all(|aside| !aside.is_empty() && aside.end <= rebuilt.len()));
            let paragraphs = article.paragraphs();
            prop_assert!(article.headings.iter().all(|heading| paragraphs.contains(heading)));
            prop_assert_eq!(article.reading().text.len(), article.reading_chars());
            for span in article.spans.iter().chain(&article.title_spans).chain(&article.credit_spans) {
                prop_assert!(!used[span.start..span.end].contains(&true), "{:?} is used twice", span);
                used[span.start..span.end].fill(true);
            }
        }
    }

    /// Every character that is neither white space nor a mark of Markdown stands in a body, a headline, a credit, a repeated passage
    /// or page furniture.
    #[test]
    fn no_text_is_lost(text in page_text(), layout in prop_oneof![Just(Layout::Auto), Just(Layout::Page), Just(Layout::Article)]) {
        let chars: Vec<char> = text.chars().collect();
        let mut used: Vec<bool> = chars.iter().map(|c| c.is_whitespace() || "*_#".contains(*c)).collect();
        let written = (0..chars.len()).filter(|&at| chars[at..].starts_with(&['\\', 'n']) || chars[at..].starts_with(&['\\', 'r', '\\', 'n']));
        written.for_each(|at| used[at..at + 2].fill(true));
        let mut mark = |span: &Span| used[span.start..span.end].fill(true);
        let page = page::split(&chars, layout, &*TINY);
        page.duplicates.iter().for_each(|(left_out, _)| mark(left_out));
        for article in &page.articles {
            let spans = article.spans.iter().chain(&article.title_spans).chain(&article.credit_spans);
            spans.for_each(&mut mark);
        }
        let furniture = page::blocks(&chars, layout);
        furniture.iter().filter(|block| block.kind == page::BlockKind::Furniture).for_each(|block| mark(&block.span));
        let lost: String = chars.iter().zip(&used).filter(|(_, used)| !**used).map(|(c, _)| c).collect();
        prop_assert!(lost.is_empty(), "lost: {:?}", lost);
    }

    /// Every span of a record cuts out exactly the text it stands for; no bytes make the program panic.
    #[test]
    fn records_keep_their_promises(text in page_text()) {
        let input = Input { id: "x", path: "x", bytes: text.as_bytes() };
        let Ok(brief) = document::brief(input, &TINY, &Options::default()) else { return Ok(()) };
        let again = document::brief(input, &TINY, &Options::default()).unwrap();
        prop_assert_eq!(serde_json::to_string(&brief).unwrap(), serde_json::to_string(&again).unwrap());
        for article in &brief.articles {
            let text: Vec<char> = article.text.chars().collect();
            let mut last = 0;
            for sentence in &article.summary {
                prop_assert_eq!(&sentence.span.text(&text), &sentence.text);
                prop_assert!(!sentence.text.contains("讯(记者"), "a dateline: {}", sentence.text);
                prop_assert!(sentence.span.start >= last);
                last = sentence.span.end;
            }
            for keyword in &article.keywords {
                let whole = format!("{}\n{}", article.title, article.text);
                prop_assert!(whole.contains(&keyword.text), "{}", keyword.text);
                prop_assert!(keyword.count >= 1);
            }
            let total: f64 = article.sectors.iter().map(|s| s.score).sum();
            prop_assert!((total - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = document::brief(Input { id: "x", path: "x", bytes: &bytes }, &TINY, &Options::default());
    }
}

/// An article's brief is the same alone and beside others.
#[test]
fn an_article_does_not_depend_on_its_neighbours() {
    let text: Vec<char> = std::fs::read_to_string(crate::support::root().join("examples/page.txt"))
        .unwrap()
        .chars()
        .collect();
    let articles = page::split(&text, Layout::Page, &*TINY).articles;
    let together = document::briefs(articles.clone(), &TINY, &Options::default()).unwrap();
    for (article, expected) in articles.into_iter().zip(together) {
        let alone = document::briefs(vec![article], &TINY, &Options::default()).unwrap();
        assert_eq!(alone, [expected]);
    }
}

#[test]
fn hostile_sizes_stay_bounded() {
    // Fragments that begin as others end, more than any page has.
    let cut_lines: String = (0..20_000)
        .map(|n| format!("通。市民在第{n}号桥上走过，江上的大桥已经开通。\n"))
        .collect();
    for text in [
        cut_lines,
        // Every copy asks where its article begins, behind all the page numbers.
        "第3版\n".repeat(20_000) + &"大桥今天通车，市民走上大桥参观桥面。\n".repeat(5_000),
        "字".repeat(300_000),
        "字\n".repeat(10_000),
        "“".repeat(20_000),
        "今天。".repeat(30_000),
        "a".repeat(200_000),
    ] {
        let input = Input {
            id: "x",
            path: "x",
            bytes: text.as_bytes(),
        };
        let brief = document::brief(input, &TINY, &Options::default()).unwrap();
        assert!(!brief.articles.is_empty());
    }
}

#[test]
fn a_page_without_prose_loses_no_text() {
    let chars: Vec<char> = "本报记者 林小满\n第3版".chars().collect();
    let articles = page::split(&chars, Layout::Auto, &*TINY).articles;
    assert_eq!(articles.len(), 1);
    let spans: Vec<Span> = articles[0]
        .spans
        .iter()
        .chain(&articles[0].credit_spans)
        .copied()
        .collect();
    assert!(!spans.is_empty());
}

/// The example page, article by article, before any model: a change of the page logic shows up here.
#[test]
fn the_example_page_in_articles() {
    let path = crate::support::root().join("examples/page.txt");
    let text: Vec<char> = std::fs::read_to_string(path).unwrap().chars().collect();
    let shown: Vec<String> = page::split(&text, Layout::Auto, &NoContinuation)
        .articles
        .into_iter()
        .map(|a| {
            let text: String = a.text.iter().collect();
            format!("# {}\n{:?} {:?}\n{text}\n", a.title, a.byline, a.dateline)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}
