//! Drydock's routes: what each answers, and how each refuses.
use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN, request, request_with};
use crate::drydock_rules::faults;
use crate::engine::{Engine, Home, OK};
use crate::fleet::{Fleet, id};
use crate::message::Message;
use crate::patience::until;
use crate::signer::{Draft, Signer, agent as signed_agent, file, head};

/// The JSON of a good answer.
fn document(answer: &Message) -> Value {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.head.value("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn get(agent: &Agent, target: &str) -> Value {
    document(&agent.ask(request(&format!("GET {target}"), "")))
}

fn names(containers: &Value) -> Vec<&str> {
    containers.as_array().unwrap().iter().map(|container| container["name"].as_str().unwrap()).collect()
}

#[test]
fn containers_are_told_by_name_and_as_the_controller_takes_them() {
    let fleet = Fleet::of(&["web", "db", "cache"]);
    fleet.change("web", |web| web["Config"]["Labels"] = json!({"dd.display.name": "Shop", "plain": "x"}));
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("AGENT_NAME", "here")]);
    let told = get(&agent, "/api/containers");
    assert_eq!(names(&told), ["cache", "db", "web"]);
    for container in told.as_array().unwrap() {
        assert_eq!(faults(container), [""; 0], "{container}");
    }
    let web = &told[2];
    assert_eq!(web["id"], id("web").as_str());
    assert_eq!(web["displayName"], "Shop");
    assert_eq!(web["status"], "running");
    assert_eq!(web["health"], "healthy");
    assert_eq!(web["agent"], "here");
    assert_eq!(web["labels"], json!({"dd.display.name": "Shop", "plain": "x"}));
    assert_eq!(web["image"]["tag"], json!({"value": "1.4.2", "semver": true, "tagPrecision": "specific"}));
    assert_eq!(web["image"]["registry"], json!({"name": "hub.public", "url": "docker.io"}));
    assert_eq!(web["image"]["created"], "2026-05-20T08:47:59.139Z");
    assert_eq!(web["details"]["ports"], json!(["127.0.0.1:8080->80/tcp"]));
    assert_eq!(web["details"]["volumes"], json!(["/etc/certs:/certs:ro", "shop-data:/data"]));
}

#[test]
fn an_engine_without_containers_has_an_empty_list() {
    let engine = Fleet::of(&[]).engine();
    let agent = Agent::start(&engine);
    assert_eq!(get(&agent, "/api/containers"), json!([]));
}

#[test]
fn dd_watch_leaves_containers_out_and_never_names_a_watcher() {
    let fleet = Fleet::of(&["plain"]);
    for value in ["true", "TRUE", "", "false", "0", "other"] {
        let name = format!("watch-{}", value.to_lowercase() + if value == "TRUE" { "-loud" } else { "" });
        fleet.add(&name, |container| container["Config"]["Labels"] = json!({ "dd.watch": value }));
    }
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let told = get(&agent, "/api/containers");
    assert_eq!(names(&told), ["plain", "watch-", "watch-true", "watch-true-loud"]);
    assert!(told.as_array().unwrap().iter().all(|container| container["watcher"] == "docker"));
}

#[test]
fn values_of_the_environment_are_told_only_with_dump() {
    let fleet = Fleet::of(&["web"]);
    let env = json!(["MODE=hunter2", "EMPTY=", "=nameless"]);
    fleet.change("web", |web| web["Config"]["Env"] = env);
    let engine = fleet.engine();
    for (allow, value) in [("view,logs", "***"), ("view,dump", "hunter2"), ("all", "hunter2")] {
        let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", allow)]);
        let told = get(&agent, "/api/containers");
        let expected = json!([{"key": "MODE", "value": value}, {"key": "EMPTY", "value": ""}]);
        assert_eq!(told[0]["details"]["env"], expected, "{allow}");
        assert_eq!(faults(&told[0]), [""; 0]);
    }
}

