//! Upgrades through the tunnel: both directions, each with its own end, and the docker commands that live on them.
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::edge_link::Link;
use crate::edge_world::{Edge, desk, fresh, merged, whole};
use crate::engine::{Engine, Home, OK, Visit};
use crate::patience::Gate;
use crate::signer::{Draft, Signer, file, next_second};

const SWITCH: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                      Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const ATTACH: &str = "POST /v1.41/containers/a/attach?stream=1&stdin=1&stdout=1";

/// The members of a request for an upgrade.
fn upgrade(token: &str) -> Value {
    json!({"headers": {"Upgrade": token, "Connection": "Upgrade", "User-Agent": "client"}})
}

/// An Engine that upgrades everything, and goes on as the script says.
fn switching(script: impl Fn(&mut Visit) + Send + Sync + 'static) -> Engine {
    desk(move |visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        if head.values("upgrade").is_empty() {
            return visit.try_send(OK).is_ok();
        }
        let _ = visit.try_send(SWITCH);
        script(visit);
        false
    })
}

fn open(engine: &Engine, line: &str) -> Edge {
    let mut edge = Edge::open_offering(engine, &["duplex-streams", "binary-streams"]);
    begin(&mut edge.link, "u", line, &json!({}));
    edge
}

fn begin(link: &mut Link, id: &str, line: &str, more: &Value) {
    link.request(id, line, &merged(&upgrade("tcp"), more));
    let head = link.about(id);
    assert_eq!(
        (&head["data"]["statusCode"], &head["data"]["isStream"]),
        (&json!(101), &json!(true)),
        "{head}"
    );
}

/// What a signature adds to a request.
fn fields(draft: &Draft, signer: &Signer) -> Value {
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), json!(value)));
    draft.fields(signer).lines().filter_map(pair).collect()
}

fn say(link: &Link, id: &str, text: impl AsRef<[u8]>) {
    link.send("stream", &json!({"requestId": id, "data": BASE64.encode(text.as_ref())}));
}

fn end(link: &Link, id: &str) {
    link.send("stream_end", &json!({"requestId": id}));
}

#[test]
fn content_goes_both_ways_as_it_comes() {
    let engine = switching(|visit| {
        let _ = visit.try_send("welcome ");
        while let Ok(bytes) = visit.wire().some().map(<[u8]>::to_vec) {
            visit.wire().consume(bytes.len());
            if bytes.is_empty() || visit.try_send(bytes).is_err() {
                return;
            }
        }
    });
    let mut edge = open(&engine, ATTACH);
    assert_eq!(edge.link.some("u", 8), b"welcome ");
    for text in [b"hello".as_slice(), b"\0\xff\r\n\r\n", b"GET /a HTTP/1.1\r\n\r\n"] {
        say(&edge.link, "u", text);
        assert_eq!(edge.link.some("u", text.len()), text);
    }
    let seen = engine.visits().iter().map(crate::engine::Record::text).find(|text| text.contains("/attach"));
    let seen = seen.expect("the upgrade was asked for").to_lowercase();
    assert!(seen.starts_with(&format!("{} http/1.1\r\n", ATTACH.to_lowercase())), "{seen:?}");
    assert_eq!(seen.matches("\r\nupgrade: tcp\r\n").count(), 1, "{seen:?}");
    assert_eq!(seen.matches("\r\nconnection: upgrade\r\n").count(), 1, "{seen:?}");
    end(&edge.link, "u");
    assert_eq!(edge.link.about("u")["data"]["reason"], "complete");
}

#[test]
fn the_end_of_input_reaches_the_engine_and_its_output_still_comes() {
    let engine = switching(|visit| {
        assert_eq!(visit.take(5), b"hello");
        visit.until_left();
        let _ = visit.try_send("all of it was read");
    });
    let mut edge = open(&engine, ATTACH);
    say(&edge.link, "u", "hello");
    edge.link.send("stream_end", &json!({"requestId": "u", "reason": "complete"}));
    assert_eq!(edge.link.streamed("u"), (b"all of it was read".to_vec(), "complete".to_owned()));
    assert_eq!(edge.link.ask("GET /a").status(), 200);
    edge.link.expect_none_of("stream_end");
}

