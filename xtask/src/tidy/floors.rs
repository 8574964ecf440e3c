//! Rule: the core is built in floors, and a module names only what lies below it.

use super::Finding;
use super::paths::{module_of, named};
use super::repo::{Repo, is_test};
use super::tokens::shipped;

/// Modules that stand together, and what they may name besides each other's children and themselves.
struct Floor {
    /// Files, counted from the core's `src`.
    files: &'static [&'static str],
    /// Modules, each with all it holds. `*` is everything.
    may_name: &'static [&'static str],
}

const SRC: &str = "crates/gatekeeper-proto/src/";

/// From the bottom to the top. Every file of the core is here; a new one is refused until its place is stated.
const FLOORS: &[Floor] = &[
    // F0: values that everything is made of.
    Floor { files: &["class.rs", "time.rs", "secret.rs", "out.rs"], may_name: &[] },
    Floor { files: &["value.rs"], may_name: &["class"] },
    // F1: formats on the wire, without a meaning yet.
    Floor {
        files: &[
            "wire/mod.rs",
            "wire/basic.rs",
            "wire/challenge.rs",
            "wire/chunked.rs",
            "wire/form.rs",
            "wire/http1/framing.rs",
            "wire/http1/head.rs",
            "wire/http1/mod.rs",
            "wire/json/mod.rs",
            "wire/json/scan.rs",
            "wire/retry_after.rs",
        ],
        may_name: &["class", "time", "secret", "out", "value", "wire"],
    },
    // F2: what OAuth and the APIs make of them. An API is called with a token, so it may know OAuth, not the reverse.
    Floor {
        files: &[
            "oauth/mod.rs",
            "oauth/client_auth.rs",
            "oauth/deviation.rs",
            "oauth/endpoint.rs",
            "oauth/error_code.rs",
            "oauth/grant.rs",
            "oauth/jwt/mod.rs",
            "oauth/jwt/times.rs",
            "oauth/profile.rs",
            "oauth/reply/error.rs",
            "oauth/reply/members.rs",
            "oauth/reply/mod.rs",
            "oauth/request.rs",
            "oauth/scope.rs",
            "oauth/untrusted.rs",
        ],
        may_name: &["class", "time", "secret", "out", "value", "wire", "oauth"],
    },
    Floor {
        files: &[
            "api/mod.rs",
            "api/access.rs",
            "api/answer.rs",
            "api/config.rs",
            "api/failure.rs",
            "api/request.rs",
            "api/sdk.rs",
        ],
        may_name: &["class", "time", "secret", "out", "value", "wire", "oauth", "api"],
    },
    // F3: when to fetch, and what a failure means.
    Floor { files: &["policy.rs"], may_name: &["class", "time", "secret", "out", "value", "wire", "oauth", "api"] },
    // F4: the two machines. They do not know each other.
    Floor { files: &["exchange.rs"], may_name: &["time", "secret", "out", "wire::http1"] },
    Floor {
        files: &["session/mod.rs", "session/output.rs"],
        may_name: &["time", "policy", "session", "oauth::error_code"],
    },
    // F5: the whole.
    Floor { files: &["lib.rs"], may_name: &["*"] },
];

/// Rule: every place in the table is taken.
pub(super) fn places(repo: &Repo) -> Vec<Finding> {
    let files = FLOORS.iter().flat_map(|floor| floor.files).map(|file| format!("{SRC}{file}"));
    files
        .filter(|path| repo.get(path).is_none())
        .map(|path| Finding::new(&path, 0, "has a place in xtask/src/tidy/floors.rs, but does not exist"))
        .collect()
}

