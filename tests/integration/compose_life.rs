//! How runs end, who waits for whom, and what is left of them when an agent goes.
use serde_json::{Value, json};

use crate::agent::{Agent, signal};
use crate::compose_world::{
    Told, Yard, held, holding, is_alive, order, plain, send, targets, tell, until_asked, until_dead,
    until_held, with,
};
use crate::engine::Engine;
use crate::message::Length;
use crate::patience::{Gate, until};

/// A call of the Engine by the program.
fn call(name: &str) -> Value {
    json!(["ask", "GET", format!("/containers/{name}/json")])
}

/// The numbers of the processes that told them.
fn pids(told: &Told) -> Vec<u32> {
    told.lines().iter().filter_map(|line| line["pid"].as_u64()?.try_into().ok()).collect()
}

/// Waits until the agent has noticed that so many callers left.
fn until_abandoned(agent: &Agent, count: usize) {
    until("the agent has noticed who left", || {
        (agent.log().matches("\"request.abandoned\"").count() >= count).then_some(())
    });
}

#[test]
fn a_run_that_takes_too_long_is_ended_with_all_it_has_started() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    // The first ends when it is asked to; the second hears nothing, and neither does its child.
    yard.stack("meek", &json!([["say", "before\n"], ["wait"]]));
    yard.stack("deaf", &json!([["deaf"], ["show"], ["fork"], ["show"], ["wait"]]));
    let agent = Agent::start_with(&engine, &yard.with(&[("COMPOSE_TIMEOUT", "1")]));
    let told = tell(&agent, &plain("up", "meek"));
    assert_eq!(
        (told.failure(), told.output.as_str()),
        ("ended after 1 seconds (COMPOSE_TIMEOUT)", "before\n")
    );
    let told = tell(&agent, &plain("up", "deaf"));
    assert_eq!(told.failure(), "ended after 1 seconds (COMPOSE_TIMEOUT)");
    let pids = pids(&told);
    assert_eq!(pids.len(), 2, "{told:?}");
    for pid in pids {
        until_dead(pid);
    }
    yard.until_clean();
}

#[test]
fn a_child_that_outlives_the_program_does_not_keep_the_caller_waiting_for_ever() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"], ["leave"], ["show"], ["wait"]]));
    let agent = Agent::start_with(&engine, &yard.with(&[("COMPOSE_TIMEOUT", "2")]));
    let told = tell(&agent, &plain("up", "web"));
    for pid in pids(&told) {
        until_dead(pid);
    }
    yard.until_clean();
}

#[test]
fn a_caller_that_leaves_ends_what_only_reads_and_not_what_changes() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("changed", &json!([call("changing"), held(), call("changed")]));
    yard.stack("read", &json!([["ask", "GET", "/containers/pid-PID/json"], ["wait"]]));
    let agent = yard.start(&engine);
    let up = send(&agent, &plain("up", "changed"));
    until_asked(&engine, "/containers/changing/json", 1);
    let logs = send(&agent, &plain("logs", "read"));
    let reader: u32 = until("the program that reads has started", || {
        let number =
            |target: &String| target.strip_prefix("/containers/pid-")?.strip_suffix("/json")?.parse().ok();
        targets(&engine).iter().find_map(number)
    });
    drop((up, logs));
    until_dead(reader);
    until_abandoned(&agent, 2);
    assert!(is_alive(until_held(&engine)));
    gate.open();
    until_asked(&engine, "/containers/changed/json", 1);
    yard.until_clean();
    assert!(tell(&agent, &plain("up", "changed")).success, "the stack is free again");
}

#[test]
fn a_caller_that_leaves_a_stream_of_lines_ends_the_program() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    yard.stack("web", &json!([["show"], ["wait"]]));
    let agent = yard.start(&engine);
    let body = with("logs", "web", &json!({"follow": true})).to_string();
    let fields = "Content-Type: application/json\r\nAccept: application/x-ndjson\r\n";
    let mut client = agent.client();
    client.send(crate::agent::request_with(crate::compose_world::ROUTE, fields, &body));
    assert_eq!(client.head().length(), Length::Chunked);
    let line: Value = serde_json::from_slice(&client.chunk()).expect("a line");
    let shown: Value = serde_json::from_str(line["text"].as_str().unwrap()).expect("what it shows");
    drop(client);
    until_dead(shown["pid"].as_u64().unwrap().try_into().unwrap());
    yard.until_clean();
}

#[test]
fn callers_who_share_a_stack_or_its_directory_are_one_after_the_other() {
    for other in [
        plain("down", "one"),
        with("restart", "twin", &json!({"stackDir": "one"})),
        with("up", "one", &json!({"stackDir": "two/deep"})),
        with("ps", "one", &json!({"envVars": {"A": "b"}})),
    ] {
        let (yard, gate) = (Yard::new(), Gate::default());
        let engine = holding(&gate);
        let scene = json!([call("enter"), held(), call("leave")]);
        yard.stack("one", &scene);
        yard.stack("two/deep", &scene);
        yard.stack("three", &json!([call("elsewhere")]));
        let agent = yard.start(&engine);
        let mut first = send(&agent, &plain("up", "one"));
        until_held(&engine);
        let mut second = send(&agent, &other);
        // Meanwhile another stack is served.
        assert!(tell(&agent, &plain("up", "three")).success);
        gate.open();
        for client in [&mut first, &mut second] {
            assert!(Told::of(&client.answer()).success);
        }
        let steps = targets(&engine).into_iter().filter_map(|step| match step.as_str() {
            "/containers/enter/json" => Some('('),
            "/containers/leave/json" => Some(')'),
            _ => None,
        });
        assert_eq!(steps.collect::<String>(), "()()", "{other}");
    }
}

