//! A controller that says no, in each of the ways there are: what the agent makes of it, and when it comes back.
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::{Agent, free_port, request};
use crate::client::Client;
use crate::controller::Controller;
use crate::edge_link::Link;
use crate::edge_world::{Edge, is_running, obliging, start, start_at, welcomed};
use crate::engine::Engine;
use crate::exposition::Checked;
use crate::message::Message;
use crate::patience::until;
use crate::signer::logged;

/// Somebody has to change something.
const TERMINAL: [&str; 9] = [
    "ed25519-required",
    "unknown-key",
    "bad-signature",
    "protocol-mismatch",
    "no-auth",
    "invalid-agent-name",
    "parse-error",
    "expected-hello",
    "agent-name-claimed",
];

/// It may be better soon; the last is none that is known.
const TRANSIENT: [&str; 7] = [
    "timestamp-skew",
    "bad-nonce",
    "replay",
    "internal-error",
    "rate-limited",
    "registry-full",
    "something-new",
];

/// What is asked of an agent's local listener.
fn asked(port: u16, path: &str) -> Option<Message> {
    // It may not listen yet, and `connect` has no patience.
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(Client::connect(port).ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")))
}

/// An agent with a local listener, beside its port.
fn watched(controller: &Controller, engine: &Engine) -> (Agent, u16) {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    (start(controller, engine.path(), &[("OPERATIONS_ADDRESS", &address)]), port)
}

fn refuse(controller: &Controller, code: &str) -> Link {
    let mut link = controller.link();
    link.hello();
    link.reject(code);
    link
}

#[test]
fn a_refusal_that_somebody_must_mend_is_told_everywhere_and_tried_again_much_later() {
    let engine = obliging();
    let all = TERMINAL.map(|code| {
        let controller = Controller::start();
        let (agent, port) = watched(&controller, &engine);
        (code, controller, agent, port)
    });
    for (code, controller, agent, port) in &all {
        refuse(controller, code).expect_over();
        let line = logged(agent, &["\"edge.refused\"", code]);
        assert!(line.contains("\"ERROR\"") || line.contains("\"WARN\""), "{line}");
        assert!(line.contains(&format!("refused: {code}")), "the controller's own words: {line}");
        let ready = until(&format!("/ready tells of {code}"), || {
            let ready = asked(*port, "/ready")?;
            ready.text().contains(code).then_some(ready)
        });
        assert_eq!(ready.status(), 503, "{}", ready.text());
        let told: Value = serde_json::from_slice(&ready.body).unwrap();
        assert_eq!((&told["mode"], &told["controller"]), (&json!("edge"), &json!("disconnected")));
        assert!(told["reason"].as_str().is_some_and(|reason| reason.contains(code)), "{told}");
        assert_eq!(asked(*port, "/health").unwrap().status(), 200, "it is alive all the same");
        let page = Checked::of(&Client::connect(*port).ask(request("GET /metrics", "")).text());
        let failures = page.family("lookout_edge_connect_failures_total");
        let counted: f64 = failures.iter().map(|series| page.number(series)).sum();
        assert!((counted - 1.0).abs() < 1e-9, "{failures:?}");
    }
    // Each would be back within a second if it thought of this as an accident.
    for (code, controller, agent, _) in &all {
        controller.expect_no_call_for(Duration::from_millis(400));
        assert!(is_running(agent), "{code}");
    }
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_soon() {
    let engine = obliging();
    let all = TRANSIENT.map(|code| {
        let controller = Controller::start();
        let agent = start(&controller, engine.path(), &[]);
        (code, controller, agent)
    });
    for (code, controller, agent) in &all {
        refuse(controller, code).expect_over();
        logged(agent, &[code]);
        refuse(controller, code).expect_over();
        let mut link = welcomed(controller, &json!({}));
        assert_eq!(link.ask("GET /_ping").text(), "OK", "{code}");
    }
}

#[test]
fn a_second_session_of_one_identity_backs_off_and_says_whom_it_met() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    refuse(&controller, "agent-already-connected").expect_over();
    logged(&agent, &["agent-already-connected"]);
    // It waits for half a minute; anything else would come within a second.
    controller.expect_no_call_for(Duration::from_secs(3));
    assert!(is_running(&agent));
}

#[test]
fn an_error_without_a_code_or_a_close_alone_is_a_refusal_that_may_pass() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    for say in [
        |link: &Link| link.send("error", &json!({"message": "no"})),
        |link: &Link| link.send("error", &json!({"code": 5, "message": ["no"]})),
        |link: &Link| link.say(r#"{"type":"error"}"#),
        |link: &Link| link.close(1011, "internal-error"),
        |link: &Link| link.close(1000, ""),
    ] {
        let mut link = controller.link();
        link.hello();
        say(&link);
        link.expect_over();
    }
    welcomed(&controller, &json!({})).ask("GET /_ping");
}

#[test]
fn an_upgrade_that_is_refused_is_tried_again() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    for status in [
        "404 Not Found",
        "502 Bad Gateway",
        "401 Unauthorized",
        "500 Internal Server Error",
        "426 Upgrade Required",
    ] {
        controller.call().refuse(status, "");
        logged(&agent, &["edge.", &status[..3]]);
    }
    welcomed(&controller, &json!({})).ask("GET /_ping");
}

