//! Commands through the tunnel: from their making to their exit code, and everything that may come between.
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::edge_shells::Shells;
use crate::edge_world::Edge;
use crate::engine::Engine;
use crate::patience::{Gate, until};

fn open() -> (Shells, Engine, Edge) {
    let shells = Shells::default();
    let engine = shells.engine();
    let edge = Edge::open(&engine);
    (shells, engine, edge)
}

fn reason(end: &Value) -> &str {
    end["reason"].as_str().unwrap_or_else(|| panic!("no reason: {end}"))
}

#[test]
fn a_command_is_made_started_sized_and_carried_to_its_exit_code() {
    let (shells, _engine, mut edge) = open();
    let more = json!({"user": "me", "cols": 132, "rows": 43, "env": ["A=b"], "workingDir": "/srv"});
    edge.link.exec("code-3", &["cat"], &more);
    assert_eq!(edge.link.next("exec_ready"), json!({"execId": "code-3"}));
    // It runs, and its terminal has the size.
    assert_eq!(shells.journal(), ["make code-3", "start code-3", "resize code-3 h=43&w=132"]);
    let made = shells.made("code-3");
    for (name, value) in [
        ("AttachStdin", json!(true)),
        ("AttachStdout", json!(true)),
        ("AttachStderr", json!(true)),
        ("Tty", json!(true)),
        ("Cmd", json!(["cat"])),
        ("User", json!("me")),
        ("Env", json!(["A=b"])),
        ("WorkingDir", json!("/srv")),
    ] {
        assert_eq!(made[name], value, "{name} in {made}");
    }
    edge.link.echo("code-3", "gr\u{fc}n\r\n\0");
    edge.link.type_in("code-3", b"\xff\xfe");
    assert_eq!(edge.link.output("code-3", 2), b"\xff\xfe", "bytes, not text");
    edge.link.type_in("code-3", "exit");
    let end = edge.link.exec_end("code-3");
    assert_eq!((reason(&end), &end["exitCode"]), ("exited", &json!(3)));
}

#[test]
fn what_is_typed_before_a_command_runs_reaches_it_in_its_order() {
    let (shells, _engine, mut edge) = open();
    let gate = Gate::default();
    shells.hold("make", &gate);
    edge.link.exec("early", &["cat"], &json!({}));
    let mut all = Vec::new();
    for number in 0..100 {
        let text = format!("line {number}\n");
        edge.link.type_in("early", &text);
        all.extend(text.into_bytes());
    }
    shells.until("make early");
    gate.open();
    shells.until_typed("early", &all);
    assert_eq!(edge.link.output("early", all.len()), all);
}

#[test]
fn a_size_is_taken_between_what_was_typed_before_it_and_after() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec_ready("sized", &["cat"]);
    let gate = Gate::default();
    shells.hold("resize", &gate);
    edge.link.type_in("sized", "before");
    edge.link.send("exec_resize", &json!({"execId": "sized", "cols": 100, "rows": 30}));
    edge.link.type_in("sized", "after");
    edge.link.send("exec_resize", &json!({"execId": "sized", "cols": 101, "rows": 31}));
    shells.until("resize sized h=30&w=100");
    shells.until_typed("sized", b"before");
    gate.open();
    shells.until_typed("sized", b"beforeafter");
    shells.until("resize sized h=31&w=101");
    let sizes: Vec<_> = shells.journal().into_iter().filter(|one| one.starts_with("resize")).collect();
    assert_eq!(sizes, ["resize sized h=24&w=80", "resize sized h=30&w=100", "resize sized h=31&w=101"]);
}

#[test]
fn a_terminal_without_a_size_is_not_given_one() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec("none", &["say", "hello"], &json!({"cols": 0, "rows": 0}));
    edge.link
        .send("exec_start", &json!({"execId": "absent", "containerId": "absent", "cmd": ["say", "hello"]}));
    for name in ["none", "absent"] {
        assert_eq!(edge.link.output(name, 5), b"hello");
        assert_eq!(reason(&edge.link.exec_end(name)), "exited");
    }
    assert_eq!(shells.count("resize"), 0, "{:?}", shells.journal());
}

