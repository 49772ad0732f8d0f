//! Pages: are the right characters in the right article, in the right order, under the right headline?

use super::{f1, squeeze};
use crate::document::Span;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A gold page; lines are numbered from 0.
#[derive(Debug, Clone, Deserialize)]
pub struct Gold {
    pub articles: Vec<GoldArticle>,
    #[serde(default)]
    pub duplicate_lines: Vec<DuplicateLine>,
}

/// A gold article: each group of `body` lines, joined, is one paragraph.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldArticle {
    #[serde(default)]
    pub title: Option<String>,
    pub body: Vec<Vec<usize>>,
}

/// A line that repeats another.
#[derive(Debug, Clone, Deserialize)]
pub struct DuplicateLine {
    pub line: usize,
    pub same_as: Option<usize>,
}

/// A predicted article.
#[derive(Debug, Clone)]
pub struct Predicted {
    pub title: String,
    pub spans: Vec<Span>,
}

/// Counts of one page, to be summed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageScore {
    bcubed_f1: f64,
    joins: usize,
    joins_right: usize,
    pairs: usize,
    pairs_right: usize,
    titles: usize,
    titles_right: usize,
    count_right: bool,
    duplicates: usize,
    duplicates_right: usize,
}

/// Figures over pages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub pages: usize,
    pub missing: usize,
    /// B-cubed F1 of body characters (Bagga and Baldwin 1998), mean over pages.
    pub bcubed_f1: f64,
    /// Share of paragraphs cut in two whose halves follow each other directly.
    pub join_acc: f64,
    pub joins: usize,
    /// Share of neighbouring fragments in the right order in one article.
    pub order_acc: f64,
    /// Share of headlines reproduced, white space aside.
    pub title_acc: f64,
    /// Share of pages with the right number of articles.
    pub count_exact: f64,
    /// Share of repeated lines used at most once.
    pub dup_once: f64,
    /// Lines printed twice.
    #[serde(skip)]
    pub duplicates: usize,
}

/// Scores one page.
pub fn score_page(text: &[char], gold: &Gold, predicted: &[Predicted]) -> PageScore {
    let spans = line_spans(text);
    // A gold file that names lines the page does not have counts them as empty.
    let line_of = |line: usize| spans.get(line).copied().unwrap_or_default();
    let visible = |span: Span| (span.start..span.end).filter(|&c| !text[c].is_whitespace());
    let mut gold_of: HashMap<usize, usize> = HashMap::new();
    let mut fragments: Vec<Vec<(Span, bool)>> = Vec::new();
    for (article, body) in gold.articles.iter().enumerate() {
        let mut own = Vec::new();
        for group in &body.body {
            for (k, &line) in group.iter().enumerate() {
                own.push((line_of(line), k > 0));
                gold_of.extend(visible(line_of(line)).map(|c| (c, article)));
            }
        }
        fragments.push(own);
    }
    // A repeated line may be used instead of its twin.
    let mut twin: HashMap<usize, usize> = HashMap::new();
    let repeated: Vec<(usize, usize)> = gold
        .duplicate_lines
        .iter()
        .filter_map(|d| Some((d.line, d.same_as?)))
        .collect();
    for &(line, same_as) in &repeated {
        let (a, b) = (line_of(line), line_of(same_as));
        twin.extend((0..a.len().min(b.len())).map(|k| (a.start + k, b.start + k)));
    }
    let mut article_of: HashMap<usize, usize> = HashMap::new();
    let mut uses: HashMap<usize, usize> = HashMap::new();
    let mut places: Vec<HashMap<usize, usize>> = Vec::new();
    for (article, prediction) in predicted.iter().enumerate() {
        let mut place = HashMap::new();
        let mut next = 0;
        for span in &prediction.spans {
            for c in visible(Span::new(
                span.start.min(text.len()),
                span.end.min(text.len()),
            )) {
                let c = twin.get(&c).copied().unwrap_or(c);
                *uses.entry(c).or_default() += 1;
                place.entry(c).or_insert(next);
                article_of.entry(c).or_insert(article);
                next += 1;
            }
        }
        places.push(place);
    }
    let mut score = PageScore {
        bcubed_f1: bcubed(&gold_of, &article_of),
        ..PageScore::default()
    };
    for own in &fragments {
        for pair in own.windows(2) {
            let (end, start) = (pair[0].0.end.saturating_sub(1), pair[1].0.start);
            let order = match (article_of.get(&end), article_of.get(&start)) {
                (Some(a), Some(b)) if a == b => Some((places[*a].get(&end), places[*a][&start])),
                _ => None,
            };
            let right =
                order.is_some_and(|(before, after)| before.is_none_or(|&before| before < after));
            let direct = order
                .is_some_and(|(before, after)| before.is_some_and(|&before| before + 1 == after));
            score.pairs += 1;
            score.pairs_right += usize::from(right);
            if pair[1].1 {
                score.joins += 1;
                score.joins_right += usize::from(right && direct);
            }
        }
    }
    let titles: Vec<Vec<char>> = predicted.iter().map(|p| squeeze(&p.title)).collect();
    score.titles = gold.articles.len();
    score.titles_right = gold
        .articles
        .iter()
        .filter(|a| titles.contains(&squeeze(a.title.as_deref().unwrap_or_default())))
        .count();
    score.count_right = predicted.len() == gold.articles.len();
    score.duplicates = repeated.len();
    score.duplicates_right = repeated
        .iter()
        .filter(|(_, b)| uses.get(&line_of(*b).start).copied().unwrap_or(0) <= 1)
        .count();
    score
}

