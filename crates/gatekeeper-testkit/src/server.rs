//! The server that tests start.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::TestClock;
use crate::listener::Listener;
use crate::log::{Counts, TimedOut};
use crate::request::SeenRequest;
use crate::script::Script;
use crate::settings::{BrandKey, Settings, User};
use crate::state::State;
use crate::systems::System;
use crate::tls::{LeafKind, ServerTls, TestCa, TlsVersions};

/// A token endpoint and the API behind it, on a loopback port, until it is dropped.
///
/// Dropping ends its threads and connections, also where a fault holds one of them back.
///
/// ```no_run
/// use gatekeeper_testkit::{Server, System};
///
/// let server = Server::start(System::Rator).unwrap();
/// println!("{} {}", server.token_url(), server.client_id());
/// ```
pub struct Server {
    state: Arc<State>,
    listener: Listener,
    tls: Option<ServerTls>,
    host: String,
}

impl Server {
    /// Starts a server with the system's defaults: plain HTTP on `127.0.0.1`, any free port.
    ///
    /// # Errors
    /// When no socket or thread can be had.
    pub fn start(system: System) -> io::Result<Self> {
        Self::builder(system).start()
    }

    /// Prepares a server that differs from the defaults.
    pub fn builder(system: System) -> Builder {
        Builder {
            system,
            settings: system.settings(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: None,
            clock: None,
            tls: None,
        }
    }

    /// The system that it plays.
    pub fn system(&self) -> System {
        self.state.system
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Scheme, host and port, for instance `http://127.0.0.1:38211`.
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.addr().port())
    }

    /// The origin with the context path: what the systems call the base URL. No trailing slash.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.origin(), self.state.settings().context_path)
    }

    /// The URL of the token endpoint, without a query.
    pub fn token_url(&self) -> String {
        format!("{}{}", self.base_url(), self.system().token_path())
    }

    /// The URL of a path of the API, for instance `/api/whoami`.
    pub fn api_url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url())
    }

    /// The authority that signed the server's certificate; `None` if it is plain HTTP.
    pub fn ca(&self) -> Option<&TestCa> {
        self.tls.as_ref().map(|tls| &*tls.ca)
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &TestClock {
        &self.state.clock
    }

    /// The faults that it will play.
    pub fn script(&self) -> &Script {
        &self.state.script
    }
}

/// Credentials that the server accepts.
impl Server {
    /// The present settings.
    pub fn settings(&self) -> Settings {
        Settings::clone(&self.state.settings())
    }

    /// The id of the first client; empty if there is none.
    pub fn client_id(&self) -> String {
        let settings = self.state.settings();
        let first = settings.clients.first();
        first.map(|client| client.id.clone()).unwrap_or_default()
    }

    /// The newest secret of the first client; empty if there is none.
    pub fn client_secret(&self) -> String {
        let settings = self.state.settings();
        let newest = settings.clients.first().and_then(|c| c.secrets.last());
        newest.cloned().unwrap_or_default()
    }

    /// The API key, if the API wants one.
    pub fn api_key(&self) -> Option<String> {
        self.state.settings().api_key.clone()
    }

    /// The brand key, if the token endpoint wants one.
    pub fn brand_key(&self) -> Option<BrandKey> {
        self.state.settings().brand_key.clone()
    }

    /// The first end user, if there is one.
    pub fn user(&self) -> Option<User> {
        self.state.settings().users.first().cloned()
    }

    /// The first operator, if there is one.
    pub fn operator(&self) -> Option<User> {
        self.state.settings().operators.first().cloned()
    }
}

/// Control while it runs.
impl Server {
    /// Changes the settings, for all requests that are answered from now on. One change must not be
    /// made inside another.
    ///
    /// ```no_run
    /// # use gatekeeper_testkit::{ExpiresIn, Server, System};
    /// # let server = Server::start(System::Rator).unwrap();
    /// server.change(|s| s.expires_in = ExpiresIn::Absent);
    /// ```
    pub fn change<R>(&self, change: impl FnOnce(&mut Settings) -> R) -> R {
        self.state.change(change)
    }

    /// Sets the secrets that the first client may use: `["new"]`, or `["old", "new"]` for the time
    /// of a rotation.
    pub fn set_client_secrets<S: Into<String>>(&self, secrets: impl IntoIterator<Item = S>) {
        let secrets = secrets.into_iter().map(Into::into).collect();
        self.change(|settings| {
            if let Some(client) = settings.clients.first_mut() {
                client.secrets = secrets;
            }
        });
    }

    /// Sets how far the `Date` header is ahead of the server's wall clock (behind, if negative).
    pub fn set_date_skew_seconds(&self, seconds: i64) {
        self.change(|settings| settings.date_skew_seconds = seconds);
    }

    /// Revokes one access or refresh token; says whether it was one of this server's.
    pub fn revoke(&self, token: &str) -> bool {
        self.state.tokens().revoke(token)
    }

    /// Revokes all access tokens. Refresh tokens stay.
    pub fn revoke_access_tokens(&self) {
        self.state.tokens().revoke_all_access();
    }

    /// Revokes all access and refresh tokens.
    pub fn revoke_all(&self) {
        self.state.tokens().revoke_everything();
    }

