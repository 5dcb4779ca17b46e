//! What the agent counts of its own work, as a scraper reads it, and who may.
use crate::agent::{Agent, TOKEN, request};
use crate::engine::{Engine, Home, OK};
use crate::exposition::Checked;
use crate::patience::until;
use crate::signer::{Signer, agent, file, head, reload};

const LINE: &str = "GET /containers/a/json";
const WRONG: &str = "Authorization: Bearer wrong-wrong-wrong\r\n";

fn scrape(agent: &Agent) -> Checked {
    Checked::of(&agent.ask(request("GET /metrics", "")).text())
}

fn series(method: &str, code: &str) -> String {
    format!("lookout_http_requests_total{{method=\"{method}\",code=\"{code}\"}}")
}

/// How often a series counted, which is not at all where there is none.
fn count(page: &Checked, series: &str) -> f64 {
    let family = series.split('{').next().unwrap();
    if page.family(family).contains(&series) { page.number(series) } else { 0.0 }
}

/// An Engine that answers, switches protocols, and streams until it is left.
fn engine() -> Engine {
    Engine::start(|visit| {
        while let Some(asked) = visit.request() {
            if asked.head.target().contains("follow=1") {
                visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
                return visit.until_left();
            }
            if asked.head.target().contains("/attach") {
                visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
                return visit.until_left();
            }
            if asked.head.target().contains("json?all=1") {
                visit.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
                continue;
            }
            visit.send(OK);
        }
    })
}

#[test]
fn every_answer_is_counted_by_its_method_and_code_but_those_for_health() {
    let (_home, engine, signer) = (Home::new(), engine(), Signer::new(1));
    let agent = agent(&engine, &file(&_home, "keys", signer.line()), &[]);
    for _ in 0..3 {
        assert_eq!(agent.ask(request(LINE, "")).status(), 200);
    }
    for path in ["/health", "/ready", "/_lookout/health"] {
        assert_eq!(agent.ask(head(&format!("GET {path}"), "")).status(), 200);
    }
    assert_eq!(agent.ask(request("DELETE /containers/a", "")).status(), 200);
    assert_eq!(agent.ask(request("GET /_lookout/nothing", "")).status(), 404);
    assert_eq!(agent.ask(request("POST /metrics", "")).status(), 405);
    assert_eq!(agent.ask(head(LINE, "")).status(), 401);
    let forged = signer.request(3, LINE, "");
    let forged = String::from_utf8(forged).unwrap().replace("/containers/a/", "/containers/b/");
    assert_eq!(agent.ask(forged).status(), 401);
    // Ten failures of an address are all it has.
    let from = "X-Forwarded-For: 192.0.2.9\r\n";
    for number in 0..12 {
        let answer = agent.ask(head(LINE, &format!("{from}{WRONG}")));
        assert_eq!(answer.status(), if number < 10 { 401 } else { 429 });
    }
    let page = scrape(&agent);
    for (method, code, expected) in [
        ("GET", "200", 3.0),
        ("DELETE", "200", 1.0),
        ("GET", "404", 1.0),
        ("POST", "405", 1.0),
        ("GET", "401", 12.0),
        ("GET", "429", 2.0),
    ] {
        assert!((count(&page, &series(method, code)) - expected).abs() < 0.5, "{method} {code}: {page:?}");
    }
    for (reason, expected) in [
        ("no_credentials", 1.0),
        ("bad_token", 10.0),
        ("invalid-signature", 1.0),
        ("replay", 0.0),
        ("other", 0.0),
    ] {
        let told = page.number(&format!("lookout_auth_failures_total{{reason=\"{reason}\"}}"));
        assert!((told - expected).abs() < 0.5, "{reason}: {told}");
    }
    assert!((page.number("lookout_rate_limited_total") - 2.0).abs() < 0.5);
    // Itself, and nobody else.
    until("everything else to be over", || {
        (scrape(&agent).number("lookout_http_requests_in_flight") < 1.5).then_some(())
    });
}

