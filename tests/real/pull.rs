//! docker pull and push: the Engine's talk with a registry, and the password it needs for that.

use crate::agent::{Agent, free_address};
use crate::both_ways::same;
use crate::docker::{Docker, SOCKET};
use crate::process::Outcome;
use crate::registry::Registry;

/// The same command straight and through the agent, with the registry's password.
fn each_way(registry: &Registry, command: impl Fn(&Docker) -> Outcome) -> (Outcome, Outcome) {
    let agent = Agent::start();
    let config = format!(r#"{{"auths":{}}}"#, registry.auths());
    let straight = Docker::at(&format!("unix://{SOCKET}"), &config);
    (command(&straight), command(&agent.docker_with(&registry.auths())))
}

#[test]
fn an_image_is_pulled_and_pushed_with_the_password_of_its_registry() {
    let registry = Registry::start();
    let image = registry.image();
    let (straight, through) = each_way(&registry, |docker| {
        let pulled = docker.run(&["pull", &image]);
        let pushed = docker.run(&["push", &image]);
        // Before anything is judged, so that nothing is left behind.
        docker.run(&["rmi", &image]);
        assert!(pulled.text().contains("Status: Downloaded newer image"), "{pulled:?}");
        assert!(pushed.text().contains("digest: sha256:"), "{pushed:?}");
        pulled.good()
    });
    let last_lines = |outcome: &Outcome| {
        let lines: Vec<_> = outcome.text().lines().rev().take(3).map(str::to_owned).collect();
        lines
    };
    assert_eq!(last_lines(&straight), last_lines(&through));
}

#[test]
fn an_image_the_registry_does_not_have_is_refused_in_the_same_words() {
    let registry = Registry::start();
    let (straight, through) = each_way(&registry, |docker| docker.run(&["pull", &registry.missing()]));
    assert_eq!((straight.code(), straight.errors()), (through.code(), through.errors()));
    assert!(through.errors().contains("manifest unknown"), "{}", through.errors());
}

#[test]
fn without_the_password_nothing_is_pulled() {
    let registry = Registry::start();
    let refused = same(&Agent::start(), &["pull", &registry.image()]);
    assert_eq!(refused.code(), Some(1));
    assert!(refused.errors().contains("no basic auth credentials"), "{}", refused.errors());
}

#[test]
fn a_registry_that_is_not_there_is_an_error_in_the_same_words() {
    let nobody = free_address();
    let refused = same(&Agent::start(), &["pull", &format!("{nobody}/none:1")]);
    assert_eq!(refused.code(), Some(1));
    assert!(refused.errors().contains("connection refused"), "{}", refused.errors());
}
