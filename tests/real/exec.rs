//! docker exec: codes, streams, and many at once.

use crate::agent::Agent;
use crate::both_ways::{Side, both_ways};
use crate::docker::{Docker, IMAGE};
use crate::folder::noise;
use crate::scene::Scene;

/// A container that stays, for programs to be run in.
fn host_container(side: &mut Side) -> String {
    let name = side.name("host");
    side.docker(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    name
}

#[test]
fn exec_ends_with_the_code_of_its_program() {
    both_ways(|side| {
        let name = host_container(side);
        let mut code_of = |command: &[&str]| side.docker(&[&["exec", &name], command].concat()).code();
        assert_eq!(code_of(&["true"]), Some(0));
        assert_eq!(code_of(&["sh", "-c", "echo out; echo err >&2; exit 3"]), Some(3));
        assert_eq!(code_of(&["sh", "-c", "kill -9 $$"]), Some(137));
        assert_eq!(code_of(&["/etc/passwd"]), Some(126));
        // The Engine of today says 127, the one of yesterday 126: both ways alike is what counts.
        assert!([Some(126), Some(127)].contains(&code_of(&["/no/such/program"])));
    });
}

#[test]
fn exec_takes_its_environment_user_and_directory_along() {
    both_ways(|side| {
        let name = host_container(side);
        let says = "echo $COLOUR; id -u; pwd";
        let arguments = ["exec", "-e", "COLOUR=blue", "-u", "1234", "-w", "/var", &name, "sh", "-c", says];
        assert_eq!(side.docker(&arguments).good().text(), "blue\n1234\n/var\n");
    });
}

#[test]
fn exec_passes_megabytes_and_the_end_of_its_input() {
    both_ways(|side| {
        let name = host_container(side);
        let bytes = noise(5_000_000);
        let back = side.docker_with(&["exec", "-i", &name, "cat"], bytes.clone()).good();
        assert!(back.stdout == bytes, "{} bytes of {} came back", back.stdout.len(), bytes.len());
        let counts = ["exec", "-i", &name, "sh", "-c", "wc -c; echo still here"];
        assert_eq!(side.docker_with(&counts, bytes).good().text(), "5000000\nstill here\n");
    });
}

#[test]
fn exec_in_the_background_returns_at_once() {
    both_ways(|side| {
        let name = host_container(side);
        side.docker(&["exec", "-d", &name, "touch", "/tmp/done"]).good();
        let looks = "until [ -e /tmp/done ]; do sleep 0.1; done; echo done";
        assert_eq!(side.docker(&["exec", &name, "sh", "-c", looks]).good().text(), "done\n");
    });
}

#[test]
fn exec_is_refused_in_the_same_words() {
    both_ways(|side| {
        let name = host_container(side);
        side.docker(&["kill", &name]).good();
        let stopped = side.docker(&["exec", &name, "true"]);
        assert!(stopped.errors().contains("is not running"), "{}", stopped.errors());
        let unknown = side.docker(&["exec", &side.name("unknown"), "true"]);
        assert!(unknown.errors().contains("No such container"), "{}", unknown.errors());
    });
}

#[test]
fn twenty_at_once_each_get_their_own_words() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("host");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    let docker = agent.docker();
    let mut all: Vec<_> =
        (0..20).map(|_| docker.start(&["exec", "-i", &name, "sh", "-c", "cat; exit 6"])).collect();
    // All twenty are alive before the first may end.
    for (number, running) in all.iter_mut().enumerate() {
        running.type_in(&format!("this is {number}\n"));
    }
    for (number, running) in all.iter_mut().enumerate() {
        running.until_it_says(&format!("this is {number}\n"));
    }
    for (number, running) in all.into_iter().enumerate() {
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.text()), (Some(6), format!("this is {number}\n")));
    }
}

#[test]
fn one_after_another_leaves_nothing_behind() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let name = scene.name("host");
    straight.run(&["run", "-d", "--name", &name, IMAGE, "sleep", "1000"]).good();
    agent.until_idle();
    let docker = agent.docker();
    for number in 0..15 {
        let word = format!("word {number}");
        assert_eq!(docker.run(&["exec", &name, "echo", &word]).good().text(), format!("{word}\n"));
    }
    agent.until_idle();
}
