//! docker events: those that were and those that come.

use crate::agent::Agent;
use crate::both_ways::same;
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;

fn engine_time(docker: &Docker) -> String {
    docker.run(&["info", "--format", "{{.SystemTime}}"]).good().text().trim().to_owned()
}

#[test]
fn past_events_are_equal_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("past");
    let since = engine_time(&straight);
    straight.run(&["run", "--name", &name, IMAGE, "sh", "-c", "exit 3"]);
    straight.run(&["rm", &name]).good();
    let until = engine_time(&straight);
    let filter = format!("container={name}");
    let asked = ["events", "--since", &since, "--until", &until, "--filter", &filter];
    let told = same(&agent, &asked).good().text();
    for action in ["container create", "container start", "container die", "container destroy"] {
        assert!(told.contains(action), "{action} is missing in: {told}");
    }
    same(&agent, &[&asked[..], &["--format", "{{json .}}"]].concat()).good();
}

#[test]
fn events_arrive_as_they_happen() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("live");
    let filter = format!("container={name}");
    // From now on, so that it does not matter when the stream is open.
    let since = engine_time(&straight);
    let mut running = agent.docker().start(&["events", "--since", &since, "--filter", &filter]);
    // Each thing is done only after the event of the one before was read.
    straight.run(&["create", "-i", "--name", &name, IMAGE, "cat"]).good();
    running.until_it_says("container create");
    straight.run(&["start", &name]).good();
    running.until_it_says("container start");
    straight.run(&["kill", &name]).good();
    running.until_it_says("container die");
    straight.run(&["rm", &name]).good();
    running.until_it_says("container destroy");
    assert!(!running.has_ended(), "a stream of events has no end");
    running.kill();
}

#[test]
fn events_until_a_time_to_come_end_by_themselves() {
    let agent = Agent::start();
    let until = "1s";
    // A duration counts back from now: everything up to a second ago, which is nothing of this name.
    let filter = "container=lookout-real-no-such-container";
    let told = same(&agent, &["events", "--since", "2s", "--until", until, "--filter", filter]).good();
    assert_eq!(told.text(), "");
}
