//! Large bodies: whole, both ways, in constant memory, and only as fast as the slower side.
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::{Agent, TOKEN, request};
use crate::engine::{Engine, OK};
use crate::message::{Head, Length};
use crate::patience::Gate;

const LARGE: u64 = 64 * 1024 * 1024;

/// What no agent may need, however much goes through: a body held in memory is larger than this.
const RESIDENT_KIB_MAX: u64 = 40 * 1024;

/// A body whose every place is known. Its period is prime, so that a shifted or repeated piece shows.
struct Pattern {
    block: Vec<u8>,
    at: usize,
    count: u64,
}

impl Pattern {
    fn new() -> Self {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        Self { block: (0..65_521).map(|_| next()).collect(), at: 0, count: 0 }
    }

    /// The next piece, of at most so many bytes.
    fn piece(&mut self, most: u64) -> &[u8] {
        let rest = &self.block[self.at..];
        let count = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.at = (self.at + count) % self.block.len();
        self.count += u64::try_from(count).unwrap();
        &rest[..count]
    }

    /// Checks that these bytes come next.
    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let before = self.count;
            let expected = self.piece(u64::try_from(bytes.len()).unwrap());
            let (now, later) = bytes.split_at(expected.len());
            assert!(now == expected, "the body differs after byte {before}");
            bytes = later;
        }
    }
}

/// Writes a large body, in its own framing, and says how much has gone so far.
fn write_large(mut to: impl Write, chunked: bool, gone: &AtomicU64) -> std::io::Result<()> {
    let mut pattern = Pattern::new();
    while pattern.count < LARGE {
        let piece = pattern.piece(LARGE - pattern.count);
        if chunked {
            write!(to, "{:x}\r\n", piece.len())?;
        }
        to.write_all(piece)?;
        if chunked {
            to.write_all(b"\r\n")?;
        }
        gone.store(pattern.count, Ordering::SeqCst);
    }
    if chunked { to.write_all(b"0\r\n\r\n") } else { Ok(()) }
}

fn framing(chunked: bool) -> String {
    if chunked { "Transfer-Encoding: chunked\r\n".into() } else { format!("Content-Length: {LARGE}\r\n") }
}

/// Waits until a writer gets no further: a second without progress, or all of it gone.
fn stalled(gone: &AtomicU64) -> u64 {
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        let now = gone.load(Ordering::SeqCst);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(now < LARGE, "{LARGE} bytes went into something that does not read");
        thread::sleep(Duration::from_millis(10));
    }
    last
}

#[test]
fn a_large_upload_arrives_as_it_was_sent() {
    let engine = Engine::start(|visit| {
        while let Some(head) = visit.head() {
            let mut pattern = Pattern::new();
            visit.wire().pour(head.length(), &mut |piece| pattern.check(piece)).expect("a whole body");
            assert_eq!(pattern.count, LARGE);
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    for chunked in [false, true] {
        let mut client = agent.client();
        client.send(request("POST /images/load", &framing(chunked)));
        write_large(client.writer(), chunked, &AtomicU64::new(0)).unwrap();
        assert_eq!(client.answer().status(), 200);
        let resident = agent.resident_kib();
        assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB after {LARGE} bytes");
    }
}

#[test]
fn a_large_answer_arrives_as_it_was_sent() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            let chunked = message.head.target() == "/chunked";
            visit.send(format!("HTTP/1.1 200 OK\r\n{}\r\n", framing(chunked)));
            write_large(visit.writer(), chunked, &AtomicU64::new(0)).unwrap();
        }
    });
    let agent = Agent::start(&engine);
    for (target, length) in [("/sized", Length::Exactly(LARGE)), ("/chunked", Length::Chunked)] {
        let mut client = agent.client();
        client.send(request(&format!("GET {target}"), ""));
        let head = client.head();
        assert_eq!(head.length(), length, "{head:?}");
        let mut pattern = Pattern::new();
        client.wire().pour(length, &mut |piece| pattern.check(piece)).expect("a whole body");
        assert_eq!(pattern.count, LARGE);
        let resident = agent.resident_kib();
        assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB after {LARGE} bytes");
    }
}

