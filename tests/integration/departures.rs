//! Who leaves in the middle: the other side is told by a broken connection, never by a clean end.
use crate::agent::{Agent, request};
use crate::engine::{Engine, OK, Record};
use crate::message::Length;
use crate::patience::Gate;

/// The one connection of the Engine has been ended by the agent.
fn left(visits: &[Record]) -> Option<()> {
    assert!(visits.len() < 2, "more than one connection");
    visits.first()?.ended.then_some(())
}

/// What the Engine sends before it dies, and how the client could tell.
const DEATHS: &[(&str, &str)] = &[
    ("within a sized body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    ("before a sized body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    ("between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ("within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhello"),
    ("within a chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1"),
    ("before the first chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    (
        "after the last chunk's size",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ),
    (
        "with a size of other letters",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ),
    (
        "with no end after a chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    ),
    (
        "with a line feed for an end",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    ),
];

#[test]
fn an_engine_that_dies_in_a_body_is_never_a_clean_end() {
    let engine = Engine::start(|visit| {
        if let Some(message) = visit.request() {
            let number: usize = message.head.target()[1..].parse().unwrap();
            visit.send(DEATHS[number].1);
        }
    });
    let agent = Agent::start(&engine);
    for (number, (how, _)) in DEATHS.iter().enumerate() {
        let mut client = agent.client();
        client.send(request(&format!("GET /{number}"), ""));
        // Where nothing of the body had come, a refusal is as honest as a broken transfer.
        let Ok(head) = client.wire().head() else { continue };
        if head.status() == 502 {
            continue;
        }
        assert_ne!(head.length(), Length::UntilClose, "{how}: {head:?} would look whole");
        let body = client.body(head.length());
        let cut = body.map(|body| String::from_utf8_lossy(&body).into_owned()).expect_err(how);
        assert!(b"hello".starts_with(&cut.got), "{how}: {cut:?}");
    }
}

#[test]
fn an_engine_that_breaks_the_connection_in_a_body_is_never_a_clean_end() {
    let engine = Engine::start(|visit| {
        if visit.head().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            // Closing with the upload unread is a reset.
            visit.take(1);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /a", "Content-Length: 100000\r\n") + &"x".repeat(50_000));
    if let Ok(head) = client.wire().head()
        && head.status() != 502
    {
        client.body(head.length()).map(|body| body.len()).expect_err("a body that broke off looks whole");
    }
}

#[test]
fn http_1_0_cannot_be_told_by_framing_so_the_connection_breaks() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /a", "").replace("HTTP/1.1", "HTTP/1.0"));
    if let Ok(head) = client.wire().head() {
        let body = client.body(head.length());
        let cut = body.map(|body| String::from_utf8_lossy(&body).into_owned()).expect_err("a clean end");
        assert!(cut.error.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
}

#[test]
fn a_client_that_leaves_while_the_engine_thinks_ends_the_engines_side() {
    for line in ["POST /containers/a/wait", "GET /containers/json", "GET /images/a/get"] {
        let engine = Engine::start(|visit| {
            if visit.request().is_some() {
                visit.until_left();
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client.send(request(line, ""));
        engine.wait("the engine is asked", |visits| (!visits.is_empty()).then_some(()));
        drop(client);
        engine.wait("the engine is told", left);
        assert_eq!(agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
    }
}

#[test]
fn a_client_that_leaves_a_quiet_stream_ends_the_engines_side() {
    for framing in
        ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Content-Length: 10\r\n\r\nhello", "\r\nhello"]
    {
        let engine = Engine::start(move |visit| {
            if visit.request().is_some() {
                visit.send(format!("HTTP/1.1 200 OK\r\n{framing}"));
                visit.until_left();
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client.send(request("GET /events", ""));
        client.head();
        client.take(5);
        drop(client);
        engine.wait("the engine is told", left);
    }
}

#[test]
fn a_client_that_leaves_a_busy_stream_ends_the_engines_side() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while visit.try_send(&chunk).is_ok() {}
            visit.until_left();
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /events", ""));
    client.head();
    client.take(100_000);
    drop(client);
    engine.wait("the engine is told", left);
}

#[test]
fn a_client_that_leaves_an_upload_never_gives_the_engine_a_whole_one() {
    for (framing, part) in [
        ("Content-Length: 10\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked\r\n", "A\r\nhello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
    ] {
        let seen = Gate::default();
        let tell = seen.clone();
        let engine = Engine::start(move |visit| {
            if let Some(head) = visit.head()
                && visit.wire().halves(head.length(), b"hello", &tell).is_ok()
            {
                visit.send(OK);
                panic!("half an upload looks whole");
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        client.send(request("PUT /containers/a/archive?path=/", framing) + part);
        seen.pass();
        drop(client);
        engine.wait("the engine is told", |visits| visits.first()?.finished.then_some(()));
    }
}

#[test]
fn a_client_that_leaves_before_its_head_is_whole_reaches_nobody() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let text = request("DELETE /containers/a", "");
    for cut in [1, 10, text.len() - 2, text.len() - 1] {
        let mut client = agent.client();
        client.send_apart(&text[..cut]);
    }
    assert_eq!(agent.ask(request("GET /last", "")).status(), 200);
    agent.stop();
    let visits = engine.settle();
    assert_eq!(visits.len(), 1);
    assert!(visits[0].text().starts_with("GET /last "), "{:?}", visits[0].text());
}

#[test]
fn the_place_of_a_client_that_left_is_free() {
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.until_left();
        }
    });
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "4")]);
    for number in 1..=12 {
        let mut client = agent.client();
        client.send(request("GET /events", ""));
        engine.wait("the engine is asked", |visits| (visits.len() == number).then_some(()));
    }
}
