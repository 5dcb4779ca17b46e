//! Who asks through the tunnel: the controller itself, or the holder of a key whose words it only carries.
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::agent::{TOKEN, run};
use crate::edge_world::{Answer, Edge, answering, fresh, merged, whole};
use crate::engine::{Engine, Home};
use crate::fleet::{Fleet, id};
use crate::signer::{Draft, Signer, elsewhere, file, next_second, now, sha256};

const STOP: &str = "POST /containers/a/stop";
const LIST: &str = "GET /networks";

/// An Engine where everything is well.
fn engine() -> Engine {
    answering(|_| whole("200 OK", "application/json", "[]"))
}

/// A tunnel to an agent that knows these lines of keys, and takes what is signed from now on.
fn edge(engine: &Engine, home: &Home, lines: &str, more: &[(&str, &str)]) -> Edge {
    let keys = file(home, "keys", lines);
    let edge = Edge::open_with(engine, &[&[("AUTHORIZED_KEYS", keys.as_str())], more].concat(), &json!({}));
    next_second();
    edge
}

/// Header lines as the member of a request.
fn headers(fields: &str) -> Value {
    let pairs = fields.lines().map(|line| {
        let (name, value) = line.split_once(": ").expect("a field");
        (name.to_owned(), json!(value))
    });
    let all: Value = pairs.collect();
    merged(&all, &json!({"User-Agent": "client"}))
}

fn signed(edge: &mut Edge, signer: &Signer, version: u8, line: &str) -> Answer {
    edge.link.ask_with(line, &json!({"headers": headers(&Draft::new(version, line, "").fields(signer))}))
}

fn reached(engine: &Engine, line: &str) -> usize {
    engine.visits().iter().map(|visit| visit.text().matches(line).count()).sum()
}

#[test]
fn a_signed_request_may_do_what_its_key_may_and_not_what_the_controller_may() {
    let (home, engine) = (Home::new(), engine());
    let (viewer, owner) = (Signer::new(1), Signer::new(2));
    let lines = format!("allow=\"view\" {}{}", viewer.line(), owner.line());
    for (allow, unsigned) in [("all", 200), ("view", 403)] {
        let mut edge = edge(&engine, &home, &lines, &[("EDGE_ALLOW", allow)]);
        for version in [2, 3] {
            assert_eq!(signed(&mut edge, &viewer, version, LIST).status(), 200);
            let refused = signed(&mut edge, &viewer, version, STOP);
            assert_eq!(refused.status(), 403, "{allow} {version}: {}", refused.text());
            let allowed = signed(&mut edge, &owner, version, STOP);
            assert_eq!(allowed.status(), 200, "{allow} {version}: {}", allowed.text());
        }
        assert_eq!(edge.link.ask(STOP).status(), unsigned, "{allow}");
    }
}

#[test]
fn a_key_in_a_scope_sees_no_more_through_a_tunnel() {
    let fleet = Fleet::of(&["theirs"]);
    fleet.add("ours", |container| container["Config"]["Labels"] = json!({"team": "web"}));
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(1));
    let lines = format!("allow=\"view\",label=\"team=web\" {}", signer.line());
    let mut edge = edge(&engine, &home, &lines, &[]);
    let names = |answer: &Answer| {
        let list = answer.json();
        let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&signed(&mut edge, &signer, 3, "GET /api/containers")), ["ours"]);
    assert_eq!(names(&edge.link.ask("GET /api/containers")), ["ours", "theirs"]);
}

