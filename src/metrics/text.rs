//! A page of metrics: the text format 0.0.4 of Prometheus.
//!
//! A family's lines stand together, behind one HELP and one TYPE; a series stands there once; a
//! number is a number. What would break one of these is left out, for the sake of the rest.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::counts::Spread;
use super::families::{Family, Kind};
use crate::limits::LABEL_BYTES_MAX;

/// What the page is called where it is sent.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that grows family by family.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    begun: HashSet<&'static str>,
}

/// The series of one family, until the next one begins.
pub(crate) struct Series<'p> {
    page: &'p mut Page,
    family: &'static Family,
    has_begun: bool,
    told: HashSet<String>,
}

/// A number as it was counted, which is how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Real(f64),
    /// In seconds, to the last digit.
    Time(Duration),
}

impl Page {
    /// A family whose heading comes with its first series; without one there is nothing of it.
    pub(crate) fn family(&mut self, family: &'static Family) -> Series<'_> {
        Series { page: self, family, has_begun: false, told: HashSet::new() }
    }

    /// A family of one series without labels.
    pub(crate) fn one(&mut self, family: &'static Family, number: impl Into<Number>) {
        self.family(family).add(&[], number);
    }

    pub(super) fn histogram(&mut self, family: &'static Family, spread: &Spread) {
        if family.kind != Kind::Histogram || !self.begin(family) {
            return;
        }
        let (name, count) = (family.name, spread.count);
        for (bound, most) in spread.steps.iter().copied().chain([("+Inf", count)]) {
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {most}"));
        }
        self.line(format_args!("{name}_sum {}", Number::Time(spread.sum)));
        self.line(format_args!("{name}_count {count}"));
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// False where the family was there before.
    fn begin(&mut self, family: &'static Family) -> bool {
        if !self.begun.insert(family.name) {
            return false;
        }
        self.line(format_args!("# HELP {} {}", family.name, family.meaning));
        self.line(format_args!("# TYPE {} {}", family.name, family.kind.as_str()));
        true
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

impl Series<'_> {
    /// A series by the values of the family's labels, in their order.
    pub(crate) fn add(&mut self, values: &[&str], number: impl Into<Number>) {
        let number = number.into();
        let labels = labels(self.family.labels, values);
        let is_fit = values.len() == self.family.labels.len() && number.fits(self.family.kind);
        if !is_fit || self.told.contains(&labels) {
            return;
        }
        self.has_begun = self.has_begun || self.page.begin(self.family);
        if self.has_begun {
            self.page.line(format_args!("{}{labels} {number}", self.family.name));
            self.told.insert(labels);
        }
    }
}

fn labels(names: &[&str], values: &[&str]) -> String {
    let mut text = String::new();
    for (name, value) in names.iter().zip(values) {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// Cut at its limit, and marked as cut.
fn escape(value: &str, into: &mut String) {
    let mut left = LABEL_BYTES_MAX;
    for c in value.chars() {
        if left < c.len_utf8() {
            into.push('…');
            return;
        }
        left = left.saturating_sub(c.len_utf8());
        match c {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            c => into.push(c),
        }
    }
}

impl Number {
    fn fits(self, kind: Kind) -> bool {
        match (self, kind) {
            (_, Kind::Histogram) => false,
            (Self::Whole(_) | Self::Time(_), Kind::Counter | Kind::Gauge) => true,
            (Self::Real(real), Kind::Counter) => real.is_finite() && real >= 0.0,
            (Self::Real(real), Kind::Gauge) => real.is_finite(),
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Number {
    fn from(is_so: bool) -> Self {
        Self::Whole(u64::from(is_so))
    }
}

impl From<Duration> for Number {
    fn from(span: Duration) -> Self {
        Self::Time(span)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl fmt::Display for Number {
    /// The fewest digits that mean this number, with an exponent where there would be many zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Real(real) if *real == 0.0 => f.write_str("0"),
            Self::Real(real) if (1e-4..1e21).contains(&real.abs()) => write!(f, "{real}"),
            Self::Real(real) => write!(f, "{real:e}"),
            Self::Time(span) => {
                let digits = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
                f.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::families::{
        BUILD_INFO, CONTAINER_CPU, CONTAINERS, HOST_CPU, PANICS, REQUEST_TIMES, UPTIME,
    };

    fn page(write: impl Fn(&mut Page)) -> String {
        let mut page = Page::default();
        write(&mut page);
        page.finish()
    }

    #[test]
    fn a_family_has_one_heading_and_each_series_once() {
        let text = page(|page| {
            let mut states = page.family(&CONTAINERS);
            states.add(&["running"], 2_u64);
            states.add(&["running"], 3_u64);
            states.add(&["exited"], 0_u64);
            page.one(&PANICS, 1_u64);
            page.one(&CONTAINERS, 7_u64);
            page.family(&CONTAINERS).add(&["dead"], 9_u64);
            page.one(&PANICS, 2_u64);
        });
        assert_eq!(
            text,
            "# HELP lookout_containers Containers of the Engine\n# TYPE lookout_containers gauge\n\
             lookout_containers{state=\"running\"} 2\nlookout_containers{state=\"exited\"} 0\n\
             # HELP lookout_panics_total Threads that ended by a fault of the agent's\n\
             # TYPE lookout_panics_total counter\nlookout_panics_total 1\n"
        );
    }

    #[test]
    fn what_is_no_number_or_lacks_a_label_is_not_there() {
        for real in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(page(|page| page.one(&HOST_CPU, real)), "");
        }
        for real in [-0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(page(|page| page.family(&CONTAINER_CPU).add(&["id", "name", "image"], real)), "");
        }
        assert_eq!(page(|page| page.one(&BUILD_INFO, 1_u64)), "");
        assert_eq!(page(|page| page.family(&BUILD_INFO).add(&["1", "2"], 1_u64)), "");
        assert_eq!(page(|page| page.one(&REQUEST_TIMES, 1_u64)), "");
        assert_eq!(page(|page| drop(page.family(&BUILD_INFO))), "");
    }

    #[test]
    fn a_label_holds_anything() {
        for (value, written) in [
            ("", ""),
            ("a\"b\\c\nd", "a\\\"b\\\\c\\nd"),
            ("\\n", "\\\\n"),
            ("} 1\n# TYPE x", "} 1\\n# TYPE x"),
            ("größe {},=", "größe {},="),
        ] {
            let text = page(|page| page.family(&BUILD_INFO).add(&[value], 1_u64));
            assert!(text.ends_with(&format!("\nlookout_build_info{{version=\"{written}\"}} 1\n")), "{text}");
        }
    }

    #[test]
    fn a_long_label_is_cut_and_marked() {
        let cut = |value: &str| {
            let mut text = String::new();
            escape(value, &mut text);
            text
        };
        assert_eq!(cut(&"x".repeat(LABEL_BYTES_MAX)), "x".repeat(LABEL_BYTES_MAX));
        assert_eq!(cut(&"é".repeat(LABEL_BYTES_MAX)), "é".repeat(LABEL_BYTES_MAX / 2) + "…");
    }

    #[test]
    fn numbers_are_written_in_the_fewest_digits() {
        for (number, written) in [
            (Number::Whole(u64::MAX), "18446744073709551615"),
            (Number::Real(0.0), "0"),
            (Number::Real(-0.0), "0"),
            (Number::Real(1.0), "1"),
            (Number::Real(0.1), "0.1"),
            (Number::Real(12.345), "12.345"),
            (Number::Real(1e-4), "0.0001"),
            (Number::Real(1e-7), "1e-7"),
            (Number::Real(123_456_789_012.0), "123456789012"),
            (Number::Real(-2.5e30), "-2.5e30"),
            (Number::Time(Duration::ZERO), "0"),
            (Number::Time(Duration::from_secs(1_795_183_460)), "1795183460"),
            (Number::Time(Duration::from_nanos(1_565_334_850)), "1.56533485"),
            (Number::Time(Duration::from_nanos(7)), "0.000000007"),
        ] {
            assert_eq!(number.to_string(), written);
            let Number::Real(real) = number else { continue };
            assert!((written.parse::<f64>().unwrap() - real).abs() <= 0.0);
        }
    }

    #[test]
    fn uptime_is_written_as_it_is() {
        assert!(
            page(|page| page.one(&UPTIME, Duration::from_millis(1500)))
                .ends_with("\nlookout_uptime_seconds 1.5\n")
        );
    }
}