#[test]
fn whoever_only_reads_waits_for_nobody() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("one", &json!([held()]));
    let agent = yard.start(&engine);
    let mut first = send(&agent, &plain("up", "one"));
    until_held(&engine);
    yard.stack("one", &json!([call("reading")]));
    assert!(tell(&agent, &plain("ps", "one")).success);
    gate.open();
    assert!(Told::of(&first.answer()).success);
}

#[test]
fn whoever_waits_for_a_stack_and_leaves_has_changed_nothing() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    let dir = yard.stack("web", &json!([call("enter"), held()]));
    let agent = yard.start(&engine);
    let mut first = send(&agent, &plain("up", "web"));
    until_held(&engine);
    let more = json!({"files": {"late.txt": "x"}});
    drop(send(&agent, &with("up", "web", &more)));
    until_abandoned(&agent, 1);
    gate.open();
    assert!(Told::of(&first.answer()).success);
    yard.until_clean();
    assert!(tell(&agent, &plain("stop", "web")).success, "the stack is free");
    assert!(!dir.join("late.txt").exists(), "whoever left was served");
}

#[test]
fn the_ninth_run_is_told_to_come_again() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    let agent = yard.start(&engine);
    let mut clients = Vec::new();
    for number in 0..8 {
        let name = format!("stack{number}");
        yard.stack(&name, &json!([call(&name), held()]));
        clients.push(send(&agent, &plain("up", &name)));
        until_asked(&engine, &format!("/containers/stack{number}/json"), 1);
    }
    yard.stack("ninth", &json!([call("ninth")]));
    let answer = agent.ask(order(&plain("up", "ninth")));
    assert_eq!(answer.status(), 503, "{}", answer.text());
    let seconds: u32 = answer.head.value("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!(seconds > 0);
    assert!(!answer.sentence().is_empty());
    gate.open();
    for client in &mut clients {
        assert!(Told::of(&client.answer()).success);
    }
    assert!(tell(&agent, &plain("up", "ninth")).success);
}

#[test]
fn term_ends_the_program_with_its_agent() {
    for operation in ["up", "logs"] {
        let (yard, gate) = (Yard::new(), Gate::default());
        let engine = holding(&gate);
        yard.stack("web", &json!([held(), ["wait"]]));
        let agent = yard.start(&engine);
        let client = send(&agent, &plain(operation, "web"));
        let pid = until_held(&engine);
        gate.open();
        agent.stop();
        until_dead(pid);
        assert!(yard.private().is_empty(), "{:?}", yard.private());
        drop(client);
    }
}

#[test]
fn what_changes_something_may_finish_while_its_agent_ends() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("web", &json!([held(), call("after")]));
    let agent = yard.start(&engine);
    let mut client = send(&agent, &plain("up", "web"));
    until_held(&engine);
    agent.signal("TERM");
    until("the agent has begun to end", || agent.log().contains("\"agent.draining\"").then_some(()));
    gate.open();
    let told = Told::of(&client.answer());
    assert!(told.success, "{told:?}");
    assert_eq!(agent.ended().code, Some(0));
    assert!(targets(&engine).contains(&"/containers/after/json".to_owned()));
}

#[test]
fn what_a_killed_agent_left_is_swept_by_the_next() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("web", &json!([held()]));
    let agent = yard.start(&engine);
    let more = json!({"registryAuth": {"server": "ghcr.io", "username": "user", "password": "password"}});
    let client = send(&agent, &with("up", "web", &more));
    let pid = until_held(&engine);
    signal(agent.pid(), "KILL");
    agent.ended();
    let left = yard.private().pop().expect("something was left, or nothing is shown here");
    // Whatever else lies there is not the agent's.
    let foreign = yard.path("run/somebody-elses");
    std::fs::create_dir(&foreign).unwrap();
    gate.open();
    until_dead(pid);
    let next = yard.start(&engine);
    until("the next agent has swept", || (!left.exists()).then_some(()));
    assert!(foreign.is_dir());
    assert_eq!(next.ask(order(&plain("ps", "web"))).status(), 200);
    drop(client);
}

#[test]
fn an_agent_sweeps_nothing_of_another_that_runs() {
    let (yard, gate) = (Yard::new(), Gate::default());
    let engine = holding(&gate);
    yard.stack("web", &json!([held(), ["list", "$DOCKER_CONFIG"], ["say", "done"]]));
    let agent = yard.start(&engine);
    let more = json!({"registryAuth": {"server": "ghcr.io", "username": "user", "password": "password"}});
    let mut client = send(&agent, &with("up", "web", &more));
    until_held(&engine);
    let other = yard.start(&engine);
    yard.stack("other", &json!([["say", "done"]]));
    assert!(tell(&other, &plain("ps", "other")).success);
    gate.open();
    let told = Told::of(&client.answer());
    assert_eq!(told.deed("list $DOCKER_CONFIG"), "config.json", "{told:?}");
}
