//! `jianbao bench`: agreement first, then speed; figures that can be read by people and programs.

use crate::support::{fixture, jianbao, root};
use serde_json::Value;
use std::path::Path;

fn bench(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = jianbao();
    command.arg("bench").args(arguments);
    command.args([
        "--rounds",
        "2",
        "--seconds",
        "0",
        "--device",
        "cpu",
        "--model",
    ]);
    command.arg(fixture("tiny"));
    command
}

#[test]
fn every_case_is_measured_and_kept() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    let (report, plot, tokens) = (path("report.json"), path("plot.svg"), path("tokens.jsonl"));
    let assert = bench(&["--mix", "short,article", "--batch-tokens", "2048", "--json"])
        .arg("--output")
        .arg(&report)
        .arg("--plot")
        .arg(&plot)
        .arg("--tokens")
        .arg(&tokens)
        .assert()
        .success();
    let printed: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let kept: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(printed, kept);
    // f32 and int8, two mixes, two stages.
    let cases = printed["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        assert_eq!(case["seconds"]["rounds"], 2, "{case}");
        assert!(case["tokens_per_second"].as_f64().unwrap() > 0.0, "{case}");
    }
    let backends = printed["backends"].as_array().unwrap();
    assert_eq!(backends[0]["agreement"]["same_summary"], 1.0);
    assert!(backends[1]["agreement"]["lowest_cosine"].as_f64().unwrap() > 0.95);
    let mix = &printed["mixes"][1];
    assert!(mix["encoded_tokens"].as_u64() > mix["tokens"].as_u64());
    let lines = std::fs::read_to_string(&tokens).unwrap();
    let sequences: usize = lines
        .lines()
        .flat_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            row["windows"].as_array().unwrap().clone()
        })
        .map(|window| window.as_array().unwrap().len())
        .sum();
    let encoded = |i: usize| printed["mixes"][i]["encoded_tokens"].as_u64().unwrap();
    assert_eq!(sequences as u64, encoded(0) + encoded(1));
    let plot = std::fs::read_to_string(&plot).unwrap();
    assert!(
        plot.starts_with("<svg") && plot.contains("cpu int8"),
        "{plot}"
    );
}

#[test]
fn people_get_tables_and_their_own_texts() {
    let work = tempfile::tempdir().unwrap();
    std::fs::write(
        work.path().join("a.txt"),
        "大桥开工\n东江大桥今天开工，市民参观。",
    )
    .unwrap();
    let input = work.path().to_str().unwrap();
    let assert = bench(&[
        "--input",
        input,
        "--dtype",
        "f32",
        "--stage",
        "end-to-end",
        "--markdown",
    ])
    .assert()
    .success();
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(
        text.contains("| end-to-end | input | cpu    | f32   |"),
        "{text}"
    );
    assert!(text.contains("100.0%"), "{text}");
}

#[test]
fn an_earlier_report_is_shown_and_drawn() {
    let work = tempfile::tempdir().unwrap();
    let plot = work.path().join("speed.svg");
    let report = root().join("benches/h200.json");
    let report = report.to_str().unwrap();
    let show = |more: &[&str]| {
        let mut command = jianbao();
        command.args(["bench", "--report", report]).args(more);
        command.assert()
    };
    let assert = show(&["--plot", plot.to_str().unwrap()]).success();
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(text.contains("cuda:0") && text.contains("206796"), "{text}");
    let plot = std::fs::read_to_string(&plot).unwrap();
    assert!(plot.contains("cuda:0 f32"), "{plot}");
    // As JSON it is the same report again.
    let assert = show(&["--json"]).success();
    let again: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let read = std::fs::read(report).unwrap();
    assert_eq!(again, serde_json::from_slice::<Value>(&read).unwrap());
}

#[test]
fn what_cannot_be_measured_is_said() {
    let message = |arguments: &[&str], code: i32| {
        let assert = bench(arguments).assert().code(code).stdout("");
        String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
    };
    assert!(message(&["--mix", "novel"], 2).contains("short, article, long"));
    assert!(message(&["--mix", "short", "--dtype", "int4"], 2).contains("expected f32"));
    let empty = tempfile::tempdir().unwrap();
    let input = empty.path().to_str().unwrap();
    assert!(message(&["--input", input], 3).contains("no article"));
    // An earlier report is not measured: --rounds and the like make no sense.
    assert!(message(&["--report", "speed.json"], 2).contains("cannot be used with"));
    let shown = |report: &Path| {
        let mut command = jianbao();
        let assert = command.args(["bench", "--report"]).arg(report).assert();
        String::from_utf8_lossy(&assert.code(3).get_output().stderr).into_owned()
    };
    assert!(shown(Path::new("nowhere.json")).contains("nowhere.json does not exist"));
    let other = empty.path().join("other.json");
    std::fs::write(&other, "{}").unwrap();
    assert!(shown(&other).contains("other.json is no report"));
    let report = std::fs::read_to_string(root().join("benches/h200.json")).unwrap();
    std::fs::write(
        &other,
        report.replace("\"batch_tokens\": 256", "\"batch_tokens\": 0"),
    )
    .unwrap();
    assert!(shown(&other).contains("a case has no speed"));
}
