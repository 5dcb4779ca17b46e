//! docker run: what it prints, what goes in, and the code it ends with.

use crate::agent::Agent;
use crate::both_ways::both_ways;
use crate::docker::{Docker, IMAGE};
use crate::folder::noise;
use crate::process::terminate;
use crate::scene::Scene;
use crate::wait::until;

#[test]
fn run_in_the_foreground_shows_both_outputs_apart() {
    both_ways(|side| {
        let name = side.name("foreground");
        let says = "echo out; echo err >&2; echo more out";
        let outcome = side.docker(&["run", "--name", &name, IMAGE, "sh", "-c", says]).good();
        assert_eq!((outcome.text().as_str(), outcome.errors().as_str()), ("out\nmore out\n", "err\n"));
        side.docker(&["rm", &name]).good();
    });
}

#[test]
fn run_ends_with_the_code_of_the_container() {
    both_ways(|side| {
        let name = side.name("code");
        let mut code_of = |arguments: &[&str]| {
            let run = ["run", "--rm", "--network", "none", "--name", &name];
            side.docker(&[&run[..], arguments].concat()).code()
        };
        assert_eq!(code_of(&[IMAGE, "true"]), Some(0));
        assert_eq!(code_of(&[IMAGE, "sh", "-c", "exit 3"]), Some(3));
        // Refused by the Engine, found but not a program, not found.
        assert_eq!(code_of(&["--cpus", "100000", IMAGE, "true"]), Some(125));
        assert_eq!(code_of(&[IMAGE, "/etc/passwd"]), Some(126));
        assert_eq!(code_of(&[IMAGE, "/no/such/program"]), Some(127));
        assert_eq!(code_of(&["--pull", "never", "lookout-test/none:1", "true"]), Some(125));
    });
}

#[test]
fn a_container_that_is_killed_ends_its_client_with_137() {
    both_ways(|side| {
        let name = side.name("killed");
        let arguments = ["run", "--name", &name, IMAGE, "sh", "-c", "echo ready; sleep 1000"];
        let mut running = side.docker.start(&arguments);
        running.until_it_says("ready");
        side.docker(&["kill", &name]).good();
        let outcome = running.finish_by_itself();
        side.note(&arguments, &outcome);
        assert_eq!(outcome.code(), Some(137));
    });
}

#[test]
fn a_signal_to_the_client_reaches_the_container() {
    both_ways(|side| {
        let name = side.name("signal");
        let traps = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
        let arguments = ["run", "--name", &name, IMAGE, "sh", "-c", traps];
        let mut running = side.docker.start(&arguments);
        running.until_it_says("ready");
        terminate(running.id());
        let outcome = running.finish_by_itself();
        side.note(&arguments, &outcome);
        assert_eq!((outcome.code(), outcome.text().as_str()), (Some(5), "ready\ncaught\n"));
    });
}

#[test]
fn megabytes_go_in_and_come_back_unchanged() {
    both_ways(|side| {
        let name = side.name("cat");
        let bytes = noise(8_000_000);
        let outcome = side.docker_with(&["run", "-i", "--rm", "--name", &name, IMAGE, "cat"], bytes.clone());
        assert_eq!(outcome.code(), Some(0), "{}", outcome.errors());
        assert!(outcome.stdout == bytes, "{} bytes of {} came back", outcome.stdout.len(), bytes.len());
    });
}

#[test]
fn a_lot_of_output_arrives_whole() {
    both_ways(|side| {
        let name = side.name("seq");
        let outcome = side.docker(&["run", "--rm", "--name", &name, IMAGE, "seq", "1", "500000"]).good();
        assert_eq!(outcome.text().lines().count(), 500_000);
        assert_eq!(outcome.text().lines().last(), Some("500000"));
    });
}

#[test]
fn the_end_of_the_input_reaches_a_container_that_goes_on_talking() {
    both_ways(|side| {
        let name = side.name("half");
        let counts = "wc -c; echo after the end; echo err >&2; exit 4";
        let run = ["run", "-i", "--rm", "--name", &name, IMAGE, "sh", "-c", counts];
        let outcome = side.docker_with(&run, noise(100_000));
        assert_eq!((outcome.code(), outcome.text().as_str()), (Some(4), "100000\nafter the end\n"));
    });
}

#[test]
fn a_conversation_goes_line_by_line() {
    let agent = Agent::start();
    let scene = Scene::new(&Docker::straight());
    let name = scene.name("talk");
    let mut running = agent.docker().start(&["run", "-i", "--rm", "--name", &name, IMAGE, "cat"]);
    for line in ["first\n", "second\n", "third\n"] {
        // Each answer is awaited before the next line is written: nothing may sit in a buffer.
        running.type_in(line);
        running.until_it_says(line);
    }
    running.end_input();
    assert_eq!(running.finish().good().text(), "first\nsecond\nthird\n");
}

#[test]
fn a_container_run_with_rm_is_gone_when_its_client_ends() {
    both_ways(|side| {
        let name = side.name("gone");
        side.docker(&["run", "--rm", "--name", &name, IMAGE, "echo", "here"]).good();
        let found = side.docker(&["ps", "-aq", "--filter", &format!("name={name}")]).good();
        assert_eq!(found.text(), "");
    });
}

#[test]
fn a_container_in_the_background_is_named_by_its_id() {
    both_ways(|side| {
        let name = side.name("back");
        let id = side.docker(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good().text();
        assert_eq!(id.trim().len(), 64, "{id}");
        let format = ["inspect", "--format", "{{.State.Status}} {{.Name}}", id.trim()];
        assert_eq!(side.docker(&format).good().text(), format!("running /{name}\n"));
        for verb in ["pause", "unpause", "kill", "start", "restart", "kill", "rm"] {
            // A restart of something that sleeps through TERM takes its whole time; give it none.
            let outcome = match verb {
                "restart" => side.docker(&["restart", "-t", "0", &name]),
                _ => side.docker(&[verb, &name]),
            };
            outcome.good();
        }
        let gone = side.docker(&["inspect", &name]);
        assert_eq!(gone.code(), Some(1));
    });
}

#[test]
fn a_container_that_fails_to_start_says_why_in_the_same_words() {
    both_ways(|side| {
        let name = side.name("twice");
        side.docker(&["create", "--name", &name, IMAGE, "true"]).good();
        let again = side.docker(&["create", "--name", &name, IMAGE, "true"]);
        assert!(again.errors().contains("is already in use"), "{}", again.errors());
        let mount = side.docker(&["run", "--rm", "--mount", "type=bind,src=/no/such,dst=/x", IMAGE, "true"]);
        assert_eq!(mount.code(), Some(125));
        assert!(mount.errors().contains("/no/such"), "{}", mount.errors());
    });
}

#[test]
fn many_containers_run_at_once() {
    let agent = Agent::start();
    let docker = agent.docker();
    let scene = Scene::new(&Docker::straight());
    let names: Vec<_> = (0..5).map(|number| scene.name(&format!("many-{number}"))).collect();
    let mut all: Vec<_> = names
        .iter()
        .map(|name| docker.start(&["run", "-i", "--rm", "--network", "none", "--name", name, IMAGE, "cat"]))
        .collect();
    for (running, name) in all.iter_mut().zip(&names) {
        running.type_in(&format!("{name}\n"));
    }
    for (mut running, name) in all.into_iter().zip(&names) {
        running.until_it_says(name);
        assert_eq!(running.finish().good().text(), format!("{name}\n"));
    }
    until("all are gone", || {
        let filter = format!("name={}", scene.prefix());
        docker.run(&["ps", "-aq", "--filter", &filter]).good().text().is_empty().then_some(())
    });
}
