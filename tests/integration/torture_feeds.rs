//! What the agent asks by itself, of an Engine that means ill: its pages stay whole, and it recovers by itself.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::agent::{Agent, request};
use crate::engine::{Engine, Visit};
use crate::exposition::Checked;
use crate::fleet::id;
use crate::listener::Listener;
use crate::patience::until;

const CONTAINER: &str = include_str!("../fixtures/inspect/sample.json");
const NAMES: [&str; 3] = ["web", "db", "front"];

fn container(name: &str) -> Value {
    let mut container: Value = serde_json::from_str(CONTAINER).unwrap();
    container["Id"] = id(name).into();
    container["Name"] = format!("/{name}").into();
    container["Config"]["Labels"] = json!({});
    container
}

/// What a good Engine says; `None` for the stream of events, which goes on.
fn truth(target: &str) -> Option<Vec<u8>> {
    let body = match target.split('?').next().unwrap_or_default().split('/').collect::<Vec<_>>().as_slice() {
        ["", "events"] => return None,
        ["", "containers", "json"] => {
            let row = |name: &&str| {
                json!({"Id": id(name), "Names": [format!("/{name}")], "Image": "a", "State": "running",
                    "Status": "Up 1 second", "Labels": {}})
            };
            json!(NAMES.iter().map(row).collect::<Vec<_>>())
        }
        ["", "containers", id_of, "json"] => {
            NAMES.iter().find(|name| id(name) == *id_of).map_or(Value::Null, |name| container(name))
        }
        ["", "containers", _, "stats"] => json!({
            "cpu_stats": {"cpu_usage": {"total_usage": 5}, "online_cpus": 1},
            "memory_stats": {"usage": 5, "limit": 9}, "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}},
        }),
        _ => json!({}),
    };
    let body = body.to_string();
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    Some(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}").into_bytes())
}

/// What an ill one makes of it.
type Fault = (&'static str, fn(Vec<u8>) -> Vec<u8>);

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn replaced(words: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(words).replace(from, to);
    whole(text.split_once("\r\n\r\n").map_or("", |(_, body)| body))
}

fn spoilt(mut words: Vec<u8>, part: usize, byte: u8) -> Vec<u8> {
    let at = words.len() * part / 8;
    words[at] = byte;
    words
}

const FAULTS: &[Fault] = &[
    ("nothing", |_| Vec::new()),
    ("half a head", |words| words[..12].to_vec()),
    ("half a body", |words| words[..words.len() / 2].to_vec()),
    ("all but a byte", |words| words[..words.len() - 1].to_vec()),
    ("a NUL", |words| spoilt(words, 5, 0)),
    ("no UTF-8", |words| spoilt(words, 6, 0xff)),
    ("a line end", |words| spoilt(words, 4, b'\n')),
    ("no JSON", |_| whole("<html>")),
    ("no text", |_| whole("\u{0}\u{1}\u{2}")),
    ("null", |_| whole("null")),
    ("a number", |_| whole("5")),
    ("an empty list", |_| whole("[]")),
    ("an empty object", |_| whole("{}")),
    ("lists of nothing", |_| whole("[null,[],{},5]")),
    ("another's id", |words| replaced(&words, &id("web"), &id("db"))),
    ("ids that lead elsewhere", |words| replaced(&words, &id("web"), "../info?a=")),
    ("ids with line ends", |words| replaced(&words, &id("db"), "a\\r\\nGET /smuggled HTTP/1.1\\r\\n")),
    ("ids that are numbers", |words| replaced(&words, "\"Id\":\"", "\"Id\":7,\"Other\":\"")),
    ("negative figures", |words| replaced(&words, ":5", ":-5")),
    ("figures beyond everything", |words| replaced(&words, ":5", ":1e400")),
    ("figures in words", |words| replaced(&words, ":5", ":\"five\"")),
    ("names with everything", |words| replaced(&words, "/front", "/a\\\"b\\n{c}\\u0000\\ud83d\\ude00\\\\")),
    ("a failure", |_| b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}".to_vec()),
    ("a redirect", |_| {
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec()
    }),
    ("no content", |_| b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
    ("a switch", |_| b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_vec()),
    ("two framings", |_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]".to_vec()
    }),
    ("a chunk without an end", |_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n[{".to_vec()
    }),
    ("two answers", |words| [words.clone(), words].concat()),
];

fn serve(visit: &mut Visit, fault: fn(Vec<u8>) -> Vec<u8>, is_well: &AtomicBool) {
    while let Some(message) = visit.request() {
        let target = message.head.target().to_owned();
        assert!(!target.contains("smuggled") && !target.contains(".."), "{target}");
        let words = match (truth(&target), is_well.load(Ordering::SeqCst)) {
            (Some(words), true) => words,
            (Some(words), false) => {
                let _ = visit.try_send(fault(words));
                return;
            }
            (None, false) => {
                let _ = visit.try_send(fault(whole("{\"Type\":\"container\",\"Action\":\"start\"}\n")));
                return;
            }
            (None, true) => {
                let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                return visit.until_left();
            }
        };
        if visit.try_send(words).is_err() {
            return;
        }
    }
}

fn expect_pages_and_recovery(&(name, fault): &Fault) {
    let is_well = Arc::new(AtomicBool::new(false));
    let mood = Arc::clone(&is_well);
    let engine = Engine::start(move |visit| serve(visit, fault, &mood));
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "2")]);
    let page = || agent.ask(request("GET /metrics", ""));
    let (first, list) = (page(), agent.ask(request("GET /api/containers", "")).status());
    assert_eq!(first.status(), 200, "{name}");
    drop(Checked::of(&first.text()));
    assert!([200, 503].contains(&list), "{name}: {list}");
    assert_eq!(agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200, "{name}");
    is_well.store(true, Ordering::SeqCst);
    until(&format!("{name}: everything is known again"), || {
        let told = agent.ask(request("GET /api/containers", "")).text();
        NAMES.iter().all(|name| told.contains(&format!("\"{name}\""))).then_some(())
    });
    until(&format!("{name}: it is on the page"), || {
        let page = page();
        assert_eq!(page.status(), 200, "{name}");
        drop(Checked::of(&page.text()));
        NAMES.iter().all(|name| page.text().contains(&format!("\"{name}\""))).then_some(())
    });
    let mut listener = Listener::open(&agent, "/api/events");
    assert!(!listener.frame().is_empty(), "{name}");
    agent.stop();
}

#[test]
fn pages_stay_whole_whatever_an_engine_says_and_recover_with_it() {
    // A few at a time: each waits more than it works.
    for group in FAULTS.chunks(8) {
        thread::scope(|scope| {
            group.iter().for_each(|fault| drop(scope.spawn(|| expect_pages_and_recovery(fault))))
        });
    }
}
