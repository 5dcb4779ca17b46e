//! The life of an agent in edge mode: what it opens, how it is asked whether it is well, and how it ends.
use std::collections::HashSet;
use std::fs;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN, free_port, request, run};
use crate::client::Client;
use crate::controller::Controller;
use crate::edge_shells::Shells;
use crate::edge_world::{Edge, desk, merged, obliging, start, welcomed};
use crate::engine::{Engine, Home, OK, Visit};
use crate::exposition::Checked;
use crate::patience::until;
use crate::signer::{Draft, Signer, file, logged, next_second, reload};

/// Inodes of the sockets a process holds.
fn sockets(pid: u32) -> HashSet<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("this needs /proc");
    // A descriptor may be closed while the list is read.
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let names = links.filter_map(|link| link.to_str().map(str::to_owned));
    names.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

/// Addresses of inet sockets of this process that anybody could send something to uninvited.
fn open_doors(pid: u32) -> Vec<String> {
    let own = sockets(pid);
    let mut doors = Vec::new();
    // A TCP socket listens in state 0A; a UDP one takes from anybody in state 07.
    for (table, open) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            if fields.get(3) == Some(&open) && fields.get(9).is_some_and(|inode| own.contains(*inode)) {
                doors.push(format!("{table} {}", fields[1]));
            }
        }
    }
    doors
}

fn count(pid: u32, what: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{what}")).expect("this needs /proc").count()
}

/// Holds streams of logs open, and answers everything else.
fn following() -> Engine {
    desk(|visit, head| {
        let _ = visit.body(head);
        if !head.target().contains("/logs") {
            return visit.try_send(OK).is_ok();
        }
        let _ = visit.try_send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        Visit::until_left(visit);
        false
    })
}

fn follow(edge: &mut Edge, id: &str, more: &Value) {
    edge.link.request(id, "GET /containers/a/logs?follow=1", more);
    assert_eq!(edge.link.about(id)["data"]["statusCode"], 200);
    assert_eq!(edge.link.some(id, 5), b"first");
}

#[test]
fn whoever_is_asked_to_end_says_goodbye_and_leaves_nothing_behind() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open(&engine);
    edge.link.exec_ready("shell", &["cat"]);
    edge.link.echo("shell", "hello");
    edge.agent.signal("TERM");
    assert_eq!(edge.link.expect_close(), (1000, "shutdown".to_owned()));
    edge.link.expect_over();
    let Edge { agent, controller, .. } = edge;
    let ended = agent.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.words());
    shells.until("over shell");
    engine.settle();
    assert!(controller.waiting().is_none(), "it does not call again");
}

#[test]
fn a_silent_controller_does_not_hold_up_the_end() {
    let (engine, home) = (obliging(), Home::new());
    // Before there is a connection, before the upgrade, before the welcome, and after it without a reader.
    let agent = start(&Controller::start(), &home.path("docker.sock"), &[]);
    logged(&agent, &["edge.dialing"]);
    agent.stop();
    let controller = Controller::start();
    let agent = start(&controller, engine.path(), &[]);
    let unanswered = controller.call();
    agent.stop();
    drop(unanswered);
    let agent = start(&controller, engine.path(), &[]);
    let mut link = controller.link();
    link.hello();
    agent.stop();
    link.expect_over();
    let edge = Edge::open(&engine);
    edge.link.stall();
    edge.link.send("ping", &json!({"timestamp": 1}));
    edge.agent.stop();
    // And between two attempts, the next of which is far away.
    let mut refused =
        Edge::open_with(&engine, &[("RECONNECT_DELAY", "3600"), ("MAX_RECONNECT_DELAY", "3600")], &json!({}));
    refused.link.cut();
    logged(&refused.agent, &["edge.waiting"]);
    refused.agent.stop();
}

#[test]
fn no_door_is_opened_as_long_as_it_runs() {
    let (engine, controller) = (following(), Controller::start());
    let agent = start(&controller, engine.path(), &[]);
    let call = controller.call();
    assert_eq!(open_doors(agent.pid()), [""; 0], "while it calls");
    let mut link = call.upgrade();
    link.hello();
    assert_eq!(open_doors(agent.pid()), [""; 0], "before the welcome");
    link.welcome(&json!({}));
    let mut edge = Edge { link, agent, controller };
    follow(&mut edge, "s", &json!({}));
    assert_eq!(open_doors(edge.agent.pid()), [""; 0], "while it answers");
    assert!(TcpStream::connect(("127.0.0.1", edge.agent.port())).is_err(), "PORT opens nothing here");
    edge.link.cut();
    assert_eq!(open_doors(edge.agent.pid()), [""; 0], "between two connections");
    edge.again();
    assert_eq!(edge.link.ask("GET /_ping").text(), "OK");
    assert_eq!(open_doors(edge.agent.pid()), [""; 0], "and after");
}

