//! Who may ask what: every route of the agent, with and without a credential, and the door for browsers.
use crate::agent::{Agent, TOKEN, request, run};
use crate::engine::Engine;
use crate::message::{Length, Message};

/// The routes a stranger may ask. A new one changes this list, in plain sight.
const PUBLIC: &[&str] = &["/health", "/ready", "/_lookout/health"];

/// Targets that belong to no route of ours, and so to the Engine.
const PROXIED: &[&str] =
    &["GET /", "GET /containers/json", "POST /v1.41/containers/create", "DELETE /anything"];

/// The three places a credential may stand.
const PLACES: &[&str] = &["Authorization: Bearer ", "X-Lookout-Token: ", "X-Dd-Agent-Secret: "];

/// Every route the binary lists, as something to ask: a method and a target without placeholders.
fn routes() -> Vec<(String, String)> {
    let listed = run(&["routes"], &[]);
    assert_eq!(listed.code, Some(0), "{}", listed.words());
    let mut routes = Vec::new();
    for line in listed.stdout.lines() {
        let mut columns = line.split_whitespace();
        let (Some(method), Some(path)) = (columns.next(), columns.next()) else { continue };
        if !path.starts_with('/') {
            continue;
        }
        let upper = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        let methods: Vec<_> = method.split([',', '|']).filter(|m| upper(m) && *m != "ANY").collect();
        let methods = if methods.is_empty() { vec!["GET"] } else { methods };
        let target: Vec<_> =
            path.split('/').map(|s| if s.contains(['{', '*', '<', '…', ':']) { "a" } else { s }).collect();
        routes.extend(methods.into_iter().map(|method| (method.to_owned(), target.join("/"))));
    }
    assert!(routes.len() >= 3, "`lookout routes` lists too little: {:?}", listed.stdout);
    for path in PUBLIC {
        assert!(routes.iter().any(|(_, target)| target == path), "{path} is not listed: {:?}", listed.stdout);
    }
    routes
}

/// The routes of ours that need a credential, and some of the Engine's.
fn guarded() -> Vec<String> {
    let ours = routes().into_iter().filter(|(_, target)| !PUBLIC.contains(&target.as_str()));
    let ours = ours.map(|(method, target)| format!("{method} {target}"));
    let unknown = ["GET /_lookout/unknown", "GET /_lookout/", "POST /health", "DELETE /_lookout/health"];
    ours.chain(PROXIED.iter().chain(&unknown).map(|line| (*line).to_owned())).collect()
}

/// A request line and header lines, as they are.
fn bare(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: lookout\r\n{fields}\r\n")
}

fn ask(agent: &Agent, line: &str, fields: &str) -> Message {
    let mut client = agent.client();
    client.send(bare(line, fields));
    let head = client.head();
    let length = if line.starts_with("HEAD ") { Length::Exactly(0) } else { head.length() };
    let body = client.body(length).unwrap_or_else(|cut| panic!("{line}: {cut:?}"));
    Message { head, body }
}

fn expect_denied(answer: &Message, reason: &str, what: &str) {
    assert_eq!(answer.status(), 401, "{what}");
    let challenge = answer.head.value("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer"), "{what}: {:?}", answer.head);
    assert_eq!(answer.head.value("x-lookout-reason"), Some(reason), "{what}");
    if !what.starts_with("HEAD ") {
        answer.sentence();
    }
}

#[test]
fn no_route_but_the_public_ones_is_open_to_a_stranger() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("TRUSTED_PROXIES", "127.0.0.1")]);
    // Each attempt comes from another address, or the tenth would be the last.
    let mut attempts = 0_u32;
    let mut attempt = |line: &str, fields: &str| {
        attempts += 1;
        let [_, high, middle, low] = attempts.to_be_bytes();
        ask(&agent, line, &format!("X-Forwarded-For: 10.{high}.{middle}.{low}\r\n{fields}"))
    };
    for line in guarded() {
        expect_denied(&attempt(&line, ""), "no_credentials", &line);
        for place in PLACES {
            for wrong in ["wrong", &TOKEN[1..], &format!("{TOKEN}x"), &TOKEN.to_uppercase()] {
                expect_denied(&attempt(&line, &format!("{place}{wrong}\r\n")), "bad_token", &line);
            }
            let empty = format!("{}\r\n", place.trim_end());
            expect_denied(&attempt(&line, &empty), "no_credentials", &line);
        }
    }
    agent.stop();
    assert!(engine.settle().is_empty(), "the engine received {:?}", engine.visits()[0].text());
}

#[test]
fn every_route_is_open_to_each_of_the_three_headers() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for line in guarded() {
        for place in PLACES {
            let answer = ask(&agent, &line, &format!("{place}{TOKEN}\r\n"));
            // This Engine tells of no containers, which the agent says as 502 or 503.
            assert!(!matches!(answer.status(), 401 | 403 | 500), "{line}: {:?}", answer.head);
        }
    }
}

#[test]
fn the_public_routes_are_open_to_everyone() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for path in PUBLIC {
        for method in ["GET", "HEAD"] {
            for fields in ["", "Authorization: Bearer wrong\r\n"] {
                let answer = ask(&agent, &format!("{method} {path}"), fields);
                assert_eq!(answer.status(), 200, "{method} {path} with {fields:?}");
                assert!(answer.head.value("server").is_none(), "{:?}", answer.head);
            }
        }
    }
}

