//! A token source for many threads.

use crate::transport::Transport;
use gatekeeper_std::proto::{Due, Generation, Instant, Wait};
use gatekeeper_std::{Attempt, Clock, Config, Engine, Error, Explain, Observer, Outcome, Step, SystemClock, Token};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// Hands out one access token to any number of threads, and asks for a new one when it is time.
///
/// Cloning it is cheap; all clones are one source. However many threads wait, one request is in flight. A valid token
/// is read without a lock. A token whose renewal is due is renewed on a thread of its own while everybody goes on using
/// it; call [`renew_in_background`](Self::renew_in_background) to have that happen without anybody asking.
///
/// ```no_run
/// use gatekeeper_ureq::{Config, Profile, TokenSource};
///
/// let config = Config::builder(Profile::GATEKEEPER)
///     .auth_server_url("https://auth.example.com")
///     .client("my-client", "my-secret")
///     .scope("main_antifraud_resource_server/public")
///     .build()?;
/// let source = TokenSource::new(config)?;
/// let token = source.token()?;
/// println!("Authorization header has {} bytes", token.header_value().len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenSource {
    shared: Arc<Shared>,
}

/// Makes a [`TokenSource`] with other parts than the usual ones.
#[must_use]
pub struct TokenSourceBuilder {
    config: Config,
    transport: Option<Transport>,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
}

/// Keeps renewal in the background going. It ends when this is dropped, or when the last source is.
#[derive(Debug)]
#[must_use = "renewal in the background ends when this is dropped"]
pub struct Renewal {
    stop: Arc<AtomicBool>,
    signal: Arc<Signal>,
    shared: Weak<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    transport: Transport,
    signal: Arc<Signal>,
    background: AtomicBool,
}

/// What to do where the engine says that the server is not to be asked for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gates {
    /// Wait, if it is over before the caller's deadline.
    WaitAt,
    /// Give up.
    StopAt,
}

/// Wakes those who wait whenever something has changed. The number tells whether it has since they looked.
#[derive(Debug, Default)]
struct Signal {
    changes: Mutex<u64>,
    changed: Condvar,
}

impl TokenSource {
    /// A source with the usual transport and clocks.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refresh token to begin with cannot be read.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::builder(config).build()
    }

    /// A source with other parts.
    pub fn builder(config: Config) -> TokenSourceBuilder {
        TokenSourceBuilder { config, transport: None, clock: Arc::new(SystemClock), observer: None }
    }

    /// The current token, fetched first if there is none. It waits as long as one request may take
    /// ([`Policy::attempt_timeout`](gatekeeper_std::proto::Policy::attempt_timeout)).
    ///
    /// # Errors
    ///
    /// [`Error`] says who can do something about it. If the source waits longer than this call would, the error comes at
    /// once and says until when and why.
    #[inline]
    pub fn token(&self) -> Result<Token, Error> {
        match self.cached() {
            Some(token) => Ok(token),
            None => self.token_within(self.shared.engine.config().policy().attempt_timeout),
        }
    }

    /// As [`token`](Self::token), waiting at most so long.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub fn token_within(&self, wait: Duration) -> Result<Token, Error> {
        match self.cached() {
            Some(token) => Ok(token),
            None => self.shared.wait_for_token(wait, Gates::WaitAt),
        }
    }

    /// As [`token_within`](Self::token_within), but trouble is not waited out: after an attempt that failed, or behind
    /// a gate, the error comes at once, and [`Error::retry_in`] says when the server may be asked again. For commands
    /// that a person runs, to whom a server that cannot be reached is better reported soon.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub fn try_token(&self, wait: Duration) -> Result<Token, Error> {
        match self.cached() {
            Some(token) => Ok(token),
            None => self.shared.wait_for_token(wait, Gates::StopAt),
        }
    }

    /// A token that is not the one of `rejected`, after the API has answered 401 to it: takes note of that, and fetches
    /// a new one unless somebody already has.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token). If new tokens are rejected one after the other, the error comes at once, because
    /// another token is no cure.
    pub fn token_after(&self, rejected: Generation, wait: Duration) -> Result<Token, Error> {
        self.invalidate(rejected);
        // After a rejected token, waiting at a gate would only bring the same answer later.
        self.shared.wait_for_token(wait, Gates::StopAt)
    }

    /// Takes note that the API rejected the token of this generation with 401. It is not handed out again.
    pub fn invalidate(&self, rejected: Generation) {
        self.shared.engine.invalidate(rejected);
        self.shared.signal.notify();
    }

    /// Takes note that credentials were changed: refusals and failures of the old ones are forgotten, a valid token
    /// stays.
    pub fn reset(&self) {
        self.shared.engine.reset();
        self.shared.signal.notify();
    }

    /// Drops the token and the refresh token.
    pub fn forget(&self) {
        self.shared.engine.forget();
        self.shared.signal.notify();
    }

    /// What the source is doing, without anything secret.
    pub fn explain(&self) -> Explain {
        self.shared.engine.explain()
    }

    /// What the source was made from.
    pub fn config(&self) -> &Config {
        self.shared.engine.config()
    }

    /// The transport, for API calls that go the same way.
    pub fn transport(&self) -> &Transport {
        &self.shared.transport
    }

    /// Starts a thread that fetches the first token at once and every further one before the old one expires, so that
    /// no call ever waits for it. It ends when the [`Renewal`] or the last source is dropped.
    ///
    /// # Errors
    ///
    /// [`std::io::Error`] if the operating system gives no thread.
    pub fn renew_in_background(&self) -> std::io::Result<Renewal> {
        let stop = Arc::new(AtomicBool::new(false));
        let renewal = Renewal {
            stop: Arc::clone(&stop),
            signal: Arc::clone(&self.shared.signal),
            shared: Arc::downgrade(&self.shared),
        };
        let (weak, signal) = (Arc::downgrade(&self.shared), Arc::clone(&self.shared.signal));
        thread::Builder::new().name("gatekeeper-renewal".into()).spawn(move || renew(&weak, &signal, &stop))?;
        self.shared.background.store(true, Ordering::Relaxed);
        Ok(renewal)
    }

    #[inline]
    fn cached(&self) -> Option<Token> {
        if self.shared.background.load(Ordering::Relaxed) {
            self.shared.engine.usable()
        } else {
            self.shared.engine.fresh()
        }
    }
}

