//! Upgrades on any path: the token as it was, bytes both ways, half-closes, and a hundred at once.
use std::io::{Read, Write};
use std::thread;

use crate::agent::{Agent, request, request_with};
use crate::client::Client;
use crate::engine::{Engine, Visit};
use crate::patience::until;

const SWITCH: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                      Connection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1.41\r\n\r\n";

const TCP: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

/// Sends back what it reads, to the end.
fn repeat(visit: &mut Visit) {
    let mut to = visit.writer();
    while let Ok(bytes) = visit.wire().some() {
        let count = bytes.len();
        if count == 0 || to.write_all(bytes).is_err() {
            return;
        }
        visit.wire().consume(count);
    }
}

/// An Engine that upgrades everything and sends back what it reads.
fn repeater() -> Engine {
    Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send(SWITCH);
            repeat(visit);
        }
    })
}

fn upgraded(agent: &Agent, line: &str) -> Client {
    let mut client = agent.client();
    client.send(request(line, TCP));
    let head = client.head();
    assert_eq!(head.status(), 101, "{head:?}");
    client
}

#[test]
fn every_token_goes_through_on_any_path() {
    let websocket = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let session = "X-Docker-Expose-Session-Uuid: a\r\nX-Docker-Expose-Session-Grpc-Method: /b\r\n";
    for (line, token, fields) in [
        ("POST /v1.41/containers/a/attach?stream=1&stdin=1", "tcp", ""),
        ("POST /session", "h2c", session),
        ("POST /grpc", "h2c", ""),
        ("GET /containers/a/attach/ws?stream=1", "websocket", websocket),
        ("GET /anything/else", "something/1.0", ""),
    ] {
        let engine = Engine::start(move |visit| {
            if visit.request().is_some() {
                visit.send(format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {token}\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\n\r\n"
                ));
                repeat(visit);
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client
            .send(request(line, &format!("{fields}Connection: keep-alive, Upgrade\r\nUpgrade: {token}\r\n")));
        let head = client.head();
        assert_eq!(head.status(), 101, "{head:?}");
        assert_eq!(head.value("upgrade"), Some(token), "{head:?}");
        assert_eq!(head.value("connection").map(str::to_lowercase).as_deref(), Some("upgrade"), "{head:?}");
        assert_eq!(head.value("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head:?}");
        assert_eq!(head.value("x-a"), Some("b"), "{head:?}");
        assert!(
            head.value("content-length").is_none() && head.value("transfer-encoding").is_none(),
            "{head:?}"
        );
        client.send("\0\u{1}hello\r\n\r\n");
        assert_eq!(client.take(11), b"\0\x01hello\r\n\r\n");
        let seen = engine.visits()[0].text();
        assert!(seen.starts_with(&format!("{line} HTTP/1.1\r\n")), "{seen:?}");
        let lower = seen.to_lowercase();
        assert_eq!(lower.matches(&format!("\r\nupgrade: {token}\r\n")).count(), 1, "{seen:?}");
        assert_eq!(lower.matches("\r\nconnection: upgrade\r\n").count(), 1, "{seen:?}");
        for field in fields.lines() {
            assert!(lower.contains(&field.to_lowercase()), "{field} in {seen:?}");
        }
        assert!(!lower.contains("authorization"), "{seen:?}");
    }
}

#[test]
fn the_end_of_the_clients_input_reaches_the_engine_and_its_answer_still_comes() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send(SWITCH);
            let mut input = Vec::new();
            let mut into = |piece: &[u8]| input.extend_from_slice(piece);
            visit.wire().pour(crate::message::Length::UntilClose, &mut into).expect("an end");
            visit.send(format!("{} bytes", input.len()));
        }
    });
    let agent = Agent::start(&engine);
    let mut client = upgraded(&agent, "POST /exec/a/start");
    client.send("hello");
    client.finish_sending();
    assert_eq!(client.take(7), b"5 bytes");
    client.expect_end();
}

#[test]
fn the_end_of_the_engines_output_reaches_the_client_and_its_input_still_goes() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send(SWITCH);
            visit.send("bye");
            visit.finish_sending();
            assert_eq!(visit.take(5), b"hello");
            visit.until_left();
        }
    });
    let agent = Agent::start(&engine);
    let mut client = upgraded(&agent, "POST /containers/a/attach");
    assert_eq!(client.take(3), b"bye");
    client.expect_end();
    client.send("hello");
    drop(client);
    let text = engine.wait("the engine is told", |visits| visits[0].finished.then(|| visits[0].text()));
    assert!(text.ends_with("\r\n\r\nhello"), "{text:?}");
}

