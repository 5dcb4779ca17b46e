//! Each tool for assistants: what it tells, whom, and what it says where it cannot.
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::assistant::{Assistant, host, id};
use crate::engine::{Engine, Home};
use crate::signer::{self, Signer, file, logged};

const EVERY_TOOL: [&str; 5] =
    ["list_containers", "inspect_container", "container_logs", "container_stats", "host_metrics"];

/// The request lines that reached the Engine.
fn asked(engine: &Engine) -> Vec<String> {
    let texts: Vec<_> = engine.visits().iter().map(|visit| visit.text()).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| line.ends_with(" HTTP/1.1"));
    lines.map(|line| line.trim_end_matches(" HTTP/1.1").to_owned()).collect()
}

/// An agent that knows a key for each of these options, its seed its place from 1.
fn keyed(engine: &Engine, home: &Home, options: &[&str]) -> Agent {
    let lines = options.iter().zip(1..).map(|(options, seed)| {
        let line = Signer::new(seed).line_of(&format!("key-{seed}"));
        format!("{options} {line}").trim_start().to_owned()
    });
    let keys = file(home, "keys", lines.collect::<String>());
    // Keys that are only watched are refused in production.
    signer::agent(engine, &keys, &[("LOOKOUT_ENV", "Development")])
}

#[test]
fn every_container_is_listed_as_the_engine_lists_it() {
    let engine = host();
    let agent = Agent::start(&engine);
    let (text, told) = Assistant::with_token(&agent).call("list_containers", &json!({}));
    assert_eq!(told, json!({ "containers": text }));
    assert_eq!(text.as_array().map(Vec::len), Some(10));
    let first = json!({
        "id": id("web"), "names": ["/web"], "image": "site:1", "state": "running", "status": "Up 2 hours",
        "labels": { "team": "web" },
    });
    assert_eq!(text[0], first);
    assert_eq!(asked(&engine), ["GET /containers/json?all=1"]);
}

#[test]
fn a_container_is_inspected_without_its_secrets() {
    let engine = host();
    let agent = Agent::start(&engine);
    let assistant = Assistant::with_token(&agent);
    let (text, told) = assistant.call("inspect_container", &json!({ "id": "web" }));
    let expected = json!({
        "id": id("web"), "name": "/web", "image": "site:1", "envCount": 2, "restartPolicy": "unless-stopped",
        "state": {
            "Status": "running", "Running": true, "Paused": false, "Restarting": false, "OOMKilled": false,
            "Dead": false, "Pid": 7, "ExitCode": 0, "StartedAt": "2026-01-02T03:04:05.6Z",
            "FinishedAt": "0001-01-01T00:00:00Z", "Health": { "Status": "healthy" },
        },
        "mounts": [
            { "source": "/srv/a", "destination": "/a", "readOnly": true },
            { "source": "/srv/z", "destination": "/z", "readOnly": false },
        ],
        "networks": ["b", "z"],
    });
    assert_eq!((&text, &told), (&expected, &expected));
    let (quiet, _) = assistant.call("inspect_container", &json!({ "id": "quiet" }));
    assert_eq!(quiet["networks"], json!([]));
}

#[test]
fn what_a_container_uses_is_asked_for_once() {
    let engine = host();
    let agent = Agent::start(&engine);
    let assistant = Assistant::with_token(&agent);
    let (text, told) = assistant.call("container_stats", &json!({ "id": "web" }));
    let expected = json!({
        "id": "web", "cpuTotalUsage": 123_456_789, "memUsage": 4096, "memLimit": 8192,
        "networks": { "eth0": { "rxBytes": 10, "txBytes": 20 } },
    });
    assert_eq!((&text, &told), (&expected, &expected));
    assert_eq!(asked(&engine), ["GET /containers/web/stats?stream=false&one-shot=true"]);
    let stopped = assistant.fails("container_stats", &json!({ "id": "console" }));
    assert_eq!(stopped, "lookout: container console does not run, so it uses nothing");
}

#[test]
fn the_host_is_measured_without_the_engine() {
    let agent = Agent::start_at(&Home::new().path("nothing.sock"), &[]);
    let (text, told) = Assistant::with_token(&agent).call("host_metrics", &json!({}));
    assert_eq!(text, told);
    assert!(told["cpuCores"].as_u64().is_some_and(|cores| cores > 0), "{told}");
    assert!(told["memoryTotal"].as_u64() > told["memoryUsed"].as_u64(), "{told}");
}

