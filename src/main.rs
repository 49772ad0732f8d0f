//! The `jianbao` program: parse, run, exit code.

use std::process::ExitCode;

/// Every layer's states are a few megabytes that live for milliseconds. This allocator keeps their pages; the
/// system's gives them back and has them cleared again, a tenth of the encoder's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jianbao::cli::run(std::env::args_os())
}
