//! `gatekeeper doctor`: one check after the other, each with what to do if it fails.
//!
//! No secret is sent before the server's certificate was found good, and one token request is made at most.

use crate::args::{DoctorArgs, Options};
use crate::commands::call;
use crate::connect::{Connection, host_and_port, no_answer, shown};
use crate::output::{self, Style};
use crate::report::{Exit, Failure, Result};
use crate::time::human;
use gatekeeper_ureq::proto::wire::retry_after;
use gatekeeper_ureq::{ApiClient, ApiConfig, ApiFailure, ApiResponse, Clock, ErrorKind, SystemClock, Token};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How far this machine's clock may be from the server's without being worth a word.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);
/// The longest wait for one address to answer, so that the next one has its turn too.
const CONNECT: Duration = Duration::from_secs(5);

/// What a check found.
enum Found {
    Good(String),
    /// Worth knowing, and what to do about it; the next checks make sense all the same.
    Odd(String, String),
    /// There is nothing to check, and why.
    Nothing(String),
    Bad(Failure),
}

/// Prints what the checks find, and remembers the first that failed.
struct Report {
    style: Style,
    failed: Option<Exit>,
}

/// What earlier checks leave for later ones.
struct Checkup<'a> {
    connection: &'a Connection,
    api: Option<(ApiClient, String)>,
    /// The server's answer to a request without credentials.
    answer: Option<ApiResponse>,
    token: Option<Token>,
    /// Whether the server said that it does not believe the client.
    disbelieved: bool,
}

pub(crate) fn run(args: &DoctorArgs) -> Result {
    let mut report = Report { style: Style::of_stdout(), failed: None };
    let connection = configuration(&args.options).and_then(|connection| {
        let url = args.url.as_deref().or(connection.settings.api_url.as_deref());
        let api = url.map(|url| connection.api(url)).transpose()?;
        Ok((connection, api))
    });
    let (connection, api) = match connection {
        Ok(good) => good,
        Err(failure) => {
            report.tell("configuration", Found::Bad(failure))?;
            return report.end();
        }
    };
    report.tell("configuration", Found::Good(connection.describe()))?;

    let mut checkup = Checkup { connection: &connection, api, answer: None, token: None, disbelieved: false };
    report.check("reachability", || checkup.reachability())?;
    report.check("TLS", || checkup.tls())?;
    report.check("clock", || checkup.clock())?;
    report.check("credentials", || checkup.credentials())?;
    // This one explains a failure of the one before.
    report.tell("encoding", checkup.encoding())?;
    report.check("API", || checkup.api())?;
    report.end()
}

fn configuration(options: &Options) -> Result<Connection> {
    Connection::new(options.settings(None)?)
}

