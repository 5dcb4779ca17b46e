//! What an agent tells its controller unasked: who owns the containers, which there are, what happens, and signs of life.
use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::Controller;
use crate::drydock_rules::faults;
use crate::edge_link::Link;
use crate::edge_world::{Edge, obliging, start, welcomed};
use crate::engine::Home;
use crate::fleet::{Fleet, id};
use crate::signer::now;

/// The next message, whichever it is.
fn any(link: &mut Link) -> Value {
    link.find("anything", |_, _| true)
}

/// The next message about containers, whichever it is: its type, and its data.
fn news(link: &mut Link) -> (String, Value) {
    let mut next = link.find("news", |kind, _| kind.starts_with("dd:container_"));
    (next["type"].as_str().unwrap().to_owned(), next["data"].take())
}

fn names(sync: &Value) -> Vec<&str> {
    let containers = sync["containers"].as_array().expect("a list, never null");
    containers.iter().map(|container| container["name"].as_str().unwrap()).collect()
}

fn expect(link: &mut Link, kind: &str) -> Value {
    let (came, data) = news(link);
    assert_eq!(came, kind, "{data}");
    data
}

/// An agent that looks at everything once, and then only hears of events.
fn open(fleet: &Fleet, more: &[(&str, &str)]) -> (crate::engine::Engine, Edge) {
    let engine = fleet.engine();
    let more = [&[("DD_POLL_INTERVAL", "3600")], more].concat();
    let edge = Edge::open_with(&engine, &more, &json!({}));
    (engine, edge)
}

#[test]
fn components_come_before_containers_and_these_before_figures() {
    let fleet = Fleet::of(&["web", "db"]);
    fleet.add("off", |container| container["State"] = json!({"Status": "exited"}));
    fleet.add("secret", |container| container["Config"]["Labels"] = json!({"dd.watch": "false"}));
    let (_engine, mut edge) = open(&fleet, &[]);
    let component = any(&mut edge.link);
    assert_eq!(component["type"], "dd:component_sync");
    let data = &component["data"];
    assert_eq!((data["watchers"].as_array().map(Vec::len), &data["triggers"]), (Some(1), &json!([])));
    let watcher = &data["watchers"][0];
    assert_eq!((&watcher["type"], &watcher["name"]), (&json!("docker"), &json!("docker")));
    for (name, value) in [("transport", "docker-api"), ("execution", "controller"), ("events", "portwing")] {
        assert_eq!(watcher["configuration"][name], value, "{name} in {watcher}");
    }
    let sync = any(&mut edge.link);
    assert_eq!(sync["type"], "dd:container_sync", "{sync}");
    assert_eq!(names(&sync["data"]), ["db", "off", "web"]);
    for container in sync["data"]["containers"].as_array().unwrap() {
        assert_eq!(faults(container), [""; 0], "{container}");
    }
    let metrics = any(&mut edge.link);
    assert_eq!(metrics["type"], "metrics", "{metrics}");
    for name in [
        "cpuUsage",
        "cpuCores",
        "memoryTotal",
        "memoryUsed",
        "memoryFree",
        "diskTotal",
        "diskUsed",
        "diskFree",
        "networkRxBytes",
        "networkTxBytes",
        "uptime",
    ] {
        assert!(metrics["data"][name].is_number(), "{name} in {metrics}");
    }
    assert!(metrics["data"]["memoryTotal"].as_f64().unwrap() > 1e6, "{metrics}");
}

#[test]
fn everything_is_told_again_on_a_new_connection() {
    let fleet = Fleet::of(&["web"]);
    let (_engine, mut edge) = open(&fleet, &[]);
    edge.link.next("metrics");
    edge.link.cut();
    fleet.add("new", |_| {});
    fleet.tell("new", "start");
    edge.again();
    let kinds: Vec<_> = (0..2).map(|_| any(&mut edge.link)["type"].clone()).collect();
    assert_eq!(kinds, ["dd:component_sync", "dd:container_sync"]);
    edge.link.cut();
    edge.again();
    assert_eq!(names(&edge.link.next("dd:container_sync")), ["new", "web"]);
}