#[test]
fn strangers_and_odd_methods_make_no_series_of_their_own() {
    let engine = engine();
    let agent = Agent::start(&engine);
    for number in 0..200 {
        let line = format!("ODD{number} /a{number}?b={number}");
        assert_eq!(agent.ask(head(&line, &format!("X-Odd-{number}: a\r\n"))).status(), 501, "{line}");
    }
    assert_eq!(agent.ask("GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status(), 400);
    let first = scrape(&agent);
    assert!((count(&first, &series("OTHER", "501")) - 200.0).abs() < 0.5, "{first:?}");
    assert!((count(&first, &series("OTHER", "400")) - 1.0).abs() < 0.5, "{first:?}");
    assert_eq!(first.family("lookout_http_requests_total").len(), 2);
    assert!(first.names().iter().all(|name| first.family(name).iter().all(|series| !series.contains("ODD"))));
}

#[test]
fn a_stream_is_in_flight_until_it_ends_and_only_what_was_let_in_is_timed() {
    let engine = engine();
    let agent = Agent::start(&engine);
    let timed = |page: &Checked| page.number("lookout_http_request_duration_seconds_count");
    let before = timed(&scrape(&agent));
    assert_eq!(agent.ask(head(LINE, "")).status(), 401);
    let mut follows = agent.client();
    follows.send(request("GET /containers/a/logs?follow=1", ""));
    assert_eq!((follows.head().status(), follows.chunk()), (200, b"first".to_vec()));
    let mut attached = agent.client();
    attached.send(request("POST /containers/a/attach?stream=1", "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
    assert_eq!(attached.head().status(), 101);
    let mut hears = agent.client();
    hears.send(request("GET /_lookout/metrics", ""));
    assert_eq!(hears.answer().status(), 200);
    let during = until("the scrapes before to be over", || {
        let page = scrape(&agent);
        (page.number("lookout_http_requests_in_flight") < 3.5).then_some(page)
    });
    assert!((during.number("lookout_http_requests_in_flight") - 3.0).abs() < 0.5, "{during:?}");
    assert!((count(&during, &series("POST", "101")) - 1.0).abs() < 0.5);
    assert!((during.number("lookout_permits_in_use{pool=\"upgrades\"}") - 1.0).abs() < 0.5);
    assert!(during.number("lookout_permits_in_use{pool=\"connections\"}") > 2.5);
    for (pool, most) in [("upgrades", 100.0), ("connections", 1024.0), ("feeds", 256.0)] {
        let told = during.number(&format!("lookout_permits_limit{{pool=\"{pool}\"}}"));
        assert!((told - most).abs() < 0.5, "{pool} {told}");
    }
    drop((follows, attached));
    let after = until("both streams to be over", || {
        let page = scrape(&agent);
        (page.number("lookout_http_requests_in_flight") < 1.5).then_some(page)
    });
    assert!(timed(&after) >= before + 4.5, "the two streams, and the scrapes: {before} {after:?}");
    let scrapes = count(&after, &series("GET", "200"));
    // Every answer of 200 and 101 was let in; the refusal was not.
    assert!((timed(&after) - scrapes - 1.0).abs() < 0.5, "{} {scrapes}", timed(&after));
    assert!(after.number("lookout_http_request_duration_seconds_sum") > 0.0);
}

#[test]
fn a_reload_that_is_refused_is_counted() {
    let (home, engine) = (Home::new(), engine());
    let keys = file(&home, "keys", Signer::new(1).line());
    let agent = agent(&engine, &keys, &[]);
    file(&home, "keys", "no key at all\n");
    assert!(reload(&agent).contains("agent.reload_refused"));
    let page = scrape(&agent);
    assert!((page.number("lookout_authorized_keys_reload_failures_total") - 1.0).abs() < 0.5);
    assert!(page.number("lookout_panics_total") < 0.5);
}

#[test]
fn only_who_may_read_metrics_does_and_only_of_its_own_containers() {
    let list = |id: u8, team: &str| {
        let (id, name) = (format!("{id:064x}"), format!("/n-{team}"));
        format!(r#"{{"Id":"{id}","Names":["{name}"],"State":"exited","Labels":{{"team":"{team}"}}}}"#)
    };
    let rows = format!("[{},{},{}]", list(1, "a"), list(2, "b"), list(3, "b"));
    let engine = Engine::start(move |visit| {
        while visit.request().is_some() {
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{rows}", rows.len()));
        }
    });
    let (home, signers) = (Home::new(), [1, 2, 3].map(Signer::new));
    let options = ["allow=\"view\"", "allow=\"metrics\"", "allow=\"metrics\",label=\"team=b\""];
    let lines = options.iter().zip(&signers).map(|(option, signer)| format!("{option} {}", signer.line()));
    let agent = agent(&engine, &file(&home, "keys", lines.collect::<String>()), &[("TOKEN", TOKEN)]);
    let ask = |signer: &Signer| agent.ask(signer.request(3, "GET /metrics", ""));
    let refused = ask(&signers[0]);
    assert_eq!(refused.status(), 403);
    assert!(refused.sentence().contains("metrics"));
    for (signer, exited) in [(&signers[1], 3.0), (&signers[2], 2.0)] {
        let page = Checked::of(&ask(signer).text());
        assert!((page.number("lookout_containers{state=\"exited\"}") - exited).abs() < 0.5, "{page:?}");
    }
    for path in ["/metrics", "/_lookout/metrics"] {
        assert_eq!(agent.ask(head(&format!("GET {path}"), "")).status(), 401);
    }
}
