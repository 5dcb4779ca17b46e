//! What the caller is told of a run: both streams, whole or line by line, and how it ended.
use std::fs;

use serde_json::{Value, json};

use crate::agent::{Agent, request_with};
use crate::compose_world::{ROUTE, Yard, held, holding, plain, send, tell, until_held, with};
use crate::engine::Engine;
use crate::message::{Length, Message};
use crate::patience::Gate;

/// What is kept of a run's output.
const KEPT: usize = 10 * 1024 * 1024;

#[test]
fn both_streams_are_told_and_how_the_program_ended() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = yard.start(&engine);
    for (name, (scene, output, error)) in [
        (json!([]), "", None),
        (json!([["say", "out"]]), "out", None),
        (json!([["warn", "err"]]), "err", None),
        (json!([["say", "out"], ["warn", "err"]]), "out\nerr", None),
        (json!([["warn", "err\n"], ["say", "out\n"]]), "out\n\nerr\n", None),
        (json!([["say", "out"], ["exit", 3]]), "out", Some("exit status 3")),
        (json!([["warn", "why"], ["exit", 125]]), "why", Some("exit status 125")),
        (json!([["say", "out"], ["die", 9]]), "out", Some("killed by signal 9")),
        (json!([["bytes", [97, 255, 0, 98]]]), "a\u{fffd}\u{0}b", None),
        (json!([["say", "\u{1b}[31m\"\\ü🐳"]]), "\u{1b}[31m\"\\ü🐳", None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("stack{name}");
        yard.stack(&name, &scene);
        let told = tell(&agent, &plain("up", &name));
        assert_eq!((told.output.as_str(), told.error.as_deref()), (output, error), "{scene}");
    }
}

/// The most memory it ever had, in KiB.
fn peak_kib(agent: &Agent) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("this needs /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn of_a_gibibyte_the_caller_is_told_ten_mebibytes_and_what_was_left_out() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let printed: usize = 1024 * 1024 * 1024;
    yard.stack("web", &json!([["emit", printed], ["warn", "the end"], ["exit", 4]]));
    let agent = yard.start(&engine);
    let before = peak_kib(&agent);
    let told = tell(&agent, &plain("logs", "web"));
    assert_eq!(told.failure(), "exit status 4", "it went on to its end");
    let left_out = told.output.lines().rev().find_map(|line| {
        let count = line.strip_prefix("[output truncated: ")?.strip_suffix(" bytes left out]")?;
        count.parse::<usize>().ok()
    });
    let total = printed + "the end".len();
    let left_out = left_out.expect("it says how much was left out");
    assert!(left_out >= total - KEPT && left_out < total, "{left_out} of {total}");
    assert!(told.output.len() <= KEPT + 100, "{}", told.output.len());
    assert!(told.output.len() + left_out >= total);
    let grown = peak_kib(&agent) - before;
    assert!(grown < 128 * 1024, "the agent took {grown} KiB more");
}

fn lines_of(answer: &Message) -> Vec<Value> {
    let text = answer.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    // One that says nothing shows that somebody is there.
    lines.filter(|line| *line != json!({})).collect()
}

fn by_line(body: &Value) -> String {
    let fields = "Content-Type: application/json\r\nAccept: application/x-ndjson\r\n";
    request_with(ROUTE, fields, &body.to_string())
}

/// What one stream carried.
fn carried(lines: &[Value], stream: &str) -> String {
    let texts = lines.iter().filter(|line| line["stream"] == json!(stream));
    texts.map(|line| line["text"].as_str().expect("a text")).collect()
}

#[test]
fn whoever_asks_for_lines_is_told_them_as_they_come() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("web", &json!([["say", "first\n"], held(), ["warn", "oops\n"], ["say", "half"], ["exit", 2]]));
    let agent = yard.start(&engine);
    let mut client = agent.client();
    client.send(by_line(&plain("up", "web")));
    let head = client.head();
    assert_eq!((head.status(), head.value("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(head.length(), Length::Chunked);
    let first: Value = serde_json::from_slice(&client.chunk()).expect("a line");
    assert_eq!(first, json!({"stream": "stdout", "text": "first\n"}));
    gate.open();
    let rest = client.body(Length::Chunked).expect("the rest, whole");
    let rest = lines_of(&Message { head, body: rest });
    assert_eq!(carried(&rest, "stderr"), "oops\n");
    assert!(carried(&rest, "stdout").ends_with("half"), "{rest:?}");
    assert_eq!(rest.last(), Some(&json!({"success": false, "error": "exit status 2"})));
    assert_eq!(agent.ask(by_line(&plain("up", "web"))).status(), 200, "and again");
}

#[test]
fn whoever_asks_for_lines_is_told_in_a_line_what_is_not_fit() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["say", "a\n"]]));
    let agent = yard.start(&engine);
    let lines = lines_of(&agent.ask(by_line(&plain("fly", "web"))));
    let last = lines.last().expect("a line");
    assert_eq!((lines.len(), &last["success"]), (1, &json!(false)), "{lines:?}");
    assert!(last["error"].as_str().unwrap().starts_with("unsupported compose operation"), "{last}");
    assert_eq!(agent.ask(by_line(&json!([]))).status(), 400);
    let lines = lines_of(&agent.ask(by_line(&plain("ps", "web"))));
    assert_eq!(lines, [json!({"stream": "stdout", "text": "a\n"}), json!({"success": true})]);
}

#[test]
fn lines_are_bounded_and_cut_between_characters() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let long = "ü🐳".repeat(40_000);
    yard.stack("web", &json!([["say", long], ["say", "\nend\n"]]));
    let agent = yard.start(&engine);
    let lines = lines_of(&agent.ask(by_line(&plain("ps", "web"))));
    assert_eq!(carried(&lines, "stdout"), format!("{long}\nend\n"));
    assert!(lines.iter().all(|line| line["text"].as_str().is_none_or(|text| text.len() <= 17 * 1024)));
    assert_eq!(lines.last(), Some(&json!({"success": true})));
}

#[test]
fn logs_are_followed_by_those_who_read_lines_and_by_nobody_else() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"]]));
    let agent = yard.start(&engine);
    let follow = with("logs", "web", &json!({"follow": true}));
    let lines = lines_of(&agent.ask(by_line(&follow)));
    assert!(carried(&lines, "stdout").contains("\"--follow\""), "{lines:?}");
    let told = tell(&agent, &follow);
    assert!(told.failure().contains("x-ndjson") && told.output.is_empty(), "{told:?}");
    assert!(tell(&agent, &with("ps", "web", &json!({"follow": true}))).success, "elsewhere it means nothing");
}

#[test]
fn an_answer_that_takes_its_time_keeps_its_connection_in_use() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("web", &json!([held(), ["say", "done"]]));
    let agent = Agent::start_with(&engine, &yard.with(&[("REQUEST_TIMEOUT", "1")]));
    let mut client = send(&agent, &plain("up", "web"));
    until_held(&engine);
    // Far longer than the time in which the Engine must begin to answer.
    let begun = std::time::Instant::now();
    crate::patience::until("three seconds are over", || (begun.elapsed().as_secs() >= 3).then_some(()));
    gate.open();
    let told = crate::compose_world::Told::of(&client.answer());
    assert!(told.output.contains("done") && told.success, "{told:?}");
    assert_eq!(client.ask(crate::compose_world::order(&plain("fly", "web"))).status(), 200);
}
