//! What the environment may say: the guard of dangerous switches, empty values, secrets in files.
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::agent::{Agent, TOKEN};
use crate::engine::{Engine, Home};

/// An address that is beyond loopback and belongs to nobody: whoever gets as far as binding it fails there.
const BEYOND: &str = "192.0.2.1";

const OPEN: (&str, &str) = ("ALLOW_UNAUTHENTICATED", "true");
const REMOTE: (&str, &str) = ("ALLOW_UNAUTHENTICATED_REMOTE", "true");
const DEVELOPMENT: (&str, &str) = ("LOOKOUT_ENV", "Development");
const PRODUCTION: (&str, &str) = ("LOOKOUT_ENV", "Production");
const STAGING: (&str, &str) = ("LOOKOUT_ENV", "Staging");
const STAGING_ALLOWED: (&str, &str) = ("ALLOW_IN_ENVIRONMENTS", "Staging");
const BOTH_ALLOWED: (&str, &str) = ("ALLOW_IN_ENVIRONMENTS", "Development, Staging");
const PRODUCTION_ALLOWED: (&str, &str) = ("ALLOW_IN_PRODUCTION", "true");

/// What must be said by the refusal.
type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const REFUSED: &[Row] = &[
    (&[], &["ALLOW_UNAUTHENTICATED"]),
    (&[DEVELOPMENT], &["ALLOW_UNAUTHENTICATED"]),
    (&[DEVELOPMENT, REMOTE], &["ALLOW_UNAUTHENTICATED"]),
    (&[DEVELOPMENT, ("ALLOW_UNAUTHENTICATED", "false")], &["TOKEN"]),
    (&[DEVELOPMENT, ("ALLOW_UNAUTHENTICATED", "")], &["TOKEN"]),
    (&[OPEN], &["LOOKOUT_ENV"]),
    (&[OPEN, ("LOOKOUT_ENV", "")], &["LOOKOUT_ENV"]),
    (&[OPEN, PRODUCTION], &["Production", "ALLOW_IN_ENVIRONMENTS", "ALLOW_IN_PRODUCTION"]),
    (&[OPEN, STAGING], &["Staging", "ALLOW_IN_ENVIRONMENTS"]),
    (&[OPEN, DEVELOPMENT, STAGING_ALLOWED], &["Development", "ALLOW_IN_ENVIRONMENTS"]),
    (&[OPEN, PRODUCTION, ("ALLOW_IN_PRODUCTION", "false")], &["Production"]),
    (&[OPEN, DEVELOPMENT, ("BIND_ADDRESS", BEYOND)], &["ALLOW_UNAUTHENTICATED_REMOTE"]),
    (&[OPEN, DEVELOPMENT, ("BIND_ADDRESS", "")], &["ALLOW_UNAUTHENTICATED_REMOTE"]),
    (&[OPEN, DEVELOPMENT, ("BIND_ADDRESS", "::")], &["ALLOW_UNAUTHENTICATED_REMOTE"]),
    (&[OPEN, PRODUCTION, PRODUCTION_ALLOWED, ("BIND_ADDRESS", BEYOND)], &["ALLOW_UNAUTHENTICATED_REMOTE"]),
    (&[OPEN, REMOTE, PRODUCTION, ("BIND_ADDRESS", BEYOND)], &["Production"]),
];

const STARTED: &[&[(&str, &str)]] = &[
    &[OPEN, DEVELOPMENT],
    &[OPEN, DEVELOPMENT, ("BIND_ADDRESS", "localhost")],
    &[OPEN, DEVELOPMENT, ("BIND_ADDRESS", "127.0.0.2")],
    &[OPEN, REMOTE, DEVELOPMENT],
    &[OPEN, STAGING, STAGING_ALLOWED],
    &[OPEN, STAGING, BOTH_ALLOWED],
    &[OPEN, DEVELOPMENT, BOTH_ALLOWED],
    &[OPEN, PRODUCTION, PRODUCTION_ALLOWED],
];

