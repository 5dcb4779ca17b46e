//! Keys that are limited by a label, and commands that are their makers': what is beyond reach is not there.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::engine_routes::ROUTES;
use crate::message::Message;
use crate::world::{DB, FRONT, WEB, World, signed_head, told};

const ALL_BUT_ALL: &str = "view,logs,dump,power,pull,push,create,remove,exec,build,swarm,host";

/// Key 1 has every class for team=web, key 2 is not limited to a team.
fn teams() -> World {
    World::new(&[&format!("allow=\"{ALL_BUT_ALL}\",label=\"team=web\""), &format!("allow=\"{ALL_BUT_ALL}\"")])
}

/// Routes about an object that a label has no say in: they are for nobody whom one limits.
const BEYOND: &[&str] = &["/containers/{}/checkpoints", "/containers/{}/checkpoints/{}", "/volumes/{}/"];

/// What is in reach, its full id, what is not, and how the Engine says so.
fn object(pattern: &str) -> Option<[&'static str; 4]> {
    let rooms = [
        ("/containers/{}", ["web", WEB, "db", "No such container: db"]),
        ("/networks/{}", ["front", FRONT, "back", "network back not found"]),
        ("/volumes/{}", ["data", "data", "dump", "get dump: no such volume"]),
    ];
    rooms.into_iter().find(|(room, _)| pattern.starts_with(room)).map(|(_, names)| names)
}

#[test]
fn every_route_with_an_object_takes_those_in_reach_by_their_full_id_and_knows_no_others() {
    let world = teams();
    let mut count = 0;
    for route in ROUTES {
        let Some([known, id, foreign, sentence]) = object(route.pattern) else { continue };
        let is_beyond =
            BEYOND.contains(&route.pattern) || (route.method, route.pattern) == ("PUT", "/volumes/{}");
        let ask = |name: &str| {
            let before = world.asked().len();
            let kind = if route.body.starts_with('{') { "application/json" } else { "application/x-tar" };
            let answer =
                world.ask_with(1, &route.line(name), &format!("Content-Type: {kind}\r\n"), route.body);
            (answer, world.asked().get(before).map(|call| call.line().to_owned()))
        };
        let what = format!("{} {}", route.method, route.pattern);
        let (answer, seen) = ask(foreign);
        assert_eq!(seen, None, "{what}: the Engine was asked");
        if is_beyond {
            assert_eq!((answer.status(), ask(known).1), (403, None), "{what}");
            continue;
        }
        assert_eq!(answer.status(), 404, "{what}");
        let nowhere = ask("nowhere").0;
        assert_eq!(nowhere.status(), 404, "{what}");
        if route.method != "HEAD" {
            assert_eq!(answer.sentence(), sentence, "{what}");
            let same = sentence.replace(foreign, "nowhere");
            assert_eq!(nowhere.sentence(), same, "{what}: what is not there looks otherwise");
        }
        for name in [known, id, &id[..id.len().min(12)]] {
            let (answer, seen) = ask(name);
            assert_eq!(answer.status(), 200, "{what} {name}: {}", answer.text());
            assert_eq!(seen.unwrap_or_default(), route.line(id), "{what} {name}");
        }
        count += 1;
    }
    assert_eq!(count, 29, "routes with an object");
}

#[test]
fn what_carries_no_label_is_for_nobody_whom_one_limits() {
    let world = teams();
    for line in [
        "GET /system/df",
        "GET /services",
        "GET /tasks/a",
        "GET /nodes",
        "GET /secrets",
        "GET /configs/a",
        "GET /plugins",
        "GET /swarm/unlockkey",
        "POST /build",
        "POST /build/prune",
        "POST /images/load",
        "POST /commit?container=web",
        "POST /session",
        "POST /images/prune",
        "DELETE /images/redis",
        "POST /images/redis/push",
        "GET /images/get?names=redis",
        "GET /images/redis/get",
        "POST /images/redis/tag?repo=other",
        "POST /swarm/leave",
        "GET /services/a/logs",
    ] {
        let answer = world.ask(1, line, "");
        assert_eq!(answer.status(), 403, "{line}");
        assert!(answer.sentence().contains("is limited by a label"), "{line}: {}", answer.text());
    }
    assert!(world.finish().is_empty());
}

