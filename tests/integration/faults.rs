//! An Engine that is away, slow, or not itself: what the client is told, and how things recover.
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::agent::{Agent, request, request_with};
use crate::engine::{Engine, Home, OK};
use crate::patience::{Gate, until};

/// Answers the first request of a connection, and closes after it has read the second one.
fn tired(visit: &mut crate::engine::Visit) {
    if visit.request().is_some() {
        visit.send(OK);
        visit.request();
    }
}

#[test]
fn without_an_engine_the_agent_serves_and_says_so() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    let agent = Agent::start_at(&socket, &[]);
    for _ in 0..2 {
        let answer = agent.ask(request("GET /containers/json", ""));
        assert_eq!(answer.status(), 502);
        let sentence = answer.sentence();
        assert!(!sentence.contains("docker.sock"), "the socket's path is told to a client: {sentence}");
        assert!(!sentence.contains(socket.parent().unwrap().to_str().unwrap()), "{sentence}");
    }
    let live = agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(live.status(), 200);
    assert!(live.text().contains("\"status\":\"ok\""), "{}", live.text());
    for path in ["/ready", "/_lookout/health"] {
        let ready = agent.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(ready.status(), 503, "{path}");
        let text = ready.text();
        assert!(text.contains("\"ready\":false") && text.contains("\"docker\":\"disconnected\""), "{text}");
        assert!(text.contains("\"status\":\"unhealthy\""), "{text}");
    }
    let engine = Engine::at(&socket, |visit| {
        while visit.request().is_some() {
            visit.send(OK);
        }
    });
    assert_eq!(agent.ask(request("GET /containers/json", "")).status(), 200);
    // An answer may be remembered for a moment.
    until("the agent is ready", || {
        (agent.ask("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200).then_some(())
    });
    let health = agent.ask("GET /_lookout/health HTTP/1.1\r\nHost: a\r\n\r\n").text();
    for member in ["\"status\":\"healthy\"", "\"docker\":\"connected\"", "\"ready\":true", "\"live\":true"] {
        assert!(health.contains(member), "{member} in {health}");
    }
    drop(engine);
}

#[test]
fn a_client_connection_outlives_its_engine() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    let agent = Agent::start_at(&socket, &[]);
    let mut client = agent.client();
    assert_eq!(client.ask(request("GET /a", "")).status(), 502);
    let first = Engine::at(&socket, |visit| {
        if visit.request().is_some() {
            visit.send(OK);
        }
    });
    let mut client = if client.has_ended() { agent.client() } else { client };
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    first.wait("the first engine closed", |visits| visits[0].finished.then_some(()));
    drop(first);
    assert_eq!(client.ask(request("GET /a", "")).status(), 502, "gone again");
}

#[test]
fn a_socket_without_a_listener_is_an_engine_away() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let agent = Agent::start_at(&socket, &[]);
    let answer = agent.ask(request("GET /containers/json", ""));
    assert_eq!(answer.status(), 502);
    assert!(!answer.sentence().contains("docker.sock"), "{}", answer.text());
}

