//! The exact arguments of every operation, for both generations.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::*;

const GLOBALS: &str =
    "--project-name web --project-directory /s/web -f /s/web/compose.yaml -f /s/web/compose.override.yaml ";

/// What is run for the members of an order, without what is the same for all.
fn run(generation: Generation, members: &str) -> Result<String, Invalid> {
    let body = format!(r#"{{"stackName":"web",{members}}}"#);
    let Ok(order) = Order::parse(body.as_bytes()) else { panic!("{members}") };
    let files = ["/s/web/compose.yaml", "/s/web/compose.override.yaml"].map(PathBuf::from);
    let sources = Sources { dir: Path::new("/s/web"), files: &files, env_file: None };
    let words = arguments(&order, generation, &sources)?;
    let line = words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    Ok(line.strip_prefix(GLOBALS).unwrap_or_else(|| panic!("{line}")).to_owned())
}

/// Every member that changes something, and services.
const ALL: &str = r#""services":["a","b.c"],"build":true,"forceRecreate":true,"noDeps":true,"removeVolumes":true,
    "tail":5,"timestamps":true,"follow":true,"all":true,"timeout":7,"noCache":true,"pullBases":true,"stopFirst":true,
    "quiet":true,"format":"yaml""#;

#[test]
fn the_later_generation_is_asked_so() {
    for (operation, plain, full) in [
        (
            "up",
            "up -d --remove-orphans",
            "up -d --remove-orphans --build --force-recreate --no-deps -- a b.c",
        ),
        (
            "create",
            "up --no-start --remove-orphans",
            "up --no-start --remove-orphans --build --force-recreate --no-deps -- a b.c",
        ),
        ("down", "down --remove-orphans", "down --remove-orphans --volumes -t 7 -- a b.c"),
        ("pull", "pull", "pull -- a b.c"),
        ("build", "build", "build --no-cache --pull -- a b.c"),
        ("restart", "restart", "restart -t 7 -- a b.c"),
        ("stop", "stop", "stop -t 7 -- a b.c"),
        ("start", "start", "start -- a b.c"),
        ("rm", "rm --force", "rm --force --stop -v -- a b.c"),
        ("ps", "ps --format json", "ps --format json -a -- a b.c"),
        ("logs", "logs --no-color", "logs --no-color --tail 5 --timestamps --follow -- a b.c"),
        ("config", "config", "config --quiet --format yaml"),
        ("images", "images --format json", "images --format json -- a b.c"),
        ("top", "top", "top -- a b.c"),
        ("stats", "stats --no-stream --format json", "stats --no-stream --format json -- a b.c"),
    ] {
        let named = format!(r#""operation":"{operation}""#);
        assert_eq!(run(Generation::Two, &named).unwrap(), plain);
        assert_eq!(run(Generation::Two, &format!("{named},{ALL}")).unwrap(), full);
    }
}

#[test]
fn the_first_generation_is_asked_so() {
    for (operation, plain, full) in [
        (
            "up",
            "up -d --remove-orphans",
            "up -d --remove-orphans --build --force-recreate --no-deps -- a b.c",
        ),
        (
            "create",
            "up --no-start --remove-orphans",
            "up --no-start --remove-orphans --build --force-recreate --no-deps -- a b.c",
        ),
        ("pull", "pull", "pull -- a b.c"),
        ("build", "build", "build --no-cache --pull -- a b.c"),
        ("restart", "restart", "restart -t 7 -- a b.c"),
        ("stop", "stop", "stop -t 7 -- a b.c"),
        // It would look for a service called `--`.
        ("start", "start", "start a b.c"),
        ("rm", "rm --force", "rm --force --stop -v -- a b.c"),
        ("ps", "ps", "ps -a -- a b.c"),
        ("logs", "logs --no-color", "logs --no-color --tail 5 --timestamps --follow -- a b.c"),
        ("config", "config", "config --quiet"),
        ("images", "images", "images -- a b.c"),
        ("top", "top", "top a b.c"),
    ] {
        let named = format!(r#""operation":"{operation}""#);
        assert_eq!(run(Generation::One, &named).unwrap(), plain);
        assert_eq!(run(Generation::One, &format!("{named},{ALL}")).unwrap(), full);
    }
    assert_eq!(
        run(Generation::One, r#""operation":"down","removeVolumes":true,"timeout":0"#).unwrap(),
        "down --remove-orphans --volumes -t 0"
    );
}

#[test]
fn what_the_first_generation_cannot_do_is_said() {
    for (members, what) in [
        (r#""operation":"stats""#, "stats"),
        (r#""operation":"config","format":"json""#, "a configuration as JSON"),
        (r#""operation":"down","services":["a"]"#, "down of single services"),
    ] {
        assert_eq!(run(Generation::One, members), Err(Invalid::NeedsTwo(what)));
        assert!(run(Generation::Two, members).is_ok());
    }
}

#[test]
fn each_operation_has_one_name_and_no_other_is_known() {
    for operation in Operation::EVERY {
        assert_eq!(Operation::parse(operation.name()), Ok(operation));
    }
    for unknown in ["", "UP", "Up", "up ", "exec", "run", "kill", "--help", "version", "up\0"] {
        assert_eq!(Operation::parse(unknown), Err(Invalid::Operation(unknown.to_owned())));
    }
}

#[test]
fn what_only_reads_never_builds_and_stops_nothing() {
    let names = |is: fn(Operation) -> bool| {
        Operation::EVERY
            .into_iter()
            .filter(|operation| is(*operation))
            .map(Operation::name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Operation::only_reads), ["ps", "logs", "config", "images", "top", "stats"]);
    assert_eq!(names(Operation::may_build), ["up", "create", "build"]);
    assert_eq!(names(Operation::stops), ["down", "restart", "stop"]);
}

#[test]
fn the_file_of_variables_goes_where_it_is_there() {
    let Ok(order) = Order::parse(br#"{"operation":"ps","stackName":"web","stackDir":"team/web"}"#) else {
        panic!("it is an order");
    };
    let files = [PathBuf::from("/s/team/web/compose.yml")];
    let env_file = Some(Path::new("/s/team/web/.env.drydock"));
    let sources = Sources { dir: Path::new("/s/team/web"), files: &files, env_file };
    let words = arguments(&order, Generation::Two, &sources).unwrap();
    let expected = [
        "--project-name",
        "web",
        "--project-directory",
        "/s/team/web",
        "-f",
        "/s/team/web/compose.yml",
        "--env-file",
        "/s/team/web/.env.drydock",
        "ps",
        "--format",
        "json",
    ];
    assert_eq!(words, expected.map(OsString::from));
}
