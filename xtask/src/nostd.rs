//! `nostd`: the core builds for bare metal against nothing but `core`.
//!
//! Both ways of doing it leave `alloc` and `std` out of the compiler's reach, so that any use of them, in a
//! dependency too, is an error.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use crate::cmd::Cmd;
use crate::toolchains::{self, Toolchain};
use crate::{Result, switches, workspace};

pub(crate) const ABOUT: &str = "build the core for Cortex-M without std and alloc [--debian]";

/// Cortex-M0 has no atomic exchange, Cortex-M4F has everything: what builds for both builds for those between.
const TARGETS: [&str; 2] = ["thumbv6m-none-eabi", "thumbv7em-none-eabihf"];

/// The crates that need no allocator, each with the feature sets that must not either.
const BUILDS: &[(&str, &[&str])] = &[
    ("gatekeeper-proto", &[]),
    ("gatekeeper-proto", &["--no-default-features"]),
    ("gatekeeper-proto", &["--no-default-features", "--features", "defmt,serde"]),
];

pub(crate) fn main(arguments: &[String]) -> Result {
    let [debian] = switches(arguments, ["--debian"])?;
    run(debian)
}

/// `debian` asks for Debian's packages even where the toolchain in use has the target.
pub(crate) fn run(debian: bool) -> Result {
    for target in TARGETS {
        let way = BareMetal::find(target, debian)?;
        eprintln!("{target}: {}", way.name());
        for (package, features) in BUILDS {
            way.cargo("build", target)?.args(["--locked", "-p", package]).args(*features).run()?;
        }
    }
    Ok(())
}

/// A way to compile for a target with `core` and nothing else.
enum BareMetal {
    /// A sysroot that holds the installed `core` of the current toolchain, but not its `alloc`.
    Sysroot(PathBuf),
    /// A toolchain that compiles `core` from its sources.
    FromSource(Toolchain),
}

impl BareMetal {
    fn find(target: &str, debian: bool) -> Result<Self> {
        if !debian && let Some(sysroot) = core_sysroot(target)? {
            return Ok(Self::Sysroot(sysroot));
        }
        let version = workspace::rust_version()?;
        let toolchain = toolchains::debian(&version).map_err(|error| {
            format!(
                "the target {target} is not installed (`rustup target add {target}`) and no toolchain to compile \
                 `core` from source is to be had from apt: {error}"
            )
        })?;
        Ok(Self::FromSource(toolchain))
    }

    fn name(&self) -> String {
        match self {
            Self::Sysroot(_) => "the installed target, of which only `core` is visible".to_owned(),
            Self::FromSource(toolchain) => {
                format!("`core` compiled from source by {}", toolchain.name())
            }
        }
    }

    /// `cargo SUBCOMMAND --target TARGET`, in a target directory of its own: the two ways share no artifact.
    fn cargo(&self, subcommand: &str, target: &str) -> Result<Cmd> {
        let into = workspace::target_dir()?.join("nostd");
        let command = match self {
            Self::Sysroot(sysroot) => Toolchain::Current
                .cargo()
                .arg(subcommand)
                .env("RUSTFLAGS", format!("--sysroot={}", sysroot.display()))
                .env_remove("CARGO_ENCODED_RUSTFLAGS"),
            // The switches are unstable, which this variable permits in a release compiler.
            Self::FromSource(toolchain) => toolchain
                .cargo()
                .arg(subcommand)
                .args(["-Zbuild-std=core,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"])
                .env("RUSTC_BOOTSTRAP", "1"),
        };
        Ok(command.args(["--target", target, "--target-dir"]).arg(into))
    }
}

/// Makes the sysroot of [`BareMetal::Sysroot`]; `None` where the target is not installed.
fn core_sysroot(target: &str) -> Result<Option<PathBuf>> {
    let place = Cmd::new("rustc").args(["--print", "target-libdir", "--target", target]).read()?;
    let Ok(installed) = fs::read_dir(place.trim()) else {
        return Ok(None);
    };

    let sysroot = workspace::target_dir()?.join("nostd").join("sysroot");
    let libraries = sysroot.join("lib/rustlib").join(target).join("lib");
    if libraries.exists() {
        fs::remove_dir_all(&libraries)?;
    }
    fs::create_dir_all(&libraries)?;
    let mut found = 0;
    for file in installed {
        let file = file?;
        if belongs(&file.file_name()) {
            fs::copy(file.path(), libraries.join(file.file_name()))?;
            found += 1;
        }
    }
    Ok((found > 0).then_some(sysroot))
}

/// Whether a library of the installed target may be seen by what is built here.
fn belongs(file: &OsStr) -> bool {
    let name = file.to_string_lossy();
    name.starts_with("libcore-") || name.starts_with("libcompiler_builtins-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_core_is_visible() {
        assert!(belongs(OsStr::new("libcore-e3860aaf044c0412.rlib")));
        assert!(belongs(OsStr::new("libcompiler_builtins-e9a569f6cf08afde.rmeta")));
        assert!(!belongs(OsStr::new("liballoc-e331fd60313c4931.rlib")));
        assert!(!belongs(OsStr::new("libstd-e331fd60313c4931.rlib")));
    }
}