#[test]
fn an_engine_that_hangs_does_not_hang_the_health_of_the_agent() {
    let home = Home::new();
    let socket = home.path("docker.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let agent = Agent::start_at(&socket, &[]);
    assert_eq!(agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
    let mut clients: Vec<_> = (0..10).map(|_| agent.client()).collect();
    clients.iter_mut().for_each(|client| client.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"));
    clients.iter_mut().for_each(|client| assert_eq!(client.answer().status(), 503));
}

/// A call that the Engine answers at once, when it is well.
const SHORT: &str = "/containers/json";

/// The calls of the Engine that take as long as they take.
const LONG: &[&str] = &[
    "POST /containers/a/wait",
    "POST /v1.41/containers/a/wait?condition=removed",
    "POST /containers/a/stop?t=60",
    "POST /containers/a/restart",
    "POST /containers/a/kill",
    "POST /containers/a/attach?stream=1",
    "POST /exec/a/start",
    "POST /build",
    "POST /session",
    "POST /grpc",
    "POST /images/create?fromImage=a",
    "POST /images/load",
    "POST /images/a%2Fb/push",
    "GET /images/a/get",
    "GET /images/get?names=a",
    "POST /commit?container=a",
    "GET /containers/a/export",
    "GET /containers/a/archive?path=/",
    "PUT /containers/a/archive?path=/",
    "POST /containers/prune",
    "POST /images/prune",
    "POST /volumes/prune",
    "POST /build/prune",
    "GET /events",
    "GET /containers/a/logs?follow=1",
    "GET /containers/a/stats",
    "POST /plugins/pull?remote=a",
];

#[test]
fn the_head_has_a_deadline_except_where_the_engine_takes_its_time() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target() == SHORT {
                visit.until_left();
                return;
            }
            hold.pass();
            visit.send(OK);
        }
    });
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    let mut patient: Vec<_> = LONG.iter().map(|line| (line, agent.client())).collect();
    for (line, client) in &mut patient {
        client.send(request(line, ""));
    }
    engine.wait("all are asked", |visits| (visits.len() == LONG.len()).then_some(()));
    // Each of these begins after all of those, so its deadline comes after theirs would have.
    for _ in 0..2 {
        let answer = agent.ask(request(&format!("GET {SHORT}"), ""));
        assert_eq!(answer.status(), 504);
        answer.sentence();
    }
    let hanging = |visits: &[crate::engine::Record]| {
        visits.iter().filter(|v| v.text().contains(SHORT) && v.ended).count()
    };
    engine.wait("the agent lets go of what it gave up", |visits| (hanging(visits) == 2).then_some(()));
    gate.open();
    for (line, client) in &mut patient {
        assert_eq!(client.answer().status(), 200, "{line}");
    }
}

#[test]
fn a_body_has_no_deadline() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target() == SHORT {
                visit.until_left();
                return;
            }
            visit.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe ");
            hold.pass();
            visit.send("whole");
        }
    });
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    let mut client = agent.client();
    client.send(request("GET /a", ""));
    let head = client.head();
    for _ in 0..2 {
        assert_eq!(agent.ask(request(&format!("GET {SHORT}"), "")).status(), 504);
    }
    gate.open();
    assert_eq!(client.body(head.length()).unwrap(), b"the whole");
}

const GARBAGE: &[&str] = &[
    "",
    "NOPE\r\n\r\n",
    "HTTP/1.1 abc OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Le",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na",
    "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
];

#[test]
fn an_engine_that_does_not_speak_http_is_a_bad_gateway() {
    let engine = Engine::start(|visit| {
        if let Some(message) = visit.request() {
            match message.head.target()[1..].parse::<usize>() {
                Ok(number) => visit.send(GARBAGE[number]),
                // The agent may hang up before the end of this.
                Err(_) => {
                    drop(visit.try_send(format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20))))
                }
            }
        }
    });
    let agent = Agent::start(&engine);
    for (number, garbage) in GARBAGE.iter().enumerate() {
        let answer = agent.ask(request(&format!("GET /{number}"), ""));
        assert_eq!(answer.status(), 502, "after {garbage:?}");
        answer.sentence();
    }
    assert_eq!(agent.ask(request("GET /endless", "")).status(), 502, "after an endless head");
}

#[test]
fn two_requests_of_a_client_share_a_connection_and_two_clients_never_do() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let (mut one, mut other) = (agent.client(), agent.client());
    for _ in 0..2 {
        assert_eq!(one.ask(request("GET /one", "")).status(), 200);
        assert_eq!(other.ask(request_with("POST /other", "", "body")).status(), 200);
    }
    drop(one);
    drop(other);
    engine.wait("both are let go", |visits| visits.iter().all(|v| v.ended).then_some(()));
    assert_eq!(agent.ask(request("GET /third", "")).status(), 200);
    let texts: Vec<_> = engine.visits().iter().map(crate::engine::Record::text).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.matches("GET /one ").count() == 2).count(), 1, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.matches("POST /other ").count() == 2).count(), 1, "{texts:?}");
}

