//! Secrets of every kind that is blanked are planted in requests, and looked for everywhere that records go.
use std::fs;

use serde_json::{Value, json};

use crate::agent::{Agent, request, request_with};
use crate::audit_trail::{Sink, parsed};
use crate::engine::{Engine, Home};
use crate::signer::{Signer, agent, file, head};

/// What each planted value begins with, and nothing else holds.
const PLANTED: &str = "pl4nted";

const HEADERS: [&str; 13] = [
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "X-Registry-Auth",
    "X-Registry-Config",
    "X-Lookout-Whatever",
    "X-Dd-Agent-Whatever",
    "X-Portwing-Whatever",
    "x-aPI-kEY",
    // Of `REDACT_HEADERS`.
    "X-Our-Own",
    "x-our-OWN",
    "Another",
];

const FIELDS: [&str; 13] = [
    "password",
    "refresh_token",
    "secret",
    "api_key",
    "apikey",
    "PassWord",
    "db_password",
    "registryToken",
    "client-secret",
    "X-API-Key",
    // Of `REDACT_FIELDS`.
    "pin",
    "Session",
    "user_pin",
];

/// Values that no other call gives.
#[derive(Default)]
struct Seeds(usize);

impl Seeds {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("{PLANTED}{:04}x", self.0)
    }
}

/// Bodies with a secret of each name, in each place where one may be.
fn bodies(seeds: &mut Seeds) -> Vec<String> {
    let mut all = Vec::new();
    for field in FIELDS.iter().chain(&["token", "access_token"]) {
        let upper = field.to_uppercase().replace('-', "_");
        let mut list = Vec::new();
        for _ in 0..3 {
            list.push(seeds.next());
        }
        all.push(json!({*field: seeds.next(), "Image": "redis"}));
        all.push(
            json!({"HostConfig": {"a": [{"b": {*field: seeds.next()}}, {*field: list}]}, "Image": "redis"}),
        );
        all.push(json!({*field: {"within": seeds.next(), "number": 5}, "Image": "redis"}));
        all.push(json!({
            "Env": [format!("{upper}={}", seeds.next()), format!("MY_{upper}_1={} and more", seeds.next()), "PLAIN=shown"],
            "Cmd": ["tool", format!("--{field}={}", seeds.next()), format!("--{field}"), seeds.next()],
            "Labels": {format!("com.example.{field}"): seeds.next()},
        }));
        all.push(json!({"Options": [{"Name": upper, "Value": seeds.next()}]}));
        all.push(json!({"Data": json!({*field: seeds.next()}).to_string()}));
    }
    all.iter().map(Value::to_string).collect()
}

/// Asks everything that has a secret in it. Gives how many were planted.
fn plant(agent: &Agent) -> usize {
    let mut seeds = Seeds::default();
    let mut client = agent.client();
    let mut ask = |text: String| client.ask(text);
    for name in HEADERS {
        let fields = format!("{name}: {}\r\nX-Plain: shown\r\n", seeds.next());
        assert_eq!(ask(request("GET /containers/json", &fields)).status(), 200, "{name}");
    }
    for name in FIELDS {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for name in [name, &encoded] {
            let line =
                format!("GET /containers/json?plain=shown&{name}={}&{name}={}", seeds.next(), seeds.next());
            assert_eq!(ask(request(&line, "")).status(), 200, "{name}");
        }
    }
    for body in bodies(&mut seeds) {
        let ours =
            request_with("POST /containers/create?name=a", "Content-Type: application/json\r\n", &body);
        assert_eq!(ask(ours).status(), 200, "{body}");
    }
    // What is refused is recorded as well.
    for scheme in ["Bearer", "Basic"] {
        let fields = format!("Authorization: {scheme} {}\r\n", seeds.next());
        let answer = agent.ask(head("GET /containers/json", &fields));
        assert_eq!(answer.status(), 401, "{scheme}");
    }
    for name in ["token", "access_token"] {
        let line = format!("GET /containers/json?{name}={}", seeds.next());
        assert_eq!(agent.ask(request(&line, "")).status(), 400, "{name}");
    }
    let body = json!({"enrollment_token": seeds.next(), "public_key": "none"}).to_string();
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    assert_eq!(agent.ask(head("POST /api/lookout/enroll", &fields) + &body).status(), 401);
    seeds.0
}

