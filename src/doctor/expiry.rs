//! How long a certificate is still good.

use std::time::Duration;

use super::row::Row;
use crate::auth::validity;
use crate::clock;

const NAME: &str = "certificate";
const DAY_SECS: i64 = 86_400;
/// Warned about when less is left: time enough for whoever renews by hand, and later than those who
/// have it renewed by a program, a month before.
const DAYS_ADVISED: i64 = 14;

/// What there is to say of a certificate at a second since 1970.
pub(super) fn row(certificate: &[u8], now: u64) -> Row {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let Ok([from, to]) = validity(certificate) else {
        return Row::warn(NAME, "its dates cannot be read", "have it made anew as X.509, version 3");
    };
    let left = to.saturating_sub(now);
    let days = left.checked_div(DAY_SECS).unwrap_or(0);
    let until = date(to);
    if now < from {
        let what = format!("not valid before {}", date(from));
        return Row::fail(NAME, what, "wait, or set the clock of this machine");
    }
    if left < 0 {
        let what = format!("expired on {until}");
        return Row::fail(NAME, what, "renew it, or set the clock of this machine");
    }
    let what = format!("valid for {days} more days, until {until}");
    if days < DAYS_ADVISED { Row::warn(NAME, what, "renew it") } else { Row::ok(NAME, what) }
}

fn date(unix: i64) -> String {
    let text = clock::rfc3339(Duration::from_secs(u64::try_from(unix).unwrap_or(0)));
    text.get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::self_signed::{Name, Usage, self_signed};
    use crate::doctor::row::Outcome;
    use crate::secret::Secret;

    #[test]
    fn what_is_left_is_told_in_days() {
        let name = Name { common_name: "x".to_owned(), dns: vec![], ips: vec![] };
        let day = 86_400;
        let made = self_signed(&Secret::new([1; 32]), &name, 10 * day, 100 * day, Usage::Server).unwrap();
        for (now, outcome, what) in [
            (10 * day, Outcome::Ok, "valid for 90 more days, until 1970-04-11"),
            (86 * day, Outcome::Ok, "valid for 14 more days, until 1970-04-11"),
            (86 * day + 1, Outcome::Warn, "valid for 13 more days, until 1970-04-11"),
            (100 * day, Outcome::Warn, "valid for 0 more days, until 1970-04-11"),
            (100 * day + 1, Outcome::Fail, "expired on 1970-04-11"),
            (10 * day - 1, Outcome::Fail, "not valid before 1970-01-11"),
        ] {
            let row = row(&made, now);
            assert_eq!((row.outcome, row.what.as_str()), (outcome, what));
        }
        assert_eq!(row(b"no certificate", 0).outcome, Outcome::Warn);
    }
}