/// Rule: a module names only what lies below it.
pub(super) fn floors(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.matching(SRC, ".rs").filter(|(path, _)| !is_test(path)) {
        let file = &path[SRC.len()..];
        let Some(floor) = FLOORS.iter().find(|floor| floor.files.contains(&file)) else {
            findings.push(Finding::new(path, 0, "stands on no floor: give it a place in xtask/src/tidy/floors.rs"));
            continue;
        };
        let module = module_of(file);
        for named in named(&shipped(text), &module) {
            let own = named.path.starts_with(&module);
            if !own && !floor.may_name.iter().any(|allowed| covers(allowed, &named.path)) {
                let target = named.path.join("::");
                findings.push(Finding::new(path, named.line, format!("may not name crate::{target}")));
            }
        }
    }
    findings
}

/// Whether `path` lies in the module `allowed`.
fn covers(allowed: &str, path: &[String]) -> bool {
    allowed == "*"
        || allowed
            .split("::")
            .zip(0..)
            .all(|(segment, at): (_, usize)| path.get(at).is_some_and(|found| found == segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, source: &str, refused: &[&str]) {
        let path = format!("{SRC}{file}");
        let expected: Vec<String> =
            refused.iter().map(|target| format!("{path}:1: may not name crate::{target}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        crate::tidy::check(floors, &[(&path, source)], &expected);
    }

    #[test]
    fn lower_floors_may_be_named() {
        check("wire/basic.rs", "use crate::out::Out; use super::chunked::Chunked;", &[]);
        check("oauth/reply/mod.rs", "use crate::wire::json; use super::grant::Grant;", &[]);
        check("policy.rs", "use crate::api::failure::ApiFailure;", &[]);
        check("session/mod.rs", "use crate::{policy::Policy, time::Instant};", &[]);
        check("lib.rs", "pub use crate::session::Session; pub use self::exchange::Exchange;", &[]);
    }

    #[test]
    fn upper_floors_may_not() {
        check("time.rs", "use crate::wire::form;", &["wire::form"]);
        check("wire/json/mod.rs", "fn f() { crate::oauth::reply::read() }", &["oauth::reply::read"]);
        check("oauth/grant.rs", "use super::super::policy::Policy;", &["policy::Policy"]);
        check("oauth/grant.rs", "use crate::api::Call;", &["api::Call"]);
    }

    #[test]
    fn the_machines_do_not_know_each_other() {
        check("session/mod.rs", "use crate::exchange::Exchange;", &["exchange::Exchange"]);
        check("exchange.rs", "use crate::session::Session;", &["session::Session"]);
        check("exchange.rs", "use crate::wire::{http1::Head, json};", &["wire::json"]);
    }

    #[test]
    fn the_root_is_no_way_around() {
        check("wire/form.rs", "use crate::Session; use crate::*;", &["Session", ""]);
    }

    #[test]
    fn tests_may_name_anything() {
        check("time.rs", "#[cfg(test)] mod tests { use crate::session::Session; }", &[]);
    }

    #[test]
    fn a_place_without_a_file_is_refused() {
        let all: Vec<String> = FLOORS.iter().flat_map(|floor| floor.files).map(|file| format!("{SRC}{file}")).collect();
        let files: Vec<(&str, &str)> = all.iter().map(|path| (path.as_str(), "")).collect();
        crate::tidy::check(places, &files, &[]);
        crate::tidy::check(places, &files[1..], &[&format!("{}: has a place", all[0])]);
    }

    #[test]
    fn a_file_without_a_floor_is_refused() {
        let path = format!("{SRC}wire/new.rs");
        crate::tidy::check(floors, &[(&path, "")], &[&format!("{path}: stands on no floor")]);
    }

    #[test]
    fn no_floor_names_one_above_it() {
        for (height, floor) in FLOORS.iter().enumerate() {
            for allowed in floor.may_name.iter().filter(|&&allowed| allowed != "*") {
                let found =
                    FLOORS.iter().position(|floor| floor.files.iter().any(|file| covers(allowed, &module_of(file))));
                assert!(found.is_some_and(|found| found <= height), "{allowed} in {:?}", floor.files);
            }
        }
    }
}