#[test]
fn what_starts_changes_and_goes_is_told_at_once() {
    let fleet = Fleet::of(&["web"]);
    let (_engine, mut edge) = open(&fleet, &[]);
    assert_eq!(names(&expect(&mut edge.link, "dd:container_sync")), ["web"]);
    fleet.add("db", |_| {});
    for action in ["create", "start"] {
        fleet.tell("db", action);
    }
    let added = expect(&mut edge.link, "dd:container_added");
    assert_eq!((&added["container"]["name"], faults(&added["container"])), (&json!("db"), vec![]));
    fleet.change("db", |db| db["State"] = json!({"Status": "exited", "StartedAt": "2026-05-21T09:04:50Z"}));
    fleet.tell("db", "die");
    let updated = expect(&mut edge.link, "dd:container_updated");
    assert_eq!(
        (&updated["container"]["id"], &updated["container"]["status"]),
        (&json!(id("db")), &json!("exited"))
    );
    fleet.change("web", |web| web["Name"] = "/shop".into());
    fleet.tell_with("web", "rename", &json!({"oldName": "/web"}));
    assert_eq!(expect(&mut edge.link, "dd:container_updated")["container"]["name"], "shop");
    fleet.destroy("db");
    assert_eq!(expect(&mut edge.link, "dd:container_removed"), json!({"id": id("db"), "name": "db"}));
    // Had anything been told twice, it would stand before this.
    fleet.add("last", |_| {});
    fleet.tell("last", "start");
    assert_eq!(expect(&mut edge.link, "dd:container_added")["container"]["name"], "last");
}

#[test]
fn each_event_of_a_container_is_told_whatever_it_changes() {
    for adapter in ["drydock", "generic"] {
        let fleet = Fleet::of(&["web"]);
        let (_engine, mut edge) = open(&fleet, &[("ADAPTER", adapter)]);
        edge.link.next("metrics");
        fleet.until_streams(1);
        fleet.tell_with("web", "exec_die", &json!({"exitCode": "137"}));
        fleet.push(&json!({"Type": "network", "Action": "connect", "Actor": {"ID": "n", "Attributes": {}}}));
        fleet.tell("web", "kill");
        let event = edge.link.next("container_event");
        for (name, value) in [
            ("containerId", id("web")),
            ("containerName", "web".to_owned()),
            ("action", "exec_die".to_owned()),
        ] {
            assert_eq!(event[name], value, "{name} in {event}");
        }
        assert!(event["image"].as_str().is_some_and(|image| !image.is_empty()), "{event}");
        assert_eq!(event["actorAttributes"]["exitCode"], "137", "{event}");
        let millis = event["timestamp"].as_u64().expect("milliseconds");
        assert_eq!(millis / 1000, 1_795_185_809, "{event}");
        assert_eq!(edge.link.next("container_event")["action"], "kill");
    }
}

#[test]
fn the_other_adapter_tells_figures_and_events_only() {
    let fleet = Fleet::of(&["web"]);
    let (_engine, mut edge) = open(&fleet, &[("ADAPTER", "generic")]);
    assert_eq!(any(&mut edge.link)["type"], "metrics");
    fleet.until_streams(1);
    fleet.tell("web", "kill");
    edge.link.next("container_event");
    let kinds: Vec<_> = edge.link.rest().iter().map(|message| message["type"].to_string()).collect();
    assert!(kinds.iter().all(|kind| !kind.contains("dd:")), "{kinds:?}");
}

#[test]
fn a_controller_that_may_not_look_is_told_of_no_container() {
    let fleet = Fleet::of(&["web"]);
    let (_engine, mut edge) = open(&fleet, &[("EDGE_ALLOW", "power,logs"), ("HEARTBEAT_INTERVAL", "1")]);
    for _ in 0..2 {
        edge.link.next("metrics");
    }
    fleet.tell("web", "kill");
    edge.link.next("ping");
    let rest: String = edge.link.rest().iter().map(Value::to_string).collect();
    assert!(!rest.contains(&id("web")) && !rest.contains("container_event"), "{rest}");
}

