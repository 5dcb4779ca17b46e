//! Who may what: the words and the log of a refusal, tokens, watched keys, keys with everything, and reloads.
use std::sync::{Arc, Mutex};

use crate::agent::{Agent, TOKEN, request};
use crate::engine::{Engine, Home};
use crate::patience::Gate;
use crate::signer::{Draft, Signer, agent, file, head, reload};
use crate::world::{WEB, World, told};

const SECRETS: &[&str] = &["query-value", "header-value", "body-value", "label-value"];

#[test]
fn a_refusal_names_the_key_and_the_class_it_lacks() {
    let world = World::new(&[r#"allow="view,power""#]);
    let answer = world.ask(1, "POST /v1.41/containers/web/exec", r#"{"Cmd":["true"]}"#);
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.text().trim_end(), r#"{"message":"lookout: key somebody lacks class exec"}"#);
    assert_eq!(answer.head.value("content-type"), Some("application/json"));
    assert_eq!(answer.head.value("x-content-type-options"), Some("nosniff"));
    let line = world.records("policy.denied", 1).remove(0);
    let by = format!("\"by\":\"{} somebody\"", Signer::new(1).id());
    for field in [
        "\"level\":\"WARN\"",
        "\"peer\":\"127.0.0.1\"",
        by.as_str(),
        "\"reason\":\"class\"",
        "\"class\":\"exec\"",
    ] {
        assert!(line.contains(field), "{field} in {line}");
    }
    assert!(world.finish().is_empty(), "the Engine was asked");
}

#[test]
fn neither_a_refusal_nor_its_record_tells_what_was_sent() {
    let world = World::new(&[r#"allow="view,power,create,exec",label="team=label-value""#]);
    let fields = "X-Other: header-value\r\nX-Registry-Auth: header-value\r\n";
    let json = format!("{fields}Content-Type: application/json\r\n");
    let mut count = 0;
    for (line, fields, body, reason) in [
        ("POST /images/create?fromSrc=query-value", fields, "", "class"),
        ("GET /anything?a=query-value", fields, "", "class"),
        ("GET /containers/json?other=query-value", fields, "", "query"),
        ("GET /containers/json?all=1&all=query-value", fields, "", "query"),
        ("GET /containers/json?filters=%7B%22query-value%22%3A1%7D", fields, "", "query"),
        ("GET /containers/json?filters=query-value", fields, "", "json"),
        ("GET /containers/web/top?ps_args=query-value", fields, "", "beyond"),
        ("GET /v1.23/info?a=query-value", fields, "", "version"),
        ("GET /containers/-x/json?a=query-value", fields, "", "name"),
        ("GET /system/df?type=query-value", fields, "", "reach"),
        ("POST /containers/web/start", fields, "body-value", "body"),
        ("POST /containers/create", &json, "body-value", "json"),
        ("POST /containers/create", &json, r#"{"Env":["A=body-value"],"Env":["body-value"]}"#, "json"),
        (
            "POST /containers/create",
            &json,
            r#"{"Env":["A=body-value"],"HostConfig":{"Privileged":true}}"#,
            "member",
        ),
        (
            "POST /containers/create",
            &json,
            r#"{"Env":["A=body-value"],"HostConfig":{"CapAdd":["body-value"]}}"#,
            "member",
        ),
        (
            "POST /containers/create",
            "Content-Type: text/json\r\n",
            r#"{"Env":["A=body-value"]}"#,
            "media-type",
        ),
        ("POST /containers/web/exec", &json, r#"{"Cmd":["body-value"],"Privileged":true}"#, "scope"),
    ] {
        let sentence = world.ask_with(1, line, fields, body).sentence();
        count += 1;
        let record = world.records("policy.denied", count).pop().unwrap();
        assert!(record.contains(&format!("\"reason\":\"{reason}\"")), "{line}: {record}");
        for secret in &SECRETS[..3] {
            assert!(!sentence.contains(secret), "{line}: {sentence}");
            assert!(!record.contains(secret), "{line}: {record}");
        }
        assert!(!sentence.contains("label-value"), "{line}: {sentence}");
    }
    let log = world.agent.log();
    for secret in &SECRETS[..3] {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
    assert!(world.finish().is_empty(), "the Engine was asked");
}

#[test]
fn a_token_grants_what_token_allow_says() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("TOKEN_ALLOW", "power,logs")]);
    for header in ["Authorization: Bearer", "X-Lookout-Token:", "X-Dd-Agent-Secret:"] {
        let with = |line: &str| format!("{line} HTTP/1.1\r\nHost: a\r\n{header} {TOKEN}\r\n\r\n");
        assert_eq!(agent.ask(with("POST /containers/a/kill")).status(), 200, "{header}");
        assert_eq!(agent.ask(with("GET /containers/a/logs?stdout=1")).status(), 200, "{header}");
        for line in ["GET /containers/json", "DELETE /containers/a", "GET /anything"] {
            let answer = agent.ask(with(line));
            assert_eq!(answer.status(), 403, "{line} {header}");
            assert!(answer.sentence().starts_with("lookout: TOKEN lacks class "), "{}", answer.text());
        }
    }
    agent.stop();
    assert_eq!(engine.settle().len(), 6, "only what was granted reached the Engine");
}

#[test]
fn without_token_allow_a_token_grants_everything() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for line in
        ["GET /anything", "POST /v1.23/containers/a/start?checkpoint=b", "GET /containers/a/top?ps_args=eww"]
    {
        assert_eq!(agent.ask(request(line, "")).status(), 200, "{line}");
        let seen = engine.visits().pop().unwrap().text();
        assert!(seen.starts_with(&format!("{line} HTTP/1.1\r\n")), "{seen}");
    }
}

/// Of the usual token, as `lookout hash-token` makes one.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$TuTAXyKsB3CrtbvTkSdn0Q$L3VWXgSw6ufW7WgZMQi0Ep6vVOwZyqbCmckiAMUJJyo";

#[test]
fn a_token_that_is_only_known_by_its_hash_grants_the_same() {
    let engine = Engine::obliging();
    let socket = engine.path().to_str().unwrap();
    let agent =
        Agent::start_alone(&[("TOKEN_HASH", HASH), ("DOCKER_SOCKET", socket), ("TOKEN_ALLOW", "power")]);
    assert_eq!(agent.ask(request("POST /containers/a/kill", "")).status(), 200);
    let answer = agent.ask(request("GET /containers/json", ""));
    assert_eq!((answer.status(), answer.sentence().as_str()), (403, "lookout: TOKEN_HASH lacks class view"));
    agent.stop();
    assert_eq!(engine.settle().len(), 1);
}

#[test]
fn whoever_may_do_everything_gets_the_engines_own_bytes() {
    let odd = "{ \"Env\" : [ \"KEY=hunter2\" ],\n\t\"a\":1.50, \"a\":2 } trailing";
    let answers = Box::new(move |_: &crate::world::Call| Some(told(200, odd)));
    let world = World::with(&["", r#"allow="all""#, r#"allow="all",mount="/srv""#], &[], answers);
    for key in 1..=3 {
        for (line, body) in [
            ("GET /v1.23/containers/json?all=0&all=1&other=%7e;x", ""),
            ("GET /containers/web/top?ps_args=eww", ""),
            ("GET /containers/-x%20y/json", ""),
            ("GET /debug/pprof/?a=%2f", ""),
            ("PATCH /libpod/anything%2Fat/all", "any body"),
            (
                "POST /v1.99/containers/create?name=0123456789ab",
                "{\"hostconfig\": {\"privileged\" :true}}  {}",
            ),
            ("POST /containers/web/start?checkpoint=a", "{}"),
            ("PUT /containers/web/archive?path=/", "\u{1f}compressed"),
            ("GET /info", ""),
            ("GET /events", ""),
        ] {
            let answer = world.ask_with(key, line, "X-Odd: kept\r\nContent-Type: text/odd\r\n", body);
            assert_eq!((answer.status(), answer.text().as_str()), (200, odd), "{line}");
            let seen = world.last();
            assert_eq!((seen.line(), seen.text().as_str()), (line, body));
            assert_eq!(seen.head.value("x-odd"), Some("kept"), "{line}");
        }
    }
    assert!(world.lookups().is_empty(), "nothing is looked up: {:?}", world.lookups());
}

/// Everything is everything there is in reach.
#[test]
fn whoever_may_do_everything_to_some_objects_is_judged_like_others() {
    let world = World::new(&[r#"allow="all",label="team=web""#, r#"allow="all",image="redis""#]);
    for (key, line, body, status) in [
        (1, "POST /containers/web/kill", "", 200),
        (1, "POST /containers/db/kill", "", 404),
        (1, "GET /anything", "", 403),
        (1, "POST /plugins/pull?remote=evil", "", 403),
        (1, "GET /v1.23/containers/json", "", 400),
        (2, "POST /images/create?fromImage=redis", "", 200),
        (2, "POST /images/create?fromImage=evil", "", 403),
        (2, "POST /containers/create", r#"{"Image":"evil"}"#, 403),
        (2, "POST /containers/create", r#"{"Image":"redis","HostConfig":{"Privileged":true}}"#, 200),
    ] {
        let answer = world.ask(key, line, body);
        assert_eq!(answer.status(), status, "{line} {body}: {}", answer.text());
    }
    let listed = world.ask(1, "GET /containers/json", "").text();
    assert!(listed.contains(WEB) && !listed.contains("\"db\""), "{listed}");
    assert_eq!(world.last().line().matches("team%3Dweb").count(), 1);
    assert_eq!(world.finish().len(), 4);
}

#[test]
fn a_watched_key_is_let_through_and_what_would_be_refused_is_logged() {
    let options = [
        r#"allow="view",mode="audit""#,
        r#"allow="view,power,create,exec",label="team=web",image="redis",mode="audit""#,
    ];
    let world = World::with(&options, &[("LOOKOUT_ENV", "Development")], Box::new(|_| None));
    let mut count = 0;
    for (key, line, body, reason, class) in [
        (1, "POST /v1.41/containers/web/kill?signal=TERM", "", "class", "power"),
        (1, "GET /anything?a=;b", "", "class", "all"),
        (1, "GET /v1.41/containers/json?all=1&all=0", "", "query", ""),
        (1, "GET /v1.23/containers/json", "", "version", ""),
        (1, "GET /v1.99/containers/json", "", "version", ""),
        (1, "GET /containers/web/top?ps_args=eww", "", "beyond", "dump"),
        (2, "POST /v1.41/containers/db/kill", "", "scope", ""),
        (2, "POST /v1.41/containers/web/start", "{\"Binds\":[]}", "body", ""),
        (
            2,
            "POST /v1.41/containers/create",
            "{ \"Image\":\"redis\", \"HostConfig\":{\"Privileged\":true} }",
            "member",
            "",
        ),
        (2, "POST /v1.41/containers/create", "{ \"Image\":\"evil\" }", "image", ""),
        (2, "POST /v1.41/containers/create?name=0123456789ab", "{ \"Image\":\"redis\" }", "shadow", ""),
        (2, "POST /v1.41/containers/create", "{ \"Image\":\"redis\" }{}", "json", ""),
        (2, "GET /v1.41/system/df", "", "reach", ""),
    ] {
        let answer = world.ask(key, line, body);
        assert!(matches!(answer.status(), 200 | 404), "{line}: {}", answer.text());
        let seen = world.last();
        assert_eq!((seen.line(), seen.text().as_str()), (line, body), "it goes on as it stands");
        count += 1;
        let records = world.records("policy.would_deny", count);
        assert_eq!(records.len(), count, "{line} is told once");
        let record = &records[count - 1];
        for field in [format!("\"reason\":\"{reason}\""), format!("\"class\":\"{class}\"")] {
            assert!(record.contains(&field), "{line}: {record}");
        }
    }
    // What is allowed is not told, and as little is blanked or filtered as stamped.
    let listed = world.ask(2, "GET /v1.41/containers/json", "");
    assert!(listed.text().contains(WEB) && listed.text().contains("\"db\""), "{}", listed.text());
    assert!(world.ask(1, "GET /v1.41/containers/web/json", "").text().contains("hunter2"));
    let body = "{ \"Image\":\"redis\" }";
    assert_eq!(world.ask(2, "POST /v1.41/containers/create", body).status(), 200);
    assert_eq!(world.last().text(), body);
    let log = world.agent.stop().stdout;
    assert_eq!(log.matches("\"policy.would_deny\"").count(), count);
    assert!(!log.contains("policy.denied"), "{log}");
}

#[test]
fn a_watched_key_is_refused_at_the_start_where_it_was_not_meant_for() {
    let (home, engine) = (Home::new(), Engine::obliging());
    let keys = file(&home, "keys", format!("allow=\"view\",mode=\"audit\" {}", Signer::new(1).line()));
    let socket = engine.path().to_str().unwrap();
    for more in [&[][..], &[("LOOKOUT_ENV", "Production")]] {
        let variables = [&[("AUTHORIZED_KEYS", keys.as_str()), ("DOCKER_SOCKET", socket)], more].concat();
        let ended = Agent::start_or_end(&[], &variables).err().expect("it does not start");
        assert_eq!(ended.code, Some(78), "{}", ended.words());
        assert!(ended.words().contains("audit"), "{}", ended.words());
    }
}

/// Streams that go on until somebody ends them, and a word on everything else.
fn streams(gate: &Gate) -> (Engine, Arc<Mutex<Vec<String>>>) {
    let (hold, lines) = (gate.clone(), Arc::<Mutex<Vec<String>>>::default());
    let notes = Arc::clone(&lines);
    let engine = Engine::start(move |visit| {
        while let Some(message) = visit.request() {
            notes.lock().unwrap().push(message.head.start.clone());
            if message.head.target().contains("/logs") {
                visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
                hold.pass();
                let _ = visit.try_send("6\r\nsecond\r\n");
                return visit.until_left();
            }
            if message.head.target().contains("/attach") {
                visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst");
                hold.pass();
                return visit.until_left();
            }
            visit.send(crate::engine::OK);
        }
    });
    (engine, lines)
}

#[test]
fn a_reload_that_narrows_a_key_ends_its_streams_and_counts_from_the_next_request_on() {
    let gate = Gate::default();
    let (engine, lines) = streams(&gate);
    let (home, stays, narrows) = (Home::new(), Signer::new(1), Signer::new(2));
    let file_of = |options: &str| format!("allow=\"logs,exec\" {}{options} {}", stays.line(), narrows.line());
    let keys = file(&home, "keys", file_of("allow=\"logs,exec,power\""));
    let agent = agent(&engine, &keys, &[]);
    let follow = |signer: &Signer| {
        let mut client = agent.client();
        client.send(signer.request(3, "GET /containers/a/logs?follow=1&stdout=1", ""));
        assert_eq!(client.head().status(), 200);
        assert_eq!(client.chunk(), b"first");
        client
    };
    let attach = |signer: &Signer| {
        let (mut client, line) = (agent.client(), "POST /containers/a/attach?stream=1");
        let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
        client.send(head(line, &(Draft::new(3, line, "").fields(signer) + upgrade)));
        assert_eq!(client.head().status(), 101);
        assert_eq!(client.take(5), b"first");
        client
    };
    let (mut kept, mut followed, mut attached) = (follow(&stays), follow(&narrows), attach(&narrows));
    let mut idle = agent.client();
    let kill = "POST /containers/a/kill";
    assert_eq!(idle.ask(narrows.request(3, kill, "")).status(), 200);
    std::fs::write(&keys, file_of("allow=\"logs\"")).unwrap();
    let told = reload(&agent);
    assert!(told.contains("agent.reloaded") && told.contains("\"ended\":3"), "{told}");
    followed.expect_end();
    attached.expect_end();
    idle.expect_end();
    let before = lines.lock().unwrap().len();
    for line in [kill, "POST /containers/a/attach?stream=1"] {
        assert_eq!(agent.ask(narrows.request(3, line, "")).status(), 403, "{line}");
    }
    assert_eq!(lines.lock().unwrap().len(), before, "the Engine was asked");
    gate.open();
    assert_eq!(kept.chunk(), b"second", "whose line is the same goes on");
    assert_eq!(agent.ask(stays.request(3, "GET /containers/b/json", "")).status(), 403);
    std::fs::write(&keys, file_of("allow=\"logs,power\"")).unwrap();
    reload(&agent);
    assert_eq!(agent.ask(narrows.request(3, kill, "")).status(), 200, "widened again");
}

#[test]
fn a_reload_that_moves_a_keys_label_counts_from_the_next_request_on() {
    let world = World::new(&[r#"allow="power",label="team=web""#]);
    let kill = |name: &str| world.ask(1, &format!("POST /containers/{name}/kill"), "").status();
    assert_eq!((kill("web"), kill("db")), (200, 404));
    assert!(world.reload(&[r#"allow="power",label="team=db""#]).contains("agent.reloaded"));
    assert_eq!((kill("web"), kill("db")), (404, 200));
    assert!(world.reload(&[r#"allow="power",label="team""#]).contains("agent.reload_refused"));
    assert_eq!((kill("web"), kill("db")), (404, 200), "a bad line changes nothing");
}
