//! Rule: what all crates share is stated once, in the root manifest, and every crate takes it from there.

use toml::{Table, Value};

use super::Finding;
use super::repo::Repo;

/// Keys of `[package]` that a crate takes from the workspace.
const SHARED: [&str; 3] = ["edition", "rust-version", "license"];

/// The same for crates that are published.
const SHARED_IF_PUBLISHED: [&str; 2] = ["version", "repository"];

const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn manifests(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.matching("", "/Cargo.toml").filter(|(path, _)| is_member(path)) {
        match text.parse::<Table>() {
            Ok(manifest) => findings.extend(objections(&manifest).map(|message| Finding::new(path, 0, message))),
            Err(error) => findings.push(Finding::new(path, 0, error.message())),
        }
    }
    findings
}

/// Whether a manifest belongs to the workspace; the trees the root manifest excludes stand on their own.
fn is_member(path: &str) -> bool {
    path == "xtask/Cargo.toml" || path.starts_with("crates/") && path.matches('/').count() == 2
}

fn objections(manifest: &Table) -> impl Iterator<Item = String> {
    let empty = Table::new();
    let package = manifest.get("package").and_then(Value::as_table).unwrap_or(&empty);
    let published = package.get("publish").and_then(Value::as_bool) != Some(false);
    let mut found = Vec::new();

    if package.get("description").and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
        found.push("package has no description".to_owned());
    }
    let if_published = if published { &SHARED_IF_PUBLISHED[..] } else { &[] };
    for key in SHARED.iter().chain(if_published) {
        if !package.get(*key).is_some_and(from_workspace) {
            found.push(format!("package takes no `{key}.workspace = true`"));
        }
    }
    if !manifest.get("lints").is_some_and(from_workspace) {
        found.push("takes no lints from the workspace".to_owned());
    }

    // `[target.'cfg(unix)'.dependencies]` is a table of tables with the same keys.
    let targets =
        manifest.get("target").and_then(Value::as_table).unwrap_or(&empty).values().filter_map(Value::as_table);
    for table in std::iter::once(manifest).chain(targets) {
        for kind in DEPENDENCIES {
            for (name, dependency) in table.get(kind).and_then(Value::as_table).unwrap_or(&empty) {
                if !from_workspace(dependency) {
                    found.push(format!("`{name}` in {kind} is not from [workspace.dependencies]"));
                }
            }
        }
    }
    found.into_iter()
}

fn from_workspace(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"A crate\"\nversion.workspace = true\nedition.workspace = true\n\
                        rust-version.workspace = true\nlicense.workspace = true\nrepository.workspace = true\n\
                        [lints]\nworkspace = true\n[dependencies]\nb = { workspace = true, optional = true }\n";

    fn changed(from: &str, to: &str, expected: &[&str]) {
        assert!(GOOD.contains(from), "{from}");
        let path = "crates/a/Cargo.toml";
        let expected: Vec<String> = expected.iter().map(|message| format!("{path}: {message}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(manifests, &[(path, &GOOD.replace(from, to))], &expected);
    }

    #[test]
    fn shared_keys_come_from_the_workspace() {
        changed("A crate", "A crate", &[]);
        changed("A crate", " ", &["package has no description"]);
        changed("license.workspace = true", "license = \"MIT\"", &["package takes no `license.workspace"]);
        changed("version.workspace = true\ne", "version = \"1.0.0\"\ne", &["package takes no `version.workspace"]);
        changed("version.workspace = true\ne", "publish = false\ne", &[]);
        changed("[lints]\nworkspace = true", "", &["takes no lints"]);
    }

    #[test]
    fn dependencies_come_from_the_table() {
        changed("b = { workspace = true, optional = true }", "b = \"1.0\"", &["`b` in dependencies"]);
        changed("[dependencies]\n", "[dev-dependencies]\nc = { version = \"1\" }\n", &["`c` in dev-dependencies"]);
        changed("[dependencies]\n", "[target.'cfg(unix)'.dependencies]\nc = \"1\"\n", &["`c` in dependencies"]);
    }

    #[test]
    fn a_broken_manifest_is_named_and_others_are_not_read() {
        check(manifests, &[("crates/a/Cargo.toml", "[")], &["crates/a/Cargo.toml: "]);
        check(manifests, &[("fuzz/Cargo.toml", ""), ("crates/a/tests/x/Cargo.toml", "")], &[]);
    }
}
