//! What controllers ask of an agent in front of a real Engine: lists, logs and removals.

use serde_json::Value;

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::raw;
use crate::scene::Scene;
use crate::wait::until;

/// The status and the body of an answer.
fn ask(agent: &Agent, line: &str) -> (String, Vec<u8>) {
    let mut answer = raw::through(agent, &format!("{line} HTTP/1.1\r\nHost: localhost\r\n"));
    let status = answer.status().to_owned();
    // What has no content has no length either.
    let body = if status == "204" { Vec::new() } else { answer.body() };
    (status, body)
}

/// The container of this name in a list.
fn listed(agent: &Agent, path: &str, name: &str) -> Option<Value> {
    let (status, body) = ask(agent, &format!("GET {path}"));
    assert_eq!(status, "200", "{}", String::from_utf8_lossy(&body));
    let all: Vec<Value> = serde_json::from_slice(&body).expect("a list");
    all.into_iter().find(|container| container["name"] == name)
}

#[test]
fn both_shapes_say_what_the_engine_says() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (name, volume) = (scene.name("shape"), scene.name("volume"));
    let mount = format!("{volume}:/data:ro");
    let run = ["run", "-d", "--name", &name, "-e", "MODE=prod", "-v", &mount, "--expose", "80"];
    straight.run(&[&run[..], &["--label", "dd.display.name=Shop", IMAGE, "sleep", "1000"]].concat()).good();
    let inspect = |format: &str| {
        let told = straight.run(&["inspect", "--format", format, &name]).good().text();
        told.trim().to_owned()
    };
    let image = |format: &str| {
        let told = straight.run(&["image", "inspect", "--format", format, IMAGE]).good().text();
        told.trim().to_owned()
    };
    let (id, image_id) = (inspect("{{.Id}}"), inspect("{{.Image}}"));

    let nested = listed(&Agent::start(), "/api/containers", &name).expect("it is told");
    assert_eq!((nested["id"].as_str(), nested["status"].as_str()), (Some(&*id), Some("running")));
    assert_eq!((&nested["displayName"], &nested["watcher"]), (&"Shop".into(), &"docker".into()));
    assert_eq!(nested["image"]["id"], image_id.as_str());
    assert_eq!(nested["image"]["name"], "lookout-test/busybox");
    assert_eq!(nested["image"]["tag"]["value"], "1");
    assert_eq!(nested["image"]["architecture"], image("{{.Architecture}}").as_str());
    assert_eq!(nested["image"]["isLocalImage"], true);
    assert_eq!(nested["details"]["volumes"], serde_json::json!([format!("{volume}:/data:ro")]));
    assert_eq!(nested["details"]["ports"], serde_json::json!(["80/tcp"]));
    assert_eq!(nested["details"]["startedAt"], inspect("{{json .State.StartedAt}}").trim_matches('"'));
    let env = nested["details"]["env"].as_array().expect("a list");
    assert!(env.contains(&serde_json::json!({"key": "MODE", "value": "prod"})), "{env:?}");

    let flat =
        listed(&Agent::with(&[("ADAPTER", "generic")]), "/api/v1/containers", &name).expect("it is told");
    assert_eq!((flat["id"].as_str(), flat["status"].as_str()), (Some(&*id), Some("running")));
    assert_eq!((&flat["displayName"], &flat["image"]["tag"]), (&name.as_str().into(), &"1".into()));
    assert_eq!(flat["details"]["command"], "sleep 1000");
    assert_eq!(flat["details"]["platform"], inspect("{{.Platform}}").as_str());
    assert_eq!(flat["details"]["network"][0]["name"], "bridge");
    assert_eq!(flat["image"]["size"].to_string(), image("{{.Size}}"));
}

