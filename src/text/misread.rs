//! Characters that a scan took for others, where the same text has the phrase once more.
//!
//! A phrase that stands five times in an article is misread in one place, not in all: `一带亿路` beside `一带一路`. What a character
//! should be is asked of the places where both its neighbours, or the two before it, or the two after it, stand with another
//! character; the dictionary decides whether that makes words of what was none. Noise of this kind is a channel in the sense
//! of Kernighan, Church and Gale 1990 (<https://aclanthology.org/C90-2036/>), whose source here is the text itself.

use super::fold::is_han;
use super::lexicon::LEXICON;
use super::names::opens_with_surname;
use super::words::pieces;
use std::cmp::Reverse;

/// Characters of a window: one that may be misread and two that are not.
const WINDOW: usize = 3;
/// So many characters around one are the same elsewhere at least.
const MIN_ALIKE: usize = 3;
/// So many are hardly ever by chance.
const CERTAIN_ALIKE: usize = 4;
/// In a scan there is such a place in so many characters. Of 500 to 2,000 this is best for 690 articles that were misread by 3 %
/// (keywords 0.492 without mending, then 0.502); as they are it changes 1 in 500 of their keywords.
const CHARS_A_CERTAIN: usize = 1200;
/// Of what else stands in a place only the commonest are looked at: where anything may stand, nothing is misread.
const MAX_OTHERS: usize = 3;
/// What is cut into words on either side of a character.
const AROUND: usize = 6;

/// A window's place, seen without one of its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    /// Which of the three is left out.
    hole: usize,
    /// The other two.
    others: [char; 2],
    /// What stands in the hole.
    read: char,
    at: usize,
}

/// What may have stood in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Proposal {
    at: usize,
    instead: char,
    hole: usize,
    /// How often the window stands in the text with this character.
    count: usize,
}

/// A character to be put back.
#[derive(Debug, Clone, Copy)]
struct Mend {
    at: usize,
    instead: char,
    /// Characters around it that stand around `instead` elsewhere.
    alike: usize,
}

/// An article's folded title and text as they most likely were printed: as long as they are, with every character in its
/// place.
pub fn mended(title: &[char], text: &[char]) -> (Vec<char>, Vec<char>) {
    let mut title_and_text = [title, &['\n'], text].concat();
    mend(&mut title_and_text);
    let text = title_and_text.split_off(title.len() + 1);
    title_and_text.truncate(title.len());
    (title_and_text, text)
}

/// Puts back what was misread, if so much of it is that the text must come from a scan: in a clean text some phrases differ in a
/// character as well.
fn mend(text: &mut [char]) {
    let found: Vec<Mend> = proposals(text)
        .chunk_by(|a, b| a.at == b.at)
        .filter_map(|place| best(text, place))
        .collect();
    let certain = found.iter().filter(|mend| mend.alike >= CERTAIN_ALIKE);
    if certain.count() * CHARS_A_CERTAIN >= text.len() {
        found.iter().for_each(|mend| text[mend.at] = mend.instead);
    }
}

/// For characters that stand in some window once: what stands there elsewhere.
fn proposals(text: &[char]) -> Vec<Proposal> {
    let mut gaps: Vec<Gap> = Vec::with_capacity(WINDOW * text.len());
    for (start, window) in text.windows(WINDOW).enumerate() {
        if window.iter().all(|&c| is_han(c)) {
            gaps.extend((0..WINDOW).map(|hole| Gap {
                hole,
                others: [
                    window[usize::from(hole == 0)],
                    window[2 - usize::from(hole == 2)],
                ],
                read: window[hole],
                at: start + hole,
            }));
        }
    }
    gaps.sort_unstable();
    let mut out = Vec::new();
    for alike in gaps.chunk_by(|a, b| (a.hole, a.others) == (b.hole, b.others)) {
        let mut readings: Vec<&[Gap]> = alike.chunk_by(|a, b| a.read == b.read).collect();
        readings.sort_by_key(|reading| Reverse(reading.len()));
        for odd in readings.iter().filter(|reading| reading.len() == 1) {
            let others = readings.iter().take(MAX_OTHERS);
            let others = others.filter(|other| may_be_misread(odd[0].read, other[0].read));
            out.extend(others.map(|other| Proposal {
                at: odd[0].at,
                instead: other[0].read,
                hole: odd[0].hole,
                count: other.len(),
            }));
        }
    }
    out.sort_unstable();
    out
}

/// What most likely stood in the place of these proposals, if not what was read.
fn best(text: &[char], proposals: &[Proposal]) -> Option<Mend> {
    let at = proposals[0].at;
    let read = text[at];
    let ranked = |same: &[Proposal]| (same.len(), same.iter().map(|p| p.count).max());
    let mut readings: Vec<&[Proposal]> =
        (proposals.chunk_by(|a, b| a.instead == b.instead)).collect();
    readings.sort_by_key(|same| ranked(same));
    let (&likeliest, rest) = readings.split_last()?;
    let instead = likeliest[0].instead;
    let is_tied = rest
        .last()
        .is_some_and(|second| ranked(second) == ranked(likeliest));
    let clause = Clause::around(text, at);
    if is_tied || !clause.stands_alone() {
        return None;
    }
    let alike = longest(text, at, instead);
    // A function word stands where it stands more often by right than any other.
    let enough = if is_function_word(read) {
        CERTAIN_ALIKE
    } else {
        MIN_ALIKE
    };
    let may_be_a_name = !is_function_word(read) && !is_function_word(instead);
    let found = alike >= enough && clause.has_fewer_words_with(instead)
        || may_be_a_name && likeliest.iter().any(|p| makes_a_name(text, *p));
    found.then_some(Mend { at, instead, alike })
}

