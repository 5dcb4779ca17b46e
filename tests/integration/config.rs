//! The command line: refusals told all at once, and the subcommands that need no server.
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use crate::agent::{Agent, Ended, TOKEN, VERSION, free_port, run};
use crate::engine::{Engine, Home};

/// Refused at start, with nothing bound.
fn refused(variables: &[(&str, &str)]) -> Ended {
    let ended = run(&[], variables);
    assert_eq!(ended.code, Some(78), "{variables:?}: {}", ended.words());
    assert!(!ended.words().contains("server.listening"), "{variables:?}: {}", ended.words());
    ended
}

#[test]
fn without_a_credential_it_does_not_start() {
    let port = free_port().to_string();
    let ended = refused(&[("PORT", &port)]);
    for name in ["TOKEN", "TOKEN_FILE", "ALLOW_UNAUTHENTICATED"] {
        assert!(ended.words().contains(name), "{name} is a way out: {}", ended.words());
    }
    let port: u16 = port.parse().unwrap();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "something listens on {port}");
    assert_eq!(run(&["serve"], &[]).code, Some(78), "the same by its name");
}

#[test]
fn all_problems_are_told_at_once() {
    let home = Home::new();
    let missing = home.path("missing").to_str().unwrap().to_owned();
    let problems = [
        ("PORT", "abc"),
        ("BIND_ADDRESS", "nowhere at all"),
        ("REQUEST_TIMEOUT", "-1"),
        ("CONNECTIONS_MAX", "0"),
        ("LOG_LEVEL", "loud"),
        ("ALLOW_UNAUTHENTICATED", "maybe"),
        ("ALLOW_NON_LOOPBACK", "perhaps"),
        ("DOCKER_HOST", "ftp://somewhere"),
        ("TOKEN_FILE", &missing),
        ("TLS_CERT", &missing),
    ];
    let ended = refused(&problems);
    for (name, _) in problems {
        let words = ended.words();
        let line = words.lines().find(|line| line.contains(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not named: {words}"));
        assert!(line.split_whitespace().count() > 3, "no remedy for {name}: {line}");
    }
}

#[test]
fn a_value_that_is_none_is_refused() {
    let home = Home::new();
    let missing = home.path("missing").to_str().unwrap().to_owned();
    for (name, value) in [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "+3000"),
        ("PORT", "3000 "),
        ("PORT", "0x10"),
        ("BIND_ADDRESS", "127.0.0.1:3000"),
        ("BIND_ADDRESS", "256.0.0.1"),
        ("BIND_ADDRESS", "[::1"),
        ("REQUEST_TIMEOUT", "soon"),
        ("REQUEST_TIMEOUT", "0"),
        ("REQUEST_TIMEOUT", "1.5"),
        ("REQUEST_TIMEOUT", "99999999999999999999"),
        ("CONNECTIONS_MAX", "-1"),
        ("CONNECTIONS_MAX", "many"),
        ("LOG_LEVEL", "verbose"),
        ("ALLOW_NON_LOOPBACK", "2"),
        ("DOCKER_HOST", "http//a"),
        ("DOCKER_HOST", "tcp://"),
        ("TLS_CERT", &missing),
        ("TLS_KEY", &missing),
    ] {
        let ended = refused(&[("TOKEN", TOKEN), (name, value)]);
        assert!(ended.words().contains(name), "{name}={value}: {}", ended.words());
        assert!(!ended.words().contains(TOKEN), "{name}={value}: {}", ended.words());
    }
}

#[test]
fn words_for_yes_and_no_are_understood_in_any_case() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    for word in ["1", "true", "YES", "On", "0", "False", "no", "off"] {
        Agent::start_at(&socket, &[("ALLOW_NON_LOOPBACK", word)]).stop();
    }
}

