//! One token source without its transport: what the blocking and the async driver share.
//!
//! An [`Engine`] holds the session behind a lock and a published copy of its token that is read without one. A driver
//! asks [`Engine::step`], performs the [`Attempt`] it may be given with whatever transport it has, and hands the
//! answer back. Waiting and waking are the driver's; every decision is made here or in the core.

use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::error::{Error, TransportError};
use crate::explain::Explain;
use crate::secret::SecretString;
use crate::token::{Token, TokenData};
use arc_swap::{ArcSwapOption, Cache};
use gatekeeper_proto::{
    Deadline, Due, Failure, FailureKind, Generation, Granted, Instant, Now, Output, Reply, Session, Settled, Ticket,
    Times, UnixTime, Wait, policy, read_reply,
};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use zeroize::Zeroize;

/// A token source without its transport.
pub struct Engine {
    config: Config,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    published: ArcSwapOption<Published>,
    state: Mutex<State>,
}

/// Hears what a source does, for logs and metrics. Nothing it is told is secret.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// What an [`Observer`] hears of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A token request is about to be made, with a refresh token or not.
    Request {
        /// Whether it carries a refresh token.
        renewal: bool,
    },
    /// A token was granted.
    Granted {
        /// Which.
        generation: Generation,
        /// How long it lives, as far as is known.
        lifetime: Option<Duration>,
    },
    /// The server gave the token it had given before, or one that had expired.
    NoProgress,
    /// An attempt failed; the next is at least so far off.
    Failed {
        /// How.
        error: &'a Error,
        /// When the server is asked again, from now.
        retry_in: Duration,
    },
    /// An attempt was cancelled.
    Abandoned,
    /// The API rejected a token.
    Invalidated {
        /// Which.
        generation: Generation,
    },
}

/// What a caller is to do.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Use this token.
    Use(Token),
    /// Use this token and make this attempt to renew it.
    Renew(Token, Attempt),
    /// Make this attempt; there is no token.
    Fetch(Attempt),
    /// Wait until this instant, or until somebody settles an attempt. The error says why, for callers that will not
    /// wait so long.
    Wait(Instant, Wait, Error),
    /// The server refused.
    Refused(Error),
}

/// One token request that is to be made. Dropped without an answer, it is cancelled.
pub struct Attempt {
    engine: Arc<Engine>,
    ticket: Option<Ticket>,
    secrets: Option<Secrets>,
    refresh_token: Option<SecretString>,
    retried: bool,
}

/// A token request for an HTTP client: never follow a redirect with it, cap the body, keep the time limit.
pub struct HttpRequest {
    /// The absolute URL.
    pub url: String,
    /// Header names and values. The value of `authorization` is a secret.
    pub headers: Vec<(&'static str, SecretString)>,
    /// The form body, which may hold secrets. The method is `POST`.
    pub body: SecretString,
    /// How long the request may take in all.
    pub time_limit: Duration,
}

/// What an HTTP client got back.
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The header fields; only a few matter, and all may be given.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of an attempt.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// There is a token.
    Token(Token),
    /// Another request belongs to the same attempt: the first grant after a refused refresh token, or a newer secret.
    Again(Attempt),
    /// It failed.
    Failed(Error),
    /// The attempt had taken too long and somebody else made another.
    Stale,
}

/// The copy that is read without the lock.
struct Published {
    token: Token,
    renew_at: Deadline,
    expires_at: Deadline,
}

/// One thread's or task's view of an engine's token. Reading it is two comparisons with the clock and one with a
/// pointer; only a token that was replaced since is looked up.
pub struct Reader(Cache<PublishedBy, Option<Arc<Published>>>);

struct PublishedBy(Arc<Engine>);

struct State {
    session: Session<Arc<TokenData>>,
    refresh_token: Option<SecretString>,
    last_error: Option<Error>,
}

