//! Tensors from safetensors bytes or a PyTorch checkpoint.

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// Named tensors, each checked for its shape when it is taken.
pub struct Weights {
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Tensors of a safetensors file, as they are stored. The format is validated: a truncated or altered
    /// header is an error.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let file = SliceSafetensors::new(bytes)
            .map_err(|e| format!("not a valid safetensors file: {e}"))?;
        let mut tensors = HashMap::new();
        for (name, _) in file.tensors() {
            let tensor = file
                .load(&name, &Device::Cpu)
                .map_err(|e| format!("tensor `{name}`: {e}"))?;
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors })
    }

    /// Tensors of a `pytorch_model.bin`. Only tensor data is read; no pickled code runs.
    pub fn from_pytorch(path: &Path) -> Result<Self, String> {
        let tensors = candle_core::pickle::read_all(path)
            .map_err(|e| format!("not a readable PyTorch checkpoint: {e}"))?;
        Ok(Self {
            tensors: tensors.into_iter().collect(),
        })
    }

    /// A tensor of exactly this shape, in this number format, on this device. A matrix stored as bytes around 128
    /// with a scale for each row (`NAME.scale`) is turned into numbers.
    pub fn take(
        &mut self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, String> {
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| format!("tensor `{name}` is missing"))?;
        let tensor = match self.tensors.remove(&format!("{name}.scale")) {
            Some(scale) => {
                dequantised(&tensor, &scale).map_err(|e| format!("tensor `{name}`: {e}"))?
            }
            None => tensor,
        };
        if tensor.dims() != shape {
            return Err(format!(
                "tensor `{name}` has shape {:?}, expected {shape:?}",
                tensor.dims()
            ));
        }
        tensor
            .to_dtype(dtype)
            .and_then(|t| t.to_device(device))
            .map_err(|e| format!("tensor `{name}`: {e}"))
    }

    /// [`Weights::take`] as plain f32 values.
    pub fn take_values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.take(name, shape, DType::F32, &Device::Cpu)?;
        tensor
            .flatten_all()
            .and_then(|t| t.to_vec1())
            .map_err(|e| format!("tensor `{name}`: {e}"))
    }

    /// A matrix (rows × width) as it is stored.
    pub fn take_rows(&mut self, name: &str, shape: [usize; 2]) -> Result<Rows, String> {
        let scale = self.tensors.get(&format!("{name}.scale"));
        let bytes = self.tensors.get(name).filter(|t| t.dims() == shape);
        let (Some(scale), Some(bytes)) = (scale, bytes) else {
            return self.take_values(name, &shape).map(Rows::Values);
        };
        let rows = stored(bytes, scale).map_err(|e| format!("tensor `{name}`: {e}"))?;
        self.tensors.remove(&format!("{name}.scale"));
        self.tensors.remove(name);
        Ok(rows)
    }

    /// Bytes of a one-dimensional u8 tensor.
    pub fn take_bytes(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| format!("tensor `{name}` is missing"))?;
        tensor
            .to_vec1()
            .map_err(|e| format!("tensor `{name}`: {e}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Everything left, with a common prefix of the names removed where there is one (`bert.`, `roberta.`).
    pub fn into_tensors(self, prefixes: &[&str]) -> HashMap<String, Tensor> {
        let strip = |name: String| {
            let stripped = prefixes
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))
                .map(str::to_owned);
            stripped.unwrap_or(name)
        };
        self.tensors
            .into_iter()
            .map(|(name, tensor)| (strip(name), tensor))
            .collect()
    }
}

/// A matrix row by row: numbers, or bytes around 128 with a scale for each row.
pub enum Rows {
    Values(Vec<f32>),
    Bytes { bytes: Vec<u8>, scales: Vec<f32> },
}

impl Rows {
    /// Row `i` as numbers; `out` is as wide as the matrix.
    pub fn copy_to(&self, i: usize, out: &mut [f32]) {
        let range = i * out.len()..(i + 1) * out.len();
        match self {
            Self::Values(values) => out.copy_from_slice(&values[range]),
            Self::Bytes { bytes, scales } => {
                let scale = scales[i];
                for (x, &byte) in out.iter_mut().zip(&bytes[range]) {
                    *x = (f32::from(byte) - 128.0) * scale;
                }
            }
        }
    }
}

fn stored(bytes: &Tensor, scale: &Tensor) -> candle_core::Result<Rows> {
    let rows = bytes.dims2()?.0;
    let scales: Vec<f32> = scale.to_dtype(DType::F32)?.to_vec1()?;
    if scales.len() != rows {
        candle_core::bail!("{} scales for {rows} rows", scales.len());
    }
    let bytes = bytes.flatten_all()?.to_vec1()?;
    Ok(Rows::Bytes { bytes, scales })
}

/// One plain pass: Candle's operations would be four, and their threads would wait for each other while the word
/// dictionary is being read beside them.
fn dequantised(bytes: &Tensor, scale: &Tensor) -> candle_core::Result<Tensor> {
    let (rows, width) = bytes.dims2()?;
    let stored = stored(bytes, scale)?;
    let mut values = vec![0.0; rows * width];
    for (i, row) in values.chunks_mut(width.max(1)).enumerate() {
        stored.copy_to(i, row);
    }
    Tensor::from_vec(values, (rows, width), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_scales_become_numbers() {
        let device = Device::Cpu;
        let mut weights = Weights {
            tensors: HashMap::from([
                (
                    "a".to_owned(),
                    Tensor::new(&[[128u8, 130], [1, 255]], &device).unwrap(),
                ),
                (
                    "a.scale".to_owned(),
                    Tensor::new(&[0.5f32, 2.0], &device).unwrap(),
                ),
            ]),
        };
        let found = weights.take_values("a", &[2, 2]).unwrap();
        assert_eq!(found, [0.0, 1.0, -254.0, 254.0]);
        assert!(weights.take_values("a", &[2, 2]).is_err());
        assert!(weights.take_rows("a", [2, 2]).is_err());
        weights.tensors = HashMap::from([
            (
                "b".to_owned(),
                Tensor::new(&[[128u8, 130], [1, 255]], &device).unwrap(),
            ),
            (
                "b.scale".to_owned(),
                Tensor::new(&[0.5f32], &device).unwrap(),
            ),
        ]);
        let refused = weights.take_rows("b", [2, 2]).err().expect("too few");
        assert!(refused.contains("1 scales for 2 rows"), "{refused}");
        let refused = weights.take_values("b", &[2, 2]).unwrap_err();
        assert!(refused.contains("1 scales for 2 rows"), "{refused}");
    }
}
