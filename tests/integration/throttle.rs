//! Ten failures a minute from one address, and who is not held up by them.
use crate::agent::{Agent, TOKEN, request};
use crate::engine::{Engine, Home, OK};
use crate::message::Message;
use crate::signer::{Draft, Signer, agent, file, head, sha256, verdict};

const LINE: &str = "GET /containers/json";
const WRONG: &str = "Authorization: Bearer wrong-wrong-wrong\r\n";

/// Asks with these fields, as somebody at that address.
fn ask(agent: &Agent, from: &str, fields: &str) -> Message {
    agent.ask(head(LINE, &format!("X-Forwarded-For: {from}\r\n{fields}")))
}

fn expect_throttled(answer: &Message, what: &str) {
    assert_eq!(answer.status(), 429, "{what}");
    let seconds = answer.head.value("retry-after").unwrap_or_else(|| panic!("{what}: {:?}", answer.head));
    assert!((1..=60).contains(&seconds.parse::<u64>().unwrap()), "{what}: {seconds}");
    assert!(answer.sentence().contains("too many failed attempts"), "{what}");
}

fn scene() -> (Home, Engine, Agent, Signer) {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let keys = file(&home, "keys", signer.line());
    let agent = agent(&engine, &keys, &[]);
    (home, engine, agent, signer)
}

#[test]
fn after_ten_failures_even_the_right_token_waits() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let wrong = head(LINE, WRONG);
    let mut client = agent.client();
    for number in 1..=10 {
        assert_eq!(agent.ask(request(LINE, "")).status(), 200, "before failure {number}");
        assert_eq!(verdict(&client.ask(&wrong)), (401, Some("bad_token")), "failure {number}");
    }
    for _ in 0..3 {
        expect_throttled(&client.ask(&wrong), "the wrong token");
        expect_throttled(&agent.ask(request(LINE, "")), "the right token");
        expect_throttled(&agent.ask(request("GET /_lookout/unknown", "")), "a route of ours");
    }
    for path in ["/health", "/ready", "/_lookout/health"] {
        assert_eq!(agent.ask(head(&format!("GET {path}"), "")).status(), 200, "{path}");
    }
    let log = agent.log();
    assert!(log.contains("\"rate_limited\""), "{log}");
}

#[test]
fn every_kind_of_wrong_credential_counts() {
    let (_home, _engine, agent, signer) = scene();
    let stranger = Signer::new(2);
    let used = Draft::new(2, LINE, "").fields(&signer);
    assert_eq!(ask(&agent, "192.0.2.7", &used).status(), 200);
    let old = Draft { stamp: "1000".to_owned(), ..Draft::new(2, LINE, "") };
    let bodies = "Content-Length: 1\r\n";
    for (number, fields) in [
        WRONG.to_owned(),
        "X-Dd-Agent-Secret: wrong\r\n".to_owned(),
        "X-Lookout-Token: wrong\r\n".to_owned(),
        "X-Lookout-Signature: a\r\n".to_owned(),
        Draft::new(2, LINE, "").fields(&stranger),
        old.fields(&signer),
        used,
        Draft::new(2, "GET /other", "").fields(&signer),
        Draft::new(3, "GET /other", "").fields(&signer),
        Draft::new(2, LINE, "b").fields(&signer) + bodies + "\r\na",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(ask(&agent, "192.0.2.7", fields).status(), 401, "failure {number}: {fields}");
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    expect_throttled(&ask(&agent, "192.0.2.7", &right), "the right token");
    assert_eq!(ask(&agent, "192.0.2.8", &right).status(), 200, "a neighbour");
}

#[test]
fn who_shows_nothing_guesses_nothing_and_locks_nobody_out() {
    let (_home, _engine, agent, _signer) = scene();
    for number in 1..=15 {
        assert_eq!(verdict(&ask(&agent, "192.0.2.7", "")), (401, Some("no_credentials")), "{number}");
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&agent, "192.0.2.7", &right).status(), 200);
}

#[test]
fn bodies_that_are_not_what_was_declared_count_too() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        while let Some(head) = visit.head() {
            match visit.body(&head) {
                Ok(_) => visit.send(OK),
                Err(_) => return,
            }
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line()), &[]);
    for number in 0..10 {
        let draft = Draft { body_sha256: sha256("another"), ..Draft::new(3, "POST /build", "") };
        let fields = draft.fields(&signer) + "X-Forwarded-For: 192.0.2.7\r\nContent-Length: 70000\r\n";
        let answer = agent.ask(head("POST /build", &fields) + &"a".repeat(70_000));
        assert_eq!(answer.status(), 401, "forgery {number}");
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    expect_throttled(&ask(&agent, "192.0.2.7", &right), "the right token");
}

#[test]
fn a_valid_signature_passes_where_a_neighbour_failed_too_often() {
    let (_home, _engine, agent, signer) = scene();
    for _ in 0..10 {
        assert_eq!(ask(&agent, "192.0.2.7", WRONG).status(), 401);
    }
    expect_throttled(&ask(&agent, "192.0.2.7", WRONG), "the wrong token");
    for version in [1, 2, 3] {
        let fields = Draft::new(version, LINE, "").fields(&signer);
        assert_eq!(ask(&agent, "192.0.2.7", &fields).status(), 200, "version {version}");
        // The second time it is a failure, which is hidden behind the limit.
        expect_throttled(&ask(&agent, "192.0.2.7", &fields), "a replay");
    }
    expect_throttled(&ask(&agent, "192.0.2.7", ""), "no credential");
}

#[test]
fn addresses_of_one_customer_are_one_and_others_are_their_own() {
    let (_home, _engine, agent, _signer) = scene();
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    for number in 1..=10 {
        assert_eq!(ask(&agent, &format!("2001:db8:0:1::{number}"), WRONG).status(), 401);
    }
    expect_throttled(&ask(&agent, "2001:db8:0:1:ffff::", &right), "the same /64");
    assert_eq!(ask(&agent, "2001:db8:0:2::1", &right).status(), 200, "another /64");
    for number in 1..=10 {
        let from = if number % 2 == 0 { "192.0.2.7" } else { "::ffff:192.0.2.7" };
        assert_eq!(ask(&agent, from, WRONG).status(), 401);
    }
    expect_throttled(&ask(&agent, "192.0.2.7", &right), "the same address, written in two ways");
    assert_eq!(ask(&agent, "192.0.2.8", &right).status(), 200, "the next address");
}
