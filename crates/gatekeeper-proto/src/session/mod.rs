//! Who may fetch a token, when, and which token is current.
//!
//! A [`Session`] is one state machine. What to do is computed from its state and the time, never queued: asking twice
//! gives the same answer, and there is nothing to drain. Only one value is linear, the [`Ticket`]: it stands for the
//! right to make one attempt, and giving it back with the result is the only way to change the token.
//!
//! Every assignment to `attempt` stands in this file.

mod output;

pub use self::output::{Counters, Due, Generation, Granted, Output, Settled, Status, Stopped, Ticket, Wait};

use crate::oauth::error_code::ErrorCode;
use crate::policy::{Failure, FailureKind, Policy};
use crate::time::{Deadline, Instant, Now};
use core::fmt;
use core::time::Duration;

/// The life of one token source: fetch, use, renew, wait, give up, recover.
///
/// `T` is whatever a driver hands out: an `Arc<str>`, a fixed array, an index. The session never looks into it but to
/// compare it with the one before.
///
/// ```
/// use gatekeeper_proto::{Due, Granted, Instant, Now, Output, Policy, Session, Settled};
/// use core::time::Duration;
///
/// let at = |s: u64| Now::monotonic(Instant::from_millis(s * 1000));
/// let mut session = Session::new(Policy::default(), 7);
///
/// // No token yet, so the first to ask is chosen to fetch one, and the second has to wait for it.
/// let Output::Fetch(ticket) = session.poll(at(0)) else { panic!() };
/// assert!(matches!(session.poll(at(0)), Output::WaitUntil(..)));
///
/// let granted = Granted::new("token-1", Some(Duration::from_secs(3600)));
/// assert!(matches!(session.settle(ticket, at(1), Ok(granted)), Settled::Current));
/// assert!(matches!(session.poll(at(60)), Output::Token(_, &"token-1")));
///
/// // Before it expires, one caller is chosen to renew it; everyone goes on using the old one meanwhile.
/// let Due::At(renewal) = session.due(at(60)) else { panic!() };
/// let Output::Refresh(_, &"token-1", ticket) = session.poll(Now::monotonic(renewal)) else { panic!() };
/// assert!(matches!(session.poll(Now::monotonic(renewal)), Output::Token(_, &"token-1")));
/// # session.abandon(ticket);
/// ```
pub struct Session<T> {
    policy: Policy,
    held: Option<Held<T>>,
    attempt: Attempt,
    /// Whether the next attempt may use a refresh token.
    refreshable: bool,
    /// Whether the server has been seen to repeat a token, so that asking early is of no use.
    repeats: bool,
    last_start: Option<Instant>,
    /// Until when the server asked to be left alone.
    asked_to_wait: Instant,
    window: Window,
    streaks: Streaks,
    counters: Counters,
    last_failure: Option<Failure>,
    tickets: u32,
    generations: u32,
    random: u32,
}

struct Held<T> {
    token: T,
    generation: Generation,
    acquired: Instant,
    renew_at: Deadline,
    expires_at: Deadline,
}

enum Step {
    Use,
    Renew(Ticket),
    Fetch(Ticket),
    Stop(Stopped),
    Wait(Instant, Wait),
}

#[derive(Clone, Copy)]
enum Attempt {
    Idle,
    InFlight {
        id: u32,
        deadline: Instant,
        renewal: bool,
        /// The credentials were changed since it started.
        superseded: bool,
    },
    Waiting {
        until: Instant,
        why: Wait,
    },
    Refused {
        until: Instant,
        code: ErrorCode,
    },
}

/// Things in a row.
#[derive(Clone, Copy, Default)]
struct Streaks {
    failures: u32,
    refusals: u32,
    /// Answers without progress: the same token, or one that had expired.
    stalls: u32,
    /// Tokens the API rejected soon after they were granted.
    rejections: u32,
}

/// The request budget's current window.
#[derive(Clone, Copy, Default)]
struct Window {
    begin: Instant,
    used: u32,
}

