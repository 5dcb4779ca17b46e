//! Client certificates: a listed key in any envelope comes in, and every other one is told why not.
use std::fs;

use rustls::version::{TLS12, TLS13};

use crate::agent::{Agent, request};
use crate::engine::{Engine, Home};
use crate::signer::{AGENT_ID, Signer, file, head, logged, next_second, reload, verdict};
use crate::tls_client::{Shown, TlsClient, keygen, server_cert, valid_between};

const CA: &str = include_str!("specimens/clients/ca.pem");
const LEAF: &str = include_str!("specimens/clients/leaf.pem");
const LEAF_KEY: &str = include_str!("specimens/clients/leaf-key.pem");

/// An agent with TLS, a file of keys with these lines, and its usual token.
struct Scene {
    home: Home,
    agent: Agent,
    keys: String,
    server: [String; 2],
    engine: Engine,
}

impl Scene {
    fn new(lines: &str, home: Home, more: &[(&str, &str)]) -> Self {
        let engine = Engine::start(|visit| {
            while let Some(message) = visit.request() {
                if message.head.values("upgrade").is_empty() {
                    visit.send(crate::engine::OK);
                    continue;
                }
                visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello");
                return visit.until_left();
            }
        });
        let server = server_cert(&home, "server");
        let keys = file(&home, "keys", lines);
        let fixed = [
            ("AUTHORIZED_KEYS", keys.as_str()),
            ("TLS_CERT", &server[0]),
            ("TLS_KEY", &server[1]),
            ("AGENT_ID", AGENT_ID),
            ("TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let agent = Agent::start_with(&engine, &[&fixed, more].concat());
        Self { home, agent, keys, server, engine }
    }

    fn client(&self, shown: Option<&Shown>) -> TlsClient {
        TlsClient::connect(self.agent.port(), &self.server[0], shown)
    }

    fn ask(&self, shown: &Shown) -> (u16, Option<String>) {
        let answer = self.client(Some(shown)).ask(head("GET /a?b", ""));
        let (status, reason) = verdict(&answer);
        (status, reason.map(str::to_owned))
    }
}

fn refused(reason: &str) -> (u16, Option<String>) {
    (401, Some(reason.to_owned()))
}

#[test]
fn the_certificate_of_a_listed_key_is_a_credential() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    for version in [&TLS13, &TLS12] {
        let mut client = TlsClient::with_version(scene.agent.port(), &scene.server[0], Some(&one), version);
        for line in ["GET /a?b", "GET /_ping", "POST /containers/a/kill"] {
            assert_eq!(client.ask(head(line, "")).status(), 200, "{version:?} {line}");
        }
    }
    logged(&scene.agent, &["request.permitted", " one\""]);
    // Without one, the token is still asked for, and good.
    let mut bare = scene.client(None);
    assert_eq!(verdict(&bare.ask(head("GET /a", ""))), (401, Some("no_credentials")));
    assert_eq!(bare.ask(request("GET /a", "")).status(), 200);
    assert_eq!(scene.client(None).ask(head("GET /health", "")).status(), 200);
}

#[test]
fn a_key_that_is_not_listed_is_refused_whatever_else_is_sent() {
    let home = Home::new();
    let (one, foreign) = (keygen(&home, "one"), keygen(&home, "foreign"));
    let scene = Scene::new(&one.line, home, &[]);
    assert_eq!(scene.ask(&foreign), refused("unknown-key"));
    let answer = scene.client(Some(&foreign)).ask(request("GET /a", ""));
    assert_eq!(verdict(&answer), (401, Some("unknown-key")), "the token does not mend it");
    assert_eq!(scene.client(Some(&foreign)).ask(head("GET /health", "")).status(), 200);
    assert!(scene.engine.visits().is_empty());
    assert_eq!(scene.ask(&one).0, 200);
}

#[test]
fn a_certificate_counts_only_while_it_is_valid() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    for (from, to, outcome) in [
        ("200101000000Z", "210101000000Z", refused("expired")),
        ("480101000000Z", "490101000000Z", refused("expired")),
        ("200101000000Z", "491231235959Z", (200, None)),
    ] {
        assert_eq!(scene.ask(&valid_between(&one, from, to)), outcome, "{from} to {to}");
    }
}

