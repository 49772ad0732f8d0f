//! The `jianbao` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    jianbao::cli::run(std::env::args_os())
}
