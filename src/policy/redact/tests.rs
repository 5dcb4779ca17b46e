//! Blanking, held against answers of an Engine in which secrets were planted.

use std::collections::BTreeSet;

use super::*;

/// Answers, what they hold, and how many secrets were planted in them.
const ANSWERS: &[(&str, Blank, usize)] = &[
    (include_str!("../../../tests/fixtures/answers/container.json"), Blank::Containers, 14),
    (include_str!("../../../tests/fixtures/answers/container_failed.json"), Blank::Containers, 6),
    (include_str!("../../../tests/fixtures/answers/containers.json"), Blank::Containers, 3),
    (include_str!("../../../tests/fixtures/answers/image.json"), Blank::Images, 13),
    (include_str!("../../../tests/fixtures/answers/images.json"), Blank::Images, 0),
    (include_str!("../../../tests/fixtures/answers/history.json"), Blank::Images, 10),
    (include_str!("../../../tests/fixtures/answers/attestations.json"), Blank::Images, 2),
    (include_str!("../../../tests/fixtures/answers/volume.json"), Blank::Volumes, 1),
    (include_str!("../../../tests/fixtures/answers/volumes.json"), Blank::Volumes, 2),
    (include_str!("../../../tests/fixtures/answers/cluster_volume.json"), Blank::Volumes, 4),
    (include_str!("../../../tests/fixtures/answers/info.json"), Blank::Info, 16),
    (include_str!("../../../tests/fixtures/answers/exec.json"), Blank::Exec, 1),
    (include_str!("../../../tests/fixtures/answers/top.json"), Blank::Top, 1),
    (include_str!("../../../tests/fixtures/answers/usage.json"), Blank::Usage, 6),
    (include_str!("../../../tests/fixtures/answers/services.json"), Blank::Swarm, 12),
    (include_str!("../../../tests/fixtures/answers/tasks.json"), Blank::Swarm, 7),
    (include_str!("../../../tests/fixtures/answers/secrets.json"), Blank::Swarm, 1),
    (include_str!("../../../tests/fixtures/answers/plugin.json"), Blank::Plugins, 4),
    (include_str!("../../../tests/fixtures/answers/plugins.json"), Blank::Plugins, 4),
];
const EVENTS: &str = include_str!("../../../tests/fixtures/answers/events.json");
const EVENTS_PLANTED: usize = 13;

/// What is emptied rather than blanked: the members below are gone.
const EMPTIED: &[&str] = &[
    "RegistryConfig.IndexConfigs.",
    "RegistryConfig.InsecureRegistryCIDRs[]",
    "RegistryConfig.Mirrors[]",
    "RegistryConfig.AllowNondistributableArtifactsHostnames[]",
    "Swarm.Cluster.",
    "Swarm.RemoteManagers[]",
    "[].Statement.",
];

/// Every answer, as it came and blanked.
fn answers() -> Vec<(Json, Json, Blank, usize)> {
    let events = EVENTS.lines().map(|line| (line, Blank::Events, line.matches("hunter2").count()));
    let each = ANSWERS.iter().copied().chain(events).map(|(text, kind, planted)| {
        let before = read(text);
        (before.clone(), blanked(before, kind), kind, planted)
    });
    each.collect()
}

fn read(text: &str) -> Json {
    Json::read(text.as_bytes()).unwrap()
}

fn written(value: &Json) -> String {
    String::from_utf8(value.write()).unwrap()
}

fn blanked(mut value: Json, kind: Blank) -> Json {
    blank(&mut value, kind);
    value
}

#[track_caller]
fn becomes(kind: Blank, before: &str, after: &str) {
    assert_eq!(written(&blanked(read(before), kind)), after, "{kind:?} {before}");
}

