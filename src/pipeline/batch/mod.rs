//! Many inputs: listed once, cut into parts, streamed through the stages, written part by part.
//!
//! ```text
//! inputs ─ tasks ─▶ open (decode, split, prepare: CPU workers) ─▶ encode (device) ─▶ read, write
//!          lines    └──────────── bounded queues, one group of articles ahead ───────────┘
//! ```
//!
//! Which inputs make a part is a function of the input list alone, and no record depends on what it was computed
//! with, so neither threads nor interruptions change a byte of the result.

#[cfg(feature = "candle")]
pub mod flow;
#[cfg(feature = "candle")]
pub mod folder;
pub mod inputs;
pub mod lines;
pub mod manifest;
#[cfg(feature = "candle")]
mod open;
#[cfg(feature = "candle")]
pub mod report;
pub mod results;
#[cfg(feature = "candle")]
pub mod tasks;

/// Inputs that a part has at most.
pub const PART_INPUTS: usize = 64;
/// Inputs of the first part; each has twice as many as the one before, so that there is something to see soon.
pub const FIRST_PART_INPUTS: usize = 2;
/// Bytes of input after which a part is closed.
pub const PART_BYTES: u64 = 4 << 20;

/// Cuts the input list into parts.
#[derive(Debug, Default)]
pub struct PartCutter {
    part: usize,
    inputs: usize,
    bytes: u64,
}

impl PartCutter {
    /// The part of the next input, and whether it opens that part. An input of `bytes` that does not fit opens the
    /// next one.
    pub fn place(&mut self, bytes: u64) -> (usize, bool) {
        let room = FIRST_PART_INPUTS << self.part.min(PART_INPUTS.ilog2() as usize);
        let full = self.inputs == room.min(PART_INPUTS)
            || (self.inputs > 0 && self.bytes.saturating_add(bytes) > PART_BYTES);
        if full {
            *self = Self {
                part: self.part + 1,
                ..Self::default()
            };
        }
        self.inputs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        (self.part, self.inputs == 1)
    }

    /// Parts so far.
    pub fn parts(&self) -> usize {
        self.part + usize::from(self.inputs > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_by_number_and_by_size() {
        let mut cutter = PartCutter::default();
        assert_eq!(cutter.parts(), 0);
        let parts: Vec<usize> = (0..200).map(|_| cutter.place(10).0).collect();
        let sizes: Vec<usize> = parts.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 4, 8, 16, 32, 64, 64, 10]);
        assert_eq!(cutter.parts(), 8);
        let mut cutter = PartCutter::default();
        let sizes = [PART_BYTES + 5, 1, PART_BYTES - 1, 1, u64::MAX, 3];
        let places = sizes.map(|size| cutter.place(size));
        assert_eq!(
            places,
            [
                (0, true),
                (1, true),
                (1, false),
                (2, true),
                (3, true),
                (4, true)
            ]
        );
    }
}
