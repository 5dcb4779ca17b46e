//! The end: what is under way is finished, what is quiet is ended, and nobody waits longer than he must.
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::{Agent, BINARY, TOKEN, free_port, request, signal};
use crate::client::Client;
use crate::engine::{Engine, Home, OK, Record};
use crate::message::Length;
use crate::patience::{Gate, until};

/// Holds `/held` until the gate opens, sends half of `/half`, keeps `/events` quiet, upgrades `/upgrade`.
fn engine(gate: &Gate) -> Engine {
    let hold = gate.clone();
    Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            match message.head.target() {
                "/events" => {
                    visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
                    return visit.until_left();
                }
                "/upgrade" => {
                    visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
                    return visit.until_left();
                }
                "/held" => {
                    hold.pass();
                    // After a second signal nobody may be there to read it.
                    let _ = visit.try_send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe whole");
                }
                "/half" => {
                    visit.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe ");
                    hold.pass();
                    let _ = visit.try_send("whole");
                }
                "/hang" => return visit.until_left(),
                _ => visit.send(OK),
            }
        }
    })
}

fn refuses_connections(port: u16) {
    until("no connection is accepted", || {
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return Some(()) };
        drop(stream);
        None
    });
}

/// A stream under way.
fn stream(agent: &Agent, line: &str, fields: &str, status: u16) -> Client {
    let mut client = agent.client();
    client.send(request(line, fields));
    assert_eq!(client.head().status(), status);
    if status == 200 {
        assert_eq!(client.chunk(), b"{}");
    }
    client
}

#[test]
fn term_ends_what_is_quiet_and_finishes_what_is_under_way() {
    for name in ["TERM", "INT"] {
        let gate = Gate::default();
        let engine = engine(&gate);
        let agent = Agent::start(&engine);
        let mut idle = agent.client();
        assert_eq!(idle.ask(request("GET /a", "")).status(), 200);
        let mut fresh = agent.client();
        let mut events = stream(&agent, "GET /events", "", 200);
        let mut upgraded = stream(&agent, "POST /upgrade", "Connection: Upgrade\r\nUpgrade: tcp\r\n", 101);
        let mut held = agent.client();
        held.send(request("GET /held", ""));
        engine.wait("the engine is asked", |visits| visits.iter().find_map(held_is_asked));
        let port = agent.port();
        agent.signal(name);
        refuses_connections(port);
        idle.expect_end();
        fresh.expect_end();
        upgraded.expect_end();
        // A stream without an end of its own is broken off, so that it does not look whole.
        let rest = events.body(Length::Chunked);
        assert!(rest.is_err(), "after {name} the stream looks whole");
        // All this while one exchange was under way: it is finished, and only then comes the end.
        gate.open();
        let answer = held.answer();
        assert_eq!((answer.text().as_str(), answer.head.value("connection")), ("the whole", Some("close")));
        held.expect_end();
        let ended = agent.ended();
        assert_eq!(ended.code, Some(0), "after {name}: {}", ended.words());
    }
}

fn held_is_asked(visit: &Record) -> Option<()> {
    visit.text().starts_with("GET /held ").then_some(())
}

#[test]
fn an_answer_that_has_begun_is_finished_too() {
    let gate = Gate::default();
    let engine = engine(&gate);
    let agent = Agent::start(&engine);
    let mut half = agent.client();
    half.send(request("GET /half", ""));
    let head = half.head();
    assert_eq!(half.take(4), b"the ");
    let mut events = stream(&agent, "GET /events", "", 200);
    agent.signal("TERM");
    // The younger stream, just as quiet, has been ended: whoever would end this one too has had the time.
    assert!(events.body(Length::Chunked).is_err());
    gate.open();
    assert_eq!(half.take(5), b"whole", "the rest of {head:?}");
    half.expect_end();
    assert_eq!(agent.ended().code, Some(0));
}

#[test]
fn an_upload_that_has_begun_is_finished_too() {
    let seen = Gate::default();
    let tell = seen.clone();
    let engine = Engine::start(move |visit| {
        if let Some(head) = visit.head() {
            let body = visit.wire().halves(head.length(), b"the ", &tell);
            assert_eq!(body.expect("a whole upload"), b"the whole");
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /images/load", "Content-Length: 9\r\n") + "the ");
    seen.pass();
    let mut idle = agent.client();
    agent.signal("TERM");
    idle.expect_end();
    client.send("whole");
    assert_eq!(client.answer().status(), 200);
    assert_eq!(agent.ended().code, Some(0));
}

#[test]
fn term_without_anyone_connected_is_an_orderly_end() {
    let engine = Engine::obliging();
    Agent::start(&engine).stop();
    let home = Home::new();
    Agent::start_at(&home.path("docker.sock"), &[]).stop();
}

#[test]
fn an_exchange_that_does_not_end_is_not_waited_for_for_ever() {
    let engine = engine(&Gate::default());
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /hang", ""));
    engine.wait("the engine is asked", |visits| (!visits.is_empty()).then_some(()));
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0));
    if let Ok(head) = client.wire().head() {
        assert!(head.status() >= 500, "an answer nobody gave: {head:?}");
    }
}

#[test]
fn a_second_term_does_not_wait() {
    let gate = Gate::default();
    let engine = engine(&gate);
    let agent = Agent::start(&engine);
    let mut held = agent.client();
    held.send(request("GET /held", ""));
    engine.wait("the engine is asked", |visits| visits.iter().find_map(held_is_asked));
    agent.signal("TERM");
    refuses_connections(agent.port());
    agent.signal("TERM");
    // The other way to an end is the drain, ten seconds long.
    let (begun, ended) = (Instant::now(), agent.ended());
    assert!(begun.elapsed() < Duration::from_secs(8), "it waited for the drain: {}", ended.words());
    assert!(held.wire().head().is_err_and(|cut| cut.got.is_empty()), "an answer nobody gave");
    gate.open();
}

#[test]
fn hup_is_harmless() {
    let gate = Gate::default();
    let engine = engine(&gate);
    let agent = Agent::start(&engine);
    let mut idle = agent.client();
    assert_eq!(idle.ask(request("GET /a", "")).status(), 200);
    let mut half = agent.client();
    half.send(request("GET /half", ""));
    let head = half.head();
    for _ in 0..3 {
        agent.signal("HUP");
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    }
    assert_eq!(idle.ask(request("GET /a", "")).status(), 200, "its connections live on");
    gate.open();
    assert_eq!(half.body(head.length()).unwrap(), b"the whole");
    agent.stop();
}

#[test]
fn term_ends_the_agent_however_early_it_comes() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    for step in 0..40_u32 {
        let port = free_port().to_string();
        let variables = [("TOKEN", TOKEN), ("BIND_ADDRESS", "127.0.0.1"), ("PORT", port.as_str())];
        let mut command = Command::new(BINARY);
        command.env_clear().envs(variables).env("DOCKER_SOCKET", &socket);
        let mut agent = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From before it is the agent to when it serves.
        thread::sleep(Duration::from_micros(500) * step);
        signal(agent.id(), "TERM");
        let ended = until("it ends", || agent.try_wait().unwrap());
        // Before it listens to signals, the kernel ends it.
        assert!(ended.code() == Some(0) || ended.signal() == Some(15), "{step}: {ended}");
    }
}
