//! What the agent gives up before it faces anybody, as the kernel tells it.
use std::fs;

use crate::agent::{Agent, TOKEN, request, run};
use crate::compose_world::Yard;
use crate::engine::Engine;

/// A line of what the kernel tells of a process.
fn told(agent: &Agent, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
}

fn capabilities(agent: &Agent) -> u64 {
    u64::from_str_radix(&told(agent, "CapEff"), 16).unwrap()
        | u64::from_str_radix(&told(agent, "CapBnd"), 16).unwrap()
}

fn restrained(agent: &Agent) -> String {
    let log = agent.log();
    log.lines().find(|line| line.contains("\"agent.restrained\"")).unwrap_or_default().to_owned()
}

#[test]
fn an_agent_keeps_no_right_that_only_a_flaw_would_use() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("SANDBOX", "require")]);
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    assert_eq!((told(&agent, "NoNewPrivs").as_str(), told(&agent, "Seccomp").as_str()), ("1", "2"));
    assert_eq!(capabilities(&agent) & !0b110, 0, "of root only what is over files is left");
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
    let all = "new privileges, dumps, capabilities, system calls, execution";
    assert!(restrained(&agent).contains(&format!(r#""given_up":"{all}""#)), "{}", restrained(&agent));
    // Every thread of it.
    for thread in fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    }
}

#[test]
fn where_there_are_stacks_it_may_execute_and_nothing_else_is_kept() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &yard.with(&[("SANDBOX", "require")]));
    let told = restrained(&agent);
    assert!(told.contains("system calls") && !told.contains("execution"), "{told}");
    assert_eq!(capabilities(&agent) & !0b110, 0);
}

#[test]
fn who_says_so_keeps_everything_and_is_warned() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("SANDBOX", "off")]);
    assert!(agent.log().contains("\"agent.unrestrained\"") && restrained(&agent).is_empty());
    assert_eq!(told(&agent, "NoNewPrivs"), "0");
}

#[test]
fn a_sandbox_that_is_none_ends_the_start() {
    let ended = run(&[], &[("TOKEN", TOKEN), ("SANDBOX", "strict")]);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    assert!(ended.words().contains("SANDBOX") && ended.words().contains("require"), "{}", ended.words());
}
