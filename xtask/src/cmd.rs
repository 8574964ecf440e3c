//! `std::process::Command` with errors that say which command failed, and how.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::Result;

/// A command that is about to run.
pub(crate) struct Cmd {
    inner: Command,
    /// The command as a person would type it, for headings and errors. Environment values are left out of it on
    /// purpose: some of them are secrets.
    shown: String,
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let name = Path::new(program).file_name().unwrap_or(program);
        Self { inner: Command::new(program), shown: name.to_string_lossy().into_owned() }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let argument = argument.as_ref();
        self.shown.push(' ');
        self.shown.push_str(&quoted(&argument.to_string_lossy()));
        self.inner.arg(argument);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.inner.env_remove(name);
        self
    }

    pub(crate) fn dir(mut self, directory: &Path) -> Self {
        self.inner.current_dir(directory);
        self
    }

    /// Shows the command, runs it on this terminal, and fails unless it exits with 0.
    pub(crate) fn run(mut self) -> Result {
        eprintln!("$ {}", self.shown);
        let status = self.inner.status().map_err(|error| self.cannot_start(&error))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", self.shown).into()) }
    }

    /// Runs the command silently and gives back what it printed; fails unless it exits with 0, with the end of its
    /// error output in the message.
    pub(crate) fn read(self) -> Result<String> {
        let shown = self.shown.clone();
        let output = self.output("")?;
        if !output.status.success() {
            let complaint = tail(&String::from_utf8_lossy(&output.stderr), 20);
            return Err(format!("`{shown}` failed: {}\n{complaint}", output.status).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs the command with `input` on its standard input; whatever it exits with is the caller's business.
    pub(crate) fn output(mut self, input: &str) -> Result<Output> {
        self.inner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.inner.spawn().map_err(|error| self.cannot_start(&error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command may end without reading its input; that is no failure of ours.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(|error| format!("`{}`: {error}", self.shown).into())
    }

    fn cannot_start(&self, error: &std::io::Error) -> String {
        format!("cannot start `{}`: {error}", self.shown)
    }
}

/// The cargo that is running this program.
pub(crate) fn cargo() -> Cmd {
    scrubbed(Cmd::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// `command` without the variables that `cargo run` sets for the program it starts. Build scripts that watch them
/// (ring's does) would otherwise be compiled again in every nested cargo.
pub(crate) fn scrubbed(command: Cmd) -> Cmd {
    const SET_BY_CARGO_RUN: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| SET_BY_CARGO_RUN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)))
        .fold(command, Cmd::env_remove)
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%~".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

/// The last `count` lines of `text`.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_names_the_command_its_status_and_its_complaint() {
        let error = Cmd::new("sh").args(["-c", "echo it broke >&2; exit 7"]).read().unwrap_err().to_string();
        assert!(error.contains("sh -c 'echo it broke") && error.contains('7'), "{error}");
        assert!(error.ends_with("it broke"), "{error}");
    }

    #[test]
    fn missing_program_is_named() {
        let error = Cmd::new("no-such-program-here").read().unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }

    #[test]
    fn input_reaches_the_command() {
        let output = Cmd::new("cat").output("from us").unwrap();
        assert_eq!(output.stdout, b"from us");
        // A command that reads nothing is no failure, however long the input.
        assert!(Cmd::new("true").output(&"x".repeat(1 << 20)).unwrap().status.success());
    }

    #[test]
    fn environment_values_are_not_shown() {
        let error = Cmd::new("false").env("SECRET", "hidden").read().unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