#[test]
fn an_upgrade_that_is_sent_elsewhere_is_not_followed() {
    let (engine, controller, elsewhere) = (obliging(), Controller::start(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let place = format!("Location: http://127.0.0.1:{}/api/lookout/ws\r\n", elsewhere.port());
        controller.call().refuse(status, &place);
    }
    welcomed(&controller, &json!({})).ask("GET /_ping");
    assert!(elsewhere.waiting().is_none());
}

#[test]
fn an_upgrade_that_is_never_answered_is_given_up() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    // One says nothing, and one does not come to an end.
    let silent = controller.call();
    let begun = controller.call().answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: ");
    welcomed(&controller, &json!({})).ask("GET /_ping");
    drop((silent, begun));
}

#[test]
fn a_controller_that_says_goodbye_is_called_again() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for (code, reason) in [(1000, ""), (1001, "ping timeout"), (1012, "restart"), (4000, "something new")] {
        edge.link.close(code, reason);
        edge.link.expect_over();
        if !reason.is_empty() {
            logged(&edge.agent, &["\"edge.lost\"", reason]);
        }
        edge.again();
    }
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}

#[test]
fn a_controller_that_says_when_to_come_back_is_believed() {
    let engine = obliging();
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let controller = Controller::start();
        let _agent = start(&controller, engine.path(), &[]);
        let call = controller.call();
        let begun = Instant::now();
        call.refuse(status, "Retry-After: 3\r\n");
        let link = controller.link();
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_millis(2900), "{status}: back after {waited:?}");
        drop(link);
    }
}

#[test]
fn a_controller_that_does_not_listen_yet_is_found_later() {
    let engine = obliging();
    let port = free_port();
    let agent = start_at(&format!("ws://127.0.0.1:{port}"), engine.path(), &[]);
    logged(&agent, &["edge.", "refused"]);
    let controller = Controller::at(port);
    welcomed(&controller, &json!({})).ask("GET /_ping");
}

#[test]
fn a_welcome_that_does_not_come_is_not_waited_for_for_ever() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[("WELCOME_TIMEOUT", "1")]);
    let mut silent = controller.link();
    silent.hello();
    silent.expect_over();
    logged(&agent, &["edge.", "elcome"]);
    welcomed(&controller, &json!({})).ask("GET /_ping");
}

#[test]
fn a_first_word_that_is_no_welcome_ends_the_attempt() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    for first in [
        r#"{"type":"ping","data":{"timestamp":1}}"#,
        r#"{"type":"request","data":{"requestId":"early","method":"GET","path":"/containers/early/json"}}"#,
    ] {
        let mut link = controller.link();
        link.hello();
        link.say(first);
        link.expect_over();
        let rest = link.rest();
        assert!(rest.iter().all(|message| message["type"] != "response"), "{first}: {rest:?}");
    }
    welcomed(&controller, &json!({})).ask("GET /_ping");
    assert!(engine.visits().iter().all(|visit| !visit.text().contains("early")));
}

#[test]
fn a_welcome_need_not_be_readable_in_every_part() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    for welcome in [
        r#"{"type":"welcome"}"#,
        r#"{"type":"welcome","data":null}"#,
        r#"{"type":"welcome","data":{}}"#,
        r#"{"type":"welcome","data":{"pollInterval":"soon","config":7,"capabilities":"all"}}"#,
        r#"{"type":"welcome","data":{"pollInterval":-1,"config":{"serverCompatLevel":2},"new":[1]}}"#,
        r#"{"type":"welcome","data":{"config":{"serverCompatLevel":"2.0.0"}},"more":1}"#,
    ] {
        let mut link = controller.link();
        link.hello();
        link.say(welcome);
        assert_eq!(link.ask("GET /_ping").text(), "OK", "{welcome}");
        link.cut();
    }
    let line = logged(&agent, &["2.0.0"]);
    assert!(line.contains("\"WARN\""), "another major version is worth a word: {line}");
}

#[test]
fn errors_of_the_controller_are_in_the_log_and_end_nothing() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    let overflow = json!({"code": "stream-limit", "message": "too much\nof it", "requestId": "r-99"});
    edge.link.send("error", &overflow);
    edge.link.send("error", &json!({"message": "no code"}));
    edge.link.say(r#"{"type":"error"}"#);
    let line = logged(&edge.agent, &["stream-limit", "r-99"]);
    assert!(line.contains("too much"), "{line}");
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
}
