//! jianbao 剪报: Chinese newspaper pages and articles → structured briefs.
//!
//! A document's way: bytes → decoded text ([`document::decode`]) → articles ([`document::page`]) → sentences and
//! candidate phrases → tokens ([`encoder`]) → scores ([`model`]) → choices ([`analysis`]) → record ([`output`]).
//! `ARCHITECTURE.md` has the picture. Text logic never touches Candle: without the feature `candle` only the
//! modules that do are missing.

pub mod analysis;
pub mod benchmark;
#[cfg(feature = "candle")]
pub mod cli;
pub mod document;
#[cfg(feature = "candle")]
pub mod encoder;
pub mod evaluation;
#[cfg(feature = "candle")]
pub mod model;
pub mod output;
pub mod pipeline;
pub mod text;
