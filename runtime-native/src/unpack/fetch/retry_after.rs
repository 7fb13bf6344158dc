//! How long a busy registry wants to be left alone (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::http::{HeaderMap, header};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The pause that the `Retry-After` of an answer asks for: seconds, or the time until a date; none where it says nothing
/// that can be read.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Duration {
    let Some(value) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return Duration::ZERO;
    };
    match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(value.trim()).and_then(|then| then.duration_since(now).ok()).unwrap_or_default(),
    }
}

/// An IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn date(text: &str) -> Option<SystemTime> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok().filter(|number| *number < 61));
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let since_epoch = days.checked_sub(719_469)?;
    Some(UNIX_EPOCH + Duration::from_secs(((since_epoch * 24 + hours) * 60 + minutes) * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        // Sun, 06 Nov 1994 08:49:37 GMT
        retry_after(&headers, UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn seconds_and_dates_are_understood_and_all_else_asks_for_no_pause() {
        assert_eq!(asked("7"), Duration::from_secs(7));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Duration::from_secs(30));
        assert_eq!(asked("Tue, 29 Feb 2000 08:49:37 GMT"), Duration::from_secs((951_814_177 - 784_111_777) as u64));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:00 GMT"), Duration::ZERO);
        for nothing in ["", "soon", "-1", "1.5", "Sun, 06 Nov", "Sun, 99999999999999999999 Nov 1994 08:49:37 GMT"] {
            assert_eq!(asked(nothing), Duration::ZERO, "{nothing}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), UNIX_EPOCH), Duration::ZERO);
    }
}
