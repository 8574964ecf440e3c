//! `gatekeeper demo`: every system at work against the testkit, in this process, and what goes over the wire.

mod mask;
mod wire;

use crate::connect::Journal;
use crate::output::{self, Style};
use crate::report::{Exit, Failure, Result};
use gatekeeper_testkit::{Server, System, systems};
use gatekeeper_ureq::{
    ApiClient, ApiConfig, BasicEncoding, Client, Config, ConfigBuilder, ErrorKind, GrantConfig, Observer, Profile,
    SecretSource, TokenSource, Transport,
};
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use wire::Wire;

/// A system, and what is particular about it.
struct Stage {
    system: System,
    about: &'static str,
    /// How the token is renewed.
    renewal: &'static str,
    /// A mistake that people make, as a change to a right configuration.
    mistake: &'static str,
    make_it: fn(&Server, ConfigBuilder) -> ConfigBuilder,
    refusal: (u16, &'static str),
}

const STAGES: [Stage; 4] = [
    Stage {
        system: System::Gatekeeper,
        about: "Bespot Gatekeeper: JWTs from AWS Cognito, calls with token and API key",
        renewal: "There is no refresh token: the whole exchange is repeated.",
        mistake: "a wrong client secret",
        make_it: |server, config| config.client(server.client_id(), "not-the-secret"),
        refusal: (400, "invalid_client"),
    },
    Stage {
        system: System::OauthV2,
        about: "An OAuth v2 API: opaque tokens, ids and secrets with any character",
        renewal: "There is no refresh token: the whole exchange is repeated.",
        mistake: "Basic authentication encoded as other servers want it (--basic form)",
        make_it: |server, config| {
            config.client_auth(Client::Basic {
                id: server.client_id(),
                secret: server.client_secret().as_str().into(),
                encoding: Some(BasicEncoding::Form),
            })
        },
        refusal: (401, "invalid_client"),
    },
    Stage {
        system: System::Rator,
        about: "Rator REST API on Spring: brand key, password grant, refresh token",
        renewal: "Spring repeats a token until it has expired, so it is renewed then, by the refresh token.",
        mistake: "a wrong password",
        make_it: |server, config| config.grant(password(server, "not-the-password")),
        refusal: (400, "invalid_grant"),
    },
    Stage {
        system: System::Generic,
        about: "RFC 6749 to the letter: form-urlencoded Basic, scopes",
        renewal: "There is no refresh token for client credentials (RFC 6749 section 4.4.3).",
        mistake: "a scope that the server does not know",
        make_it: |_, config| config.scope("read admin"),
        refusal: (400, "invalid_scope"),
    },
];

/// How long tokens live that are to be renewed soon. The others live as long as the system usually has it.
const SHORT: Duration = Duration::from_secs(3);
/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const API: &str = "/api/whoami";

/// What was not as it should be.
type Played<T = ()> = std::result::Result<T, Wrong>;

enum Wrong {
    /// The show.
    Show(String),
    /// The output, which is nothing to show.
    Output(std::io::Error),
}

pub(crate) fn run() -> Result {
    let style = Style::of_stdout();
    let begin = Instant::now();
    output::line("Four systems, each played by a test server inside this program on a loopback port.")?;
    output::line("> is what gatekeeper sends, < what comes back; secrets and tokens are masked as ****.")?;
    let mut failed = 0;
    for stage in &STAGES {
        let title = format!("{}: {}", stage.system.name(), stage.about);
        output::line(&format!("\n{}\n{}", style.bold().on(&title), "-".repeat(title.len())))?;
        match stage.play(style) {
            Ok(()) => {}
            Err(Wrong::Output(e)) => return Err(e.into()),
            Err(Wrong::Show(wrong)) => {
                output::line(&format!("{} {wrong}", style.red().on("FAILED")))?;
                failed += 1;
            }
        }
    }
    if failed > 0 {
        return Err(Failure::new(
            Exit::Network,
            format!("{failed} of {} systems did not do as they should", STAGES.len()),
        ));
    }
    let took = begin.elapsed().as_secs();
    let done = "All four got a token, called their API, renewed, recovered from a 401 and explained a refusal";
    Ok(output::line(&format!("\n{} {done} ({took} s).", style.green().on("ok")))?)
}

/// One system's server, what it exchanges with its client, and the client.
struct Play {
    server: Server,
    wire: Wire,
    client: ApiClient,
    journal: Arc<Journal>,
    style: Style,
}

impl Stage {
    fn play(&self, style: Style) -> Played {
        let server = Server::start(self.system).map_err(wrong)?;
        let wire = Wire::to(server.addr()).map_err(wrong)?;
        let config = self.config(&server, &wire).build().map_err(wrong)?;
        let journal = Arc::new(Journal::default());
        let client = self.client(&server, &wire, config, &journal)?;
        let play = Play { server, wire, client, journal, style };
        let token = ("POST", self.system.token_path(), 200);
        let call = |status| ("GET", API, status);

        play.step("A token, and a call with it", &[token, call(200)], || play.call())?;
        play.step("A second call uses the same token", &[call(200)], || play.call())?;
        let title = format!("A token that lives {} s is renewed before it expires. {}", SHORT.as_secs(), self.renewal);
        play.step(&title, &[token, token, call(200)], || play.renewed())?;
        let title = "The server revokes the token: the API answers 401, a new one is fetched, the call repeated once";
        play.server.revoke_access_tokens();
        play.step(title, &[call(401), token, call(200)], || play.call())?;
        let title = format!("A mistake, explained: {}", self.mistake);
        let (status, code) = self.refusal;
        play.step(&title, &[("POST", self.system.token_path(), status)], || self.mistaken(&play, code))
    }

