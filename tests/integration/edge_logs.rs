//! What the Drydock adapter is asked of containers: logs in one piece and as they come, and removal.
use serde_json::{Value, json};

use crate::edge_link::Link;
use crate::edge_world::{Edge, desk, merged, whole};
use crate::engine::Engine;
use crate::fleet::{Fleet, framed, id};
use crate::patience::{Gate, until};

const ASK: &str = "dd:container_log_request";

fn open(fleet: &Fleet) -> (Engine, Edge) {
    let engine = fleet.engine();
    let edge = Edge::open(&engine);
    (engine, edge)
}

/// The answer to a request for logs in one piece.
fn once(link: &mut Link, name: &str, more: &Value) -> Value {
    link.send(ASK, &merged(&json!({"containerId": name}), more));
    link.next("dd:container_log_response")
}

/// Asks for logs as they come.
fn follow(link: &Link, request: &str, name: &str, more: &Value) {
    let data = json!({"requestId": request, "containerId": name, "stream": true, "timestamps": true});
    link.send(ASK, &merged(&data, more));
}

/// The next thing about this stream: its type, and its data.
fn about(link: &mut Link, request: &str) -> (String, Value) {
    let mut next = link.find(&format!("something about {request}"), |kind, data| {
        kind.starts_with("dd:container_log_") && data["requestId"] == request
    });
    (next["type"].as_str().unwrap().to_owned(), next["data"].take())
}

/// Both streams as text up to the end, and how it ended.
fn told(link: &mut Link, request: &str) -> ([String; 2], Value) {
    let mut texts = [String::new(), String::new()];
    loop {
        let (kind, data) = about(link, request);
        if kind != "dd:container_log_chunk" {
            assert_eq!(kind, "dd:container_log_end", "{data}");
            return (texts, data);
        }
        let at = ["stdout", "stderr"].iter().position(|name| data["stream"] == *name).expect("a stream");
        let text = data["logs"].as_str().expect("text");
        assert!(!text.is_empty(), "{data}");
        texts[at] += text;
    }
}

/// The last query for logs the Engine was asked with, in order.
fn query(fleet: &Fleet) -> Vec<String> {
    let line = fleet.asked("GET /containers/").into_iter().rfind(|line| line.contains("/logs"));
    let line = line.expect("the Engine was asked for logs");
    let mut pairs: Vec<_> = line.split_once('?').expect("a query").1.split('&').map(str::to_owned).collect();
    pairs.retain(|pair| pair != "stdout=1" && pair != "stderr=1");
    pairs.sort();
    pairs
}

#[test]
fn logs_in_one_piece_are_text_without_frames_and_name_what_they_answer() {
    let fleet = Fleet::of(&["web", "terminal", "silent"]);
    fleet.change("terminal", |container| container["Config"]["Tty"] = true.into());
    let frames = [framed(1, "out\n"), framed(2, "err gr\u{fc}n\n"), framed(1, "\u{0}last")].concat();
    let (before, after) = frames.split_at(frames.len() / 2);
    fleet.print("web", &[before, after], false);
    fleet.print("terminal", &[b"\x01\0\0\0\0\0\0\x04one\r\n\xff"], false);
    let (_engine, mut edge) = open(&fleet);
    let answer = once(
        &mut edge.link,
        &id("web"),
        &json!({"requestId": "l1", "tail": 100, "since": "0", "timestamps": true}),
    );
    assert_eq!(
        answer,
        json!({"requestId": "l1", "containerId": id("web"), "logs": "out\nerr gr\u{fc}n\n\u{0}last"})
    );
    let answer = once(&mut edge.link, "terminal", &json!({}));
    assert_eq!(answer, json!({"containerId": "terminal", "logs": "\u{1}\0\0\0\0\0\0\u{4}one\r\n\u{fffd}"}));
    assert_eq!(once(&mut edge.link, "silent", &json!({"requestId": "l2", "tail": 0}))["logs"], "");
}

#[test]
fn bounds_may_be_numbers_or_text() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "a")], false);
    let (_engine, mut edge) = open(&fleet);
    for (more, asked) in [
        (
            json!({"tail": 10, "since": 1_700_000_000, "until": "1700000001", "timestamps": true}),
            vec!["since=1700000000", "tail=10", "timestamps=1", "until=1700000001"],
        ),
        (json!({"tail": "7", "since": "1700000000.5"}), vec!["since=1700000000.500000000", "tail=7"]),
        (json!({"since": "2023-11-14T22:13:20Z", "timestamps": false}), vec!["since=1700000000"]),
        (json!({"tail": 0}), vec!["tail=0"]),
        (json!({"tail": "all"}), vec![]),
        (json!({}), vec![]),
        (json!({"tail": null, "since": null, "until": null}), vec![]),
    ] {
        assert_eq!(once(&mut edge.link, "web", &more)["logs"], "a", "{more}");
        assert_eq!(query(&fleet), asked, "{more}");
    }
}

