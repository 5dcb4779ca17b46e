//! Requests through the tunnel: what reaches the Engine, and in which shape its answer comes back.
use std::sync::mpsc::{self, Receiver};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::controller::Controller;
use crate::edge_world::{Edge, answering, obliging, start, told, welcomed, whole};
use crate::engine::{Engine, Home, OK};
use crate::exposition::Checked;
use crate::message::Message;
use crate::patience::PATIENCE;

/// An Engine that says yes, and tells what it was asked.
fn recording() -> (Engine, Receiver<Message>) {
    let (tell, asked) = mpsc::channel();
    let engine = answering(move |message| {
        // The test may be over.
        let _ = tell.send(Message { head: message.head.clone(), body: message.body.clone() });
        // Whose answers are looked at finds a list.
        if message.head.target() == "/networks" {
            whole("200 OK", "application/json", "[]")
        } else {
            OK.into()
        }
    });
    (engine, asked)
}

fn next(asked: &Receiver<Message>) -> Message {
    asked.recv_timeout(PATIENCE).expect("the Engine is asked")
}

#[test]
fn targets_reach_the_engine_as_they_are_with_a_version_or_without() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    for line in [
        "GET /containers/json?all=1",
        "GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D",
        "POST /v1.24/containers/a/stop?t=5",
        "DELETE /images/ghcr.io/acme/web:1.0?force=1",
        "PUT /containers/a/archive?path=%2F",
        "GET /images/127.0.0.1:3955/lk/app:1.0.0/json",
        "GET /anything/%C3%BC/else?",
    ] {
        let answer = edge.link.ask(line);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "{}"), "{line}");
        assert_eq!(next(&asked).head.start, format!("{line} HTTP/1.1"));
    }
}

#[test]
fn an_answer_is_told_with_its_status_its_fields_and_its_type() {
    let engine = answering(|message| {
        match message.head.target() {
        "/a" => "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nApi-Version: 1.41\r\nX-Two: a\r\n\
                 X-Two: b\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"a\": [1,\r\nb\r\n2.5,null]}\n\r\n0\r\n\r\n"
            .into(),
        "/none" => "HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n".into(),
        "/unchanged" => "HTTP/1.1 304 Not Modified\r\nApi-Version: 1.41\r\n\r\n".into(),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(),
    }
    });
    let mut edge = Edge::open(&engine);
    let answer = edge.link.ask("POST /a");
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.head["body"], json!({"a": [1, 2.5, null]}));
    assert_eq!(answer.head["contentType"], "application/json");
    assert_eq!(
        (answer.header("api-version"), answer.header("content-type")),
        (Some("1.41"), Some("application/json"))
    );
    assert!(answer.header("x-two").is_some_and(|value| value.starts_with('a')), "{}", answer.head);
    assert!(answer.head.get("isStream").is_none_or(|streamed| *streamed == false), "{}", answer.head);
    for (path, status) in [("/none", 204), ("/unchanged", 304), ("/empty", 200)] {
        let answer = edge.link.ask(&format!("POST {path}"));
        assert_eq!(answer.status(), status);
        for name in ["body", "bodyBase64", "bodyEncoding"] {
            assert!(answer.head.get(name).is_none(), "{path}: {}", answer.head);
        }
    }
    let head = edge.link.ask("HEAD /none");
    assert_eq!((head.status(), head.body.len()), (204, 0));
}

