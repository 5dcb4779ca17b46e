//! A client that leaves in the middle frees what the agent and the Engine held for it.

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;
use crate::wait::until;

/// A container that talks a little and then lives on in silence, until it is told to talk again.
const TALKS: [&str; 4] = [
    IMAGE,
    "sh",
    "-c",
    "echo ready; until [ -e /tmp/go ]; do sleep 0.1; done; while :; do echo more; sleep 0.1; done",
];

/// Starts `arguments` through an agent, kills the client once it streams, and sees its connection go.
fn leave(arguments: impl Fn(&str) -> Vec<String>, says: &str) {
    leave_and(arguments, says, |_, _| ());
}

/// The same, with something `told` between the client's end and that of its connection.
fn leave_and(arguments: impl Fn(&str) -> Vec<String>, says: &str, told: impl Fn(&Docker, &str)) {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("left");
    straight.run(&[&["run", "-d", "-i", "--name", &name][..], &TALKS].concat()).good();
    let agent = Agent::start();
    agent.until_idle();
    let arguments = arguments(&name);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut running = agent.docker().start(&arguments);
    if !says.is_empty() {
        running.until_it_says(says);
    }
    until("the stream is open", || (agent.engine_connections() > 0).then_some(()));
    assert!(!running.has_ended(), "{arguments:?} streams");
    running.kill();
    told(&straight, &name);
    agent.until_idle();
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn events_that_are_left_end() {
    leave(
        |name| words(&["events", "--since", "1h", "--filter", &format!("container={name}")]),
        "container start",
    );
}

#[test]
fn silent_events_that_are_left_end() {
    leave(|_| words(&["events", "--filter", "container=lookout-real-no-such-container"]), "");
}

#[test]
fn followed_logs_that_are_left_end() {
    leave(|name| words(&["logs", "-f", name]), "ready\n");
}

#[test]
fn stats_that_are_left_end() {
    leave(|name| words(&["stats", "--format", "{{.Name}}", name]), "lookout-real-");
}

#[test]
fn a_wait_that_is_left_ends() {
    leave(|name| words(&["wait", name]), "");
}

// Of an upgraded stream a client may end its own side and go on reading, and docker does so where it
// has no input to send. That it is gone shows when there is something to tell it, straight or not.
#[test]
fn an_attachment_that_is_left_ends_when_the_container_talks_again() {
    let told = |straight: &Docker, name: &str| {
        straight.run(&["exec", name, "touch", "/tmp/go"]).good();
    };
    leave_and(|name| words(&["attach", "--no-stdin", name]), "", told);
}

#[test]
fn an_exec_that_is_left_ends_when_its_program_talks_again() {
    let says =
        "echo begun; until [ -e /tmp/exec ]; do sleep 0.1; done; while :; do echo more; sleep 0.1; done";
    let told = |straight: &Docker, name: &str| {
        straight.run(&["exec", name, "touch", "/tmp/exec"]).good();
    };
    leave_and(|name| words(&["exec", name, "sh", "-c", says]), "begun\n", told);
}

#[test]
fn an_attachment_with_input_that_is_left_ends() {
    leave(|name| words(&["attach", name]), "");
}

#[test]
fn a_program_whose_client_left_reads_the_end_of_its_input() {
    let straight = Docker::straight();
    let agent = Agent::start();
    for docker in [straight.clone(), agent.docker()] {
        let scene = Scene::new(&straight);
        let name = scene.name("host");
        straight.run(&[&["run", "-d", "-i", "--name", &name][..], &TALKS].concat()).good();
        let mut running = docker.start(&["exec", "-i", &name, "cat"]);
        running.type_in("hello\n");
        running.until_it_says("hello\n");
        let cats = || straight.run(&["top", &name, "-eo", "pid,comm"]).good().text().matches("cat\n").count();
        assert_eq!(cats(), 1);
        running.kill();
        until("the program ended", || (cats() == 0).then_some(()));
    }
}
