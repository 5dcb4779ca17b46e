//! How many and how long: places for connections, idle ones first to go, slow heads, one peer's share.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::agent::{Agent, request};
use crate::client::Client;
use crate::engine::{Engine, OK};
use crate::patience::{Gate, until};

/// An Engine that answers once the gate is open.
fn holding(gate: &Gate) -> Engine {
    let hold = gate.clone();
    Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target() == "/held" {
                hold.pass();
            }
            // Whoever asked may have left.
            if visit.try_send(OK).is_err() {
                return;
            }
        }
    })
}

#[test]
fn an_idle_connection_makes_room() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "4")]);
    let mut idle: Vec<_> = (0..4).map(|_| agent.client()).collect();
    for client in &mut idle {
        assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    }
    let mut more: Vec<Client> = Vec::new();
    for number in 1..=3 {
        let mut client = agent.client();
        assert_eq!(client.ask(request("GET /b", "")).status(), 200, "newcomer {number}");
        more.push(client);
    }
    until("three have made room", || {
        (idle.iter_mut().filter_map(|c| c.has_ended().then_some(())).count() >= 3).then_some(())
    });
}

#[test]
fn a_busy_connection_is_not_disturbed_and_newcomers_wait_their_turn() {
    let gate = Gate::default();
    let engine = holding(&gate);
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "4")]);
    let mut busy: Vec<_> = (0..4).map(|_| agent.client()).collect();
    busy.iter_mut().for_each(|client| client.send(request("GET /held", "")));
    engine.wait("four are busy", |visits| (visits.len() == 4).then_some(()));
    // The kernel takes these; the agent does not, yet.
    let mut waiting: Vec<_> = (0..3).map(|_| agent.client()).collect();
    waiting.iter_mut().for_each(|client| client.send(request("GET /late", "Connection: close\r\n")));
    drop(busy.pop());
    for client in &mut waiting {
        assert_eq!(client.answer().status(), 200, "served in the place of the one that left");
    }
    assert_eq!(engine.visits().iter().filter(|visit| visit.text().contains("/held")).count(), 4);
    gate.open();
    for client in &mut busy {
        assert_eq!(client.answer().status(), 200, "and nobody busy was disturbed");
    }
}

#[test]
fn everyone_in_the_backlog_is_served_and_never_more_at_once_than_there_are_places() {
    let gate = Gate::default();
    let hold = gate.clone();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (Arc::clone(&now), Arc::clone(&most));
    let engine = Engine::start(move |visit| {
        while visit.request().is_some() {
            peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            hold.pass();
            visit.send_apart("HTTP/1.1 200 OK\r\n");
            count.fetch_sub(1, Ordering::SeqCst);
            visit.send("Content-Length: 2\r\n\r\n{}");
        }
    });
    let agent = Agent::start_with(&engine, &[("CONNECTIONS_MAX", "3")]);
    let ask = |_| {
        let mut client = agent.client();
        client.send(request("POST /a", "Connection: close\r\n"));
        client
    };
    let mut clients: Vec<_> = (0..3).map(ask).collect();
    engine.wait("three are busy", |visits| (visits.len() == 3).then_some(()));
    // These have asked before anyone looks at them: none of them is idle at any time.
    clients.extend((0..60).map(ask));
    gate.open();
    let lost = clients.iter_mut().filter_map(|client| client.wire().head().err()).count();
    assert_eq!(lost, 0, "were closed with their request unread");
    let most = most.load(Ordering::SeqCst);
    assert_eq!(most, 3, "at once");
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let text = request("GET /a", "");
    let (mut silent, mut trickling, mut second) = (agent.client(), agent.client(), agent.client());
    assert_eq!(second.ask(&text).status(), 200);
    silent.send(&text[..text.len() - 2]);
    second.send(&text[..10]);
    // One byte now and then does not help: the deadline is for the whole head.
    let mut endless = text.trim_end().bytes().chain("\r\nX-Endless: ".bytes()).chain(std::iter::repeat(b'a'));
    until("all three are closed", || {
        let _ = trickling.try_send([endless.next().unwrap()]);
        let ends = [&mut silent, &mut trickling, &mut second].map(closed_or_told);
        ends.iter().all(|end| *end).then_some(())
    });
    assert_eq!(agent.ask(&text).status(), 200);
    agent.stop();
    assert_eq!(engine.settle().len(), 2, "what was never whole never reached the engine");
}

/// Ended, or told 408 first.
fn closed_or_told(client: &mut Client) -> bool {
    match client.waiting() {
        None => false,
        Some(0) => true,
        Some(_) => {
            // The reset of a connection that is still written to may overtake the answer.
            let told = client.wire().head();
            assert!(told.as_ref().map_or(true, |head| head.status() == 408), "{told:?}");
            true
        }
    }
}

#[test]
fn strangers_of_one_address_get_sixty_four_connections() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let mut strangers: Vec<_> = (0..80).map(|_| agent.client()).collect();
    let ended =
        |clients: &mut [Client]| clients.iter_mut().filter_map(|c| c.has_ended().then_some(())).count();
    until("sixteen are turned away", || (ended(&mut strangers) >= 16).then_some(()));
    let mut served = 0;
    for client in &mut strangers {
        if !client.has_ended() {
            assert_eq!(client.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
            served += 1;
        }
    }
    assert!((1..=64).contains(&served), "{served} were served");
}

#[test]
fn a_credential_lifts_the_share_of_one_address() {
    let gate = Gate::default();
    let engine = holding(&gate);
    let agent = Agent::start(&engine);
    let mut known: Vec<_> = Vec::new();
    for number in 1..=100 {
        let mut client = agent.client();
        client.send(request("GET /held", ""));
        engine.wait("it is served", |visits| (visits.len() == number).then_some(()));
        known.push(client);
    }
    gate.open();
    known.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 200));
}
