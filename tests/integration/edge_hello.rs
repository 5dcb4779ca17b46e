//! The first words of an agent: how it calls, who it says it is, and how it proves it.
use std::thread;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN, VERSION};
use crate::controller::{Call, Controller};
use crate::edge_world::{Edge, obliging, private_key, start, start_at};
use crate::engine::Home;
use crate::patience::until;
use crate::signer::{AGENT_ID, Signer, logged, now, sha256};

const LOOKOUT: &str = "/api/lookout/ws";
const PORTWING: &str = "/api/portwing/ws";
const SEED: u8 = 7;

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text")).collect()
}

/// Whether the hello is signed by the key of this seed, over this path.
fn is_signed(hello: &Value, seed: u8, path: &str) -> bool {
    let (stamp, nonce) = (hello["timestamp"].as_u64().unwrap(), hello["nonce"].as_str().unwrap());
    let message = format!("GET\n{path}\n{}\n{stamp}\n{nonce}", sha256(""));
    let signature = BASE64URL_NOPAD.decode(hello["signature"].as_str().unwrap().as_bytes()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    key.verify_strict(message.as_bytes(), &signature).is_ok()
}

/// A good nonce.
fn nonce(hello: &Value) -> String {
    let nonce = hello["nonce"].as_str().expect("a nonce").to_owned();
    let is_hex = nonce.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex && nonce.len() == 32, "{nonce}");
    nonce
}

#[test]
fn the_upgrade_is_a_plain_one_without_a_credential() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let call = controller.call();
        assert_eq!(call.head.start, format!("GET {LOOKOUT} HTTP/1.1"));
        let value =
            |name: &str| call.head.value(name).unwrap_or_else(|| panic!("no {name}: {:?}", call.head));
        assert_eq!(value("host"), format!("127.0.0.1:{}", controller.port()));
        assert!(value("upgrade").eq_ignore_ascii_case("websocket"));
        assert!(value("connection").eq_ignore_ascii_case("upgrade"));
        assert_eq!(value("sec-websocket-version"), "13");
        let key = value("sec-websocket-key").to_owned();
        assert_eq!(BASE64.decode(key.as_bytes()).expect("base64").len(), 16);
        for name in [
            "authorization",
            "cookie",
            "origin",
            "sec-websocket-protocol",
            "sec-websocket-extensions",
            "x-lookout-token",
            "x-dd-agent-secret",
        ] {
            assert!(call.head.values(name).is_empty(), "{name} in {:?}", call.head);
        }
        let raw = String::from_utf8(call.head.raw.clone()).unwrap();
        assert!(!raw.contains(TOKEN) && !raw.contains(&sha256(TOKEN)), "{raw}");
        keys.push(key);
        drop(call);
    }
    assert_ne!(keys[0], keys[1], "a fresh key for each upgrade");
}

#[test]
fn a_hello_says_who_the_agent_is_and_is_signed_by_its_key() {
    let (home, engine, controller) = (Home::new(), obliging(), Controller::start());
    let key = private_key(&home, SEED);
    let more = [("PRIVATE_KEY_FILE", key.as_str()), ("AGENT_NAME", "web 1")];
    let _agent = start(&controller, engine.path(), &more);
    let hello = controller.link().hello();
    for (name, value) in [
        ("version", VERSION),
        ("protocol", "lookout/1.0"),
        ("agentId", AGENT_ID),
        ("agentName", "web 1"),
        ("dockerVersion", "20.10.24"),
        ("drydockCompat", "1.4.0"),
        ("pubKeyId", Signer::new(SEED).id().as_str()),
    ] {
        assert_eq!(hello[name], value, "{name} in {hello}");
    }
    assert!(hello["hostname"].as_str().is_some_and(|name| !name.is_empty()), "{hello}");
    assert_eq!(hello["watcherTypes"], json!(["docker"]));
    let capabilities = texts(&hello["capabilities"]);
    for name in [
        "exec",
        "metrics",
        "events",
        "edge-response-body-b64",
        "binary-streams",
        "duplex-streams",
        "dd:container-sync",
        "dd:logs",
    ] {
        assert!(capabilities.contains(&name), "{name} in {capabilities:?}");
    }
    assert!(!capabilities.contains(&"compose"), "nothing of it is offered: {capabilities:?}");
    assert!(hello["timestamp"].as_u64().unwrap().abs_diff(now()) <= 60);
    nonce(&hello);
    assert!(is_signed(&hello, SEED, LOOKOUT) && !is_signed(&hello, SEED, PORTWING));
    assert!(!is_signed(&hello, SEED + 1, LOOKOUT), "only this key has signed");
    assert!(hello.get("tokenHash").is_none(), "a key needs no token beside it: {hello}");
}

