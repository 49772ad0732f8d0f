//! Keywords: which phrases could index an article ([`candidates`]), and which of them are chosen.

mod aliases;
pub mod candidates;

use crate::document::Span;
use crate::text::lexicon::LEXICON;
use aliases::Aliases;
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
    /// How often it stands in title and text, as far as these are analysed.
    pub count: usize,
}

/// An article's title and text, as printed and folded; folding keeps every place.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub title: &'a [char],
    pub text: &'a [char],
    pub folded_title: &'a [char],
    pub folded_text: &'a [char],
}

/// Chooses the best candidates by `logits`, `limit` at most; of those that name the same (`东江大桥`, `大桥`; `世界贸易组织`, `世贸组织`)
/// only the better, and the full name where both are about as likely.
pub fn choose(
    article: &Places<'_>,
    candidates: &[Candidate],
    logits: &[f32],
    limit: usize,
) -> Vec<Keyword> {
    let own: Vec<f32> = logits.iter().map(|&x| probability(x)).collect();
    let cores: Vec<Vec<char>> = candidates.iter().map(|c| core(&c.key)).collect();
    let aliases = Aliases::of(article.folded_text, candidates, &cores);
    let likely = likely(&own);
    let value = values(&cores, &own, &likely);
    let can_index = |i: usize| {
        let candidate = &candidates[i];
        as_printed(article, candidate).is_some()
            && !is_part_of_a_name(article, candidate)
            && !is_a_column(article, candidate)
            && !is_cut_from_a_number(article, candidate)
    };
    // −∞ is a candidate that nobody looked at.
    let mut order: Vec<usize> = (0..candidates.len())
        .filter(|&i| logits[i].is_finite() && can_index(i))
        .collect();
    order.sort_by(|&a, &b| value[b].total_cmp(&value[a]).then(a.cmp(&b)));
    let mut chosen: Vec<usize> = Vec::new();
    for i in order {
        if chosen.len() == limit {
            break;
        }
        // A short item has fewer than eight; some keywords it has.
        let unlikely = own[i] < MIN_PROBABILITY && !chosen.is_empty()
            || own[i] < DOUBTFUL && chosen.len() >= ENOUGH;
        let is_new = |i: usize| {
            let same = |&j: &usize| name_the_same(&cores[i], &cores[j]) || aliases.tell(i, j);
            !chosen.iter().any(same)
        };
        if unlikely || !is_new(i) {
            continue;
        }
        let is_full_name = |&&j: &&usize| {
            let as_likely = own[j] > AS_LIKELY * own[i];
            as_likely && is_short_for(&cores[i], &cores[j]) && is_new(j) && can_index(j)
        };
        chosen.push(*likely.iter().find(is_full_name).unwrap_or(&i));
    }
    chosen.sort_by(|&a, &b| own[b].total_cmp(&own[a]).then(a.cmp(&b)));
    chosen
        .into_iter()
        .filter_map(|i| keyword(article, &candidates[i], logits[i]))
        .collect()
}

/// Of a candidate with this logit.
pub(super) fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// What each candidate is worth: its probability of being a keyword as it stands, and that of being one in any of its
/// variants. A subject that is named in many ways (`东江大桥`, `东江大桥工程`) is not left out because no single way is
/// probable enough.
fn values(cores: &[Vec<char>], own: &[f32], likely: &[usize]) -> Vec<f32> {
    let mut out = own.to_vec();
    for &i in likely.iter().filter(|&&i| own[i] > MIN_SUPPORTED) {
        let variants = likely.iter().filter(|&&j| overlap(&cores[i], &cores[j]));
        let none: f32 = variants.map(|&j| 1.0 - own[j]).product();
        out[i] += ANY_VARIANT * (1.0 - none - own[i]);
    }
    out
}

/// The candidates that are compared with each other. Most have next to no probability; the number is bounded for models that
/// find everything likely, since comparing takes its square.
fn likely(own: &[f32]) -> Vec<usize> {
    let mut likely: Vec<usize> = (0..own.len()).filter(|&i| own[i] > MIN_VARIANT).collect();
    likely.sort_by(|&a, &b| own[b].total_cmp(&own[a]).then(a.cmp(&b)));
    likely.truncate(MAX_LIKELY);
    likely
}

