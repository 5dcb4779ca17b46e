//! What takes long is not cut: REQUEST_TIMEOUT bounds an answer's beginning, and not every answer's.

use std::process::Command;

use crate::agent::Agent;
use crate::both_ways::both_ways_with;
use crate::docker::{Docker, IMAGE};
use crate::folder::Folder;
use crate::process::run;
use crate::scene::Scene;

/// An agent less patient than everything below.
fn hurried_agent() -> Agent {
    Agent::with(&[("REQUEST_TIMEOUT", "2")])
}

/// Lets four seconds go by, by the Engine's own clock.
fn let_time_pass(straight: &Docker, scene: &Scene) {
    straight.run(&["run", "--rm", "--name", &scene.name("time"), IMAGE, "sleep", "4"]).good();
}

#[test]
fn wait_lasts_as_long_as_the_container() {
    both_ways_with(&hurried_agent(), |side| {
        let name = side.name("long");
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", "sleep 4; exit 4"]).good();
        assert_eq!(side.docker(&["wait", &name]).good().text(), "4\n");
        assert_eq!(side.docker(&["wait", &name]).good().text(), "4\n", "and again, once it has ended");
    });
}

#[test]
fn stop_and_restart_last_as_long_as_they_are_allowed() {
    both_ways_with(&hurried_agent(), |side| {
        let name = side.name("deaf");
        let deaf = "trap : TERM; while :; do sleep 0.1; done";
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", deaf]).good();
        side.docker(&["restart", "-t", "4", &name]).good();
        side.docker(&["stop", "-t", "4", &name]).good();
        let state = side.docker(&["inspect", "--format", "{{.State.ExitCode}}", &name]).good().text();
        assert_eq!(state, "137\n");
    });
}

#[test]
fn a_silent_foreground_container_is_waited_for() {
    both_ways_with(&hurried_agent(), |side| {
        let name = side.name("silent");
        let says = "sleep 4; echo at last; exit 5";
        let outcome = side.docker(&["run", "--rm", "--name", &name, IMAGE, "sh", "-c", says]);
        assert_eq!((outcome.code(), outcome.text().as_str()), (Some(5), "at last\n"));
    });
}

#[test]
fn a_silent_exec_is_waited_for() {
    both_ways_with(&hurried_agent(), |side| {
        let name = side.name("silent");
        side.docker(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
        let outcome = side.docker(&["exec", &name, "sh", "-c", "sleep 4; echo at last; exit 5"]);
        assert_eq!((outcome.code(), outcome.text().as_str()), (Some(5), "at last\n"));
    });
}

#[test]
fn a_silent_build_step_is_waited_for() {
    both_ways_with(&hurried_agent(), |side| {
        let context = Folder::new();
        let lines = "RUN sleep 4 && echo at last";
        context.write("Dockerfile", format!("FROM {IMAGE}\n{}\n{lines}\n", side.scene.label()));
        let image = side.name("slow:1");
        let build = ["build", "--no-cache", "--quiet", "--network", "none", "-t", &image, &context.at("")];
        side.docker.run(&build).good();
        let history = side.docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", &image]).good();
        assert!(history.text().contains(lines.trim_start_matches("RUN ")), "{}", history.text());
    });
}

#[test]
fn silent_events_and_logs_go_on() {
    let agent = hurried_agent();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (docker, name) = (agent.docker(), scene.name("silent"));
    let mut events = docker.start(&["events", "--filter", &format!("container={name}")]);
    let_time_pass(&straight, &scene);
    let says = "echo one; until [ -e /tmp/go ]; do sleep 0.1; done; echo two; exec sleep 1000";
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", says]).good();
    events.until_it_says("container start");
    let mut logs = docker.start(&["logs", "-f", &name]);
    logs.until_it_says("one\n");
    let_time_pass(&straight, &scene);
    straight.run(&["exec", &name, "touch", "/tmp/go"]).good();
    logs.until_it_says("two\n");
    straight.run(&["kill", &name]).good();
    events.until_it_says("container die");
    assert_eq!(logs.finish().good().text(), "one\ntwo\n");
    events.kill();
}

#[test]
fn an_upload_slower_than_the_timeout_is_read_to_its_end() {
    let agent = hurried_agent();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let image = scene.name("slow:1");
    // The archive starts at once and ends when four seconds have gone by.
    let folder = Folder::new();
    folder.write("file", "slow\n");
    let tar = run(Command::new("tar").current_dir(folder.path()).args(["-cf", "-", "file"])).good();
    let (head, tail) = tar.stdout.split_at(512);
    let mut running = agent.docker().start(&["import", "-", &image]);
    running.type_in(str::from_utf8(head).expect("a header in ASCII"));
    let_time_pass(&straight, &scene);
    running.feed(tail.to_vec());
    running.finish_by_itself().good();
    straight.run(&["image", "inspect", &image]).good();
}
