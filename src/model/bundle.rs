//! Loading a model from the program itself, a folder, or the Hub's cache.

use super::name::{EMBEDDED_NAME, ModelSource};
use super::pooling::Pooling;
use super::similarity::SimilarityReadout;
use super::trained::{HeadsConfig, TrainedHeads};
use super::{Model, Readout};
use crate::analysis::sector::Taxonomy;
use crate::encoder::Encoder;
use crate::encoder::candle::bert::BertFamily;
use crate::encoder::candle::device::{Precision, PrecisionChoice};
use crate::encoder::candle::roformer::{RoFormer, RoFormerConfig};
use crate::encoder::candle::weights::Weights;
use crate::encoder::tokenizer::Tokenizer;
use crate::encoder::window::MAX_WINDOW_TOKENS;
use crate::output::record::ModelName;
use crate::text::document_frequency::DocumentFrequency;
use candle_core::Device;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("there is no model folder at {0}")]
    NoFolder(PathBuf),
    #[error("{folder} has no {file}")]
    MissingFile { folder: PathBuf, file: &'static str },
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("the model {model} is damaged: {reason}")]
    Damaged { model: String, reason: String },
    #[error("the model {model} does not compute in {dtype}: {reason}")]
    Precision {
        model: String,
        dtype: &'static str,
        reason: &'static str,
    },
    #[error("this program was built without the embedded model")]
    NotEmbedded,
    #[error("this program was built without the Hub (feature `hub`)")]
    NoHub,
    #[error("{model} is not in the cache and cannot be fetched: {reason}")]
    NotFetched {
        model: String,
        reason: String,
        folder: PathBuf,
    },
}

/// Facts about a loaded model that do not stand in records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// What was asked for.
    pub source: ModelSource,
    /// Its folder, when it has one.
    pub folder: Option<PathBuf>,
    /// Encoder type, as in `config.json`.
    pub architecture: String,
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    pub layers: usize,
    pub width: usize,
    pub vocabulary: usize,
    /// Size of the weights file.
    pub bytes: usize,
    /// `sha256:` and the digest of what the folder has beside the weights: settings and tokenizer.
    pub settings: String,
    /// `trained heads` or `similarity (cls)`, ….
    pub readout: String,
}

/// The files of a model.
pub(super) struct Files<'a> {
    config: Cow<'a, str>,
    tokenizer: TokenizerFile<'a>,
    weights: WeightsFile<'a>,
    pooling: Option<String>,
}

impl Files<'_> {
    /// Of everything but the weights, in hexadecimal.
    fn settings_digest(&self) -> String {
        let tokenizer = match &self.tokenizer {
            TokenizerFile::Json(json) => json,
            TokenizerFile::Vocabulary(text) => text.as_bytes(),
        };
        let pooling = self.pooling.as_deref().unwrap_or_default();
        let parts = [self.config.as_bytes(), tokenizer, pooling.as_bytes()];
        sha256(parts.map(sha256).concat().as_bytes())
    }
}

enum TokenizerFile<'a> {
    Json(Cow<'a, [u8]>),
    Vocabulary(String),
}

enum WeightsFile<'a> {
    SafeTensors(Cow<'a, [u8]>),
    PyTorch(PathBuf),
}

/// The fields of any `config.json` that are shown.
#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    model_type: String,
    #[serde(default)]
    num_hidden_layers: usize,
    #[serde(default)]
    vocab_size: usize,
    #[serde(default)]
    jianbao: Option<HeadsConfig>,
}

/// Loads a model. `folder_of` is asked for the folder of a Hub model (see [`super::hub`]).
pub fn load(
    source: &ModelSource,
    taxonomy: Taxonomy,
    device: Device,
    precision: PrecisionChoice,
) -> Result<Model, ModelError> {
    match source {
        ModelSource::Embedded => {
            build(source, None, embedded_files()?, taxonomy, device, precision)
        }
        ModelSource::Folder(folder) => build(
            source,
            Some(folder),
            read_folder(folder)?,
            taxonomy,
            device,
            precision,
        ),
        ModelSource::Hub {
            repository,
            revision,
        } => {
            let folder = hub_folder(repository, revision.as_deref())?;
            build(
                source,
                Some(&folder),
                read_folder(&folder)?,
                taxonomy,
                device,
                precision,
            )
        }
    }
}

#[cfg(feature = "hub")]
fn hub_folder(repository: &str, revision: Option<&str>) -> Result<PathBuf, ModelError> {
    super::hub::fetch(repository, revision, &mut |_| {})
}