#[test]
fn a_caller_in_a_scope_sees_its_own_containers_only() {
    let fleet = Fleet::of(&["theirs"]);
    fleet.add("ours", |container| container["Config"]["Labels"] = json!({"team": "web"}));
    fleet.add("almost", |container| container["Config"]["Labels"] = json!({"team": "webs"}));
    fleet.print("ours", &[&crate::fleet::framed(1, "hello\n")], false);
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(7));
    let options = "allow=\"view,logs,remove\",label=\"team=web\" ";
    let agent = signed_agent(&engine, &file(&home, "keys", format!("{options}{}", signer.line())), &[]);
    let ask = |line: &str| agent.ask(signer.request(2, line, ""));
    assert_eq!(names(&document(&ask("GET /api/containers"))), ["ours"]);
    assert_eq!(ask(&format!("GET /api/containers/{}/logs", id("ours"))).text(), "hello\n");
    // What is not theirs is as absent as what is not there.
    for (line, name) in [
        ("GET /api/containers/ID/logs", "theirs"),
        ("GET /api/containers/ID/logs", "almost"),
        ("DELETE /api/containers/ID", "theirs"),
    ] {
        let [foreign, absent] = [id(name), "f".repeat(64)].map(|id| {
            let answer = ask(&line.replace("ID", &id));
            (answer.status(), answer.sentence().replace(&id, "ID"))
        });
        assert_eq!(foreign, absent, "{line} {name}");
        assert_eq!(foreign.0, 404, "{foreign:?}");
    }
    assert_eq!(fleet.asked("DELETE"), [""; 0]);
    assert_eq!(ask(&format!("DELETE /api/containers/{}", id("ours"))).status(), 204);
}

#[test]
fn the_one_watcher_carries_the_words_the_controller_looks_for() {
    let engine = Fleet::of(&[]).engine();
    let agent = Agent::start(&engine);
    let all = get(&agent, "/api/watchers");
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    let configuration = &all[0]["configuration"];
    assert_eq!((&all[0]["type"], &all[0]["name"]), (&json!("docker"), &json!("docker")));
    for (name, value) in [("transport", "docker-api"), ("execution", "controller"), ("events", "portwing")] {
        assert_eq!(configuration[name], value);
    }
    for path in ["docker/docker", "Docker/DOCKER"] {
        assert_eq!(get(&agent, &format!("/api/watchers/{path}")), all[0], "{path}");
    }
    for path in ["docker/other", "other/docker", "docker/dockerx"] {
        let answer = agent.ask(request(&format!("GET /api/watchers/{path}"), ""));
        assert_eq!(answer.status(), 404, "{path}");
        answer.sentence();
    }
    assert_eq!(get(&agent, "/api/triggers"), json!([]));
}

#[test]
fn what_the_controller_does_itself_is_501() {
    let engine = Fleet::of(&["web"]).engine();
    let agent = Agent::start(&engine);
    for path in [
        "watchers/docker/docker",
        "watchers/docker/docker/container/x",
        "triggers/docker/update",
        "triggers/docker/update/batch",
    ] {
        let answer =
            agent.ask(request_with(&format!("POST /api/{path}"), "Content-Type: application/json\r\n", "{}"));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status(), &told["error"]), (501, &json!("not implemented in v1.0")), "{path}");
        assert!(told["message"].is_string());
    }
}

#[test]
fn wrong_methods_are_405_and_say_which_are_right() {
    let engine = Fleet::of(&[]).engine();
    let agent = Agent::start(&engine);
    for (line, allow) in [
        ("POST /api/containers", "GET, HEAD"),
        ("DELETE /api/events", "GET, HEAD"),
        ("GET /api/containers/web", "DELETE"),
        ("PUT /api/watchers/docker/docker", "GET, HEAD, POST"),
        ("GET /api/triggers/docker/update", "POST"),
    ] {
        let answer = agent.ask(request(line, ""));
        assert_eq!((answer.status(), answer.head.value("allow")), (405, Some(allow)), "{line}");
        let answer = agent.ask(head(line, ""));
        assert_eq!((answer.status(), answer.head.value("allow")), (401, None), "{line}");
    }
}

