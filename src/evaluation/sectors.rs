//! Sectors: accuracy, macro-F1, calibration, confusions.

use super::f1;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A hand-labelled article.
#[derive(Debug, Clone, Deserialize)]
pub struct Gold {
    pub id: String,
    pub sector: String,
    /// Sectors that a second editor could have defended.
    #[serde(default)]
    pub also: Vec<String>,
}

/// What was predicted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prediction {
    pub id: String,
    pub sector: String,
    pub score: f64,
}

/// Figures over all gold articles; a missing prediction is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub articles: usize,
    pub missing: usize,
    pub accuracy: f64,
    /// Counting the secondary sectors as right.
    pub accuracy_also: f64,
    /// Mean F1 over the sectors that the gold has.
    pub macro_f1: f64,
    /// Expected calibration error in ten bins (Guo et al. 2017), for "right" as in `accuracy`.
    pub calibration_error: f64,
    /// The commonest mistakes: gold sector, predicted sector, how often.
    pub confusions: Vec<(String, String, usize)>,
}

/// Scores predictions.
pub fn score(golds: &[Gold], predictions: &[Prediction]) -> Figures {
    let by_id: BTreeMap<&str, &Prediction> =
        predictions.iter().map(|p| (p.id.as_str(), p)).collect();
    let (mut right, mut defensible, mut missing) = (0usize, 0usize, 0usize);
    // Per sector: true positives, predicted, gold.
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut confusions: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut bins = [(0.0f64, 0usize, 0usize); 10];
    for gold in golds {
        counts.entry(&gold.sector).or_default()[2] += 1;
        let Some(prediction) = by_id.get(gold.id.as_str()) else {
            missing += 1;
            continue;
        };
        let hit = prediction.sector == gold.sector;
        right += usize::from(hit);
        defensible += usize::from(hit || gold.also.contains(&prediction.sector));
        counts.entry(&prediction.sector).or_default()[1] += 1;
        if hit {
            counts.entry(&gold.sector).or_default()[0] += 1;
        } else {
            *confusions
                .entry((&gold.sector, &prediction.sector))
                .or_default() += 1;
        }
        let bin = &mut bins[((prediction.score * 10.0) as usize).min(9)];
        *bin = (
            bin.0 + prediction.score,
            bin.1 + usize::from(hit),
            bin.2 + 1,
        );
    }
    let n = golds.len().max(1) as f64;
    let with_gold: Vec<&[usize; 3]> = counts.values().filter(|c| c[2] > 0).collect();
    let sector_f1 =
        |c: &[usize; 3]| f1(c[0] as f64 / c[1].max(1) as f64, c[0] as f64 / c[2] as f64);
    let mut confusions: Vec<(String, String, usize)> = confusions
        .into_iter()
        .map(|((gold, predicted), n)| (gold.to_owned(), predicted.to_owned(), n))
        .collect();
    confusions.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
    confusions.truncate(15);
    Figures {
        articles: golds.len(),
        missing,
        accuracy: right as f64 / n,
        accuracy_also: defensible as f64 / n,
        macro_f1: with_gold.iter().map(|c| sector_f1(c)).sum::<f64>()
            / with_gold.len().max(1) as f64,
        calibration_error: bins
            .iter()
            .map(|&(score, hits, _)| (score - hits as f64).abs())
            .sum::<f64>()
            / n,
        confusions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secondary_sectors_count_for_the_second_figure() {
        let gold = |id: &str, sector: &str, also: &[&str]| Gold {
            id: id.to_owned(),
            sector: sector.to_owned(),
            also: also.iter().map(|&s| s.to_owned()).collect(),
        };
        let prediction = |id: &str, sector: &str| Prediction {
            id: id.to_owned(),
            sector: sector.to_owned(),
            score: 0.9,
        };
        let golds = [
            gold("1", "law", &[]),
            gold("2", "law", &["politics"]),
            gold("3", "sports", &[]),
        ];
        let figures = score(
            &golds,
            &[prediction("1", "law"), prediction("2", "politics")],
        );
        assert_eq!(
            (figures.accuracy, figures.accuracy_also, figures.missing),
            (1.0 / 3.0, 2.0 / 3.0, 1)
        );
        assert_eq!(
            figures.confusions,
            [("law".to_owned(), "politics".to_owned(), 1)]
        );
    }
}
