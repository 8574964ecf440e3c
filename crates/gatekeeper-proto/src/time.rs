//! The two clocks, as plain numbers the driver supplies.
//!
//! The core never reads a clock. A driver hands in [`Now`] with every call that needs the time: always a monotonic
//! [`Instant`], and a [`UnixTime`] where it has one it trusts. The two are different types and cannot be turned into
//! each other, because only the monotonic one may be compared with a timeout and only the other one with a date.
//!
//! On systems whose monotonic clock stands still during suspend (Linux `CLOCK_MONOTONIC`), supply the wall clock as
//! well: a token is expired as soon as either clock says so.

use core::time::Duration;

/// A point on the driver's monotonic clock, in milliseconds since an origin of the driver's choosing.
///
/// All arithmetic saturates, so no clock value can make the core panic or wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

/// A point on the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnixTime(u64);

/// What time it is: one reading of each clock, taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Now {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock, where there is one that has been set.
    pub wall: Option<UnixTime>,
}

/// A point in time on both clocks. It has passed when either says so: the monotonic clock may have stood still during
/// a suspend, and the wall clock may have been set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Deadline {
    instant: Instant,
    wall: UnixTime,
}

impl Deadline {
    /// So long after `begin`, on the clocks that `begin` has.
    pub const fn new(begin: Now, wait: Duration) -> Self {
        let wall = match begin.wall {
            Some(wall) => wall.saturating_add(wait),
            None => UnixTime(u64::MAX),
        };
        Self { instant: begin.instant.saturating_add(wait), wall }
    }

    /// Whether either clock has reached it.
    #[inline]
    pub fn has_passed(&self, now: Now) -> bool {
        now.instant >= self.instant || now.wall.is_some_and(|wall| wall >= self.wall)
    }

    /// The instant at which it will have passed if both clocks go on as they do now.
    pub fn instant_seen_from(&self, now: Now) -> Instant {
        let by_wall = now.wall.map_or(Instant::FAR_FUTURE, |wall| {
            now.instant.saturating_add(Duration::from_millis(self.wall.0.saturating_sub(wall.0)))
        });
        self.instant.min(by_wall)
    }
}

impl Instant {
    /// The origin of the clock.
    pub const ORIGIN: Self = Self(0);
    /// The end of time: later than any instant a clock will show.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `ms` milliseconds after the origin.
    #[inline]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the origin.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant moved later by `d`, or the end of time.
    #[inline]
    pub const fn saturating_add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// How long ago `earlier` was, or zero if it is in the future.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl UnixTime {
    /// The time `s` seconds after the epoch.
    #[inline]
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// The time `ms` milliseconds after the epoch.
    #[inline]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Whole seconds since the epoch.
    #[inline]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds since the epoch.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time moved later by `d`, or the end of time.
    #[inline]
    pub const fn saturating_add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// How long before this `earlier` was, or zero if it is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Now {
    /// A reading of the monotonic clock alone.
    #[inline]
    pub const fn monotonic(instant: Instant) -> Self {
        Self { instant, wall: None }
    }

    /// A reading of both clocks.
    #[inline]
    pub const fn new(instant: Instant, wall: UnixTime) -> Self {
        Self { instant, wall: Some(wall) }
    }
}

/// Whole milliseconds in `d`, saturating.
#[inline]
pub(crate) const fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1000).saturating_add(d.subsec_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = Instant::FAR_FUTURE;
        assert_eq!(end.saturating_add(Duration::from_secs(1)), end);
        assert_eq!(Instant::ORIGIN.saturating_add(Duration::MAX), end);
        assert_eq!(Instant::ORIGIN.saturating_since(end), Duration::ZERO);
        assert_eq!(UnixTime::from_secs(u64::MAX).saturating_add(Duration::MAX).as_millis(), u64::MAX);
        assert_eq!(UnixTime::from_millis(1999).as_secs(), 1);
    }

    #[test]
    fn durations_below_a_millisecond_are_dropped() {
        assert_eq!(millis(Duration::from_micros(1999)), 1);
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