#[test]
fn the_end_of_output_reaches_the_controller_and_its_input_still_goes() {
    let engine = switching(|visit| {
        let _ = visit.try_send("bye");
        visit.finish_sending();
        visit.until_left();
    });
    let mut edge = open(&engine, ATTACH);
    assert_eq!(edge.link.streamed("u"), (b"bye".to_vec(), "complete".to_owned()));
    say(&edge.link, "u", "hello");
    end(&edge.link, "u");
    engine.wait("both directions have ended", |visits| {
        visits.iter().any(|visit| visit.text().ends_with("\r\n\r\nhello") && visit.ended).then_some(())
    });
    // Nothing more is said of it, and its id is free.
    begin(&mut edge.link, "u", ATTACH, &json!({}));
}

#[test]
fn a_second_end_or_one_with_another_reason_cancels() {
    let engine = switching(Visit::until_left);
    for ends in [vec![None, None], vec![Some("error: the terminal is gone")], vec![Some("canceled")]] {
        let mut edge = open(&engine, ATTACH);
        // One end alone ends one direction; the Engine here has more to say.
        for reason in &ends {
            let data = json!({"requestId": "u", "reason": reason});
            edge.link.send("stream_end", &if reason.is_none() { json!({"requestId": "u"}) } else { data });
        }
        let (_, reason) = edge.link.streamed("u");
        assert!(reason == "canceled" || reason == "complete", "{reason}");
        engine.wait("the Engine is let go", |visits| {
            let attached: Vec<_> = visits.iter().filter(|visit| visit.text().contains("/attach")).collect();
            attached.iter().all(|visit| visit.ended).then_some(())
        });
    }
}

