//! One reply for each request, on the connection it came on; and messages that are none.
use std::sync::mpsc;

use serde_json::{Value, json};
use tungstenite::Message as Frame;
use tungstenite::protocol::frame::Frame as Raw;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::edge_link::Link;
use crate::edge_world::{Edge, answering, desk, obliging, told, whole};
use crate::engine::{Engine, OK};
use crate::exposition::Checked;
use crate::patience::{Gate, PATIENCE, until};
use crate::signer::logged;

/// An Engine that answers what is held once the gate is open, and everything else at once.
fn holding(gate: &Gate) -> Engine {
    let hold = gate.clone();
    answering(move |message| {
        if message.head.target().starts_with("/held") {
            hold.pass();
        }
        whole("200 OK", "application/json", format!("{{\"was\":\"{}\"}}", message.head.target()))
    })
}

fn until_held(engine: &Engine, count: usize) {
    engine.wait("so many are held", |visits| {
        let held = visits.iter().filter(|visit| visit.text().contains("/held")).count();
        (held == count).then_some(())
    });
}

/// Terminal replies about this request among these messages.
fn replies(messages: &[Value], id: &str) -> usize {
    let is_end = |message: &&Value| {
        let is_plain = message["type"] == "response" && message["data"]["isStream"] != true;
        message["data"]["requestId"] == id
            && (is_plain || message["type"] == "error" || message["type"] == "stream_end")
    };
    messages.iter().filter(is_end).count()
}

fn malformed(link: &mut Link) -> f64 {
    Checked::of(&link.ask("GET /metrics").text()).number("lookout_edge_malformed_messages_total")
}

#[test]
fn a_hundred_requests_are_answered_at_once_and_one_more_is_refused() {
    let gate = Gate::default();
    let engine = holding(&gate);
    let mut edge = Edge::open(&engine);
    for number in 0..100 {
        edge.link.request(&format!("r{number}"), &format!("GET /held/{number}"), &json!({}));
    }
    until_held(&engine, 100);
    for line in ["GET /held/more", "GET /containers/a/logs", "GET /_lookout/info"] {
        assert_eq!(edge.link.refused(line, &json!({})).0, "busy", "{line}");
    }
    edge.link.send("ping", &json!({"timestamp": 17}));
    assert_eq!(edge.link.next("pong"), json!({"timestamp": 17}));
    gate.open();
    for number in 0..100 {
        let answer = edge.link.answer(&format!("r{number}")).expect("an answer");
        assert_eq!(answer.head["body"]["was"], format!("/held/{number}"));
    }
    assert_eq!(edge.link.ask("GET /after").status(), 200);
    let rest = edge.link.rest();
    assert!((0..100).all(|number| replies(&rest, &format!("r{number}")) == 0), "{rest:?}");
}

#[test]
fn places_are_free_again_on_the_next_connection() {
    let gate = Gate::default();
    let engine = holding(&gate);
    let mut edge = Edge::open(&engine);
    for number in 0..100 {
        edge.link.request(&format!("r{number}"), &format!("GET /held/{number}"), &json!({}));
    }
    until_held(&engine, 100);
    edge.link.cut();
    edge.again();
    // The Engine has not said a word yet.
    for number in 0..100 {
        until("a place is free", || {
            edge.link.request("again", &format!("GET /free/{number}"), &json!({}));
            edge.link.answer("again").ok()
        });
    }
    gate.open();
}

#[test]
fn an_id_is_good_for_one_request_at_a_time() {
    let gate = Gate::default();
    let engine = holding(&gate);
    let mut edge = Edge::open(&engine);
    edge.link.request("same", "GET /held/first", &json!({}));
    until_held(&engine, 1);
    edge.link.request("same", "GET /second", &json!({}));
    assert_eq!(told(&edge.link.answer("same").expect_err("no answer")).0, "duplicate-request");
    gate.open();
    let first = edge.link.answer("same").expect("the first is not disturbed");
    assert_eq!(first.head["body"]["was"], "/held/first");
    // Afterwards it is free again.
    edge.link.request("same", "GET /third", &json!({}));
    assert_eq!(edge.link.answer("same").expect("an answer").head["body"]["was"], "/third");
    assert!(engine.visits().iter().all(|visit| !visit.text().contains("/second")));
}

