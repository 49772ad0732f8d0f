//! An article as it is analysed: without the datelines and credits that stand in its text.

use super::Span;

/// Text without some places of it, and the way back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pub text: Vec<char>,
    /// (place in `text`, characters left out up to and at it), in order.
    left_out: Vec<(usize, usize)>,
}

impl Reading {
    /// `asides` are places of `printed`, in order, none of which overlap.
    pub fn new(printed: &[char], asides: &[Span]) -> Self {
        let mut reading = Self::default();
        let (mut from, mut chars) = (0, 0);
        for aside in asides {
            reading.text.extend(&printed[from..aside.start]);
            chars += aside.len();
            reading.left_out.push((reading.text.len(), chars));
            from = aside.end;
        }
        reading.text.extend(&printed[from..]);
        reading
    }

    /// The place in the printed text. What is left out at its beginning or end does not belong to it.
    pub fn printed(&self, span: Span) -> Span {
        let start = self.printed_at(span.start);
        let last = span.end.checked_sub(1).filter(|&last| last >= span.start);
        Span::new(start, last.map_or(start, |last| self.printed_at(last) + 1))
    }

    fn printed_at(&self, at: usize) -> usize {
        let before = self.left_out.partition_point(|&(place, _)| place <= at);
        at + before.checked_sub(1).map_or(0, |k| self.left_out[k].1)
    }

    /// Where a place of the printed text stands in `text`; empty for one that is left out.
    pub fn read(&self, span: Span) -> Span {
        Span::new(self.read_at(span.start), self.read_at(span.end))
    }

    fn read_at(&self, at: usize) -> usize {
        // An aside ends at its place and all that is left out up to there.
        let passed = self
            .left_out
            .partition_point(|(place, chars)| place + chars <= at);
        let before = passed.checked_sub(1).map_or(0, |k| self.left_out[k].1);
        let next = self
            .left_out
            .get(passed)
            .map_or(usize::MAX, |&(place, _)| place);
        (at - before).min(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "本报讯 大桥通车。\n市民高兴。(记者 何田)\n本报讯 完。";

    fn example() -> (Vec<char>, Reading) {
        let printed: Vec<char> = PRINTED.chars().collect();
        let asides = [(0, 4), (15, 22), (23, 27)].map(|(start, end)| Span::new(start, end));
        let reading = Reading::new(&printed, &asides);
        (printed, reading)
    }

    #[test]
    fn leaves_out_and_finds_back() {
        let (printed, reading) = example();
        let text: String = reading.text.iter().collect();
        assert_eq!(text, "大桥通车。\n市民高兴。\n完。");
        for (start, end) in [(0, 5), (0, 2), (6, 11), (12, 14), (13, 14)] {
            let span = Span::new(start, end);
            let there = reading.printed(span);
            assert_eq!(there.of(&printed), span.of(&reading.text));
            assert_eq!(reading.read(there), span);
        }
        assert!(reading.printed(Span::new(3, 3)).is_empty());
    }

    #[test]
    fn what_is_left_out_is_nowhere() {
        let (_, reading) = example();
        assert_eq!(reading.read(Span::new(0, 4)), Span::new(0, 0));
        assert_eq!(reading.read(Span::new(16, 20)), Span::new(11, 11));
        // A paragraph with a dateline is the paragraph without it.
        assert_eq!(reading.read(Span::new(0, 9)), Span::new(0, 5));
    }

    #[test]
    fn nothing_left_out_changes_nothing() {
        let printed: Vec<char> = PRINTED.chars().collect();
        let reading = Reading::new(&printed, &[]);
        assert_eq!(reading.text, printed);
        assert_eq!(reading.printed(Span::new(3, 7)), Span::new(3, 7));
        assert_eq!(reading.read(Span::new(3, 7)), Span::new(3, 7));
    }
}
