//! Wall clock time as the contract and the log format write it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since 1970.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as u64)
}

/// An instant in nanoseconds of CLOCK_MONOTONIC, which mean the same to the program that this process becomes.
pub fn monotonic_ns(at: Instant) -> u64 {
    let (now, now_ns) = (Instant::now(), monotonic_now_ns());
    let apart = |later: Instant, earlier| later.saturating_duration_since(earlier).as_nanos() as u64;
    now_ns.saturating_add(apart(at, now)).saturating_sub(apart(now, at))
}

/// The instant of such a number.
pub fn instant(ns: u64) -> Instant {
    let (now, now_ns) = (Instant::now(), monotonic_now_ns());
    let before = now.checked_sub(Duration::from_nanos(now_ns.saturating_sub(ns)));
    before.unwrap_or(now) + Duration::from_nanos(ns.saturating_sub(now_ns))
}

fn monotonic_now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The time in RFC 3339 with nine digits, UTC.
pub fn rfc3339(ns: u64) -> String {
    let (seconds, nanos) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days as i64);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// Days since 1970 to a date of the Gregorian calendar, counting in eras of 400 years that start on 1 March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_from_its_number() {
        let now = Instant::now();
        let far = Duration::from_secs(100 * 365 * 86_400);
        for at in [now, now + Duration::from_secs(30), now + far] {
            let again = instant(monotonic_ns(at));
            let apart = again.saturating_duration_since(at).max(at.saturating_duration_since(again));
            assert!(apart < Duration::from_secs(1), "{apart:?}");
        }
    }

    #[test]
    fn times_are_written_as_date_does() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999999999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        ];
        for (ns, text) in cases {
            assert_eq!(rfc3339(ns), text);
        }
    }
}
