//! The way to the controller: added fields, whose certificates are believed, and proxies in between.
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use data_encoding::BASE64;
use serde_json::json;

use crate::agent::{TOKEN, run};
use crate::controller::{Call, Controller};
use crate::edge_world::{is_running, obliging, start, start_at, welcomed};
use crate::engine::Home;
use crate::message::{Head, Wire};
use crate::patience::PATIENCE;
use crate::signer::{file, logged};

const CERT: &str = include_str!("specimens/cert.pem");
const KEY: &str = include_str!("specimens/key.pem");
const OTHER: &str = include_str!("specimens/other.pem");

#[test]
fn fields_of_a_file_are_added_to_the_upgrade_and_told_to_nobody_else() {
    let (home, engine, controller) = (Home::new(), obliging(), Controller::start());
    let text = "# for the access proxy\nCF-Access-Client-Id: an-id\n\nAuthorization: Bearer a-great-secret\n";
    let headers = file(&home, "headers", text);
    let agent = start(&controller, engine.path(), &[("EDGE_HEADERS_FILE", &headers)]);
    let call = controller.call();
    assert_eq!(call.head.value("cf-access-client-id"), Some("an-id"));
    assert_eq!(call.head.value("authorization"), Some("Bearer a-great-secret"));
    let mut link = call.upgrade();
    assert!(!link.hello().to_string().contains("a-great-secret"));
    link.welcome(&json!({}));
    logged(&agent, &["\"edge.connected\""]);
    assert!(!agent.stop().words().contains("a-great-secret"));
}

#[test]
fn fields_that_would_bend_the_upgrade_are_refused_at_the_start() {
    let home = Home::new();
    for line in
        ["Host: elsewhere", "Upgrade: tcp", "Sec-WebSocket-Key: a", "no colon", "A B: c", "A: b\rC: d"]
    {
        let headers = file(&home, "headers", format!("{line}\n"));
        let ended = run(
            &[],
            &[("DRYDOCK_URL", "ws://127.0.0.1:9"), ("TOKEN", TOKEN), ("EDGE_HEADERS_FILE", &headers)],
        );
        assert_eq!(ended.code, Some(78), "{line:?}: {}", ended.words());
        assert!(ended.words().contains("EDGE_HEADERS_FILE"), "{line:?}: {}", ended.words());
    }
}

#[test]
fn a_controller_whose_certificate_is_under_the_given_authority_is_spoken_to() {
    let (home, engine, controller) = (Home::new(), obliging(), Controller::with_tls(CERT, KEY));
    let authority = file(&home, "ca.pem", CERT);
    for scheme in ["wss", "https"] {
        let url = format!("{scheme}://127.0.0.1:{}", controller.port());
        let _agent = start_at(&url, engine.path(), &[("CA_CERT", &authority)]);
        let mut link = welcomed(&controller, &json!({}));
        assert_eq!(link.ask("GET /_ping").text(), "OK", "{scheme}");
    }
}

#[test]
fn a_controller_whose_certificate_is_not_trusted_hears_nothing() {
    let (home, engine) = (Home::new(), obliging());
    let others = file(&home, "ca.pem", OTHER);
    // Another authority than the one that was given, and none of those a system trusts.
    for more in [vec![("CA_CERT", others.as_str())], vec![]] {
        let controller = Controller::with_tls(CERT, KEY);
        let agent = start(&controller, engine.path(), &more);
        for _ in 0..2 {
            let call = Call::read(controller.accept());
            assert!(call.is_err(), "it was asked: {:?}", call.unwrap().head);
        }
        assert!(is_running(&agent), "it tries again");
        let told = logged(&agent, &["edge.", "ertificate"]);
        assert!(!told.contains("edge.connected"), "{told}");
    }
}