#[test]
fn a_listener_of_ones_own_is_found_by_this_test() {
    let agent = Agent::start(&Engine::obliging());
    assert_eq!(open_doors(agent.pid()).len(), 1, "in standard mode there is one door");
}

#[test]
fn its_health_is_asked_for_without_a_network() {
    let (engine, controller) = (obliging(), Controller::start());
    let url = controller.url();
    let same = [("DRYDOCK_URL", url.as_str()), ("TOKEN", TOKEN), ("AGENT_ID", crate::signer::AGENT_ID)];
    let nobody = run(&["healthcheck"], &same);
    assert_ne!(nobody.code, Some(0), "before it runs: {}", nobody.words());
    let agent = start(&controller, engine.path(), &[]);
    let mut link = welcomed(&controller, &json!({}));
    logged(&agent, &["\"edge.connected\""]);
    let well = run(&["healthcheck"], &same);
    assert_eq!(well.code, Some(0), "{}", well.words());
    // Without its controller it is alive all the same, and is not to be restarted for that.
    link.cut();
    let alone = run(&["healthcheck"], &same);
    assert_eq!(alone.code, Some(0), "{}", alone.words());
    let other = [("DRYDOCK_URL", url.as_str()), ("TOKEN", TOKEN), ("AGENT_ID", "another")];
    assert_ne!(run(&["healthcheck"], &other).code, Some(0), "another agent is another");
    agent.stop();
    assert_ne!(run(&["healthcheck"], &same).code, Some(0), "after its end");
}

#[test]
fn a_listener_for_operations_tells_health_and_figures_and_nothing_else() {
    let (engine, controller, home) = (obliging(), Controller::start(), Home::new());
    let key = crate::edge_world::private_key(&home, 7);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let url = controller.url();
    let variables = [
        ("DRYDOCK_URL", url.as_str()),
        ("PRIVATE_KEY_FILE", &key),
        ("DOCKER_SOCKET", engine.path().to_str().unwrap()),
        ("OPERATIONS_ADDRESS", &address),
        ("RECONNECT_DELAY", "1"),
        ("EDGE_PROTOCOL", "lookout"),
    ];
    let agent = Agent::spawn(&[], &[], &variables);
    let ask = |path: &str| Client::connect(port).ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut link = controller.link();
    link.hello();
    until("it listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    assert_eq!(ask("/health").status(), 200);
    let ready = ask("/ready");
    let told: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!((ready.status(), &told["controller"]), (503, &json!("disconnected")), "{told}");
    link.welcome(&json!({}));
    until("it is ready", || (ask("/ready").status() == 200).then_some(()));
    let told: Value = serde_json::from_slice(&ask("/ready").body).unwrap();
    assert_eq!((&told["mode"], &told["controller"]), (&json!("edge"), &json!("connected")));
    let page = ask("/metrics");
    assert_eq!(page.status(), 200, "{}", page.text());
    assert!((Checked::of(&page.text()).number("lookout_edge_connected") - 1.0).abs() < 1e-9);
    for path in
        ["/containers/json", "/v1.41/info", "/_lookout/info", "/mcp", "/api/containers", "/api/events"]
    {
        assert_eq!(ask(path).status(), 404, "{path}");
    }
    assert_eq!(open_doors(agent.pid()).len(), 1, "{:?}", open_doors(agent.pid()));
    assert!(engine.visits().iter().all(|visit| !visit.text().contains("User-Agent")));
}

#[test]
fn figures_are_guarded_where_there_is_a_token() {
    let (engine, controller) = (obliging(), Controller::start());
    let port = free_port();
    let agent = start(&controller, engine.path(), &[("OPERATIONS_ADDRESS", &format!("127.0.0.1:{port}"))]);
    let _link = welcomed(&controller, &json!({}));
    logged(&agent, &["\"edge.connected\""]);
    let bare = |path: &str| Client::connect(port).ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!((bare("/health").status(), bare("/metrics").status()), (200, 401));
    assert_eq!(Client::connect(port).ask(request("GET /metrics", "")).status(), 200);
    assert_eq!(Client::connect(port).ask(request("GET /containers/json", "")).status(), 404);
}

#[test]
fn a_hundred_connections_leave_nothing_behind() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open(&engine);
    let pid = edge.agent.pid();
    let session = |edge: &mut Edge, number: usize| {
        edge.link.request("r", "GET /containers/a/json", &json!({}));
        assert_eq!(edge.link.answer("r").expect("an answer").status(), 404);
        edge.link.exec_ready(&format!("shell-{number}"), &["cat"]);
        edge.link.request("cut", "GET /containers/a/logs", &json!({}));
        edge.link.cut();
        edge.again();
    };
    for number in 0..5 {
        session(&mut edge, number);
    }
    let quiet = |edge: &mut Edge| {
        edge.link.next("metrics");
        (count(pid, "fd"), count(pid, "task"))
    };
    let (descriptors, threads) = quiet(&mut edge);
    for number in 5..100 {
        session(&mut edge, number);
    }
    // What is being ended may take a moment.
    until("descriptors and threads are as few as before", || {
        let (now, tasks) = (count(pid, "fd"), count(pid, "task"));
        (now <= descriptors + 8 && tasks <= threads + 8).then_some(())
    });
    let page = Checked::of(&edge.link.ask("GET /metrics").text());
    assert!((page.number("lookout_edge_sessions_total") - 101.0).abs() < 1e-9);
}

