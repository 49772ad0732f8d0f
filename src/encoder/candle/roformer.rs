//! RoFormer: BERT with rotary positions (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).
//!
//! Twin of `training/jianbao_training/roformer.py`. Sequences lie one behind the other: what works on rows sees no ends,
//! and attention runs sequence by sequence, so there is no padding and no mask (and no −∞ to turn into NaN in f16).

use super::attention::Rotary;
use super::cpu::attention::FlatAttention;
use super::cpu::{self, CpuStack, Norm, RowLayer};
#[cfg(feature = "cuda")]
use super::cuda::CudaStack;
use super::device::Precision;
use super::layer::{DeviceLayer, LayerSource};
use super::weights::Weights;
use crate::encoder::{EncodeError, Encoder, HiddenStates, TokenBatch};
use candle_core::{DType, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

/// The encoder's shape, as in `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoFormerConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub layer_norm_eps: f64,
    /// Only `gelu`, the exact one, is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_act: Option<String>,
}

impl RoFormerConfig {
    /// Bounds that any real model keeps; a damaged file must not make the program allocate without end.
    pub fn check(&self) -> std::result::Result<(), String> {
        let bounds = [
            ("vocab_size", self.vocab_size, 1_000_000),
            ("hidden_size", self.hidden_size, 8192),
            ("num_hidden_layers", self.num_hidden_layers, 64),
            ("num_attention_heads", self.num_attention_heads, 64),
            ("intermediate_size", self.intermediate_size, 65_536),
        ];
        let is_out = |&(_, value, most): &(&str, usize, usize)| !(1..=most).contains(&value);
        if let Some((name, value, most)) = bounds.into_iter().find(is_out) {
            return Err(format!(
                "config.json: {name} is {value}, not from 1 to {most}"
            ));
        }
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        if !width.is_multiple_of(2 * heads) {
            return Err(format!(
                "config.json: hidden_size {width} does not make {heads} attention heads of even size"
            ));
        }
        match self.hidden_act.as_deref() {
            None | Some("gelu") => Ok(()),
            Some(other) => Err(format!(
                "config.json: hidden_act is {other:?}; this program computes gelu"
            )),
        }
    }
}

/// The encoder on its device.
pub struct RoFormer {
    config: RoFormerConfig,
    stack: Box<dyn Stack>,
    max_tokens: usize,
}

/// Embeddings and layers, in the form that is best for a device and a number format.
pub(super) trait Stack: Send + Sync {
    /// Hidden states of a flat batch, `hidden` values a token.
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>>;

    /// As [`Encoder::computed_tokens`].
    fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        batch.ids().len()
    }

    /// As [`Encoder::full_batch`].
    fn full_batch(&self) -> usize {
        1
    }
}

/// Packed matrices, in f32 or int8.
impl Stack for CpuStack {
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>> {
        self.forward(ids, cumulative_lengths)
            .map_err(|e| candle_core::Error::Msg(format!("matrix product: {e}")))
    }
}

/// Candle's own operations, on any device.
struct OnDevice(Embeddings, Vec<DeviceLayer>, Rotary);

impl Stack for OnDevice {
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>> {
        let mut x = self.0.of(ids)?;
        for layer in &self.1 {
            x = layer.forward(&x, &self.2, cumulative_lengths)?;
        }
        x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }
}

/// Token ids → normed embeddings.
struct Embeddings {
    table: Tensor,
    norm: (Tensor, Tensor),
    epsilon: f32,
    device: Device,
}

impl Embeddings {
    fn take(
        config: &RoFormerConfig,
        weights: &mut Weights,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Self, String> {
        let (words, hidden) = (config.vocab_size, config.hidden_size);
        let mut take = |name: &str, shape: &[usize]| weights.take(name, shape, dtype, device);
        Ok(Self {
            table: take("word_embeddings.weight", &[words, hidden])?,
            norm: (
                take("embedding_norm.weight", &[hidden])?,
                take("embedding_norm.bias", &[hidden])?,
            ),
            epsilon: config.layer_norm_eps as f32,
            device: device.clone(),
        })
    }

    /// `tokens × hidden`.
    fn of(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?;
        let (weight, shift) = &self.norm;
        let embedded = self.table.index_select(&ids, 0)?;
        candle_nn::ops::layer_norm(&embedded, weight, shift, self.epsilon)
    }
}

/// What computes this model fastest.
fn stack(
    config: &RoFormerConfig,
    weights: &mut Weights,
    device: &Device,
    precision: Precision,
    max_tokens: usize,
) -> std::result::Result<Box<dyn Stack>, String> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device
        && let Some(stack) = cuda_stack(config, weights, device, precision, max_tokens)?
    {
        return Ok(stack);
    }
    let (heads, count) = (config.num_attention_heads, config.num_hidden_layers);
    let head_size = config.hidden_size / heads;
    let dtype = precision.dtype();
    let on_cpu = matches!(device, Device::Cpu);
    if on_cpu && matches!(precision, Precision::F32 | Precision::Int8) {
        let int8 = precision == Precision::Int8;
        return cpu_stack(config, weights, int8, max_tokens);
    }
    let embeddings = Embeddings::take(config, weights, dtype, device)?;
    let mut source = LayerSource::new(config, weights);
    let layers: std::result::Result<_, _> = (0..count)
        .map(|i| DeviceLayer::load(source.layer(i), dtype, device))
        .collect();
    let rotary = Rotary::new(max_tokens, heads, head_size, dtype, device);
    let rotary = rotary.map_err(|e| e.to_string())?;
    Ok(Box::new(OnDevice(embeddings, layers?, rotary)))
}

