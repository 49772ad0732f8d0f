//! RoFormer: BERT with rotary positions (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).
//!
//! Twin of `training/jianbao_training/roformer.py`. All tokens of a batch go through the linear layers together;
//! attention runs sequence by sequence, so there is no padding and no mask (and no −∞ to turn into NaN in f16).

use super::attention::Rotary;
use super::cpu::attention::FlatAttention;
use super::cpu::{CpuStack, RowLayer};
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
}

impl RoFormerConfig {
    /// Bounds that any real model keeps; a damaged file must not make the program allocate without end.
    pub fn check(&self) -> std::result::Result<(), String> {
        let ok = (1..=1_000_000).contains(&self.vocab_size)
            && (1..=8192).contains(&self.hidden_size)
            && (1..=64).contains(&self.num_hidden_layers)
            && (1..=64).contains(&self.num_attention_heads)
            && (1..=65_536).contains(&self.intermediate_size)
            && self.hidden_size.is_multiple_of(self.num_attention_heads)
            && (self.hidden_size / self.num_attention_heads).is_multiple_of(2);
        if ok {
            Ok(())
        } else {
            Err(format!(
                "config.json describes an impossible encoder: {self:?}"
            ))
        }
    }
}

/// The encoder on its device.
pub struct RoFormer {
    config: RoFormerConfig,
    device: Device,
    embeddings: Tensor,
    embedding_norm: (Tensor, Tensor),
    layers: Layers,
    max_tokens: usize,
}

enum Layers {
    Cpu(CpuStack),
    Device(Vec<DeviceLayer>, Rotary),
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
        let on_cpu = matches!(device, Device::Cpu);
        let dtype = precision.dtype();
        let failed = |e: candle_core::Error| e.to_string();
        let (h, m) = (config.hidden_size, config.intermediate_size);
        let embeddings = weights.take(
            "word_embeddings.weight",
            &[config.vocab_size, h],
            dtype,
            &device,
        )?;
        let mut vector = |name: &str| weights.take(name, &[h], dtype, &device);
        let embedding_norm = (
            vector("embedding_norm.weight")?,
            vector("embedding_norm.bias")?,
        );
        let (heads, count) = (config.num_attention_heads, config.num_hidden_layers);
        let mut source = LayerSource {
            weights,
            prefix: String::new(),
            hidden: h,
            middle: m,
            epsilon: config.layer_norm_eps as f32,
        };
        let layers = match precision {
            Precision::F32 | Precision::Int8 if on_cpu => {
                let int8 = precision == Precision::Int8;
                let layers: std::result::Result<_, _> = (0..count)
                    .map(|i| RowLayer::load(source.layer(i), int8))
                    .collect();
                Layers::Cpu(CpuStack {
                    layers: layers?,
                    attention: FlatAttention::new(max_tokens, heads, h / heads, int8),
                })
            }
            _ => {
                let layers: std::result::Result<_, _> = (0..count)
                    .map(|i| DeviceLayer::load(source.layer(i), dtype, &device))
                    .collect();
                let rotary = Rotary::new(max_tokens, heads, h / heads, dtype, &device);
                Layers::Device(layers?, rotary.map_err(failed)?)
            }
        };
        Ok(Self {
            config,
            device,
            embeddings,
            embedding_norm,
            layers,
            max_tokens,
        })
    }

    /// Hidden states of a flat batch, `hidden` values a token.
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>> {
        let ids = Tensor::new(ids, &self.device)?;
        let (weight, bias) = &self.embedding_norm;
        let epsilon = self.config.layer_norm_eps as f32;
        let embedded = self.embeddings.index_select(&ids, 0)?;
        let mut x = candle_nn::ops::layer_norm(&embedded, weight, bias, epsilon)?;
        drop(embedded);
        match &self.layers {
            Layers::Cpu(stack) => {
                let rows = x.flatten_all()?.to_vec1()?;
                drop(x);
                stack
                    .forward(rows, cumulative_lengths)
                    .map_err(|e| candle_core::Error::Msg(format!("matrix product: {e}")))
            }
            Layers::Device(layers, rotary) => {
                for layer in layers {
                    x = layer.forward(&x, rotary, cumulative_lengths)?;
                }
                x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
            }
        }
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
            .forward(batch.ids(), batch.cumulative_lengths())
            .map_err(|e| EncodeError(e.to_string()))?;
        Ok(HiddenStates { values, width })
    }

    fn width(&self) -> usize {
        self.config.hidden_size
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}
