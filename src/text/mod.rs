//! Characters and words: folding, segmentation, word lists.

pub mod dateline;
pub mod dictionary;
pub mod document_frequency;
pub mod fold;
pub mod hash;
pub mod lexicon;
pub mod misread;
pub mod names;
pub mod patterns;
pub mod words;