#[test]
fn a_certificate_is_left_unchecked_only_where_that_is_permitted() {
    let engine = obliging();
    let controller = Controller::with_tls(CERT, KEY);
    let url = controller.url();
    let least = [("DRYDOCK_URL", url.as_str()), ("TOKEN", TOKEN), ("TLS_SKIP_VERIFY", "true")];
    for environment in [vec![], vec![("LOOKOUT_ENV", "Production")]] {
        let ended = run(&[], &[least.as_slice(), &environment].concat());
        assert_eq!(ended.code, Some(78), "{}", ended.words());
        assert!(ended.words().contains("TLS_SKIP_VERIFY"), "{}", ended.words());
    }
    assert!(controller.waiting().is_none(), "nobody was called meanwhile");
    let permitted = [("TLS_SKIP_VERIFY", "true"), ("LOOKOUT_ENV", "Development")];
    let agent = start(&controller, engine.path(), &permitted);
    let mut link = welcomed(&controller, &json!({}));
    assert_eq!(link.ask("GET /_ping").text(), "OK");
    let warned = logged(&agent, &["TLS_SKIP_VERIFY"]);
    assert!(warned.contains("\"WARN\""), "{warned}");
}

/// A proxy that takes CONNECT to any name and leads to this port; it tells what it was asked.
struct Proxy {
    port: u16,
    asked: Receiver<Head>,
}

