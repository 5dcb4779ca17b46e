//! Orders for compose that are not carried out: malformed, not fit, too large, or not possible here.
use std::path::Path;

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN, request, request_with};
use crate::compose_world::{ROUTE, Yard, names, order, plain, tell, with};
use crate::engine::{Engine, Home};

fn json_request(body: &str) -> String {
    request_with(ROUTE, "Content-Type: application/json\r\n", body)
}

#[test]
fn what_is_not_an_order_is_a_bad_request() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    let mut bodies: Vec<String> = [
        "",
        "{",
        "[]",
        "null",
        "\"up\"",
        "{}{}",
        "{\"operation\":\"up\",\"operation\":\"down\",\"stackName\":\"web\"}",
    ]
    .map(str::to_owned)
    .to_vec();
    for (member, value) in [
        ("operation", json!(1)),
        ("stackName", json!(["web"])),
        ("stackDir", json!(1)),
        ("services", json!("web")),
        ("services", json!([1])),
        ("build", json!("yes")),
        ("forceRecreate", json!(1)),
        ("noDeps", json!({})),
        ("removeVolumes", json!("")),
        ("tail", json!("5")),
        ("tail", json!(1.5)),
        ("timestamps", json!(0)),
        ("envVars", json!([])),
        ("envVars", json!({"A": 1})),
        ("files", json!({"a": {}})),
        ("registryAuth", json!("ghcr.io")),
        ("registryAuth", json!({"server": 1, "username": "a", "password": "b"})),
    ] {
        bodies.push(with("up", "web", &json!({ member: value })).to_string());
    }
    for body in bodies {
        let answer = agent.ask(json_request(&body));
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        let sentence = answer.sentence();
        assert!(sentence.starts_with("invalid request: "), "{body}: {sentence}");
    }
    let body = b"{\"operation\":\"\xff\",\"stackName\":\"web\"}";
    let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let odd = [request(ROUTE, &length).as_bytes(), body].concat();
    assert_eq!(agent.ask(odd).status(), 400);
    assert_eq!(names(&yard.of("web")), ["compose.yaml", "scene.json"]);
    assert!(yard.private().is_empty());
}

