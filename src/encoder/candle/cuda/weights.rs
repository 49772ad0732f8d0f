//! What stays on the device from batch to batch.

use super::half::Half;
use crate::encoder::candle::layer::LayerValues;
use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DeviceRepr};
use candle_core::cuda_backend::{CudaDevice, WrapErr};

/// A weight (outputs × inputs), and the bias that a kernel adds afterwards.
pub struct Linear<T> {
    pub weight: CudaSlice<T>,
    pub bias: CudaSlice<T>,
    pub inputs: usize,
    pub outputs: usize,
}

pub struct Norm<T> {
    pub weight: CudaSlice<T>,
    pub shift: CudaSlice<T>,
}

pub struct Layer<T> {
    pub qkv: Linear<T>,
    pub attention_output: Linear<T>,
    pub attention_norm: Norm<T>,
    pub intermediate: Linear<T>,
    pub output: Linear<T>,
    pub output_norm: Norm<T>,
}

impl<T: Half> Linear<T> {
    fn new(
        device: &CudaDevice,
        (weight, bias): &(Vec<f32>, Vec<f32>),
        inputs: usize,
    ) -> Result<Self> {
        assert_eq!(weight.len(), inputs * bias.len());
        Ok(Self {
            weight: upload(device, &T::of(weight))?,
            bias: upload(device, &T::of(bias))?,
            inputs,
            outputs: bias.len(),
        })
    }
}

impl<T: Half> Norm<T> {
    pub fn new(device: &CudaDevice, (weight, shift): &(Vec<f32>, Vec<f32>)) -> Result<Self> {
        assert_eq!(weight.len(), shift.len());
        Ok(Self {
            weight: upload(device, &T::of(weight))?,
            shift: upload(device, &T::of(shift))?,
        })
    }
}

impl<T: Half> Layer<T> {
    pub fn new(
        device: &CudaDevice,
        values: &LayerValues,
        hidden: usize,
        middle: usize,
    ) -> Result<Self> {
        Ok(Self {
            qkv: Linear::new(device, &values.matrices[0], hidden)?,
            attention_output: Linear::new(device, &values.matrices[1], hidden)?,
            attention_norm: Norm::new(device, &values.norms[0])?,
            intermediate: Linear::new(device, &values.matrices[2], hidden)?,
            output: Linear::new(device, &values.matrices[3], middle)?,
            output_norm: Norm::new(device, &values.norms[1])?,
        })
    }
}

/// Numbers to the device, there for all threads.
pub fn upload<T: DeviceRepr + 'static>(device: &CudaDevice, values: &[T]) -> Result<CudaSlice<T>> {
    let uploaded = device.clone_htod(values)?;
    device.cuda_stream().synchronize().w()?;
    Ok(uploaded)
}
