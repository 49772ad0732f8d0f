//! Bytes → text → articles → sentences. Plain data and rules; no model, no Candle.

pub mod article;
pub mod decode;
pub mod page;
pub mod sentence;
mod span;

pub use article::{Article, Dateline};
pub use span::Span;
