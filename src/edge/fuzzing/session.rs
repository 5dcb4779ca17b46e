//! The door to a whole session: what a controller says goes the way it goes from the socket on, with the threads
//! that answer it, up to an Engine that is never there.
#![expect(clippy::panic, reason = "a panic is a finding")]
#![expect(clippy::indexing_slicing, reason = "a member that is not there is null")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;

use super::super::call::Agreed;
use super::super::outbox::{Frame, Gone, Outbox};
use super::super::pump::{Socket, pump};
use super::super::session::{House, Places, Session};
use crate::api::Adapter;
use crate::api::fuzzing::{agent, gate};
use crate::clock::Deadline;
use crate::limits::EDGE_MESSAGE_OUT_MAX;
use crate::net::{Conn, Shutdown};
use crate::threads::Crew;

/// Everything that a session set in motion ends with it, within this time.
const RELEASED_WITHIN_SECS: u64 = 4;
/// How long a line that waits waits for answers, and how many may.
const ANSWERED_WITHIN: Duration = Duration::from_millis(10);
const WAITS_MAX: usize = 4;

/// The first byte says what was agreed on, with which adapter, and what the rest is: bytes of the WebSocket, or a
/// line for each message. One that begins with 1 is binary; `=` waits for what is under way.
pub(crate) fn session(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else { return };
    let house = house(if how & 8 == 0 { Adapter::Generic } else { Adapter::Drydock });
    let agreed =
        Agreed { binary_streams: how & 1 != 0, duplex_streams: how & 2 != 0, body_base64: how & 4 != 0 };
    let outbox = Arc::new(Outbox::new().unwrap_or_else(|why| panic!("{why}")));
    let peer = (IpAddr::V4(Ipv4Addr::LOCALHOST), true);
    let session = Arc::new(Session::new(Arc::clone(house), outbox, agreed, peer));
    if how & 16 == 0 {
        said(&session, rest)
    } else {
        pumped(&session, rest)
    }
    session.end();
    let is_idle = house.places.wait_idle(Deadline::after_secs(RELEASED_WITHIN_SECS));
    assert!(is_idle, "what a session set in motion ends with it");
    for (name, pool) in house.places.pools() {
        assert_eq!(pool.taken(), 0, "{name} are given back");
    }
}

fn house(adapter: Adapter) -> &'static Arc<House> {
    static HOUSES: [OnceLock<Arc<House>>; 2] = [OnceLock::new(), OnceLock::new()];
    let [generic, drydock] = &HOUSES;
    let house = if adapter == Adapter::Generic { generic } else { drydock };
    house.get_or_init(|| {
        Arc::new(House {
            agent: agent(adapter),
            controller: "wss://controller.test".to_owned(),
            gate: gate(),
            crew: Crew::new("edge"),
            places: Places::new(),
        })
    })
}

/// Off a socket whose other end says this and then nothing more.
fn pumped(session: &Arc<Session>, bytes: &[u8]) {
    let pipe = UnixStream::pair().and_then(|(ours, theirs)| {
        theirs.shutdown(std::net::Shutdown::Write)?;
        let socket = Socket::new(Conn::of_unix(ours)?, bytes.to_vec())?;
        Ok((socket, theirs, Shutdown::new()?))
    });
    let (socket, _theirs, shutdown) = pipe.unwrap_or_else(|why| panic!("{why}"));
    let _ = pump(socket, session, &shutdown, Duration::from_secs(3600));
}

/// Message by message, each answer held against what was said before it.
fn said(session: &Arc<Session>, lines: &[u8]) {
    let (mut heard, mut waits) = (Heard::default(), 0_usize);
    for line in lines.split(|&byte| byte == b'\n') {
        let obeyed = match line {
            b"=" => {
                waits = waits.saturating_add(1);
                if waits <= WAITS_MAX {
                    session.house.places.wait_idle(Deadline::after(ANSWERED_WITHIN));
                }
                Ok(())
            }
            [1, message @ ..] => session.receive_binary(message),
            text => {
                let Ok(text) = std::str::from_utf8(text) else { continue };
                heard.hear(text);
                session.receive(text)
            }
        };
        while let Some(frame) = session.outbox.take() {
            heard.hold(&frame);
        }
        if let Err(Gone) = obeyed {
            return;
        }
    }
}

/// What a controller asked for by name, and what it was answered.
#[derive(Default)]
struct Heard {
    names: BTreeSet<String>,
    channels: BTreeSet<u64>,
    /// How often each name was asked for, and how often it was answered for good.
    asked: BTreeMap<String, usize>,
    answered: BTreeMap<String, usize>,
}

impl Heard {
    /// Whatever reads like a message asks; that may be more than what is answered.
    fn hear(&mut self, text: &str) {
        // Of members of one name this reader takes the last, and ours refuses.
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        let Some(data) = message.get("data") else { return };
        for name in ["requestId", "execId"] {
            if let Some(name) = data.get(name).and_then(Value::as_str) {
                self.names.insert(name.to_owned());
                let count = self.asked.entry(name.to_owned()).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.channels.extend(data.get("channel").and_then(Value::as_u64));
    }

    fn hold(&mut self, frame: &Frame) {
        assert!(frame.len() <= EDGE_MESSAGE_OUT_MAX, "a controller takes every message");
        match frame {
            Frame::Binary(bytes) => {
                let channel = bytes.first_chunk().map(|channel| u32::from_be_bytes(*channel).into());
                assert!(
                    channel.is_some_and(|channel| self.channels.contains(&channel)),
                    "a channel was named"
                );
            }
            Frame::Text(text) => {
                let told = serde_json::from_str::<Value>(text).unwrap_or_else(|why| panic!("{why}: {text}"));
                let kind = told["type"].as_str().unwrap_or_else(|| panic!("a message has a type: {text}"));
                assert!(told.get("data").is_some(), "a message has data: {text}");
                self.answer(kind, &told["data"], text);
            }
        }
    }

    fn answer(&mut self, kind: &str, data: &Value, text: &str) {
        let name = data.get("requestId").or_else(|| data.get("execId")).and_then(Value::as_str);
        let Some(name) = name.filter(|_| kind != "pong") else { return };
        // Whoever forgets the name of a stream of logs is told so under none.
        let is_known = self.names.contains(name) || name.is_empty() && kind == "dd:container_log_error";
        assert!(is_known, "whoever is answered has asked: {text}");
        let is_head = kind == "response" || kind == "error" || kind == "exec_end";
        if is_head {
            let answered = self.answered.entry(name.to_owned()).or_default();
            *answered = answered.saturating_add(1);
            let asked = self.asked.get(name).copied().unwrap_or(0);
            assert!(*answered <= asked, "one request has one answer: {text}");
        }
    }
}
