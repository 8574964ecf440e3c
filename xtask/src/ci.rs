//! `ci`: everything that must hold before a change is taken, in the order in which failures are cheapest to find.

use std::time::{Duration, Instant};

use crate::cmd::{Cmd, cargo};
use crate::{Result, conformance, features, live, msrv, nostd, switches, tidy, workspace};

pub(crate) const ABOUT: &str = "run every check, and stop at the first that fails [--keep-going]";

/// A check, behind the name it has in the report.
type Step = (&'static str, fn() -> Result);

/// One line adds another.
const STEPS: &[Step] = &[
    ("fmt", || cargo_at_root().args(["fmt", "--all", "--check"]).run()),
    ("tidy", tidy::run),
    ("clippy", || {
        cargo_at_root().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"]).run()
    }),
    ("test", || cargo_at_root().args(["test", "--workspace", "--locked"]).run()),
    ("test, all features", || cargo_at_root().args(["test", "--workspace", "--locked", "--all-features"]).run()),
    ("conformance", || conformance::run(None)),
    ("doc", doc),
    ("nostd", || nostd::run(false)),
    ("msrv", || msrv::run(false)),
    ("features", features::run),
    ("live", live::run),
];

pub(crate) fn main(arguments: &[String]) -> Result {
    let [keep_going] = switches(arguments, ["--keep-going"])?;
    run(STEPS, keep_going)
}

fn doc() -> Result {
    cargo_at_root()
        .args(["doc", "--workspace", "--no-deps", "--all-features", "--locked"])
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .run()
}

fn cargo_at_root() -> Cmd {
    cargo().dir(workspace::root())
}

fn run(steps: &[Step], keep_going: bool) -> Result {
    let mut failed = Vec::new();
    let mut report = Vec::new();
    for (number, (name, check)) in steps.iter().enumerate() {
        eprintln!("\n=== {}/{} {name}", number + 1, steps.len());
        let started = Instant::now();
        let result = check();
        report.push(line(name, started.elapsed(), result.is_ok()));
        if let Err(error) = result {
            eprintln!("{name}: {error}");
            failed.push(*name);
            if !keep_going {
                break;
            }
        }
    }
    eprintln!("\n=== result\n{}", report.join("\n"));
    match steps.len() - report.len() {
        0 => {}
        missed => eprintln!("{missed} more not run"),
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn line(name: &str, took: Duration, passed: bool) -> String {
    format!("{} {name:<20} {:>7.1} s", if passed { "ok    " } else { "FAILED" }, took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_first_failure_stops_the_run_unless_told_otherwise() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let steps: [Step; 3] = [
            ("good", || Ok(())),
            ("bad", || Err("it broke".into())),
            ("counted", || {
                RUNS.fetch_add(1, Ordering::Relaxed);
                Err("this too".into())
            }),
        ];
        assert_eq!(run(&steps, false).unwrap_err().to_string(), "failed: bad");
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
        assert_eq!(run(&steps, true).unwrap_err().to_string(), "failed: bad, counted");
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        assert!(run(&steps[..1], false).is_ok());
    }
}
