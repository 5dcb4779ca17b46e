//! The file of keys at the start: which lines and which modes are taken, and that all else refuses the start.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use data_encoding::BASE64;

use crate::agent::{Agent, Ended, TOKEN};
use crate::engine::{Engine, Home};
use crate::signer::{Draft, Signer, agent, file, head, logged};

/// A start with this file of keys, which must not succeed.
fn refused(path: &str) -> Ended {
    let variables = [("TOKEN", TOKEN), ("AUTHORIZED_KEYS", path)];
    match Agent::start_or_end(&[], &variables) {
        Ok(_) => panic!("it started with {:?}", fs::read_to_string(path)),
        Err(ended) => ended,
    }
}

fn expect_refused(path: &str, what: &str) -> String {
    let ended = refused(path);
    let words = ended.words();
    assert_eq!(ended.code, Some(78), "{what}: {words}");
    assert!(words.contains("AUTHORIZED_KEYS"), "{what}: {words}");
    words
}

#[test]
fn one_bad_line_refuses_the_start() {
    let home = Home::new();
    let (good, twice) = (Signer::new(1).line(), Signer::new(1).ssh_line());
    let encoded = good.split(' ').nth(1).unwrap();
    let key = |bytes: &[u8]| format!("ed25519 {} x\n", BASE64.encode(bytes));
    let mut small = [0; 32];
    small[0] = 1;
    let mut overlong = [0xff; 32];
    (overlong[0], overlong[31]) = (0xee, 0x7f);
    for (what, line) in [
        ("a key of small order", key(&small)),
        ("the other key of small order", key(&[0; 32])),
        ("a key in another encoding", key(&overlong)),
        ("a key that is too short", key(&[7; 31])),
        ("a key twice", twice),
        ("another kind of key", format!("rsa {encoded}\n")),
        ("no padding", good.replace('=', "")),
        ("no key", "ed25519\n".to_owned()),
        ("an unknown option", format!("sudo=\"yes\" {good}")),
        ("an option without quotes", format!("from=10.0.0.1 {good}")),
        ("an address that is none", format!("from=\"10.0.0.300\" {good}")),
        ("a control character", good.replace("somebody", "some\u{7}body")),
        ("words", "hello\n".to_owned()),
    ] {
        let text = if what == "a key twice" { format!("{good}{line}") } else { format!("# keys\n{line}") };
        let words = expect_refused(&file(&home, "keys", text), what);
        assert!(words.contains("line 2"), "{what}: {words}");
    }
}

#[test]
fn an_option_nobody_knows_refuses_the_start_and_every_other_is_taken() {
    let home = Home::new();
    let line = Signer::new(1).line();
    for option in ["permit=\"view\"", "allow=\"views\"", "label=\"a\"", "image=\"*a\"", "mount=\"srv\""] {
        expect_refused(&file(&home, "keys", format!("{option} {line}")), option);
    }
    let limits = "allow=\"view\",label=\"a=b\",image=\"a*\",mount=\"/srv:ro\",mode=\"enforce\"";
    let engine = Engine::obliging();
    let limited = agent(&engine, &file(&home, "keys", format!("{limits} {line}")), &[]);
    assert_eq!(limited.ask(Signer::new(1).request(2, "GET /_ping", "")).status(), 200);
    drop(limited);
    let engine = Engine::obliging();
    let agent = agent(&engine, &file(&home, "keys", format!("allow=\"all\",mode=\"enforce\" {line}")), &[]);
    assert_eq!(agent.ask(Signer::new(1).request(2, "GET /a", "")).status(), 200);
}

#[test]
fn a_file_others_may_read_or_change_refuses_the_start() {
    let home = Home::new();
    let path = file(&home, "keys", Signer::new(1).line());
    for mode in [0o604, 0o620, 0o602, 0o664, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        expect_refused(&path, &format!("{mode:o}"));
    }
    expect_refused(&format!("{path}-missing"), "a file that is not there");
    expect_refused(home.path("").to_str().unwrap(), "a directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let engine = Engine::obliging();
    for good in [path.clone(), home.path("link").to_str().unwrap().to_owned()] {
        if good != path {
            symlink(&path, &good).unwrap();
        }
        let agent = agent(&engine, &good, &[]);
        assert_eq!(agent.ask(Signer::new(1).request(2, "GET /a", "")).status(), 200, "{good}");
    }
}

#[test]
fn every_way_to_write_a_key_is_taken() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let (bare, ssh, spaced, last) = (Signer::new(1), Signer::new(2), Signer::new(3), Signer::new(4));
    let text = format!(
        "# keys\n\n{}  \t \r\n{}\t{}{}",
        bare.line(),
        ssh.ssh_line(),
        spaced.line().replace(' ', " \t "),
        last.line().trim_end()
    );
    let agent = agent(&engine, &file(&home, "keys", text), &[]);
    for signer in [bare, ssh, spaced, last] {
        assert_eq!(agent.ask(signer.request(3, "GET /a", "")).status(), 200, "{}", signer.line());
    }
}

#[test]
fn a_file_without_a_key_is_warned_about_and_lets_nobody_in() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let path = file(&home, "keys", "# none yet\n");
    let socket = engine.path().to_str().unwrap();
    let agent = Agent::start_alone(&[("AUTHORIZED_KEYS_FILE", &path), ("DOCKER_SOCKET", socket)]);
    logged(&agent, &["config.no_keys", "WARN"]);
    let fields = Draft::new(2, "GET /a", "").fields(&Signer::new(1));
    let answer = agent.ask(head("GET /a", &fields));
    assert_eq!((answer.status(), answer.head.value("x-lookout-reason")), (401, Some("unknown-key")));
    assert_eq!(agent.ask(head("GET /a", "")).status(), 401);
    agent.stop();
    assert!(engine.settle().is_empty());
}
