//! A controller that means ill: requests inside requests through the tunnel, floods, pieces without an end, broken handshakes.
use serde_json::json;
use tungstenite::Message as Frame;
use tungstenite::protocol::frame::Frame as Raw;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::controller::Controller;
use crate::edge_world::{Edge, fresh, merged, obliging, start, welcomed};
use crate::engine::Engine;
use crate::torture_census::Census;
use crate::torture_reader::read;
use crate::torture_stand::SMUGGLED;

const INNER: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Everything that ever came over one of the Engine's connections is requests of ours.
fn expect_well_formed(engine: &Engine) {
    for visit in engine.visits() {
        let reading = read(&visit.received);
        assert_eq!(reading.fault, None, "{}", visit.text());
        let lines: Vec<_> =
            reading.whole.iter().chain(&reading.cut).map(|asked| asked.line.clone()).collect();
        assert!(!lines.iter().any(|line| line.contains(SMUGGLED)), "{lines:?}");
    }
}

/// Lines of requests that have an end inside, or another meaning.
fn lines() -> Vec<(String, String)> {
    let pair = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    vec![
        pair("GET", &format!("/a HTTP/1.1\r\nHost: a\r\n\r\n{INNER}")),
        pair("GET", "/a HTTP/1.1"),
        pair("GET", "/a\r\nX-A: b"),
        pair("GET", "/a\nX-A: b"),
        pair("GET", "/a\0"),
        pair("GET", "/smuggled#a"),
        pair("GET", "//smuggled"),
        pair("GET", "/a/../smuggled"),
        pair("GET", "/a/%2e%2e/smuggled"),
        pair("GET", "/smuggled%0d%0aX-A:b"),
        pair("GET", "/smuggled\u{e9}"),
        pair("GET", "smuggled"),
        pair("GET", "http://a/smuggled"),
        pair("GET", "*"),
        pair("GET", ""),
        pair("GET", &format!("/{SMUGGLED}{}", "a".repeat(70_000))),
        pair(&format!("GET /a HTTP/1.1\r\nHost: a\r\n\r\n{}", INNER.trim_end()), "/smuggled"),
        pair("GET /smuggled HTTP/1.1\r\nX-A:", "/a"),
        pair("get", "/smuggled"),
        pair("", "/smuggled"),
        pair("CONNECT", "/smuggled"),
        pair("TRACE", "/smuggled"),
        pair("GET ", "/smuggled"),
        pair("GE\0T", "/smuggled"),
        pair("\u{feff}GET", "/smuggled"),
        pair(&"G".repeat(70_000), "/smuggled"),
    ]
}

/// Fields that would end their line, or say how long something is, or to whom it goes.
const FIELDS: &[(&str, &str)] = &[
    ("X-A", "b\r\nX-C: d"),
    ("X-A", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("X-A", "b\nX-C: d"),
    ("X-A", "b\rX-C: d"),
    ("X-A", "b\0"),
    ("X-A: b\r\nX-C", "d"),
    ("X-A ", "b"),
    ("X A", "b"),
    (" X-A", "b"),
    ("", "b"),
    (":", "b"),
    ("X-\u{e4}", "b"),
    ("Content-Length", "0"),
    ("Content-Length", "99999"),
    ("Content-Length", "+5"),
    ("content-length", "5, 5"),
    ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "gzip, chunked"),
    ("TRANSFER-ENCODING", "identity"),
    ("Host", "evil"),
    ("Connection", "close"),
    ("Connection", "Upgrade"),
    ("Connection", "Content-Length, Host"),
    ("Keep-Alive", "timeout=1"),
    ("TE", "trailers"),
    ("Trailer", "X-A"),
    ("Expect", "100-continue"),
    ("Upgrade", "h2c"),
    ("Upgrade", "tcp\r\nX-A: b"),
    ("Authorization", "Bearer smuggled"),
    ("Proxy-Authorization", "Basic c211Z2dsZWQ="),
    ("X-Lookout-Token", "smuggled"),
];

