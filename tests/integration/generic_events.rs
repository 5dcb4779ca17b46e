//! The generic stream of events: what happens to containers, and what is said of what could not be told.
use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::engine::{Engine, Home};
use crate::fleet::{Fleet, id};
use crate::listener::Listener;
use crate::signer::{Signer, agent as signed_agent, file};

const EVENTS: &str = "/api/v1/events";

fn start(engine: &Engine) -> Agent {
    Agent::start_with(engine, &[("ADAPTER", "generic")])
}

/// A listener that hears everything from now on: the agent has subscribed.
fn listen(agent: &Agent, fleet: &Fleet) -> Listener {
    let listener = Listener::open(agent, EVENTS);
    fleet.until_streams(1);
    listener
}

fn resume(agent: &Agent, last: u64) -> Listener {
    Listener::with(agent, request(&format!("GET {EVENTS}"), &format!("Last-Event-ID: {last}\r\n")))
}

/// The actions of the next events.
fn actions(listener: &mut Listener, count: usize) -> Vec<String> {
    (0..count).map(|_| listener.told()["action"].as_str().unwrap_or("none").to_owned()).collect()
}

#[test]
fn an_event_has_exactly_the_documented_members() {
    let fleet = Fleet::of(&[]);
    fleet.add("web", |web| web["Config"]["Labels"] = json!({"team": "web", "maintainer": "me"}));
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = listen(&agent, &fleet);
    fleet.tell_with("web", "die", &json!({"exitCode": "137", "execDuration": "3", "signal": "9"}));
    let frame = listener.frame();
    let lines: Vec<_> = frame.lines().collect();
    let [first, data] = lines.as_slice() else { panic!("{frame}") };
    assert_eq!(*first, format!("id: {}", fleet.last_nanos()));
    let told: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        told,
        json!({
            "ts": "2026-11-20T14:43:29Z", "type": "container", "action": "die", "containerId": id("web"),
            "name": "web", "image": "acme/web:1.4.2", "labels": {"team": "web", "maintainer": "me"},
        })
    );
    fleet.change("web", |web| web["Config"]["Labels"] = json!({}));
    fleet.tell_with("web", "health_status: unhealthy", &json!({}));
    let told = listener.told();
    assert_eq!((&told["action"], &told["detail"]), (&json!("health_status"), &json!("unhealthy")));
    assert_eq!(told.get("labels"), None);
}

#[test]
fn what_happens_to_containers_is_told_and_nothing_else() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = listen(&agent, &fleet);
    let told = [
        "create", "start", "stop", "die", "kill", "restart", "pause", "unpause", "rename", "update", "oom",
        "destroy",
    ];
    for action in told {
        for other in ["exec_create: ls", "exec_die", "attach", "resize", "copy", "top", "commit", "export"] {
            fleet.tell("web", other);
        }
        for kind in ["network", "volume", "image", "daemon", "plugin"] {
            fleet.push(&json!({"Type": kind, "Action": action, "Actor": {"ID": id("x"), "Attributes": {}}}));
        }
        fleet.tell("web", action);
    }
    assert_eq!(actions(&mut listener, told.len()), told);
    let subscription = fleet.asked("GET /events").remove(0);
    assert!(subscription.contains("filters="), "{subscription}");
}

#[test]
fn one_subscription_serves_every_follower() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut all: Vec<_> = (0..5).map(|_| listen(&agent, &fleet)).collect();
    fleet.tell("web", "start");
    for listener in &mut all {
        assert_eq!(listener.told()["action"], "start");
    }
    assert_eq!(fleet.asked("GET /events").len(), 1);
}

#[test]
fn events_of_one_moment_or_out_of_order_are_all_told() {
    let fleet = Fleet::of(&["web", "db"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = listen(&agent, &fleet);
    fleet.tell("web", "start");
    let nanos = fleet.last_nanos();
    // An Engine stamps an event before it puts it in line, so that two may change places.
    for (action, nanos) in [("pause", nanos), ("unpause", nanos - 1), ("stop", nanos + 1)] {
        let actor = json!({"ID": id("db"), "Attributes": {"name": "db", "image": "x"}});
        fleet.push(&json!({"Type": "container", "Action": action, "Actor": actor, "timeNano": nanos}));
    }
    assert_eq!(actions(&mut listener, 4), ["start", "pause", "unpause", "stop"]);
}

#[test]
fn after_a_break_everything_is_told_once() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = listen(&agent, &fleet);
    fleet.tell("web", "start");
    assert_eq!(actions(&mut listener, 1), ["start"]);
    let last = fleet.last_nanos();
    fleet.break_off();
    fleet.tell("web", "pause");
    fleet.tell("web", "unpause");
    assert_eq!(actions(&mut listener, 2), ["pause", "unpause"]);
    let resumed = fleet.asked("GET /events").remove(1);
    let since = format!("since={}.{:09}", last / 1_000_000_000, last % 1_000_000_000);
    assert!(resumed.ends_with(&since), "{resumed} has no {since}");
    fleet.tell("web", "stop");
    assert_eq!(actions(&mut listener, 1), ["stop"]);
}

#[test]
fn a_break_before_the_first_event_loses_nothing() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = listen(&agent, &fleet);
    fleet.break_off();
    fleet.until_streams(0);
    fleet.tell("web", "start");
    fleet.until_streams(1);
    fleet.tell("web", "stop");
    let told = listener.frame();
    assert!(told.contains("\"start\"") || told.contains("event: missed"), "lost, and not said: {told}");
}

