//! A small transformer over the sentences or the candidates of one article, on the CPU: each is scored in the light of
//! the others.
//!
//! The inter-sentence layers of BERTSum (Liu and Lapata 2019, <https://aclanthology.org/D19-1387/>), over features as
//! well as vectors. Items have no order here, as in a set transformer; where they stand is among their features.

use super::cpu::Norm;
use super::cpu::elementwise::exponentiate;
use super::cpu::vectorised::vectorised;
use super::dense::Dense;
use super::weights::Weights;
use crate::encoder::{EncodeError, add};
use serde::{Deserialize, Serialize};

const EPSILON: f32 = 1e-5;

/// Sizes of a head that reads items together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextShape {
    pub hidden: usize,
    pub layers: usize,
    pub attention_heads: usize,
    pub last_hidden: usize,
}

impl ContextShape {
    pub fn is_plausible(&self) -> bool {
        (1..=4096).contains(&self.hidden)
            && (1..=64).contains(&self.layers)
            && (1..=64).contains(&self.attention_heads)
            && (1..=4096).contains(&self.last_hidden)
            && self.hidden.is_multiple_of(self.attention_heads)
    }
}

/// The items of one article: flat matrices of one row an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContextItems {
    /// Which sentences or candidates they are.
    pub numbers: Vec<usize>,
    pub features: Vec<f32>,
    /// Means of hidden states.
    pub vectors: Vec<f32>,
    /// The score each had when it was read alone.
    pub own: Vec<f32>,
}

fn normed(norm: &Norm, x: &[f32]) -> Vec<f32> {
    let mut out = x.to_vec();
    norm.apply(&mut out);
    out
}

/// A layer that normalises first: attention, then a feed-forward part of twice the width.
struct Layer {
    attention_norm: Norm,
    /// Query, key and value in one.
    attention: Dense,
    attention_output: Dense,
    norm: Norm,
    wide: Dense,
    narrow: Dense,
}

impl Layer {
    fn new(weights: &mut Weights, name: &str, hidden: usize) -> Result<Self, String> {
        let mut dense = |part: &str, inputs, outputs| {
            Dense::new(weights, &format!("{name}.{part}"), inputs, outputs)
        };
        Ok(Self {
            attention: dense("attention", hidden, 3 * hidden)?,
            attention_output: dense("attention_output", hidden, hidden)?,
            wide: dense("wide", hidden, 2 * hidden)?,
            narrow: dense("narrow", 2 * hidden, hidden)?,
            attention_norm: Norm::take(
                weights,
                &format!("{name}.attention_norm"),
                hidden,
                EPSILON,
            )?,
            norm: Norm::take(weights, &format!("{name}.norm"), hidden, EPSILON)?,
        })
    }

    fn forward(&self, x: &mut [f32], shape: ContextShape) -> Result<(), EncodeError> {
        let joined = self.attention.apply(&normed(&self.attention_norm, x))?;
        let mut read = vec![0.0; x.len()];
        let size = shape.hidden / shape.attention_heads;
        for first in (0..shape.hidden).step_by(size) {
            attend(&joined, shape.hidden, first, size, &mut read);
        }
        add(x, &self.attention_output.apply(&read)?);
        let wide = self.wide.gelu(&normed(&self.norm, x))?;
        add(x, &self.narrow.apply(&wide)?);
        Ok(())
    }
}

vectorised! {
    /// One head, columns `first..first + size`, of rows of all queries, all keys, all values (each `hidden` wide) → the same
    /// columns of `out`.
    fn attend(joined: &'a [f32], hidden: usize, first: usize, size: usize, out: &'a mut [f32]) {
        let scale = 1.0 / (size as f32).sqrt();
        // Keys with the items next to each other: one pass over them adds a column to all scores.
        let items = out.len() / hidden;
        let mut keys = vec![0.0f32; items * size];
        for (item, row) in joined.chunks_exact(3 * hidden).enumerate() {
            for (column, key) in row[hidden + first..][..size].iter().enumerate() {
                keys[column * items + item] = *key;
            }
        }
        let mut scores = vec![0.0f32; items];
        for (row, out) in joined.chunks_exact(3 * hidden).zip(out.chunks_exact_mut(hidden)) {
            scores.fill(0.0);
            for (query, keys) in row[first..][..size].iter().zip(keys.chunks_exact(items)) {
                let query = query * scale;
                for (score, key) in scores.iter_mut().zip(keys) {
                    *score += query * key;
                }
            }
            let total = exponentiate(&mut scores);
            let out = &mut out[first..first + size];
            for (weight, row) in scores.iter().zip(joined.chunks_exact(3 * hidden)) {
                let weight = weight / total;
                for (out, value) in out.iter_mut().zip(&row[2 * hidden + first..][..size]) {
                    *out += weight * value;
                }
            }
        }
    }
}

