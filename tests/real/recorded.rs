//! Commands of a key with the option `record`: the recording shows what the person saw.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::docker::{Docker, IMAGE};
use crate::keyed::Keyed;
use crate::process::Running;
use crate::scene::Scene;
use crate::wait::until;

/// The file of the first recording that is over, once the trail vouches for it.
fn recording(agent: &Keyed) -> String {
    let name = until("the trail tells of a recording", || {
        let trail = fs::read_to_string(agent.at("trail")).unwrap_or_default();
        let mut records = trail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ended =
            records.find(|record| record["event"] == "stream_end" && record["recording_sha256"].is_string());
        ended.map(|record| record["recording"].as_str().expect("a name").to_owned())
    });
    fs::read_to_string(agent.at(&format!("state/recordings/{name}"))).expect("the recording is there")
}

/// What a player shows, or types, in order.
fn replayed(cast: &str, code: &str) -> String {
    let events = cast
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str::<(f64, String, String)>(line).expect("an event"));
    events.filter(|event| event.1 == code).map(|event| event.2).collect()
}

#[test]
fn a_shell_in_a_terminal_replays_as_it_was_seen() {
    let straight = Docker::straight();
    let (agent, scene) = (Keyed::start(&[("watched", "record")]), Scene::new(&straight));
    let name = scene.name("host");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    let docker = agent.caller("watched").shell_words();
    let line = format!("stty rows 20 cols 61; exec {docker} exec -it {name} sh");
    let mut script = Command::new("script");
    script.env("SHELL", "/bin/sh").args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let mut running = Running::start(&mut script);
    running.until_it_says("# ");
    running.type_in("echo gr\u{f6}\u{df}er than $((6 * 7))\n");
    running.until_it_says("gr\u{f6}\u{df}er than 42\r\n");
    running.type_in("exit 11\n");
    let seen = running.finish_by_itself();
    assert_eq!(seen.code(), Some(11), "{}", seen.text());
    let cast = recording(&agent);
    let head: Value = serde_json::from_str(cast.lines().next().expect("a first line")).expect("JSON");
    // The size is told with the start since version 1.42 of the API, and before that in a request of its own.
    let size = (head["width"].as_u64(), head["height"].as_u64());
    assert!([(Some(61), Some(20)), (Some(80), Some(24))].contains(&size), "{head}");
    assert_eq!(replayed(&cast, "o"), seen.text());
    assert_eq!(replayed(&cast, "i"), "echo gr\u{f6}\u{df}er than $((6 * 7))\nexit 11\n");
}

#[test]
fn a_command_without_a_terminal_replays_both_of_its_streams_without_frames() {
    let straight = Docker::straight();
    let (agent, scene) = (Keyed::start(&[("watched", "record")]), Scene::new(&straight));
    let (name, caller) = (scene.name("host"), agent.caller("watched"));
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    let command = ["exec", "-i", &name, "sh", "-c", "cat; sleep 0.2; echo err >&2; exit 3"];
    let outcome = caller.run_with(&command, "typed\n");
    assert_eq!(
        (outcome.code(), outcome.text().as_str(), outcome.errors().as_str()),
        (Some(3), "typed\n", "err\n")
    );
    let cast = recording(&agent);
    assert_eq!((replayed(&cast, "o").as_str(), replayed(&cast, "i").as_str()), ("typed\nerr\n", "typed\n"));
    let detached = caller.run(&["exec", "-d", &name, "touch", "/tmp/unseen"]);
    assert!(detached.errors().contains("one that is detached cannot be"), "{}", detached.errors());
    assert!(!straight.run(&["exec", &name, "test", "-e", "/tmp/unseen"]).status.success(), "it ran");
}
