//! Signed requests: what each version covers, how it is refused and in which words.
use crate::agent::{Agent, TOKEN};
use crate::engine::{Engine, Home, OK};
use crate::signer::{Draft, Signer, agent, elsewhere, file, head, logged, next_second, now, verdict};

const REFUSED: (u16, Option<&str>) = (401, Some("invalid-signature"));

/// An Engine, and an agent in front of it that knows the key of seed 1.
fn scene() -> (Home, Engine, Agent, Signer) {
    let (home, engine, signer) = (Home::new(), Engine::obliging(), Signer::new(1));
    let keys = file(&home, "keys", signer.line());
    let agent = agent(&engine, &keys, &[]);
    (home, engine, agent, signer)
}

/// Sends a draft, signed as it stands, as the request of `line`, from an address of its own.
fn send(agent: &Agent, signer: &Signer, draft: &Draft, line: &str) -> (u16, Option<String>) {
    own(verdict(&agent.ask(head(line, &(draft.fields(signer) + &elsewhere())))))
}

fn own((status, reason): (u16, Option<&str>)) -> (u16, Option<String>) {
    (status, reason.map(str::to_owned))
}

#[test]
fn every_version_is_accepted_in_both_dialects_and_its_fields_stay_here() {
    let (home, signer) = (Home::new(), Signer::new(1));
    let engine = Engine::start(|visit| {
        while let Some(message) = visit.request() {
            let text = format!("{} {}", message.head.start, message.text());
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
        }
    });
    let agent = agent(&engine, &file(&home, "keys", signer.line_of("platform:prod eu")), &[]);
    for version in [1, 2, 3] {
        for dialect in ["X-Lookout-", "X-Portwing-", "x-lookout-"] {
            let mut client = agent.client();
            for (line, body) in
                [("GET /containers/json", ""), ("POST /a/b", "a body\0\r\n"), ("HEAD /_ping", "")]
            {
                let draft = Draft { dialect, ..Draft::new(version, line, body) };
                let length = format!("{}Content-Length: {}\r\n", draft.fields(&signer), body.len());
                client.send(head(line, &length) + body);
                let answered = client.head();
                assert_eq!(answered.status(), 200, "{version} {dialect} {line}: {answered:?}");
                if !line.starts_with("HEAD ") {
                    let text = client.body(answered.length()).unwrap();
                    assert_eq!(String::from_utf8_lossy(&text), format!("{line} HTTP/1.1 {body}"));
                }
            }
        }
    }
    logged(&agent, &["request.permitted", &format!("\"by\":\"{} platform:prod eu\"", signer.id())]);
    agent.stop();
    for visit in engine.settle() {
        let seen = visit.text().to_lowercase();
        assert!(!seen.contains("x-lookout-") && !seen.contains("x-portwing-"), "{seen}");
    }
}

#[test]
fn version_1_covers_a_path_alone_and_so_takes_no_more_than_that() {
    let (_home, engine, agent, signer) = scene();
    for (line, signed) in [
        ("GET /containers/json?all=1", "GET /containers/json"),
        ("GET /containers/json?all=1", "GET /containers/json?all=1"),
        ("GET /containers/json?", "GET /containers/json"),
        ("GET /containers/json?", "GET /containers/json?"),
        ("GET /containers/a%2Fb/logs", "GET /containers/a/b/logs"),
        ("GET /containers/a%2Fb/logs", "GET /containers/a%2Fb/logs"),
        ("GET /containers/a%62/logs", "GET /containers/ab/logs"),
    ] {
        let got = send(&agent, &signer, &Draft::new(1, signed, ""), line);
        assert_eq!(got, own(REFUSED), "{line} signed as {signed}");
    }
    let line = "DELETE /containers/a";
    assert_eq!(send(&agent, &signer, &Draft::new(1, line, ""), line).0, 200);
    agent.stop();
    assert_eq!(engine.settle().len(), 1, "only the last one reached the engine");
}

#[test]
fn versions_2_and_3_cover_the_target_as_it_is_sent() {
    let (_home, engine, agent, signer) = scene();
    let good = "GET /v1.44/containers/a%2Fb/logs?tail=10&stdout=1";
    for version in [2, 3] {
        for line in [good, "GET /a?", "GET /a", "GET /%61?b=%20&b=%20"] {
            assert_eq!(
                send(&agent, &signer, &Draft::new(version, line, ""), line).0,
                200,
                "{version} {line}"
            );
        }
        for line in [
            "GET /v1.44/containers/a%2Fb/logs?tail=11&stdout=1",
            "GET /v1.44/containers/a%2Fb/logs?stdout=1&tail=10",
            "GET /v1.44/containers/a%2Fb/logs?tail=10",
            "GET /v1.44/containers/a%2Fb/logs?tail=10&stdout=1&",
            "GET /v1.44/containers/a%2Fb/logs",
            "GET /v1.44/containers/a%2fb/logs?tail=10&stdout=1",
            "GET /v1.44/containers/a/b/logs?tail=10&stdout=1",
            "DELETE /v1.44/containers/a%2Fb/logs?tail=10&stdout=1",
        ] {
            let got = send(&agent, &signer, &Draft::new(version, good, ""), line);
            assert_eq!(got, own(REFUSED), "version {version}: {line}");
        }
    }
    agent.stop();
    let seen: String = engine.settle().iter().map(|visit| visit.text()).collect();
    assert_eq!(seen.matches(" HTTP/1.1\r\n").count(), 8, "{seen}");
}

