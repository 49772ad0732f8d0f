//! What sentences and phrases are in the light of the others, once each has a score of its own.
//!
//! A head that reads one sentence at a time cannot know that a better one says the same, or that nobody else names
//! what an editor will index. These features tell the heads that read all of them together
//! (`src/model/context.rs`); they are computed from the text and the first scores alone.

use super::keywords::candidates::{self, Candidate};
use super::keywords::{contains, core, overlap, probability};
use super::salience::{self, Bigrams, paragraphs};
use crate::document::Span;
use std::collections::HashMap;

/// Length of a sentence's features: those in its context, then those of its own.
pub const SENTENCE_FEATURES: usize = IN_CONTEXT + salience::FEATURES;
/// Length of a candidate's features: those in its context, then those of its own.
pub const CANDIDATE_FEATURES: usize = IN_CONTEXT + candidates::FEATURES;
/// Of either, those in its context.
const IN_CONTEXT: usize = 30;

/// Keywords that sentences are asked about.
const ASKED_KEYWORDS: usize = 10;
/// Better sentences that a sentence is compared with.
const COMPARED: usize = 10;
/// A logit this far below the best one is as good as any lower one.
const LOWEST: f32 = -12.0;

/// An article whose sentences and candidates have been scored one by one.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Folded title and text.
    pub title: &'a [char],
    pub text: &'a [char],
    pub sentences: &'a [Span],
    /// Features of each sentence, and its logit.
    pub own: &'a [[f32; salience::FEATURES]],
    pub salience: &'a [f32],
    pub candidates: &'a [Candidate],
    /// A candidate's logit; −∞ for one that no token stands for.
    pub keywords: &'a [f32],
}

/// The best `most` of the finite `logits`, best first.
pub fn best(logits: &[f32], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len())
        .filter(|&i| logits[i].is_finite())
        .collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order.truncate(most);
    order
}

/// How far below the best one each logit is, and no further than 12.
pub fn below_best(logits: &[f32]) -> Vec<f32> {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter().map(|x| (x - best).max(LOWEST)).collect()
}

/// That each sentence belongs to a summary of three: thrice its share of the softmax, at most 1.
fn probabilities(logits: &[f32]) -> Vec<f32> {
    let weights: Vec<f32> = below_best(logits).iter().map(|x| x.exp()).collect();
    let total: f32 = weights.iter().sum();
    weights.iter().map(|w| (3.0 * w / total).min(1.0)).collect()
}

/// The place of each item when they are ordered from the highest value.
fn ranks(values: &[f32]) -> Vec<usize> {
    let mut out = vec![0; values.len()];
    for (rank, i) in best(values, values.len()).into_iter().enumerate() {
        out[i] = rank;
    }
    out
}

/// Which sentences the likeliest keywords stand in.
struct Mentions {
    /// How likely each of them is a keyword.
    probabilities: Vec<f32>,
    /// For each sentence: does it have this one?
    has: Vec<[bool; ASKED_KEYWORDS]>,
}

impl Mentions {
    fn of(article: &Scored<'_>) -> Self {
        let mut chosen: Vec<(usize, Vec<char>)> = Vec::new();
        for i in best(article.keywords, 4 * ASKED_KEYWORDS) {
            let core = core(&article.candidates[i].key);
            if chosen.len() < ASKED_KEYWORDS && !chosen.iter().any(|(_, c)| overlap(c, &core)) {
                chosen.push((i, core));
            }
        }
        let mut has = vec![[false; ASKED_KEYWORDS]; article.sentences.len()];
        for (k, (i, _)) in chosen.iter().enumerate() {
            for sentence in article.mentioning(&article.candidates[*i]) {
                has[sentence][k] = true;
            }
        }
        let logit = |(i, _): &(usize, _)| probability(article.keywords[*i]);
        Self {
            probabilities: chosen.iter().map(logit).collect(),
            has,
        }
    }

    /// What the keywords of one sentence are worth, without those that `told` has.
    fn worth(&self, sentence: usize, told: &[bool; ASKED_KEYWORDS]) -> f32 {
        let asked = self.probabilities.iter().zip(&self.has[sentence]).zip(told);
        asked
            .filter(|((_, has), told)| **has && !**told)
            .map(|((p, _), _)| p)
            .sum()
    }

