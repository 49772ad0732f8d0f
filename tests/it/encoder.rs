//! The encoders against PyTorch, against themselves, and against their traps.

use crate::support::{fixture, root};
use candle_core::{DType, Device, Tensor};
use jianbao::analysis::sector::Taxonomy;
use jianbao::encoder::TokenBatch;
use jianbao::encoder::candle::device::Precision;
use jianbao::model::{self, Model, ModelError, ModelSource};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

fn load(folder: &Path, precision: Precision) -> Result<Model, ModelError> {
    model::load(
        &ModelSource::Folder(folder.to_owned()),
        Taxonomy::embedded(),
        Device::Cpu,
        precision.into(),
    )
}

fn golden(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn sequences(golden: &Value) -> Vec<Vec<u32>> {
    golden["sequences"]
        .as_array()
        .unwrap()
        .iter()
        .map(ids)
        .collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap() as f32)
        .collect()
}

fn batch(sequences: &[Vec<u32>]) -> TokenBatch {
    let mut batch = TokenBatch::default();
    for sequence in sequences {
        batch.push(sequence);
    }
    batch
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

#[test]
fn the_tiny_encoder_equals_pytorch() {
    let golden = golden(&fixture("tiny/golden.json"));
    let sequences = sequences(&golden);
    let expected: Vec<f32> = golden["states"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|s| s.as_array().unwrap().iter().flat_map(numbers))
        .collect();
    let model = load(&fixture("tiny"), Precision::F32).unwrap();
    let states = model.encode(&batch(&sequences)).unwrap();
    let difference = largest_difference(&states.values, &expected);
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn the_embedded_encoder_equals_pytorch() {
    let golden = golden(&fixture("news-golden.json"));
    let sequences = sequences(&golden);
    let model = load(&root().join("models/news"), Precision::F32).unwrap();
    let batch = batch(&sequences);
    let states = model.encode(&batch).unwrap();
    for row in golden["rows"].as_array().unwrap() {
        let first = batch.cumulative_lengths()[row["sequence"].as_u64().unwrap() as usize];
        let ours = states.row(first + row["row"].as_u64().unwrap() as usize);
        let difference = largest_difference(ours, &numbers(&row["state"]));
        assert!(difference < 1e-4, "{difference}");
    }
}

/// int8 stays close to f32, and like it depends on no neighbour.
#[test]
fn int8_stays_close_to_f32() {
    if Precision::best_for(&Device::Cpu) != Precision::Int8 {
        eprintln!("skipped: this processor has no exact int8 products");
        return;
    }
    let folder = root().join("models/news");
    let (exact, int8) = (
        load(&folder, Precision::F32).unwrap(),
        load(&folder, Precision::Int8).unwrap(),
    );
    let text: Vec<char> = std::fs::read_to_string(root().join("examples/page.txt"))
        .unwrap()
        .chars()
        .take(400)
        .collect();
    let ids: Vec<u32> = exact
        .tokenizer()
        .tokens(&text)
        .iter()
        .map(|token| token.id)
        .collect();
    let both = batch(&[ids.clone(), ids[..7].to_vec()]);
    let (exact, together) = (exact.encode(&both).unwrap(), int8.encode(&both).unwrap());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (a, b) = (exact.mean(0, ids.len()), together.mean(0, ids.len()));
    let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    assert!(cosine > 0.995, "{cosine}");
    let alone = int8.encode(&batch(&[ids])).unwrap();
    assert!(alone.values == together.values[..alone.values.len()]);
}

/// Bit for bit: neighbours, their number and their lengths change nothing.
#[test]
fn a_sequence_does_not_depend_on_its_neighbours() {
    let sequence = |n: u32| -> Vec<u32> {
        [101]
            .into_iter()
            .chain((0..n).map(|i| 700 + (i * 37 + n) % 9000))
            .chain([102])
            .collect()
    };
    // Around the borders of blocks and tiles, and far from them.
    let sequences: Vec<Vec<u32>> = [1, 30, 30, 3, 129, 510, 17, 61, 62, 63, 64]
        .into_iter()
        .map(sequence)
        .collect();
    let together = batch(&sequences);
    for precision in [Precision::F32, Precision::Int8] {
        let model = load(&root().join("models/news"), precision).unwrap();
        let states = model.encode(&together).unwrap();
        for (i, own) in sequences.iter().enumerate() {
            let alone = model.encode(&batch(std::slice::from_ref(own))).unwrap();
            let range = together.cumulative_lengths()[i] * states.width
                ..together.cumulative_lengths()[i + 1] * states.width;
            assert!(
                alone.values == states.values[range],
                "sequence {i} of {} tokens in {precision:?}",
                own.len()
            );
        }
    }
}

#[test]
fn half_precision_stays_close() {
    let golden = golden(&fixture("tiny/golden.json"));
    let sequences = sequences(&golden);
    let exact = load(&fixture("tiny"), Precision::F32)
        .unwrap()
        .encode(&batch(&sequences))
        .unwrap();
    for (precision, tolerance) in [(Precision::F16, 0.05), (Precision::Bf16, 0.3)] {
        let half = load(&fixture("tiny"), precision)
            .unwrap()
            .encode(&batch(&sequences))
            .unwrap();
        assert!(half.values.iter().all(|x| x.is_finite()));
        let difference = largest_difference(&half.values, &exact.values);
        assert!(difference < tolerance, "{precision:?}: {difference}");
    }
}

#[test]
fn tokens_outside_the_vocabulary_are_an_error_not_a_panic() {
    let model = load(&fixture("tiny"), Precision::F32).unwrap();
    assert!(model.encode(&batch(&[vec![2, 4000, 3]])).is_err());
}

/// A random checkpoint in the Hub's layout.
fn write_checkpoint(folder: &Path, kind: &str, prefix: &str, pooling_cls: bool) {
    let (vocabulary, width, inner, positions) = (32usize, 16usize, 24usize, 48usize);
    let xlm = kind == "xlm-roberta";
    let config = json!({"model_type": kind, "vocab_size": vocabulary, "hidden_size": width, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": inner, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": positions, "type_vocab_size": if xlm { 1 } else { 2 },
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": u32::from(xlm), "position_embedding_type": "absolute",
        "use_cache": true, "bos_token_id": 0, "eos_token_id": 2});
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let mut add = |name: String, shape: &[usize]| {
        let norm = name.contains("LayerNorm.weight");
        let tensor = Tensor::randn(0f32, 0.3, shape, &Device::Cpu).unwrap();
        tensors.insert(
            format!("{prefix}{name}"),
            if norm {
                (tensor + 1.0).unwrap()
            } else {
                tensor
            },
        );
    };
    add(
        "embeddings.word_embeddings.weight".into(),
        &[vocabulary, width],
    );
    add(
        "embeddings.position_embeddings.weight".into(),
        &[positions, width],
    );
    add(
        "embeddings.token_type_embeddings.weight".into(),
        &[if xlm { 1 } else { 2 }, width],
    );
    let mut parts = vec![("embeddings.LayerNorm".to_owned(), vec![width])];
    for layer in 0..2 {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for part in [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ] {
            parts.push((name(part), vec![width, width]));
        }
        parts.push((name("attention.output.LayerNorm"), vec![width]));
        parts.push((name("intermediate.dense"), vec![inner, width]));
        parts.push((name("output.dense"), vec![width, inner]));
        parts.push((name("output.LayerNorm"), vec![width]));
    }
    for (name, shape) in parts {
        add(format!("{name}.weight"), &shape);
        add(format!("{name}.bias"), &shape[..1]);
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let words = if xlm {
        "<s>\n<pad>\n</s>\n"
    } else {
        "[PAD]\n[CLS]\n[SEP]\n"
    };
    let vocabulary = format!("{words}[UNK]\n今\n天\n东\n江\n大\n桥\n通\n车\n。\n，\n市\n民\n");
    std::fs::write(
        folder.join("vocab.txt"),
        if xlm {
            format!("[CLS]\n[PAD]\n[SEP]\n{}", &vocabulary[words.len()..])
        } else {
            vocabulary
        },
    )
    .unwrap();
    if pooling_cls {
        std::fs::create_dir_all(folder.join("1_Pooling")).unwrap();
        std::fs::write(
            folder.join("1_Pooling/config.json"),
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
        )
        .unwrap();
    }
}

#[test]
fn bert_and_xlm_roberta_checkpoints_work_with_both_poolings() {
    for (kind, prefix, cls) in [
        ("bert", "", true),
        ("bert", "bert.", false),
        ("xlm-roberta", "", false),
        ("xlm-roberta", "roberta.", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_checkpoint(folder.path(), kind, prefix, cls);
        let model =
            load(folder.path(), Precision::F32).unwrap_or_else(|e| panic!("{kind} {prefix}: {e}"));
        let text: Vec<char> = "今天东江大桥通车。".chars().collect();
        let vectors = model
            .embed(&[text.clone(), "市民".chars().collect(), text])
            .unwrap();
        assert_eq!(vectors[0], vectors[2]);
        assert_ne!(vectors[0], vectors[1]);
        let norm: f32 = vectors[0].iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-4);
        assert!(
            model
                .provenance()
                .readout
                .contains(if cls { "cls" } else { "mean" })
        );
        crate::support::jianbao()
            .args(["summarize", "-", "--model"])
            .arg(folder.path())
            .write_stdin("今天东江大桥通车。市民通车，今天大桥。")
            .assert()
            .success();
    }
}

#[test]
fn half_precision_of_bert_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), "bert", "", false);
    let error = load(folder.path(), Precision::F16)
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("NaN"), "{error}");
    let output = crate::support::jianbao()
        .args(["summarize", "-", "--dtype", "f16", "--model"])
        .arg(folder.path())
        .write_stdin("今天。")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn f32_is_what_checkpoints_of_f16_become() {
    let folder = crate::support::tiny_copy();
    let path = folder.path().join("model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let halved: HashMap<String, Tensor> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let tensor = if tensor.dtype() == DType::F32 {
                tensor.to_dtype(DType::F16).unwrap()
            } else {
                tensor
            };
            (name, tensor)
        })
        .collect();
    candle_core::safetensors::save(&halved, &path).unwrap();
    assert!(load(folder.path(), Precision::F32).is_ok());
}
