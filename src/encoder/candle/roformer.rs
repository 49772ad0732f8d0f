//! RoFormer: BERT with rotary positions (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).
//!
//! Twin of `training/jianbao_training/roformer.py`. All tokens of a batch go through the linear layers together;
//! attention runs sequence by sequence, so there is no padding and no mask (and no −∞ to turn into NaN in f16).

use super::attention::Rotary;
use super::fused::{ResidualNorm, gelu};
use super::linear::Linear;
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

struct Layer {
    /// Query, key and value in one product.
    qkv: Linear,
    attention_output: Linear,
    attention_norm: ResidualNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: ResidualNorm,
}

/// The encoder on its device.
pub struct RoFormer {
    config: RoFormerConfig,
    device: Device,
    embeddings: Tensor,
    embedding_norm: (Tensor, Tensor),
    layers: Vec<Layer>,
    rotary: Rotary,
    max_tokens: usize,
}

impl RoFormer {
    /// Takes the encoder's tensors out of `weights`. `max_tokens` bounds a sequence; rotary positions have no
    /// limit of their own.
    pub fn new(
        config: RoFormerConfig,
        weights: &mut Weights,
        device: Device,
        dtype: DType,
        max_tokens: usize,
    ) -> std::result::Result<Self, String> {
        config.check()?;
        let (h, m) = (config.hidden_size, config.intermediate_size);
        let embeddings = weights.take(
            "word_embeddings.weight",
            &[config.vocab_size, h],
            dtype,
            &device,
        )?;
        let mut vector = |name: &str, width: usize| weights.take(name, &[width], dtype, &device);
        let embedding_norm = (
            vector("embedding_norm.weight", h)?,
            vector("embedding_norm.bias", h)?,
        );
        let failed = |e: candle_core::Error| e.to_string();
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for i in 0..config.num_hidden_layers {
            let name = |part: &str| format!("layer.{i}.{part}");
            let mut matrix = |part: &str, outputs: usize, inputs: usize| {
                let weight = weights.take(
                    &name(&format!("{part}.weight")),
                    &[outputs, inputs],
                    dtype,
                    &device,
                )?;
                let bias =
                    weights.take(&name(&format!("{part}.bias")), &[outputs], dtype, &device)?;
                Ok::<_, String>((weight, bias))
            };
            let (q, k, v) = (
                matrix("query", h, h)?,
                matrix("key", h, h)?,
                matrix("value", h, h)?,
            );
            let (attention_output, intermediate, output) = (
                matrix("attention_output", h, h)?,
                matrix("intermediate", m, h)?,
                matrix("output", h, m)?,
            );
            let mut norm = |part: &str| {
                let weight =
                    weights.take(&name(&format!("{part}.weight")), &[h], dtype, &device)?;
                let shift = weights.take(&name(&format!("{part}.bias")), &[h], dtype, &device)?;
                ResidualNorm::new(&weight, &shift, config.layer_norm_eps as f32).map_err(failed)
            };
            let (attention_norm, output_norm) = (norm("attention_norm")?, norm("output_norm")?);
            let linear =
                |(weight, bias): (Tensor, Tensor)| Linear::new(&weight, &bias).map_err(failed);
            let qkv_weight = Tensor::cat(&[q.0, k.0, v.0], 0).map_err(failed)?;
            let qkv_bias = Tensor::cat(&[q.1, k.1, v.1], 0).map_err(failed)?;
            layers.push(Layer {
                qkv: linear((qkv_weight, qkv_bias))?,
                attention_output: linear(attention_output)?,
                attention_norm,
                intermediate: linear(intermediate)?,
                output: linear(output)?,
                output_norm,
            });
        }
        let heads = config.num_attention_heads;
        let rotary = Rotary::new(max_tokens, heads, h / heads, dtype, &device).map_err(failed)?;
        Ok(Self {
            config,
            device,
            embeddings,
            embedding_norm,
            layers,
            rotary,
            max_tokens,
        })
    }

    /// Hidden states (tokens × hidden) of a flat batch.
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?;
        let (weight, bias) = &self.embedding_norm;
        let x = self.embeddings.index_select(&ids, 0)?;
        let mut x =
            candle_nn::ops::layer_norm(&x, weight, bias, self.config.layer_norm_eps as f32)?;
        for layer in &self.layers {
            let attended = self
                .rotary
                .attend(&layer.qkv.forward(&x)?, cumulative_lengths)?;
            x = layer
                .attention_norm
                .apply(layer.attention_output.forward(&attended)?, &x)?;
            let inner = gelu(layer.intermediate.forward(&x)?)?;
            x = layer.output_norm.apply(layer.output.forward(&inner)?, &x)?;
        }
        Ok(x)
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
            .and_then(|states| states.to_dtype(DType::F32)?.flatten_all()?.to_vec1())
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
