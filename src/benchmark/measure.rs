//! One case: a model on a device, a mix, a budget of tokens; the encoder alone or the whole stream.

use super::machine;
use super::mix::Mix;
use crate::encoder::batching;
use crate::encoder::window::TokenizedArticle;
use crate::encoder::{EncodeError, HiddenStates, TokenBatch};
use crate::model::Model;
use crate::output::record::{ArticleBrief, Record};
use crate::pipeline::batch::flow::{self, FlowError, Job, Observer, Sink};
use crate::pipeline::batch::tasks::NothingFinished;
use crate::pipeline::document::{Options, groups};
use crate::text::fold::fold;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Token ids → hidden states.
    Encoder,
    /// Files → records, as `jianbao batch` does it.
    EndToEnd,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::EndToEnd => "end-to-end",
        }
    }
}

/// Why a measurement could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error("{0} holds no article that can be read")]
    Nothing(String),
}

/// A mix as a model sees it.
pub struct Prepared {
    pub articles: Vec<ArticleBrief>,
    pub tokens: Vec<TokenizedArticle>,
    pub chars: usize,
}

impl Prepared {
    /// Reads the mix once from end to end. This is also the first warm-up.
    pub fn new(mix: &Mix, model: &Model, options: &Options) -> Result<Self, MeasureError> {
        let mut sink = Collect::default();
        run(mix, model, options, &mut sink)?;
        if sink.articles.is_empty() {
            return Err(MeasureError::Nothing(mix.name.clone()));
        }
        let tokens = sink
            .articles
            .iter()
            .map(|article| {
                // The printed text: datelines too, which the pipeline does not encode.
                let chars = |text: &str| fold(&text.chars().collect::<Vec<_>>());
                let (title, text) = (chars(&article.title), chars(&article.text));
                TokenizedArticle::new(model.tokenizer(), &title, &text, model.max_tokens())
            })
            .collect();
        Ok(Self {
            articles: sink.articles,
            tokens,
            chars: sink.chars,
        })
    }

    /// Tokens that the encoder computes, marks and overlaps included.
    pub fn encoded_tokens(&self) -> usize {
        let windows = self.tokens.iter().flat_map(|article| &article.windows);
        windows.map(|window| window.ids.len()).sum()
    }

    /// Encodes all articles, in groups of the size that the stream has, and hands on each article's states.
    pub fn encode(
        &self,
        model: &Model,
        batch_tokens: usize,
        mut each: impl FnMut(HiddenStates),
    ) -> Result<(), EncodeError> {
        for group in self.groups() {
            let states = batching::encode(&group, model.width(), batch_tokens, |batch| {
                model.encode(batch)
            })?;
            states.into_iter().for_each(&mut each);
        }
        Ok(())
    }

    /// Of what the encoder computes, tokens that stand for nothing.
    pub fn padded_tokens(&self, model: &Model, batch_tokens: usize) -> usize {
        let windows = |group: Vec<&TokenizedArticle>| -> Vec<Vec<u32>> {
            let windows = group.into_iter().flat_map(|article| &article.windows);
            windows.map(|window| window.ids.clone()).collect()
        };
        let padded = |windows: &[Vec<u32>]| -> usize {
            let lengths: Vec<usize> = windows.iter().map(Vec::len).collect();
            let batches = batching::plan(&lengths, batch_tokens).into_iter();
            batches
                .map(|places| {
                    let mut batch = TokenBatch::default();
                    places.iter().for_each(|&i| batch.push(&windows[i]));
                    model.computed_tokens(&batch) - batch.ids().len()
                })
                .sum()
        };
        self.groups().map(|group| padded(&windows(group))).sum()
    }

    fn groups(&self) -> impl Iterator<Item = Vec<&TokenizedArticle>> {
        groups(
            self.tokens.iter().collect(),
            |tokens: &&TokenizedArticle| tokens.rows(),
        )
        .into_iter()
    }
}

/// One timing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// Of one pass over the mix.
    pub seconds: f64,
    /// Of the processor package, for one pass, where the machine tells.
    pub joules: Option<f64>,
}

/// Passes over the mix, at least one, until `at_least` has gone by.
pub fn sample(
    stage: Stage,
    mix: &Mix,
    prepared: &Prepared,
    model: &Model,
    options: &Options,
    at_least: Duration,
) -> Result<Sample, MeasureError> {
    let energy = machine::energy();
    let began = Instant::now();
    let mut passes = 0u32;
    while passes == 0 || began.elapsed() < at_least {
        match stage {
            // States come back to the host, so a device has finished when this returns.
            Stage::Encoder => prepared.encode(model, options.batch_tokens, drop)?,
            Stage::EndToEnd => run(mix, model, options, &mut Discard)?,
        }
        passes += 1;
    }
    let passes = f64::from(passes);
    let joules = energy.zip(machine::energy());
    Ok(Sample {
        seconds: began.elapsed().as_secs_f64() / passes,
        joules: joules
            .map(|(before, after)| (after - before) / passes)
            .filter(|&joules| joules > 0.0),
    })
}

fn run(
    mix: &Mix,
    model: &Model,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<(), MeasureError> {
    let job = Job {
        inputs: Arc::clone(&mix.inputs),
        model,
        options,
        max_bytes: 64 << 20,
        finished: Arc::new(NothingFinished),
        stop: Arc::new(AtomicBool::new(false)),
    };
    flow::run(&job, sink, &Silent)?;
    Ok(())
}

struct Silent;

impl Observer for Silent {
    fn record(&self, _: &Record, _: u64) {}
}

/// Takes records and makes lines of them, as writing them would.
struct Discard;

impl Sink for Discard {
    fn record(&mut self, _: usize, record: &Record) -> std::io::Result<()> {
        std::hint::black_box(crate::output::json::line(record));
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Collect {
    articles: Vec<ArticleBrief>,
    chars: usize,
}

impl Sink for Collect {
    fn record(&mut self, _: usize, record: &Record) -> std::io::Result<()> {
        if let Record::Brief(brief) = record {
            self.chars += brief.source.chars;
            self.articles.extend(brief.articles.iter().cloned());
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
