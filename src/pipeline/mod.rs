//! From bytes to records: one document, or a folder of a million.

pub mod batch;
#[cfg(feature = "candle")]
pub mod document;
#[cfg(feature = "candle")]
mod stages;
#[cfg(feature = "candle")]
pub mod training;