#[test]
fn a_signature_covers_the_bytes_that_the_body_stands_for() {
    let (home, engine, signer) = (Home::new(), engine(), Signer::new(1));
    let mut edge = edge(&engine, &home, &signer.line(), &[]);
    let line = "POST /containers/create?name=a";
    let text = "{ \"Image\" : \"a\" }";
    for version in [2, 3] {
        for dialect in ["X-Lookout-", "X-Portwing-"] {
            let draft = || Draft { dialect, ..Draft::new(version, line, text) };
            let base64 = json!({"headers": headers(&draft().fields(&signer)), "bodyEncoding": "base64",
                                "body": BASE64.encode(text.as_bytes())});
            assert_eq!(edge.link.ask_with(line, &base64).status(), 200, "{dialect} {version}");
            // The very text of the message, blanks included.
            let id = fresh("signed");
            let fields = headers(&draft().fields(&signer));
            edge.link.say(format!(
                r#"{{"type":"request","data":{{"requestId":"{id}","method":"POST","headers":{fields},
                    "path":"/containers/create?name=a","body":{text}}}}}"#
            ));
            assert_eq!(edge.link.answer(&id).expect("an answer").status(), 200, "{dialect} {version}");
            // The same document in other words is another.
            let other = json!({"headers": headers(&draft().fields(&signer)), "body": {"Image": "a"}});
            let answer = edge.link.ask_with(line, &other);
            assert_eq!(answer.status(), 401, "{dialect} {version}: {}", answer.text());
        }
    }
    assert_eq!(reached(&engine, line), 8);
}

#[test]
fn a_signature_that_is_not_good_is_never_taken_for_the_controllers_word() {
    let (home, engine, signer) = (Home::new(), engine(), Signer::new(1));
    let mut edge = edge(&engine, &home, &signer.line(), &[("TRUSTED_PROXIES", "127.0.0.1")]);
    for version in [2, 3] {
        let draft = || Draft::new(version, STOP, "");
        let other_target = Draft { line: "POST /containers/b/stop".to_owned(), ..draft() };
        let other_body = Draft { body_sha256: sha256("x"), ..draft() };
        let old = Draft { stamp: (now() - 3600).to_string(), ..draft() };
        let another = Draft { audience: "agent-2".to_owned(), ..draft() };
        let whole = draft().fields(&signer);
        let cut: String =
            whole.lines().filter(|line| !line.contains("Nonce")).map(|line| format!("{line}\n")).collect();
        let mut bad = vec![
            draft().fields(&Signer::new(2)),
            other_target.fields(&signer),
            other_body.fields(&signer),
            old.fields(&signer),
            draft().fields_with(&signer.id(), "AAAA"),
            draft().fields_with("0123456789abcdef", &"A".repeat(86)),
            cut,
        ];
        if version == 3 {
            bad.push(another.fields(&signer));
        }
        for fields in bad {
            // Too many failures from one address would be refused for that alone.
            let fields = fields + &elsewhere();
            let answer = edge.link.ask_with(STOP, &json!({"headers": headers(&fields)}));
            assert_eq!(answer.status(), 401, "{fields}: {}", answer.text());
            assert!(
                answer.header("x-lookout-reason").is_some_and(|reason| !reason.is_empty()),
                "{}",
                answer.head
            );
            assert!(answer.json()["message"].as_str().is_some_and(|text| text.contains(' ')));
        }
    }
    assert_eq!(reached(&engine, "/stop"), 0);
    assert_eq!(edge.link.ask(STOP).status(), 200, "the controller itself may");
}

#[test]
fn whoever_signs_badly_again_and_again_does_not_shut_out_the_controller() {
    let (home, engine, signer) = (Home::new(), engine(), Signer::new(1));
    let mut edge = edge(&engine, &home, &signer.line(), &[]);
    for _ in 0..20 {
        let fields = headers(&Draft::new(3, STOP, "").fields(&Signer::new(2)));
        let status = edge.link.ask_with(STOP, &json!({ "headers": fields })).status();
        assert!(status == 401 || status == 429, "{status}");
    }
    assert_eq!(edge.link.ask(LIST).status(), 200);
}

#[test]
fn a_signed_request_is_good_once_on_whichever_connection() {
    let (home, engine, signer) = (Home::new(), engine(), Signer::new(1));
    let mut edge = edge(&engine, &home, &signer.line(), &[]);
    let copies =
        [2, 3].map(|version| json!({"headers": headers(&Draft::new(version, STOP, "").fields(&signer))}));
    for copy in &copies {
        assert_eq!(edge.link.ask_with(STOP, copy).status(), 200);
    }
    for _ in 0..2 {
        for copy in &copies {
            let answer = edge.link.ask_with(STOP, copy);
            assert_eq!((answer.status(), answer.header("x-lookout-reason")), (401, Some("replay")));
        }
        edge.link.cut();
        edge.again();
    }
    assert_eq!(reached(&engine, STOP), 2);
}