    /// The keywords that any of these sentences has.
    fn told(&self, sentences: impl Iterator<Item = usize>) -> [bool; ASKED_KEYWORDS] {
        let mut told = [false; ASKED_KEYWORDS];
        sentences.for_each(|sentence| self.tell(sentence, &mut told));
        told
    }

    /// Adds one sentence's keywords to those that are `told`.
    fn tell(&self, sentence: usize, told: &mut [bool; ASKED_KEYWORDS]) {
        for (told, has) in told.iter_mut().zip(&self.has[sentence]) {
            *told |= has;
        }
    }
}

impl Scored<'_> {
    /// The sentences that a candidate stands in, in order.
    fn mentioning(&self, candidate: &Candidate) -> Vec<usize> {
        let sentence = |place: &Span| {
            let next = self.sentences.partition_point(|s| s.start <= place.start);
            next.checked_sub(1)
        };
        let mut out: Vec<usize> = candidate.in_text.iter().filter_map(sentence).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Features of every sentence.
    pub fn sentence_features(&self) -> Vec<[f32; SENTENCE_FEATURES]> {
        let n = self.sentences.len();
        let logits = below_best(self.salience);
        let p = probabilities(self.salience);
        let order = best(&logits, n);
        let at_rank = |rank: usize| order.get(rank.min(n.saturating_sub(1))).copied();
        let rank = ranks(&logits);
        let lengths: Vec<f32> = self.sentences.iter().map(|s| s.len() as f32).collect();
        let length_rank = ranks(&lengths);
        let total: f32 = lengths.iter().sum::<f32>().max(1.0);
        let bags: Vec<Bigrams> = self
            .sentences
            .iter()
            .map(|s| Bigrams::of(s.of(self.text)))
            .collect();
        let expected = Expected::of(&bags, &p);
        let mentions = Mentions::of(self);
        let nothing = [false; ASKED_KEYWORDS];
        let worth: Vec<f32> = (0..n).map(|i| mentions.worth(i, &nothing)).collect();
        let worth_rank = ranks(&worth);
        let all_worth = mentions.probabilities.iter().sum::<f32>() + 1e-6;
        let paragraph = paragraphs(self.text, self.sentences);
        let mut in_paragraph: HashMap<usize, (usize, usize, f32)> = HashMap::new();
        for i in 0..n {
            let (_, count, best) = in_paragraph.entry(paragraph[i]).or_insert((i, 0, 0.0));
            *count += 1;
            *best = best.max(p[i]);
        }
        let mut mentioned = nothing;
        let mut before = 0.0;
        let mut out = Vec::with_capacity(n);
        for i in 0..n {
            let sentence = self.sentences[i].of(self.text);
            let neighbour = |at: Option<usize>| at.and_then(|at| p.get(at)).map_or(-1.0, |p| *p);
            let sum = |range: std::ops::Range<usize>| p[range].iter().sum::<f32>();
            let below = |rank: usize| logits[i] - at_rank(rank).map_or(0.0, |j| logits[j]);
            let alike = |rank: usize| match order.get(rank) {
                Some(&other) if other != i => bags[i].cosine(&bags[other]),
                _ => -1.0,
            };
            let better = order.iter().take(rank[i].min(COMPARED));
            let best_others = order.iter().copied().filter(|&j| j != i);
            let (first, count, best) = in_paragraph[&paragraph[i]];
            let marks = |mark: char| sentence.iter().filter(|&&c| c == mark).count() as f32;
            let context: [f32; IN_CONTEXT] = [
                logits[i],
                p[i],
                rank[i] as f32 / n as f32,
                below(2),
                below(5),
                neighbour(i.checked_sub(1)),
                neighbour(Some(i + 1)),
                sum(i.saturating_sub(3)..i),
                sum(i + 1..n.min(i + 4).max(i + 1)),
                before / total,
                lengths[i] / total,
                length_rank[i] as f32 / n as f32,
                (i - first) as f32,
                count as f32,
                best - p[i],
                alike(0),
                alike(1),
                alike(2),
                better
                    .map(|&j| bags[i].cosine(&bags[j]))
                    .fold(0.0, f32::max),
                expected.coverage(&bags[i], p[i]),
                worth[i],
                worth[i] / all_worth,
                worth_rank[i] as f32 / n as f32,
                mentions.worth(i, &mentions.told(best_others.clone().take(1))),
                mentions.worth(i, &mentions.told(best_others.take(3))),
                mentions.worth(i, &mentioned),
                numbers(sentence) as f32,
                marks('，') + marks(','),
                marks('、'),
                marks('；') + marks(';'),
            ];
            let mut row = [0.0; SENTENCE_FEATURES];
            row[..IN_CONTEXT].copy_from_slice(&context);
            row[IN_CONTEXT..].copy_from_slice(&self.own[i]);
            out.push(row);
            before += lengths[i];
            mentions.tell(i, &mut mentioned);
        }
        out
    }

    /// Features of `likely` candidates, which are in order, best first.
    pub fn candidate_features(&self, likely: &[usize]) -> Vec<[f32; CANDIDATE_FEATURES]> {
        let p = probabilities(self.salience);
        let logits: Vec<f32> = likely.iter().map(|&i| self.keywords[i]).collect();
        let own: Vec<f32> = logits.iter().map(|&x| probability(x)).collect();
        let cores: Vec<Vec<char>> = likely
            .iter()
            .map(|&i| core(&self.candidates[i].key))
            .collect();
        let n = likely.len();
        let sum: f32 = own.iter().sum();
        let eighth = logits.get(7).or(logits.last()).copied().unwrap_or_default();
        (0..n)
            .map(|i| {
                let candidate = &self.candidates[likely[i]];
                let salient: Vec<f32> = (self.mentioning(candidate).into_iter())
                    .map(|s| p[s])
                    .collect();
                let salience: f32 = salient.iter().sum();
                let others = || (0..n).filter(|&j| j != i);
                let wider: Vec<usize> = others()
                    .filter(|&j| contains(&cores[j], &cores[i]))
                    .collect();
                let narrower: Vec<usize> = others()
                    .filter(|&j| contains(&cores[i], &cores[j]))
                    .collect();
                let most = |of: &[usize]| of.iter().map(|&j| own[j]).fold(-1.0, f32::max);
                let all = |of: &[usize]| of.iter().map(|&j| own[j]).sum::<f32>();
                let variants = || wider.iter().chain(&narrower).copied();
                let key = &candidate.key;
                let better = |same: &dyn Fn(&[char]) -> bool| {
                    likely[..i]
                        .iter()
                        .filter(|&&j| same(&self.candidates[j].key))
                        .count() as f32
                };
                let context: [f32; IN_CONTEXT] = [
                    logits[i],
                    own[i],
                    i as f32,
                    i as f32 / n as f32,
                    salient.iter().copied().fold(-1.0, f32::max),
                    salience,
                    salient.len() as f32,
                    if salient.is_empty() {
                        -1.0
                    } else {
                        salience / salient.len() as f32
                    },
                    most(&wider),
                    most(&narrower),
                    wider.len() as f32,
                    narrower.len() as f32,
                    variants().map(|j| logits[j]).fold(-9.0, f32::max) - logits[i],
                    variants().filter(|&j| logits[j] > logits[i]).count() as f32,
                    all(&wider),
                    all(&narrower),
                    candidate.in_title.len() as f32,
                    candidate.in_text.len() as f32,
                    key.len() as f32,
                    cores[i].len() as f32,
                    logits[0] - logits[i],
                    eighth - logits[i],
                    sum,
                    self.sentences.len() as f32,
                    self.text.len() as f32,
                    self.title.len() as f32,
                    (candidate.in_text.first())
                        .map_or(-1.0, |s| s.start as f32 / self.text.len().max(1) as f32),
                    better(&|other| other.first() == key.first()),
                    better(&|other| other.last() == key.last()),
                    better(&|other| other.ends_with(&key[key.len().saturating_sub(2)..])),
                ];
                let mut row = [0.0; CANDIDATE_FEATURES];
                row[..IN_CONTEXT].copy_from_slice(&context);
                row[IN_CONTEXT..].copy_from_slice(&candidate.features);
                row
            })
            .collect()
    }
}