#[test]
fn version_needs_nothing() {
    let ended = run(&["version"], &[("PORT", "nonsense")]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.words());
    assert!(ended.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", ended.stdout);
}

#[test]
fn a_build_that_is_no_release_says_so() {
    for words in ["version", "--version"] {
        assert_eq!(run(&[words], &[]).stdout.trim_start_matches("lookout ").trim_end(), VERSION, "{words}");
    }
}

#[test]
fn help_goes_to_whom_asks_and_usage_to_whom_errs() {
    let help = run(&["--help"], &[]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{}", help.words());
    for name in ["serve", "version", "healthcheck", "config", "routes"] {
        assert!(help.stdout.contains(name), "{name}: {}", help.stdout);
    }
    for arguments in
        [&["--nonsense"][..], &["nonsense"], &["serve", "nonsense"], &["version", "--nonsense"], &[""]]
    {
        let ended = run(arguments, &[("TOKEN", TOKEN)]);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {}", ended.words());
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(ended.stderr.to_lowercase().contains("usage"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn routes_need_no_configuration() {
    let ended = run(&["routes"], &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.words());
    for path in ["/health", "/ready", "/_lookout/health"] {
        assert!(ended.stdout.contains(path), "{path}: {}", ended.stdout);
    }
}

#[test]
fn the_health_check_says_whether_the_agent_lives() {
    let home = Home::new();
    // Without an Engine: it is the agent whose life is asked for.
    let agent = Agent::start_at(&home.path("docker.sock"), &[]);
    let port = agent.port().to_string();
    let alive = run(&["healthcheck"], &[("PORT", &port)]);
    assert_eq!(alive.code, Some(0), "{}", alive.words());
    let alive = run(&["healthcheck"], &[("PORT", &port), ("TOKEN", TOKEN), ("BIND_ADDRESS", "")]);
    assert_eq!(alive.code, Some(0), "bound to all, asked on this machine: {}", alive.words());
    agent.stop();
    assert_eq!(run(&["healthcheck"], &[("PORT", &port)]).code, Some(1));
}

#[test]
fn the_health_check_is_not_fooled() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    assert_eq!(run(&["healthcheck"], &[("PORT", &port)]).code, Some(1), "someone who says nothing");
    let other = std::thread::spawn(move || {
        let (mut stream, _) = silent.accept().unwrap();
        // The first is the check above, which has gone.
        drop(stream);
        stream = silent.accept().unwrap().0;
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    });
    assert_eq!(run(&["healthcheck"], &[("PORT", &port)]).code, Some(1), "someone else");
    other.join().unwrap().unwrap();
}

#[test]
fn an_explained_configuration_shows_everything_but_secrets() {
    let home = Home::new();
    let socket = home.path("a.sock");
    let secret = "another-secret-0123456789";
    let variables = [
        ("PORT", ""),
        ("TOKEN", TOKEN),
        ("DD_AGENT_SECRET", secret),
        ("DOCKER_SOCKET", socket.to_str().unwrap()),
        ("REQUEST_TIMEOUT", "77"),
    ];
    let ended = run(&["config", "--explain"], &variables);
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    assert!(!ended.words().contains(TOKEN) && !ended.words().contains(secret), "{}", ended.words());
    for name in [
        "PORT",
        "BIND_ADDRESS",
        "TOKEN",
        "TOKEN_FILE",
        "DD_AGENT_SECRET",
        "DD_AGENT_SECRET_FILE",
        "DOCKER_SOCKET",
        "DOCKER_HOST",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "REQUEST_TIMEOUT",
        "TLS_CERT",
        "TLS_KEY",
        "ALLOWED_ORIGINS",
        "CONNECTIONS_MAX",
        "LOG_LEVEL",
        "ALLOW_NON_LOOPBACK",
        "ALLOW_UNAUTHENTICATED",
        "ALLOW_UNAUTHENTICATED_REMOTE",
        "LOOKOUT_ENV",
        "ALLOW_IN_ENVIRONMENTS",
        "ALLOW_IN_PRODUCTION",
    ] {
        assert!(ended.stdout.contains(name), "{name} is missing: {}", ended.stdout);
    }
    for value in ["3000", "77", socket.to_str().unwrap(), "Development"] {
        assert!(ended.stdout.contains(value), "{value} is missing: {}", ended.stdout);
    }
}

#[test]
fn the_engine_is_found_by_either_variable() {
    let engine = Engine::obliging();
    let path = engine.path().to_str().unwrap();
    let home = Home::new();
    let other = home.path("other.sock");
    let _never = UnixListener::bind(&other).unwrap();
    let (url, wrong) = (format!("unix://{path}"), format!("unix://{}", other.to_str().unwrap()));
    for variables in [
        vec![("DOCKER_SOCKET", path)],
        vec![("DOCKER_SOCKET", url.as_str())],
        vec![("DOCKER_HOST", url.as_str())],
        vec![("DOCKER_SOCKET", path), ("DOCKER_HOST", wrong.as_str())],
        vec![("DOCKER_SOCKET", ""), ("DOCKER_HOST", url.as_str())],
    ] {
        let agent = Agent::start_alone(&[variables.as_slice(), &[("TOKEN", TOKEN)]].concat());
        let answer = agent.ask(crate::agent::request("GET /a", ""));
        assert_eq!(answer.status(), 200, "{variables:?}");
    }
}
