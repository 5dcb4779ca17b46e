//! Instants as RFC 3339 writes them, read to the nanosecond.

use std::time::Duration;

use super::rfc3339;

/// The time since 1970 that a text in UTC, or with its distance from UTC, names. What lies below a
/// nanosecond is dropped; what was before 1970, and what no calendar or clock shows, is nothing.
pub(crate) fn read_rfc3339(text: &str) -> Option<Duration> {
    let (there, rest) = text.split_at_checked("2026-12-31T00:00:00".len())?;
    let (date, time) = there.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let local = days(year, month, day)?.checked_mul(86_400)?.checked_add(of_day)?;
    // A 30th of February or an hour 25 would be written otherwise.
    let is_real = rfc3339(Duration::from_secs(local)).strip_prefix(there).is_some();
    let (nanos, zone) = fraction(rest)?;
    let seconds = from_utc(zone, local).filter(|_| is_real)?;
    Some(Duration::new(seconds, nanos))
}

/// Nanoseconds of the digits behind a point; those beyond the ninth are dropped.
pub(crate) fn nanos(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok().filter(|_| is_number)
}

/// Three numbers, the last two of two digits.
fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(digits);
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Days since 1970: the era arithmetic of the proleptic Gregorian calendar, in which a year begins
/// in March so that the leap day comes last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let march_month = month.checked_add(9)?.checked_rem(12)?;
    let of_year = march_month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leaps = (year / 4).checked_add(year / 400)?.checked_sub(year / 100)?;
    let before = year.checked_mul(365)?.checked_add(leaps)?.checked_add(of_year)?.checked_add(day)?;
    before.checked_sub(719_469)
}

/// Nanoseconds, and what stands behind them; a time need not have any.
fn fraction(rest: &str) -> Option<(u32, &str)> {
    let Some(digits) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let zone = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    Some((nanos(digits.strip_suffix(zone)?)?, zone))
}

/// The same instant in UTC.
fn from_utc(zone: &str, local: u64) -> Option<u64> {
    if zone == "Z" {
        return Some(local);
    }
    let (sign, distance) = zone.split_at_checked(1)?;
    let (hours, minutes) =
        distance.split_once(':').filter(|parts| (parts.0.len(), parts.1.len()) == (2, 2))?;
    let (hours, minutes) = (digits(hours).filter(|h| *h < 24)?, digits(minutes).filter(|m| *m < 60)?);
    let distance = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?;
    match sign {
        "+" => local.checked_sub(distance),
        "-" => local.checked_add(distance),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2000-02-29T00:00:00Z", 951_782_400, 0),
            ("2024-02-29T23:59:59Z", 1_709_251_199, 0),
            ("2025-08-21T10:02:03.120Z", 1_755_770_523, 120_000_000),
            ("2025-08-21T12:02:03.999999999+02:00", 1_755_770_523, 999_999_999),
            ("2025-08-21T00:02:03-10:00", 1_755_770_523, 0),
            ("2025-08-21T10:02:03.000000001Z", 1_755_770_523, 1),
            ("2025-08-21T10:02:03.0000000019Z", 1_755_770_523, 1),
            ("2100-03-01T00:00:00Z", 4_107_542_400, 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
        ] {
            assert_eq!(read_rfc3339(text), Some(Duration::new(seconds, nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for step in 0..20_000_u64 {
            let seconds = step * 12_670_115 % 253_402_300_800;
            let text = rfc3339(Duration::from_secs(seconds));
            assert_eq!(read_rfc3339(&text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_no_calendar_or_clock_shows_is_nothing() {
        for text in [
            "",
            "never",
            "2026-12-31",
            "2026-12-31T00:00:00",
            "2026-12-31 00:00:00Z",
            "2026-12-31t00:00:00Z",
            "2026-12-31T00:00:00z",
            "2026-12-31T00:00Z",
            "2026-12-31T00:00:00ZZ",
            "2026-12-31T00:00:00 Z",
            "2026-12-31T00:00:00.Z",
            "2026-12-31T00:00:00,5Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T23:60:00Z",
            "2026-12-31T23:59:60Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-12-00T00:00:00Z",
            "2026-12-32T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "-026-12-31T00:00:00Z",
            "+026-12-31T00:00:00Z",
            "2026-+2-31T00:00:00Z",
            "20261-2-31T00:00:00Z",
            "2026-12-31T0:000:00Z",
            "2026-12-31T00:00:00+24:00",
            "2026-12-31T00:00:00+01:60",
            "2026-12-31T00:00:00+0100",
            "2026-12-31T00:00:00+1:000",
            "2026-12-31T00:00:00\u{b1}01:0",
            "2026-12-31T00:00:0\u{e9}Z",
        ] {
            assert_eq!(read_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn digits_behind_a_point_are_nanoseconds() {
        for (digits, value) in [("5", 500_000_000), ("000000001", 1), ("1234567899", 123_456_789), ("0", 0)] {
            assert_eq!(nanos(digits), Some(value));
        }
        for digits in ["", "+5", "5a", "-1", "\u{663}"] {
            assert_eq!(nanos(digits), None, "{digits}");
        }
    }
}
