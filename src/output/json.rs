//! Records as JSON text that is safe to look at.

use serde::Serialize;

/// JSON with a line end. Characters that a terminal obeys (C1 controls, bidirectional overrides) are escaped;
/// C0 controls always are in JSON.
pub fn text(value: &impl Serialize, pretty: bool) -> String {
    let text = if pretty {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    let text = text.expect("records have string keys and finite numbers");
    let mut out = String::with_capacity(text.len() + 1);
    let mut rest = text.as_str();
    while let Some(at) = rest.find(is_dangerous) {
        let c = rest[at..].chars().next().expect("one was found");
        out.push_str(&rest[..at]);
        out.push_str(&format!("\\u{:04x}", u32::from(c)));
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out.push('\n');
    out
}

/// One line of JSON Lines.
pub fn line(value: &impl Serialize) -> String {
    text(value, false)
}

/// Characters that change how a terminal shows what follows.
pub fn is_dangerous(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_never_commanded() {
        let json = line(&"标\u{9b}题\u{202e}\u{1b}");
        assert_eq!(json, "\"标\\u009b题\\u202e\\u001b\"\n");
        assert_eq!(
            serde_json::from_str::<String>(&json).unwrap(),
            "标\u{9b}题\u{202e}\u{1b}"
        );
    }
}
