//! Rust toolchains other than the one that runs this program.
//!
//! An installed rustup toolchain is used where there is one. Otherwise the packages of Debian 12 serve (`rustc-web`
//! and its kin, which hold several recent releases). They are unpacked below the target directory and not installed:
//! the system allows only one version at a time, and nothing outside of the repository should change.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::cmd::{Cmd, cargo, scrubbed};
use crate::workspace;

/// Where a toolchain comes from, and so how its cargo is started.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The one that runs this program.
    Current,
    /// One that rustup has, by the name rustup knows it under.
    Rustup(String),
    /// Debian packages unpacked in this directory.
    Debian(PathBuf),
}

impl Toolchain {
    /// This toolchain's cargo, to be run at the root of the workspace.
    pub(crate) fn cargo(&self) -> Cmd {
        let command = match self {
            Self::Current => cargo(),
            Self::Rustup(name) => scrubbed(Cmd::new("rustup").args(["run", name.as_str(), "cargo"])),
            Self::Debian(root) => scrubbed(unpacked(root, "cargo"))
                .env("RUSTC", root.join("usr/bin/rustc"))
                .env("RUSTDOC", root.join("usr/bin/rustdoc"))
                .env_remove("RUSTUP_TOOLCHAIN"),
        };
        command.dir(workspace::root())
    }

    /// What a person calls it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Current => "the current toolchain".to_owned(),
            Self::Rustup(name) => format!("rustup's {name}"),
            Self::Debian(root) => {
                let version = root.file_name().unwrap_or_default().to_string_lossy();
                format!("Debian's {version}")
            }
        }
    }
}

/// The release `version` (such as `1.85`) if it runs this program or rustup has it.
pub(crate) fn installed(version: &str) -> Option<Toolchain> {
    let current = Cmd::new("rustc").arg("--version").read().unwrap_or_default();
    if current.split_whitespace().nth(1).is_some_and(|found| is_release(found, version)) {
        return Some(Toolchain::Current);
    }
    let list = Cmd::new("rustup").args(["toolchain", "list"]).read().ok()?;
    rustup_name(&list, version).map(|name| Toolchain::Rustup(name.to_owned()))
}

/// The release `version` from Debian's packages, with the sources of the standard library, unpacked at first use.
pub(crate) fn debian(version: &str) -> Result<Toolchain> {
    let package = newest_package(version)?;
    let toolchains = workspace::target_dir()?.join("toolchains");
    let root = toolchains.join(format!("rust-{package}"));
    if !root.is_dir() {
        // Unpacked beside its place and moved there whole, so an interrupted run leaves nothing that looks complete.
        let beside = toolchains.join(format!("rust-{package}.part"));
        if beside.exists() {
            fs::remove_dir_all(&beside)?;
        }
        unpack(&package, &beside)?;
        fs::rename(&beside, &root)?;
    }
    unpacked(&root, "rustc").arg("--version").read()?;
    Ok(Toolchain::Debian(root))
}

/// A program of unpacked packages, with the libraries that were unpacked beside it.
fn unpacked(root: &Path, program: &str) -> Cmd {
    let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
    let libraries = ["usr/lib", "lib"].map(|place| root.join(place).join(&machine));
    let path = libraries.map(|directory| directory.to_string_lossy().into_owned()).join(":");
    Cmd::new(root.join("usr/bin").join(program)).env("LD_LIBRARY_PATH", path)
}

/// The full version of the newest `rustc-web` package that holds release `version`.
fn newest_package(version: &str) -> Result<String> {
    let listed = || Cmd::new("apt-cache").args(["madison", "rustc-web"]).read();
    let found = |listing: &str| package_of_release(listing, version).map(str::to_owned);

    if let Some(package) = found(&listed()?) {
        return Ok(package);
    }
    // A fresh image has no package lists.
    Cmd::new("apt-get").args(["update", "-qq"]).run()?;
    let listing = listed()?;
    found(&listing).ok_or_else(|| {
        format!("no Debian package rustc-web of release {version} is on offer; there is:\n{listing}").into()
    })
}