impl<T> Session<T> {
    /// A session without a token. `seed` should differ from instance to instance: it decides nothing but jitter.
    pub const fn new(policy: Policy, seed: u32) -> Self {
        Self {
            policy,
            held: None,
            attempt: Attempt::Idle,
            refreshable: false,
            repeats: policy.renew_late,
            last_start: None,
            asked_to_wait: Instant::ORIGIN,
            window: Window { begin: Instant::ORIGIN, used: 0 },
            streaks: Streaks { failures: 0, refusals: 0, stalls: 0, rejections: 0 },
            counters: Counters { requests: 0, granted: 0, failed: 0, invalidated: 0 },
            last_failure: None,
            tickets: 0,
            generations: 0,
            random: mixed(seed) | 1,
        }
    }

    /// What to do now. A ticket is handed out exactly when [`due`](Self::due) is [`Due::Now`].
    #[inline]
    pub fn poll(&mut self, now: Now) -> Output<'_, T> {
        // Before its renewal is due a token is used and nothing else can be: the path of nearly every call.
        let fresh = self.held.as_ref().is_some_and(|held| !held.renew_at.has_passed(now));
        let step = if fresh { Step::Use } else { self.step(now) };
        match (step, &self.held) {
            (Step::Use, Some(held)) => Output::Token(held.generation, &held.token),
            (Step::Renew(ticket), Some(held)) => Output::Refresh(held.generation, &held.token, ticket),
            (Step::Renew(ticket) | Step::Fetch(ticket), _) => Output::Fetch(ticket),
            (Step::Stop(stopped), _) => Output::Stopped(stopped),
            (Step::Wait(until, why), _) => Output::WaitUntil(until, why),
            (Step::Use, None) => Output::WaitUntil(now.instant, Wait::MinInterval),
        }
    }

    /// What to do, the token left out so that nothing is borrowed while the state changes.
    fn step(&mut self, now: Now) -> Step {
        let (due, why) = self.due_and_why(now);
        let usable = self.held.as_ref().is_some_and(|held| !held.expires_at.has_passed(now));
        match (due, usable, self.attempt) {
            (Due::Now, true, _) => match self.start(now) {
                ticket if self.held_back(now).is_some() => Step::Fetch(ticket),
                ticket => Step::Renew(ticket),
            },
            (Due::Now, false, _) => Step::Fetch(self.start(now)),
            (_, true, _) => self.held_back(now).map_or(Step::Use, |until| Step::Wait(until, Wait::InFlight)),
            (_, false, Attempt::Refused { code, .. }) => Step::Stop(Stopped::new(code, due)),
            (Due::At(t), false, _) => Step::Wait(t, why),
            (Due::Never, false, _) => Step::Wait(Instant::FAR_FUTURE, why),
        }
    }

    /// Until when a valid token is not used, because a renewal that may end it is under way.
    fn held_back(&self, now: Now) -> Option<Instant> {
        let Attempt::InFlight { renewal: true, .. } = self.attempt else { return None };
        let until = self.last_start?.saturating_add(self.policy.renewal_hold);
        (now.instant < until).then_some(until)
    }

    /// When this session next has work, as far as it depends on time alone. A driver that sleeps until then and polls
    /// finds it.
    pub fn due(&self, now: Now) -> Due {
        self.due_and_why(now).0
    }

    /// Reports the result of the attempt that `ticket` stands for.
    ///
    /// A failure never replaces or hides a token that is still valid.
    pub fn settle(&mut self, ticket: Ticket, now: Now, result: Result<Granted<T>, Failure>) -> Settled<T>
    where
        T: PartialEq,
    {
        let superseded = match self.attempt {
            Attempt::InFlight { id, superseded, .. } if id == ticket.id => superseded,
            _ => return Settled::Stale,
        };
        match result {
            Ok(granted) => {
                self.attempt = Attempt::Idle;
                self.grant(granted, ticket.started, now)
            }
            Err(failure) => self.fail(&ticket, now, failure, superseded),
        }
    }

    /// Gives a ticket back unused, because its attempt was cancelled. This is no failure; the next attempt still keeps
    /// its distance from this one.
    pub fn abandon(&mut self, ticket: Ticket) {
        match self.attempt {
            Attempt::InFlight { id, .. } if id == ticket.id => {
                // The request may be on its way with the refresh token.
                self.refreshable &= !ticket.renewal;
                self.attempt = Attempt::Idle;
            }
            _ => {}
        }
    }

    /// Takes note that the API rejected the token of this generation (401, not 403). A generation that is no longer
    /// current changes nothing, so late rejections of an old token do no harm to the new one.
    ///
    /// When new tokens are rejected one after the other, a new token is no cure, and further attempts wait longer.
    pub fn invalidate(&mut self, seen: Generation, now: Now) {
        let Some(held) = self.held.take_if(|held| held.generation == seen) else { return };
        self.counters.invalidated = self.counters.invalidated.saturating_add(1);
        let soon = now.instant.saturating_since(held.acquired) < self.policy.max_backoff;
        self.streaks.rejections = if soon { self.streaks.rejections.saturating_add(1) } else { 1 };
        if self.streaks.rejections > 1 {
            let random = self.random();
            let wait = self.policy.backoff(self.streaks.rejections - 1, random);
            self.wait(now.instant.saturating_add(wait), Wait::Rejected);
        }
    }

    /// Takes note that credentials were changed: refusals and failures of the old ones are forgotten. A valid token
    /// stays, and so does a wait that the server asked for.
    pub fn reset(&mut self) {
        self.streaks = Streaks::default();
        match &mut self.attempt {
            Attempt::InFlight { superseded, .. } => *superseded = true,
            Attempt::Idle | Attempt::Refused { .. } | Attempt::Waiting { .. } => self.attempt = Attempt::Idle,
        }
    }

    /// Drops the token and forgets the refresh token.
    pub fn forget(&mut self) {
        self.held = None;
        self.refreshable = false;
    }

    /// Takes over a token that did not come from an attempt of this session, such as one from a store that others
    /// fill. `asked` is when its request was sent, or an earlier moment. It says nothing about the server: one that has
    /// expired changes nothing, and the current one again sets its deadlines anew.
    pub fn adopt(&mut self, granted: Granted<T>, asked: Now, now: Now) -> Settled<T>
    where
        T: PartialEq,
    {
        self.hold(granted, asked, now)
    }

    /// Takes note that the driver holds a refresh token from elsewhere: the first attempt may use it.
    pub fn offer_refresh_token(&mut self) {
        self.refreshable = true;
    }

    /// The token that is held, whether or not it has expired, and its two deadlines: when it is renewed and when it is
    /// last used. For drivers that keep a copy to read without a lock.
    pub fn current(&self) -> Option<(Generation, &T, Deadline, Deadline)> {
        self.held.as_ref().map(|held| (held.generation, &held.token, held.renew_at, held.expires_at))
    }

    /// What the session is doing.
    pub fn status(&self, now: Now) -> Status {
        let (due, why) = self.due_and_why(now);
        let held = self.held.as_ref().filter(|held| !held.expires_at.has_passed(now));
        Status {
            token: held.map(|h| (h.generation, h.renew_at.instant_seen_from(now), h.expires_at.instant_seen_from(now))),
            due,
            wait: match self.attempt {
                Attempt::Refused { .. } => None,
                _ if due == Due::Now || held.is_some_and(|h| !h.renew_at.has_passed(now)) => None,
                _ => Some(why),
            },
            stopped: match self.attempt {
                Attempt::Refused { code, .. } if due != Due::Now => Some(Stopped::new(code, due)),
                _ => None,
            },
            last_failure: self.last_failure,
            counters: self.counters,
        }
    }

    /// When the next attempt may start, and what holds it back longest.
    fn due_and_why(&self, now: Now) -> (Due, Wait) {
        let floor = self.last_start.map_or(Instant::ORIGIN, |start| start.saturating_add(self.policy.min_interval));
        let mut latest = (floor, Wait::MinInterval);
        let mut not_before = |at: Instant, why: Wait| {
            if at > latest.0 {
                latest = (at, why);
            }
        };
        match self.attempt {
            Attempt::Idle => {}
            Attempt::InFlight { deadline, .. } => not_before(deadline, Wait::InFlight),
            Attempt::Waiting { until, why } => not_before(until, why),
            Attempt::Refused { until, .. } => not_before(until, Wait::Backoff),
        }
        not_before(self.asked_to_wait, Wait::RetryAfter);
        if let Some(held) = self.held.as_ref().filter(|held| !held.expires_at.has_passed(now)) {
            not_before(held.renew_at.instant_seen_from(now), Wait::NoProgress);
        }
        if let Some(end) = self.window_end(now) {
            not_before(end, Wait::Budget);
        }
        let due = match latest.0 {
            at if at <= now.instant && at != Instant::FAR_FUTURE => Due::Now,
            Instant::FAR_FUTURE => Due::Never,
            at => Due::At(at),
        };
        (due, latest.1)
    }

    fn start(&mut self, now: Now) -> Ticket {
        if let Attempt::InFlight { renewal, superseded, .. } = self.attempt {
            // Its deadline has passed and nobody reported: the ticket was lost, and the request may have been sent.
            self.streaks.failures = self.streaks.failures.saturating_add(u32::from(!superseded));
            self.counters.failed = self.counters.failed.saturating_add(1);
            self.last_failure = Some(Failure::AMBIGUOUS);
            self.refreshable &= !renewal;
        }
        self.asked_to_wait = Instant::ORIGIN;
        self.issue(now, self.refreshable)
    }

    fn issue(&mut self, now: Now, renewal: bool) -> Ticket {
        if self.policy.budget.is_some_and(|budget| !self.window_covers(now, budget.window)) {
            self.window = Window { begin: now.instant, used: 0 };
        }
        self.window.used = self.window.used.saturating_add(1);
        self.counters.requests = self.counters.requests.saturating_add(1);
        self.tickets = self.tickets.wrapping_add(1);
        let id = self.tickets;
        let deadline = now.instant.saturating_add(self.policy.attempt_timeout);
        self.attempt = Attempt::InFlight { id, deadline, renewal, superseded: false };
        self.last_start = Some(now.instant);
        Ticket { id, started: now, deadline, renewal }
    }

    fn grant(&mut self, granted: Granted<T>, asked: Now, now: Now) -> Settled<T>
    where
        T: PartialEq,
    {
        self.streaks.failures = 0;
        self.streaks.refusals = 0;
        self.last_failure = None;
        self.counters.granted = self.counters.granted.saturating_add(1);
        self.repeats |= self.held.as_ref().is_some_and(|held| held.token == granted.token);
        let settled = self.hold(granted, asked, now);
        if matches!(settled, Settled::Current) {
            self.streaks.stalls = 0;
        } else {
            // A success without progress: asking again at once would bring the same, ever faster as the rest of the
            // lifetime shrinks.
            self.streaks.stalls = self.streaks.stalls.saturating_add(1);
            let random = self.random();
            let wait = self.policy.backoff(self.streaks.stalls - 1, random);
            self.wait(now.instant.saturating_add(wait), Wait::NoProgress);
        }
        settled
    }

    /// Makes a token the current one, if it has not expired.
    fn hold(&mut self, granted: Granted<T>, asked: Now, now: Now) -> Settled<T>
    where
        T: PartialEq,
    {
        self.refreshable |= granted.refresh_token;
        let repeated = self.held.as_ref().filter(|held| held.token == granted.token).map(|held| held.generation);
        let random = self.random();
        let schedule = self.policy.schedule(granted.lifetime, random, self.repeats && !self.refreshable);
        let renew_at = Deadline::new(asked, schedule.renew_after);
        let expires_at = Deadline::new(asked, schedule.expires_after);
        if expires_at.has_passed(now) {
            return Settled::Spent(granted.token);
        }
        if repeated.is_none() && self.held.is_some() {
            // The one before has done its service: what comes now is no series of rejections.
            self.streaks.rejections = 0;
        }
        let generation = repeated.unwrap_or_else(|| {
            self.generations = self.generations.wrapping_add(1);
            Generation(self.generations)
        });
        self.held = Some(Held { token: granted.token, generation, acquired: now.instant, renew_at, expires_at });
        if repeated.is_some() { Settled::Unchanged } else { Settled::Current }
    }

    fn fail(&mut self, ticket: &Ticket, now: Now, failure: Failure, superseded: bool) -> Settled<T> {
        self.last_failure = Some(failure);
        self.counters.failed = self.counters.failed.saturating_add(1);
        let asked_for = self.policy.retry_after(failure.retry_after);
        if !asked_for.is_zero() {
            self.asked_to_wait = now.instant.saturating_add(asked_for);
        }
        let kind = match failure.kind {
            FailureKind::RefreshTokenRejected if ticket.renewal => {
                self.refreshable = false;
                if asked_for.is_zero() && self.window_end(now).is_none() {
                    return Settled::FallBack(self.issue(now, false));
                }
                FailureKind::Transient
            }
            FailureKind::RefreshTokenRejected => FailureKind::Refused(ErrorCode::InvalidGrant),
            FailureKind::Refused(_) if superseded => FailureKind::Transient,
            kind => kind,
        };
        let random = self.random();
        if let FailureKind::Refused(code) = kind {
            self.streaks.refusals = self.streaks.refusals.saturating_add(1);
            let until = now.instant.saturating_add(self.policy.refusal(self.streaks.refusals));
            self.attempt = Attempt::Refused { until, code };
            return Settled::Failed(until.max(self.asked_to_wait));
        }
        if kind == FailureKind::Ambiguous {
            self.refreshable &= !ticket.renewal;
        }
        if superseded {
            self.attempt = Attempt::Idle;
        } else {
            self.streaks.failures = self.streaks.failures.saturating_add(1);
        }
        let remaining = self.held.as_ref().map(|held| held.expires_at.instant_seen_from(now));
        let wait = match remaining.map(|end| end.saturating_since(now.instant)) {
            Some(remaining) if !remaining.is_zero() => self.policy.backoff_while_valid(remaining, random),
            _ => self.policy.backoff(self.streaks.failures, random),
        };
        let until = now.instant.saturating_add(wait);
        self.attempt = Attempt::Waiting { until, why: Wait::Backoff };
        Settled::Failed(until.max(self.asked_to_wait))
    }

    /// Waits at least until then, unless an attempt or a refusal already decides.
    fn wait(&mut self, until: Instant, why: Wait) {
        match self.attempt {
            Attempt::Idle => self.attempt = Attempt::Waiting { until, why },
            Attempt::Waiting { until: other, .. } if other < until => self.attempt = Attempt::Waiting { until, why },
            Attempt::Waiting { .. } | Attempt::InFlight { .. } | Attempt::Refused { .. } => {}
        }
    }

    /// When the budget's window ends, if the budget is used up.
    fn window_end(&self, now: Now) -> Option<Instant> {
        let budget = self.policy.budget?;
        let used_up = self.window.used >= budget.requests.max(1) && self.window_covers(now, budget.window);
        used_up.then(|| self.window.begin.saturating_add(budget.window))
    }

    fn window_covers(&self, now: Now, length: Duration) -> bool {
        self.window.used > 0 && now.instant < self.window.begin.saturating_add(length)
    }

    /// The next number of a xorshift generator (Marsaglia 2003); it decides nothing but jitter.
    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}

/// Spreads seeds over all bits (the finalizer of MurmurHash3): instances are often numbered from 0, and the first
/// numbers that xorshift makes of small seeds are small, which would be hardly any jitter.
const fn mixed(seed: u32) -> u32 {
    let seed = (seed ^ (seed >> 16)).wrapping_mul(0x85EB_CA6B);
    let seed = (seed ^ (seed >> 13)).wrapping_mul(0xC2B2_AE35);
    seed ^ (seed >> 16)
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("generation", &self.held.as_ref().map(|held| held.generation))
            .field("last_failure", &self.last_failure)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
