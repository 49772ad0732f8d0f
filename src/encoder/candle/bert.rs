//! BERT and XLM-RoBERTa encoders of `candle_transformers`, for any model of the Hub.
//!
//! They compute one sequence at a time: no padding, so no neighbour can change a result, and the mask that turns
//! every value of these models into NaN in f16 and bf16 (0 · −∞) is never needed. Half precision is refused all
//! the same: the models build that mask themselves.

use super::weights::Weights;
use crate::encoder::{EncodeError, Encoder, HiddenStates, TokenBatch};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, xlm_roberta};

/// A BERT-family encoder on its device.
pub struct BertFamily {
    model: Model,
    device: Device,
    width: usize,
    vocabulary: usize,
    max_tokens: usize,
}

enum Model {
    Bert(Box<bert::BertModel>),
    XlmRoberta(Box<xlm_roberta::XLMRobertaModel>),
}

impl BertFamily {
    /// From the text of a `config.json` (`model_type` bert, roberta or xlm-roberta) and f32 weights.
    pub fn new(
        config: &str,
        weights: Weights,
        device: Device,
    ) -> std::result::Result<Self, String> {
        let kind: serde_json::Value =
            serde_json::from_str(config).map_err(|e| format!("config.json: {e}"))?;
        let heads = kind["num_attention_heads"].as_u64().unwrap_or(0);
        if heads == 0
            || kind["hidden_size"]
                .as_u64()
                .is_none_or(|width| width == 0 || width % heads != 0)
        {
            return Err("config.json describes an impossible encoder: hidden_size is not a multiple of num_attention_heads".to_owned());
        }
        let kind = kind["model_type"].as_str().unwrap_or("bert").to_owned();
        let parse_error = |e: serde_json::Error| format!("config.json: {e}");
        let load_error = |e: candle_core::Error| format!("the weights do not fit config.json: {e}");
        let tensors = weights.into_tensors(&["bert.", "roberta.", "model.", "0.auto_model."]);
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &device);
        match kind.as_str() {
            "bert" => {
                let config: bert::Config = serde_json::from_str(config).map_err(parse_error)?;
                let (width, vocabulary, max_tokens) = (
                    config.hidden_size,
                    config.vocab_size,
                    config.max_position_embeddings,
                );
                let model = Model::Bert(Box::new(
                    bert::BertModel::load(builder, &config).map_err(load_error)?,
                ));
                Ok(Self {
                    model,
                    device,
                    width,
                    vocabulary,
                    max_tokens,
                })
            }
            "xlm-roberta" | "roberta" => {
                let config: xlm_roberta::Config =
                    serde_json::from_str(config).map_err(parse_error)?;
                let (width, vocabulary) = (config.hidden_size, config.vocab_size);
                // Positions count from the padding id + 1.
                let max_tokens = config
                    .max_position_embeddings
                    .saturating_sub(config.pad_token_id as usize + 1);
                let model =
                    xlm_roberta::XLMRobertaModel::new(&config, builder).map_err(load_error)?;
                Ok(Self {
                    model: Model::XlmRoberta(Box::new(model)),
                    device,
                    width,
                    vocabulary,
                    max_tokens,
                })
            }
            other => Err(format!(
                "model type `{other}` is not supported (roformer, bert, roberta and xlm-roberta are)"
            )),
        }
    }

    fn forward(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        let types = ids.zeros_like()?;
        let states = match &self.model {
            Model::Bert(model) => model.forward(&ids, &types, None)?,
            Model::XlmRoberta(model) => {
                let mask = ids.ones_like()?.to_dtype(DType::F32)?;
                model.forward(&ids, &mask, &types, None, None, None)?
            }
        };
        states.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }
}

impl Encoder for BertFamily {
    fn encode(&self, batch: &TokenBatch) -> std::result::Result<HiddenStates, EncodeError> {
        if let Some(id) = batch
            .ids()
            .iter()
            .find(|&&id| id as usize >= self.vocabulary)
        {
            return Err(EncodeError(format!(
                "token {id} is not in the vocabulary of {}",
                self.vocabulary
            )));
        }
        let mut values = Vec::with_capacity(batch.ids().len() * self.width);
        for sequence in batch.sequences() {
            values.extend(
                self.forward(sequence)
                    .map_err(|e| EncodeError(e.to_string()))?,
            );
        }
        Ok(HiddenStates {
            values,
            width: self.width,
        })
    }

    fn width(&self) -> usize {
        self.width
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}
