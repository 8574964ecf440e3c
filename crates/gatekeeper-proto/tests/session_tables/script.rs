//! A table of "at this time do this, see that", run against a session.

use gatekeeper_proto::{
    Due, ErrorCode, Failure, FailureKind, Generation, Granted, Instant, Now, Output, Policy, Session, Settled, Ticket,
    UnixTime, Wait,
};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is done to the session. Tickets are named by the order in which they were handed out, from 1; tokens are
/// numbers; lifetimes are milliseconds.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Poll,
    Due,
    Grant(usize, u64, u64),
    GrantUnknown(usize, u64),
    GrantWithRefreshToken(usize, u64, u64),
    Fail(usize, Failure),
    Abandon(usize),
    Lose(usize),
    Invalidate(u32),
    Reset,
    Forget,
    OfferRefreshToken,
    /// A token from elsewhere: token, lifetime, and the monotonic time at which it was asked for.
    Adopt(u64, u64, u64),
}

/// What is expected. Times are milliseconds on the monotonic clock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum See {
    /// Generation and token, and nothing to do.
    Use(u32, u64),
    /// Generation and token, and this ticket.
    Renew(u32, u64, usize),
    Fetch(usize),
    /// As `Renew` and `Fetch`, the attempt being one with the refresh token.
    RenewByRefreshToken(u32, u64, usize),
    FetchByRefreshToken(usize),
    Waits(u64, Wait),
    WaitsWithin(RangeInclusive<u64>, Wait),
    Stopped(ErrorCode, Option<u64>),
    Current,
    Unchanged,
    Spent(u64),
    Failed(u64),
    FailedWithin(RangeInclusive<u64>),
    FallBack(usize),
    Stale,
    Now,
    At(u64),
    AtWithin(RangeInclusive<u64>),
    Never,
    Nothing,
}

pub(crate) type Row = (Now, Do, See);

/// Monotonic milliseconds.
pub(crate) fn t(ms: u64) -> Now {
    Now::monotonic(Instant::from_millis(ms))
}

/// Monotonic milliseconds, and wall clock milliseconds.
pub(crate) fn w(ms: u64, wall: u64) -> Now {
    Now::new(Instant::from_millis(ms), UnixTime::from_millis(wall))
}

/// Round numbers without jitter: renewal at 80 %, no wait longer or shorter than a second unless a table says so.
pub(crate) fn plain() -> Policy {
    let mut policy = Policy::new();
    policy.renew_at_percent = 80;
    policy.jitter_percent = 0;
    policy.max_backoff = policy.min_interval;
    policy
}

pub(crate) fn transient() -> Failure {
    Failure::TRANSIENT
}

pub(crate) fn retry_after(ms: u64) -> Failure {
    Failure { retry_after: Some(Duration::from_millis(ms)), ..Failure::TRANSIENT }
}

pub(crate) fn refused(code: ErrorCode) -> Failure {
    Failure { kind: FailureKind::Refused(code), retry_after: None }
}

pub(crate) fn rejected() -> Failure {
    Failure { kind: FailureKind::RefreshTokenRejected, retry_after: None }
}

pub(crate) fn run(policy: Policy, table: &[Row]) {
    run_on(&mut Session::new(policy, 1), table);
}

/// Runs a table that may go on where another one ended.
pub(crate) fn run_on(session: &mut Session<u64>, table: &[Row]) {
    let mut script = Script { session, tickets: Vec::new(), generations: Vec::new() };
    for (i, (now, action, want)) in table.iter().enumerate() {
        let got = script.step(*now, action);
        assert!(matches(want, &got), "row {i}: at {now:?} {action:?}\n  expected {want:?}\n  got      {got:?}");
    }
}

struct Script<'s> {
    session: &'s mut Session<u64>,
    tickets: Vec<Option<Ticket>>,
    generations: Vec<Generation>,
}

