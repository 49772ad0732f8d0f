//! `--model`: which model is meant.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// The model inside the program.
    Embedded,
    /// A folder.
    Folder(PathBuf),
    /// A repository of the Hugging Face Hub, at a revision (`main` when none is given).
    Hub {
        repository: String,
        revision: Option<String>,
    },
}

/// The embedded model's name.
pub const EMBEDDED_NAME: &str = "news";

impl FromStr for ModelSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == EMBEDDED_NAME {
            return Ok(Self::Embedded);
        }
        let Some(rest) = text.strip_prefix("hf:") else {
            return if text.is_empty() {
                Err("a model name cannot be empty".to_owned())
            } else {
                Ok(Self::Folder(text.into()))
            };
        };
        let (repository, revision) = match rest.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (rest, None),
        };
        let valid = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let repository_ok = repository
            .split_once('/')
            .is_some_and(|(owner, name)| valid(owner) && valid(name));
        if !repository_ok || !revision.is_none_or(valid) {
            return Err("expected hf:OWNER/REPO or hf:OWNER/REPO@REVISION".to_owned());
        }
        Ok(Self::Hub {
            repository: repository.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str(EMBEDDED_NAME),
            Self::Folder(path) => path.display().fmt(f),
            Self::Hub {
                repository,
                revision: None,
            } => write!(f, "hf:{repository}"),
            Self::Hub {
                repository,
                revision: Some(revision),
            } => write!(f, "hf:{repository}@{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        assert_eq!("news".parse(), Ok(ModelSource::Embedded));
        assert_eq!("./news".parse(), Ok(ModelSource::Folder("./news".into())));
        let hub = "hf:BAAI/bge-small-zh-v1.5@v1"
            .parse::<ModelSource>()
            .unwrap();
        assert_eq!(hub.to_string(), "hf:BAAI/bge-small-zh-v1.5@v1");
        for bad in [
            "hf:",
            "hf:a",
            "hf:a/b/c",
            "hf:a/..",
            "hf:../x",
            "hf:a/b@",
            "hf:a/b@../../x",
            "",
        ] {
            assert!(bad.parse::<ModelSource>().is_err(), "{bad}");
        }
    }
}
