//! What both sides must name before it is used: content in binary messages, windows, bodies that follow, and upgrades.
use std::sync::mpsc::{self, Receiver};

use data_encoding::BASE64;
use serde_json::json;

use crate::edge_link::Link;
use crate::edge_shells::Shells;
use crate::edge_world::{Edge, answering, desk, told, whole};
use crate::engine::{Engine, OK};
use crate::message::Cut;
use crate::patience::{Gate, PATIENCE};

const BINARY: &[&str] = &["binary-streams"];
const DUPLEX: &[&str] = &["duplex-streams"];
/// What a controller may send of a body before it was allowed any more.
const WINDOW: usize = 256 * 1024;

/// An Engine that answers everything with so many bytes of a pattern.
fn pattern(size: usize) -> (Engine, Vec<u8>) {
    let body: Vec<u8> = (0..=250).cycle().take(size).collect();
    let sent = body.clone();
    (answering(move |_| whole("200 OK", "application/x-tar", &sent)), body)
}

/// A whole body, or what came of it.
type Took = Result<Vec<u8>, Vec<u8>>;

/// An Engine that takes any body and tells what came of it.
fn taking() -> (Engine, Receiver<Took>) {
    let (tell, took) = mpsc::channel();
    let engine = desk(move |visit, head| {
        let body = visit.body(head).map_err(|Cut { got, .. }| got);
        let is_whole = body.is_ok();
        let _ = tell.send(body);
        is_whole && visit.try_send(whole("200 OK", "application/json", "{\"stream\":\"done\"}")).is_ok()
    });
    (engine, took)
}

/// Content over a channel up to the end of its stream, and why it ended.
fn on_channel(link: &mut Link, id: &str, channel: u32, least: usize) -> (Vec<u8>, String) {
    let mut content = Vec::new();
    while content.len() < least {
        let piece = link.binary(channel);
        assert!((1..=64 * 1024).contains(&piece.len()), "a piece of {} bytes", piece.len());
        content.extend(piece);
    }
    let end = link.about(id);
    assert_eq!(end["type"], "stream_end", "{end}");
    (content, end["data"]["reason"].as_str().unwrap().to_owned())
}

fn piece(link: &Link, id: &str, content: &[u8]) {
    link.send("stream", &json!({"requestId": id, "data": BASE64.encode(content)}));
}

#[test]
fn nothing_that_was_not_named_is_used() {
    let (engine, body) = pattern(100_000);
    for capabilities in [json!({}), json!({"capabilities": []}), json!({"capabilities": ["something-else"]})]
    {
        let mut edge = Edge::open_with(&engine, &[], &capabilities);
        let answer = edge.link.ask_with("GET /containers/a/logs", &json!({"channel": 5, "window": 10}));
        assert!(answer.is_complete() && answer.body == body, "text, and no window");
        let answer = edge.link.ask_with("GET /containers/a/export", &json!({"streamResponse": true}));
        assert!(answer.reason.is_none() && answer.body == body, "in one piece");
    }
    let (engine, took) = taking();
    let mut edge = Edge::open_with(&engine, &[], &json!({"capabilities": BINARY}));
    let upgrade = json!({"headers": {"Upgrade": "tcp", "Connection": "Upgrade", "User-Agent": "client"}});
    // No upgrade was asked for, as far as the Engine is concerned: its answer is an answer like any other.
    let answer = edge.link.ask_with("POST /containers/a/resize", &upgrade);
    assert_eq!((answer.status(), answer.reason), (200, None));
    assert_eq!(took.recv_timeout(PATIENCE).unwrap(), Ok(vec![]));
    assert!(engine.visits().iter().all(|visit| !visit.text().to_lowercase().contains("\r\nupgrade:")));
}

#[test]
fn content_comes_in_binary_messages_of_its_channel() {
    let (engine, body) = pattern(1_000_000);
    let mut edge = Edge::open_offering(&engine, BINARY);
    for channel in [1, 2, i32::MAX.cast_unsigned()] {
        edge.link.request("s", "GET /containers/a/logs", &json!({ "channel": channel }));
        let head = edge.link.about("s");
        assert_eq!((&head["type"], &head["data"]["isStream"]), (&json!("response"), &json!(true)));
        let (content, reason) = on_channel(&mut edge.link, "s", channel, body.len());
        assert!(content == body && reason == "complete", "{} {reason}", content.len());
    }
    // Where no channel is named, and where nothing is streamed, all is as it was.
    let answer = edge.link.ask("GET /containers/a/logs");
    assert!(answer.is_complete() && answer.body == body);
    let answer = edge.link.ask_with("GET /containers/a/export", &json!({"channel": 7}));
    assert!(answer.reason.is_none() && answer.body == body);
}

