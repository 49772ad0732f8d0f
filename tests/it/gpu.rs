//! The CUDA encoder against the CPU, where this build and this machine have one (with JIANBAO_NEEDS_GPU set, they must).

use crate::support::root;
use candle_core::Device;
use jianbao::analysis::sector::Taxonomy;
use jianbao::encoder::TokenBatch;
use jianbao::encoder::candle::device::{self, DeviceChoice, Precision};
use jianbao::model::{self, Model, ModelSource};

fn news(device: Device, precision: Precision) -> Model {
    model::load(
        &ModelSource::Folder(root().join("models/news")),
        Taxonomy::embedded(),
        device,
        precision.into(),
    )
    .expect("the committed model loads")
}

/// Sequences of all kinds of lengths, three slabs of them: one token, a tile and one more, full windows.
fn batch() -> TokenBatch {
    let mut batch = TokenBatch::default();
    for i in 0..100usize {
        let length = [1, 63, 64, 65, 200, 511, 512][i % 7];
        let ids: Vec<u32> = (0..length)
            .map(|k| (700 + (k * 37 + i * 101) % 9000) as u32)
            .collect();
        batch.push(&ids);
    }
    batch
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// How often each of four threads repeats the batch. A simulated GPU (`tests/cuda_sim`) takes half a minute for one.
fn rounds() -> usize {
    let set = std::env::var("JIANBAO_GPU_ROUNDS");
    set.map_or(25, |n| n.parse().expect("JIANBAO_GPU_ROUNDS is a number"))
}

#[test]
fn half_precision_on_cuda_equals_the_cpu_every_time() {
    let cuda = match device::open(DeviceChoice::Cuda(0)) {
        Ok((device, _)) => device,
        Err(reason) => {
            assert!(std::env::var_os("JIANBAO_NEEDS_GPU").is_none(), "{reason}");
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let batch = batch();
    let expected = news(Device::Cpu, Precision::F32).encode(&batch).unwrap();
    for (precision, least) in [(Precision::F16, 0.9999), (Precision::Bf16, 0.995)] {
        let model = news(cuda.clone(), precision);
        // By a thread that has not loaded it: every thread has a queue of its own.
        let encode = || model.encode(&batch).unwrap();
        let found = std::thread::scope(|scope| scope.spawn(encode).join().unwrap());
        let slabs = model.computed_tokens(&batch) / 8192;
        assert_eq!(slabs, 3, "buffers of a slab are used again");
        for row in 0..expected.rows() {
            let cosine = cosine(expected.row(row), found.row(row));
            assert!(cosine > least, "{precision:?}, token {row}: {cosine}");
        }
        // Whoever reads states before they have arrived does so only now and then.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..rounds() {
                        assert_eq!(encode(), found);
                    }
                });
            }
        });
        // Nor does it matter what else is in the batch.
        for (i, ids) in batch.sequences().enumerate().step_by(13) {
            let mut alone = TokenBatch::default();
            alone.push(ids);
            let start = batch.cumulative_lengths()[i] * found.width;
            let values = &found.values[start..start + ids.len() * found.width];
            assert_eq!(model.encode(&alone).unwrap().values, values);
        }
    }
}
