//! Numbers for machines: what the agent counts, and how all of it is written.

mod containers;
mod counts;
pub(crate) mod families;
mod link;
mod requests;
mod statistics;
mod text;
mod trail;

#[cfg(test)]
pub(crate) mod check;
#[cfg(test)]
mod specimens;

pub(crate) use containers::{Measured, write_measured, write_states};
pub(crate) use counts::Count;
pub(crate) use link::{Link, Obstacle};
pub(crate) use requests::Flight;
pub(crate) use statistics::{Statistics, Unmeasured};
pub(crate) use text::{CONTENT_TYPE, Number, Page};
pub(crate) use trail::{Exported, Trail, TrailNow};

use std::time::Duration;

use counts::Tally;
use families::{
    AUTH_FAILURES, BUILD_INFO, PANICS, PERMITS_IN_USE, PERMITS_LIMIT, RATE_LIMITED, RELOAD_FAILURES,
    SCRAPE_CONTAINERS, SCRAPE_TIME, UPTIME,
};
use requests::Requests;

/// Why credentials are not accepted, spelled as in the reason header and the log.
pub(crate) const REASONS: [&str; 12] = [
    "no_credentials",
    "signature_required",
    "bad_token",
    "timestamp-skew",
    "replay",
    "unknown-key",
    "invalid-signature",
    "expired",
    "ended",
    "busy",
    "body",
    "other",
];
/// The reason that is no failure of the credential's, and has a family of its own.
pub(crate) const THROTTLED: &str = "rate_limited";

/// Everything that is counted where it happens. One for the agent's life, lent to whoever counts.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) requests: Requests,
    denied: Tally<{ REASONS.len() }>,
    throttled: Count,
    pub(crate) reload_failures: Count,
}

/// What others know at the time of a scrape.
pub(crate) struct Now<'n> {
    pub(crate) version: &'n str,
    pub(crate) uptime: Duration,
    pub(crate) panics: u64,
    pub(crate) pools: &'n [Pool],
}

/// Places of one kind.
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    pub(crate) taken: usize,
    pub(crate) max: usize,
}

/// What became of the running containers on a page.
#[derive(Default)]
pub(crate) struct Scrape {
    pub(crate) measured: usize,
    pub(crate) failed: usize,
    /// More of them than are asked for.
    pub(crate) omitted: usize,
}

impl Registry {
    pub(crate) const fn new() -> Self {
        Self {
            requests: Requests::new(),
            denied: Tally::new(&REASONS),
            throttled: Count::new(),
            reload_failures: Count::new(),
        }
    }

    /// A caller was turned away, for the reason that the reason header and the log say.
    pub(crate) fn denied(&self, reason: &str) {
        if reason == THROTTLED { self.throttled.up() } else { self.denied.up(reason) }
    }

    /// Everything that is counted, and what is so just now.
    pub(crate) fn write(&self, page: &mut Page, now: &Now<'_>) {
        page.family(&BUILD_INFO).add(&[now.version], 1_u64);
        page.one(&UPTIME, now.uptime);
        self.requests.write(page);
        let mut series = page.family(&AUTH_FAILURES);
        self.denied.each().for_each(|(reason, count)| series.add(&[reason], count));
        page.one(&RATE_LIMITED, self.throttled.get());
        for (family, number) in
            [(&PERMITS_IN_USE, (|pool| pool.taken) as fn(&Pool) -> usize), (&PERMITS_LIMIT, |pool| pool.max)]
        {
            let mut series = page.family(family);
            now.pools.iter().for_each(|pool| series.add(&[pool.name], number(pool)));
        }
        page.one(&PANICS, now.panics);
        page.one(&RELOAD_FAILURES, self.reload_failures.get());
    }
}

impl Scrape {
    pub(crate) fn write(&self, page: &mut Page) {
        let mut series = page.family(&SCRAPE_CONTAINERS);
        for (outcome, count) in
            [("measured", self.measured), ("failed", self.failed), ("omitted", self.omitted)]
        {
            series.add(&[outcome], count);
        }
    }
}

/// How long it took to gather a page, which is the last that can be said of it.
pub(crate) fn write_took(page: &mut Page, took: Duration) {
    page.one(&SCRAPE_TIME, took);
}

#[cfg(test)]
mod tests;