#[test]
fn where_signatures_are_required_the_controller_can_ask_nothing_of_the_engine() {
    let fleet = Fleet::of(&["web"]);
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(1));
    let mut edge = edge(&engine, &home, &signer.line(), &[("EDGE_REQUIRE_SIGNATURE", "true")]);
    let web = id("web");
    let remove = format!("DELETE /containers/{web}?force=1");
    for line in ["GET /containers/json?all=0", &remove, "POST /containers/create", "GET /nothing/known"] {
        let answer = edge.link.ask(line);
        let verdict = (answer.status(), answer.header("x-lookout-reason"));
        assert_eq!(verdict, (401, Some("signature_required")), "{line}: {}", answer.text());
    }
    // Nor by the way around: a route of the agent's own that acts on the Engine.
    assert_eq!(edge.link.ask(&format!("DELETE /api/containers/{web}")).status(), 401);
    // Messages cannot be signed at all.
    edge.link.send(
        "exec_start",
        &json!({"execId": "e", "containerId": web, "cmd": ["sh"], "cols": 80, "rows": 24}),
    );
    let end = edge.link.next("exec_end");
    assert_eq!(end["execId"], "e");
    assert!(end["reason"].as_str().is_some_and(|reason| reason.contains("sign")), "{end}");
    edge.link.send("dd:container_delete_request", &json!({"requestId": "d", "containerId": web}));
    let deleted = edge.link.next("dd:container_delete_response");
    assert_eq!((&deleted["requestId"], &deleted["success"]), (&json!("d"), &json!(false)));
    assert!(deleted["error"].as_str().is_some_and(|error| error.contains("sign")), "{deleted}");
    edge.link
        .send("dd:container_log_request", &json!({"requestId": "l", "containerId": web, "stream": true}));
    assert_eq!(edge.link.next("dd:container_log_error")["requestId"], "l");
    edge.link.send("dd:container_log_request", &json!({"requestId": "o", "containerId": web}));
    assert_eq!(edge.link.next("dd:container_log_response")["requestId"], "o");
    for begin in ["DELETE ", "POST ", &format!("GET /containers/{web}/logs"), "GET /nothing"] {
        assert_eq!(fleet.asked(begin), [""; 0], "{begin}");
    }
    assert!(fleet.asked("GET /containers/json").iter().all(|line| !line.contains("all=0")));
    // Whether the agent is well is no secret, and whoever signs is answered.
    assert_eq!(edge.link.ask("GET /health").status(), 200);
    let answer = signed(&mut edge, &signer, 3, &remove);
    assert_eq!(answer.status(), 204, "{}", answer.text());
    assert_eq!(fleet.asked("DELETE ").len(), 1);
}

#[test]
fn signatures_cannot_be_required_of_nobody() {
    let least = [("DRYDOCK_URL", "ws://127.0.0.1:9"), ("TOKEN", TOKEN), ("EDGE_REQUIRE_SIGNATURE", "true")];
    let ended = run(&[], &least);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    assert!(ended.words().contains("AUTHORIZED_KEYS"), "{}", ended.words());
}

#[test]
fn a_tunnel_without_keys_ignores_no_signature() {
    let engine = engine();
    let mut edge = Edge::open(&engine);
    let fields = Draft::new(2, STOP, "").fields(&Signer::new(1));
    // Who signs wants to be somebody; without a file of keys there is nobody to be.
    let answer = edge.link.ask_with(STOP, &json!({"headers": headers(&fields)}));
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert_eq!(reached(&engine, "/stop"), 0);
}

#[test]
fn what_was_granted_by_a_signature_is_not_left_behind_for_the_next_request() {
    let (home, engine, owner) = (Home::new(), engine(), Signer::new(2));
    let mut edge = edge(&engine, &home, &owner.line(), &[("EDGE_ALLOW", "view")]);
    for round in 0..3 {
        assert_eq!(signed(&mut edge, &owner, 3, STOP).status(), 200, "{round}");
        assert_eq!(edge.link.ask(STOP).status(), 403, "{round}");
    }
}