#[test]
fn a_channel_is_one_streams_at_a_time_and_a_number_in_its_bounds() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = desk(move |visit, head| {
        let _ = visit.body(head);
        let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        hold.pass();
        visit.try_send("0\r\n\r\n").is_ok()
    });
    let mut edge = Edge::open_offering(&engine, BINARY);
    edge.link.request("one", "GET /containers/a/logs", &json!({"channel": 5}));
    edge.link.about("one");
    assert_eq!(edge.link.binary(5), b"first");
    for channel in [json!(5), json!(0), json!(-1), json!(2_147_483_648_u64), json!(1.5), json!("x")] {
        let (code, message) = edge.link.refused("GET /containers/a/logs", &json!({ "channel": channel }));
        assert!(
            ["malformed-request", "duplicate-request"].contains(&code.as_str()),
            "{channel}: {code} {message}"
        );
    }
    // Content for nobody, and a message too short to name a channel.
    edge.link.send_binary(99, b"lost");
    edge.link.say_binary(b"ab");
    gate.open();
    assert_eq!(edge.link.about("one")["data"]["reason"], "complete");
    edge.link.request("two", "GET /containers/a/logs", &json!({"channel": 5}));
    edge.link.about("two");
    assert_eq!(edge.link.binary(5), b"first", "it is free again");
}

#[test]
fn a_command_may_have_a_channel_for_both_directions() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open_offering(&engine, BINARY);
    edge.link.exec("binary", &["cat"], &json!({"channel": 9}));
    edge.link.next("exec_ready");
    let all: Vec<u8> = (0..=255).collect();
    edge.link.send_binary(9, &all);
    let mut came = Vec::new();
    while came.len() < all.len() {
        came.extend(edge.link.binary(9));
    }
    assert_eq!(came, all);
    edge.link.send_binary(9, b"exit");
    assert_eq!(edge.link.exec_end("binary")["reason"], "exited");
    edge.link.expect_none_of("exec_output");
}

#[test]
fn any_answer_may_be_asked_for_as_a_stream() {
    let (engine, body) = pattern(20 * 1024 * 1024);
    let mut edge = Edge::open_offering(&engine, DUPLEX);
    let answer = edge.link.ask_with("GET /containers/a/export", &json!({"streamResponse": true}));
    assert!(answer.is_complete() && answer.body == body, "{} bytes", answer.body.len());
    assert_eq!(edge.link.refused("GET /containers/a/export", &json!({})).0, "response-too-large");
    let mut both = Edge::open_offering(&engine, &["duplex-streams", "binary-streams"]);
    both.link.request("s", "GET /containers/a/export", &json!({"streamResponse": true, "channel": 3}));
    both.link.about("s");
    let (content, reason) = on_channel(&mut both.link, "s", 3, body.len());
    assert!(content == body && reason == "complete");
}

#[test]
fn an_answer_stays_within_its_window() {
    let (engine, body) = pattern(1_000_000);
    let mut edge = Edge::open_offering(&engine, DUPLEX);
    edge.link.request("s", "GET /containers/a/logs", &json!({"window": 1000}));
    edge.link.about("s");
    let mut came = edge.link.some("s", 1000);
    assert_eq!(came.len(), 1000);
    for more in [1, 500, 40_000] {
        // Time enough for more than is allowed to show.
        edge.link.ask("GET /containers/a/logsnot");
        assert!(edge.link.rest().iter().all(|message| message["data"]["requestId"] != "s"));
        edge.link.send("window", &json!({"requestId": "s", "bytes": more}));
        let next = edge.link.some("s", more);
        assert_eq!(next.len(), more);
        came.extend(next);
    }
    edge.link.send("window", &json!({"requestId": "s", "bytes": 10_000_000}));
    let (rest, reason) = edge.link.streamed("s");
    came.extend(rest);
    assert!(came == body && reason == "complete");
    // For streams that are over or never were.
    for id in ["s", "never"] {
        edge.link.send("window", &json!({"requestId": id, "bytes": 5}));
    }
    edge.link.request("w", "GET /containers/a/logs", &json!({"window": 10}));
    edge.link.about("w");
    edge.link.some("w", 10);
    edge.link.send("stream_end", &json!({"requestId": "w"}));
    assert_eq!(edge.link.streamed("w").1, "canceled", "also while it waits for its window");
}

/// Sends a body within what is allowed, and gives how much the agent allowed in all.
fn send_body(link: &mut Link, id: &str, body: &[u8], by: &dyn Fn(&Link, &[u8])) -> usize {
    let (mut allowed, mut sent) = (WINDOW, 0);
    while sent < body.len() {
        let count = (allowed - sent).min(body.len() - sent).min(50_000);
        if count > 0 {
            by(link, &body[sent..sent + count]);
            sent += count;
            continue;
        }
        let window = link.find("a window", |kind, data| kind == "window" && data["requestId"] == id);
        allowed += usize::try_from(window["data"]["bytes"].as_u64().expect("bytes")).unwrap();
    }
    link.send("stream_end", &json!({"requestId": id}));
    allowed
}

