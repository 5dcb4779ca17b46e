//! The records in memory, as those who come and ask get them.
use serde_json::Value;

use crate::agent::{Agent, request};
use crate::audit_trail::{figure, parsed};
use crate::engine::{Engine, OK};
use crate::message::Message;
use crate::world::World;

const LATEST: &str = "GET /_lookout/audit";
const EXPORT: &str = "GET /_lookout/audit/export";

fn get(agent: &Agent, line: &str) -> Message {
    agent.ask(request(line, ""))
}

/// Makes so many records.
fn make(agent: &Agent, count: usize) {
    let mut client = agent.client();
    for number in 0..count {
        assert_eq!(client.ask(request(&format!("GET /containers/c{number}/json"), "")).status(), 200);
    }
}

/// Cursors of what was exported, in the order of its lines.
fn cursors(answer: &Message) -> Vec<u64> {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.body.is_empty() || answer.body.ends_with(b"\n"), "{}", answer.text());
    answer.text().lines().map(|line| cursor(&parsed(line))).collect()
}

fn cursor(record: &Value) -> u64 {
    record["cursor"].as_u64().unwrap_or_else(|| panic!("no cursor in {record}"))
}

/// Oldest, latest and next cursor, and the count.
fn headers(answer: &Message) -> [u64; 4] {
    ["Oldest-Cursor", "Latest-Cursor", "Next-Cursor", "Record-Count"].map(|name| number(answer, name))
}

fn number(answer: &Message, name: &str) -> u64 {
    let value = answer.head.value(&format!("X-Lookout-{name}"));
    value.unwrap_or_else(|| panic!("no {name} in {:?}", answer.head)).parse().expect("a number")
}

fn generation(answer: &Message) -> String {
    let value = answer.head.value("X-Lookout-Audit-Generation").expect("a generation").to_owned();
    assert!(value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    value
}

fn expect_stale(answer: &Message, why: &str, next: u64) {
    assert_eq!(answer.status(), 409, "{}", answer.text());
    assert_eq!(answer.text().trim_end(), why);
    assert!(answer.head.value("content-type").expect("a type").starts_with("text/plain"));
    assert_eq!(number(answer, "Next-Cursor"), next);
    assert_eq!(answer.head.value("cache-control"), Some("no-store"));
}

const OLDER: &str = "audit cursor is older than the retained buffer";
const NEWER: &str = "audit cursor is newer than the current buffer generation";
const ANOTHER: &str = "audit cursor belongs to another buffer generation";

#[test]
fn the_latest_come_newest_first_and_as_many_as_are_asked_for() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    make(&agent, 3);
    let answer = get(&agent, LATEST);
    assert_eq!(answer.head.value("cache-control"), Some("no-store"));
    assert!(answer.head.value("content-type").expect("a type").starts_with("application/json"));
    let told = parsed(&answer.text());
    let known: Vec<_> = told["records"].as_array().expect("records").iter().map(cursor).collect();
    // The start, three requests; this one is recorded once its answer is known.
    assert_eq!((known, &told["count"]), (vec![4, 3, 2, 1], &4.into()), "{told}");
    assert_eq!(told["generation"], Value::from(generation(&get(&agent, EXPORT))));
    assert!(told.get("head").is_none(), "there is no chain: {told}");
    for (limit, count) in [("1", 1), ("3", 3), ("0", 9), ("-1", 9), ("", 9), ("x", 9)] {
        let told = parsed(&get(&agent, &format!("{LATEST}?limit={limit}")).text());
        let records = told["records"].as_array().expect("records");
        assert_eq!(told["count"], records.len(), "{limit}");
        let all = usize::try_from(cursor(&records[0])).unwrap();
        assert_eq!(records.len(), if count == 9 { all } else { count }, "{limit}");
    }
}

#[test]
fn a_record_in_memory_tells_what_is_not_nothing_in_this_order() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    make(&agent, 1);
    let text = get(&agent, EXPORT).text();
    let line = text.lines().nth(1).expect("a second record");
    let names: Vec<_> =
        line.split(",\"").map(|part| part.trim_start_matches("{\"").split('"').next().unwrap()).collect();
    let fixed = ["cursor", "ts", "event", "actor", "method", "path", "outcome", "status", "duration_ms"];
    assert_eq!(names[..fixed.len()], fixed, "{line}");
    assert_eq!(names[fixed.len()..], ["class", "request_id"], "{line}");
    let begin = text.lines().next().expect("a first record");
    assert!(
        begin.starts_with(r#"{"cursor":1,"ts":""#) && begin.contains(r#"Z","event":"start","version":""#),
        "{begin}"
    );
    assert!(parsed(begin).get("actor").is_none(), "{begin}");
}