#[test]
fn a_bound_cannot_be_more_than_a_bound() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "a")], false);
    let (_engine, mut edge) = open(&fleet);
    for more in [
        json!({"tail": "1&follow=1"}),
        json!({"since": "0&stdout=0"}),
        json!({"until": "1 HTTP/1.1\r\nX: y"}),
    ] {
        // Refused or read as less, but answered.
        let answer = once(&mut edge.link, "web", &more);
        assert!(answer["logs"].is_string(), "{answer}");
    }
    for name in ["../web", "web/logs?x=", "", "a b"] {
        assert!(
            once(&mut edge.link, name, &json!({}))["logs"].as_str().unwrap().starts_with("error: "),
            "{name}"
        );
    }
    for line in fleet.asked("GET /containers/").iter().filter(|line| line.contains("logs")) {
        let pairs: Vec<_> = line.split_once('?').unwrap().1.split('&').collect();
        assert!(!pairs.contains(&"follow=1") && !pairs.contains(&"stdout=0"), "{line}");
        assert!(line.starts_with("GET /containers/web/logs?"), "{line}");
    }
}

#[test]
fn logs_that_cannot_be_had_say_so_in_their_place() {
    let (_engine, mut edge) = open(&Fleet::of(&[]));
    let answer = once(&mut edge.link, "missing", &json!({"requestId": "l"}));
    assert_eq!(answer["requestId"], "l");
    let text = answer["logs"].as_str().unwrap();
    assert!(text.starts_with("error: ") && text.contains("No such container"), "{answer}");
}

#[test]
fn logs_that_are_too_long_for_a_message_say_so_and_the_tunnel_lives() {
    let long = framed(1, "x".repeat(250_000)).repeat(70);
    let engine = desk(move |visit, head| {
        let _ = visit.body(head);
        // Nobody reads all of it.
        let told = match head.target().contains("/logs?") {
            true => whole("200 OK", "application/octet-stream", &long),
            false => whole("200 OK", "application/json", r#"{"Id":"a","Config":{"Tty":false,"Labels":{}}}"#),
        };
        visit.try_send(told).is_ok()
    });
    let mut edge = Edge::open(&engine);
    let text = once(&mut edge.link, "web", &json!({}))["logs"].as_str().unwrap().to_owned();
    assert!(text.starts_with("error: ") && text.len() < 1000, "{} bytes", text.len());
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}

#[test]
fn logs_that_are_followed_in_one_piece_have_an_end() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "first\n")], true);
    let (_engine, mut edge) = open(&fleet);
    // An Engine heeds `until` only when something is printed: whoever is quiet would be waited for.
    let answer = once(&mut edge.link, "web", &json!({"requestId": "l", "follow": true}));
    assert_eq!(answer, json!({"requestId": "l", "containerId": "web", "logs": "first\n"}));
    let asked = query(&fleet);
    assert!(asked.contains(&"follow=1".to_owned()), "{asked:?}");
    assert!(asked.iter().any(|pair| pair.starts_with("until=")), "{asked:?}");
}

#[test]
fn live_logs_come_in_two_streams_with_whole_characters() {
    let fleet = Fleet::of(&["web"]);
    let crab = "\u{1f980}".as_bytes();
    let frames = [
        framed(1, [b"out ", &crab[..1]].concat()),
        framed(2, b"err \xc3"),
        framed(1, &crab[1..3]),
        framed(1, &crab[3..]),
        framed(2, b"\xbc\n"),
        framed(1, b" bad \xff."),
    ];
    let all = frames.concat();
    let bytes: Vec<_> = all.chunks(1).collect();
    let (_engine, mut edge) = open(&fleet);
    let pieces: Vec<_> = frames.iter().map(Vec::as_slice).collect();
    for (number, pieces) in [vec![all.as_slice()], pieces, bytes].into_iter().enumerate() {
        fleet.print("web", &pieces, false);
        let request = format!("s{number}");
        follow(&edge.link, &request, "web", &json!({"tail": 100, "since": 0, "follow": false}));
        let ([out, err], end) = told(&mut edge.link, &request);
        assert_eq!((out.as_str(), err.as_str()), ("out \u{1f980} bad \u{fffd}.", "err \u{fc}\n"));
        assert_eq!(end, json!({"requestId": request, "containerId": "web", "reason": "eof"}));
    }
    assert_eq!(query(&fleet), ["tail=100", "timestamps=1"], "zero seconds since 1970 are no bound");
}

