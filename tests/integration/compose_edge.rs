//! Compose through the tunnel: ordered by a controller, within what it was granted.
use serde_json::{Value, json};

use crate::compose_world::{Yard, held, holding, plain, until_asked, until_dead, until_held, with};
use crate::edge_link::Link;
use crate::edge_world::{Edge, fresh, obliging};
use crate::engine::Engine;
use crate::patience::Gate;

const LINE: &str = "POST /_lookout/compose";

fn order(body: &Value) -> Value {
    json!({"headers": {"Content-Type": "application/json", "User-Agent": "client"}, "body": body})
}

/// What the order was answered, which says how it went.
fn told(link: &mut Link, body: &Value) -> Value {
    let answer = link.ask_with(LINE, &order(body));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

fn open(engine: &Engine, yard: &Yard, allow: &str) -> Edge {
    Edge::open_with(engine, &yard.with(&[("EDGE_ALLOW", allow)]), &json!({}))
}

#[test]
fn a_controller_orders_what_anybody_may() {
    let (yard, engine) = (Yard::new(), obliging());
    yard.stack("web", &json!([["say", "hello "], ["ask", "GET", "/containers/a/json"]]));
    let mut edge = open(&engine, &yard, "all");
    let answer =
        told(&mut edge.link, &with("up", "web", &json!({"files": {"a.txt": "x"}, "envVars": {"A": "b"}})));
    assert_eq!(answer["success"], json!(true), "{answer}");
    let output = answer["output"].as_str().unwrap();
    assert!(output.starts_with("hello ") && output.contains("\"status\": 200"), "{answer}");
    assert!(yard.of("web").join("a.txt").exists() && yard.of("web").join(".env.drydock").exists());
    let answer = told(&mut edge.link, &plain("fly", "web"));
    assert_eq!(answer["error"], json!("unsupported compose operation: \"fly\""));
    yard.until_clean();
}

#[test]
fn a_controllers_program_may_do_no_more_than_it() {
    let (yard, engine) = (Yard::new(), obliging());
    let create = json!(["ask", "POST", "/v1.41/containers/create", {"HostConfig": {"Privileged": true}}]);
    yard.stack("web", &json!([create]));
    let mut edge = open(&engine, &yard, "compose,view");
    let answer = told(&mut edge.link, &plain("up", "web"));
    assert!(answer["output"].as_str().unwrap().contains("\"status\": 403"), "{answer}");
    drop(edge);
    let mut edge = open(&engine, &yard, "view,create");
    assert_eq!(edge.link.ask_with(LINE, &order(&plain("up", "web"))).status(), 403);
}

#[test]
fn a_tunnel_that_breaks_ends_what_only_reads_and_not_what_changes() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("read", &json!([held(), ["wait"]]));
    yard.stack(
        "changed",
        &json!([["ask", "GET", "/containers/held/json"], ["ask", "GET", "/containers/after/json"]]),
    );
    let mut edge = open(&engine, &yard, "all");
    let orders = [plain("logs", "read"), plain("up", "changed")];
    for body in &orders {
        edge.link.request(&fresh("r"), LINE, &order(body));
    }
    let reader = until_held(&engine);
    until_asked(&engine, "/containers/held/json", 1);
    edge.link.cut();
    until_dead(reader);
    gate.open();
    until_asked(&engine, "/containers/after/json", 1);
    yard.until_clean();
}
