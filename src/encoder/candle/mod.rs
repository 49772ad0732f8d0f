//! The encoders, in Candle. The only folder that names it.

pub mod bert;
pub mod dense;
pub mod device;
mod fused;
pub mod roformer;
pub mod weights;
