//! The encoders, in Candle. The only folder that names it.

mod attention;
pub mod bert;
pub mod dense;
pub mod device;
mod fused;
mod linear;
pub mod roformer;
pub mod weights;
