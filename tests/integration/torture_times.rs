//! What takes a minute and more, all of it at once: idle connections, failures that are forgiven, bodies that never come.
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::{Agent, TOKEN, request};
use crate::client::Client;
use crate::engine::{Engine, Home};
use crate::signer::{Draft, Signer, agent as agent_for, file, head};

const LINE: &str = "GET /containers/json";

/// Waits for an end, or for something to read, as long as it takes: how long that was.
fn until_news(client: &mut Client, since: Instant) -> Duration {
    let end = since + Duration::from_secs(300);
    while client.waiting().is_none() {
        assert!(Instant::now() < end, "nothing came for five minutes");
        thread::sleep(Duration::from_millis(50));
    }
    since.elapsed()
}

/// A hundred and twenty seconds, and neither much sooner nor for ever: a clock is read on both sides.
fn idle_connections_end(agent: &Agent) {
    let mut known = agent.client();
    assert_eq!(known.ask(request(LINE, "")).status(), 200);
    let mut stranger = agent.client();
    let since = Instant::now();
    for client in [&mut known, &mut stranger] {
        let waited = until_news(client, since);
        assert!(waited > Duration::from_secs(110), "{waited:?}");
        client.expect_end();
    }
}

/// Whoever failed too often is told how long that counts, and believed again afterwards.
fn failures_are_forgiven(agent: &Agent) {
    let from = "X-Forwarded-For: 192.0.2.9\r\n";
    let wrong = head(LINE, &format!("{from}Authorization: Bearer wrong-wrong\r\n"));
    let right = head(LINE, &format!("{from}Authorization: Bearer {TOKEN}\r\n"));
    let since = Instant::now();
    for _ in 0..10 {
        assert_eq!(agent.ask(&wrong).status(), 401);
    }
    let mut told = 0;
    loop {
        let answer = agent.ask(&right);
        if answer.status() == 200 {
            break;
        }
        assert_eq!(answer.status(), 429);
        let seconds: u64 = answer.head.value("retry-after").expect("seconds").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(since.elapsed() < Duration::from_secs(300), "never again");
        told += 1;
        thread::sleep(Duration::from_secs(seconds));
    }
    let waited = since.elapsed();
    assert!(told > 0 && waited > Duration::from_secs(55), "{told} {waited:?}");
}

/// A body that is held whole before it is believed has as long as its stamp is good.
fn a_held_body_that_does_not_come_is_given_up(agent: &Agent) {
    let (key, line) = (Signer::new(1), "POST /containers/create");
    let mut client = agent.client();
    let since = Instant::now();
    let fields = Draft::new(2, line, r#"{"Image":"a"}"#).fields(&key) + "Content-Length: 13\r\n";
    client.send(head(line, &fields) + "{\"Image");
    // One byte now and then does not help.
    let end = since + Duration::from_secs(300);
    while client.waiting().is_none() {
        assert!(Instant::now() < end, "it is waited for for ever");
        thread::sleep(Duration::from_secs(20));
        let _ = client.try_send("\"");
    }
    assert!(since.elapsed() > Duration::from_secs(50), "{:?}", since.elapsed());
    assert_eq!(client.answer().status(), 400);
    client.expect_end();
}

#[test]
fn limits_of_a_minute_and_more_are_met() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let agent = agent_for(&engine, &file(&home, "keys", Signer::new(1).line()), &[]);
    thread::scope(|scope| {
        scope.spawn(|| idle_connections_end(&agent));
        scope.spawn(|| failures_are_forgiven(&agent));
        scope.spawn(|| a_held_body_that_does_not_come_is_given_up(&agent));
    });
    agent.stop();
    let got: String = engine.settle().iter().map(crate::engine::Record::text).collect();
    assert!(!got.contains("/containers/create"), "{got}");
}
