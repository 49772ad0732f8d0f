//! Names of people, as they sign what they wrote.

use super::fold::is_han;
use super::patterns::PATTERNS;
use super::words::{WordClass, words};

/// Marks and brackets that may stand around a signature.
const AROUND: &str = "（）()【】[]—-–·■□●○◎▲△▼◆◇★▌丨|/";

/// Whether folded text is nothing but names of people (`何田`, `（何 田）`, `■何田 林小满`): each opens with a surname and is no
/// word of the dictionary (`黄山市`, `方案`).
pub fn are_names(folded: &[char]) -> bool {
    let line: String = folded.iter().collect();
    let bare = line.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(c));
    PATTERNS.names.is_match(bare) && !bare.split(|c| !is_han(c)).any(is_word)
}

/// Whether the dictionary has it, as something else than a person.
fn is_word(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    chars.len() > 1 && matches!(words(&chars)[..], [word] if word.class != WordClass::Person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_from_words() {
        let are = |text: &str| are_names(&text.chars().collect::<Vec<_>>());
        for names in [
            "何田",
            "何 田",
            "（林小满）",
            "■何田 林小满",
            "——何田",
            "何田、林小满",
            "欧阳小田",
        ] {
            assert!(are(names), "{names}");
        }
        for other in [
            "方案",
            "（黄山市）",
            "■关注",
            "大桥通车",
            "",
            "■",
            "马上就访",
            "时评",
            "温馨提示",
        ] {
            assert!(!are(other), "{other}");
        }
    }
}