/// Each member by its path, with the type of its value.
fn members(value: &Json, path: &str, all: &mut BTreeSet<String>) {
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::Text(_) => "text",
        Json::List(_) => "list",
        Json::Object(_) => "object",
    };
    all.insert(format!("{path}: {kind}"));
    match value {
        Json::List(items) => items.iter().for_each(|item| members(item, &format!("{path}[]"), all)),
        Json::Object(object) => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                members(value, &format!("{path}{dot}{name}"), all);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

#[test]
fn no_planted_secret_is_left() {
    assert_eq!(EVENTS.matches("hunter2").count(), EVENTS_PLANTED);
    for (before, after, kind, planted) in answers() {
        let (before, after) = (written(&before), written(&after));
        assert_eq!(before.matches("hunter2").count(), planted, "{kind:?}: {before}");
        assert!(!after.contains("hunter2"), "{kind:?}: {after}");
    }
}

#[test]
fn what_is_meant_to_be_told_is_told() {
    let mut told = 0;
    for (before, after, kind, _) in answers() {
        let (before, after) = (written(&before), written(&after));
        assert_eq!(after.matches("told-").count(), before.matches("told-").count(), "{kind:?}: {after}");
        told += before.matches("told-").count();
    }
    assert!(told > 40, "{told}");
}

#[test]
fn members_and_their_types_stay() {
    let mut gone = BTreeSet::new();
    for (before, after, ..) in answers() {
        let (mut paths, mut left) = (BTreeSet::new(), BTreeSet::new());
        members(&before, "", &mut paths);
        members(&after, "", &mut left);
        assert_eq!(left.difference(&paths).next(), None);
        gone.extend(paths.difference(&left).cloned());
    }
    for path in &gone {
        assert!(EMPTIED.iter().any(|emptied| path.starts_with(emptied)), "{path} is gone");
    }
    for emptied in EMPTIED {
        assert!(gone.iter().any(|path| path.starts_with(emptied)), "{emptied} is left");
    }
}

#[test]
fn what_is_blanked_is_blanked_once() {
    for (_, after, kind, _) in answers() {
        assert_eq!(blanked(after.clone(), kind), after);
    }
}

#[test]
fn a_blanked_value_keeps_its_type() {
    for (before, after) in [
        (r#""secret""#, r#""***""#),
        (r#""""#, r#""""#),
        ("null", "null"),
        ("7", "0"),
        ("-7.5", "0"),
        ("true", "false"),
        ("[]", "[]"),
        (r#"["a","b"]"#, r#"["***"]"#),
        (r#"[["a","b"],["c"]]"#, r#"[["***"],["***"]]"#),
        ("[1,2]", "[0,0]"),
        (r#"{"a":"b","c":{"d":["e"]}}"#, r#"{"a":"***","c":{"d":["***"]}}"#),
    ] {
        becomes(Blank::Containers, &format!(r#"{{"Cmd":{before}}}"#), &format!(r#"{{"Cmd":{after}}}"#));
    }
}

#[test]
fn variables_keep_their_names() {
    for (before, after) in [
        (r#"["A=b","C=","D","E=f=g","=h",""]"#, r#"["A=***","C=","D","E=***","=***",""]"#),
        ("null", "null"),
        ("[]", "[]"),
        // Of shapes nobody sends, nothing is told.
        (r#"{"A":"b"}"#, r#"{"A":"***"}"#),
        (r#"[["A=b"],{"A":"b"}]"#, r#"[["***"],{"A":"***"}]"#),
        (r#""A=b""#, r#""***""#),
    ] {
        becomes(Blank::Containers, &format!(r#"{{"Env":{before}}}"#), &format!(r#"{{"Env":{after}}}"#));
    }
}

#[test]
fn members_are_known_wherever_they_lie() {
    let nested = r#"{"A":[{"B":{"Spec":{"Env":["X=y"]}}}]}"#;
    becomes(Blank::Swarm, nested, r#"{"A":[{"B":{"Spec":{"Env":["X=***"]}}}]}"#);
    // Whatever a network is called.
    let networks = r#"{"NetworkSettings":{"Networks":{"Cmd":{"IPAddress":"10.0.0.2"}}}}"#;
    becomes(Blank::Containers, networks, networks);
    let log = r#"{"LogConfig":{"Type":"splunk","Config":{"token":"x"}},"Config":{"User":"u"}}"#;
    let after = r#"{"LogConfig":{"Type":"splunk","Config":{"token":"***"}},"Config":{"User":"u"}}"#;
    becomes(Blank::Containers, log, after);
}

#[test]
fn what_no_recorded_answer_holds_is_blanked_too() {
    for (kind, before, after) in [
        (
            Blank::Containers,
            r#"{"HostConfig":{"Annotations":{"Env":"a"}}}"#,
            r#"{"HostConfig":{"Annotations":{"Env":"a"}}}"#,
        ),
        (
            Blank::Images,
            r#"[{"Descriptor":{"annotations":{"Comment":"a"}}}]"#,
            r#"[{"Descriptor":{"annotations":{"Comment":"a"}}}]"#,
        ),
        (
            Blank::Exec,
            r#"{"ProcessConfig":{"entrypoint":"sh -c a","env":["A=b"]},"Env":["A=b"]}"#,
            r#"{"ProcessConfig":{"entrypoint":"sh","env":["A=***"]},"Env":["A=***"]}"#,
        ),
        (
            Blank::Swarm,
            r#"{"DNSConfig":{"Options":["timeout:3"]}}"#,
            r#"{"DNSConfig":{"Options":["timeout:3"]}}"#,
        ),
        (
            Blank::Swarm,
            r#"[{"Spec":{"Name":"n","Data":"c2VjcmV0"}}]"#,
            r#"[{"Spec":{"Name":"n","Data":""}}]"#,
        ),
        (
            Blank::Info,
            r#"{"Swarm":{"Error":"a","Warnings":["b"]}}"#,
            r#"{"Swarm":{"Error":"a","Warnings":[]}}"#,
        ),
        (
            Blank::Info,
            r#"{"RegistryConfig":null,"Swarm":{"Cluster":null}}"#,
            r#"{"RegistryConfig":null,"Swarm":{"Cluster":null}}"#,
        ),
        // As newer Engines answer.
        (
            Blank::Usage,
            r#"{"ContainerUsage":{"Items":[{"Command":"a"}]},"BuildCacheUsage":{"Items":[{"Description":"b"}]}}"#,
            r#"{"ContainerUsage":{"Items":[{"Command":"***"}]},"BuildCacheUsage":{"Items":[{"Description":"***"}]}}"#,
        ),
    ] {
        becomes(kind, before, after);
    }
}

#[test]
fn an_image_tells_its_own_command_and_not_its_builders() {
    let image = r#"{"Config":{"Cmd":["a"],"Entrypoint":["b"]},"ContainerConfig":{"Cmd":["c"],"Entrypoint":["d"],"Env":["E=f"]}}"#;
    let after = r#"{"Config":{"Cmd":["a"],"Entrypoint":["b"]},"ContainerConfig":{"Cmd":["***"],"Entrypoint":["***"],"Env":["E=***"]}}"#;
    becomes(Blank::Images, image, after);
}

#[test]
fn an_event_tells_what_happened_and_not_with_which_command() {
    for (action, after) in [
        ("exec_create: sh -c secret", "exec_create"),
        ("exec_start: sh: -c", "exec_start"),
        ("exec_die", "exec_die"),
        ("exec_detach:x", "exec_detach"),
        ("health_status: unhealthy", "health_status: unhealthy"),
        ("start", "start"),
    ] {
        let event = |action: &str| {
            format!(
                r#"{{"status":"{action}","Type":"container","Action":"{action}","Actor":{{"ID":"i","Attributes":{{"execID":"e","label":"l","comment":"c"}}}}}}"#
            )
        };
        becomes(Blank::Events, &event(action), &event(after));
    }
    let commit = r#"{"Action":"commit","Actor":{"Attributes":{"comment":"secret","label":"l"}}}"#;
    becomes(Blank::Events, commit, &commit.replace("secret", "***"));
    let reload =
        r#"{"Type":"daemon","Action":"reload","Actor":{"Attributes":{"labels":"secret","name":"host"}}}"#;
    becomes(Blank::Events, reload, &reload.replace("secret", "***"));
}

#[test]
fn of_processes_the_programs_are_told() {
    for (before, after) in [
        (
            r#"["PID","CMD"],"Processes":[["1","sh -c x"],["2",""]]"#,
            r#"["PID","CMD"],"Processes":[["1","sh"],["2",""]]"#,
        ),
        (r#"["COMMAND","PID"],"Processes":[[" a\tb","1"]]"#, r#"["COMMAND","PID"],"Processes":[["a","1"]]"#),
        // More cells than titles; a row that is none; no title that is known; none at all.
        (r#"["PID","CMD"],"Processes":[["1","a b","c"]]"#, r#"["PID","CMD"],"Processes":[["1","a","***"]]"#),
        (r#"["PID","CMD"],"Processes":["a b"]"#, r#"["PID","CMD"],"Processes":["***"]"#),
        (r#"["PID","ARGS"],"Processes":[["1","a b"]]"#, r#"["PID","ARGS"],"Processes":[["***"]]"#),
        (r#"null,"Processes":[["1","a b"]]"#, r#"null,"Processes":[["***"]]"#),
        (r#"["CMD"],"Processes":null"#, r#"["CMD"],"Processes":null"#),
    ] {
        becomes(Blank::Top, &format!(r#"{{"Titles":{before}}}"#), &format!(r#"{{"Titles":{after}}}"#));
    }
}

#[test]
fn of_a_swarm_the_info_tells_the_state_alone() {
    let after = blanked(read(ANSWERS[10].0), Blank::Info);
    assert_eq!(
        written(after.member("Swarm").unwrap()),
        r#"{"NodeID":"k67qz4598weg5unwwffg6z1m1","NodeAddr":"","LocalNodeState":"active","ControlAvailable":true,"Error":"","RemoteManagers":[],"Nodes":4,"Managers":3,"Cluster":{}}"#
    );
    assert_eq!(written(after.member("Labels").unwrap()), r#"["***"]"#);
}
