//! An Engine that drips: a head byte by byte, interim answers without an end, and silence at every place.
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::{Agent, request};
use crate::engine::{Engine, OK, Record, Visit};
use crate::patience::{PATIENCE, until};

/// Says this again and again, with a pause that is too short to count as silence, until nobody listens.
fn drip(visit: &mut Visit, word: &str) {
    // Longer than anybody here waits: whoever is told so was not told by the end of this.
    let end = Instant::now() + PATIENCE * 3;
    while Instant::now() < end && visit.try_send(word).is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

fn dripping() -> Engine {
    Engine::start(|visit| {
        while let Some(message) = visit.request() {
            match message.head.target() {
                "/containers/head/json" => {
                    let _ = visit.try_send("HTTP/1.1 200 OK\r\nX-A: ");
                    return drip(visit, "a");
                }
                "/containers/lines/json" => {
                    let _ = visit.try_send("HTTP/1.1 200 OK\r\n");
                    return drip(visit, "X-A: b\r\n");
                }
                "/containers/interim/json" => return drip(visit, "HTTP/1.1 100 Continue\r\n\r\n"),
                "/containers/hints/json" => return drip(visit, "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n"),
                _ => visit.send(OK),
            }
        }
    })
}

#[test]
fn a_head_that_drips_meets_the_deadline_like_one_that_does_not_come() {
    let engine = dripping();
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    let targets = [
        "/containers/head/json",
        "/containers/lines/json",
        "/containers/interim/json",
        "/containers/hints/json",
    ];
    let mut clients = targets.map(|target| {
        let mut client = agent.client();
        client.send(request(&format!("GET {target}"), ""));
        (target, client)
    });
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200, "somebody beside them");
    for (target, client) in &mut clients {
        assert_eq!(client.answer().status(), 504, "{target}");
    }
    let dripped = |visits: &[Record]| {
        visits.iter().filter(|visit| !visit.text().contains("GET /a ") && visit.finished).count()
    };
    engine.wait("all of them are let go", |visits| (dripped(visits) == targets.len()).then_some(()));
}

/// These may take as long as they take; whoever asked does not have to.
#[test]
fn a_client_that_leaves_ends_a_head_that_drips() {
    let engine = Engine::start(|visit| {
        if let Some(message) = visit.request() {
            let word =
                if message.head.target().contains("wait") { "HTTP/1.1 102 Processing\r\n\r\n" } else { "a" };
            let _ = visit.try_send(if word == "a" { "HTTP/1.1 200 OK\r\nX-A: " } else { "" });
            drip(visit, word);
        }
    });
    let agent = Agent::start(&engine);
    for line in ["POST /containers/a/wait", "POST /build", "GET /a"] {
        let mut client = agent.client();
        client.send(request(line, ""));
        engine.wait("it is asked", |visits| visits.last().filter(|v| v.text().starts_with(line)).map(|_| ()));
        drop(client);
        engine.wait("it is let go", |visits| visits.iter().all(|visit| visit.finished).then_some(()));
    }
    until("nobody is connected", || (agent.log().matches("\"connection.ended\"").count() >= 3).then_some(()));
}

/// Silence after every byte of a head.
#[test]
fn an_engine_that_falls_silent_anywhere_in_a_head_is_late() {
    const WORDS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n";
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            match message.head.target().split('/').nth(2).unwrap_or_default().parse::<usize>() {
                Ok(end) => {
                    visit.send(&WORDS[..end]);
                    return visit.until_left();
                }
                Err(_) => visit.send(OK),
            }
        }
    });
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    // No more at once than an address may have before its credential was seen.
    for group in (0..WORDS.len()).collect::<Vec<_>>().chunks(32) {
        let ask = |end: &usize| {
            let mut client = agent.client();
            client.send(request(&format!("GET /containers/{end}/json"), ""));
            (*end, client)
        };
        for (end, mut client) in group.iter().map(ask).collect::<Vec<_>>() {
            assert_eq!(client.answer().status(), 504, "after {end} bytes");
        }
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200, "somebody behind them");
    }
}
