//! Paths with two meanings: what is judged is what the Engine gets, and what is ours stays ours.
use crate::torture_smuggling::shots;
use crate::torture_stand::{Case, SMUGGLED, Shot, Stand, fill};
use crate::world::World;

/// Targets of a caller who may do everything, and what becomes of them.
const REFUSED: &[&str] = &[
    "/a/%2e./smuggled",
    "/a/.%2E/smuggled",
    "/a/%2E%2e",
    "/%2e",
    "/%2e%2e",
    "/%2e/smuggled",
    "/%2fsmuggled",
    "/%2Fsmuggled",
    "/a%2f%2fsmuggled",
    "/a%2f/smuggled",
    "/a/%2fsmuggled",
    "/a%2f.%2fsmuggled",
    "/a%2f%2e%2e%2fsmuggled",
    "/a/..%2fsmuggled",
    "/a%2f../smuggled",
    "/a/../../../../smuggled",
    "///smuggled",
    "/a//",
    "/smuggled%00",
    "/smuggled%00.json",
    "/smuggled%0d%0aX-A:%20b",
    "/smuggled%0a",
    "/smuggled%09",
    "/smuggled%1b[31m",
    "/smuggled%7f",
    "/%c0%ae%c0%ae/smuggled",
    "/a%c0%afsmuggled",
    "/%e0%80%ae/smuggled",
    "/%f0%80%80%ae/smuggled",
    "/%ff/smuggled",
    "/%ed%a0%80/smuggled",
    "/%u002e%u002e/smuggled",
    "/%%32%65/smuggled",
    "/%2/smuggled",
    "/%2g/smuggled",
    "/%/smuggled",
    "/smuggled%",
    "/smuggled#a",
    "/a?smuggled#b",
    "/smuggled\u{e9}",
    "/smuggled\u{ff0e}\u{ff0e}",
    "/smuggled\x01",
    "/smuggled?a=\x01",
    "/smuggled?a=\u{e9}",
    "/smuggled?token=a",
    "/smuggled?a=b&access_token=c",
    "/smuggled?%74oken=a",
    "/smuggled?a;token=b",
];

/// These mean one thing to every reader, and pass to the byte.
const PASSED: &[&str] = &[
    "/",
    "/a/",
    "/a%2f",
    "/a%2Fb",
    "/a/...",
    "/a/.b",
    "/a/b.",
    "/a/..b",
    "/a/..;/b",
    "/a/.;/b",
    "/a;b=c/d",
    "/a\\..\\b",
    "/..\\a",
    "/%5c..%5ca",
    "/%252e%252e/a",
    "/%252fa",
    "/%2500",
    "/a%20b",
    "/a%3fb",
    "/a%23b",
    "/a%3bb",
    "/a:b@c",
    "/a,b",
    "/a|b^c`d{e}\"<f>",
    "/%C3%A9",
    "/a?b=../../c",
    "/a?b=%2e%2e%2f",
    "/a?b=//c",
    "/a?b=%00",
    "/a?b=%zz",
    "/a??b",
    "/a?b?c=d",
    "/a?TOKENS=b",
    "/v1.41/a%2e",
];