impl Script<'_> {
    fn step(&mut self, now: Now, action: &Do) -> See {
        let life = |ms: u64| Some(Duration::from_millis(ms));
        match *action {
            Do::Poll => self.poll(now),
            Do::Due => match self.session.due(now) {
                Due::Now => See::Now,
                Due::At(at) => See::At(at.as_millis()),
                Due::Never => See::Never,
            },
            Do::Grant(ticket, token, ms) => self.settle(ticket, now, Ok(Granted::new(token, life(ms)))),
            Do::GrantUnknown(ticket, token) => self.settle(ticket, now, Ok(Granted::new(token, None))),
            Do::GrantWithRefreshToken(ticket, token, ms) => {
                self.settle(ticket, now, Ok(Granted { token, lifetime: life(ms), refresh_token: true }))
            }
            Do::Fail(ticket, failure) => self.settle(ticket, now, Err(failure)),
            Do::Abandon(ticket) => {
                let ticket = self.take(ticket);
                self.session.abandon(ticket);
                See::Nothing
            }
            Do::Lose(ticket) => {
                drop(self.take(ticket));
                See::Nothing
            }
            Do::Invalidate(number) => {
                let generation = *self.generations.iter().find(|g| g.number() == number).expect("a generation seen");
                self.session.invalidate(generation, now);
                See::Nothing
            }
            Do::Reset => {
                self.session.reset();
                See::Nothing
            }
            Do::Forget => {
                self.session.forget();
                See::Nothing
            }
            Do::OfferRefreshToken => {
                self.session.offer_refresh_token();
                See::Nothing
            }
            Do::Adopt(token, ms, asked) => {
                let settled = self.session.adopt(Granted::new(token, life(ms)), t(asked), now);
                self.see(settled)
            }
        }
    }

    fn poll(&mut self, now: Now) -> See {
        let (mut seen, mut handed_out) = (None, None);
        let see = match self.session.poll(now) {
            Output::Token(generation, token) => {
                seen = Some(generation);
                See::Use(generation.number(), *token)
            }
            Output::Refresh(generation, token, ticket) => {
                seen = Some(generation);
                let (generation, token, renewal) = (generation.number(), *token, ticket.is_renewal());
                let number = self.tickets.len() + 1;
                handed_out = Some(ticket);
                match renewal {
                    true => See::RenewByRefreshToken(generation, token, number),
                    false => See::Renew(generation, token, number),
                }
            }
            Output::Fetch(ticket) => {
                let number = self.tickets.len() + 1;
                let renewal = ticket.is_renewal();
                handed_out = Some(ticket);
                if renewal { See::FetchByRefreshToken(number) } else { See::Fetch(number) }
            }
            Output::WaitUntil(at, why) => See::Waits(at.as_millis(), why),
            Output::Stopped(stopped) => See::Stopped(stopped.code, stopped.until.map(Instant::as_millis)),
        };
        self.generations.extend(seen);
        if let Some(ticket) = handed_out {
            assert_eq!(ticket.started(), now);
            self.tickets.push(Some(ticket));
        }
        see
    }

    fn settle(&mut self, ticket: usize, now: Now, result: Result<Granted<u64>, Failure>) -> See {
        let ticket = self.take(ticket);
        let settled = self.session.settle(ticket, now, result);
        self.see(settled)
    }

    fn see(&mut self, settled: Settled<u64>) -> See {
        match settled {
            Settled::Current => See::Current,
            Settled::Unchanged => See::Unchanged,
            Settled::Spent(token) => See::Spent(token),
            Settled::Failed(until) => See::Failed(until.as_millis()),
            Settled::FallBack(ticket) => {
                assert!(!ticket.is_renewal());
                self.tickets.push(Some(ticket));
                See::FallBack(self.tickets.len())
            }
            Settled::Stale => See::Stale,
        }
    }

    fn take(&mut self, number: usize) -> Ticket {
        self.tickets[number - 1].take().expect("a ticket that is still held")
    }
}

fn matches(want: &See, got: &See) -> bool {
    match (want, got) {
        (See::FailedWithin(range), See::Failed(at)) | (See::AtWithin(range), See::At(at)) => range.contains(at),
        (See::WaitsWithin(range, why), See::Waits(at, reason)) => range.contains(at) && why == reason,
        _ => want == got,
    }
}
