//! Too many at once: idle ones, slow ones, ones that never read, and ones that guess. Somebody good is served beside them.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::agent::{Agent, TOKEN, request};
use crate::client::Client;
use crate::engine::{Engine, Home, OK};
use crate::patience::{PATIENCE, until};
use crate::signer::{Signer, agent, file, head};
use crate::torture_census::Census;

const LINE: &str = "GET /containers/json";
/// A thread's place, its descriptor and its pages: what 1024 of them may take is 64 MiB.
const PLACE_KIB: u64 = 64;

/// As many descriptors as two thousand connections take in this process.
fn raise_descriptors() {
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, "--nofile=16384:"]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "prlimit of util-linux allows this test 16384 descriptors: raise the hard limit with ulimit -Hn"
    );
}

/// Connections that are known, with no more on this side than a socket.
fn known(agent: &Agent, count: usize) -> Vec<TcpStream> {
    let ask = request(LINE, "");
    let connect = |_| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, agent.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = [0; 512];
        let count = stream.read(&mut answer).unwrap();
        assert!(
            answer[..count].starts_with(b"HTTP/1.1 200 "),
            "{:?}",
            String::from_utf8_lossy(&answer[..count])
        );
        stream
    };
    (0..count).map(connect).collect()
}

fn is_served(agent: &Agent) {
    assert_eq!(agent.ask(request(LINE, "")).status(), 200);
}

#[test]
fn two_thousand_idle_clients_weigh_little_and_leave_nothing() {
    raise_descriptors();
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "2200"), ("LOG_LEVEL", "info")]);
    is_served(&agent);
    let before = Census::of(&agent);
    let clients = known(&agent, 2000);
    let during = Census::of(&agent);
    assert!(during.descriptors >= 2000, "{during:?}");
    assert!(during.threads <= 2000 + 32, "{during:?}");
    let grown = during.peak_kib - before.peak_kib;
    assert!(grown < 2000 * PLACE_KIB, "{grown} KiB for two thousand");
    for _ in 0..20 {
        is_served(&agent);
    }
    drop(clients);
    before.until_back(&agent);
    is_served(&agent);
}

#[test]
fn places_that_slow_heads_have_taken_come_back() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "32")]);
    is_served(&agent);
    let text = request(LINE, "X-Slow: ");
    let mut slow: Vec<_> = (0..32).map(|_| agent.client()).collect();
    slow.iter_mut().for_each(|client| client.send(&text[..text.len() - 4]));
    // Whoever comes now waits in the backlog, and no longer than a head may take.
    let mut good = agent.client();
    good.send(request(LINE, ""));
    until("the good one is served", || {
        slow.iter_mut().for_each(|client| drop(client.try_send("a")));
        good.waiting().filter(|count| *count > 0)
    });
    assert_eq!(good.answer().status(), 200);
    until("the slow ones are gone", || {
        slow.iter_mut().for_each(|client| drop(client.try_send("a")));
        slow.iter_mut().all(Client::has_ended).then_some(())
    });
    for _ in 0..40 {
        is_served(&agent);
    }
}

#[test]
fn connections_that_say_nothing_make_room_at_once() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "32")]);
    is_served(&agent);
    let before = Census::of(&agent);
    let mut silent = Vec::new();
    for _ in 0..15 {
        silent.extend((0..32).map(|_| agent.client()));
        is_served(&agent);
        let now = Census::of(&agent);
        assert!(now.threads <= 32 + 16 && now.descriptors <= 64 + 32, "{now:?}");
    }
    drop(silent);
    before.until_closed(&agent);
}

#[test]
fn a_stranger_who_comes_again_and_again_has_his_share_and_no_more() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("LOG_LEVEL", "info")]);
    is_served(&agent);
    let before = Census::of(&agent);
    for _ in 0..20 {
        let strangers: Vec<_> = (0..100).map(|_| agent.client()).collect();
        let now = Census::of(&agent);
        assert!(now.threads <= 64 + 16 && now.descriptors <= 64 + 32, "{now:?}");
        drop(strangers);
    }
    before.until_closed(&agent);
    is_served(&agent);
}

