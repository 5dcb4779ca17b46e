//! Controllers, proxies and others on loopback, and what is said of the way that leads to them.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::auth::self_signed::{Name, Usage, from_now, self_signed};
use crate::auth::{pem, pkcs8};
use crate::edge::upgrade::accept;
use crate::edge::via::Proxies;
use crate::net::tls::{Acceptor, Clients};
use crate::sys::poll::{Watch, wait};
use crate::threads::Resident;

const PATH: &str = "/base/api/lookout/ws";
const ACCEPTED: &str = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
    HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nSec-WebSocket-Accept: ";

fn patience() -> Deadline {
    Deadline::after_secs(60)
}

/// Somebody who does once with a connection what `serve` says.
fn somebody(serve: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, Resident) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let resident = Resident::start("somebody", move || {
        assert!(wait(&mut [Watch::readable(&listener)], patience()).unwrap(), "nobody came");
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(patience().left()).unwrap();
        serve(socket);
    });
    (address, resident.unwrap())
}

/// Reads one request's head.
fn head(socket: &mut impl Read) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "an end instead of a request");
        read.push(byte[0]);
    }
    String::from_utf8(read).unwrap()
}

/// The answer that a request of this head wants, with something right behind it.
fn welcome(head: &str) -> String {
    let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    format!("{ACCEPTED}{}\r\n\r\nearly", accept(key))
}

/// A connection of the other side with TLS, for reading and writing as it is usual.
struct Secured(Conn);

impl Read for Secured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let deadline = patience();
        loop {
            match self.0.read(into) {
                Err(error) if is_tick(&error) && !deadline.passed() => {}
                done => return done,
            }
        }
    }
}

