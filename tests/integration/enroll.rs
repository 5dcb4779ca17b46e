//! A key lets itself in with the one-time token: what a stranger may ask, and what is left on the disk.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::agent::{Agent, TOKEN, request, run};
use crate::engine::{Engine, Home};
use crate::message::Message;
use crate::patience::until;

const ENROLLMENT: &str = "enrollment-token-0123456789abcdef";

/// A folder with a keys file.
struct Place {
    home: Home,
    keys: PathBuf,
}

impl Place {
    fn new(keys: &str) -> Self {
        let home = Home::new();
        let place = Self { keys: home.path("authorized_keys"), home };
        place.write(keys);
        place
    }

    fn write(&self, keys: &str) {
        fs::write(&self.keys, keys).unwrap();
        fs::set_permissions(&self.keys, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.keys).unwrap()
    }

    fn start(&self, engine: &Engine, more: &[(&str, &str)]) -> Agent {
        let fixed = [("AUTHORIZED_KEYS", self.keys.to_str().unwrap()), ("ENROLLMENT_TOKEN", ENROLLMENT)];
        Agent::start_with(engine, &[fixed.as_slice(), more].concat())
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn id(key: &SigningKey) -> String {
    HEXLOWER.encode(&Sha256::digest(key.verifying_key().as_bytes())[..8])
}

fn base64(key: &SigningKey) -> String {
    BASE64.encode(key.verifying_key().as_bytes())
}

fn line(key: &SigningKey) -> String {
    format!("ed25519 {} enrolled:{}\n", base64(key), id(key))
}

/// The request as a stranger sends it.
fn post(body: &str) -> String {
    let head = "POST /api/lookout/enroll HTTP/1.1\r\nHost: lookout\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn asking(token: &str, public_key: &str) -> String {
    post(&format!(r#"{{"enrollment_token":"{token}","public_key":"{public_key}"}}"#))
}

fn enroll(agent: &Agent, key: &SigningKey) -> Message {
    agent.ask(asking(ENROLLMENT, &base64(key)))
}

/// A question signed with this key, and its answer's status. The stamp lies a little ahead, because
/// one from the second of the agent's start is from before it.
fn signed(agent: &Agent, key: &SigningKey) -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let stamp = now.as_secs() + 2;
    let nonce = HEXLOWER.encode(&Sha256::digest(now.as_nanos().to_string())[..16]);
    let body = HEXLOWER.encode(&Sha256::digest(b""));
    let signature = key.sign(format!("GET\n/containers/json\n{body}\n{stamp}\n{nonce}").as_bytes());
    let signature = BASE64URL_NOPAD.encode(&signature.to_bytes());
    let fields = format!(
        "X-Lookout-Key-ID: {}\r\nX-Lookout-Timestamp: {stamp}\r\nX-Lookout-Nonce: {nonce}\r\n\
         X-Lookout-Signature: {signature}\r\nX-Lookout-Signature-Version: 2\r\n",
        id(key)
    );
    agent.ask(format!("GET /containers/json HTTP/1.1\r\nHost: lookout\r\n{fields}\r\n")).status()
}

#[test]
fn a_key_enrolls_itself_and_is_good_at_once_and_after_a_restart() {
    let engine = Engine::obliging();
    // The last line lacks its end, as an editor may leave it.
    let place = Place::new(line(&key(7)).trim_end());
    let agent = place.start(&engine, &[]);
    assert_eq!(signed(&agent, &key(1)), 401);
    let answer = enroll(&agent, &key(1));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let id = id(&key(1));
    assert_eq!(answer.text(), format!("{{\"key_id\":\"{id}\",\"comment\":\"enrolled:{id}\"}}\n"));
    assert_eq!((signed(&agent, &key(1)), signed(&agent, &key(7))), (200, 200));
    assert_eq!(place.text(), line(&key(7)) + &line(&key(1)));
    agent.signal("HUP");
    until("the agent has read its files anew", || agent.log().contains("agent.reloaded").then_some(()));
    assert_eq!(signed(&agent, &key(1)), 200);
    agent.stop();
    let agent = place.start(&engine, &[]);
    assert_eq!((signed(&agent, &key(1)), signed(&agent, &key(7))), (200, 200));
}

#[test]
fn a_spent_token_lets_in_nobody_else_not_even_after_a_restart() {
    let engine = Engine::obliging();
    let place = Place::new("");
    for round in 0..2 {
        let agent = place.start(&engine, &[]);
        // The first of these is the enrollment; the others repeat it.
        for _ in 0..3 {
            assert_eq!(enroll(&agent, &key(1)).status(), 200, "round {round}");
        }
        let answer = enroll(&agent, &key(2));
        assert_eq!(answer.status(), 401, "round {round}");
        assert!(answer.head.value("www-authenticate").unwrap().starts_with("Bearer"));
        assert!(answer.sentence().contains("already used"));
        assert_eq!(place.text(), line(&key(1)));
        agent.stop();
    }
    let other = "another-enrollment-token-0123456789";
    let agent = place.start(&engine, &[("ENROLLMENT_TOKEN", other)]);
    assert_eq!(agent.ask(asking(other, &base64(&key(2)))).status(), 200);
    assert_eq!(signed(&agent, &key(2)), 200);
}

#[test]
fn of_many_that_ask_at_once_one_gets_in() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    // Below the limit of failures, which would be answered 429.
    let statuses: Vec<_> = thread::scope(|scope| {
        let ask = |number| {
            scope.spawn({
                let agent = &agent;
                move || enroll(agent, &key(number)).status()
            })
        };
        let asking: Vec<_> = (1..=9).map(ask).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 8, "{statuses:?}");
    assert_eq!(place.text().lines().count(), 1);
}

#[test]
fn where_no_token_is_set_the_route_is_like_any_unknown_path() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let keys = place.keys.to_str().unwrap();
    let agent = Agent::start_with(&engine, &[("AUTHORIZED_KEYS", keys)]);
    for path in ["enroll", "nothing"] {
        let ask = |fields: &str| {
            let head = format!("POST /api/lookout/{path} HTTP/1.1\r\nHost: lookout\r\n{fields}");
            agent.ask(format!("{head}Content-Length: 2\r\n\r\n{{}}"))
        };
        let stranger = ask("");
        assert_eq!(stranger.status(), 401, "{path}");
        assert_eq!(stranger.head.value("x-lookout-reason"), Some("no_credentials"), "{path}");
        let known = ask(&format!("Authorization: Bearer {TOKEN}\r\n"));
        assert_eq!(known.status(), 404, "{path}");
    }
    agent.stop();
    assert!(engine.settle().is_empty());
}

#[test]
fn other_methods_are_refused_after_the_credential() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    for method in ["GET", "PUT", "DELETE"] {
        let line = format!("{method} /api/lookout/enroll");
        assert_eq!(agent.ask(format!("{line} HTTP/1.1\r\nHost: lookout\r\n\r\n")).status(), 401);
        let answer = agent.ask(request(&line, ""));
        assert_eq!((answer.status(), answer.head.value("allow")), (405, Some("POST")));
    }
}

#[test]
fn what_is_wrong_is_told_and_spends_nothing() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let good = base64(&key(1));
    for (text, status, word) in [
        (post(""), 400, "invalid JSON"),
        (post(&format!(r#"["{ENROLLMENT}","{good}"]"#)), 400, "invalid JSON"),
        (
            post(&format!(r#"{{"enrollment_token":"{ENROLLMENT}","public_key":"{good}"}}{{}}"#)),
            400,
            "invalid JSON",
        ),
        (post(&format!(r#"{{"enrollment_token":"{ENROLLMENT}"}}"#)), 400, "public_key"),
        (asking("wrong", &good), 401, "not accepted"),
        (asking(ENROLLMENT, good.trim_end_matches('=')), 400, "public_key: invalid base64"),
        (asking(ENROLLMENT, "AAAA"), 400, "public_key: expected 32 bytes, got 3"),
        (asking(ENROLLMENT, &BASE64.encode(&[0; 32])), 400, "small order"),
        (post(&format!("{{\"a\":\"{}\"}}", "x".repeat(70_000))), 413, "65536"),
    ] {
        let agent = place.start(&engine, &[]);
        let answer = agent.ask(&text);
        assert_eq!(answer.status(), status, "{}", answer.text());
        assert!(answer.sentence().contains(word), "{}", answer.text());
        assert_eq!(place.text(), "");
        let stopped = agent.stop();
        assert!(stopped.stdout.contains("\"enrollment\",\"outcome\":\"denied\""), "{}", stopped.stdout);
        assert!(!stopped.words().contains(ENROLLMENT), "{}", stopped.words());
    }
    let agent = place.start(&engine, &[]);
    let extra = format!(r#" {{"more":[1],"enrollment_token":"{ENROLLMENT}","public_key":"{good}"}} "#);
    let chunked = "POST /api/lookout/enroll HTTP/1.1\r\nHost: lookout\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = agent.ask(format!("{chunked}{:x}\r\n{extra}\r\n0\r\n\r\n", extra.len()));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let stopped = agent.stop();
    let allowed =
        format!("\"enrollment\",\"outcome\":\"allowed\",\"peer\":\"127.0.0.1\",\"key\":\"{}\"", id(&key(1)));
    assert!(stopped.stdout.contains(&allowed), "{}", stopped.stdout);
    assert!(!stopped.words().contains(ENROLLMENT), "{}", stopped.words());
}

#[test]
fn a_body_that_does_not_come_to_its_end_is_not_waited_for() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    let mut client = agent.client();
    let text = asking(ENROLLMENT, &base64(&key(1)));
    client.send(&text[..text.len() - 1]);
    let answer = client.answer();
    assert_eq!(answer.status(), 400, "{}", answer.text());
    client.expect_end();
    assert_eq!(place.text(), "");
}

#[test]
fn failed_attempts_are_limited_and_lock_nobody_out_of_the_agent() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    for _ in 0..10 {
        assert_eq!(agent.ask(asking("wrong", "")).status(), 401);
    }
    for text in [asking("wrong", ""), asking(ENROLLMENT, &base64(&key(1))), post("")] {
        let answer = agent.ask(text);
        assert_eq!(answer.status(), 429);
        let wait: u64 = answer.head.value("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(place.text(), "");
    assert_eq!(agent.ask(request("GET /containers/json", "")).status(), 200);
}

#[test]
fn a_file_nobody_understands_is_left_alone_and_the_token_stays_good() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    place.write("garbage");
    let answer = enroll(&agent, &key(1));
    assert_eq!(answer.status(), 500);
    assert!(!answer.sentence().contains("authorized_keys"), "{}", answer.text());
    assert_eq!(place.text(), "garbage");
    assert_eq!(signed(&agent, &key(1)), 401);
    until("the failure is in the log", || agent.log().contains("\"outcome\":\"error\"").then_some(()));
    place.write("# mended");
    assert_eq!(enroll(&agent, &key(1)).status(), 200);
    assert_eq!(signed(&agent, &key(1)), 200);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_the_token_stays_good() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    fs::remove_file(&place.keys).unwrap();
    fs::create_dir(&place.keys).unwrap();
    assert_eq!(enroll(&agent, &key(1)).status(), 500);
    fs::remove_dir(&place.keys).unwrap();
    place.write("");
    // The token cannot be marked as spent: the key stays out.
    fs::create_dir(place.home.path("authorized_keys.enrolled")).unwrap();
    assert_eq!(enroll(&agent, &key(1)).status(), 500);
    assert_eq!((place.text().as_str(), signed(&agent, &key(1))), ("", 401));
    fs::remove_dir(place.home.path("authorized_keys.enrolled")).unwrap();
    assert_eq!(enroll(&agent, &key(1)).status(), 200);
}

#[test]
fn a_page_of_a_foreign_site_enrolls_nothing() {
    let engine = Engine::obliging();
    let place = Place::new("");
    let agent = place.start(&engine, &[]);
    let text = asking(ENROLLMENT, &base64(&key(1)));
    let text = text.replacen("Host: lookout\r\n", "Host: lookout\r\nOrigin: http://evil.example\r\n", 1);
    assert_eq!(agent.ask(text).status(), 403);
    assert_eq!(place.text(), "");
}

#[test]
fn a_token_without_a_keys_file_refuses_to_start() {
    let ended = run(&[], &[("TOKEN", TOKEN), ("ENROLLMENT_TOKEN", ENROLLMENT)]);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    assert!(ended.words().contains("AUTHORIZED_KEYS") && !ended.words().contains(ENROLLMENT));
}