#[test]
fn a_client_that_comes_back_is_told_what_it_missed_and_nothing_twice() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut first = listen(&agent, &fleet);
    fleet.tell("web", "start");
    actions(&mut first, 1);
    let last = fleet.last_nanos();
    for action in ["pause", "unpause"] {
        fleet.tell("web", action);
    }
    assert_eq!(actions(&mut first, 2), ["pause", "unpause"]);
    drop(first);
    let mut again = resume(&agent, last);
    assert_eq!(actions(&mut again, 2), ["pause", "unpause"]);
    fleet.tell("web", "stop");
    assert_eq!(actions(&mut again, 1), ["stop"]);
    // Up to date: nothing but what comes.
    let mut current = resume(&agent, fleet.last_nanos());
    fleet.tell("web", "kill");
    assert_eq!(actions(&mut current, 1), ["kill"]);
}

#[test]
fn a_client_that_was_away_too_long_is_told_so() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut first = listen(&agent, &fleet);
    fleet.tell("web", "start");
    let last = fleet.last_nanos();
    actions(&mut first, 1);
    // One by one, so that this one misses nothing.
    for _ in 0..300 {
        fleet.tell("web", "update");
        assert_eq!(actions(&mut first, 1), ["update"]);
    }
    let mut again = resume(&agent, last);
    assert_eq!(again.frame(), "event: missed\ndata: {\"missed\":null}");
    assert_eq!(actions(&mut again, 256).len(), 256);
}

#[test]
fn a_client_from_before_the_agents_start_is_told_that_events_are_missing() {
    let fleet = Fleet::of(&["web"]);
    fleet.tell("web", "start");
    let last = fleet.last_nanos();
    // Nobody listens, and so nobody can tell it again but the Engine.
    fleet.tell("web", "pause");
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut listener = resume(&agent, last);
    fleet.until_streams(1);
    fleet.tell("web", "stop");
    let told = listener.frame();
    assert!(told.contains("\"pause\"") || told.contains("event: missed"), "lost, and not said: {told}");
}

#[test]
fn ids_that_are_none_begin_now() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut first = listen(&agent, &fleet);
    fleet.tell("web", "start");
    actions(&mut first, 1);
    for value in ["", "abc", "-1", "99999999999999999999999"] {
        let fields = format!("Last-Event-ID: {value}\r\n");
        let mut listener = Listener::with(&agent, request(&format!("GET {EVENTS}"), &fields));
        fleet.tell("web", "stop");
        assert_eq!(actions(&mut listener, 1), ["stop"], "{value:?}");
    }
}

#[test]
fn a_client_that_is_too_slow_is_told_how_much_it_missed() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let (mut slow, mut quick) = (listen(&agent, &fleet), listen(&agent, &fleet));
    let padding = "x".repeat(500_000);
    // More than the way to a client holds, which the slow one does not read meanwhile.
    for _ in 0..40 {
        fleet.tell_with("web", "update", &json!({ "padding": padding }));
        actions(&mut quick, 1);
    }
    let small = 600;
    for _ in 0..small {
        fleet.tell("web", "update");
        actions(&mut quick, 1);
    }
    fleet.tell("web", "stop");
    assert_eq!(actions(&mut quick, 1), ["stop"]);
    let (mut told, mut missed) = (0, 0);
    loop {
        let frame = slow.frame();
        if let Some(data) = frame.strip_prefix("event: missed\ndata: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            missed += data["missed"].as_u64().expect("a number");
            continue;
        }
        told += 1;
        if frame.contains("\"action\":\"stop\"") {
            break;
        }
    }
    assert!(missed > 0, "nothing was missed, so that nothing was shown");
    // The inventory's own news wait in the same line: an update may count for more than one.
    assert!(told + missed >= 641, "told {told}, missed {missed}: some were dropped in silence");
}

#[test]
fn a_caller_in_a_scope_hears_of_its_own_containers_only() {
    let fleet = Fleet::of(&["web"]);
    fleet.add("ours", |container| container["Config"]["Labels"] = json!({"team": "web", "name": "label"}));
    let (home, engine, signer) = (Home::new(), fleet.engine(), Signer::new(8));
    let by_name = Signer::new(18);
    let keys = format!(
        "allow=\"view\",label=\"team=web\" {}allow=\"view\",label=\"name=web\" {}",
        signer.line(),
        by_name.line()
    );
    let agent = signed_agent(&engine, &file(&home, "keys", keys), &[("ADAPTER", "generic")]);
    let open = |signer: &Signer| Listener::with(&agent, signer.request(2, &format!("GET {EVENTS}"), ""));
    let (mut ours, mut named) = (open(&signer), open(&by_name));
    fleet.until_streams(1);
    fleet.tell("web", "start");
    fleet.tell("ours", "start");
    assert_eq!(ours.told()["name"], "ours");
    // A label called name is not the container's name: nothing here carries it.
    fleet.add("labelled", |container| container["Config"]["Labels"] = json!({"name": "web"}));
    fleet.tell("web", "stop");
    agent.signal("TERM");
    named.expect_end();
}

#[test]
fn a_stream_without_news_beats_every_half_minute() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = start(&engine);
    let mut client = agent.client();
    client.send(request(&format!("GET {EVENTS}"), ""));
    assert_eq!(client.head().status(), 200);
    // A beat comes as late as anything may: two spans of patience hold one.
    let beat = b"d\r\n: heartbeat\n\n\r\n";
    let first = client.wire().take(beat.len());
    let heard = first.or_else(|_| client.wire().take(beat.len()));
    assert_eq!(heard.unwrap(), beat);
}
