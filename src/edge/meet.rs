//! From no connection to a welcome: which dialect, our hello, and what the controller says to it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use tungstenite::Message as Frame;

use super::call::Agreed;
use super::dial::{DialFailed, Dialled, Phase, dial};
use super::envelope::{self, Message, Refusal, Welcome};
use super::frames;
use super::pump::{Break, Socket};
use super::{Dialect, LOOKOUT, PORTWING, Protocol, Terms};
use crate::api::{Adapter, Agent};
use crate::auth::Shown;
use crate::clock::{self, Deadline};
use crate::docker::Line;
use crate::limits::{EDGE_DIAL_SECS, EDGE_PROBE_SECS, JSON_ANSWER_BYTES_MAX, PROBE_SECS, SKEW_WARN_SECS};
use crate::log::{self, number, text};
use crate::metrics::Obstacle;
use crate::net::Shutdown;
use crate::version::VERSION;

/// The controller's API for containers that ours is held against; only the first number counts.
const COMPATIBLE: &str = "1.4.0";

/// A controller that welcomed us.
pub(super) struct Met {
    pub(super) socket: Socket,
    pub(super) agreed: Agreed,
    pub(super) peer: IpAddr,
    pub(super) is_private: bool,
    /// How often it wants everything looked at.
    pub(super) poll: Option<Duration>,
}

/// What to make of it that there is no session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The agent ends.
    Shutdown,
    /// Nobody answered, or not like a controller.
    Unreachable,
    /// The controller said no, and may say yes.
    Refused,
    /// The same, and it said when.
    Later(u64),
    /// Another session has our name.
    Taken,
    /// Somebody must change something first.
    Hopeless,
}

/// Where it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Way(Obstacle),
    /// The controller's code and message.
    Word(String, String),
}

/// There is no session, and why.
#[derive(Debug)]
pub(super) struct NotMet {
    pub(super) why: Why,
    pub(super) cause: Cause,
    told: String,
    /// Another dialect may fare better.
    is_of_dialect: bool,
}

impl fmt::Display for NotMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

/// Meets the controller in the dialect it welcomed us in last, or in whichever it knows.
pub(super) fn meet(
    terms: &Terms,
    agent: &Agent,
    liked: &mut Option<&'static Dialect>,
    shutdown: &Shutdown,
) -> Result<Met, NotMet> {
    let (first, other) = match terms.protocol {
        Protocol::Only(dialect) => (dialect, None),
        Protocol::Auto if *liked == Some(&PORTWING) => (&PORTWING, Some(&LOOKOUT)),
        Protocol::Auto => (&LOOKOUT, Some(&PORTWING)),
    };
    let is_known = liked.is_some() || other.is_none();
    let within = if is_known { EDGE_DIAL_SECS } else { EDGE_PROBE_SECS };
    let mut meeting = Meeting { terms, agent, shutdown };
    let (dialect, outcome) = match (meeting.attempt(first, within), other) {
        (Err(not_met), Some(other)) if not_met.is_of_dialect && !shutdown.has_begun() => {
            log::debug("edge.other_dialect", &[("why", text(&not_met))]);
            (other, meeting.attempt(other, EDGE_DIAL_SECS).map_err(|second| later(not_met, second)))
        }
        (outcome, _) => (first, outcome),
    };
    if outcome.is_ok() {
        *liked = Some(dialect);
    }
    outcome
}

/// Of two failures the one that says more: a controller's own word over silence on a path.
fn later(first: NotMet, second: NotMet) -> NotMet {
    if second.is_of_dialect && first.why != Why::Unreachable { first } else { second }
}

struct Meeting<'m> {
    terms: &'m Terms,
    agent: &'m Agent,
    shutdown: &'m Shutdown,
}

