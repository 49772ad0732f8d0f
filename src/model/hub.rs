//! The Hugging Face Hub: a model's files into the cache, or out of it when offline.
//!
//! `HF_HOME` names the cache, `HF_ENDPOINT` another server with the Hub's layout, `HF_HUB_OFFLINE=1` forbids the
//! network. `hf-hub` keeps the cache in the layout that Python's `huggingface_hub` uses.

use super::bundle::ModelError;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};

/// Files of a model: the first of each group that is there is enough.
const REQUIRED: [&[&str]; 3] = [
    &["config.json"],
    &["tokenizer.json", "vocab.txt"],
    &["model.safetensors", "pytorch_model.bin"],
];
/// Most repositories have only some of these. They are fetched before the others: a cache that has those is whole, however
/// a fetch ended.
const OPTIONAL: [&str; 2] = ["1_Pooling/config.json", "SHA256SUMS"];

/// The folder with a model's files, fetched if need be. `progress` hears each file's name.
pub fn fetch(
    repository: &str,
    revision: Option<&str>,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, ModelError> {
    let revision = revision.unwrap_or("main");
    let repo = || Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
    let cache = Cache::from_env();
    if let Some(folder) = cached(&cache, repo()) {
        return Ok(folder);
    }
    let name = format!("hf:{repository}@{revision}");
    let by_hand = cache
        .path()
        .join(repo().folder_name())
        .join("snapshots")
        .join(revision);
    let not_fetched = |reason: String| ModelError::NotFetched {
        model: name.clone(),
        reason,
        folder: by_hand.clone(),
    };
    if is_offline() {
        return Err(not_fetched("HF_HUB_OFFLINE is set".to_owned()));
    }
    let mut builder = ApiBuilder::from_env().with_progress(false).with_retries(2);
    if let Some(endpoint) = std::env::var("HF_ENDPOINT")
        .ok()
        .filter(|endpoint| !endpoint.is_empty())
    {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let api = builder
        .build()
        .map_err(|e| not_fetched(e.to_string()))?
        .repo(repo());
    for file in OPTIONAL {
        progress(file);
        match api.get(file) {
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(not_fetched(format!("{file}: {error}"))),
        }
    }
    let mut folder = None;
    for group in REQUIRED {
        let mut last: Option<ApiError> = None;
        for file in group {
            progress(file);
            match api.get(file) {
                Ok(path) => {
                    folder = path.parent().map(ToOwned::to_owned);
                    last = None;
                    break;
                }
                Err(error) if is_absent(&error) => last = Some(error),
                Err(error) => return Err(not_fetched(format!("{file}: {error}"))),
            }
        }
        if let Some(error) = last {
            return Err(not_fetched(format!("{}: {error}", group.join(" or "))));
        }
    }
    folder.ok_or_else(|| not_fetched("nothing was fetched".to_owned()))
}

/// The server answered that there is no such file.
fn is_absent(error: &ApiError) -> bool {
    matches!(error, ApiError::RequestError(error) if matches!(**error, ureq::Error::StatusCode(404)))
}

/// The snapshot folder, when every required file is in the cache.
fn cached(cache: &Cache, repo: Repo) -> Option<PathBuf> {
    let commit = repo.revision().to_owned();
    let folder = cache.path().join(repo.folder_name());
    let repo = cache.repo(repo);
    let found = repo
        .get("config.json")
        .and_then(|path| path.parent().map(ToOwned::to_owned));
    // A snapshot named by its commit needs no entry under `refs`.
    [found, Some(folder.join("snapshots").join(commit))]
        .into_iter()
        .flatten()
        .find(|path| is_complete(path))
}

/// Whether a snapshot has every required file.
fn is_complete(snapshot: &Path) -> bool {
    let is_there = |group: &&[&str]| group.iter().any(|file| snapshot.join(file).is_file());
    REQUIRED.iter().all(is_there)
}

/// Whether the environment forbids the network.
pub fn is_offline() -> bool {
    std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| {
        matches!(
            value.to_ascii_lowercase().as_str(),
            "1" | "true" | "yes" | "on"
        )
    })
}

/// Models that the cache has whole: names and folders.
pub fn list() -> Vec<(String, PathBuf)> {
    let mut out = Vec::new();
    let Ok(entries) = std::fs::read_dir(Cache::from_env().path().as_path()) else {
        return out;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(repository) = name.strip_prefix("models--") else {
            continue;
        };
        let snapshots = std::fs::read_dir(entry.path().join("snapshots"))
            .into_iter()
            .flatten()
            .flatten();
        for snapshot in snapshots.filter(|snapshot| is_complete(&snapshot.path())) {
            let revision = snapshot.file_name().to_string_lossy().into_owned();
            out.push((
                format!("hf:{}@{revision}", repository.replacen("--", "/", 1)),
                snapshot.path(),
            ));
        }
    }
    out.sort();
    out
}
