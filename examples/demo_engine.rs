//! A demonstration Engine: answers a few read-only questions with invented things, on a unix socket.
//!
//! `cargo run --example demo_engine -- SOCKET`. It is there so that Lookout can be tried where no
//! Docker is installed; nothing it tells is true and it can run nothing.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people tells them what it is")]
#![expect(
    clippy::disallowed_methods,
    reason = "a demonstration is no room of the agent: it starts its own threads"
)]

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

/// Connections served at once; a caller beyond them is hung up on.
const CONNECTIONS_MAX: usize = 64;
/// The longest request head that is read.
const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// The longest body that is read and thrown away.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

const BANNER: &str = "\
*******************************************************************
*  THIS IS A DEMONSTRATION. It is no Docker Engine: every         *
*  container, image and network it lists is invented, and it      *
*  cannot run anything.                                           *
*******************************************************************";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket] = arguments.as_slice() else {
        eprintln!("usage: demo_engine SOCKET");
        return ExitCode::from(64);
    };
    match UnixListener::bind(socket) {
        Ok(listener) => {
            println!("{BANNER}\nIt listens on {socket}.");
            serve(&listener);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("demo_engine: cannot listen on {socket}: {error}");
            ExitCode::from(70)
        }
    }
}

fn serve(listener: &UnixListener) {
    let places = Arc::new(());
    for stream in listener.incoming().flatten() {
        // The listener holds one of the counted references itself.
        if Arc::strong_count(&places) > CONNECTIONS_MAX {
            continue;
        }
        let place = Arc::clone(&places);
        thread::spawn(move || {
            // A client that breaks off is its own business.
            let _ = converse(&stream);
            drop(place);
        });
    }
}

/// What a request asks for, as far as it matters here.
struct Request {
    method: String,
    path: String,
    query: String,
}

fn converse(stream: &UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        match answer(&request) {
            Answer::Whole(status, kind, body) => {
                let body = if request.method == "HEAD" { Vec::new() } else { body };
                let mut out = head(status, kind);
                let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
                write_all(stream, &[out.as_bytes(), &body].concat())?;
            }
            Answer::Open(kind, first) => {
                let mut out = head("200 OK", kind);
                out.push_str("Transfer-Encoding: chunked\r\n\r\n");
                if !first.is_empty() {
                    let _ = write!(out, "{:x}\r\n", first.len());
                }
                let end: &[u8] = if first.is_empty() { b"" } else { b"\r\n" };
                write_all(stream, &[out.as_bytes(), &first, end].concat())?;
                // Nothing ever happens here, so the stream says nothing more; it lasts until the client leaves.
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
        }
    }
    Ok(())
}

fn write_all(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// The next request, its body read and thrown away; none when the client is done.
fn read_request(reader: &mut BufReader<&UnixStream>) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    let mut limited = reader.by_ref().take(HEAD_BYTES_MAX);
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut length = 0;
    for (name, value) in lines.iter().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        // Nothing it can do needs a body of unknown length: hang up before misreading one.
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(None);
        }
    }
    if length > BODY_BYTES_MAX {
        return Ok(None);
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request { method, path: without_version(path).to_owned(), query: query.to_owned() }))
}

/// `/v1.41/info` and `/info` are the same question.
fn without_version(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else { return path };
    match rest.find('/') {
        Some(end) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest.get(end..).unwrap_or(path),
        Some(_) | None => path,
    }
}

fn head(status: &str, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
         Server: Demonstration\r\nContent-Type: {kind}\r\n"
    )
}

