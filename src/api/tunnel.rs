//! The link to the controller in edge mode: how it is, what is counted of it, and what is streamed over it.

use crate::limits::LOG_VALUE_BYTES_MAX;
use crate::metrics::{Link, Obstacle, Page};
use crate::shared::Shared;

/// How the link is. One for the agent's life, whichever connection carries it.
pub(crate) struct Tunnel {
    standing: Shared<Standing>,
    counts: Link,
}

/// Whether there is a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The first connection is still to be made.
    New,
    Connected,
    /// There is none, for this reason; also while it is being made anew.
    Apart(String),
}

impl Tunnel {
    pub(crate) const fn new() -> Self {
        Self { standing: Shared::new(Standing::New), counts: Link::new() }
    }

    /// The controller has welcomed the agent.
    pub(crate) fn connected(&self) {
        self.counts.sessions.up();
        self.stand(Standing::Connected);
    }

    /// A link that was there ended.
    pub(crate) fn lost(&self, why: String) {
        self.stand(apart(why));
    }

    /// An attempt to make one came no further.
    pub(crate) fn failed(&self, at: Obstacle, why: String) {
        self.counts.failed(at);
        self.stand(apart(why));
    }

    /// The controller refused the agent, in its own words.
    pub(crate) fn rejected(&self, code: &str, message: &str) {
        self.counts.rejected(code);
        self.stand(apart(format!("the controller refuses this agent: {code}: {message}")));
    }

    /// A message of the controller's could not be read.
    pub(crate) fn malformed(&self) {
        self.counts.malformed.up();
    }

    /// The controller took nothing for too long, for which the connection is ended.
    pub(crate) fn stalled(&self) {
        self.counts.stalls.up();
    }

    /// A message of so many bytes came.
    pub(crate) fn received(&self, bytes: usize) {
        self.counts.received.add(bytes);
    }

    /// A message of so many bytes went out.
    pub(crate) fn sent(&self, bytes: usize) {
        self.counts.sent.add(bytes);
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.with(|standing| standing.clone())
    }

    pub(super) fn write(&self, page: &mut Page) {
        self.counts.write(page, self.standing() == Standing::Connected);
    }

    fn stand(&self, now: Standing) {
        self.standing.with(|standing| *standing = now);
    }
}

/// A reason is shown to whoever asks for health, and may be anybody's words: cut where it is long.
fn apart(mut why: String) -> Standing {
    if why.len() > LOG_VALUE_BYTES_MAX {
        why.truncate(why.floor_char_boundary(LOG_VALUE_BYTES_MAX));
        why.push('…');
    }
    Standing::Apart(why)
}

/// Whether a controller takes the answer to a request for this path in pieces. It knows that from the
/// path alone, so that a refusal is streamed like anything else.
pub(crate) fn streams(path: &str) -> bool {
    const ENDS: [&str; 6] = ["/logs", "/attach", "/events", "/build", "/images/create", "/images/push"];
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    ENDS.iter().any(|end| path.ends_with(end)) || path.contains("/exec/") && path.ends_with("/start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Page;

    fn reason(tunnel: &Tunnel) -> Option<String> {
        match tunnel.standing() {
            Standing::Apart(why) => Some(why),
            Standing::New | Standing::Connected => None,
        }
    }

    #[test]
    fn a_link_has_the_reason_of_its_last_end_until_it_is_made_again() {
        let tunnel = Tunnel::new();
        assert_eq!(tunnel.standing(), Standing::New);
        tunnel.failed(Obstacle::Connect, "nobody listens".to_owned());
        assert_eq!(reason(&tunnel).as_deref(), Some("nobody listens"));
        tunnel.rejected("unknown-key", "add the key");
        let refused = "the controller refuses this agent: unknown-key: add the key";
        assert_eq!(reason(&tunnel).as_deref(), Some(refused));
        tunnel.connected();
        assert_eq!(tunnel.standing(), Standing::Connected);
        tunnel.lost("the controller went away".to_owned());
        assert_eq!(reason(&tunnel).as_deref(), Some("the controller went away"));
    }

    #[test]
    fn whatever_the_controller_says_a_reason_stays_short() {
        let tunnel = Tunnel::new();
        tunnel.rejected("replay", &"é".repeat(LOG_VALUE_BYTES_MAX));
        let why = reason(&tunnel).unwrap();
        assert!(why.ends_with('…') && why.len() <= LOG_VALUE_BYTES_MAX + '…'.len_utf8(), "{}", why.len());
        tunnel.lost("x".repeat(LOG_VALUE_BYTES_MAX));
        assert_eq!(reason(&tunnel).unwrap().len(), LOG_VALUE_BYTES_MAX);
    }

    #[test]
    fn what_happens_is_on_the_page() {
        let tunnel = Tunnel::new();
        tunnel.connected();
        tunnel.lost(String::new());
        tunnel.connected();
        tunnel.malformed();
        tunnel.stalled();
        tunnel.received(2);
        tunnel.sent(40);
        tunnel.rejected("replay", "");
        tunnel.failed(Obstacle::Resolve, String::new());
        let mut page = Page::default();
        tunnel.write(&mut page);
        let page = page.finish();
        for line in [
            "lookout_edge_connected 0",
            "lookout_edge_sessions_total 2",
            "lookout_edge_malformed_messages_total 1",
            "lookout_edge_stalls_total 1",
            "lookout_edge_messages_total{direction=\"received\"} 1",
            "lookout_edge_bytes_total{direction=\"received\"} 2",
            "lookout_edge_bytes_total{direction=\"sent\"} 40",
            "lookout_edge_connect_failures_total{reason=\"replay\"} 1",
            "lookout_edge_connect_failures_total{reason=\"resolve\"} 1",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
    }

    #[test]
    fn the_path_alone_says_what_is_streamed() {
        for path in [
            "/containers/x/logs",
            "/v1.41/containers/x/logs?follow=1&tail=10",
            "/services/x/logs",
            "/containers/x/attach?stream=1",
            "/events",
            "/v1.45/events?since=1",
            "/api/events",
            "/build",
            "/build?t=a/b",
            "/images/create?fromImage=redis&tag=7",
            "/v1.41/images/create",
            "/images/push",
            "/exec/x/start",
            "/v1.41/exec/x/start?",
            "/api/containers/x/logs?frames=true",
        ] {
            assert!(streams(path), "{path}");
        }
        for path in [
            "",
            "/",
            "?/logs",
            "/containers/json",
            "/containers/json?x=/logs",
            "/containers/x/logs/",
            "/containers/x/start",
            "/containers/x/start?a=/exec/",
            "/exec/x/json",
            "/exec/x/resize",
            "/containers/x/attach/ws",
            "/containers/x/export",
            "/images/redis/push",
            "/images/load",
            "/containers/x/LOGS",
            "/containers/x/stats",
            "/session",
        ] {
            assert!(!streams(path), "{path}");
        }
    }
}
