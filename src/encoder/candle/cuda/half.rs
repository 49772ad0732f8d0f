//! The two half-precision formats.

use candle_core::cuda_backend::cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A number format of the kernels.
pub trait Half: DeviceRepr + ValidAsZeroBits + Copy + Send + Sync + Unpin + 'static {
    /// As the kernels' names end.
    const NAME: &'static str;
    const ONE: Self;
    const ZERO: Self;
    fn of(values: &[f32]) -> Vec<Self>;
    fn to_f32(values: &[Self], out: &mut [f32]);
}

macro_rules! half {
    ($format:ty, $name:literal) => {
        impl Half for $format {
            const NAME: &'static str = $name;
            const ONE: Self = <$format>::ONE;
            const ZERO: Self = <$format>::ZERO;

            fn of(values: &[f32]) -> Vec<Self> {
                values.iter().map(|&x| <$format>::from_f32(x)).collect()
            }

            fn to_f32(values: &[Self], out: &mut [f32]) {
                values.convert_to_f32_slice(out);
            }
        }
    };
}
half!(f16, "f16");
half!(bf16, "bf16");
