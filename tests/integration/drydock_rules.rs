//! What Drydock 1.6.0 takes for a container. It gives up on an agent that tells it of one it does not take.
use serde_json::{Value, json};

/// Texts that must be there, as paths.
const REQUIRED: &[&str] = &[
    "/id",
    "/name",
    "/watcher",
    "/image/id",
    "/image/registry/name",
    "/image/registry/url",
    "/image/name",
    "/image/tag/value",
    "/image/architecture",
    "/image/os",
];
/// Texts that may be missing.
const OPTIONAL: &[&str] = &[
    "/displayName",
    "/displayIcon",
    "/status",
    "/agent",
    "/image/registry/lookupImage",
    "/image/digest/repo",
    "/image/digest/value",
    "/image/variant",
    "/image/softwareVersion",
    "/includeTags",
    "/excludeTags",
    "/transformTags",
    "/tagFamily",
    "/linkTemplate",
    "/portLabel",
    "/actionTriggerInclude",
    "/actionTriggerExclude",
    "/actionTriggerAuto",
    "/notificationTriggerInclude",
    "/notificationTriggerExclude",
    "/triggerInclude",
    "/triggerExclude",
];
const SWITCHES: &[&str] =
    &["/image/tag/semver", "/image/digest/watch", "/image/isLocalImage", "/updateAvailable", "/tagPinInfo"];
/// Texts of which there are only these.
const WORDS: &[(&str, &[&str])] = &[
    ("/watcher", &["docker"]),
    ("/status", &["created", "running", "paused", "restarting", "removing", "exited", "dead"]),
    ("/health", &["starting", "healthy", "unhealthy"]),
    ("/image/tag/tagPrecision", &["specific", "floating"]),
    ("/updateKind/kind", &["unknown", "tag", "digest"]),
    ("/tagFamily", &["strict", "loose"]),
    ("/dependsOnSource", &["label", "compose"]),
    ("/dependsOnAction", &["update", "restart"]),
];
const OBJECTS: &[&str] =
    &["/image", "/image/registry", "/image/tag", "/image/digest", "/labels", "/updateKind"];
const LISTS: &[&str] =
    &["/details/ports", "/details/volumes", "/details/env", "/image/digest/repoDigests", "/dependsOn"];
const TIMES: &[&str] = &["/image/created", "/details/startedAt"];

/// Everything about a container that the controller would not take.
pub(crate) fn faults(container: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, why: &str| faults.push(format!("{path} {why}"));
    for path in REQUIRED {
        if container.pointer(path).and_then(Value::as_str).is_none_or(str::is_empty) {
            fault(path, "is no text");
        }
    }
    let holds =
        |paths: &[&str], is_right: fn(&Value) -> bool, why: &str, fault: &mut dyn FnMut(&str, &str)| {
            for path in paths {
                if container.pointer(path).is_some_and(|value| !is_right(value)) {
                    fault(path, why);
                }
            }
        };
    holds(OPTIONAL, |value| value.as_str().is_some_and(|text| !text.is_empty()), "is empty", &mut fault);
    holds(SWITCHES, Value::is_boolean, "is no switch", &mut fault);
    holds(OBJECTS, Value::is_object, "is no object", &mut fault);
    holds(LISTS, Value::is_array, "is no list", &mut fault);
    holds(TIMES, is_time, "is no time", &mut fault);
    for path in ["/image/registry", "/image/tag", "/image/digest"] {
        if container.pointer(path).is_none() {
            fault(path, "is missing");
        }
    }
    for (path, words) in WORDS {
        let word = container.pointer(path);
        if word.is_some_and(|word| !words.iter().any(|known| word == known)) {
            fault(path, "is an unknown word");
        }
    }
    if let Some(details) = container.get("details") {
        for part in ["ports", "volumes", "env"] {
            if !details[part].is_array() {
                fault(part, "is missing");
            }
        }
        for variable in details["env"].as_array().into_iter().flatten() {
            let has_key = variable["key"].as_str().is_some_and(|key| !key.is_empty());
            if !has_key || !variable["value"].is_string() {
                fault("env", "has a nameless entry");
            }
        }
    }
    let texts = ["/details/ports", "/details/volumes", "/image/digest/repoDigests", "/dependsOn"];
    for item in texts.iter().filter_map(|path| container.pointer(path)?.as_array()).flatten() {
        if item.as_str().is_none_or(str::is_empty) {
            fault("a list", "has an empty text");
        }
    }
    if container["labels"].as_object().into_iter().flatten().any(|(_, value)| !value.is_string()) {
        fault("/labels", "holds more than texts");
    }
    unknown_members("", container, &mut fault);
    faults
}