#[test]
fn every_request_has_one_terminal_reply() {
    let engine = desk(|visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        let told = match head.target().split('/').nth(1) {
            Some("cut") => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut".into(),
            Some("nonsense") => b"nonsense\r\n\r\n".to_vec(),
            Some("binary") => whole("200 OK", "a/b", b"\xff"),
            _ => OK.into(),
        };
        visit.try_send(told).is_ok()
            && !["/cut", "/nonsense"].iter().any(|path| head.target().starts_with(path))
    });
    let mut edge = Edge::open(&engine);
    let paths =
        ["/a", "/cut", "/nonsense", "/binary", "/_lookout/info", "/_lookout/none", "bad target", "/ready"];
    let mut ids = Vec::new();
    for (number, path) in paths.iter().cycle().take(paths.len() * 6).enumerate() {
        let id = format!("r{number}");
        let path = if number % 2 == 0 { (*path).to_owned() } else { format!("{path}/logs") };
        edge.link.request(&id, &format!("GET {path}"), &json!({}));
        if number % 5 == 0 {
            edge.link.send("stream_end", &json!({"requestId": id}));
        }
        ids.push(id);
    }
    for id in &ids {
        // Whichever it is: each must come.
        let _ = edge.link.answer(id);
    }
    edge.link.ask("GET /last");
    let rest = edge.link.rest();
    for id in &ids {
        let more: Vec<_> = rest.iter().filter(|message| message["data"]["requestId"] == **id).collect();
        assert!(more.is_empty(), "after its end came {more:?}");
    }
}

#[test]
fn a_later_connection_carries_nothing_of_an_earlier_one() {
    let gate = Gate::default();
    let (tell, left) = mpsc::channel();
    let hold = gate.clone();
    let engine = desk(move |visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        match head.target() {
            "/held/plain" => {
                hold.pass();
                let _ = visit.try_send(OK);
                visit.until_left();
            }
            "/held/logs" => {
                let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
                hold.pass();
                let _ = visit.try_send("1\r\nb\r\n");
                visit.until_left();
            }
            _ => return visit.try_send(OK).is_ok(),
        }
        let _ = tell.send(head.target().to_owned());
        false
    });
    let mut edge = Edge::open(&engine);
    edge.link.request("plain", "GET /held/plain", &json!({}));
    edge.link.request("stream", "GET /held/logs", &json!({}));
    edge.link.request("late", "GET /held/plain", &json!({}));
    until_held(&engine, 3);
    edge.link.cut();
    edge.again();
    gate.open();
    for _ in 0..3 {
        left.recv_timeout(PATIENCE).expect("the Engine is let go");
    }
    // The same ids are free on the new connection, and mean something else.
    for id in ["plain", "stream", "late"] {
        edge.link.request(id, "GET /now", &json!({}));
        assert_eq!(edge.link.answer(id).expect("an answer").text(), "{}");
    }
    edge.link.ask("GET /last");
    let rest = edge.link.rest();
    assert!(rest.iter().all(|message| message["data"].get("requestId").is_none()), "{rest:?}");
}

#[test]
fn messages_that_cannot_be_read_are_skipped_and_counted() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let before = malformed(&mut edge.link);
    let texts = [
        "",
        "\n",
        "no JSON",
        "[]",
        "5",
        "null",
        "\"ping\"",
        "{",
        "{}",
        "{\"type\":5}",
        "{\"type\":null,\"data\":{}}",
        "{\"data\":{}}",
        "{\"type\":\"ping\"",
        "{\"type\":\"ping\",\"data\":{}} more",
        "{\"type\":\"\\ud800\"}",
    ];
    for text in texts {
        edge.link.say(text);
    }
    for bytes in [b"\xff\xfe".as_slice(), b"", b"{\"type\":\"\xff\"}", &[0; 64]] {
        edge.link.say_binary(bytes);
    }
    let deep = format!("{{\"type\":\"request\",\"data\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    edge.link.say(deep);
    let counted = malformed(&mut edge.link) - before;
    assert!(counted >= 15.0, "{counted} were counted");
    assert_eq!(edge.link.ask("GET /after").status(), 200, "the connection stays");
}