#[test]
fn without_a_terminal_each_piece_says_which_stream_it_is_of() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec("plain", &["say", "out", "2err", "more"], &json!({"tty": false}));
    edge.link.next("exec_ready");
    let mut said = Vec::new();
    while said.len() < 3 {
        let data = edge.link.next("exec_output");
        let text = BASE64.decode(data["data"].as_str().unwrap().as_bytes()).unwrap();
        said.push((data["stream"].as_str().unwrap().to_owned(), String::from_utf8(text).unwrap()));
    }
    let said: Vec<_> = said.iter().map(|(stream, text)| (stream.as_str(), text.as_str())).collect();
    assert_eq!(said, [("stdout", "out"), ("stderr", "err"), ("stdout", "more")]);
    let end = edge.link.exec_end("plain");
    assert_eq!((reason(&end), &end["exitCode"]), ("exited", &json!(0)));
    assert_eq!(shells.made("plain")["Tty"], false);
}

#[test]
fn much_output_comes_whole() {
    let (_shells, _engine, mut edge) = open();
    edge.link.exec("much", &["flood", "5000000"], &json!({}));
    edge.link.next("exec_ready");
    let all = edge.link.output("much", 5_000_000);
    assert_eq!(all.len(), 5_000_000);
    // The script says its block again and again.
    let block: Vec<u8> = (0..=250).collect();
    assert!(all.chunks(64 * 251).all(|part| part.chunks(251).all(|line| block.starts_with(line))));
    assert_eq!(reason(&edge.link.exec_end("much")), "exited");
}

#[test]
fn the_controller_ends_a_command_and_is_told_that_it_is_over() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec_ready("closed", &["cat"]);
    edge.link.send("exec_end", &json!({"execId": "closed", "reason": "the user left"}));
    assert_eq!(reason(&edge.link.exec_end("closed")), "closed");
    shells.until("over closed");
    // What comes late means nothing, and the id is free.
    edge.link.type_in("closed", "late");
    edge.link.send("exec_resize", &json!({"execId": "closed", "cols": 1, "rows": 1}));
    edge.link.send("exec_end", &json!({"execId": "closed"}));
    edge.link.exec_ready("closed", &["cat"]);
    edge.link.echo("closed", "again");
    edge.link.expect_none_of("exec_end");
    assert!(!shells.typed("closed").starts_with(b"late"));
}

#[test]
fn a_command_that_is_ended_while_it_is_made_does_not_run_on() {
    let (shells, engine, mut edge) = open();
    for what in ["make", "start"] {
        let gate = Gate::default();
        shells.hold(what, &gate);
        edge.link.exec(what, &["cat"], &json!({}));
        shells.until(&format!("{what} {what}"));
        edge.link.send("exec_end", &json!({"execId": what}));
        edge.link.send("ping", &json!({"timestamp": 1}));
        edge.link.next("pong");
        gate.open();
        assert_eq!(reason(&edge.link.exec_end(what)), "closed", "{what}");
        if what == "start" {
            shells.until("over start");
        }
        edge.link.expect_none_of("exec_end");
    }
    assert_eq!(shells.count("start make"), 0, "one that was only made is not started");
    drop(edge);
    engine.settle();
}

#[test]
fn an_id_that_is_in_use_is_refused_and_its_owner_is_not_disturbed() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec_ready("twice", &["cat"]);
    edge.link.exec("twice", &["deaf"], &json!({}));
    assert_eq!(reason(&edge.link.exec_end("twice")), "duplicate execId");
    edge.link.echo("twice", "still here");
    assert_eq!(shells.count("make twice"), 1);
}

#[test]
fn a_command_that_cannot_be_made_or_started_says_why() {
    let (_shells, _engine, mut edge) = open();
    edge.link.exec("missing", &["cat"], &json!({}));
    let end = edge.link.exec_end("missing");
    assert!(
        reason(&end).starts_with("create exec failed: ") && reason(&end).contains("No such container"),
        "{end}"
    );
    edge.link.exec("unstartable", &["cat"], &json!({}));
    let end = edge.link.exec_end("unstartable");
    assert!(reason(&end).starts_with("start exec failed: ") && reason(&end).contains("paused"), "{end}");
    assert!(end.get("exitCode").is_none(), "{end}");
    edge.link.expect_none_of("exec_ready");
}

#[test]
fn a_container_is_a_name_and_nothing_more() {
    let (_shells, engine, mut edge) = open();
    for container in ["../x", "a/b", "a?b=c", "", "a b", "%2e%2e", "a\r\nX: y"] {
        edge.link.exec("named", &["cat"], &json!({"containerId": container}));
        let end = edge.link.exec_end("named");
        assert!(reason(&end).starts_with("create exec failed: "), "{container:?}: {end}");
    }
    edge.link.exec_ready("good", &["cat"]);
    let posts: Vec<_> = engine.visits().iter().map(crate::engine::Record::text).collect();
    let posts = posts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("POST "));
    let made: Vec<_> = posts.filter(|line| line.contains("/containers/")).collect();
    assert_eq!(made, ["POST /containers/good/exec HTTP/1.1"]);
}

