//! Choosing the sentences of a summary from their scores.

mod set;

use super::salience::Bigrams;
use crate::document::Span;
use crate::document::sentence::{is_closing, is_terminal};
use crate::text::dateline::opening;
use crate::text::lexicon::LEXICON;
use crate::text::patterns::PATTERNS;
use regex::Match;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;

/// A chosen sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummarySentence {
    pub text: String,
    /// Its place in the article's `text`.
    pub span: Span,
    /// How well it summarises the article, 0 to 1.
    pub score: f64,
}

/// How long a summary may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// This many sentences (fewer when the article has fewer).
    Sentences(usize),
    /// As many sentences as fit into this many characters; the shortest one when none does.
    Chars(usize),
}

impl Default for Length {
    fn default() -> Self {
        Self::Sentences(3)
    }
}

/// An article's sentences and where its headings are.
#[derive(Debug, Clone, Copy)]
pub struct Sentences<'a> {
    /// The headline, folded and mended.
    pub title: &'a [char],
    /// The text as printed, and folded and mended.
    pub text: &'a [char],
    pub folded: &'a [char],
    /// Places in both.
    pub sentences: &'a [Span],
    /// Paragraphs that are headings, in order; their sentences are in no summary.
    pub headings: &'a [Span],
}

/// Two sentences more alike than this say the same.
const MAX_SIMILARITY: f32 = 0.65;
/// A shorter sentence says too little to stand alone.
const MIN_SENTENCE_CHARS: usize = 8;
/// A shorter sentence that ends with a colon only leads over (`他说：`).
const MIN_ANNOUNCEMENT_CHARS: usize = 18;
/// Up to so many sentences are chosen as a set, from thrice as many.
const MAX_SET: usize = 8;
/// Only the best this many sentences are considered, so that a huge article stays fast.
const MAX_CONSIDERED: usize = 200;

