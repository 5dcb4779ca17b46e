//! The inventory behind both APIs: what the Engine is asked for it, and what it makes of failures.
use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::fleet::{Fleet, id};
use crate::patience::until;
use crate::signer::logged;

fn containers(agent: &Agent) -> Vec<(String, String)> {
    let answer = agent.ask(request("GET /api/containers", ""));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let pair = |container: &Value| {
        let text = |name: &str| container[name].as_str().unwrap().to_owned();
        (text("name"), text("status"))
    };
    told.as_array().unwrap().iter().map(pair).collect()
}

fn names(agent: &Agent) -> Vec<String> {
    containers(agent).into_iter().map(|(name, _)| name).collect()
}

/// How often the list was asked for.
fn looks(fleet: &Fleet) -> usize {
    fleet.asked("GET /containers/json").len()
}

/// Waits for so many more looks at everything, each of them finished.
fn after_looks(fleet: &Fleet, more: usize) {
    let enough = looks(fleet) + more + 1;
    until("the agent looks at everything again", || (looks(fleet) >= enough).then_some(()));
}

#[test]
fn the_engine_is_not_asked_before_anybody_asks() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert_eq!(agent.ask(request("GET /_lookout/info", "")).status(), 200);
    assert_eq!(agent.ask(request("GET /api/watchers", "")).status(), 200);
    assert_eq!(fleet.asked("GET"), [""; 0]);
    assert_eq!(names(&agent), ["web"]);
}

#[test]
fn only_what_changed_is_inspected() {
    let fleet = Fleet::of(&["a", "b", "c", "d"]);
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert_eq!(names(&agent).len(), 4);
    let count = || ["a", "b", "c", "d"].map(|name| fleet.inspections(name));
    assert_eq!(count(), [1; 4]);
    assert_eq!(fleet.asked("GET /images/").len(), 1, "one image, one inspection");
    // Ages grow meanwhile; nothing else changes.
    after_looks(&fleet, 2);
    assert_eq!(count(), [1; 4]);
    fleet.change("b", |b| b["State"] = json!({"Status": "exited"}));
    fleet.tell("b", "die");
    until("b has exited", || (containers(&agent)[1].1 == "exited").then_some(()));
    // Its row of the list is another one now, which may cost one inspection more.
    after_looks(&fleet, 2);
    let [a, b, c, d] = count();
    assert_eq!([a, c, d], [1; 3]);
    assert!((2..=3).contains(&b), "{b} inspections of b");
    assert_eq!(fleet.asked("GET /images/").len(), 1);
}

#[test]
fn events_of_one_moment_cost_one_inspection() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    assert_eq!(names(&agent), ["web"]);
    fleet.change("web", |web| web["State"] = json!({"Status": "exited"}));
    for _ in 0..50 {
        fleet.tell("web", "kill");
    }
    until("web has exited", || (containers(&agent)[0].1 == "exited").then_some(()));
    let count = fleet.inspections("web");
    assert!(count < 25, "{count} inspections for fifty events");
}

#[test]
fn what_no_event_told_of_is_found_by_looking() {
    let fleet = Fleet::of(&["web", "gone"]);
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert_eq!(names(&agent), ["gone", "web"]);
    fleet.lose("gone");
    fleet.add("new", |_| {});
    fleet.change("web", |web| web["State"]["Health"]["Status"] = "unhealthy".into());
    until("new is there and gone is not", || (names(&agent) == ["new", "web"]).then_some(()));
    until("web is unhealthy", || {
        let told = agent.ask(request("GET /api/containers", "")).text();
        told.contains("\"unhealthy\"").then_some(())
    });
}

