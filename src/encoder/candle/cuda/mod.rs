//! The encoder on an NVIDIA GPU in half precision: cuBLAS for the matrices, `kernels.cu` for everything between them.
//!
//! A batch is cut into slabs of one size, [`SLAB`] rows, the last one filled up: the matrices of every product have the same
//! shape whatever the batch, so cuBLAS takes the same kernel, and a token's state does not depend on its neighbours, bit for
//! bit. Weights and all buffers stay on the device; a slab costs one copy of ids in and one of states out, and while the
//! device computes a slab the host turns the states of the one before into f32.
//!
//! Candle's stream is CUDA's per-thread one: every host thread has a queue of its own. What one thread puts on the device for
//! others it waits for (`upload`), and a batch begins and ends on one thread. The host waits for copies by events of
//! `buffers.rs`: those of cudarc's pinned memory are only recorded once a program has several streams.
//!
//! `tests/cuda_sim` runs all of this without a GPU.

mod buffers;
mod half;
mod kernels;
mod slabs;
mod weights;

use self::half::Half;
use super::attention::RotaryTables;
use super::layer::{LayerSource, LayerValues};
use super::roformer::{RoFormerConfig, Stack};
use super::weights::Weights;
use crate::encoder::TokenBatch;
use buffers::{Buffers, Transfer};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, Gemm};
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{Error, Result};
use kernels::{EIGHT, HEAD, Kernels, MAX_HIDDEN};
use slabs::{SLAB, slabs};
use std::sync::Mutex;
use weights::{Layer, Norm, upload};

/// Tokens that keep the device busy: a slab is computed while the one before is read, and the batch's last is seldom full.
const FULL_BATCH: usize = 4 * SLAB;

/// Embeddings and layers on the device.
pub struct CudaStack<T> {
    device: CudaDevice,
    kernels: Kernels,
    embeddings: CudaSlice<T>,
    embedding_norm: Norm<T>,
    layers: Vec<Layer<T>>,
    /// (cos, sin) by position and pair.
    angles: CudaSlice<f32>,
    hidden: usize,
    epsilon: f32,
    work: Mutex<Work<T>>,
}

/// Used by one batch at a time.
struct Work<T> {
    buffers: Buffers<T>,
    /// Of this slab and of the one before.
    transfers: [Transfer<T>; 2],
}

