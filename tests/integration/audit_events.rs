//! Each event of the trail, provoked: the record it leaves, byte for byte but for what the day decides.
use std::fs;

use serde_json::json;

use crate::agent::{Agent, TOKEN, request, request_with};
use crate::audit_trail::{Sink, expect_shape, parsed};
use crate::engine::{Engine, Home};
use crate::patience::{Gate, until};
use crate::signer::{Draft, Signer, agent, file, head, reload};
use crate::world::{Otherwise, WEB, World, told};

const LINE: &str = "GET /containers/json";
const ENROLLMENT: &str = "enrollment-token-0123456789abcdef";

/// A world whose trail is in this file.
fn world(sink: &Sink, options: &[&str], otherwise: Otherwise) -> World {
    World::with(options, &sink.plain(&[]), otherwise)
}

#[test]
fn every_guarded_exchange_has_one_record_and_health_has_none() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.plain(&[("ADAPTER", "generic")]));
    for path in ["/health", "/ready", "/_lookout/health"] {
        for method in ["GET", "HEAD"] {
            let mut client = agent.client();
            client.send(head(&format!("{method} {path}"), ""));
            assert_eq!(client.head().status(), 200, "{method} {path}");
        }
    }
    let asked = [
        ("GET /containers/json?all=1&filters=x", "GET", "/containers/json", 200, "view"),
        ("POST /containers/create?name=a", "POST", "/containers/create", 200, "create"),
        ("DELETE /containers/web", "DELETE", "/containers/web", 200, "remove"),
        ("GET /_lookout/info", "GET", "/_lookout/info", 200, "view"),
        ("GET /metrics", "GET", "/metrics", 200, "metrics"),
        ("GET /_lookout/audit", "GET", "/_lookout/audit", 200, "audit"),
    ];
    for (line, ..) in asked {
        assert_eq!(agent.ask(request(line, "User-Agent: probe/1.0\r\n")).status(), 200, "{line}");
    }
    agent.stop();
    let lines = sink.lines();
    assert_eq!(lines.len(), asked.len() + 2, "{lines:#?}");
    for (line, (_, method, path, status, class)) in lines[1..].iter().zip(asked) {
        let shape = format!(
            r#"<time>,"event":"api_request","actor":"127.0.0.1","method":"{method}","path":"{path}","outcome":"allowed","status":{status},"duration_ms":*,"class":"{class}","user_agent":"probe/1.0","request_id":"*"}}"#
        );
        expect_shape(line, &shape);
    }
    expect_shape(&lines[0], r#"<time>,"event":"start","version":"*","mode":"standard"}"#);
    expect_shape(&lines[lines.len() - 1], r#"<time>,"event":"stop"}"#);
}

#[test]
fn a_chain_stands_behind_everything_else_and_is_signed_at_the_end() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.with(&[]));
    assert_eq!(agent.ask(request(LINE, "")).status(), 200);
    agent.stop();
    let lines = sink.lines();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let shapes = [
        r#"<time>,"event":"start","version":"*","mode":"standard""#,
        r#"<time>,"event":"api_request","actor":"127.0.0.1","method":"GET","path":"/containers/json","outcome":"allowed","status":200,"duration_ms":*,"class":"view","request_id":"*""#,
        r#"<time>,"event":"stop""#,
        r#"<time>,"event":"checkpoint","key":"*","signature":"*""#,
    ];
    for ((number, line), shape) in (1..).zip(&lines).zip(shapes) {
        expect_shape(line, &format!(r#"{shape},"seq":{number},"prev":"*","hash":"*"}}"#));
    }
    sink.expect_whole();
}

#[test]
fn what_the_engine_could_not_do_is_an_error() {
    let (sink, engine) = (Sink::new(), Engine::start(|visit| drop(visit.request())));
    let agent = Agent::start_with(&engine, &sink.plain(&[]));
    assert_eq!(agent.ask(request("POST /containers/create", "")).status(), 502);
    drop(engine);
    assert_eq!(agent.ask(request("POST /containers/create", "")).status(), 502);
    for line in sink.wait("api_request", 2) {
        let shape = r#"<time>,"event":"api_request","actor":"127.0.0.1","method":"POST","path":"/containers/create","outcome":"error","status":502,"duration_ms":*,"class":"create","request_id":"*"}"#;
        expect_shape(&line, shape);
    }
}

#[test]
fn a_bad_credential_is_a_failure_with_its_reason_and_too_many_are_a_limit() {
    let (sink, home, engine) = (Sink::new(), Home::new(), Engine::obliging());
    let (signer, stranger) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", signer.line());
    let agent = agent(&engine, &keys, &sink.plain(&[]));
    let ask =
        |fields: &str| agent.ask(head(LINE, &format!("X-Forwarded-For: 192.0.2.7\r\n{fields}"))).status();
    let used = Draft::new(2, LINE, "").fields(&signer);
    assert_eq!(ask(&used), 200);
    let old = Draft { stamp: "1000".to_owned(), ..Draft::new(2, LINE, "") };
    let cases = [
        ("no_credentials", String::new()),
        ("bad_token", "Authorization: Bearer wrong-wrong-wrong\r\n".to_owned()),
        ("unknown-key", Draft::new(2, LINE, "").fields(&stranger)),
        ("timestamp-skew", old.fields(&signer)),
        ("replay", used),
        ("invalid-signature", Draft::new(2, "GET /other", "").fields(&signer)),
    ];
    for (reason, fields) in &cases {
        assert_eq!(ask(fields), 401, "{reason}");
    }
    let failures = sink.wait("auth_failure", cases.len());
    for (line, (reason, _)) in failures.iter().zip(&cases) {
        let shape = format!(
            r#"<time>,"event":"auth_failure","actor":"192.0.2.7","method":"GET","path":"/containers/json","outcome":"denied","reason":"{reason}","request_id":"*"}}"#
        );
        expect_shape(line, &shape);
    }
    // The first of them was nobody's guess.
    for _ in cases.len()..=10 {
        assert_eq!(ask(&cases[1].1), 401);
    }
    assert_eq!(ask(&format!("Authorization: Bearer {TOKEN}\r\n")), 429);
    let shape = r#"<time>,"event":"rate_limited","actor":"192.0.2.7","method":"GET","path":"/containers/json","outcome":"denied","request_id":"*"}"#;
    expect_shape(&sink.wait("rate_limited", 1)[0], shape);
    // Start, what was let in, eleven failures and the limit.
    assert_eq!(sink.lines().len(), 14, "{:#?}", sink.lines());
}

#[test]
fn a_body_that_was_not_signed_is_a_failure_when_it_has_come() {
    let (sink, home, signer) = (Sink::new(), Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        // A forged archive breaks off before its end.
        if let Some(head) = visit.head() {
            let _ = visit.body(&head);
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &sink.plain(&[]));
    for line in ["POST /containers/create", "PUT /containers/web/archive?path=/"] {
        let fields = Draft::new(3, line, "as signed").fields(&signer) + "Content-Length: 9\r\n";
        let answer = agent.ask(head(line, &fields) + "otherwise");
        assert_eq!(answer.status(), 401, "{line}");
    }
    for (line, path) in sink.wait("auth_failure", 2).iter().zip(["create", "web/archive"]) {
        assert!(line.contains(&format!(r#""path":"/containers/{path}","outcome":"denied""#)), "{line}");
        assert!(line.contains(r#""reason":"invalid-signature""#), "{line}");
    }
}

#[test]
fn what_a_key_may_not_do_is_a_denied_request_with_its_reason_and_class() {
    let sink = Sink::new();
    let world = world(&sink, &[r#"allow="view""#], Box::new(|_| None));
    assert_eq!(world.ask(1, "POST /containers/create", r#"{"Image":"redis"}"#).status(), 403);
    assert_eq!(world.ask(1, LINE, "").status(), 200);
    let id = Signer::new(1).id();
    let lines = sink.wait("api_request", 2);
    let denied = format!(
        r#"<time>,"event":"api_request","actor":"127.0.0.1","method":"POST","path":"/containers/create","outcome":"denied","status":403,"duration_ms":*,"key_id":"{id}","reason":"class","class":"create","user_agent":"client","request_id":"*"}}"#
    );
    let allowed = format!(
        r#"<time>,"event":"api_request","actor":"127.0.0.1","method":"GET","path":"/containers/json","outcome":"allowed","status":200,"duration_ms":*,"key_id":"{id}","class":"view","user_agent":"client","request_id":"*"}}"#
    );
    expect_shape(&lines[0], &denied);
    expect_shape(&lines[1], &allowed);
    assert_ne!(parsed(&lines[0])["request_id"], parsed(&lines[1])["request_id"]);
}

#[test]
fn a_command_that_is_started_has_a_record_with_its_container_before_that_of_its_request() {
    let (sink, command) = (Sink::new(), "e7f8a9b1".repeat(8));
    let known = command.clone();
    let otherwise: Otherwise = Box::new(move |call| {
        let is_asked = call.line().ends_with(&format!("/exec/{known}/json"));
        is_asked.then(|| told(200, json!({"ID": known, "ContainerID": WEB}).to_string()))
    });
    let world = world(&sink, &["", r#"allow="view""#], otherwise);
    let start = format!("POST /v1.41/exec/{command}/start");
    assert_eq!(world.ask(1, &start, r#"{"Detach":true}"#).status(), 200);
    // Of one that the Engine does not know there is no container; of one that is refused no start.
    assert_eq!(world.ask(1, "POST /exec/unknown/start", r#"{"Detach":true}"#).status(), 200);
    assert_eq!(world.ask(2, &start, r#"{"Detach":true}"#).status(), 403);
    sink.wait("api_request", 1);
    sink.wait("stream_end", 2);
    let (lines, id) = (sink.lines(), Signer::new(1).id());
    let commands = [(1, WEB, command.as_str()), (4, "", "unknown")];
    for (at, container, name) in commands {
        let shape = format!(
            r#"<time>,"event":"exec_start","actor":"127.0.0.1","container":"{container}","exec_id":"{name}","outcome":"allowed","key_id":"{id}","request_id":"*"}}"#
        );
        expect_shape(&lines[at], &shape);
        let [start, begun] = [at, at + 1].map(|at| parsed(&lines[at]));
        assert_eq!((&begun["event"], &begun["request_id"]), (&json!("stream_start"), &start["request_id"]));
    }
    assert_eq!(sink.of("exec_start").len(), commands.len(), "{lines:#?}");
    drop(world);
}

/// Streams that last until the gate opens: logs, and an upgrade for everything else.
fn lasting(gate: &Gate) -> Engine {
    let gate = gate.clone();
    Engine::start(move |visit| {
        let Some(asked) = visit.request() else { return };
        if asked.head.target().contains("/logs") {
            visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
            gate.pass();
            visit.send("0\r\n\r\n");
        } else {
            visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst");
            gate.pass();
        }
    })
}

#[test]
fn what_takes_its_time_has_a_record_at_its_beginning_and_one_at_its_end() {
    let (sink, gate) = (Sink::new(), Gate::default());
    let engine = lasting(&gate);
    let agent = Agent::start_with(&engine, &sink.plain(&[]));
    let (mut log, mut shell) = (agent.client(), agent.client());
    log.send(request("GET /containers/web/logs?follow=1&stdout=1", ""));
    assert_eq!((log.head().status(), log.chunk()), (200, b"first".to_vec()));
    // It was written before anything of the answer came.
    assert_eq!((sink.of("stream_start").len(), sink.of("stream_end").len()), (1, 0));
    shell.send(request("POST /containers/web/attach?stream=1", "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    assert_eq!((shell.head().status(), shell.take(5)), (101, b"first".to_vec()));
    let begun = sink.of("stream_start");
    assert_eq!((begun.len(), sink.of("stream_end").len()), (2, 0));
    gate.open();
    assert!(log.chunk().is_empty());
    drop(shell);
    let ended = sink.wait("stream_end", 2);
    for (event, lines) in [("stream_start", begun), ("stream_end", ended)] {
        for (method, name, class, status) in [("GET", "logs", "logs", 200), ("POST", "attach", "exec", 101)] {
            let path = format!("/containers/web/{name}");
            let line = lines.iter().find(|line| line.contains(&path)).expect("a record of each");
            let fixed = format!(
                r#"<time>,"event":"{event}","actor":"127.0.0.1","method":"{method}","path":"{path}","outcome":"allowed","status":{status},"duration_ms":*,"class":"{class}","request_id":"*"}}"#
            );
            expect_shape(line, &fixed);
        }
    }
    assert!(sink.of("api_request").is_empty(), "{:#?}", sink.lines());
    agent.stop();
}

fn enrollment(token: &str, key: &str) -> String {
    let body = json!({"enrollment_token": token, "public_key": key}).to_string();
    let fields = format!("Content-Length: {}\r\n", body.len());
    head("POST /api/lookout/enroll", &fields) + &body
}

#[test]
fn an_enrollment_is_recorded_whether_it_succeeds_or_not() {
    let (sink, home, engine) = (Sink::new(), Home::new(), Engine::obliging());
    let keys = file(&home, "keys", "");
    let more = [("AUTHORIZED_KEYS", keys.as_str()), ("ENROLLMENT_TOKEN", ENROLLMENT)];
    let agent = Agent::start_with(&engine, &sink.plain(&more));
    let signer = Signer::new(1);
    let line = signer.line();
    let key = line.split(' ').nth(1).expect("a key");
    let broken = "nobody understands this\n";
    fs::write(&keys, broken).unwrap();
    assert_eq!(agent.ask(enrollment(ENROLLMENT, key)).status(), 500);
    fs::write(&keys, "").unwrap();
    assert_eq!(agent.ask(enrollment("another-token-0123456789abcdef", key)).status(), 401);
    assert_eq!(agent.ask(enrollment(ENROLLMENT, "no key")).status(), 400);
    assert_eq!(agent.ask(enrollment(ENROLLMENT, key)).status(), 200);
    let lines = sink.wait("enrollment", 4);
    let outcomes = lines.iter().map(|line| parsed(line)["outcome"].clone()).collect::<Vec<_>>();
    assert_eq!(outcomes, ["error", "denied", "denied", "allowed"], "{lines:#?}");
    for line in &lines[..3] {
        assert!(!parsed(line)["reason"].as_str().unwrap_or_default().is_empty(), "{line}");
        assert!(!line.contains(ENROLLMENT), "{line}");
    }
    expect_prefix(&lines[1], r#""event":"enrollment","actor":"127.0.0.1","key_id":"","outcome":"denied","#);
    let id = signer.id();
    let allowed = format!(r#""event":"enrollment","actor":"127.0.0.1","key_id":"{id}","outcome":"allowed","#);
    expect_prefix(&lines[3], &allowed);
    assert!(sink.of("api_request").is_empty(), "{:#?}", sink.lines());
    for _ in 0..10 {
        agent.ask(enrollment("another-token-0123456789abcdef", key));
    }
    let shape = r#"<time>,"event":"rate_limited","actor":"127.0.0.1","method":"POST","path":"/api/lookout/enroll","outcome":"denied","request_id":"*"}"#;
    expect_shape(&sink.wait("rate_limited", 1)[0], shape);
}

/// What stands behind the members that each line begins with.
fn expect_prefix(line: &str, behind: &str) {
    let begin = r#","level":"INFO","msg":"","#;
    let rest = line.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {line}")).1;
    assert!(rest.starts_with(behind), "\n{line}\nis not\n{behind}");
}

#[test]
fn a_reload_is_recorded_whether_it_is_taken_or_not() {
    let (sink, home, engine) = (Sink::new(), Home::new(), Engine::obliging());
    let keys = file(&home, "keys", Signer::new(1).line());
    let agent = agent(&engine, &keys, &sink.plain(&[]));
    assert!(reload(&agent).contains("agent.reloaded"));
    fs::write(&keys, "nobody understands this\n").unwrap();
    assert!(reload(&agent).contains("agent.reload_refused"));
    let lines = sink.wait("reload", 2);
    expect_prefix(&lines[0], r#""event":"reload","#);
    let [good, bad] = [0, 1].map(|at| parsed(&lines[at]));
    assert_eq!((&good["outcome"], &bad["outcome"]), (&json!("allowed"), &json!("error")), "{lines:#?}");
    assert!(bad["reason"].as_str().is_some_and(|reason| reason.contains("AUTHORIZED_KEYS")), "{bad}");
}

#[test]
fn the_caller_behind_a_trusted_proxy_is_the_actor_and_its_words_stay_on_one_line() {
    let (sink, home, engine) = (Sink::new(), Home::new(), Engine::obliging());
    let agent = agent(&engine, &file(&home, "keys", Signer::new(1).line()), &sink.plain(&[]));
    let fields = "X-Forwarded-For: 2001:db8::7\r\nUser-Agent: a\t\"b\"\\c \u{202e}d\r\n";
    assert_eq!(agent.ask(request_with("POST /containers/create", fields, "{}")).status(), 200);
    let line = &sink.wait("api_request", 1)[0];
    assert_eq!(parsed(line)["actor"], "2001:db8::7");
    assert_eq!(parsed(line)["user_agent"], "a\t\"b\"\\c \u{202e}d");
    assert!(line.contains(r#""user_agent":"a\t\"b\"\\c \u202ed""#), "{line}");
    until("the log has its lines", || (!agent.log().contains(r#""msg":"""#)).then_some(()));
}