impl Proxy {
    /// With `login`, only for who says it.
    fn start(to: u16, login: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
                let tell = tell.clone();
                thread::spawn(move || lead(stream, to, login, &tell));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Head {
        self.asked.recv_timeout(PATIENCE).expect("the proxy is asked")
    }
}

fn lead(mut stream: TcpStream, to: u16, login: Option<&str>, tell: &mpsc::Sender<Head>) {
    let Ok(head) = Wire::new(&mut stream).head() else { return };
    let shown = head.value("proxy-authorization").map(str::to_owned);
    // The test may be over.
    let _ = tell.send(head);
    let wanted = login.map(|login| format!("Basic {}", BASE64.encode(login.as_bytes())));
    if wanted.is_some() && shown != wanted {
        let no = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n";
        let _ = stream.write_all(format!("{no}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
        return;
    }
    let onward = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).expect("the controller listens");
    let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n");
    let (mut from_agent, mut to_controller) = (stream.try_clone().unwrap(), onward.try_clone().unwrap());
    let there = thread::spawn(move || {
        let _ = io::copy(&mut from_agent, &mut to_controller);
        let _ = to_controller.shutdown(Shutdown::Write);
    });
    let (mut from_controller, mut to_agent) = (onward, stream);
    let _ = io::copy(&mut from_controller, &mut to_agent);
    let _ = to_agent.shutdown(Shutdown::Write);
    let _ = there.join();
}

#[test]
fn a_proxy_is_asked_to_connect_and_resolves_the_name_itself() {
    let (engine, controller) = (obliging(), Controller::start());
    let proxy = Proxy::start(controller.port(), None);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    // The upper case, the lower case, the one for everything, and without a scheme.
    for (name, value) in [
        ("HTTP_PROXY", address.as_str()),
        ("http_proxy", &address),
        ("ALL_PROXY", &address),
        ("all_proxy", address.trim_start_matches("http://")),
    ] {
        let _agent = start_at("ws://proxied.invalid/behind", engine.path(), &[(name, value)]);
        let head = proxy.asked();
        assert_eq!(head.start, "CONNECT proxied.invalid:80 HTTP/1.1", "{name}");
        assert_eq!(head.value("host"), Some("proxied.invalid:80"), "{name}");
        assert!(head.values("proxy-authorization").is_empty(), "{name}");
        let call = controller.call();
        assert_eq!(
            (call.path(), call.head.value("host")),
            ("/behind/api/lookout/ws", Some("proxied.invalid"))
        );
        let mut link = call.upgrade();
        link.hello();
        link.welcome(&json!({}));
        assert_eq!(link.ask("GET /_ping").text(), "OK", "{name}");
    }
}

#[test]
fn a_proxy_that_wants_a_login_is_given_it_and_nobody_else_is() {
    let (engine, controller) = (obliging(), Controller::start());
    let proxy = Proxy::start(controller.port(), Some("somebody:p@ss word"));
    let address = format!("http://somebody:p%40ss%20word@127.0.0.1:{}", proxy.port);
    let agent = start_at("ws://login.invalid", engine.path(), &[("HTTP_PROXY", &address)]);
    let call = controller.call();
    assert!(call.head.values("proxy-authorization").is_empty(), "{:?}", call.head);
    let mut link = call.upgrade();
    link.hello();
    link.welcome(&json!({}));
    assert_eq!(link.ask("GET /_ping").text(), "OK");
    let words = agent.stop().words();
    assert!(!words.contains("p%40ss") && !words.contains("p@ss word"), "{words}");
}

#[test]
fn a_proxy_that_refuses_is_named_with_what_to_change() {
    let (engine, controller) = (obliging(), Controller::start());
    let proxy = Proxy::start(controller.port(), Some("somebody:else"));
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let agent = start_at("ws://refused.invalid", engine.path(), &[("HTTP_PROXY", &address)]);
    proxy.asked();
    // And again, after a while.
    proxy.asked();
    let line = logged(&agent, &["407"]);
    assert!(line.contains("edge."), "{line}");
    assert!(is_running(&agent));
    assert!(controller.waiting().is_none());
}

#[test]
fn an_encrypted_controller_is_reached_through_a_proxy_that_sees_nothing_of_it() {
    let (home, engine) = (Home::new(), obliging());
    let dir = home.path("controller");
    let made = run(&["cert", "--host", "private.invalid", "--out", dir.to_str().unwrap()], &[]);
    assert_eq!(made.code, Some(0), "{}", made.words());
    let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let controller = Controller::with_tls(&text("cert.pem"), &text("key.pem"));
    let proxy = Proxy::start(controller.port(), None);
    let (address, other) = (format!("http://127.0.0.1:{}", proxy.port), "http://127.0.0.1:9");
    let authority = dir.join("cert.pem");
    let more = [
        ("CA_CERT", authority.to_str().unwrap()),
        ("HTTPS_PROXY", &address),
        ("HTTP_PROXY", other),
        ("ALL_PROXY", other),
    ];
    let _agent = start_at("wss://private.invalid", engine.path(), &more);
    let head = proxy.asked();
    assert_eq!(head.start, "CONNECT private.invalid:443 HTTP/1.1");
    let raw = String::from_utf8_lossy(&head.raw).into_owned();
    assert!(!raw.contains("/api/lookout"), "{raw}");
    assert_eq!(welcomed(&controller, &json!({})).ask("GET /_ping").text(), "OK");
}

#[test]
fn who_needs_no_proxy_is_called_without_one() {
    let (engine, controller) = (obliging(), Controller::start());
    let proxy = Proxy::start(controller.port(), None);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let nobody = format!("ws://0.0.0.0:{}", controller.port());
    // This machine never needs one. What is sent to 0.0.0.0 stays here too, but does not look so.
    for (url, exempt) in [
        (controller.url(), ""),
        (nobody.clone(), "0.0.0.0"),
        (nobody.clone(), "a.b, 0.0.0.0/8"),
        (nobody.clone(), "*"),
    ] {
        let more = [("HTTP_PROXY", address.as_str()), ("NO_PROXY", exempt)];
        let _agent = start_at(&url, engine.path(), &more);
        assert_eq!(welcomed(&controller, &json!({})).ask("GET /_ping").text(), "OK", "{url} {exempt}");
        assert!(proxy.asked.try_recv().is_err(), "{url} {exempt}");
    }
    let _agent = start_at(&nobody, engine.path(), &[("HTTP_PROXY", &address), ("NO_PROXY", "1.2.3.4")]);
    assert_eq!(proxy.asked().target(), nobody.trim_start_matches("ws://"));
}
