//! The command line: arguments → options → commands → exit code.

mod args;
mod batch;
mod bench;
mod error;
mod evaluate;
mod models;
mod printer;
mod progress;
mod session;
mod summarize;
mod targets;

use args::{Command, CommandLine};
use clap::{CommandFactory, FromArgMatches};
use error::{CliError, ExitStatus};
use printer::Printer;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments (the first is its name).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match CommandLine::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to stdout and are fine; everything else is a usage error.
            let _ = error.print();
            let status = if error.use_stderr() {
                ExitStatus::Usage
            } else {
                ExitStatus::Success
            };
            return status.into();
        }
    };
    let command_line = match CommandLine::from_arg_matches(&matches) {
        Ok(command_line) => command_line,
        Err(error) => {
            let _ = error.print();
            return ExitStatus::Usage.into();
        }
    };
    let printer = Printer::new(command_line.quiet, command_line.verbose);
    let result = match command_line.command {
        Command::Summarize(args) => summarize::run(&args, &printer),
        Command::Batch(args) => batch::run(&args, &printer),
        Command::Models(args) => models::run(&args, &printer),
        Command::Eval(args) => evaluate::run(&args, &printer),
        Command::Bench(args) => bench::run(&args, &printer),
        Command::Schema => printer.json(&crate::output::record::json_schema(), true),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "jianbao", &mut script);
            printer.data(&script)
        }
        Command::Man { command } => man(command.as_deref()).and_then(|page| printer.data(&page)),
    };
    match result {
        Ok(()) => ExitStatus::Success.into(),
        // Whoever read our output has had enough (`| head`): that is no failure.
        Err(CliError {
            status: ExitStatus::BrokenPipe,
            ..
        }) => ExitStatus::Success.into(),
        Err(error) => {
            printer.error(&error);
            error.status.into()
        }
    }
}

/// The manual page of the program, or of one of its commands.
fn man(command: Option<&str>) -> Result<Vec<u8>, CliError> {
    let mut program = CommandLine::command();
    // Also gives each command its full name.
    program.build();
    let of = match command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                let message = format!("there is no command {name}");
                return Err(
                    CliError::new(ExitStatus::Usage, message).hint("`jianbao --help` lists them")
                );
            }
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(of).render(&mut page).map_err(|e| {
        let message = format!("the man page cannot be written: {e}");
        CliError::new(ExitStatus::Output, message)
    })?;
    Ok(page)
}
