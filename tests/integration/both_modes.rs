//! The same questions over HTTP and through the tunnel: who asks how makes no difference to the answer.
use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::edge_world::{Edge, obliging};

/// What was answered, as far as both ways tell it.
type Ask<'a> = dyn FnMut(&str) -> (u64, String) + 'a;

/// Runs one scenario over HTTP and once more through the tunnel; `allow` is what the caller is granted.
fn in_both_modes(allow: &str, scenario: impl Fn(&mut Ask<'_>)) {
    let engine = obliging();
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", allow)]);
    scenario(&mut |line| {
        let answer = agent.ask(request(line, ""));
        (u64::from(answer.status()), String::from_utf8_lossy(&answer.body).into_owned())
    });
    drop(agent);
    let mut edge = Edge::open_with(&engine, &[("EDGE_ALLOW", allow)], &json!({}));
    scenario(&mut |line| {
        let answer = edge.link.ask(line);
        (answer.status(), answer.text())
    });
}

#[test]
fn routes_of_the_agent_and_of_the_engine_are_found_alike() {
    in_both_modes("all", |ask| {
        for (line, status) in [
            ("GET /health", 200),
            ("GET /_lookout/info", 200),
            ("GET /metrics", 200),
            ("GET /_lookout/audit", 200),
            ("GET /_lookout/audit/export?cursor=x", 400),
            ("GET /_lookout/nothing", 404),
            ("DELETE /_lookout/info", 405),
            ("GET /_ping", 200),
            ("GET /v1.41/_ping", 200),
        ] {
            assert_eq!(ask(line).0, status, "{line}");
        }
    });
}

#[test]
fn what_was_not_granted_is_refused_alike() {
    in_both_modes("view", |ask| {
        for (line, status) in [
            ("GET /_ping", 200),
            ("POST /containers/a/start", 403),
            ("POST /containers/create", 403),
            ("GET /containers/a/archive?path=/", 403),
            ("GET /_lookout/audit", 403),
            ("GET /metrics", 403),
            ("POST /plugins/pull", 403),
            ("GET /nobody/knows/this", 403),
        ] {
            let (told, sentence) = ask(line);
            assert_eq!(told, status, "{line}: {sentence}");
            if status == 403 {
                let told: Value = serde_json::from_str(&sentence).expect("a refusal is JSON");
                assert!(
                    told["message"].as_str().is_some_and(|why| why.starts_with("lookout: ")),
                    "{sentence}"
                );
            }
        }
    });
}

#[test]
fn what_two_readers_could_read_differently_is_refused_alike() {
    in_both_modes("all", |ask| {
        for line in
            ["GET /a/../b", "GET //a", "GET /a/%2e%2e/b", "GET /containers/a%00b/json", "GET /?token=x"]
        {
            assert_eq!(ask(line).0, 400, "{line}");
        }
    });
}
