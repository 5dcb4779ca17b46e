//! As the first process of a container: signals have no default there, and orphans come to it.
use std::fs;

use crate::agent::{Agent, TOKEN, request, signal};
use crate::engine::Engine;
use crate::patience::until;

/// The agent inside, as we see it from outside.
fn inside(outer: u32) -> u32 {
    let path = format!("/proc/{outer}/task/{outer}/children");
    until("unshare has its child", || fs::read_to_string(&path).ok()?.split_whitespace().next()?.parse().ok())
}

#[test]
fn as_pid_one_it_serves_and_ends_in_order() {
    let uid = fs::read_to_string("/proc/self/status").expect("this needs Linux");
    let root = uid.lines().any(|line| line.starts_with("Uid:\t0\t"));
    assert!(root, "a new PID namespace needs root: run `sudo -E cargo test --test integration pid_one`");
    for name in ["TERM", "INT"] {
        let engine = Engine::obliging();
        let socket = engine.path().to_str().unwrap();
        // The outer program dies with us, and the agent with it.
        let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let variables = [("TOKEN", TOKEN), ("DOCKER_SOCKET", socket), ("PATH", path)];
        let agent = Agent::start_under(&unshare, &variables);
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
        let pid = inside(agent.pid());
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).expect("NSpid");
        assert_eq!(numbers.split_whitespace().last(), Some("1"), "it is PID 1 in there");
        signal(pid, "HUP");
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200, "after HUP");
        signal(pid, name);
        let ended = agent.ended();
        assert_eq!(ended.code, Some(0), "after {name}: {}", ended.words());
    }
}
