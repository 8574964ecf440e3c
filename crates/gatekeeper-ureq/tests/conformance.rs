//! The suite that every driver passes.

use gatekeeper_testkit::TestClock;
use gatekeeper_testkit::conformance::{self, Driver, Failed, FailedKind, Got, Setup, Source};
use gatekeeper_ureq::proto::Now;
use gatekeeper_ureq::{
    ApiClient, ApiConfig, Clock, Config, Error, ErrorKind, GrantConfig, Token, TokenSource, Transport,
};
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

gatekeeper_testkit::conformance_tests!(Ureq);

struct Ureq;

struct UreqSource {
    client: ApiClient,
    /// Tokens by their generation's number, to name the one that was rejected.
    given: Mutex<HashMap<u32, Token>>,
}

struct SharedClock(TestClock);

impl Clock for SharedClock {
    fn now(&self) -> Now {
        conformance::now(&self.0)
    }
}

impl Driver for Ureq {
    fn source(&self, setup: Setup) -> Box<dyn Source> {
        let mut config = Config::builder(setup.profile)
            .token_url(setup.token_url)
            .client(setup.client_id, setup.client_secret.as_str())
            .policy(setup.policy);
        let mut api = ApiConfig::builder(&setup.profile, setup.api_url);
        if let Some((username, password)) = setup.user {
            config = config.grant(GrantConfig::Password { username, password: password.as_str().into() });
        }
        if let Some(key) = setup.brand_key {
            config = config.brand_key(key.clone());
            api = api.brand_key(key);
        }
        if let Some(key) = setup.api_key {
            api = api.api_key(key);
        }
        let mut transport = Transport::builder();
        if let Some(pem) = setup.ca_pem {
            transport = transport.ca_pem(pem);
        }
        let source = TokenSource::builder(config.build().expect("a configuration"))
            .transport(transport.build().expect("a transport"))
            .clock(Arc::new(SharedClock(setup.clock)))
            .build()
            .expect("a source");
        let client = ApiClient::new(source, api.build().expect("an API configuration"));
        Box::new(UreqSource { client, given: Mutex::default() })
    }
}

impl Source for UreqSource {
    fn token(&self, wait: Duration) -> Result<Got, Failed> {
        let token = self.client.source().token_within(wait).map_err(|e| failed(&e))?;
        let got = Got { token: token.expose().to_owned(), generation: token.generation().number() };
        self.given.lock().expect("tokens").insert(got.generation, token);
        Ok(got)
    }

    fn invalidate(&self, got: &Got) {
        let token = self.given.lock().expect("tokens").get(&got.generation).cloned().expect("a token it has given");
        self.client.source().invalidate(token.generation());
    }

    fn call(&self, url: &str, wait: Duration) -> Result<u16, Failed> {
        self.client.request("GET", url).timeout(wait).send().map(|r| r.status).map_err(|e| failed(&e))
    }
}

fn failed(e: &Error) -> Failed {
    let kind = match e.kind() {
        ErrorKind::Network => FailedKind::Network,
        ErrorKind::Refused => FailedKind::Refused,
        ErrorKind::Server => FailedKind::Server,
        ErrorKind::TimedOut => FailedKind::TimedOut,
        ErrorKind::Tls => FailedKind::Tls,
        ErrorKind::Waiting => FailedKind::Waiting,
        _ => FailedKind::Other,
    };
    let mut text = format!("{e} {e:?} {e:#?}");
    let mut source = e.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    Failed { kind, text }
}
