//! What the server saw.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::request::SeenRequest;
use crate::script::Endpoint;

/// How often things happened since the server started, or since
/// [`Server::reset_counts`](crate::Server::reset_counts).
///
/// A request counts when it has been read, its outcome right before the answer is sent; so a client
/// that has an answer finds it counted. `token_requests` is the sum of `token_issued`, `token_refused`,
/// `token_faulted` and requests still in the works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: u64,
    /// TLS handshakes that failed, because the client refused the certificate for instance.
    pub tls_failures: u64,
    /// Requests that were no proper HTTP.
    pub bad_requests: u64,
    /// Faults played, those of connections included.
    pub faults: u64,

    /// Requests to the token endpoint.
    pub token_requests: u64,
    /// Token requests answered with a token, which a fault may have kept from arriving.
    pub token_issued: u64,
    /// Token requests refused by the rules of the system.
    pub token_refused: u64,
    /// Token requests not carried out because of a fault.
    pub token_faulted: u64,
    /// Token requests being worked on or held back now.
    pub tokens_in_flight: u64,
    /// The most that `tokens_in_flight` has been.
    pub max_tokens_in_flight: u64,
    /// Token requests with `grant_type=client_credentials`.
    pub client_credentials: u64,
    /// Token requests with `grant_type=password`.
    pub password: u64,
    /// Token requests with `grant_type=operator_password`.
    pub operator_password: u64,
    /// Token requests with `grant_type=refresh_token`.
    pub refresh_token: u64,
    /// Token requests with another grant, or none.
    pub other_grants: u64,

    /// Requests to the API, preflights not included.
    pub api_requests: u64,
    /// API requests answered with 2xx.
    pub api_ok: u64,
    /// API requests answered with 401.
    pub api_unauthorized: u64,
    /// API requests answered with 403.
    pub api_forbidden: u64,
    /// API requests answered with another status, or with no HTTP at all.
    pub api_other: u64,
    /// CORS preflights answered.
    pub preflights: u64,
}

/// Time ran out in [`Server::wait_for`](crate::Server::wait_for).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedOut(Box<Counts>);

impl TimedOut {
    /// The counts as they were when time ran out.
    pub fn counts(&self) -> &Counts {
        &self.0
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's counts did not become as wanted: {:?}", self.0)
    }
}

impl std::error::Error for TimedOut {}

#[derive(Default)]
struct Inner {
    counts: Counts,
    seen: VecDeque<SeenRequest>,
    /// How many requests were seen and are no longer kept.
    forgotten: u64,
    /// How often anything here changed.
    changes: u64,
}

#[derive(Default)]
pub(crate) struct Log {
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// What became of a request.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// A token was issued.
    Issued,
    /// A token was refused.
    Refused,
    /// A token request was not carried out.
    Faulted,
    /// An API call was answered.
    Api,
    Preflight,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count<R>(&self, change: impl FnOnce(&mut Counts) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner.counts);
        self.publish(inner);
        result
    }

    fn publish(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.changes += 1;
        drop(inner);
        self.changed.notify_all();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Starts counting afresh and forgets the requests seen; what is open stays counted.
    pub(crate) fn reset(&self) {
        let mut inner = self.lock();
        inner.counts = Counts {
            open_connections: inner.counts.open_connections,
            tokens_in_flight: inner.counts.tokens_in_flight,
            max_tokens_in_flight: inner.counts.tokens_in_flight,
            ..Counts::default()
        };
        inner.forgotten += inner.seen.len() as u64;
        inner.seen.clear();
        self.publish(inner);
    }

    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.lock().seen.iter().cloned().collect()
    }

    /// Waits until the counts are as wanted, and gives them.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&Counts) -> bool, at_most: Duration) -> Result<Counts, TimedOut> {
        let deadline = Instant::now().checked_add(at_most);
        loop {
            // The caller's code runs without the lock, for it may ask the server for more.
            let (counts, changes) = {
                let inner = self.lock();
                (inner.counts, inner.changes)
            };
            if wanted(&counts) {
                return Ok(counts);
            }
            let left = deadline.map_or(at_most, |d| d.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(TimedOut(Box::new(counts)));
            }
            let inner = self.lock();
            drop(
                self.changed
                    .wait_timeout_while(inner, left, |inner| inner.changes == changes)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Records a request that has been read; gives its number.
    pub(crate) fn arrived(&self, request: SeenRequest, grant: Option<&str>, keep: usize) -> u64 {
        let mut inner = self.lock();
        let counts = &mut inner.counts;
        match request.endpoint {
            Endpoint::Token => {
                counts.token_requests += 1;
                *match grant {
                    Some("client_credentials") => &mut counts.client_credentials,
                    Some("password") => &mut counts.password,
                    Some("operator_password") => &mut counts.operator_password,
                    Some("refresh_token") => &mut counts.refresh_token,
                    _ => &mut counts.other_grants,
                } += 1;
            }
            Endpoint::Api if is_preflight(&request) => counts.preflights += 1,
            Endpoint::Api => counts.api_requests += 1,
        }
        let number = inner.forgotten + inner.seen.len() as u64;
        inner.seen.push_back(request);
        let surplus = inner.seen.len().saturating_sub(keep);
        inner.seen.drain(..surplus);
        inner.forgotten += surplus as u64;
        self.publish(inner);
        number
    }

    /// Records what became of that request, and the status of the answer if there is one.
    pub(crate) fn answered(&self, number: u64, outcome: Outcome, status: Option<u16>) {
        let mut inner = self.lock();
        let counts = &mut inner.counts;
        let counted = match (outcome, status) {
            (Outcome::Issued, _) => Some(&mut counts.token_issued),
            (Outcome::Refused, _) => Some(&mut counts.token_refused),
            (Outcome::Faulted, _) => Some(&mut counts.token_faulted),
            (Outcome::Preflight, _) => None,
            (Outcome::Api, Some(200..=299)) => Some(&mut counts.api_ok),
            (Outcome::Api, Some(401)) => Some(&mut counts.api_unauthorized),
            (Outcome::Api, Some(403)) => Some(&mut counts.api_forbidden),
            (Outcome::Api, _) => Some(&mut counts.api_other),
        };
        if let Some(counted) = counted {
            *counted += 1;
        }
        let kept = number.checked_sub(inner.forgotten);
        let kept = kept.and_then(|at| inner.seen.get_mut(usize::try_from(at).ok()?));
        if let Some(request) = kept {
            request.status = status;
        }
        self.publish(inner);
    }

    /// Counts a token request as in flight until the guard is dropped.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        self.count(|c| {
            c.tokens_in_flight += 1;
            c.max_tokens_in_flight = c.max_tokens_in_flight.max(c.tokens_in_flight);
        });
        InFlight(self)
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open(&self) -> Open<'_> {
        self.count(|c| c.open_connections += 1);
        Open(self)
    }
}

pub(crate) fn is_preflight(request: &SeenRequest) -> bool {
    request.method == "OPTIONS"
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}

pub(crate) struct InFlight<'a>(&'a Log);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.count(|c| c.tokens_in_flight -= 1);
    }
}

pub(crate) struct Open<'a>(&'a Log);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.count(|c| c.open_connections -= 1);
    }
}
