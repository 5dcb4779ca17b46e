//! What each tool takes and tells, as JSON schemas.

use serde_json::{Value, json};

use crate::limits::{TOOL_LINES, TOOL_LINES_MAX};

/// Takes no arguments.
pub(super) fn nothing() -> Value {
    json!({ "type": "object", "additionalProperties": false })
}

pub(super) fn one_container() -> Value {
    json!({
        "type": "object",
        "properties": { "id": id() },
        "required": ["id"],
        "additionalProperties": false,
    })
}

pub(super) fn lines_of_one() -> Value {
    let tail = json!({
        "type": "integer",
        "minimum": 1,
        "maximum": TOOL_LINES_MAX,
        "default": TOOL_LINES,
        "description": "How many lines, counted from the last.",
    });
    json!({
        "type": "object",
        "properties": { "id": id(), "tail": tail },
        "required": ["id"],
        "additionalProperties": false,
    })
}

fn id() -> Value {
    json!({ "type": "string", "description": "The container's id, the beginning of it, or its name." })
}

pub(super) fn containers() -> Value {
    let container = object(
        &json!({
            "id": text(),
            "names": { "type": "array", "items": { "type": "string" } },
            "image": text(),
            "state": { "type": "string", "description": "One word, such as running or exited." },
            "status": { "type": "string", "description": "For people, such as: Up 2 hours." },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
        }),
        &["id", "names", "image", "state", "status"],
    );
    object(&json!({ "containers": { "type": "array", "items": container } }), &["containers"])
}

pub(super) fn container() -> Value {
    let state = object(
        &json!({
            "Status": text(),
            "Running": truth(),
            "Paused": truth(),
            "Restarting": truth(),
            "OOMKilled": truth(),
            "Dead": truth(),
            "Pid": { "type": "integer" },
            "ExitCode": { "type": "integer" },
            "StartedAt": text(),
            "FinishedAt": text(),
            "Health": object(&json!({ "Status": text() }), &["Status"]),
        }),
        &["Status", "Running", "ExitCode"],
    );
    let mount = object(
        &json!({ "source": text(), "destination": text(), "readOnly": truth() }),
        &["source", "destination", "readOnly"],
    );
    object(
        &json!({
            "id": text(),
            "name": text(),
            "state": state,
            "image": text(),
            "envCount": count("Variables of its environment, of which nothing else is told."),
            "mounts": { "type": "array", "items": mount },
            "networks": { "type": "array", "items": { "type": "string" } },
            "restartPolicy": text(),
        }),
        &["id", "name", "state", "image", "envCount", "mounts", "networks", "restartPolicy"],
    )
}

pub(super) fn lines() -> Value {
    object(
        &json!({
            "id": text(),
            "lines": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Oldest first, each behind the name of its stream.",
            },
            "linesLeftOut": count("Older lines that were left out because all are too long together."),
        }),
        &["id", "lines"],
    )
}

pub(super) fn usage() -> Value {
    let traffic = object(
        &json!({ "rxBytes": count("Received."), "txBytes": count("Sent.") }),
        &["rxBytes", "txBytes"],
    );
    object(
        &json!({
            "id": text(),
            "cpuTotalUsage": count("Nanoseconds on processors since it started."),
            "memUsage": count("Bytes, cached files included; not there where the Engine does not measure it."),
            "memLimit": count("Bytes it may use; all of the machine's where nothing limits it."),
            "networks": { "type": "object", "additionalProperties": traffic },
        }),
        &["id", "cpuTotalUsage", "networks"],
    )
}

pub(super) fn host() -> Value {
    let bytes = count("Bytes.");
    object(
        &json!({
            "cpuUsage": { "type": "number", "description": "Percent of all processors together." },
            "cpuCores": count("Processors."),
            "memoryTotal": bytes,
            "memoryUsed": bytes,
            "memoryFree": bytes,
            "diskTotal": bytes,
            "diskUsed": bytes,
            "diskFree": bytes,
            "networkRxBytes": count("Bytes received since the machine started."),
            "networkTxBytes": count("Bytes sent since the machine started."),
            "uptime": count("Seconds since the machine started."),
        }),
        &["cpuUsage", "cpuCores", "memoryTotal", "memoryUsed", "memoryFree", "diskTotal", "diskUsed",
          "diskFree", "networkRxBytes", "networkTxBytes", "uptime"],
    )
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn truth() -> Value {
    json!({ "type": "boolean" })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

/// What in a value is not as its schema says, as far as the schemas above say anything.
#[cfg(test)]
pub(super) fn misfits(value: &Value, schema: &Value) -> Vec<String> {
    let is_of_type = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no schema has type {other}"),
    };
    if !is_of_type {
        return vec![format!("{value} is no {}", schema["type"])];
    }
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            wrong.push(format!("{name} is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => wrong.extend(misfits(member, schema)),
            None => wrong.push(format!("{name} is in no schema")),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        wrong.extend(misfits(item, &schema["items"]));
    }
    wrong
}
