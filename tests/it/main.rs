//! All integration tests, one binary.
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod batch;
mod batch_interruptions;
mod batch_refusals;
mod bench;
mod cli;
mod encoder;
mod gpu;
mod hub;
mod laws;
mod quality;
mod refusals;
mod support;
