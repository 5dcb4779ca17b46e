//! How a controller lets an agent in: the upgrade and the hello, held against docs/edge-protocol.md.

use std::io::{Read, Write};
use std::net::TcpStream;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::agent::TOKEN;

/// What this controller may use of what the agent offers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing beyond requests and their answers.
    Plain,
    /// Bodies that follow, windows and upgrades, in text.
    Duplex,
    /// The same in binary messages.
    Binary,
}

impl Mode {
    pub(crate) fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Duplex => &["duplex-streams"],
            Self::Binary => &["duplex-streams", "binary-streams"],
        }
    }
}

/// Reads the request for an upgrade, holds it against the document, and grants it.
pub(crate) fn upgrade(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the agent asks for an upgrade");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("GET /api/lookout/ws HTTP/1.1\r\n"), "{head}");
    let values = |name: &str| -> Vec<&str> {
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    };
    assert_eq!(values("upgrade"), ["websocket"], "{head}");
    assert_eq!(values("sec-websocket-version"), ["13"], "{head}");
    for name in ["authorization", "cookie", "origin", "sec-websocket-protocol", "sec-websocket-extensions"] {
        assert_eq!(values(name), [""; 0], "{name} is sent: {head}");
    }
    let [key] = values("sec-websocket-key")[..] else { panic!("not one key: {head}") };
    // RFC 6455 section 4.2.2.
    let magic = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64.encode(&Sha1::digest(magic.as_bytes()));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).expect("the agent waits");
}

/// An agent that shows the token of these tests and offers what is wanted of it.
pub(crate) fn check_hello(hello: &Value, mode: Mode) {
    assert_eq!((&hello["type"], &hello["data"]["protocol"]), (&json!("hello"), &json!("lookout/1.0")));
    let hash = HEXLOWER.encode(&Sha256::digest(TOKEN));
    assert_eq!(hello["data"]["tokenHash"], json!(hash), "{hello}");
    let offered = hello["data"]["capabilities"].as_array().expect("a list");
    for name in mode.capabilities() {
        assert!(offered.contains(&json!(name)), "{name} is not offered: {hello}");
    }
}
