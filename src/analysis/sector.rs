//! The sectors an article can be filed under.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One sector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sector {
    /// Short ASCII name.
    pub key: String,
    /// What people read.
    pub label: String,
    /// IPTC Media Topic (<https://iptc.org/standards/media-topics/>), when one fits.
    #[serde(default)]
    pub iptc: Option<String>,
    /// What belongs here, for encoders without a trained head.
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sector: Vec<Sector>,
}

/// The sectors to choose from, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxonomy {
    pub sectors: Vec<Sector>,
}

/// What is wrong with a sector file.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("is not a valid sector file: {0}")]
    Invalid(String),
}

/// More sectors than this make no sense and would bloat every record.
const MAX_SECTORS: usize = 500;
const MAX_FILE_BYTES: u64 = 4 << 20;

impl Taxonomy {
    /// The 21 sectors of `prompts/sectors.toml`.
    pub fn embedded() -> Self {
        Self::parse(include_str!("../../prompts/sectors.toml"))
            .expect("prompts/sectors.toml is part of the program")
    }

    /// Reads a file in the form of `prompts/sectors.toml`.
    pub fn read(path: &Path) -> Result<Self, TaxonomyError> {
        if path.metadata()?.len() > MAX_FILE_BYTES {
            return Err(TaxonomyError::Invalid("it is larger than 4 MiB".to_owned()));
        }
        Self::parse(&std::fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, TaxonomyError> {
        let invalid = |message: String| Err(TaxonomyError::Invalid(message));
        let file: File = toml::from_str(text)
            .map_err(|e| TaxonomyError::Invalid(e.to_string().trim_end().to_owned()))?;
        if !(2..=MAX_SECTORS).contains(&file.sector.len()) {
            return invalid(format!(
                "it has {} sectors; 2 to {MAX_SECTORS} are allowed",
                file.sector.len()
            ));
        }
        for (i, sector) in file.sector.iter().enumerate() {
            if sector.key.trim().is_empty()
                || sector.label.trim().is_empty()
                || sector.text.trim().is_empty()
            {
                return invalid(format!("sector {} has an empty key, label or text", i + 1));
            }
            if file.sector[..i].iter().any(|other| other.key == sector.key) {
                return invalid(format!("the key `{}` stands twice", sector.key));
            }
        }
        Ok(Self {
            sectors: file.sector,
        })
    }

    /// Whether a head trained for `keys` can serve this taxonomy: the same keys, in any order.
    pub fn has_keys(&self, keys: &[String]) -> bool {
        self.sectors.len() == keys.len()
            && self.sectors.iter().all(|sector| keys.contains(&sector.key))
    }
}

/// The sector an article is filed under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChosenSector {
    pub key: String,
    pub label: String,
    pub iptc: Option<String>,
    /// Probability, 0 to 1.
    pub score: f64,
}

/// One sector's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SectorScore {
    pub key: String,
    pub score: f64,
}

/// All sectors with their probabilities, best first (ties in the taxonomy's order). `logits` are in the
/// taxonomy's order; the scores have four decimals and sum to 1.
pub fn rank(taxonomy: &Taxonomy, logits: &[f32]) -> (ChosenSector, Vec<SectorScore>) {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&x| f64::from(x - best).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let exact: Vec<f64> = order.iter().map(|&i| weights[i] / total * 1e4).collect();
    let mut units: Vec<i64> = exact.iter().map(|x| x.floor() as i64).collect();
    // Largest remainders (Hamilton's method): floors, and one unit more for the largest fractions.
    let mut by_fraction: Vec<usize> = (0..order.len()).collect();
    by_fraction.sort_by(|&a, &b| {
        exact[b]
            .fract()
            .total_cmp(&exact[a].fract())
            .then(a.cmp(&b))
    });
    let missing = (10_000 - units.iter().sum::<i64>()).max(0) as usize;
    for &i in by_fraction.iter().cycle().take(missing) {
        units[i] += 1;
    }
    let scores: Vec<SectorScore> = order
        .iter()
        .zip(units)
        .map(|(&i, units)| SectorScore {
            key: taxonomy.sectors[i].key.clone(),
            score: units as f64 / 1e4,
        })
        .collect();
    let first = &taxonomy.sectors[order[0]];
    let chosen = ChosenSector {
        key: first.key.clone(),
        label: first.label.clone(),
        iptc: first.iptc.clone(),
        score: scores[0].score,
    };
    (chosen, scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_best_first_and_sum_to_one() {
        let taxonomy = Taxonomy::embedded();
        assert_eq!(taxonomy.sectors.len(), 21);
        let logits: Vec<f32> = (0..21).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let (chosen, scores) = rank(&taxonomy, &logits);
        assert_eq!(chosen.key, scores[0].key);
        assert!(scores.windows(2).all(|w| w[0].score >= w[1].score));
        assert!((scores.iter().map(|s| s.score).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Taxonomy::parse("[[sector]]\nkey='a'\nlabel='甲'\ntext='甲'\ncolour='red'\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("colour"), "{error}");
        let twice = "[[sector]]\nkey='a'\nlabel='甲'\ntext='甲'\n".repeat(2);
        assert!(
            Taxonomy::parse(&twice)
                .unwrap_err()
                .to_string()
                .contains("stands twice")
        );
    }
}
