//! A token of which the agent knows only the hash: made by the binary itself, and checked in a burst.
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::agent::{Agent, BINARY, Ended, TOKEN, run};
use crate::engine::{Engine, Home};
use crate::signer::{file, head, logged, verdict};

/// What `lookout hash-token` says to this input.
fn hash_token(input: &[u8]) -> Ended {
    let mut command = Command::new(BINARY);
    command.arg("hash-token").env_clear();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn hash() -> String {
    let ended = hash_token(format!("  {TOKEN} \nnot this line\n").as_bytes());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.words());
    let hash = ended.stdout.strip_suffix('\n').expect("one line").to_owned();
    assert!(!hash.contains('\n') && !hash.contains(TOKEN), "{hash}");
    hash
}

fn agent(engine: &Engine, more: &[(&str, &str)]) -> Agent {
    let socket = engine.path().to_str().unwrap();
    let fixed = [("DOCKER_SOCKET", socket), ("LOG_LEVEL", "debug"), ("TRUSTED_PROXIES", "127.0.0.1")];
    Agent::start_alone(&[&fixed, more].concat())
}

fn bearer(token: &str) -> String {
    head("GET /containers/json", &format!("Authorization: Bearer {token}\r\n"))
}

#[test]
fn a_hash_is_one_line_of_the_documented_form_and_never_the_same() {
    let (one, other) = (hash(), hash());
    assert_ne!(one, other, "the salt is random");
    let fields: Vec<_> = one.split('$').collect();
    assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
    assert_eq!((fields.len(), fields[4].len(), fields[5].len()), (6, 22, 43), "16 and 32 bytes: {one}");
}

#[test]
fn what_cannot_be_hashed_is_told_in_a_sentence() {
    for (input, words) in [
        (&b""[..], "no input provided"),
        (b"\n", "token must not be empty"),
        (b"  \t \nabc\n", "token must not be empty"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"a\0b\n", "control character"),
        (&[b'a'; 70_000], "longer"),
    ] {
        let ended = hash_token(input);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.words());
        assert!(
            ended.stderr.starts_with("lookout hash-token: ") && ended.stderr.contains(words),
            "{}",
            ended.stderr
        );
    }
    let short = hash_token(b"short\n");
    assert_eq!(short.code, Some(0));
    assert!(short.stderr.contains("warning") && short.stdout.starts_with("$argon2id$"), "{}", short.words());
}

#[test]
fn the_token_behind_a_hash_comes_in_and_no_other_does() {
    let (home, engine, hash) = (Home::new(), Engine::obliging(), hash());
    let path = file(&home, "hash", format!("\n {hash}\n\n"));
    for (name, value) in [("TOKEN_HASH", hash.as_str()), ("TOKEN_HASH_FILE", path.as_str())] {
        let agent = agent(&engine, &[(name, value)]);
        // Cold, then warm.
        for _ in 0..2 {
            let wrong = agent.ask(bearer("wrong-wrong-wrong-wrong"));
            assert_eq!(verdict(&wrong), (401, Some("bad_token")), "{name}");
            assert_eq!(verdict(&agent.ask(bearer(&hash))), (401, Some("bad_token")), "a hash is no token");
            for field in ["Authorization: Bearer ", "X-Lookout-Token: ", "X-Dd-Agent-Secret: "] {
                let fields = format!("{field}{TOKEN}\r\n");
                assert_eq!(agent.ask(head("GET /a", &fields)).status(), 200, "{name} {field}");
            }
        }
        logged(&agent, &["request.permitted", &format!("\"by\":\"{name}\"")]);
        let stopped = agent.stop();
        assert!(!stopped.words().contains(&hash) && !stopped.words().contains(TOKEN), "{}", stopped.words());
    }
}

#[test]
fn twenty_cold_clients_at_once_all_come_in() {
    let (engine, hash) = (Engine::obliging(), hash());
    let agent = agent(&engine, &[("TOKEN_HASH", &hash)]);
    let statuses: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..20).map(|_| agent.client()).collect();
        let ask = |mut client: crate::client::Client| client.ask(bearer(TOKEN)).status();
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || ask(client))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 20]);
}

