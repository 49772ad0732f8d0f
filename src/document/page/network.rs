//! Small trained networks that read features and no encoder: they cost microseconds.

use serde::Deserialize;

/// A network with one hidden layer: `out · tanh(hidden · x + hidden_bias) + out_bias`, x standardised.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    mean: Vec<f32>,
    scale: Vec<f32>,
    hidden: Vec<Vec<f32>>,
    hidden_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

impl Network {
    /// One of the networks that are part of the program, from its JSON.
    pub(super) fn embedded(name: &str, json: &str, features: usize) -> Self {
        let network: Self = serde_json::from_str(json)
            .unwrap_or_else(|e| panic!("models/news/{name} is part of the program: {e}"));
        assert!(
            network.fits(features),
            "models/news/{name} was trained on other features"
        );
        network
    }

    fn fits(&self, features: usize) -> bool {
        let units = self.hidden.len();
        let by_feature = [&self.mean, &self.scale].into_iter().chain(&self.hidden);
        let by_unit = [&self.hidden_bias, &self.out];
        by_feature.into_iter().all(|v| v.len() == features)
            && by_unit.into_iter().all(|v| v.len() == units)
    }

    /// Above 0: rather yes.
    pub fn logit(&self, features: &[f32]) -> f32 {
        let x: Vec<f32> = features
            .iter()
            .zip(&self.mean)
            .zip(&self.scale)
            .map(|((x, mean), scale)| (x - mean) / scale)
            .collect();
        let mut score = self.out_bias;
        for ((row, bias), out) in self.hidden.iter().zip(&self.hidden_bias).zip(&self.out) {
            let sum: f32 = row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>() + bias;
            score += out * sum.tanh();
        }
        score
    }

    /// The probability of yes.
    pub fn probability(&self, features: &[f32]) -> f32 {
        1.0 / (1.0 + (-self.logit(features)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_by_hand() {
        let json = r#"{"mean":[1,0],"scale":[2,1],"hidden":[[1,-1]],"hidden_bias":[0.5],"out":[3],"out_bias":-1}"#;
        let network = Network::embedded("test", json, 2);
        let logit = 3.0 * (1.0f32 - 2.0 + 0.5).tanh() - 1.0;
        assert!((network.logit(&[3.0, 2.0]) - logit).abs() < 1e-6);
        assert!(!network.fits(3));
    }
}
