//! SIGHUP: new credentials at once, the end of whoever lost theirs, and nobody else disturbed.
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::agent::{Agent, TOKEN, request};
use crate::client::Client;
use crate::engine::{Engine, Home, OK};
use crate::patience::Gate;
use crate::signer::{AGENT_ID, Draft, Signer, agent, file, head, logged, reload, verdict};

const FOLLOW: &str = "GET /containers/a/logs?follow=1";
const ATTACH: &str = "POST /containers/a/attach?stream=1";

/// An Engine whose streams go on once the gate is open, and are closed by the agent alone.
fn streams(gate: &Gate) -> Engine {
    let hold = gate.clone();
    Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target().contains("follow=1") {
                visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
                hold.pass();
                // Whoever followed may be gone.
                let _ = visit.try_send("6\r\nsecond\r\n");
                return visit.until_left();
            }
            if message.head.target().contains("stream=1") {
                visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst");
                hold.pass();
                let _ = visit.try_send("second");
                return visit.until_left();
            }
            visit.send(OK);
        }
    })
}

fn ask(agent: &Agent, signer: &Signer) -> u16 {
    agent.ask(signer.request(2, "GET /a?b", "")).status()
}

/// A connection between two requests, a followed stream and an upgraded one.
fn guests(agent: &Agent, signer: &Signer) -> [Client; 3] {
    let (mut kept, mut follows, mut attached) = (agent.client(), agent.client(), agent.client());
    assert_eq!(kept.ask(signer.request(3, "GET /a", "")).status(), 200);
    follows.send(signer.request(3, FOLLOW, ""));
    assert_eq!(follows.head().status(), 200);
    assert_eq!(follows.chunk(), b"first");
    let upgrade = Draft::new(3, ATTACH, "").fields(signer) + "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    attached.send(head(ATTACH, &upgrade));
    assert_eq!(attached.head().status(), 101);
    assert_eq!(attached.take(5), b"first");
    [kept, follows, attached]
}

#[test]
fn a_removed_key_takes_its_connections_along_and_no_others() {
    let gate = Gate::default();
    let (home, engine) = (Home::new(), streams(&gate));
    let (stays, goes) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", stays.line() + &goes.line());
    let agent = agent(&engine, &keys, &[]);
    let mut staying = guests(&agent, &stays);
    let going = guests(&agent, &goes);
    let mut by_token = agent.client();
    assert_eq!(by_token.ask(request("GET /a", "")).status(), 200);
    fs::write(&keys, stays.line()).unwrap();
    let line = reload(&agent);
    assert!(line.contains("agent.reloaded") && line.contains("\"ended\":3"), "{line}");
    for mut client in going {
        client.expect_end();
    }
    assert_eq!(verdict(&agent.ask(goes.request(2, "GET /a", ""))), (401, Some("unknown-key")));
    gate.open();
    let [kept, follows, attached] = &mut staying;
    assert_eq!(kept.ask(stays.request(3, "GET /a", "")).status(), 200);
    assert_eq!(follows.chunk(), b"second");
    assert_eq!(attached.take(6), b"second");
    assert_eq!(by_token.ask(request("GET /a", "")).status(), 200);
    fs::write(&keys, stays.line() + &goes.line()).unwrap();
    reload(&agent);
    assert_eq!(ask(&agent, &goes), 200, "it is back");
}

#[test]
fn a_request_begun_before_its_key_was_removed_is_refused() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (stays, goes) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", stays.line() + &goes.line());
    let agent = agent(&engine, &keys, &[]);
    let line = "POST /containers/create";
    let waits = Draft::new(2, line, "a body").fields(&goes) + "Content-Length: 6\r\nExpect: 100-continue\r\n";
    let mut client = agent.client();
    client.send(head(line, &waits));
    assert_eq!(client.head().status(), 100, "its body is waited for");
    fs::write(&keys, stays.line()).unwrap();
    reload(&agent);
    // It may be gone by now, and that is as good as a refusal.
    if client.try_send("a body").is_ok()
        && let Ok(answered) = client.wire().head()
    {
        assert_eq!(answered.status(), 401, "{answered:?}");
    }
    agent.stop();
    let seen: String = engine.settle().iter().map(|visit| visit.text()).collect();
    assert_eq!(seen, "", "the engine was asked with a key that was gone");
}

#[test]
fn an_added_key_is_good_at_once_and_what_was_spent_stays_spent() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (first, second) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", first.line());
    let agent = agent(&engine, &keys, &[]);
    let spent = first.request(3, "GET /a", "");
    assert_eq!(agent.ask(&spent).status(), 200);
    assert_eq!(ask(&agent, &second), 401);
    let mut open = agent.client();
    assert_eq!(open.ask(first.request(3, "GET /a", "")).status(), 200);
    fs::write(&keys, second.line() + &first.line()).unwrap();
    reload(&agent);
    assert_eq!(ask(&agent, &second), 200);
    assert_eq!(open.ask(second.request(3, "GET /a", "")).status(), 200, "on a connection that was open");
    assert_eq!(verdict(&agent.ask(&spent)), (401, Some("replay")));
    // Taken out and put back: still spent.
    fs::write(&keys, second.line()).unwrap();
    reload(&agent);
    fs::write(&keys, second.line() + &first.line()).unwrap();
    reload(&agent);
    assert_eq!(verdict(&agent.ask(&spent)), (401, Some("replay")));
}

