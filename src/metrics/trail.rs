//! What becomes of the audit trail.

use super::Page;
use super::counts::{Count, Tally};
use super::families::{
    AUDIT_CAPACITY, AUDIT_EXPORTS, AUDIT_FAILURES, AUDIT_KEPT, AUDIT_RECORDS, AUDIT_SEQUENCE, AUDIT_SINK,
};

/// What becomes of a question for the records in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exported {
    Ok,
    /// Its words are not understood.
    Invalid,
    /// Its cursor is too old, too new, or another process's.
    Older,
    Newer,
    Generation,
}

const OUTCOMES: [&str; 5] = ["ok", "invalid", "older", "newer", "generation"];

/// What is counted of the trail.
#[derive(Debug)]
pub(crate) struct Trail {
    pub(crate) records: Count,
    pub(crate) failures: Count,
    exports: Tally<{ OUTCOMES.len() }>,
}

/// What is so just now.
pub(crate) struct TrailNow {
    pub(crate) kept: usize,
    pub(crate) capacity: usize,
    pub(crate) has_sink: bool,
    pub(crate) sequence: u64,
}

impl Exported {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Invalid => "invalid",
            Self::Older => "older",
            Self::Newer => "newer",
            Self::Generation => "generation",
        }
    }
}

impl Trail {
    pub(crate) const fn new() -> Self {
        Self { records: Count::new(), failures: Count::new(), exports: Tally::new(&OUTCOMES) }
    }

    pub(crate) fn exported(&self, outcome: Exported) {
        self.exports.up(outcome.name());
    }

    pub(crate) fn write(&self, page: &mut Page, now: &TrailNow) {
        page.one(&AUDIT_RECORDS, self.records.get());
        page.one(&AUDIT_FAILURES, self.failures.get());
        page.one(&AUDIT_SEQUENCE, now.sequence);
        page.one(&AUDIT_SINK, now.has_sink);
        page.one(&AUDIT_KEPT, now.kept);
        page.one(&AUDIT_CAPACITY, now.capacity);
        let mut series = page.family(&AUDIT_EXPORTS);
        self.exports.each().for_each(|(outcome, count)| series.add(&[outcome], count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::check::Checked;

    #[test]
    fn what_becomes_of_a_trail_is_told_where_it_belongs() {
        let trail = Trail::new();
        trail.records.up();
        trail.failures.up();
        trail.failures.up();
        let all = [Exported::Ok, Exported::Invalid, Exported::Older, Exported::Newer, Exported::Generation];
        for (times, outcome) in all.into_iter().enumerate() {
            (0..=times).for_each(|_| trail.exported(outcome));
        }
        let mut page = Page::default();
        trail.write(&mut page, &TrailNow { kept: 4, capacity: 5, has_sink: true, sequence: 6 });
        let told = Checked::of(&page.finish());
        for (series, number) in [
            ("lookout_audit_records_total", 1.0),
            ("lookout_audit_failures_total", 2.0),
            ("lookout_audit_chain_sequence", 6.0),
            ("lookout_audit_sink_enabled", 1.0),
            ("lookout_audit_buffer_records", 4.0),
            ("lookout_audit_buffer_capacity", 5.0),
            ("lookout_audit_exports_total{outcome=\"ok\"}", 1.0),
            ("lookout_audit_exports_total{outcome=\"invalid\"}", 2.0),
            ("lookout_audit_exports_total{outcome=\"older\"}", 3.0),
            ("lookout_audit_exports_total{outcome=\"newer\"}", 4.0),
            ("lookout_audit_exports_total{outcome=\"generation\"}", 5.0),
        ] {
            assert_eq!(told.number(series), number, "{series}");
        }
        assert_eq!(told.names().len(), 7);
    }
}
