//! An Engine that is away, comes, goes and comes back, and an agent that does the same.

use std::fs;

use crate::agent::Agent;
use crate::docker::Docker;
use crate::process::Outcome;
use crate::raw;
use crate::second_engine::SecondEngine;
use crate::wait::until;

fn is_refused_readably(outcome: &Outcome, engine: &SecondEngine) {
    let told = outcome.errors();
    assert_eq!(outcome.code(), Some(1), "{told}");
    assert!(told.to_lowercase().contains("engine"), "it says what is amiss: {told}");
    assert_eq!(told.trim().lines().count(), 1, "it says so in a sentence: {told}");
    assert!(!told.contains(&engine.socket()), "where the socket lies is nobody's business: {told}");
    assert!(!told.contains('{'), "it is a message, not a document: {told}");
}

fn readiness(agent: &Agent) -> String {
    let answer = raw::get(agent.address(), "/ready").expect("the agent answers");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[test]
fn an_engine_that_comes_goes_and_returns_is_noticed_each_time() {
    let mut engine = SecondEngine::new();
    let agent = Agent::with(&[("DOCKER_SOCKET", &engine.socket())]);
    let docker = agent.docker();

    // The agent is there before its Engine.
    is_refused_readably(&docker.run(&["ps"]), &engine);
    assert_eq!(readiness(&agent), "503");

    engine.start();
    docker.run(&["ps"]).good();
    until("the agent is ready", || (readiness(&agent) == "200").then_some(()));

    engine.stop();
    is_refused_readably(&docker.run(&["ps"]), &engine);
    until("the agent is not ready", || (readiness(&agent) == "503").then_some(()));
    // Left behind by an Engine that was killed: a socket nobody listens on.
    let _ = fs::remove_file(engine.socket());
    drop(std::os::unix::net::UnixListener::bind(engine.socket()).expect("a socket nobody listens on"));
    is_refused_readably(&docker.run(&["ps"]), &engine);
    fs::remove_file(engine.socket()).expect("it was there");

    engine.start();
    docker.run(&["ps"]).good();
    until("the agent is ready", || (readiness(&agent) == "200").then_some(()));
    let volume = ["volume", "create", "after-the-outage"];
    assert_eq!(docker.run(&volume).good().text(), "after-the-outage\n");
}

#[test]
fn an_agent_that_is_restarted_finds_its_engine_as_it_is_then() {
    let mut engine = SecondEngine::new();
    engine.start();
    let mut agent = Agent::with(&[("DOCKER_SOCKET", &engine.socket())]);
    let docker = agent.docker();
    let straight = Docker::at(&format!("unix://{}", engine.socket()), "{}");
    assert_eq!(docker.run(&["version"]).good().text(), straight.run(&["version"]).good().text());

    assert!(agent.stop(), "asked to end, it ends well");
    let refused = docker.run(&["ps"]);
    assert!(refused.errors().contains("Cannot connect"), "{}", refused.errors());

    engine.stop();
    agent.start_again();
    is_refused_readably(&docker.run(&["ps"]), &engine);

    engine.start();
    assert_eq!(docker.run(&["version"]).good().text(), straight.run(&["version"]).good().text());
}

#[test]
fn a_stream_that_dies_with_the_engine_ends_as_it_does_straight() {
    let mut engine = SecondEngine::new();
    engine.start();
    let agent = Agent::with(&[("DOCKER_SOCKET", &engine.socket())]);
    let straight = Docker::at(&format!("unix://{}", engine.socket()), "{}");
    let events = ["events", "--since", "1h", "--filter", "volume=seen"];
    let mut all = [straight.start(&events), agent.docker().start(&events)];
    straight.run(&["volume", "create", "seen"]).good();
    for running in &mut all {
        running.until_it_says("volume create seen");
    }
    engine.stop();
    let [straight, through] = all.map(|running| running.finish());
    assert_eq!((straight.code(), straight.errors()), (through.code(), through.errors()));
}
