//! What the fake Engine says: recorded answers of a real one, secrets planted in them included, made once.
use serde_json::{Value, json};

/// Containers in a list.
pub(crate) const CONTAINERS: usize = 500;
/// The container that is inspected, and the network that a new one joins.
pub(crate) const CONTAINER: &str = "answers-one";
pub(crate) const NETWORK: &str = "shop-net";
/// What every object here carries.
pub(crate) const LABEL: (&str, &str) = ("team", "web");
/// Stands in every secret of the recorded answers.
pub(crate) const SECRET: &str = "hunter2";

/// Heads of dockerd carry these, so a proxy has as much to parse as it would have in earnest.
const ENGINE_FIELDS: &str = "Api-Version: 1.41\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
    Server: Docker/20.10.24 (linux)\r\nDate: Fri, 20 Nov 2026 08:40:22 GMT\r\n";
/// What dockerd writes at a time of an answer whose length it does not know.
const CHUNK_BYTES: usize = 32 * 1024;

/// Every prepared answer.
pub(crate) struct Answers {
    pub(crate) ping: Vec<u8>,
    pub(crate) version: Vec<u8>,
    pub(crate) created: Vec<u8>,
    pub(crate) network: Vec<u8>,
    pub(crate) container: Vec<u8>,
    pub(crate) containers: Vec<u8>,
    pub(crate) not_found: Vec<u8>,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self {
            ping: with_length("200 OK", "OK"),
            version: with_length("200 OK", &version()),
            created: with_length("201 Created", &created()),
            network: with_length("200 OK", &network()),
            container: with_length("200 OK", &container()),
            containers: in_chunks(&containers()),
            not_found: with_length("404 Not Found", "{\"message\":\"page not found\"}\n"),
        }
    }
}

fn with_length(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let fields = format!("{ENGINE_FIELDS}Content-Type: application/json\r\nContent-Length: {length}\r\n");
    format!("HTTP/1.1 {status}\r\n{fields}\r\n{body}").into_bytes()
}

fn in_chunks(body: &str) -> Vec<u8> {
    let fields = format!("{ENGINE_FIELDS}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    let mut answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    for chunk in body.as_bytes().chunks(CHUNK_BYTES) {
        answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// As large as the answer of the same name in the benchmark `proxy`.
pub(crate) fn version() -> String {
    "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\",\"GitCommit\":\"5d6db84\",\
     \"Os\":\"linux\",\"Arch\":\"amd64\",\"KernelVersion\":\"6.1.0\"}\n"
        .to_owned()
}

pub(crate) fn created() -> String {
    format!("{{\"Id\":\"{}\",\"Warnings\":[]}}\n", id(0))
}

fn network() -> String {
    let labels = json!({ LABEL.0: LABEL.1 });
    format!("{}\n", json!({ "Name": NETWORK, "Id": id(1), "Driver": "bridge", "Labels": labels }))
}

pub(crate) fn container() -> String {
    let mut container = recorded(include_str!("../../tests/fixtures/answers/container.json"));
    container["Config"]["Labels"][LABEL.0] = LABEL.1.into();
    format!("{container}\n")
}

/// The recorded containers by turns, each with an id and a name of its own.
pub(crate) fn containers() -> String {
    let recorded = recorded(include_str!("../../tests/fixtures/answers/containers.json"));
    let turns = recorded.as_array().into_iter().flatten().cycle();
    let containers = turns.take(CONTAINERS).cloned().zip(1..).map(|(mut container, number)| {
        container["Id"] = id(number).into();
        container["Names"] = json!([format!("/service-{number}")]);
        container["Labels"][LABEL.0] = LABEL.1.into();
        container
    });
    format!("{}\n", Value::Array(containers.collect()))
}

fn id(number: u64) -> String {
    format!("{:064x}", 0x00ab_cdef_0000_u64 + number)
}

/// Recorded answers are indented for people, and the Engine's are not.
fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("a recorded answer is no JSON: {error}"))
}
