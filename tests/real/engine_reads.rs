//! Where the Engine tells more than was asked for: shown to be told to whoever may do everything, and
//! not to whoever may only look.

use std::time::SystemTime;

use serde_json::json;

use crate::docker::IMAGE;
use crate::probe::{Probe, request, straight, through};
use crate::raw;
use crate::wait::until;

const JSON: &str = "application/json";
const SECRET: &str = "hunter2";

fn get(path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), "", "")
}

#[test]
fn the_arguments_of_ps_show_the_environment_of_processes() {
    let probe = Probe::with("view");
    let secret = format!("SECRET={SECRET}");
    let name = probe.container("one", &["-e", &secret, IMAGE, "sleep", "1000"]);
    let top = get(&format!("/v1.41/containers/{name}/top?ps_args=eww"));
    let (free, bound) = (through(&probe.free, &top), through(&probe.bound, &top));
    assert!(free.status == 200 && free.has(&secret), "{}", free.text);
    assert!(bound.status == 403 && bound.has("lacks class dump, which ps_args needs"), "{}", bound.text);
    let plain = through(&probe.bound, &get(&format!("/v1.41/containers/{name}/top")));
    assert!(plain.status == 200 && plain.has("\"sleep\"") && !plain.has("1000"), "{}", plain.text);
}

#[test]
fn events_and_commands_tell_what_was_run() {
    let probe = Probe::with("view,exec");
    let name = probe.container("one", &[IMAGE, "sleep", "1000"]);
    let body = format!(r#"{{"AttachStdout":true,"Cmd":["echo","--password={SECRET}"]}}"#);
    let create = request(&format!("POST /v1.41/containers/{name}/exec"), JSON, body);
    let [free, bound] = [&probe.free, &probe.bound].map(|agent| {
        let made = through(agent, &create);
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.text.split('"').find(|word| word.len() == 64).expect("an id").to_owned();
        (through(agent, &get(&format!("/v1.41/exec/{id}/json"))), id)
    });
    assert!(free.0.status == 200 && free.0.has(SECRET), "{}", free.0.text);
    assert!(bound.0.status == 200 && bound.0.has("***") && !bound.0.has(SECRET), "{}", bound.0.text);
    // Another caller's command is none.
    let other = through(&probe.bound, &get(&format!("/v1.41/exec/{}/json", free.1)));
    assert!(other.status == 404 && !other.has(SECRET), "{}", other.text);
    let filters = format!(r#"{{"container":["{name}"],"event":["exec_create"]}}"#);
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs();
    let events = get(&format!("/v1.41/events?since=0&until={}&filters={filters}", now + 1));
    let (free, bound) = (through(&probe.free, &events), through(&probe.bound, &events));
    assert!(free.has(&format!("exec_create: echo --password={SECRET}")), "{}", free.text);
    assert_eq!(bound.text.matches("\"exec_create\"").count(), 4, "{}", bound.text);
    assert!(!bound.has(SECRET), "{}", bound.text);
}

#[test]
fn a_command_of_another_caller_is_not_started() {
    let probe = Probe::with("view,exec");
    let name = probe.container("one", &[IMAGE, "sleep", "1000"]);
    let body = r#"{"AttachStdout":true,"Cmd":["touch","/tmp/started"]}"#;
    let create = request(&format!("POST /v1.41/containers/{name}/exec"), JSON, body);
    let made = straight(&create);
    let id = made.text.split('"').find(|word| word.len() == 64).expect("an id");
    let start = request(&format!("POST /v1.41/exec/{id}/start"), JSON, r#"{"Detach":true}"#);
    let has_run = || probe.straight.run(&["diff", &name]).good().text().contains("/tmp/started");
    for bytes in [&start, &request(&format!("POST /v1.41/exec/{id}/resize?h=9&w=9"), "", "")] {
        let told = through(&probe.bound, bytes);
        assert!(told.status == 404 && told.has(&format!("No such exec instance: {id}")), "{}", told.text);
    }
    assert!(!has_run(), "a refused command was started");
    assert_eq!(through(&probe.free, &start).status, 200);
    until("the command has run", || has_run().then_some(()));
}

#[test]
fn a_page_of_anybodys_could_type_into_containers() {
    let probe = Probe::with("view,logs");
    let name = probe.container("one", &["-i", IMAGE, "sh", "-c", "read line; echo got $line; sleep 1000"]);
    let line =
        format!("GET /v1.41/containers/{name}/attach/ws?stdin=1&stream=1 HTTP/1.1\r\nHost: localhost\r\n");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let foreign = format!("{line}Origin: http://elsewhere.example\r\n{upgrade}");
    assert_eq!(raw::straight(&foreign).status(), "101");
    for agent in [&probe.free, &probe.bound] {
        assert_eq!(raw::through(agent, &foreign).status(), "403");
    }
    let plain =
        format!("{line}Origin: http://localhost\r\n{upgrade}").replace("Origin: http://localhost\r\n", "");
    assert_eq!(raw::through(&probe.bound, &plain).status(), "403");
    assert_eq!(probe.straight.run(&["logs", &name]).good().text(), "");
}

#[test]
fn what_is_only_read_may_still_be_everything_in_a_container() {
    let probe = Probe::with("view");
    let name = probe.container("one", &[IMAGE, "sleep", "1000"]);
    for (method, path) in [
        ("GET", format!("containers/{name}/archive?path=/etc/passwd")),
        ("HEAD", format!("containers/{name}/archive?path=/etc/passwd")),
        ("GET", format!("containers/{name}/export")),
        ("GET", format!("images/{IMAGE}/get")),
        ("GET", format!("images/get?names={IMAGE}")),
    ] {
        let ask = request(&format!("{method} /v1.41/{path}"), "", "");
        let (free, bound) = (through(&probe.free, &ask), through(&probe.bound, &ask));
        assert_eq!((free.status, bound.status), (200, 403), "{method} {path}: {}", bound.text);
        assert!(method == "HEAD" || bound.has("lacks class dump"), "{path}: {}", bound.text);
    }
}

/// The Engine answers the making of a volume that is there with all it knows of it.
#[test]
fn making_a_volume_that_is_there_tells_its_options() {
    let probe = Probe::with("view,create");
    let volume = probe.name("volume");
    let secret = format!("--opt=o=size=1m,password={SECRET}");
    probe
        .straight
        .run(&["volume", "create", "--opt=type=tmpfs", "--opt=device=tmpfs", &secret, &volume])
        .good();
    let create = request("POST /v1.41/volumes/create", JSON, json!({ "Name": volume }).to_string());
    let (free, bound) = (through(&probe.free, &create), through(&probe.bound, &create));
    assert!(free.status == 201 && free.has(SECRET), "{}", free.text);
    assert!(!bound.has(SECRET), "{}", bound.text);
}
