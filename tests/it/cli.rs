//! What a person sees: output, files, help.

use crate::support::{fixture, jianbao, root};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// What `summarize -` says of some bytes.
fn summarized(bytes: impl Into<Vec<u8>>, model: &Path) -> Output {
    jianbao()
        .args(["summarize", "-", "--model"])
        .arg(model)
        .write_stdin(bytes)
        .assert()
        .success()
        .get_output()
        .clone()
}

fn record(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout).expect("one JSON record")
}

#[test]
fn summarizes_the_example_page() {
    let output = jianbao()
        .current_dir(root())
        .args(["summarize", "examples/page.txt"])
        .assert()
        .success()
        .get_output()
        .clone();
    let record = record(&output.stdout);
    let articles = record["articles"].as_array().unwrap();
    let titles: Vec<&str> = articles
        .iter()
        .map(|a| a["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "总投资逾四十亿元 建成后日供水能力翻一番 东江引水二期工程全线开工",
            "春茶开采 茶农忙",
            "我市出台十二条措施支持中小企业技术改造",
            "“夜间门诊”开进社区 上班族看病不再请假",
            "城东中学女足首夺省赛冠军",
        ]
    );
    assert_eq!(
        articles[0]["dateline"],
        serde_json::json!({"paper": "东江日报", "date": "3月5日"})
    );
    assert_eq!(
        articles[0]["byline"],
        serde_json::json!(["记者 林知远", "通讯员 何晓禾"])
    );
    assert_eq!(
        articles[3]["byline"],
        serde_json::json!(["东江日报记者 许知秋"])
    );
    for article in articles {
        let text = article["text"].as_str().unwrap();
        assert!(!article["summary"].as_array().unwrap().is_empty());
        assert!(!article["keywords"].as_array().unwrap().is_empty());
        for sentence in article["summary"].as_array().unwrap() {
            assert!(text.contains(sentence["text"].as_str().unwrap()));
            assert!(
                !sentence["text"]
                    .as_str()
                    .unwrap()
                    .contains("东江日报3月5日讯")
            );
        }
        assert_eq!(article["sectors"].as_array().unwrap().len(), 21);
    }
    // The page's furniture is in no article.
    assert!(!record["articles"].to_string().contains("责任编辑"));
}

#[test]
fn the_record_follows_its_schema() {
    let schema = jianbao()
        .arg("schema")
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).expect("a valid JSON Schema");
    let output = jianbao()
        .current_dir(root())
        .args(["summarize", "examples/page.txt"])
        .output()
        .unwrap();
    let mut record = record(&output.stdout);
    assert!(validator.is_valid(&record));
    record["articles"][0]["title"] = 3.into();
    assert!(!validator.is_valid(&record));
}

