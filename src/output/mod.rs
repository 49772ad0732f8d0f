//! What goes out: records and how they are written.

pub mod record;