impl Meeting<'_> {
    fn attempt(&mut self, dialect: &'static Dialect, within: u64) -> Result<Met, NotMet> {
        let terms = self.terms;
        let path = terms.url.path(dialect);
        log::info("edge.dialing", &[("url", text(&terms.url)), ("protocol", text(&dialect.protocol))]);
        let dialled = dial(&terms.url, &terms.way, &path, Deadline::after_secs(within));
        let Dialled { conn, early, peer, date } = dialled.map_err(|failed| NotMet::on_the_way(&failed))?;
        warn_of_skew(date);
        let broke = |error: std::io::Error| NotMet::unreachable(error.to_string());
        let mut socket = Socket::new(conn, early).map_err(broke)?;
        socket.send(self.hello(dialect)?).map_err(NotMet::before_welcome)?;
        let welcome = self.welcome(&mut socket)?;
        let offered = |name| welcome.names(name);
        let agreed = Agreed {
            binary_streams: offered("binary-streams"),
            duplex_streams: offered("duplex-streams"),
            body_base64: offered("edge-response-body-b64"),
        };
        warn_of_major(&welcome);
        log::info("edge.connected", &[("url", text(&terms.url)), ("protocol", text(&dialect.protocol))]);
        let is_private = terms.url.is_tls() || peer.ip().to_canonical().is_loopback();
        let poll = welcome.poll_interval.map(Duration::from_secs);
        Ok(Met { socket, agreed, peer: peer.ip(), is_private, poll })
    }

    fn hello(&self, dialect: &Dialect) -> Result<String, NotMet> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| NotMet::unreachable(error.to_string()))?;
        let about = &self.agent.about;
        let is_drydock = about.adapter == Adapter::Drydock;
        let mut capabilities =
            vec!["exec", "metrics", "events", "edge-response-body-b64", "binary-streams", "duplex-streams"];
        if self.agent.compose.is_on() {
            capabilities.push("compose");
        }
        if is_drydock {
            capabilities.extend(["dd:container-sync", "dd:logs"]);
        }
        let hello = Hello {
            version: VERSION,
            protocol: dialect.protocol,
            agent_id: about.id.as_deref().unwrap_or_default(),
            agent_name: &about.name,
            hostname: &about.hostname,
            docker_version: docker_version(self.agent),
            capabilities,
            drydock_compat: is_drydock.then_some(COMPATIBLE),
            watcher_types: if is_drydock { vec!["docker"] } else { Vec::new() },
            shown: self.terms.proof.show(dialect.path, clock::unix().as_secs(), nonce),
        };
        Ok(frames::envelope("hello", &hello))
    }

    /// Waits for the one message that lets us in, or does not.
    fn welcome(&self, socket: &mut Socket) -> Result<Welcome, NotMet> {
        let deadline = Deadline::after(self.terms.welcome_within);
        loop {
            socket.flush().map_err(NotMet::before_welcome)?;
            match socket.read().map_err(NotMet::before_welcome)? {
                Some(Frame::Text(message)) => return judge(message.as_str()),
                Some(Frame::Binary(message)) => return judge(&String::from_utf8_lossy(&message)),
                // The WebSocket's own signs of life.
                Some(Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_)) => continue,
                None => {}
            }
            if deadline.passed() {
                let secs = self.terms.welcome_within.as_secs();
                let told = format!("the controller did not welcome us within {secs} seconds");
                return Err(NotMet { cause: Cause::Way(Obstacle::NoWelcome), ..NotMet::unreachable(told) });
            }
            socket.wait(self.shutdown, deadline).map_err(NotMet::before_welcome)?;
        }
    }
}

fn judge(message: &str) -> Result<Welcome, NotMet> {
    match envelope::read(message) {
        Ok(Message::Welcome(welcome)) => Ok(welcome),
        Ok(Message::Error(refusal)) => Err(NotMet::refused(&refusal)),
        Ok(_) | Err(_) => {
            let told = "the controller said something else than welcome first";
            Err(NotMet { cause: Cause::Way(Obstacle::NoWelcome), ..NotMet::unreachable(told.to_owned()) })
        }
    }
}

