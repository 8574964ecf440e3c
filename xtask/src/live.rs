//! `live`: the `gatekeeper` command against real authorization servers, which are not ours.
//!
//! `servers/` holds their start scripts, `live/scenarios.rs` what is tried, `live/verdict.rs` what counts as success.

mod scenarios;
mod servers;
mod template;
mod verdict;

use std::fs;
use std::path::Path;
use std::time::Instant;

use scenarios::{DJANGO, OIDC, Scenario, Secret, TLS};
use servers::{Facts, Server};

use crate::cmd::{Cmd, cargo};
use crate::{Result, switches, workspace};

pub(crate) const ABOUT: &str = "run the gatekeeper command against real authorization servers";

/// A server to start, the options that reach it, and what is tried there.
struct Stage {
    name: &'static str,
    kind: &'static str,
    tls: bool,
    server: &'static [&'static str],
    scenarios: &'static [&'static [Scenario]],
}

const STAGES: &[Stage] = &[
    Stage {
        name: "oidc-provider",
        kind: "oidc-provider",
        tls: false,
        server: &["--token-url", "{TOKEN_URL}"],
        scenarios: &[OIDC],
    },
    Stage {
        name: "oidc-provider with TLS",
        kind: "oidc-provider",
        tls: true,
        server: &["--token-url", "{TOKEN_URL}", "--ca-file", "{CA_FILE}"],
        scenarios: &[OIDC, TLS],
    },
    Stage {
        name: "django-oauth-toolkit",
        kind: "django-oauth-toolkit",
        tls: false,
        server: &["--token-url", "{TOKEN_URL}"],
        scenarios: &[DJANGO],
    },
];

pub(crate) fn main(arguments: &[String]) -> Result {
    let [] = switches(arguments, [])?;
    run()
}

pub(crate) fn run() -> Result {
    cargo().dir(workspace::root()).args(["build", "--locked", "-p", "gatekeeper-cli"]).run()?;
    let target = workspace::target_dir()?;
    let gatekeeper = target.join("debug/gatekeeper");
    let cache = target.join("live");

    let mut failed = 0;
    for stage in STAGES {
        servers::stop_leftovers(stage.kind, &cache)?;
        failed += stage.run(&gatekeeper, &cache)?;
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} scenarios failed").into()) }
}

impl Stage {
    /// Runs every scenario against a freshly started server; the number of those that failed.
    fn run(&self, gatekeeper: &Path, cache: &Path) -> Result<usize> {
        eprintln!("\n{}", self.name);
        let server = Server::start(self.kind, self.tls, cache)?;
        let secrets = cache.join("secrets");
        emptied(&secrets)?;
        let mut facts = server.facts.clone();
        facts.insert("WRONG".to_owned(), "not-what-the-server-knows".to_owned());

        let mut failed = 0;
        for scenario in self.scenarios.iter().copied().flatten() {
            let started = Instant::now();
            let outcome = self.play(scenario, gatekeeper, &secrets, &mut facts);
            let verdict = if outcome.is_ok() { "ok    " } else { "FAILED" };
            eprintln!("  {verdict} {:>5.1} s  {}", started.elapsed().as_secs_f64(), scenario.name);
            if let Err(error) = outcome {
                eprintln!("         gatekeeper {}\n         {error}", scenario.command);
                failed += 1;
            }
        }
        fs::remove_dir_all(secrets)?;
        Ok(failed)
    }

    fn play(&self, scenario: &Scenario, gatekeeper: &Path, secrets: &Path, facts: &mut Facts) -> Result {
        let known = with_files(facts, secrets)?;
        let mut command =
            isolated(Cmd::new(gatekeeper)).args(template::arguments(scenario.command, self.server, &known)?);
        let mut input = String::new();
        match scenario.secret {
            Secret::InCommand => {}
            Secret::Environment(name, value) => command = command.env(name, template::fill(value, &known)?),
            Secret::Stdin(value) => input = template::fill(value, &known)?,
        }
        verdict::judge(&scenario.expect, &command.output(&input)?, facts)
    }
}

/// `facts`, with a file for each value: `CLIENT_SECRET` is also to be had as `CLIENT_SECRET_FILE`.
fn with_files(facts: &Facts, directory: &Path) -> Result<Facts> {
    let mut all = facts.clone();
    for (name, value) in facts {
        let path = directory.join(name);
        fs::write(&path, value)?;
        all.entry(format!("{name}_FILE")).or_insert_with(|| path.to_string_lossy().into_owned());
    }
    Ok(all)
}

/// `command` without what this machine's environment would add to it.
fn isolated(command: Cmd) -> Cmd {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("GATEKEEPER_"))
        .fold(command, Cmd::env_remove)
        .env("NO_PROXY", "127.0.0.1,localhost")
}

/// Makes `directory` exist and hold nothing, whatever an interrupted run left there.
fn emptied(directory: &Path) -> Result {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    Ok(fs::create_dir_all(directory)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_a_file_but_keeps_its_own() {
        let directory = std::env::temp_dir().join(format!("gatekeeper-live-{}", std::process::id()));
        emptied(&directory).unwrap();
        let facts: Facts = [("CA".to_owned(), "x".to_owned()), ("CA_FILE".to_owned(), "/ca.pem".to_owned())].into();
        let all = with_files(&facts, &directory).unwrap();
        assert_eq!(all["CA_FILE"], "/ca.pem", "a fact of that name is not replaced");
        assert_eq!(fs::read_to_string(&all["CA_FILE_FILE"]).unwrap(), "/ca.pem");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_soaks_run_as_the_verdict_assumes() {
        let stated = format!("--for {}s --rate {} --json", scenarios::SOAK_SECONDS, scenarios::SOAK_RATE);
        for scenario in STAGES.iter().flat_map(|stage| stage.scenarios.iter().copied().flatten()) {
            if matches!(scenario.expect, scenarios::Expect::Soak) {
                assert!(scenario.command.contains(&stated), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn no_secret_is_an_argument() {
        for scenario in STAGES.iter().flat_map(|stage| stage.scenarios.iter().copied().flatten()) {
            for secret in ["SECRET}", "{PASSWORD}", "{API_KEY}", "{WRONG}", "{REFRESH_TOKEN}"] {
                assert!(!scenario.command.contains(secret), "{}", scenario.name);
            }
        }
    }
}
