//! The examples: every compose is satisfied with every file, and the one for standard mode runs as it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::boxed::{self, SHIPPED};
use crate::compose_yard::composes;
use crate::docker::{Docker, SOCKET};
use crate::process::run;
use crate::recipe::{Recipe, shipped};
use crate::scene::Scene;
use crate::wait::until;

/// Where there are files for compose, and nothing else that ends in `.yml` but what is named beside them.
const PLACES: &[(&str, &[&str])] = &[
    ("examples/compose", &[]),
    ("examples/drydock", &[]),
    ("examples/prometheus", &["prometheus.yml", "alerts.yml", "datasource.yml", "dashboards.yml"]),
];

fn compose_files() -> Vec<String> {
    let mut found = Vec::new();
    for (place, others) in PLACES {
        for entry in fs::read_dir(shipped(place)).expect("a directory of examples") {
            let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
            if name.ends_with(".yml") && !others.contains(&name.as_str()) {
                found.push(format!("{place}/{name}"));
            }
        }
    }
    found.sort();
    found
}

/// What a compose of this machine says of a file, with what the file wants to be told.
fn config(compose: &Path, file: &Path) -> (bool, String) {
    let mut command = Command::new(compose);
    command.env_clear().env("PATH", "/usr/bin:/bin").args(["-f", file.to_str().expect("a plain path")]);
    let outcome = run(command
        .args(["config", "--quiet"])
        .env("DOCKER_GID", "999")
        .env("DRYDOCK_IMAGE", "registry.example/drydock:1"));
    (outcome.status.success(), outcome.errors())
}

#[test]
fn every_compose_takes_every_file_for_compose() {
    let files = compose_files();
    assert!(files.len() >= 6, "{files:?}");
    for compose in composes() {
        for file in &files {
            let (is_good, said) = config(&compose, &shipped(file));
            assert!(is_good && said.is_empty(), "{}: {file}: {said}", compose.display());
        }
    }
}

#[test]
fn a_file_that_is_no_good_is_found_out() {
    let recipe = Recipe::new();
    let text = fs::read_to_string(shipped("examples/compose/standard.yml")).expect("an example");
    let path = recipe.at("bad.yml");
    fs::write(&path, text.replace("    cap_drop:", "    cap_dropped:")).expect("a file for the test");
    for compose in composes() {
        assert!(!config(&compose, Path::new(&path)).0, "{}", compose.display());
    }
}