#[cfg(not(feature = "hub"))]
fn hub_folder(_: &str, _: Option<&str>) -> Result<PathBuf, ModelError> {
    Err(ModelError::NoHub)
}

#[cfg(feature = "embedded-model")]
fn embedded_files() -> Result<Files<'static>, ModelError> {
    Ok(Files {
        config: Cow::Borrowed(include_str!("../../models/news/config.json")),
        tokenizer: TokenizerFile::Json(Cow::Borrowed(include_bytes!(
            "../../models/news/tokenizer.json"
        ))),
        weights: WeightsFile::SafeTensors(Cow::Borrowed(include_bytes!(
            "../../models/news/model.safetensors"
        ))),
        pooling: None,
    })
}

#[cfg(not(feature = "embedded-model"))]
fn embedded_files() -> Result<Files<'static>, ModelError> {
    Err(ModelError::NotEmbedded)
}

fn read(path: PathBuf) -> Result<Vec<u8>, ModelError> {
    std::fs::read(&path).map_err(|e| ModelError::Unreadable {
        reason: e.to_string(),
        path,
    })
}

fn read_text(path: PathBuf) -> Result<String, ModelError> {
    std::fs::read_to_string(&path).map_err(|e| ModelError::Unreadable {
        reason: e.to_string(),
        path,
    })
}

/// Reads the files of a folder, checking them against its `SHA256SUMS` when it has one.
fn read_folder(folder: &Path) -> Result<Files<'static>, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder(folder.to_owned()));
    }
    verify(folder)?;
    let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    let missing = |file| ModelError::MissingFile {
        folder: folder.to_owned(),
        file,
    };
    let config = read_text(file("config.json").ok_or_else(|| missing("config.json"))?)?;
    let tokenizer = match (file("tokenizer.json"), file("vocab.txt")) {
        (Some(path), _) => TokenizerFile::Json(Cow::Owned(read(path)?)),
        (None, Some(path)) => TokenizerFile::Vocabulary(read_text(path)?),
        (None, None) => return Err(missing("tokenizer.json (or vocab.txt)")),
    };
    let weights = match (file("model.safetensors"), file("pytorch_model.bin")) {
        (Some(path), _) => WeightsFile::SafeTensors(Cow::Owned(read(path)?)),
        (None, Some(path)) => WeightsFile::PyTorch(path),
        (None, None) => return Err(missing("model.safetensors (or pytorch_model.bin)")),
    };
    let pooling = file("1_Pooling/config.json").map(read_text).transpose()?;
    Ok(Files {
        config: Cow::Owned(config),
        tokenizer,
        weights,
        pooling,
    })
}

