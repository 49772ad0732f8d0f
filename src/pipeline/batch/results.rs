//! Which files of a folder are a run's results, by their names.

use std::path::Path;

/// Whether a run into the folder `root` writes a file there; both paths canonical.
pub fn is_result(root: &Path, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(root) else {
        return false;
    };
    let parts = Path::new("parts");
    RESULTS.iter().any(|name| Path::new(name) == inside)
        || inside.parent() == Some(parts) && part_number(inside).is_some()
}

/// Whether a file's name is one that a run gives, wherever it stands.
pub fn is_named_like_a_result(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| RESULTS.contains(&name)) || part_number(path).is_some()
}

/// The number of the part that a file is, by its name.
pub(super) fn part_number(path: &Path) -> Option<usize> {
    let number = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let is_number = number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}

/// Files beside `parts/` that a run writes.
pub const RESULTS: [&str; 5] = [
    "run.json",
    "inputs.jsonl",
    "results.jsonl",
    "results.parquet",
    "errors.jsonl",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_known_by_their_names() {
        let root = Path::new("/out");
        for name in [
            "run.json",
            "results.jsonl",
            "parts/00012.jsonl",
            "parts/123456.jsonl",
        ] {
            assert!(is_result(root, &root.join(name)), "{name}");
        }
        for name in [
            "mine.jsonl",
            "parts/a.jsonl",
            "parts/1.jsonl",
            "00012.jsonl",
            "in/run.json",
            "../run.json",
        ] {
            assert!(!is_result(root, &root.join(name)), "{name}");
        }
    }
}
