//! One scenario, played straight, through an agent that is called, and through one that calls; every step must
//! end alike.

use crate::agent::Agent;
use crate::docker::Docker;
use crate::edge_agent::Edge;
use crate::edge_welcome::Mode;
use crate::normal::normal;
use crate::process::Outcome;
use crate::scene::Scene;

/// One of the two ways, with things of its own and a record of what happened.
pub(crate) struct Side {
    pub(crate) docker: Docker,
    pub(crate) scene: Scene,
    record: Vec<Step>,
}

struct Step {
    what: String,
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Plays `scenario` straight and both ways through an agent, and compares every recorded step.
pub(crate) fn both_ways(scenario: impl Fn(&mut Side)) {
    let (agent, edge) = (Agent::start(), Edge::with(Mode::Binary, &[]));
    let straight = Docker::straight();
    let expected = play(straight.clone(), &straight, &scenario);
    for docker in [agent.docker(), edge.docker()] {
        compare(&expected, &play(docker, &straight, &scenario));
    }
}

fn play(docker: Docker, straight: &Docker, scenario: &impl Fn(&mut Side)) -> Vec<Step> {
    let mut side = Side { docker, scene: Scene::new(straight), record: Vec::new() };
    scenario(&mut side);
    side.record
}

fn compare(expected: &[Step], found: &[Step]) {
    assert!(!expected.is_empty(), "a scenario records what it does");
    assert_eq!(expected.len(), found.len(), "the two ways took different steps");
    for (one, other) in expected.iter().zip(found) {
        let what = &one.what;
        assert_eq!(one.what, other.what, "the two ways took different steps");
        assert_eq!(one.code, other.code, "exit code of {what} (left: straight)\n{}", other.stderr);
        assert_eq!(one.stderr, other.stderr, "standard error of {what} (left: straight)");
        assert!(one.stdout == other.stdout, "{}", difference(what, &one.stdout, &other.stdout));
    }
}

fn difference(what: &str, straight: &[u8], through: &[u8]) -> String {
    let first = straight.iter().zip(through).take_while(|(one, other)| one == other).count();
    let near = |bytes: &[u8]| {
        let near: Vec<_> = bytes.iter().copied().skip(first.saturating_sub(60)).take(400).collect();
        String::from_utf8_lossy(&near).into_owned()
    };
    format!(
        "standard output of {what} differs at byte {first} (of {} straight, {} through the agent)\n\
         straight: {}\nthrough:  {}",
        straight.len(),
        through.len(),
        near(straight),
        near(through)
    )
}

impl Side {
    /// A name of this side's own; the record shows the same word for both.
    pub(crate) fn name(&self, what: &str) -> String {
        self.scene.name(what)
    }

    /// Runs a docker command to its end and records everything about it.
    pub(crate) fn docker(&mut self, arguments: &[&str]) -> Outcome {
        let outcome = self.docker.run(arguments);
        self.note(arguments, &outcome);
        outcome
    }

    /// The same with `input` on its standard input.
    pub(crate) fn docker_with(&mut self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Outcome {
        let outcome = self.docker.run_with(arguments, input);
        self.note(arguments, &outcome);
        outcome
    }

    /// Records how a command ended that was run in some other way.
    pub(crate) fn note(&mut self, arguments: &[&str], outcome: &Outcome) {
        let prefix = self.scene.prefix();
        // Output that is not text is compared as it is.
        let stdout = match str::from_utf8(&outcome.stdout) {
            Ok(text) => normal(text, prefix).into_bytes(),
            Err(_) => outcome.stdout.clone(),
        };
        let step = Step {
            what: normal(&format!("docker {}", arguments.join(" ")), prefix),
            code: outcome.code(),
            stdout,
            stderr: normal(&outcome.errors(), prefix),
        };
        self.record.push(step);
    }
}

/// Asks the same question of the same things both ways; the answers are equal to the byte.
pub(crate) fn same(agent: &Agent, arguments: &[&str]) -> Outcome {
    let straight = Docker::straight().run(arguments);
    let through = agent.docker().run(arguments);
    let what = format!("docker {}", arguments.join(" "));
    assert_eq!(straight.code(), through.code(), "exit code of {what} (left: straight)\n{}", through.errors());
    assert_eq!(straight.errors(), through.errors(), "standard error of {what} (left: straight)");
    assert!(straight.stdout == through.stdout, "{}", difference(&what, &straight.stdout, &through.stdout));
    through
}
