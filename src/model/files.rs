//! The files of a model, out of the program itself or a folder.

use super::bundle::ModelError;
use super::checksums::Checksums;
use crate::output::digest::sha256;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What a model is made of.
pub(super) struct Files<'a> {
    pub config: Cow<'a, str>,
    pub tokenizer: TokenizerFile<'a>,
    pub weights: WeightsFile<'a>,
    pub pooling: Option<String>,
    /// What the digest of the weights must be, where the folder says so. They are checked by who reads them anyway.
    pub expected_weights: Option<String>,
}

pub(super) enum TokenizerFile<'a> {
    Json(Cow<'a, [u8]>),
    Vocabulary(String),
}

pub(super) enum WeightsFile<'a> {
    SafeTensors(Cow<'a, [u8]>),
    PyTorch(PathBuf),
}

impl Files<'_> {
    /// Of everything but the weights, in hexadecimal.
    pub fn settings_digest(&self) -> String {
        let tokenizer = match &self.tokenizer {
            TokenizerFile::Json(json) => json,
            TokenizerFile::Vocabulary(text) => text.as_bytes(),
        };
        let pooling = self.pooling.as_deref().unwrap_or_default();
        let parts = [self.config.as_bytes(), tokenizer, pooling.as_bytes()];
        sha256(parts.map(sha256).concat().as_bytes())
    }
}

#[cfg(feature = "embedded-model")]
pub(super) fn embedded() -> Result<Files<'static>, ModelError> {
    Ok(Files {
        config: Cow::Borrowed(include_str!("../../models/news/config.json")),
        tokenizer: TokenizerFile::Json(Cow::Borrowed(include_bytes!(
            "../../models/news/tokenizer.json"
        ))),
        weights: WeightsFile::SafeTensors(Cow::Borrowed(include_bytes!(
            "../../models/news/model.safetensors"
        ))),
        pooling: None,
        expected_weights: None,
    })
}

#[cfg(not(feature = "embedded-model"))]
pub(super) fn embedded() -> Result<Files<'static>, ModelError> {
    Err(ModelError::NotEmbedded)
}

/// Reads the files of a folder. Where it has a `SHA256SUMS`, that must name each of them, and all but the weights are
/// checked here.
pub(super) fn of_folder(folder: &Path) -> Result<Files<'static>, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder(folder.to_owned()));
    }
    let sums = Checksums::of_folder(folder)?;
    let file = |name: &'static str| folder.join(name).is_file().then_some(name);
    let missing = |file| ModelError::MissingFile {
        folder: folder.to_owned(),
        file,
    };
    let read_checked = |name: &str| {
        let bytes = read(folder.join(name))?;
        sums.as_ref()
            .map_or(Ok(()), |sums| sums.check(name, &sha256(&bytes)))?;
        Ok(bytes)
    };
    let read_text = |name: &str| {
        String::from_utf8(read_checked(name)?).map_err(|_| ModelError::Damaged {
            model: folder.display().to_string(),
            reason: format!("{name} is not UTF-8"),
        })
    };
    let config = read_text(file("config.json").ok_or_else(|| missing("config.json"))?)?;
    let tokenizer = match (file("tokenizer.json"), file("vocab.txt")) {
        (Some(name), _) => TokenizerFile::Json(Cow::Owned(read_checked(name)?)),
        (None, Some(name)) => TokenizerFile::Vocabulary(read_text(name)?),
        (None, None) => return Err(missing("tokenizer.json (or vocab.txt)")),
    };
    let (weights, name) = match (file("model.safetensors"), file("pytorch_model.bin")) {
        (Some(name), _) => (
            WeightsFile::SafeTensors(Cow::Owned(read(folder.join(name))?)),
            name,
        ),
        (None, Some(name)) => (WeightsFile::PyTorch(folder.join(name)), name),
        (None, None) => return Err(missing("model.safetensors (or pytorch_model.bin)")),
    };
    Ok(Files {
        config: Cow::Owned(config),
        tokenizer,
        weights,
        pooling: file("1_Pooling/config.json").map(read_text).transpose()?,
        expected_weights: sums
            .map(|sums| sums.expected(name).map(ToOwned::to_owned))
            .transpose()?,
    })
}

/// A file, whole.
pub(super) fn read(path: PathBuf) -> Result<Vec<u8>, ModelError> {
    std::fs::read(&path).map_err(|e| ModelError::Unreadable {
        reason: e.to_string(),
        path,
    })
}
