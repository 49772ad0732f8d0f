//! The encoder on an NVIDIA GPU in half precision: cuBLAS for the matrices, `kernels.cu` for everything between them.
//!
//! A batch is cut into slabs of one size, [`SLAB`] rows, the last one filled up: the matrices of every product have the same
//! shape whatever the batch, so cuBLAS takes the same kernel, and a token's state does not depend on its neighbours, bit for
//! bit. Weights and all buffers stay on the device; a slab costs one copy of ids in and one of states out, and while the
//! device computes a slab the host turns the states of the one before into f32.
//!
//! Candle's stream is CUDA's per-thread one: every host thread has a queue of its own. What one thread puts on the device for
//! others it waits for (`upload`), and a batch begins and ends on one thread. The host waits for copies by events of this file:
//! those of cudarc's pinned memory are only recorded once a program has several streams.
//!
//! The unsafe code of the GPU is here: launches and products, whose sizes this file alone decides.

#![expect(
    unsafe_code,
    reason = "a launch takes pointers and sizes; both come from this file's own buffers"
)]

use super::attention::RotaryTables;
use super::layer::{LayerSource, LayerValues};
use super::roformer::{RoFormerConfig, Stack};
use super::weights::Weights;
use crate::encoder::TokenBatch;
use candle_core::cuda_backend::cudarc::cublas::sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, Gemm, GemmConfig};
use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaFunction, CudaSlice, CudaStream, DeviceRepr, LaunchConfig, PinnedHostSlice,
    PushKernelArg, ValidAsZeroBits,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Error, Result};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::sync::{Arc, Mutex};

/// Rows of a slab. A model with longer sequences runs on Candle's operations (`can_compute`).
const SLAB: usize = 8192;

/// Tokens that keep the device busy: a slab is computed while the one before is read, and the batch's last is seldom full.
const FULL_BATCH: usize = 4 * SLAB;

/// The head size and the unit of hidden sizes that the kernels are written for, and the largest hidden size.
const HEAD: usize = 64;
const MAX_HIDDEN: usize = 1024;
/// Queries of a block of the attention kernel.
const TILE: usize = 64;
/// Numbers of a slab's tiles: at most one tile for each sequence, and one more for every TILE tokens.
const MAX_TILES: usize = 4 * (SLAB + SLAB / TILE);
const WARP: u32 = 32;
const ROWS_A_BLOCK: u32 = 4;
/// Threads that turn states into f32, and values that are worth one.
const READERS: usize = 4;
const CONVERTED: usize = 1 << 17;

const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// A number format of the kernels.
pub trait Half: DeviceRepr + ValidAsZeroBits + Copy + Send + Sync + Unpin + 'static {
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

/// A sequence's queries, [`TILE`] at a time, as the attention kernel takes them: first row and length of the sequence, first
/// query.
fn tiles(cumulative_lengths: &[usize]) -> Vec<i32> {
    cumulative_lengths
        .windows(2)
        .flat_map(|range| {
            let (start, length) = (range[0], range[1] - range[0]);
            (0..length)
                .step_by(TILE)
                .flat_map(move |query| [start as i32, length as i32, query as i32, 0])
        })
        .collect()
}

/// Numbers of sequences, so that each group has at most [`SLAB`] tokens.
fn slabs(cumulative_lengths: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut out: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, range) in cumulative_lengths.windows(2).enumerate() {
        match out.last_mut() {
            Some(slab) if range[1] - cumulative_lengths[slab.start] <= SLAB => slab.end = i + 1,
            _ => out.push(i..i + 1),
        }
    }
    out
}

/// A weight (outputs × inputs), and the bias that a kernel adds afterwards.
struct Linear<T> {
    weight: CudaSlice<T>,
    bias: CudaSlice<T>,
    inputs: usize,
    outputs: usize,
}

struct Norm<T> {
    weight: CudaSlice<T>,
    shift: CudaSlice<T>,
}

struct Layer<T> {
    qkv: Linear<T>,
    attention_output: Linear<T>,
    attention_norm: Norm<T>,
    intermediate: Linear<T>,
    output: Linear<T>,
    output_norm: Norm<T>,
}

struct Kernels {
    embed: CudaFunction,
    attend: CudaFunction,
    residual_norm: CudaFunction,
    bias_gelu: CudaFunction,
}

/// What a slab is computed in.
struct Work<T> {
    ids: CudaSlice<u32>,
    tiles: CudaSlice<i32>,
    x: CudaSlice<T>,
    /// Results of the products with `hidden` columns.
    y: CudaSlice<T>,
    attended: CudaSlice<T>,
    qkv: CudaSlice<T>,
    middle: CudaSlice<T>,
    /// Of this slab and of the one before.
    transfers: [Transfer<T>; 2],
}

