//! Rule: the Rust code in documents is compiled, because a crate takes the document in as a documentation test.
//!
//! A crate does so with a struct that exists for `cargo test --doc` alone, so that nothing outside of the crate's
//! directory is needed to build it from its package:
//!
//! ```text
//! #[cfg(doctest)]
//! #[doc = include_str!("../../../README.md")]
//! struct ReadmeDoctests;
//! ```

use super::Finding;
use super::repo::Repo;
use super::tokens::{each_level, is_ident, is_punct, shipped, string};

pub(super) fn compiled(repo: &Repo) -> Vec<Finding> {
    let taken_in: Vec<String> =
        repo.matching("crates/", "/src/lib.rs").flat_map(|(path, text)| included(path, text)).collect();
    repo.matching("", ".md")
        .filter(|(path, _)| !taken_in.iter().any(|included| included == path))
        .filter_map(|(path, text)| {
            let line = rust_block(text)?;
            let message = "Rust code that no crate compiles: a lib.rs takes in the document under #[cfg(doctest)]";
            Some(Finding::new(path, line, message))
        })
        .collect()
}

/// The line of the first fence that rustdoc takes for Rust: one without a language, or with only words it knows.
fn rust_block(text: &str) -> Option<usize> {
    let mut inside = false;
    for (line, number) in text.lines().zip(1..) {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        inside = !inside;
        let known = ["rust", "no_run", "should_panic", "compile_fail", "edition2024"];
        let rust = info.split(',').map(str::trim).all(|word| word.is_empty() || known.contains(&word));
        if inside && rust {
            return Some(number);
        }
    }
    None
}

/// The files that a source file takes in by `include_str!`, by their paths from the root.
fn included(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_level(&shipped(text), &mut |tokens| {
        for index in 0..tokens.len() {
            if !is_ident(tokens.get(index), "include_str") || !is_punct(tokens.get(index + 1), '!') {
                continue;
            }
            if let Some(proc_macro2::TokenTree::Group(group)) = tokens.get(index + 2) {
                let target = group.stream().into_iter().next().as_ref().and_then(string);
                found.extend(target.map(|target| resolve(path, &target)));
            }
        }
    });
    found
}

/// `target` seen from the directory of `path`.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    const CODE: &str = "# Title\n\n```rust\nfn main() {}\n```\n";
    const LIB: &str = "crates/a/src/lib.rs";

    #[test]
    fn rust_code_in_a_document_has_a_crate_that_compiles_it() {
        let taking = "#[cfg(doctest)]\n#[doc = include_str!(\"../../../README.md\")]\nstruct Readme;";
        check(compiled, &[("README.md", CODE), (LIB, taking)], &[]);
        check(compiled, &[("README.md", CODE), (LIB, "")], &["README.md:3: "]);
        check(compiled, &[("docs/x.md", CODE), (LIB, taking)], &["docs/x.md:3: "]);
        let commented = "// #[doc = include_str!(\"../../../README.md\")]";
        check(compiled, &[("README.md", CODE), (LIB, commented)], &["README.md:3: "]);
    }

    #[test]
    fn what_rustdoc_would_compile_counts_as_rust() {
        for fence in ["```", "```rust", "```no_run", "```rust,no_run", "  ```rust"] {
            check(compiled, &[("a.md", &format!("{fence}\n```\n"))], &["a.md:1: "]);
        }
        for fence in ["```text", "```console", "```toml", "```rust,ignore"] {
            check(compiled, &[("a.md", &format!("{fence}\n```\nprose\n"))], &[]);
        }
    }
}