#[test]
fn bodies_are_told_as_json_as_text_or_as_base64_whatever_they_call_themselves() {
    let bodies: [(&str, &str, &[u8], Value); 7] = [
        ("object", "application/json", b" {\"a\":1}\n", json!({"a": 1})),
        ("number", "application/json", b"17", json!(17)),
        ("ok", "application/json", b"OK", json!("OK")),
        ("cut", "application/json", b"{\"a\":", json!("{\"a\":")),
        ("text", "text/plain; charset=utf-8", "gr\u{fc}n\u{0}\r\n".as_bytes(), json!("gr\u{fc}n\u{0}\r\n")),
        ("lines", "application/json", b"{\"a\":1}\n{\"b\":2}\n", json!("{\"a\":1}\n{\"b\":2}\n")),
        ("archive", "application/x-tar", b"\xff\xfe\x00tar", json!("//4AdGFy")),
    ];
    let known = bodies.clone();
    let engine = answering(move |message| {
        let name = message.head.target().trim_start_matches("/of/");
        let (_, kind, body, _) = known.iter().find(|(known, ..)| *known == name).expect("a known body");
        whole("200 OK", kind, body)
    });
    let mut edge = Edge::open(&engine);
    for (name, kind, body, shown) in bodies {
        let answer = edge.link.ask(&format!("GET /of/{name}"));
        assert_eq!(answer.head["contentType"], kind);
        assert_eq!(
            answer.head.get("bodyEncoding"),
            (name == "archive").then_some(&json!("base64")),
            "{name}"
        );
        assert_eq!(answer.head["body"], shown, "{name}");
        // All but the blanks around a document are the very bytes.
        assert_eq!(answer.body, if name == "object" { body.trim_ascii() } else { body }, "{name}");
    }
}

#[test]
fn a_controller_that_reads_base64_apart_is_given_it_apart() {
    let engine = answering(|message| match message.head.target() {
        "/binary" => whole("200 OK", "application/x-tar", b"\xff\xfe"),
        "/text" => whole("200 OK", "text/plain", "text"),
        _ => whole("200 OK", "application/json", "{\"a\":1}"),
    });
    let mut edge = Edge::open_offering(&engine, &["edge-response-body-b64"]);
    let answer = edge.link.ask("GET /binary");
    assert_eq!(
        (answer.head["bodyBase64"].as_str(), answer.body.as_slice()),
        (Some("//4="), b"\xff\xfe".as_slice())
    );
    assert!(
        answer.head.get("body").is_none() && answer.head.get("bodyEncoding").is_none(),
        "{}",
        answer.head
    );
    assert_eq!(edge.link.ask("GET /text").head["body"], "text");
    assert_eq!(edge.link.ask("GET /json").head["body"], json!({"a": 1}));
}

#[test]
fn a_body_reaches_the_engine_as_the_very_text_it_has_in_the_message() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    for (id, body) in [
        (
            "a",
            "{ \"Image\" : \"gr\\u00fcn\",\t\"N\":1.0e2, \"M\":123456789012345678901234567890 , \"Image\":2 }",
        ),
        ("b", "[]"),
        ("c", "\"with \\\"quotes\\\"\""),
        ("d", "17.50"),
        ("e", "{\"gr\u{fc}n\":\"\u{1f980}\"}"),
    ] {
        // Members in an unusual order, some of which nobody knows.
        edge.link.say(format!(
            "{{\"new\":[{{}}],\"data\":{{\"body\": {body} ,\"path\":\"/containers/create?name={id}\",\
             \"more\":{{\"body\":1}},\"requestId\":\"{id}\",\"method\":\"POST\"}},\"type\":\"request\"}}"
        ));
        edge.link.answer(id).expect("an answer");
        let message = next(&asked);
        assert_eq!(message.text(), body);
        assert_eq!(message.head.value("content-type"), Some("application/json"), "{:?}", message.head);
    }
}

#[test]
fn a_body_in_base64_reaches_the_engine_as_its_bytes() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    let archive: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let more = json!({"headers": {"Content-Type": "application/x-tar"}, "bodyEncoding": "base64",
                      "body": BASE64.encode(&archive)});
    assert_eq!(edge.link.ask_with("PUT /containers/a/archive?path=/", &more).status(), 200);
    let message = next(&asked);
    assert!(message.body == archive);
    assert_eq!(message.head.value("content-type"), Some("application/x-tar"));
    edge.link.ask_with("POST /containers/a/stop", &json!({"bodyEncoding": "base64", "body": ""}));
    assert!(next(&asked).body.is_empty());
    edge.link.ask("POST /containers/a/stop");
    let message = next(&asked);
    assert!(message.body.is_empty() && message.head.value("content-type").is_none(), "{:?}", message.head);
    for body in [json!("no base64!"), json!({"a": 1}), json!(7)] {
        let more = json!({"bodyEncoding": "base64", "body": body});
        assert_eq!(edge.link.refused("POST /containers/a/stop", &more).0, "malformed-request", "{more}");
    }
    assert!(asked.try_recv().is_err(), "what cannot be read is not asked");
}

