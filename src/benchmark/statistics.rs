//! Medians and spreads of a few noisy measurements.

use serde::{Deserialize, Serialize};

/// What several rounds of one measurement say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    pub rounds: usize,
}

impl Spread {
    /// `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&lowest, &highest) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Some(Self {
            median,
            lowest,
            highest,
            rounds: sorted.len(),
        })
    }

    /// Half the distance between the lowest and the highest, as a share of the median.
    pub fn relative(&self) -> f64 {
        (self.highest - self.lowest) / 2.0 / self.median.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = Spread::of(&[3.0, 1.0, 10.0]).unwrap();
        assert_eq!(
            (spread.lowest, spread.median, spread.highest, spread.rounds),
            (1.0, 3.0, 10.0, 3)
        );
        assert_eq!(spread.relative(), 1.5);
        assert_eq!(Spread::of(&[4.0, 1.0]).unwrap().median, 2.5);
        assert!(Spread::of(&[]).is_none());
    }
}
