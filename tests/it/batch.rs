//! `jianbao batch`: one record an input, the same bytes whatever happens on the way.

use crate::laws::TINY;
use crate::support::{fixture, jianbao, root};
use jianbao::pipeline::batch::flow::{self, Job};
use jianbao::pipeline::batch::folder::PartSink;
use jianbao::pipeline::batch::inputs::{self, Selection};
use jianbao::pipeline::batch::tasks::NothingFinished;
use jianbao::pipeline::document::Options;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A batch with the tiny model.
pub fn batch(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = jianbao();
    command.arg("batch").args(arguments);
    command.arg("--model").arg(fixture("tiny"));
    command
}

/// The same as a process that can be talked to, and killed.
pub fn running(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("jianbao"));
    command.arg("batch").args(arguments);
    command.arg("--model").arg(fixture("tiny"));
    command
}

/// `count` articles in a folder of their own: (folder, the lines, where the results go).
pub fn articles(count: usize) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let lines = work.path().join("in.jsonl");
    write_lines(&lines, count);
    let out = work.path().join("out");
    (work, lines, out)
}

pub fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

pub fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Articles of many lengths.
pub fn write_lines(path: &Path, count: usize) {
    let mut out = String::new();
    for i in 0..count {
        let body = "东江大桥今天开工，市民参观。水利工程通车。".repeat(1 + i * 7 % 23);
        let row = json!({"id": format!("{i:05}"), "title": "大桥开工", "text": format!("{body}\n第{i}段。")});
        out.push_str(&format!("{row}\n"));
    }
    fs::write(path, out).unwrap();
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// Every way an input can fail, and its neighbours that do not.
#[test]
fn every_input_has_exactly_one_record() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("in");
    fs::create_dir_all(folder.join("folder.txt")).unwrap();
    let good = "大桥开工\n东江大桥今天开工，市民参观。";
    let mut cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("a.txt", good.into(), None),
        ("big.txt", "工".repeat(5000).into(), Some("too-large")),
        (
            "binary.txt",
            b"\x7fELF\0\0\x01\x02\0\0\0\0\0".to_vec(),
            Some("binary"),
        ),
        ("blank.txt", "\n　\n".into(), Some("empty")),
        ("empty.txt", vec![], Some("empty")),
        ("folder.txt/inside.txt", good.into(), None),
        (
            "gbk.txt",
            encoding_rs::GB18030.encode(good).0.into_owned(),
            None,
        ),
        ("line.txt", "工程".repeat(1500).into(), None),
        ("z.txt", good.into(), None),
    ];
    for (name, bytes, _) in &cases {
        fs::write(folder.join(name), bytes).unwrap();
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = folder.join(std::ffi::OsStr::from_bytes(b"odd-\xff.txt"));
        fs::write(odd, good).unwrap();
        cases.insert(8, ("odd-%FF.txt", vec![], None));
        std::os::unix::fs::symlink(folder.join("a.txt"), folder.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(&folder, folder.join("loop.txt")).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(folder.join("pipe.txt"))
                .status()
                .unwrap()
                .success()
        );
        cases.insert(9, ("pipe.txt", vec![], Some("not-a-file")));
        let locked = folder.join("locked.txt");
        fs::write(&locked, good).unwrap();
        let mut permissions = fs::metadata(&locked).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0);
        fs::set_permissions(&locked, permissions).unwrap();
        // Root may read everything.
        let kind = fs::read(&locked).is_err().then_some("unreadable");
        cases.insert(8, ("locked.txt", vec![], kind));
    }
    let out = work.path().join("out");
    batch(&[text(&folder), "-o", text(&out), "--max-bytes", "9K"])
        .assert()
        .code(1);
    let found = records(&out.join("results.jsonl"));
    let ids: Vec<&str> = found.iter().map(|r| r["id"].as_str().unwrap()).collect();
    let expected: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    assert_eq!(ids, expected);
    for (record, (name, _, kind)) in found.iter().zip(&cases) {
        assert_eq!(record["error"]["kind"].as_str(), *kind, "{name}: {record}");
        assert!(
            kind.is_some() || record["articles"][0]["text"].is_string(),
            "{name}"
        );
    }
    let failed = cases.iter().filter(|(.., kind)| kind.is_some()).count();
    assert_eq!(records(&out.join("errors.jsonl")).len(), failed);
    let run: Value =
        serde_json::from_str(&fs::read_to_string(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(
        (&run["status"], &run["counts"]["inputs"]),
        (&json!("complete"), &json!(cases.len()))
    );
}

#[test]
fn every_line_has_exactly_one_record() {
    let work = tempfile::tempdir().unwrap();
    let lines = work.path().join("in.jsonl");
    let long = format!(r#"{{"id": "long", "text": "{}"}}"#, "工".repeat(4000));
    let rows: Vec<(Vec<u8>, &str, Option<&str>)> = vec![
        (r#"{"id": "a", "text": "东江大桥今天开工。"}"#.into(), "a", None),
        (b"{not json".to_vec(), ":2", Some("json")),
        (r#"{"id": "a", "title": "题", "text": "东江大桥今天开工。"}"#.into(), "a", None),
        (r#"{"text": "没有编号。"}"#.into(), ":4", Some("json")),
        (b"{\"id\": \"b\", \"text\": \"\xff\xfe\"}".to_vec(), "b", Some("json")),
        (long.into(), ":6", Some("too-large")),
        (r#"{"id": "c", "text": ""}"#.into(), "c", Some("empty")),
        (r#"{"id": 12, "text": "编号是数。"}"#.into(), "12", None),
        (r#"{"id": "d", "text": "东江大桥今天开工，市民参观，水利工程通车，学校农业丰收，东江大桥今天开工，市民参观，水利工程通车，东江大桥今天开工，市民参观，水利工程通车，控制\u0007符\u202e号。"}"#.into(), "d", None),
    ];
    let bytes: Vec<u8> = rows
        .iter()
        .flat_map(|(row, ..)| [row.as_slice(), b"\n"].concat())
        .collect();
    fs::write(&lines, &bytes).unwrap();
    let gzip = work.path().join("cut.jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&bytes).unwrap();
    let packed = encoder.finish().unwrap();
    fs::write(&gzip, &packed[..packed.len() / 2]).unwrap();
    let out = work.path().join("out");
    batch(&[
        text(&lines),
        text(&gzip),
        "-o",
        text(&out),
        "--max-bytes",
        "8K",
    ])
    .assert()
    .code(1);
    let found = records(&out.join("results.jsonl"));
    for (record, (_, id, kind)) in found.iter().zip(&rows) {
        let own = record["id"].as_str().unwrap();
        assert!(
            own == *id || own.ends_with(id) && id.starts_with(':'),
            "{own} {id}"
        );
        assert_eq!(record["error"]["kind"].as_str(), *kind, "{record}");
    }
    assert!(
        found[1]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("line 2")
    );
    assert_eq!(found[2]["warnings"][0]["kind"], "repeated-id");
    assert_eq!(found[2]["articles"][0]["title"], "题");
    assert_eq!(found.last().unwrap()["error"]["kind"], "compressed");
    let whole = fs::read_to_string(out.join("results.jsonl")).unwrap();
    assert!(
        !whole.contains('\u{202e}'),
        "bidirectional characters are escaped"
    );
}

/// Threads, token budgets, pipes: the same bytes.
#[test]
fn nothing_but_the_input_decides_the_bytes() {
    let work = tempfile::tempdir().unwrap();
    let lines = work.path().join("in.jsonl");
    write_lines(&lines, 150);
    let result = |name: &str, more: &[&str]| {
        let out = work.path().join(name);
        let mut arguments = vec![text(&lines), "-o", text(&out)];
        arguments.extend(more);
        batch(&arguments).assert().success();
        fs::read(out.join("results.jsonl")).unwrap()
    };
    let expected = result("plain", &[]);
    for (name, more) in [
        ("one", ["--threads", "1", "--batch-tokens", "4096"]),
        ("two", ["--threads", "2", "--batch-tokens", "512"]),
        ("three", ["--threads", "3", "--batch-tokens", "700"]),
        ("four", ["--threads", "2", "--batch-tokens", "100000"]),
    ] {
        assert!(result(name, &more) == expected, "{name}");
    }
    let packed = work.path().join("packed");
    let plain = fs::read(&lines).unwrap();
    fs::write(&packed, zstd::encode_all(plain.as_slice(), 1).unwrap()).unwrap();
    for input in [&lines, &packed] {
        let piped = batch(&["-", "-o", "-"])
            .pipe_stdin(input)
            .unwrap()
            .assert()
            .success();
        let piped = String::from_utf8(piped.get_output().stdout.clone()).unwrap();
        let named = piped.replace("\"path\":\"-:", &format!("\"path\":\"{}:", text(&lines)));
        assert!(
            named.as_bytes() == expected,
            "standard input gives the same but for the path, packed or not"
        );
    }
}

#[test]
fn a_consumer_that_goes_away_ends_it_quietly() {
    let work = tempfile::tempdir().unwrap();
    let lines = work.path().join("in.jsonl");
    write_lines(&lines, 2000);
    let mut child = running(&[text(&lines), "-q", "-o", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let record: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(record["id"], "00000");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An engine that writes a line and waits for its answer is not kept waiting for more lines.
#[test]
fn a_pause_in_the_input_is_answered() {
    let mut child = running(&["-", "-q", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for id in ["a", "b"] {
        writeln!(stdin, r#"{{"id": "{id}", "text": "东江大桥今天开工。"}}"#).unwrap();
        stdin.flush().unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["id"], id);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// A disk without space: a clear message, nothing half-written, and the run goes on when there is space.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    let (_work, lines, out) = articles(64 * 4);
    // A limit on the size of files stands for the full disk: writing beyond it fails.
    let limited = |blocks: u32| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        Command::new("bash")
            .args(["-c", &script])
            .arg(assert_cmd::cargo::cargo_bin("jianbao"))
            .args(["batch", text(&lines), "-q", "-o", text(&out), "--model"])
            .arg(fixture("tiny"))
            .output()
            .unwrap()
    };
    let output = limited(16);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{message}");
    assert!(message.contains("space"), "{message}");
    let left: Vec<PathBuf> = fs::read_dir(out.join("parts"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert!(
        left.iter()
            .all(|path| fs::read(path).unwrap().ends_with(b"\n")),
        "{left:?}"
    );
    batch(&[text(&lines), "-o", text(&out)]).assert().success();
    assert_eq!(records(&out.join("results.jsonl")).len(), 64 * 4);
}

/// Through the library: a file that vanishes after it was listed, and a disk that fills in the middle.
#[test]
fn a_vanished_file_and_a_failing_disk() {
    let work = tempfile::tempdir().unwrap();
    for i in 0..200 {
        fs::write(
            work.path().join(format!("{i:03}.txt")),
            "东江大桥今天开工，市民参观。",
        )
        .unwrap();
    }
    let selection = Selection::new(&["*.txt".to_owned()], &[]).unwrap();
    let inputs = Arc::new(inputs::list(&[work.path().to_owned()], &selection, None).unwrap());
    fs::remove_file(work.path().join("007.txt")).unwrap();
    let job = Job {
        inputs,
        model: &TINY,
        options: &Options::default(),
        max_bytes: 1000,
        finished: Arc::new(NothingFinished),
        stop: Arc::default(),
    };
    let mut parts = Vec::new();
    let mut sink = PartSink::new(|_, bytes: &[u8]| {
        parts.push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(())
    });
    let outcome = flow::run(&job, &mut sink, &Silent).unwrap();
    // 2, 4, 8, 16, 32, 64, 64 and 10 inputs.
    assert_eq!(outcome.parts, Some(8));
    let vanished: Value = serde_json::from_str(parts[2].lines().nth(1).unwrap()).unwrap();
    assert_eq!(vanished["error"]["kind"], "missing");
    let mut written = 0;
    let mut full = PartSink::new(|_, _: &[u8]| {
        written += 1;
        if written == 3 {
            Err(std::io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    });
    let error = flow::run(&job, &mut full, &Silent).unwrap_err();
    assert!(matches!(error, flow::FlowError::Output(_)), "{error}");
    assert_eq!(written, 3);
}

struct Silent;

impl flow::Observer for Silent {
    fn record(&self, _: &jianbao::output::record::Record, _: u64) {}
}

#[test]
fn links_are_counted_whatever_they_lead_to() {
    let work = tempfile::tempdir().unwrap();
    let (folder, out) = (work.path().join("in"), work.path().join("out"));
    fs::create_dir_all(folder.join("2023")).unwrap();
    fs::write(folder.join("2023/a.txt"), "东江大桥今天开工。").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.join("2023"), folder.join("this-year")).unwrap();
        let message = stderr(&batch(&[text(&folder), "-o", text(&out)]).assert().success());
        assert!(
            message.contains("1 symbolic link is not followed"),
            "{message}"
        );
    }
}

/// As archives unpack that were packed under Chinese Windows.
#[test]
#[cfg(target_os = "linux")]
fn file_names_in_gbk_are_read() {
    use std::os::unix::ffi::OsStrExt;
    let work = tempfile::tempdir().unwrap();
    let (folder, out) = (work.path().join("in"), work.path().join("out"));
    fs::create_dir_all(&folder).unwrap();
    for name in ["要闻.txt", "财经.txt"] {
        let name = encoding_rs::GB18030.encode(name).0;
        let name = std::ffi::OsStr::from_bytes(&name);
        fs::write(folder.join(name), "东江大桥今天开工。").unwrap();
    }
    batch(&[text(&folder), "-o", text(&out)]).assert().success();
    let mut ids: Vec<_> = (records(&out.join("results.jsonl")).iter())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["要闻.txt", "财经.txt"]);
}

/// DuckDB reads what we write, when Python has it.
#[test]
fn duckdb_reads_the_parquet_file() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    let page = root().join("examples/page.txt");
    batch(&[text(&page), "-o", text(&out), "--format", "parquet"])
        .assert()
        .success();
    let file = out.join("results.parquet");
    assert!(fs::read(&file).unwrap().starts_with(b"PAR1"));
    let script = "import duckdb, sys\nq = 'select count(*), count(distinct title), sum(len(keywords)), min(summary[1].text), min(spans[1][1]) from read_parquet(?)'\nprint(*duckdb.execute(q, [sys.argv[1]]).fetchone(), sep='|')";
    let python = std::env::var("JIANBAO_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python)
        .args(["-c", script])
        .arg(&file)
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        _ => {
            eprintln!("skipped: {python} has no duckdb");
            return;
        }
    };
    let line = String::from_utf8(output.stdout).unwrap();
    let fields: Vec<&str> = line.trim().split('|').collect();
    assert!(fields[0].parse::<usize>().unwrap() >= 4, "{line}");
    assert_eq!(fields[0], fields[1], "{line}");
    assert!(fields[3].ends_with('。'), "{line}");
}