#[test]
fn only_listed_fields_are_used() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    let used = [
        ("Accept", "application/json"),
        ("content-type", "application/json"),
        ("User-Agent", "client"),
        ("X-Registry-Auth", "eyJhIjoxfQ=="),
        ("x-registry-config", "e30="),
        ("X-Docker-Expose-Session-Uuid", "an-id"),
    ];
    let unused = [
        ("Host", "elsewhere"),
        ("Connection", "close, X-Registry-Auth"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
        ("Authorization", "Bearer nothing"),
        ("X-Lookout-Token", "nothing"),
        ("X-Dd-Agent-Secret", "nothing"),
        ("Cookie", "a=b"),
        ("X-New", "a"),
        ("Trailer", "X-New"),
    ];
    let headers: Value =
        used.iter().chain(&unused).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let body = json!({"a": "long enough"});
    let answer = edge.link.ask_with("POST /anything", &json!({"headers": headers, "body": body}));
    assert_eq!(answer.status(), 200, "{}", answer.head);
    let message = next(&asked);
    assert_eq!(message.text(), body.to_string());
    for (name, value) in used {
        assert_eq!(message.head.value(name), Some(value), "{:?}", message.head);
    }
    for (name, value) in unused {
        assert!(!message.head.values(name).contains(&value), "{name} in {:?}", message.head);
    }
}

#[test]
fn fields_that_are_no_fields_do_not_reach_the_engine() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    let long = "x".repeat(64 * 1024 + 1);
    for (name, value) in [
        ("Accept", json!("a\r\nX-Injected: b")),
        ("X-Registry-Auth", json!("a\nX-Injected: b")),
        ("Accept\r\nX-Injected: b\r\nA", json!("a")),
        ("Accept", json!("a\u{0}b")),
        ("X-Registry-Auth", json!(long)),
        ("Accept", json!(["a", "b"])),
        ("Accept", json!(5)),
    ] {
        edge.link.request("bad", "GET /injected", &json!({"headers": {name: value, "User-Agent": "client"}}));
        // Left out or refused, but said once.
        match edge.link.answer("bad") {
            Ok(answer) => assert!([200, 400, 431].contains(&answer.status()), "{}", answer.head),
            Err(error) => assert_eq!(told(&error).0, "malformed-request"),
        }
    }
    assert_eq!(edge.link.ask("GET /last").status(), 200);
    let heads: Vec<_> = std::iter::from_fn(|| asked.try_recv().ok()).map(|message| message.head).collect();
    assert!(heads.iter().any(|head| head.target() == "/last"));
    for head in heads {
        let raw = String::from_utf8_lossy(&head.raw).to_lowercase();
        assert!(!raw.contains("injected: b") && !raw.contains('\0') && !raw.contains("xxxxxxxx"), "{raw:?}");
    }
}

