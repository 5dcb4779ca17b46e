//! A docker command without the token, or with another one: refused, and told so in a sentence.

use crate::agent::{Agent, TOKEN};
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;

/// Nothing may be done through this; what is said about it must be readable.
fn is_refused(docker: &Docker, scene: &Scene) {
    let name = scene.name("refused");
    for arguments in [
        &["ps"][..],
        &["version"],
        &["run", "--name", &name, IMAGE, "true"],
        &["exec", &name, "true"],
        &["events", "--until", "1s"],
    ] {
        let outcome = docker.run(arguments);
        assert!(!outcome.status.success(), "{arguments:?}: {}", outcome.text());
        assert!(outcome.errors().contains("Error response from daemon: lookout: "), "{}", outcome.errors());
    }
    let made = Docker::straight().run(&["ps", "-aq", "--filter", &format!("name={name}")]).good();
    assert_eq!(made.text(), "", "a refused run made a container");
}

#[test]
fn docker_without_the_token_is_told_that_it_is_missing() {
    let agent = Agent::start();
    let scene = Scene::new(&Docker::straight());
    let docker = Docker::at(&format!("tcp://{}", agent.address()), "{}");
    // The first refusal: after some more of them the address itself is refused for a while.
    let told = docker.run(&["ps"]).errors();
    assert!(told.contains("no credential"), "{told}");
    is_refused(&docker, &scene);
}

#[test]
fn docker_with_another_token_is_refused() {
    let agent = Agent::start();
    let scene = Scene::new(&Docker::straight());
    let config = r#"{"HttpHeaders":{"Authorization":"Bearer another-token-of-the-right-length"}}"#;
    is_refused(&Docker::at(&format!("tcp://{}", agent.address()), config), &scene);
}

#[test]
fn docker_is_let_in_by_either_header_of_the_token() {
    let agent = Agent::start();
    for header in ["X-Lookout-Token", "X-Dd-Agent-Secret"] {
        let config = format!(r#"{{"HttpHeaders":{{"{header}":"{}"}}}}"#, TOKEN);
        Docker::at(&format!("tcp://{}", agent.address()), &config).run(&["ps"]).good();
    }
}
