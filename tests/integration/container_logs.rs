//! Logs as text, which both APIs tell alike: what is asked of the Engine, and what is made of its answer.
use serde_json::json;

use crate::agent::{Agent, request};
use crate::fleet::{Fleet, framed, id};
use crate::message::Length;
use crate::signer::now;

/// Either API: its name, and the beginning of its paths.
const APIS: [(&str, &str); 2] = [("drydock", "/api"), ("generic", "/api/v1")];

fn with_terminal(fleet: &Fleet, name: &str) {
    fleet.change(name, |container| container["Config"]["Tty"] = true.into());
}

#[test]
fn frames_are_taken_off_and_a_terminals_bytes_stay_as_they_are() {
    let fleet = Fleet::of(&["plain", "terminal", "silent"]);
    with_terminal(&fleet, "terminal");
    let frames = [framed(1, "out\n"), framed(2, "err\n"), framed(1, ""), framed(1, "\u{fc}\0last")].concat();
    fleet.print("plain", &[&frames], false);
    // What looks like the header of a frame is none here.
    let bytes = b"\x01\0\0\0\0\0\0\x04one\r\ntwo\xff\r\n";
    fleet.print("terminal", &[bytes], false);
    let engine = fleet.engine();
    for (adapter, base) in APIS {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter)]);
        for (name, text) in
            [("plain", "out\nerr\n\u{fc}\0last".as_bytes()), ("terminal", bytes), ("silent", b"")]
        {
            for name in [name.to_owned(), id(name), id(name)[..12].to_owned()] {
                let answer = agent.ask(request(&format!("GET {base}/containers/{name}/logs"), ""));
                assert_eq!(answer.head.value("content-type"), Some("text/plain; charset=utf-8"));
                assert_eq!((answer.status(), answer.body.as_slice()), (200, text), "{adapter} {name}");
            }
        }
    }
}

#[test]
fn frames_may_be_cut_anywhere() {
    let fleet = Fleet::of(&["web"]);
    let frames = [framed(1, "one\n"), framed(2, "two\n"), framed(1, "three\n")].concat();
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    for at in 1..frames.len() {
        let (before, after) = frames.split_at(at);
        fleet.print("web", &[before, after], false);
        assert_eq!(
            agent.ask(request("GET /api/containers/web/logs", "")).text(),
            "one\ntwo\nthree\n",
            "{at}"
        );
    }
    let bytes: Vec<_> = frames.chunks(1).collect();
    fleet.print("web", &bytes, false);
    assert_eq!(agent.ask(request("GET /api/containers/web/logs", "")).text(), "one\ntwo\nthree\n");
}

#[test]
fn a_frame_that_is_too_large_is_left_out_and_it_is_said() {
    let fleet = Fleet::of(&["web"]);
    let most = "m".repeat(256 * 1024);
    let large = format!("{most}x");
    let frames = [framed(1, "before\n"), framed(2, &large), framed(1, &most), framed(1, "after\n")].concat();
    fleet.print("web", &[&frames], false);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let text = agent.ask(request("GET /api/containers/web/logs", "")).text();
    let notice = "[262145 bytes were left out: more than 262144 in one piece]\n";
    assert_eq!(text, ["before\n", notice, &most, "after\n"].concat());
}

#[test]
fn logs_that_end_inside_a_frame_end_the_connection() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    for cut in [3, 8, 10] {
        fleet.print("web", &[&framed(1, "hello\n")[..cut]], false);
        let mut client = agent.client();
        client.send(request("GET /api/containers/web/logs", ""));
        // All of it may have come at once, and then there is not even a head.
        if let Ok(head) = client.wire().head() {
            assert_eq!((head.status(), head.length()), (200, Length::Chunked));
            assert!(client.body(head.length()).is_err(), "cut after {cut}");
        }
    }
}

#[test]
fn what_is_asked_reaches_the_engine_in_its_own_words() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    for (adapter, base) in APIS {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter)]);
        let asked = |query: &str| {
            let before = fleet.asked("GET /containers/web/logs").len();
            let answer = agent.ask(request(&format!("GET {base}/containers/web/logs{query}"), ""));
            assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
            let line = fleet.asked("GET /containers/web/logs").remove(before);
            let query = line.split_once('?').expect("a query").1;
            let mut pairs: Vec<_> = query.split('&').map(str::to_owned).collect();
            pairs.retain(|pair| pair != "stdout=1" && pair != "stderr=1");
            pairs.sort();
            pairs.join(" ")
        };
        for (query, told) in [
            ("", ""),
            ("?tail=10", "tail=10"),
            ("?tail=0", "tail=0"),
            ("?tail=0010", "tail=10"),
            ("?tail=all", ""),
            ("?tail=", ""),
            ("?since=0", "since=0"),
            ("?since=1700000000&until=1700000001.5", "since=1700000000 until=1700000001.500000000"),
            ("?since=2023-11-14T22:13:20Z", "since=1700000000"),
            ("?until=2023-11-14T23:13:20.5%2B01:00", "until=1700000000.500000000"),
            ("?follow=1", "follow=1"),
            ("?follow=true&timestamps=true", "follow=1 timestamps=1"),
            ("?follow=yes&timestamps=false", ""),
            ("?tail=1000&since=0&timestamps=true", "since=0 tail=1000 timestamps=1"),
            ("?stdout=0&other=1", ""),
        ] {
            assert_eq!(asked(query), told, "{adapter} {query}");
        }
        let (before, told, after) = (now(), asked("?since=1h30m"), now());
        let secs: f64 = told.strip_prefix("since=").unwrap().parse().unwrap();
        let is_between = |secs: f64| secs >= before as f64 - 5400.0 && secs <= after as f64 + 1.0 - 5400.0;
        assert!(is_between(secs), "{told}");
    }
}