#[test]
fn targets_and_methods_that_are_none_are_refused_and_reach_nobody() {
    let (engine, asked) = recording();
    let mut edge = Edge::open(&engine);
    for (method, path) in [
        ("GET", "/a\r\nX-Injected: b"),
        ("GET", "/a HTTP/1.1\r\nHost: b\r\n\r\nGET /c"),
        ("GET", "/a b"),
        ("GET", "/a\u{0}"),
        ("GET", "/a\u{7f}"),
        ("GET", "/gr\u{fc}n"),
        ("GET", ""),
        ("GET", "containers/json"),
        ("GET", "http://elsewhere/a"),
        ("GET", "*"),
        ("GET", "/a#b"),
        ("G T", "/a"),
        ("", "/a"),
        ("GET\r\n", "/a"),
        ("CONNECT", "/a"),
    ] {
        edge.link.request("bad", "GET /a", &json!({"method": method, "path": path}));
        match edge.link.answer("bad") {
            Ok(answer) => {
                assert!([400, 405, 501].contains(&answer.status()), "{method:?} {path:?}: {}", answer.head);
            }
            Err(error) => assert_eq!(told(&error).0, "malformed-request", "{method:?} {path:?}"),
        }
    }
    assert!(asked.try_recv().is_err());
    assert_eq!(edge.link.ask("GET /last").status(), 200);
    assert_eq!(next(&asked).head.target(), "/last");
}

#[test]
fn whatever_the_agent_serves_by_itself_is_there_too() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let info = edge.link.ask("GET /_lookout/info");
    assert_eq!((info.status(), info.head["body"].is_object()), (200, true), "{}", info.head);
    let page = edge.link.ask("GET /metrics");
    assert!(page.head["contentType"].as_str().unwrap().starts_with("text/plain"), "{}", page.head);
    let page = Checked::of(&page.text());
    assert!((page.number("lookout_edge_connected") - 1.0).abs() < 1e-9);
    let ready = edge.link.ask("GET /ready");
    let body = ready.json();
    assert_eq!(
        (ready.status(), &body["mode"], &body["controller"]),
        (200, &json!("edge"), &json!("connected"))
    );
    assert_eq!(edge.link.ask("GET /api/watchers").json()[0]["name"], "docker");
    assert_eq!(edge.link.ask("GET /_lookout/nothing").status(), 404);
    let wrong = edge.link.ask("DELETE /_lookout/info");
    assert_eq!((wrong.status(), wrong.header("allow").is_some()), (405, true), "{}", wrong.head);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                      "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                                 "clientInfo": {"name": "a", "version": "1"}}});
    let accept = "application/json, text/event-stream";
    let headers = json!({"Accept": accept, "Content-Type": "application/json", "User-Agent": "client"});
    let answer = edge.link.ask_with("POST /_lookout/mcp", &json!({"headers": headers, "body": call}));
    assert_eq!(answer.status(), 200, "{}", answer.head);
    assert!(answer.text().contains("serverInfo"), "{}", answer.text());
}

#[test]
fn a_controller_may_do_what_it_was_granted() {
    let (engine, asked) = recording();
    let more = [("EDGE_ALLOW", "view,logs")];
    let mut edge = Edge::open_with(&engine, &more, &json!({}));
    assert_eq!(edge.link.ask("GET /networks").status(), 200);
    next(&asked);
    for line in [
        "POST /containers/a/stop",
        "DELETE /containers/a",
        "POST /containers/a/exec",
        "POST /build",
        "POST /_lookout/mcp",
        "GET /x/y",
    ] {
        let answer = edge.link.ask(line);
        assert_eq!(answer.status(), 403, "{line}: {}", answer.text());
        assert_eq!(answer.reason.is_some(), line.ends_with("/build"), "{line} is told in its own way");
        assert!(
            answer.json()["message"].as_str().is_some_and(|text| text.contains(' ')),
            "{}",
            answer.text()
        );
    }
    assert!(asked.try_recv().is_err());
}

#[test]
fn without_an_engine_a_request_is_answered_with_a_sentence() {
    let (home, controller) = (Home::new(), Controller::start());
    let _agent: Agent = start(&controller, &home.path("docker.sock"), &[]);
    let mut link = welcomed(&controller, &json!({}));
    for line in ["GET /containers/json", "GET /containers/a/logs"] {
        let answer = link.ask(line);
        assert_eq!(answer.status(), 502, "{line}: {}", answer.text());
        assert!(
            answer.json()["message"].as_str().is_some_and(|text| text.contains(' ')),
            "{}",
            answer.text()
        );
    }
}