#[test]
fn a_connection_in_doubt_is_not_used_again() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            match message.head.target() {
                "/close" => visit.send(OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")),
                // More than was announced: whose answer would the rest be?
                "/more" => visit.send(format!("{OK}{}", OK.replace("200", "299"))),
                "/old" => visit.send(OK.replace("HTTP/1.1", "HTTP/1.0")),
                _ => visit.send(OK),
            }
        }
    });
    let agent = Agent::start(&engine);
    for target in ["/close", "/more", "/old"] {
        let mut client = agent.client();
        assert_eq!(client.ask(request(&format!("GET {target}"), "")).status(), 200);
        assert_eq!(client.ask(request("GET /next", "")).status(), 200, "after {target}");
        let shared =
            engine.visits().iter().filter(|visit| visit.text().matches(" HTTP/1.1\r\n").count() > 1).count();
        assert_eq!(shared, 0, "after {target}");
    }
}

#[test]
fn what_the_engine_says_unasked_answers_nothing_that_acts() {
    // A read goes out without a look first: that would cost every one of them a call.
    for line in ["POST /next", "DELETE /next", "PUT /next"] {
        let gate = Gate::default();
        let hold = gate.clone();
        let said = Gate::default();
        let tell = said.clone();
        let engine = Engine::start(move |visit| {
            while let Some(message) = visit.request() {
                visit.send(OK);
                if message.head.target() == "/first" {
                    hold.pass();
                    // The agent may have hung up by now, which is as good.
                    let _ = visit.try_send(OK.replace("200", "299"));
                    tell.open();
                }
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        assert_eq!(client.ask(request("GET /first", "")).status(), 200);
        gate.open();
        said.pass();
        assert_eq!(client.ask(request(line, "")).status(), 200, "{line}");
    }
}

#[test]
fn a_connection_the_engine_closed_meanwhile_is_replaced_unseen() {
    for line in ["GET /b", "POST /b"] {
        let engine = Engine::start(|visit| {
            if visit.request().is_some() {
                visit.send(OK);
            }
        });
        let agent = Agent::start(&engine);
        let mut client = agent.client();
        assert_eq!(client.ask(request_with("POST /a", "", "one")).status(), 200);
        engine.wait("the engine closed", |visits| visits[0].finished.then_some(()));
        assert_eq!(client.ask(request_with(line, "", "two")).status(), 200, "{line}");
        assert_eq!(engine.visits().len(), 2, "{line}");
    }
}

#[test]
fn what_could_have_acted_is_not_sent_twice() {
    let engine = Engine::start(tired);
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    let answer = client.ask(request_with("POST /containers/create", "", "{}"));
    assert_eq!(answer.status(), 502);
    answer.sentence();
    let sent: usize =
        engine.visits().iter().map(|visit| visit.text().matches("POST /containers/create ").count()).sum();
    assert_eq!(sent, 1);
}

#[test]
fn a_read_on_a_stale_connection_is_asked_once_more() {
    let engine = Engine::start(tired);
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    assert_eq!(client.ask(request("GET /b", "")).status(), 200);
    let visits = engine.visits();
    assert_eq!(visits.len(), 2);
    assert!(visits[0].text().contains("GET /b ") && visits[1].text().contains("GET /b "));
}

#[test]
fn a_read_is_not_asked_for_ever() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            if message.head.target() == "/b" {
                counter.fetch_add(1, Ordering::SeqCst);
                return;
            }
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    assert_eq!(client.ask(request("GET /a", "")).status(), 200);
    assert_eq!(client.ask(request("GET /b", "")).status(), 502);
    assert_eq!(count.load(Ordering::SeqCst), 2, "once on the old connection, once on a new one");
    // On a connection of its own the first failure is the answer.
    assert_eq!(agent.ask(request("GET /b", "")).status(), 502);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}