/// Whether a phrase stands only where a dash, a dot or a colon joins it to what is named with it: `昆明` of `昆明—蒙特利尔框架`.
fn is_part_of_a_name(article: &Places<'_>, candidate: &Candidate) -> bool {
    let joins = |mark: Option<&char>, beyond: Option<&char>| {
        mark.is_some_and(|mark| "—–-·:".contains(*mark))
            && beyond.is_some_and(|c| c.is_alphanumeric())
    };
    let is_part = |text: &[char], span: &Span| {
        let mut before = text[..span.start].iter().rev();
        let mut after = text[span.end..].iter();
        joins(before.next(), before.next()) || joins(after.next(), after.next())
    };
    everywhere(article, candidate, is_part)
}

/// Whether something holds at all places of a candidate, of which there is one at least.
fn everywhere(
    article: &Places<'_>,
    candidate: &Candidate,
    holds: impl Fn(&[char], &Span) -> bool,
) -> bool {
    let mut in_title = candidate.in_title.iter();
    let mut in_text = candidate.in_text.iter();
    in_title.all(|span| holds(article.folded_title, span))
        && in_text.all(|span| holds(article.folded_text, span))
}

/// Whether a phrase opens with what counts, and a number stands before it everywhere: `年销售额` of `2023年销售额`.
fn is_cut_from_a_number(article: &Places<'_>, candidate: &Candidate) -> bool {
    let first = candidate.key.first().map(char::to_string);
    if !first.is_some_and(|first| LEXICON.measure.contains(first.as_str())) {
        return false;
    }
    let counted =
        |text: &[char], span: &Span| span.start > 0 && text[span.start - 1].is_ascii_digit();
    everywhere(article, candidate, counted)
}

/// Whether a phrase stands only in the brackets that close the headline: `人民论坛` of `大桥通车（人民论坛）` is what a column is called.
fn is_a_column(article: &Places<'_>, candidate: &Candidate) -> bool {
    let title = article.folded_title;
    let open = title.iter().rposition(|&c| c == '(' || c == '（');
    let closes = matches!(title.last(), Some(')' | '）'));
    let open = open.filter(|&open| closes && title.len() - open <= MAX_COLUMN_CHARS + 2);
    candidate.in_text.is_empty()
        && open.is_some_and(|open| candidate.in_title.iter().all(|place| place.start > open))
}

/// What a column is called is no longer.
const MAX_COLUMN_CHARS: usize = 8;

/// Less probable candidates are no keywords, even if an article has nothing better. Of 0, 0.15, 0.2, 0.25 and 0.3 best on 282
/// held-out articles, also without their titles and with 3 % of the characters misread.
const MIN_PROBABILITY: f32 = 0.2;
/// Where there are so many, less probable ones than this are left out: an editor who read 200 briefs would not have had three
/// quarters of those. By the measure it is the same: F1 0.578 instead of 0.576 on 60 development articles, 0.554 instead of 0.555 on 700
/// of our own labels.
const DOUBTFUL: f32 = 0.3;
const ENOUGH: usize = 3;
/// Candidates that are compared with each other at most.
const MAX_LIKELY: usize = 60;
/// Less probable candidates are no variants that count.
const MIN_VARIANT: f32 = 0.02;
/// A full name that is less probable than this share of its abbreviation's probability does not take its place. Of 0.7, 0.8 and
/// 0.9 best on 690 unseen articles.
const AS_LIKELY: f32 = 0.9;
/// A candidate that is less probable than this by itself is not helped: long junk contains many good phrases.
const MIN_SUPPORTED: f32 = 0.15;
/// How much it counts that some variant is a keyword; the rest is that the candidate itself is one. Chosen on 299
/// held-out articles of our own labels.
const ANY_VARIANT: f32 = 0.5;

/// A candidate as it is printed where it stands first without a misread character.
fn as_printed<'a>(article: &Places<'a>, candidate: &Candidate) -> Option<&'a [char]> {
    let first = |places: &[Span], folded: &[char], printed: &'a [char]| {
        let whole = |span: &&Span| has_key(span.of(folded), &candidate.key);
        places.iter().find(whole).map(|span| span.of(printed))
    };
    let in_title = first(&candidate.in_title, article.folded_title, article.title);
    in_title.or_else(|| first(&candidate.in_text, article.folded_text, article.text))
}

/// What stands of a candidate in the record: nothing if it is printed nowhere.
fn keyword(article: &Places<'_>, candidate: &Candidate, logit: f32) -> Option<Keyword> {
    let text = as_printed(article, candidate)?.iter().collect();
    let score = 1.0 / (1.0 + f64::from(-logit).exp());
    let count = occurrences(article.folded_title, &candidate.key)
        + occurrences(article.folded_text, &candidate.key);
    Some(Keyword {
        text,
        score: (score * 1e4).round() / 1e4,
        count: count.max(1),
    })
}

