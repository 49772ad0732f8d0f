//! `SHA256SUMS`: what a folder's files must be, in the format of `sha256sum`.

use super::bundle::ModelError;
use super::files::read;
use crate::output::digest::sha256;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The digests that a folder's `SHA256SUMS` names, in hexadecimal.
pub(super) struct Checksums {
    folder: PathBuf,
    digests: BTreeMap<String, String>,
}

/// What was checked of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Files that are as `SHA256SUMS` says.
    pub checked: usize,
    /// Files it names that are not there; the Hub's cache holds only those that are used.
    pub absent: usize,
}

impl Checksums {
    /// Nothing where a folder has no such file.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>, ModelError> {
        let path = folder.join("SHA256SUMS");
        if !path.is_file() {
            return Ok(None);
        }
        let text = read(path)?;
        let sums = Self {
            folder: folder.to_owned(),
            digests: BTreeMap::new(),
        };
        let digests = std::str::from_utf8(&text).ok().and_then(parse);
        let digests = digests.ok_or_else(|| sums.damaged("SHA256SUMS is not readable"))?;
        if digests.is_empty() {
            return Err(sums.damaged("SHA256SUMS is empty"));
        }
        Ok(Some(Self { digests, ..sums }))
    }

    /// What the digest of a file must be. A file that is not named could be anybody's.
    pub fn expected(&self, name: &str) -> Result<&str, ModelError> {
        let digest = self.digests.get(name).map(String::as_str);
        digest.ok_or_else(|| self.damaged(&format!("SHA256SUMS does not name {name}")))
    }

    /// Compares a file's digest.
    pub fn check(&self, name: &str, digest: &str) -> Result<(), ModelError> {
        if self.expected(name)? == digest {
            Ok(())
        } else {
            Err(self.damaged(&format!("{name} differs from its checksum in SHA256SUMS")))
        }
    }

    fn damaged(&self, reason: &str) -> ModelError {
        ModelError::Damaged {
            model: self.folder.display().to_string(),
            reason: reason.to_owned(),
        }
    }
}

/// Checks everything that a folder's `SHA256SUMS` names, used or not; nothing where there is none.
pub fn verify(folder: &Path) -> Result<Option<Verified>, ModelError> {
    let Some(sums) = Checksums::of_folder(folder)? else {
        return Ok(None);
    };
    let (mut checked, mut absent) = (0, 0);
    for name in sums.digests.keys() {
        let path = folder.join(name);
        if path.is_file() {
            sums.check(name, &sha256(&read(path)?))?;
            checked += 1;
        } else {
            absent += 1;
        }
    }
    Ok(Some(Verified { checked, absent }))
}

/// Lines of a digest, two characters (the second is `*` for binary files) and a name inside the folder.
fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let parsed = lines.map(|line| {
        let (digest, name) = line.split_once(' ')?;
        let name = name.strip_prefix([' ', '*'])?.trim_end();
        let name = name.strip_prefix("./").unwrap_or(name);
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        let mut parts = Path::new(name).components();
        let is_inside = parts.all(|part| matches!(part, Component::Normal(_)));
        (is_digest && is_inside && !name.is_empty())
            .then(|| (name.to_owned(), digest.to_ascii_lowercase()))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_sha256sum_writes() {
        let digest = "AB".repeat(32);
        let text = format!("{digest}  config.json\r\n{digest} *./1_Pooling/config.json\n\n");
        let sums = parse(&text).expect("well formed");
        assert_eq!(
            sums.into_iter().collect::<Vec<_>>(),
            ["1_Pooling/config.json", "config.json"]
                .map(|name| (name.to_owned(), digest.to_ascii_lowercase()))
        );
        for wrong in [
            format!("{digest}  ../config.json"),
            format!("{digest}  /etc/passwd"),
            format!("{digest}  "),
            format!("{digest} config.json"),
            "abc  config.json".to_owned(),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }
}
