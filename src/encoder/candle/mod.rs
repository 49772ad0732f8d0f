//! The encoders, in Candle. The only folder that names it.

mod attention;
pub mod bert;
mod cpu;
pub mod dense;
pub mod device;
mod layer;
pub mod roformer;
pub mod weights;
