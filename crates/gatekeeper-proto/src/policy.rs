//! When to ask for a token, as numbers and pure functions. No state lives here.

use crate::oauth::error_code::ErrorCode;
use crate::oauth::jwt::Times;
use crate::oauth::profile::Profile;
use crate::oauth::reply::{ReplyError, TokenResponse};
use crate::time::{Now, UnixTime, millis};
use core::time::Duration;

/// The settings of a [`Session`](crate::Session). The defaults suit a server program; see each field for why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long one token request may take. Default 30 s.
    pub attempt_timeout: Duration,
    /// The least time between the starts of two attempts, whatever happens. Default 1 s.
    pub min_interval: Duration,
    /// The longest wait after failures in a row. Waits begin at `min_interval`, double, and are jittered. Default 60 s.
    pub max_backoff: Duration,
    /// The longest `Retry-After` that is honoured. Default 1 h, as MSAL has it.
    pub max_retry_after: Duration,
    /// How long a refusal (such as `invalid_client`) is remembered before the server is asked again; each further one
    /// doubles it. [`Duration::MAX`] means until [`reset`](crate::Session::reset). Default 60 s, as MSAL has it.
    pub refusal_memory: Duration,
    /// The longest a refusal is remembered. Default 1 h, so that a client that is enabled again recovers by itself.
    pub max_refusal_memory: Duration,
    /// The lifetime of a token whose server did not say. Default 10 min, as MSAL has it.
    pub assumed_lifetime: Duration,
    /// The longest lifetime that is believed. Default 7 days.
    pub max_lifetime: Duration,
    /// When a token is renewed, in percent of its lifetime. Default 85.
    pub renew_at_percent: u8,
    /// How much earlier it may be at random, in percent of the lifetime, so that programs started together do not
    /// renew together. Default 5.
    pub jitter_percent: u8,
    /// How long before its expiry a token is last used; never more than a tenth of its lifetime. Default 60 s.
    pub max_skew: Duration,
    /// Whether to renew only when the token has expired, because the server repeats a token until then. The session
    /// finds this out by itself after one repeated token. Default no.
    pub renew_late: bool,
    /// How long everybody waits for a renewal by refresh token instead of using the old token meanwhile, because the
    /// server may end it in the moment in which it gives the new one. If the answer takes longer, the old token is used
    /// on. Default not at all; [`for_profile`](Self::for_profile) has 1 s for systems that do so.
    pub renewal_hold: Duration,
    /// The most token requests in a time, for endpoints that bill or ration them. Default none.
    pub budget: Option<Budget>,
}

/// So many token requests in so much time, counted from the first one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most requests in one window.
    pub requests: u32,
    /// The length of a window.
    pub window: Duration,
}

/// How an attempt failed, as far as it matters for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FailureKind {
    /// Nobody knows whether the server has handled the request: no answer, or half of one. A refresh token that was
    /// sent may be used up, and sending it again could end the whole session (RFC 9700 section 4.14.2).
    Ambiguous,
    /// The refresh token is not accepted any more.
    RefreshTokenRejected,
    /// The server understood and said no.
    Refused(ErrorCode),
    /// Trouble that may pass. Whatever is not positively known to be something else is this.
    Transient,
}

/// The two deadlines of a token, counted from the moment its request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From here on the token is still used and a new one is fetched.
    pub renew_after: Duration,
    /// From here on the token is not used.
    pub expires_after: Duration,
}