#[test]
fn an_inspection_that_fails_is_no_removal() {
    let fleet = Fleet::of(&["web", "db"]);
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert_eq!(names(&agent), ["db", "web"]);
    let inspection = format!("GET /containers/{}/json", id("web"));
    for (status, told) in [(500, "{\"message\":\"busy\"}"), (200, "no JSON"), (200, "{}"), (503, "")] {
        fleet.answer(&inspection, status, told);
        let before = fleet.inspections("web");
        fleet.tell("web", "update");
        until("web is inspected", || (fleet.inspections("web") > before).then_some(()));
        after_looks(&fleet, 1);
        assert_eq!(names(&agent), ["db", "web"], "{status} {told}");
    }
    logged(&agent, &["inventory.not_inspected", &id("web")]);
    fleet.answer_truly(&inspection);
    fleet.change("web", |web| web["State"] = json!({"Status": "paused"}));
    fleet.tell("web", "pause");
    until("web is paused", || (containers(&agent)[1].1 == "paused").then_some(()));
    fleet.answer(&inspection, 404, "{\"message\":\"No such container\"}");
    fleet.tell("web", "destroy");
    until("web is gone", || (names(&agent) == ["db"]).then_some(()));
}

#[test]
fn a_change_whose_inspection_failed_is_inspected_again() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert_eq!(names(&agent), ["web"]);
    let inspection = format!("GET /containers/{}/json", id("web"));
    fleet.answer(&inspection, 500, "{}");
    fleet.change("web", |web| web["State"] = json!({"Status": "exited"}));
    let before = fleet.inspections("web");
    fleet.tell("web", "die");
    until("web is inspected in vain", || (fleet.inspections("web") > before).then_some(()));
    after_looks(&fleet, 2);
    fleet.answer_truly(&inspection);
    until("web has exited", || (containers(&agent)[0].1 == "exited").then_some(()));
}

#[test]
fn a_container_that_could_not_be_inspected_at_first_is_not_forgotten() {
    let fleet = Fleet::of(&["web", "db"]);
    let inspection = format!("GET /containers/{}/json", id("web"));
    fleet.answer(&inspection, 500, "{}");
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("DD_POLL_INTERVAL", "1")]);
    assert!(names(&agent).contains(&"db".to_owned()));
    after_looks(&fleet, 1);
    fleet.answer_truly(&inspection);
    until("web is told of", || (names(&agent) == ["db", "web"]).then_some(()));
}

#[test]
fn a_container_that_goes_between_list_and_inspection_is_left_out() {
    let fleet = Fleet::of(&["web", "brief"]);
    fleet.answer(
        &format!("GET /containers/{}/json", id("brief")),
        404,
        "{\"message\":\"No such container\"}",
    );
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    assert_eq!(names(&agent), ["web"]);
}

#[test]
fn an_event_of_an_image_is_no_reason_to_inspect_every_container() {
    let all: Vec<_> = (0..20).map(|number| format!("c{number}")).collect();
    let fleet = Fleet::of(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    assert_eq!(names(&agent).len(), 20);
    let before = fleet.all_inspections();
    fleet.push(&json!({"Type": "image", "Action": "pull", "Actor": {"ID": "other:1", "Attributes": {"name": "other"}}}));
    // After it, so that when this is known the other was heard as well.
    fleet.change("c0", |c0| c0["State"] = json!({"Status": "exited"}));
    fleet.tell("c0", "die");
    until("c0 has exited", || (containers(&agent)[0].1 == "exited").then_some(()));
    let count = fleet.all_inspections() - before;
    assert!(count <= 2, "{count} inspections of containers for one image that none of them uses");
}

#[test]
fn an_image_that_gets_another_tag_changes_its_containers() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    assert_eq!(names(&agent), ["web"]);
    fleet.change_image(|image| image["RepoDigests"] = json!([]));
    let image = "sha256:edcc7fbb5401ea0db92c045ea7ccee7c32b0fa1ace5d7717bf13455f7607d3c3";
    fleet.push(
        &json!({"Type": "image", "Action": "untag", "Actor": {"ID": image, "Attributes": {"name": image}}}),
    );
    until("the image is a local one", || {
        let told = agent.ask(request("GET /api/containers", "")).text();
        told.contains("\"isLocalImage\":true").then_some(())
    });
}

#[test]
fn many_containers_are_told_completely() {
    let all: Vec<_> = (0..500).map(|number| format!("c{number:03}")).collect();
    let fleet = Fleet::of(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    assert_eq!(names(&agent), all);
    assert_eq!(fleet.all_inspections(), 500);
}