impl<'a> Checkup<'a> {
    fn url(&self) -> &'a str {
        self.connection.config.token_url()
    }

    /// Name resolution, and a connection to one of the addresses.
    fn reachability(&mut self) -> Found {
        let proxy = self.connection.source.transport().proxy_for(self.url());
        let Some((host, port)) = proxy.or_else(|| host_and_port(self.url())) else {
            return Found::Nothing("the token URL names no host".to_owned());
        };
        let role = if proxy.is_some() { "the proxy " } else { "" };
        let addresses = match resolve(host.to_owned(), port, self.connection.left()) {
            Ok(addresses) if !addresses.is_empty() => addresses,
            outcome => {
                let why = outcome.err().map_or_else(|| "it has no address".to_owned(), |e| e.to_string());
                let failure = Failure::new(Exit::Network, format!("{role}{host} cannot be resolved: {why}"));
                return Found::Bad(failure.hint("check the host name, the name server, and whether a VPN is needed"));
            }
        };
        let mut refusals = Vec::new();
        for address in &addresses {
            let begin = Instant::now();
            match TcpStream::connect_timeout(address, CONNECT.min(self.connection.left()).max(Duration::from_millis(1)))
            {
                Ok(_) => {
                    return Found::Good(format!("{role}{host} answers at {address}, in {}", human(begin.elapsed())));
                }
                Err(e) => refusals.push(format!("{address}: {e}")),
            }
        }
        let failure = Failure::new(Exit::Network, format!("no connection to {role}{host}: {}", refusals.join("; ")));
        Found::Bad(failure.hint("check host and port, whether the server runs, firewalls, and proxies (HTTPS_PROXY)"))
    }

    /// A request without credentials: it shows whether the certificate is good, and brings the server's time.
    fn tls(&mut self) -> Found {
        let settings = &self.connection.settings;
        let (scheme, rest) = self.url().split_once("://").unwrap_or(("https", self.url()));
        let origin = format!("{scheme}://{}/", rest.split(['/', '?']).next().unwrap_or_default());
        let mut api = ApiConfig::builder(self.connection.config.profile(), &origin);
        if self.connection.config.allows_plain_http() {
            api = api.dangerously_allow_plain_http();
        }
        let api = match api.build() {
            Ok(api) => api,
            Err(e) => return Found::Bad(Failure::usage(e.to_string())),
        };
        let client = ApiClient::new(self.connection.source.clone(), api);
        let begin = Instant::now();
        let call = client.request("HEAD", &origin).without_credentials().timeout(self.connection.left());
        match call.send() {
            Ok(answer) => {
                let status = answer.status;
                self.answer = Some(answer);
                if scheme.eq_ignore_ascii_case("http") {
                    return Found::Nothing("the token URL is plain http".to_owned());
                }
                let trust = match &settings.ca_file {
                    Some(path) => format!("by {}", path.display()),
                    None => "by the usual authorities".to_owned(),
                };
                Found::Good(format!("the certificate is good {trust}; HEAD / is answered by {status}"))
            }
            Err(e) if e.kind() == ErrorKind::Tls => {
                let text = e.to_string();
                let failure = no_answer(e, "HEAD", &origin, begin.elapsed());
                Found::Bad(match tls_advice(&text, settings.ca_file.is_some()) {
                    Some(advice) => failure.hint(advice),
                    None => failure,
                })
            }
            Err(e) => Found::Bad(no_answer(e, "HEAD", &origin, begin.elapsed())),
        }
    }

    fn clock(&mut self) -> Found {
        let now = SystemClock.now().wall;
        let date = self.answer.as_ref().and_then(|answer| answer.header("date"));
        let (Some(now), Some(date)) = (now, date) else {
            return Found::Nothing("the server does not say what time it has".to_owned());
        };
        let Some(theirs) = retry_after::date(date, now) else {
            return Found::Odd("the server's Date is no date".to_owned(), "tell its operators".to_owned());
        };
        let (ahead, behind) = (now.saturating_since(theirs), theirs.saturating_since(now));
        // Date has whole seconds.
        let (apart, word) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
        if apart <= CLOCK_TOLERANCE {
            return Found::Good("this machine and the server agree on the time".to_owned());
        }
        Found::Odd(
            format!("this machine's clock is {} {word} the server's", human(apart)),
            "set it (NTP): certificates and the times in tokens are judged by it".to_owned(),
        )
    }

    fn credentials(&mut self) -> Found {
        if self.connection.settings.has_refresh_token() {
            return Found::Nothing(
                "using the refresh token would use it up where servers rotate them; gatekeeper token tries it"
                    .to_owned(),
            );
        }
        let begin = Instant::now();
        match self.connection.try_token() {
            Ok(token) => {
                let life = match token.expires_in() {
                    Some(seconds) => format!("for {}", human(Duration::from_secs(seconds))),
                    None => "that does not say how long it lives".to_owned(),
                };
                let mut text = format!("a token {life}, in {}", human(begin.elapsed()));
                if let Some(scope) = token.scope() {
                    text += &format!(", scope {scope}");
                }
                let deviations = token.deviations();
                self.token = Some(token);
                if deviations.is_empty() {
                    return Found::Good(text);
                }
                let advice = "gatekeeper understands it; other clients may not".to_owned();
                Found::Odd(format!("{text}; the answer is not to the letter: {deviations}"), advice)
            }
            Err(e) => {
                self.disbelieved = e.code().is_some_and(|code| code.is_about_credentials());
                Found::Bad(self.connection.no_token(e))
            }
        }
    }

    fn encoding(&self) -> Found {
        use gatekeeper_ureq::BasicEncoding::Raw;
        let Some((encoding, matters)) = self.connection.config.encoding_matters() else {
            return Found::Nothing("Basic authentication is not used".to_owned());
        };
        let (now, other) = if encoding == Raw { ("raw", "form") } else { ("form", "raw") };
        if !matters {
            return Found::Good("id and secret read the same raw and form-urlencoded".to_owned());
        }
        let text = "id or secret has characters that read differently raw and form-urlencoded";
        match (&self.token, self.disbelieved) {
            (Some(_), _) => Found::Good(format!("{text}; this server reads them {now}, as they were sent")),
            (None, true) => Found::Odd(format!("{text}; they were sent {now}"), format!("try --basic {other}")),
            (None, false) => {
                Found::Odd(text.to_owned(), format!("they are sent {now}; --basic {other} is the other way"))
            }
        }
    }

    fn api(&mut self) -> Found {
        let Some((client, url)) = &self.api else {
            return Found::Nothing("no URL to call: give one as the argument, or --api-url".to_owned());
        };
        let Some(token) = &self.token else { return Found::Nothing("there is no token to call with".to_owned()) };
        let begin = Instant::now();
        let call = client.request("GET", url).with_token(token).timeout(self.connection.left());
        let response = match call.send() {
            Ok(response) => response,
            Err(e) => return Found::Bad(no_answer(e, "GET", url, begin.elapsed())),
        };
        let what = format!("GET {} is answered by {}", shown(url), response.status);
        let Some(failure) = response.failure() else {
            return Found::Good(format!("{what}, in {}", human(begin.elapsed())));
        };
        let advice = call::advice(self.connection, failure, &response);
        if failure == ApiFailure::UnknownError {
            let advice = advice.unwrap_or_else(|| "give a URL that the API answers by GET".to_owned());
            return Found::Odd(format!("{what}, which says nothing about the token"), advice);
        }
        let told = Failure::new(Exit::Api, format!("{}: {what}", failure.name()));
        Found::Bad(match advice {
            Some(advice) => told.hint(advice),
            None => told,
        })
    }
}