#[test]
fn a_certificate_with_another_kind_of_key_ends_the_handshake_or_is_refused() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    let other = Shown {
        cert: include_str!("specimens/clients/p256.pem").to_owned(),
        key: include_str!("specimens/clients/p256-key.pem").to_owned(),
        line: String::new(),
    };
    // Without a scheme in common a client shows nothing, and so brings no credential.
    match scene.client(Some(&other)).try_ask(head("GET /a", "")) {
        Ok(answer) => assert_eq!(answer.status(), 401),
        Err(why) => assert!(!why.contains("WouldBlock"), "{why}"),
    }
    assert!(scene.engine.visits().is_empty());
}

#[test]
fn input_and_its_end_in_one_breath_reach_the_engine() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    let mut client = scene.client(Some(&one));
    client.send(head("POST /attach", "Connection: Upgrade\r\nUpgrade: tcp\r\n")).unwrap();
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.take(5), b"hello");
    client.send_and_finish(b"input");
    scene.engine.wait("the Engine has the input and its end", |visits| {
        let visit = visits.iter().find(|visit| visit.text().ends_with("input"))?;
        visit.ended.then_some(())
    });
}

#[test]
fn from_and_expires_narrow_what_a_key_may_do() {
    let home = Home::new();
    let [here, there, over, later] = ["here", "there", "over", "later"].map(|name| keygen(&home, name));
    let lines = [
        format!("from=\"127.0.0.0/8,192.0.2.0/24\" {}", here.line),
        format!("from=\"192.0.2.0/24\" {}", there.line),
        format!("expires=\"2020-12-31T00:00:00Z\" {}", over.line),
        format!("expires=\"2099-12-31T00:00:00Z\",from=\"127.0.0.1\" {}", later.line),
    ];
    let (signer, options) = (Signer::new(1), "from=\"192.0.2.7\" ");
    let scene = Scene::new(&(lines.concat() + options + &signer.line()), home, &[]);
    next_second();
    assert_eq!(scene.ask(&here).0, 200);
    assert_eq!(scene.ask(&there), refused("unknown-key"));
    assert_eq!(scene.ask(&over), refused("unknown-key"));
    assert_eq!(scene.ask(&later).0, 200);
    logged(&scene.agent, &["auth.key_barred", "not for this address"]);
    logged(&scene.agent, &["auth.key_barred", "expired"]);
    // Who a trusted proxy speaks for counts, and for signatures too.
    let from = |address: &str| head("GET /a", &format!("X-Forwarded-For: {address}\r\n"));
    assert_eq!(scene.client(Some(&there)).ask(from("192.0.2.99")).status(), 200);
    assert_eq!(scene.client(Some(&here)).ask(from("198.51.100.1")).status(), 401);
    for (address, status) in [("192.0.2.7", 200), ("192.0.2.8", 401)] {
        let signed = String::from_utf8(signer.request(3, "GET /a", "")).unwrap();
        let signed = signed.replacen("\r\n", &format!("\r\nX-Forwarded-For: {address}\r\n"), 1);
        assert_eq!(scene.client(None).ask(signed).status(), status, "{address}");
    }
}

#[test]
fn a_signature_comes_before_a_certificate() {
    let home = Home::new();
    let (one, signer) = (keygen(&home, "one"), Signer::new(1));
    let scene = Scene::new(&(one.line.clone() + &signer.line()), home, &[]);
    next_second();
    let mut client = scene.client(Some(&one));
    assert_eq!(client.ask(signer.request(3, "GET /a", "")).status(), 200);
    let bad = client.ask(Signer::new(2).request(3, "GET /a", ""));
    assert_eq!(verdict(&bad), (401, Some("unknown-key")), "the certificate does not mend it");
    assert_eq!(client.ask(head("GET /a", "")).status(), 200);
}

#[test]
fn a_certificate_passes_where_a_neighbour_failed_too_often() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    let mut stranger = scene.client(None);
    for _ in 0..10 {
        assert_eq!(stranger.ask(head("GET /a", "X-Lookout-Token: wrong\r\n")).status(), 401);
    }
    assert_eq!(stranger.ask(request("GET /a", "")).status(), 429);
    assert_eq!(scene.ask(&one).0, 200);
}

