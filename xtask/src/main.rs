//! Maintenance commands of the gatekeeper workspace, run as `cargo xtask COMMAND`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod ci;
mod cmd;
mod conformance;
mod features;
mod live;
mod msrv;
mod nostd;
mod tidy;
mod toolchains;
mod workspace;

use std::process::ExitCode;

/// What every command gives back: nothing, or a message for the person at the terminal.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One subcommand: its name, what the help says of it, and the function that runs it.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result,
}

const COMMANDS: &[Command] = &[
    Command { name: "ci", about: ci::ABOUT, run: ci::main },
    Command { name: "nostd", about: nostd::ABOUT, run: nostd::main },
    Command { name: "msrv", about: msrv::ABOUT, run: msrv::main },
    Command { name: "features", about: features::ABOUT, run: features::main },
    Command { name: "tidy", about: tidy::ABOUT, run: tidy::main },
    Command { name: "conformance", about: conformance::ABOUT, run: conformance::main },
    Command { name: "live", about: live::ABOUT, run: live::main },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();

    if matches!(name.as_str(), "" | "help" | "-h" | "--help") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: no command is called `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    match (command.run)(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND\n\n");
    for command in COMMANDS {
        text.push_str(&format!("  {:<12} {}\n", command.name, command.about));
    }
    text
}

/// Whether the switch `name` was given; an argument that is none of `known` is an error.
fn switches<const N: usize>(arguments: &[String], known: [&str; N]) -> Result<[bool; N]> {
    if let Some(stranger) = arguments.iter().find(|given| !known.contains(&given.as_str())) {
        let known = if N == 0 { "none".to_owned() } else { known.join(", ") };
        return Err(format!("unknown argument `{stranger}`; known: {known}").into());
    }
    Ok(known.map(|switch| arguments.iter().any(|given| given == switch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_found_and_strangers_refused() {
        let given = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(switches(&given(&["--b"]), ["--a", "--b"]).unwrap(), [false, true]);
        assert_eq!(switches(&[], ["--a"]).unwrap(), [false]);
        let error = switches(&given(&["--c"]), ["--a"]).unwrap_err().to_string();
        assert!(error.contains("--c") && error.contains("--a"), "{error}");
    }

    #[test]
    fn every_command_is_in_the_help() {
        let help = help();
        for command in COMMANDS {
            assert!(help.contains(command.name) && help.contains(command.about));
        }
    }
}
