//! Test vectors: files of cases with their expected outcomes, run through the public API.
//!
//! The schema is described in `vectors/README.md` of this crate. A file is told by the members of its cases, never by
//! the names of cases, so other files of the same schema can be run as well.

mod matching;
mod outcome;

use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What came of all files of a directory.
#[derive(Debug, Default)]
pub struct Report {
    /// One entry a file, in the order of their names.
    pub files: Vec<FileReport>,
}

/// What came of one file.
#[derive(Debug)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// How many cases passed.
    pub passed: usize,
    /// The cases that did not.
    pub failures: Vec<Failure>,
}

/// A case that failed.
#[derive(Debug)]
pub struct Failure {
    /// The case's name.
    pub case: String,
    /// What was expected, as JSON.
    pub expected: String,
    /// What came out, as JSON.
    pub actual: String,
}

/// The vectors that come with this crate.
pub fn own_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Runs every vector file in `dir`.
///
/// # Errors
///
/// An [`io::Error`] if the directory or a file cannot be read or is not of the schema.
pub fn run(dir: &Path) -> io::Result<Report> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut report = Report::default();
    for path in paths {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
        let text = fs::read_to_string(&path)?;
        let cases: Vec<Value> = serde_json::from_str(&text).map_err(|e| invalid(&e.to_string()))?;
        let kind = cases.first().and_then(outcome::Kind::of).ok_or_else(|| invalid("no known kind of vectors"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut file = FileReport { name, passed: 0, failures: Vec::new() };
        for case in &cases {
            match run_case(kind, case) {
                None => file.passed += 1,
                Some(failure) => file.failures.push(failure),
            }
        }
        report.files.push(file);
    }
    if report.files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no vector files in {}", dir.display())));
    }
    Ok(report)
}

fn run_case(kind: outcome::Kind, case: &Value) -> Option<Failure> {
    let actual =
        std::panic::catch_unwind(|| outcome::of(kind, case)).unwrap_or_else(|_| serde_json::json!({"panicked": true}));
    if matching::case_matches(kind, case, &actual) {
        return None;
    }
    let mut expected = case["expect"].to_string();
    if let Some(accept) = case.get("accept") {
        let _ = write!(expected, " or one of {accept}");
    }
    Some(Failure { case: case["name"].as_str().unwrap_or("?").to_owned(), expected, actual: actual.to_string() })
}

impl Report {
    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.files.iter().map(|f| f.failures.len()).sum()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for file in &self.files {
            writeln!(f, "{}: {} passed, {} failed", file.name, file.passed, file.failures.len())?;
            for failure in &file.failures {
                writeln!(f, "  {}\n    expected {}\n    actual   {}", failure.case, failure.expected, failure.actual)?;
            }
        }
        Ok(())
    }
}