#[test]
fn what_cannot_be_asked_is_400_and_never_asked() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    for (adapter, base) in APIS {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter)]);
        for (query, culprit) in [
            ("tail=-1", "tail"),
            ("tail=+1", "tail"),
            ("tail=1.5", "tail"),
            ("tail=ten", "tail"),
            ("since=yesterday", "since"),
            ("since=-1h", "since"),
            ("until=2023-11-14", "until"),
            ("since=1%26follow=1", "since"),
            ("until=%zz", "until"),
        ] {
            let answer = agent.ask(request(&format!("GET {base}/containers/web/logs?{query}"), ""));
            assert_eq!(answer.status(), 400, "{query}");
            assert!(answer.sentence().contains(culprit), "{query}: {}", answer.text());
        }
        for name in ["a%2Fb", "%3Ffollow=1", "..", "a%20b"] {
            let answer = agent.ask(request(&format!("GET {base}/containers/{name}/logs"), ""));
            assert!([400, 404].contains(&answer.status()), "{name}: {}", answer.text());
        }
    }
    assert_eq!(fleet.asked("GET /containers/"), [""; 0]);
}

#[test]
fn refusals_are_the_engines_own() {
    let fleet = Fleet::of(&["web"]);
    let engine = fleet.engine();
    let agent = Agent::start(&engine);
    let absent = agent.ask(request("GET /api/containers/nobody/logs", ""));
    assert_eq!((absent.status(), absent.sentence().as_str()), (404, "No such container: nobody"));
    for (status, sentence) in [
        (400, "invalid value for \\\"since\\\""),
        (404, "No such container: web"),
        (409, "can not get logs from container which is dead or marked for removal"),
        (501, "configured logging driver does not support reading"),
    ] {
        fleet.answer("GET /containers/web/logs", status, &format!("{{\"message\":\"{sentence}\"}}"));
        let answer = agent.ask(request("GET /api/containers/web/logs", ""));
        assert_eq!((answer.status(), answer.sentence().as_str()), (status, sentence));
    }
    fleet.answer("GET /containers/web/logs", 500, r#"{"message":"something hunter2"}"#);
    let answer = agent.ask(request("GET /api/containers/web/logs", ""));
    assert_eq!(answer.status(), 502);
    assert!(!answer.sentence().contains("hunter2"));
    fleet.answer("GET /containers/web/json", 500, "{}");
    assert_eq!(agent.ask(request("GET /api/containers/web/logs", "")).status(), 502);
}

#[test]
fn followed_logs_arrive_as_they_are_printed_and_leave_with_the_client() {
    let fleet = Fleet::of(&["plain", "terminal"]);
    with_terminal(&fleet, "terminal");
    fleet.print("plain", &[&framed(1, "one\n"), &framed(2, "two\n")], true);
    fleet.print("terminal", &[b"one\r\n", b"two\r\n"], true);
    let engine = fleet.engine();
    for (adapter, base) in APIS {
        let agent = Agent::start_with(&engine, &[("ADAPTER", adapter)]);
        for (name, text) in [("plain", "one\ntwo\n"), ("terminal", "one\r\ntwo\r\n")] {
            let mut client = agent.client();
            client.send(request(&format!("GET {base}/containers/{name}/logs?follow=1"), ""));
            assert_eq!(client.head().status(), 200);
            let mut got = Vec::new();
            while got.len() < text.len() {
                got.extend(client.chunk());
            }
            assert_eq!(String::from_utf8(got).unwrap(), text);
            let target = format!("GET /containers/{name}/logs?");
            let open = |visits: &[crate::engine::Record]| {
                visits.iter().filter(|visit| visit.text().contains(&target) && !visit.finished).count()
            };
            engine.wait("the logs are followed", |visits| (open(visits) == 1).then_some(()));
            drop(client);
            engine.wait("the engine's side has ended", |visits| (open(visits) == 0).then_some(()));
        }
    }
}

#[test]
fn logs_take_their_own_class_and_no_other() {
    let fleet = Fleet::of(&["web"]);
    fleet.print("web", &[&framed(1, "hello\n")], false);
    let engine = fleet.engine();
    for (allow, status) in [("logs", 200), ("view", 403), ("view,dump", 403)] {
        let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", allow)]);
        let answer = agent.ask(request("GET /api/containers/web/logs", ""));
        assert_eq!(answer.status(), status, "{allow}: {}", json!(answer.text()));
    }
}
