//! The trail when things go wrong: kills in the midst of it, files that are put aside, renamed and removed,
//! and a full disk.
use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::agent::{Agent, request, run};
use crate::audit_disk::Narrow;
use crate::audit_trail::{Sink, figure, parsed};
use crate::client::Client;
use crate::edge_world::obliging;
use crate::engine::{Engine, Home};
use crate::patience::until;
use crate::signer::head;

const CLIENTS: usize = 8;

/// Asks over one connection until it breaks or `most` are answered, and gives the paths of those that were.
fn ask_on(mut client: Client, name: &str, most: usize, answered: &AtomicUsize) -> Vec<String> {
    let mut paths = Vec::new();
    while paths.len() < most {
        let path = format!("/containers/{name}-{}/json", paths.len());
        if client.try_send(request(&format!("GET {path}"), "")).is_err() {
            break;
        }
        // Once its first byte is there, the record is to be there too.
        if !client.wire().some().is_ok_and(|bytes| !bytes.is_empty()) {
            break;
        }
        paths.push(path);
        answered.fetch_add(1, Ordering::SeqCst);
        let Ok(head) = client.wire().head() else { break };
        if client.body(head.length()).is_err() {
            break;
        }
    }
    paths
}

/// Many clients at once, and a kill once so many requests are answered. Gives the paths of those.
fn kill_amid(agent: Agent, round: usize, count: usize) -> Vec<String> {
    let (clients, answered): (Vec<_>, _) =
        ((0..CLIENTS).map(|_| agent.client()).collect(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let ask = |(number, client): (usize, Client)| {
            let answered = &answered;
            scope.spawn(move || ask_on(client, &format!("r{round}c{number}"), usize::MAX, answered))
        };
        let clients: Vec<_> = clients.into_iter().enumerate().map(ask).collect();
        until("enough is answered", || (answered.load(Ordering::SeqCst) >= count).then_some(()));
        // What is dropped is killed, by its own handle.
        drop(agent);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Those lines that are records; one that a kill or a full disk tore is none.
fn whole(lines: &[String]) -> Vec<Value> {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The paths of requests that have a record, each of them one.
fn recorded(sink: &Sink) -> HashSet<String> {
    let mut paths = HashSet::new();
    for record in whole(&sink.lines()) {
        if record["event"] == "api_request" {
            let path = record["path"].as_str().expect("a path").to_owned();
            assert!(paths.insert(path.clone()), "{path} has two records");
        }
    }
    paths
}

fn expect_all(answered: &[String], recorded: &HashSet<String>) {
    let lost: Vec<_> = answered.iter().filter(|path| !recorded.contains(*path)).collect();
    assert!(lost.is_empty(), "{} of {} answered have no record: {lost:?}", lost.len(), answered.len());
}

/// Kills an agent several times. Nothing that was answered is lost, and each start goes on with the chain.
fn killed_again_and_again(more: &[(&str, &str)]) {
    // One that does not mind being left in the midst of a word.
    let (sink, engine) = (Sink::new(), obliging());
    let mut answered = Vec::new();
    for round in 0..3 {
        let agent = Agent::start_with(&engine, &[sink.with(&[]), more.to_vec()].concat());
        answered.extend(kill_amid(agent, round, 300));
        expect_all(&answered, &recorded(&sink));
        let is_torn =
            fs::read_to_string(sink.log()).is_ok_and(|text| !text.is_empty() && !text.ends_with('\n'));
        let (code, told) = sink.verify(&sink.files());
        // A line that the kill tore is closed and told of by the next start.
        assert_eq!(code, Some(i32::from(is_torn)), "{told}");
    }
    let agent = Agent::start_with(&engine, &[sink.with(&[]), more.to_vec()].concat());
    agent.stop();
    let told = sink.expect_whole();
    expect_all(&answered, &recorded(&sink));
    let numbers: Vec<_> = whole(&sink.lines()).iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>(), "{told}");
    // One more for each port that somebody else was quicker to take.
    assert!(sink.of("start").len() >= 4, "{told}");
}

#[test]
fn a_kill_loses_no_record_of_what_was_answered() {
    killed_again_and_again(&[]);
}

#[test]
fn a_kill_while_files_are_put_aside_loses_none_either() {
    killed_again_and_again(&[("AUDIT_MAX_BYTES", "65536"), ("AUDIT_KEEP", "1000")]);
}

#[test]
fn files_that_are_put_aside_under_load_lose_nothing_and_keep_their_bounds() {
    let (sink, engine, each) = (Sink::new(), Engine::obliging(), 150);
    let more = [("AUDIT_MAX_BYTES", "65536"), ("AUDIT_KEEP", "1000")];
    let agent = Agent::start_with(&engine, &sink.with(&more));
    let count = AtomicUsize::new(0);
    let answered: Vec<_> = thread::scope(|scope| {
        let ask = |number| {
            let (client, count) = (agent.client(), &count);
            scope.spawn(move || ask_on(client, &format!("c{number}"), each, count))
        };
        let clients: Vec<_> = (0..CLIENTS).map(ask).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(answered.len(), CLIENTS * each);
    agent.stop();
    assert_eq!(recorded(&sink), answered.into_iter().collect());
    let told = sink.expect_whole();
    let files = sink.files();
    assert!(files.len() > 4, "{files:?}");
    for path in &files {
        assert!(fs::metadata(path).unwrap().len() <= 65536, "{path}");
    }
    // Without the oldest it is whole as well, which is told; without one in the midst it is not.
    let (code, fewer) = sink.verify(&files[1..]);
    assert!(code == Some(0) && fewer != told, "{fewer}");
    let (code, gap) = sink.verify(&[&files[..1], &files[2..]].concat());
    assert!(code == Some(1) && gap.contains("missing"), "{gap}");
}

#[test]
fn of_the_files_that_were_put_aside_only_so_many_are_kept() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.with(&[("AUDIT_MAX_BYTES", "65536"), ("AUDIT_KEEP", "2")]));
    assert_eq!(ask_on(agent.client(), "c", 700, &AtomicUsize::new(0)).len(), 700);
    agent.stop();
    assert_eq!(sink.files().len(), 3);
    sink.expect_whole();
    assert!(sink.records()[0]["seq"].as_u64().expect("a number") > 100);
}

fn ask(agent: &Agent, name: &str) {
    assert_eq!(agent.ask(request(&format!("GET /containers/{name}/json"), "")).status(), 200, "{name}");
}

#[test]
fn after_a_rename_and_a_hangup_the_chain_goes_on_in_a_new_file() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.with(&[("AUDIT_MAX_BYTES", "0")]));
    ask(&agent, "before");
    let renamed = sink.path("renamed").to_str().unwrap().to_owned();
    fs::rename(sink.log(), &renamed).unwrap();
    ask(&agent, "between");
    assert!(fs::read_to_string(&renamed).unwrap().contains("/containers/between/json"));
    agent.signal("HUP");
    until("there is a new file", || fs::exists(sink.log()).unwrap().then_some(()));
    sink.wait("reload", 1);
    ask(&agent, "after");
    agent.stop();
    assert!(recorded(&sink).contains("/containers/after/json"));
    let (code, told) = sink.verify(&[renamed.clone(), sink.log().to_owned()]);
    assert_eq!(code, Some(0), "{told}");
    let (first, last) = (fs::read_to_string(&renamed).unwrap().lines().count(), &sink.records()[0]);
    assert_eq!(last["seq"], first + 1);
}

#[test]
fn a_file_that_was_removed_is_made_anew_and_that_is_told() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.with(&[]));
    ask(&agent, "before");
    fs::remove_file(sink.log()).unwrap();
    ask(&agent, "after");
    let records = sink.records();
    assert_eq!((&records[0]["event"], &records[0]["reason"]), (&"recovered".into(), &"removed".into()));
    assert_eq!((&records[0]["seq"], &records[1]["path"]), (&3.into(), &"/containers/after/json".into()));
    agent.stop();
    sink.expect_whole();
}

