//! The regular expressions of `prompts/patterns.toml`.

use regex::Regex;
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Deserialize)]
struct File {
    dateline: String,
    byline: String,
    photo_credit: String,
    furniture: String,
    enumerator: String,
    lead: String,
}

/// How lines that are not prose look. All match folded text; the `regex` crate runs them in linear time.
pub struct Patterns {
    /// The opening of a report; groups `paper`, `place`, `date`, `people`.
    pub dateline: Regex,
    /// A whole line that names authors or photographers.
    pub byline: Regex,
    /// A byline that credits a photograph.
    pub photo_credit: Regex,
    /// A whole line that belongs to the page and to no article.
    pub furniture: Regex,
    /// The opening of a numbered or marked line.
    pub enumerator: Regex,
    /// The first words of a news lead.
    pub lead: Regex,
}

/// The patterns, compiled once.
pub static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../prompts/patterns.toml"))
        .expect("prompts/patterns.toml is part of the program");
    let compile = |pattern: String| {
        Regex::new(&pattern).expect("prompts/patterns.toml is part of the program")
    };
    Patterns {
        dateline: compile(file.dateline),
        byline: compile(file.byline),
        photo_credit: compile(file.photo_credit),
        furniture: compile(file.furniture),
        enumerator: compile(file.enumerator),
        lead: compile(file.lead),
    }
});
