//! An Engine that says too much: lines, lists, values, fields and figures without an end. Memory stays where it is.
use serde_json::json;

use crate::agent::{Agent, request};
use crate::assistant::post;
use crate::engine::{Engine, Home, OK, Visit};
use crate::fleet::framed;
use crate::message::Head;
use crate::signer::{Draft, Signer, agent as agent_for, file, head};
use crate::torture_census::Census;

const MIB: usize = 1024 * 1024;
/// What is sent of something endless, unless the agent hangs up before.
const ENDLESS: usize = 96 * MIB;

/// A chunk of this.
fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Says this again and again. False where the agent has hung up.
fn again(visit: &mut Visit, word: &[u8], most: usize) -> bool {
    let many = word.repeat((64 * 1024 / word.len()).max(1));
    let piece = chunk(&many);
    (0..most / many.len()).all(|_| visit.try_send(&piece).is_ok())
}

/// A body in chunks: something, the same again and again, and something.
fn endless(visit: &mut Visit, first: &str, word: &[u8], last: &str) {
    let begun = visit.try_send(CHUNKED).is_ok()
        && (first.is_empty() || visit.try_send(chunk(first.as_bytes())).is_ok());
    if begun
        && again(visit, word, ENDLESS)
        && (last.is_empty() || visit.try_send(chunk(last.as_bytes())).is_ok())
    {
        let _ = visit.try_send("0\r\n\r\n");
    }
}

fn whole(visit: &mut Visit, body: &str) {
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    let _ = visit.try_send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}"));
}

/// An Engine that answers one target with a bomb, and an agent that asks for it.
fn engine(bomb: impl Fn(&mut Visit, &Head) -> bool + Send + Sync + 'static) -> Engine {
    Engine::start(move |visit| {
        while let Some(head) = visit.head() {
            if visit.body(&head).is_err() || (!bomb(visit, &head) && visit.try_send(OK).is_err()) {
                return;
            }
        }
    })
}

/// What came of an answer, whole or not; no status where there was none.
struct Swallowed {
    status: u16,
    bytes: u64,
}

/// Reads whatever comes until it ends in whatever way.
fn swallow(agent: &Agent, asked: &[u8]) -> Swallowed {
    let mut client = agent.client();
    client.send(asked);
    let head = match client.wire().head() {
        Ok(head) => head,
        Err(cut) if cut.error.is_none() => return Swallowed { status: 0, bytes: 0 },
        Err(cut) => panic!("neither an answer nor an end: {cut:?}"),
    };
    let mut count = 0;
    let _ = client.wire().pour(head.length(), &mut |piece| count += piece.len() as u64);
    Swallowed { status: head.status(), bytes: count }
}

/// What it costs, in MiB, and that somebody else is served afterwards.
fn cost<R>(agent: &Agent, act: impl FnOnce() -> R) -> u64 {
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    let before = Census::of(agent);
    let _ = act();
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200, "afterwards");
    assert_eq!(agent.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200, "afterwards");
    (Census::of(agent).peak_kib - before.peak_kib) / 1024
}

fn close(line: &str) -> Vec<u8> {
    request(line, "Connection: close\r\n").into_bytes()
}

#[test]
fn a_line_without_an_end_is_nobodys_memory() {
    let engine = engine(|visit, head| {
        let target = head.target();
        if target.contains("/logs") {
            endless(visit, "", &[b'x'; 4096], "");
        } else if target.contains("/json") {
            whole(visit, r#"{"Id":"1111","Name":"/line","Config":{"Tty":true},"State":{"Running":true}}"#);
        } else {
            return false;
        }
        true
    });
    let agent = Agent::start(&engine);
    for line in ["GET /containers/line/logs?stdout=1&follow=1", "GET /api/containers/line/logs"] {
        let mib = cost(&agent, || assert!(swallow(&agent, &close(line)).bytes > 64 * MIB as u64, "{line}"));
        assert!(mib < 4, "{line}: {mib} MiB");
    }
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "container_logs", "arguments": {"id": "line"}}});
    let mib = cost(&agent, || {
        let answer = agent.ask(post(&call.to_string(), ""));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(answer.body.len() < MIB, "{} bytes", answer.body.len());
    });
    assert!(mib < 8, "{mib} MiB");
}