/// Sums pages up; `missing` of them had no prediction and were scored as empty.
pub fn sum(scores: &[PageScore], missing: usize) -> Figures {
    let total = |f: fn(&PageScore) -> usize| scores.iter().map(f).sum::<usize>();
    let share = |right: usize, all: usize| right as f64 / all.max(1) as f64;
    let pages = scores.len().max(1) as f64;
    Figures {
        pages: scores.len(),
        missing,
        bcubed_f1: scores.iter().map(|s| s.bcubed_f1).sum::<f64>() / pages,
        join_acc: share(total(|s| s.joins_right), total(|s| s.joins)),
        joins: total(|s| s.joins),
        order_acc: share(total(|s| s.pairs_right), total(|s| s.pairs)),
        title_acc: share(total(|s| s.titles_right), total(|s| s.titles)),
        count_exact: total(|s| usize::from(s.count_right)) as f64 / pages,
        dup_once: share(total(|s| s.duplicates_right), total(|s| s.duplicates)),
        duplicates: total(|s| s.duplicates),
    }
}

/// Lost characters count against recall, foreign ones (headlines, bylines in a body) against precision.
fn bcubed(gold_of: &HashMap<usize, usize>, article_of: &HashMap<usize, usize>) -> f64 {
    let mut gold_sizes: HashMap<usize, usize> = HashMap::new();
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    let mut both: HashMap<(usize, usize), usize> = HashMap::new();
    for gold in gold_of.values() {
        *gold_sizes.entry(*gold).or_default() += 1;
    }
    for (c, article) in article_of {
        *sizes.entry(*article).or_default() += 1;
        if let Some(gold) = gold_of.get(c) {
            *both.entry((*gold, *article)).or_default() += 1;
        }
    }
    let covered: usize = both.values().sum();
    // Every character of a (gold, predicted) pair has the same share: weight it by their number.
    let share = |size: &dyn Fn(usize, usize) -> usize| -> f64 {
        both.iter()
            .map(|(&(g, p), &n)| n as f64 * n as f64 / size(g, p) as f64)
            .sum()
    };
    let precision = share(&|_, p| sizes[&p]) / covered.max(1) as f64;
    let recall = share(&|g, _| gold_sizes[&g]) / gold_of.len().max(1) as f64;
    f1(precision, recall)
}

/// The trimmed span of every line.
fn line_spans(text: &[char]) -> Vec<Span> {
    let mut start = 0;
    text.split(|&c| c == '\n')
        .map(|line| {
            let span = Span::new(start, start + line.len()).trimmed(text);
            start += line.len() + 1;
            span
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_page_scores_one_and_a_merged_one_less() {
        let text: Vec<char> = "甲题\n前半句\n乙题\n乙的正文。\n后半句。".chars().collect();
        let gold: Gold = serde_json::from_str(
            r#"{"articles":[{"title":"甲题","body":[[1,4]]},{"title":"乙题","body":[[3]]}],"duplicate_lines":[]}"#,
        )
        .unwrap();
        let article = |title: &str, spans: &[[usize; 2]]| Predicted {
            title: title.to_owned(),
            spans: spans.iter().map(|&s| s.into()).collect(),
        };
        let perfect = [
            article("甲题", &[[3, 6], [16, 20]]),
            article("乙 题", &[[10, 15]]),
        ];
        let figures = sum(&[score_page(&text, &gold, &perfect)], 0);
        assert_eq!(
            (
                figures.bcubed_f1,
                figures.join_acc,
                figures.title_acc,
                figures.count_exact
            ),
            (1.0, 1.0, 1.0, 1.0)
        );
        let merged = [article("甲题", &[[3, 6], [10, 15], [16, 20]])];
        let figures = sum(&[score_page(&text, &gold, &merged)], 0);
        assert!(figures.bcubed_f1 < 0.8);
        assert_eq!(
            (figures.join_acc, figures.order_acc, figures.title_acc),
            (0.0, 1.0, 0.5)
        );
    }
}
