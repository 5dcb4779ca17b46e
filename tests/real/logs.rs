//! docker logs: whole, in part, and while they are written.

use crate::agent::Agent;
use crate::both_ways::{both_ways, same};
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;
use crate::wait::until;

#[test]
fn logs_are_equal_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("logs");
    let says = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done";
    straight.run(&["run", "--name", &name, IMAGE, "sh", "-c", says]).good();
    assert_eq!(same(&agent, &["logs", &name]).good().text(), "out 1\nout 2\nout 3\nout 4\nout 5\n");
    same(&agent, &["logs", "--timestamps", &name]).good();
    same(&agent, &["logs", "--tail", "3", &name]).good();
    same(&agent, &["logs", "--since", "2001-02-03T04:05:06Z", "--details", &name]).good();
    assert_eq!(same(&agent, &["logs", "--until", "2001-02-03T04:05:06Z", &name]).good().text(), "");
    // It has ended, so following it ends too.
    same(&agent, &["logs", "--follow", &name]).good();
}

#[test]
fn logs_of_a_terminal_are_equal_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("logs");
    straight.run(&["run", "-d", "-t", "--name", &name, IMAGE, "sh", "-c", "echo one; echo two >&2"]).good();
    straight.run(&["wait", &name]).good();
    assert_eq!(same(&agent, &["logs", &name]).good().text(), "one\r\ntwo\r\n");
}

#[test]
fn long_logs_are_equal_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("long");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "seq", "1", "100000"]).good();
    straight.run(&["wait", &name]).good();
    assert_eq!(same(&agent, &["logs", &name]).good().text().lines().count(), 100_000);
}

#[test]
fn followed_logs_arrive_as_they_are_written_and_end_with_the_container() {
    both_ways(|side| {
        let name = side.name("follow");
        let says = "echo one; until [ -e /tmp/go ]; do sleep 0.1; done; echo two; exit 3";
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", says]).good();
        let arguments = ["logs", "-f", &name];
        let mut running = side.docker.start(&arguments);
        // The second line is written only after the first was read.
        running.until_it_says("one\n");
        // How this ends is not told: the container may be gone before it.
        side.docker.run(&["exec", &name, "touch", "/tmp/go"]);
        running.until_it_says("two\n");
        let outcome = running.finish_by_itself().good();
        side.note(&arguments, &outcome);
        assert_eq!(outcome.text(), "one\ntwo\n");
    });
}

#[test]
fn a_burst_that_came_while_the_agent_had_no_time_arrives_whole() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("burst");
    let says = "echo first; until [ -e /tmp/go ]; do sleep 0.1; done; seq 1 200; exec sleep 1000";
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", says]).good();
    let mut running = agent.docker().start(&["logs", "-f", &name]);
    running.until_it_says("first\n");
    agent.asleep();
    straight.run(&["exec", &name, "touch", "/tmp/go"]).good();
    let written = || straight.run(&["logs", &name]).good().text().ends_with("\n200\n");
    until("the container has said it all", || written().then_some(()));
    agent.awake();
    // The container is silent now: what arrives must arrive by itself.
    running.until_it_says("\n200\n");
    running.kill();
}

#[test]
fn logs_of_an_unknown_container_are_refused_in_the_same_words() {
    let agent = Agent::start();
    let outcome = same(&agent, &["logs", "lookout-real-no-such-container"]);
    assert_eq!(outcome.code(), Some(1));
    assert!(outcome.errors().contains("No such container"), "{}", outcome.errors());
}