#[test]
fn a_reload_ends_what_a_key_that_is_gone_has_begun_and_nothing_else() {
    let (home, engine) = (Home::new(), following());
    let (stays, goes) = (Signer::new(1), Signer::new(2));
    let keys = file(&home, "keys", stays.line() + &goes.line());
    let mut edge = Edge::open_with(&engine, &[("AUTHORIZED_KEYS", &keys)], &json!({}));
    next_second();
    let line = "GET /containers/a/logs?follow=1";
    let signed = |signer: &Signer| {
        let fields = Draft::new(3, line, "").fields(signer);
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), json!(value)));
        let all: Value = fields.lines().filter_map(pair).collect();
        json!({"headers": merged(&all, &json!({"User-Agent": "client"}))})
    };
    follow(&mut edge, "stays", &signed(&stays));
    follow(&mut edge, "goes", &signed(&goes));
    follow(&mut edge, "unsigned", &json!({}));
    fs::write(&keys, stays.line()).unwrap();
    let told = reload(&edge.agent);
    assert!(told.contains("agent.reloaded") && told.contains("\"ended\":1"), "{told}");
    let (_, reason) = edge.link.streamed("goes");
    assert_ne!(reason, "complete");
    edge.link.request("again", line, &signed(&goes));
    assert_eq!(edge.link.about("again")["data"]["statusCode"], 401);
    for id in ["stays", "unsigned"] {
        assert!(edge.link.rest().iter().all(|message| message["data"]["requestId"] != id));
        edge.link.send("stream_end", &json!({"requestId": id}));
        assert_eq!(edge.link.streamed(id).1, "canceled");
    }
    assert_eq!(edge.agent.log().matches("\"edge.connected\"").count(), 1, "the connection stays");
}

#[test]
fn a_key_that_cannot_be_read_ends_the_start_and_no_token_takes_its_place() {
    let home = Home::new();
    for (name, text) in [("absent", None), ("none.pem", Some("no key\n"))] {
        let path =
            text.map_or_else(|| home.path(name).to_str().unwrap().to_owned(), |text| file(&home, name, text));
        let variables =
            [("DRYDOCK_URL", "ws://127.0.0.1:9"), ("TOKEN", TOKEN), ("PRIVATE_KEY_FILE", path.as_str())];
        let ended = run(&[], &variables);
        assert_eq!(ended.code, Some(78), "{name}: {}", ended.words());
        assert!(ended.words().contains("PRIVATE_KEY_FILE"), "{}", ended.words());
    }
}

#[test]
fn nothing_that_was_carried_is_in_the_log() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open(&engine);
    let headers = json!({"X-Registry-Auth": "secret-login", "User-Agent": "client"});
    let more = json!({"headers": headers, "body": {"Env": ["A=secret-body"]}});
    edge.link.ask_with("POST /containers/create?name=secret-query", &more);
    edge.link.exec_ready("shell", &["cat"]);
    edge.link.echo("shell", "secret-typed");
    edge.link.exec("other", &["say", "secret-command"], &json!({"env": ["A=secret-variable"]}));
    edge.link.exec_end("other");
    for broken in [
        r#"{"type":"request","data":{"requestId":"b","path":5,"body":"secret-broken"}}"#,
        r#"{"type":"exec_input","data":{"execId":"shell","data":"secret-broken!"}}"#,
        r#"{"type":"secret-broken"#,
        "secret-broken",
    ] {
        edge.link.say(broken);
    }
    edge.link.say_binary(b"\xffsecret-broken");
    edge.link.ask("GET /a");
    let words = edge.agent.stop().words();
    assert!(words.contains("edge.connected") && !words.contains("secret-"), "{words}");
}
