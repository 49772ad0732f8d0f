//! What is refused: one message that names the file and the way out, an exit code of its own, nothing on standard output.

use crate::support::{fixture, jianbao, tiny_copy};
use std::fs;

/// Changes a model's `config.json`.
fn in_config(folder: &std::path::Path, old: &str, new: &str) {
    let path = folder.join("config.json");
    let config = fs::read_to_string(&path).unwrap();
    assert!(config.contains(old), "{config}");
    fs::write(path, config.replace(old, new)).unwrap();
}

#[test]
fn bad_input_gives_one_message_a_way_out_and_nothing_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("empty.txt"), "").unwrap();
    fs::write(path("blank.txt"), " \n\u{3000}\n").unwrap();
    fs::write(path("page.pdf"), "%PDF-1.7 \u{0}\u{1}").unwrap();
    fs::write(
        path("noise.bin"),
        (0..9000u32)
            .map(|i| (i.wrapping_mul(2654435761) >> 11) as u8)
            .collect::<Vec<_>>(),
    )
    .unwrap();
    fs::write(path("large.txt"), "大".repeat(1000)).unwrap();
    fs::write(path("good.txt"), "今天，东江大桥通车。").unwrap();
    fs::write(
        path("gbk.txt"),
        encoding_rs::GB18030.encode("今天，东江大桥通车。").0,
    )
    .unwrap();
    fs::write(
        path("sectors.toml"),
        "[[sector]]\nkey='a'\nlabel='甲'\ntext='甲'\ncolour='red'\n",
    )
    .unwrap();
    let good = path("good.txt");
    let cases: Vec<(Vec<String>, i32, &str)> = vec![
        (vec![path("missing.txt")], 3, "does not exist"),
        (vec![path("")], 3, "is a folder"),
        (vec![path("empty.txt")], 3, "is empty"),
        (vec![path("blank.txt")], 3, "is empty"),
        (vec![path("page.pdf")], 3, "PDF"),
        (vec![path("noise.bin")], 3, "not text"),
        (
            vec![path("large.txt"), "--max-bytes".into(), "1K".into()],
            3,
            "larger than 1024 bytes",
        ),
        (
            vec![path("gbk.txt"), "--encoding".into(), "utf-8".into()],
            3,
            "as utf-8",
        ),
        (
            vec![good.clone(), "--encoding".into(), "utf-16le".into()],
            3,
            "is utf-8, not utf-16le",
        ),
        (
            vec![good.clone(), "--model".into(), path("nowhere")],
            4,
            "no model folder",
        ),
        (
            vec![good.clone(), "--model".into(), path("")],
            4,
            "config.json",
        ),
        (
            vec![good.clone(), "--model".into(), "hf:only-an-owner".into()],
            2,
            "OWNER/REPO",
        ),
        (
            vec![good.clone(), "--sectors".into(), path("sectors.toml")],
            2,
            "colour",
        ),
        (
            vec![good.clone(), "--sectors".into(), path("none.toml")],
            2,
            "none.toml",
        ),
        (
            vec![good.clone(), "-o".into(), path("no/such/folder.json")],
            6,
            "make the folder first",
        ),
        (
            vec![good.clone(), "-o".into(), good.clone()],
            2,
            "is an input and would be overwritten",
        ),
        (
            vec![good.clone(), "--sentences".into(), "0".into()],
            2,
            "--sentences",
        ),
        (
            vec![good.clone(), "--encoding".into(), "klingon".into()],
            2,
            "no such encoding",
        ),
    ];
    for (arguments, code, message) in cases {
        let output = jianbao()
            .arg("summarize")
            .args(&arguments)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(
            stderr.to_lowercase().contains(&message.to_lowercase()),
            "{arguments:?}: {stderr}"
        );
        assert_eq!(
            stderr.matches("error:").count(),
            1,
            "{arguments:?}: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("empty.jsonl"), "\n").unwrap();
    let empty = path("empty.jsonl");
    let (sectors, extracts) = (path("sectors.jsonl"), path("extracts.jsonl"));
    fs::write(&sectors, r#"{"id": "a", "sector": "economy", "also": []}"#).unwrap();
    let chosen = r#"{"id": "a", "title": "题", "sentences": ["大桥通车。"], "sum": [1], "kw": []}"#;
    fs::write(&extracts, chosen).unwrap();
    let (articles, svg) = (path("articles.jsonl"), path("none/speed.svg"));
    fs::create_dir(path("pages")).unwrap();
    let (pages, page, gold) = (
        path("pages"),
        path("pages/a.txt"),
        path("pages/a.gold.json"),
    );
    fs::write(&page, "大桥今天通车。").unwrap();
    fs::write(&gold, r#"{"articles": [], "duplicate_lines": []}"#).unwrap();
    fs::write(&articles, r#"{"id": "b", "text": "大桥通车。"}"#).unwrap();
    for (arguments, code, word) in [
        (
            vec!["eval", "sectors", &sectors, "--articles", &articles],
            3,
            "no id of the gold",
        ),
        (
            vec!["eval", "extracts", &extracts],
            3,
            "chooses sentence 1 of 1",
        ),
        (vec!["eval", "pages", &path("")], 3, "no page with its gold"),
        (vec!["eval", "extracts", &empty], 3, "has no line"),
        (vec!["bench", "--seconds", "nan"], 2, "3600"),
        (vec!["bench", "-o", "-"], 2, "--json"),
        (vec!["bench", "--plot", &svg], 6, "make the folder first"),
        (
            vec!["bench", "--stage", "end-to-end", "--plot", "a.svg"],
            2,
            "leave out one",
        ),
        (
            vec!["eval", "pages", &pages, "--predictions", &gold],
            2,
            "would be overwritten",
        ),
        (
            vec!["bench", "--input", &page, "-o", &page],
            2,
            "would be overwritten",
        ),
        (
            vec!["eval", "extracts", &extracts, "--predictions", &svg],
            6,
            "make the folder first",
        ),
        (vec!["bench", "--seconds", "inf"], 2, "3600"),
    ] {
        let output = jianbao().args(&arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains(word) && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_leaves_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let brief = folder.path().join("brief.json");
    fs::write(&brief, "").unwrap();
    fs::set_permissions(&brief, fs::Permissions::from_mode(0o600)).unwrap();
    let summarize = |output: &std::path::Path| {
        let mut command = jianbao();
        command
            .args(["summarize", "-", "--model"])
            .arg(fixture("tiny"));
        command.arg("-o").arg(output);
        command
            .write_stdin("今天，东江大桥通车。")
            .assert()
            .success()
    };
    summarize(&brief).stdout("");
    assert_eq!(
        brief.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    // `-` is standard output, as everywhere.
    assert!(
        !summarize(std::path::Path::new("-"))
            .get_output()
            .stdout
            .is_empty()
    );
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_there_is_refused() {
    let output = jianbao()
        .args(["summarize", "-", "--device", "cuda"])
        .write_stdin("今天，东江大桥通车。")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--features cuda"));
}

#[test]
fn damaged_models_are_refused_with_exit_code_4() {
    type Damage = fn(&std::path::Path);
    let cases: [(&str, Damage, &str); 14] = [
        (
            "truncated weights",
            |f| {
                let b = fs::read(f.join("model.safetensors")).unwrap();
                fs::write(f.join("model.safetensors"), &b[..b.len() / 2]).unwrap();
            },
            "safetensors",
        ),
        (
            "no weights",
            |f| fs::remove_file(f.join("model.safetensors")).unwrap(),
            "model.safetensors",
        ),
        (
            "weights of nothing",
            |f| fs::write(f.join("model.safetensors"), b"").unwrap(),
            "safetensors",
        ),
        (
            "huge header",
            |f| fs::write(f.join("model.safetensors"), u64::MAX.to_le_bytes()).unwrap(),
            "safetensors",
        ),
        (
            "no JSON",
            |f| fs::write(f.join("config.json"), "{").unwrap(),
            "config.json",
        ),
        (
            "another shape",
            |f| in_config(f, "\"hidden_size\": 16", "\"hidden_size\": 32"),
            "shape",
        ),
        (
            "tampered",
            |f| {
                fs::write(
                    f.join("SHA256SUMS"),
                    format!("{}  vocab.txt\n", "0".repeat(64)),
                )
                .unwrap();
            },
            "does not name config.json",
        ),
        (
            "other weights",
            |f| {
                let sum = |name: &str| {
                    let bytes = fs::read(f.join(name)).unwrap();
                    format!("{}  {name}\n", jianbao::output::digest::sha256(&bytes))
                };
                let sums = sum("config.json") + &sum("vocab.txt");
                let weights = format!("{}  model.safetensors\n", "0".repeat(64));
                fs::write(f.join("SHA256SUMS"), sums + &weights).unwrap();
            },
            "the weights differ from their checksum",
        ),
        (
            "no text",
            |f| fs::write(f.join("config.json"), b"{\"a\": \"\xff\"}").unwrap(),
            "config.json is not UTF-8",
        ),
        (
            "a sector twice",
            |f| in_config(f, "\"economy\"", "\"politics\""),
            "\"politics\" twice",
        ),
        (
            "another activation",
            |f| in_config(f, "\"gelu\"", "\"relu\""),
            "hidden_act is \"relu\"",
        ),
        (
            "uneven heads",
            |f| {
                in_config(
                    f,
                    "\"num_attention_heads\": 2",
                    "\"num_attention_heads\": 3",
                )
            },
            "hidden_size 16",
        ),
        (
            "no layers",
            |f| in_config(f, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0"),
            "num_hidden_layers is 0",
        ),
        (
            "ids without a vector",
            |f| {
                let vocabulary = fs::read_to_string(f.join("vocab.txt")).unwrap();
                fs::write(f.join("vocab.txt"), vocabulary + "甲\n乙\n丙\n").unwrap();
            },
            "the encoder only 40 vectors",
        ),
    ];
    for (name, damage, message) in cases {
        let model = tiny_copy();
        damage(model.path());
        let output = jianbao()
            .args(["summarize", "-", "--model"])
            .arg(model.path())
            .write_stdin("今天，东江大桥通车。")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{name}: {stderr}");
        assert!(
            output.stdout.is_empty() && stderr.contains(message) && stderr.contains("hint:"),
            "{name}: {stderr}"
        );
    }
}