impl Engine {
    /// A source for this configuration, without a token yet.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refresh token to begin with cannot be read.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let refresh_token = config.first_refresh_token()?;
        // Nothing but jitter depends on it, so the standard library's random hash keys are good enough.
        let seed = RandomState::new().hash_one(0u8);
        let mut session = Session::new(*config.policy(), (seed ^ (seed >> 32)) as u32);
        if refresh_token.is_some() {
            session.offer_refresh_token();
        }
        let state = Mutex::new(State { session, refresh_token, last_error: None });
        Ok(Self { config, clock, observer: None, published: ArcSwapOption::empty(), state })
    }

    /// Tells `observer` what happens from now on.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What the source was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The token, if there is one with which nothing is to be done. Takes no lock.
    #[inline]
    pub fn fresh(&self) -> Option<Token> {
        let published = self.published.load();
        let published = published.as_ref()?;
        (!published.renew_at.has_passed(self.clock.now())).then(|| published.token.clone())
    }

    /// The token, if there is one that can be used, whether or not it is time to renew it. Takes no lock.
    #[inline]
    pub fn usable(&self) -> Option<Token> {
        let published = self.published.load();
        let published = published.as_ref()?;
        (!published.expires_at.has_passed(self.clock.now())).then(|| published.token.clone())
    }

    /// A reader of the published token for one thread or task. It shares nothing that other readers write.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader(Cache::new(PublishedBy(Arc::clone(self))))
    }

    /// What to do now. At most one caller holds an [`Attempt`] at a time.
    pub fn step(self: &Arc<Self>) -> Step {
        let now = self.clock.now();
        let mut state = self.lock();
        let State { session, refresh_token, last_error } = &mut *state;
        let attempt = |ticket: Ticket, refresh_token: &Option<SecretString>| Attempt {
            refresh_token: refresh_token.clone().filter(|_| ticket.is_renewal()),
            engine: Arc::clone(self),
            ticket: Some(ticket),
            secrets: None,
            retried: false,
        };
        match session.poll(now) {
            Output::Token(generation, data) => Step::Use(Token::new(Arc::clone(data), generation)),
            Output::Refresh(generation, data, ticket) => {
                Step::Renew(Token::new(Arc::clone(data), generation), attempt(ticket, refresh_token))
            }
            Output::Fetch(ticket) => {
                // A token that is still valid is held back, so nobody must find it without asking.
                self.published.store(None);
                Step::Fetch(attempt(ticket, refresh_token))
            }
            Output::WaitUntil(until, why) => {
                let retry_in = until.saturating_since(now.instant);
                Step::Wait(until, why, Error::waiting(why, retry_in, last_error.as_ref()))
            }
            Output::Stopped(stopped) => {
                let retry_in = stopped.until.map(|until| until.saturating_since(now.instant));
                let refused = Error::new(crate::ErrorKind::Refused, format!("refused: {}", stopped.code.name()));
                Step::Refused(last_error.as_ref().unwrap_or(&refused).with_retry_in(retry_in))
            }
        }
    }

    /// The token if it is valid, even while it is held back because a renewal may end it: for callers who have no time
    /// left to wait for the new one.
    pub fn valid(&self) -> Option<Token> {
        let now = self.clock.now();
        let state = self.lock();
        let (generation, data, _, expires_at) = state.session.current()?;
        (!expires_at.has_passed(now)).then(|| Token::new(Arc::clone(data), generation))
    }

    /// When [`step`](Self::step) next has an attempt to give, as far as it depends on time alone.
    pub fn due(&self) -> Due {
        let now = self.clock.now();
        self.lock().session.due(now)
    }

    /// Takes note that the API rejected the token of this generation with 401.
    pub fn invalidate(&self, generation: Generation) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.session.invalidate(generation, now);
        self.publish(&state);
        drop(state);
        self.tell(Event::Invalidated { generation });
    }

    /// Takes note that credentials were changed: refusals and failures of the old ones are forgotten.
    pub fn reset(&self) {
        let mut state = self.lock();
        state.session.reset();
        state.last_error = None;
    }

    /// Drops the token and the refresh token.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.session.forget();
        state.refresh_token = None;
        self.publish(&state);
    }

    /// What the source is doing, without anything secret.
    pub fn explain(&self) -> Explain {
        let now = self.clock.now();
        let state = self.lock();
        Explain::new(&state.session.status(now), now, state.last_error.as_ref())
    }

    /// A panic of a caller's function never happens while the lock is held, so a poisoned lock guards a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &State) {
        let current = state.session.current();
        self.published.store(current.map(|(generation, data, renew_at, expires_at)| {
            Arc::new(Published { token: Token::new(Arc::clone(data), generation), renew_at, expires_at })
        }));
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(observer) = &self.observer {
            observer.event(event);
        }
    }

    fn settle_granted(&self, ticket: Ticket, data: TokenData, lifetime: Option<Duration>) -> Outcome {
        let now = self.clock.now();
        let data = Arc::new(data);
        let mut state = self.lock();
        if let Some(refresh_token) = &data.refresh_token {
            state.refresh_token = Some(refresh_token.clone());
        }
        let granted = Granted { token: Arc::clone(&data), lifetime, refresh_token: data.refresh_token.is_some() };
        let settled = state.session.settle(ticket, now, Ok(granted));
        state.last_error = None;
        let generation = state.session.current().map(|(generation, ..)| generation);
        self.publish(&state);
        drop(state);
        match (settled, generation) {
            (Settled::Current, Some(generation)) => {
                self.tell(Event::Granted { generation, lifetime });
                Outcome::Token(Token::new(data, generation))
            }
            (Settled::Unchanged, Some(generation)) => {
                self.tell(Event::NoProgress);
                Outcome::Token(Token::new(data, generation))
            }
            (Settled::Spent(data), generation) => {
                self.tell(Event::NoProgress);
                // It is no generation of the session's; late rejections of it must not hit one.
                Outcome::Token(Token::new(data, generation.unwrap_or_default()))
            }
            _ => Outcome::Stale,
        }
    }

    fn settle_failed(self: &Arc<Self>, ticket: Ticket, failure: Failure, error: Error) -> Outcome {
        let now = self.clock.now();
        let mut state = self.lock();
        let settled = state.session.settle(ticket, now, Err(failure));
        if matches!(settled, Settled::FallBack(_)) || failure.kind == FailureKind::RefreshTokenRejected {
            state.refresh_token = None;
        }
        state.last_error = Some(error.clone());
        self.publish(&state);
        drop(state);
        match settled {
            Settled::FallBack(ticket) => Outcome::Again(Attempt {
                engine: Arc::clone(self),
                ticket: Some(ticket),
                secrets: None,
                refresh_token: None,
                retried: false,
            }),
            Settled::Failed(until) => {
                let retry_in = until.saturating_since(now.instant);
                self.tell(Event::Failed { error: &error, retry_in });
                Outcome::Failed(error.with_retry_in((until != Instant::FAR_FUTURE).then_some(retry_in)))
            }
            _ => Outcome::Stale,
        }
    }
}