#[test]
fn frames_that_announce_more_than_there_is_are_nobodys_memory() {
    let engine = engine(|visit, head| {
        if head.target().contains("/logs") {
            let _ = visit.try_send(CHUNKED);
            let _ = visit.try_send(chunk(&framed(1, "before\n")));
            let _ = visit.try_send(chunk(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
            again(visit, &[b'x'; 4096], ENDLESS);
            return true;
        }
        if head.target().contains("/json") {
            whole(visit, r#"{"Id":"1111","Name":"/line","Config":{"Tty":false},"State":{"Running":true}}"#);
            return true;
        }
        false
    });
    let agent = Agent::start(&engine);
    let mib = cost(&agent, || swallow(&agent, &close("GET /api/containers/line/logs")));
    assert!(mib < 4, "{mib} MiB");
}

/// What stands in front, what stands there again and again, and what behind; nothing behind is a list that goes on.
type Bomb = (&'static str, &'static str, &'static str, &'static str);

const LISTS: &[Bomb] = &[
    (
        "rows without an end",
        "[",
        r#"{"Id":"1111","Names":["/a"],"Image":"a","State":"running","Labels":{"a":"b"}},"#,
        "",
    ),
    ("small rows", "[", r#"{"Id":"1"},"#, r#"{"Id":"2"}]"#),
    ("labels", r#"[{"Id":"1","Labels":{"#, r#""a":"","#, r#""b":""}}]"#),
    ("members nobody knows", "[{", r#""a":0,"#, r#""Id":"1"}]"#),
    ("depth", r#"[{"Id":"1","Labels":"#, "[", "]}]"),
    ("depth of objects", r#"[{"Id":"1","Labels":"#, r#"{"a":"#, "]}]"),
    ("one name", r#"[{"Id":"1","Names":[""#, "aaaaaaaa", r#""]}]"#),
];

/// A document of this size, or one that announces a gibibyte and ends before.
fn list(visit: &mut Visit, (_, first, word, last): Bomb, size: usize) {
    let piece = word.repeat(64 * 1024 / word.len());
    let count = size / piece.len();
    let length = if last.is_empty() { 1 << 30 } else { first.len() + count * piece.len() + last.len() };
    let kind = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    let head = format!("{kind}\r\nContent-Length: {length}\r\n\r\n{first}");
    let is_read = visit.try_send(head).is_ok() && (0..count).all(|_| visit.try_send(&piece).is_ok());
    if is_read && visit.try_send(last).is_ok() {
        visit.finish_sending();
    }
}

/// Somebody asks for what is made of the list, in each of the ways there are.
fn expect_list_is_bounded(path: &str, most: u64) {
    // Without optimisation a reader takes more of its stack for such depth than a thread has.
    let is_fit = |bomb: &&Bomb| !cfg!(debug_assertions) || bomb.0 != "depth of objects";
    for &bomb in LISTS.iter().filter(is_fit) {
        let engine = engine(move |visit, head| {
            if head.target().starts_with("/containers/json") {
                list(visit, bomb, if bomb.3.is_empty() { 80 * MIB } else { 62 * MIB });
            } else if head.target().starts_with("/events") {
                let _ = visit.try_send(CHUNKED);
                visit.until_left();
            } else {
                return false;
            }
            true
        });
        let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "20")]);
        let mib = cost(&agent, || swallow(&agent, &close(path)));
        assert!(mib < most, "{path}, {}: {mib} MiB", bomb.0);
    }
}

/// The document, and what its values take once they are read: some two hundred bytes each.
const LIST_MIB: u64 = 64 + 2 * 200;

#[test]
fn an_inventory_without_an_end_is_given_up() {
    expect_list_is_bounded("GET /api/containers", LIST_MIB);
}

#[test]
fn figures_of_containers_without_an_end_are_given_up() {
    expect_list_is_bounded("GET /metrics", LIST_MIB);
}

/// What is blanked and filtered for a caller with limits is looked at one element at a time.
#[test]
fn what_is_told_to_a_caller_with_limits_is_bounded() {
    for &bomb in LISTS {
        let engine = engine(move |visit, head| {
            let is_it = head.target().contains("containers/json");
            if is_it {
                list(visit, bomb, 8 * MIB);
            }
            is_it
        });
        let home = Home::new();
        let key = Signer::new(1);
        let agent = agent_for(&engine, &file(&home, "keys", format!("allow=\"view\" {}", key.line())), &[]);
        let line = "GET /containers/json";
        let fields = || Draft::new(2, line, "").fields(&key) + "Connection: close\r\n";
        let mib = cost(&agent, || swallow(&agent, head(line, &fields()).as_bytes()));
        // An element of four mebibytes, and its values.
        assert!(mib < 4 + 64, "{}: {mib} MiB", bomb.0);
    }
}

#[test]
fn heads_without_an_end_are_given_up() {
    let engine = engine(|visit, head| {
        let word = match head.target() {
            "/fields" => "X-A: b\r\n",
            "/field" => "aaaaaaaa",
            "/interim" => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n",
            "/sizes" => "0",
            "/extension" => ";a=b",
            "/trailers" => "X-A: b\r\n",
            _ => return false,
        };
        let first = match head.target() {
            "/interim" => "",
            "/sizes" | "/extension" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
            "/trailers" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            _ => "HTTP/1.1 200 OK\r\nX-A: ",
        };
        let piece = word.repeat(1024);
        let is_read = visit.try_send(first).is_ok();
        let _ = is_read && (0..8 * MIB / piece.len()).all(|_| visit.try_send(&piece).is_ok());
        visit.finish_sending();
        true
    });
    let agent = Agent::start(&engine);
    let mib = cost(&agent, || {
        for target in ["/fields", "/field", "/interim"] {
            assert_eq!(swallow(&agent, &close(&format!("GET {target}"))).status, 502, "{target}");
        }
        for target in ["/sizes", "/extension", "/trailers"] {
            let mut client = agent.client();
            client.send(close(&format!("GET {target}")));
            // The head may have gone by then, or not.
            let told = client.wire().head().and_then(|head| client.body(head.length()));
            assert!(told.is_err(), "{target}");
        }
    });
    assert!(mib < 2, "{mib} MiB");
}

#[test]
fn an_event_without_an_end_is_passed_over() {
    let engine = engine(|visit, head| {
        if head.target().starts_with("/events") {
            endless(visit, "{\"Type\":\"container\",\"Action\":\"", &[b'x'; 4096], "\"}\n");
            visit.until_left();
        } else if head.target().starts_with("/containers/json") {
            whole(visit, "[]");
        } else {
            return false;
        }
        true
    });
    let agent = Agent::start_with(&engine, &[("ADAPTER", "generic")]);
    let mib = cost(&agent, || {
        let mut client = agent.client();
        client.send(request("GET /api/v1/events", ""));
        assert_eq!(client.head().status(), 200);
        // What could not be told is told to be missing.
        let told = client.chunk();
        assert!(!told.is_empty());
    });
    assert!(mib < 8, "{mib} MiB");
}
