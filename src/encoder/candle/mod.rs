//! The encoders, in Candle. The only folder that names it.

mod attention;
pub mod bert;
pub mod context;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod dense;
pub mod device;
mod layer;
pub mod roformer;
pub mod weights;