#[test]
fn a_hundred_commands_run_at_once_and_one_more_is_refused() {
    let (shells, _engine, mut edge) = open();
    for number in 0..100 {
        edge.link.exec(&format!("c{number}"), &["cat"], &json!({}));
    }
    for _ in 0..100 {
        edge.link.next("exec_ready");
    }
    edge.link.exec("more", &["cat"], &json!({}));
    assert_eq!(reason(&edge.link.exec_end("more")), "session limit reached");
    for number in 0..100 {
        edge.link.echo(&format!("c{number}"), "still here");
    }
    edge.link.send("exec_end", &json!({"execId": "c50"}));
    assert_eq!(reason(&edge.link.exec_end("c50")), "closed");
    until("its place is free", || {
        edge.link.exec("next", &["cat"], &json!({}));
        let first = edge.link.find("next begins or does not", |kind, data| {
            data["execId"] == "next" && (kind == "exec_ready" || kind == "exec_end")
        });
        (first["type"] == "exec_ready").then_some(())
    });
    assert_eq!(shells.count("make more"), 0);
}

#[test]
fn a_command_that_cannot_take_its_input_is_ended_and_loses_no_keys_silently() {
    let (shells, _engine, mut edge) = open();
    let gate = Gate::default();
    shells.hold("start", &gate);
    edge.link.exec("full", &["cat"], &json!({}));
    shells.until("start full");
    let line = |number: usize| format!("{number:08}").repeat(1024) + "\n";
    for number in 0..300 {
        edge.link.type_in("full", line(number));
    }
    edge.link.send("ping", &json!({"timestamp": 1}));
    edge.link.next("pong");
    gate.open();
    assert_eq!(reason(&edge.link.exec_end("full")), "input overflow");
    let typed = String::from_utf8(shells.typed("full")).unwrap();
    let lines: String = (0..300).map(line).collect();
    assert!(lines.starts_with(&typed), "what arrived is a beginning of what was typed: {}", typed.len());
    // Nobody else is the worse for it.
    edge.link.exec_ready("other", &["cat"]);
    edge.link.echo("other", "hello");
}

#[test]
fn commands_end_with_their_connection() {
    let (shells, _engine, mut edge) = open();
    edge.link.exec_ready("one", &["cat"]);
    let gate = Gate::default();
    shells.hold("make", &gate);
    edge.link.exec("two", &["cat"], &json!({}));
    shells.until("make two");
    edge.link.cut();
    shells.until("over one");
    edge.again();
    gate.open();
    edge.link.exec_ready("one", &["cat"]);
    edge.link.echo("one", "hello");
    edge.link.expect_none_of("exec_end");
    assert_eq!(shells.count("start two"), 0, "{:?}", shells.journal());
}

#[test]
fn the_end_of_input_is_an_empty_piece_where_that_was_agreed_on() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open_offering(&engine, &["duplex-streams"]);
    edge.link.exec_ready("code-0", &["cat"]);
    edge.link.echo("code-0", "hello");
    edge.link.type_in("code-0", "");
    assert_eq!(reason(&edge.link.exec_end("code-0")), "exited");
    shells.until("end of input code-0");
    let mut edge = Edge::open(&engine);
    edge.link.exec_ready("other", &["cat"]);
    edge.link.type_in("other", "");
    edge.link.echo("other", "it goes on");
}

#[test]
fn a_controller_without_the_class_runs_no_command() {
    let shells = Shells::default();
    let engine = shells.engine();
    let mut edge = Edge::open_with(&engine, &[("EDGE_ALLOW", "view,logs,power")], &json!({}));
    edge.link.exec("web", &["cat"], &json!({}));
    let end = edge.link.exec_end("web");
    assert!(reason(&end).starts_with("create exec failed: "), "{end}");
    assert!(shells.journal().is_empty(), "{:?}", shells.journal());
}

#[test]
fn a_start_that_cannot_be_read_starts_nothing() {
    let (shells, _engine, mut edge) = open();
    for more in [
        json!({"cmd": "cat"}),
        json!({"cmd": null}),
        json!({"cmd": [1]}),
        json!({"cols": "wide"}),
        json!({"tty": "yes"}),
    ] {
        edge.link.exec("unread", &["cat"], &more);
    }
    edge.link.exec_ready("after", &["cat"]);
    assert_eq!(shells.count("make unread"), 0);
}