#[test]
fn the_order_of_fields_is_fixed() {
    let output = jianbao()
        .args(["summarize", "-", "--keywords", "1", "--sentences", "1"])
        .write_stdin("东江大桥通车\n今天，东江大桥通车。")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = [
        "\"schema\"",
        "\"id\"",
        "\"source\"",
        "\"model\"",
        "\"articles\"",
        "\"title\"",
        "\"byline\"",
        "\"dateline\"",
        "\"text\"",
        "\"spans\"",
        "\"title_spans\"",
        "\"sector\":",
        "\"sectors\"",
        "\"summary\"",
        "\"keywords\"",
        "\"duplicates\"",
        "\"warnings\"",
    ];
    let places: Vec<usize> = fields
        .iter()
        .map(|f| text.find(f).unwrap_or_else(|| panic!("{f} in {text}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_encoding_gives_the_same_articles() {
    let text = fs::read_to_string(root().join("examples/page.txt")).unwrap();
    let utf16: Vec<u8> = [0xfffeu16]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let utf16 = [&b"\xff\xfe"[..], &utf16[2..]].concat();
    let inputs = [
        text.clone().into_bytes(),
        [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        encoding_rs::GB18030.encode(&text).0.into_owned(),
        utf16,
        text.replace('\n', "\r\n").into_bytes(),
    ];
    let model = fixture("tiny");
    let articles: Vec<Value> = inputs
        .into_iter()
        .map(|bytes| {
            let output = summarized(bytes, &model);
            record(&output.stdout)["articles"].clone()
        })
        .collect();
    assert!(articles.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn threads_do_not_change_a_byte() {
    let run = |threads: &str| {
        jianbao()
            .current_dir(root())
            .args(["summarize", "examples/page.txt", "--threads", threads])
            .output()
            .unwrap()
            .stdout
    };
    let one = run("1");
    assert!(!one.is_empty());
    assert!(one == run("2") && one == run("5"));
}

#[test]
fn another_taxonomy_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.toml");
    fs::write(&file, "[[sector]]\nkey='water'\nlabel='水利'\ntext='水库、供水、水利工程。'\n[[sector]]\nkey='ball'\nlabel='球类'\ntext='足球、篮球比赛。'\n").unwrap();
    let output = jianbao()
        .current_dir(root())
        .args(["summarize", "examples/page.txt", "--sectors"])
        .arg(&file)
        .assert()
        .success()
        .get_output()
        .clone();
    let record = record(&output.stdout);
    let sector = |i: usize| {
        record["articles"][i]["sector"]["key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (sector(0), sector(4)),
        ("water".to_owned(), "ball".to_owned())
    );
    assert_eq!(
        record["articles"][0]["sectors"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn lengths_are_kept() {
    let run = |arguments: &[&str]| {
        let output = jianbao()
            .current_dir(root())
            .args(["summarize", "examples/page.txt"])
            .args(arguments)
            .assert()
            .success()
            .get_output()
            .clone();
        record(&output.stdout)["articles"].clone()
    };
    for article in run(&["--sentences", "1", "--keywords", "3"])
        .as_array()
        .unwrap()
    {
        assert_eq!(article["summary"].as_array().unwrap().len(), 1);
        assert!(article["keywords"].as_array().unwrap().len() <= 3);
    }
    for article in run(&["--max-chars", "90"]).as_array().unwrap() {
        let sentences = article["summary"].as_array().unwrap();
        let chars: usize = sentences
            .iter()
            .map(|s| s["text"].as_str().unwrap().chars().count())
            .sum();
        assert!(chars <= 90 || sentences.len() == 1);
    }
}

/// More sentences and candidates than are read together: whoever asks for all of them gets them.
#[test]
fn a_long_article_loses_no_sentence() {
    // Sentences that have next to nothing in common, by a linear congruence over 2,000 characters.
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        char::from_u32(0x4E00 + (state >> 16) % 2_000).expect("a Han character")
    };
    let sentences = 300;
    let text: String = (0..sentences)
        .map(|_| (0..20).map(|_| next()).collect::<String>() + "。")
        .collect();
    let output = jianbao()
        .args([
            "summarize",
            "-",
            "--layout",
            "article",
            "--sentences",
            "500",
            "--keywords",
            "100",
        ])
        .write_stdin(text)
        .assert()
        .success()
        .get_output()
        .clone();
    let article = &record(&output.stdout)["articles"][0];
    assert_eq!(article["summary"].as_array().map(Vec::len), Some(sentences));
    // None of these phrases is a likely keyword, however many are asked for.
    let keywords = article["keywords"].as_array().map(Vec::len);
    assert!(keywords.is_some_and(|count| (1..100).contains(&count)));
}

#[test]
fn layouts_can_be_forced() {
    let count = |layout: &str| {
        let output = jianbao()
            .current_dir(root())
            .args([
                "summarize",
                "examples/page.txt",
                "--layout",
                layout,
                "--model",
            ])
            .arg(fixture("tiny"))
            .output()
            .unwrap();
        record(&output.stdout)["articles"].as_array().unwrap().len()
    };
    assert_eq!((count("auto"), count("page"), count("article")), (5, 5, 1));
}

#[test]
fn a_file_is_written_whole_and_stdout_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("brief.json");
    let output = jianbao()
        .args(["summarize", "-", "--format", "json", "-o"])
        .arg(&target)
        .write_stdin("今天，东江大桥通车。")
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(output.stdout.is_empty());
    let text = fs::read_to_string(&target).unwrap();
    assert!(text.starts_with("{\n") && text.ends_with("}\n"));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn titles_cannot_command_a_terminal() {
    let output = jianbao()
        .args(["summarize", "-"])
        .write_stdin(
            "标题\u{202e}反\u{9b}31m转\n\n今天，东江大桥通车，市民参观。\n".to_owned()
                + &"水利工程开工，市民参观。".repeat(10),
        )
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{202e}') && !text.contains('\u{9b}'));
}

#[test]
fn undecodable_bytes_are_counted() {
    let mut bytes = "今天，东江大桥通车，市民参观。水利工程开工。"
        .as_bytes()
        .to_vec();
    bytes[10] = 0xff;
    let output = summarized(bytes, &fixture("tiny"));
    assert_eq!(record(&output.stdout)["warnings"][0]["kind"], "undecodable");
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning:"));
}

#[test]
fn what_is_no_text_is_told() {
    let source = "<html><body><div><h1>东江大桥通车</h1><p>今天，东江大桥通车，市民参观。</p></div></body></html>";
    let output = summarized(source, &fixture("tiny"));
    assert_eq!(record(&output.stdout)["warnings"][0]["kind"], "html");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pandoc"));
    let lines = "{\"id\": 1, \"text\": \"今天，东江大桥通车，市民参观。\"}\n";
    let output = summarized(lines, &fixture("tiny"));
    assert_eq!(record(&output.stdout)["warnings"][0]["kind"], "json");
    assert!(String::from_utf8_lossy(&output.stderr).contains(".jsonl"));
}

#[test]
fn the_embedded_model_is_described_and_verified() {
    let info = jianbao()
        .args(["models", "info", "--json"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(
        (info["name"].as_str(), info["architecture"].as_str()),
        (Some("news"), Some("roformer"))
    );
    jianbao().args(["models", "verify"]).assert().success();
    let list = jianbao()
        .args(["models", "list"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    assert_eq!(String::from_utf8(list).unwrap(), "news\tembedded\n");
    let folder = root().join("models/news");
    let verified = jianbao()
        .args(["models", "verify"])
        .arg(&folder)
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    assert!(
        String::from_utf8(verified)
            .unwrap()
            .contains("3 checksums match")
    );
}

#[test]
fn help_completions_and_manual_are_there() {
    for arguments in [
        &["--help"][..],
        &["summarize", "--help"],
        &["man"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
    ] {
        let output = jianbao()
            .args(arguments)
            .assert()
            .success()
            .get_output()
            .clone();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("jianbao"),
            "{arguments:?}"
        );
    }
    assert_eq!(
        jianbao().output().unwrap().status.code(),
        Some(2),
        "no command is a usage error"
    );
}
