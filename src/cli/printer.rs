//! The only place that prints: data to stdout, messages to stderr, untrusted text made harmless.

use super::error::CliError;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Owns stdout and stderr.
pub(super) struct Printer {
    quiet: bool,
    verbose: bool,
}

impl Printer {
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Raw data to stdout.
    pub fn data(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|e| CliError::output("standard output", &e))
    }

    /// JSON to stdout, with a line end.
    pub fn json(&self, value: &impl Serialize, pretty: bool) -> Result<(), CliError> {
        self.data(json_text(value, pretty).as_bytes())
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// A message for people, unless `--quiet`.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{}", harmless(message));
        }
    }

    /// A message only with `-v`.
    pub fn detail(&self, message: &str) {
        if self.verbose {
            self.note(message);
        }
    }

    /// A warning, unless `--quiet`.
    pub fn warning(&self, message: &str) {
        if !self.quiet {
            let style = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
            let _ = writeln!(
                anstream::stderr(),
                "{style}warning:{style:#} {}",
                harmless(message)
            );
        }
    }

    /// An error: a sentence, and a hint after a blank line. Not silenced by `--quiet`.
    pub fn error(&self, error: &CliError) {
        let (red, cyan) = (AnsiColor::Red, AnsiColor::Cyan);
        let bold = |colour: AnsiColor| Style::new().fg_color(Some(colour.into())).bold();
        let mut out = anstream::stderr().lock();
        let _ = writeln!(
            out,
            "{0}error:{0:#} {1}",
            bold(red),
            harmless(&error.message)
        );
        if let Some(hint) = &error.hint {
            let _ = writeln!(out, "\n{0}hint:{0:#} {1}", bold(cyan), harmless(hint));
        }
    }
}

/// JSON with a line end. Characters that a terminal obeys (C1 controls, bidirectional overrides) are escaped;
/// C0 controls always are in JSON.
pub(super) fn json_text(value: &impl Serialize, pretty: bool) -> String {
    let text = if pretty {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    let text = text.expect("records have string keys and finite numbers");
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_dangerous(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// Text for a terminal: control and bidirectional characters become U+FFFD, line ends stay.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c != '\n' && (c.is_control() || is_dangerous(c)) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Characters that change how a terminal shows what follows.
fn is_dangerous(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_never_commanded() {
        assert_eq!(
            harmless("标题\u{1b}[2J\u{202e}x\n"),
            "标题\u{fffd}[2J\u{fffd}x\n"
        );
        let json = json_text(&"标\u{9b}题\u{202e}\u{1b}", false);
        assert_eq!(json, "\"标\\u009b题\\u202e\\u001b\"\n");
        assert_eq!(
            serde_json::from_str::<String>(&json).unwrap(),
            "标\u{9b}题\u{202e}\u{1b}"
        );
    }
}
