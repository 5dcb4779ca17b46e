//! The stage itself, without the agent: the fake Engine and the strict reader tell whole from broken.
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;

use crate::engine::{Engine, OK};
use crate::message::{Length, Wire};
use crate::patience::PATIENCE;

/// Reads one answer from these bytes: its status, and its body if that came whole.
fn read(bytes: &str) -> (u16, Option<String>) {
    let mut wire = Wire::new(bytes.as_bytes());
    let head = wire.head().expect("a whole head");
    let body = wire.body(head.length()).ok().map(|body| String::from_utf8(body).unwrap());
    (head.status(), body)
}

fn call(engine: &Engine, bytes: &str) -> Wire<UnixStream> {
    let mut stream = UnixStream::connect(engine.path()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    Wire::new(stream)
}

#[test]
fn a_body_is_whole_or_it_is_not() {
    for (bytes, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Some("ab")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", Some("ab")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na", None),
        ("HTTP/1.1 200 OK\r\n\r\nab", Some("ab")),
        ("HTTP/1.1 204 No Content\r\n\r\nab", Some("")),
    ] {
        assert_eq!(read(bytes).1.as_deref(), body, "{bytes:?}");
    }
    assert!(Wire::new(&b"HTTP/1.1 200 OK\r\n\r"[..]).head().is_err());
}

#[test]
fn what_is_not_strict_http_is_not_read() {
    for bytes in [
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n\r\n",
    ] {
        assert!(thread::spawn(|| read(bytes)).join().is_err(), "{bytes:?} was read");
    }
}

#[test]
fn the_engine_keeps_what_was_proxied_and_nothing_of_the_agents_own_questions() {
    let engine = Engine::obliging();
    let mut wire = call(&engine, "GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(wire.head().unwrap().status(), 200);
    assert_eq!(wire.body(Length::Exactly(2)).unwrap(), b"OK");
    assert!(engine.visits().is_empty());
    wire.stream_mut().write_all(b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nb").unwrap();
    assert_eq!(wire.head().unwrap().status(), 200);
    assert_eq!(engine.visits()[0].text(), "POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nb");
    assert!(!engine.visits()[0].ended);
    drop(wire);
    engine.wait("the end is noted", |visits| (visits[0].ended && visits[0].finished).then_some(()));
}

#[test]
fn a_script_that_fails_fails_its_test() {
    let outcome = thread::spawn(|| {
        let engine = Engine::start(|visit| {
            visit.request();
            panic!("as rehearsed");
        });
        let _ = call(&engine, OK.replace("HTTP/1.1 200 OK", "GET /a HTTP/1.1").as_str()).head();
        engine.wait("the script ends", |visits| visits.first()?.finished.then_some(()));
    });
    assert!(outcome.join().is_err());
}