enum Answer {
    /// A status, a content type and all of the body.
    Whole(&'static str, &'static str, Vec<u8>),
    /// A content type and the beginning of a body that stays open.
    Open(&'static str, Vec<u8>),
}

const JSON: &str = "application/json";

fn json(status: &'static str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Whole(status, JSON, body.into())
}

fn refusal(status: &'static str, words: &str) -> Answer {
    json(status, format!(r#"{{"message":"{}"}}"#, words.replace(['"', '\\'], "'")))
}

fn answer(request: &Request) -> Answer {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => Answer::Whole("200 OK", "text/plain", b"OK".to_vec()),
        ("GET", ["version"]) => json("200 OK", VERSION),
        ("GET", ["info"]) => json("200 OK", INFO),
        ("GET", ["containers", "json"]) => json("200 OK", listed(request.asks("all"))),
        ("GET", ["images", "json"]) => json("200 OK", IMAGES),
        ("GET", ["networks"]) => json("200 OK", NETWORKS),
        ("GET", ["volumes"]) => json("200 OK", VOLUMES),
        ("GET", ["events"]) => Answer::Open(JSON, Vec::new()),
        ("GET", ["containers", name, what @ ("json" | "logs")]) => match find(name) {
            None => refusal("404 Not Found", &format!("No such container: {name}")),
            Some(container) if *what == "json" => json("200 OK", container.inspected()),
            Some(container) if request.asks("follow") && container.is_running => {
                Answer::Open("application/vnd.docker.raw-stream", container.logs())
            }
            Some(container) => Answer::Whole("200 OK", "application/vnd.docker.raw-stream", container.logs()),
        },
        (method, _) => refusal(
            "501 Not Implemented",
            &format!("this is a demonstration and no Docker Engine: it cannot do {method} {}", request.path),
        ),
    }
}

impl Request {
    /// Whether the query sets `name` to something true.
    fn asks(&self, name: &str) -> bool {
        self.query.split('&').any(|pair| {
            pair.split_once('=').is_some_and(|(key, value)| key == name && ["1", "true"].contains(&value))
        })
    }
}

/// An invented container.
struct Container {
    id: &'static str,
    name: &'static str,
    image: &'static str,
    image_id: &'static str,
    command: &'static str,
    is_running: bool,
    says: &'static [&'static str],
}

const WEB_ID: &str = "d3e0000000010000000000000000000000000000000000000000000000000000";
const JOB_ID: &str = "d3e0000000020000000000000000000000000000000000000000000000000000";
const WEB_IMAGE_ID: &str = "sha256:d3e1000000010000000000000000000000000000000000000000000000000000";
const JOB_IMAGE_ID: &str = "sha256:d3e1000000020000000000000000000000000000000000000000000000000000";

const CONTAINERS: [Container; 2] = [
    Container {
        id: WEB_ID,
        name: "demo-web",
        image: "demo/web:1",
        image_id: WEB_IMAGE_ID,
        command: "serve",
        is_running: true,
        says: &["this line is invented", "so is this one"],
    },
    Container {
        id: JOB_ID,
        name: "demo-job",
        image: "demo/job:1",
        image_id: JOB_IMAGE_ID,
        command: "work",
        is_running: false,
        says: &["an invented job was done"],
    },
];

fn find(name: &str) -> Option<&'static Container> {
    const KNOWN: &[Container] = &CONTAINERS;
    KNOWN
        .iter()
        .find(|container| container.name == name || (name.len() >= 12 && container.id.starts_with(name)))
}

fn listed(all: bool) -> String {
    let shown = CONTAINERS.iter().filter(|container| all || container.is_running);
    let shown: Vec<String> = shown.map(Container::listed).collect();
    format!("[{}]", shown.join(","))
}

