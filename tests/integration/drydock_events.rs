//! Drydock's stream of events: an acknowledgement, a snapshot, and then what changes.
use std::time::Instant;

use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::drydock_rules::faults;
use crate::engine::Home;
use crate::fleet::{Fleet, id};
use crate::listener::Listener;
use crate::patience::{PATIENCE, until};
use crate::signer::{Signer, agent as signed_agent, file, logged};

const EVENTS: &str = "/api/events";

/// Reads what every controller is told first; the names in the snapshot.
fn greeted(listener: &mut Listener) -> Vec<String> {
    listener.expect("dd:ack");
    names(&listener.expect("dd:watcher-snapshot"))
}

fn names(snapshot: &Value) -> Vec<String> {
    let name = |container: &Value| container["name"].as_str().unwrap().to_owned();
    snapshot["containers"].as_array().expect("never null").iter().map(name).collect()
}

#[test]
fn a_controller_is_acknowledged_and_then_told_everything() {
    let fleet = Fleet::of(&["web", "db"]);
    fleet.add("off", |container| container["State"] = json!({"Status": "exited"}));
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "120")]);
    let mut listener = Listener::open(&agent, EVENTS);
    let frame = listener.frame();
    assert!(frame.starts_with("data: {\"type\":\"dd:ack\",\"data\":{") && !frame.contains('\n'), "{frame}");
    let ack: Value = serde_json::from_str(&frame["data: ".len()..]).unwrap();
    let ack = &ack["data"];
    for name in ["version", "os", "arch", "lastSeen", "logLevel", "pollInterval"] {
        assert!(ack[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {ack}");
    }
    for name in ["cpus", "memoryGb", "uptimeSeconds", "images"] {
        assert!(ack[name].is_number(), "{name}: {ack}");
    }
    assert!(ack["memoryGb"].as_f64().unwrap() > 0.0);
    assert_eq!(ack["containers"], json!({"total": 3, "running": 2, "stopped": 1}));
    assert_eq!((&ack["images"], &ack["pollInterval"]), (&json!(1), &json!("120s")));
    let snapshot = listener.expect("dd:watcher-snapshot");
    assert_eq!(snapshot["watcher"]["name"], "docker");
    assert_eq!(snapshot["watcher"]["configuration"]["events"], "portwing");
    assert_eq!(names(&snapshot), ["db", "off", "web"]);
    for container in snapshot["containers"].as_array().unwrap() {
        assert_eq!(faults(container), [""; 0], "{container}");
    }
}

#[test]
fn what_starts_changes_and_goes_is_told_once_each() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut both = [Listener::open(&agent, EVENTS), Listener::open(&agent, EVENTS)];
    for listener in &mut both {
        assert_eq!(greeted(listener), ["web"]);
    }
    let mut expect = |kind: &str, check: &dyn Fn(&Value)| {
        for listener in &mut both {
            check(&listener.expect(kind));
        }
    };
    fleet.add("db", |_| {});
    for action in ["create", "start"] {
        fleet.tell("db", action);
    }
    expect("dd:container-added", &|db| {
        assert_eq!((&db["name"], &db["status"]), (&json!("db"), &json!("running")));
        assert_eq!(faults(db), [""; 0]);
    });
    fleet.change("db", |db| db["State"] = json!({"Status": "exited", "StartedAt": "2026-05-21T09:04:50Z"}));
    for action in ["kill", "die", "stop"] {
        fleet.tell("db", action);
    }
    expect("dd:container-updated", &|db| {
        assert_eq!((&db["name"], &db["status"]), (&json!("db"), &json!("exited")))
    });
    fleet.change("web", |web| web["State"]["Health"]["Status"] = "unhealthy".into());
    fleet.tell("web", "health_status: unhealthy");
    expect("dd:container-updated", &|web| assert_eq!(web["health"], "unhealthy"));
    fleet.change("web", |web| web["Name"] = "/shop".into());
    fleet.tell_with("web", "rename", &json!({"oldName": "/web"}));
    expect("dd:container-updated", &|web| {
        assert_eq!((&web["id"], &web["name"]), (&json!(id("web")), &json!("shop")));
    });
    fleet.destroy("db");
    expect("dd:container-removed", &|db| assert_eq!(*db, json!({"id": id("db"), "name": "db"})));
    // Had anything been told twice, it would stand before this.
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    expect("dd:container-added", &|last| assert_eq!(last["name"], "last"));
}