#[test]
fn a_client_that_does_not_read_stops_the_engine_not_the_memory() {
    let gone = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&gone);
    let engine = Engine::start(move |visit| {
        if visit.request().is_some() {
            visit.send(format!("HTTP/1.1 200 OK\r\n{}\r\n", framing(false)));
            write_large(visit.writer(), false, &counter).unwrap();
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("GET /containers/a/export", ""));
    client.head();
    let held = stalled(&gone);
    let resident = agent.resident_kib();
    assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB while {held} bytes are on the way");
    let mut pattern = Pattern::new();
    client.wire().pour(Length::Exactly(LARGE), &mut |piece| pattern.check(piece)).expect("the rest follows");
    assert_eq!(pattern.count, LARGE);
}

#[test]
fn an_engine_that_does_not_read_stops_the_client_not_the_memory() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if let Some(head) = visit.head() {
            hold.pass();
            let mut pattern = Pattern::new();
            visit.wire().pour(head.length(), &mut |piece| pattern.check(piece)).expect("a whole body");
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    client.send(request("POST /images/load", &framing(true)));
    let gone = Arc::new(AtomicU64::new(0));
    let (counter, writer) = (Arc::clone(&gone), client.writer());
    let upload = thread::spawn(move || write_large(writer, true, &counter));
    let held = stalled(&gone);
    let resident = agent.resident_kib();
    assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB while {held} bytes are on the way");
    gate.open();
    assert_eq!(client.answer().status(), 200);
    upload.join().unwrap().unwrap();
}

#[test]
fn an_early_answer_ends_an_upload_and_is_read() {
    let gate = Gate::default();
    let hold = gate.clone();
    let engine = Engine::start(move |visit| {
        if visit.head().is_some() {
            visit.send(
                "HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nno space",
            );
            // Not a byte of the body is read before the client has its answer.
            hold.pass();
            visit.until_left();
        }
    });
    let agent = Agent::start(&engine);
    for chunked in [false, true] {
        let mut client = agent.client();
        client.send(request("PUT /containers/a/archive?path=/", &framing(chunked)));
        let writer = client.writer();
        let upload = thread::spawn(move || write_large(writer, chunked, &AtomicU64::new(0)));
        let answer = client.answer();
        assert_eq!((answer.status(), answer.text().as_str()), (409, "no space"));
        // Either the agent swallowed the rest, or it said so and closed.
        if upload.join().unwrap().is_err() {
            assert_eq!(answer.head.value("connection"), Some("close"));
        }
    }
    gate.open();
    engine.wait("both ends", |visits| (visits.len() == 2 && visits.iter().all(|v| v.finished)).then_some(()));
}

#[test]
fn a_client_that_waits_for_permission_gets_it_once_it_is_known() {
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            assert_eq!(message.body, b"hello");
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let mut client = agent.client();
    for expectation in ["100-continue", "100-Continue"] {
        client.send(request("POST /a", &format!("Expect: {expectation}\r\nContent-Length: 5\r\n")));
        let head = client.head();
        assert_eq!(head.status(), 100, "{head:?}");
        assert_eq!(head.headers.len(), 0, "{head:?}");
        client.send("hello");
        assert_eq!(client.answer().status(), 200);
    }
    // Whoever does not wait gets both, or the answer alone.
    client.send(request("POST /a", "Expect: 100-continue\r\nContent-Length: 5\r\n") + "hello");
    let first: Head = client.head();
    let answered = if first.status() == 100 { client.head() } else { first };
    assert_eq!(answered.status(), 200);
}

#[test]
fn a_stranger_that_waits_for_permission_is_told_no_without_it() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for fields in ["", "Authorization: Bearer wrong\r\n"] {
        let mut client = agent.client();
        let expecting = format!("{fields}Expect: 100-continue\r\nContent-Length: 5\r\n");
        client
            .send(request("POST /a", &expecting).replace(&format!("Authorization: Bearer {TOKEN}\r\n"), ""));
        assert_eq!(client.answer().status(), 401);
    }
    agent.stop();
    assert!(engine.settle().is_empty());
}
