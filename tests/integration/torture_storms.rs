//! A thousand containers that start and die as fast as they can, beside followers who do not read.
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::{Agent, request};
use crate::exposition::Checked;
use crate::fleet::Fleet;
use crate::listener::Listener;
use crate::patience::until;
use crate::torture_census::Census;

const CONTAINERS: usize = 1000;
const STORM: Duration = Duration::from_secs(4);

fn fleet() -> Fleet {
    let names: Vec<_> = (0..CONTAINERS).map(|number| format!("c{number}")).collect();
    Fleet::of(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Everybody starts and dies, again and again; how many events that were.
fn flap(fleet: &Fleet, is_over: &AtomicBool) -> usize {
    let end = Instant::now() + STORM;
    let mut count = 0;
    while Instant::now() < end {
        for number in 0..CONTAINERS {
            fleet.tell(
                &format!("c{number}"),
                if (count / CONTAINERS).is_multiple_of(2) { "die" } else { "start" },
            );
            count += 1;
        }
        // No faster than an Engine could.
        thread::sleep(Duration::from_millis(50));
    }
    is_over.store(true, Ordering::SeqCst);
    count
}

/// Somebody good, all the while.
fn is_served(agent: &Agent, is_over: &AtomicBool) -> usize {
    let mut served = 0;
    while !is_over.load(Ordering::SeqCst) {
        assert_eq!(agent.ask(request("GET /images/none/json", "")).status(), 404, "after {served}");
        assert_eq!(agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
        served += 1;
    }
    served
}

fn storm(adapter: &str, events: &str) {
    let fleet = fleet();
    let engine = fleet.engine();
    let agent = Agent::start_with(&engine, &[("ADAPTER", adapter), ("LOG_LEVEL", "info")]);
    let list = if adapter == "generic" { "GET /api/v1/containers" } else { "GET /api/containers" };
    until("everything was looked at", || (agent.ask(request(list, "")).status() == 200).then_some(()));
    let mut listener = Listener::open(&agent, events);
    fleet.until_streams(1);
    let before = Census::of(&agent);
    let mut deaf: Vec<_> = (0..40).map(|_| agent.client()).collect();
    deaf.iter_mut().for_each(|client| client.send(request(&format!("GET {events}"), "")));
    let is_over = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        let good = scope.spawn(|| is_served(&agent, &is_over));
        let reads = scope.spawn(|| {
            let mut told = 0;
            // What changes nothing is told by one of the two alone.
            while adapter == "generic" && !is_over.load(Ordering::SeqCst) {
                listener.frame();
                told += 1;
            }
            told
        });
        let count = flap(&fleet, &is_over);
        // The last frame may have been read before the end was said.
        fleet.tell("c0", "start");
        assert!(count >= CONTAINERS && good.join().unwrap() > 0, "{count} events");
        reads.join().unwrap()
    });
    assert!(told > 0 || adapter != "generic", "whoever reads is told something");
    let grown = (Census::of(&agent).peak_kib - before.peak_kib) / 1024;
    // A thousand inspections, and for each who does not read what waits for him: a list, and as much again
    // from when it was written.
    let list_mib = u64::try_from(agent.ask(request(list, "")).body.len()).unwrap().div_ceil(1 << 20);
    assert!(grown < 48 + 41 * 2 * list_mib, "{grown} MiB beside {list_mib} for a list");
    let page = Checked::of(&agent.ask(request("GET /metrics", "")).text());
    assert!(!page.names().is_empty());
    drop(deaf);
    before.until_closed(&agent);
    let all: Value = serde_json::from_slice(&agent.ask(request(list, "")).body).unwrap();
    assert!(all.to_string().matches("\"c999\"").count() >= 1, "the list is whole");
}

#[test]
fn a_storm_of_events_holds_nobody_up() {
    storm("generic", "/api/v1/events");
}

#[test]
fn a_storm_of_changes_holds_nobody_up() {
    storm("drydock", "/api/events");
}
