//! The tools for assistants, used by the official client of their protocol.

use std::process::Command;

use serde_json::{Value, json};

use crate::agent::{Agent, TOKEN};
use crate::docker::{Docker, IMAGE};
use crate::process::run;
use crate::scene::Scene;
use crate::wait::until;

/// Where `scripts/setup` puts the client, with a Python of its own.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/mcp/bin/python");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/mcp_client.py");

const TOOLS: [&str; 5] =
    ["list_containers", "inspect_container", "container_logs", "container_stats", "host_metrics"];
const SECRET: &str = "s3cret-of-the-environment";

/// What the client saw, by how it began.
fn sessions(agent: &Agent, container: &str, terminal: &str) -> Value {
    assert!(
        std::fs::exists(PYTHON).is_ok_and(|is_there| is_there),
        "the protocol's client is not in .tools/mcp: run scripts/setup"
    );
    let url = format!("http://{}/_lookout/mcp", agent.address());
    let mut client = Command::new(PYTHON);
    // Nothing of this machine's settings: neither its proxies nor its Python.
    client.env_clear().env("TOKEN", TOKEN).args(["-I", CLIENT, &url, container, terminal]);
    let outcome = run(&mut client).good();
    assert!(!outcome.text().contains(SECRET), "{}", outcome.text());
    serde_json::from_slice(&outcome.stdout).expect("what it saw, as JSON")
}

/// What lies in a value, by its JSON pointer.
fn part<'v>(value: &'v Value, place: &str) -> &'v Value {
    value.pointer(place).unwrap_or_else(|| panic!("nothing is at {place}: {value}"))
}

/// What a tool told, which its text repeats.
fn told<'s>(session: &'s Value, call: &str) -> &'s Value {
    let result = part(session, &format!("/{call}"));
    assert_eq!(part(result, "/failed"), false, "{call}: {result}");
    let text = part(result, "/text/0").as_str().expect("a text");
    let text: Value = serde_json::from_str(text).expect("a text that is JSON");
    let shown = part(result, if call == "list" { "/told/containers" } else { "/told" });
    assert_eq!(&text, shown, "{call}");
    part(result, "/told")
}

fn failed(session: &Value, call: &str) -> String {
    let result = part(session, &format!("/{call}"));
    assert_eq!(part(result, "/failed"), true, "{call}: {result}");
    part(result, "/text/0").as_str().expect("a sentence").to_owned()
}

#[test]
fn the_official_client_uses_every_tool() {
    let agent = Agent::with(&[("TOKEN_ALLOW", "mcp,view,logs")]);
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    let (name, terminal) = (scene.name("plain"), scene.name("terminal"));
    let secret = format!("PASSWORD={SECRET}");
    let says = "echo zero; echo one; echo two >&2; printf thr; sleep 1; echo ee; sleep 1000";
    let restart = "--restart=on-failure";
    straight.run(&["run", "-d", "--name", &name, "-e", &secret, restart, IMAGE, "sh", "-c", says]).good();
    let says = "echo first; echo second >&2; sleep 1000";
    straight.run(&["run", "-dt", "--name", &terminal, "-e", &secret, IMAGE, "sh", "-c", says]).good();
    for (name, last) in [(&name, "three"), (&terminal, "second")] {
        until("everything is printed", || {
            let outcome = straight.run(&["logs", name]);
            (outcome.text() + &outcome.errors()).contains(last).then_some(())
        });
    }
    let id = straight.run(&["inspect", "--format", "{{.Id}}", &name]).good().text().trim().to_owned();
    let sessions = sessions(&agent, &name, &terminal);
    let all = json!(vec![true; TOOLS.len()]);
    for mode in ["auto", "legacy"] {
        let session = &sessions[mode];
        assert_eq!(session["revision"], "2025-11-25", "{mode}");
        assert_eq!((&session["server"], &session["tools"]), (&json!("lookout"), &json!(TOOLS)), "{mode}");
        assert_eq!((&session["read_only"], &session["schemas"]), (&all, &all), "{mode}");
        let list = told(session, "list")["containers"].as_array().expect("a list");
        let own = list.iter().find(|one| one["id"] == json!(id)).expect("it is listed");
        assert_eq!((&own["names"], &own["state"]), (&json!([format!("/{name}")]), &json!("running")));
        let inspected = told(session, "inspect");
        assert_eq!((&inspected["id"], &inspected["image"]), (&json!(id), &json!(IMAGE)));
        assert_eq!(
            (&inspected["networks"], &inspected["restartPolicy"]),
            (&json!(["bridge"]), &json!("on-failure"))
        );
        assert!(inspected["envCount"].as_u64().is_some_and(|count| count >= 1), "{inspected}");
        // The Engine keeps each stream in order, and not the two.
        let lines: Vec<&str> = told(session, "logs")["lines"]
            .as_array()
            .expect("lines")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines.last(), Some(&"stdout: three"), "{lines:?}");
        assert_eq!(told(session, "terminal")["lines"], json!(["stdout: first", "stdout: second"]));
        let used = told(session, "stats");
        assert!(used["cpuTotalUsage"].as_u64() > Some(0) && used["networks"]["eth0"].is_object(), "{used}");
        assert!(told(session, "host")["memoryTotal"].as_u64() > Some(0));
        assert_eq!(failed(session, "absent"), "No such container: there-is-no-such-container");
        assert!(failed(session, "stray").contains("invalid container id/name"));
    }
}
