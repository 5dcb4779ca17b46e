//! Which answers are streamed, how they end, and what becomes of those that do not end or do not fit.
use std::sync::mpsc;

use serde_json::json;

use crate::edge_world::{Answer, Edge, answering, desk, fresh, told, whole};
use crate::engine::Engine;
use crate::patience::{Gate, PATIENCE};

/// One more chunk.
fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

/// An Engine whose answers begin and do not end; it says when its side was ended.
fn endless() -> (Engine, mpsc::Receiver<String>) {
    let (tell, left) = mpsc::channel();
    let engine = desk(move |visit, head| {
        let _ = visit.body(head);
        if head.target().ends_with("/short") {
            return visit.try_send(whole("200 OK", "text/plain", "short")).is_ok();
        }
        // One that is held does not even begin.
        if head.target().contains("held") || visit.try_send(ENDLESS.to_owned() + &chunk("first")).is_ok() {
            visit.until_left();
        }
        let _ = tell.send(head.target().to_owned());
        false
    });
    (engine, left)
}

#[test]
fn the_path_alone_decides_what_is_streamed() {
    for (status, body) in [("200 OK", "{\"a\":1}"), ("404 Not Found", "{\"message\":\"no such thing\"}")] {
        let engine = answering(move |_| whole(status, "application/json", body));
        let mut edge = Edge::open(&engine);
        let mut ask = |line: &str| -> Answer {
            let answer = edge.link.ask(line);
            assert_eq!(
                (answer.status().to_string().as_str(), answer.text().as_str()),
                (&status[..3], body),
                "{line}"
            );
            assert_eq!(answer.header("content-type"), Some("application/json"), "{line}");
            answer
        };
        for line in [
            "GET /containers/a/logs",
            "GET /v1.41/containers/a/logs?follow=0&tail=5",
            "POST /containers/a/attach?stream=1",
            "GET /events?until=5",
            "POST /build?t=a",
            "POST /v1.30/build",
            "POST /images/create?fromImage=a",
            "POST /images/push",
            "POST /exec/a/start",
            "POST /v1.41/exec/a/b/start",
            "GET /api/v1/other/logs",
        ] {
            assert!(ask(line).is_complete(), "{line}");
        }
        for line in [
            "GET /containers/a/json",
            "GET /containers/logs/json?to=/logs",
            "GET /containers/a/logsx",
            "GET /a?x=/build",
            "GET /images/create/x",
            "POST /build/prune",
            "POST /images/acme/web/push",
            "GET /exec/a/json",
            "POST /containers/a/start",
            "POST /containers/a/attachx",
        ] {
            assert_eq!(ask(line).reason, None, "{line}");
        }
    }
}

#[test]
fn a_stream_of_many_pieces_comes_whole_and_in_order() {
    let body: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    let sent = body.clone();
    let engine = answering(move |_| whole("200 OK", "application/octet-stream", &sent));
    let mut edge = Edge::open(&engine);
    let answer = edge.link.ask("GET /containers/a/logs");
    assert!(answer.is_complete() && answer.body == body, "{} bytes", answer.body.len());
    let empty = answering(|_| "HTTP/1.1 204 No Content\r\n\r\n".into());
    let mut edge = Edge::open(&empty);
    let answer = edge.link.ask("POST /images/create");
    assert!(answer.is_complete() && answer.status() == 204 && answer.body.is_empty());
}

#[test]
fn what_an_engine_says_is_passed_on_when_it_says_it() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = desk(move |visit, head| {
        let _ = visit.body(head);
        let _ = visit.try_send(ENDLESS.to_owned() + &chunk("first"));
        hold.pass();
        visit.try_send(chunk("second") + "0\r\n\r\n").is_ok()
    });
    let mut edge = Edge::open(&engine);
    edge.link.request("s", "GET /containers/a/logs?follow=1", &json!({}));
    assert_eq!(edge.link.about("s")["data"]["isStream"], true);
    assert_eq!(edge.link.some("s", 5), b"first");
    gate.open();
    assert_eq!(edge.link.streamed("s"), (b"second".to_vec(), "complete".to_owned()));
}

#[test]
fn whoever_cancels_a_stream_ends_the_engines_side_too() {
    let (engine, left) = endless();
    let mut edge = Edge::open(&engine);
    let id = fresh("s");
    edge.link.request(&id, "GET /containers/a/logs?follow=1", &json!({}));
    assert_eq!(edge.link.about(&id)["type"], "response");
    assert_eq!(edge.link.some(&id, 5), b"first");
    edge.link.send("stream_end", &json!({"requestId": id}));
    assert_eq!(edge.link.streamed(&id), (Vec::new(), "canceled".to_owned()));
    assert_eq!(
        left.recv_timeout(PATIENCE).expect("the Engine's side has ended"),
        "/containers/a/logs?follow=1"
    );
    // Late, unknown, and never asked.
    for id in [id.as_str(), "never"] {
        edge.link.send("stream_end", &json!({"requestId": id, "reason": "client closed"}));
    }
    assert_eq!(edge.link.ask("GET /short").text(), "short");
    let rest = edge.link.rest();
    assert!(rest.iter().all(|message| message["data"].get("requestId").is_none()), "{rest:?}");
}