/// Our first words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hello<'h> {
    version: &'h str,
    protocol: &'h str,
    agent_id: &'h str,
    agent_name: &'h str,
    hostname: &'h str,
    docker_version: String,
    capabilities: Vec<&'h str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drydock_compat: Option<&'h str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    watcher_types: Vec<&'h str>,
    #[serde(flatten)]
    shown: Shown,
}

/// The Engine's version, if it tells soon: nobody is kept waiting for it.
fn docker_version(agent: &Agent) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Told {
        version: String,
    }
    let within = Deadline::after_secs(PROBE_SECS);
    let told = agent.docker.document(&mut Line::default(), "/version", JSON_ANSWER_BYTES_MAX, within);
    let told = told.ok().and_then(|(_, told)| serde_json::from_slice(&told).ok());
    told.map_or_else(|| "unknown".to_owned(), |told: Told| told.version)
}

/// A clock that is off makes signatures worthless, and the controller's answer tells.
fn warn_of_skew(date: Option<u64>) {
    let skew = date.map(|there| there.abs_diff(clock::unix().as_secs()));
    if let Some(skew) = skew.filter(|skew| *skew > SKEW_WARN_SECS) {
        log::warn("edge.clock_skew", &[("seconds", number(skew))]);
    }
}

fn warn_of_major(welcome: &Welcome) {
    let Some(theirs) = welcome.config.get("serverCompatLevel").and_then(|level| level.as_str()) else {
        return;
    };
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    if major(theirs) != major(COMPATIBLE) {
        log::warn("edge.other_major", &[("ours", text(&COMPATIBLE)), ("theirs", text(&theirs))]);
    }
}

impl NotMet {
    fn unreachable(told: String) -> Self {
        let cause = Cause::Way(Obstacle::Closed);
        Self { why: Why::Unreachable, cause, told, is_of_dialect: false }
    }

    fn on_the_way(failed: &DialFailed) -> Self {
        let told = failed.to_string();
        let (why, obstacle, is_of_dialect) = match failed {
            DialFailed::Resolve(..) => (Why::Unreachable, Obstacle::Resolve, false),
            DialFailed::Connect(..) => (Why::Unreachable, Obstacle::Connect, false),
            DialFailed::Closed(_) => (Why::Unreachable, Obstacle::Closed, false),
            DialFailed::Proxy(..) => (Why::Unreachable, Obstacle::Proxy, false),
            DialFailed::Tls(_) => (Why::Unreachable, Obstacle::Tls, false),
            DialFailed::Late(phase) => (Why::Unreachable, Obstacle::Late, *phase == Phase::Upgrade),
            DialFailed::NoWebSocket(_) => (Why::Refused, Obstacle::NoWebSocket, true),
            DialFailed::Refused(answered) => match (answered.status.0, answered.retry_after) {
                (429 | 503, Some(secs)) => (Why::Later(secs), Obstacle::Status, false),
                (429 | 500..=599, _) => (Why::Refused, Obstacle::Status, false),
                _ => (Why::Refused, Obstacle::Status, true),
            },
        };
        Self { why, cause: Cause::Way(obstacle), told, is_of_dialect }
    }

    fn before_welcome(why: Break) -> Self {
        match why {
            Break::Shutdown => Self { why: Why::Shutdown, ..Self::unreachable(String::new()) },
            Break::Closed(said) if said.is_empty() => {
                Self::unreachable("the controller closed the connection before it welcomed us".to_owned())
            }
            Break::Closed(said) => Self::unreachable(format!(
                "the controller closed the connection before it welcomed us: {said}"
            )),
            Break::Silent | Break::Stalled => Self::unreachable("the controller takes nothing".to_owned()),
            Break::Failed(why) => Self::unreachable(why),
        }
    }