impl Report {
    /// Makes a check, unless an earlier one has failed.
    fn check(&mut self, name: &str, check: impl FnOnce() -> Found) -> io::Result<()> {
        let found = if self.failed.is_some() { Found::Nothing("not tried".to_owned()) } else { check() };
        self.tell(name, found)
    }

    fn tell(&mut self, name: &str, found: Found) -> io::Result<()> {
        let style = self.style;
        let (mark, text, hint) = match &found {
            Found::Good(text) => (style.green().on("ok  "), text.as_str(), None),
            Found::Odd(text, hint) => (style.yellow().on("warn"), text.as_str(), Some(hint.as_str())),
            Found::Nothing(text) => (style.dim().on("skip"), text.as_str(), None),
            Found::Bad(failure) => {
                self.failed = self.failed.or(failure.exit());
                let (what, hint) = failure.what_and_hint();
                (style.red().on("FAIL"), what, hint)
            }
        };
        output::line(&format!("{mark} {} {text}", style.bold().on(&format!("{name:<13}"))))?;
        match hint {
            Some(hint) => output::line(&format!("{:19}{}: {hint}", "", style.bold().on("hint"))),
            None => Ok(()),
        }
    }

    fn end(self) -> Result {
        match self.failed {
            Some(exit) => Err(Failure::told(exit)),
            None => Ok(()),
        }
    }
}

/// The addresses of a host. The operating system sets no limit to how long it looks for them.
fn resolve(host: String, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // If nobody waits any more, it was too late.
        drop(sender.send(addresses));
    })?;
    receiver.recv_timeout(limit).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// What to do about a certificate, by what rustls says of it.
fn tls_advice(error: &str, own_ca: bool) -> Option<&'static str> {
    let says = |texts: &[&str]| texts.iter().any(|text| error.contains(text));
    if says(&["UnknownIssuer"]) && own_ca {
        Some("the certificate was signed by another authority than that of --ca-file")
    } else if says(&["UnknownIssuer"]) {
        Some("if the server has a private CA, give its certificate with --ca-file")
    } else if says(&["NotValidForName", "not valid for name"]) {
        Some("the certificate is for another host name: use the name that it is for")
    } else if says(&["NotValidYet", "not valid yet"]) {
        Some("check this machine's clock: the certificate is valid only later")
    } else if says(&["Expired", "expired"]) {
        Some("check this machine's clock; if it is right, the server's certificate has to be renewed")
    } else {
        None
    }
}
