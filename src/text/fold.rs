//! One character → one character, so that offsets survive: Traditional to Simplified, full-width to half-width.
//!
//! The model and the segmenter see folded text; the record always shows the text as it stands.

use std::collections::HashMap;
use std::sync::LazyLock;

static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pairs: Vec<char> = include_str!("../../prompts/traditional.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::chars)
        .collect();
    pairs
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect()
});

/// Folds one character: `國` → `国`, `Ａ` → `A`, `　` → space; everything else stays.
pub fn fold_char(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '％' => {
            char::from_u32(c as u32 - 0xfee0).unwrap_or(c)
        }
        '\u{3000}' | '\u{a0}' => ' ',
        '「' | '﹁' => '“',
        '」' | '﹂' => '”',
        '『' => '‘',
        '』' => '’',
        '・' | '•' | '‧' | '∙' => '·',
        c if c < '\u{3400}' => c,
        c => SIMPLIFIED.get(&c).copied().unwrap_or(c),
    }
}

/// Folds every character; the result has the same length.
pub fn fold(text: &[char]) -> Vec<char> {
    text.iter().copied().map(fold_char).collect()
}

/// The first `most` characters, folded, for a pattern.
pub fn folded_head(text: &[char], most: usize) -> String {
    text.iter().take(most).copied().map(fold_char).collect()
}

/// Whether `c` is a Chinese character.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{323af}' | '〇' | '\u{f900}'..='\u{faff}')
}

/// Whether `c` is a Chinese character or its punctuation: nothing separates it from its neighbours, and it takes two columns.
pub fn is_wide(c: char) -> bool {
    is_han(c)
        || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff60}' | '“' | '”' | '‘' | '’' | '…' | '—' | '·')
}

/// Columns of a terminal that `c` takes.
pub fn columns(c: char) -> usize {
    1 + usize::from(is_wide(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        fold(&text.chars().collect::<Vec<_>>())
            .into_iter()
            .collect()
    }

    #[test]
    fn folds_traditional_and_full_width() {
        assert_eq!(
            folded("國務院會議「２０２３」年　ＡＢ"),
            "国务院会议“2023”年 AB"
        );
        assert_eq!(folded("已经是简体，不变。"), "已经是简体，不变。");
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for (&from, &to) in SIMPLIFIED.iter() {
            assert_eq!(fold_char(fold_char(from)), fold_char(to), "{from} → {to}");
        }
    }
}
