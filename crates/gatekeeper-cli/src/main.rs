//! The `gatekeeper` command.
//!
//! `args` says what can be typed, `commands` what is done, `report` how trouble is told and by which exit code.

mod args;
mod commands;
mod connect;
mod output;
mod report;
mod request;
mod time;

use args::{Cli, Command};
use clap::Parser;
use report::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are no errors. If nobody reads them any more, there is nobody to tell.
            let exit = if e.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
            drop(e.print());
            return exit;
        }
    };
    let done = match cli.command {
        Command::Token(args) => commands::token::run(&args),
        Command::Call(args) => commands::call::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Soak(args) => commands::soak::run(&args),
        Command::Demo => commands::demo::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