/// Items read together → one score each.
pub struct ContextHead {
    shape: ContextShape,
    /// Features are kept within what training knew.
    lowest: Vec<f32>,
    highest: Vec<f32>,
    features: Dense,
    vector: Dense,
    article: Dense,
    layers: Vec<Layer>,
    norm: Norm,
    first: Dense,
    last: Dense,
    /// How far the score that an item had alone is kept.
    trust: f32,
}

impl ContextHead {
    /// Takes the tensors `NAME.…`; items have `columns` features and vectors of `width`.
    pub fn new(
        weights: &mut Weights,
        name: &str,
        shape: ContextShape,
        columns: usize,
        width: usize,
    ) -> Result<Self, String> {
        let hidden = shape.hidden;
        let mut bound = |kind: &str| weights.take_values(&format!("{name}.{kind}"), &[columns]);
        let (lowest, highest) = (bound("lowest")?, bound("highest")?);
        let layers = (0..shape.layers)
            .map(|i| Layer::new(weights, &format!("{name}.layer.{i}"), hidden))
            .collect::<Result<_, _>>()?;
        let mut dense = |part: &str, inputs, outputs| {
            Dense::new(weights, &format!("{name}.{part}"), inputs, outputs)
        };
        Ok(Self {
            features: dense("features", columns, hidden)?,
            vector: dense("vector", width, hidden)?,
            article: dense("article", width, hidden)?,
            first: dense("first", hidden, shape.last_hidden)?,
            last: dense("last", shape.last_hidden, 1)?,
            norm: Norm::take(weights, &format!("{name}.norm"), hidden, EPSILON)?,
            trust: weights.take_values(&format!("{name}.trust"), &[1])?[0],
            shape,
            lowest,
            highest,
            layers,
        })
    }

    /// One score an item, in their order. `article` is the article's mean state.
    pub fn scores(&self, items: &ContextItems, article: &[f32]) -> Result<Vec<f32>, EncodeError> {
        if items.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let mut features = items.features.clone();
        for row in features.chunks_exact_mut(self.lowest.len()) {
            for ((x, lowest), highest) in row.iter_mut().zip(&self.lowest).zip(&self.highest) {
                *x = x.max(*lowest).min(*highest);
            }
        }
        let mut x = self.features.apply(&features)?;
        add(&mut x, &self.vector.apply(&items.vectors)?);
        let article = self.article.apply(article)?;
        for row in x.chunks_exact_mut(self.shape.hidden) {
            add(row, &article);
        }
        for layer in &self.layers {
            layer.forward(&mut x, self.shape)?;
        }
        let mut scores = self
            .last
            .apply(&self.first.gelu(&normed(&self.norm, &x))?)?;
        for (score, own) in scores.iter_mut().zip(&items.own) {
            *score += self.trust * own;
        }
        Ok(scores)
    }
}

#[cfg(all(test, feature = "embedded-model"))]
mod tests {
    use super::*;
    use crate::analysis::context::{CANDIDATE_FEATURES, SENTENCE_FEATURES};

    /// What PyTorch says of the same items (`training/jianbao_training/context.py`).
    #[test]
    fn says_what_its_training_said() {
        #[derive(Deserialize)]
        struct Made {
            features: Vec<f32>,
            vectors: Vec<f32>,
            article: Vec<f32>,
            own: Vec<f32>,
            scores: Vec<f32>,
        }
        #[derive(Deserialize)]
        struct Fixture {
            salience: Made,
            keyword: Made,
        }
        #[derive(Deserialize)]
        struct Config {
            jianbao: Heads,
        }
        #[derive(Deserialize)]
        struct Heads {
            context: ContextShape,
        }
        let fixture: Fixture =
            serde_json::from_str(include_str!("../../../tests/fixtures/context.json"))
                .expect("part of the tests");
        let config: Config = serde_json::from_str(include_str!("../../../models/news/config.json"))
            .expect("part of the program");
        let mut weights =
            Weights::from_safetensors(include_bytes!("../../../models/news/model.safetensors"))
                .expect("part of the program");
        let parts = [
            ("salience", SENTENCE_FEATURES, fixture.salience),
            ("keyword", CANDIDATE_FEATURES, fixture.keyword),
        ];
        for (name, columns, made) in parts {
            let name = format!("head.context.{name}");
            let width = made.article.len();
            let shape = config.jianbao.context;
            let head = ContextHead::new(&mut weights, &name, shape, columns, width)
                .expect("part of the program");
            let items = ContextItems {
                numbers: (0..made.own.len()).collect(),
                features: made.features,
                vectors: made.vectors,
                own: made.own,
            };
            let scores = head.scores(&items, &made.article).expect("sound items");
            for (score, expected) in scores.iter().zip(&made.scores) {
                assert!(
                    (score - expected).abs() < 2e-3,
                    "{name}: {score} {expected}"
                );
            }
            assert_eq!(scores.len(), made.scores.len());
        }
    }
}
