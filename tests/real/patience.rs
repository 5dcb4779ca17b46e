//! What takes long is not cut: REQUEST_TIMEOUT bounds how long an answer may take to begin, but not
//! where the wait is the very thing that was asked for.

use std::process::Command;

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::folder::Folder;
use crate::process::run;
use crate::scene::Scene;

/// The least that lets an Engine under load start a container, as seconds.
const TIMEOUT: &str = "5";

/// Clearly more than the timeout, as seconds.
const LONG: &str = "8";

/// An agent less patient than everything below, and what a test of it needs.
struct Hurry {
    agent: Agent,
    straight: Docker,
    scene: Scene,
}

impl Hurry {
    fn new() -> Self {
        let straight = Docker::straight();
        let agent = Agent::with(&[("REQUEST_TIMEOUT", TIMEOUT)]);
        Self { agent, scene: Scene::new(&straight), straight }
    }

    /// Starts a container that runs `script`, straight, and gives its name.
    fn container(&self, script: &str) -> String {
        let name = self.scene.name("long");
        self.straight.run(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", script]).good();
        name
    }

    /// Lets a long time go by, by the Engine's own clock.
    fn let_time_pass(&self) {
        self.straight.run(&["run", "--rm", "--name", &self.scene.name("time"), IMAGE, "sleep", LONG]).good();
    }
}

#[test]
fn wait_lasts_as_long_as_the_container() {
    let hurry = Hurry::new();
    let name = hurry.container(&format!("sleep {LONG}; exit 4"));
    let docker = hurry.agent.docker();
    assert_eq!(docker.run(&["wait", &name]).good().text(), "4\n");
    assert_eq!(docker.run(&["wait", &name]).good().text(), "4\n", "and again, once it has ended");
}

#[test]
fn stop_and_restart_last_as_long_as_they_are_allowed() {
    let hurry = Hurry::new();
    // It does not hear what asks it to end, so each takes all of its time.
    let name = hurry.container("trap : TERM; while :; do sleep 0.1; done");
    let docker = hurry.agent.docker();
    docker.run(&["restart", "-t", LONG, &name]).good();
    docker.run(&["stop", "-t", LONG, &name]).good();
    let state = docker.run(&["inspect", "--format", "{{.State.ExitCode}}", &name]).good();
    assert_eq!(state.text(), "137\n");
}

#[test]
fn a_silent_foreground_container_is_waited_for() {
    let hurry = Hurry::new();
    let (name, says) = (hurry.scene.name("silent"), format!("sleep {LONG}; echo at last; exit 5"));
    let outcome = hurry.agent.docker().run(&["run", "--rm", "--name", &name, IMAGE, "sh", "-c", &says]);
    assert_eq!((outcome.code(), outcome.text().as_str()), (Some(5), "at last\n"), "{}", outcome.errors());
}

#[test]
fn a_silent_exec_is_waited_for() {
    let hurry = Hurry::new();
    let name = hurry.container("exec sleep 1000");
    let says = format!("sleep {LONG}; echo at last; exit 5");
    let outcome = hurry.agent.docker().run(&["exec", &name, "sh", "-c", &says]);
    assert_eq!((outcome.code(), outcome.text().as_str()), (Some(5), "at last\n"), "{}", outcome.errors());
}

#[test]
fn a_silent_build_step_is_waited_for() {
    let hurry = Hurry::new();
    let context = Folder::new();
    let step = format!("sleep {LONG} && echo at last");
    context.write("Dockerfile", format!("FROM {IMAGE}\n{}\nRUN {step}\n", hurry.scene.label()));
    let image = hurry.scene.name("slow:1");
    let build = ["build", "--no-cache", "--network", "none", "-t", &image, &context.at("")];
    let told = hurry.agent.docker().run(&build).good().text();
    assert!(told.contains("\nat last\n"), "{told}");
    hurry.straight.run(&["image", "inspect", &image]).good();
}

#[test]
fn silent_events_go_on() {
    let hurry = Hurry::new();
    let filter = format!("container={}", hurry.scene.name("long"));
    let mut events = hurry.agent.docker().start(&["events", "--filter", &filter]);
    hurry.let_time_pass();
    hurry.container("true");
    events.until_it_says("container start");
    hurry.let_time_pass();
    hurry.straight.run(&["rm", "-f", &hurry.scene.name("long")]).good();
    events.until_it_says("container destroy");
    events.kill();
}

#[test]
fn silent_logs_go_on() {
    let hurry = Hurry::new();
    let name =
        hurry.container("echo one; until [ -e /tmp/go ]; do sleep 0.1; done; echo two; exec sleep 1000");
    let mut logs = hurry.agent.docker().start(&["logs", "-f", &name]);
    logs.until_it_says("one\n");
    hurry.let_time_pass();
    hurry.straight.run(&["exec", &name, "touch", "/tmp/go"]).good();
    logs.until_it_says("two\n");
    hurry.straight.run(&["kill", &name]).good();
    assert_eq!(logs.finish().good().text(), "one\ntwo\n");
}

#[test]
fn an_upload_slower_than_the_timeout_is_read_to_its_end() {
    let hurry = Hurry::new();
    let image = hurry.scene.name("slow:1");
    // The archive starts at once and ends when a long time has gone by.
    let folder = Folder::new();
    folder.write("file", "slow\n");
    let tar = run(Command::new("tar").current_dir(folder.path()).args(["-cf", "-", "file"])).good();
    let (head, tail) = tar.stdout.split_at(512);
    let mut running = hurry.agent.docker().start(&["import", "-", &image]);
    running.type_in(str::from_utf8(head).expect("a header in ASCII"));
    hurry.let_time_pass();
    running.feed(tail.to_vec());
    running.finish_by_itself().good();
    hurry.straight.run(&["image", "inspect", &image]).good();
}