fn cpu_stack(
    config: &RoFormerConfig,
    weights: &mut Weights,
    int8: bool,
    max_tokens: usize,
) -> std::result::Result<Box<dyn Stack>, String> {
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    let rows = weights.take_rows("word_embeddings.weight", [config.vocab_size, hidden])?;
    let epsilon = config.layer_norm_eps as f32;
    let norm = Norm::take(weights, "embedding_norm", hidden, epsilon)?;
    let mut source = LayerSource::new(config, weights);
    let layers: std::result::Result<_, _> = (0..config.num_hidden_layers)
        .map(|i| RowLayer::load(source.layer(i), int8))
        .collect();
    let attention = FlatAttention::new(max_tokens, heads, hidden / heads, int8);
    let embeddings = cpu::Embeddings::new(rows, norm);
    Ok(Box::new(CpuStack::new(embeddings, layers?, attention)))
}

/// Our own kernels, for what they can compute.
#[cfg(feature = "cuda")]
fn cuda_stack(
    config: &RoFormerConfig,
    weights: &mut Weights,
    device: &candle_core::CudaDevice,
    precision: Precision,
    max_tokens: usize,
) -> std::result::Result<Option<Box<dyn Stack>>, String> {
    if !CudaStack::<half::f16>::can_compute(config, max_tokens) {
        return Ok(None);
    }
    Ok(match precision {
        Precision::F16 => {
            let stack = CudaStack::<half::f16>::new(config, weights, device, max_tokens)?;
            Some(Box::new(stack))
        }
        Precision::Bf16 => {
            let stack = CudaStack::<half::bf16>::new(config, weights, device, max_tokens)?;
            Some(Box::new(stack))
        }
        Precision::F32 | Precision::Int8 => None,
    })
}

impl RoFormer {
    /// Takes the encoder's tensors out of `weights`. `max_tokens` bounds a sequence; rotary positions have no
    /// limit of their own.
    pub fn new(
        config: RoFormerConfig,
        weights: &mut Weights,
        device: Device,
        precision: Precision,
        max_tokens: usize,
    ) -> std::result::Result<Self, String> {
        config.check()?;
        let stack = stack(&config, weights, &device, precision, max_tokens)?;
        Ok(Self {
            config,
            stack,
            max_tokens,
        })
    }
}

impl Encoder for RoFormer {
    fn encode(&self, batch: &TokenBatch) -> std::result::Result<HiddenStates, EncodeError> {
        let width = self.config.hidden_size;
        if batch.is_empty() {
            return Ok(HiddenStates {
                values: Vec::new(),
                width,
            });
        }
        if let Some(id) = batch
            .ids()
            .iter()
            .find(|&&id| id as usize >= self.config.vocab_size)
        {
            return Err(EncodeError(format!(
                "token {id} is not in the vocabulary of {}",
                self.config.vocab_size
            )));
        }
        if let Some(long) = batch
            .sequences()
            .map(<[u32]>::len)
            .find(|&length| length > self.max_tokens)
        {
            return Err(EncodeError(format!(
                "a sequence of {long} tokens is longer than {}",
                self.max_tokens
            )));
        }
        let values = self
            .stack
            .forward(batch.ids(), batch.cumulative_lengths())
            .map_err(|e| EncodeError(e.to_string()))?;
        Ok(HiddenStates { values, width })
    }

    fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        self.stack.computed_tokens(batch)
    }

    fn full_batch(&self) -> usize {
        self.stack.full_batch()
    }

    fn width(&self) -> usize {
        self.config.hidden_size
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}