#[test]
fn a_terminals_live_logs_are_its_own() {
    let fleet = Fleet::of(&["web"]);
    fleet.change("web", |container| container["Config"]["Tty"] = true.into());
    fleet.print("web", &[b"\x02\0\0\0\0\0\0\x04one\r\n", b"two\xc3", b"\xbc\r\n"], false);
    let (_engine, mut edge) = open(&fleet);
    follow(&edge.link, "t", "web", &json!({}));
    let ([out, err], _) = told(&mut edge.link, "t");
    assert_eq!((out.as_str(), err.as_str()), ("\u{2}\0\0\0\0\0\0\u{4}one\r\ntwo\u{fc}\r\n", ""));
}

#[test]
fn live_logs_go_on_until_they_are_cancelled() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "first\n")], true);
    let (engine, mut edge) = open(&fleet);
    follow(&edge.link, "f", "web", &json!({"follow": true, "tail": 1, "since": 1_700_000_000}));
    let (kind, chunk) = about(&mut edge.link, "f");
    assert_eq!(kind, "dd:container_log_chunk");
    assert_eq!(chunk, json!({"requestId": "f", "containerId": "web", "stream": "stdout", "logs": "first\n"}));
    assert_eq!(query(&fleet), ["follow=1", "since=1700000000", "tail=1", "timestamps=1"]);
    // Of nobody's, and then of its own.
    edge.link.send("dd:container_log_cancel", &json!({"requestId": "other", "containerId": "web"}));
    edge.link.send("dd:container_log_cancel", &json!({"requestId": "f", "containerId": "web"}));
    let (kind, end) = about(&mut edge.link, "f");
    assert_eq!((kind.as_str(), &end["reason"]), ("dd:container_log_end", &json!("canceled")));
    engine.wait("the Engine's side has ended", |visits| {
        visits.iter().any(|visit| visit.text().contains("/logs?") && visit.ended).then_some(())
    });
    edge.link.send("dd:container_log_cancel", &json!({"requestId": "f"}));
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}

#[test]
fn a_stream_of_logs_needs_a_name_of_its_own_and_a_container() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "first\n")], true);
    let (_engine, mut edge) = open(&fleet);
    follow(&edge.link, "same", "web", &json!({"follow": true}));
    about(&mut edge.link, "same");
    follow(&edge.link, "same", "web", &json!({"follow": true}));
    let (kind, data) = about(&mut edge.link, "same");
    assert_eq!((kind.as_str(), &data["error"]), ("dd:container_log_error", &json!("duplicate requestId")));
    for more in [json!({"requestId": ""}), json!({"containerId": ""})] {
        follow(&edge.link, "nameless", "web", &more);
        let data = edge.link.next("dd:container_log_error");
        assert_eq!(data["error"], "requestId and containerId are required");
    }
    follow(&edge.link, "missing", "missing", &json!({}));
    let (kind, data) = about(&mut edge.link, "missing");
    assert_eq!(kind, "dd:container_log_error");
    assert!(data["error"].as_str().unwrap().contains("No such container"), "{data}");
}

#[test]
fn more_streams_of_logs_than_there_are_places_for_are_refused() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "first\n")], true);
    let (_engine, mut edge) = open(&fleet);
    for number in 0..128 {
        follow(&edge.link, &format!("f{number}"), "web", &json!({"follow": true}));
        let (kind, data) = about(&mut edge.link, &format!("f{number}"));
        assert_eq!(kind, "dd:container_log_chunk", "{number}: {data}");
    }
    follow(&edge.link, "more", "web", &json!({"follow": true}));
    let (kind, data) = about(&mut edge.link, "more");
    assert_eq!(kind, "dd:container_log_error");
    assert_eq!(data["error"], "too many active container log streams");
    // None of them holds up a request.
    assert_eq!(edge.link.ask("GET /api/watchers").status(), 200);
    edge.link.send("dd:container_log_cancel", &json!({"requestId": "f7"}));
    until("its place is free", || {
        follow(&edge.link, "next", "web", &json!({"follow": true}));
        (about(&mut edge.link, "next").0 == "dd:container_log_chunk").then_some(())
    });
}

#[test]
fn a_stream_of_logs_ends_with_its_connection() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "first\n")], true);
    let (engine, mut edge) = open(&fleet);
    follow(&edge.link, "f", "web", &json!({"follow": true}));
    about(&mut edge.link, "f");
    edge.link.cut();
    engine.wait("the Engine's side has ended", |visits| {
        visits.iter().any(|visit| visit.text().contains("/logs?") && visit.ended).then_some(())
    });
    edge.again();
    follow(&edge.link, "f", "web", &json!({"follow": true}));
    assert_eq!(about(&mut edge.link, "f").0, "dd:container_log_chunk", "the name is free");
}