/// Chooses sentences by `logits`, leaving out near-duplicates, headings and halves of sentences: of up to eight those
/// that are best together, of more the best one by one. Returns them in document order.
pub fn choose(article: &Sentences<'_>, logits: &[f32], length: Length) -> Vec<SummarySentence> {
    let Sentences {
        title,
        text,
        folded,
        sentences,
        headings,
    } = *article;
    let shares = shares(logits);
    let is_heading = |s: Span| {
        let next = headings.partition_point(|h| h.end <= s.start);
        headings.get(next).is_some_and(|h| h.contains(s))
    };
    let fits = |i: &usize| match length {
        Length::Sentences(_) => true,
        Length::Chars(max) => sentences[*i].len() <= max,
    };
    let mut order: Vec<usize> = (0..sentences.len())
        .filter(|&i| {
            logits[i].is_finite()
                && !is_heading(sentences[i])
                && can_stand_alone(sentences[i].of(text))
                && !attributes(article, i)
                && !solicits(sentences[i].of(folded))
        })
        .collect();
    if order.is_empty() {
        // Nothing but headings or verse: better those than an empty summary. Who said something stands with what he said.
        order = (0..sentences.len())
            .filter(|&i| !attributes(article, i))
            .collect();
    }
    if order.iter().any(fits) {
        order.retain(fits);
    } else {
        // No sentence is short enough: the shortest comes nearest.
        order.sort_by_key(|&i| sentences[i].len());
        order.truncate(1);
    }
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    let wanted = match length {
        Length::Sentences(n) => n,
        Length::Chars(max) => max / MIN_SENTENCE_CHARS + 1,
    };
    order.truncate(MAX_CONSIDERED.max(wanted));
    // A quotation stands with who said it, unless that is what does not fit.
    let whole = |i: usize| {
        let whole = with_speaker(article, i);
        match length {
            Length::Chars(max) if whole.len() > max => sentences[i],
            _ => whole,
        }
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut chars = 0;
    let bags: Vec<OnceCell<Bigrams>> = sentences.iter().map(|_| OnceCell::new()).collect();
    let bag = |i: usize| bags[i].get_or_init(|| Bigrams::of(sentences[i].of(folded)));
    let repeats = |a: usize, b: usize| bag(a).cosine(bag(b)) > MAX_SIMILARITY;
    for &i in &order {
        if chosen.len() == wanted {
            break;
        }
        let len = whole(i).len();
        let too_long =
            matches!(length, Length::Chars(max) if !chosen.is_empty() && chars + len > max);
        if too_long || chosen.iter().any(|&c| repeats(c, i)) {
            continue;
        }
        chars += len;
        chosen.push(i);
    }
    if matches!(length, Length::Sentences(n) if n <= MAX_SET && chosen.len() == n) {
        let pool = &order[..order.len().min(3 * wanted + 1)];
        let said: Vec<&[char]> = sentences.iter().map(|s| s.of(folded)).collect();
        let leans = said.iter().map(|sentence| leans(sentence)).collect();
        let expectation = set::Expectation::new(title, &said, &shares, leans, wanted);
        chosen = expectation.improve(chosen, pool, |a, b| !repeats(a, b));
    }
    chosen.sort_unstable();
    chosen
        .into_iter()
        .map(|i| {
            let span = without_dateline(whole(i), text, folded);
            let span = without_opener(without_number(span, text, folded), text, folded);
            SummarySentence {
                text: span.text(text),
                span,
                score: probability(shares[i]),
            }
        })
        .collect()
}

/// Whether a sentence (folded) opens with what refers to the one before it: `他`, `该`, `这`. What is left out of a summary
/// (`此外，`) does not count.
fn leans(sentence: &[char]) -> bool {
    let whole = Span::new(0, sentence.len());
    let said = without_opener(whole, sentence, sentence).of(sentence);
    [&LEXICON.leaning, &LEXICON.dangling]
        .into_iter()
        .any(|openings| opens_with(said, openings))
}

/// Whether a sentence (folded) ends in what a web page asks its reader to do: in front of it a lead may have lost its full stop.
fn solicits(sentence: &[char]) -> bool {
    let end: String = sentence[sentence.len().saturating_sub(SOLICITING_CHARS)..]
        .iter()
        .collect();
    PATTERNS.solicits.is_match(&end)
}

/// What of a sentence is its end.
const SOLICITING_CHARS: usize = 30;

/// `种粮大户何田说。` after a quotation: says nothing without it.
fn attributes(article: &Sentences<'_>, i: usize) -> bool {
    let Some(before) = i.checked_sub(1).map(|i| article.sentences[i]) else {
        return false;
    };
    let sentence = article.sentences[i];
    let quoted = matches!(before.of(article.text).last(), Some('”' | '」'));
    quoted
        && before.end == sentence.start
        && sentence.len() <= MAX_ATTRIBUTION_CHARS
        && PATTERNS
            .attribution
            .is_match(&sentence.text(article.folded))
}

/// A quotation with who said it, where that stands right after it.
fn with_speaker(article: &Sentences<'_>, i: usize) -> Span {
    let sentence = article.sentences[i];
    match article.sentences.get(i + 1) {
        Some(next) if attributes(article, i + 1) => Span::new(sentence.start, next.end),
        _ => sentence,
    }
}

/// Who said something is no longer.
const MAX_ATTRIBUTION_CHARS: usize = 44;

/// The sentence without a dateline in the middle of its paragraph: a caption may stand before it on the same line.
fn without_dateline(sentence: Span, text: &[char], folded: &[char]) -> Span {
    let opening = opening(&head_of(sentence, folded, DATELINE_CHARS));
    let dated = opening.filter(|opening| opening.date.is_some() || !opening.people.is_empty());
    let start = sentence.start + dated.map_or(0, |opening| opening.chars);
    let rest = Span::new(start.min(sentence.end), sentence.end).trimmed(text);
    if says_something(rest) { rest } else { sentence }
}

/// What of a sentence is looked at for a dateline.
const DATELINE_CHARS: usize = 100;

/// The sentence without what refers to the one before it (`此外，`), or only says that it is news (`记者从…获悉，`).
fn without_opener(sentence: Span, text: &[char], folded: &[char]) -> Span {
    let head = head_of(sentence, folded, OPENER_CHARS);
    let opener = PATTERNS.opener.find(&head);
    let rest = rest_after(&head, opener, sentence, text);
    // `记者从东江法院获悉，该院…`: what is said of nobody without it.
    let names_source = opener.is_some_and(|opener| opener.as_str().contains('从'));
    let refers = names_source && opens_with(rest.of(folded), &LEXICON.dangling);
    if says_something(rest) && !refers {
        rest
    } else {
        sentence
    }
}

fn opens_with(said: &[char], openings: &[Vec<char>]) -> bool {
    openings.iter().any(|opening| said.starts_with(opening))
}

/// Enough to stand alone.
fn says_something(sentence: Span) -> bool {
    sentence.len() >= MIN_SENTENCE_CHARS
}

/// The first `chars` characters of a sentence.
fn head_of(sentence: Span, folded: &[char], chars: usize) -> String {
    let head = &sentence.of(folded)[..sentence.len().min(chars)];
    head.iter().collect()
}

/// What of a sentence stands after what was found in its head; all of it where nothing was.
fn rest_after(head: &str, found: Option<Match<'_>>, sentence: Span, text: &[char]) -> Span {
    let end = found.map_or(0, |found| found.end());
    let start = sentence.start + head[..end].chars().count();
    Span::new(start, sentence.end).trimmed(text)
}

/// What such an opening has at most.
const OPENER_CHARS: usize = 72;

/// The sentence without the number or mark of a list, or the `问：` of an interview, that it opens with.
fn without_number(sentence: Span, text: &[char], folded: &[char]) -> Span {
    let head = head_of(sentence, folded, NUMBER_CHARS);
    let found = PATTERNS.list_mark.captures(&head);
    let mark = found.and_then(|found| {
        ["mark", "point", "number", "bullet"]
            .iter()
            .find_map(|name| found.name(name))
    });
    let rest = rest_after(&head, mark, sentence, text);
    // A sentence of nothing but a mark stays one.
    if rest.is_empty() { sentence } else { rest }
}

/// Numbers and marks of lists, labels and hashtags are no longer.
const NUMBER_CHARS: usize = 48;

/// Each sentence's share of the whole, by softmax.
fn shares(logits: &[f32]) -> Vec<f64> {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&x| f64::from(x - best).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// On a scale where a sentence that certainly belongs to a summary of three has 1: thrice its share.
fn probability(share: f64) -> f64 {
    ((3.0 * share).min(1.0) * 1e4).round() / 1e4
}

/// Ends like a sentence, is not a fragment of a quotation, and says something.
fn can_stand_alone(sentence: &[char]) -> bool {
    let last = sentence.iter().rev().find(|&&c| !is_closing(c));
    // What leads over to a list may say what the notice is about.
    let announces = |c: char| matches!(c, '：' | ':') && sentence.len() >= MIN_ANNOUNCEMENT_CHARS;
    let ends = last.is_some_and(|&c| is_terminal(c) || matches!(c, '…' | '.') || announces(c));
    ends && sentence.len() >= MIN_SENTENCE_CHARS && marks_balance(sentence)
}

/// Every quotation mark and bracket that opens is closed, and the other way round.
fn marks_balance(sentence: &[char]) -> bool {
    const PAIRS: [(char, char); 7] = [
        ('“', '”'),
        ('‘', '’'),
        ('「', '」'),
        ('『', '』'),
        ('《', '》'),
        ('【', '】'),
        ('〔', '〕'),
    ];
    let count = |c: char| sentence.iter().filter(|&&x| x == c).count();
    let brackets = count('（') + count('(') == count('）') + count(')');
    brackets
        && count('"') % 2 == 0
        && PAIRS
            .into_iter()
            .all(|(open, close)| count(open) == count(close))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;

    fn summary(text: &str, logits: &[f32], length: Length) -> Vec<String> {
        let text: Vec<char> = text.chars().collect();
        let spans = sentences(&text);
        let article = Sentences {
            title: &[],
            text: &text,
            folded: &text,
            sentences: &spans,
            headings: &[],
        };
        choose(&article, &logits[..spans.len()], length)
            .into_iter()
            .map(|s| s.text)
            .collect()
    }

    #[test]
    fn keeps_document_order_and_leaves_out_repeats_and_headings() {
        let text = "东江大桥今天正式建成通车。\n亮点：速度快\n东江大桥今天正式建成通车了。\n市民排队走上大桥参观拍照。";
        let logits = [1.0, 9.0, 2.0, 3.0];
        assert_eq!(
            summary(text, &logits, Length::Sentences(3)),
            ["东江大桥今天正式建成通车了。", "市民排队走上大桥参观拍照。"]
        );
    }

    #[test]
    fn a_character_budget_is_kept() {
        let text = "东江大桥今天正式建成通车。市民排队走上大桥参观拍照。总投资十二亿元人民币左右。";
        assert_eq!(summary(text, &[1.0, 2.0, 3.0], Length::Chars(26)).len(), 2);
        assert_eq!(summary(text, &[1.0, 2.0, 3.0], Length::Chars(1)).len(), 1);
    }

    #[test]
    fn half_a_quotation_is_not_a_sentence() {
        assert!(!can_stand_alone(
            &"“今年的收成很好。".chars().collect::<Vec<_>>()
        ));
        assert!(can_stand_alone(
            &"他说：“今年的收成很好。”".chars().collect::<Vec<_>>()
        ));
    }

    #[test]
    fn numbers_of_a_list_are_left_out() {
        for (text, said) in [
            ("（二）加固沿江大堤三十公里。", "加固沿江大堤三十公里。"),
            ("4.加固沿江大堤三十公里。", "加固沿江大堤三十公里。"),
            ("●加固沿江大堤三十公里。", "加固沿江大堤三十公里。"),
            ("答：加固沿江大堤三十公里。", "加固沿江大堤三十公里。"),
            ("4.5公里的沿江大堤今年加固。", "4.5公里的沿江大堤今年加固。"),
            (
                "2、一幼儿园两名孩子今天走失。",
                "一幼儿园两名孩子今天走失。",
            ),
            (
                "#东江大桥# 大桥今天正式建成通车。",
                "大桥今天正式建成通车。",
            ),
            (
                "【东江大桥通车】大桥今天正式建成通车。",
                "大桥今天正式建成通车。",
            ),
            ("摘要:大桥今天正式建成通车。", "大桥今天正式建成通车。"),
            ("（一）", "（一）"),
            ("一、二年级学生今天开学。", "一、二年级学生今天开学。"),
            ("58.com今天上市，股价上涨。", "58.com今天上市，股价上涨。"),
            ("一是加固沿江大堤三十公里。", "一是加固沿江大堤三十公里。"),
        ] {
            assert_eq!(summary(text, &[1.0], Length::Sentences(1)), [said]);
        }
    }

    #[test]
    fn a_dateline_in_the_middle_of_a_paragraph_is_left_out() {
        let text = "何田（右二）走上大桥。东江在线3月1日讯(记者 何田)大桥今天正式建成通车。";
        assert_eq!(
            summary(text, &[1.0, 2.0], Length::Sentences(1)),
            ["大桥今天正式建成通车。"]
        );
        let reported = "据东江日报3月1日报道，大桥今天正式建成通车。";
        assert_eq!(summary(reported, &[1.0], Length::Sentences(1)), [reported]);
    }

    #[test]
    fn what_no_encoding_knew_is_left_out() {
        assert_eq!(
            summary("大桥今天正式建成通车。?", &[1.0], Length::Sentences(1)),
            ["大桥今天正式建成通车。"]
        );
    }

    #[test]
    fn what_refers_to_the_sentence_before_is_left_out() {
        for (text, said) in [
            (
                "此外，大桥设有双向六车道和人行道。",
                "大桥设有双向六车道和人行道。",
            ),
            (
                "记者从市交通局获悉，大桥今天正式建成通车。",
                "大桥今天正式建成通车。",
            ),
            (
                "记者从今天召开的“大桥通车”新闻发布会上获悉：大桥今天正式建成通车。",
                "大桥今天正式建成通车。",
            ),
            (
                "同时也是东江上最长的一座桥梁。",
                "同时也是东江上最长的一座桥梁。",
            ),
            ("此外，没有了。", "此外，没有了。"),
        ] {
            assert_eq!(summary(text, &[1.0], Length::Sentences(1)), [said]);
        }
    }

    #[test]
    fn a_quotation_stands_with_who_said_it() {
        let text =
            "“以前自己育秧容易烂秧，现在省心又省钱。”种粮大户何田说。今年全县统一育秧三万亩。";
        assert_eq!(
            summary(text, &[3.0, 2.0, 1.0], Length::Sentences(2)),
            [
                "“以前自己育秧容易烂秧，现在省心又省钱。”种粮大户何田说。",
                "今年全县统一育秧三万亩。"
            ]
        );
        let scores = [3.0, 2.0, 1.0];
        let within = |chars| summary(text, &scores, Length::Chars(chars));
        assert_eq!(
            within(40),
            ["“以前自己育秧容易烂秧，现在省心又省钱。”种粮大户何田说。"]
        );
        assert_eq!(within(25), ["“以前自己育秧容易烂秧，现在省心又省钱。”"]);
    }

    #[test]
    fn what_announces_a_list_can_be_a_summary() {
        let announces = |text: &str| can_stand_alone(&text.chars().collect::<Vec<_>>());
        assert!(announces(
            "因管道改造，江南片区将于12月8日停水12小时，安排如下："
        ));
        assert!(!announces("市水务局负责人告诉记者："));
    }

    #[test]
    fn a_short_quotation_and_who_said_it_stand_once() {
        let text = "“真好。”何田说。";
        assert_eq!(summary(text, &[1.0, 2.0], Length::Sentences(3)), [text]);
    }

    #[test]
    fn verse_still_gives_something() {
        assert_eq!(
            summary(
                "春风又绿江南岸\n明月何时照我还",
                &[1.0, 2.0],
                Length::Sentences(1)
            )
            .len(),
            1
        );
    }
}