#[test]
fn a_container_is_removed_by_force_and_refusals_are_the_engines_own() {
    let fleet = Fleet::of(&["web", "db"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let delete = |name: &str| agent.ask(request(&format!("DELETE /api/containers/{name}"), ""));
    let gone = delete(&id("web"));
    assert_eq!((gone.status(), gone.body.len()), (204, 0));
    assert_eq!(fleet.asked("DELETE"), [format!("DELETE /containers/{}?force=1", id("web"))]);
    assert_eq!(delete(&id("web")).status(), 404);
    for (status, sentence) in
        [(409, "removal of container db is already in progress"), (400, "bad parameter")]
    {
        let told = json!({ "message": sentence }).to_string();
        fleet.answer(&format!("DELETE /containers/{}", id("db")), status, &told);
        let answer = delete(&id("db"));
        assert_eq!((answer.status(), answer.sentence().as_str()), (status, sentence));
    }
    for name in ["a%20b", "%3Fforce=0", "%2e%2e", "a%00"] {
        let answer = delete(name);
        assert_eq!(answer.status(), 400, "{name}: {}", answer.text());
        answer.sentence();
    }
    assert_eq!(fleet.asked("DELETE").len(), 4, "what is no name is not asked");
}

#[test]
fn entries_of_the_log_are_real_and_can_be_chosen() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    // Refused, and so in the log.
    assert_eq!(agent.ask(head("GET /api/containers", "")).status(), 401);
    let entries = until("the refusal is told of", || {
        let entries = get(&agent, "/api/log/entries");
        let is_it = |entry: &Value| entry["msg"].as_str().unwrap().contains("auth.denied");
        entries.as_array().unwrap().iter().any(is_it).then_some(entries)
    });
    for entry in entries.as_array().unwrap() {
        let members: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["component", "level", "msg", "timestamp"]);
    }
    let levels = |query: &str| {
        let entries = get(&agent, &format!("/api/log/entries?{query}"));
        let of = |entry: &Value| entry["level"].as_str().unwrap().to_owned();
        entries.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert!(levels("level=debug").iter().any(|level| level == "info"));
    assert!(levels("level=warn").iter().all(|level| level != "info" && level != "debug"));
    assert!(!levels("level=warn").is_empty());
    assert_eq!(levels("tail=2").len(), 2);
    assert_eq!(levels("tail=0").len(), 0);
    assert_eq!(levels("component=other").len(), 0);
    assert_eq!(levels("since=253402300799").len(), 0);
    // It is the operator's: whoever may only look does not read it.
    let limited = Agent::start_with(&engine, &[("TOKEN_ALLOW", "view,logs,dump")]);
    assert_eq!(limited.ask(request("GET /api/log/entries", "")).status(), 403);
    // It has heard the Engine's answer to its own first question before it is ended.
    assert_eq!(limited.ask(head("GET /ready", "")).status(), 200);
}

#[test]
fn every_credential_the_controller_has_opens_every_route() {
    let fleet = Fleet::of(&["web"]);
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(3));
    let agent = signed_agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let paths = ["/api/containers", "/api/watchers", "/api/triggers", "/api/log/entries?tail=1"];
    for path in paths {
        let secret = format!("X-Dd-Agent-Secret: {TOKEN}\r\n");
        assert_eq!(agent.ask(head(&format!("GET {path}"), &secret)).status(), 200, "{path}");
        for version in [1, 2] {
            let line = format!("GET {path}");
            let draft = Draft { dialect: "X-Portwing-", ..Draft::new(version, &line, "") };
            // The first version covers no query, so that it opens what has none.
            let expected = if version == 1 && path.contains('?') { 401 } else { 200 };
            assert_eq!(agent.ask(head(&line, &draft.fields(&signer))).status(), expected, "{version} {path}");
        }
        assert_eq!(agent.ask(head(&format!("GET {path}"), "X-Dd-Agent-Secret: wrong\r\n")).status(), 401);
        assert_eq!(agent.ask(head(&format!("GET {path}"), "")).status(), 401);
    }
    let body = "{}";
    let line = "POST /api/watchers/docker/docker";
    let fields = Draft { dialect: "X-Portwing-", ..Draft::new(2, line, body) }.fields(&signer);
    let answer = agent.ask(head(line, &format!("{fields}Content-Length: 2\r\n")) + body);
    assert_eq!(answer.status(), 501, "{}", answer.text());
}

#[test]
fn the_other_apis_paths_are_the_engines() {
    let paths = [
        ("drydock", "/api/v1/containers"),
        ("drydock", "/api/v1/events"),
        ("generic", "/api/containers"),
        ("generic", "/api/watchers"),
        ("generic", "/api/log/entries"),
    ];
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    for (adapter, path) in paths {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter)]);
        let answer = agent.ask(request(&format!("GET {path}"), ""));
        assert_eq!((answer.status(), answer.text().as_str()), (404, r#"{"message":"page not found"}"#));
        assert_eq!(fleet.asked(&format!("GET {path}")).len(), 1, "{path} with {adapter}");
        // Who may only look learns nothing from it.
        let limited = Agent::start_with(&engine, &[("ADAPTER", adapter), ("TOKEN_ALLOW", "view")]);
        assert_eq!(limited.ask(request(&format!("GET {path}"), "")).status(), 403, "{path} with {adapter}");
    }
}

#[test]
fn an_empty_form_is_passed_to_the_engine() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    // What the controller's client makes of a call without a body.
    let fields = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n";
    for verb in ["start", "stop", "restart"] {
        let answer = agent.ask(request(&format!("POST /containers/web/{verb}"), fields));
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    agent.stop();
    assert_eq!(engine.settle().len(), 3);
}