/// Checks a folder's files against its `SHA256SUMS` (the format of `sha256sum`). Returns how many were checked.
pub fn verify(folder: &Path) -> Result<usize, ModelError> {
    let path = folder.join("SHA256SUMS");
    if !path.is_file() {
        return Ok(0);
    }
    let damaged = |reason: String| ModelError::Damaged {
        model: folder.display().to_string(),
        reason,
    };
    let mut checked = 0;
    for line in read_text(path)?
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        let (expected, name) = line
            .split_once("  ")
            .ok_or_else(|| damaged("SHA256SUMS is not readable".to_owned()))?;
        let name = name.trim();
        if name.contains('/') || name.contains('\\') || name.starts_with('.') {
            return Err(damaged(format!(
                "SHA256SUMS names a file outside the folder: {name}"
            )));
        }
        if !folder.join(name).is_file() {
            return Err(damaged(format!(
                "{name}, which SHA256SUMS names, is missing"
            )));
        }
        if sha256(&read(folder.join(name))?) != expected.trim() {
            return Err(damaged(format!(
                "{name} differs from its checksum in SHA256SUMS"
            )));
        }
        checked += 1;
    }
    if checked == 0 {
        return Err(damaged("SHA256SUMS is empty".to_owned()));
    }
    Ok(checked)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn build(
    source: &ModelSource,
    folder: Option<&Path>,
    files: Files<'_>,
    taxonomy: Taxonomy,
    device: Device,
    PrecisionChoice(asked): PrecisionChoice,
) -> Result<Model, ModelError> {
    let damaged = |reason: String| ModelError::Damaged {
        model: source.to_string(),
        reason,
    };
    let shape: Shape =
        serde_json::from_str(&files.config).map_err(|e| damaged(format!("config.json: {e}")))?;
    let tokenizer = match &files.tokenizer {
        TokenizerFile::Json(json) => Tokenizer::from_json(json),
        TokenizerFile::Vocabulary(text) => Tokenizer::from_vocabulary(text),
    }
    .map_err(damaged)?;
    let (bytes, digest, mut weights) = match &files.weights {
        WeightsFile::SafeTensors(bytes) => {
            // The digest of thirty megabytes and the tensors themselves take about as long: side by side.
            let (digest, weights) =
                rayon::join(|| sha256(bytes), || Weights::from_safetensors(bytes));
            (bytes.len(), digest, weights.map_err(damaged)?)
        }
        WeightsFile::PyTorch(path) => {
            let bytes = read(path.clone())?;
            (
                bytes.len(),
                sha256(&bytes),
                Weights::from_pytorch(path).map_err(damaged)?,
            )
        }
    };
    let on_cpu = matches!(device, Device::Cpu);
    let device_kind = match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    };
    let precision = asked.unwrap_or_else(|| match shape.jianbao {
        Some(_) => Precision::best_for(&device),
        None => Precision::F32,
    });
    let refuse = |reason| {
        Err(ModelError::Precision {
            model: source.to_string(),
            dtype: precision.name(),
            reason,
        })
    };
    if precision == Precision::Int8 && !on_cpu {
        return refuse("int8 is for the CPU");
    }
    let mut frequency = DocumentFrequency::default();
    let trained = shape.jianbao.is_some();
    let (encoder, heads): (Box<dyn Encoder>, Option<TrainedHeads>) = if let Some(heads) =
        shape.jianbao
    {
        let config: RoFormerConfig = serde_json::from_str(&files.config)
            .map_err(|e| damaged(format!("config.json: {e}")))?;
        let width = config.hidden_size;
        config.check().map_err(damaged)?;
        let heads = TrainedHeads::new(heads, &mut weights, width).map_err(damaged)?;
        frequency = DocumentFrequency::new(weights.take_bytes("idf").map_err(damaged)?)
            .ok_or_else(|| damaged("the table `idf` has the wrong size".to_owned()))?;
        let encoder = RoFormer::new(config, &mut weights, device, precision, MAX_WINDOW_TOKENS)
            .map_err(damaged)?;
        (Box::new(encoder), Some(heads))
    } else {
        match precision {
            Precision::F32 => {}
            Precision::Int8 => return refuse("candle_transformers' BERT has no int8 form"),
            Precision::F16 | Precision::Bf16 => {
                return refuse(
                    "candle_transformers' BERT masks with 0 × −∞, which is NaN in half precision",
                );
            }
        }
        (
            Box::new(BertFamily::new(&files.config, weights, device).map_err(damaged)?),
            None,
        )
    };
    if encoder.max_tokens() < 16 {
        return Err(damaged(format!(
            "it reads only {} tokens",
            encoder.max_tokens()
        )));
    }
    let pooling = Pooling::from_json(files.pooling.as_deref()).map_err(damaged)?;
    let similarity = |encoder: &dyn Encoder| {
        SimilarityReadout::new(encoder, &tokenizer, pooling, &taxonomy)
            .map_err(|e| damaged(e.to_string()))
    };
    let readout = match heads {
        Some(heads) => {
            let heads = Box::new(heads);
            let by_similarity = !taxonomy.has_keys(heads.sectors());
            Readout::Trained {
                heads,
                sectors_by_similarity: by_similarity
                    .then(|| similarity(encoder.as_ref()))
                    .transpose()?,
            }
        }
        None => Readout::Similarity(similarity(encoder.as_ref())?),
    };
    let provenance = Provenance {
        settings: format!("sha256:{}", files.settings_digest()),
        source: source.clone(),
        folder: folder.map(Path::to_owned),
        device: device_kind,
        architecture: if shape.model_type.is_empty() {
            "bert".to_owned()
        } else {
            shape.model_type
        },
        layers: shape.num_hidden_layers,
        width: encoder.width(),
        vocabulary: shape.vocab_size,
        bytes,
        readout: if trained {
            "trained heads".to_owned()
        } else {
            format!("similarity ({} pooling)", pooling.name())
        },
    };
    let name = match source {
        ModelSource::Embedded => EMBEDDED_NAME.to_owned(),
        ModelSource::Folder(folder) => folder
            .canonicalize()
            .ok()
            .as_deref()
            .unwrap_or(folder)
            .file_name()
            .map_or_else(|| "model".to_owned(), |n| n.to_string_lossy().into_owned()),
        ModelSource::Hub { repository, .. } => repository.clone(),
    };
    let name = ModelName {
        name,
        digest: format!("sha256:{digest}"),
        dtype: precision.name().to_owned(),
    };
    Ok(Model {
        name,
        provenance,
        encoder,
        tokenizer,
        frequency,
        readout,
        taxonomy,
    })
}