#[test]
fn every_order_that_is_not_fit_is_told_why() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "it ran"]]));
    yard.stack("other", &json!([]));
    let agent = yard.start(&engine);
    let long = "a".repeat(64);
    let of = |more: Value| with("up", "web", &more);
    let cases = [
        (json!({"operation": "up"}), "stack name is required".to_owned()),
        (plain("up", ""), "stack name is required".to_owned()),
        (plain("fly", "web"), r#"unsupported compose operation: "fly""#.to_owned()),
        (plain("UP", "web"), r#"unsupported compose operation: "UP""#.to_owned()),
        (plain("", "web"), r#"unsupported compose operation: """#.to_owned()),
        (plain("exec", "web"), r#"unsupported compose operation: "exec""#.to_owned()),
        (plain("up", "Web"), r#"invalid stack name: "Web""#.to_owned()),
        (plain("up", "-web"), r#"invalid stack name: "-web""#.to_owned()),
        (plain("up", "."), r#"invalid stack name: ".""#.to_owned()),
        (plain("up", ".."), r#"invalid stack name: "..""#.to_owned()),
        (plain("up", "../other"), r#"invalid stack name: "../other""#.to_owned()),
        (plain("up", "a/b"), r#"invalid stack name: "a/b""#.to_owned()),
        (plain("up", "a b"), r#"invalid stack name: "a b""#.to_owned()),
        (plain("up", "$(id)"), r#"invalid stack name: "$(id)""#.to_owned()),
        (plain("up", &long), format!(r#"invalid stack name: "{long}""#)),
        (of(json!({"envVars": {"1A": "b"}})), r#"invalid env var key: "1A""#.to_owned()),
        (of(json!({"envVars": {"A-B": "b"}})), r#"invalid env var key: "A-B""#.to_owned()),
        (of(json!({"envVars": {"": "b"}})), r#"invalid env var key: """#.to_owned()),
        (of(json!({"envVars": {"A=B": "b"}})), r#"invalid env var key: "A=B""#.to_owned()),
        (
            of(json!({"envVars": {"A": "b\nC=d"}})),
            r#"env var "A": value contains invalid characters"#.to_owned(),
        ),
        (
            of(json!({"envVars": {"A": "b\r"}})),
            r#"env var "A": value contains invalid characters"#.to_owned(),
        ),
        (
            of(json!({"envVars": {"A": "b\0"}})),
            r#"env var "A": value contains invalid characters"#.to_owned(),
        ),
        (of(json!({"services": ["-x"]})), r#"invalid service name: "-x""#.to_owned()),
        (
            of(json!({"services": ["web", "--privileged"]})),
            r#"invalid service name: "--privileged""#.to_owned(),
        ),
        (of(json!({"services": [""]})), r#"invalid service name: """#.to_owned()),
        (of(json!({"services": ["a;b"]})), r#"invalid service name: "a;b""#.to_owned()),
        (of(json!({"services": ["a b"]})), r#"invalid service name: "a b""#.to_owned()),
        (of(json!({"stackDir": "../other"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "/etc"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "web/../other"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "."})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": ".hidden"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "-x"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "a//b"})), "invalid stack path: ".to_owned()),
        (of(json!({"stackDir": "a/b/c/d/e/f/g/h/i"})), "invalid stack path: ".to_owned()),
        (of(json!({"files": {"../other/compose.yaml": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {"/etc/crontab": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {"a/../../other/x": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {"": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {".": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {"-f": "x"}})), "invalid file path: ".to_owned()),
        (of(json!({"files": {"a\u{0}b": "x"}})), "invalid file path: ".to_owned()),
    ];
    for (body, sentence) in cases {
        let told = tell(&agent, &body);
        assert!(told.failure().starts_with(&sentence), "{body} wants {sentence:?}: {told:?}");
        assert_eq!(told.output, "", "{body}");
    }
    assert_eq!(names(&yard.of("web")), ["compose.yaml", "scene.json"]);
    assert_eq!(names(&yard.path("stacks")), ["other", "web"]);
    assert!(yard.private().is_empty());
}

#[test]
fn no_variable_reaches_the_program_that_could_steer_it() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    for key in [
        "PATH",
        "path",
        "HOME",
        "SHELL",
        "BASH_ENV",
        "ENV",
        "CDPATH",
        "IFS",
        "TMPDIR",
        "LD_PRELOAD",
        "ld_preload",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "DOCKER_HOST",
        "docker_host",
        "DOCKER_CONFIG",
        "DOCKER_ANYTHING",
        "COMPOSE_FILE",
        "Compose_File",
        "COMPOSE_PROJECT_NAME",
        "BUILDX_BUILDER",
        "BUILDKIT_HOST",
        "GIT_SSH_COMMAND",
        "SSH_AUTH_SOCK",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "GODEBUG",
        "HTTP_PROXY",
        "https_proxy",
        "All_Proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        let told = tell(&agent, &with("up", "web", &json!({"envVars": {"GOOD": "1", key: "x"}})));
        assert!(told.failure().starts_with(&format!("env var \"{key}\" is not allowed")), "{key}: {told:?}");
    }
    assert_eq!(names(&yard.of("web")), ["compose.yaml", "scene.json"]);
}

#[test]
fn nothing_is_written_where_one_thing_of_many_is_not_fit() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    let good = json!({"a.txt": "a", "compose.yaml": "changed"});
    let bad = json!({"server": "http://example.com", "username": "a", "password": "b"});
    for more in [
        json!({"files": {"a.txt": "a", "b/../../x": "b"}}),
        json!({"files": {"a.txt": "a", "b.bin": "base64:*"}}),
        json!({"files": good, "envVars": {"PATH": "x"}}),
        json!({"files": good, "services": ["-x"]}),
        json!({"files": good, "registryAuth": bad}),
        json!({"files": good, "registryAuth": [bad]}),
        json!({"files": good, "registryAuth": {"server": "", "username": "a", "password": "b"}}),
        json!({"files": good, "registryAuth": {"server": "a.example", "username": "a:b", "password": "b"}}),
    ] {
        let told = tell(&agent, &with("up", "web", &more));
        assert!(!told.success && told.output.is_empty(), "{more}: {told:?}");
        assert_eq!(names(&yard.of("web")), ["compose.yaml", "scene.json"], "{more}");
    }
    let fly = tell(&agent, &with("fly", "web", &json!({"files": good})));
    assert!(!fly.success);
    let text = std::fs::read_to_string(yard.of("web").join("compose.yaml")).unwrap();
    assert!(text.starts_with("services:"), "{text}");
}

#[test]
fn an_order_may_be_large_and_not_too_large() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let dir = yard.stack("web", &json!([["say", "it ran"]]));
    let agent = yard.start(&engine);
    let most = 32 * 1024 * 1024;
    let mut body = with("up", "web", &json!({"files": {"large.txt": "x".repeat(most - 1024)}})).to_string();
    body.push_str(&" ".repeat(most - body.len()));
    let told = crate::compose_world::Told::of(&agent.ask(json_request(&body)));
    assert_eq!(told.good(), "it ran");
    assert_eq!(std::fs::metadata(dir.join("large.txt")).unwrap().len(), 32 * 1024 * 1024 - 1024);
    body.push(' ');
    let mut client = agent.client();
    // It may be told before it has sent everything.
    let _ = client.try_send(json_request(&body));
    assert_eq!(client.head().status(), 413);
    let mut client = agent.client();
    client.send(request(ROUTE, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"));
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1024 * 1024], b"\r\n".to_vec()].concat();
    let sent = (0..40).take_while(|_| client.try_send(&chunk).is_ok()).count();
    assert!(sent >= 32, "it was refused after {sent} MiB");
    assert_eq!(client.head().status(), 413);
}

#[test]
fn the_route_takes_posts_of_those_who_may() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "it ran"]]));
    let agent = Agent::start_with(&engine, &yard.with(&[("TOKEN_ALLOW", "view,power,create")]));
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = agent.ask(request(&format!("{method} /_lookout/compose"), ""));
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.head.value("allow"), Some("POST"), "{method}");
    }
    let answer = agent.ask(order(&plain("up", "web")));
    assert_eq!((answer.status(), answer.sentence().as_str()), (403, "lookout: TOKEN lacks class compose"));
    let without = order(&plain("up", "web")).replace(TOKEN, "another-token-0123456789abcdef");
    assert_eq!(agent.ask(without).status(), 401);
    agent.stop();
    assert!(engine.settle().is_empty(), "the Engine was asked");
}

#[test]
fn without_a_directory_of_stacks_every_order_is_told_so() {
    assert!(!Path::new("/data/stacks").exists(), "this test needs a machine without /data/stacks");
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let home = yard.path("home");
    let agent = Agent::start_with(&engine, &[("HOME", home.to_str().unwrap())]);
    let answer = agent.ask(order(&plain("ps", "web")));
    assert_eq!(answer.status(), 503, "{}", answer.text());
    assert!(answer.sentence().contains("STACKS_DIR"), "{}", answer.text());
    assert_eq!(agent.ask(request("GET /containers/json", "")).status(), 200, "and nothing else is");
}

/// Hides every compose of this machine from what it then becomes.
const HIDE: &str = r#"for found in /usr/local/lib/docker/cli-plugins /usr/local/libexec/docker/cli-plugins \
    /usr/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins /usr/local/bin /usr/bin /bin; do
  if [ -e "$found/docker-compose" ]; then mount --bind /dev/null "$found/docker-compose" || exit 75; fi
done
exec "$@""#;

#[test]
fn without_a_program_every_order_is_told_so() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([]));
    std::fs::remove_file(yard.path("home/.docker/cli-plugins/docker-compose")).unwrap();
    let socket = engine.path().to_str().unwrap();
    let variables = yard.with(&[("TOKEN", TOKEN), ("DOCKER_SOCKET", socket)]);
    let hidden = ["unshare", "--mount", "/bin/sh", "-c", HIDE, "sh"];
    let agent = Agent::start_or_end(&hidden, &variables).unwrap_or_else(|ended| {
        panic!("hiding a program takes `unshare --mount`: run this as root, or in a container with CAP_SYS_ADMIN \
                ({:?}: {})", ended.code, ended.words())
    });
    let answer = agent.ask(order(&plain("ps", "web")));
    assert_eq!(answer.status(), 503, "{}", answer.text());
    assert!(answer.sentence().contains("compose"), "{}", answer.text());
    assert_eq!(agent.ask(request("GET /containers/json", "")).status(), 200, "and nothing else is");
}

#[test]
fn a_directory_of_stacks_that_cannot_be_used_ends_the_start() {
    let (yard, home, engine) = (Yard::new(), Home::new(), Engine::obliging());
    let file = crate::signer::file(&home, "file", "");
    let absent = home.path("absent");
    let open = home.path("open");
    std::fs::create_dir(&open).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&open, mode).unwrap();
    let socket = engine.path().to_str().unwrap();
    for value in [file.as_str(), absent.to_str().unwrap(), open.to_str().unwrap(), "stacks", "./stacks"] {
        let variables = yard.with(&[("TOKEN", TOKEN), ("DOCKER_SOCKET", socket), ("STACKS_DIR", value)]);
        let ended =
            Agent::start_or_end(&[], &variables).err().unwrap_or_else(|| panic!("it started: {value}"));
        assert_eq!(ended.code, Some(78), "{value}: {}", ended.words());
        assert!(ended.words().contains("STACKS_DIR"), "{value}: {}", ended.words());
    }
    for (name, value) in [("COMPOSE_TIMEOUT", "0"), ("COMPOSE_TIMEOUT", "86401"), ("RUNTIME_DIR", "run")] {
        let variables = yard.with(&[("TOKEN", TOKEN), ("DOCKER_SOCKET", socket), (name, value)]);
        let ended = Agent::start_or_end(&[], &variables)
            .err()
            .unwrap_or_else(|| panic!("it started: {name}={value}"));
        assert_eq!(ended.code, Some(78), "{name}: {}", ended.words());
        assert!(ended.words().contains(name), "{name}: {}", ended.words());
    }
}
