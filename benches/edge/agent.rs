//! The agent that is measured: started, upgraded, welcomed.
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::head;
use crate::link::{Link, STALL};
use crate::peers::Directory;
use crate::process;
use crate::program::Program;
use crate::requests::TOKEN;

/// Appended to the key of an upgrade before it is hashed, RFC 6455 §1.3.
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A running agent, stopped when dropped.
pub(crate) struct Agent {
    program: Program,
    said: PathBuf,
}

impl Agent {
    pub(crate) fn start(lookout: &Path, directory: &Directory) -> io::Result<Self> {
        let mut said = PathBuf::new();
        let program = Program::start(|address| {
            said = directory.path.join(format!("agent-{}.log", address.port()));
            let output = File::create(&said)?;
            let mut command = Command::new(lookout);
            command
                .env_clear()
                .envs([
                    ("TOKEN", TOKEN),
                    ("EDGE_PROTOCOL", "lookout"),
                    ("RECONNECT_DELAY", "1"),
                    ("MAX_RECONNECT_DELAY", "1"),
                    // Signs of life are not what is measured.
                    ("HEARTBEAT_INTERVAL", "600"),
                    ("LOG_LEVEL", "error"),
                ])
                .env("DRYDOCK_URL", format!("ws://{address}"))
                .env("DOCKER_SOCKET", directory.socket())
                .stdout(output.try_clone()?)
                .stderr(output);
            Ok(command)
        })?;
        Ok(Self { program, said })
    }

    /// Waits for the agent to call, and for its first words.
    pub(crate) fn hello(&mut self) -> io::Result<Caller> {
        let stream = self.program.accept().map_err(|error| {
            let said = fs::read_to_string(&self.said).unwrap_or_default();
            io::Error::other(format!("the agent {error}; it said: {}", said.trim()))
        })?;
        let mut link = upgraded(stream)?;
        let hello: Value = serde_json::from_slice(&link.next()?.whole())?;
        if hello["type"] != "hello" {
            return Err(io::Error::other(format!("the agent said something else than hello: {hello}")));
        }
        Ok(Caller { link })
    }

    /// Waits for the agent to call, and welcomes it.
    pub(crate) fn session(&mut self) -> io::Result<Session> {
        self.hello()?.welcome()
    }

    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }

    /// MiB that are resident.
    pub(crate) fn mebibytes(&self) -> io::Result<f64> {
        Ok(process::memory(&[self.id()])?.resident / 1024.0)
    }

    /// The most MiB that were resident so far.
    pub(crate) fn peak_mebibytes(&self) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
            .map(|kibibytes| kibibytes / 1024.0)
            .ok_or_else(|| io::Error::other("the kernel does not tell VmHWM"))
    }
}

fn upgraded(mut stream: TcpStream) -> io::Result<Link> {
    stream.set_read_timeout(Some(STALL))?;
    let mut asked = Vec::new();
    while head::end(&asked).is_none() {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes)? {
            0 => return Err(io::Error::other("the agent left before it asked for an upgrade")),
            count => asked.extend(&bytes[..count]),
        }
    }
    if !asked.starts_with(b"GET /api/lookout/ws HTTP/1.1\r\n") {
        return Err(io::Error::other(format!("the agent asked {}", String::from_utf8_lossy(&asked))));
    }
    let key = head::field(&asked, "sec-websocket-key").unwrap_or_default();
    let accept = BASE64.encode(&Sha1::digest([key, ACCEPT.as_bytes()].concat()));
    stream.write_all(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    )?;
    Link::over(stream)
}

/// An agent that said hello.
pub(crate) struct Caller {
    link: Link,
}

impl Caller {
    pub(crate) fn welcome(mut self) -> io::Result<Session> {
        let data = json!({ "capabilities": ["binary-streams", "duplex-streams"] });
        self.link.say(&json!({ "type": "welcome", "data": data }).to_string())?;
        Ok(Session { link: self.link, number: 0 })
    }
}

/// A welcomed agent. Drop cuts the connection without a word.
pub(crate) struct Session {
    pub(crate) link: Link,
    number: u32,
}

impl Session {
    /// A number that nothing on this connection had before.
    pub(crate) fn number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    pub(crate) fn say(&mut self, kind: &str, data: &Value) -> io::Result<()> {
        self.link.say(&json!({ "type": kind, "data": data }).to_string())
    }
}
