//! Rule: HTTP status numbers and the members of token answers are named in one place of the core, and in no driver.

use proc_macro2::TokenTree;

use super::Finding;
use super::repo::Repo;
use super::tokens::{each_level, integer, is_ident, is_path_separator, is_punct, line, shipped, string};

const CORE: &str = "gatekeeper-proto";

/// The crates that lend the core a clock and a transport, and decide nothing.
const DRIVERS: [&str; 3] = ["gatekeeper-ureq", "gatekeeper-tokio", "gatekeeper-embedded"];

/// Where the core judges answers: those of the token endpoint, and those of an API.
const JUDGES: [&str; 2] = ["oauth/reply/", "api/failure.rs"];

/// Other files of the core, the words each may use, and why.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    ("wire/http1/framing.rs", &["204", "304"], "a response of this status has no body (RFC 9112, section 6.3)"),
    (
        "wire/challenge.rs",
        &["error", "error_description", "error_uri"],
        "parameters of a challenge (RFC 6750, section 3)",
    ),
];

/// Numbers that are hardly ever anything but a status.
const STATUSES: [u64; 22] =
    [201, 202, 203, 204, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 408, 409, 422, 425, 429, 502, 503, 504];

/// Numbers that are a status where they are compared with, and a quantity elsewhere.
const ROUND_STATUSES: [u64; 4] = [200, 300, 400, 500];

/// Members of answers (RFC 6749, sections 5.1 and 5.2, and their relatives) that no request has.
const MEMBERS: [&str; 7] =
    ["access_token", "token_type", "expires_in", "error", "error_description", "error_uri", "error_code"];

pub(super) fn protocol_words(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.sources(CORE) {
        let file = path.split_once("/src/").map_or(path, |(_, file)| file);
        if JUDGES.iter().any(|judge| file.starts_with(judge)) {
            continue;
        }
        let allowed = EXCEPTIONS.iter().find(|(exempt, ..)| *exempt == file).map_or(&[][..], |(_, words, _)| words);
        for (word, line) in words(text).into_iter().filter(|(word, _)| !allowed.contains(&word.as_str())) {
            let judges = JUDGES.join(" and ");
            findings.push(Finding::new(path, line, format!("`{word}` belongs in {judges}")));
        }
    }
    for (path, text) in DRIVERS.iter().flat_map(|krate| repo.sources(krate)) {
        for (word, line) in words(text) {
            findings.push(Finding::new(path, line, format!("a driver judges no answer: `{word}` belongs in the core")));
        }
    }
    findings
}

/// The words of the protocol in a source file, with their lines.
fn words(source: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    each_level(&shipped(source), &mut |tokens| {
        for index in 0..tokens.len() {
            if let Some(word) = word(tokens, index) {
                found.push((word, line(&tokens[index])));
            }
        }
    });
    found
}

fn word(tokens: &[TokenTree], index: usize) -> Option<String> {
    let token = &tokens[index];
    if let Some(text) = string(token) {
        return MEMBERS.contains(&text.as_str()).then_some(text);
    }
    if let Some(number) = integer(token) {
        let status = STATUSES.contains(&number) || ROUND_STATUSES.contains(&number) && is_compared(tokens, index);
        return status.then(|| number.to_string());
    }
    // `StatusCode::UNAUTHORIZED`, as the http crate has it.
    let constant = match tokens.get(index + 3) {
        Some(TokenTree::Ident(ident)) => ident.to_string(),
        _ => return None,
    };
    let shouted = constant.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let named = is_ident(Some(token), "StatusCode") && is_path_separator(tokens, index + 1) && shouted;
    named.then_some(constant)
}

/// Whether the number at `index` is an operand of a comparison, the end of a range, or a pattern.
fn is_compared(tokens: &[TokenTree], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| tokens.get(before));
    let earlier = index.checked_sub(2).and_then(|before| tokens.get(before));
    let (next, later) = (tokens.get(index + 1), tokens.get(index + 2));

    let equality = |first, second| (is_punct(first, '=') || is_punct(first, '!')) && is_punct(second, '=');
    let one_sided = |token| ['<', '>', '|'].iter().any(|&mark| is_punct(token, mark));
    let range = |first, second| is_punct(first, '.') && is_punct(second, '.');
    let order = |first, second| one_sided(first) && is_punct(second, '=');

    // The 400 of `year % 400 == 0` is part of a calculation.
    let calculated = ['%', '*', '/', '+', '-'].iter().any(|&mark| is_punct(before, mark));
    let compared = equality(earlier, before)
        || equality(next, later)
        || order(earlier, before)
        || one_sided(before)
        || one_sided(next)
        || range(earlier, before)
        || range(next, later)
        || (is_punct(next, '=') && is_punct(later, '>'))
        // `..=200`
        || (is_punct(before, '=') && is_punct(earlier, '.'));
    compared && !calculated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, source: &str, words: &[&str]) {
        let repo = Repo::of(&[(path, source)]);
        let found: Vec<String> = protocol_words(&repo).into_iter().map(|finding| finding.message).collect();
        assert_eq!(found.len(), words.len(), "{source}: {found:?}");
        for (message, word) in found.iter().zip(words) {
            assert!(message.contains(&format!("`{word}`")), "{source}: {message}");
        }
    }

    const DRIVER: &str = "crates/gatekeeper-ureq/src/lib.rs";
    const POLICY: &str = "crates/gatekeeper-proto/src/policy.rs";

    #[test]
    fn statuses_are_found() {
        check(DRIVER, "if status == 401 {}", &["401"]);
        check(POLICY, "match status { 429 => a, 503u16 => b, _ => c }", &["429", "503"]);
        check(DRIVER, "if status == StatusCode::UNAUTHORIZED {}", &["UNAUTHORIZED"]);
        check(DRIVER, "let status: StatusCode = StatusCode::from_u16(x);", &[]);
    }

    #[test]
    fn round_numbers_count_where_they_are_compared() {
        for source in
            ["s == 200", "200 != s", "s < 400", "s >= 500", "(200..300)", "(200..=299)", "s | 400", "x ..= 500"]
        {
            assert!(!words(source).is_empty(), "{source}");
        }
        check(POLICY, "match status { 400 => a, 500..=599 => b, _ => c }", &["400", "500"]);
        check(POLICY, "const A: u64 = 300; f(200, 500); let x = [400; 2]; x * 500; year % 400 == 0;", &[]);
    }

    #[test]
    fn members_are_found() {
        check(DRIVER, "json[\"access_token\"]", &["access_token"]);
        check(POLICY, "const A: &[u8] = b\"error_code\";", &["error_code"]);
        check(POLICY, "const A: &str = \"an error happened\"; // \"error\"", &[]);
    }

    #[test]
    fn judges_exceptions_and_tests_are_free() {
        let core = |file: &str| format!("crates/gatekeeper-proto/src/{file}");
        check(&core("oauth/reply/mod.rs"), "if status == 401 { \"error\" }", &[]);
        check(&core("api/failure.rs"), "if status == 401 { \"error\" }", &[]);
        check(&core("wire/http1/framing.rs"), "matches!(status, 204 | 304 | 401)", &["401"]);
        check(DRIVER, "#[cfg(test)] mod tests { const A: u16 = 401; }", &[]);
        check("crates/gatekeeper-cli/src/main.rs", "const A: u16 = 401;", &[]);
    }

    #[test]
    fn every_exception_has_its_reason() {
        for (file, words, reason) in EXCEPTIONS {
            assert!(!words.is_empty() && reason.len() > 20, "{file}");
        }
    }
}