#[test]
fn news_that_were_lost_are_made_good_by_telling_everything() {
    let fleet = Fleet::of(&["web", "gone"]);
    let (_engine, mut edge) = open(&fleet, &[]);
    assert_eq!(names(&edge.link.next("dd:container_sync")), ["gone", "web"]);
    fleet.until_streams(1);
    fleet.lose("gone");
    fleet.add("new", |_| {});
    fleet.break_off();
    // In whichever order, each is told before the new list or in it.
    let mut last = Vec::new();
    while last != ["new", "web"] {
        let (kind, data) = news(&mut edge.link);
        if kind == "dd:container_sync" {
            last = names(&data).into_iter().map(str::to_owned).collect();
        }
    }
}

#[test]
fn everything_is_looked_at_as_often_as_the_controller_says() {
    for interval in [json!(1), json!("1")] {
        let fleet = Fleet::of(&["web"]);
        let engine = fleet.engine();
        let welcome = json!({ "pollInterval": interval });
        let mut edge = Edge::open_with(&engine, &[("DD_POLL_INTERVAL", "3600")], &welcome);
        edge.link.next("dd:container_sync");
        // Changed without a word from the Engine.
        fleet.add("silent", |_| {});
        while !names(&edge.link.next("dd:container_sync")).contains(&"silent") {}
    }
}

#[test]
fn an_engine_that_comes_later_is_told_of_later() {
    let (home, controller, fleet) = (Home::new(), Controller::start(), Fleet::of(&["web"]));
    let socket = home.path("docker.sock");
    let _agent = start(&controller, &socket, &[("HEARTBEAT_INTERVAL", "1")]);
    let mut link = controller.link();
    assert_eq!(link.hello()["dockerVersion"], "unknown");
    link.welcome(&json!({}));
    link.next("dd:component_sync");
    link.next("ping");
    link.expect_none_of("dd:container_sync");
    let _engine = fleet.engine_at(&socket);
    assert_eq!(names(&link.next("dd:container_sync")), ["web"]);
}

#[test]
fn signs_of_life_come_at_every_beat() {
    let engine = obliging();
    let mut edge = Edge::open_with(&engine, &[("HEARTBEAT_INTERVAL", "1")], &json!({}));
    for _ in 0..3 {
        edge.link.next("metrics");
        let stamp = edge.link.next("ping")["timestamp"].as_u64().expect("milliseconds");
        assert!((stamp / 1000).abs_diff(now()) <= 60, "{stamp}");
        edge.link.send("pong", &json!({"timestamp": stamp}));
    }
}

#[test]
fn a_ping_is_answered_with_its_own_timestamp() {
    let engine = obliging();
    let mut edge = Edge::open(&engine);
    for stamp in [json!(1_790_000_000_123_u64), json!(0), json!(1.5), json!(-1)] {
        edge.link.send("ping", &json!({"timestamp": stamp, "more": "text"}));
        assert_eq!(edge.link.next("pong")["timestamp"], stamp);
    }
}

#[test]
fn a_controller_that_is_silent_for_a_minute_is_given_up() {
    // Without an Engine, whose fake would not be so patient.
    let (home, controller) = (Home::new(), Controller::start());
    let agent = start(&controller, &home.path("docker.sock"), &[("HEARTBEAT_INTERVAL", "1")]);
    let mut link = welcomed(&controller, &json!({}));
    // It reads on and says nothing; the agent has no other way to know that it is there.
    link.expect_over_within(Duration::from_secs(150));
    let line = crate::signer::logged(&agent, &["\"edge.lost\""]);
    assert!(line.contains("nothing"), "{line}");
    welcomed(&controller, &json!({})).ask("GET /health");
}
