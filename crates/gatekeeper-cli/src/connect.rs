//! From settings to a token source and an API client, with what is needed to tell afterwards what was tried.

use crate::report::{Failure, Result};
use crate::time::human;
use gatekeeper_std::settings::Settings;
use gatekeeper_ureq::proto::Endpoint;
use gatekeeper_ureq::{ApiClient, Config, Error, ErrorKind, Event, Observer, Token, TokenSource, Transport};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_FOR: Duration = Duration::from_secs(5);

/// A token source with its settings, and the command's deadline.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) settings: Settings,
    pub(crate) config: Config,
    pub(crate) source: TokenSource,
    pub(crate) journal: Arc<Journal>,
    pub(crate) timeout: Duration,
    begin: Instant,
}

/// What a source has done so far.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: AtomicU32,
    granted: AtomicU32,
}

impl Connection {
    /// Checks the settings. Nothing is sent yet.
    pub(crate) fn new(mut settings: Settings) -> Result<Self> {
        let timeout = settings.timeout.map_or(TIMEOUT, |t| t.0);
        settings.timeout = Some(gatekeeper_std::settings::HumanDuration(timeout));
        let config = settings.config()?;
        let mut transport = Transport::builder();
        if let Some(pem) = settings.ca_pem()? {
            transport = transport.ca_pem(pem);
        }
        let transport = transport.build().map_err(|e| {
            let path = settings.ca_file.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
            Failure::usage(format!("{e}: {path}"))
                .hint("it has to hold certificates as PEM, between BEGIN and END CERTIFICATE lines")
        })?;
        let journal = Arc::new(Journal::default());
        let observer: Arc<dyn Observer> = journal.clone();
        let source = TokenSource::builder(config.clone()).transport(transport).observer(observer).build()?;
        Ok(Self { settings, config, source, journal, timeout, begin: Instant::now() })
    }

    /// What will be asked of whom, without anything secret.
    pub(crate) fn describe(&self) -> String {
        let settings = &self.settings;
        let mut text = format!("profile {}, POST {}", self.config.profile().name, shown(self.config.token_url()));
        if let Some(id) = &settings.client_id {
            text += &format!(", client {id}");
        }
        if let Some(grant) = &settings.grant {
            text += &format!(", grant {grant}");
        }
        if let Some(scope) = &settings.scope {
            text += &format!(", scope {scope}");
        }
        text
    }

    /// How much of the command's time is left.
    pub(crate) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.begin.elapsed())
    }

    /// A token, after as many retries as there is time for.
    pub(crate) fn token(&self) -> Result<Token> {
        let retry_for = self.settings.retry_for.map_or(RETRY_FOR, |t| t.0);
        loop {
            let error = match self.try_token() {
                Ok(token) => return Ok(token),
                Err(e) => e,
            };
            // A certificate that is not trusted now will not be in a few seconds.
            let passing = matches!(error.kind(), ErrorKind::Network | ErrorKind::Server | ErrorKind::TimedOut);
            let next =
                error.retry_in().filter(|wait| passing && self.begin.elapsed() + *wait <= retry_for.min(self.timeout));
            match next {
                Some(wait) => thread::sleep(wait),
                None => return Err(self.no_token(error)),
            }
        }
    }

    /// A token, or what went wrong with one attempt to get one.
    pub(crate) fn try_token(&self) -> std::result::Result<Token, Error> {
        // A little more than the request itself may take, so that its own error is the one that is told.
        self.source.try_token(self.left() + Duration::from_millis(250))
    }

    /// Tells why there is no token, and what was tried.
    pub(crate) fn no_token(&self, error: Error) -> Failure {
        let requests = self.journal.requests();
        let failure = Failure::from(error);
        if requests == 0 {
            return failure;
        }
        let times = if requests == 1 { String::new() } else { format!("{requests} times ") };
        let url = shown(self.config.token_url());
        failure.tried(format!("POST {url} {times}in {}", human(self.begin.elapsed())))
    }

    /// A client for the API that `url` is of, and the whole URL.
    pub(crate) fn api(&self, url: &str) -> Result<(ApiClient, String)> {
        let base = self.settings.api_url.as_deref();
        let url = match (url.starts_with('/'), base) {
            (true, Some(base)) => format!("{}{url}", base.trim_end_matches('/')),
            (true, None) => {
                return Err(Failure::usage(format!(
                    "{url} is no whole URL, and there is no base URL to put before it"
                ))
                .hint("write it with https:// and the host, or give the base with --api-url or GATEKEEPER_API_URL"));
            }
            (false, _) => url.to_owned(),
        };
        let api = self.settings.api_config(&url)?;
        if let Some(base) = base {
            if !self.settings.api_config(base)?.is_origin_of(&url) {
                return Err(Failure::usage(format!("{} is not of the API at {}", shown(&url), shown(base)))
                    .hint("tokens and API keys go to the host of --api-url only: give another one, or none"));
            }
        }
        Ok((ApiClient::new(self.source.clone(), api), url))
    }
}

impl Journal {
    /// How many token requests were begun.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many tokens were granted.
    pub(crate) fn granted(&self) -> u32 {
        self.granted.load(Ordering::Relaxed)
    }
}

impl Observer for Journal {
    fn event(&self, event: Event<'_>) {
        let counter = match event {
            Event::Request { .. } => &self.requests,
            Event::Granted { .. } | Event::NoProgress => &self.granted,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A URL for people: without its query, which may hold what is not for a log.
pub(crate) fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// The host and port that a URL names.
pub(crate) fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let endpoint = Endpoint::parse_api(url, true).ok()?;
    Some((endpoint.host().trim_start_matches('[').trim_end_matches(']'), endpoint.port()))
}

/// An API client's error: there was no answer.
pub(crate) fn no_answer(error: Error, method: &str, url: &str, took: Duration) -> Failure {
    let failure = Failure::from(error);
    failure.tried(format!("{method} {} for {}", shown(url), human(took)))
}