impl Reader {
    /// The token, if there is one with which nothing is to be done at that time.
    #[inline]
    pub fn fresh(&mut self, now: Now) -> Option<&Token> {
        let published = self.0.load().as_ref()?;
        (!published.renew_at.has_passed(now)).then_some(&published.token)
    }

    /// The token, if there is one that can be used at that time, whether or not it is due to be renewed.
    #[inline]
    pub fn usable(&mut self, now: Now) -> Option<&Token> {
        let published = self.0.load().as_ref()?;
        (!published.expires_at.has_passed(now)).then_some(&published.token)
    }
}

impl Deref for PublishedBy {
    type Target = ArcSwapOption<Published>;

    fn deref(&self) -> &Self::Target {
        &self.0.published
    }
}

impl Attempt {
    /// The request to make. Secrets are read now.
    ///
    /// # Errors
    ///
    /// The attempt's [`Outcome`] if a secret cannot be read or must not be sent.
    pub fn request(&mut self) -> Result<HttpRequest, Box<Outcome>> {
        let secrets = match self.secrets.take().map_or_else(|| self.engine.config.read_secrets(), Ok) {
            Ok(secrets) => secrets,
            Err(e) => return Err(Box::new(self.fail(Failure::TRANSIENT, e.into()))),
        };
        let time_limit = self.ticket.as_ref().map_or(Duration::ZERO, Ticket::time_limit);
        let renewal = self.refresh_token.is_some();
        let built = self.engine.config.with_request(&secrets, self.refresh_token.as_ref(), |request| {
            let mut buf = vec![0; 1024];
            if let Err(small) = request.write_parts(&mut buf) {
                buf.resize(small.needed, 0);
            }
            let built = request.write_parts(&mut buf).map(|parts| HttpRequest {
                url: parts.url.to_owned(),
                headers: parts.headers().map(|(name, value)| (name, SecretString::new(value))).collect(),
                body: SecretString::new(parts.body),
                time_limit,
            });
            buf.zeroize();
            built
        });
        self.secrets = Some(secrets);
        let error = match built {
            Ok(Ok(request)) => {
                self.engine.tell(Event::Request { renewal });
                return Ok(request);
            }
            Ok(Err(e)) => Error::new(crate::ErrorKind::Configuration, e.to_string()),
            Err(e) => e.into(),
        };
        Err(Box::new(self.fail(Failure::TRANSIENT, error)))
    }

