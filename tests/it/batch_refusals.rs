//! What `jianbao batch` refuses: another run's folder, anybody else's files, inputs that changed.

use crate::batch::{articles, batch, records, stderr, text};
use crate::support::{jianbao, tiny_copy};
use serde_json::{Value, json};
use std::fs;

#[test]
fn another_run_is_refused_with_the_difference() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("in");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.txt"), "东江大桥今天开工。").unwrap();
    let out = work.path().join("out");
    let arguments = [text(&folder), "-o", text(&out)];
    batch(&arguments).assert().success();
    batch(&arguments).assert().success();
    let run = fs::read_to_string(out.join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&run).unwrap();
    let refused = |arguments: &[&str], word: &str| {
        let assert = batch(arguments).assert().code(2).stdout("");
        let message = stderr(&assert);
        assert!(
            message.contains(word) && message.contains("--restart"),
            "{message}"
        );
    };
    refused(
        &[&arguments[..], &["--keywords", "3"]].concat(),
        "--keywords was 8, now it is 3",
    );
    // `auto` is one of the two, by processor.
    let dtype = run["settings"]["--dtype"].as_str().unwrap();
    let other = if dtype == "f32" { "int8" } else { "f32" };
    refused(&[&arguments[..], &["--dtype", other]].concat(), "--dtype");
    fs::write(folder.join("b.txt"), "水利工程通车。").unwrap();
    refused(&arguments, "b.txt is new");
    batch(&[&arguments[..], &["--restart"]].concat())
        .assert()
        .success();
    assert_eq!(records(&out.join("results.jsonl")).len(), 2);
    fs::write(folder.join("b.txt"), "水利工程今天通车。").unwrap();
    refused(&arguments, "b.txt had");
}

/// Lines on standard input cannot be compared beforehand; they are while they are skipped.
#[test]
fn changed_lines_are_noticed_while_they_are_skipped() {
    let (_work, lines, out) = articles(70);
    batch(&["-", "-o", text(&out)])
        .pipe_stdin(&lines)
        .unwrap()
        .assert()
        .success();
    fs::remove_file(out.join("parts/00005.jsonl")).unwrap();
    let changed = fs::read_to_string(&lines)
        .unwrap()
        .replacen("第5段", "第六段", 1);
    fs::write(&lines, changed).unwrap();
    let assert = batch(&["-", "-o", text(&out)])
        .pipe_stdin(&lines)
        .unwrap()
        .assert()
        .code(2);
    let message = stderr(&assert);
    assert!(
        message.contains("-:6") && message.contains("--restart"),
        "{message}"
    );
}

/// A finished part has the inputs that it had: no line may be gone, and none may have come.
#[test]
fn a_stream_that_lost_or_gained_a_line_is_refused() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    let lines: Vec<String> = ["a", "b", ""]
        .map(|id| format!("{}\n", json!({"id": id, "text": "东江大桥今天开工。"})))
        .into();
    let run = |lines: &[String]| {
        batch(&["-", "-o", text(&out)])
            .write_stdin(lines.concat())
            .assert()
    };
    run(&lines[..1]).success();
    let more = run(&[&lines[..1], &lines[2..]].concat()).code(2);
    assert!(stderr(&more).contains("not there"), "{}", stderr(&more));
    batch(&["-", "-o", text(&out), "--restart"])
        .write_stdin(lines[..2].concat())
        .assert()
        .success();
    let fewer = run(&lines[..1]).code(2);
    assert!(stderr(&fewer).contains("shorter"), "{}", stderr(&fewer));
}

/// A folder that is somebody else's keeps what it has, and so does a run whose `--restart` cannot begin.
#[test]
fn nothing_is_removed_before_the_command_is_known_to_work() {
    let (_work, lines, out) = articles(3);
    fs::create_dir(&out).unwrap();
    for name in [".lock", ".unfinished-novel.txt", "results.jsonl"] {
        fs::write(out.join(name), "mine").unwrap();
    }
    batch(&[text(&lines), "-o", text(&out)]).assert().code(2);
    for name in [".lock", ".unfinished-novel.txt", "results.jsonl"] {
        assert_eq!(
            fs::read_to_string(out.join(name)).unwrap(),
            "mine",
            "{name}"
        );
    }
    fs::remove_file(out.join("results.jsonl")).unwrap();
    batch(&[text(&lines), "-o", text(&out)]).assert().success();
    let mut mistyped = jianbao();
    mistyped.args([
        "batch",
        text(&lines),
        "-o",
        text(&out),
        "--restart",
        "--model",
        "nowhere",
    ]);
    mistyped.assert().code(4);
    assert_eq!(records(&out.join("results.jsonl")).len(), 3);
    assert!(out.join(".unfinished-novel.txt").exists());
}

/// Whatever stands in the folder of the results, only what a run wrote is overwritten or thrown away.
#[test]
fn nobody_elses_files_are_touched() {
    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name);
    let write = |name: &str, text: &str| {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), text).unwrap();
    };
    let refused = |arguments: &[&str], word: &str| {
        let message = stderr(&batch(arguments).assert().code(2).stdout(""));
        assert!(message.contains(word), "{message}");
    };
    write("in/a.txt", "东江大桥今天开工。");
    let folder = at("in");
    for name in ["results.jsonl", "run.json", "parts/00000.jsonl"] {
        write(&format!("mine/{name}"), "{\"id\": 1}\n");
        let mine = at("mine");
        for more in [&[][..], &["--restart"]] {
            let arguments = [&[text(&folder), "-o", text(&mine)], more].concat();
            refused(&arguments, "would be overwritten");
        }
        assert_eq!(
            fs::read_to_string(at("mine").join(name)).unwrap(),
            "{\"id\": 1}\n"
        );
        fs::remove_dir_all(&mine).unwrap();
    }
    // An input that stands where results go.
    write(
        "lines/results.jsonl",
        "{\"id\": 1, \"text\": \"东江大桥今天开工。\"}\n",
    );
    let (lines, out) = (at("lines/results.jsonl"), at("lines"));
    refused(&[text(&lines), "-o", text(&out)], "is an input");
    // Results beside the inputs: they are no inputs, and `--restart` leaves the inputs alone.
    write("in/parts/b.txt", "水利工程今天通车。");
    let arguments = [text(&folder), "-o", text(&folder), "--include", "*"];
    for more in [&[][..], &[], &["--restart"]] {
        batch(&[&arguments[..], more].concat()).assert().success();
        assert_eq!(records(&at("in/results.jsonl")).len(), 2);
    }
    assert!(at("in/parts/b.txt").exists());
}

/// What else a model's folder holds decides records, as its weights do.
#[test]
fn another_model_is_refused_though_its_weights_are_the_same() {
    let (_work, lines, out) = articles(3);
    let model = tiny_copy();
    let run = || {
        let mut command = jianbao();
        command.args(["batch", text(&lines), "-o", text(&out), "--model"]);
        command.arg(model.path()).assert()
    };
    run().success();
    let config = model.path().join("config.json");
    let changed = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{changed} ")).unwrap();
    let message = stderr(&run().code(2));
    assert!(message.contains("model settings"), "{message}");
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let here = text(work.path());
    batch(&["no-such-folder", "-o", here]).assert().code(3);
    batch(&[here, "-o", "-", "--format", "parquet"])
        .assert()
        .code(2);
    batch(&["-", "-", "-o", here]).assert().code(2);
    batch(&[here, "-o", here, "--include", "[a"])
        .assert()
        .code(2);
    let file = work.path().join("file");
    fs::write(&file, "").unwrap();
    batch(&[here, "-o", text(&file)]).assert().code(6);
}
