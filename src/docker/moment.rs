//! Since and until: the three ways to say when, turned into the one the Engine takes.

use std::fmt;
use std::time::Duration;

use crate::clock;
use crate::limits::MOMENT_BYTES_MAX;

/// The last second of the year 9999. Beyond it the Engine's own sums overflow, and it tells every
/// line there is.
const LAST_SECOND: u64 = 253_402_300_799;

/// A time since 1970, written as the Engine reads it: seconds, and nanoseconds behind a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// Reads Unix seconds (`1700000000`, `1700000000.25`), an RFC 3339 time
    /// (`2026-08-21T10:02:03Z`), or how long before `now` (`90s`, `1h30m`).
    pub(crate) fn read(text: &str, now: Duration) -> Result<Self, BadMoment> {
        if text.len() > MOMENT_BYTES_MAX {
            return Err(BadMoment);
        }
        // Every other form has a letter in it.
        let since_1970 = if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            unix(text)
        } else if text.contains(['T', ':']) {
            clock::read_rfc3339(text)
        } else {
            // What is longer ago than 1970 is no bound at all, as 0 is.
            span(text).map(|span| now.saturating_sub(span))
        };
        since_1970.filter(|time| time.as_secs() <= LAST_SECOND).map(Self).ok_or(BadMoment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_nanos() {
            0 => write!(f, "{}", self.0.as_secs()),
            nanos => write!(f, "{}.{nanos:09}", self.0.as_secs()),
        }
    }
}

/// A text that says no time in any of the three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadMoment;

impl fmt::Display for BadMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither unix seconds, nor an RFC 3339 time, nor a duration such as 1h30m")
    }
}

impl std::error::Error for BadMoment {}

fn unix(text: &str) -> Option<Duration> {
    let (seconds, nanos) = match text.split_once('.') {
        Some((seconds, digits)) => (seconds, clock::nanos(digits)?),
        None => (text, 0),
    };
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

/// A duration as Go writes it: numbers, each with its unit, and perhaps a fraction.
fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at_checked(unit_at)?;
        let next = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(next)?;
        sum = sum.checked_add(amount(number, unit_nanos(unit)?)?)?;
        rest = behind;
    }
    Some(sum)
}

/// `number` of something that takes so many nanoseconds. Digits beyond the ninth behind its point are
/// dropped, and what lies below a nanosecond.
fn amount(number: &str, unit: u64) -> Option<Duration> {
    let (whole, digits) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && digits.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let billionths = if digits.is_empty() { 0 } else { u128::from(clock::nanos(digits)?) };
    let part = billionths.checked_mul(u128::from(unit))?.checked_div(1_000_000_000)?;
    let total = u128::from(whole).checked_mul(u128::from(unit))?.checked_add(part)?;
    Some(Duration::from_nanos(u64::try_from(total).ok()?))
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The sign of micro, and the Greek letter that looks the same.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::new(1_700_000_000, 500_000_000);

    fn read(text: &str) -> Result<String, BadMoment> {
        Moment::read(text, NOW).map(|moment| moment.to_string())
    }

    #[test]
    fn each_way_to_say_when_becomes_what_the_engine_takes() {
        for (text, taken) in [
            ("0", "0"),
            ("1700000000", "1700000000"),
            ("1700000000.25", "1700000000.250000000"),
            ("1700000000.000000001", "1700000000.000000001"),
            ("1700000000.0000000019", "1700000000.000000001"),
            ("1700000000.0", "1700000000"),
            ("007", "7"),
            ("253402300799.999999999", "253402300799.999999999"),
            ("2023-11-14T22:13:20Z", "1700000000"),
            ("2023-11-14T23:13:20.5+01:00", "1700000000.500000000"),
            ("0.5s", "1700000000"),
            (".5s", "1700000000"),
            ("1.s", "1699999999.500000000"),
            ("10s", "1699999990.500000000"),
            ("1h30m", "1699994600.500000000"),
            ("1h0m0.5s", "1699996400"),
            ("1.5h", "1699994600.500000000"),
            ("100ms", "1700000000.400000000"),
            ("1us1\u{b5}s1\u{3bc}s1ns", "1700000000.499996999"),
            ("24h24h", "1699827200.500000000"),
            ("0s", "1700000000.500000000"),
            ("0h", "1700000000.500000000"),
            // Longer ago than 1970.
            ("1000000h", "0"),
            ("0.0000000001h", "1700000000.500000000"),
        ] {
            assert_eq!(read(text), Ok(taken.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_says_no_time_is_refused() {
        for text in [
            "",
            " ",
            ".",
            "1.2.3",
            "1700000000.",
            ".5",
            "-1",
            "+1",
            "1e9",
            "all",
            "yesterday",
            "h",
            "1d",
            "1h30",
            "30m1",
            "-1h",
            "+1h",
            "1h 30m",
            "1H",
            "..5s",
            "1.5.5s",
            ".s",
            "1h&follow=1",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "1700000000&follow=1",
            "99999999999999999999",
            "253402300800",
            "99999999999999999999h",
            "5124096h",
            "\u{663}s",
        ] {
            assert_eq!(read(text), Err(BadMoment), "{text}");
        }
        assert_eq!(read(&format!("1{}", "0".repeat(MOMENT_BYTES_MAX))), Err(BadMoment));
    }

    #[test]
    fn the_refusal_names_the_three_ways() {
        let sentence = BadMoment.to_string();
        for way in ["unix", "RFC 3339", "1h30m"] {
            assert!(sentence.contains(way));
        }
    }
}
