//! With `AUDIT_REQUIRED`, what cannot be recorded is not done: nothing reaches the Engine, and it comes back.
use crate::agent::{Agent, request, run};
use crate::audit_disk::Narrow;
use crate::audit_trail::parsed;
use crate::engine::{Engine, Home};
use crate::patience::until;
use crate::signer::head;

const REQUIRED: (&str, &str) = ("AUDIT_REQUIRED", "true");

fn create(agent: &Agent, name: &str) -> u16 {
    agent.ask(request(&format!("POST /containers/create?name={name}"), "")).status()
}

/// How often something was created.
fn created(engine: &Engine) -> usize {
    let visits = engine.visits();
    visits.iter().map(|visit| visit.text().matches("POST /containers/create").count()).sum()
}

#[test]
fn on_a_full_disk_nothing_that_is_guarded_is_done_and_with_room_it_is_again() {
    let engine = Engine::obliging();
    let narrow = Narrow::start(&engine, &[REQUIRED]);
    let agent = &narrow.agent;
    assert_eq!(create(agent, "before"), 200);
    narrow.fill();
    // The last page of the file has room for some more.
    let mut written = 1;
    while create(agent, "filling") == 200 {
        written += 1;
        assert!(written < 1000, "the disk is not full");
    }
    // That request was done before it was known that it could not be recorded. No other is.
    let done = created(&engine);
    assert_eq!(done, written + 1);
    for line in [
        "POST /containers/create?name=x",
        "GET /containers/json",
        "GET /_lookout/info",
        "GET /metrics",
        "GET /none",
    ] {
        let answer = agent.ask(request(line, ""));
        assert_eq!(answer.status(), 503, "{line}");
        assert!(answer.sentence().contains("the audit trail cannot be written"), "{line}: {}", answer.text());
    }
    assert_eq!(agent.ask(head("GET /containers/json", "")).status(), 503, "without a credential");
    assert_eq!(created(&engine), done);
    for (path, status) in [("/health", 200), ("/ready", 503), ("/_lookout/health", 503)] {
        let answer = agent.ask(head(&format!("GET {path}"), ""));
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(parsed(&answer.text())["audit"], "failing", "{path}");
    }
    narrow.free();
    until("requests are done again", || (create(agent, "after") == 200).then_some(()));
    let ready = agent.ask(head("GET /ready", ""));
    assert_eq!((ready.status(), parsed(&ready.text()).get("audit")), (200, None));
    let home = Home::new();
    let told = run(&["audit", "verify", &narrow.copy(&home)], &[]);
    assert_eq!(told.code, Some(0), "{}", told.words());
    let records: Vec<_> = narrow.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let recovered = records.iter().find(|record: &&serde_json::Value| record["event"] == "recovered");
    // The one that failed, five that were refused, and the one without a credential.
    assert!(recovered.expect("it is told")["lost"].as_u64().expect("a number") >= 7, "{recovered:?}");
    // Everything that was answered well is there, and what was done unanswered is among the lost.
    let allowed = records
        .iter()
        .filter(|record| record["path"] == "/containers/create" && record["outcome"] == "allowed");
    assert_eq!(allowed.count(), created(&engine) - 1);
}

#[test]
fn a_command_whose_start_cannot_be_recorded_is_not_started() {
    let engine = Engine::obliging();
    let narrow = Narrow::start(&engine, &[REQUIRED]);
    narrow.fill();
    let mut started = 0;
    let start = request("POST /exec/e7f8/start", "");
    while narrow.agent.ask(&start).status() == 200 {
        started += 1;
        assert!(started < 1000, "the disk is not full");
    }
    assert_eq!(narrow.agent.ask(&start).status(), 503);
    let visits = engine.visits();
    let reached: usize = visits.iter().map(|visit| visit.text().matches("/exec/e7f8/start").count()).sum();
    // The record of a start may have fitted where that of its request did not.
    let text = narrow.text();
    let recorded = text.lines().filter(|line| {
        serde_json::from_str::<serde_json::Value>(line).is_ok_and(|record| record["event"] == "exec_start")
    });
    assert_eq!(reached, recorded.count());
}

#[test]
fn what_must_be_recorded_needs_a_place() {
    let ended = run(&["serve"], &[REQUIRED, ("TOKEN", crate::agent::TOKEN)]);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    assert!(ended.words().contains("AUDIT_LOG"), "{}", ended.words());
}
