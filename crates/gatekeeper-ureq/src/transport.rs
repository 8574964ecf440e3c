//! Requests by `ureq`: no redirects, no surprise by status, a deadline and a body cap on everything.

use gatekeeper_std::{Attempt, Error, ErrorKind, HttpAnswer, HttpRequest, Outcome, TransportError};
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderValue, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// How requests are made: an agent and limits. Cloning it shares the agent's connections.
#[derive(Clone, Debug)]
pub struct Transport {
    agent: Agent,
    token_body_limit: u64,
}

/// Makes a [`Transport`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TransportBuilder {
    ca_pem: Option<Vec<u8>>,
    agent: Option<Agent>,
    direct: bool,
}

/// The most bytes of a token endpoint's answer that are read.
const TOKEN_BODY_LIMIT: u64 = 1 << 20;

impl Transport {
    /// A transport with the usual roots of trust and the proxies of the usual variables (`HTTPS_PROXY`, `ALL_PROXY`,
    /// `HTTP_PROXY`, `NO_PROXY`).
    pub fn new() -> Self {
        Self::of_agent(default_agent(None, false))
    }

    /// A transport with other settings.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }

    /// Host and port of the proxy that requests to `url` go through, if they do.
    pub fn proxy_for(&self, url: &str) -> Option<(&str, u16)> {
        let proxy = self.agent.config().proxy()?;
        let url = url.parse().ok()?;
        (!proxy.is_no_proxy(&url)).then(|| (proxy.host(), proxy.port()))
    }

    fn of_agent(agent: Agent) -> Self {
        Self { agent, token_body_limit: TOKEN_BODY_LIMIT }
    }

    /// Makes an attempt with as many requests as belong to it.
    pub(crate) fn perform(&self, mut attempt: Attempt) -> Outcome {
        loop {
            let request = match attempt.request() {
                Ok(request) => request,
                Err(outcome) => return *outcome,
            };
            let limit = request.time_limit.min(attempt.time_left());
            let outcome = match self.post(&request, limit) {
                Ok(answer) => attempt.answered(answer),
                Err(e) => attempt.failed(transport_error(e)),
            };
            match outcome {
                Outcome::Again(next) => attempt = next,
                outcome => return outcome,
            }
        }
    }

    fn post(&self, request: &HttpRequest, limit: Duration) -> Result<HttpAnswer, ureq::Error> {
        let mut call = self.agent.post(&request.url);
        for (name, value) in &request.headers {
            let mut header = HeaderValue::from_str(value.expose()).map_err(ureq::http::Error::from)?;
            header.set_sensitive(*name == "authorization");
            call = call.header(*name, header);
        }
        let call = call
            .config()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(limit))
            .build();
        answer(call.send(request.body.expose())?, self.token_body_limit)
    }

    /// Makes a call with the caller's own method, headers and body.
    pub(crate) fn call(
        &self,
        request: ureq::http::Request<impl ureq::AsSendBody>,
        limit: Duration,
        body_limit: u64,
    ) -> Result<HttpAnswer, Error> {
        let request = self
            .agent
            .configure_request(request)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(limit))
            .build();
        let response = self.agent.run(request).and_then(|response| answer(response, body_limit));
        response.map_err(|e| transport_error(e).into())
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}