#[test]
fn a_container_is_removed_and_that_is_told() {
    let fleet = Fleet::of(&["web", "db"]);
    let (_engine, mut edge) = open(&fleet);
    edge.link.next("dd:container_sync");
    edge.link.send("dd:container_delete_request", &json!({"requestId": "d", "containerId": id("web")}));
    let answer = edge.link.next("dd:container_delete_response");
    assert_eq!(answer, json!({"requestId": "d", "containerId": id("web"), "success": true}));
    // Where everything is just being looked at once more, the list that comes of that tells it instead.
    let gone = edge.link.find("that it is gone", |kind, data| match kind {
        "dd:container_removed" => true,
        "dd:container_sync" => !data.to_string().contains(&id("web")),
        _ => false,
    });
    if gone["type"] == "dd:container_removed" {
        assert_eq!(gone["data"], json!({"id": id("web"), "name": "web"}));
    }
    fleet.answer(&format!("DELETE /containers/{}", id("db")), 409, r#"{"message":"removal is in progress"}"#);
    edge.link.send("dd:container_delete_request", &json!({"containerId": id("db")}));
    let answer = edge.link.next("dd:container_delete_response");
    assert!(answer["success"] == false && answer.get("requestId").is_none(), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("removal is in progress"), "{answer}");
    let before = fleet.asked("DELETE ").len();
    for name in ["../db", "db/x", ""] {
        edge.link.send("dd:container_delete_request", &json!({"requestId": "bad", "containerId": name}));
        assert_eq!(edge.link.next("dd:container_delete_response")["success"], false, "{name}");
    }
    assert_eq!(fleet.asked("DELETE ").len(), before);
}

#[test]
fn what_the_controller_does_itself_is_answered_as_it_expects() {
    let (_engine, mut edge) = open(&Fleet::of(&["web"]));
    let watch = json!({"watcherType": "docker", "watcherName": "docker"});
    edge.link.send("dd:watch_request", &watch);
    assert_eq!(edge.link.next("dd:watch_response"), merged(&watch, &json!({"results": []})));
    let one = merged(&watch, &json!({"containerId": id("web")}));
    edge.link.send("dd:watch_container_request", &one);
    let answer = edge.link.next("dd:watch_container_response");
    assert!(
        ["watcherType", "watcherName", "containerId"].iter().all(|name| answer[name] == one[name]),
        "{answer}"
    );
    let trigger = json!({"triggerType": "docker", "triggerName": "update"});
    edge.link.send("dd:trigger_request", &merged(&trigger, &json!({"containerId": "x", "batch": false})));
    let no = json!({"success": false, "message": "triggers not implemented in v1.0"});
    assert_eq!(edge.link.next("dd:trigger_response"), merged(&trigger, &no));
}

#[test]
fn without_that_adapter_nobody_is_asked_for_anything() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let mut edge = Edge::open_with(&engine, &[("ADAPTER", "generic")], &json!({}));
    edge.link.send("dd:container_delete_request", &json!({"requestId": "d", "containerId": id("web")}));
    edge.link.send(ASK, &json!({"requestId": "l", "containerId": id("web")}));
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
    assert!(fleet.asked("DELETE ").is_empty());
    for kind in ["dd:container_delete_response", "dd:container_log_response"] {
        edge.link.expect_none_of(kind);
    }
}

#[test]
fn others_at_once_are_bounded_and_hold_up_nothing() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = desk(move |visit, head| {
        let _ = visit.body(head);
        if head.start.starts_with("DELETE ") {
            hold.pass();
        }
        visit
            .try_send(whole("404 Not Found", "application/json", r#"{"message":"No such container: a"}"#))
            .is_ok()
    });
    let mut edge = Edge::open(&engine);
    for number in 0..33 {
        let data = json!({"requestId": format!("d{number}"), "containerId": "a"});
        edge.link.send("dd:container_delete_request", &data);
    }
    let refused = edge.link.next("dd:container_delete_response");
    assert_eq!((&refused["requestId"], &refused["success"]), (&json!("d32"), &json!(false)));
    assert_eq!(refused["error"], "agent busy");
    edge.link.send("ping", &json!({"timestamp": 9}));
    assert_eq!(edge.link.next("pong")["timestamp"], 9);
    gate.open();
    let mut names: Vec<_> =
        (0..32).map(|_| edge.link.next("dd:container_delete_response")["requestId"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    assert_eq!(names.len(), 32);
}
