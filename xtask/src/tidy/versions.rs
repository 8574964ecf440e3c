//! Rule: a version that has to be stated twice is the same in both places.

use toml::{Table, Value};

use super::Finding;
use super::repo::Repo;

/// Lock files of the trees that are no members of the workspace.
const NESTED_LOCKS: [&str; 3] = ["fuzz/Cargo.lock", "firmware/Cargo.lock", "benches/Cargo.lock"];

/// Words before a number in prose or in a badge that make it the oldest Rust release we support.
const MSRV_WORDS: [&str; 6] = ["Rust ", "rustc ", "MSRV ", "MSRV: ", "MSRV-", "rustc-"];

pub(super) fn versions(repo: &Repo) -> Vec<Finding> {
    let Some(root) = repo.get("Cargo.toml").and_then(|text| text.parse::<Table>().ok()) else {
        return vec![Finding::new("Cargo.toml", 0, "is missing or no TOML")];
    };
    let shared = |key: &str| root.get("workspace")?.get("package")?.get(key)?.as_str();
    let (Some(version), Some(rust)) = (shared("version"), shared("rust-version")) else {
        return vec![Finding::new("Cargo.toml", 0, "workspace.package states no version or no rust-version")];
    };

    let mut findings = own_dependencies(&root, version);
    for (path, text) in repo.matching("", ".md").filter(|(path, _)| !path.ends_with("CHANGELOG.md")) {
        for (line, number) in text.lines().zip(1..) {
            let wrong_requirement = requirement(line).filter(|required| !meets(required, version));
            if let Some(required) = wrong_requirement {
                findings.push(Finding::new(path, number, format!("asks for {required}, the crates are {version}")));
            }
            if let Some(stated) = rust_releases(line).find(|stated| *stated != rust) {
                findings.push(Finding::new(path, number, format!("states Rust {stated}, Cargo.toml {rust}")));
            }
        }
    }
    findings.extend(NESTED_LOCKS.iter().filter_map(|path| Some((path, repo.get(path)?))).flat_map(|(path, text)| {
        let own = repo.get("Cargo.lock").unwrap_or_default();
        disagreements(&root, own, text).into_iter().map(|message| Finding::new(path, 0, message))
    }));
    findings
}

/// The crates' versions in `[workspace.dependencies]`, where cargo wants them once more.
fn own_dependencies(root: &Table, version: &str) -> Vec<Finding> {
    let empty = Table::new();
    let table = root.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table()).unwrap_or(&empty);
    table
        .iter()
        .filter(|(_, dependency)| dependency.get("path").is_some())
        .filter(|(_, dependency)| dependency.get("version").and_then(Value::as_str) != Some(version))
        .map(|(name, _)| Finding::new("Cargo.toml", 0, format!("the version of `{name}` is not {version}")))
        .collect()
}

/// The version that a line of a manifest in a document asks of one of our crates: `gatekeeper-ureq = "0.1"`, or with a
/// table on the right side.
fn requirement(line: &str) -> Option<&str> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let ours = name.starts_with("gatekeeper-") && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let value = value.trim_start();
    let quoted = match value.strip_prefix('{') {
        Some(table) => table.split_once("version")?.1.trim_start().strip_prefix('=')?.trim_start(),
        None => value,
    };
    let required = quoted.strip_prefix('"')?.split_once('"')?.0;
    ours.then_some(required)
}

/// Whether `required` is `version` or the beginning of it: `0.1` of `0.1.2`.
fn meets(required: &str, version: &str) -> bool {
    version.strip_prefix(required).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every release such as `1.85` that a line states.
fn rust_releases(line: &str) -> impl Iterator<Item = &str> {
    MSRV_WORDS.iter().flat_map(move |word| line.match_indices(word)).filter_map(move |(at, word)| {
        let rest = &line[at + word.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let release = rest[..end].trim_end_matches('.');
        release.starts_with("1.").then_some(release)
    })
}

/// Packages that the workspace depends on directly and that another lock file has in another version.
fn disagreements(root: &Table, own: &str, other: &str) -> Vec<String> {
    let (own, other) = (locked(own), locked(other));
    let direct = root.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table());
    let names = direct.into_iter().flat_map(Table::keys);
    names
        .filter_map(|name| {
            let versions = |lock: &[(String, String)]| -> Vec<String> {
                lock.iter().filter(|(found, _)| found == name).map(|(_, version)| version.clone()).collect()
            };
            let (ours, theirs) = (versions(&own), versions(&other));
            let agree = ours.is_empty() || theirs.is_empty() || ours.iter().any(|version| theirs.contains(version));
            (!agree).then(|| format!("has `{name}` {}, Cargo.lock {}", theirs.join(" and "), ours.join(" and ")))
        })
        .collect()
}

/// Name and version of every package in a lock file.
fn locked(text: &str) -> Vec<(String, String)> {
    let lock: Table = text.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let field = |package: &Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    packages.iter().filter_map(|package| Some((field(package, "name")?, field(package, "version")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    const ROOT: &str = "[workspace.package]\nversion = \"0.2.1\"\nrust-version = \"1.85\"\n[workspace.dependencies]\n\
                        gatekeeper-a = { path = \"a\", version = \"0.2.1\" }\nhttparse = \"1\"\n";

    #[test]
    fn documents_state_our_versions() {
        let readme =
            |line: &str, expected: &[&str]| check(versions, &[("Cargo.toml", ROOT), ("README.md", line)], expected);
        readme("gatekeeper-ureq = \"0.2\"\ngatekeeper-a = { version = \"0.2.1\", features = [] }", &[]);
        readme("gatekeeper-ureq = \"0.1\"", &["README.md:1: asks for 0.1"]);
        readme("\ngatekeeper-a = { features = [], version = \"1\" }", &["README.md:2: asks for 1"]);
        readme("Needs Rust 1.85. On rustc 1.85 or newer.", &[]);
        readme("Needs Rust 1.84.", &["README.md:1: states Rust 1.84"]);
        readme("![](https://img.shields.io/badge/MSRV-1.86-blue)", &["README.md:1: states Rust 1.86"]);
        readme("Rust is fine; HTTP/1.1 is; gatekeeper = \"x\"", &[]);
    }

    #[test]
    fn the_history_may_state_old_ones() {
        check(versions, &[("Cargo.toml", ROOT), ("CHANGELOG.md", "Rust 1.70")], &[]);
    }

    #[test]
    fn the_table_states_our_version() {
        let root = ROOT.replace("path = \"a\", version = \"0.2.1\"", "path = \"a\", version = \"0.2.0\"");
        check(versions, &[("Cargo.toml", &root)], &["Cargo.toml: the version of `gatekeeper-a`"]);
        check(versions, &[], &["Cargo.toml: is missing"]);
        check(versions, &[("Cargo.toml", "[workspace]")], &["Cargo.toml: workspace.package states no"]);
    }

    #[test]
    fn lock_files_agree_on_what_we_depend_on() {
        let lock = |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let with = |other: &str, expected: &[&str]| {
            let own = lock("httparse", "1.2.0") + &lock("memchr", "2.0.0");
            check(versions, &[("Cargo.toml", ROOT), ("Cargo.lock", &own), ("fuzz/Cargo.lock", other)], expected);
        };
        with(&lock("httparse", "1.2.0"), &[]);
        with(&lock("httparse", "1.1.0"), &["fuzz/Cargo.lock: has `httparse` 1.1.0"]);
        with(&lock("memchr", "1.0.0"), &[]);
    }
}
