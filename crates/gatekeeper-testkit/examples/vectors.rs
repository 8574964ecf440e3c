//! Runs every vector file of a directory through the public API and prints what came of it.
//!
//! `cargo run -p gatekeeper-testkit --example vectors [DIR]`

use gatekeeper_testkit::vectors;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A case that panics is reported as one that failed; the panic's own message would be noise.
    std::panic::set_hook(Box::new(|_| {}));
    let dir = std::env::args_os().nth(1).map_or_else(vectors::own_directory, PathBuf::from);
    let (text, failed) = match vectors::run(&dir) {
        Ok(report) => (report.to_string(), report.failed() > 0),
        Err(e) => (format!("{}: {e}\n", dir.display()), true),
    };
    let written = std::io::stdout().write_all(text.as_bytes());
    if failed || written.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
