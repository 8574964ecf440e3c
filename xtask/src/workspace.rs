//! What the workspace says of itself: its root, its target directory, and the crates that are published.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;
use crate::cmd::cargo;

/// A crate of the workspace that is published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) name: String,
    /// Every feature but `default`, sorted.
    pub(crate) features: Vec<String>,
}

/// The directory that holds the root `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The directory cargo builds into.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata()?;
    let directory = metadata["target_directory"].as_str().ok_or("cargo metadata names no target directory")?;
    Ok(PathBuf::from(directory))
}

/// The crates that are published, in the order cargo names them.
pub(crate) fn published() -> Result<Vec<Published>> {
    let crates = published_in(&metadata()?);
    if crates.is_empty() { Err("the workspace has no published crate".into()) } else { Ok(crates) }
}

/// `rust-version` of the root manifest, the one place where it is stated.
pub(crate) fn rust_version() -> Result<String> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let version = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str())
        .ok_or("the root Cargo.toml states no workspace.package.rust-version")?;
    Ok(version.to_owned())
}

fn metadata() -> Result<Value> {
    let text = cargo().dir(root()).args(["metadata", "--no-deps", "--format-version=1"]).read()?;
    Ok(serde_json::from_str(&text)?)
}

fn published_in(metadata: &Value) -> Vec<Published> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages
        .iter()
        // `publish = false` reads as an empty list of registries, no statement as null.
        .filter(|package| package["publish"].as_array().is_none_or(|registries| !registries.is_empty()))
        .filter_map(|package| {
            let mut features: Vec<String> = package["features"].as_object()?.keys().cloned().collect();
            features.retain(|feature| feature != "default");
            features.sort();
            Some(Published { name: package["name"].as_str()?.to_owned(), features })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_published_crates_and_named_features_count() {
        let metadata = json!({"packages": [
            {"name": "a", "publish": null, "features": {"default": ["y"], "y": [], "x": []}},
            {"name": "b", "publish": [], "features": {}},
            {"name": "c", "publish": ["crates-io"], "features": {}},
        ]});
        let expected = [
            Published { name: "a".into(), features: vec!["x".into(), "y".into()] },
            Published { name: "c".into(), features: vec![] },
        ];
        assert_eq!(published_in(&metadata), expected);
    }

    #[test]
    fn this_workspace_is_read() {
        let names: Vec<String> = published().unwrap().into_iter().map(|published| published.name).collect();
        assert!(names.iter().any(|name| name == "gatekeeper-proto"), "{names:?}");
        assert!(!names.iter().any(|name| name == "xtask"), "{names:?}");
        assert_eq!(rust_version().unwrap().split('.').count(), 2);
    }
}