#[test]
fn lines_are_told_whole_whatever_they_come_in() {
    let engine = host();
    let agent = Agent::start(&engine);
    let assistant = Assistant::with_token(&agent);
    assert_eq!(assistant.lines("web"), ["stdout: one", "stderr: oops", "stdout: two", "stdout: last"]);
    assert_eq!(assistant.lines("console"), ["stdout: $ ls", "stdout: bin etc"]);
    assert_eq!(assistant.lines("quiet"), Vec::<String>::new());
    let notice = "stderr: [300000 bytes were left out: more than 262144 in one piece]";
    assert_eq!(assistant.lines("large"), ["stdout: a", notice, "stdout: b"]);
    let (text, told) = assistant.call("container_logs", &json!({ "id": "quiet" }));
    assert_eq!((text, told), (json!({ "id": "quiet", "lines": [] }), json!({ "id": "quiet", "lines": [] })));
}

#[test]
fn the_engine_is_asked_for_as_many_lines_as_are_wanted_within_bounds() {
    let engine = host();
    let agent = Agent::start(&engine);
    let assistant = Assistant::with_token(&agent);
    for (tail, lines) in [
        (json!(null), 100),
        (json!(1), 1),
        (json!(2.0), 2),
        (json!(500), 500),
        (json!(501), 500),
        (json!(0), 100),
        (json!(-5), 100),
    ] {
        assistant.call("container_logs", &json!({ "id": "quiet", "tail": tail }));
        let last = asked(&engine).pop();
        let expected = format!("GET /containers/quiet/logs?stdout=1&stderr=1&tail={lines}");
        assert_eq!(last, Some(expected), "{tail}");
    }
    let (told, _) = assistant.call("container_logs", &json!({ "id": "web", "tail": 2 }));
    assert_eq!(told["lines"], json!(["stdout: two", "stdout: last"]), "an Engine that tells more");
}

#[test]
fn logs_that_do_not_end_well_are_not_told() {
    let engine = host();
    let agent = Agent::start_with(&engine, &[("REQUEST_TIMEOUT", "1")]);
    let assistant = Assistant::with_token(&agent);
    let fails = |name: &str| assistant.fails("container_logs", &json!({ "id": name }));
    for name in ["cut", "vast", "broken"] {
        assert!(fails(name).starts_with("lookout: the Docker Engine's answer cannot be told: "), "{name}");
    }
    // Neither an Engine that says nothing keeps us, nor one that never stops.
    for name in ["silent", "flood"] {
        assert_eq!(fails(name), "lookout: the Docker Engine did not answer in time", "{name}");
    }
    // What was left of each is not read as the next answer.
    assert_eq!(assistant.lines("console"), ["stdout: $ ls", "stdout: bin etc"]);
}

#[test]
fn what_is_wrong_with_a_call_is_a_result_to_read() {
    let engine = host();
    let agent = Agent::start(&engine);
    let assistant = Assistant::with_token(&agent);
    for tool in ["inspect_container", "container_logs", "container_stats"] {
        for arguments in
            [json!({}), json!(null), json!({ "id": null }), json!({ "id": 7 }), json!({ "id": "" })]
        {
            assert_eq!(assistant.fails(tool, &arguments), "lookout: id is required", "{tool} {arguments}");
        }
        for bad in ["../images", "web/json?x=", "web%2f..", "..", "-web", " web", "wéb", "web\u{0}", "web#"]
        {
            let why = assistant.fails(tool, &json!({ "id": bad }));
            assert!(why.starts_with("lookout: invalid container id/name: "), "{tool} {bad:?}: {why}");
        }
        let long = "a".repeat(129);
        assert!(assistant.fails(tool, &json!({ "id": long })).contains("invalid container id"), "{tool}");
    }
    for (tool, arguments, why) in [
        ("list_containers", json!({ "all": true }), "lookout: unknown argument \"all\""),
        ("host_metrics", json!({ "id": "web" }), "lookout: unknown argument \"id\""),
        ("container_logs", json!({ "id": "web", "follow": true }), "lookout: unknown argument \"follow\""),
        (
            "container_logs",
            json!({ "id": "web", "tail": "9" }),
            "lookout: invalid tail: must be a whole number from 1 to 500",
        ),
    ] {
        assert_eq!(assistant.fails(tool, &arguments), why, "{tool} {arguments}");
    }
    assert_eq!(asked(&engine), Vec::<String>::new(), "nothing of it reached the Engine");
    for tool in ["inspect_container", "container_logs", "container_stats"] {
        assert_eq!(assistant.fails(tool, &json!({ "id": "gone" })), "No such container: gone", "{tool}");
    }
}