#[test]
fn version_3_is_good_for_the_agent_it_names_and_no_other() {
    let (home, engine, agent, signer) = scene();
    let line = "GET /containers/json?all=1";
    for audience in ["agent-2", "", "agent-1\n", "Agent-1", "agent-10"] {
        let draft = Draft { audience: audience.to_owned(), ..Draft::new(3, line, "") };
        assert_eq!(send(&agent, &signer, &draft, line), own(REFUSED), "for {audience:?}");
    }
    assert_eq!(send(&agent, &signer, &Draft::new(3, line, ""), line).0, 200);
    let keys = home.path("keys");
    let nameless = Agent::start_with(&engine, &[("AUTHORIZED_KEYS", keys.to_str().unwrap())]);
    next_second();
    for audience in ["", "agent-1"] {
        let draft = Draft { audience: audience.to_owned(), ..Draft::new(3, line, "") };
        assert_eq!(send(&nameless, &signer, &draft, line), own(REFUSED), "nobody is called {audience:?}");
    }
    assert_eq!(send(&nameless, &signer, &Draft::new(2, line, ""), line).0, 200);
}

#[test]
fn a_signature_of_one_version_is_none_of_another() {
    let (_home, _engine, agent, signer) = scene();
    let line = "GET /containers/json";
    for (signed, sent) in [(1, 3), (2, 3), (3, 1), (3, 2)] {
        let draft = Draft::new(signed, line, "");
        let fields = draft.fields(&signer);
        let signature = fields.split("Signature: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let relabelled = Draft { version: sent, ..draft.clone() }.fields_with(&signer.id(), signature);
        let answer = agent.ask(head(line, &(relabelled + &elsewhere())));
        assert_eq!(verdict(&answer), REFUSED, "{signed} sent as {sent}");
    }
    for (from, to) in [
        ("Signature-Version: 3", "Signature-Version: 4"),
        ("Signature-Version: 3", "Signature-Version: 03"),
        ("Signature-Version: 3", "Signature-Version:"),
        ("Signature-Version: 3", "Signature-Version: 1"),
        ("X-Lookout-Content-SHA256: ", "X-Other: "),
        ("Content-SHA256: e3b0c442", "Content-SHA256: E3B0C442"),
        ("Content-SHA256: e3b0c442", "Content-SHA256: e3b0c4"),
    ] {
        let fields = Draft::new(3, line, "").fields(&signer);
        assert!(fields.contains(from), "{fields}");
        let answer = agent.ask(head(line, &(fields.replace(from, to) + &elsewhere())));
        assert_eq!(verdict(&answer), REFUSED, "{to}");
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_the_reason() {
    let (_home, engine, agent, signer) = scene();
    let (line, stranger) = ("POST /containers/prune", Signer::new(9));
    let used = Draft::new(2, line, "");
    assert_eq!(send(&agent, &signer, &used, line).0, 200);
    let old = (now() - 3000).to_string();
    let mut draft = Draft { nonce: "z".repeat(32), stamp: old, ..Draft::new(2, line, "") };
    let check = |draft: &Draft, id: &str, signature: &str, reason: &str| {
        let fields = draft.fields_with(id, signature) + &elsewhere();
        assert_eq!(verdict(&agent.ask(head(line, &fields))), (401, Some(reason)), "{fields}");
    };
    let foreign = stranger.id();
    check(&draft, &foreign, "", "no_credentials");
    check(&draft, "", "!", "invalid-signature");
    check(&draft, &foreign, "!", "invalid-signature");
    draft.nonce = used.nonce.clone();
    check(&draft, &foreign, "!", "unknown-key");
    check(&draft, &signer.id().to_uppercase(), "!", "unknown-key");
    check(&draft, &signer.id(), "!", "timestamp-skew");
    for stamp in ["noon", "", "-5", "99999999999999999999", "1.5"].iter().filter(|stamp| !stamp.is_empty()) {
        draft.stamp = (*stamp).to_owned();
        check(&draft, &signer.id(), "!", "timestamp-skew");
    }
    draft.stamp = now().to_string();
    check(&draft, &signer.id(), "!", "replay");
    draft.nonce = Draft::new(2, line, "").nonce;
    check(&draft, &signer.id(), "!", "invalid-signature");
    check(&draft, &signer.id(), &"A".repeat(86), "invalid-signature");
    let (before, after) = (Draft::new(2, line, "").fields(&stranger), signer.id());
    let stolen = before.replace(&foreign, &after) + &elsewhere();
    assert_eq!(verdict(&agent.ask(head(line, &stolen))), REFUSED);
    assert_eq!(send(&agent, &signer, &draft, line).0, 200);
    agent.stop();
    let seen: String = engine.settle().iter().map(|visit| visit.text()).collect();
    assert_eq!(seen.matches(line).count(), 2, "{seen}");
}

#[test]
fn a_signature_is_never_taken_for_a_token_however_bad_it_is() {
    let (_home, engine, agent, signer) = scene();
    let line = "GET /containers/json";
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for missing in ["Key-ID", "Timestamp", "Nonce"] {
        let fields = Draft::new(1, line, "").fields(&signer).replace(missing, "Other");
        let answer = agent.ask(head(line, &(fields + &token + &elsewhere())));
        assert_eq!(verdict(&answer), REFUSED, "without {missing}");
    }
    let alone = format!("X-Lookout-Signature: {}\r\n{token}", "A".repeat(86));
    assert_eq!(verdict(&agent.ask(head(line, &alone))), REFUSED);
    let unknown = Draft::new(2, line, "").fields(&Signer::new(7)) + &token;
    assert_eq!(verdict(&agent.ask(head(line, &unknown))), (401, Some("unknown-key")));
    assert!(engine.visits().is_empty(), "the engine received {:?}", engine.visits()[0].text());
    let empty = format!("X-Lookout-Signature:\r\n{token}");
    assert_eq!(agent.ask(head(line, &empty)).status(), 200, "no signature, and so the token");
}

#[test]
fn a_field_that_stands_twice_or_in_two_dialects_is_refused() {
    let (_home, engine, agent, signer) = scene();
    let line = "GET /containers/json";
    for version in [2, 3] {
        let count = Draft::new(version, line, "").fields(&signer).lines().count();
        for number in 0..count {
            let fields = Draft::new(version, line, "").fields(&signer);
            let again = fields.lines().nth(number).unwrap();
            for second in [again.to_owned(), again.replace("X-Lookout-", "X-Portwing-")] {
                let doubled = format!("{fields}{second}\r\n{}", elsewhere());
                assert_eq!(verdict(&agent.ask(head(line, &doubled))), REFUSED, "{second}");
            }
            let mixed = fields.replacen(again, &again.replace("X-Lookout-", "X-Portwing-"), 1) + &elsewhere();
            assert_eq!(verdict(&agent.ask(head(line, &mixed))), REFUSED, "{again} in the other dialect");
        }
    }
    assert!(engine.visits().is_empty());
}

#[test]
fn a_number_is_signed_as_it_reads_in_versions_1_and_2_and_as_it_stands_in_version_3() {
    let (_home, _engine, agent, signer) = scene();
    let line = "GET /containers/json";
    for version in [1, 2, 3] {
        let plain = Draft::new(version, line, "");
        for written in [format!("+{}", plain.stamp), format!("000{}", plain.stamp)] {
            let odd = Draft { stamp: written.clone(), ..Draft::new(version, line, "") };
            let as_read = Draft { stamp: plain.stamp.clone(), ..odd.clone() };
            for (signed, is_good) in [(&as_read, version < 3), (&odd, version == 3)] {
                let fields = signed.fields(&signer);
                let from = format!("Timestamp: {}\r\n", signed.stamp);
                let fields = fields.replace(&from, &format!("Timestamp: {written}\r\n")) + &elsewhere();
                let got = verdict(&agent.ask(head(line, &fields))).0;
                assert_eq!(got, if is_good { 200 } else { 401 }, "version {version}: {fields}");
            }
        }
    }
}

#[test]
fn a_nonce_is_thirty_two_hexadecimal_digits() {
    let (_home, _engine, agent, signer) = scene();
    let line = "GET /containers/json";
    let good = Draft::new(2, line, "").nonce;
    for nonce in
        [&good[1..], &format!("{good}0"), &format!("{good}00"), &"z".repeat(32), &format!("0x{}", &good[2..])]
    {
        let draft = Draft { nonce: nonce.to_owned(), ..Draft::new(2, line, "") };
        assert_eq!(send(&agent, &signer, &draft, line), own(REFUSED), "{nonce}");
    }
    let upper = Draft { nonce: good.to_uppercase(), ..Draft::new(2, line, "") };
    assert_eq!(send(&agent, &signer, &upper, line).0, 200);
    let lower = Draft { nonce: good, ..Draft::new(2, line, "") };
    assert_eq!(
        send(&agent, &signer, &lower, line),
        (401, Some("replay".to_owned())),
        "the same sixteen bytes"
    );
}

#[test]
fn without_a_file_of_keys_a_signature_is_nothing() {
    let engine = Engine::start(|visit| {
        while visit.request().is_some() {
            visit.send(OK);
        }
    });
    let agent = Agent::start(&engine);
    let fields = Draft::new(2, "GET /a", "").fields(&Signer::new(1));
    assert_eq!(verdict(&agent.ask(head("GET /a", &fields))), (401, Some("no_credentials")));
    let both = format!("{fields}Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(agent.ask(head("GET /a", &both)).status(), 200);
}
