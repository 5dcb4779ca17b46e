//! Requests as bytes, each on a connection of its own, and the whole answer; straight to the Engine, with
//! a token that grants everything, and with one that is limited.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::agent::{Agent, TOKEN};
use crate::docker::{Docker, SOCKET};
use crate::scene::Scene;
use crate::wait::PATIENCE;

/// What came back.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Told {
    pub(crate) fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Refused by the agent, in its own words.
    pub(crate) fn is_ours(&self) -> bool {
        (400..500).contains(&self.status) && self.has("\"message\":\"lookout: ")
    }
}

/// The request line and its headers, with the body's own, ended; and the body.
pub(crate) fn request(line: &str, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if !kind.is_empty() {
        bytes.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
    }
    [bytes.as_bytes(), b"\r\n", body].concat()
}

pub(crate) fn straight(bytes: &[u8]) -> Told {
    let stream = UnixStream::connect(SOCKET).expect("an Engine: run scripts/engine");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    exchange(stream, bytes)
}

/// The token goes behind the request line, which ends in one of two ways.
pub(crate) fn through(agent: &Agent, bytes: &[u8]) -> Told {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let (first, rest) = (lines.next().expect("a request line"), lines.collect::<Vec<_>>().concat());
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let stream = TcpStream::connect(agent.address()).expect("the agent accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    exchange(stream, &[first, token.as_bytes(), &rest].concat())
}

fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Told {
    // Whoever refuses a request may close before it has read it all.
    let _ = stream.write_all(bytes);
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend(buffer.iter().take(count));
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Told { status: status.unwrap_or_else(|| panic!("no answer: {text:?}")), text }
}

/// An Engine with two agents before it.
pub(crate) struct Probe {
    pub(crate) straight: Docker,
    pub(crate) scene: Scene,
    /// For whoever may do everything.
    pub(crate) free: Agent,
    /// For whoever may do all there is within the guard.
    pub(crate) bound: Agent,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self::with("view,logs,power,create,remove,exec")
    }

    pub(crate) fn with(classes: &str) -> Self {
        let straight = Docker::straight();
        let scene = Scene::new(&straight);
        let (free, bound) = (Agent::start(), Agent::with(&[("TOKEN_ALLOW", classes)]));
        Self { straight, scene, free, bound }
    }

    pub(crate) fn name(&self, what: &str) -> String {
        self.scene.name(what)
    }

    /// Makes a container straight at the Engine; its name.
    pub(crate) fn container(&self, what: &str, arguments: &[&str]) -> String {
        let name = self.name(what);
        self.straight.run(&[&["run", "-d", "--name", &name], arguments].concat()).good();
        name
    }

    /// A value of what the Engine itself says of a container; none where it knows none.
    pub(crate) fn told(&self, name: &str, pointer: &str) -> Option<Value> {
        let outcome = self.straight.run(&["container", "inspect", name]);
        let told: Value = serde_json::from_slice(&outcome.stdout).expect("JSON");
        Some(told.get(0)?.pointer(pointer).cloned().unwrap_or(Value::Null))
    }
}
