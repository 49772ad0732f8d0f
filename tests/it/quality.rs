//! Figures on the project's shared data; skipped with a reason where it is not.

use crate::support::{jianbao, shared};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

#[test]
fn the_real_page() {
    let (Some(page), Some(gold)) = (
        shared("gold/hunan_20230217.txt"),
        shared("gold/hunan_20230217.gold.json"),
    ) else {
        return;
    };
    let output = jianbao()
        .arg("summarize")
        .arg(&page)
        .assert()
        .success()
        .get_output()
        .clone();
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let gold: Value = serde_json::from_str(&std::fs::read_to_string(gold).unwrap()).unwrap();
    let articles = record["articles"].as_array().unwrap();
    let squeeze = |v: &Value| {
        v.as_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect::<String>()
    };
    let (mut titles, mut sectors) = (0, 0);
    for expected in gold["articles"].as_array().unwrap() {
        let Some(found) = articles
            .iter()
            .find(|a| squeeze(&a["title"]) == squeeze(&expected["title"]))
        else {
            continue;
        };
        titles += 1;
        let key = &found["sector"]["key"];
        sectors += usize::from(
            key == &expected["sector"] || expected["also"].as_array().unwrap().contains(key),
        );
    }
    assert!(titles >= 9, "{titles} headlines of 10");
    assert!(sectors >= 9, "{sectors} sectors of 10");
    for article in articles {
        let whole = format!(
            "{}\n{}",
            article["title"].as_str().unwrap(),
            article["text"].as_str().unwrap()
        );
        for part in article["summary"]
            .as_array()
            .unwrap()
            .iter()
            .chain(article["keywords"].as_array().unwrap())
        {
            assert!(whole.contains(part["text"].as_str().unwrap()));
        }
    }
}

/// The figures of `jianbao eval` with these arguments.
fn eval(task: &str, arguments: &[&Path]) -> Value {
    let output = jianbao()
        .args(["eval", task, "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Our figures are the reference scorer's to four decimals, on the same predictions.
fn assert_equal_to_scorer(ours: &Value, scorer: &[&Path]) {
    let output = Command::new("python3").args(scorer).arg("--json").output();
    let theirs: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    for (name, value) in theirs.as_object().unwrap() {
        let own = ours[name].as_f64().unwrap_or_else(|| panic!("{name}"));
        let difference = (value.as_f64().unwrap() - own).abs();
        assert!(difference < 5e-5, "{name}: {value} and {own}");
    }
}

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: python3 is not on this machine");
    }
    found
}

fn assert_at_least(figures: &Value, bounds: &[(&str, f64)]) {
    for (name, bound) in bounds {
        assert!(
            figures[name].as_f64().unwrap() >= *bound,
            "{name} < {bound}: {figures}"
        );
    }
}

#[test]
fn extracts_on_dev() {
    let (Some(scorer), Some(gold), Some(articles)) = (
        shared("tools/score_extracts.py"),
        shared("data/extracts/dev.jsonl"),
        shared("data/dev_articles.jsonl.gz"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("predictions.jsonl");
    let ours = eval(
        "extracts",
        &[
            &gold,
            Path::new("--articles"),
            &articles,
            Path::new("--predictions"),
            &predictions,
        ],
    );
    if has_python() {
        assert_equal_to_scorer(&ours, &[&scorer, &gold, Path::new("--pred"), &predictions]);
    }
    assert_at_least(
        &ours,
        &[("rouge1", 0.66), ("kw_f1@8", 0.45), ("kw_relaxed@8", 0.63)],
    );
}

#[test]
fn pages_of_the_gold() {
    let (Some(scorer), Some(gold)) = (shared("tools/score_pages.py"), shared("gold")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("records.jsonl");
    let ours = eval("pages", &[&gold, Path::new("--predictions"), &predictions]);
    if has_python() {
        assert_equal_to_scorer(&ours, &[&scorer, &gold, &predictions]);
    }
    assert_at_least(
        &ours,
        &[("bcubed_f1", 0.78), ("join_acc", 0.77), ("dup_once", 1.0)],
    );
}

#[test]
fn sectors_on_dev() {
    let (Some(gold), Some(articles)) = (
        shared("data/sectors/dev.jsonl"),
        shared("data/dev_articles.jsonl.gz"),
    ) else {
        return;
    };
    let figures = eval("sectors", &[&gold, Path::new("--articles"), &articles]);
    assert_at_least(&figures, &[("accuracy", 0.86), ("accuracy_also", 0.97)]);
}