#[test]
fn an_agent_started_by_the_example_for_compose_is_healthy_and_lets_in_its_one_key() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (image, project) = (scene.name("image:1"), scene.name("project"));
    boxed::build(&straight, &image, &scene.label());

    let recipe = Recipe::new();
    let text = boxed::example("examples/compose/standard.yml", &image);
    assert!(text.contains(r#"["3000:3000"]"#), "the example changed its port");
    // Beyond loopback nobody is served by a test, and the port is the recipe's own.
    let text = text.replace(r#""3000:3000""#, r#""127.0.0.1:${PORT}:3000""#);
    fs::write(recipe.at("standard.yml"), text).expect("a file for the test");

    let document = fs::read_to_string(shipped("examples/README.md")).expect("the guide to the examples");
    let (_, block) = document.split_once("<!-- compose: standard -->\n```sh\n").expect("the commands for it");
    let (prepare, rest) = block.split_once("\n```").expect("their end");
    let (_, block) =
        rest.split_once("<!-- compose: standard -->\n```sh\n").expect("the commands that use it");
    let (ask, _) = block.split_once("\n```").expect("their end");

    // Its name is the scene's, so that all that it makes goes with the scene.
    let set = format!("export COMPOSE_PROJECT_NAME={project} DOCKER_HOST=unix://{SOCKET}\n");
    recipe.run(&format!("{set}{prepare}"));
    let name = format!("name={project}");
    let id = straight.run(&["ps", "--quiet", "--filter", &name]).good().text();
    let id = id.trim();
    until_healthy(&straight, id);
    let version = straight.run(&["exec", id, "/lookout", "version"]).good().text();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    assert!(recipe.run(ask).contains(&project), "it lists itself");
    // Whoever has no key is told nothing, and what was asked is in the trail.
    let stranger =
        recipe.run("curl -s -o /dev/null -w '%{http_code}' --cacert ca.pem https://localhost:3000/info");
    assert_eq!(stranger.trim(), "401");
    let trail = fs::read_to_string(recipe.at("state/audit.jsonl")).expect("a trail");
    assert!(trail.contains("/containers/json") && trail.contains("auth_failure"), "{trail}");
    recipe.run(&format!("{set}docker compose -f standard.yml down --timeout 15"));
}

/// The files that any of the examples wants to be there, made as the guide makes them.
const PREPARE: &str = "mkdir -p state web1
    lookout cert --host localhost --out etc/server; lookout keygen --comment web1 --out web1
    cp web1/authorized_key etc/authorized_keys; cp -r etc/server server; openssl rand -hex 32 > token
    chmod 700 state; chmod 600 etc/authorized_keys token; chown -R 65532:65532 etc state server web1 token";

#[test]
fn every_agent_that_an_example_starts_is_healthy_and_in_edge_mode_it_listens_nowhere() {
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let image = scene.name("image:1");
    boxed::build(&straight, &image, &scene.label());
    let files = compose_files();
    let texts = files.iter().map(|file| (file, fs::read_to_string(shipped(file)).expect("an example")));
    let mut started = 0;
    for (number, (file, _)) in texts.filter(|(_, text)| text.contains(SHIPPED)).enumerate() {
        eprintln!("{file}");
        started += 1;
        let (recipe, project) = (Recipe::new(), scene.name(&format!("file-{number}")));
        // Nobody is called, and no port is taken that somebody else may want.
        let text = boxed::example(file, &image).replace("wss://drydock.example", "wss://127.0.0.1:1");
        let text = text.replace(r#""3000:3000""#, r#""127.0.0.1::3000""#);
        fs::write(recipe.at("example.yml"), &text).expect("a file for the test");
        recipe.run(&format!(
            "{PREPARE}
            export COMPOSE_PROJECT_NAME={project} DOCKER_HOST=unix://{SOCKET} DRYDOCK_IMAGE=none
            export DOCKER_GID=$(stat -c %g {SOCKET})
            docker compose -f example.yml up -d --no-deps lookout"
        ));
        let id = straight.run(&["ps", "--quiet", "--filter", &format!("name={project}")]).good().text();
        let process = until_healthy(&straight, id.trim());
        if text.contains("DRYDOCK_URL:") {
            assert_eq!(listening(&process), 0, "{file}");
            let ports = straight.run(&["port", id.trim()]).good().text();
            assert_eq!(ports, "", "{file}");
        } else {
            assert_eq!(listening(&process), 1, "{file}");
        }
    }
    assert!(started >= 5, "{started} examples start an agent");
}

/// Waits until a container is healthy; its process on this machine.
fn until_healthy(docker: &Docker, id: &str) -> String {
    let format = "{{.State.Health.Status}} {{.State.Running}} {{.RestartCount}} {{.State.Pid}}";
    until("it is healthy", || {
        let told = docker.run(&["inspect", "--format", format, id]).good().text();
        let words: Vec<&str> = told.split_whitespace().collect();
        assert!(words[1..3] == ["true", "0"], "{}", docker.run(&["logs", id]).text());
        (words[0] == "healthy").then(|| words[3].to_owned())
    })
}

/// How many TCP sockets listen where that process has its network; the Engine's own resolver is none of its.
fn listening(process: &str) -> usize {
    let tables = ["tcp", "tcp6"]
        .map(|table| fs::read_to_string(format!("/proc/{process}/net/{table}")).expect("a table"));
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines = tables.iter().flat_map(|table| table.lines().skip(1)).map(columns);
    // 0A is to listen; 0B00007F is 127.0.0.11, in the order of this processor or the other.
    let resolver = |address: &str| address.starts_with("0B00007F:") || address.starts_with("7F00000B:");
    lines.filter(|columns| columns[3] == "0A" && !resolver(&columns[1])).count()
}
