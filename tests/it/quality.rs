//! Figures on the project's shared data; skipped with a reason where it is not.

use crate::support::{jianbao, shared};
use serde_json::Value;
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

/// Our figures are the reference scorers' to four decimals, on the same predictions.
#[test]
fn eval_equals_the_reference_scorers() {
    let (Some(scorer), Some(gold), Some(articles)) = (
        shared("tools/score_extracts.py"),
        shared("data/extracts/dev.jsonl"),
        shared("data/dev_articles.jsonl.gz"),
    ) else {
        return;
    };
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("predictions.jsonl");
    let ours = jianbao()
        .args(["eval", "extracts"])
        .arg(&gold)
        .arg("--articles")
        .arg(&articles)
        .arg("--json")
        .arg("--predictions")
        .arg(&predictions)
        .output()
        .unwrap();
    assert!(
        ours.status.success(),
        "{}",
        String::from_utf8_lossy(&ours.stderr)
    );
    let ours: Value = serde_json::from_slice(&ours.stdout).unwrap();
    let theirs = Command::new("python3")
        .arg(scorer)
        .arg(&gold)
        .arg("--pred")
        .arg(&predictions)
        .arg("--json")
        .output()
        .unwrap();
    let theirs: Value = serde_json::from_slice(&theirs.stdout).unwrap();
    for (name, value) in theirs.as_object().unwrap() {
        let difference = (value.as_f64().unwrap()
            - ours[name].as_f64().unwrap_or_else(|| panic!("{name}")))
        .abs();
        assert!(difference < 5e-5, "{name}: {value} and {}", ours[name]);
    }
    assert!(ours["rouge1"].as_f64().unwrap() >= 0.67, "{ours}");
    assert!(
        ours["kw_f1@8"].as_f64().unwrap() >= 0.33 && ours["kw_relaxed@8"].as_f64().unwrap() >= 0.65,
        "{ours}"
    );
}

#[test]
fn page_figures_equal_the_reference_scorer() {
    let (Some(scorer), Some(gold)) = (shared("tools/score_pages.py"), shared("gold")) else {
        return;
    };
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let predictions = folder.path().join("records.jsonl");
    let ours = jianbao()
        .args(["eval", "pages"])
        .arg(&gold)
        .arg("--json")
        .arg("--predictions")
        .arg(&predictions)
        .output()
        .unwrap();
    assert!(
        ours.status.success(),
        "{}",
        String::from_utf8_lossy(&ours.stderr)
    );
    let ours: Value = serde_json::from_slice(&ours.stdout).unwrap();
    let theirs = Command::new("python3")
        .arg(scorer)
        .arg("--json")
        .arg(&gold)
        .arg(&predictions)
        .output()
        .unwrap();
    let theirs: Value = serde_json::from_slice(&theirs.stdout).unwrap();
    for (name, value) in theirs.as_object().unwrap() {
        let difference = (value.as_f64().unwrap()
            - ours[name].as_f64().unwrap_or_else(|| panic!("{name}")))
        .abs();
        assert!(difference < 5e-5, "{name}: {value} and {}", ours[name]);
    }
    assert!(ours["bcubed_f1"].as_f64().unwrap() >= 0.78, "{ours}");
}

#[test]
fn sector_figures_on_dev() {
    let (Some(gold), Some(articles)) = (
        shared("data/sectors/dev.jsonl"),
        shared("data/dev_articles.jsonl.gz"),
    ) else {
        return;
    };
    let output = jianbao()
        .args(["eval", "sectors"])
        .arg(&gold)
        .arg("--articles")
        .arg(&articles)
        .arg("--json")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        figures["accuracy"].as_f64().unwrap() >= 0.80
            && figures["accuracy_also"].as_f64().unwrap() >= 0.93,
        "{figures}"
    );
}
