//! What the agent says of itself to its operator's tools.
use serde_json::{Value, json};

use crate::agent::{Agent, VERSION, request};
use crate::engine::Home;
use crate::fleet::Fleet;
use crate::signer::head;

fn info(agent: &Agent) -> Value {
    let answer = agent.ask(request("GET /_lookout/info", ""));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.head.value("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[test]
fn it_names_itself_its_engine_and_what_it_can_do() {
    let engine = Fleet::of(&[]).engine();
    for (adapter, ability) in [("drydock", "dd:container-sync"), ("generic", "containers")] {
        let settings = [("ADAPTER", adapter), ("AGENT_NAME", "here"), ("AGENT_ID", "agent-1")];
        let told = info(&Agent::start_with(&engine, &settings));
        let members: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "agentId",
            "agentName",
            "capabilities",
            "dockerVersion",
            "hostname",
            "mode",
            "uptime",
            "version",
        ];
        assert_eq!(members, expected);
        assert_eq!(told["version"], VERSION);
        assert_eq!(told["dockerVersion"], "20.10.24");
        assert_eq!((&told["agentName"], &told["agentId"]), (&json!("here"), &json!("agent-1")));
        assert_eq!(told["mode"], "standard");
        assert!(told["uptime"].as_str().unwrap().ends_with('s'));
        assert!(told["capabilities"].as_array().unwrap().contains(&json!(ability)), "{told}");
    }
}

#[test]
fn without_an_engine_only_the_engines_version_is_unknown() {
    let home = Home::new();
    let agent = Agent::start_at(&home.path("docker.sock"), &[]);
    let told = info(&agent);
    assert_eq!(told["dockerVersion"], "unknown");
    assert_eq!(told["version"], VERSION);
}

#[test]
fn it_is_for_those_who_may_look() {
    let engine = Fleet::of(&[]).engine();
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "logs")]);
    assert_eq!(agent.ask(request("GET /_lookout/info", "")).status(), 403);
    assert_eq!(agent.ask(head("GET /_lookout/info", "")).status(), 401);
    let wrong = agent.ask(head("POST /_lookout/info", ""));
    assert_eq!(wrong.status(), 401);
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "view")]);
    let wrong = agent.ask(request("POST /_lookout/info", ""));
    assert_eq!((wrong.status(), wrong.head.value("allow")), (405, Some("GET, HEAD")));
    assert_eq!(agent.ask(request("GET /_lookout/info", "")).status(), 200);
}