/// Names in bodies lead to objects too.
#[test]
fn a_body_names_what_is_in_reach_and_nothing_else() {
    let world = teams();
    let connect = "POST /networks/front/connect";
    let create = "POST /containers/create";
    for (line, body, forwarded) in [
        (connect, r#"{"Container":"web"}"#.to_owned(), format!(r#"{{"Container":"{WEB}"}}"#)),
        (
            create,
            r#"{"Image":"redis","HostConfig":{"NetworkMode":"front"}}"#.to_owned(),
            format!(
                r#"{{"Image":"redis","HostConfig":{{"NetworkMode":"{FRONT}"}},"Labels":{{"team":"web"}}}}"#
            ),
        ),
        (
            create,
            r#"{"Image":"redis","HostConfig":{"NetworkMode":"container:web","Binds":["data:/x"]}}"#
                .to_owned(),
            format!(
                r#"{{"Image":"redis","HostConfig":{{"NetworkMode":"container:{WEB}","Binds":["data:/x"]}},"Labels":{{"team":"web"}}}}"#
            ),
        ),
    ] {
        assert_eq!(world.ask(1, line, &body).status(), 200, "{body}");
        assert_eq!(world.last().text(), forwarded);
    }
    let before = world.asked().len();
    for (line, body) in [
        (connect, r#"{"Container":"db"}"#),
        ("POST /networks/back/connect", r#"{"Container":"web"}"#),
        ("POST /networks/front/disconnect", r#"{"Container":"db","Force":true}"#),
        (create, r#"{"Image":"redis","HostConfig":{"NetworkMode":"back"}}"#),
        (create, r#"{"Image":"redis","HostConfig":{"NetworkMode":"container:db"}}"#),
        (create, r#"{"Image":"redis","HostConfig":{"PidMode":"container:db"}}"#),
        (create, r#"{"Image":"redis","HostConfig":{"VolumesFrom":["db"]}}"#),
        (create, r#"{"Image":"redis","HostConfig":{"Binds":["dump:/x"]}}"#),
        (
            create,
            r#"{"Image":"redis","HostConfig":{"Mounts":[{"Type":"volume","Source":"dump","Target":"/x"}]}}"#,
        ),
        (create, r#"{"Image":"redis","NetworkingConfig":{"EndpointsConfig":{"back":{}}}}"#),
    ] {
        let answer = world.ask(1, line, body);
        // For a client that creates, 404 would mean that the image is missing, which it would pull.
        assert_eq!(answer.status(), if line == create { 400 } else { 404 }, "{body}: {}", answer.text());
        let nowhere = ["db", "back", "dump"].iter().fold(body.to_owned(), |body, name| {
            body.replace(&format!(":{name}"), ":nowhere").replace(&format!("\"{name}"), "\"nowhere")
        });
        if nowhere != body {
            let same = world.ask(1, line, &nowhere).sentence();
            let names = ["db", "back", "dump"]
                .iter()
                .fold(answer.sentence(), |told, name| told.replace(name, "nowhere"));
            assert_eq!(same, names, "{body}: what is not there looks otherwise");
        }
    }
    assert_eq!(world.ask(1, create, r#"{"Image":"redis","Labels":{"team":"db"}}"#).status(), 403);
    assert_eq!(world.asked().len(), before, "something reached the Engine");
}

#[test]
fn what_is_created_carries_the_label_of_its_maker() {
    let world = teams();
    for (line, body, forwarded) in [
        ("POST /networks/create", r#"{"Name":"n"}"#, r#"{"Name":"n","Labels":{"team":"web"}}"#),
        ("POST /volumes/create", r#"{"Name":"v","Labels":null}"#, r#"{"Name":"v","Labels":{"team":"web"}}"#),
        (
            "POST /containers/create",
            r#"{"Labels":{"a":"b","team":"web"},"Image":"redis"}"#,
            r#"{"Labels":{"a":"b","team":"web"},"Image":"redis"}"#,
        ),
    ] {
        let answer = world.ask(1, line, body);
        assert_eq!(answer.status(), 200, "{body}: {}", answer.text());
        assert_eq!(world.last().text(), forwarded);
        assert_eq!(world.ask(2, line, body).status(), 200, "{body}");
        assert_eq!(world.last().text(), body, "who has no label stamps none");
    }
}

/// To create a volume that is there already is to be told of it.
#[test]
fn a_volume_of_somebody_else_is_not_told_to_whom_makes_one_of_its_name() {
    let world = teams();
    let answer = world.ask(1, "POST /volumes/create", r#"{"Name":"dump"}"#);
    assert_eq!(answer.status(), 403, "{}", answer.text());
    assert!(!answer.text().contains("Driver"), "{}", answer.text());
    assert_eq!(world.ask(2, "POST /volumes/create", r#"{"Name":"dump"}"#).status(), 200);
}

/// A container called as another's id begins would answer for that id.
#[test]
fn nothing_is_named_as_an_id_begins_by_whom_a_label_limits() {
    let world = teams();
    let (image, long) = (r#"{"Image":"redis"}"#, "f".repeat(64));
    for name in ["0123456789ab", "/0123456789ab", "%2F0123456789ab", DB, &long] {
        for (line, body) in [
            (format!("POST /containers/create?name={name}"), image),
            (format!("POST /containers/web/rename?name={name}"), ""),
        ] {
            assert_eq!(world.ask(1, &line, body).status(), 403, "{line}");
            assert_eq!(world.ask(2, &line, body).status(), 200, "{line}");
        }
    }
    for line in ["POST /networks/create", "POST /volumes/create"] {
        assert_eq!(world.ask(1, line, r#"{"Name":"0123456789ab"}"#).status(), 403, "{line}");
    }
    for name in ["0123456789a", "0123456789abg", "web-2"] {
        assert_eq!(
            world.ask(1, &format!("POST /containers/create?name={name}"), image).status(),
            200,
            "{name}"
        );
    }
    assert_eq!(world.finish().len(), 13);
}

#[test]
fn an_object_is_looked_up_anew_for_each_request() {
    let is_ours = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&is_ours);
    let answers = Box::new(move |call: &crate::world::Call| {
        let team = if state.load(Ordering::SeqCst) { "web" } else { "db" };
        let inspected = format!(r#"{{"Id":"{WEB}","Config":{{"Labels":{{"team":"{team}"}}}}}}"#);
        (!call.is_clients() && call.line() == "GET /containers/web/json").then(|| told(200, inspected))
    });
    let world = World::with(&[r#"allow="power",label="team=web""#], &[], answers);
    let mut client = world.agent.client();
    let line = "POST /containers/web/kill";
    for (number, ours) in [true, false, true, true, false].into_iter().enumerate() {
        is_ours.store(ours, Ordering::SeqCst);
        let answer = client.ask(signed_head(1, line, "", b""));
        assert_eq!(answer.status(), if ours { 200 } else { 404 }, "request {number}");
        assert_eq!(world.lookups().len(), number + 1, "each is looked up once");
    }
    assert_eq!(world.finish().len(), 3);
}

/// An inspection that says nothing certain says no.
#[test]
fn what_cannot_be_looked_up_is_not_in_reach() {
    let answer = Arc::<Mutex<Vec<u8>>>::default();
    let given = Arc::clone(&answer);
    let answers = Box::new(move |call: &crate::world::Call| {
        (!call.is_clients() && call.line() != "GET /_ping").then(|| given.lock().unwrap().clone())
    });
    let world = World::with(&[r#"allow="power",label="team=web""#], &[("REQUEST_TIMEOUT", "1")], answers);
    for (inspected, status) in [
        (told(200, "{}"), 404),
        (told(200, format!(r#"{{"Id":"{WEB}"}}"#)), 404),
        (told(200, format!(r#"{{"Id":"{WEB}","Config":{{"Labels":null}}}}"#)), 404),
        (told(200, format!(r#"{{"Id":"{WEB}","Config":{{"Labels":{{"team":"webs"}}}}}}"#)), 404),
        (told(200, format!(r#"{{"Id":"{WEB}","Config":{{"Labels":{{"team":["web"]}}}}}}"#)), 404),
        (told(200, format!(r#"{{"Id":"{WEB}","Config":{{"Labels":{{"Team":"web"}}}}}}"#)), 404),
        (told(200, r#"{"Id":"web","Config":{"Labels":{"team":"web"}}}"#), 404),
        (told(200, r#"{"Id":"../../../../x","Config":{"Labels":{"team":"web"}}}"#), 404),
        (told(200, format!(r#"{{"Id":"{WEB}","Config":{{"Labels":{{"team":"web"}}}}}} {{}}"#)), 404),
        (told(200, "not JSON"), 404),
        (told(404, "{}"), 404),
        (told(301, "{}"), 404),
        (told(500, r#"{"message":"secret"}"#), 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{".to_vec(), 502),
    ] {
        let shown = String::from_utf8_lossy(&inspected).into_owned();
        let is_cut = shown.contains("9000000");
        *answer.lock().unwrap() = inspected;
        let refused = world.ask(1, "POST /containers/web/kill", "");
        // One that is never whole is waited for as long as any.
        let is_late = is_cut && refused.status() == 504;
        assert!(refused.status() == status || is_late, "{shown}: {}", refused.text());
        assert!(!refused.text().contains("secret"), "{}", refused.text());
    }
    assert!(world.finish().is_empty(), "the Engine was asked");
}

fn teams_in(answer: &Message) -> (bool, bool) {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    (answer.text().contains(r#""team":"web""#), answer.text().contains(r#""team":"db""#))
}

/// The Engine here disregards every filter.
#[test]
fn lists_hold_what_is_in_reach_even_where_the_engine_does_not_filter() {
    let world = teams();
    for path in ["/containers/json?all=1", "/networks", "/networks/", "/volumes"] {
        let line = format!("GET /v1.41{path}");
        assert_eq!(teams_in(&world.ask(1, &line, "")), (true, false), "{line}");
        let seen = world.last();
        let filters = "filters=%7B%22label%22%3A%7B%22team%3Dweb%22%3Atrue%7D%7D";
        assert!(seen.line().contains(filters), "{}", seen.line());
        assert_eq!(teams_in(&world.ask(2, &line, "")), (true, true), "{line}");
        assert!(!world.last().line().contains("filters"), "{}", world.last().line());
    }
    // The caller's own filters go along, and cannot widen anything.
    let own =
        "GET /containers/json?filters=%7B%22label%22:%5B%22team=db%22%5D,%22status%22:%5B%22exited%22%5D%7D";
    assert_eq!(teams_in(&world.ask(1, own, "")), (true, false));
    let merged = "GET /containers/json?filters=%7B%22label%22%3A%7B%22team%3Ddb%22%3Atrue%2C%22team%3Dweb%22%3Atrue%7D\
                  %2C%22status%22%3A%7B%22exited%22%3Atrue%7D%7D";
    assert_eq!(world.last().line(), merged);
    // Where another stands in the order of things, the Engine would say.
    for filter in ["since", "before"] {
        let line = format!("GET /containers/json?filters=%7B%22{filter}%22:%5B%22db%22%5D%7D");
        assert_eq!(world.ask(1, &line, "").status(), 400, "{line}");
        assert_eq!(world.ask(2, &line, "").status(), 200, "{line}");
    }
    for kind in ["containers", "networks", "volumes"] {
        let line = format!("POST /{kind}/prune");
        assert_eq!(world.ask(1, &line, "").status(), 200);
        assert_eq!(
            world.last().line(),
            format!("{line}?filters=%7B%22label%22%3A%7B%22team%3Dweb%22%3Atrue%7D%7D")
        );
        for filter in ["%22label%22:%5B%22a%22%5D", "%22label!%22:%5B%22team=web%22%5D"] {
            assert_eq!(world.ask(1, &format!("{line}?filters=%7B{filter}%7D"), "").status(), 400, "{filter}");
        }
    }
}

#[test]
fn images_are_those_a_key_is_limited_to() {
    let world = World::new(&[r#"allow="view,pull,push,create,remove,dump",image="redis,ghcr.io/acme/*""#]);
    for (line, body) in [
        ("GET /images/redis/json", ""),
        ("POST /images/create?fromImage=redis&tag=7", ""),
        ("POST /images/create?fromImage=ghcr.io/acme/web&tag=latest", ""),
        ("POST /containers/create", r#"{"Image":"docker.io/library/redis:7"}"#),
        ("DELETE /images/redis:7", ""),
        ("GET /images/get?names=redis", ""),
    ] {
        let answer = world.ask(1, line, body);
        assert_eq!(answer.status(), 200, "{line} {body}: {}", answer.text());
    }
    let before = world.asked().len();
    for (line, body) in [
        ("GET /images/evil/json", ""),
        ("GET /images/evil/history", ""),
        ("POST /images/create?fromImage=evil&tag=7", ""),
        ("POST /images/create?fromImage=ghcr.io/acme&tag=7", ""),
        ("POST /images/redis/tag?repo=evil", ""),
        ("POST /images/evil/push", ""),
        ("DELETE /images/evil", ""),
        ("GET /images/get?names=redis&names=evil", ""),
        ("GET /distribution/evil/json", ""),
        ("POST /images/prune", ""),
        ("POST /containers/create", r#"{"Image":"evil"}"#),
        ("POST /containers/create", r#"{"Image":""}"#),
        ("POST /containers/create", "{}"),
    ] {
        let status = world.ask(1, line, body).status();
        assert!(matches!(status, 403 | 404), "{line} {body}: {status}");
    }
    assert_eq!(world.asked().len(), before, "something reached the Engine: {:?}", world.lines().pop());
    let listed = world.ask(1, "GET /images/json", "").text();
    assert!(listed.contains("redis:7") && !listed.contains("evil"), "{listed}");
}