impl Shared {
    fn wait_for_token(self: &Arc<Self>, wait: Duration, gates: Gates) -> Result<Token, Error> {
        let deadline = self.engine.now().instant.saturating_add(wait);
        let mut last_failure = None;
        loop {
            let seen = self.signal.changes();
            match self.engine.step() {
                Step::Use(token) => return Ok(token),
                Step::Renew(token, attempt) => {
                    self.perform_elsewhere(attempt);
                    return Ok(token);
                }
                Step::Fetch(attempt) if attempt.time_left() > self.left(deadline) => {
                    // The request may take longer than this caller waits, and others may wait for it.
                    self.perform_elsewhere(attempt);
                }
                Step::Fetch(attempt) => match self.perform(attempt) {
                    Outcome::Token(token) => return Ok(token),
                    Outcome::Failed(e) => last_failure = Some(e),
                    Outcome::Again(_) | Outcome::Stale => {}
                },
                Step::Wait(until, why, error) => {
                    let worth_it = match why {
                        Wait::InFlight => true,
                        Wait::MinInterval => until <= deadline,
                        _ => until <= deadline && gates == Gates::WaitAt,
                    };
                    let left = self.left(deadline);
                    if !worth_it {
                        return Err(last_failure.unwrap_or(error));
                    }
                    if left.is_zero() {
                        let valid = self.engine.valid();
                        return valid.ok_or_else(|| last_failure.unwrap_or_else(Error::timed_out));
                    }
                    self.signal.wait(seen, until.saturating_since(self.engine.now().instant).min(left));
                }
                Step::Refused(error) => return Err(error),
            }
        }
    }

    fn left(&self, deadline: Instant) -> Duration {
        deadline.saturating_since(self.engine.now().instant)
    }

    fn perform(&self, attempt: Attempt) -> Outcome {
        // Those who wait are woken also if a function of the caller's own panics in here.
        let _notify = NotifyOnDrop(&self.signal);
        self.transport.perform(attempt)
    }

    /// Makes the attempt on another thread; here, if there is none to be had.
    fn perform_elsewhere(self: &Arc<Self>, attempt: Attempt) {
        let shared = Arc::clone(self);
        let slot = Arc::new(Mutex::new(Some(attempt)));
        let theirs = Arc::clone(&slot);
        let take = |slot: &Mutex<Option<Attempt>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = thread::Builder::new().name("gatekeeper-fetch".into()).spawn(move || {
            if let Some(attempt) = take(&theirs) {
                drop(shared.perform(attempt));
            }
        });
        if thread.is_err() {
            if let Some(attempt) = take(&slot) {
                drop(self.perform(attempt));
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.signal.notify();
    }
}

/// The background thread: sleeps exactly as long as the engine says, or until something changes.
fn renew(source: &Weak<Shared>, signal: &Signal, stop: &AtomicBool) {
    loop {
        let seen = signal.changes();
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Some(shared) = source.upgrade() else { return };
        let sleep = match shared.engine.due() {
            Due::Now => {
                if let Step::Renew(_, attempt) | Step::Fetch(attempt) = shared.engine.step() {
                    // A panic in a function of the caller's own is that request's failure, not the end of renewal.
                    drop(catch_unwind(AssertUnwindSafe(|| shared.perform(attempt))));
                }
                continue;
            }
            Due::At(at) => at.saturating_since(shared.engine.now().instant),
            Due::Never => Duration::MAX,
        };
        drop(shared);
        signal.wait(seen, sleep);
    }
}

impl Signal {
    fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until something has changed since `seen`, or so long.
    fn wait(&self, seen: u64, at_most: Duration) {
        let guard = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        // A day is as good as for ever here and cannot overflow the clock's arithmetic.
        let at_most = at_most.min(Duration::from_secs(86_400));
        drop(self.changed.wait_timeout_while(guard, at_most, |changes| *changes == seen));
    }
}

struct NotifyOnDrop<'a>(&'a Signal);

impl Drop for NotifyOnDrop<'_> {
    fn drop(&mut self) {
        self.0.notify();
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(shared) = self.shared.upgrade() {
            shared.background.store(false, Ordering::Relaxed);
        }
        self.signal.notify();
    }
}

impl TokenSourceBuilder {
    /// Another transport: a private CA, an agent of the caller's own.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Somebody to hear what happens, for logs and metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes the source. Nothing is requested yet.
    ///
    /// # Errors
    ///
    /// [`Error`] if the refresh token to begin with cannot be read.
    pub fn build(self) -> Result<TokenSource, Error> {
        let mut engine = Engine::new(self.config, self.clock)?;
        if let Some(observer) = self.observer {
            engine = engine.observed_by(observer);
        }
        Ok(TokenSource {
            shared: Arc::new(Shared {
                engine: Arc::new(engine),
                transport: self.transport.unwrap_or_default(),
                signal: Arc::default(),
                background: AtomicBool::new(false),
            }),
        })
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.engine.fmt(f)
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}