#[test]
fn a_body_may_follow_in_pieces_within_a_window() {
    let (engine, took) = taking();
    let mut edge = Edge::open_offering(&engine, &["duplex-streams", "binary-streams"]);
    let body: Vec<u8> = (0..=250).cycle().take(5_000_000).collect();
    let headers = json!({"Content-Type": "application/x-tar", "User-Agent": "client"});
    for (channel, size) in
        [(None, body.len()), (Some(4_u32), body.len()), (None, 0), (None, 1), (None, WINDOW)]
    {
        let mut more = json!({"headers": headers, "bodyStream": true});
        if let Some(channel) = channel {
            more["channel"] = channel.into();
        }
        edge.link.request("b", "POST /images/load", &more);
        let by: &dyn Fn(&Link, &[u8]) = match channel {
            None => &|link, content| piece(link, "b", content),
            Some(channel) => &move |link, content| link.send_binary(channel, content),
        };
        send_body(&mut edge.link, "b", &body[..size], by);
        let got = took.recv_timeout(PATIENCE).unwrap().expect("a whole body");
        assert!(got == body[..size], "{} of {size}", got.len());
        if channel.is_some() {
            assert_eq!(edge.link.about("b")["type"], "response");
            let (content, reason) = on_channel(&mut edge.link, "b", 4, 17);
            assert_eq!(
                (content.as_slice(), reason.as_str()),
                (b"{\"stream\":\"done\"}".as_slice(), "complete")
            );
            continue;
        }
        let answer = edge.link.answer("b").expect("an answer");
        assert!(answer.status() == 200 && answer.is_complete());
        assert_eq!(answer.text(), "{\"stream\":\"done\"}");
    }
    let heads: String = engine.visits().iter().map(crate::engine::Record::text).collect();
    assert!(heads.contains("application/x-tar"));
}

#[test]
fn a_body_that_is_broken_off_never_reaches_its_end() {
    let (engine, took) = taking();
    let mut edge = Edge::open_offering(&engine, DUPLEX);
    for reason in ["error: the file is gone", "canceled"] {
        edge.link.request("b", "POST /build", &json!({"bodyStream": true}));
        piece(&edge.link, "b", b"the beginning");
        edge.link.send("stream_end", &json!({"requestId": "b", "reason": reason}));
        assert_eq!(told(&edge.link.answer("b").expect_err("no answer")).0, "canceled");
        match took.recv_timeout(PATIENCE).unwrap() {
            Err(got) => assert!(b"the beginning".starts_with(&got), "{got:?}"),
            Ok(body) => panic!("the Engine believes in a body of {} bytes", body.len()),
        }
    }
}

#[test]
fn more_of_a_body_than_was_allowed_ends_it_with_an_error() {
    let gate = Gate::default();
    let hold = gate.clone();
    // An Engine that takes nothing of a body for now.
    let engine = desk(move |visit, head| {
        if head.target().starts_with("/images/load") {
            hold.pass();
            visit.until_left();
            return false;
        }
        visit.body(head).is_ok() && visit.try_send(OK).is_ok()
    });
    let mut edge = Edge::open_offering(&engine, DUPLEX);
    edge.link.request("b", "POST /images/load", &json!({"bodyStream": true}));
    for _ in 0..200 {
        piece(&edge.link, "b", &[7; 32 * 1024]);
    }
    edge.link.answer("b").expect_err("no answer");
    gate.open();
    assert_eq!(edge.link.ask("GET /a").status(), 200, "nobody else is the worse for it");
}

#[test]
fn an_engine_may_answer_before_a_body_has_ended() {
    let engine = desk(|visit, head| {
        if head.target().starts_with("/build") {
            let _ = visit.take(5);
            let _ = visit.try_send(whole(
                "400 Bad Request",
                "application/json",
                r#"{"message":"no such option"}"#,
            ));
            visit.until_left();
            return false;
        }
        visit.body(head).is_ok() && visit.try_send(OK).is_ok()
    });
    let mut edge = Edge::open_offering(&engine, DUPLEX);
    edge.link.request("b", "POST /build?x=y", &json!({"bodyStream": true}));
    piece(&edge.link, "b", &[b'x'; 10_000]);
    let answer = edge.link.answer("b").expect("an answer");
    assert_eq!((answer.status(), &answer.json()["message"]), (400, &json!("no such option")));
    // The rest comes late and means nothing.
    piece(&edge.link, "b", b"more");
    edge.link.send("stream_end", &json!({"requestId": "b"}));
    assert_eq!(edge.link.ask("GET /a").status(), 200);
}