#[test]
fn a_full_disk_is_counted_and_told_once_and_what_is_lost_is_told_when_there_is_room() {
    let engine = Engine::obliging();
    let narrow = Narrow::start(&engine, &[]);
    let agent = &narrow.agent;
    for round in 1..=2_usize {
        narrow.fill();
        let mut asked = 0;
        while !agent.log().matches("audit.failed").count().eq(&round) {
            ask(agent, &format!("r{round}-{asked}"));
            asked += 1;
            assert!(asked < 1000, "the disk is not full");
        }
        (0..20).for_each(|more| ask(agent, &format!("r{round}-more-{more}")));
        let ready = agent.ask(head("GET /ready", ""));
        assert_eq!((ready.status(), parsed(&ready.text())["audit"].as_str()), (200, Some("failing")));
        assert!(figure(agent, "lookout_audit_failures_total") >= 21);
        narrow.free();
        narrow.logged("audit.restored", round);
        ask(agent, &format!("r{round}-after"));
        let ready = agent.ask(head("GET /ready", ""));
        assert_eq!((ready.status(), parsed(&ready.text()).get("audit")), (200, None));
        assert_eq!(agent.log().matches("audit.failed").count(), round);
        let records: Vec<Value> =
            narrow.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |event: &str| records.iter().filter(|record| record["event"] == event).count();
        let lost: u64 = records.iter().filter_map(|record| record["lost"].as_u64()).sum();
        // Each was asked once: it has its record, or is one of the lost.
        let all = reached(&engine) + round;
        assert_eq!(of("api_request") + usize::try_from(lost).unwrap(), all, "{lost} are lost");
        assert!(of("recovered") >= round);
    }
    let home = Home::new();
    let told = run(&["audit", "verify", &narrow.copy(&home)], &[]);
    assert_eq!(told.code, Some(0), "{}", told.words());
}

/// How many requests of ours reached the Engine.
fn reached(engine: &Engine) -> usize {
    engine.visits().iter().map(|visit| visit.text().matches("GET /containers/r").count()).sum()
}
