//! The generic API's routes: the version, and containers in the flat shape.
use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN, VERSION, request};
use crate::engine::{Engine, Home};
use crate::fleet::{Fleet, id};
use crate::signer::{Draft, Signer, agent as signed_agent, file, head};

const GENERIC: (&str, &str) = ("ADAPTER", "generic");

fn start(engine: &Engine, more: &[(&str, &str)]) -> Agent {
    Agent::start_with(engine, &[&[GENERIC], more].concat())
}

fn get(agent: &Agent, path: &str) -> Value {
    let answer = agent.ask(request(&format!("GET {path}"), ""));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.head.value("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[test]
fn the_version_names_the_agent_and_its_protocol() {
    let engine = Fleet::of(&[]).engine();
    let expected = json!({
        "agentVersion": VERSION, "protocolName": "lookout", "protocolVersion": "1.0",
        "adapter": "generic",
    });
    assert_eq!(get(&start(&engine, &[]), "/api/v1/version"), expected);
}

#[test]
fn containers_are_flat_and_their_labels_are_not_interpreted() {
    let fleet = Fleet::of(&["db"]);
    let labels = json!({"dd.display.name": "Shop", "dd.watch": "false", "dd.tag.include": "x"});
    fleet.add("web", |web| web["Config"]["Labels"] = labels.clone());
    let engine = fleet.engine();
    let told = get(&start(&engine, &[("AGENT_NAME", "here")]), "/api/v1/containers");
    assert_eq!(told.as_array().map(Vec::len), Some(2));
    assert_eq!(told[0]["name"], "db");
    assert_eq!(told[0].get("labels"), None);
    let expected = json!({
        "id": id("web"), "name": "web", "displayName": "web", "status": "running", "watcher": "docker",
        "agent": "here",
        "image": {
            "id": "sha256:edcc7fbb5401ea0db92c045ea7ccee7c32b0fa1ace5d7717bf13455f7607d3c3",
            "registry": "docker.io", "name": "acme/web", "tag": "1.4.2", "created": "2026-05-20T08:47:59.139Z",
            "digest": "sha256:e354b400a52b265b2fcbd66d36a09f366ea0b4d607c021ad803b0dc8a37f1537",
            "architecture": "arm64", "os": "linux", "size": 1234,
        },
        "updateAvailable": false, "updateKind": "unknown", "labels": labels,
        "details": {
            "platform": "linux", "command": "serve",
            "ports": [{"container": 80, "host": 8080, "protocol": "tcp", "ip": "127.0.0.1"}],
            "network": [{"name": "bridge", "ipAddress": "172.17.0.2", "gateway": "172.17.0.1"}],
            "volumes": [
                {"type": "bind", "source": "/etc/certs", "destination": "/certs", "readOnly": true},
                {"type": "volume", "source": "/var/lib/docker/volumes/shop-data/_data", "destination": "/data",
                    "readOnly": false},
            ],
            "created": "2026-05-21T09:04:49.5Z", "started": "2026-05-21T09:04:50.228Z", "health": "healthy",
        },
    });
    assert_eq!(told[1], expected);
}

#[test]
fn every_state_has_its_status() {
    let fleet = Fleet::of(&[]);
    let states = [
        ("created", json!({"Status": "created"}), "created"),
        ("dead", json!({"Status": "dead", "Dead": true}), "dead"),
        ("exited", json!({"Status": "exited", "ExitCode": 137}), "stopped"),
        ("paused", json!({"Status": "paused", "Running": true, "Paused": true}), "paused"),
        ("removing", json!({"Status": "removing"}), "stopped"),
        ("restarting", json!({"Status": "restarting", "Running": true, "Restarting": true}), "restarting"),
        ("running", json!({"Status": "running", "Running": true}), "running"),
    ];
    for (name, state, _) in &states {
        fleet.add(name, |container| container["State"] = state.clone());
    }
    let engine = fleet.engine();
    let told = get(&start(&engine, &[]), "/api/v1/containers");
    for (container, (name, _, status)) in told.as_array().unwrap().iter().zip(&states) {
        assert_eq!((&container["name"], &container["status"]), (&json!(name), &json!(status)));
    }
}

#[test]
fn commands_are_told_only_with_dump() {
    let fleet = Fleet::of(&["web"]);
    fleet.change("web", |web| web["Config"]["Cmd"] = json!(["serve", "--password", "hunter2"]));
    let engine = fleet.engine();
    for (allow, command) in [("view,logs", "***"), ("view,dump", "serve --password hunter2")] {
        let told = get(&start(&engine, &[("TOKEN_ALLOW", allow)]), "/api/v1/containers");
        assert_eq!(told[0]["details"]["command"], command, "{allow}");
        assert_eq!(told.to_string().contains("hunter2"), allow.contains("dump"));
    }
}

#[test]
fn a_caller_in_a_scope_sees_its_own_containers_only() {
    let fleet = Fleet::of(&["theirs"]);
    fleet.add("ours", |container| container["Config"]["Labels"] = json!({"team": "web"}));
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(5));
    let keys = file(&home, "keys", format!("allow=\"view\",label=\"team=web\" {}", signer.line()));
    let agent = signed_agent(&engine, &keys, &[GENERIC]);
    let answer = agent.ask(signer.request(2, "GET /api/v1/containers", ""));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((told.as_array().map(Vec::len), &told[0]["name"]), (Some(1), &json!("ours")));
}

#[test]
fn every_credential_opens_the_generic_routes() {
    let fleet = Fleet::of(&["web"]);
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(6));
    let agent = signed_agent(&engine, &file(&home, "keys", signer.line()), &[GENERIC]);
    for path in ["/api/v1/version", "/api/v1/containers", "/api/v1/containers/web/logs"] {
        let line = format!("GET {path}");
        let signed = [1, 2, 3].map(|version| Draft::new(version, &line, "").fields(&signer));
        let tokens = ["Authorization: Bearer", "X-Lookout-Token:", "X-Dd-Agent-Secret:"];
        for fields in signed.into_iter().chain(tokens.map(|name| format!("{name} {TOKEN}\r\n"))) {
            assert_eq!(agent.ask(head(&line, &fields)).status(), 200, "{path} {fields}");
        }
        assert_eq!(agent.ask(head(&line, "")).status(), 401);
        let wrong = agent.ask(head(&format!("POST {path}"), &format!("X-Lookout-Token: {TOKEN}\r\n")));
        assert_eq!((wrong.status(), wrong.head.value("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}