impl<T: Half> CudaStack<T>
where
    CudaBlas: Gemm<T>,
{
    /// Whether the kernels can compute a model of this shape.
    pub fn can_compute(config: &RoFormerConfig, max_tokens: usize) -> bool {
        config.hidden_size == config.num_attention_heads * HEAD
            && config.hidden_size <= MAX_HIDDEN
            && config.intermediate_size.is_multiple_of(EIGHT)
            && max_tokens <= SLAB
    }

    /// Takes the encoder's tensors out of `weights`, onto the device.
    pub fn new(
        config: &RoFormerConfig,
        weights: &mut Weights,
        device: &CudaDevice,
        max_tokens: usize,
    ) -> std::result::Result<Self, String> {
        assert!(Self::can_compute(config, max_tokens));
        let (words, hidden, middle) = (
            config.vocab_size,
            config.hidden_size,
            config.intermediate_size,
        );
        let table = weights.take_values("word_embeddings.weight", &[words, hidden])?;
        let norm = (
            weights.take_values("embedding_norm.weight", &[hidden])?,
            weights.take_values("embedding_norm.bias", &[hidden])?,
        );
        let mut source = LayerSource::new(config, weights);
        let layers: std::result::Result<Vec<LayerValues>, String> = (0..config.num_hidden_layers)
            .map(|i| source.layer(i).values())
            .collect();
        let layers = layers?;
        let build = || {
            let tables = RotaryTables::new(max_tokens, HEAD);
            let pairs = tables.cos.iter().zip(&tables.sin);
            let angles: Vec<f32> = pairs.flat_map(|(&cos, &sin)| [cos, sin]).collect();
            let layers: Result<Vec<_>> = layers
                .iter()
                .map(|values| Layer::new(device, values, hidden, middle))
                .collect();
            let transfer = || Transfer::new(device, hidden);
            Ok(Self {
                device: device.clone(),
                kernels: Kernels::load::<T>(device)?,
                embeddings: upload(device, &T::of(&table))?,
                embedding_norm: Norm::new(device, &norm)?,
                layers: layers?,
                angles: upload(device, &angles)?,
                hidden,
                epsilon: config.layer_norm_eps as f32,
                work: Mutex::new(Work {
                    buffers: Buffers::new(device, hidden, middle)?,
                    transfers: [transfer()?, transfer()?],
                }),
            })
        };
        build().map_err(|e: Error| e.to_string())
    }

    /// Two slabs are under way at a time: one is computed while the host reads the one before.
    fn slab_by_slab(
        &self,
        Work { buffers, transfers }: &mut Work<T>,
        ids: &[u32],
        cumulative_lengths: &[usize],
    ) -> Result<Vec<f32>> {
        let mut out = vec![0.0; ids.len() * self.hidden];
        let (mut rest, mut before) = (out.as_mut_slice(), None);
        for (n, slab) in slabs(cumulative_lengths).into_iter().enumerate() {
            let rows = cumulative_lengths[slab.start]..cumulative_lengths[slab.end];
            let lengths: Vec<usize> = cumulative_lengths[slab.start..=slab.end]
                .iter()
                .map(|end| end - rows.start)
                .collect();
            let transfer = &mut transfers[n % 2];
            let tiles = transfer.send(&self.device, &ids[rows.clone()], &lengths, buffers)?;
            self.compute(buffers, tiles)?;
            transfer.bring(&self.device, buffers)?;
            let (part, others) = rest.split_at_mut(rows.len() * self.hidden);
            rest = others;
            if let Some((from, part)) = before.replace((n % 2, part)) {
                transfers[from].read(part)?;
            }
        }
        if let Some((from, part)) = before {
            transfers[from].read(part)?;
        }
        Ok(out)
    }

    /// Puts a slab's work into the device's queue: `ids` and `tiles` to states in `x`.
    fn compute(&self, b: &mut Buffers<T>, tiles: usize) -> Result<()> {
        let (run, epsilon) = (&self.kernels, self.epsilon);
        let (table, norm) = (&self.embeddings, &self.embedding_norm);
        run.embed(&b.ids, table, norm, epsilon, &mut b.x)?;
        for layer in &self.layers {
            run.product(&layer.qkv, &b.x, &mut b.qkv)?;
            let qkv = (&b.qkv, &layer.qkv);
            run.attend(qkv, &self.angles, (&b.tiles, tiles), &mut b.attended)?;
            let (linear, norm) = (&layer.attention_output, &layer.attention_norm);
            run.product(linear, &b.attended, &mut b.y)?;
            run.residual_norm(&b.y, linear, norm, epsilon, &mut b.x)?;
            run.product(&layer.intermediate, &b.x, &mut b.middle)?;
            run.bias_gelu(&mut b.middle, &layer.intermediate)?;
            let (linear, norm) = (&layer.output, &layer.output_norm);
            run.product(linear, &b.middle, &mut b.y)?;
            run.residual_norm(&b.y, linear, norm, epsilon, &mut b.x)?;
        }
        Ok(())
    }
}

/// However a batch ends, what it put into the queue is over before its buffers are used again.
struct Settled<'a>(&'a CudaDevice);

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        // An error was told to whoever waited for states.
        let _ = self.0.cuda_stream().synchronize();
    }
}

impl<T: Half> Stack for CudaStack<T>
where
    CudaBlas: Gemm<T>,
{
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>> {
        let mut work = self.work.lock().unwrap_or_else(|e| e.into_inner());
        let _settled = Settled(&self.device);
        self.slab_by_slab(&mut work, ids, cumulative_lengths)
    }

    /// With the rows that fill slabs up.
    fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        slabs(batch.cumulative_lengths()).len() * SLAB
    }

    fn full_batch(&self) -> usize {
        FULL_BATCH
    }
}
