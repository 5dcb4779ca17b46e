//! Compose under the authority of whoever called: what its program may not do, and what is recorded of it.
use serde_json::{Value, json};

use crate::audit_trail::{Sink, parsed};
use crate::compose_world::{
    ROUTE, Told, Yard, held, holding, order, plain, tell, until_dead, until_held, with,
};
use crate::engine::{Engine, Home};
use crate::patience::{Gate, until};
use crate::signer::{Signer, agent, file, reload};
use crate::world::World;

fn create(privileged: bool) -> Value {
    let body = json!({"Image": "redis", "HostConfig": {"Privileged": privileged}});
    json!(["ask", "POST", "/v1.41/containers/create?name=made", body])
}

/// The same order, signed by a key of a world.
fn signed(world: &World, key: u8, body: &Value) -> Told {
    Told::of(&world.ask(key, ROUTE, body.to_string()))
}

#[test]
fn the_program_may_do_what_its_caller_may_and_no_more() {
    let yard = Yard::new();
    let scene = json!([
        create(true),
        create(false),
        ["ask", "GET", "/v1.41/containers/json"],
        ["ask", "GET", "/anything"],
        ["ask", "POST", "/v1.41/containers/web/kill"]
    ]);
    yard.stack("web", &scene);
    let options = [r#"allow="compose,view""#, r#"allow="compose,view,create""#, "", r#"allow="view,create""#];
    let world = World::with(&options, &yard.with(&[]), Box::new(|_| None));
    for (key, statuses) in [(1, [403, 403, 200, 403, 403]), (2, [403, 200, 200, 403, 403]), (3, [200; 5])] {
        let told = signed(&world, key, &plain("up", "web"));
        assert!(told.success, "{told:?}");
        let lines = told.lines();
        let seen: Vec<_> = lines.iter().map(|line| line["status"].as_u64().expect("a status")).collect();
        assert_eq!(seen, statuses, "key {key}: {told:?}");
        for line in lines.iter().filter(|line| line["status"] == json!(403)) {
            assert!(line["body"].as_str().unwrap().contains("lookout: key "), "{line}");
        }
    }
    let refused = world.ask(4, ROUTE, plain("up", "web").to_string());
    assert_eq!(refused.status(), 403);
    assert!(refused.sentence().ends_with(" lacks class compose"), "{}", refused.text());
    let lines: Vec<_> = world.finish().iter().map(|call| call.line().to_owned()).collect();
    let made = lines.iter().filter(|line| line.starts_with("POST /v1.41/containers/create")).count();
    assert_eq!(made, 3, "one of the second key's, two of the third's: {lines:?}");
}

#[test]
fn the_program_sees_what_is_in_its_callers_reach() {
    let yard = Yard::new();
    yard.stack(
        "web",
        &json!([
            ["ask", "POST", "/v1.41/containers/web/kill"],
            ["ask", "POST", "/v1.41/containers/db/kill"],
            ["ask", "GET", "/v1.41/containers/json?all=1"]
        ]),
    );
    let options = [r#"allow="compose,view,power",label="team=web""#];
    let world = World::with(&options, &yard.with(&[]), Box::new(|_| None));
    let told = signed(&world, 1, &plain("up", "web"));
    let lines = told.lines();
    assert_eq!((&lines[0]["status"], &lines[1]["status"]), (&json!(200), &json!(404)), "{told:?}");
    let listed = lines[2]["body"].as_str().unwrap();
    assert!(listed.contains(crate::world::WEB) && !listed.contains(crate::world::DB), "{listed}");
}

#[test]
fn a_token_that_is_limited_limits_the_program() {
    let yard = Yard::new();
    yard.stack("web", &json!([["ask", "GET", "/v1.41/containers/json"], create(true)]));
    let world = World::with(&[""], &yard.with(&[("TOKEN_ALLOW", "compose,view")]), Box::new(|_| None));
    let told = tell(&world.agent, &plain("up", "web"));
    let statuses: Vec<_> = told.lines().iter().map(|line| line["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(403)], "{told:?}");
}

#[test]
fn whoever_may_not_build_is_told_before_the_program_tries() {
    let yard = Yard::new();
    yard.stack("web", &json!([["say", "it ran"]]));
    let options = [r#"allow="compose,view,create""#, r#"allow="compose,view,create,build""#];
    let world = World::with(&options, &yard.with(&[]), Box::new(|_| None));
    for body in [plain("build", "web"), with("up", "web", &json!({"build": true}))] {
        let answer = world.ask(1, ROUTE, body.to_string());
        assert_eq!(answer.status(), 403, "{body}: {}", answer.text());
        assert!(answer.sentence().ends_with(" lacks class build"), "{}", answer.text());
        assert_eq!(signed(&world, 2, &body).good(), "it ran");
    }
    assert_eq!(signed(&world, 1, &plain("up", "web")).good(), "it ran");
}

#[test]
fn a_key_that_is_revoked_while_its_program_runs_opens_nothing_any_more() {
    let (yard, gate, home) = (Yard::new(), Gate::default(), Home::new());
    let engine = holding(&gate);
    yard.stack("web", &json!([held(), ["ask", "GET", "/containers/after/json"]]));
    let (stays, goes) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", stays.line() + &goes.line());
    let agent = agent(&engine, &keys, &yard.with(&[]));
    let mut client = agent.client();
    client.send(goes.request(3, ROUTE, &plain("up", "web").to_string()));
    let pid = until_held(&engine);
    std::fs::write(&keys, stays.line()).unwrap();
    assert!(reload(&agent).contains("agent.reloaded"));
    gate.open();
    until_dead(pid);
    yard.until_clean();
    drop(client);
    agent.stop();
    let texts: Vec<_> = engine.settle().iter().map(crate::engine::Record::text).collect();
    assert!(!texts.iter().any(|text| text.contains("/after/")), "{texts:?}");
}

/// Runs these orders with a trail, signed by one key, and gives every record there is then.
fn recorded(yard: &Yard, options: &str, orders: &[Value]) -> Vec<Value> {
    let (sink, home, engine) = (Sink::new(), Home::new(), Engine::obliging());
    let keys = file(&home, "keys", format!("{options} {}", Signer::new(1).line()));
    let variables = sink.plain(&[]);
    let agent = agent(&engine, &keys, &yard.with(&variables));
    for body in orders {
        agent.ask(Signer::new(1).request(3, ROUTE, &body.to_string()));
    }
    agent.stop();
    sink.lines().iter().map(|line| parsed(line)).collect()
}

fn of<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["event"] == json!(event)).collect()
}

#[test]
fn an_order_is_recorded_before_its_request_and_the_programs_calls_name_both() {
    let yard = Yard::new();
    yard.stack("web", &json!([["ask", "GET", "/v1.41/containers/json"], create(true)]));
    let records = recorded(&yard, r#"allow="compose,view""#, &[plain("up", "web")]);
    let ops = of(&records, "compose_op");
    let [op] = ops.as_slice() else { panic!("one record: {records:?}") };
    let text = op.to_string();
    assert_eq!(
        (&op["operation"], &op["stack"], &op["outcome"], &op["actor"]),
        (&json!("up"), &json!("web"), &json!("allowed"), &json!("127.0.0.1")),
        "{text}"
    );
    let key = Signer::new(1).id();
    let requests = of(&records, "api_request");
    let own =
        requests.iter().find(|record| record["path"] == json!("/_lookout/compose")).expect("the order's own");
    assert_eq!((&own["method"], &own["status"], &own["key_id"]), (&json!("POST"), &json!(200), &json!(key)));
    let id = own["request_id"].as_str().expect("an id");
    assert!(!id.is_empty());
    assert_eq!(own.get("parent_id"), None);
    let children: Vec<_> = requests.iter().filter(|record| record["parent_id"] == json!(id)).collect();
    let lines: Vec<_> = children
        .iter()
        .map(|record| {
            (record["method"].as_str().unwrap(), record["path"].as_str().unwrap(), record["status"].as_u64())
        })
        .collect();
    assert!(lines.contains(&("GET", "/v1.41/containers/json", Some(200))), "{records:?}");
    for child in &children {
        assert_eq!((&child["actor"], &child["key_id"]), (&json!("127.0.0.1"), &json!(key)), "{child}");
        assert_ne!(child["request_id"], json!(id));
    }
    let denied = records.iter().find(|record| record.to_string().contains("/v1.41/containers/create"));
    let denied = denied.expect("what was refused is recorded");
    assert_eq!((&denied["parent_id"], &denied["outcome"]), (&json!(id), &json!("denied")), "{denied}");
    let at = |wanted: &Value| records.iter().position(|record| record == wanted).unwrap();
    assert!(at(op) < at(own), "the order is recorded first");
    assert!(children.iter().all(|child| at(child) < at(op)), "the calls were made before");
}

#[test]
fn an_order_that_fails_is_recorded_as_it_was_written() {
    let yard = Yard::new();
    yard.stack("web", &json!([["exit", 1]]));
    let secret = json!({"envVars": {"A": "env-value"}, "files": {"a": "file-value"},
        "registryAuth": {"server": "ghcr.io", "username": "user", "password": "password-value"}});
    let orders = [
        with("up", "web", &secret),
        plain("fly", "web"),
        plain("up", "../else"),
        plain("up", ""),
        json!(["not an order"]),
    ];
    let records = recorded(&yard, "", &orders);
    let ops: Vec<_> = of(&records, "compose_op")
        .iter()
        .map(|op| {
            (
                op["operation"].as_str().unwrap(),
                op["stack"].as_str().unwrap(),
                op["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        ops,
        [("up", "web", "error"), ("fly", "web", "error"), ("up", "../else", "error"), ("up", "", "error")]
    );
    let statuses: Vec<_> =
        of(&records, "api_request").iter().map(|record| record["status"].as_u64()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 400].map(Some));
    let text = json!(records).to_string();
    for value in ["env-value", "file-value", "password-value"] {
        assert!(!text.contains(value), "the trail tells {value}");
    }
}

#[test]
fn nothing_an_order_brings_is_in_the_log() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "output-value"], ["warn", "error-value"]]));
    let agent = yard.start(&engine);
    let secret = json!({"envVars": {"A": "env-value"}, "files": {"a": "file-value"},
        "registryAuth": {"server": "ghcr.io", "username": "user", "password": "password-value"}});
    assert!(tell(&agent, &with("up", "web", &secret)).success);
    assert_eq!(
        agent.ask(order(&with("up", "web", &json!({"envVars": {"PATH": "env-value"}})))).status(),
        200
    );
    assert_eq!(agent.ask(order(&json!({"envVars": "env-value", "files": "file-value"}))).status(), 400);
    until("the requests are logged", || agent.log().contains("/_lookout/compose").then_some(()));
    let words = agent.stop().words();
    for value in ["output-value", "error-value", "env-value", "file-value", "password-value"] {
        assert!(!words.contains(value), "the log tells {value}: {words}");
    }
}
