//! The only place that prints: data to stdout, messages to stderr, untrusted text made harmless.

use super::error::CliError;
use crate::output::json::{self, is_dangerous};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Owns stdout and stderr.
#[derive(Debug, Clone, Copy)]
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

    /// Text for people to stdout.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        self.data(harmless(text).as_bytes())
    }

    /// JSON to stdout, with a line end.
    pub fn json(&self, value: &impl Serialize, pretty: bool) -> Result<(), CliError> {
        self.data(json::text(value, pretty).as_bytes())
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Whether progress may be drawn: stderr is a terminal, and nobody asked for silence.
    pub fn draws(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_never_commanded() {
        assert_eq!(
            harmless("标题\u{1b}[2J\u{202e}x\n"),
            "标题\u{fffd}[2J\u{fffd}x\n"
        );
    }
}
