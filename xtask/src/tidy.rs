//! `tidy`: rules about the repository that neither the compiler nor clippy knows.
//!
//! A rule is a function from the files to its findings. What is allowed where is data at the top of the rule's file.

mod core_only;
mod floors;
mod manifests;
mod paths;
mod protocol;
mod readme;
mod repo;
mod text;
mod tokens;
mod versions;

use repo::Repo;

use crate::{Result, switches, workspace};

pub(crate) const ABOUT: &str = "check the rules of the repository that no compiler knows";

/// Something a rule objects to.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the file as a whole is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// A rule, behind the name that its findings carry.
type Rule = (&'static str, fn(&Repo) -> Vec<Finding>);

const RULES: &[Rule] = &[
    ("parses", tokens::unreadable),
    ("floors", floors::floors),
    ("floors", floors::places),
    ("core only", core_only::core_only),
    ("protocol words", protocol::protocol_words),
    ("file length", text::length),
    ("whitespace", text::whitespace),
    ("words", text::words),
    ("manifests", manifests::manifests),
    ("versions", versions::versions),
    ("README code", readme::compiled),
];

pub(crate) fn main(arguments: &[String]) -> Result {
    let [] = switches(arguments, [])?;
    run()
}

pub(crate) fn run() -> Result {
    let repo = Repo::read(workspace::root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        for finding in rule(&repo) {
            eprintln!("{finding} [{name}]");
            count += 1;
        }
    }
    if count == 0 { Ok(()) } else { Err(format!("{count} findings").into()) }
}

/// Runs a rule over files given as `(path, text)` and compares the findings, written as [`Finding`] displays them.
#[cfg(test)]
fn check(rule: fn(&Repo) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let repo = Repo::of(files);
    let found: Vec<String> = rule(&repo).iter().map(ToString::to_string).collect();
    let matches = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(matches, "in {files:#?}\nfound {found:#?}\nexpected findings that start with {expected:#?}");
}