impl TransportBuilder {
    /// Trusts the certificates in this PEM text and no others.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Uses an agent of the caller's own, with its connections, proxies and TLS settings. Redirects stay off and
    /// deadlines on for every request made here.
    pub fn agent(mut self, agent: Agent) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Connects to servers themselves, whatever the proxy variables say.
    pub fn without_proxy(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Checks the certificates and makes the transport.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the PEM text holds no certificate or a broken one.
    pub fn build(self) -> Result<Transport, Error> {
        let roots = self.ca_pem.map(|pem| certificates(&pem)).transpose()?;
        Ok(Transport::of_agent(self.agent.unwrap_or_else(|| default_agent(roots, self.direct))))
    }
}

fn default_agent(roots: Option<Vec<Certificate<'static>>>, direct: bool) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A token request and its answer are a few KiB; the defaults are made for downloads.
        .input_buffer_size(16 * 1024)
        .output_buffer_size(16 * 1024);
    let tls = TlsConfig::builder();
    let tls = match roots {
        Some(roots) => tls.root_certs(RootCerts::new_with_certs(&roots)),
        None if cfg!(feature = "platform-verifier") => tls.root_certs(RootCerts::PlatformVerifier),
        None => tls,
    };
    config = config.tls_config(tls.build());
    if direct {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, Error> {
    let broken = || Error::new(ErrorKind::Configuration, "the CA file holds no PEM certificate that can be read");
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| broken())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(broken()) } else { Ok(certificates) }
}

fn answer(response: Response<Body>, body_limit: u64) -> Result<HttpAnswer, ureq::Error> {
    let (parts, mut body) = response.into_parts();
    let headers = parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
    let mut bytes = Vec::new();
    // One byte more than allowed tells a body that is too long from one that just fits.
    let read = body.as_reader().take(body_limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| match e.downcast::<ureq::Error>() {
        Ok(e) => e,
        Err(e) => ureq::Error::Io(e),
    })?;
    if bytes.len() as u64 > body_limit {
        return Err(ureq::Error::BodyExceedsLimit(body_limit));
    }
    Ok(HttpAnswer { status: parts.status.as_u16(), headers, body: bytes })
}

/// What an error of the transport means: whose business it is, and whether the request may have arrived.
fn transport_error(e: ureq::Error) -> TransportError {
    use ureq::Timeout;
    let (kind, may_have_arrived, message) = match &e {
        ureq::Error::HostNotFound => (ErrorKind::Network, false, "the host name cannot be resolved".to_owned()),
        ureq::Error::ConnectionFailed => (ErrorKind::Network, false, "no connection to the server".to_owned()),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            (ErrorKind::TimedOut, false, "no connection to the server in time".to_owned())
        }
        ureq::Error::Timeout(_) => (ErrorKind::TimedOut, true, "no answer from the server in time".to_owned()),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => {
            (ErrorKind::Tls, false, format!("no TLS connection: {e}"))
        }
        ureq::Error::Io(io) => io_error(io),
        ureq::Error::BodyExceedsLimit(limit) => {
            (ErrorKind::Server, true, format!("the answer is longer than {limit} bytes"))
        }
        ureq::Error::LargeResponseHeader(..) => (ErrorKind::Server, true, "the answer's head is too long".to_owned()),
        ureq::Error::Protocol(_) => (ErrorKind::Server, true, "the answer is not HTTP/1.1".to_owned()),
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            (ErrorKind::Network, false, "no connection through the proxy".to_owned())
        }
        _ => (ErrorKind::Network, true, "the request failed".to_owned()),
    };
    TransportError { kind, may_have_arrived, message, source: Some(Box::new(e)) }
}

fn io_error(io: &std::io::Error) -> (ErrorKind, bool, String) {
    use std::io::ErrorKind as Io;
    // rustls reports a certificate it does not trust through the stream's error.
    let tls = io.get_ref().is_some_and(|inner| inner.to_string().contains("certificate"));
    // The standard library has no kind of its own for a name that is not found.
    let name = io.to_string().contains("failed to lookup address");
    match io.kind() {
        _ if name => (ErrorKind::Network, false, "the host name cannot be resolved".to_owned()),
        _ if tls => (ErrorKind::Tls, false, format!("no TLS connection: {io}")),
        Io::ConnectionRefused => (ErrorKind::Network, false, "the server refused the connection".to_owned()),
        Io::TimedOut | Io::WouldBlock => (ErrorKind::TimedOut, true, "no answer from the server in time".to_owned()),
        Io::UnexpectedEof => (ErrorKind::Network, true, "the connection ended before the answer did".to_owned()),
        _ => (ErrorKind::Network, true, format!("the connection failed: {io}")),
    }
}
