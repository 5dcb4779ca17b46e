//! What the fake Engine says, made once: every small answer is one write, every large one is repeated blocks.
use std::fmt::Write as _;

/// The data of one chunk of a large body: what dockerd itself writes at a time.
pub(crate) const CHUNK_BYTES: usize = 32 * 1024;
/// The data of one block; large bodies are whole blocks, repeated.
pub(crate) const BLOCK_BYTES: usize = 1024 * 1024;
/// The least size of the list of containers.
const LIST_BYTES_MIN: usize = 50 * 1024;
/// The first line of a followed log, in the Engine's stream framing.
pub(crate) const LOG_LINE: &[u8] = b"\x01\0\0\0\0\0\0\x06hello\n";
/// Heads of dockerd carry these, so a proxy has as much to parse as it would have in earnest.
const ENGINE_FIELDS: &str = "Api-Version: 1.41\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
    Server: Docker/20.10.24 (linux)\r\nDate: Fri, 20 Nov 2026 08:40:22 GMT\r\n";

/// Every prepared answer.
pub(crate) struct Answers {
    /// A small JSON object with its length.
    pub(crate) version: Vec<u8>,
    /// The list of containers in one chunk, as dockerd sends it.
    pub(crate) containers: Vec<u8>,
    pub(crate) not_found: Vec<u8>,
    /// The head of a followed log and its first line; the stream stays open after it.
    pub(crate) log: Vec<u8>,
    pub(crate) upgraded: Vec<u8>,
    /// The head before chunked blocks.
    pub(crate) chunked_head: Vec<u8>,
    /// One block with its chunk framing.
    pub(crate) chunked_block: Vec<u8>,
    /// One block bare.
    pub(crate) block: Vec<u8>,
}

impl Answers {
    pub(crate) fn new() -> Self {
        let block = block();
        let json = "application/json";
        let stream = "application/vnd.docker.raw-stream";
        let mut log = chunked_head(stream);
        log.extend(chunk(LOG_LINE));
        Self {
            version: with_length("200 OK", json, version().as_bytes()),
            containers: [chunked_head(json), chunk(containers().as_bytes()), b"0\r\n\r\n".to_vec()].concat(),
            not_found: with_length("404 Not Found", json, b"{\"message\":\"page not found\"}\n"),
            log,
            upgraded: format!(
                "HTTP/1.1 101 UPGRADED\r\nContent-Type: {stream}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
                 Api-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n\r\n"
            )
            .into_bytes(),
            chunked_head: chunked_head("application/x-tar"),
            chunked_block: block.chunks(CHUNK_BYTES).flat_map(chunk).collect(),
            block,
        }
    }
}

pub(crate) fn with_length(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = length_head(status, kind, body.len() as u64);
    answer.extend_from_slice(body);
    answer
}

pub(crate) fn length_head(status: &str, kind: &str, length: u64) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{ENGINE_FIELDS}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
        .into_bytes()
}

fn chunked_head(kind: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{ENGINE_FIELDS}Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")
        .into_bytes()
}

/// One chunk with its framing.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Data without a pattern, the same in every process, so that a receiver can compare it.
pub(crate) fn block() -> Vec<u8> {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    (0..BLOCK_BYTES / 8)
        .flat_map(|_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word.to_le_bytes()
        })
        .collect()
}

/// An answer of the size of `GET /_ping` with an object in it.
pub(crate) fn version() -> &'static str {
    "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\",\"GitCommit\":\"5d6db84\",\
     \"Os\":\"linux\",\"Arch\":\"amd64\",\"KernelVersion\":\"6.1.0\"}\n"
}

/// The list of containers: about thirty, as large as the lists a Compose host gives.
pub(crate) fn containers() -> String {
    let mut list = String::from("[");
    let mut number = 0;
    while list.len() < LIST_BYTES_MIN {
        if number > 0 {
            list.push(',');
        }
        let id = format!("{:064x}", 0x00ab_cdef_0000_u64 + number);
        let _ = write!(
            list,
            "{{\"Id\":\"{id}\",\"Names\":[\"/service-{number}\"],\"Image\":\"registry.example/team/service:{number}\",\
             \"ImageID\":\"sha256:{id}\",\"Command\":\"/usr/bin/service --config /etc/service.yaml\",\
             \"Created\":1795164021,\"Ports\":[{{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"Type\":\"tcp\"}}],\
             \"Labels\":{{\"com.docker.compose.project\":\"stack\",\"com.docker.compose.service\":\"service-{number}\",\
             \"com.docker.compose.config-hash\":\"{id}\",\"com.docker.compose.oneoff\":\"False\",\
             \"com.docker.compose.project.working_dir\":\"/srv/stacks/stack\"}},\"State\":\"running\",\
             \"Status\":\"Up 3 days\",\"HostConfig\":{{\"NetworkMode\":\"stack_default\"}},\"NetworkSettings\":\
             {{\"Networks\":{{\"stack_default\":{{\"NetworkID\":\"{id}\",\"EndpointID\":\"{id}\",\
             \"Gateway\":\"172.18.0.1\",\"IPAddress\":\"172.18.0.2\",\"IPPrefixLen\":16,\
             \"MacAddress\":\"02:42:ac:12:00:02\"}}}}}},\"Mounts\":[{{\"Type\":\"bind\",\"Source\":\"/srv/{number}\",\
             \"Destination\":\"/data\",\"Mode\":\"rw\",\"RW\":true,\"Propagation\":\"rprivate\"}}]}}"
        );
        number += 1;
    }
    list.push_str("]\n");
    list
}
