//! Keywords: which phrases could index an article ([`candidates`]), and which of them are chosen.

pub mod candidates;

use candidates::Candidate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chosen keyword.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Keyword {
    /// As printed where it stands first.
    pub text: String,
    /// How well it indexes the article, 0 to 1.
    pub score: f64,
    /// How often it stands in title and text.
    pub count: usize,
}

/// Chooses the best `limit` candidates by `logits`; of overlapping ones (`东江大桥`, `大桥`) only the better.
pub fn choose(
    title: &[char],
    text: &[char],
    candidates: &[Candidate],
    logits: &[f32],
    limit: usize,
) -> Vec<Keyword> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    let mut chosen: Vec<usize> = Vec::new();
    for i in order {
        if chosen.len() == limit {
            break;
        }
        let key = &candidates[i].key;
        let overlaps = |&other: &usize| {
            contains(key, &candidates[other].key) || contains(&candidates[other].key, key)
        };
        if !chosen.iter().any(overlaps) {
            chosen.push(i);
        }
    }
    chosen
        .into_iter()
        .map(|i| {
            let candidate = &candidates[i];
            let printed = match candidate.in_title.first() {
                Some(span) => span.text(title),
                None => candidate.in_text[0].text(text),
            };
            let score = 1.0 / (1.0 + f64::from(-logits[i]).exp());
            let count = occurrences(title, &candidate.key) + occurrences(text, &candidate.key);
            Keyword {
                text: printed,
                score: (score * 1e4).round() / 1e4,
                count: count.max(1),
            }
        })
        .collect()
}

fn contains(whole: &[char], part: &[char]) -> bool {
    part.len() <= whole.len() && whole.windows(part.len()).any(|window| window == part)
}

/// Places where `key` (folded, lower case) stands in printed text, not overlapping.
fn occurrences(text: &[char], key: &[char]) -> usize {
    let same = |window: &[char]| {
        window
            .iter()
            .zip(key)
            .all(|(a, b)| crate::text::fold::fold_char(*a).to_ascii_lowercase() == *b)
    };
    let (mut at, mut count) = (0, 0);
    while at + key.len() <= text.len() {
        if same(&text[at..at + key.len()]) {
            count += 1;
            at += key.len();
        } else {
            at += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;
    use crate::text::document_frequency::DocumentFrequency;

    #[test]
    fn overlapping_candidates_are_merged_and_counted() {
        let text: Vec<char> = "东江大桥通车。东江大桥有四车道。".chars().collect();
        let spans = sentences(&text);
        let candidates = candidates::candidates(&[], &text, &spans, &DocumentFrequency::default());
        let logits: Vec<f32> = candidates.iter().map(|c| c.key.len() as f32).collect();
        let keywords = choose(&[], &text, &candidates, &logits, 8);
        let bridge = keywords.iter().find(|k| k.text.contains("大桥")).unwrap();
        assert!(bridge.count >= 1);
        for (i, a) in keywords.iter().enumerate() {
            for b in &keywords[i + 1..] {
                assert!(!a.text.contains(&b.text) && !b.text.contains(&a.text));
            }
        }
    }

    #[test]
    fn counts_printed_forms_by_their_folded_key() {
        let text: Vec<char> = "國務院召開會議，国务院部署。".chars().collect();
        let key: Vec<char> = "国务院".chars().collect();
        assert_eq!(occurrences(&text, &key), 2);
    }
}