/// A certificate for these hosts, valid between two seconds, and how to show it.
fn certified(test: &str, validity: [u64; 2]) -> (PathBuf, Acceptor) {
    let dir = std::env::temp_dir().join(format!("lookout-dial-{}-{test}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let seed = Secret::new([3; 32]);
    let name = Name {
        common_name: "controller".to_owned(),
        dns: vec!["controller.test".to_owned()],
        ips: vec!["127.0.0.1".parse().unwrap()],
    };
    let der = self_signed(&seed, &name, validity[0], validity[1], Usage::Server).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert, pem::write("CERTIFICATE", &der)).unwrap();
    fs::write(&key, pkcs8::write(&seed).expose()).unwrap();
    fs::set_permissions(&cert, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let acceptor = Acceptor::load(&cert, &key, Clients::Nobody).unwrap().0;
    (cert, acceptor)
}

fn way(proxy: Option<&str>) -> Way {
    Way {
        connector: Connector::unverified().unwrap(),
        proxies: Proxies::new(None, None, proxy, None).unwrap(),
        headers: vec![("X-Access".to_owned(), Secret::new("hunter2".to_owned()))],
    }
}

fn dialling(url: &str, way: &Way) -> Result<Dialled, DialFailed> {
    dial(&Url::parse(url).unwrap(), way, PATH, patience())
}

fn failing(url: &str, way: &Way) -> DialFailed {
    dialling(url, way).err().unwrap()
}

/// What becomes of a dial to somebody who answers every request so, and leaves.
fn answering(answer: &'static str) -> DialFailed {
    let (address, other) = somebody(move |mut socket| {
        head(&mut socket);
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let failed = failing(&format!("ws://{address}"), &way(None));
    assert!(other.join());
    failed
}

#[test]
fn a_controller_that_agrees_is_talked_to_from_the_first_byte() {
    let (address, other) = somebody(|mut socket| {
        let asked = head(&mut socket);
        assert!(asked.starts_with("GET /base/api/lookout/ws HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        assert!(asked.contains("\r\nX-Access: hunter2\r\n") && !asked.contains("Origin"), "{asked}");
        // In two pieces: a head may come in any number.
        let answer = welcome(&asked);
        let (one, two) = answer.split_at(90);
        socket.write_all(one.as_bytes()).unwrap();
        socket.write_all(two.as_bytes()).unwrap();
        socket.write_all(b" bird").unwrap();
        assert_eq!(socket.read(&mut [0; 8]).unwrap(), 3);
    });
    let mut dialled = dialling(&format!("ws://{address}"), &way(None)).unwrap();
    assert_eq!((dialled.peer, dialled.date), (address, Some(784_111_777)));
    let mut told = dialled.early.clone();
    while told.len() < 10 {
        let mut more = [0; 16];
        match dialled.conn.read(&mut more) {
            Ok(count) if count > 0 => told.extend_from_slice(&more[..count]),
            Err(error) if is_tick(&error) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, b"early bird");
    dialled.conn.write_all(b"hey", patience()).unwrap();
    assert!(other.join());
}

#[test]
fn over_tls_only_a_controller_that_proves_its_name_is_asked() {
    let day = from_now(1);
    for (test, validity, host, told) in [
        ("good", day, "127.0.0.1", None),
        ("name", day, "localhost", Some("its certificate is for another name")),
        ("past", [1, 2], "127.0.0.1", Some("its certificate has expired")),
        ("future", [4_000_000_000, 4_000_000_001], "127.0.0.1", Some("its certificate is not valid yet")),
    ] {
        let (cert, acceptor) = certified(test, validity);
        let (address, other) = somebody(move |socket| {
            let mut conn = Secured(Conn::accepted(Arc::new(socket), Some(&acceptor)).unwrap());
            if conn.0.handshake(patience()).is_ok() && told.is_none() {
                let asked = head(&mut conn);
                conn.0.write_all(welcome(&asked).as_bytes(), patience()).unwrap();
            }
        });
        let way = Way { connector: Connector::controller(Some(&cert)).unwrap(), ..way(None) };
        match (dialling(&format!("wss://{host}:{}", address.port()), &way), told) {
            (Ok(_), None) => {}
            (Err(failed @ DialFailed::Tls(_)), Some(told)) => {
                assert!(failed.to_string().contains(told), "{failed}");
            }
            (outcome, _) => panic!("{test}: {:?}", outcome.err()),
        }
        assert!(other.join());
    }
}

#[test]
fn an_authority_nobody_named_is_not_believed() {
    let (cert, _) = certified("known", from_now(1));
    // The same name and another key.
    let seed = Secret::new([4; 32]);
    let (unknown, acceptor) = certified("unknown", from_now(1));
    fs::write(unknown.with_file_name("key.pem"), pkcs8::write(&seed).expose()).unwrap();
    drop(acceptor);
    let name = Name { common_name: "other".to_owned(), dns: vec![], ips: vec!["127.0.0.1".parse().unwrap()] };
    let [from, to] = from_now(1);
    let der = self_signed(&seed, &name, from, to, Usage::Server).unwrap();
    fs::write(&unknown, pem::write("CERTIFICATE", &der)).unwrap();
    let key = unknown.with_file_name("key.pem");
    let acceptor = Acceptor::load(&unknown, &key, Clients::Nobody).unwrap().0;
    let (address, other) = somebody(move |socket| {
        let _ = Conn::accepted(Arc::new(socket), Some(&acceptor)).unwrap().handshake(patience());
    });
    let way = Way { connector: Connector::controller(Some(&cert)).unwrap(), ..way(None) };
    let failed = failing(&format!("wss://{address}"), &way).to_string();
    assert!(failed.contains("CA_CERT"), "{failed}");
    assert!(other.join());
}

#[test]
fn a_proxy_connects_us_and_sees_nothing_more() {
    let (cert, acceptor) = certified("proxied", from_now(1));
    let (address, other) = somebody(move |mut socket| {
        let asked = head(&mut socket);
        assert_eq!(
            asked,
            format!(
                "CONNECT controller.test:8443 HTTP/1.1\r\nHost: controller.test:8443\r\nUser-Agent: {AGENT}\r\n\
                 Proxy-Authorization: Basic bWU6d29yZA==\r\n\r\n"
            )
        );
        socket.write_all(b"HTTP/1.0 200 Connection established\r\nContent-Length: 7\r\n\r\n").unwrap();
        let mut conn = Secured(Conn::accepted(Arc::new(socket), Some(&acceptor)).unwrap());
        conn.0.handshake(patience()).unwrap();
        let asked = head(&mut conn);
        assert!(asked.contains("\r\nHost: controller.test:8443\r\n") && !asked.contains("Proxy"), "{asked}");
        conn.0.write_all(welcome(&asked).as_bytes(), patience()).unwrap();
    });
    let way = Way {
        connector: Connector::controller(Some(&cert)).unwrap(),
        ..way(Some(&format!("http://me:word@{address}")))
    };
    let dialled = dialling("wss://controller.test:8443", &way).unwrap();
    assert_eq!(dialled.peer, address);
    assert!(other.join());
}

#[test]
fn a_proxy_that_leads_nowhere_is_named_and_never_its_password() {
    for (answer, told) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!",
            "wants other credentials",
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "answers 403"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "answers 502"),
        ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "sends something before we do"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer in HTTP"),
        ("\x05\x00\n", "does not answer in HTTP"),
    ] {
        let (address, other) = somebody(move |mut socket| {
            head(&mut socket);
            socket.write_all(answer.as_bytes()).unwrap();
        });
        let failed = failing("wss://controller.test", &way(Some(&format!("me:hunter2@{address}"))));
        assert!(matches!(failed, DialFailed::Proxy(..)), "{failed:?}");
        let text = failed.to_string();
        assert!(text.starts_with(&format!("the proxy http://{address} {told}")), "{text}");
        assert!(!format!("{failed:?}{text}").contains("hunter2"));
        assert!(other.join());
    }
    let (address, other) = somebody(|mut socket| drop(head(&mut socket)));
    let failed = failing("ws://controller.test", &way(Some(&address.to_string())));
    assert!(matches!(failed, DialFailed::Closed(Phase::Proxy)), "{failed:?}");
    assert!(other.join());
    let failed = failing("ws://controller.test", &way(Some(&address.to_string()))).to_string();
    assert!(failed.contains("is not reached: cannot connect to 127.0.0.1:"), "{failed}");
}

#[test]
fn every_other_answer_is_told_apart() {
    for (answer, told) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no controller is at this path"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "drops the Upgrade field"),
        ("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9\r\n\r\n", "(to be asked again in 9 s)"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "switches to something other"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgr", "the connection was closed while the upgrade"),
        ("", "the connection was closed while the upgrade"),
    ] {
        let failed = answering(answer).to_string();
        assert!(failed.contains(told), "{failed}");
        assert!(!failed.contains("hunter2"));
    }
}

#[test]
fn who_never_answers_is_not_waited_for() {
    // The kernel connects on behalf of who never accepts.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let soon = || Deadline::after(Duration::from_millis(300));
    for (scheme, phase) in [("ws", Phase::Upgrade), ("wss", Phase::Tls)] {
        let url = Url::parse(&format!("{scheme}://{address}")).unwrap();
        let failed = dial(&url, &way(None), PATH, soon()).err().unwrap();
        assert!(matches!(failed, DialFailed::Late(late) if late == phase), "{failed:?}");
    }
    let url = Url::parse("ws://controller.test").unwrap();
    let failed = dial(&url, &way(Some(&address.to_string())), PATH, soon()).err().unwrap();
    assert!(matches!(failed, DialFailed::Late(Phase::Proxy)), "{failed:?}");
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = listener.local_addr().unwrap();
    let dead = |ip: &str| {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let (first, second) = (dead("127.0.0.1"), dead("127.0.0.2"));
    let (_conn, peer) = connect(vec![first, second, live], patience()).ok().unwrap();
    assert_eq!(peer, live);
    match connect(vec![first, second], patience()).err() {
        Some(failed @ DialFailed::Connect(address, _)) => {
            assert_eq!(address, first);
            assert!(failed.to_string().contains("nobody listens there"), "{failed}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(connect(vec![], patience()).err(), Some(DialFailed::Late(Phase::Connect))));
}

#[test]
fn the_families_take_turns() {
    let addresses = |list: &[&str]| -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 1)).collect()
    };
    for (given, tried) in [
        (&["::1", "::2", "::3", "10.0.0.1"][..], &["::1", "10.0.0.1", "::2", "::3"][..]),
        (&["10.0.0.1", "::1", "::2"], &["10.0.0.1", "::1", "::2"]),
        (&["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
        (&["::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"], &["::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    ] {
        assert_eq!(in_turn(&addresses(given)), addresses(tried), "{given:?}");
    }
    assert_eq!(in_turn(&addresses(&["10.0.0.1"; 40])).len(), ADDRESSES_MAX);
}

#[test]
fn names_are_looked_up_and_addresses_are_not() {
    let found = |host| resolve(host, 7, patience()).unwrap();
    assert_eq!(found("192.0.2.7"), ["192.0.2.7:7".parse().unwrap()]);
    assert_eq!(found("2001:db8::1"), ["[2001:db8::1]:7".parse().unwrap()]);
    assert!(found("localhost").iter().all(|address| address.ip().is_loopback()));
    // A label of more than 63 signs is asked of no server.
    let failed = resolve(&"a".repeat(64), 7, patience()).unwrap_err();
    assert!(failed.to_string().contains("has no address here"), "{failed}");
    let late = resolve("localhost", 7, Deadline::after(Duration::ZERO)).unwrap_err();
    assert!(matches!(late, DialFailed::Late(Phase::Resolve)));
}