#[test]
fn a_token_in_a_file_is_rotated() {
    let gate = Gate::default();
    let (home, engine) = (Home::new(), streams(&gate));
    let path = file(&home, "token", TOKEN);
    let socket = engine.path().to_str().unwrap();
    let agent = Agent::start_alone(&[("TOKEN_FILE", &path), ("DOCKER_SOCKET", socket)]);
    let mut follows = agent.client();
    follows.send(request(FOLLOW, ""));
    assert_eq!(follows.head().status(), 200);
    assert_eq!(follows.chunk(), b"first");
    let next = "the-next-token-0123456789abcdef";
    fs::write(&path, format!("{next}\n")).unwrap();
    reload(&agent);
    assert_eq!(follows.wire().chunk().map_err(|_| ()), Err(()), "the stream of the old token goes on");
    assert_eq!(verdict(&agent.ask(request("GET /a", ""))), (401, Some("bad_token")));
    assert_eq!(agent.ask(request("GET /a", "").replace(TOKEN, next)).status(), 200);
    fs::write(&path, " \n").unwrap();
    let line = reload(&agent);
    assert!(line.contains("reload_refused"), "{line}");
    assert_eq!(agent.ask(request("GET /a", "").replace(TOKEN, next)).status(), 200);
    gate.open();
}

#[test]
fn while_one_token_takes_the_place_of_another_both_are_good() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let next = "the-next-token-0123456789abcdef";
    let (path, beside) =
        (file(&home, "token", TOKEN), file(&home, "beside", "a-secret-that-nobody-uses-0123456"));
    let socket = engine.path().to_str().unwrap();
    let agent = Agent::start_alone(&[
        ("TOKEN_FILE", &path),
        ("DD_AGENT_SECRET_FILE", &beside),
        ("DOCKER_SOCKET", socket),
    ]);
    let status = |token: &str| agent.ask(request("GET /a", "").replace(TOKEN, token)).status();
    assert_eq!((status(TOKEN), status(next)), (200, 401));
    fs::write(&beside, next).unwrap();
    reload(&agent);
    assert_eq!((status(TOKEN), status(next)), (200, 200), "clients change over one by one");
    fs::write(&path, next).unwrap();
    fs::write(&beside, "a-secret-that-nobody-uses-0123456").unwrap();
    reload(&agent);
    assert_eq!((status(TOKEN), status(next)), (401, 200));
}

#[test]
fn a_bad_file_changes_nothing_at_all() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (first, second) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", first.line());
    let token = file(&home, "token", TOKEN);
    let socket = engine.path().to_str().unwrap();
    let variables = [
        ("TOKEN_FILE", token.as_str()),
        ("AUTHORIZED_KEYS", &keys),
        ("DOCKER_SOCKET", socket),
        ("AGENT_ID", AGENT_ID),
    ];
    let agent = Agent::start_alone(&variables);
    crate::signer::next_second();
    let mut open = agent.client();
    assert_eq!(open.ask(first.request(3, "GET /a", "")).status(), 200);
    // Good news beside bad news: neither is put in force.
    fs::write(&token, "the-next-token-0123456789abcdef").unwrap();
    for bad in [
        second.line() + "garbage\n",
        second.line() + &second.line(),
        format!("allow=\"views\" {}", second.line()),
        format!("nobody=\"knows\" {}", second.line()),
    ] {
        fs::write(&keys, bad).unwrap();
        let line = reload(&agent);
        assert!(line.contains("agent.reload_refused") && line.contains("\"ERROR\""), "{line}");
        assert_eq!(ask(&agent, &first), 200);
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
        assert_eq!(open.ask(first.request(3, "GET /a", "")).status(), 200, "on the open connection");
    }
    assert_eq!(ask(&agent, &second), 401);
    fs::remove_file(&keys).unwrap();
    assert!(reload(&agent).contains("agent.reload_refused"));
    assert_eq!(ask(&agent, &first), 200);
    logged(&agent, &["AUTHORIZED_KEYS", "ERROR"]);
    file(&home, "keys", second.line());
    assert!(reload(&agent).contains("agent.reloaded"));
    assert_eq!((ask(&agent, &first), ask(&agent, &second)), (401, 200));
    assert_eq!(agent.ask(request("GET /a", "")).status(), 401);
    open.expect_end();
}

#[test]
fn a_kept_key_never_fails_while_others_come_and_go() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (stays, moves) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", stays.line());
    let agent = agent(&engine, &keys, &[]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (agent, stays, is_over) = (&agent, &stays, &is_over);
        let threads: Vec<_> = (0..3)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = agent.client();
                    let mut count = 0;
                    while !is_over.load(Ordering::SeqCst) || count < 50 {
                        let answer = match number {
                            0 => client.ask(stays.request(2, "GET /a?b", "")),
                            1 => client.ask(stays.request(3, "POST /a", "a body")),
                            _ => agent.ask(stays.request(3, "GET /a", "")),
                        };
                        assert_eq!(answer.status(), 200, "after {count}: {}", answer.text());
                        count += 1;
                    }
                })
            })
            .collect();
        for round in 0..20 {
            let text = if round % 2 == 0 { moves.line() + &stays.line() } else { stays.line() };
            // Replaced as a careful operator would: the agent sees the old file or the new one.
            fs::rename(file(&home, "next", text), &keys).unwrap();
            assert!(reload(agent).contains("agent.reloaded"));
            assert_eq!(ask(agent, &moves), if round % 2 == 0 { 200 } else { 401 });
        }
        is_over.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_hangup_without_any_file_is_harmless() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    let line = reload(&agent);
    assert!(line.contains("\"ended\":0"), "{line}");
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
}
