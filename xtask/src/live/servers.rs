//! Starts and stops the real authorization servers of `xtask/servers`, and reads what they say of themselves.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::cmd::Cmd;
use crate::{Result, workspace};

/// The names and values that a server's start script prints.
pub(crate) type Facts = BTreeMap<String, String>;

/// A running server. Dropping it ends its process.
pub(crate) struct Server {
    kind: &'static str,
    port: u16,
    cache: PathBuf,
    pub(crate) facts: Facts,
}

impl Server {
    /// Starts the server of directory `kind` on a free port, installing it below `cache` at first use.
    pub(crate) fn start(kind: &'static str, tls: bool, cache: &Path) -> Result<Self> {
        // Another process may take the port between our finding and the server's binding it.
        let mut attempts = 3;
        loop {
            attempts -= 1;
            match Self::start_on(free_port()?, kind, tls, cache) {
                Err(error) if attempts > 0 => eprintln!("{kind}: {error}\ntrying another port"),
                settled => return settled,
            }
        }
    }

    fn start_on(port: u16, kind: &'static str, tls: bool, cache: &Path) -> Result<Self> {
        // Made before the script runs, so that a server which starts but then fails its check is stopped too.
        let mut server = Self { kind, port, cache: cache.to_owned(), facts: Facts::new() };
        let printed = script(kind, "start.sh", port, cache).env("TLS", if tls { "1" } else { "0" }).read()?;
        server.facts = parse(&printed).map_err(|error| format!("{kind}/start.sh: {error}"))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = script(self.kind, "stop.sh", self.port, &self.cache).read() {
            eprintln!("cannot stop {}: {error}", self.kind);
        }
    }
}

/// Stops what an interrupted run left behind. The scripts end a process only if it is still the one they started.
pub(crate) fn stop_leftovers(kind: &'static str, cache: &Path) -> Result {
    let Ok(runs) = fs::read_dir(cache.join(kind).join("run")) else {
        return Ok(());
    };
    for run in runs {
        let run = run?.path();
        let port = run.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(port) = port.filter(|_| run.join("pid").exists()) {
            script(kind, "stop.sh", port, cache).read()?;
        }
    }
    Ok(())
}

fn script(kind: &str, name: &str, port: u16, cache: &Path) -> Cmd {
    let directory = workspace::root().join("xtask/servers").join(kind);
    Cmd::new(directory.join(name)).arg(port.to_string()).env("CACHE", cache)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Reads shell assignments, `NAME='value' OTHER='value'`, as a POSIX shell would for quoted and escaped words without
/// expansions. Anything else is an error: a fact that is silently lost would be a check that is silently skipped.
fn parse(text: &str) -> Result<Facts> {
    let mut facts = Facts::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| format!("no assignment at `{rest}`"))?;
        let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(valid) {
            return Err(format!("`{name}` is no variable's name").into());
        }
        let (value, after) = word(after).map_err(|error| format!("{name}: {error}"))?;
        if facts.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is assigned twice").into());
        }
        rest = after.trim_start();
    }
    if facts.is_empty() { Err("nothing was printed".into()) } else { Ok(facts) }
}

/// The shell word at the start of `text`, and what follows it.
fn word(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        match first {
            c if c.is_whitespace() => break,
            '\'' => {
                let (inside, outside) = after.split_once('\'').ok_or("a quote is not closed")?;
                value.push_str(inside);
                rest = outside;
            }
            '\\' => {
                let escaped = after.chars().next().ok_or("a backslash escapes nothing")?;
                value.push(escaped);
                rest = &after[escaped.len_utf8()..];
            }
            c if c.is_ascii_alphanumeric() || "-_./:".contains(c) => {
                value.push(c);
                rest = after;
            }
            c => return Err(format!("`{c}` outside of quotes").into()),
        }
    }
    Ok((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Facts = expected.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn assignments_read_as_a_shell_reads_them() {
        check("A='x'\n", &[("A", "x")]);
        check("A='x y' B_2=''", &[("A", "x y"), ("B_2", "")]);
        check("A='s3cr%t+/= ~&:!?#%2B' B='пароль'", &[("A", "s3cr%t+/= ~&:!?#%2B"), ("B", "пароль")]);
        check("A='it'\\''s' B=plain-1.0", &[("A", "it's"), ("B", "plain-1.0")]);
        check("A='B=\nC'", &[("A", "B=\nC")]);
    }

    #[test]
    fn whatever_else_is_printed_is_an_error() {
        for text in ["", "hello", "A='x", "A=$HOME", "a='x'", "A='x' A='y'", "A=\\", "A=\"x\"", "log line A='x'"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
