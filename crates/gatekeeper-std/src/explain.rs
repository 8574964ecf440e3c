//! What a source is doing, for health endpoints and people.

use crate::error::{Error, ErrorKind};
use gatekeeper_proto::{Counters, Due, ErrorCode, Now, Status, Wait};
use std::time::Duration;

/// What a source is doing. Nothing in it is secret. Times are in milliseconds from the moment it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explain {
    /// The state in a word.
    pub state: State,
    /// The current token's number.
    pub generation: Option<u32>,
    /// When the current token is renewed.
    pub renews_in_ms: Option<u64>,
    /// When the current token is last used.
    pub expires_in_ms: Option<u64>,
    /// When the next request is due; none if something else has to happen first.
    pub next_request_in_ms: Option<u64>,
    /// What holds the next request back.
    pub wait: Option<Wait>,
    /// The refusal that is remembered.
    pub refused: Option<ErrorCode>,
    /// How the last attempt failed, unless one has succeeded since.
    pub last_failure: Option<LastFailure>,
    /// Counts since the beginning.
    pub counters: Counters,
}

/// A source's state in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// No token, and nothing holds the next request back.
    Empty,
    /// A token that can be used.
    Ready,
    /// No token, and the server refused to give one.
    Refused,
    /// No token, and a wait before the next request or for one in flight.
    Waiting,
}

/// How the last attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastFailure {
    /// Who can do something about it.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
}

impl Explain {
    pub(crate) fn new(status: &Status, now: Now, last_error: Option<&Error>) -> Self {
        let from_now = |at: gatekeeper_proto::Instant| millis(at.saturating_since(now.instant));
        Self {
            state: match (status.token, status.stopped, status.wait) {
                (Some(_), _, _) => State::Ready,
                (None, Some(_), _) => State::Refused,
                (None, None, Some(_)) => State::Waiting,
                (None, None, None) => State::Empty,
            },
            generation: status.token.map(|(generation, ..)| generation.number()),
            renews_in_ms: status.token.map(|(_, renew_at, _)| from_now(renew_at)),
            expires_in_ms: status.token.map(|(_, _, expires_at)| from_now(expires_at)),
            next_request_in_ms: match status.due {
                Due::Now => Some(0),
                Due::At(at) => Some(from_now(at)),
                Due::Never => None,
            },
            wait: status.wait,
            refused: status.stopped.map(|stopped| stopped.code),
            last_failure: status
                .last_failure
                .and(last_error)
                .map(|e| LastFailure { kind: e.kind(), message: e.to_string() }),
            counters: status.counters,
        }
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