#[test]
fn twenty_different_wrong_tokens_cost_the_right_one_nothing() {
    let (engine, hash) = (Engine::obliging(), hash());
    let agent = agent(&engine, &[("TOKEN_HASH", &hash)]);
    let statuses: Vec<_> = thread::scope(|scope| {
        let ask = |number: usize| {
            let token =
                if number.is_multiple_of(4) { TOKEN.to_owned() } else { format!("wrong-{number}-{TOKEN}") };
            let from = format!("X-Forwarded-For: 10.0.0.{number}\r\nAuthorization: Bearer {token}\r\n");
            (number.is_multiple_of(4), agent.ask(head("GET /a", &from)).status())
        };
        let threads: Vec<_> = (0..20).map(|number| scope.spawn(move || ask(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (is_right, status) in statuses {
        assert_eq!(status, if is_right { 200 } else { 401 });
    }
}

#[test]
fn what_needs_no_derivation_is_not_held_up_by_a_queue_of_them() {
    let (engine, hash) = (Engine::obliging(), hash());
    let older = "an-older-secret-0123456789abcdef";
    let agent = agent(&engine, &[("TOKEN_HASH", &hash), ("DD_AGENT_SECRET", older)]);
    let left = AtomicUsize::new(24);
    thread::scope(|scope| {
        for number in 0..24 {
            let (agent, left) = (&agent, &left);
            scope.spawn(move || {
                let from =
                    format!("X-Forwarded-For: 10.0.1.{number}\r\nAuthorization: Bearer wrong-{number}\r\n");
                assert_eq!(agent.ask(head("GET /a", &from)).status(), 401);
                left.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut asked = 0;
        while left.load(Ordering::SeqCst) > 0 {
            assert_eq!(agent.ask(bearer(older)).status(), 200);
            asked += 1;
        }
        assert!(asked > 0, "the queue was over before anybody asked");
    });
}

#[test]
fn a_token_and_a_hash_together_are_refused_but_the_older_secret_may_stand_beside_one() {
    let (home, engine, hash) = (Home::new(), Engine::obliging(), hash());
    let path = file(&home, "token", TOKEN);
    for (name, value) in [("TOKEN", TOKEN), ("TOKEN_FILE", &path)] {
        let ended = run(&[], &[("TOKEN_HASH", &hash), (name, value)]);
        assert_eq!(ended.code, Some(78), "{}", ended.words());
        assert!(ended.words().contains("TOKEN_HASH"), "{}", ended.words());
    }
    let older = "the-older-secret-0123456789";
    let agent = agent(&engine, &[("TOKEN_HASH", &hash), ("DD_AGENT_SECRET", older)]);
    assert_eq!(agent.ask(bearer(TOKEN)).status(), 200);
    assert_eq!(agent.ask(bearer(older)).status(), 200);
    assert_eq!(agent.ask(bearer("neither-of-the-two-secrets")).status(), 401);
}

#[test]
fn a_hash_that_is_none_and_an_empty_file_refuse_the_start() {
    let home = Home::new();
    let good = hash();
    for (from, to) in [
        ("argon2id", "argon2i"),
        ("v=19", "v=16"),
        ("m=19456", "m=4294967297"),
        ("m=19456", "m=019456"),
        ("t=2", "t=0"),
        (",p=1", ""),
        ("p=1", "p=1,q=1"),
        ("t=2", "m=2"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let ended = run(&[], &[("TOKEN_HASH", &bad)]);
        assert_eq!(ended.code, Some(78), "{bad}: {}", ended.words());
        assert!(!ended.words().contains(&bad), "{}", ended.words());
    }
    for empty in ["", " \n\t\n"] {
        let path = file(&home, "hash", empty);
        let ended = run(&[], &[("TOKEN_HASH_FILE", &path)]);
        assert_eq!(ended.code, Some(78), "{empty:?}: {}", ended.words());
    }
}
