//! Bytes → text → articles → sentences. Plain data and rules; no model, no Candle.

pub mod article;
pub mod blank;
pub mod decode;
pub mod markup;
pub mod page;
mod path_text;
mod reading;
pub mod sentence;
mod span;
mod table;

pub use article::{Article, Dateline};
pub use path_text::path_text;
pub use reading::Reading;
pub use span::Span;
