//! Bodies of signed requests: held and hashed, or streamed with their end held back until the hash agrees.
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

use crate::engine::{Engine, Home, OK};
use crate::message::{Head, Length};
use crate::signer::{Draft, Signer, agent, elsewhere, file, head, sha256, verdict};

const LINE: &str = "POST /images/load?quiet=1";
const FORGED: (u16, Option<&str>) = (401, Some("invalid-signature"));
const MIB: usize = 1024 * 1024;

/// What the Engine got of a body: its bytes, and whether it came to its end.
type Got = Arc<Mutex<Vec<(usize, bool)>>>;

/// An Engine that notes how much of each body came, and answers those that are whole.
fn noting() -> (Engine, Got) {
    let got = Got::default();
    let notes = Arc::clone(&got);
    let engine = Engine::start(move |visit| {
        while let Some(head) = visit.head() {
            let outcome = visit.body(&head);
            let (bytes, is_whole) = match &outcome {
                Ok(body) => (body.len(), true),
                Err(cut) => (cut.got.len(), false),
            };
            notes.lock().unwrap().push((bytes, is_whole));
            if !is_whole {
                return;
            }
            visit.send(OK);
        }
    });
    (engine, got)
}

fn chunked(body: &[u8], sizes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(sizes) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn noise(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from((n * 7 + n / 251) % 256).unwrap()).collect()
}

#[test]
fn a_forged_body_of_known_length_never_reaches_its_end() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let (engine, got) = noting();
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for size in [1, 10, 4096, 70_000, 3 * MIB] {
        let body = noise(size);
        let mut forged = body.clone();
        *forged.last_mut().unwrap() ^= 1;
        let length = format!("Content-Length: {size}\r\n{}", elsewhere());
        let fields = Draft::new(3, LINE, &body).fields(&signer) + &length;
        let mut client = agent.client();
        let answer = client.ask([head(LINE, &fields).as_bytes(), &forged].concat());
        assert_eq!(verdict(&answer), FORGED, "{size} bytes");
    }
    agent.stop();
    engine.settle();
    for (bytes, is_whole) in got.lock().unwrap().iter() {
        assert!(!is_whole, "a forged body of {bytes} bytes came to its end");
    }
}

#[test]
fn a_forged_body_in_chunks_never_gets_its_last_one() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let (engine, got) = noting();
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for (size, sizes) in [(0, 1), (1, 1), (70_000, 1000), (70_000, 70_000), (3 * MIB, 50_000)] {
        let body = noise(size);
        let mut forged = body.clone();
        forged.push(b'x');
        let chunks = format!("Transfer-Encoding: chunked\r\n{}", elsewhere());
        let fields = Draft::new(3, LINE, &body).fields(&signer) + &chunks;
        let mut client = agent.client();
        let answer = client.ask([head(LINE, &fields).into_bytes(), chunked(&forged, sizes)].concat());
        assert_eq!(verdict(&answer), FORGED, "{size} bytes in pieces of {sizes}");
    }
    agent.stop();
    for visit in engine.settle() {
        assert!(!visit.received.ends_with(b"0\r\n\r\n"), "the last chunk came: {:?}", visit.text());
    }
    assert!(got.lock().unwrap().iter().all(|(_, is_whole)| !is_whole), "{got:?}");
}

#[test]
fn a_request_without_the_body_it_declares_does_not_reach_the_engine() {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for length in ["", "Content-Length: 0\r\n"] {
        let fields = Draft::new(3, LINE, "a body").fields(&signer) + length + &elsewhere();
        assert_eq!(verdict(&agent.ask(head(LINE, &fields))), FORGED);
    }
    for version in [1, 2] {
        let line = "POST /containers/create";
        let fields = Draft::new(version, line, "a body").fields(&signer) + &elsewhere();
        for other in ["", "a bode", "a bod", "a body "] {
            let length = format!("Content-Length: {}\r\n", other.len());
            let answer = agent.ask(head(line, &(fields.clone() + &length)) + other);
            assert_eq!(verdict(&answer), FORGED, "{other:?}");
        }
        let right = head(line, &(fields + "Content-Length: 6\r\n")) + "a body";
        assert_eq!(agent.ask(right).status(), 200, "what was forged used nothing up");
    }
    agent.stop();
    assert_eq!(engine.settle().len(), 2, "only what was right reached the engine");
}

#[test]
fn a_body_that_is_what_was_signed_arrives_as_it_is() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            let sum = sha256(&message.body);
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sum}", sum.len()));
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let mut client = agent.client();
    for version in [2, 3] {
        for size in [0, 1, 4096, 65_536, 70_000, 5 * MIB] {
            let body = noise(size);
            let fields = Draft::new(version, LINE, &body).fields(&signer);
            let length = head(LINE, &format!("{fields}Content-Length: {size}\r\n"));
            assert_eq!(
                client.ask([length.as_bytes(), &body].concat()).text(),
                sha256(&body),
                "{version} {size}"
            );
            let fields = Draft::new(version, LINE, &body).fields(&signer);
            let pieces = head(LINE, &format!("{fields}Transfer-Encoding: chunked\r\n")).into_bytes();
            let answer = client.ask([pieces, chunked(&body, 33_333)].concat());
            assert_eq!(answer.text(), sha256(&body), "{version} {size} in chunks");
        }
    }
}

