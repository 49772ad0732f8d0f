//! Choosing where to compute.

use super::cpu::int8::has_full_int8;
use candle_core::{DType, Device};
use std::fmt;
use std::str::FromStr;

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU this program was built for and the machine has, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda, cuda:N or metal".to_owned()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// The number format the encoder computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    F16,
    Bf16,
    /// Linear layers and attention in int8, everything else in f32; on the CPU.
    Int8,
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The format of the tensors.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 | Self::Int8 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// What `auto` means for a RoFormer: int8 on a CPU that does it in full, else f32. (In seven bits int8 is only a third
    /// faster than f32, and some close choices turn out otherwise.) On CUDA f16: as fast as bf16, and eight times finer;
    /// hidden states stay far below its largest number.
    pub fn best_for(device: &Device) -> Self {
        match device {
            Device::Cpu if has_full_int8() => Self::Int8,
            Device::Cuda(_) => Self::F16,
            _ => Self::F32,
        }
    }
}

/// `--dtype`: a format, or (`None`) the best one for model and device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrecisionChoice(pub Option<Precision>);

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::F32, Self::F16, Self::Bf16, Self::Int8]
            .into_iter()
            .find(|precision| precision.name() == text)
            .ok_or_else(|| "expected f32, f16, bf16 or int8".to_owned())
    }
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|precision| Self(Some(precision)))
                .map_err(|e| e.replace("expected", "expected auto,")),
        }
    }
}

impl From<Precision> for PrecisionChoice {
    fn from(precision: Precision) -> Self {
        Self(Some(precision))
    }
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "this program was built without {0} support; rebuild it with `cargo build --release --features {0}`"
    )]
    NotBuilt(&'static str),
    #[error("{device} cannot be opened: {reason}")]
    Unavailable {
        device: DeviceChoice,
        reason: String,
    },
}

/// Opens the device that was asked for; an explicit choice never falls back. The string says what `auto` found.
pub fn open(choice: DeviceChoice) -> Result<(Device, String), DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok((Device::Cpu, "cpu (asked for)".to_owned())),
        DeviceChoice::Cuda(n) => {
            open_cuda(n).map(|device| (device, format!("cuda:{n} (asked for)")))
        }
        DeviceChoice::Metal => open_metal().map(|device| (device, "metal (asked for)".to_owned())),
        DeviceChoice::Auto => match open_cuda(0).or_else(metal_instead) {
            Ok(device) => Ok((device, "GPU (auto: one was found)".to_owned())),
            Err(DeviceError::NotBuilt(_)) => Ok((
                Device::Cpu,
                "cpu (auto: built without GPU support)".to_owned(),
            )),
            Err(error) => Ok((Device::Cpu, format!("cpu (auto: {error})"))),
        },
    }
}

fn open_cuda(ordinal: usize) -> Result<Device, DeviceError> {
    if !candle_core::utils::cuda_is_available() {
        return Err(DeviceError::NotBuilt("cuda"));
    }
    // With the driver library missing, opening a device panics inside cudarc instead of returning an error.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(|| Device::new_cuda(ordinal));
    std::panic::set_hook(hook);
    let unavailable = |reason: String| DeviceError::Unavailable {
        device: DeviceChoice::Cuda(ordinal),
        reason,
    };
    match opened {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => Err(unavailable(error.to_string())),
        Err(_) => Err(unavailable(
            "the NVIDIA driver library (libcuda) was not found".to_owned(),
        )),
    }
}

/// The other kind of GPU. Where neither opens, the error is that of the kind this program was built for.
fn metal_instead(cuda: DeviceError) -> Result<Device, DeviceError> {
    open_metal().map_err(|metal| match metal {
        DeviceError::NotBuilt(_) => cuda,
        DeviceError::Unavailable { .. } => metal,
    })
}

fn open_metal() -> Result<Device, DeviceError> {
    if !candle_core::utils::metal_is_available() {
        return Err(DeviceError::NotBuilt("metal"));
    }
    Device::new_metal(0).map_err(|e| DeviceError::Unavailable {
        device: DeviceChoice::Metal,
        reason: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("gpu".parse::<DeviceChoice>().is_err());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn an_explicit_choice_never_falls_back() {
        assert!(matches!(
            open(DeviceChoice::Cuda(0)),
            Err(DeviceError::NotBuilt("cuda"))
        ));
        assert!(matches!(
            open(DeviceChoice::Auto),
            Ok((Device::Cpu, _)) | Ok((Device::Metal(_), _))
        ));
    }
}