#[test]
fn whoever_cancels_a_request_is_told_so_and_the_engine_is_let_go() {
    let (engine, left) = endless();
    let mut edge = Edge::open(&engine);
    // Neither of them has begun an answer that could be told.
    for line in ["GET /held", "GET /held/logs", "GET /containers/a/stats"] {
        edge.link.request("r", line, &json!({}));
        engine.wait("it was asked", |visits| {
            visits.iter().any(|visit| visit.text().starts_with(&format!("{line} "))).then_some(())
        });
        edge.link.send("stream_end", &json!({"requestId": "r"}));
        assert_eq!(told(&edge.link.answer("r").expect_err("no answer")).0, "canceled", "{line}");
        assert_eq!(left.recv_timeout(PATIENCE).expect("the Engine's side has ended"), line[4..]);
    }
}

#[test]
fn an_answer_that_does_not_fit_is_an_error_and_the_tunnel_lives() {
    const MIB: usize = 1024 * 1024;
    let engine = answering(|message| {
        let (kind, size) = message.head.target().trim_start_matches('/').split_once('/').unwrap();
        let size: usize = size.parse().unwrap();
        match kind {
            "text" => whole("200 OK", "text/plain", "x".repeat(size)),
            "json" => whole("200 OK", "application/json", format!("[\"{}\"]", "x".repeat(size))),
            // Six bytes in a message for each of these.
            "quoted" => whole("200 OK", "text/plain", "\u{1}".repeat(size)),
            _ => whole("200 OK", "application/x-tar", vec![0xff; size]),
        }
    });
    let mut edge = Edge::open(&engine);
    for (path, fits) in [
        (format!("/text/{}", 14 * MIB), true),
        (format!("/json/{}", 14 * MIB), true),
        (format!("/binary/{}", 10 * MIB), true),
        (format!("/text/{}", 15 * MIB), false),
        (format!("/json/{}", 16 * MIB), false),
        (format!("/json/{}", 40 * MIB), false),
        (format!("/binary/{}", 12 * MIB), false),
        (format!("/quoted/{}", 4 * MIB), false),
    ] {
        let line = format!("GET {path}");
        if fits {
            let answer = edge.link.ask(&line);
            let size: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            assert!(answer.body.len() >= size, "{path}: {}", answer.body.len());
        } else {
            let (code, message) = edge.link.refused(&line, &json!({}));
            assert_eq!(code, "response-too-large", "{path}: {message}");
        }
    }
    assert_eq!(edge.link.ask("GET /text/3").text(), "xxx");
}

#[test]
fn an_answer_without_an_end_is_an_error_unless_it_was_asked_for_as_a_stream() {
    let (engine, left) = endless();
    let mut edge = Edge::open_with(&engine, &[("REQUEST_TIMEOUT", "1")], &json!({}));
    let (code, _) = edge.link.refused("GET /containers/a/stats", &json!({}));
    assert_eq!(code, "no-end");
    assert_eq!(left.recv_timeout(PATIENCE).expect("the Engine is let go"), "/containers/a/stats");
    // An Engine that does not even begin is told of as in standard mode.
    assert_eq!(edge.link.ask("GET /containers/held/json").status(), 504);
    // Content that comes and comes does not help either.
    let flood = desk(|visit, head| {
        let _ = visit.body(head);
        let mut open = visit.try_send(ENDLESS).is_ok();
        let piece = chunk(&"x".repeat(60_000));
        while open {
            open = visit.try_send(&piece).is_ok();
        }
        false
    });
    let mut edge = Edge::open_with(&flood, &[("REQUEST_TIMEOUT", "2")], &json!({}));
    let (code, _) = edge.link.refused("GET /containers/a/export", &json!({}));
    assert!(["no-end", "response-too-large"].contains(&code.as_str()), "{code}");
}

#[test]
fn an_answer_that_breaks_off_is_told_as_such() {
    let engine = desk(|visit, head| {
        let _ = visit.body(head);
        let kind = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
        let text = match head.target().split('/').nth(1) {
            Some("length") => format!("{kind}Content-Length: 10\r\n\r\nfour"),
            Some("chunks") => format!("{kind}Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"),
            Some("chunk") => format!("{kind}Transfer-Encoding: chunked\r\n\r\n9\r\nfour"),
            _ => return visit.try_send(whole("200 OK", "text/plain", "whole")).is_ok(),
        };
        let _ = visit.try_send(text);
        false
    });
    let mut edge = Edge::open(&engine);
    for begin in ["length", "chunks", "chunk"] {
        assert_eq!(
            edge.link.refused(&format!("GET /{begin}/json"), &json!({})).0,
            "engine-failed",
            "{begin}"
        );
        let answer = edge.link.ask(&format!("GET /{begin}/logs"));
        assert_eq!((answer.status(), answer.text().as_str()), (200, "four"), "{begin}");
        let reason = answer.reason.expect("it was streamed");
        assert!(reason.starts_with("error: ") && reason.len() > 10, "{begin}: {reason}");
    }
    assert_eq!(edge.link.ask("GET /whole/json").text(), "whole");
}
