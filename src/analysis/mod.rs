//! Sector, summary and keywords: candidates, features and choices. Scores come from the model's heads, which
//! live elsewhere; nothing here knows Candle.

pub mod context;
pub mod keywords;
pub mod ngrams;
pub mod salience;
pub mod sector;
pub mod summary;
