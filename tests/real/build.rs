//! docker build: the context goes up, the story of each step comes back.

use std::process::Command;

use crate::agent::Agent;
use crate::both_ways::{Side, both_ways};
use crate::docker::{Docker, IMAGE};
use crate::edge_agent::Edge;
use crate::edge_welcome::Mode;
use crate::folder::{Folder, noise};
use crate::process::{Outcome, Running, run};
use crate::scene::Scene;
use crate::wait::until;

const BUILD: [&str; 6] = ["build", "--no-cache", "--force-rm", "--network", "none", "-t"];

/// A directory with a Dockerfile of these lines after its first two.
fn context(side: &Side, lines: &str) -> Folder {
    let folder = Folder::new();
    folder.write("Dockerfile", format!("FROM {IMAGE}\n{}\n{lines}\n", side.scene.label()));
    folder
}

/// Builds what lies in `context`, which is named by its standard input alone: paths differ, tars do not.
fn build(side: &mut Side, context: &Folder) -> Outcome {
    let image = side.name("built:1");
    let tar = run(Command::new("tar").current_dir(context.path()).args(["-cf", "-", "."])).good().stdout;
    side.docker_with(&[&BUILD[..], &[&image, "-"]].concat(), tar)
}

#[test]
fn a_build_tells_its_steps_and_makes_an_image() {
    both_ways(|side| {
        let context =
            context(side, "COPY large /var/opt/large\nRUN wc -c /var/opt/large\nCMD [\"echo\", \"built\"]");
        context.write("large", noise(7_000_000));
        let told = build(side, &context).good().text();
        assert!(told.contains("7000000 /var/opt/large"), "{told}");
        let image = side.name("built:1");
        assert_eq!(side.docker(&["run", "--rm", &image]).good().text(), "built\n");
        let sum = side.docker(&["run", "--rm", &image, "sha256sum", "/var/opt/large"]).good().text();
        let local = run(Command::new("sha256sum").arg(context.at("large"))).good().text();
        assert_eq!(sum.split(' ').next(), local.split(' ').next());
    });
}

#[test]
fn a_build_from_a_directory_works_alike() {
    both_ways(|side| {
        let context = context(side, "COPY . /var/opt/\nRUN cat /var/opt/kept && test ! -e /var/opt/ignored");
        context.write("kept", "kept\n");
        context.write("ignored", noise(1_000_000));
        context.write(".dockerignore", "ignored\n");
        let image = side.name("built:1");
        let outcome = side.docker.run(&[&BUILD[..], &[&image, &context.at("")]].concat()).good();
        // The path is one side's own; what was said about it is not.
        side.note(&["build", "DIRECTORY"], &outcome);
    });
}

#[test]
fn a_build_tells_its_steps_as_they_happen_and_ends_when_its_client_leaves() {
    let straight = Docker::straight();
    let agent = Agent::start();
    for docker in [straight.clone(), agent.docker()] {
        let scene = Scene::new(&straight);
        let context = Folder::new();
        // It would go on for minutes; it is read while it runs, and then left.
        let ticks = "RUN for n in $(seq 3000); do echo tick $n; sleep 0.1; done";
        context.write("Dockerfile", format!("FROM {IMAGE}\n{}\n{ticks}\n", scene.label()));
        let image = scene.name("left:1");
        let mut running = docker.start(&[&BUILD[..], &[&image, &context.at("")]].concat());
        running.until_it_says("tick 3\n");
        let filter = format!("label={}", scene.prefix());
        let step = || straight.run(&["ps", "-q", "--filter", &filter]).good().text();
        assert!(!step().is_empty(), "the step runs in a container");
        running.kill();
        until("the step's container is ended", || step().is_empty().then_some(()));
    }
}

#[test]
fn a_dockerfile_in_error_is_refused_in_the_same_words() {
    both_ways(|side| {
        for (lines, words) in [
            ("NOSUCHINSTRUCTION", "NOSUCHINSTRUCTION"),
            ("RUN exit 3", "returned a non-zero code: 3"),
            ("COPY nothing /var/opt/", "nothing"),
            ("RUN [\"/no/such/program\"]", "/no/such/program"),
        ] {
            let context = context(side, lines);
            let outcome = build(side, &context);
            assert!(!outcome.status.success(), "{lines}");
            assert!(outcome.errors().contains(words), "{lines}: {}", outcome.errors());
        }
    });
}

#[test]
fn a_large_context_that_is_refused_early_is_refused_alike() {
    both_ways(|side| {
        // The Engine answers before it has read the upload, and does not wait for the rest.
        let context = context(side, "COPY large /var/opt/large");
        context.write("large", noise(20_000_000));
        let tar = run(Command::new("tar").current_dir(context.path()).args(["-cf", "-", "."])).good().stdout;
        let image = side.name("early:1");
        let outcome = side.docker_with(&[&BUILD[..], &[&image, "--isolation", "hyperv", "-"]].concat(), tar);
        assert!(outcome.errors().contains("isolation"), "{}", outcome.errors());
    });
}

#[test]
fn buildkit_builds() {
    let (agent, edge) = (Agent::start(), Edge::with(Mode::Binary, &[]));
    let straight = Docker::straight();
    let Some(program) = program_with_buildkit() else {
        panic!("no docker command here builds with BuildKit: run scripts/setup")
    };
    for docker in [straight.clone(), agent.docker(), edge.docker()].map(|docker| docker.with_program(program))
    {
        let scene = Scene::new(&straight);
        let (context, image) = (Folder::new(), scene.name("kit:1"));
        context.write("large", noise(3_000_000));
        let lines = "COPY large /var/opt/large\nRUN wc -c /var/opt/large";
        context.write("Dockerfile", format!("FROM {IMAGE}\n{}\n{lines}\n", scene.label()));
        let arguments =
            ["--progress", "plain", "--no-cache", "--network", "none", "-t", &image, &context.at("")];
        let mut command = docker.command(&[&["build"], &arguments[..]].concat());
        let outcome = Running::start(command.env("DOCKER_BUILDKIT", "1")).finish();
        assert_eq!(outcome.code(), Some(0), "{}", outcome.errors());
        assert!(outcome.errors().contains("3000000 /var/opt/large"), "{}", outcome.errors());
        let counted = docker.run(&["run", "--rm", &image, "wc", "-c", "/var/opt/large"]).good().text();
        assert_eq!(counted, "3000000 /var/opt/large\n");
    }
}

/// Clients before 23 drive BuildKit themselves; later ones need a plugin, which not every machine has.
fn program_with_buildkit() -> Option<&'static str> {
    ["docker", "/usr/bin/docker"].into_iter().find(|program| {
        let plugin = run(Command::new(program).args(["buildx", "version"])).status.success();
        let version = run(Command::new(program).arg("--version")).text();
        plugin || version.starts_with("Docker version 20.") || version.starts_with("Docker version 19.")
    })
}
