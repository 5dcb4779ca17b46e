//! What is never written down: credentials, bodies, query strings, in any log at any level.
use std::fs;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use crate::agent::{Agent, TOKEN, request, request_with};
use crate::engine::{Engine, Home, OK};
use crate::signer::file;

const SECRETS: &[&str] = &[
    TOKEN,
    "wrong-credential",
    "basic-credential",
    "cookie-credential",
    "registry-credential",
    "signature-credential",
    "query-value",
    "body-value",
    "header-value",
    "trailer-value",
    "answer-value",
    "stream-value",
    "refused-value",
];

/// Every kind of exchange once, with a secret in every place.
fn say_them_all(agent: &Agent) {
    let fields = "Cookie: a=cookie-credential\r\nProxy-Authorization: Basic basic-credential\r\n\
                  X-Registry-Auth: registry-credential\r\nX-Lookout-Signature: signature-credential\r\n\
                  X-Other: header-value\r\n";
    assert_eq!(agent.ask(request_with("POST /build?a=query-value", fields, "body-value")).status(), 200);
    let chunked = request("POST /a?a=query-value", "Transfer-Encoding: chunked\r\n");
    let chunked = chunked + "a\r\nbody-value\r\n0\r\nX-A: trailer-value\r\n\r\n";
    assert_eq!(agent.ask(chunked).status(), 200);
    for place in ["Authorization: Bearer", "Authorization: Basic", "X-Lookout-Token:", "X-Dd-Agent-Secret:"] {
        let line = "GET /containers/json?a=query-value HTTP/1.1\r\nHost: header-value\r\n";
        assert_eq!(agent.ask(format!("{line}{place} wrong-credential\r\n\r\n")).status(), 401);
    }
    for (text, status) in [
        (request("GET /a?token=query-value", ""), 400),
        (request("GET /a?a=query-value", "Origin: http://header-value\r\n"), 403),
        (request("GET /a?a=query-value", "refused-value\r\n"), 400),
        (request("GET /a?a=query-value", "Content-Length: refused-value\r\n"), 400),
        (request("POST /a?a=query-value", "Transfer-Encoding: refused-value\r\n"), 501),
        (request_with("POST /a?a=query-value", "Content-Type: multipart/refused-value\r\n", "x"), 415),
        (request("GET //a?a=query-value", ""), 400),
        (request("GET /_lookout/a?a=query-value", ""), 404),
        (request("POST /health?a=query-value", ""), 405),
    ] {
        assert_eq!(agent.ask(&text).status(), status, "{text}");
    }
    let mut client = agent.client();
    client.send(
        request("POST /upgrade?a=query-value", "Connection: Upgrade\r\nUpgrade: tcp\r\n") + "stream-value",
    );
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.take(12), b"stream-value");
    let mut client = agent.client();
    client.send(request("GET /cut?a=query-value", ""));
    if let Ok(head) = client.wire().head() {
        assert!(client.body(head.length()).is_err());
    }
    assert_eq!(agent.ask(request("GET /garbage?a=query-value", "")).status(), 502);
}

fn engine() -> Engine {
    Engine::start(|visit| {
        while let Some(message) = visit.request() {
            match message.head.target().split('?').next() {
                Some("/upgrade") => {
                    visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
                    let bytes = visit.take(12);
                    return visit.send(bytes);
                }
                Some("/cut") => {
                    return visit.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nanswer-value");
                }
                Some("/garbage") => return visit.send("answer-value answer-value\r\n\r\n"),
                _ => visit.send(OK.replace("OK\r\n", "OK\r\nX-A: answer-value\r\n")),
            }
        }
    })
}

#[test]
fn no_secret_reaches_the_log() {
    for level in ["debug", "DEBUG", "info"] {
        let engine = engine();
        let agent = Agent::start_with(&engine, &[("LOG_LEVEL", level)]);
        say_them_all(&agent);
        let stopped = agent.stop();
        for secret in SECRETS {
            assert!(!stopped.words().contains(secret), "{secret} at {level}: {}", stopped.words());
        }
    }
}

#[test]
fn no_secret_of_the_configuration_reaches_the_log() {
    let home = Home::new();
    let agent =
        Agent::start_at(&home.path("docker.sock"), &[("DD_AGENT_SECRET", "another-secret-0123456789")]);
    let stopped = agent.stop();
    assert!(!stopped.words().contains("another-secret"), "{}", stopped.words());
    assert!(!stopped.words().contains(TOKEN), "{}", stopped.words());
}

#[test]
fn every_line_of_the_log_is_one_object_whatever_a_stranger_sends() {
    let engine = engine();
    let agent = Agent::start(&engine);
    for text in [
        request("GET /%22%7D%0d%0a%7B", ""),
        request("GET /a\"}{\"", ""),
        request("BREW\u{7f}\"}\x1b[31m /a", ""),
        request("GET /a", "X-A: \"}\x1b[31m\r\n"),
        "GET /a HTTP/1.1\r\nHost: \"}{\r\nX-Lookout-Token: \"}\u{85}{\r\n\r\n".to_owned(),
    ] {
        let mut client = agent.client();
        client.send(text);
        let _ = client.wire().head();
    }
    let stopped = agent.stop();
    assert!(stopped.stdout.lines().count() > 0);
    for line in stopped.stdout.lines() {
        let whole = line.starts_with("{\"time\":\"") && line.ends_with('}') && line.contains("\"level\":\"");
        assert!(whole && line.contains("\"msg\":\""), "not a line of the log: {line:?}");
        assert!(!line.contains(|c: char| c.is_control()), "a control character in {line:?}");
        assert!(balanced(line), "not one object: {line:?}");
    }
    assert_eq!(stopped.stderr, "", "the log is on stdout");
}

/// Whether the object that begins this line ends it: strings closed, braces matched, nothing after.
fn balanced(line: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match (quoted, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => quoted = !quoted,
            (false, _, b'{' | b'[') => depth += 1,
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !quoted {
            return at + 1 == line.len();
        }
    }
    false
}

/// Whether a process holds these bytes anywhere that can be written to.
fn holds(pid: u32, wanted: &[u8]) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let writable =
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")));
    writable.into_iter().any(|line| {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).unwrap()];
        // Some pages cannot be read by anybody.
        memory.read_exact_at(&mut bytes, number(from)).is_ok()
            && bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

#[test]
fn of_a_token_only_its_digest_stays_in_memory() {
    let (home, engine) = (Home::new(), engine());
    let token = "a-token-that-nobody-presents-0123456789";
    let path = file(&home, "token", token);
    let socket = engine.path().to_str().unwrap();
    let agent = Agent::start_alone(&[("TOKEN_FILE", &path), ("DOCKER_SOCKET", socket)]);
    assert!(holds(agent.pid(), &Sha256::digest(token)), "what is looked for would be found");
    assert!(!holds(agent.pid(), token.as_bytes()), "the token itself is still there");
}
