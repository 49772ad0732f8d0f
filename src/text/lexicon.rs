//! The word lists of `prompts/lexicon.toml`.

use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

#[derive(Deserialize)]
struct File {
    keyword: KeywordLists,
    sentence: SentenceLists,
}

#[derive(Deserialize)]
struct KeywordLists {
    function: String,
    generic: String,
    telling: String,
    place: String,
    counting: String,
    measure: String,
    naming: String,
}

#[derive(Deserialize)]
struct SentenceLists {
    leaning: String,
    dangling: String,
    saying: String,
}

/// Word lists, all in Simplified Chinese.
pub struct Lexicon {
    /// Words that neither begin nor end a keyword.
    pub function: HashSet<&'static str>,
    /// Words that are no keyword by themselves.
    pub generic: HashSet<&'static str>,
    /// Characters by which names of one kind are told apart (`第一中学`, `第二中学`).
    pub telling: String,
    /// What closes a place's name: 县, 村.
    pub place: HashSet<&'static str>,
    /// Verbs that stand before a number: 报, 达.
    pub counting: HashSet<&'static str>,
    /// What numbers count: 年, 个.
    pub measure: HashSet<&'static str>,
    /// What introduces a short name: 简称, 又称.
    pub naming: Vec<Vec<char>>,
    /// Sentence openings that refer to the sentence before.
    pub leaning: Vec<Vec<char>>,
    /// More of them, which the model knows nothing of.
    pub dangling: Vec<Vec<char>>,
    /// Verbs of saying.
    pub saying: Vec<Vec<char>>,
}

/// The lists, read once.
pub static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../prompts/lexicon.toml"))
        .expect("prompts/lexicon.toml is part of the program");
    let words = |list: String| list.leak().split_whitespace();
    let characters = |list: String| words(list).map(|word| word.chars().collect()).collect();
    Lexicon {
        function: words(file.keyword.function).collect(),
        generic: words(file.keyword.generic).collect(),
        telling: file.keyword.telling,
        place: words(file.keyword.place).collect(),
        counting: words(file.keyword.counting).collect(),
        measure: words(file.keyword.measure).collect(),
        naming: characters(file.keyword.naming),
        leaning: characters(file.sentence.leaning),
        dangling: characters(file.sentence.dangling),
        saying: characters(file.sentence.saying),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_there() {
        assert!(LEXICON.generic.contains("工作"));
        assert!(LEXICON.saying.iter().any(|word| word == &['表', '示']));
    }
}
