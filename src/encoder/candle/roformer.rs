//! RoFormer: BERT with rotary positions (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).
//!
//! Twin of `training/jianbao_training/roformer.py`. All tokens of a batch go through the linear layers together;
//! attention runs sequence by sequence, so there is no padding and no mask (and no −∞ to turn into NaN in f16).

use super::fused::{BiasAndNorm, add_bias_gelu};
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
        if ok { Ok(()) } else { Err(format!("config.json describes an impossible encoder: {self:?}")) }
    }
}

struct Layer {
    /// Query, key and value in one matrix (hidden × 3 hidden), transposed for `x · W`.
    qkv: Tensor,
    qkv_bias: Tensor,
    attention_output: Tensor,
    attention_norm: BiasAndNorm,
    intermediate: Tensor,
    intermediate_bias: Tensor,
    output: Tensor,
    output_norm: BiasAndNorm,
}

/// The encoder on its device.
pub struct RoFormer {
    config: RoFormerConfig,
    device: Device,
    embeddings: Tensor,
    embedding_norm: (Tensor, Tensor),
    layers: Vec<Layer>,
    /// cos and sin of every position up to `max_tokens`, each `max_tokens × head_size / 2`.
    rotary: (Tensor, Tensor),
    max_tokens: usize,
}

impl RoFormer {
    /// Takes the encoder's tensors out of `weights`. `max_tokens` bounds a sequence; rotary positions have no
    /// limit of their own.
    pub fn new(config: RoFormerConfig, weights: &mut Weights, device: Device, dtype: DType, max_tokens: usize) -> std::result::Result<Self, String> {
        config.check()?;
        let (h, m) = (config.hidden_size, config.intermediate_size);
        let embeddings = weights.take("word_embeddings.weight", &[config.vocab_size, h], dtype, &device)?;
        let mut vector = |name: &str, width: usize| weights.take(name, &[width], dtype, &device);
        let embedding_norm = (vector("embedding_norm.weight", h)?, vector("embedding_norm.bias", h)?);
        let failed = |e: candle_core::Error| e.to_string();
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for i in 0..config.num_hidden_layers {
            let name = |part: &str| format!("layer.{i}.{part}");
            let mut matrix = |part: &str, rows: usize, columns: usize| {
                let matrix = weights.take(&name(part), &[rows, columns], dtype, &device)?;
                matrix.t().and_then(|t| t.contiguous()).map_err(failed)
            };
            let (q, k, v) = (matrix("query.weight", h, h)?, matrix("key.weight", h, h)?, matrix("value.weight", h, h)?);
            let attention_output = matrix("attention_output.weight", h, h)?;
            let (intermediate, output) = (matrix("intermediate.weight", m, h)?, matrix("output.weight", h, m)?);
            let mut vector = |part: &str, width: usize| weights.take(&name(part), &[width], dtype, &device);
            let qkv_bias = [vector("query.bias", h)?, vector("key.bias", h)?, vector("value.bias", h)?];
            let mut norm = |before: &str, norm: &str| {
                let parts = [vector(before, h)?, vector(&format!("{norm}.weight"), h)?, vector(&format!("{norm}.bias"), h)?];
                BiasAndNorm::new(&parts[0], &parts[1], &parts[2], config.layer_norm_eps as f32).map_err(failed)
            };
            let attention_norm = norm("attention_output.bias", "attention_norm")?;
            let output_norm = norm("output.bias", "output_norm")?;
            layers.push(Layer {
                qkv: Tensor::cat(&[q, k, v], 1).map_err(failed)?,
                qkv_bias: Tensor::cat(&qkv_bias, 0).map_err(failed)?,
                attention_output,
                attention_norm,
                intermediate,
                intermediate_bias: vector("intermediate.bias", m)?,
                output,
                output_norm,
            });
        }
        let rotary = rotary_table(max_tokens, h / config.num_attention_heads, &device, dtype).map_err(failed)?;
        Ok(Self { config, device, embeddings, embedding_norm, layers, rotary, max_tokens })
    }

