//! Targets, parameters and fields of a key with limits: what two readers could read differently is refused.
use crate::agent::TOKEN;
use crate::world::{World, signed_head};

/// Asks, and says with which status it was answered and what the Engine got, if anything.
fn outcome(world: &World, line: &str, fields: &str, body: &str) -> (u16, Option<String>) {
    let before = world.lines().len();
    let answer = world.ask_with(1, line, fields, body);
    if answer.status() >= 400 {
        assert!(answer.sentence().starts_with("lookout: "), "{line}: {}", answer.text());
    }
    (answer.status(), world.lines().get(before).cloned())
}

fn holds(world: World, rows: &[(&str, u16)]) {
    for (line, status) in rows {
        assert_eq!(outcome(&world, line, "", ""), (*status, None), "{line}");
    }
    assert!(world.finish().is_empty(), "something reached the Engine");
}

#[test]
fn a_path_nobody_knows_is_only_for_who_may_do_everything() {
    let world =
        World::new(&[r#"allow="view,logs,dump,power,pull,push,create,remove,exec,build,swarm,host""#]);
    for line in [
        "POST /plugins/pull?remote=evil",
        "POST /v1.41/plugins/evil/enable",
        "POST /containers/web/checkpoints",
        "GET /debug/pprof/",
        "GET /libpod/info",
        "GET /containers/web/json/",
        "GET /containers/web/anything",
        "GET /V1.41/containers/json",
        "HEAD /containers/json",
        "OPTIONS /info",
    ] {
        let answer = world.ask(1, line, "");
        assert_eq!(answer.status(), 403, "{line}");
        if !line.starts_with("HEAD") {
            assert_eq!(answer.sentence(), "lookout: key somebody lacks class all", "{line}");
        }
    }
    assert!(world.finish().is_empty(), "something reached the Engine");
}

#[test]
fn to_get_is_not_to_be_harmless() {
    holds(
        World::new(&[r#"allow="view,power""#]),
        &[
            ("GET /containers/web/archive?path=/etc", 403),
            ("GET /containers/web/export", 403),
            ("GET /images/get?names=redis", 403),
            ("GET /images/redis/get", 403),
            ("GET /containers/web/logs?stdout=1", 403),
            ("GET /containers/web/attach/ws?stdin=1&stream=1", 403),
            ("GET /configs", 403),
            ("GET /swarm", 403),
            ("GET /swarm/unlockkey", 403),
            ("GET /containers/web/checkpoints", 403),
            ("GET /images/redis/attestations?statement=true", 403),
        ],
    );
}

#[test]
fn a_name_in_a_path_is_a_name_and_nothing_else() {
    let long = format!("GET /containers/{}/json", "a".repeat(129));
    let longer = format!("GET /images/{}/json", "a".repeat(1025));
    holds(
        World::new(&[r#"allow="view,power,exec,remove,pull""#]),
        &[
            ("GET /containers/..%2f..%2fversion%3fx=/json", 400),
            ("GET /containers/%2e%2e/json", 400),
            ("GET /containers/web%3Fa=b/json", 400),
            ("GET /containers/web%23/json", 400),
            ("GET /containers/web%20x/json", 400),
            ("GET /containers/web%0d%0aX:%20y/json", 400),
            ("GET /containers/web%00/json", 400),
            ("GET /containers/-web/json", 400),
            ("GET /containers/.web/json", 400),
            ("GET /containers/w%C3%A9b/json", 400),
            ("GET /containers/web:1/json", 400),
            (&long, 400),
            (&longer, 400),
            ("POST /containers/web%253f/start", 400),
            ("DELETE /networks/a%20b", 400),
            ("DELETE /volumes/a%3fforce=1", 400),
            ("GET /images/-redis/json", 400),
            ("GET /images/redis%3Fa/json", 400),
            ("DELETE /images/redis%20x", 400),
            ("POST /exec/..%2f/start", 400),
            ("GET /distribution/evil%3F/json", 400),
        ],
    );
}

#[test]
fn a_path_is_decoded_once_and_written_anew() {
    let world = World::new(&[r#"allow="view,power""#]);
    for (line, seen) in [
        ("GET /containers%2fjson", "GET /containers/json"),
        ("GET /%63ontainers/json", "GET /containers/json"),
        ("GET /%761.41/containers/json", "GET /v1.41/containers/json"),
        ("GET /v1.41%2Fcontainers/json", "GET /v1.41/containers/json"),
        ("GET /v1%2e24/containers/json", "GET /v1.24/containers/json"),
        ("GET /containers/w%65b/json", "GET /containers/web/json"),
        ("GET /images/library%2Fredis/json", "GET /images/library/redis/json"),
        ("GET /images/redis%3A7/json", "GET /images/redis:7/json"),
        ("GET /images/library/redis:7@sha256:00/json", "GET /images/library/redis:7@sha256:00/json"),
        ("POST /containers/web/kill?%73ignal=%54ERM", "POST /containers/web/kill?signal=TERM"),
    ] {
        assert_eq!(outcome_of_any(&world, line), Some(seen.to_owned()), "{line}");
    }
}

/// What the Engine got, whatever it said to that.
fn outcome_of_any(world: &World, line: &str) -> Option<String> {
    let before = world.lines().len();
    let status = world.ask(1, line, "").status();
    assert!(matches!(status, 200 | 404), "{line}: {status}");
    world.lines().get(before).cloned()
}

#[test]
fn a_path_that_two_readers_could_read_differently_is_refused() {
    holds(
        World::new(&[r#"allow="view,power,create""#]),
        &[
            ("GET //containers/json", 400),
            ("GET /containers//json", 400),
            ("GET /containers/../_ping", 400),
            ("GET /containers/..%2f_ping", 400),
            ("GET /containers/%2e%2e%2f_ping", 400),
            ("GET /./containers/json", 400),
            ("GET http://evil/_ping", 400),
            ("GET evil:2375", 400),
            ("GET *", 400),
            ("GET /containers/json#x", 400),
            ("GET /containers/%zz/json", 400),
            ("get /containers/json", 501),
        ],
    );
}

#[test]
fn versions_are_those_that_are_judged_and_the_engine_speaks() {
    let world = World::new(&[r#"allow="view,power,create""#]);
    for version in ["1.24", "1.30", "1.41"] {
        let line = format!("GET /v{version}/containers/json");
        assert_eq!(outcome_of_any(&world, &line), Some(line.clone()));
    }
    let before = world.lines().len();
    for version in [
        "1.23", "1.12", "1.9", "1.0", "0.99", "2.41", "1.41.", "1.41..", "1.41.0", "1.41.0.0", "001.041",
        "01.41", "1.041", "1.41%2E", "1", "1.", ".41", "1.100", "1.42", "1.99",
    ] {
        for line in ["GET /v{}/containers/json", "POST /v{}/containers/web/start"] {
            let line = line.replace("{}", version);
            assert_eq!(world.ask(1, &line, "").status(), 400, "{line}");
        }
    }
    assert_eq!(world.lines().len(), before, "something reached the Engine");
}

/// An old Engine takes what a container may do from the body of its start.
#[test]
fn a_start_takes_nothing_along() {
    let world = World::with(&[r#"allow="power""#], &[("TOKEN_ALLOW", "power")], Box::new(|_| None));
    let binds = r#"{"Binds":["/etc/hostname:/x:ro"],"CapAdd":["SYS_ADMIN"]}"#;
    let json = "Content-Type: application/json\r\n";
    assert_eq!(outcome(&world, "POST /v1.23/containers/web/start", json, binds), (400, None));
    for verb in ["start", "stop", "restart", "kill", "pause", "unpause", "wait", "resize"] {
        let line = format!("POST /v1.41/containers/web/{verb}");
        assert_eq!(outcome(&world, &line, json, binds), (403, None), "{line}");
        let fields = format!("{json}Transfer-Encoding: chunked\r\n");
        let head = signed_head(1, &line, &fields, binds.as_bytes());
        let chunks = format!("{:x}\r\n{binds}\r\n0\r\n\r\n", binds.len());
        assert_eq!(world.agent.ask(head + &chunks).status(), 403, "{line} in chunks");
        let bearer = format!("{line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n{fields}\r\n");
        assert_eq!(world.agent.ask(bearer + &chunks).status(), 403, "{line} in chunks that nobody signed");
        let head = signed_head(1, &line, &fields, b"");
        assert_eq!(world.agent.ask(head + "0\r\n\r\n").status(), 200, "{line} with no chunk");
        let seen = world.last();
        assert_eq!((seen.line(), seen.body.as_slice()), (line.as_str(), &b""[..]));
        assert!(seen.head.value("content-type").is_none(), "{seen:?}");
    }
    for query in ["checkpoint=a", "checkpoint-dir=/", "Checkpoint=a", "detachKeys=a&checkpoint=b"] {
        let line = format!("POST /v1.41/containers/web/start?{query}");
        assert_eq!(outcome(&world, &line, "", ""), (403, None), "{line}");
    }
    assert_eq!(world.finish().len(), 8);
}

#[test]
fn parameters_are_those_of_the_route_each_once_and_written_anew() {
    let world = World::new(&[r#"allow="view,create,pull,remove""#]);
    for (line, seen) in [
        ("GET /containers/json?%61ll=%31", "GET /containers/json?all=1"),
        ("GET /containers/json?all=2&&limit", "GET /containers/json?all=2&limit="),
        ("GET /containers/json?all=TRUE", "GET /containers/json?all=TRUE"),
        ("POST /containers/web/rename?name=a+b", "POST /containers/web/rename?name=a%20b"),
        ("POST /images/create?fromImage=a/b&tag=1", "POST /images/create?fromImage=a%2Fb&tag=1"),
        (
            "GET /containers/json?filters=%7B%22label%22:%5B%22a%22,%22b%22%5D%7D",
            "GET /containers/json?filters=%7B%22label%22%3A%7B%22a%22%3Atrue%2C%22b%22%3Atrue%7D%7D",
        ),
    ] {
        assert_eq!(outcome_of_any(&world, line), Some(seen.to_owned()), "{line}");
    }
    let before = world.lines().len();
    for (line, status) in [
        ("GET /containers/json?all=0&all=1", 400),
        ("GET /containers/json?all=0&%61ll=1", 400),
        ("GET /containers/json?filters=%7B%7D&filters=%7B%7D", 400),
        ("GET /containers/json?filters=%7B%22a%22:%5B%22b%22%5D,%22a%22:%5B%22c%22%5D%7D", 400),
        ("GET /containers/json?filters=%7B%7D%7B%7D", 400),
        ("GET /containers/json?filters=%7B%22label%22:%22a%22%7D", 400),
        ("GET /containers/json?Filters=%7B%7D", 403),
        ("GET /containers/json?all=1;limit=2", 400),
        ("GET /containers/json?all=%ff", 400),
        ("GET /containers/json?all=%zz", 400),
        ("GET /containers/json?unknown=1", 403),
        ("GET /containers/json?All=1", 403),
        ("GET /info?a", 403),
        ("POST /containers/create?name=a&name=b", 400),
        ("POST /images/create?fromImage=a&fromImage=evil", 400),
        ("POST /images/create?fromImage=a&fromSrc=-", 403),
        ("DELETE /containers/web?v=1&v=0", 400),
    ] {
        assert_eq!(world.ask(1, line, "").status(), status, "{line}");
    }
    assert_eq!(world.lines().len(), before, "something reached the Engine");
}

/// The Engine merges a form into the query, where it wins over what stands there.
#[test]
fn forms_are_refused_on_every_route_and_of_every_caller() {
    for options in [r#"allow="all""#, r#"allow="view,create,pull,power,build""#] {
        let world = World::new(&[options]);
        for kind in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            " multipart/form-data; boundary=a",
            "multipart/related",
            "application/grpc",
            "application/grpc+proto",
        ] {
            let fields = format!("Content-Type: {kind}\r\n");
            for (line, body) in [
                ("POST /containers/web/rename?name=good", "name=EVIL"),
                ("POST /images/create?fromImage=bb&tag=latest", "fromImage=nonexistent.invalid/evil"),
                ("GET /containers/json", "all=1"),
                ("POST /build", "t=evil"),
            ] {
                let (status, seen) = outcome(&world, line, &fields, body);
                // Of a key with limits it may be refused for being a body at all.
                let is_refused = status == 415 || (status == 403 && options.contains("view"));
                assert!(is_refused && seen.is_none(), "{line} {kind}: {status}");
            }
            let two = format!("Content-Type: application/json\r\n{fields}");
            let line = "POST /containers/create";
            assert_eq!(outcome(&world, line, &two, "Image=evil"), (415, None), "behind another type: {kind}");
            let (status, seen) = outcome(&world, "POST /containers/web/start", &fields, "");
            assert_eq!((status, seen.is_some()), (200, true), "a form of nothing: {kind}");
        }
    }
}

#[test]
fn yes_is_what_the_engine_takes_for_yes() {
    let world = World::new(&[r#"allow="view""#]);
    let line = |value: &str| format!("GET /images/redis/attestations?statement={value}");
    for value in ["", "0", "no", "No", "none", "NONE", "false", "False", "%20", "+false+"] {
        assert_eq!(world.ask(1, &line(value), "").status(), 200, "{value:?}");
    }
    let before = world.lines().len();
    for value in ["1", "2", "true", "TRUE", "yes", "on", "off", "f", "n", "null"] {
        let answer = world.ask(1, &line(value), "");
        assert_eq!(answer.status(), 403, "{value:?}");
        assert_eq!(answer.sentence(), "lookout: key somebody lacks class dump, which statement needs");
    }
    assert_eq!(world.lines().len(), before, "something reached the Engine");
}

#[test]
fn fields_are_those_the_engine_needs_and_no_credentials() {
    let world = World::new(&[r#"allow="view,create,pull""#, r#"allow="all""#]);
    let fields = "Cookie: a=secret-1\r\nX-Lookout-Other: secret-2\r\nX-Dd-Agent-Secret: secret-5\r\n\
                  Proxy-Authorization: secret-3\r\nX-Registry-Auth: registrys\r\nX-Registry-Config: registrys\r\n\
                  Accept-Encoding: gzip\r\nX-Other: other\r\nAccept: */*\r\nX-Nominated: secret-4\r\n\
                  Connection: X-Nominated, keep-alive\r\nTE: trailers\r\n";
    for (key, line, is_registrys) in [
        (1, "GET /containers/json", false),
        (1, "POST /containers/web/rename?name=a", false),
        (1, "POST /images/create?fromImage=a", true),
        (1, "GET /distribution/a/json", true),
        (2, "GET /containers/json", false),
        (2, "POST /images/create?fromImage=a", true),
        (2, "POST /build", true),
        (2, "POST /anything", true),
    ] {
        assert_eq!(world.ask_with(key, line, fields, "").status(), 200, "{line}");
        let seen = world.last();
        let text = String::from_utf8_lossy(&seen.head.raw).to_lowercase();
        for gone in ["secret-", "authorization", "cookie", "x-lookout-", "\r\nte:", "keep-alive"] {
            assert!(!text.contains(gone), "{line}: {gone} in {text}");
        }
        assert_eq!(text.contains("registrys"), is_registrys, "{line}: {text}");
        // Of a key with limits only what is known goes on: nothing that could change what is told.
        for other in ["x-other: other", "accept-encoding: gzip", "accept: */*"] {
            assert_eq!(text.contains(other), key == 2, "{line}: {text}");
        }
    }
}

#[test]
fn protocols_are_switched_only_where_the_engine_does_so() {
    let world = World::new(&[r#"allow="view,power,create,logs""#]);
    for line in ["GET /containers/json", "POST /containers/web/start", "GET /containers/web/logs?stdout=1"] {
        let fields = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
        assert_eq!(outcome(&world, line, fields, ""), (403, None), "{line}");
    }
    assert!(world.finish().is_empty());
}
