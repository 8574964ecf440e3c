//! Rust source as tokens, so that a rule is not misled by comments, strings and line breaks.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;
use super::repo::Repo;

/// The tokens of `source` without those of items under `#[cfg(test)]`. Empty if it cannot be read, which
/// [`unreadable`] reports.
pub(super) fn shipped(source: &str) -> Vec<TokenTree> {
    match parse(source) {
        Ok(stream) => without_tests(stream),
        Err(_) => Vec::new(),
    }
}

/// Rule: every Rust file can be read by the other rules.
pub(super) fn unreadable(repo: &Repo) -> Vec<Finding> {
    repo.matching("", ".rs")
        .filter_map(|(path, text)| {
            let error = parse(text).err()?;
            Some(Finding::new(path, error.span().start().line, "not to be read as Rust"))
        })
        .collect()
}

/// Calls `visit` with every run of sibling tokens: the file's own, and those inside of each pair of delimiters.
pub(super) fn each_level(tokens: &[TokenTree], visit: &mut impl FnMut(&[TokenTree])) {
    visit(tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            each_level(&inner, visit);
        }
    }
}

pub(super) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

pub(super) fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

pub(super) fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// Whether a `::` starts at `index`.
pub(super) fn is_path_separator(tokens: &[TokenTree], index: usize) -> bool {
    is_punct(tokens.get(index), ':') && is_punct(tokens.get(index + 1), ':')
}

/// The value of a plain string or byte string literal without escapes. Nothing else is one word of the protocol.
pub(super) fn string(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    let text = literal.to_string();
    let text = text.strip_prefix('b').unwrap_or(&text);
    let inner = match text.strip_prefix('r') {
        Some(raw) => raw.trim_matches('#'),
        None => text,
    };
    Some(inner.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// The value of an integer literal in decimal.
pub(super) fn integer(token: &TokenTree) -> Option<u64> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    let text = literal.to_string().replace('_', "");
    let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text.as_str(), |end| &text[..end]);
    let suffix = &text[digits.len()..];
    let whole = suffix.is_empty() || suffix.starts_with(['u', 'i']);
    if whole { digits.parse().ok() } else { None }
}

fn parse(source: &str) -> Result<TokenStream, proc_macro2::LexError> {
    source.parse()
}

fn without_tests(stream: TokenStream) -> Vec<TokenTree> {
    let mut tokens = stream.into_iter().peekable();
    let mut kept = Vec::new();
    while let Some(token) = tokens.next() {
        let hash = is_punct(Some(&token), '#');
        if hash && matches!(tokens.peek(), Some(TokenTree::Group(group)) if is_cfg_test(group)) {
            // The item ends with its braces or its semicolon; attributes before it have neither.
            tokens.find(|token| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                token => is_punct(Some(token), ';'),
            });
        } else if let TokenTree::Group(group) = token {
            let inner = without_tests(group.stream()).into_iter().collect();
            let mut cleaned = Group::new(group.delimiter(), inner);
            cleaned.set_span(group.span());
            kept.push(TokenTree::Group(cleaned));
        } else {
            kept.push(token);
        }
    }
    kept
}

/// Whether an attribute's brackets hold exactly `cfg(test)`.
fn is_cfg_test(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    attribute.delimiter() == Delimiter::Bracket && text == "cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    fn text(source: &str) -> String {
        shipped(source).into_iter().collect::<TokenStream>().to_string().split_whitespace().collect()
    }

    #[test]
    fn items_of_tests_are_left_out() {
        assert_eq!(text("fn a() {} #[cfg(test)] mod tests { fn b() {} } fn c() {}"), "fna(){}fnc(){}");
        assert_eq!(text("#[cfg(test)] use x::{a, b}; fn c() {}"), ";fnc(){}");
        assert_eq!(text("#[cfg(test)] #[allow(x)] fn b(x: [u8; 2]) -> u8 { 1 } fn c() {}"), "fnc(){}");
        assert_eq!(text("impl A { #[cfg(test)] fn b() {} fn c() {} }"), "implA{fnc(){}}");
    }

    #[test]
    fn other_conditions_are_kept() {
        assert_eq!(text("#[cfg(not(test))] fn a() {}"), "#[cfg(not(test))]fna(){}");
        assert_eq!(text("#[cfg(feature = \"test\")] fn a() {}"), "#[cfg(feature=\"test\")]fna(){}");
    }

    #[test]
    fn literals_are_read() {
        let first = |source: &str| shipped(source).remove(0);
        assert_eq!(string(&first("\"error\"")).as_deref(), Some("error"));
        assert_eq!(string(&first("b\"error\"")).as_deref(), Some("error"));
        assert_eq!(string(&first("br#\"error\"#")).as_deref(), Some("error"));
        assert_eq!(string(&first("'e'")), None);
        assert_eq!(integer(&first("4_01u16")), Some(401));
        assert_eq!(integer(&first("401")), Some(401));
        assert_eq!(integer(&first("0x401")), None);
        assert_eq!(integer(&first("401.0")), None);
    }

    #[test]
    fn a_file_that_is_no_rust_is_named() {
        check(unreadable, &[("a.rs", "fn a() {}"), ("b.rs", "\nfn b( {}")], &["b.rs:2: not to be read"]);
    }
}