#[test]
fn nobody_is_served_without_a_credential_by_mistake() {
    for (variables, words) in REFUSED {
        let Err(ended) = Agent::start_or_end(&[], variables) else { panic!("{variables:?} was started") };
        assert_eq!(ended.code, Some(78), "{variables:?}: {}", ended.words());
        for word in *words {
            assert!(ended.words().contains(word), "{variables:?} without the word {word}: {}", ended.words());
        }
    }
}

#[test]
fn who_insists_is_served_without_a_credential_and_warned_at_every_start() {
    let engine = Engine::obliging();
    for variables in STARTED {
        let socket = [("DOCKER_SOCKET", engine.path().to_str().unwrap())];
        let agent = Agent::start_alone(&[variables, socket.as_slice()].concat());
        if !variables.contains(&("BIND_ADDRESS", "127.0.0.2")) {
            assert_eq!(agent.ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200, "{variables:?}");
        }
        let stopped = agent.stop();
        let warned = stopped
            .stdout
            .lines()
            .any(|line| line.contains("\"level\":\"WARN\"") && line.contains("nauthenticated"));
        assert!(warned, "{variables:?}: {}", stopped.words());
        if variables.contains(&PRODUCTION_ALLOWED) {
            let named = |line: &str| line.contains("WARN") && line.contains("ALLOW_IN_PRODUCTION");
            assert!(stopped.stdout.lines().any(named), "{variables:?}: {}", stopped.words());
        }
    }
}

#[test]
fn both_acknowledgements_are_enough_beyond_loopback() {
    let variables = [OPEN, REMOTE, DEVELOPMENT, ("BIND_ADDRESS", BEYOND)];
    let Err(ended) = Agent::start_or_end(&[], &variables) else { panic!("{BEYOND} belongs to this machine") };
    assert!(ended.words().contains(BEYOND), "it got as far as binding: {}", ended.words());
    assert_ne!(ended.code, Some(0));
}

#[test]
fn a_credential_is_checked_even_where_none_is_needed() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[OPEN, DEVELOPMENT]);
    assert_eq!(agent.ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status(), 401);
}

#[test]
fn empty_means_unset() {
    let home = Home::new();
    let file = home.path("token");
    secret_file(&file, format!("{TOKEN}\n").as_bytes(), 0o600);
    let engine = Engine::obliging();
    let empty = [
        "TOKEN",
        "DD_AGENT_SECRET",
        "DD_AGENT_SECRET_FILE",
        "REQUEST_TIMEOUT",
        "LOG_LEVEL",
        "TLS_CERT",
        "TLS_KEY",
    ];
    let more = ["ALLOWED_ORIGINS", "CONNECTIONS_MAX", "DOCKER_HOST", "ALLOW_UNAUTHENTICATED", "LOOKOUT_ENV"];
    let mut variables: Vec<_> = empty.iter().chain(&more).map(|name| (*name, "")).collect();
    variables.push(("TOKEN_FILE", file.to_str().unwrap()));
    variables.push(("DOCKER_SOCKET", engine.path().to_str().unwrap()));
    let agent = Agent::start_alone(&variables);
    assert_eq!(agent.ask(crate::agent::request("GET /a", "")).status(), 200);
    assert_eq!(agent.ask("GET /a HTTP/1.1\r\nHost: a\r\nX-Lookout-Token: \r\n\r\n").status(), 401);
}

