//! Times and durations for people.

use std::time::Duration;

/// `400 ms`, `3.5 s`, `12 s`, `5 min`, `3 h 20 min`, `2 d 1 h`
pub(crate) fn human(d: Duration) -> String {
    let seconds = d.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 if d.as_millis() == 0 => "less than 1 ms".to_owned(),
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0 if d.as_millis() == 0 => "less than 1 ms".to_owned(),
        0 => format!("{} ms", d.as_millis()),
        1..10 => format!("{:.1} s", d.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => two(seconds / 60, "min", seconds % 60, "s"),
        7200..172_800 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A time as `2026-11-22T08:48:01Z`, from seconds since 1970. Days become a date as in Howard Hinnant's "chrono-
/// Compatible Low-Level Date Algorithms": years begin in March, eras have 400 years.
pub(crate) fn utc(unix: u64) -> String {
    let (days, second) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, want) in [
            (0, "less than 1 ms"),
            (350, "350 ms"),
            (3_520, "3.5 s"),
            (9_960, "10.0 s"),
            (12_900, "12 s"),
            (300_000, "5 min"),
            (302_000, "5 min 2 s"),
            (3_600_000, "60 min"),
            (86_399_000, "23 h 59 min"),
            (176_400_000, "2 d 1 h"),
        ] {
            assert_eq!(human(Duration::from_millis(millis)), want);
        }
    }

    #[test]
    fn dates() {
        for (unix, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_300_819_380, "2011-03-22T18:43:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
            (253_402_300_800, "10000-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(unix), want);
        }
        // No claim of a token's makes this panic.
        utc(u64::MAX);
    }
}
