//! Loading a model from the program itself, a folder, or the Hub's cache.

use super::files::{self, Files, TokenizerFile, WeightsFile, read};
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
use crate::output::digest::sha256;
use crate::output::record::ModelName;
use crate::text::document_frequency::DocumentFrequency;
use candle_core::Device;
use serde::Deserialize;
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
        ModelSource::Embedded => build(
            source,
            None,
            files::embedded()?,
            taxonomy,
            device,
            precision,
        ),
        ModelSource::Folder(folder) => build(
            source,
            Some(folder),
            files::of_folder(folder)?,
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
                files::of_folder(&folder)?,
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
    let (bytes, digest, weights) = match &files.weights {
        WeightsFile::SafeTensors(bytes) => {
            // The digest of thirty megabytes and the tensors themselves take about as long: side by side.
            let (digest, weights) =
                rayon::join(|| sha256(bytes), || Weights::from_safetensors(bytes));
            (bytes.len(), digest, weights)
        }
        WeightsFile::PyTorch(path) => {
            let bytes = read(path.clone())?;
            (bytes.len(), sha256(&bytes), Weights::from_pytorch(path))
        }
    };
    if files
        .expected_weights
        .as_ref()
        .is_some_and(|expected| *expected != digest)
    {
        return Err(damaged(
            "the weights differ from their checksum in SHA256SUMS".to_owned(),
        ));
    }
    let mut weights = weights.map_err(damaged)?;
    // Inside the program they fit; asking takes a millisecond.
    let largest_id = folder.map_or(0, |_| tokenizer.largest_id());
    if largest_id as usize >= shape.vocab_size {
        return Err(damaged(format!(
            "the tokenizer has an id {largest_id}, but the encoder only {} vectors",
            shape.vocab_size
        )));
    }
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