#[test]
fn an_engine_that_is_away_is_a_result_to_read_too() {
    let home = Home::new();
    let agent = Agent::start_at(&home.path("nothing.sock"), &[]);
    let assistant = Assistant::with_token(&agent);
    for (tool, arguments) in [
        ("list_containers", json!({})),
        ("inspect_container", json!({ "id": "web" })),
        ("container_logs", json!({ "id": "web" })),
        ("container_stats", json!({ "id": "web" })),
    ] {
        let why = assistant.fails(tool, &arguments);
        assert!(
            why.starts_with("lookout: the Docker Engine does not answer") && !why.contains("sock"),
            "{why}"
        );
    }
    logged(&agent, &["engine.failed"]);
}

#[test]
fn a_key_is_shown_the_tools_it_may_use_and_refused_the_others() {
    let (engine, home) = (host(), Home::new());
    let options =
        ["allow=\"mcp,view,logs\"", "allow=\"mcp,view\"", "allow=\"mcp,logs\"", "allow=\"mcp\"", ""];
    let agent = keyed(&engine, &home, &options);
    let shown: [&[&str]; 5] = [
        &EVERY_TOOL,
        &["list_containers", "inspect_container", "container_stats", "host_metrics"],
        &["container_logs"],
        &[],
        &EVERY_TOOL,
    ];
    for ((options, shown), seed) in options.iter().zip(shown).zip(1..) {
        let assistant = Assistant::with_key(&agent, seed);
        assert_eq!(assistant.tools(), shown, "{options}");
        for tool in EVERY_TOOL {
            let arguments = match tool {
                "list_containers" | "host_metrics" => json!({}),
                _ => json!({ "id": "console" }),
            };
            let stopped = tool == "container_stats";
            if shown.contains(&tool) && !stopped {
                assistant.call(tool, &arguments);
            } else if !shown.contains(&tool) {
                let class = if tool == "container_logs" { "logs" } else { "view" };
                let why = assistant.fails(tool, &arguments);
                assert!(why.ends_with(&format!(" lacks class {class}")), "{options} {tool}: {why}");
            }
        }
    }
    // Not even whether there is such a container is told without the class.
    let bare = Assistant::with_key(&agent, 4);
    let [there, gone] = ["web", "gone"].map(|id| bare.fails("container_logs", &json!({ "id": id })));
    assert_eq!(there, gone);
    logged(&agent, &["policy.denied", "\"class\":\"logs\""]);
}

#[test]
fn a_key_in_a_scope_reads_what_carries_its_label() {
    let (engine, home) = (host(), Home::new());
    let agent = keyed(&engine, &home, &["allow=\"mcp,view,logs\",label=\"team=else\""]);
    let assistant = Assistant::with_key(&agent, 1);
    let (listed, _) = assistant.call("list_containers", &json!({}));
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|one| &one["names"][0]).collect();
    assert_eq!(names, ["/other"]);
    assert_eq!(assistant.call("inspect_container", &json!({ "id": "other" })).0["name"], "/other");
    assert_eq!(assistant.lines("other"), Vec::<String>::new());
    assert_eq!(assistant.call("container_stats", &json!({ "id": "other" })).0["id"], "other");
    for tool in ["inspect_container", "container_logs", "container_stats"] {
        // As if they were not there: by name, by id, and by an id that nobody has.
        for id in ["web", &id("web"), "gone"] {
            let why = assistant.fails(tool, &json!({ "id": id }));
            assert_eq!(why, format!("No such container: {id}"), "{tool}");
        }
    }
    assert!(!asked(&engine).iter().any(|line| line.contains("/web/logs") || line.contains("/web/stats")));
}

#[test]
fn a_key_that_is_only_watched_is_let_through_and_told_of() {
    let (engine, home) = (host(), Home::new());
    let agent = keyed(&engine, &home, &["mode=\"audit\",allow=\"mcp\""]);
    let assistant = Assistant::with_key(&agent, 1);
    assert_eq!(assistant.tools(), EVERY_TOOL);
    assert_eq!(assistant.lines("console"), ["stdout: $ ls", "stdout: bin etc"]);
    logged(&agent, &["policy.would_deny", "\"class\":\"logs\""]);
}

#[test]
fn no_answer_of_any_tool_holds_a_secret() {
    // The assistant looks at every answer, the classes that lift other blanks included.
    let (engine, home) = (host(), Home::new());
    let agent = keyed(&engine, &home, &["allow=\"mcp,view,logs,dump\"", ""]);
    for seed in [1, 2] {
        let assistant = Assistant::with_key(&agent, seed);
        for name in ["web", "console", "other"] {
            assistant.call("inspect_container", &json!({ "id": name }));
        }
        assistant.call("list_containers", &json!({}));
        assistant.call("container_stats", &json!({ "id": "web" }));
    }
}
