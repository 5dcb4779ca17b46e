//! The torture can fail: in front of the same Engine somebody careless is found out.
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::engine::Engine;
use crate::patience::PATIENCE;
use crate::torture_smuggling::disputed;
use crate::torture_stand::{Case, SMUGGLED, Shot, Stand, fill};

/// Serves every connection, as long as the test lasts.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for client in listener.incoming() {
            let serve = Arc::clone(&serve);
            let client = client.unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            thread::spawn(move || serve(client));
        }
    });
    port
}

/// What the Engine gets instead of a good credential. Everything beside it stays as it is.
fn let_in(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    text.replace(&fill("{ok}"), "Host: docker\r\n")
}

/// Takes the credential out, and hands on every other byte as it came.
fn relay(engine: &Engine) -> u16 {
    let socket = engine.path().to_owned();
    listen(move |mut client| {
        let Ok(engine) = UnixStream::connect(&socket) else { return };
        let (mut from, mut to) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
        let back = thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let (mut to, mut buffer) = (engine, [0; 65536]);
        while let Ok(count) = client.read(&mut buffer) {
            if count == 0 || to.write_all(let_in(&buffer[..count]).as_bytes()).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = back.join();
    })
}

/// One exchange over a connection of its own.
fn exchange(socket: &Path, request: &[u8]) -> Vec<u8> {
    let mut engine = UnixStream::connect(socket).unwrap();
    engine.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    engine.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = engine.read_to_end(&mut answer);
    answer
}

/// Asks what it should, in good form, and gives each client what the one before was due.
fn confused(engine: &Engine) -> u16 {
    let socket: PathBuf = engine.path().to_owned();
    let kept = Arc::new(Mutex::new(exchange(&socket, b"GET /first HTTP/1.1\r\nHost: docker\r\n\r\n")));
    listen(move |mut client| {
        let mut buffer = [0; 4096];
        let count = client.read(&mut buffer).unwrap_or(0);
        let answer =
            exchange(&socket, let_in(&buffer[..count]).replace("Connection: close\r\n", "").as_bytes());
        let other = std::mem::replace(&mut *kept.lock().unwrap(), answer);
        let _ = client.write_all(&other);
    })
}

#[test]
fn somebody_who_hands_on_every_byte_is_found_out_in_every_case() {
    let mut stand = Stand::other(relay);
    let mut count = 0;
    for shot in disputed() {
        let name = shot.name.clone();
        stand.shoot([shot]);
        let found = stand.findings();
        let it = format!("the Engine got {SMUGGLED}");
        assert!(found.iter().any(|one| one.contains(&it)), "{name}: {found:?}");
        count += 1;
    }
    assert!(count > 40, "{count} cases");
}

#[test]
fn somebody_who_mixes_up_answers_is_found_out() {
    let mut stand = Stand::other(confused);
    let case: Case<'_> = ("one", "GET /a HTTP/1.1\r\n{ok}Connection: close\r\n\r\n", &[200], &["GET /a"]);
    stand.shoot([Shot::of(&case)]);
    let found = stand.findings();
    assert!(found.iter().any(|one| one.contains("which is another's")), "{found:?}");
    assert!(found.iter().any(|one| one.contains("to whoever comes next")), "{found:?}");
}

/// The agent itself, and a table that is wrong about it.
#[test]
fn a_table_that_is_wrong_is_found_out() {
    let mut stand = Stand::agent(&[]);
    let wrong: [Case<'_>; 5] = [
        ("a wrong status", "GET /a\r\n\r\n", &[404], &[]),
        ("one answer too many", "GET /a HTTP/1.1\r\n{ok}Connection: close\r\n\r\n", &[200, 200], &["GET /a"]),
        (
            "one answer too few",
            "GET /a HTTP/1.1\r\n{ok}\r\nGET /b HTTP/1.1\r\n{ok}\r\n",
            &[200],
            &["GET /a", "GET /b"],
        ),
        ("one request too many", "GET /a HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /a", "GET /b"]),
        ("another body", "POST /a HTTP/1.1\r\n{ok}Content-Length: 2\r\n\r\nhi", &[200], &["POST /a ho"]),
    ];
    for case in &wrong {
        stand.shoot([Shot::of(case)]);
        assert!(!stand.findings().is_empty(), "{}: nothing was found", case.0);
    }
}