impl Container {
    fn listed(&self) -> String {
        let Self { id, name, image, image_id, command, is_running, .. } = self;
        let (state, status) =
            if *is_running { ("running", "Up 2 days") } else { ("exited", "Exited (0) 2 days ago") };
        format!(
            r#"{{"Id":"{id}","Names":["/{name}"],"Image":"{image}","ImageID":"{image_id}","Command":"{command}",
            "Created":1700000000,"Ports":[],"Labels":{{"demonstration":"true"}},"State":"{state}","Status":"{status}",
            "HostConfig":{{"NetworkMode":"default"}},"NetworkSettings":{{"Networks":{{}}}},"Mounts":[]}}"#
        )
    }

    fn inspected(&self) -> String {
        let Self { id, name, image, image_id, command, is_running, .. } = self;
        let (status, pid) = if *is_running { ("running", 4242) } else { ("exited", 0) };
        format!(
            r#"{{"Id":"{id}","Name":"/{name}","Created":"2023-11-14T22:13:20Z","Path":"{command}","Args":[],
            "State":{{"Status":"{status}","Running":{is_running},"Paused":false,"Restarting":false,"OOMKilled":false,
            "Dead":false,"Pid":{pid},"ExitCode":0,"Error":"","StartedAt":"2023-11-14T22:13:20Z",
            "FinishedAt":"0001-01-01T00:00:00Z"}},"Image":"{image_id}","RestartCount":0,"Driver":"overlay2",
            "Platform":"linux","HostConfig":{{"NetworkMode":"default","LogConfig":{{"Type":"json-file","Config":{{}}}}}},
            "Mounts":[],"Config":{{"Image":"{image}","Tty":false,"Cmd":["{command}"],"Env":[],
            "Labels":{{"demonstration":"true"}}}},"NetworkSettings":{{"Networks":{{}}}}}}"#
        )
    }

    /// Its lines as the Engine frames them: stream, three zeros, length, text.
    fn logs(&self) -> Vec<u8> {
        let frame = |line: &&str| {
            let text = format!("{line}\n");
            let length = u32::try_from(text.len()).unwrap_or_default().to_be_bytes();
            [&[1, 0, 0, 0], &length[..], text.as_bytes()].concat()
        };
        self.says.iter().flat_map(frame).collect()
    }
}

const VERSION: &str = r#"{"Platform":{"Name":"DEMONSTRATION (nothing here is real)"},"Components":[],
"Version":"0.0.0-demo","ApiVersion":"1.41","MinAPIVersion":"1.12","GitCommit":"demo","GoVersion":"none",
"Os":"linux","Arch":"amd64","KernelVersion":"none","BuildTime":"2023-11-14T22:13:20.000000000+00:00"}"#;

const INFO: &str = r#"{"ID":"DEMO","Containers":2,"ContainersRunning":1,"ContainersPaused":0,"ContainersStopped":1,
"Images":2,"Driver":"none","SystemTime":"2023-11-14T22:13:20Z","OperatingSystem":"DEMONSTRATION (nothing here is real)",
"OSType":"linux","Architecture":"x86_64","NCPU":1,"MemTotal":1073741824,"DockerRootDir":"/nowhere",
"Name":"demonstration","ServerVersion":"0.0.0-demo","LoggingDriver":"json-file","CgroupDriver":"none",
"Plugins":{"Volume":["local"],"Network":["bridge"],"Authorization":null,"Log":["json-file"]},
"Swarm":{"LocalNodeState":"inactive"},"Runtimes":{},"SecurityOptions":[],
"Warnings":["this is a demonstration: nothing listed here is real"]}"#;

const IMAGES: &str = r#"[{"Id":"sha256:d3e1000000010000000000000000000000000000000000000000000000000000","ParentId":"",
"RepoTags":["demo/web:1"],"RepoDigests":[],"Created":1700000000,"Size":12345678,"VirtualSize":12345678,"SharedSize":-1,
"Labels":{"demonstration":"true"},"Containers":-1},
{"Id":"sha256:d3e1000000020000000000000000000000000000000000000000000000000000","ParentId":"",
"RepoTags":["demo/job:1"],"RepoDigests":[],"Created":1700000000,"Size":2345678,"VirtualSize":2345678,"SharedSize":-1,
"Labels":{"demonstration":"true"},"Containers":-1}]"#;

const NETWORKS: &str = r#"[{"Name":"bridge","Id":"d3e2000000010000000000000000000000000000000000000000000000000000",
"Created":"2023-11-14T22:13:20Z","Scope":"local","Driver":"bridge","EnableIPv6":false,
"IPAM":{"Driver":"default","Options":null,"Config":[]},"Internal":false,"Attachable":false,"Ingress":false,
"Containers":{},"Options":{},"Labels":{"demonstration":"true"}}]"#;

const VOLUMES: &str = r#"{"Volumes":[{"Name":"demo-data","Driver":"local","Mountpoint":"/nowhere/demo-data",
"Scope":"local","CreatedAt":"2023-11-14T22:13:20Z","Labels":{"demonstration":"true"},"Options":null}],"Warnings":null}"#;
