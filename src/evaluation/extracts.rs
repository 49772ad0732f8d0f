//! Summaries and keywords: character ROUGE (Lin 2004), hit@3, keyword F1.

use super::{f1, squeeze};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// One annotator's choice for one article.
#[derive(Debug, Clone, Deserialize)]
pub struct Gold {
    pub id: String,
    pub title: String,
    pub sentences: Vec<String>,
    /// Numbers of the chosen sentences, best first.
    pub sum: Vec<usize>,
    pub kw: Vec<String>,
}

/// What was predicted for one article.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prediction {
    pub id: String,
    pub summary: Vec<String>,
    pub keywords: Vec<String>,
}

/// Means over articles and annotators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    pub articles: usize,
    pub missing: usize,
    pub rouge1: f64,
    pub rouge2: f64,
    #[serde(rename = "rougeL")]
    pub rouge_l: f64,
    /// Share of predicted sentences that an annotator chose.
    #[serde(rename = "hit@3")]
    pub hit_at_3: f64,
    #[serde(rename = "kw_f1@5")]
    pub keyword_f1_at_5: f64,
    #[serde(rename = "kw_relaxed@5")]
    pub keyword_relaxed_at_5: f64,
    #[serde(rename = "kw_f1@8")]
    pub keyword_f1_at_8: f64,
    #[serde(rename = "kw_relaxed@8")]
    pub keyword_relaxed_at_8: f64,
}

/// F1 of overlapping n-grams of characters.
pub fn rouge_n(predicted: &[char], gold: &[char], n: usize) -> f64 {
    let count = |text: &[char]| {
        let mut counts: HashMap<Vec<char>, usize> = HashMap::new();
        for gram in text.windows(n) {
            *counts.entry(gram.to_vec()).or_default() += 1;
        }
        counts
    };
    let (a, b) = (count(predicted), count(gold));
    let shared: usize = a
        .iter()
        .map(|(gram, n)| (*n).min(b.get(gram).copied().unwrap_or(0)))
        .sum();
    let total = |counts: &HashMap<Vec<char>, usize>| counts.values().sum::<usize>().max(1) as f64;
    f1(shared as f64 / total(&a), shared as f64 / total(&b))
}

/// F1 of the longest common subsequence of characters.
pub fn rouge_l(predicted: &[char], gold: &[char]) -> f64 {
    let mut previous = vec![0usize; gold.len() + 1];
    for x in predicted {
        let mut current = vec![0usize; gold.len() + 1];
        for (j, y) in gold.iter().enumerate() {
            current[j + 1] = if x == y {
                previous[j] + 1
            } else {
                previous[j + 1].max(current[j])
            };
        }
        previous = current;
    }
    let longest = previous[gold.len()] as f64;
    f1(
        longest / predicted.len().max(1) as f64,
        longest / gold.len().max(1) as f64,
    )
}

/// F1 of the first `k` predicted keywords; relaxed counts one that contains the other.
pub fn keyword_f1(predicted: &[String], gold: &[String], k: usize, relaxed: bool) -> f64 {
    let mut seen = HashSet::new();
    let predicted: Vec<&String> = predicted
        .iter()
        .filter(|word| seen.insert(word.as_str()))
        .take(k)
        .collect();
    let long = |word: &str| word.chars().count() >= 2;
    let same = |x: &str, y: &str| {
        x == y || (relaxed && long(x) && long(y) && (x.contains(y) || y.contains(x)))
    };
    let right = predicted
        .iter()
        .filter(|p| gold.iter().any(|g| same(p, g)))
        .count() as f64;
    let found = gold
        .iter()
        .filter(|g| predicted.iter().any(|p| same(p, g)))
        .count() as f64;
    f1(
        right / predicted.len().max(1) as f64,
        found / gold.len().max(1) as f64,
    )
}

