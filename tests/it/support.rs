//! Paths, the program, and skipping with a reason.

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The program, away from the user's caches and settings.
pub fn jianbao() -> Command {
    let mut command = Command::cargo_bin("jianbao").expect("the program is built");
    command
        .env_remove("HF_ENDPOINT")
        .env_remove("HF_HUB_OFFLINE")
        .env("HF_HOME", std::env::temp_dir().join("jianbao-no-cache"));
    command
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// The project's shared data, when this machine has it.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not on this machine", path.display());
    None
}

/// A writable copy of the tiny model.
pub fn tiny_copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["config.json", "vocab.txt", "model.safetensors"] {
        std::fs::copy(fixture("tiny").join(file), folder.path().join(file))
            .expect("the fixture can be copied");
    }
    folder
}