/// Up to 1.5.0 an unknown member was a fault, and some are never to be sent.
fn unknown_members(above: &str, value: &Value, fault: &mut dyn FnMut(&str, &str)) {
    let Some(members) = value.as_object().filter(|_| above != "/labels") else { return };
    for (name, value) in members {
        let path = format!("{above}/{name}");
        let words = WORDS.iter().map(|(path, _)| *path).chain(["/details"]);
        let lists = [REQUIRED, OPTIONAL, SWITCHES, OBJECTS, LISTS, TIMES].into_iter().flatten().copied();
        if !lists.chain(words).any(|known| known == path) {
            fault(&path, "is an unknown member");
        }
        if value.is_null() {
            fault(&path, "is null");
        }
        unknown_members(&path, value, fault);
    }
}

/// `2026-05-20T08:47:59.139Z`, and never the year 1.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or("").as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let is_like = |(sign, like): (&u8, &u8)| if *like == b'd' { sign.is_ascii_digit() } else { sign == like };
    text.len() > shape.len() && text.iter().zip(shape).all(is_like) && !text.starts_with(b"0001")
}

/// The smallest that is taken.
fn least() -> Value {
    json!({
        "id": "c", "name": "n", "watcher": "docker", "status": "running",
        "image": {
            "id": "sha256:a", "registry": {"name": "hub.public", "url": "docker.io"}, "name": "a",
            "tag": {"value": "1", "semver": true}, "digest": {}, "architecture": "amd64", "os": "linux",
            "created": "2026-05-20T08:47:59.139Z",
        },
        "updateKind": {"kind": "unknown"}, "labels": {"empty": ""},
        "details": {"ports": [], "volumes": [], "env": [{"key": "A", "value": ""}]},
    })
}

#[test]
fn what_1_6_0_rejects_is_a_fault() {
    assert_eq!(faults(&least()), [""; 0]);
    for (path, value) in [
        ("/id", json!("")),
        ("/watcher", json!("true")),
        ("/status", json!("up")),
        ("/image/registry", json!("docker.io")),
        ("/image/registry/url", json!(null)),
        ("/image/digest", json!(null)),
        ("/image/tag/semver", json!("yes")),
        ("/image/created", json!("")),
        ("/image/created", json!(1_795_185_809)),
        ("/image/created", json!("0001-01-01T00:00:00Z")),
        ("/updateKind", json!("unknown")),
        ("/updateKind/kind", json!("major")),
        ("/labels", json!(null)),
        ("/labels", json!({"a": 1})),
        ("/details/env", json!(null)),
        ("/details/env", json!([{"key": "", "value": "x"}])),
        ("/details/ports", json!([""])),
    ] {
        let mut container = least();
        *container.pointer_mut(path).unwrap() = value.clone();
        assert_ne!(faults(&container), [""; 0], "{path} {value}");
    }
    for (name, value) in [
        ("displayIcon", json!("")),
        ("health", json!(null)),
        ("health", json!("none")),
        ("identityKey", json!("x")),
    ] {
        let mut container = least();
        container[name] = value.clone();
        assert_ne!(faults(&container), [""; 0], "{name} {value}");
    }
    for name in ["id", "image", "watcher"] {
        let mut container = least();
        container.as_object_mut().unwrap().remove(name);
        assert_ne!(faults(&container), [""; 0], "{name}");
    }
}
