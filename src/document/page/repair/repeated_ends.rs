//! Fragments that begin with the end of a sentence that stands whole elsewhere.

use super::candidates::reach;
use super::{Continuation, Join, Page};
use crate::document::sentence::is_terminal;
use crate::text::fold::is_han;
use std::collections::HashSet;

/// What two fragments have in common at most when a column was cut through a line.
const MAX_REPEATED_CHARS: usize = 5;
/// A fragment that begins with another one's end is at least this long.
const MIN_RIGHT_CHARS: usize = 20;
/// By how much more of its words it must fit the place it goes to than any other.
const MIN_MARGIN: f32 = 0.02;
/// A page with more such fragments is written so.
const MAX_REPEATED_ENDS: usize = 50;

impl Page<'_> {
    /// Fragments that begin with the last characters of a sentence that stands whole elsewhere (`…全长三千米。` and
    /// `米。市民…`): where a column was cut through a line, both sides may have it. What comes before the mark must be
    /// too short for a sentence and look like the middle of one; and the fragment's words must be at home where it
    /// goes, clearly more than where it stands and than at any other paragraph that ends so.
    pub(super) fn repeated_ends(&self, model: &dyn Continuation) -> Vec<Join> {
        let bodies = self.bodies();
        let mut out = Vec::new();
        for (place, &right) in bodies.iter().enumerate() {
            let Some(repeated) = self.repeated_end(right) else {
                continue;
            };
            if model.openness(&self.seam_right(right)) <= 0.0 {
                continue;
            }
            // The best place, and how well the fragment fits there; the second best one's fit.
            let (mut best, mut second) = (None, 0.0);
            for &left in &bodies[reach(place, bodies.len())] {
                let ends_so = left != right
                    && self.chars(left).len() > repeated.len()
                    && self.chars(left).ends_with(repeated);
                if !ends_so || !self.may_continue(left, right) {
                    continue;
                }
                let fit = self.homesickness(left, right);
                match best {
                    Some((_, most)) if fit <= most => second = f32::max(second, fit),
                    _ => {
                        second = best.map_or(second, |(_, most)| f32::max(second, most));
                        best = Some((left, fit));
                    }
                }
            }
            if let Some((left, fit)) = best.filter(|&(_, fit)| fit > second + MIN_MARGIN) {
                debug_assert!(fit > 0.0);
                out.push((left, right));
            }
            if out.len() > MAX_REPEATED_ENDS {
                // Not a cut page but a way of writing.
                return Vec::new();
            }
        }
        // Each paragraph can go on but once.
        let mut used = HashSet::new();
        out.retain(|&(left, _)| used.insert(left));
        out
    }

    /// The beginning of a block up to its first mark, if that is too short for a sentence.
    fn repeated_end(&self, right: usize) -> Option<&[char]> {
        let chars = self.chars(right);
        let head = &chars[..chars.len().min(MAX_REPEATED_CHARS)];
        let mark = head.iter().position(|&c| is_terminal(c))?;
        let may_repeat =
            mark > 0 && chars.len() >= MIN_RIGHT_CHARS && head[..mark].iter().all(|&c| is_han(c));
        may_repeat.then_some(&head[..=mark])
    }

    /// How much more of a fragment's words stand in the article of an open end than in the one it stands in now.
    fn homesickness(&self, left: usize, right: usize) -> f32 {
        if self.section[left] == self.section[right] {
            return 0.0;
        }
        let (home, here) = self.affinities(left, right);
        home - here
    }
}
