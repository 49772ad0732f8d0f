//! What goes out: records and how they are written.

pub mod digest;
pub mod json;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod record;
pub mod whole;