/// A key without its marks and spaces: `“五一”劳动节` is `五一劳动节`.
pub(super) fn core(key: &[char]) -> Vec<char> {
    key.iter()
        .copied()
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Whether two phrases are variants of one: one contains or abbreviates the other, or they are the same characters in another
/// order (`中英关系`, `英中关系`).
fn name_the_same(a: &[char], b: &[char]) -> bool {
    let sorted = |phrase: &[char]| {
        let mut chars = phrase.to_vec();
        chars.sort_unstable();
        chars
    };
    overlap(a, b)
        || is_short_for(a, b)
        || is_short_for(b, a)
        || a.len() == b.len() && sorted(a) == sorted(b)
}

/// Whether a phrase has characters of another one only, in their order and from the first, but not all in one piece: `世贸组织` of
/// `世界贸易组织`.
fn is_short_for(short: &[char], long: &[char]) -> bool {
    let mut rest = long.iter();
    short.len() >= MIN_ABBREVIATION_CHARS
        && short.first() == long.first()
        && short.iter().all(|c| rest.any(|other| other == c))
        && !contains(long, short)
}

/// A single character abbreviates too much.
const MIN_ABBREVIATION_CHARS: usize = 2;

/// Whether one contains the other.
pub(super) fn overlap(a: &[char], b: &[char]) -> bool {
    contains(a, b) || contains(b, a)
}

pub(super) fn contains(whole: &[char], part: &[char]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    // Almost every window differs in its first character.
    whole
        .windows(part.len())
        .any(|window| window[0] == *first && window == part)
}

/// Whether a place of folded text reads as `key` (lower case, as long).
fn has_key(folded: &[char], key: &[char]) -> bool {
    let mut pairs = folded.iter().zip(key);
    pairs.all(|(a, b)| a.to_ascii_lowercase() == *b)
}

/// How often `key` (lower case) stands in folded text, not overlapping.
fn occurrences(folded: &[char], key: &[char]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at + key.len() <= folded.len() {
        let found = has_key(&folded[at..at + key.len()], key);
        count += usize::from(found);
        at += if found { key.len() } else { 1 };
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sentence::sentences;
    use crate::text::document_frequency::DocumentFrequency;
    use crate::text::misread;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    /// The keywords of a text without a title, by the logit of each phrase.
    fn keywords(text: &str, logit: impl Fn(&str) -> f32) -> Vec<Keyword> {
        let text = chars(text);
        let spans = sentences(&text);
        let (_, read) = misread::mended(&[], &text);
        let candidates = candidates::candidates(&[], &read, &spans, &DocumentFrequency::default());
        let logit = |c: &Candidate| logit(&c.key.iter().collect::<String>());
        let logits: Vec<f32> = candidates.iter().map(logit).collect();
        let article = Places {
            title: &[],
            text: &text,
            folded_title: &[],
            folded_text: &text,
        };
        choose(&article, &candidates, &logits, 8)
    }

    fn chosen(text: &str, logit: impl Fn(&str) -> f32) -> Vec<String> {
        let keywords = keywords(text, logit).into_iter();
        keywords.map(|keyword| keyword.text).collect()
    }

    #[test]
    fn overlapping_candidates_are_merged_and_counted() {
        let length = |phrase: &str| phrase.chars().count() as f32;
        let keywords = keywords("东江大桥通车。东江大桥有四车道。", length);
        let bridge = keywords.iter().find(|k| k.text.contains("大桥")).unwrap();
        assert!(bridge.count >= 1);
        for (i, a) in keywords.iter().enumerate() {
            for b in &keywords[i + 1..] {
                assert!(!a.text.contains(&b.text) && !b.text.contains(&a.text));
            }
        }
    }

    #[test]
    fn variants_of_a_phrase_are_told_from_other_phrases() {
        let same = |a: &str, b: &str| {
            let (a, b) = (chars(a), chars(b));
            assert_eq!(name_the_same(&a, &b), name_the_same(&b, &a));
            name_the_same(&a, &b)
        };
        for (a, b) in [
            ("东江大桥", "大桥"),
            ("世界贸易组织", "世贸组织"),
            ("东江电力公司", "东电"),
            ("中英关系", "英中关系"),
            ("东江第十九届运动会", "东江运动会"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("东江大桥", "西江大桥"),
            ("东江", "江东新区"),
            ("人民法院", "人民医院"),
            ("东江日报", "日江东报社"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_full_name_takes_its_abbreviations_place() {
        let chosen = |full: f32| {
            chosen(
                "东江铁路集团今天成立。东铁公布了计划。",
                |phrase| match phrase {
                    "东江铁路集团" => full,
                    "东铁" => 1.0,
                    _ => -4.0,
                },
            )
        };
        assert_eq!(chosen(0.9), ["东江铁路集团"]);
        assert_eq!(chosen(0.0), ["东铁"]);
    }

    #[test]
    fn what_stands_only_inside_a_longer_name_is_no_keyword() {
        let place = |phrase: &str| if phrase == "东江" { 3.0 } else { -4.0 };
        let inside = "东江—西江合作框架今天通过。各方遵守东江—西江合作框架。";
        assert!(!chosen(inside, place).contains(&"东江".to_owned()));
        for text in [
            "东江今天通过合作框架。东江—西江的铁路开工。",
            "江上的城市——东江今天通过合作框架。",
        ] {
            assert_eq!(chosen(text, place), ["东江"], "{text}");
        }
    }

    #[test]
    fn what_a_column_is_called_is_no_keyword() {
        let title = chars("东江大桥通车（东江论坛）");
        let chosen = |text: &str| {
            let text = chars(text);
            let spans = sentences(&text);
            let found =
                candidates::candidates(&title, &text, &spans, &DocumentFrequency::default());
            let places = Places {
                title: &title,
                text: &text,
                folded_title: &title,
                folded_text: &text,
            };
            let logits: Vec<f32> = (found.iter())
                .map(|c| {
                    if c.key == chars("东江论坛") {
                        3.0
                    } else {
                        -4.0
                    }
                })
                .collect();
            choose(&places, &found, &logits, 1).swap_remove(0).text
        };
        assert_ne!(chosen("大桥今天通车。"), "东江论坛");
        assert_eq!(chosen("大桥今天通车，东江论坛开幕。"), "东江论坛");
    }

    #[test]
    fn no_keyword_is_misread_that_stands_right_elsewhere() {
        let scanned =
            "国际合历高峰论坛今天开幕。国际合作高峰论坛有三十国参加，国际合作高峰论坛明天闭幕。";
        let names = |phrase: &str| ["国际合作高峰论坛", "国际合历高峰论坛"].contains(&phrase);
        let logit = |phrase: &str| if names(phrase) { 3.0 } else { -4.0 };
        let keywords = keywords(scanned, logit);
        assert_eq!(keywords.len(), 1);
        assert_eq!(keywords[0].text, "国际合作高峰论坛");
        assert_eq!(keywords[0].count, 2);
    }

    #[test]
    fn unlikely_ones_do_not_fill_up_the_list() {
        let chosen = |bridge: f32| {
            let logit = |phrase: &str| {
                if phrase == "东江大桥" {
                    bridge
                } else {
                    -4.0
                }
            };
            chosen("东江大桥通车，市民高兴，天气晴朗。", logit).len()
        };
        assert_eq!(chosen(1.0), 1);
        assert_eq!(chosen(-4.0), 1);
    }

    #[test]
    fn doubtful_ones_are_left_out_where_there_are_enough() {
        let text = "大桥建成通车，市民走上大桥观看江面，游船驶过码头。";
        let logit = |likely: &'static [&str]| {
            move |key: &str| match likely.contains(&key) {
                true => 2.0,
                false if key == "游船" => -1.2,
                false => -6.0,
            }
        };
        assert_eq!(
            chosen(text, logit(&["大桥", "市民"])),
            ["大桥", "市民", "游船"]
        );
        let enough = &["大桥", "市民", "江面"];
        assert_eq!(chosen(text, logit(enough)), enough);
    }

    #[test]
    fn marks_do_not_make_two_keywords_of_one() {
        let key = |text: &str| core(&chars(text));
        assert!(overlap(&key("“五一”劳动节"), &key("五一劳动节")));
        assert!(overlap(&key("AED 设备"), &key("AED设备")));
        assert!(!overlap(&key("劳动节"), &key("劳动者")));
    }

    #[test]
    fn counts_do_not_overlap_and_ignore_case() {
        let text: Vec<char> = "AED设备，aed培训，AEDAED。".chars().collect();
        assert_eq!(occurrences(&text, &['a', 'e', 'd']), 4);
    }
}
