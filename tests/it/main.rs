//! All integration tests, one binary.

mod cli;
mod encoder;
mod hub;
mod laws;
mod quality;
mod support;
