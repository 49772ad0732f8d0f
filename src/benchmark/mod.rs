//! How fast is it, and on what? The encoder alone and the whole stream, on every device and number format, in rounds
//! that take turns, so that a machine that slows down slows all of them down.
//!
//! Nothing is said of speed before agreement ([`agreement`]): a fast wrong answer is no answer.

#[cfg(feature = "candle")]
pub mod agreement;
pub mod machine;
#[cfg(feature = "candle")]
pub mod measure;
#[cfg(feature = "candle")]
pub mod mix;
#[cfg(feature = "candle")]
pub mod plot;
#[cfg(feature = "candle")]
pub mod report;
pub mod statistics;