#[test]
fn a_request_inside_a_request_does_not_come_through_the_tunnel() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for (method, path) in lines() {
        let id = fresh("r");
        edge.link.send("request", &json!({"requestId": id, "method": method, "path": path}));
        let told = edge.link.answer(&id);
        let is_refused = told.as_ref().map_or(true, |answer| answer.status() >= 400);
        assert!(is_refused, "{method:?} {:?}: {told:?}", path.chars().take(100).collect::<String>());
        assert_eq!(edge.link.ask("GET /a").status(), 200, "afterwards");
    }
    edge.agent.stop();
    engine.settle();
    expect_well_formed(&engine);
}

#[test]
fn a_field_does_not_leave_its_line_in_the_tunnel() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for (name, value) in FIELDS {
        for more in [json!({}), json!({"body": "hello"}), json!({"bodyBase64": "aGVsbG8="})] {
            let id = fresh("r");
            let headers = json!({"headers": {"User-Agent": "client", *name: value}});
            edge.link.request(&id, "POST /a", &merged(&headers, &more));
            // It is refused, or it goes on without what is no field of a request's.
            let _ = edge.link.answer(&id);
            assert_eq!(edge.link.ask("GET /a").status(), 200, "after {name:?}: {value:?}");
        }
    }
    edge.agent.stop();
    engine.settle();
    expect_well_formed(&engine);
}

const KINDS: &[&str] = &[
    "request",
    "window",
    "cancel",
    "stream",
    "stream_end",
    "exec_start",
    "exec_input",
    "exec_resize",
    "exec_end",
    "ping",
    "request_body",
    "request_cancel",
    "dd:container_log_request",
    "dd:container_log_cancel",
    "dd:container_delete_request",
];

const MEMBERS: &[&str] = &[
    "requestId",
    "execId",
    "containerId",
    "method",
    "path",
    "headers",
    "body",
    "bodyBase64",
    "cmd",
    "cols",
    "bytes",
    "channel",
    "data",
    "timestamp",
];

/// As JSON has them.
fn values() -> Vec<String> {
    let plain = [
        "null",
        "true",
        "-1",
        "-0",
        "0.5",
        "1e999",
        "1e-999",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "1234567890123456789012345678901234567890",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"../../smuggled\"",
        "\"a\\r\\nb\"",
        "[]",
        "{}",
        "[[[[]]]]",
    ];
    let deep = "[".repeat(200) + &"]".repeat(200);
    let long = format!("\"{}\"", "x".repeat(100_000));
    plain.iter().map(ToString::to_string).chain([deep, long]).collect()
}

/// Numbers, names and nesting that are no good, in every member there is.
#[test]
fn values_of_every_kind_end_nothing() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let before = Census::of(&edge.agent);
    let values = values();
    for kind in KINDS {
        for member in MEMBERS {
            for value in &values {
                edge.link.say(format!(r#"{{"type":"{kind}","data":{{"{member}":{value}}}}}"#));
            }
        }
        assert_eq!(edge.link.ask("GET /a").status(), 200, "after {kind}");
    }
    assert_eq!(edge.agent.log().matches("\"edge.connected\"").count(), 1, "it is still the first connection");
    let grown = (Census::of(&edge.agent).peak_kib - before.peak_kib) / 1024;
    assert!(grown < 32, "{grown} MiB");
    edge.agent.stop();
    engine.settle();
    expect_well_formed(&engine);
}

/// What is asked of nobody, again and again: each is passed over, and costs nothing that stays.
#[test]
fn floods_of_what_concerns_nobody_are_passed_over() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    let before = Census::of(&edge.agent);
    for kind in [
        "window",
        "request_cancel",
        "cancel",
        "stream",
        "stream_end",
        "exec_input",
        "exec_resize",
        "exec_end",
        "dd:container_log_cancel",
        "nobody:knows",
    ] {
        for number in 0..3000 {
            let id = format!("nobody-{number}");
            edge.link.send(
                kind,
                &json!({"requestId": id, "execId": id, "bytes": 1, "cols": 80, "rows": 24, "data": "eA=="}),
            );
        }
        assert_eq!(edge.link.ask("GET /a").status(), 200, "after {kind}");
    }
    for number in 0..3000_u32 {
        edge.link.send_binary(number, b"for nobody");
    }
    assert_eq!(edge.link.ask("GET /a").status(), 200, "after channels");
    let grown = (Census::of(&edge.agent).peak_kib - before.peak_kib) / 1024;
    assert!(grown < 16, "{grown} MiB");
    before.until_closed(&edge.agent);
}

