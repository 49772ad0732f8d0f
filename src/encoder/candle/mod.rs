//! The encoders, in Candle. Outside this folder only its `Device` is named, by what opens a model.

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