/// Runs of digits.
fn numbers(sentence: &[char]) -> usize {
    let digit = |i: usize| sentence[i].is_ascii_digit();
    (0..sentence.len())
        .filter(|&i| digit(i) && (i == 0 || !digit(i - 1)))
        .count()
}

/// How often each pair of characters is expected in a summary.
struct Expected(HashMap<(char, char), u64>);

impl Expected {
    /// Whole millionths, whose sum does not depend on the order of a hash map.
    const SCALE: f32 = 1e6;

    fn of(bags: &[Bigrams], p: &[f32]) -> Self {
        let mut out = HashMap::new();
        for (bag, p) in bags.iter().zip(p) {
            for pair in bag.pairs() {
                *out.entry(pair).or_insert(0) += (p * Self::SCALE) as u64;
            }
        }
        Self(out)
    }

    /// What other sentences are expected to say of this one's pairs, a pair.
    fn coverage(&self, bag: &Bigrams, p: f32) -> f32 {
        let (mut sum, mut pairs) = (0, 0);
        for pair in bag.pairs() {
            sum += self.0[&pair] - (p * Self::SCALE) as u64;
            pairs += 1;
        }
        sum as f32 / Self::SCALE / pairs.max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;
    use crate::text::document_frequency::DocumentFrequency;

    /// Calls `check` with the article as the heads left it: `salience` for its sentences, and for each of `keywords` a
    /// logit of 2, for any other candidate one of −4.
    fn scored<T>(
        text: &str,
        salience: &[f32],
        keywords: &[&str],
        check: impl Fn(&Scored<'_>) -> T,
    ) -> T {
        let text: Vec<char> = text.chars().collect();
        let spans = sentences(&text);
        let own = salience::features(&[], &text, &spans);
        let candidates = candidates::candidates(&[], &text, &spans, &DocumentFrequency::default());
        let logits: Vec<f32> = (candidates.iter())
            .map(|c| keywords.contains(&&*c.key.iter().collect::<String>()))
            .map(|wanted| if wanted { 2.0 } else { -4.0 })
            .collect();
        check(&Scored {
            title: &[],
            text: &text,
            sentences: &spans,
            own: &own,
            salience: &salience[..spans.len()],
            candidates: &candidates,
            keywords: &logits,
        })
    }

    const BRIDGE: &str = "东江大桥今天正式通车。\n市民冒雨走上东江大桥，共有12位市民代表发言；\n天气预报说明天有雨。";

    #[test]
    fn a_sentence_is_seen_beside_the_better_ones() {
        let rows = scored(BRIDGE, &[3.0, 2.0, 0.0], &["东江大桥"], |article| {
            article.sentence_features()
        });
        let [bridge, people, weather] = [0, 1, 2].map(|i| &rows[i]);
        // Logits below the best one, places in the order of logits, neighbours.
        assert_eq!([bridge[0], people[0], weather[0]], [0.0, -1.0, -3.0]);
        assert_eq!([bridge[5], weather[6]], [-1.0, -1.0]);
        assert_eq!(people[5], bridge[1]);
        // What others say too, and what a better one has said.
        assert!(people[18] > weather[18]);
        assert!(people[19] > weather[19]);
        // The keyword: in two sentences, new in the first.
        assert!(bridge[20] > 0.8 && people[20] > 0.8 && weather[20] < 0.3);
        assert!(people[23] < people[20] && people[25] < people[20] && bridge[25] > 0.8);
        assert_eq!((people[26], people[27], people[29]), (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_candidate_is_seen_beside_its_variants() {
        scored(BRIDGE, &[3.0, 2.0, 0.0], &["东江大桥"], |article| {
            let likely = best(article.keywords, 64);
            let rows = article.candidate_features(&likely);
            let place = |key: &str| {
                let is_key =
                    |&i: &usize| article.candidates[i].key.iter().collect::<String>() == key;
                likely
                    .iter()
                    .position(is_key)
                    .unwrap_or_else(|| panic!("{key} is a candidate"))
            };
            let (bridge, people) = (&rows[place("东江大桥")], &rows[place("市民")]);
            assert_eq!((bridge[2], bridge[6], bridge[18]), (0.0, 2.0, 4.0));
            assert!(bridge[4] > 0.5 && people[4] < bridge[4]);
        });
    }

    #[test]
    fn nothing_has_no_context() {
        let counts = |article: &Scored<'_>| {
            let likely = best(article.keywords, 64);
            (
                article.sentence_features().len(),
                article.candidate_features(&likely).len(),
            )
        };
        assert_eq!(scored("", &[], &[], counts), (0, 0));
        assert_eq!(scored("下雨了。", &[0.5], &[], counts).0, 1);
    }

    #[test]
    fn only_finite_logits_are_best() {
        assert_eq!(best(&[1.0, f32::NEG_INFINITY, 3.0, 1.0], 3), [2, 0, 3]);
        assert_eq!(below_best(&[1.0, -40.0]), [0.0, LOWEST]);
    }
}
