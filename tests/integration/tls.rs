//! TLS on both sides: one agent speaks it to another, which stands in front of the Engine.
//!
//! The one in front asks as a Docker client would, and checks the certificate; the one behind
//! answers as it would any client. The certificate and its key serve no other purpose.
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::agent::{Agent, TOKEN, free_port, request, request_with};
use crate::engine::{Engine, Home};
use crate::message::Length;

const CERT: &str = include_str!("specimens/cert.pem");
const KEY: &str = include_str!("specimens/key.pem");

/// A certificate where Docker's clients look for one.
pub(crate) struct Files {
    folder: Home,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = Home::new();
        for (name, text) in [("ca.pem", CERT), ("server.pem", CERT), ("server-key.pem", KEY)] {
            fs::write(folder.path(name), text).unwrap();
            fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).to_str().unwrap().to_owned()
    }
}

/// An agent that speaks TLS and asks nobody for a credential.
pub(crate) fn behind(engine: &Engine, files: &Files) -> Agent {
    Agent::start_alone(&[
        ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
        ("TLS_CERT", &files.path("server.pem")),
        ("TLS_KEY", &files.path("server-key.pem")),
        ("ALLOW_UNAUTHENTICATED", "true"),
        ("LOOKOUT_ENV", "Development"),
    ])
}

/// An agent whose Engine is at this port, behind TLS.
fn in_front(port: u16, files: &Files) -> Agent {
    let (engine, certificates) = (format!("tcp://127.0.0.1:{port}"), files.path(""));
    Agent::start_alone(&[
        ("TOKEN", TOKEN),
        ("DOCKER_HOST", &engine),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", &certificates),
    ])
}

#[test]
fn requests_and_bodies_pass_through_tls_unchanged() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", message.body.len());
            visit.send(head);
            visit.send(&message.body);
        }
    });
    let files = Files::new();
    let server = behind(&engine, &files);
    let agent = in_front(server.port(), &files);
    let mut client = agent.client();
    for size in [0, 1, 70_000, 5_000_000] {
        let body: String = (0..size).map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap())).collect();
        let answer = client.ask(request_with("POST /build", "", &body));
        assert_eq!((answer.status(), answer.text() == body), (200, true), "{size}");
    }
}

#[test]
fn an_upgraded_stream_flows_through_tls_and_ends_on_each_side() {
    let engine = Engine::start(|visit| {
        if visit.head().is_some() {
            visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello ");
            assert_eq!(visit.take(5), b"input");
            visit.until_left();
            visit.send("output");
        }
    });
    let files = Files::new();
    let server = behind(&engine, &files);
    let agent = in_front(server.port(), &files);
    let mut client = agent.client();
    client.send(request("POST /exec/a/start", "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.take(6), b"hello ");
    client.send("input");
    client.finish_sending();
    // Only the end of our input lets the Engine say this.
    assert_eq!(client.take(6), b"output");
    client.expect_end();
}

#[test]
fn a_client_that_leaves_is_noticed_through_tls() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
            visit.until_left();
        }
    });
    let files = Files::new();
    let server = behind(&engine, &files);
    let agent = in_front(server.port(), &files);
    let mut client = agent.client();
    client.send(request("GET /events", ""));
    assert_eq!(client.head().length(), Length::Chunked);
    assert_eq!(client.chunk(), b"{}");
    drop(client);
    engine.wait("the Engine's side has ended", |visits| visits.iter().all(|visit| visit.ended).then_some(()));
}

#[test]
fn an_engine_whose_certificate_is_not_trusted_is_not_spoken_to() {
    let engine = Engine::obliging();
    let (files, others) = (Files::new(), Files::new());
    let server = behind(&engine, &files);
    let other = include_str!("specimens/other.pem");
    fs::write(others.folder.path("ca.pem"), other).unwrap();
    let agent = in_front(server.port(), &others);
    let answer = agent.ask(request("GET /containers/json", ""));
    assert_eq!(answer.status(), 502);
    answer.sentence();
    assert!(engine.settle().is_empty(), "not one byte reached the Engine");
}

#[test]
fn each_kind_of_port_says_what_it_is_not() {
    let engine = Engine::obliging();
    let files = Files::new();
    let (encrypted, plain) = (behind(&engine, &files), Agent::start(&engine));
    let mut client = encrypted.client();
    client.send(request("GET /health", ""));
    client.wire().head().expect_err("no HTTP answer to HTTP on a TLS port");
    let mut client = plain.client();
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    let answer = client.answer();
    assert_eq!(answer.status(), 400);
    assert!(answer.sentence().contains("TLS_CERT"), "{}", answer.text());
}

#[test]
fn half_of_a_certificate_is_refused_at_start() {
    let files = Files::new();
    let port = free_port().to_string();
    for (name, file) in [("TLS_CERT", "server.pem"), ("TLS_KEY", "server-key.pem")] {
        let ended = crate::agent::run(&[], &[("TOKEN", TOKEN), ("PORT", &port), (name, &files.path(file))]);
        assert_eq!(ended.code, Some(78), "{}", ended.words());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_err());
    }
}