#[test]
fn whoever_follows_the_cursor_gets_each_record_once() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    make(&agent, 4);
    let first = get(&agent, EXPORT);
    assert_eq!(first.head.value("content-type"), Some("application/x-ndjson"));
    assert_eq!(first.head.value("cache-control"), Some("no-store"));
    assert_eq!((cursors(&first), headers(&first)), (vec![1, 2, 3, 4, 5], [1, 5, 5, 5]));
    // Each question is a record for the next one.
    let next = get(&agent, &format!("{EXPORT}?cursor=5"));
    assert_eq!((cursors(&next), headers(&next)), (vec![6], [1, 6, 6, 1]));
    assert!(next.text().contains(r#""path":"/_lookout/audit/export""#));
    let some = get(&agent, &format!("{EXPORT}?cursor=1&limit=2"));
    assert_eq!((cursors(&some), headers(&some)), (vec![2, 3], [1, 7, 3, 2]));
    let all = get(&agent, &format!("{EXPORT}?cursor=0&limit=0"));
    assert_eq!((cursors(&all), headers(&all)), ((1..=8).collect(), [1, 8, 8, 8]));
    let none = get(&agent, &format!("{EXPORT}?cursor=9"));
    assert_eq!((cursors(&none), headers(&none)), (vec![], [1, 9, 9, 0]));
    let same = generation(&first);
    let right = get(&agent, &format!("{EXPORT}?cursor=9&generation={same}"));
    assert_eq!((cursors(&right), generation(&right)), (vec![10], same));
}

#[test]
fn a_cursor_that_leads_nowhere_is_refused_with_one_that_does() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("AUDIT_BUFFER_SIZE", "4")]);
    make(&agent, 9);
    // Ten records, of which 7 to 10 are kept; each question below adds one.
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor=0")), OLDER, 6);
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor=6")), OLDER, 7);
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor=13")), NEWER, 8);
    let whole = get(&agent, &format!("{EXPORT}?cursor=9"));
    assert_eq!((cursors(&whole), headers(&whole)), (vec![10, 11, 12, 13], [10, 13, 13, 4]));
    assert_eq!(cursors(&get(&agent, EXPORT)), [11, 12, 13, 14]);
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor=14&generation=0123456789abcdef")), ANOTHER, 11);
    expect_stale(&get(&agent, &format!("{EXPORT}?generation=0123456789abcdef")), ANOTHER, 12);
    for (name, value) in [
        ("cursor", ""),
        ("cursor", "x"),
        ("cursor", "-1"),
        ("cursor", "+1"),
        ("cursor", "99999999999999999999"),
        ("limit", "x"),
        ("limit", "-1"),
        ("limit", ""),
    ] {
        let answer = get(&agent, &format!("{EXPORT}?{name}={value}"));
        assert_eq!(answer.status(), 400, "{name}={value}");
        assert_eq!(answer.sentence(), format!("lookout: invalid {name}"), "{name}={value}");
    }
    let page = get(&agent, "GET /metrics").text();
    for (outcome, count) in [("ok", 2), ("older", 2), ("newer", 1), ("generation", 2), ("invalid", 8)] {
        let line = format!("lookout_audit_exports_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(page.contains(&line), "{line} in {page}");
    }
    assert_eq!(figure(&agent, "lookout_audit_buffer_records"), 4);
    assert_eq!(figure(&agent, "lookout_audit_buffer_capacity"), 4);
    assert_eq!(figure(&agent, "lookout_audit_sink_enabled"), 0);
}

#[test]
fn a_cursor_of_the_agent_before_is_told_from_one_of_this_one() {
    let engine = Engine::obliging();
    let before = Agent::start(&engine);
    make(&before, 2);
    let old = get(&before, EXPORT);
    before.stop();
    let agent = Agent::start(&engine);
    make(&agent, 9);
    let (next, old) = (headers(&old)[2], generation(&old));
    // Without it, nobody could tell.
    assert_eq!(get(&agent, &format!("{EXPORT}?cursor={next}")).status(), 200);
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor={next}&generation={old}")), ANOTHER, 0);
}

#[test]
fn a_buffer_that_is_off_has_nothing_and_says_so() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("AUDIT_BUFFER_SIZE", "0")]);
    make(&agent, 2);
    let told = get(&agent, LATEST).text();
    assert!(told.starts_with(r#"{"records":[],"count":0"#), "{told}");
    let empty = get(&agent, EXPORT);
    assert_eq!((cursors(&empty), headers(&empty)), (vec![], [0, 0, 0, 0]));
    assert_eq!(cursors(&get(&agent, &format!("{EXPORT}?cursor=0"))), [0; 0]);
    expect_stale(&get(&agent, &format!("{EXPORT}?cursor=1")), NEWER, 0);
}

#[test]
fn only_a_key_with_the_class_audit_may_ask() {
    let world = World::with(&[r#"allow="view""#, r#"allow="audit""#, ""], &[], Box::new(|_| Some(OK.into())));
    for line in [LATEST, EXPORT] {
        let answer = world.ask(1, line, "");
        assert_eq!(answer.status(), 403, "{line}");
        assert!(answer.sentence().contains("lacks class audit"), "{line}: {}", answer.text());
        assert_eq!(world.ask(2, line, "").status(), 200, "{line}");
        assert_eq!(world.ask(3, line, "").status(), 200, "{line}");
        assert_eq!(world.agent.ask(crate::signer::head(line, "")).status(), 401, "{line}");
    }
    let head = world.ask_with(2, "HEAD /_lookout/audit/export", "", "");
    assert_eq!((head.status(), head.body.len()), (200, 0));
}