    /// Hidden states (tokens × hidden) of a flat batch.
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?;
        let (weight, bias) = &self.embedding_norm;
        let x = self.embeddings.index_select(&ids, 0)?;
        let mut x = candle_nn::ops::layer_norm(&x, weight, bias, self.config.layer_norm_eps as f32)?;
        for layer in &self.layers {
            let attended = self.attention(layer, &x, cumulative_lengths)?.matmul(&layer.attention_output)?;
            x = layer.attention_norm.apply(attended, &x)?;
            let inner = add_bias_gelu(x.matmul(&layer.intermediate)?, &layer.intermediate_bias)?;
            x = layer.output_norm.apply(inner.matmul(&layer.output)?, &x)?;
        }
        Ok(x)
    }

    fn attention(&self, layer: &Layer, x: &Tensor, cumulative_lengths: &[usize]) -> Result<Tensor> {
        let heads = self.config.num_attention_heads;
        let size = self.config.hidden_size / heads;
        let qkv = x.matmul(&layer.qkv)?.broadcast_add(&layer.qkv_bias)?;
        let mut out = Vec::with_capacity(cumulative_lengths.len() - 1);
        for range in cumulative_lengths.windows(2) {
            let length = range[1] - range[0];
            // (1, 3 heads, length, size): queries, keys and values of all heads.
            let qkv = qkv.narrow(0, range[0], length)?.reshape((1, length, 3 * heads, size))?.transpose(1, 2)?;
            let (cos, sin) = (self.rotary.0.narrow(0, 0, length)?, self.rotary.1.narrow(0, 0, length)?);
            let rotated = candle_nn::rotary_emb::rope_i(&qkv.narrow(1, 0, 2 * heads)?.contiguous()?, &cos, &sin)?;
            let (q, k) = (rotated.narrow(1, 0, heads)?, rotated.narrow(1, heads, heads)?);
            let v = qkv.narrow(1, 2 * heads, heads)?.contiguous()?;
            let scores = (q.contiguous()?.matmul(&k.t()?)? * (1.0 / (size as f64).sqrt()))?;
            let attended = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v)?;
            out.push(attended.transpose(1, 2)?.reshape((length, heads * size))?);
        }
        Tensor::cat(&out, 0)
    }
}

/// cos and sin of angle `position / 10000^(2i / size)`, pairs interleaved.
fn rotary_table(positions: usize, size: usize, device: &Device, dtype: DType) -> Result<(Tensor, Tensor)> {
    let frequencies: Vec<f32> = (0..size / 2).map(|i| (-(10000f32.ln()) * (2 * i) as f32 / size as f32).exp()).collect();
    let frequencies = Tensor::new(frequencies, device)?.unsqueeze(0)?;
    let angles = Tensor::arange(0u32, positions as u32, device)?.to_dtype(DType::F32)?.unsqueeze(1)?.broadcast_mul(&frequencies)?;
    Ok((angles.cos()?.to_dtype(dtype)?, angles.sin()?.to_dtype(dtype)?))
}

impl Encoder for RoFormer {
    fn encode(&self, batch: &TokenBatch) -> std::result::Result<HiddenStates, EncodeError> {
        let width = self.config.hidden_size;
        if batch.is_empty() {
            return Ok(HiddenStates { values: Vec::new(), width });
        }
        if let Some(id) = batch.ids().iter().find(|&&id| id as usize >= self.config.vocab_size) {
            return Err(EncodeError(format!("token {id} is not in the vocabulary of {}", self.config.vocab_size)));
        }
        if let Some(long) = batch.sequences().map(<[u32]>::len).find(|&length| length > self.max_tokens) {
            return Err(EncodeError(format!("a sequence of {long} tokens is longer than {}", self.max_tokens)));
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
