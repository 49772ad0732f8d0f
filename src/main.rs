//! The `jianbao` program: parse, run, exit code.

use std::process::ExitCode;

// Keeps a long batch's memory flat, where glibc's heap falls into pieces.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    jianbao::cli::run(std::env::args_os())
}