/// What is ours is ours however it is spelt, and what only looks like it is the Engine's.
const OURS: &[Case<'_>] = &[
    ("health", "GET /health HTTP/1.1\r\n{ok}\r\n", &[200], &[]),
    ("health with a letter encoded", "GET /h%65alth HTTP/1.1\r\n{ok}\r\n", &[200], &[]),
    ("health with a query", "GET /health?/smuggled HTTP/1.1\r\n{ok}\r\n", &[200], &[]),
    ("health with a NUL", "GET /health%00 HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("health with an encoded query", "GET /health%3f HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /health%3f"]),
    ("health with a parameter", "GET /health;a HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /health;a"]),
    ("health with a blank", "GET /health%20 HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /health%20"]),
    ("health with a slash", "GET /health/ HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /health/"]),
    ("health with an encoded slash", "GET /health%2f HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /health%2f"]),
    ("health in large letters", "GET /HEALTH HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /HEALTH"]),
    ("health behind dots", "GET /a/../health HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("health behind two slashes", "GET //health HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("health that is written to", "POST /health HTTP/1.1\r\n{ok}Content-Length: 0\r\n\r\n", &[405], &[]),
    ("readiness with an encoded slash", "GET /_lookout%2fhealth HTTP/1.1\r\n{ok}\r\n", &[200], &[]),
    (
        "readiness with everything encoded",
        "GET /%5f%6c%6f%6f%6b%6f%75%74%2F%68%65%61%6c%74%68 HTTP/1.1\r\n{ok}\r\n",
        &[200],
        &[],
    ),
    ("readiness with a slash", "GET /_lookout/health/ HTTP/1.1\r\n{ok}\r\n", &[404], &[]),
    ("our corner", "GET /_lookout/ HTTP/1.1\r\n{ok}\r\n", &[404], &[]),
    ("our corner, encoded", "GET /%5Flookout%2F HTTP/1.1\r\n{ok}\r\n", &[404], &[]),
    ("our corner and something", "GET /_lookout/smuggled HTTP/1.1\r\n{ok}\r\n", &[404], &[]),
    (
        "our corner and something encoded",
        "GET /_lookout%2fcontainers%2fjson HTTP/1.1\r\n{ok}\r\n",
        &[404],
        &[],
    ),
    ("our corner behind dots", "GET /_lookout/../smuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("our corner behind encoded dots", "GET /_lookout%2f..%2fsmuggled HTTP/1.1\r\n{ok}\r\n", &[400], &[]),
    ("next to our corner", "GET /_lookouts/a HTTP/1.1\r\n{ok}\r\n", &[200], &["GET /_lookouts/a"]),
    (
        "our corner in large letters",
        "GET /_LOOKOUT/health HTTP/1.1\r\n{ok}\r\n",
        &[200],
        &["GET /_LOOKOUT/health"],
    ),
    (
        "our corner, encoded twice",
        "GET /%255flookout/health HTTP/1.1\r\n{ok}\r\n",
        &[200],
        &["GET /%255flookout/health"],
    ),
    (
        "our corner behind a version",
        "GET /v1.41/_lookout/health HTTP/1.1\r\n{ok}\r\n",
        &[200],
        &["GET /v1.41/_lookout/health"],
    ),
];

/// Without a credential nothing of it is anybody's.
const STRANGERS: &[&str] = &[
    "/health/",
    "/health%2f",
    "/health%20",
    "/health;a",
    "/HEALTH",
    "/health%3fa",
    "/ready/",
    "/readyz",
    "/_lookout",
    "/_lookout/",
    "/_lookout/healt",
    "/_lookout%2funknown",
    "/_LOOKOUT/HEALTH",
    "/%2568ealth",
    "/metrics",
    "/met%72ics",
    "/_lookout/metrics",
    "/_ping",
    "/%5fping",
    "/version",
    "/v1.41/_ping",
    "/containers/json",
    "/containers%2fjson",
];

fn get(target: &str) -> String {
    fill(&format!("GET {target} HTTP/1.1\r\n{{ok}}\r\n"))
}

#[test]
fn a_target_with_two_meanings_is_refused() {
    let mut stand = Stand::agent(&[]);
    stand.shoot(REFUSED.iter().map(|target| Shot::new(target, get(target), &[400], &[])));
    stand.finish();
}

#[test]
fn a_target_with_one_meaning_passes_to_the_byte() {
    let mut stand = Stand::agent(&[]);
    stand.shoot(
        PASSED.iter().map(|target| Shot::new(target, get(target), &[200], &[&format!("GET {target}")])),
    );
    stand.finish();
}

#[test]
fn what_is_ours_is_found_however_it_is_spelt() {
    let mut stand = Stand::agent(&[]);
    stand.shoot(shots(OURS));
    stand.finish();
}

#[test]
fn a_stranger_gets_at_nothing_by_spelling_it_otherwise() {
    let mut stand = Stand::agent(&[]);
    stand.shoot(STRANGERS.iter().map(|target| {
        Shot::new(target, format!("GET {target} HTTP/1.1\r\nHost: lookout\r\n\r\n"), &[401], &[])
    }));
    stand.finish();
}

/// What a caller who may only look asks for, and what the Engine is asked, if it is.
const JUDGED: &[(&str, u16, Option<&str>)] = &[
    ("GET /containers/json", 200, Some("GET /containers/json")),
    ("GET /containers%2fjson", 200, Some("GET /containers/json")),
    ("GET /%63ontainers/%6ason", 200, Some("GET /containers/json")),
    ("GET /v1.41%2fcontainers/json", 200, Some("GET /v1.41/containers/json")),
    ("GET /%761.41/containers/json", 200, Some("GET /v1.41/containers/json")),
    ("GET /v1%2e41/containers/json", 200, Some("GET /v1.41/containers/json")),
    ("POST /containers%2fcreate", 403, None),
    ("POST /%63ontainers/create", 403, None),
    ("POST /containers/json/../create", 400, None),
    ("POST /containers/create?/json", 403, None),
    ("GET /containers/web%2farchive", 403, None),
    ("GET /containers/web/archive%2f", 403, None),
    ("GET /containers/web/json%2f..%2farchive", 400, None),
    ("GET /containers/web%2fexport", 403, None),
    ("GET /containers/web/logs", 403, None),
    ("GET /containers/web%2flogs%3fstdout=1", 403, None),
    ("GET /containers/json/", 403, None),
    ("GET /containers/json%20", 403, None),
    ("GET /containers/json;a=b", 403, None),
    ("GET /containers/json%3fall=1", 403, None),
    ("GET /CONTAINERS/json", 403, None),
    ("GET /V1.41/containers/json", 403, None),
    ("GET /v1.41./containers/json", 400, None),
    ("GET /v1.41../containers/json", 400, None),
    ("GET /v1.41.0/containers/json", 400, None),
    ("GET /v001.041/containers/json", 400, None),
    ("GET /v1.041/containers/json", 400, None),
    ("GET /v01.41/containers/json", 400, None),
    ("GET /v2.0/containers/json", 400, None),
    ("GET /v/containers/json", 403, None),
    ("GET /v1.41/v1.41/containers/json", 403, None),
    ("GET /v1.41/debug/pprof/", 403, None),
    ("GET /debug/vars", 403, None),
    ("GET /libpod/containers/json", 403, None),
    ("GET /v4.0.0/libpod/containers/json", 403, None),
    ("GET /images/%2e%2e/containers/json", 400, None),
    ("GET /images/..%2f..%2fcontainers/web/archive", 400, None),
    ("GET /images/a%2f%2fb/json", 400, None),
    ("GET /exec/web%2f..%2f..%2fcontainers/json", 400, None),
    ("DELETE /containers%2fweb", 403, None),
    ("HEAD /containers/web%2farchive", 403, None),
    ("PUT /containers/web/archive", 403, None),
    ("PATCH /containers/json", 403, None),
    ("OPTIONS /containers/json", 403, None),
    ("GET /plugins/privileges", 403, None),
    ("GET /swarm", 403, None),
    ("GET /configs", 403, None),
];

#[test]
fn what_is_judged_is_what_the_engine_gets() {
    let world = World::new(&[r#"allow="view""#]);
    let mut wrong = Vec::new();
    for (line, status, asked) in JUDGED {
        let before = world.asked().len();
        let answer = world.ask_with(1, line, "User-Agent: client\r\n", "");
        let lines = world.lines().split_off(before);
        if answer.status() != *status || lines != asked.iter().map(ToString::to_string).collect::<Vec<_>>() {
            wrong.push(format!("{line}: {} and the Engine got {lines:?}", answer.status()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: Vec<_> = world.finish().iter().map(|call| call.line().to_owned()).collect();
    assert_eq!(all.len(), JUDGED.iter().filter(|(_, _, asked)| asked.is_some()).count(), "{all:?}");
    assert!(!all.iter().any(|line| line.contains(SMUGGLED)));
}
