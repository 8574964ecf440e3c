//! `conformance`: the test vectors, from the repository or from any directory of the same schema.

use crate::cmd::cargo;
use crate::{Result, workspace};

pub(crate) const ABOUT: &str = "run every vector file in a directory through the public API [DIR]";

pub(crate) fn main(arguments: &[String]) -> Result {
    match arguments {
        [] => run(None),
        [dir] if !dir.starts_with('-') => run(Some(dir)),
        _ => Err("one directory at most, and no switches".into()),
    }
}

/// Runs the vectors in `dir`, as seen from where the command was started, or those of the repository.
pub(crate) fn run(dir: Option<&str>) -> Result {
    let mut cmd = cargo().dir(workspace::root());
    cmd = cmd.args(["run", "--quiet", "--locked", "--package", "gatekeeper-testkit", "--example", "vectors", "--"]);
    if let Some(dir) = dir {
        cmd = cmd.args([std::path::absolute(dir)?]);
    }
    cmd.run().map_err(|_| "some vectors did not pass".into())
}