#[test]
fn what_comes_together_with_a_head_belongs_to_the_stream() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send(format!("{SWITCH}welcome"));
            repeat(visit);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /containers/a/attach", TCP) + "early" + &request("GET /not-a-request", ""));
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.take(12), b"welcomeearly");
    assert_eq!(client.take(18), b"GET /not-a-request");
}

#[test]
fn a_body_goes_before_the_stream() {
    let engine = Engine::start(|visit| {
        if let Some(message) = visit.request() {
            assert_eq!(message.body, b"{\"Detach\":false,\"Tty\":true}");
            visit.send(SWITCH);
            repeat(visit);
        }
    });
    let agent = Agent::start(&engine);
    let body = "{\"Detach\":false,\"Tty\":true}";
    let chunked = format!("{TCP}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    for text in [
        request_with("POST /exec/a/start", &format!("{TCP}Content-Type: application/json\r\n"), body),
        request("POST /exec/a/start", &chunked) + &format!("{:x};a=b\r\n{body}\r\n0\r\n\r\n", body.len()),
    ] {
        let mut client = agent.client();
        client.send(text + "typed");
        assert_eq!(client.head().status(), 101);
        assert_eq!(client.take(5), b"typed");
        client.send(" later");
        assert_eq!(client.take(6), b" later");
    }
}

#[test]
fn a_refused_upgrade_is_an_answer_like_any_other() {
    const NO: &str = "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n\
                      {\"message\":\"not running\"}";
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send(NO);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let answer = client.ask(request("POST /containers/a/attach", TCP));
    assert_eq!((answer.status(), answer.text().as_str()), (409, "{\"message\":\"not running\"}"));
    assert_eq!(answer.head.value("upgrade"), None);
    if answer.head.value("connection") != Some("close") {
        assert_eq!(client.ask(request("GET /a", "")).status(), 409, "the connection lives on");
    }
}

#[test]
fn much_goes_both_ways_at_once() {
    const COUNT: usize = 8 * 1024 * 1024;
    let engine = repeater();
    let agent = Agent::start(&engine);
    let mut client = upgraded(&agent, "POST /session");
    let mut writer = client.writer();
    let sending = thread::spawn(move || {
        let block: Vec<u8> = (0..=250).collect();
        let mut sent = 0;
        while sent < COUNT {
            writer.write_all(&block).unwrap();
            sent += block.len();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
        sent
    });
    let mut got = Vec::new();
    client
        .wire()
        .pour(crate::message::Length::UntilClose, &mut |piece| got.extend_from_slice(piece))
        .unwrap();
    assert_eq!(got.len(), sending.join().unwrap());
    assert!(got.chunks(251).all(|block| block.iter().zip(0_u8..).all(|(byte, n)| *byte == n)));
}

#[test]
fn either_side_that_leaves_ends_the_other() {
    let engine = repeater();
    let agent = Agent::start(&engine);
    let client = upgraded(&agent, "POST /containers/a/attach");
    drop(client);
    engine.wait("the engine is told", |visits| visits[0].finished.then_some(()));

    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send(SWITCH);
            let mut one = [0];
            // Leaves in the middle of what it is told.
            let _ = visit.wire().stream_mut().read(&mut one);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = upgraded(&agent, "POST /containers/a/attach");
    client.send("hello");
    client.expect_end();
}

#[test]
fn a_hundred_streams_are_enough() {
    let engine = repeater();
    let agent = Agent::start(&engine);
    let mut clients: Vec<_> = (0..100).map(|_| upgraded(&agent, "POST /exec/a/start")).collect();
    for line in ["POST /exec/a/start", "GET /containers/a/attach/ws", "POST /session"] {
        let answer = agent.ask(request(line, TCP));
        assert_eq!(answer.status(), 429, "{line}");
        assert!(answer.sentence().contains(' '), "a sentence: {}", answer.text());
    }
    assert_eq!(engine.visits().len(), 100, "the engine is not asked in vain");
    for client in &mut clients {
        client.send("still here");
        assert_eq!(client.take(10), b"still here");
    }
    assert_eq!(
        agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(),
        200,
        "only streams are counted"
    );
    drop(clients.pop());
    until("a place is free again", || {
        let mut client = agent.client();
        client.send(request("POST /exec/a/start", TCP));
        (client.head().status() == 101).then_some(())
    });
}

#[test]
fn a_stranger_cannot_upgrade() {
    let engine = repeater();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    let answer = client.ask(format!("POST /containers/a/attach HTTP/1.1\r\nHost: a\r\n{TCP}\r\n"));
    assert_eq!(answer.status(), 401);
    agent.stop();
    assert!(engine.settle().is_empty());
}