    /// Stops listening, so that connecting is refused, and ends all open connections. Returns when
    /// that is done.
    pub fn go_down(&self) {
        self.listener.down();
        self.listener.close_connections();
    }

    /// Stops listening, so that connecting is refused; open connections go on.
    pub fn refuse_connections(&self) {
        self.listener.down();
    }

    /// Listens again, on the same port. Returns when it does.
    ///
    /// # Errors
    /// When the port cannot be had again within 10 seconds.
    pub fn come_up(&self) -> io::Result<()> {
        self.listener.up()
    }

    /// Ends all open connections, those with a request under way included; still listens.
    pub fn close_connections(&self) {
        self.listener.close_connections();
    }

    /// Presents a certificate of that kind from the next TLS handshake on.
    ///
    /// # Errors
    /// When the server is plain HTTP, or the system gives no randomness for a key.
    pub fn present(&self, kind: LeafKind) -> io::Result<()> {
        match &self.tls {
            Some(tls) => tls.present(kind),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "a server without TLS presents no certificate")),
        }
    }
}

/// Observation.
impl Server {
    /// How often things happened.
    pub fn counts(&self) -> Counts {
        self.state.log.counts()
    }

    /// The requests seen, in the order in which they were read; the latest
    /// [`seen_limit`](Settings::seen_limit) of them.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.state.log.seen()
    }

    /// Starts counting afresh and forgets the requests seen.
    pub fn reset_counts(&self) {
        self.state.log.reset();
    }

    /// Waits, at most that long, until the counts are as `wanted`, and gives them.
    ///
    /// # Errors
    /// When time ran out; the error has the counts as they were.
    pub fn wait_for(&self, wanted: impl Fn(&Counts) -> bool, at_most: Duration) -> Result<Counts, TimedOut> {
        self.state.log.wait_for(wanted, at_most)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The listener, dropped next, joins threads that wait for this.
        self.state.stop.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("system", &self.system())
            .field("base_url", &self.base_url())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// A server in the making; see [`Server::builder`].
#[derive(Debug)]
#[must_use = "nothing listens before start()"]
pub struct Builder {
    system: System,
    settings: Settings,
    listen: SocketAddr,
    host: Option<String>,
    clock: Option<TestClock>,
    tls: Option<Tls>,
}

#[derive(Debug, Default)]
struct Tls {
    ca: Option<Arc<TestCa>>,
    leaf: Option<LeafKind>,
    versions: TlsVersions,
}

impl Builder {
    /// Changes the settings.
    ///
    /// ```no_run
    /// use gatekeeper_testkit::{Refresh, Server, System};
    /// use std::time::Duration;
    ///
    /// let server = Server::builder(System::Rator)
    ///     .with(|s| {
    ///         s.context_path = "/appcontext".into();
    ///         s.lifetime = Duration::from_millis(1_500);
    ///         s.refresh = Refresh::Rotate;
    ///     })
    ///     .start()
    ///     .unwrap();
    /// ```
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sets how long access tokens live.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.with(|settings| settings.lifetime = lifetime)
    }

    /// Listens there instead of on `127.0.0.1:0`. Port 0 stands for any free one; the address must
    /// be a loopback one, such as `[::1]:0`.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// The host that the server's URLs name instead of its address, for instance `localhost`.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Goes by this clock instead of the machine's.
    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Speaks TLS, with a certificate of an authority of its own ([`Server::ca`]).
    pub fn tls(mut self) -> Self {
        self.tls.get_or_insert_default();
        self
    }

    /// Speaks TLS, with a certificate of that authority.
    pub fn tls_from(mut self, ca: &Arc<TestCa>) -> Self {
        self.tls.get_or_insert_default().ca = Some(Arc::clone(ca));
        self
    }

    /// Speaks TLS in those versions.
    pub fn tls_versions(mut self, versions: TlsVersions) -> Self {
        self.tls.get_or_insert_default().versions = versions;
        self
    }

    /// Speaks TLS, with a certificate of that kind.
    pub fn leaf(mut self, kind: LeafKind) -> Self {
        self.tls.get_or_insert_default().leaf = Some(kind);
        self
    }

    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    /// `InvalidInput` for an address that is not a loopback one; otherwise when the port is taken,
    /// or no socket, thread or randomness can be had.
    pub fn start(mut self) -> io::Result<Server> {
        if !self.listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the test server listens on loopback addresses only",
            ));
        }
        self.settings.tidy();
        let tls = match self.tls {
            None => None,
            Some(tls) => {
                let ca = match tls.ca {
                    Some(ca) => ca,
                    None => Arc::new(TestCa::new()?),
                };
                let leaf = tls.leaf.unwrap_or(LeafKind::Good);
                Some(ServerTls::new(ca, leaf, tls.versions)?)
            }
        };
        let clock = self.clock.unwrap_or_else(TestClock::real);
        let state = Arc::new(State::new(self.system, self.settings, clock));
        let config = tls.as_ref().map(|tls| Arc::clone(&tls.config));
        let listener = Listener::start(self.listen, Arc::clone(&state), config)?;
        let host = self.host.unwrap_or_else(|| match listener.addr().ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        Ok(Server { state, listener, tls, host })
    }
}