#[test]
fn known_messages_with_wrong_members_end_nothing() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let kinds = [
        "ping",
        "pong",
        "error",
        "welcome",
        "hello",
        "request",
        "response",
        "stream",
        "stream_end",
        "window",
        "exec_start",
        "exec_input",
        "exec_resize",
        "exec_end",
        "exec_ready",
        "metrics",
        "container_event",
        "dd:container_log_request",
        "dd:container_log_cancel",
        "dd:container_delete_request",
        "dd:watch_request",
        "dd:watch_container_request",
        "dd:trigger_request",
        "dd:component_sync",
        "something:new",
    ];
    let wrong = [
        "",
        ",\"data\":null",
        ",\"data\":[]",
        ",\"data\":\"text\"",
        ",\"data\":7",
        ",\"data\":{}",
        ",\"data\":{\"requestId\":7,\"execId\":[],\"containerId\":{},\"timestamp\":\"x\",\"data\":1,\"cols\":-1,\"bytes\":-1}",
        ",\"data\":{\"requestId\":null,\"execId\":null,\"containerId\":null,\"method\":null,\"path\":null,\"cmd\":null}",
    ];
    for kind in kinds {
        for data in wrong {
            edge.link.say(format!("{{\"type\":\"{kind}\"{data}}}"));
        }
    }
    assert_eq!(edge.link.ask("GET /after").status(), 200);
    let log = edge.agent.log();
    assert_eq!(log.matches("\"edge.connected\"").count(), 1, "it is still the first connection");
    let visits = engine.visits();
    let own = ["GET /containers/json", "GET /events", "GET /after"];
    assert!(
        visits.iter().all(|visit| own.iter().any(|line| visit.text().starts_with(line))),
        "{:?}",
        visits.iter().map(crate::engine::Record::text).collect::<Vec<_>>()
    );
}

#[test]
fn a_request_that_cannot_be_read_but_names_itself_is_told_why() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for more in [
        json!({"method": 5}),
        json!({"path": null}),
        json!({"headers": "none"}),
        json!({"bodyEncoding": "gzip", "body": ""}),
    ] {
        let (code, message) = edge.link.refused("GET /a", &more);
        assert_eq!(code, "malformed-request", "{more}: {message}");
    }
    edge.link.send("request", &json!({"requestId": "bare"}));
    assert_eq!(told(&edge.link.answer("bare").expect_err("no answer")).0, "malformed-request");
}

#[test]
fn what_is_new_in_a_message_is_passed_over() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    edge.link.say(r#"{"type":"dd:something_new","data":{"a":1}}"#);
    edge.link.say(r#"{"new":1,"type":"ping","data":{"timestamp":5,"new":[1]},"newer":{}}"#);
    assert_eq!(edge.link.next("pong")["timestamp"], 5);
    let more = json!({"new": {"a": [1]}, "sessionId": "s", "timeout": 5});
    assert_eq!(edge.link.ask_with("GET /a", &more).status(), 200);
    edge.link.expect_none_of("error");
}

#[test]
fn a_message_may_come_in_a_binary_one_or_in_pieces() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let text = r#"{"type":"request","data":{"requestId":"b","method":"GET","path":"/a"}}"#;
    edge.link.say_binary(text);
    assert_eq!(edge.link.answer("b").expect("an answer").status(), 200);
    let (first, second) = text.split_at(40);
    let piece = |text: &str, data, is_last| {
        Frame::Frame(Raw::message(text.as_bytes().to_vec(), OpCode::Data(data), is_last))
    };
    edge.link.say_message(piece(first, Data::Text, false));
    // Signs of life may come in between.
    edge.link.say_message(Frame::Ping(b"between"[..].into()));
    edge.link.say_message(piece("", Data::Continue, false));
    edge.link.say_message(piece(second, Data::Continue, true));
    assert_eq!(edge.link.answer("b").expect("an answer").status(), 200);
}

#[test]
fn a_message_of_sixteen_mebibytes_is_taken_and_a_larger_one_ends_the_connection() {
    let (tell, sizes) = mpsc::channel();
    let engine = answering(move |message| {
        if message.head.start.starts_with("POST /load") {
            let _ = tell.send(message.body.len());
        }
        OK.into()
    });
    let mut edge = Edge::open(&engine);
    let body = "x".repeat(15 * 1024 * 1024);
    assert_eq!(edge.link.ask_with("POST /load", &json!({"body": body})).status(), 200);
    assert_eq!(sizes.recv_timeout(PATIENCE).unwrap(), body.len() + 2);
    edge.link.say("x".repeat(16 * 1024 * 1024 + 1));
    edge.link.expect_over();
    edge.again();
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    logged(&edge.agent, &["\"edge.lost\""]);
}

#[test]
fn bytes_that_are_no_messages_end_the_connection_and_nothing_else() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for bytes in [
        // A masked one, a reserved bit, an unknown kind, a long ping, text that is none, a piece of nothing.
        b"\x81\x82\0\0\0\0{}".as_slice(),
        b"\xc1\x02{}",
        b"\x83\x00",
        b"\x89\x7e\x00\x7e",
        b"\x81\x02\xff\xfe",
        b"\x80\x01x",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        edge.link.say_raw(bytes);
        // What follows cannot be taken for a part of it.
        edge.link.say_raw(&[0xff; 128]);
        edge.link.expect_over();
        edge.again();
    }
    assert_eq!(edge.link.ask("GET /a").status(), 200);
}
