//! What a text itself calls something for short: `东江新技术成果交易会（以下简称“东交会”）`, `国内生产总值（GDP）`.

use super::candidates::Candidate;
use crate::document::Span;
use crate::text::lexicon::LEXICON;

/// Names that are given in one text; a directory of them would have thousands.
const MAX_ALIASES: usize = 32;
/// What stands in the brackets, at most.
const MAX_BRACKET_CHARS: usize = 20;
/// A short name has so many characters.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=10;

/// Candidates that name the same, by their places in the list: the full names, and the short ones.
pub struct Aliases(Vec<(Vec<usize>, Vec<usize>)>);

impl Aliases {
    /// Those that folded `text` introduces; `cores` are the candidates' keys without marks.
    pub fn of(text: &[char], candidates: &[Candidate], cores: &[Vec<char>]) -> Self {
        let introduced = introduced(text).into_iter().map(|(end, name)| {
            let name: Vec<char> = name.of(text).iter().map(char::to_ascii_lowercase).collect();
            let ends_here = |c: &Candidate| c.in_text.iter().any(|place| place.end == end);
            let full = (0..candidates.len()).filter(|&i| ends_here(&candidates[i]));
            // `药交会` of `东江药交会` too.
            let is_short = |core: &[char]| core == name || core.len() > 2 && name.ends_with(core);
            let short = (0..candidates.len()).filter(|&i| is_short(&cores[i]));
            (full.collect(), short.collect())
        });
        Self(introduced.collect())
    }

    /// Whether one of two candidates is the short name of the other.
    pub fn tell(&self, i: usize, j: usize) -> bool {
        let told = |a: &[usize], b: &[usize]| a.contains(&i) && b.contains(&j);
        let mut pairs = self.0.iter();
        pairs.any(|(full, short)| told(full, short) || told(short, full))
    }
}

/// Where a full name ends, and the short one in the brackets behind it.
fn introduced(text: &[char]) -> Vec<(usize, Span)> {
    let opens = |&i: &usize| matches!(text[i], '(' | '（');
    let brackets = (1..text.len()).filter(opens);
    let introduced = brackets.filter_map(|open| {
        let inside = &text[open + 1..text.len().min(open + 2 + MAX_BRACKET_CHARS)];
        let close = inside.iter().position(|c| matches!(c, ')' | '）'))?;
        let name = short_name(text, Span::new(open + 1, open + 1 + close))?;
        let end = open - usize::from(matches!(text[open - 1], '”' | '》' | '"'));
        Some((end, name))
    });
    introduced.take(MAX_ALIASES).collect()
}

/// What a bracket gives as a short name: what stands behind `以下简称`, or letters alone.
fn short_name(text: &[char], inside: Span) -> Option<Span> {
    let said = inside.of(text);
    let naming = |word: &Vec<char>| {
        let at = said.windows(word.len()).position(|part| part == word)?;
        Some(inside.start + at + word.len())
    };
    let start = LEXICON.naming.iter().filter_map(naming).max();
    let mut name = Span::new(start.unwrap_or(inside.start), inside.end);
    while !name.is_empty() && !text[name.start].is_alphanumeric() {
        name.start += 1;
    }
    while !name.is_empty() && !text[name.end - 1].is_alphanumeric() {
        name.end -= 1;
    }
    let said = name.of(text);
    let is_named = start.is_some() && said.iter().all(|c| c.is_alphanumeric());
    let is_letters =
        said.iter().all(char::is_ascii_alphanumeric) && said.iter().any(char::is_ascii_uppercase);
    (NAME_CHARS.contains(&said.len()) && (is_named || is_letters)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_found_where_they_are_introduced() {
        let told = |text: &str| {
            let text: Vec<char> = text.chars().collect();
            let found = introduced(&text).into_iter();
            let found = found.map(|(end, name)| {
                let full: String = text[..end].iter().collect();
                (full, name.text(&text))
            });
            found.collect::<Vec<_>>()
        };
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        assert_eq!(
            told("东江交易会（以下简称“东交会”）"),
            pair("东江交易会", "东交会")
        );
        assert_eq!(told("“东江计划”(简称：东计)"), pair("“东江计划", "东计"));
        assert_eq!(told("国内生产总值（GDP）"), pair("国内生产总值", "GDP"));
        assert!(told("何田（女）和东江（2023年）、林小满（记者）").is_empty());
    }
}
