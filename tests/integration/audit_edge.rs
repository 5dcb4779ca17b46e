//! The trail of an agent that calls its controller: whoever asks through the tunnel is the controller, and
//! the controller is told the head of the chain.
use serde_json::{Value, json};

use crate::audit_trail::{Sink, expect_shape, parsed};
use crate::edge_shells::Shells;
use crate::edge_world::{Edge, answering, desk, obliging};
use crate::engine::{Home, OK, Visit};
use crate::signer::{Draft, Signer, file, next_second};
use crate::world::{WEB, told};

#[test]
fn whoever_asks_through_the_tunnel_is_the_controller() {
    let (sink, engine) = (Sink::new(), obliging());
    let mut edge = Edge::open_with(&engine, &sink.plain(&[]), &json!({}));
    assert_eq!(edge.link.ask("GET /containers/json?all=1").status(), 200);
    assert_eq!(edge.link.ask("GET /_lookout/nothing").status(), 404);
    let url = edge.controller.url();
    let lines = sink.wait("api_request", 2);
    let allowed = format!(
        r#"<time>,"event":"api_request","actor":"{url}","method":"GET","path":"/containers/json","outcome":"allowed","status":200,"duration_ms":*,"class":"view","user_agent":"client","request_id":"*"}}"#
    );
    expect_shape(&lines[0], &allowed);
    let denied = parsed(&lines[1]);
    assert_eq!((&denied["outcome"], &denied["status"]), (&json!("denied"), &json!(404)), "{denied}");
    edge.agent.stop();
    let lines = sink.lines();
    expect_shape(&lines[0], r#"<time>,"event":"start","version":"*","mode":"edge"}"#);
    expect_shape(&lines[lines.len() - 1], r#"<time>,"event":"stop"}"#);
}

#[test]
fn what_is_not_signed_where_it_must_be_is_a_failure_and_who_signed_is_told() {
    let (sink, home, engine, signer) = (Sink::new(), Home::new(), obliging(), Signer::new(1));
    let keys = file(&home, "keys", signer.line());
    let more = [("AUTHORIZED_KEYS", keys.as_str()), ("EDGE_REQUIRE_SIGNATURE", "true")];
    let mut edge = Edge::open_with(&engine, &sink.plain(&more), &json!({}));
    next_second();
    assert_eq!(edge.link.ask("GET /containers/json").status(), 401);
    let fields = Draft::new(3, "GET /networks", "").fields(&signer);
    let pairs = fields.lines().filter_map(|line| line.split_once(": "));
    let headers: Value = pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    assert_eq!(edge.link.ask_with("GET /networks", &json!({"headers": headers})).status(), 200);
    let url = edge.controller.url();
    let failure = format!(
        r#"<time>,"event":"auth_failure","actor":"{url}","method":"GET","path":"/containers/json","outcome":"denied","reason":"signature_required","user_agent":"client","request_id":"*"}}"#
    );
    expect_shape(&sink.wait("auth_failure", 1)[0], &failure);
    let id = signer.id();
    let allowed = format!(
        r#"<time>,"event":"api_request","actor":"{url}","method":"GET","path":"/networks","outcome":"allowed","status":200,"duration_ms":*,"key_id":"{id}","class":"view","request_id":"*"}}"#
    );
    expect_shape(&sink.wait("api_request", 1)[0], &allowed);
}

#[test]
fn a_command_through_the_tunnel_is_recorded_with_its_container() {
    let (sink, shells) = (Sink::new(), Shells::default());
    let engine = desk(move |visit, head| {
        if head.value("user-agent").is_none() && head.target().ends_with("/exec/web/json") {
            return visit.try_send(told(200, json!({"ID": "web", "ContainerID": WEB}).to_string())).is_ok();
        }
        shells.serve(visit, head)
    });
    let mut edge = Edge::open_with(&engine, &sink.plain(&[]), &json!({}));
    edge.link.exec_ready("web", &["cat"]);
    let url = edge.controller.url();
    let shape = format!(
        r#"<time>,"event":"exec_start","actor":"{url}","container":"{WEB}","exec_id":"web","outcome":"allowed","request_id":"*"}}"#
    );
    let lines = sink.wait("exec_start", 1);
    assert_eq!(lines.len(), 1);
    expect_shape(&lines[0], &shape);
}

#[test]
fn a_command_that_is_started_as_a_request_is_recorded_too() {
    let sink = Sink::new();
    let engine = answering(|asked| {
        let is_asked = asked.head.target().ends_with("/exec/e7f8/json");
        if is_asked { told(200, json!({"ID": "e7f8", "ContainerID": WEB}).to_string()) } else { OK.into() }
    });
    let mut edge = Edge::open_with(&engine, &sink.plain(&[]), &json!({}));
    let body = json!({"body": "{\"Detach\":true}", "headers": {"Content-Type": "application/json"}});
    assert_eq!(edge.link.ask_with("POST /exec/e7f8/start", &body).status(), 200);
    let url = edge.controller.url();
    let shape = format!(
        r#"<time>,"event":"exec_start","actor":"{url}","container":"{WEB}","exec_id":"e7f8","outcome":"allowed","request_id":"*"}}"#
    );
    expect_shape(&sink.wait("exec_start", 1)[0], &shape);
}

#[test]
fn a_followed_log_through_the_tunnel_has_a_beginning_and_an_end() {
    let sink = Sink::new();
    let engine = desk(|visit, head| {
        let _ = visit.body(head);
        if !head.target().contains("/logs") {
            return visit.try_send(OK).is_ok();
        }
        let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        Visit::until_left(visit);
        false
    });
    let mut edge = Edge::open_with(&engine, &sink.plain(&[]), &json!({}));
    edge.link.request("log", "GET /containers/a/logs?follow=1", &json!({}));
    assert_eq!(edge.link.about("log")["data"]["statusCode"], 200);
    assert_eq!(edge.link.some("log", 5), b"first");
    assert_eq!((sink.of("stream_start").len(), sink.of("stream_end").len()), (1, 0));
    edge.link.cut();
    let [begun, ended] = ["stream_start", "stream_end"].map(|event| parsed(&sink.wait(event, 1)[0]));
    for record in [&begun, &ended] {
        assert_eq!(record["actor"], Value::from(edge.controller.url()));
        assert_eq!(record["path"], "/containers/a/logs");
        assert_eq!(record["request_id"], begun["request_id"]);
    }
}

#[test]
fn each_sign_of_life_tells_the_head_of_the_chain() {
    let (sink, engine) = (Sink::new(), obliging());
    let mut edge = Edge::open_with(&engine, &sink.with(&[("HEARTBEAT_INTERVAL", "1")]), &json!({}));
    let mut heads = vec![edge.link.next("audit_head")];
    assert_eq!(edge.link.ask("GET /containers/json").status(), 200);
    let before = heads[0]["sequence"].as_u64().expect("a number");
    while heads.iter().all(|head| head["sequence"].as_u64().expect("a number") <= before) {
        heads.push(edge.link.next("audit_head"));
    }
    let records = sink.records();
    for head in &heads {
        let seq = head["sequence"].as_u64().expect("a number");
        let record = records.iter().find(|record| record["seq"] == seq).expect("a record of that number");
        assert_eq!(record["hash"], head["hash"]);
    }
    edge.agent.stop();
    sink.expect_whole();
}

#[test]
fn without_a_chain_there_is_no_head_to_tell() {
    let (sink, engine) = (Sink::new(), obliging());
    let mut edge = Edge::open_with(&engine, &sink.plain(&[("HEARTBEAT_INTERVAL", "1")]), &json!({}));
    edge.link.next("metrics");
    edge.link.next("metrics");
    edge.link.expect_none_of("audit_head");
}
