//! The only reader of time.

mod instant;

pub(crate) use instant::{nanos, read_rfc3339};

use std::time::{Duration, Instant, SystemTime};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this is the Clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970, for records that people read.
#[expect(clippy::disallowed_methods, reason = "this is the Clock")]
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// When something must be over; `never` for what may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn after(span: Duration) -> Self {
        Self(now().checked_add(span))
    }

    pub(crate) fn after_secs(secs: u64) -> Self {
        Self::after(Duration::from_secs(secs))
    }

    /// Whichever of the two comes first.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(one.min(two))),
            (one, two) => Self(one.or(two)),
        }
    }

    /// What is left, `None` for ever.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(now()))
    }

    pub(crate) fn passed(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}

/// `2026-08-21T10:02:03.120Z` for a time since 1970.
pub(crate) fn rfc3339(since_1970: Duration) -> String {
    let mut text = rfc3339_secs(since_1970);
    text.pop();
    text.push('.');
    push_digits(&mut text, since_1970.subsec_millis().into(), 3);
    text.push('Z');
    text
}

/// The same in whole seconds.
pub(crate) fn rfc3339_secs(since_1970: Duration) -> String {
    let secs = since_1970.as_secs();
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let parts = [(month, '-'), (day, '-'), (hour, 'T'), (minute, ':'), (second, ':')];
    let mut text = String::with_capacity(32);
    push_digits(&mut text, year, 4);
    for (number, before) in parts {
        text.push(before);
        push_digits(&mut text, number, 2);
    }
    text.push('Z');
    text
}

/// A number with leading zeros. Every record and every line of the log has some, and `format!` takes ten times as long.
pub(crate) fn push_digits(text: &mut String, number: u64, least: usize) {
    let digits = number.to_string();
    for _ in digits.len()..least {
        text.push('0');
    }
    text.push_str(&digits);
}

/// Days since 1970 as year, month, day: the era arithmetic of the proleptic Gregorian calendar,
/// in which a year begins in March so that the leap day comes last.
#[expect(clippy::arithmetic_side_effects, reason = "days of a 64-bit second count stay far below overflow")]
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deadline, rfc3339};

    #[test]
    fn dates_are_written_as_people_read_them() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_755_770_523_120, "2025-08-21T10:02:03.120Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_800_007, "10000-01-01T00:00:00.007Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_deadline_passes_and_never_does_not() {
        assert!(Deadline::after(Duration::ZERO).passed());
        assert!(!Deadline::after_secs(60).passed());
        assert!(!Deadline::NEVER.passed());
        assert_eq!(Deadline::NEVER.left(), None);
    }
}