/// Scores predictions; each list of gold is one annotator of the same articles.
pub fn score(annotators: &[Vec<Gold>], predictions: &[Prediction]) -> Figures {
    let by_id: HashMap<&str, &Prediction> =
        predictions.iter().map(|p| (p.id.as_str(), p)).collect();
    let annotators: Vec<HashMap<&str, &Gold>> = annotators
        .iter()
        .map(|golds| golds.iter().map(|g| (g.id.as_str(), g)).collect())
        .collect();
    let mut ids: Vec<&str> = annotators
        .first()
        .map(|golds| golds.keys().copied().collect())
        .unwrap_or_default();
    ids.sort_unstable();
    let mut figures = Figures {
        articles: ids.len(),
        ..Figures::default()
    };
    let nothing = Prediction {
        id: String::new(),
        summary: Vec::new(),
        keywords: Vec::new(),
    };
    let mut compared = 0usize;
    for id in ids {
        let prediction = by_id.get(id).copied().unwrap_or_else(|| {
            figures.missing += 1;
            &nothing
        });
        let golds: Vec<&Gold> = annotators
            .iter()
            .filter_map(|golds| golds.get(id).copied())
            .collect();
        let summary: Vec<Vec<char>> = prediction
            .summary
            .iter()
            .take(3)
            .map(|s| squeeze(s))
            .collect();
        let chosen: HashSet<Vec<char>> = golds
            .iter()
            .flat_map(|g| {
                g.sum
                    .iter()
                    .filter_map(|&k| g.sentences.get(k))
                    .map(|s| squeeze(s))
            })
            .collect();
        let hits = summary
            .iter()
            .filter(|s| {
                chosen
                    .iter()
                    .any(|c| *s == c || (s.len() > 8 && (contains(c, s) || contains(s, c))))
            })
            .count();
        for gold in golds {
            let mut order = gold.sum.clone();
            order.sort_unstable();
            let reference: Vec<char> = order
                .iter()
                .filter_map(|&k| gold.sentences.get(k))
                .flat_map(|s| squeeze(s))
                .collect();
            let place: HashMap<Vec<char>, usize> = gold
                .sentences
                .iter()
                .enumerate()
                .map(|(k, s)| (squeeze(s), k))
                .collect();
            let mut ordered: Vec<&Vec<char>> = summary.iter().collect();
            ordered.sort_by_key(|s| place.get(*s).copied().unwrap_or(999));
            let predicted: Vec<char> = ordered.into_iter().flatten().copied().collect();
            figures.rouge1 += rouge_n(&predicted, &reference, 1);
            figures.rouge2 += rouge_n(&predicted, &reference, 2);
            figures.rouge_l += rouge_l(&predicted, &reference);
            figures.hit_at_3 += hits as f64 / 3.0;
            figures.keyword_f1_at_5 += keyword_f1(&prediction.keywords, &gold.kw, 5, false);
            figures.keyword_relaxed_at_5 += keyword_f1(&prediction.keywords, &gold.kw, 5, true);
            figures.keyword_f1_at_8 += keyword_f1(&prediction.keywords, &gold.kw, 8, false);
            figures.keyword_relaxed_at_8 += keyword_f1(&prediction.keywords, &gold.kw, 8, true);
            compared += 1;
        }
    }
    let n = compared.max(1) as f64;
    for value in [
        &mut figures.rouge1,
        &mut figures.rouge2,
        &mut figures.rouge_l,
        &mut figures.hit_at_3,
        &mut figures.keyword_f1_at_5,
        &mut figures.keyword_relaxed_at_5,
        &mut figures.keyword_f1_at_8,
        &mut figures.keyword_relaxed_at_8,
    ] {
        *value /= n;
    }
    figures
}

fn contains(whole: &[char], part: &[char]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn rouge_of_known_pairs() {
        assert_eq!(rouge_n(&chars("大桥通车"), &chars("大桥通车"), 2), 1.0);
        // Two of four characters each way.
        assert!((rouge_n(&chars("大桥通车"), &chars("大桥开工"), 1) - 0.5).abs() < 1e-12);
        assert!((rouge_l(&chars("大X桥"), &chars("大桥")) - 0.8).abs() < 1e-12);
        assert_eq!(rouge_n(&[], &chars("大桥"), 1), 0.0);
    }

    #[test]
    fn relaxed_keywords_may_contain_each_other() {
        let (predicted, gold) = (
            vec!["东江大桥".to_owned(), "通车".to_owned()],
            vec!["大桥".to_owned(), "通车".to_owned()],
        );
        assert_eq!(keyword_f1(&predicted, &gold, 8, true), 1.0);
        assert_eq!(keyword_f1(&predicted, &gold, 8, false), 0.5);
    }
}