/// Downloads and unpacks the toolchain and every library it needs that this machine lacks.
fn unpack(package: &str, into: &Path) -> Result {
    let downloads = into.join("deb");
    fs::create_dir_all(&downloads)?;
    let release = package.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let own: Vec<String> =
        ["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev", &format!("libstd-rust-web-{release}")]
            .iter()
            .map(|name| format!("{name}={package}"))
            .collect();

    // Simulated, so that apt names the libraries; the packages themselves might be installed and thus not be named.
    let simulated = Cmd::new("apt-get")
        .args(["-s", "-y", "--no-install-recommends", "--allow-downgrades", "install"])
        .args(&own)
        .env("LC_ALL", "C")
        .read()?;
    let libraries = simulated.lines().filter_map(to_install).filter(|wanted| !own.contains(wanted));
    let wanted: Vec<String> = own.iter().cloned().chain(libraries).collect();

    Cmd::new("apt-get")
        // The user apt downloads as by default may not enter our directory.
        .args(["download", "-q", "-o", "APT::Sandbox::User=root"])
        .args(&wanted)
        .dir(&downloads)
        .run()?;
    for file in fs::read_dir(&downloads)? {
        Cmd::new("dpkg").arg("-x").arg(file?.path()).arg(into).read()?;
    }
    fs::remove_dir_all(&downloads)?;
    // Of the sources only the standard library is needed; the compiler's are six times its size.
    let sources = into.join("usr/src").join(format!("rustc-{}", package.split('+').next().unwrap_or_default()));
    for needless in ["compiler", "src"] {
        let directory = sources.join(needless);
        if directory.is_dir() {
            fs::remove_dir_all(directory)?;
        }
    }
    Ok(())
}

/// `NAME=VERSION` of a line such as `Inst libllvm19 (1:19.1.7-3 Debian:12.15/oldstable [amd64])`, where an installed
/// version may stand in brackets before the new one.
fn to_install(line: &str) -> Option<String> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some(format!("{name}={version}"))
}

/// The first package of release `version` in the output of `apt-cache madison`, which is sorted newest first.
fn package_of_release<'a>(listing: &'a str, version: &str) -> Option<&'a str> {
    listing
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .find(|package| is_release(package.split('+').next().unwrap_or_default(), version))
}

/// The name of a toolchain of release `version` in the output of `rustup toolchain list`.
fn rustup_name<'a>(list: &'a str, version: &str) -> Option<&'a str> {
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| is_release(name.split('-').next().unwrap_or_default(), version))
}

/// Whether `found` (`1.85` or `1.85.1`) is release `version` (`1.85`).
fn is_release(found: &str, version: &str) -> bool {
    found.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADISON: &str = " rustc-web | 1.96.0+dfsg1-1~deb12u2 | http://deb.debian.org/debian-security x\n \
                           rustc-web | 1.85.0+dfsg3-1~deb12u3 | http://deb.debian.org/debian bookworm/main x\n";

    #[test]
    fn the_package_of_a_release_is_found() {
        assert_eq!(package_of_release(MADISON, "1.85"), Some("1.85.0+dfsg3-1~deb12u3"));
        assert_eq!(package_of_release(MADISON, "1.9"), None);
        assert_eq!(package_of_release("", "1.85"), None);
    }

    #[test]
    fn rustup_names_are_matched_by_release() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\n1.85.1-x86_64-unknown-linux-gnu\n";
        assert_eq!(rustup_name(list, "1.85"), Some("1.85.1-x86_64-unknown-linux-gnu"));
        assert_eq!(rustup_name(list, "1.8"), None);
    }

    #[test]
    fn simulated_installs_are_read() {
        let fresh = "Inst libllvm19 (1:19.1.7-3~deb12u1 Debian:12.15/oldstable [amd64])";
        assert_eq!(to_install(fresh).as_deref(), Some("libllvm19=1:19.1.7-3~deb12u1"));
        let upgrade = "Inst rustc-web [1.96.0] (1.85.0+dfsg3-1 Debian:12/x [amd64]) []";
        assert_eq!(to_install(upgrade).as_deref(), Some("rustc-web=1.85.0+dfsg3-1"));
        assert_eq!(to_install("Conf libllvm19 (1:19)"), None);
    }
}
