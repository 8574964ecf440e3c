//! `Retry-After` (RFC 9110 section 10.2.3) and the dates of HTTP (section 5.6.7).

use crate::time::UnixTime;
use core::fmt;
use core::time::Duration;

/// How long a `Retry-After` value asks to wait, counted from `now`. `None` if it is not one.
///
/// A number of seconds needs no clock. A date does: `now` is best the `Date` of the same answer, which makes the wait
/// right whatever the local clock shows. A date that has passed asks for no wait. Capping is a matter of policy and
/// comes later.
pub fn parse(value: &[u8], now: Option<UnixTime>) -> Option<Duration> {
    let value = value.trim_ascii();
    if value.first()?.is_ascii_digit() {
        let mut seconds: u64 = 0;
        for &b in value {
            if !b.is_ascii_digit() {
                return None;
            }
            seconds = seconds.saturating_mul(10).saturating_add(u64::from(b - b'0'));
        }
        return Some(Duration::from_secs(seconds));
    }
    let now = now?;
    Some(date(value, now)?.saturating_since(now))
}

/// The text of a `Date` header, read when somebody wants to know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate<'a>(&'a [u8]);

impl<'a> HttpDate<'a> {
    /// The value of a `Date` header, whatever it is.
    pub const fn new(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The time it stands for; see [`date`] for `now`. `None` if it is no HTTP date.
    pub fn time(&self, now: UnixTime) -> Option<UnixTime> {
        date(self.0, now)
    }
}

impl fmt::Debug for HttpDate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.time(UnixTime::default()).fmt(f)
    }
}

/// An HTTP date in any of its three forms. `now` decides the century of the form that has only two digits for the
/// year: more than 50 years ahead means the past.
///
/// Let through beside the grammar: a day of one digit, `UTC` for `GMT`, and a weekday that does not fit the date.
pub fn date(value: &[u8], now: UnixTime) -> Option<UnixTime> {
    let text = core::str::from_utf8(value.trim_ascii()).ok()?;
    let (weekday, rest) = text.split_at_checked(text.find([',', ' '])?)?;
    let (year, month, day, time) = if let Some(rest) = rest.strip_prefix(", ") {
        let rest = rest.strip_suffix(" GMT").or_else(|| rest.strip_suffix(" UTC"))?;
        let (date, time) = rest.rsplit_once(' ')?;
        if let Some((day, rest)) = date.split_once(' ') {
            // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
            let (month, year) = rest.split_once(' ')?;
            is_one_of(weekday, &WEEKDAYS, 3)?;
            (number(year, 4, 4)?, month, number(day, 1, 2)?, time)
        } else {
            // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            is_one_of(weekday, &WEEKDAYS, usize::MAX)?;
            (century(number(year, 2, 2)?, now), month, number(day, 2, 2)?, time)
        }
    } else {
        // asctime: Sun Nov  6 08:49:37 1994
        is_one_of(weekday, &WEEKDAYS, 3)?;
        let (month, rest) = rest.strip_prefix(' ')?.split_at_checked(3)?;
        let (day, rest) = rest.strip_prefix(' ')?.split_at_checked(2)?;
        let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
        (number(year, 4, 4)?, month, number(day.strip_prefix(' ').unwrap_or(day), 1, 2)?, time)
    };
    let month = is_one_of(month, &MONTHS, 3)?;
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute, second) = (number(hour, 2, 2)?, number(minute, 2, 2)?, number(second, 2, 2)?);
    // A leap second is legal and reads as the first second of the next minute.
    if hour > 23 || minute > 59 || second > 60 || year < 1970 {
        return None;
    }
    let seconds = days_since_epoch(year, month, day)?.checked_mul(86_400)?;
    Some(UnixTime::from_secs(seconds + hour * 3600 + minute * 60 + second))
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The place of `text` among `names`, each cut to `len`.
fn is_one_of(text: &str, names: &[&str], len: usize) -> Option<u64> {
    names.iter().position(|name| name.get(..len).unwrap_or(name) == text).map(|i| i as u64)
}

fn number(text: &str, min: usize, max: usize) -> Option<u64> {
    let good = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if good { text.bytes().try_fold(0, |n: u64, b| Some(n * 10 + u64::from(b - b'0'))) } else { None }
}

/// Gregorian days from 1970-01-01; `month` counts from 0. `None` for a day its month does not have.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |y: u64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?;
    if day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477;
    Some((year - 1970) * 365 + leap_days + lengths.iter().take(month).sum::<u64>() + day - 1)
}

/// The year with these last two digits that is at most 50 years ahead of `now` (RFC 9110 section 5.6.7).
fn century(two_digits: u64, now: UnixTime) -> u64 {
    let this_year = year_of(now);
    let year = this_year - this_year % 100 + two_digits;
    if year > this_year + 50 { year - 100 } else { year }
}

/// The year in which `t` lies, exact at the turn of the year.
fn year_of(t: UnixTime) -> u64 {
    // Beyond the year 9999 no date has a form, and the walk below stays short.
    let days = (t.as_secs() / 86_400).min(2_932_896);
    let mut year = 1970 + days / 366;
    while days_since_epoch(year + 1, 0, 1).is_some_and(|first| first <= days) {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_a_calendar_walked_day_by_day() {
        let lengths = |y: u64| {
            [
                31,
                if y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ]
        };
        let mut days = 0;
        for year in 1970..2405 {
            for (m, len) in lengths(year).into_iter().enumerate() {
                for day in [1, len] {
                    let text = format!("Mon, {day:02} {} {year} 00:00:00 GMT", MONTHS[m]);
                    let want = UnixTime::from_secs((days + day - 1) * 86_400);
                    assert_eq!(date(text.as_bytes(), UnixTime::from_secs(0)), Some(want), "{text}");
                }
                days += len;
            }
            let last = UnixTime::from_secs(days * 86_400 - 1);
            assert_eq!((year_of(last), year_of(UnixTime::from_secs(days * 86_400))), (year, year + 1));
        }
    }

    #[test]
    fn the_century_follows_the_clock() {
        let now = |y: u64| UnixTime::from_secs(days_since_epoch(y, 5, 15).unwrap() * 86_400);
        assert_eq!(century(94, now(2019)), 1994);
        assert_eq!(century(69, now(2019)), 2069);
        assert_eq!(century(70, now(2019)), 1970);
        assert_eq!(century(1, now(2099)), 2001);
    }

    #[test]
    fn extreme_clocks_do_no_harm() {
        let end = UnixTime::from_millis(u64::MAX);
        assert_eq!(
            parse(b"Sunday, 06-Nov-94 08:49:37 GMT", Some(UnixTime::from_secs(0))),
            Some(Duration::from_secs(784_111_777))
        );
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT", Some(end)), Some(Duration::ZERO));
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT", None), None);
        assert_eq!(parse(b"5", None), Some(Duration::from_secs(5)));
    }
}