#[test]
fn whoever_never_reads_costs_a_place_and_no_memory() {
    const PIECES: usize = 512;
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            if message.head.target() != "/large" {
                visit.send(OK);
                continue;
            }
            let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for _ in 0..PIECES {
                // Whoever does not read leaves in the end.
                if visit.try_send(&piece).is_err() {
                    return;
                }
            }
        }
    });
    let agent = Agent::start(&engine);
    is_served(&agent);
    let before = Census::of(&agent);
    let mut deaf = known(&agent, 48);
    for client in &mut deaf {
        // One that is under way, and many behind it that are never looked at.
        client.write_all(request("GET /large", "").repeat(50).as_bytes()).unwrap();
    }
    engine.wait("all are under way", |visits| {
        (visits.iter().filter(|visit| visit.text().contains("/large")).count() == 48).then_some(())
    });
    for _ in 0..20 {
        is_served(&agent);
    }
    let grown = Census::of(&agent).peak_kib - before.peak_kib;
    // A reading of each side, and a thread's place.
    assert!(grown < 48 * (4 * 64 + PLACE_KIB), "{grown} KiB for forty-eight");
    drop(deaf);
    before.until_back(&agent);
}

#[test]
fn bodies_that_drip_keep_nobody_waiting_and_end_with_their_clients() {
    let engine = Engine::start(|visit| {
        while let Some(head) = visit.head() {
            if visit.body(&head).is_err() || visit.try_send(OK).is_err() {
                return;
            }
        }
    });
    let agent = Agent::start(&engine);
    is_served(&agent);
    let before = Census::of(&agent);
    let mut slow: Vec<_> = (0..50).map(|_| agent.client()).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        let framing =
            if number % 2 == 0 { "Content-Length: 1000000\r\n" } else { "Transfer-Encoding: chunked\r\n" };
        client.send(request("POST /slow", framing));
    }
    for _ in 0..40 {
        for (number, client) in slow.iter_mut().enumerate() {
            client.send(if number % 2 == 0 { "a" } else { "1\r\na\r\n" });
        }
        is_served(&agent);
    }
    drop(slow);
    before.until_closed(&agent);
    agent.stop();
    let whole =
        engine.settle().iter().filter(|visit| visit.text().contains("POST /slow") && !visit.ended).count();
    assert_eq!(whole, 0, "the Engine saw each of them break off");
}

/// Twelve thousand addresses once each, and a hundred of them again and again. The addresses are what a
/// trusted proxy says: this machine has but one.
#[test]
fn a_storm_of_guesses_from_everywhere_locks_nobody_else_out() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let keys = file(&home, "keys", Signer::new(1).line());
    let agent = agent(&engine, &keys, &[("LOG_LEVEL", "info")]);
    is_served(&agent);
    let before = Census::of(&agent);
    let is_over = AtomicBool::new(false);
    let guess = |from: u32| {
        let from = Ipv4Addr::from_bits(0x0a00_0000 + from);
        head(LINE, &format!("X-Forwarded-For: {from}\r\nAuthorization: Bearer {from}\r\n"))
    };
    let storm = |part: u32| {
        let mut client = agent.client();
        let often = (0..1500).map(|number| number % 100 * 4 + part);
        for from in (0..3000).map(|number| number * 4 + part).chain(often) {
            let status = client.ask(guess(from)).status();
            assert!([401, 429].contains(&status), "{status}");
        }
    };
    thread::scope(|scope| {
        let storms: Vec<_> = (0..4).map(|part| scope.spawn(move || storm(part))).collect();
        let good = scope.spawn(|| {
            let mut served = 0;
            while !is_over.load(Ordering::SeqCst) {
                let fields = format!("X-Forwarded-For: 192.0.2.7\r\nAuthorization: Bearer {TOKEN}\r\n");
                assert_eq!(agent.ask(head(LINE, &fields)).status(), 200, "after {served}");
                served += 1;
            }
            served
        });
        storms.into_iter().for_each(|storm| storm.join().unwrap());
        is_over.store(true, Ordering::SeqCst);
        assert!(good.join().unwrap() > 0);
    });
    assert_eq!(agent.ask(guess(4)).status(), 429, "who guessed often");
    let grown = Census::of(&agent).peak_kib - before.peak_kib;
    assert!(grown < 16 * 1024, "{grown} KiB for those who failed");
    before.until_closed(&agent);
}