impl Policy {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(30),
            min_interval: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
            max_retry_after: Duration::from_secs(3600),
            refusal_memory: Duration::from_secs(60),
            max_refusal_memory: Duration::from_secs(3600),
            assumed_lifetime: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(7 * 24 * 3600),
            renew_at_percent: 85,
            jitter_percent: 5,
            max_skew: Duration::from_secs(60),
            renew_late: false,
            renewal_hold: Duration::ZERO,
            budget: None,
        }
    }

    /// The defaults for a system.
    pub const fn for_profile(profile: &Profile) -> Self {
        let mut policy = Self::new();
        policy.renew_late = profile.repeats_tokens;
        if profile.renewal_ends_token {
            policy.renewal_hold = Duration::from_secs(1);
        }
        policy
    }

    /// The deadlines of a token that lives so long; `random` moves the first one earlier.
    ///
    /// Both scale with the lifetime: a fixed margin of minutes would have a token of minutes fetched for every call.
    pub fn schedule(&self, lifetime: Option<Duration>, random: u32, late: bool) -> Schedule {
        let life = millis(lifetime.unwrap_or(self.assumed_lifetime).min(self.max_lifetime));
        let expires_after = life - (life / 10).min(millis(self.max_skew));
        let renew_after = if late {
            expires_after
        } else {
            let at = percent(life, self.renew_at_percent);
            at.saturating_sub(part(percent(life, self.jitter_percent), random)).min(expires_after)
        };
        Schedule {
            renew_after: Duration::from_millis(renew_after),
            expires_after: Duration::from_millis(expires_after),
        }
    }

    /// The wait after this many failures in a row: it doubles, up to a limit, and is between half of that and all of it.
    pub fn backoff(&self, failures: u32, random: u32) -> Duration {
        let most = doubled(self.min_interval, failures).min(millis(self.max_backoff));
        Duration::from_millis((most - part(most / 2, random)).max(millis(self.min_interval)))
    }

    /// The wait after a failure while a token is still valid for `remaining`: half of that, so that the next try comes
    /// before the token's end, as DHCP does (RFC 2131 section 4.4.5).
    pub fn backoff_while_valid(&self, remaining: Duration, random: u32) -> Duration {
        let most = (millis(remaining) / 2).min(millis(self.max_backoff));
        Duration::from_millis((most - part(most / 4, random)).max(millis(self.min_interval)))
    }

    /// How long the refusal that is the `refusals`-th in a row is remembered; the first is 1.
    pub fn refusal(&self, refusals: u32) -> Duration {
        if self.refusal_memory == Duration::MAX {
            return Duration::MAX;
        }
        let longest = self.max_refusal_memory.max(self.refusal_memory);
        Duration::from_millis(doubled(self.refusal_memory, refusals.saturating_sub(1)).min(millis(longest)))
    }

    /// A server's wish to wait, as far as it is honoured.
    pub fn retry_after(&self, wish: Option<Duration>) -> Duration {
        wish.unwrap_or_default().min(self.max_retry_after)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Failure {
    /// Trouble that may pass.
    pub const TRANSIENT: Self = Self { kind: FailureKind::Transient, retry_after: None };

    /// No answer, or half of one, after the request may have reached the server.
    pub const AMBIGUOUS: Self = Self { kind: FailureKind::Ambiguous, retry_after: None };

    /// What a token endpoint's answer means for the next attempt; `renewal` says that the request carried a refresh
    /// token. A refusal to renew says nothing about the first grant, unless the client itself is not believed.
    pub fn of_reply(error: &ReplyError<'_>, renewal: bool) -> Self {
        let kind = match error.refusal() {
            None => FailureKind::Transient,
            Some(ErrorCode::InvalidClient) => FailureKind::Refused(ErrorCode::InvalidClient),
            Some(ErrorCode::UnusableToken) => FailureKind::Refused(ErrorCode::UnusableToken),
            Some(_) if renewal => FailureKind::RefreshTokenRejected,
            Some(code) => FailureKind::Refused(code),
        };
        Self { kind, retry_after: error.retry_after() }
    }
}

/// The lifetime of a granted token, counted from when its request was sent.
///
/// It is what `expires_in` says, cut short by what the token says about itself (`times`): `exp - iat` in any case, and
/// `exp` itself as far as there is a clock to hold against it. The local wall clock is such a clock if it agrees with
/// the server's `Date`, or if there is no `Date` and the token has not expired by it; else `Date` is. So a local clock
/// that is wrong by hours does no harm.
pub fn lifetime(response: &TokenResponse<'_>, times: Times, sent: Now) -> Option<Duration> {
    let seconds = |s: u64| s.saturating_mul(1000);
    let mut life = response.expires_in.map(seconds);
    let mut at_most = |limit: u64| life = Some(life.unwrap_or(limit).min(limit));
    if let Some(own) = times.lifetime() {
        at_most(seconds(own));
    }
    if let Some(exp) = times.expires_at.map(seconds) {
        let left_at = |t: UnixTime| exp.saturating_sub(t.as_millis());
        let date = response.date.and_then(|date| date.time(sent.wall.unwrap_or_default()));
        match (date, sent.wall) {
            (Some(date), Some(wall)) if apart(date, wall) <= CLOCKS_AGREE => at_most(left_at(wall)),
            // `Date` has no fraction: the server's clock may have shown up to a second more.
            (Some(date), _) => at_most(left_at(date).saturating_sub(1000)),
            (None, Some(wall)) if left_at(wall) > 0 => at_most(left_at(wall)),
            (None, _) => {}
        }
    }
    life.map(Duration::from_millis)
}

/// How far the local clock and a server's `Date` may be apart, in milliseconds, to be taken for the same time.
const CLOCKS_AGREE: u64 = 5_000;

fn apart(a: UnixTime, b: UnixTime) -> u64 {
    a.as_millis().abs_diff(b.as_millis())
}

fn percent(whole: u64, percent: u8) -> u64 {
    (whole / 100).saturating_mul(u64::from(percent)).saturating_add(whole % 100 * u64::from(percent) / 100).min(whole)
}

/// A random part of `whole`, from nothing to all of it.
fn part(whole: u64, random: u32) -> u64 {
    let (high, low) = (whole >> 32, whole & 0xFFFF_FFFF);
    let random = u64::from(random);
    high.saturating_mul(random).saturating_add((low * random) >> 32)
}

/// `base` doubled so many times, in milliseconds.
fn doubled(base: Duration, times: u32) -> u64 {
    millis(base).saturating_mul(1u64.checked_shl(times.min(32)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::deviation::Deviations;
    use crate::secret::Secret;
    use crate::time::Instant;
    use crate::wire::retry_after::HttpDate;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn deadlines_scale_with_the_lifetime() {
        let p = Policy::new();
        for (life, earliest, latest, expires) in [
            (3_000, 2_400, 2_550, 2_700),
            (300_000, 240_000, 255_000, 270_000),
            (3_600_000, 2_880_000, 3_060_000, 3_540_000),
            (86_400_000, 69_120_000, 73_440_000, 86_340_000),
            (1, 0, 0, 1),
            (0, 0, 0, 0),
        ] {
            let at = |random| p.schedule(Some(MS(life)), random, false);
            assert_eq!(at(0), Schedule { renew_after: MS(latest), expires_after: MS(expires) }, "{life}");
            let early = at(u32::MAX).renew_after;
            assert!(early >= MS(earliest) && early <= MS(earliest + 1), "{life}: {early:?}");
            assert_eq!(p.schedule(Some(MS(life)), 7, true).renew_after, MS(expires));
        }
        let unknown = p.schedule(None, 0, false);
        assert_eq!(unknown.expires_after, Duration::from_secs(540));
        let longest = p.schedule(Some(Duration::MAX), 0, false);
        assert_eq!(longest.expires_after, Duration::from_secs(7 * 24 * 3600 - 60));
    }

    #[test]
    fn waits_double_and_stay_within_their_limits() {
        let p = Policy::new();
        for (failures, least, most) in [
            (0, 1000, 1000),
            (1, 1000, 2000),
            (2, 2000, 4000),
            (5, 16_000, 32_000),
            (6, 30_000, 60_000),
            (u32::MAX, 30_000, 60_000),
        ] {
            assert_eq!(p.backoff(failures, 0), MS(most), "{failures}");
            let shortest = p.backoff(failures, u32::MAX);
            assert!(shortest >= MS(least) && shortest <= MS(least + 1), "{failures}: {shortest:?}");
        }
        for (remaining, least, most) in [(0, 1000, 1000), (10_000, 3_750, 5_000), (3_600_000, 45_000, 60_000)] {
            assert_eq!(p.backoff_while_valid(MS(remaining), 0), MS(most));
            assert!(p.backoff_while_valid(MS(remaining), u32::MAX) >= MS(least));
        }
        let memory: Vec<u64> = (1..9).map(|n| p.refusal(n).as_secs()).collect();
        assert_eq!(memory, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(p.retry_after(Some(Duration::MAX)), Duration::from_secs(3600));
    }

    #[test]
    fn claims_shorten_a_lifetime_and_never_prolong_it() {
        let wall = |s| Now::new(Instant::ORIGIN, UnixTime::from_secs(s));
        let none = Now::monotonic(Instant::ORIGIN);
        // Second 1000 of the epoch.
        const DATE: Option<&str> = Some("Thu, 01 Jan 1970 00:16:40 GMT");
        let times = |exp, iat| Times { expires_at: exp, issued_at: iat };
        for (expires_in, claims, date, sent, want) in [
            (Some(3600), times(None, None), None, wall(1000), Some(3600)),
            (Some(3600), times(Some(1300), None), None, wall(1000), Some(300)),
            (Some(60), times(Some(1300), None), None, wall(1000), Some(60)),
            (None, times(Some(1300), None), None, wall(1000), Some(300)),
            (None, times(None, None), None, wall(1000), None),
            // The token's own lifetime counts without any clock.
            (Some(3600), times(Some(1300), Some(1000)), None, none, Some(300)),
            // A clock that agrees with the server decides, to the millisecond.
            (Some(3), times(Some(1003), Some(1000)), DATE, wall(1000), Some(3)),
            // A clock an hour ahead does not make every token dead, nor one behind let it live.
            (Some(3600), times(Some(1300), None), DATE, wall(4600), Some(299)),
            (Some(3600), times(Some(1300), None), None, wall(4600), Some(3600)),
            (Some(3600), times(Some(1300), None), DATE, wall(1), Some(299)),
            (Some(3600), times(Some(1300), None), DATE, none, Some(299)),
            // Expired by the server's own word.
            (Some(3600), times(Some(900), None), DATE, wall(1000), Some(0)),
        ] {
            let response = TokenResponse {
                access_token: Secret::new("t"),
                token_type: "Bearer",
                expires_in,
                refresh_token: None,
                scope: None,
                deviations: Deviations::none(),
                date: date.map(|text: &str| HttpDate::new(text.as_bytes())),
            };
            let got = lifetime(&response, claims, sent);
            assert_eq!(got, want.map(Duration::from_secs), "{expires_in:?} {claims:?} {date:?} {sent:?}");
        }
    }
}