#[test]
fn of_a_token_only_its_hash_is_told() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    let hello = controller.link().hello();
    assert_eq!(hello["tokenHash"], sha256(TOKEN));
    for name in ["pubKeyId", "timestamp", "nonce", "signature", "triggerTypes"] {
        assert!(hello.get(name).is_none(), "{name} in {hello}");
    }
    assert!(!hello.to_string().contains(TOKEN));
}

#[test]
fn without_the_adapter_of_drydock_a_hello_says_nothing_of_it() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[("ADAPTER", "generic")]);
    let hello = controller.link().hello();
    assert!(hello.get("drydockCompat").is_none() && hello.get("watcherTypes").is_none(), "{hello}");
    let capabilities = texts(&hello["capabilities"]);
    assert!(capabilities.iter().all(|name| !name.starts_with("dd:")), "{capabilities:?}");
    assert!(capabilities.contains(&"events") && capabilities.contains(&"exec"), "{capabilities:?}");
}

#[test]
fn an_agent_without_an_id_makes_one_for_as_long_as_it_lives() {
    let (engine, controller) = (obliging(), Controller::start());
    let (socket, url) = (engine.path().to_str().unwrap(), controller.url());
    let least = [("DRYDOCK_URL", url.as_str()), ("TOKEN", TOKEN), ("DOCKER_SOCKET", socket)];
    let id = || controller.link().hello()["agentId"].as_str().expect("an id").to_owned();
    let agent = Agent::spawn(&[], &[], &[least.as_slice(), &[("RECONNECT_DELAY", "1")]].concat());
    let first = id();
    let is_good = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    assert!(is_good && (16..=64).contains(&first.len()), "{first}");
    // It goes on with whichever dialect is next.
    assert_eq!(id(), first);
    drop(agent);
    let _another = Agent::spawn(&[], &[], &least);
    assert_ne!(id(), first, "another agent is another");
}

#[test]
fn each_hello_is_signed_anew() {
    let (home, engine, controller) = (Home::new(), obliging(), Controller::start());
    let key = private_key(&home, SEED);
    let _agent = start(&controller, engine.path(), &[("PRIVATE_KEY_FILE", &key)]);
    let hellos: Vec<_> = (0..2).map(|_| controller.link().hello()).collect();
    assert_ne!(nonce(&hellos[0]), nonce(&hellos[1]));
    assert!(hellos.iter().all(|hello| is_signed(hello, SEED, LOOKOUT)));
}

#[test]
fn the_second_dialect_differs_in_its_path_its_name_and_what_is_signed() {
    let (home, engine, controller) = (Home::new(), obliging(), Controller::start());
    let key = private_key(&home, SEED);
    let more = [("PRIVATE_KEY_FILE", key.as_str()), ("EDGE_PROTOCOL", "portwing")];
    let agent = start(&controller, engine.path(), &more);
    let call = controller.call();
    assert_eq!(call.path(), PORTWING);
    let mut link = call.upgrade();
    let hello = link.hello();
    assert_eq!(hello["protocol"], "portwing/1.0");
    assert!(is_signed(&hello, SEED, PORTWING) && !is_signed(&hello, SEED, LOOKOUT));
    link.welcome(&json!({}));
    logged(&agent, &["\"edge.connected\""]);
    assert_eq!(link.ask("GET /_ping").status(), 200);
}

#[test]
fn a_pinned_dialect_is_not_left_when_it_is_refused() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    for _ in 0..3 {
        let call = controller.call();
        assert_eq!(call.path(), LOOKOUT);
        call.refuse("404 Not Found", "");
    }
}

#[test]
fn a_first_path_that_is_never_answered_leads_to_the_other_which_is_remembered() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[("EDGE_PROTOCOL", "auto")]);
    let unanswered = controller.call();
    assert_eq!(unanswered.path(), LOOKOUT);
    // Held open and never answered, as a controller does that does not know the path.
    let call = controller.call();
    assert_eq!(call.path(), PORTWING);
    let mut link = call.upgrade();
    assert_eq!(link.hello()["protocol"], "portwing/1.0");
    link.welcome(&json!({}));
    logged(&agent, &["\"edge.connected\""]);
    drop(unanswered);
    link.cut();
    let call = controller.call();
    assert_eq!(call.path(), PORTWING, "it stays with the one that welcomed it");
    let mut link = call.upgrade();
    link.hello();
    link.welcome(&json!({}));
    assert_eq!(link.ask("GET /_ping").status(), 200);
}