#[test]
fn an_upgrade_that_is_refused_is_an_answer_like_any_other_and_streamed() {
    let engine = desk(|visit, head| {
        let Ok(_) = visit.body(head) else { return false };
        visit.try_send(whole("409 Conflict", "application/json", r#"{"message":"not running"}"#)).is_ok()
    });
    let mut edge = Edge::open_offering(&engine, &["duplex-streams"]);
    for line in [ATTACH, "POST /session", "POST /exec/a/start"] {
        let answer = edge.link.ask_with(line, &upgrade("tcp"));
        assert_eq!((answer.status(), answer.is_complete()), (409, true), "{line}");
        assert_eq!(answer.json()["message"], "not running");
    }
}

#[test]
fn a_body_goes_before_the_stream() {
    let engine = desk(|visit, head| {
        // How it ended is asked afterwards, over a connection of its own.
        if !head.start.starts_with("POST ") {
            return visit
                .try_send(whole("404 Not Found", "application/json", r#"{"message":"gone"}"#))
                .is_ok();
        }
        let body = visit.body(head).unwrap_or_default();
        let _ = visit.try_send(SWITCH);
        let _ = visit.try_send([body.as_slice(), b"|"].concat());
        let more = visit.take(5);
        let _ = visit.try_send(more);
        false
    });
    let mut edge = Edge::open_offering(&engine, &["duplex-streams"]);
    begin(&mut edge.link, "u", "POST /exec/a/start", &json!({"body": {"Detach": false, "Tty": true}}));
    say(&edge.link, "u", "typed");
    let (content, _) = edge.link.streamed("u");
    assert_eq!(String::from_utf8(content).unwrap(), "{\"Detach\":false,\"Tty\":true}|typed");
}

#[test]
fn much_goes_both_ways_over_a_channel_within_both_windows() {
    const SIZE: usize = 4_000_000;
    let engine = switching(|visit| {
        while let Ok(bytes) = visit.wire().some().map(<[u8]>::to_vec) {
            visit.wire().consume(bytes.len());
            if bytes.is_empty() || visit.try_send(bytes).is_err() {
                return;
            }
        }
    });
    let mut edge = Edge::open_offering(&engine, &["duplex-streams", "binary-streams"]);
    begin(&mut edge.link, "u", "POST /session", &json!({"channel": 6, "window": 100_000}));
    let body: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    let (mut allowed, mut sent, mut came) = (256 * 1024, 0, Vec::new());
    while came.len() < SIZE {
        while sent < SIZE.min(allowed) {
            let count = (SIZE.min(allowed) - sent).min(60_000);
            edge.link.send_binary(6, &body[sent..sent + count]);
            sent += count;
        }
        // What came is what may come again.
        let before = came.len();
        came.extend(edge.link.binary(6));
        edge.link.send("window", &json!({"requestId": "u", "bytes": came.len() - before}));
        for message in edge.link.rest() {
            if message["type"] == "window" {
                allowed += usize::try_from(edge.link.next("window")["bytes"].as_u64().unwrap()).unwrap();
            }
        }
    }
    assert!(came == body);
    end(&edge.link, "u");
    assert_eq!(edge.link.find("its end", |kind, _| kind == "stream_end")["data"]["reason"], "complete");
}

#[test]
fn input_beyond_the_window_ends_the_stream_with_an_error() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = switching(move |visit| {
        hold.pass();
        visit.until_left();
    });
    let mut edge = open(&engine, ATTACH);
    for _ in 0..300 {
        say(&edge.link, "u", [7; 32 * 1024]);
    }
    let end = edge.link.find("its end", |kind, data| kind == "stream_end" && data["requestId"] == "u");
    assert!(end["data"]["reason"].as_str().unwrap().starts_with("error: "), "{end}");
    gate.open();
    assert_eq!(edge.link.ask("GET /a").status(), 200);
}

#[test]
fn upgrades_end_with_their_connection() {
    let engine = switching(Visit::until_left);
    let mut edge = open(&engine, ATTACH);
    edge.link.cut();
    engine.wait("the Engine is let go", |visits| {
        visits.iter().any(|visit| visit.text().contains("/attach") && visit.ended).then_some(())
    });
    edge.again();
    assert_eq!(edge.link.ask("GET /a").status(), 200);
}

#[test]
fn a_signature_covers_a_body_that_follows() {
    let engine = desk(|visit, head| {
        visit.body(head).is_ok() && visit.try_send(whole("200 OK", "text/plain", "whole")).is_ok()
    });
    let (home, signer) = (Home::new(), Signer::new(1));
    let keys = file(&home, "keys", format!("allow=\"build\" {}", signer.line()));
    let more = [("AUTHORIZED_KEYS", keys.as_str()), ("EDGE_ALLOW", "view")];
    let mut edge = Edge::open_with(&engine, &more, &json!({"capabilities": ["duplex-streams"]}));
    next_second();
    for (version, content, is_good) in
        [(2, "tar", true), (3, "tar", true), (2, "rat", false), (3, "rat", false)]
    {
        let id = fresh("signed");
        let draft = Draft::new(version, "POST /images/load", "tar");
        let headers = merged(&fields(&draft, &signer), &json!({"Content-Type": "application/x-tar"}));
        edge.link.request(&id, "POST /images/load", &json!({"headers": headers, "bodyStream": true}));
        say(&edge.link, &id, content);
        end(&edge.link, &id);
        let mut statuses = Vec::new();
        loop {
            let next = edge.link.about(&id);
            statuses.extend(next["data"]["statusCode"].as_u64());
            if next["type"] != "response" && next["type"] != "stream" {
                break;
            }
        }
        assert_eq!(statuses == [200], is_good, "{version} {content}: {statuses:?}");
    }
}

#[test]
fn a_signature_decides_who_upgrades() {
    let engine = switching(Visit::until_left);
    let (home, signer) = (Home::new(), Signer::new(1));
    let keys = file(&home, "keys", format!("allow=\"exec\" {}", signer.line()));
    let more = [("AUTHORIZED_KEYS", keys.as_str()), ("EDGE_ALLOW", "view")];
    let mut edge = Edge::open_with(&engine, &more, &json!({"capabilities": ["duplex-streams"]}));
    next_second();
    let headers = merged(&upgrade("tcp")["headers"], &fields(&Draft::new(3, ATTACH, ""), &signer));
    edge.link.request("signed", ATTACH, &json!({ "headers": headers }));
    assert_eq!(
        edge.link.about("signed")["data"]["statusCode"],
        101,
        "the key may, though the controller may not"
    );
    edge.link.request("unsigned", ATTACH, &upgrade("tcp"));
    assert_eq!(edge.link.about("unsigned")["data"]["statusCode"], 403);
}