    fn config(&self, server: &Server, wire: &Wire) -> ConfigBuilder {
        let config = Config::builder(self.profile())
            .auth_server_url(format!("http://{}", wire.addr()))
            .client(server.client_id(), server.client_secret().as_str());
        let config = match server.brand_key() {
            Some(key) => config.brand_key(key.value),
            None => config,
        };
        match self.system {
            System::Gatekeeper => config.scope(systems::gatekeeper::SCOPE),
            System::Rator => config.grant(password(server, systems::rator::PASSWORD)),
            System::Generic => config.scope("read"),
            _ => config,
        }
    }

    fn client(&self, server: &Server, wire: &Wire, config: Config, journal: &Arc<Journal>) -> Played<ApiClient> {
        let observer: Arc<dyn Observer> = journal.clone();
        let transport = Transport::builder().without_proxy().build().map_err(wrong)?;
        let source = TokenSource::builder(config).transport(transport).observer(observer).build().map_err(wrong)?;
        let mut api = ApiConfig::builder(&self.profile(), format!("http://{}", wire.addr()));
        if let Some(key) = server.api_key() {
            api = api.api_key(key);
        }
        if let Some(key) = server.brand_key() {
            api = api.brand_key(key.value);
        }
        Ok(ApiClient::new(source, api.build().map_err(wrong)?).timeout(PATIENCE))
    }

    /// Asks with the mistake in the configuration, and gives what the command would say.
    fn mistaken(&self, play: &Play, code: &str) -> Played<Vec<String>> {
        let config = (self.make_it)(&play.server, self.config(&play.server, &play.wire)).build().map_err(wrong)?;
        let client = self.client(&play.server, &play.wire, config, &Arc::default())?;
        match client.source().token_within(PATIENCE) {
            Err(e) if e.kind() == ErrorKind::Refused && e.code().is_some_and(|c| c.name() == code) => {
                let error = format!("{}: {e}", play.style.red().on("error"));
                let hint = e.advice().map(|advice| format!("{}: {advice}", play.style.bold().on("hint")));
                Ok([error].into_iter().chain(hint).collect())
            }
            Err(e) => Err(Wrong::Show(format!("expected {code}, not: {e}"))),
            Ok(_) => Err(Wrong::Show("the server gave a token all the same".to_owned())),
        }
    }

    fn profile(&self) -> Profile {
        // The testkit names its systems as the profiles are named.
        Profile::named(self.system.name()).unwrap_or(Profile::GENERIC)
    }
}

impl Play {
    /// Does something, shows what went over the wire and what came of it, and compares that with what should have.
    fn step(&self, title: &str, expected: &[(&str, &str, u16)], act: impl FnOnce() -> Played<Vec<String>>) -> Played {
        output::line(&format!("\n* {title}"))?;
        let outcome = act();
        let exchanges = self.wire.take();
        let passwords = [self.server.user().map(|user| user.password), self.server.api_key()];
        let client_secret = self.server.client_secret();
        let secrets: Vec<&str> = passwords.iter().flatten().chain([&client_secret]).map(String::as_str).collect();
        for line in exchanges.iter().flat_map(|exchange| mask::lines(exchange, &secrets)) {
            output::line(&format!("    {}", self.style.dim().on(&line)))?;
        }
        for line in outcome? {
            output::line(&format!("    {line}"))?;
        }
        let seen: Vec<_> = exchanges.iter().map(wire::Exchange::summary).collect();
        if seen == expected { Ok(()) } else { Err(Wrong::Show(format!("expected {expected:?}, and saw {seen:?}"))) }
    }

    fn call(&self) -> Played<Vec<String>> {
        match self.client.request("GET", API).send() {
            Ok(response) if response.failure().is_none() => Ok(Vec::new()),
            Ok(response) => Err(Wrong::Show(format!("the API answered {}", response.status))),
            Err(e) => Err(wrong(e)),
        }
    }

    /// Gets a token that lives for a short time, waits until it has been renewed, and calls with the new one.
    fn renewed(&self) -> Played<Vec<String>> {
        let usual = self.server.settings().lifetime;
        self.server.change(|settings| settings.lifetime = SHORT);
        // Else the server of a system that repeats tokens would give the one that lives long.
        self.server.revoke_access_tokens();
        self.client.source().forget();
        let before = self.journal.granted();
        let renewal = self.client.source().renew_in_background().map_err(wrong)?;
        self.until_granted(before + 1)?;
        self.server.change(|settings| settings.lifetime = usual);
        self.until_granted(before + 2)?;
        drop(renewal);
        self.call()
    }

    fn until_granted(&self, tokens: u32) -> Played {
        let begin = Instant::now();
        while self.journal.granted() < tokens {
            if begin.elapsed() > PATIENCE {
                return Err(Wrong::Show("the token did not come".to_owned()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn password(server: &Server, password: &str) -> GrantConfig {
    let username = server.user().map(|user| user.username).unwrap_or_default();
    GrantConfig::Password { username, password: SecretSource::value(password) }
}

fn wrong(e: impl fmt::Display) -> Wrong {
    Wrong::Show(e.to_string())
}

impl From<std::io::Error> for Wrong {
    fn from(e: std::io::Error) -> Self {
        Self::Output(e)
    }
}
