//! An assistant that speaks the model context protocol, and a fake Engine with containers of every kind for it.
use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{Agent, request_with};
use crate::engine::{Engine, Visit};
use crate::message::Message;
use crate::signer::Signer;

/// Stands in the environment of every container, and in no answer.
pub(crate) const SECRET: &str = "s3cret-value-of-a-variable";

/// The containers: the first sign of their ids, their names, their team.
const CONTAINERS: [(&str, &str, &str); 10] = [
    ("a", "web", "web"),
    ("b", "console", "web"),
    ("c", "other", "else"),
    ("d", "large", "web"),
    ("e", "cut", "web"),
    ("f", "silent", "web"),
    ("1", "flood", "web"),
    ("2", "quiet", "web"),
    ("3", "broken", "web"),
    ("4", "vast", "web"),
];

const LINE: &str = "POST /_lookout/mcp";
const KIND: &str = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";

/// A message with the agent's token, and further header lines.
pub(crate) fn post(body: &str, fields: &str) -> String {
    request_with(LINE, &format!("{KIND}{fields}"), body)
}

/// What an answer holds, which must be JSON.
pub(crate) fn told(answer: &Message) -> Value {
    assert_eq!(answer.status(), 200, "{:?} {}", answer.head, answer.text());
    assert_eq!(answer.head.value("content-type"), Some("application/json"), "{:?}", answer.head);
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// Whoever calls tools: with a key, or with the agent's token.
pub(crate) struct Assistant<'a> {
    agent: &'a Agent,
    signer: Option<Signer>,
}

impl<'a> Assistant<'a> {
    pub(crate) fn with_token(agent: &'a Agent) -> Self {
        Self { agent, signer: None }
    }

    pub(crate) fn with_key(agent: &'a Agent, seed: u8) -> Self {
        Self { agent, signer: Some(Signer::new(seed)) }
    }

    pub(crate) fn send(&self, body: &str) -> Message {
        match &self.signer {
            None => self.agent.ask(post(body, "")),
            Some(signer) => self.agent.ask(signer.request(2, LINE, body)),
        }
    }

    /// The result of a call of the protocol.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params });
        let reply = told(&self.send(&call.to_string()));
        assert!(!reply.to_string().contains(SECRET), "{reply}");
        assert_eq!((&reply["jsonrpc"], &reply["id"]), (&json!("2.0"), &json!(method)), "{reply}");
        reply.get("result").unwrap_or_else(|| panic!("no result: {reply}")).clone()
    }

    /// The names of the tools it is shown.
    pub(crate) fn tools(&self) -> Vec<String> {
        let list = self.ask("tools/list", &json!({}));
        let tools = list["tools"].as_array().expect("a list of tools");
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// What a tool told: its text, which must be JSON, and what is for programs.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> (Value, Value) {
        let result = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
        assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{result}");
        assert_eq!(result["content"][0]["type"], "text", "{result}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        (serde_json::from_str(text).expect("a text that is JSON"), result["structuredContent"].clone())
    }

    /// The lines of a container's logs.
    pub(crate) fn lines(&self, id: &str) -> Vec<String> {
        let (_, told) = self.call("container_logs", &json!({ "id": id }));
        serde_json::from_value(told["lines"].clone()).expect("a list of texts")
    }

    /// Why a tool told nothing.
    pub(crate) fn fails(&self, tool: &str, arguments: &Value) -> String {
        let result = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        assert_eq!(result.get("structuredContent"), None, "{result}");
        result["content"][0]["text"].as_str().expect("a sentence").to_owned()
    }
}

/// A container's whole id, by its name.
pub(crate) fn id(name: &str) -> String {
    let (sign, ..) = CONTAINERS.iter().find(|(_, known, _)| *known == name).expect("a container of ours");
    sign.repeat(64)
}

/// An Engine with these containers.
pub(crate) fn host() -> Engine {
    Engine::start(|visit| {
        while let Some(message) = visit.request() {
            let target = message.head.target().to_owned();
            if !serve(visit, &target) {
                return;
            }
        }
    })
}

/// Answers one request; whether the connection may serve another.
fn serve(visit: &mut Visit, target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == "/containers/json" {
        visit.send(document("200 OK", &list(query)));
        return true;
    }
    let mut parts = path.trim_start_matches("/containers/").split('/');
    let (wanted, what) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let found = CONTAINERS.iter().find(|(sign, name, _)| *name == wanted || sign.repeat(64) == wanted);
    let Some((sign, name, team)) = found else {
        let absent = json!({ "message": format!("No such container: {wanted}") });
        visit.send(document("404 Not Found", &absent));
        return true;
    };
    match what {
        "json" => visit.send(document("200 OK", &inspection(sign, name, team))),
        "stats" if *name == "console" => {
            visit.send(document("200 OK", &json!({ "read": "0001-01-01T00:00:00Z", "memory_stats": {} })));
        }
        "stats" => visit.send(document("200 OK", &statistics())),
        _ => return logs(visit, name),
    }
    true
}

