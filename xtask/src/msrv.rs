//! `msrv`: the published crates compile with the oldest Rust release the workspace promises.

use crate::{Result, switches, toolchains, workspace};

pub(crate) const ABOUT: &str = "check the published crates with the rust-version of Cargo.toml [--debian]";

pub(crate) fn main(arguments: &[String]) -> Result {
    let [debian] = switches(arguments, ["--debian"])?;
    run(debian)
}

/// `debian` asks for Debian's packages even where rustup has the release.
pub(crate) fn run(debian: bool) -> Result {
    let version = workspace::rust_version()?;
    let installed = if debian { None } else { toolchains::installed(&version) };
    let toolchain = match installed {
        Some(toolchain) => toolchain,
        None => toolchains::debian(&version).map_err(|error| {
            format!("Rust {version} is neither installed (`rustup toolchain install {version}`) nor to be had from apt: {error}")
        })?,
    };
    eprintln!("rust-version {version}: using {}", toolchain.name());

    let mut check = toolchain.cargo().args(["check", "--locked", "--all-features"]);
    for published in workspace::published()? {
        check = check.args(["-p", published.name.as_str()]);
    }
    check.arg("--target-dir").arg(workspace::target_dir()?.join("msrv")).run()
}
