//! The paths by which a source file names other modules of its crate.

use proc_macro2::TokenTree;

use super::tokens::{is_ident, is_path_separator, line};

/// A path from the root of the crate, such as `["wire", "http1", "Response"]`, and the line where it is named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// Every path in `tokens` that starts with `crate`, `self` or `super`, in imports and elsewhere, seen from `module`.
pub(super) fn named(tokens: &[TokenTree], module: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    collect(tokens, module, &mut found);
    found
}

/// The module that the file at `path`, counted from `src`, holds.
pub(super) fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

fn collect(tokens: &[TokenTree], module: &[String], found: &mut Vec<Named>) {
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let root = match token {
            TokenTree::Ident(ident) if is_path_separator(tokens, index + 1) => match ident.to_string().as_str() {
                "crate" => Some(Vec::new()),
                "self" => Some(module.to_vec()),
                "super" => Some(parent(module)),
                _ => None,
            },
            _ => None,
        };
        if let Some(root) = root {
            index = tree(tokens, index + 3, root, found);
            continue;
        }
        if let TokenTree::Group(group) = token {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            // `mod name { … }` is a module of its own, from which `super` means this one.
            let inline = index.checked_sub(2).filter(|&before| is_ident(tokens.get(before), "mod"));
            let mut here = module.to_vec();
            if let (Some(_), Some(TokenTree::Ident(name))) = (inline, tokens.get(index.wrapping_sub(1))) {
                here.push(name.to_string());
            }
            collect(&inner, &here, found);
        }
        index += 1;
    }
}

/// Reads what follows a `::`, up to the end of the path; the index behind it.
fn tree(tokens: &[TokenTree], start: usize, mut path: Vec<String>, found: &mut Vec<Named>) -> usize {
    let mut index = start;
    loop {
        match tokens.get(index) {
            Some(TokenTree::Ident(ident)) => {
                match ident.to_string().as_str() {
                    "self" => {}
                    "super" => path = parent(&path),
                    name => path.push(name.to_owned()),
                }
                if is_path_separator(tokens, index + 1) {
                    index += 3;
                    continue;
                }
                found.push(Named { path, line: line(&tokens[index]) });
                return index + 1;
            }
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
                for branch in inner.split(comma).filter(|branch| !branch.is_empty()) {
                    tree(branch, 0, path.clone(), found);
                }
                return index + 1;
            }
            // `*`, or the `<` of generic arguments: what came before is the path.
            other => {
                let line = other.or_else(|| tokens.get(start.wrapping_sub(1))).map_or(0, line);
                found.push(Named { path, line });
                return index;
            }
        }
    }
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len().saturating_sub(1)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tokens::shipped;

    fn check(source: &str, expected: &[&str]) {
        let module = module_of("wire/http1.rs");
        let found: Vec<String> = named(&shipped(source), &module).iter().map(|named| named.path.join("::")).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn imports_are_followed_into_their_branches() {
        check("use crate::time::Instant;", &["time::Instant"]);
        check(
            "use super::{chunked, form::{self, decode as d}};",
            &["wire::chunked", "wire::form", "wire::form::decode"],
        );
        check("use crate::out::*;", &["out"]);
        check("use super::super::policy;", &["policy"]);
        check("use self::inner::X;", &["wire::http1::inner::X"]);
        check("use std::fmt; use core::crate_name;", &[]);
    }

    #[test]
    fn paths_outside_of_imports_count() {
        check("fn f() { let x = crate::oauth::reply::read::<u8>(1); }", &["oauth::reply::read"]);
        check("pub(crate) fn f(x: [crate::time::Instant; 2]) {}", &["time::Instant"]);
        check("macro_rules! m { () => { $crate::secret::Secret } }", &["secret::Secret"]);
    }

    #[test]
    fn inline_modules_move_super() {
        check("mod inner { use super::X; fn f() { super::super::form::f() } }", &["wire::http1::X", "wire::form::f"]);
    }

    #[test]
    fn modules_are_named_by_their_files() {
        assert!(module_of("lib.rs").is_empty());
        assert_eq!(module_of("wire/mod.rs"), ["wire"]);
        assert_eq!(module_of("wire.rs"), ["wire"]);
        assert_eq!(module_of("wire/json/scan.rs"), ["wire", "json", "scan"]);
    }
}