/// Far more than may run at once: each is answered or refused, and the tunnel goes on.
#[test]
fn a_flood_of_requests_is_answered_or_refused_one_by_one() {
    const COUNT: usize = 3000;
    const PLACES: usize = 100;
    const PAIRS: usize = 16;
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    let before = Census::of(&edge.agent);
    for number in 0..COUNT {
        edge.link.request(&format!("q{number}"), "GET /a", &json!({}));
    }
    let mut answered = 0;
    for number in 0..COUNT {
        answered += usize::from(edge.link.answer(&format!("q{number}")).is_ok());
    }
    assert!(answered > 0, "none was answered");
    let now = Census::of(&edge.agent);
    assert!(now.threads <= before.threads + PLACES + 16, "{now:?} after {before:?}");
    let grown = (now.peak_kib - before.peak_kib) / 1024;
    assert!(grown < 48, "{grown} MiB");
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    // A connection to the Engine for each place is kept as long as the session, some pairs by which its
    // threads wake each other, and no more.
    Census { descriptors: before.descriptors + PLACES + 2 * PAIRS, ..before }.until_closed(&edge.agent);
    edge.link.cut();
    edge.again();
    before.until_back(&edge.agent);
}

#[test]
fn a_message_in_pieces_without_an_end_ends_the_connection_and_leaves_no_memory() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    let before = Census::of(&edge.agent);
    let piece = |bytes: Vec<u8>, data| Frame::Frame(Raw::message(bytes, OpCode::Data(data), false));
    // One byte each, and then as much as it takes.
    edge.link.say_message(piece(b"{".to_vec(), Data::Text));
    for _ in 0..20_000 {
        edge.link.say_message(piece(b" ".to_vec(), Data::Continue));
    }
    for _ in 0..17 {
        edge.link.say_message(piece(vec![b' '; 1024 * 1024], Data::Continue));
    }
    edge.link.expect_over();
    edge.again();
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    let grown = (Census::of(&edge.agent).peak_kib - before.peak_kib) / 1024;
    // A message of sixteen mebibytes, and as much again while it grows.
    assert!(grown < 48, "{grown} MiB");
}

/// Handshakes that are cut, spoilt, too long or for somebody else; and then a good one.
#[test]
fn a_handshake_that_goes_wrong_is_tried_again() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    let good = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let endless = good.to_owned() + &"X-A: b\r\n".repeat(100_000);
    let line = good.to_owned() + "X-A: " + &"b".repeat(4 << 20);
    for words in [
        "",
        "\0\0\0\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101\r\n\r\n",
        good,
        &(good.to_owned() + "Sec-WebSocket-Accept: bm90IHRoaXMgb25lIGhlcmU=\r\n\r\n"),
        &endless,
        &line,
        "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        // Whoever has heard enough leaves.
        drop(controller.call().answer(words));
    }
    let mut link = welcomed(&controller, &json!({}));
    assert_eq!(link.ask("GET /a").status(), 200);
    let census = Census::of(&agent);
    assert!(census.threads < 32 && census.descriptors < 48, "{census:?}");
}
