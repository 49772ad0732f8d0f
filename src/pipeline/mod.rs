//! From bytes to a record.

pub mod document;
