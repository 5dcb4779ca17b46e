//! Connections that stop being HTTP: BuildKit's session and grpc, and attach over WebSocket.

use crate::agent::Agent;
use crate::docker::{Docker, IMAGE};
use crate::raw::{self, Answer};
use crate::scene::Scene;

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame, and the frame that acknowledges one (RFC 9113 §6.5).
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS_ACK: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];

/// Asks both ways for the same upgrade, and gives what both answered with the heads compared. The word
/// SIDE in the request differs: some things must not be asked for twice.
fn both_answers(agent: &Agent, request: &str) -> [Answer; 2] {
    let straight = raw::straight(&request.replace("SIDE", "straight"));
    let through = raw::through(agent, &request.replace("SIDE", "through"));
    assert_eq!(straight.status(), through.status(), "\n{}\n{}", straight.head, through.head);
    for name in ["Upgrade", "Connection", "Content-Type", "Sec-WebSocket-Accept"] {
        assert_eq!(straight.header(name), through.header(name), "{name} (left: straight)");
    }
    [straight, through]
}

/// Reads frames until an acknowledgement of our SETTINGS has come.
fn until_acknowledged(answer: &mut Answer) {
    for _ in 0..100 {
        let head: [u8; 9] = answer.read();
        let [a, b, c, ..] = head;
        answer.read_vec(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
        if head == SETTINGS_ACK {
            return;
        }
    }
    panic!("a hundred frames and no acknowledgement");
}

#[test]
fn a_buildkit_session_carries_http_2_both_ways() {
    let session = std::process::id();
    let request = format!(
        "POST /session HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\
        X-Docker-Expose-Session-Uuid: {session}-SIDE\r\nX-Docker-Expose-Session-Name: real\r\n\
        X-Docker-Expose-Session-Sharedkey: real\r\n"
    );
    for mut answer in both_answers(&Agent::start(), &request) {
        assert_eq!(answer.status(), "101", "{}", answer.head);
        // Here the Engine is the client: it speaks first.
        assert_eq!(&answer.read::<24>(), PREFACE);
        answer.send(&SETTINGS);
        until_acknowledged(&mut answer);
    }
}

#[test]
fn buildkits_grpc_carries_http_2_both_ways() {
    let request = "POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n";
    for mut answer in both_answers(&Agent::start(), request) {
        assert_eq!(answer.status(), "101", "{}", answer.head);
        answer.send(PREFACE);
        answer.send(&SETTINGS);
        until_acknowledged(&mut answer);
    }
}

#[test]
fn attach_over_websocket_is_accepted_and_carries_frames() {
    let straight = Docker::straight();
    let agent = Agent::start();
    let scene = Scene::new(&straight);
    let name = scene.name("socket");
    straight.run(&["run", "-d", "-i", "--name", &name, IMAGE, "cat"]).good();
    // The key and its answer are the example of RFC 6455 §1.3.
    let request = format!(
        "GET /containers/{name}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: localhost\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for mut answer in [raw::straight(&request), raw::through(&agent, &request)] {
        assert_eq!(answer.status(), "101", "{}", answer.head);
        assert_eq!(answer.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        // A text frame of six bytes, masked with zeros.
        answer.send(b"\x81\x86\0\0\0\0hello\n");
        let [_, length] = answer.read();
        assert_eq!(answer.read_vec(usize::from(length)), b"hello\n");
    }
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let agent = Agent::start();
    for (path, status) in
        [("/containers/lookout-real-no-such-container/attach?stream=1", "404"), ("/session", "400")]
    {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n"
        );
        let [straight, through] = both_answers(&agent, &request).map(|mut answer| {
            assert_eq!(answer.status(), status, "{}", answer.head);
            String::from_utf8(answer.body()).expect("text")
        });
        assert_eq!(straight, through);
        assert!(!through.is_empty(), "a refusal has a reason");
    }
}

#[test]
fn an_upgrade_without_the_token_never_reaches_the_engine() {
    let agent = Agent::start();
    agent.until_idle();
    let request = "POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n";
    let answer = raw::without_token(&agent, request);
    assert_eq!(answer.status(), "401", "{}", answer.head);
    assert!(
        answer.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer")),
        "{}",
        answer.head
    );
    assert_eq!(agent.engine_connections(), 0);
}
