//! The text files of the repository.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::cmd::Cmd;

/// Every text file, by its path from the root. Files that are not UTF-8 are left out: no rule reads them.
pub(super) struct Repo {
    files: BTreeMap<String, String>,
}

impl Repo {
    /// The files git tracks, and those it would track if they were added.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let list =
            Cmd::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).dir(root).read()?;
        let mut files = BTreeMap::new();
        for path in list.split_terminator('\0') {
            // A file that is tracked but deleted is still on the list.
            let Ok(bytes) = std::fs::read(root.join(path)) else {
                continue;
            };
            if let Ok(text) = String::from_utf8(bytes) {
                files.insert(path.to_owned(), text);
            }
        }
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Path and text of every file.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose path starts with `prefix` and ends with `suffix`.
    pub(super) fn matching<'a>(&'a self, prefix: &'a str, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all().filter(move |(path, _)| path.starts_with(prefix) && path.ends_with(suffix))
    }

    /// The Rust sources of a crate that are part of what it ships: those under `src`, without tests in files of their
    /// own.
    pub(super) fn sources<'a>(&'a self, krate: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let prefix = format!("crates/{krate}/src/");
        self.all().filter(move |(path, _)| path.starts_with(&prefix) && path.ends_with(".rs") && !is_test(path))
    }
}

/// Whether a source file holds only tests, by the one convention there is: `tests.rs`, or a directory `tests`.
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}
