//! What each operation makes of an order: the words that the program is started with.
use serde_json::{Value, json};

use crate::compose_world::{Yard, shown, tell, with};
use crate::engine::Engine;

/// The words after those that name the project, its directory and its files.
fn words(shown: &Value) -> Vec<String> {
    let words: Vec<String> = serde_json::from_value(shown["argv"].clone()).expect("a list of texts");
    let at = words.iter().rposition(|word| word == "-f" || word == "--env-file").expect("a file is named");
    words[at + 2..].to_vec()
}

/// The same, without the word that ends the options: not every version takes it everywhere.
fn without_dashes(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).filter(|word| *word != "--").collect()
}

fn every_flag() -> Value {
    json!({
        "services": ["web", "db.1"], "build": true, "forceRecreate": true, "noDeps": true, "removeVolumes": true,
        "tail": 7, "timestamps": true, "all": true, "timeout": 3, "noCache": true, "pullBases": true,
        "stopFirst": true, "quiet": true, "format": "json", "unknown": {"is": "ignored"}
    })
}

#[test]
fn each_operation_takes_the_flags_that_are_meant_for_it() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    for (operation, bare, full) in [
        (
            "up",
            "up -d --remove-orphans",
            "up -d --remove-orphans --build --force-recreate --no-deps web db.1",
        ),
        (
            "create",
            "up --no-start --remove-orphans",
            "up --no-start --remove-orphans --build --force-recreate --no-deps web db.1",
        ),
        ("down", "down --remove-orphans", "down --remove-orphans --volumes -t 3 web db.1"),
        ("pull", "pull", "pull web db.1"),
        ("build", "build", "build --no-cache --pull web db.1"),
        ("restart", "restart", "restart -t 3 web db.1"),
        ("stop", "stop", "stop -t 3 web db.1"),
        ("start", "start", "start web db.1"),
        ("rm", "rm --force", "rm --force --stop -v web db.1"),
        ("ps", "ps --format json", "ps --format json -a web db.1"),
        ("logs", "logs --no-color", "logs --no-color --tail 7 --timestamps web db.1"),
        ("config", "config", "config --quiet --format json"),
        ("images", "images --format json", "images --format json web db.1"),
        ("top", "top", "top web db.1"),
        ("stats", "stats --no-stream --format json", "stats --no-stream --format json web db.1"),
    ] {
        let without = words(&shown(&agent, &with(operation, "web", &json!({}))));
        assert_eq!(without_dashes(&without).join(" "), bare);
        let all = words(&shown(&agent, &with(operation, "web", &every_flag())));
        assert_eq!(without_dashes(&all).join(" "), full);
    }
}

#[test]
fn the_older_program_is_asked_in_its_own_words() {
    let (yard, engine) = (Yard::of_version_one(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    for (operation, full) in [
        ("up", "up -d --remove-orphans --build --force-recreate --no-deps web db.1"),
        ("ps", "ps -a web db.1"),
        ("images", "images web db.1"),
        ("logs", "logs --no-color --tail 7 --timestamps web db.1"),
    ] {
        let all = words(&shown(&agent, &with(operation, "web", &every_flag())));
        assert_eq!(without_dashes(&all).join(" "), full);
    }
    let quiet = words(&shown(&agent, &with("config", "web", &json!({"quiet": true}))));
    assert_eq!(quiet, ["config", "--quiet"]);
    for (operation, more) in [("stats", json!({})), ("config", json!({"format": "json"}))] {
        let told = tell(&agent, &with(operation, "web", &more));
        assert!(told.failure().contains("compose 2"), "{operation}: {told:?}");
        assert_eq!(told.output, "", "{operation}: the program was started");
    }
}

#[test]
fn services_stand_behind_the_word_that_ends_the_options() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    let up = words(&shown(&agent, &with("up", "web", &json!({"services": ["web"]}))));
    assert_eq!(up, ["up", "-d", "--remove-orphans", "--", "web"]);
}

#[test]
fn the_project_its_directory_and_its_files_are_always_named() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = yard.start(&engine);
    let scene = json!([["show"]]);
    for (number, (there, used)) in [
        (&["compose.yaml", "compose.yml"][..], &["compose.yaml"][..]),
        (&["compose.yml", "docker-compose.yml"], &["compose.yml"]),
        (&["docker-compose.yml", "docker-compose.yaml"], &["docker-compose.yml"]),
        (&["docker-compose.yaml"], &["docker-compose.yaml"]),
        (&["compose.yaml", "compose.override.yaml"], &["compose.yaml", "compose.override.yaml"]),
        (&["compose.yml", "compose.override.yml"], &["compose.yml", "compose.override.yml"]),
        (
            &["docker-compose.yml", "docker-compose.override.yml"],
            &["docker-compose.yml", "docker-compose.override.yml"],
        ),
        (&["compose.yaml", "docker-compose.yml"], &["compose.yaml"]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("stack{number}");
        let dir = yard.stack(&name, &scene);
        std::fs::remove_file(dir.join("compose.yaml")).unwrap();
        for file in there {
            std::fs::write(dir.join(file), "services: {}\n").unwrap();
        }
        let seen = shown(&agent, &with("ps", &name, &json!({})));
        let dir = dir.to_str().unwrap();
        let mut expected = vec!["--project-name".to_owned(), name.clone()];
        expected.extend(["--project-directory".to_owned(), dir.to_owned()]);
        expected.extend(used.iter().flat_map(|file| ["-f".to_owned(), format!("{dir}/{file}")]));
        let words: Vec<String> = serde_json::from_value(seen["argv"].clone()).unwrap();
        assert_eq!(words[..words.len() - 3], expected, "{there:?}");
        assert_eq!(words[words.len() - 3..], ["ps", "--format", "json"]);
        assert_eq!(seen["cwd"], json!(dir), "it stands in its stack");
    }
    let empty = yard.stack("empty", &scene);
    std::fs::remove_file(empty.join("compose.yaml")).unwrap();
    let told = tell(&agent, &with("ps", "empty", &json!({})));
    assert!(told.failure().contains("compose.yaml"), "{told:?}");
    let told = tell(&agent, &with("ps", "absent", &json!({})));
    assert!(!told.success && told.output.is_empty(), "{told:?}");
}

#[test]
fn a_stack_may_lie_deeper_and_be_called_otherwise() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("Team_1/shop.v2", &json!([["show"]]));
    let agent = yard.start(&engine);
    let seen = shown(&agent, &with("ps", "shop", &json!({"stackDir": "Team_1/shop.v2"})));
    let dir = dir.to_str().unwrap();
    assert_eq!(
        seen["argv"].as_array().unwrap()[..4],
        [json!("--project-name"), json!("shop"), json!("--project-directory"), json!(dir)]
    );
    assert_eq!(seen["cwd"], json!(dir));
}