fn secret_file(path: &PathBuf, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_in_a_private_file_is_read_without_its_line_end() {
    let home = Home::new();
    let engine = Engine::obliging();
    for (name, header) in [("TOKEN_FILE", "X-Lookout-Token"), ("DD_AGENT_SECRET_FILE", "X-Dd-Agent-Secret")] {
        for (content, mode) in [(TOKEN.to_owned(), 0o600), (format!("  {TOKEN}\r\n\n"), 0o400)] {
            let file = home.path("secret");
            let _ = fs::remove_file(&file);
            secret_file(&file, content.as_bytes(), mode);
            let socket = engine.path().to_str().unwrap();
            let agent = Agent::start_alone(&[(name, file.to_str().unwrap()), ("DOCKER_SOCKET", socket)]);
            let answer = agent.ask(format!("GET /a HTTP/1.1\r\nHost: a\r\n{header}: {TOKEN}\r\n\r\n"));
            assert_eq!(answer.status(), 200, "{name} with {content:?}");
            let stopped = agent.stop();
            assert!(!stopped.words().contains(TOKEN), "{}", stopped.words());
        }
    }
}

#[test]
fn a_secret_in_a_file_that_is_not_private_is_refused() {
    let home = Home::new();
    let content = TOKEN.as_bytes();
    let named = |name: &str, content: &[u8], mode: u32| {
        let path = home.path(name);
        secret_file(&path, content, mode);
        path
    };
    let pipe = home.path("pipe");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().expect("mkfifo").success());
    let directory = home.path("directory");
    fs::create_dir(&directory).unwrap();
    let cases = [
        ("missing", home.path("missing")),
        ("empty", named("empty", b"", 0o600)),
        ("blank", named("blank", b" \n\t\r\n", 0o600)),
        ("a directory", directory),
        ("a pipe", pipe),
        ("a device", PathBuf::from("/dev/zero")),
        ("writable by all", named("writable", content, 0o602)),
        ("writable by its group", named("shared", content, 0o620)),
        ("huge", named("huge", &vec![b'a'; 4 * 1024 * 1024], 0o600)),
        ("not text", named("binary", b"\xff\xfe\x00\x01abcdefghijklmnop", 0o600)),
        ("two lines", named("lines", b"first-line-0123456789\nsecond-line", 0o600)),
    ];
    for (what, path) in cases {
        for name in ["TOKEN_FILE", "DD_AGENT_SECRET_FILE"] {
            let path = path.to_str().unwrap();
            let Err(ended) = Agent::start_or_end(&[], &[(name, path)]) else {
                panic!("{name}: {what} was taken")
            };
            assert_eq!(ended.code, Some(78), "{name}: {what}: {}", ended.words());
            assert!(ended.words().contains(name), "{name}: {what}: {}", ended.words());
            assert!(!ended.words().contains(TOKEN), "{name}: {what}: {}", ended.words());
        }
    }
}

/// Orchestrators mount secrets readable by all, into a container that holds one user.
#[test]
fn a_secret_in_a_file_that_all_can_read_is_warned_of() {
    let home = Home::new();
    let file = home.path("secret");
    secret_file(&file, TOKEN.as_bytes(), 0o644);
    let engine = Engine::obliging();
    let (file, socket) = (file.to_str().unwrap(), engine.path().to_str().unwrap());
    let agent = Agent::start_alone(&[("TOKEN_FILE", file), ("DOCKER_SOCKET", socket)]);
    let stopped = agent.stop();
    let named = |line: &str| {
        line.contains("\"level\":\"WARN\"") && line.contains("TOKEN_FILE") && line.contains("0644")
    };
    assert!(stopped.stdout.lines().any(named), "{}", stopped.words());
}

#[test]
fn a_weak_credential_is_warned_of_and_not_repeated() {
    let home = Home::new();
    for weak in ["short-one", "your-secret-token"] {
        let agent = Agent::start_at(&home.path("docker.sock"), &[("TOKEN", weak)]);
        let stopped = agent.stop();
        let warned =
            stopped.stdout.lines().any(|line| line.contains("\"level\":\"WARN\"") && line.contains("TOKEN"));
        assert!(warned, "{weak}: {}", stopped.words());
        assert!(!stopped.words().contains(weak), "{}", stopped.words());
    }
}