#[test]
fn the_scheme_has_no_case_and_other_schemes_are_passed_over() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for (fields, status) in [
        (format!("Authorization: bearer {TOKEN}\r\n"), 200),
        (format!("AUTHORIZATION: BEARER   {TOKEN}  \r\n"), 200),
        (format!("Authorization: Basic YTpi\r\nX-Lookout-Token: {TOKEN}\r\n"), 200),
        (format!("Authorization: Basic {TOKEN}\r\n"), 401),
        (format!("Authorization: {TOKEN}\r\n"), 401),
        (format!("Authorization: Bearer{TOKEN}\r\n"), 401),
        (format!("Authorization: Bearer wrong\r\nX-Lookout-Token: {TOKEN}\r\n"), 401),
        (format!("Cookie: token={TOKEN}\r\n"), 401),
    ] {
        assert_eq!(ask(&agent, "GET /containers/json", &fields).status(), status, "{fields:?}");
    }
}

#[test]
fn what_is_not_ours_is_answered_after_the_credential() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for line in ["GET /_lookout/unknown", "POST /_lookout/unknown", "GET /_lookout/", "GET /_lookout/health/"]
    {
        let answer = agent.ask(request(line, ""));
        assert_eq!(answer.status(), 404, "{line}");
        answer.sentence();
    }
    for path in PUBLIC {
        for method in ["POST", "PUT", "DELETE"] {
            let line = format!("{method} {path}");
            let answer = agent.ask(request(&line, ""));
            assert_eq!(answer.status(), 405, "{line}");
            let allow: Vec<_> = answer.head.value("allow").unwrap_or_default().split(", ").collect();
            assert!(allow.contains(&"GET") && allow.contains(&"HEAD"), "{line}: {:?}", answer.head);
            assert!(!allow.contains(&method), "{line}: {:?}", answer.head);
            answer.sentence();
        }
    }
    agent.stop();
    assert!(engine.settle().is_empty(), "the engine received {:?}", engine.visits()[0].text());
}

#[test]
fn nothing_is_ever_redirected() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for line in ["GET /_lookout", "GET /health/", "GET /ready/", "GET /containers/json/", "GET /"] {
        for fields in [String::new(), format!("Authorization: Bearer {TOKEN}\r\n")] {
            let status = ask(&agent, line, &fields).status();
            assert!(!(300..400).contains(&status), "{line}: {status}");
        }
    }
}

#[test]
fn a_credential_in_the_query_is_refused_and_not_repeated() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    let credential = format!("Authorization: Bearer {TOKEN}\r\n");
    for query in [
        "token=hidden-in-the-query",
        "access_token=hidden-in-the-query",
        "all=1&token=hidden-in-the-query",
        "all=1&access_token=hidden-in-the-query&b",
        "token",
        "%74oken=hidden-in-the-query",
    ] {
        for path in ["/containers/json", "/_lookout/unknown", "/health", "/ready"] {
            for fields in ["", credential.as_str()] {
                let answer = ask(&agent, &format!("GET {path}?{query}"), fields);
                assert_eq!(answer.status(), 400, "{path}?{query} with {fields:?}");
                assert!(!answer.sentence().contains("hidden"), "{}", answer.text());
            }
        }
    }
    let stopped = agent.stop();
    assert!(!stopped.words().contains("hidden-in-the-query"), "{}", stopped.words());
    assert!(engine.settle().is_empty(), "the engine received {:?}", engine.visits()[0].text());
}

#[test]
fn a_page_of_a_foreign_site_is_refused_everywhere() {
    let engine = Engine::obliging();
    let agent =
        Agent::start_with(&engine, &[("ALLOWED_ORIGINS", "https://good.example, http://localhost:8080")]);
    let credential = format!("Authorization: Bearer {TOKEN}\r\n");
    let lines = guarded().into_iter().chain(PUBLIC.iter().map(|path| format!("GET {path}")));
    for line in lines {
        for origin in [
            "http://evil.example",
            "null",
            "https://good.example.evil.example",
            "http://good.example",
            "https://good.example:8443",
            "https://good.example, http://evil.example",
            "https://good.example/",
            "",
        ] {
            for fields in ["", credential.as_str()] {
                let answer = ask(&agent, &line, &format!("{fields}Origin: {origin}\r\n"));
                assert_eq!(answer.status(), 403, "{line} from {origin:?} with {fields:?}");
            }
        }
    }
    let two = format!("{credential}Origin: https://good.example\r\nOrigin: http://evil.example\r\n");
    assert!(matches!(ask(&agent, "GET /a", &two).status(), 400 | 403));
    let upgrade =
        format!("{credential}Origin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(ask(&agent, "GET /containers/a/attach/ws", &upgrade).status(), 403);
    for origin in ["https://good.example", "http://localhost:8080"] {
        let fields = format!("{credential}Origin: {origin}\r\n");
        assert_eq!(ask(&agent, "GET /health", &fields).status(), 200, "{origin}");
        assert_eq!(ask(&agent, "GET /_lookout/unknown", &fields).status(), 404, "{origin}");
        let stranger = ask(&agent, "GET /a", &format!("Origin: {origin}\r\n"));
        assert_eq!(stranger.status(), 401, "an origin is no credential");
    }
    let fields = format!("{credential}Origin: https://good.example\r\n");
    assert_eq!(ask(&agent, "GET /a", &fields).status(), 200);
    agent.stop();
    assert_eq!(engine.settle().len(), 1, "only the allowed page reached the engine");
}

#[test]
fn without_a_list_every_origin_is_foreign() {
    let engine = Engine::obliging();
    let agent = Agent::start(&engine);
    for line in ["GET /health", "GET /ready", "GET /containers/json"] {
        let fields =
            format!("Authorization: Bearer {TOKEN}\r\nOrigin: http://127.0.0.1:{}\r\n", agent.port());
        assert_eq!(ask(&agent, line, &fields).status(), 403, "{line}");
    }
}