#[test]
fn what_changes_nothing_is_not_told() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut listener = Listener::open(&agent, EVENTS);
    assert_eq!(greeted(&mut listener), ["web"]);
    let before = fleet.all_inspections();
    for action in ["exec_create: sh", "exec_start: sh", "exec_die", "attach", "resize", "top"] {
        fleet.tell("web", action);
    }
    fleet.push(&json!({"Type": "network", "Action": "connect", "Actor": {"ID": "n", "Attributes": {}}}));
    fleet.push(&json!({"Type": "container", "Action": "start", "Actor": {"ID": "../x", "Attributes": {}}}));
    assert_eq!(fleet.all_inspections(), before);
    // Inspected, and found as it was.
    fleet.tell("web", "update");
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    assert_eq!(listener.expect("dd:container-added")["name"], "last");
    until("both are inspected", || (fleet.all_inspections() == before + 2).then_some(()));
    assert!(fleet.asked("GET /containers/../").is_empty());
}

#[test]
fn a_container_that_is_not_to_be_watched_is_never_told_of() {
    let fleet = Fleet::of(&[]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut listener = Listener::open(&agent, EVENTS);
    assert_eq!(greeted(&mut listener), [""; 0]);
    fleet.add("secret", |container| container["Config"]["Labels"] = json!({"dd.watch": "false"}));
    fleet.tell("secret", "start");
    fleet.destroy("secret");
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    assert_eq!(listener.expect("dd:container-added")["name"], "last");
}

#[test]
fn a_controller_in_a_scope_hears_of_its_own_containers_only() {
    let fleet = Fleet::of(&["theirs"]);
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(9));
    let keys = file(&home, "keys", format!("allow=\"view\",label=\"team=web\" {}", signer.line()));
    let agent = signed_agent(&engine, &keys, &[]);
    let mut listener = Listener::with(&agent, signer.request(2, "GET /api/events", ""));
    let ack = listener.expect("dd:ack");
    assert_eq!(ack["containers"], json!({"total": 0, "running": 0, "stopped": 0}));
    assert_eq!(names(&listener.expect("dd:watcher-snapshot")), [""; 0]);
    fleet.change("theirs", |container| container["State"] = json!({"Status": "exited"}));
    fleet.tell("theirs", "die");
    fleet.destroy("theirs");
    fleet.add("ours", |container| container["Config"]["Labels"] = json!({"team": "web"}));
    fleet.tell("ours", "start");
    let told = listener.expect("dd:container-added");
    assert_eq!(told["name"], "ours");
    assert!(told["details"]["env"].as_array().unwrap().iter().all(|entry| entry["value"] == "***"), "{told}");
}

#[test]
fn nothing_is_told_before_every_container_was_looked_at() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    let agent = Agent::start_at(&socket, &[]);
    // Asked before there is an Engine, it says so and tells nothing.
    assert_eq!(agent.ask(request("GET /api/containers", "")).status(), 503);
    logged(&agent, &["inventory.lost"]);
    let fleet = Fleet::of(&["web", "db"]);
    let _engine = fleet.engine_at(&socket);
    let answer = until("the containers were looked at", || {
        let answer = agent.ask(request("GET /api/containers", ""));
        (answer.status() != 503).then_some(answer)
    });
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(names(&json!({ "containers": told })), ["db", "web"]);
    assert_eq!(greeted(&mut Listener::open(&agent, EVENTS)), ["db", "web"]);
}

#[test]
fn without_an_engine_there_is_no_snapshot_but_a_503() {
    let home = Home::new();
    let agent = Agent::start_at(&home.path("docker.sock"), &[]);
    let mut clients = [EVENTS, "/api/containers"].map(|path| {
        let mut client = agent.client();
        client.send(request(&format!("GET {path}"), ""));
        client
    });
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!(answer.status(), 503, "{}", answer.text());
        answer.sentence();
    }
    // What needs no container is told all the same.
    assert_eq!(agent.ask(request("GET /api/watchers", "")).status(), 200);
}

