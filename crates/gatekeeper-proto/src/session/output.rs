//! What goes in and out of a session.

use crate::oauth::error_code::ErrorCode;
use crate::policy::Failure;
#[cfg(doc)]
use crate::policy::Policy;
#[cfg(doc)]
use crate::session::Session;
use crate::time::{Instant, Now};
use core::time::Duration;

/// What a caller is to do now.
#[derive(Debug)]
#[must_use]
pub enum Output<'a, T> {
    /// Use this token.
    Token(Generation, &'a T),
    /// Use this token, and make the attempt that the ticket stands for: you were chosen to renew it.
    Refresh(Generation, &'a T, Ticket),
    /// There is no usable token, and you were chosen to fetch one. One that this very attempt may end
    /// ([`Policy::renewal_hold`]) is not usable.
    Fetch(Ticket),
    /// There is no usable token and nothing to do before this instant, for this reason. Somebody's
    /// [`settle`](Session::settle) may end the wait earlier.
    WaitUntil(Instant, Wait),
    /// There is no usable token and the server refused to give one.
    Stopped(Stopped),
}

/// The right to make one attempt. It cannot be copied. Give it back to [`settle`](Session::settle) or
/// [`abandon`](Session::abandon); one that is lost is healed at its deadline.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    pub(super) id: u32,
    pub(super) started: Now,
    pub(super) deadline: Instant,
    pub(super) renewal: bool,
}

/// Which of a session's tokens: it grows by one with every new token. The default is none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Generation(pub(super) u32);

/// What a successful attempt brought.
#[derive(Debug)]
pub struct Granted<T> {
    /// The token.
    pub token: T,
    /// How long it lives, counted from when its request was sent; see [`policy::lifetime`](crate::policy::lifetime).
    pub lifetime: Option<Duration>,
    /// Whether the driver now holds a refresh token that it did not hold before.
    pub refresh_token: bool,
}

/// What became of a result.
#[derive(Debug)]
pub enum Settled<T> {
    /// The token is new and is now the current one.
    Current,
    /// The server repeated the current token: its deadlines have been set anew.
    Unchanged,
    /// The token had expired on arrival. It may be used once, at once, by the one who fetched it.
    Spent(T),
    /// The attempt failed; the next one may start at this instant at the earliest.
    Failed(Instant),
    /// The refresh token was not accepted: go on at once with the first grant, under this ticket.
    FallBack(Ticket),
    /// The ticket was out of date, and nothing changed.
    Stale,
}

/// Why there is nothing to do before some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Wait {
    /// After failures; the time grows.
    Backoff,
    /// The request budget is used up.
    Budget,
    /// Somebody is making an attempt.
    InFlight,
    /// Attempts start at least [`Policy::min_interval`] apart.
    MinInterval,
    /// The server gave tokens that had expired or that it had given before.
    NoProgress,
    /// The API refused one new token after the other.
    Rejected,
    /// The server asked to wait.
    RetryAfter,
}

/// A refusal that is being remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stopped {
    /// Why the server refused.
    pub code: ErrorCode,
    /// When it is asked again; `None` means after [`reset`](Session::reset) only.
    pub until: Option<Instant>,
}

/// When a session next has work to do. Ordered by time, so the least of several is the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Due {
    /// [`poll`](Session::poll) would hand out a ticket.
    Now,
    /// Not before this instant, and then at once.
    At(Instant),
    /// Not before something happens to it.
    Never,
}

/// What a session is doing, for health endpoints. Nothing in it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The current token's generation and its two deadlines, if it is usable.
    pub token: Option<(Generation, Instant, Instant)>,
    /// When the next attempt is due.
    pub due: Due,
    /// Why not earlier, if something holds it back.
    pub wait: Option<Wait>,
    /// The refusal that is being remembered.
    pub stopped: Option<Stopped>,
    /// How the last attempt failed, unless one has succeeded since.
    pub last_failure: Option<Failure>,
    /// Counts since the beginning.
    pub counters: Counters,
}

/// Counts since a session's beginning; each stops at its largest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counters {
    /// Token requests that tickets were handed out for.
    pub requests: u32,
    /// Tokens that were granted.
    pub granted: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Tokens that the API rejected.
    pub invalidated: u32,
}

impl Stopped {
    pub(super) fn new(code: ErrorCode, due: Due) -> Self {
        let until = match due {
            Due::At(at) => Some(at),
            Due::Now | Due::Never => None,
        };
        Self { code, until }
    }
}

impl Ticket {
    /// When the attempt must be over; a result that comes later may find that another attempt was started.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long the attempt may take.
    pub fn time_limit(&self) -> Duration {
        self.deadline.saturating_since(self.started.instant)
    }

    /// When the attempt was started: the lifetime of its token counts from here.
    pub const fn started(&self) -> Now {
        self.started
    }

    /// Whether to use the refresh token instead of the first grant.
    pub const fn is_renewal(&self) -> bool {
        self.renewal
    }
}

impl Generation {
    /// The number, for logs.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl<T> Granted<T> {
    /// A token without a refresh token.
    pub const fn new(token: T, lifetime: Option<Duration>) -> Self {
        Self { token, lifetime, refresh_token: false }
    }
}
