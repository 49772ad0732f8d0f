//! `cargo bench`: each stage alone, and the whole way, on the example page.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jianbao::analysis::keywords::candidates::candidates;
use jianbao::analysis::sector::Taxonomy;
use jianbao::document::page::{self, Layout, repair::NoContinuation};
use jianbao::document::sentence::sentences;
use jianbao::encoder::TokenBatch;
use jianbao::encoder::candle::device::{DeviceChoice, Precision, open};
use jianbao::model::{self, Model, ModelSource};
use jianbao::pipeline::document::{Input, Options, brief};
use jianbao::text::document_frequency::DocumentFrequency;
use jianbao::text::fold::fold;
use std::hint::black_box;

const PAGE: &str = include_str!("../examples/page.txt");

fn load(precision: Option<Precision>) -> Option<Model> {
    let (device, _) = open(DeviceChoice::Cpu).ok()?;
    let choice = precision.map(Into::into).unwrap_or_default();
    model::load(&ModelSource::Embedded, Taxonomy::embedded(), device, choice).ok()
}

fn text_stages(c: &mut Criterion) {
    let chars: Vec<char> = PAGE.chars().collect();
    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Elements(chars.len() as u64));
    group.bench_function("split page", |b| {
        b.iter(|| page::split(black_box(&chars), Layout::Page, &NoContinuation))
    });
    let folded = fold(&chars);
    group.bench_function("sentences", |b| b.iter(|| sentences(black_box(&folded))));
    let spans = sentences(&folded);
    let frequency = DocumentFrequency::default();
    group.bench_function("keyword candidates", |b| {
        b.iter(|| candidates(&[], black_box(&folded), &spans, &frequency))
    });
    if let Some(model) = load(None) {
        group.bench_function("tokens", |b| {
            b.iter(|| model.tokenizer().tokens(black_box(&folded)))
        });
    }
    group.finish();
}

/// The same number of tokens in short, middling and long sequences.
fn encoder(c: &mut Criterion) {
    const TOKENS: usize = 4096;
    let mut group = c.benchmark_group("encoder");
    group
        .throughput(Throughput::Elements(TOKENS as u64))
        .sample_size(10);
    for precision in [Precision::F32, Precision::Int8] {
        // A processor without exact int8 products refuses.
        let Some(model) = load(Some(precision)) else {
            continue;
        };
        for length in [64, 256, 512] {
            let mut batch = TokenBatch::default();
            for s in 0..TOKENS / length {
                let ids: Vec<u32> = (0..length)
                    .map(|i| 700 + ((s * 31 + i * 7) % 9000) as u32)
                    .collect();
                batch.push(&ids);
            }
            group.bench_function(format!("{} {length}", precision.name()), |b| {
                b.iter(|| model.encode(black_box(&batch)).expect("it encodes"))
            });
        }
    }
    group.finish();
}

fn end_to_end(c: &mut Criterion) {
    let Some(model) = load(None) else { return };
    let mut group = c.benchmark_group("end to end");
    group
        .throughput(Throughput::Elements(PAGE.chars().count() as u64))
        .sample_size(10);
    group.bench_function("example page", |b| {
        b.iter_batched(
            || Input {
                id: "page",
                path: "page",
                bytes: PAGE.as_bytes(),
            },
            |input| brief(input, &model, &Options::default()).expect("it is a page"),
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group!(benches, text_stages, encoder, end_to_end);
criterion_main!(benches);
