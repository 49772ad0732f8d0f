//! Passages that are printed twice.

use super::Page;
use crate::document::Span;
use std::collections::HashMap;

/// Shorter passages may be repeated without being printed twice.
const MIN_CHARS: usize = 12;
/// Shorter passages are only the same when they are equal.
const MIN_NEAR_CHARS: usize = 24;
/// Longer ones too: comparing takes the square of the length.
const MAX_NEAR_CHARS: usize = 3000;
/// Passages before one among which a misread copy of it is looked for.
const NEAR_REACH: usize = 200;
/// Of a misread copy's character pairs, at least this share is right.
const MIN_OVERLAP: f32 = 0.7;

/// A body block without its white space.
struct Passage {
    block: usize,
    chars: Vec<char>,
}

impl Page<'_> {
    /// Marks passages that repeat another one; keeps the copy that fits its article better. Returns (left out, kept).
    pub(super) fn drop_duplicates(&mut self) -> Vec<(Span, Span)> {
        let mut passages: Vec<Passage> = Vec::new();
        for block in self.bodies() {
            let chars = self.chars(block).iter().copied();
            let chars: Vec<char> = chars.filter(|c| !c.is_whitespace()).collect();
            if chars.len() >= MIN_CHARS {
                passages.push(Passage { block, chars });
            }
        }
        let mut found = Vec::new();
        let mut exact: HashMap<&[char], usize> = HashMap::new();
        for (n, passage) in passages.iter().enumerate() {
            let recent = &passages[n.saturating_sub(NEAR_REACH)..n];
            let earlier = exact.get(passage.chars.as_slice()).copied().or_else(|| {
                let alike =
                    |other: &&Passage| !self.dropped[other.block] && self.are_alike(passage, other);
                recent.iter().find(alike).map(|other| other.block)
            });
            let block = passage.block;
            let Some(earlier) = earlier else {
                exact.insert(&passage.chars, block);
                continue;
            };
            let fits = |at: usize| {
                let without = [block, earlier];
                self.rare_pairs()
                    .affinity(block, self.section[at], &without)
            };
            let (kept, left_out) = if fits(block) > fits(earlier) + 1e-6 {
                (block, earlier)
            } else {
                (earlier, block)
            };
            self.dropped[left_out] = true;
            exact.insert(&passage.chars, kept);
            found.push((self.blocks[left_out].span, self.blocks[kept].span));
        }
        if !found.is_empty() {
            // What is left out speaks for no article any more.
            self.rare_pairs.take();
        }
        found
    }

    /// Whether two passages are the same but for a few misread characters. Numbers must agree: lists repeat their
    /// words.
    fn are_alike(&self, a: &Passage, b: &Passage) -> bool {
        let (short, long) = (
            a.chars.len().min(b.chars.len()),
            a.chars.len().max(b.chars.len()),
        );
        (MIN_NEAR_CHARS..=MAX_NEAR_CHARS).contains(&short)
            && (long - short) * 20 <= long
            && digits(&a.chars).eq(digits(&b.chars))
            && self.rare_pairs().overlap(a.block, b.block) >= MIN_OVERLAP
            && strsim::generic_levenshtein(&Chars(&a.chars), &Chars(&b.chars)) * 20 <= long
    }
}

fn digits(text: &[char]) -> impl Iterator<Item = &char> {
    text.iter().filter(|c| c.is_ascii_digit())
}

/// What `strsim` compares.
struct Chars<'a>(&'a [char]);

impl<'b> IntoIterator for &'b Chars<'_> {
    type Item = &'b char;
    type IntoIter = std::slice::Iter<'b, char>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
