//! What the agent gives up before it faces anybody, as the kernel tells it.
use std::fs;
use std::os::unix::fs::symlink;

use crate::agent::{Agent, TOKEN, request, run, signal};
use crate::compose_world::{Yard, until_dead};
use crate::engine::{Engine, Home};
use crate::patience::until;

/// Of Landlock; the same on every platform.
const SYS_LANDLOCK_CREATE_RULESET: libc::c_long = 444;

/// A line of what the kernel tells of a process.
fn told(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
}

fn capabilities(pid: u32) -> u64 {
    let of = |name| u64::from_str_radix(&told(pid, name), 16).unwrap();
    of("CapEff") | of("CapBnd")
}

/// What a process of the agent's says that it gave up.
fn restrained(agent: &Agent, process: &str) -> String {
    let (log, event) = (agent.log(), format!(r#""{process}.restrained""#));
    log.lines().find(|line| line.contains(&event)).unwrap_or_default().to_owned()
}

/// The one child that an agent with stacks has.
fn runner(agent: &Agent) -> u32 {
    let pid = agent.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let runner = children.trim().parse().unwrap_or_else(|_| panic!("children: {children:?}"));
    let line = fs::read(format!("/proc/{runner}/cmdline")).unwrap();
    assert_eq!(line, b"lookout-compose\0compose-runner\0");
    runner
}

#[test]
fn an_agent_keeps_no_right_that_only_a_flaw_would_use() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("SANDBOX", "require")]);
    assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    assert_eq!((told(agent.pid(), "NoNewPrivs").as_str(), told(agent.pid(), "Seccomp").as_str()), ("1", "2"));
    assert_eq!(capabilities(agent.pid()) & !0b110, 0, "of root only what is over files is left");
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
    let all = "new privileges, dumps, capabilities, system calls, execution, files";
    assert!(
        restrained(&agent, "agent").contains(&format!(r#""given_up":"{all}""#)),
        "{}",
        restrained(&agent, "agent")
    );
    // Every thread of it.
    for thread in fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    }
}

#[test]
fn where_there_are_stacks_another_process_executes_and_the_agent_does_not() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = Agent::start_with(&engine, &yard.with(&[("SANDBOX", "require")]));
    assert!(restrained(&agent, "agent").contains("execution, files"), "{}", restrained(&agent, "agent"));
    let told = restrained(&agent, "compose");
    assert!(told.contains("system calls") && !told.contains("execution"), "{told}");
    let runner = runner(&agent);
    assert_eq!(capabilities(agent.pid()) & !0b110, 0);
    assert_eq!((capabilities(runner) & !0b110, self::told(runner, "NoNewPrivs").as_str()), (0, "1"));
    assert_eq!(fs::read_to_string(format!("/proc/{runner}/comm")).unwrap(), "lookout-compose\n");
    assert_eq!(fs::read(format!("/proc/{runner}/environ")).unwrap(), b"", "nothing of the agent's");
}

#[test]
fn what_executes_ends_with_the_agent_and_the_agent_with_it() {
    let (yard, engine) = (Yard::new(), Engine::obliging());
    let agent = yard.start(&engine);
    let first = runner(&agent);
    agent.signal("KILL");
    agent.ended();
    until_dead(first);
    let agent = yard.start(&engine);
    signal(runner(&agent), "KILL");
    let ended = agent.ended();
    assert_eq!(ended.code, Some(70), "{}", ended.words());
    assert!(ended.words().contains(r#""agent.resident_ended","resident":"compose""#), "{}", ended.words());
}

#[test]
fn what_executes_is_of_no_use_by_hand() {
    assert_eq!(run(&["compose-runner"], &[]).code, Some(64));
}

#[test]
fn who_says_so_keeps_everything_and_is_warned() {
    let engine = Engine::obliging();
    let agent = Agent::start_with(&engine, &[("SANDBOX", "off")]);
    assert!(agent.log().contains("\"agent.unrestrained\"") && restrained(&agent, "agent").is_empty());
    assert_eq!(told(agent.pid(), "NoNewPrivs"), "0");
}

#[test]
fn a_sandbox_that_is_none_ends_the_start() {
    let ended = run(&[], &[("TOKEN", TOKEN), ("SANDBOX", "strict")]);
    assert_eq!(ended.code, Some(78), "{}", ended.words());
    assert!(ended.words().contains("SANDBOX") && ended.words().contains("require"), "{}", ended.words());
}

/// The token's file is a link that leads elsewhere by the time of a reload: what that leads to is there, and the agent's
/// user may read it. Whether the new token is taken tells whether the kernel let the agent see it.
fn takes_a_token_from_elsewhere(sandbox: &str) -> (bool, String) {
    let (engine, home) = (Engine::obliging(), Home::new());
    let (near, far) = (home.path("near"), home.path("far"));
    for dir in [&near, &far] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(near.join("first"), "the-first-token-of-all\n").unwrap();
    fs::write(far.join("second"), "the-second-token-of-all\n").unwrap();
    let link = near.join("token");
    symlink("first", &link).unwrap();
    let (link_named, socket) = (link.to_str().unwrap(), engine.path().to_str().unwrap());
    let variables = [("SANDBOX", sandbox), ("TOKEN_FILE", link_named), ("DOCKER_SOCKET", socket)];
    let agent = Agent::start_alone(&variables);
    fs::remove_file(&link).unwrap();
    symlink(far.join("second"), &link).unwrap();
    agent.signal("HUP");
    let log =
        until("the reload is told of", || Some(agent.log()).filter(|log| log.contains("\"agent.reload")));
    let answer =
        agent.ask("GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-second-token-of-all\r\n\r\n");
    (answer.status() == 200, log)
}

#[test]
fn files_it_was_not_told_of_are_closed_to_it() {
    let (taken, log) = takes_a_token_from_elsewhere("off");
    assert!(taken && log.contains("agent.reloaded"), "{log}");
    let (taken, log) = takes_a_token_from_elsewhere("require");
    assert!(!taken && log.contains("reload_refused") && log.contains("Permission denied"), "{log}");
}

/// Refuses the process, and what it becomes, one call of the system.
const REFUSE: &str = "\
import ctypes, os, struct, sys
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)]
code = b''.join(struct.pack('HBBI', *line) for line in lines)
held = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(lines), ctypes.addressof(held)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
";

#[test]
fn who_requires_it_starts_with_all_of_it_or_not_at_all() {
    let engine = Engine::obliging();
    let socket = engine.path().to_str().unwrap();
    for (call, right) in [(libc::SYS_capset, "capabilities"), (SYS_LANDLOCK_CREATE_RULESET, "files")] {
        let call = call.to_string();
        let prefix = ["python3", "-c", REFUSE, &call];
        let variables = |sandbox| [("TOKEN", TOKEN), ("DOCKER_SOCKET", socket), ("SANDBOX", sandbox)];
        let Err(ended) = Agent::start_or_end(&prefix, &variables("require")) else {
            panic!("it starts though {right} cannot be given up")
        };
        assert_eq!(ended.code, Some(70), "{}", ended.words());
        assert!(ended.words().contains(&format!("{right} cannot be given up")), "{}", ended.words());
        let agent = Agent::start_under(&prefix, &variables("try"));
        let line = agent.log().lines().find(|line| line.contains("not_restrained")).unwrap().to_owned();
        assert!(line.contains(&format!(r#""right":"{right}""#)), "{line}");
        assert_eq!(agent.ask(request("GET /a", "")).status(), 200);
    }
}
