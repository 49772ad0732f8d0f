//! jieba's dictionary: the whole of it, or the part that one text can need.
//!
//! Reading all 349,045 words takes a tenth of a second, half of what a short article takes from the command line. A
//! program that will see one text only says so ([`expect`]), and gets a dictionary of the words that consist of its
//! characters, in a fifth of the time. Both cut and tag that text alike: no other word can stand in it, and frequencies count
//! against the same total.

use super::fold::fold;
use jieba_rs::Jieba;
use std::sync::{LazyLock, OnceLock};

/// `src/data/dict.txt` of jieba-rs 0.11 (MIT, from <https://github.com/fxsjy/jieba>), which keeps its copy to itself:
/// `word frequency tag` lines, packed by `zstd -19`.
static WORDS: &[u8] = include_bytes!("../../prompts/dictionary.txt.zst");
/// The sum of all frequencies.
const TOTAL: usize = 60_101_964;
/// Stands for all words that are left out: no character of any script, and in no word.
const ALL_OTHERS: char = '\u{10FFFF}';
/// Of a text, what is looked at for a first word that the dictionary does not have.
const WARM_UP_CHARS: usize = 2000;

static WHOLE: LazyLock<Jieba> = LazyLock::new(Jieba::new);
static EXPECTED: OnceLock<Vec<char>> = OnceLock::new();
static PART: LazyLock<Option<Part>> = LazyLock::new(|| EXPECTED.get().map(|text| Part::of(text)));

/// A segmenter that has every word that can stand in this (folded) text.
pub(super) fn of(text: &[char]) -> &'static Jieba {
    match &*PART {
        Some(part) if part.serves(text) => &part.jieba,
        _ => &WHOLE,
    }
}

/// Says, before any text is read, that this is the only one: what it needs of the dictionary is enough. Whatever else
/// comes all the same is read with the whole dictionary.
pub fn expect(text: &[char]) {
    let _ = EXPECTED.set(fold(text));
}

/// Reads the dictionary now instead of at the first use; call it from a thread of its own.
pub fn load() {
    match (&*PART, EXPECTED.get()) {
        (Some(part), Some(text)) => {
            // A word that no dictionary has makes jieba read its table of classes.
            let beginning: String = text.iter().take(WARM_UP_CHARS).collect();
            part.jieba.tag(&beginning, true);
        }
        _ => {
            LazyLock::force(&WHOLE);
        }
    }
}

/// The words that consist of some characters only.
struct Part {
    characters: Characters,
    jieba: Jieba,
}

impl Part {
    fn of(text: &[char]) -> Self {
        let mut characters = Characters::none();
        // What may come between a text's own characters.
        (' '..='~')
            .chain(['\n', '　'])
            .for_each(|c| characters.add(c));
        text.iter().for_each(|&c| characters.add(c));
        let words =
            zstd::decode_all(WORDS).expect("prompts/dictionary.txt.zst is part of the program");
        let (mut chosen, mut counted) = (Vec::new(), 0);
        for line in words.split(|&byte| byte == b'\n') {
            let mut columns = line.split(|&byte| byte == b' ');
            let mut column = || {
                columns
                    .next()
                    .and_then(|column| str::from_utf8(column).ok())
            };
            let is_possible = column().is_some_and(|word| word.chars().all(|c| characters.has(c)));
            if is_possible
                && let Some(frequency) = column().and_then(|column| column.parse::<usize>().ok())
            {
                chosen.extend_from_slice(line);
                chosen.push(b'\n');
                counted += frequency;
            }
        }
        chosen.extend(format!("{ALL_OTHERS} {}\n", TOTAL - counted).bytes());
        let jieba =
            Jieba::with_dict(&mut chosen.as_slice()).expect("lines of jieba's own dictionary");
        Self { characters, jieba }
    }

    fn serves(&self, text: &[char]) -> bool {
        text.iter().all(|&c| self.characters.has(c))
    }
}

/// A set of characters, one bit each.
struct Characters(Vec<u64>);

impl Characters {
    fn none() -> Self {
        Self(vec![0; (char::MAX as usize + 1) / 64])
    }

    fn add(&mut self, c: char) {
        self.0[c as usize / 64] |= 1 << (c as usize % 64);
    }

    fn has(&self, c: char) -> bool {
        self.0[c as usize / 64] & (1 << (c as usize % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEWS: &str = "东江市水务局3月5日召开防汛工作会议，局长林小满说，今年要完成120座水库的除险加固，\
        把“数字孪生流域”建设好。青石县、白沙镇等地的C919大飞机产业园、卡拉OK协会代表何晓参加了会议。";

    #[test]
    fn our_copy_is_that_of_jieba() {
        let every_character: Vec<char> = ('\0'..char::MAX).collect();
        let all = Part::of(&every_character).jieba;
        let numbers = |jieba: &Jieba| format!("{jieba:?}").replace("349046", "349045");
        assert_eq!(numbers(&all), numbers(&WHOLE), "words and total frequency");
        assert!(numbers(&all).contains(&TOTAL.to_string()));
    }

    #[test]
    fn a_foreign_text_is_not_served() {
        let part = Part::of(&['大', '桥']);
        assert!(part.serves(&['大', ' ', '桥', '\n', 'A']));
        assert!(!part.serves(&['小', '桥']));
        assert!(part.jieba.has_word("大桥") && !part.jieba.has_word("小桥"));
    }

    proptest! {
        #[test]
        fn a_part_cuts_and_tags_as_the_whole(
            places in prop::collection::vec((0..80usize, 1..20usize), 1..12),
            odd in "\\PC{0,20}",
        ) {
            let news: Vec<char> = NEWS.chars().collect();
            let mut text: Vec<char> = odd.chars().collect();
            for (start, length) in places {
                text.extend(news[start..].iter().take(length));
            }
            let part = Part::of(&text);
            prop_assert!(part.serves(&text));
            let text: String = text.iter().collect();
            let cut = |jieba: &Jieba| jieba.cut(&text, false).iter().map(|word| word.end).collect::<Vec<_>>();
            prop_assert_eq!(cut(&part.jieba), cut(&WHOLE));
            let tags = |jieba: &Jieba| {
                let tags = jieba.tag(&text, true);
                tags.iter().map(|tag| (tag.start, tag.end, tag.tag.to_owned())).collect::<Vec<_>>()
            };
            prop_assert_eq!(tags(&part.jieba), tags(&WHOLE));
        }
    }
}