#[test]
fn a_large_body_of_version_3_streams_in_little_memory() {
    const SIZE: usize = 64 * MIB;
    let (home, signer) = (Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        while let Some(head) = visit.head() {
            let mut digest = Sha256::new();
            visit.wire().pour(head.length(), &mut |piece| digest.update(piece)).unwrap();
            let sum = data_encoding::HEXLOWER.encode(&digest.finalize());
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sum}", sum.len()));
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let piece = noise(MIB);
    let sum = sha256(piece.repeat(SIZE / MIB));
    let before = agent.resident_kib();
    for framing in [format!("Content-Length: {SIZE}\r\n"), "Transfer-Encoding: chunked\r\n".to_owned()] {
        let draft = Draft { body_sha256: sum.clone(), ..Draft::new(3, LINE, "") };
        let mut client = agent.client();
        client.send(head(LINE, &(draft.fields(&signer) + &framing)));
        let mut most = 0;
        for _ in 0..SIZE / MIB {
            if framing.starts_with("Transfer") {
                client.send(format!("{MIB:x}\r\n"));
            }
            client.send(&piece);
            if framing.starts_with("Transfer") {
                client.send("\r\n");
            }
            most = most.max(agent.resident_kib());
        }
        if framing.starts_with("Transfer") {
            client.send("0\r\n\r\n");
        }
        assert_eq!(client.answer().text(), sum, "{framing}");
        assert!(most < before + 8 * 1024, "{before} KiB before, {most} KiB while 64 MiB passed ({framing})");
    }
}

#[test]
fn a_body_of_version_1_or_2_is_held_up_to_32_mib_and_no_further() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let (engine, got) = noting();
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let body = noise(32 * MIB + 1);
    let line = "POST /build";
    for version in [1, 2] {
        for (size, status) in [(32 * MIB, 200), (32 * MIB + 1, 413)] {
            let body = &body[..size];
            let fields = Draft::new(version, line, body).fields(&signer);
            let fields = fields + &elsewhere() + "Transfer-Encoding: chunked\r\n";
            let mut client = agent.client();
            let mut writer = client.writer();
            let sending = thread::scope(|scope| {
                let bytes = [head(line, &fields).into_bytes(), chunked(body, MIB)].concat();
                // An answer may come before the last byte was taken, and the connection end with it.
                scope.spawn(move || drop(writer.write_all(&bytes)));
                client.answer()
            });
            assert_eq!(sending.status(), status, "{size} bytes in version {version}");
        }
    }
    agent.stop();
    engine.settle();
    assert_eq!(*got.lock().unwrap(), [(32 * MIB, true), (32 * MIB, true)]);
}

/// The first head of the answer to a request that waits for permission to send its body.
fn first(agent: &crate::agent::Agent, fields: &str) -> Head {
    let mut client = agent.client();
    let waits = "Expect: 100-continue\r\nContent-Length: 6\r\n";
    client.send(head(LINE, &format!("{fields}{waits}{}", elsewhere())));
    let first = client.head();
    if first.status() == 100 {
        client.send("a body");
        assert_eq!(client.answer().status(), 200);
    }
    first
}

#[test]
fn no_body_is_asked_for_before_the_head_is_found_good() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (signer, stranger) = (Signer::new(1), Signer::new(2));
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    let old = |version| Draft { stamp: "1000000000".to_owned(), ..Draft::new(version, LINE, "a body") };
    let nonsense = "A".repeat(85);
    for (fields, reason) in [
        (Draft::new(2, LINE, "a body").fields(&stranger), "unknown-key"),
        (Draft::new(3, LINE, "a body").fields(&stranger), "unknown-key"),
        (old(2).fields(&signer), "timestamp-skew"),
        (old(3).fields(&signer), "timestamp-skew"),
        (Draft::new(2, LINE, "a body").fields_with(&signer.id(), &nonsense), "invalid-signature"),
        (Draft::new(3, LINE, "a body").fields_with(&signer.id(), &"A".repeat(86)), "invalid-signature"),
    ] {
        let answer = first(&agent, &fields);
        assert_eq!((answer.status(), answer.value("x-lookout-reason")), (401, Some(reason)), "{fields}");
    }
    for version in [2, 3] {
        let fields = Draft::new(version, LINE, "a body").fields(&signer);
        assert_eq!(first(&agent, &fields).status(), 100);
        let replayed = first(&agent, &fields);
        assert_eq!((replayed.status(), replayed.value("x-lookout-reason")), (401, Some("replay")));
    }
}

#[test]
fn a_signed_upgrade_streams_both_ways() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        if visit.request().is_some() {
            visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello");
            let input = visit.take(5);
            visit.send(input);
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for version in [1, 2, 3] {
        let (line, body) = ("POST /exec/a/start", "{\"Detach\":false}");
        let fields = Draft::new(version, line, body).fields(&signer);
        let upgrade = format!("Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {}\r\n", body.len());
        let mut client = agent.client();
        client.send(head(line, &(fields + &upgrade)) + body);
        assert_eq!(client.head().status(), 101, "version {version}");
        assert_eq!(client.take(5), b"hello");
        client.send("input");
        assert_eq!(client.take(5), b"input");
        assert!(client.body(Length::UntilClose).unwrap().is_empty());
    }
}