#[test]
fn an_authority_adds_to_what_a_key_must_have_and_takes_nothing_away() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let leaf = Shown { cert: LEAF.to_owned(), key: LEAF_KEY.to_owned(), line: String::new() };
    let key = file(&home, "leaf-key", LEAF_KEY);
    let told = crate::agent::run(&["keygen", "--pub-from", &key, "--comment", "leaf"], &[]);
    assert_eq!(told.code, Some(0), "{}", told.words());
    let ca = file(&home, "ca", CA);
    let scene = Scene::new(&(told.stdout + &one.line), home, &[("CLIENT_CA", &ca)]);
    assert_eq!(scene.ask(&leaf).0, 200);
    // A key of ours that the authority did not sign does not get in with its own certificate.
    match scene.client(Some(&one)).try_ask(head("GET /a", "")) {
        Ok(answer) => assert_eq!(answer.status(), 401),
        Err(why) => assert!(!why.contains("WouldBlock"), "{why}"),
    }
    fs::write(&scene.keys, &one.line).unwrap();
    reload(&scene.agent);
    assert_eq!(scene.ask(&leaf), refused("unknown-key"), "signed by the authority, but no key of ours");
    assert_eq!(scene.client(None).ask(request("GET /a", "")).status(), 200, "a token needs no certificate");
}

#[test]
fn a_removed_keys_certificate_and_stream_end_and_anothers_go_on() {
    let home = Home::new();
    let (stays, goes) = (keygen(&home, "stays"), keygen(&home, "goes"));
    let scene = Scene::new(&(stays.line.clone() + &goes.line), home, &[]);
    let attach = head("POST /attach", "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    let open = |shown: &Shown| {
        let (mut kept, mut stream) = (scene.client(Some(shown)), scene.client(Some(shown)));
        assert_eq!(kept.ask(head("GET /a", "")).status(), 200);
        stream.send(&attach).unwrap();
        assert_eq!(stream.head().status(), 101);
        assert_eq!(stream.take(5), b"hello");
        [kept, stream]
    };
    let ([mut kept, mut stream], gone) = (open(&stays), open(&goes));
    fs::write(&scene.keys, &stays.line).unwrap();
    let line = reload(&scene.agent);
    assert!(line.contains("\"ended\":2"), "{line}");
    for mut client in gone {
        client.expect_end();
    }
    assert_eq!(scene.ask(&goes), refused("unknown-key"));
    assert_eq!(kept.ask(head("GET /a", "")).status(), 200);
    stream.send("more").expect("the stream of the other key goes on");
}

#[test]
fn new_handshakes_get_the_new_certificate_and_a_bad_one_changes_nothing() {
    let home = Home::new();
    let one = keygen(&home, "one");
    let scene = Scene::new(&one.line, home, &[]);
    let [cert, key] = &scene.server;
    let mut old = scene.client(Some(&one));
    assert_eq!(old.ask(head("GET /a", "")).status(), 200);
    let first = fs::read(cert).unwrap();
    let before = file(&scene.home, "first.pem", &first);
    let next = server_cert(&scene.home, "next");
    // Only half of the pair: the two do not go together.
    fs::copy(&next[0], cert).unwrap();
    assert!(reload(&scene.agent).contains("agent.reload_refused"));
    let mut still = TlsClient::connect(scene.agent.port(), &before, Some(&one));
    assert_eq!(still.ask(head("GET /a", "")).status(), 200, "the old certificate is still shown");
    fs::copy(&next[1], key).unwrap();
    assert!(reload(&scene.agent).contains("agent.reloaded"));
    assert_eq!(scene.ask(&one).0, 200, "the new certificate is shown");
    let mut distrusting = TlsClient::connect(scene.agent.port(), &before, Some(&one));
    assert!(distrusting.try_ask(head("GET /a", "")).is_err(), "the old one is shown no more");
    assert_eq!(old.ask(head("GET /a", "")).status(), 200, "who came in before stays");
}