    /// Hands in what the HTTP client got back.
    pub fn answered(mut self, mut answer: HttpAnswer) -> Outcome {
        let Some(ticket) = self.ticket.take() else { return Outcome::Stale };
        let engine = Arc::clone(&self.engine);
        let secrets = self.secrets.take().unwrap_or_default();
        let renewal = self.refresh_token.is_some();
        let sent = ticket.started();
        let read = engine.config.with_request(&secrets, self.refresh_token.as_ref(), |request| {
            let mut reply = Reply::new(answer.status, &mut answer.body);
            for (name, value) in &answer.headers {
                reply = reply.header(name, value);
            }
            let rules = engine.config.profile().rules(request, sent.wall);
            match read_reply(reply, &rules) {
                Ok(response) => {
                    let times = Times::read(response.access_token.expose());
                    let lifetime = policy::lifetime(&response, times, sent);
                    let expires_at = expiry(sent, lifetime);
                    Ok((TokenData::new(&response, expires_at, request.grant().uses_refresh_token()), lifetime))
                }
                Err(e) => {
                    let encoding = request.client().encoding_matters();
                    Err((Failure::of_reply(&e, renewal), Error::of_reply(&e, encoding)))
                }
            }
        });
        answer.body.zeroize();
        match read {
            Ok(Ok((data, lifetime))) => engine.settle_granted(ticket, data, lifetime),
            Ok(Err((failure, error))) => {
                if let Some(newer) = self.newer_secrets(&secrets, failure) {
                    self.ticket = Some(ticket);
                    self.secrets = Some(newer);
                    self.retried = true;
                    return Outcome::Again(self);
                }
                engine.settle_failed(ticket, failure, error)
            }
            Err(e) => engine.settle_failed(ticket, Failure::TRANSIENT, e.into()),
        }
    }

    /// Hands in that the transport failed.
    pub fn failed(mut self, error: TransportError) -> Outcome {
        let failure = error.failure();
        self.fail(failure, Error::of_transport(error))
    }

    /// How much of the attempt's time is left.
    pub fn time_left(&self) -> Duration {
        let now = self.engine.clock.now().instant;
        self.ticket.as_ref().map_or(Duration::ZERO, |ticket| ticket.deadline().saturating_since(now))
    }

    fn fail(&mut self, failure: Failure, error: Error) -> Outcome {
        match self.ticket.take() {
            Some(ticket) => self.engine.settle_failed(ticket, failure, error),
            None => Outcome::Stale,
        }
    }

    /// The secrets as they are now, if the server did not believe the old ones and they have changed since: rotation
    /// must not look like a refusal. Once an attempt.
    fn newer_secrets(&self, used: &Secrets, failure: Failure) -> Option<Secrets> {
        let about_secrets = match failure.kind {
            FailureKind::Refused(code) => {
                code.is_about_credentials() || code == gatekeeper_proto::ErrorCode::InvalidGrant
            }
            FailureKind::Ambiguous | FailureKind::RefreshTokenRejected | FailureKind::Transient => false,
        };
        if self.retried || !about_secrets || !self.engine.config.secrets_can_change() {
            return None;
        }
        self.engine.config.read_secrets().ok().filter(|now| now != used)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut state = self.engine.lock();
            state.session.abandon(ticket);
            self.engine.publish(&state);
            drop(state);
            self.engine.tell(Event::Abandoned);
        }
    }
}

fn expiry(sent: Now, lifetime: Option<Duration>) -> Option<UnixTime> {
    Some(sent.wall?.saturating_add(lifetime?))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.config)
            .field("session", &self.lock().session)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest").field("url", &self.url.split('?').next()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}