#[test]
fn a_first_path_that_is_not_there_leads_to_the_other() {
    for status in ["404 Not Found", "400 Bad Request"] {
        let (engine, controller) = (obliging(), Controller::start());
        let _agent = start(&controller, engine.path(), &[("EDGE_PROTOCOL", "auto")]);
        let call = controller.call();
        assert_eq!(call.path(), LOOKOUT);
        call.refuse(status, "");
        let call = until("the other path is tried", || {
            let call = controller.call();
            if call.path() == LOOKOUT {
                call.refuse(status, "");
                return None;
            }
            Some(call)
        });
        assert_eq!(call.path(), PORTWING, "{status}");
        assert_eq!(call.upgrade().hello()["protocol"], "portwing/1.0");
    }
}

#[test]
fn addresses_may_have_a_prefix_or_name_a_whole_path_in_either_scheme() {
    let (home, engine) = (Home::new(), obliging());
    let key = private_key(&home, SEED);
    for (scheme, rest, path) in [
        ("ws", "/", LOOKOUT),
        ("http", "", LOOKOUT),
        ("ws", "/behind/a%20proxy", "/behind/a%20proxy/api/lookout/ws"),
        ("http", "/behind/", "/behind/api/lookout/ws"),
        ("ws", LOOKOUT, LOOKOUT),
        ("ws", "/behind/api/lookout/ws/", "/behind/api/lookout/ws"),
        ("ws", PORTWING, LOOKOUT),
    ] {
        let controller = Controller::start();
        let url = format!("{scheme}://127.0.0.1:{}{rest}", controller.port());
        let _agent = start_at(&url, engine.path(), &[("PRIVATE_KEY_FILE", &key)]);
        let call = controller.call();
        assert_eq!(call.path(), path, "{url}");
        let hello = call.upgrade().hello();
        assert!(is_signed(&hello, SEED, LOOKOUT), "a prefix is not signed: {url}");
    }
}

fn switch(upgrade: &str, accept: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

#[test]
fn an_answer_that_is_no_upgrade_is_not_spoken_to() {
    let (engine, controller) = (obliging(), Controller::start());
    let _agent = start(&controller, engine.path(), &[]);
    let bends: [fn(&Call) -> String; 6] = [
        |_| switch("websocket", "c3ByaW5nIGlzIGNvbWluZyBzb29u", ""),
        |call| switch("tcp", &call.accept_key(), ""),
        |call| switch("websocket", &call.accept_key(), "Sec-WebSocket-Protocol: chat\r\n"),
        |call| switch("websocket", &call.accept_key(), "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        |_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
        |_| "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
    ];
    for bend in bends {
        let call = controller.call();
        let text = bend(&call);
        let mut stream = call.answer(&text);
        let mut came = Vec::new();
        // The agent leaves without a hello.
        let _ = std::io::Read::read_to_end(&mut stream, &mut came);
        assert!(came.is_empty(), "after {text:?} it said {:?}", String::from_utf8_lossy(&came));
    }
    // And it is none the worse for it.
    controller.link().hello();
}

#[test]
fn what_comes_right_behind_the_upgrade_is_not_lost() {
    let (engine, controller) = (obliging(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    let welcome = br#"{"type":"welcome","data":{}}"#;
    let head = [0x81, u8::try_from(welcome.len()).unwrap()];
    let mut link = controller.call().upgrade_with(&[head.as_slice(), welcome].concat());
    link.hello();
    logged(&agent, &["\"edge.connected\""]);
    assert_eq!(link.ask("GET /_ping").text(), "OK");
}

#[test]
fn a_name_with_several_addresses_is_tried_at_each() {
    let (engine, controller) = (obliging(), Controller::start());
    // Where it means both, nobody listens at the one of IPv6.
    let url = format!("ws://localhost:{}", controller.port());
    let _agent = start_at(&url, engine.path(), &[]);
    let call = controller.call();
    assert_eq!(call.head.value("host"), Some(url.trim_start_matches("ws://")));
    call.upgrade().hello();
}

#[test]
fn two_agents_are_two_sessions() {
    let engine = obliging();
    let mut edges: Vec<_> = thread::scope(|scope| {
        let open = |id| {
            let engine = &engine;
            move || Edge::open_with(engine, &[("AGENT_ID", id)], &json!({}))
        };
        let starts = ["one", "two"].map(|id| scope.spawn(open(id)));
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for edge in &mut edges {
        assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
    }
}