fn document(status: &str, body: &Value) -> String {
    let (kind, body) = ("application/json", body.to_string());
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Those that the filter lets through, which here is only ever one label.
fn list(query: &str) -> Value {
    let is_told = |team: &str| !query.contains("filters=") || query.contains(&format!("team%3D{team}%22"));
    let told = CONTAINERS.iter().filter(|(_, _, team)| is_told(team)).map(|(sign, name, team)| {
        json!({
            "Id": sign.repeat(64), "Names": [format!("/{name}")], "Image": "site:1", "ImageID": "sha256:0",
            "Command": format!("serve --password {SECRET}"), "Created": 1, "Ports": [], "State": "running",
            "Status": "Up 2 hours", "Labels": { "team": team }, "HostConfig": { "NetworkMode": "default" },
        })
    });
    Value::Array(told.collect())
}

fn inspection(sign: &str, name: &str, team: &str) -> Value {
    let env = [format!("PASSWORD={SECRET}"), "PATH=/bin".to_owned()];
    json!({
        "Id": sign.repeat(64), "Name": format!("/{name}"), "Image": "sha256:0", "Args": ["--password", SECRET],
        "State": { "Status": "running", "Running": true, "Pid": 7, "ExitCode": 0, "Error": SECRET,
            "StartedAt": "2026-01-02T03:04:05.6Z", "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": { "Status": "healthy", "Log": [{ "Output": SECRET }] } },
        "Config": { "Image": "site:1", "Tty": name == "console", "Env": env, "Labels": { "team": team } },
        "HostConfig": { "RestartPolicy": { "Name": "unless-stopped" } },
        "Mounts": [
            { "Type": "bind", "Source": "/srv/z", "Destination": "/z", "RW": true },
            { "Type": "bind", "Source": "/srv/a", "Destination": "/a", "RW": false },
        ],
        "NetworkSettings": { "Networks": if name == "quiet" { Value::Null } else { json!({ "z": {}, "b": {} }) } },
    })
}

fn statistics() -> Value {
    json!({
        "read": "2026-01-02T03:04:05Z",
        "cpu_stats": { "cpu_usage": { "total_usage": 123_456_789 } },
        "memory_stats": { "usage": 4096, "limit": 8192 },
        "networks": { "eth0": { "rx_bytes": 10, "tx_bytes": 20, "rx_packets": 1 } },
    })
}

/// One frame of logs.
pub(crate) fn frame(source: u8, text: &[u8]) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[source, 0, 0, 0], size.as_slice(), text].concat()
}

const LOGS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What each container prints, and how the Engine tells it.
fn logs(visit: &mut Visit, name: &str) -> bool {
    let web = || [frame(1, b"one\ntw"), frame(2, b"oops\n"), frame(1, b"o\nlast")].concat();
    match name {
        // Cut at every byte, through headers too.
        "web" => {
            visit.send(LOGS);
            web().iter().for_each(|byte| visit.send_apart(chunk(&[*byte])));
            visit.send("0\r\n\r\n");
        }
        "console" => {
            let text = b"$ ls\r\nbin etc\r\n";
            visit.send([LOGS.as_bytes(), &chunk(text), b"0\r\n\r\n"].concat());
        }
        "large" => {
            let text = [frame(1, b"a\n"), frame(2, &vec![b'x'; 300_000]), frame(1, b"b\n")].concat();
            visit.send([LOGS.as_bytes(), &chunk(&text), b"0\r\n\r\n"].concat());
        }
        // The frame promises more than comes.
        "cut" => {
            visit.send([LOGS.as_bytes(), &chunk(&frame(1, b"all of it")[..12]), b"0\r\n\r\n"].concat());
        }
        // The same, with almost four GiB.
        "vast" => {
            visit.send([LOGS.as_bytes(), &chunk(b"\x01\0\0\0\xff\xff\xff\xffmore"), b"0\r\n\r\n"].concat());
        }
        // Bytes of a terminal, of a container that has none.
        "broken" => {
            visit.send([LOGS.as_bytes(), &chunk(b"hello, terminal\r\n"), b"0\r\n\r\n"].concat());
        }
        // Says nothing until the agent gives up.
        "silent" => {
            visit.until_left();
            return false;
        }
        // Never ends, whatever it was asked for.
        "flood" => {
            visit.send(LOGS);
            let mut writer = visit.writer();
            while writer.write_all(&chunk(&frame(1, b"more\n"))).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
            return false;
        }
        _ => visit.send([LOGS.as_bytes(), b"0\r\n\r\n"].concat()),
    }
    true
}