/// Of the characters right around `at`, how many stand around `instead` elsewhere.
fn longest(text: &[char], at: usize, instead: char) -> usize {
    let same = |a: &mut dyn Iterator<Item = usize>, b: &mut dyn Iterator<Item = usize>| {
        a.zip(b)
            .take_while(|&(a, b)| text[a] == text[b] && is_han(text[a]))
            .count()
    };
    let alike = |other: usize| {
        same(&mut (0..at).rev(), &mut (0..other).rev())
            + same(&mut (at + 1..text.len()), &mut (other + 1..text.len()))
    };
    let places = (0..text.len()).filter(|&i| text[i] == instead);
    places.map(alike).max().unwrap_or(0)
}

/// Whether one of two different characters can be a misreading of the other. Two that tell names of one kind apart are none:
/// `第一中学`, `第二中学`.
fn may_be_misread(read: char, instead: char) -> bool {
    let is_telling = |c| LEXICON.telling.contains(c);
    read != instead && !(is_telling(read) && is_telling(instead))
}

fn is_function_word(c: char) -> bool {
    LEXICON.function.contains(c.to_string().as_str())
}

/// What stands around a character, and the dictionary's words in it.
struct Clause<'a> {
    text: &'a [char],
    /// The character's place in it.
    at: usize,
    ends: Vec<usize>,
}

impl<'a> Clause<'a> {
    fn around(text: &'a [char], at: usize) -> Self {
        let han = |range: &mut dyn Iterator<Item = usize>| {
            range.take(AROUND).take_while(|&i| is_han(text[i])).count()
        };
        let start = at - han(&mut (0..at).rev());
        let end = at + 1 + han(&mut (at + 1..text.len()));
        let text = &text[start..end];
        Self {
            text,
            at: at - start,
            ends: pieces(text),
        }
    }

    /// Whether the character is part of no word.
    fn stands_alone(&self) -> bool {
        stands_alone(&self.ends, self.at)
    }

    /// Whether it is part of one when read like this.
    fn has_fewer_words_with(&self, instead: char) -> bool {
        let mut text = self.text.to_vec();
        text[self.at] = instead;
        let ends = pieces(&text);
        ends.len() < self.ends.len() && !stands_alone(&ends, self.at)
    }
}

/// Whether the character at `at` is a word of its own, by the ends of all words.
fn stands_alone(ends: &[usize], at: usize) -> bool {
    let begins = at == 0 || ends.binary_search(&at).is_ok();
    begins && ends.binary_search(&(at + 1)).is_ok()
}

/// Whether it makes a name of what stands more often: `黄长连` beside `黄晓连`.
fn makes_a_name(text: &[char], proposal: Proposal) -> bool {
    let start = proposal.at - proposal.hole;
    let read = &text[start..start + WINDOW];
    let mut name = read.to_vec();
    name[proposal.hole] = proposal.instead;
    let is_name = |chars: &[char]| opens_with_surname(&chars.iter().collect::<String>());
    let no_words = |chars: &[char]| pieces(chars).len() == WINDOW;
    let other_surname = proposal.hole == 0 && is_name(read);
    proposal.count > 1 && !other_surname && is_name(&name) && no_words(read) && no_words(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        let text: Vec<char> = text.chars().collect();
        mended(&[], &text).1.into_iter().collect()
    }

    #[test]
    fn a_phrase_is_read_as_it_stands_elsewhere() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let (title, text) = mended(
            &chars("东江省召开国际合历高峰论坛"),
            &chars("国际合作高峰论坛今天开幕，国际合作高峰论坛有三十国参加。"),
        );
        assert_eq!(title, chars("东江省召开国际合作高峰论坛"));
        assert_eq!(text[..8], chars("国际合作高峰论坛"));
        let text = read("共建一带亿路倡议，一带一路倡议今年十周年，一带一路倡议朋友多。");
        assert!(text.starts_with("共建一带一路"), "{text}");
    }

    #[test]
    fn where_one_character_is_misread_names_are_looked_at_too() {
        let scanned =
            "何晓连说，国际合历高峰论坛办得好。国际合作高峰论坛由何晓连主持，何长连致辞。";
        assert!(read(scanned).contains("何晓连致辞"));
        let clean = "何晓连说，国际合作高峰论坛办得好。论坛由何晓连主持，何长连致辞。";
        assert_eq!(read(clean), clean);
    }

    #[test]
    fn words_and_what_tells_names_apart_stay() {
        for text in [
            "东江市第一中学今天开学，第一中学有学生三千人，第二中学有学生两千人。",
            "东江市人民法院今天宣判，东江市人民法院院长说。东江市人民医院参加了救治。",
            "去年同期增长三成，今年同期增长五成，今年同期的投资也增长了。",
        ] {
            assert_eq!(read(text), text);
        }
    }

    proptest! {
        #[test]
        fn every_place_is_han_and_all_else_stays(
            title in "[东江大桥通车国际合作论坛何晓连，a]{0,20}",
            text in "[东江大桥通车国际合作论坛何晓连，\n a]{0,80}",
        ) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let (title, text) = (chars(&title), chars(&text));
            let after = mended(&title, &text);
            prop_assert_eq!((title.len(), text.len()), (after.0.len(), after.1.len()));
            let before = title.iter().chain(&text);
            for (before, after) in before.zip(after.0.iter().chain(&after.1)) {
                prop_assert!(before == after || is_han(*before) && is_han(*after));
            }
        }
    }
}
