//! The pooled vector of each line of standard input, one JSON list a line: what a model computes, for comparing
//! it with its authors' own code.
//!
//! ```text
//! cargo run --release --example embed -- MODEL < lines.txt
//! ```

use jianbao::analysis::sector::Taxonomy;
use jianbao::encoder::candle::device::{self, DeviceChoice, Precision};
use jianbao::model;
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "news".to_owned())
        .parse()?;
    let (device, _) = device::open(DeviceChoice::Cpu)?;
    let model = model::load(&source, Taxonomy::embedded(), device, Precision::F32.into())?;
    let lines: Vec<Vec<char>> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| line.map(|line| line.chars().collect()))
        .collect::<Result<_, _>>()?;
    let mut out = std::io::stdout().lock();
    for vector in model.embed(&lines)? {
        writeln!(out, "{}", serde_json::to_string(&vector)?)?;
    }
    Ok(())
}