#[test]
fn an_outage_is_no_removal_and_what_happened_meanwhile_is_told() {
    let fleet = Fleet::of(&["web", "db", "gone"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut listener = Listener::open(&agent, EVENTS);
    assert_eq!(greeted(&mut listener), ["db", "gone", "web"]);
    fleet.add("before", |_| {});
    fleet.tell("before", "start");
    assert_eq!(listener.expect("dd:container-added")["name"], "before");
    fleet.break_off();
    // Between the break and the next subscription.
    fleet.change("web", |web| web["State"] = json!({"Status": "exited"}));
    fleet.tell("web", "die");
    fleet.destroy("gone");
    fleet.add("new", |_| {});
    fleet.tell("new", "start");
    // In whichever order, each is told before the new snapshot or in it.
    let end = Instant::now() + PATIENCE;
    let mut last = Vec::new();
    while last != ["before", "db", "new", "web"] {
        assert!(Instant::now() < end, "in vain; last: {last:?}");
        let told = listener.told();
        if told["type"] == "dd:container-removed" {
            assert_eq!(told["data"]["name"], "gone");
        }
        if told["type"] == "dd:watcher-snapshot" {
            last = names(&told["data"]);
            let web = told["data"]["containers"].as_array().unwrap().iter().find(|c| c["name"] == "web");
            assert_eq!(web.expect("never missing")["status"], "exited");
        }
    }
}

#[test]
fn a_controller_that_is_too_slow_gets_a_fresh_snapshot_in_place_of_what_it_missed() {
    let labels = json!({"padding": "x".repeat(60_000)});
    let all: Vec<_> = (0..60).map(|number| format!("c{number:03}")).collect();
    let fleet = Fleet::of(&[]);
    for name in &all {
        fleet.add(name, |container| container["Config"]["Labels"] = labels.clone());
    }
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let mut slow = Listener::open(&agent, EVENTS);
    greeted(&mut slow);
    // From here on it reads nothing, while far more comes than the way to it holds.
    for round in 0..8 {
        for name in &all {
            fleet.change(name, |container| {
                container["State"]["StartedAt"] = format!("202{round}-05-21T09:04:50Z").into()
            });
            fleet.tell(name, "restart");
        }
        let told = |name: &String| fleet.inspections(name) >= round + 2;
        until("every container is inspected again", || all.iter().all(told).then_some(()));
    }
    fleet.destroy("c000");
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    until("the last is known", || (fleet.inspections("last") > 0).then_some(()));
    let end = Instant::now() + PATIENCE;
    let (mut updates, mut snapshot) = (0_usize, Value::Null);
    while snapshot.is_null() {
        assert!(Instant::now() < end, "no snapshot came");
        let told = slow.told();
        match told["type"].as_str().unwrap() {
            "dd:watcher-snapshot" => snapshot = told["data"].clone(),
            "dd:container-updated" => updates += 1,
            other => panic!("{other}"),
        }
    }
    assert!(updates < 8 * 60, "nothing was missed, so that nothing was shown");
    for container in snapshot["containers"].as_array().unwrap() {
        let started = container["details"]["startedAt"].as_str().unwrap();
        assert!(container["name"] == "last" || started.starts_with("2027"), "{started}");
    }
}

#[test]
fn a_stream_ends_in_order_when_the_agent_does() {
    let engine = Fleet::of(&["web"]).engine();
    let agent = Agent::start(&engine);
    let mut listener = Listener::open(&agent, EVENTS);
    greeted(&mut listener);
    agent.signal("TERM");
    listener.expect_end();
    assert_eq!(agent.ended().code, Some(0));
}

#[test]
fn more_followers_than_there_are_places_for_are_refused_until_one_leaves() {
    let engine = Fleet::of(&["web"]).engine();
    let agent = Agent::start(&engine);
    let mut all: Vec<_> = (0..256).map(|_| Listener::open(&agent, EVENTS)).collect();
    let answer = agent.ask(request("GET /api/events", ""));
    assert_eq!(answer.status(), 429, "{}", answer.text());
    assert!(answer.sentence().contains("256"), "{}", answer.text());
    all.pop();
    until("the place is free again", || {
        let mut client = agent.client();
        client.send(request("GET /api/events", ""));
        (client.head().status() == 200).then_some(())
    });
}