/// Everywhere that what was asked might be found, by name.
fn places(agent: Agent, sink: &Sink) -> Vec<(String, String)> {
    let mut places: Vec<_> = ["/_lookout/audit", "/_lookout/audit/export", "/api/log/entries?tail=10000"]
        .iter()
        .map(|path| {
            let answer = agent.ask(request(&format!("GET {path}"), ""));
            assert_eq!(answer.status(), 200, "{path}");
            assert!(!answer.body.is_empty(), "{path}");
            ((*path).to_owned(), answer.text())
        })
        .collect();
    let ended = agent.stop();
    places.push(("stdout".to_owned(), ended.stdout));
    places.push(("stderr".to_owned(), ended.stderr));
    for path in sink.files() {
        places.push((path.clone(), fs::read_to_string(&path).unwrap()));
    }
    places
}

fn scene(sink: &Sink, home: &Home, more: &[(&str, &str)]) -> (Engine, Agent) {
    let engine = Engine::obliging();
    let keys = file(home, "keys", Signer::new(1).line());
    let fixed = [
        ("ENROLLMENT_TOKEN", "enrollment-token-0123456789abcdef"),
        ("REDACT_HEADERS", "X-Our-Own, another"),
        ("REDACT_FIELDS", "pin,session"),
        ("AUDIT_MAX_BYTES", "65536"),
        ("AUDIT_BUFFER_SIZE", "4096"),
        ("ADAPTER", "drydock"),
    ];
    let agent = agent(&engine, &keys, &sink.with(&[fixed.as_slice(), more].concat()));
    (engine, agent)
}

#[test]
fn no_secret_is_found_where_details_are_recorded_and_what_is_none_stays() {
    let (sink, home) = (Sink::new(), Home::new());
    let (_engine, agent) = scene(&sink, &home, &[("AUDIT_DETAIL", "true")]);
    let planted = plant(&agent);
    assert!(planted > 200, "{planted}");
    let places = places(agent, &sink);
    for (name, text) in &places {
        let at = text.find(PLANTED);
        assert_eq!(at, None, "{name}: …{}", excerpt(text, at.unwrap_or_default()));
    }
    assert!(sink.files().len() > 1, "nothing was put aside");
    let details: Vec<_> = sink.records().into_iter().map(|record| record["detail"].clone()).collect();
    let told = |is_it: &dyn Fn(&Value) -> bool| details.iter().filter(|detail| is_it(detail)).count();
    for name in HEADERS {
        let name = name.to_lowercase();
        assert!(
            told(&|detail| detail["headers"][&name] == "***" && detail["headers"]["x-plain"] == "shown") > 0,
            "{name}"
        );
    }
    for name in FIELDS {
        let query = format!("plain=shown&{name}=***&{name}=***");
        assert!(told(&|detail| detail["query"] == query.as_str()) > 0, "{query}");
        assert!(
            told(&|detail| detail["body"][name] == "***" && detail["body"]["Image"] == "redis") > 1,
            "{name}"
        );
        let env = format!("{}=***", name.to_uppercase().replace('-', "_"));
        let is_env = |detail: &Value| {
            detail["body"]["Env"][0] == env.as_str() && detail["body"]["Env"][2] == "PLAIN=shown"
        };
        assert!(told(&is_env) > 0, "{env}");
    }
    assert!(told(&|detail| detail["headers"]["authorization"] == "***") > 0);
    sink.expect_whole();
}

#[test]
fn without_details_nothing_of_queries_fields_and_bodies_is_kept_at_all() {
    let (sink, home) = (Sink::new(), Home::new());
    let (_engine, agent) = scene(&sink, &home, &[]);
    plant(&agent);
    for (name, text) in places(agent, &sink) {
        for word in [PLANTED, "***", "shown", "\"detail\""] {
            let at = text.find(word);
            assert_eq!(at, None, "{name}: …{}", excerpt(&text, at.unwrap_or_default()));
        }
    }
}

#[test]
fn a_body_that_is_recorded_reaches_the_engine_as_it_was_sent() {
    let (sink, engine) = (Sink::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &sink.plain(&[("AUDIT_DETAIL", "true")]));
    let body = r#"{ "Image":"redis",  "Env":["DB_PASSWORD=hunter2"] }"#;
    let ours = request_with("POST /containers/create", "Content-Type: application/json\r\n", body);
    assert_eq!(agent.ask(ours).status(), 200);
    assert!(engine.visits().iter().any(|visit| visit.text().ends_with(body)));
    let record = parsed(&sink.wait("api_request", 1)[0]);
    assert_eq!(record["detail"]["body"], json!({"Image": "redis", "Env": ["DB_PASSWORD=***"]}));
}

/// What stands around a place.
fn excerpt(text: &str, at: usize) -> String {
    let from = text.floor_char_boundary(at.saturating_sub(300));
    text[from..text.ceil_char_boundary((at + 60).min(text.len()))].to_owned()
}