    /// What the controller's word means.
    fn refused(refusal: &Refusal) -> Self {
        let Refusal { code, message, .. } = refusal;
        let remedy = match code.as_str() {
            "unknown-key" => ": enter this agent's key there (lookout doctor shows it)",
            "bad-signature" => ": the key entered there is another, or EDGE_PROTOCOL is",
            "ed25519-required" | "no-auth" => ": it takes no tokens, so set PRIVATE_KEY_FILE",
            "protocol-mismatch" => ": it speaks another dialect, see EDGE_PROTOCOL",
            "invalid-agent-name" => ": set another AGENT_NAME or AGENT_ID",
            "agent-name-claimed" => ": the name belongs to another key there; set another AGENT_NAME",
            "timestamp-skew" => ": set this host's clock, or the controller's",
            "agent-already-connected" => {
                ": another session has this name, or the last one has not ended there"
            }
            _ => "",
        };
        let why = match code.as_str() {
            "ed25519-required" | "unknown-key" | "bad-signature" | "protocol-mismatch" | "no-auth"
            | "invalid-agent-name" | "parse-error" | "expected-hello" | "agent-name-claimed" => Why::Hopeless,
            "agent-already-connected" => Why::Taken,
            _ => Why::Refused,
        };
        let told = format!("the controller refuses this agent: {code:?} ({message}){remedy}");
        let cause = Cause::Word(code.clone(), message.clone());
        Self { why, cause, told, is_of_dialect: code == "protocol-mismatch" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> NotMet {
        NotMet::refused(&Refusal { code: code.to_owned(), ..Refusal::default() })
    }

    #[test]
    fn codes_that_only_somebody_can_mend_are_told_from_those_that_pass() {
        for code in [
            "ed25519-required",
            "unknown-key",
            "bad-signature",
            "protocol-mismatch",
            "no-auth",
            "invalid-agent-name",
            "parse-error",
            "expected-hello",
            "agent-name-claimed",
        ] {
            assert_eq!(refused(code).why, Why::Hopeless, "{code}");
        }
        for code in [
            "timestamp-skew",
            "bad-nonce",
            "replay",
            "internal-error",
            "rate-limited",
            "registry-full",
            "new",
            "",
        ] {
            assert_eq!(refused(code).why, Why::Refused, "{code}");
        }
        assert_eq!(refused("agent-already-connected").why, Why::Taken);
    }

    #[test]
    fn only_what_a_path_or_a_protocol_explains_leads_to_the_other_dialect() {
        assert!(refused("protocol-mismatch").is_of_dialect && !refused("unknown-key").is_of_dialect);
        assert!(NotMet::on_the_way(&DialFailed::Late(Phase::Upgrade)).is_of_dialect);
        assert!(!NotMet::on_the_way(&DialFailed::Late(Phase::Connect)).is_of_dialect);
        let answered = |status, retry_after| {
            let answered = super::super::upgrade::Answered {
                status: crate::http::Status(status),
                retry_after,
                date: None,
            };
            NotMet::on_the_way(&DialFailed::Refused(answered))
        };
        assert!(answered(404, None).is_of_dialect && !answered(502, None).is_of_dialect);
        assert_eq!(answered(503, Some(7)).why, Why::Later(7));
        assert_eq!(answered(429, None).why, Why::Refused);
    }

    #[test]
    fn a_welcome_is_read_as_far_as_it_makes_sense() {
        for (data, secs) in [
            (r#"{"pollInterval":60}"#, Some(60)),
            (r#"{"pollInterval":"60"}"#, Some(60)),
            (r#"{"pollInterval":0}"#, None),
            (r#"{"pollInterval":-1}"#, None),
            (r#"{"pollInterval":[]}"#, None),
            ("[]", None),
            ("null", None),
            ("{}", None),
        ] {
            let welcome = judge(&format!(r#"{{"type":"welcome","data":{data}}}"#)).unwrap();
            assert_eq!(welcome.poll_interval, secs, "{data}");
        }
        assert!(judge(r#"{"type":"welcome"}"#).is_ok());
        assert!(judge(r#"{"type":"pong"}"#).is_err() && judge("hello").is_err());
    }
}