/// Ids and tiles on their way to the device, and states on their way to the host.
struct Transfer<T> {
    ids: PinnedHostSlice<u32>,
    tiles: PinnedHostSlice<i32>,
    states: PinnedHostSlice<T>,
    /// The states have arrived.
    done: CudaEvent,
}

/// Embeddings and layers on the device.
pub struct CudaStack<T> {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    blas: Arc<CudaBlas>,
    kernels: Kernels,
    embeddings: CudaSlice<T>,
    embedding_norm: Norm<T>,
    layers: Vec<Layer<T>>,
    /// (cos, sin) by position and pair.
    angles: CudaSlice<f32>,
    hidden: usize,
    heads: usize,
    epsilon: f32,
    work: Mutex<Work<T>>,
}

impl<T: Half> CudaStack<T>
where
    CudaBlas: Gemm<T>,
{
    /// Whether the kernels can compute a model of this shape.
    pub fn can_compute(config: &RoFormerConfig, max_tokens: usize) -> bool {
        config.hidden_size == config.num_attention_heads * HEAD
            && config.hidden_size <= MAX_HIDDEN
            && config.intermediate_size.is_multiple_of(8)
            && max_tokens <= SLAB
    }

    /// Takes the encoder's tensors out of `weights`, onto the device.
    pub fn new(
        config: &RoFormerConfig,
        weights: &mut Weights,
        device: &CudaDevice,
        max_tokens: usize,
    ) -> std::result::Result<Self, String> {
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
            let kernel = |name: &str| {
                let name = format!("{name}_{}", T::NAME);
                let loaded = device.get_or_load_custom_func(&name, "jianbao", PTX);
                loaded.map(|function| function.into_cuda_function())
            };
            let tables = RotaryTables::new(max_tokens, HEAD);
            let pairs = tables.cos.iter().zip(&tables.sin);
            let angles: Vec<f32> = pairs.flat_map(|(&cos, &sin)| [cos, sin]).collect();
            let layers: Result<Vec<_>> = layers
                .iter()
                .map(|values| Layer::new(device, values, hidden, middle))
                .collect();
            Ok(Self {
                device: device.clone(),
                stream: device.cuda_stream(),
                blas: device.cublas_handle(),
                kernels: Kernels {
                    embed: kernel("embed")?,
                    attend: kernel("attend")?,
                    residual_norm: kernel("residual_norm")?,
                    bias_gelu: kernel("bias_gelu")?,
                },
                embeddings: upload(device, &T::of(&table))?,
                embedding_norm: Norm::new(device, &norm)?,
                layers: layers?,
                angles: upload(device, &angles)?,
                hidden,
                heads: config.num_attention_heads,
                epsilon: config.layer_norm_eps as f32,
                work: Mutex::new(Work::new(device, hidden, middle)?),
            })
        };
        build().map_err(|e: Error| e.to_string())
    }

    /// Two slabs are under way at a time: one is computed while the host reads the one before.
    fn slab_by_slab(
        &self,
        work: &mut Work<T>,
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
            self.launch(work, &ids[rows.clone()], &lengths, n % 2)?;
            let (part, others) = rest.split_at_mut(rows.len() * self.hidden);
            rest = others;
            if let Some((from, part)) = before.replace((n % 2, part)) {
                work.transfers[from].read(part)?;
            }
        }
        if let Some((from, part)) = before {
            work.transfers[from].read(part)?;
        }
        Ok(out)
    }

    /// Puts a slab's work into the device's queue, up to the copy of its states. `transfers[by]` has been read, so what it
    /// carried to the device has arrived too.
    fn launch(
        &self,
        work: &mut Work<T>,
        ids: &[u32],
        cumulative_lengths: &[usize],
        by: usize,
    ) -> Result<()> {
        // Rows that fill the slab up read nothing and nobody reads them; what stands there is of a slab before.
        let tiles = tiles(cumulative_lengths);
        let transfer = &mut work.transfers[by];
        let host_ids = transfer.ids.as_mut_slice().w()?;
        host_ids[..ids.len()].copy_from_slice(ids);
        host_ids[ids.len()..].fill(0);
        transfer.tiles.as_mut_slice().w()?[..tiles.len()].copy_from_slice(&tiles);
        self.device.memcpy_htod(&transfer.ids, &mut work.ids)?;
        self.device.memcpy_htod(&transfer.tiles, &mut work.tiles)?;
        self.embed(work)?;
        for layer in &self.layers {
            self.product(&layer.qkv, &work.x, &mut work.qkv)?;
            self.attend(&layer.qkv, work, tiles.len() / 4)?;
            self.product(&layer.attention_output, &work.attended, &mut work.y)?;
            self.residual_norm(&layer.attention_output, &layer.attention_norm, work)?;
            self.product(&layer.intermediate, &work.x, &mut work.middle)?;
            self.gelu(&layer.intermediate, work)?;
            self.product(&layer.output, &work.middle, &mut work.y)?;
            self.residual_norm(&layer.output, &layer.output_norm, work)?;
        }
        let transfer = &mut work.transfers[by];
        self.device.memcpy_dtoh(&work.x, &mut transfer.states)?;
        transfer.done.record(&self.stream).w()
    }

    /// `x · weightᵀ`, without the bias. cuBLAS counts columns first: what it sees is `weightᵀ` and `xᵀ`.
    fn product(&self, linear: &Linear<T>, x: &CudaSlice<T>, out: &mut CudaSlice<T>) -> Result<()> {
        let (inputs, outputs) = (linear.inputs as i32, linear.outputs as i32);
        let config = GemmConfig {
            transa: CUBLAS_OP_T,
            transb: CUBLAS_OP_N,
            m: outputs,
            n: SLAB as i32,
            k: inputs,
            alpha: T::ONE,
            lda: inputs,
            ldb: inputs,
            beta: T::ZERO,
            ldc: outputs,
        };
        assert!(x.len() == SLAB * linear.inputs && out.len() == SLAB * linear.outputs);
        // SAFETY: the sizes are those of the slices, by the line above and `Linear::new`.
        unsafe { self.blas.gemm(config, &linear.weight, x, out) }.w()
    }

    fn embed(&self, work: &mut Work<T>) -> Result<()> {
        let (rows, hidden) = (SLAB as i32, self.hidden as i32);
        let mut builder = self.stream.launch_builder(&self.kernels.embed);
        builder.arg(&work.ids).arg(&self.embeddings);
        let norm = &self.embedding_norm;
        builder.arg(&norm.weight).arg(&norm.shift).arg(&mut work.x);
        builder.arg(&rows).arg(&hidden).arg(&self.epsilon);
        // SAFETY: arguments as in kernels.cu; ids are in the vocabulary (`RoFormer::encode`), buffers have SLAB rows.
        unsafe { builder.launch(one_warp_a_row()) }.w()?;
        Ok(())
    }

    /// Reads `qkv`, writes `attended`.
    fn attend(&self, qkv: &Linear<T>, work: &mut Work<T>, tiles: usize) -> Result<()> {
        let heads = self.heads as i32;
        let mut builder = self.stream.launch_builder(&self.kernels.attend);
        builder.arg(&work.qkv).arg(&qkv.bias).arg(&self.angles);
        builder.arg(&work.tiles).arg(&mut work.attended).arg(&heads);
        let config = LaunchConfig {
            grid_dim: (tiles as u32, self.heads as u32, 1),
            block_dim: (2 * TILE as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: arguments as in kernels.cu; every tile lies inside the slab and below the last position of `angles`.
        unsafe { builder.launch(config) }.w()?;
        Ok(())
    }

    /// `x ← norm(y + bias + x)`.
    fn residual_norm(&self, linear: &Linear<T>, norm: &Norm<T>, work: &mut Work<T>) -> Result<()> {
        let (rows, hidden) = (SLAB as i32, self.hidden as i32);
        let mut builder = self.stream.launch_builder(&self.kernels.residual_norm);
        builder.arg(&work.y).arg(&linear.bias).arg(&work.x);
        builder.arg(&norm.weight).arg(&norm.shift).arg(&work.x);
        builder.arg(&rows).arg(&hidden).arg(&self.epsilon);
        // SAFETY: arguments as in kernels.cu; a warp reads its row of `x` before it writes it.
        unsafe { builder.launch(one_warp_a_row()) }.w()?;
        Ok(())
    }

    /// `middle ← gelu(middle + bias)`.
    fn gelu(&self, linear: &Linear<T>, work: &mut Work<T>) -> Result<()> {
        let (width, eighths) = (linear.outputs as i32, (SLAB * linear.outputs / 8) as i32);
        let mut builder = self.stream.launch_builder(&self.kernels.bias_gelu);
        builder.arg(&mut work.middle).arg(&linear.bias);
        builder.arg(&width).arg(&eighths);
        // SAFETY: arguments as in kernels.cu; `middle` has `8 · eighths` values.
        unsafe { builder.launch(LaunchConfig::for_num_elems(eighths as u32)) }.w()?;
        Ok(())
    }
}

impl<T: Half> Stack for CudaStack<T>
where
    CudaBlas: Gemm<T>,
{
    fn forward(&self, ids: &[u32], cumulative_lengths: &[usize]) -> Result<Vec<f32>> {
        let mut work = self.work.lock().unwrap_or_else(|e| e.into_inner());
        let states = self.slab_by_slab(&mut work, ids, cumulative_lengths);
        if states.is_err() {
            // Whatever is still under way, it is over before the buffers are used again.
            let _ = self.stream.synchronize();
        }
        states
    }

    /// With the rows that fill slabs up.
    fn computed_tokens(&self, batch: &TokenBatch) -> usize {
        slabs(batch.cumulative_lengths()).len() * SLAB
    }

    fn full_batch(&self) -> usize {
        FULL_BATCH
    }
}

fn one_warp_a_row() -> LaunchConfig {
    LaunchConfig {
        grid_dim: ((SLAB as u32).div_ceil(ROWS_A_BLOCK), 1, 1),
        block_dim: (WARP * ROWS_A_BLOCK, 1, 1),
        shared_mem_bytes: 0,
    }
}

impl<T: Half> Transfer<T> {
    fn new(device: &CudaDevice, hidden: usize) -> Result<Self> {
        Ok(Self {
            ids: pinned(device, SLAB)?,
            tiles: pinned(device, MAX_TILES)?,
            states: pinned(device, SLAB * hidden)?,
            done: device.cuda_stream().context().new_event(None).w()?,
        })
    }

    /// Waits for the states, and turns them into f32. By threads of its own: one of Rayon's, waiting for others, could begin
    /// another batch and wait for the buffers that this one holds.
    fn read(&self, out: &mut [f32]) -> Result<()> {
        self.done.synchronize().w()?;
        let states = &self.states.as_slice().w()?[..out.len()];
        let part = out.len().div_ceil(READERS).max(CONVERTED);
        std::thread::scope(|scope| {
            for (out, states) in out.chunks_mut(part).zip(states.chunks(part)) {
                scope.spawn(move || T::to_f32(states, out));
            }
        });
        Ok(())
    }
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
    fn new(device: &CudaDevice, (weight, shift): &(Vec<f32>, Vec<f32>)) -> Result<Self> {
        Ok(Self {
            weight: upload(device, &T::of(weight))?,
            shift: upload(device, &T::of(shift))?,
        })
    }
}

impl<T: Half> Layer<T> {
    fn new(
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

impl<T: Half> Work<T> {
    fn new(device: &CudaDevice, hidden: usize, middle: usize) -> Result<Self> {
        let rows = |width: usize| device.alloc_zeros::<T>(SLAB * width);
        let work = Self {
            ids: device.alloc_zeros(SLAB)?,
            tiles: device.alloc_zeros(MAX_TILES)?,
            x: rows(hidden)?,
            y: rows(hidden)?,
            attended: rows(hidden)?,
            qkv: rows(3 * hidden)?,
            middle: rows(middle)?,
            transfers: [
                Transfer::new(device, hidden)?,
                Transfer::new(device, hidden)?,
            ],
        };
        // Other threads, with other queues, will use it.
        device.cuda_stream().synchronize().w()?;
        Ok(work)
    }
}

/// Memory that the device copies from and to by itself.
fn pinned<T: DeviceRepr + ValidAsZeroBits>(
    device: &CudaDevice,
    length: usize,
) -> Result<PinnedHostSlice<T>> {
    let context = device.cuda_stream().context().clone();
    // Not write-combined, as would be the default: the host reads it.
    // SAFETY: any bytes are numbers, and it is read only where the host or the device has written.
    unsafe { context.alloc_pinned_with_flags::<T>(length, 0) }.w()
}

/// Numbers to the device, there for all threads.
fn upload<T: DeviceRepr + 'static>(device: &CudaDevice, values: &[T]) -> Result<CudaSlice<T>> {
    let uploaded = device.clone_htod(values)?;
    device.cuda_stream().synchronize().w()?;
    Ok(uploaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_hold_whole_sequences() {
        let lengths = [5000, 3000, 192, 1, 8192, 10];
        let mut cumulative = vec![0];
        for length in lengths {
            cumulative.push(cumulative.last().unwrap() + length);
        }
        assert_eq!(slabs(&cumulative), [0..3, 3..4, 4..5, 5..6]);
        assert!(slabs(&[0]).is_empty());
    }

    #[test]
    fn tiles_cover_every_query_once() {
        assert_eq!(
            tiles(&[0, 64, 129]),
            [0, 64, 0, 0, 64, 65, 0, 0, 64, 65, 64, 0]
        );
    }
}
