//! Rule: the crates without a heap name neither `std` nor `alloc`, and no crate without a clock reads one.
//!
//! The bare-metal build shows the first too, but only for the features it is built with.

use proc_macro2::TokenTree;

use super::Finding;
use super::repo::Repo;
use super::tokens::{each_level, is_ident, is_path_separator, is_punct, line, shipped};

const CRATES: [&str; 2] = ["gatekeeper-proto", "gatekeeper-embedded"];

pub(super) fn core_only(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in CRATES.iter().flat_map(|krate| repo.sources(krate)) {
        each_level(&shipped(text), &mut |tokens| {
            for index in 0..tokens.len() {
                if let Some(message) = objection(tokens, index) {
                    findings.push(Finding::new(path, line(&tokens[index]), message));
                }
            }
        });
    }
    findings
}

fn objection(tokens: &[TokenTree], index: usize) -> Option<&'static str> {
    let TokenTree::Ident(ident) = &tokens[index] else {
        return None;
    };
    let before = |distance: usize| index.checked_sub(distance).and_then(|index| tokens.get(index));
    match ident.to_string().as_str() {
        "std" | "alloc" => {
            // `x::std::y` is somebody else's, `::std::y` is not.
            let own = !is_punct(before(1), ':') || !matches!(before(3), Some(TokenTree::Ident(_)));
            let path = own && is_path_separator(tokens, index + 1);
            let external = is_ident(before(1), "crate") && is_ident(before(2), "extern");
            let imported = is_ident(before(1), "use") && is_punct(tokens.get(index + 1), ';');
            (path || external || imported).then_some("this crate has only `core`")
        }
        "SystemTime" => Some("this crate has no clock: the time is the caller's"),
        "Instant" if is_path_separator(tokens, index + 1) && is_ident(tokens.get(index + 3), "now") => {
            Some("this crate has no clock: the time is the caller's")
        }
        // Else a whole module of tests would be read as code that ships, or the other way round.
        "tests" if is_ident(before(1), "mod") => Some("a module of tests stands under #[cfg(test)]"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, lines: &[usize]) {
        let path = "crates/gatekeeper-proto/src/time.rs";
        let expected: Vec<String> = lines.iter().map(|line| format!("{path}:{line}: ")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        crate::tidy::check(core_only, &[(path, source)], &expected);
    }

    #[test]
    fn heap_and_system_are_refused() {
        check("use std::fmt;\nextern crate std;\nextern crate alloc as heap;\nuse alloc::vec::Vec;", &[1, 2, 3, 4]);
        check("fn f() {\n    ::std::process::exit(1) }", &[2]);
        check("fn f() { x::std::y(); self.alloc(); alloc() }", &[]);
        check("fn f() {\n    std::process::exit(1) }", &[2]);
        check("use {std::fmt, core::mem};", &[1]);
    }

    #[test]
    fn clocks_are_refused() {
        check("fn f() { Instant::now(); }", &[1]);
        check("fn f(x: SystemTime) {}", &[1]);
        check("fn f(x: Instant) { x.now() }", &[]);
    }

    #[test]
    fn tests_comments_and_other_crates_are_free() {
        check("// std::fmt\n/// `alloc::vec`\nconst A: &str = \"std::fmt\";", &[]);
        check("#[cfg(test)]\nmod tests { use std::vec::Vec; }", &[]);
        crate::tidy::check(core_only, &[("crates/gatekeeper-std/src/lib.rs", "use std::fmt;")], &[]);
        crate::tidy::check(core_only, &[("crates/gatekeeper-proto/src/a/tests.rs", "use std::fmt;")], &[]);
    }

    #[test]
    fn a_module_of_tests_says_that_it_is_one() {
        check("mod tests;", &[1]);
        check("#[cfg(test)]\nmod tests;", &[]);
    }
}