#[test]
fn logs_are_what_was_printed_with_a_terminal_and_without() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agents = [("drydock", "/api"), ("generic", "/api/v1")]
        .map(|(adapter, base)| (Agent::with(&[("ADAPTER", adapter)]), base));
    for (kind, flags, text) in
        [("plain", &[][..], "one\ntwo\nthree\n"), ("terminal", &["-t"], "one\r\ntwo\r\nthree\r\n")]
    {
        let name = scene.name(kind);
        let says = "echo one; echo two; echo three";
        let run = ["run", "-d", "--network", "none", "--name", &name];
        straight.run(&[&run[..], flags, &[IMAGE, "sh", "-c", says]].concat()).good();
        straight.run(&["wait", &name]).good();
        for (agent, base) in &agents {
            let logs = |query: &str| {
                let (status, body) = ask(agent, &format!("GET {base}/containers/{name}/logs{query}"));
                assert_eq!(status, "200", "{query}: {}", String::from_utf8_lossy(&body));
                String::from_utf8(body).expect("text")
            };
            assert_eq!(logs(""), text, "{kind}");
            assert_eq!(logs("?tail=all&since=0"), text);
            assert_eq!(logs("?tail=0"), "");
            assert_eq!(logs("?tail=1"), text.split_inclusive('\n').next_back().expect("a line"));
            // It has ended, and so following ends.
            assert_eq!(logs("?follow=1"), text);
            for query in ["?since=1h", "?until=2999-12-31T00:00:00Z", "?since=2001-02-03T04:05:06Z"] {
                assert_eq!(logs(query), text, "{query}");
            }
            assert_eq!(logs("?until=1000000000"), "");
            let stamped = logs("?timestamps=1");
            let lines: Vec<_> = stamped.lines().collect();
            assert_eq!(lines.len(), 3, "{stamped}");
            assert!(lines.iter().all(|line| line.contains('T') && line.contains("Z ")), "{stamped}");
        }
    }
}

#[test]
fn logs_on_both_outputs_are_told_together() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("both");
    let says = "for n in $(seq 1 500); do echo out $n; echo err $n >&2; done";
    straight.run(&["run", "--name", &name, IMAGE, "sh", "-c", says]).good();
    let (status, body) = ask(&Agent::start(), &format!("GET /api/containers/{name}/logs"));
    let text = String::from_utf8(body).expect("no byte of a frame is left");
    assert_eq!((status.as_str(), text.lines().count()), ("200", 1000));
    for kind in ["out", "err"] {
        let told = text.lines().filter(|line| line.starts_with(kind));
        assert!(told.eq((1..=500).map(|number| format!("{kind} {number}"))), "{kind} in order");
    }
}

#[test]
fn logs_that_cannot_be_read_are_refused_in_the_engines_words() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("mute");
    straight.run(&["run", "--log-driver", "none", "--name", &name, IMAGE, "true"]).good();
    let direct = straight.run(&["logs", &name]).errors();
    let agent = Agent::start();
    let (status, body) = ask(&agent, &format!("GET /api/containers/{name}/logs"));
    let told: Value = serde_json::from_slice(&body).expect("JSON");
    let sentence = told["message"].as_str().expect("a sentence");
    assert!(direct.contains(sentence), "{status} {sentence:?}, and straight: {direct:?}");
    assert_eq!(ask(&agent, "GET /api/containers/lookout-real-nobody/logs").0, "404");
}

#[test]
fn a_deleted_container_is_gone_and_its_volumes_are_not() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let agent = Agent::start();
    let (name, volume) = (scene.name("gone"), scene.name("volume"));
    let run = ["run", "-d", "--network", "none", "--name", &name, "-v", &format!("{volume}:/data")];
    let id = straight.run(&[&run[..], &[IMAGE, "sleep", "1000"]].concat()).good().text();
    let id = id.trim();
    until("it is listed", || listed(&agent, "/api/containers", &name));
    assert_eq!(ask(&agent, &format!("DELETE /api/containers/{id}")), ("204".to_owned(), Vec::new()));
    assert_eq!(straight.run(&["inspect", id]).code(), Some(1));
    until("it is listed no more", || listed(&agent, "/api/containers", &name).is_none().then_some(()));
    assert_eq!(ask(&agent, &format!("DELETE /api/containers/{id}")).0, "404");
    straight.run(&["volume", "inspect", &volume]).good();
}
