//! The link to a controller in numbers: how often it was made, why it was not, and what went over it.

use super::counts::{Count, Tally};
use super::families::{
    EDGE_BYTES, EDGE_CONNECTED, EDGE_FAILURES, EDGE_MALFORMED, EDGE_MESSAGES, EDGE_SESSIONS, EDGE_STALLS,
};
use super::text::Page;

/// Why an attempt did not end in a welcome: how far it came, or the code with which the controller
/// refused it. A controller invents no further ones; the last is for what none of these is.
const FAILURES: [&str; 26] = [
    "resolve",
    "connect",
    "proxy",
    "tls",
    "late",
    "status",
    "no-websocket",
    "closed",
    "no-welcome",
    "ed25519-required",
    "unknown-key",
    "bad-signature",
    "protocol-mismatch",
    "no-auth",
    "invalid-agent-name",
    "parse-error",
    "expected-hello",
    "agent-name-claimed",
    "agent-already-connected",
    "timestamp-skew",
    "bad-nonce",
    "replay",
    "internal-error",
    "rate-limited",
    "registry-full",
    "other",
];

/// How far an attempt to reach the controller came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No name led to an address.
    Resolve,
    /// No address took the connection.
    Connect,
    /// The proxy did not lead on.
    Proxy,
    /// TLS was not agreed on.
    Tls,
    /// A step before the upgrade was answered took too long.
    Late,
    /// The upgrade was answered with another status.
    Status,
    /// The upgrade was answered as no WebSocket is.
    NoWebSocket,
    /// The connection ended before it was answered.
    Closed,
    /// What came first was no welcome, or none came in time.
    NoWelcome,
}

/// What is counted of the link. Nothing waits for anybody.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sessions: Count,
    pub(crate) malformed: Count,
    pub(crate) stalls: Count,
    pub(crate) received: Flow,
    pub(crate) sent: Flow,
    failures: Tally<{ FAILURES.len() }>,
}

/// What went one way.
#[derive(Debug)]
pub(crate) struct Flow {
    messages: Count,
    bytes: Count,
}

impl Obstacle {
    fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Late => "late",
            Self::Status => "status",
            Self::NoWebSocket => "no-websocket",
            Self::Closed => "closed",
            Self::NoWelcome => "no-welcome",
        }
    }
}

impl Link {
    pub(crate) const fn new() -> Self {
        Self {
            sessions: Count::new(),
            malformed: Count::new(),
            stalls: Count::new(),
            received: Flow::new(),
            sent: Flow::new(),
            failures: Tally::new(&FAILURES),
        }
    }

    /// An attempt came no further.
    pub(crate) fn failed(&self, at: Obstacle) {
        self.failures.up(at.name());
    }

    /// The controller refused the agent, with this code.
    pub(crate) fn rejected(&self, code: &str) {
        self.failures.up(code);
    }

    pub(crate) fn write(&self, page: &mut Page, is_connected: bool) {
        page.one(&EDGE_CONNECTED, is_connected);
        page.one(&EDGE_SESSIONS, self.sessions.get());
        let mut series = page.family(&EDGE_FAILURES);
        self.failures.each().for_each(|(reason, count)| series.add(&[reason], count));
        page.one(&EDGE_MALFORMED, self.malformed.get());
        page.one(&EDGE_STALLS, self.stalls.get());
        for (family, count) in [
            (&EDGE_MESSAGES, (|flow| &flow.messages) as fn(&Flow) -> &Count),
            (&EDGE_BYTES, |flow| &flow.bytes),
        ] {
            let mut series = page.family(family);
            for (direction, flow) in [("received", &self.received), ("sent", &self.sent)] {
                series.add(&[direction], count(flow).get());
            }
        }
    }
}

impl Flow {
    const fn new() -> Self {
        Self { messages: Count::new(), bytes: Count::new() }
    }

    /// One message of so many bytes.
    pub(crate) fn add(&self, bytes: usize) {
        self.messages.up();
        self.bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::check::Checked;

    fn told(link: &Link, is_connected: bool) -> Checked {
        let mut page = Page::default();
        link.write(&mut page, is_connected);
        Checked::of(&page.finish())
    }

    #[test]
    fn a_link_is_told_before_anything_happened_to_it() {
        let told = told(&Link::new(), false);
        assert_eq!(told.names().len(), 7);
        assert_eq!(told.family("lookout_edge_connect_failures_total").len(), FAILURES.len());
        for name in told.names().iter().flat_map(|name| told.family(name)) {
            assert_eq!(told.number(name), 0.0, "{name}");
        }
    }

    #[test]
    fn what_happens_to_a_link_is_counted_where_it_belongs() {
        let link = Link::new();
        link.sessions.up();
        link.malformed.up();
        link.stalls.up();
        for bytes in [0, 5, 7] {
            link.sent.add(bytes);
        }
        link.received.add(3);
        link.failed(Obstacle::Tls);
        link.rejected("unknown-key");
        let told = told(&link, true);
        for (series, number) in [
            ("lookout_edge_connected", 1.0),
            ("lookout_edge_sessions_total", 1.0),
            ("lookout_edge_malformed_messages_total", 1.0),
            ("lookout_edge_stalls_total", 1.0),
            ("lookout_edge_messages_total{direction=\"received\"}", 1.0),
            ("lookout_edge_messages_total{direction=\"sent\"}", 3.0),
            ("lookout_edge_bytes_total{direction=\"received\"}", 3.0),
            ("lookout_edge_bytes_total{direction=\"sent\"}", 12.0),
            ("lookout_edge_connect_failures_total{reason=\"tls\"}", 1.0),
            ("lookout_edge_connect_failures_total{reason=\"unknown-key\"}", 1.0),
            ("lookout_edge_connect_failures_total{reason=\"other\"}", 0.0),
        ] {
            assert_eq!(told.number(series), number, "{series}");
        }
    }

    #[test]
    fn every_obstacle_has_a_series_of_its_own() {
        let next = |at: &Obstacle| match at {
            Obstacle::Resolve => Some(Obstacle::Connect),
            Obstacle::Connect => Some(Obstacle::Proxy),
            Obstacle::Proxy => Some(Obstacle::Tls),
            Obstacle::Tls => Some(Obstacle::Late),
            Obstacle::Late => Some(Obstacle::Status),
            Obstacle::Status => Some(Obstacle::NoWebSocket),
            Obstacle::NoWebSocket => Some(Obstacle::Closed),
            Obstacle::Closed => Some(Obstacle::NoWelcome),
            Obstacle::NoWelcome => None,
        };
        let names = std::iter::successors(Some(Obstacle::Resolve), next).map(Obstacle::name);
        assert!(names.eq(FAILURES[..9].iter().copied()));
    }

    #[test]
    fn a_controller_makes_no_series() {
        let link = Link::new();
        for number in 0..100 {
            link.rejected(&format!("code-{number}"));
        }
        link.rejected("x\"} 1\nlookout_edge_connected 7");
        let told = told(&link, false);
        assert_eq!(told.number("lookout_edge_connect_failures_total{reason=\"other\"}"), 101.0);
        assert_eq!(told.family("lookout_edge_connect_failures_total").len(), FAILURES.len());
    }
}
