//! The server's idea of time, which a test may move.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock in milliseconds that a test shares with the server, and with its own code if it likes.
///
/// It has two readings, as real machines do: a monotonic one ([`now_millis`](Self::now_millis)),
/// which decides when tokens expire, and a wall reading ([`unix_millis`](Self::unix_millis)), which
/// goes into `Date` headers and JWT claims. Clones are handles to the same clock.
///
/// Delays and drips of a [`Fault`](crate::Fault) always pass in real time: a client that waits on
/// a socket cannot be told to hurry.
///
/// ```
/// use gatekeeper_testkit::TestClock;
/// use std::time::Duration;
///
/// let clock = TestClock::manual(1_700_000_000_000);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now_millis(), 60_000);
/// assert_eq!(clock.unix_millis(), 1_700_000_060_000);
///
/// clock.set_wall_offset_millis(-3_600_000); // as if NTP had stepped back an hour
/// assert_eq!(clock.now_millis(), 60_000);
/// assert_eq!(clock.unix_millis(), 1_699_996_460_000);
/// ```
#[derive(Clone)]
pub struct TestClock {
    inner: Arc<Inner>,
}

struct Inner {
    /// When the clock was made, for one that runs by itself.
    running_since: Option<Instant>,
    advanced: AtomicU64,
    epoch: u64,
    wall_offset: AtomicI64,
}

impl TestClock {
    /// A clock that runs with the machine's and can be [advanced](Self::advance) on top.
    pub fn real() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::new(Some(Instant::now()), millis(unix))
    }

    /// A clock that stands still unless [advanced](Self::advance). Its wall reading starts at
    /// `unix_millis` milliseconds since 1970-01-01T00:00:00Z, its monotonic one at 0.
    pub fn manual(unix_millis: u64) -> Self {
        Self::new(None, unix_millis)
    }

    fn new(running_since: Option<Instant>, epoch: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                running_since,
                advanced: AtomicU64::new(0),
                epoch,
                wall_offset: AtomicI64::new(0),
            }),
        }
    }

    /// Milliseconds since the clock was made. Never goes back.
    pub fn now_millis(&self) -> u64 {
        let run = self.inner.running_since.map_or(0, |since| millis(since.elapsed()));
        run.saturating_add(self.inner.advanced.load(Ordering::SeqCst))
    }

    /// The wall clock in milliseconds since 1970-01-01T00:00:00Z; never before that.
    pub fn unix_millis(&self) -> u64 {
        self.inner
            .epoch
            .saturating_add(self.now_millis())
            .saturating_add_signed(self.inner.wall_offset.load(Ordering::SeqCst))
    }

    /// Lets `by` pass, on both readings, cut down to whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let by = millis(by);
        let _ = self.inner.advanced.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |at| Some(at.saturating_add(by)));
    }

    /// Steps the wall reading alone to `offset` milliseconds ahead of where it would be (behind,
    /// if negative), as NTP or an operator does.
    pub fn set_wall_offset_millis(&self, offset: i64) {
        self.inner.wall_offset.store(offset, Ordering::SeqCst);
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClock")
            .field("now_millis", &self.now_millis())
            .field("unix_millis", &self.unix_millis())
            .finish_non_exhaustive()
    }
}

pub(crate) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// The IMF-fixdate form of an HTTP-date (RFC 9110, section 5.6.7), for instance
/// `Sun, 06 Nov 1994 08:49:37 GMT`, of a time in seconds since 1970-01-01T00:00:00Z.
///
/// The form has four digits for the year; later times are given as the end of 9999.
///
/// ```
/// assert_eq!(gatekeeper_testkit::http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
pub fn http_date(unix_seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = unix_seconds.min(LAST);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);

    // Days are counted from 1 March of year 0, so that a leap day ends its year, in eras of 400
    // years, which all have 146,097 days.
    let from_march = days + 719_468;
    let (era, of_era) = (from_march / 146_097, from_march % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);

    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[(days % 7) as usize],
        MONTHS[month as usize],
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates() {
        for (at, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(at), date);
        }
    }

    #[test]
    fn clock_saturates() {
        let clock = TestClock::manual(u64::MAX - 5);
        clock.advance(Duration::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now_millis(), u64::MAX);
        assert_eq!(clock.unix_millis(), u64::MAX);
        let clock = TestClock::manual(10);
        clock.set_wall_offset_millis(i64::MIN);
        assert_eq!(clock.unix_millis(), 0);
    }

    #[test]
    fn real_clock_runs() {
        let clock = TestClock::real();
        let handle = clock.clone();
        let before = clock.now_millis();
        handle.advance(Duration::from_secs(3_600));
        assert!(clock.now_millis() >= before + 3_600_000);
        assert!(clock.unix_millis() > 1_600_000_000_000);
    }
}
