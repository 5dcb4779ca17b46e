//! The built binary as a child: its environment, its port, its log, its end.
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::client::Client;
use crate::engine::Engine;
use crate::message::Message;
use crate::patience::until;

/// The built binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_lookout");

/// What it calls itself: nobody tests a release before it is one.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-dev");
/// The credential of every agent started here.
pub(crate) const TOKEN: &str = "integration-token-0123456789abcdef";

/// A request with our credential: the request line without its version, and further header lines.
pub(crate) fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: lookout\r\nAuthorization: Bearer {TOKEN}\r\n{fields}\r\n")
}

/// The same with a body and its length.
pub(crate) fn request_with(line: &str, fields: &str, body: &str) -> String {
    let length = format!("{fields}Content-Length: {}\r\n", body.len());
    request(line, &length) + body
}

/// A port nobody listens on. Somebody could take it before its user does, who then asks again.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, name: &str) {
    let script = "kill -s \"$1\" \"$2\"";
    let status = Command::new("/bin/sh").args(["-c", script, "kill", name, &pid.to_string()]).status();
    assert!(status.expect("a shell at /bin/sh").success(), "no {name} for {pid}");
}

/// The lines a child writes, while it writes them.
struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn now(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Everything, once the child has closed its end.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.now()
    }
}

/// What a child that ended left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Both streams, for those who do not mind which.
    pub(crate) fn words(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A running child.
pub(crate) struct Agent {
    child: Child,
    port: u16,
    stdout: Lines,
    stderr: Lines,
}

impl Agent {
    /// An agent in front of this Engine.
    pub(crate) fn start(engine: &Engine) -> Self {
        Self::start_with(engine, &[])
    }

    /// The same with further variables.
    pub(crate) fn start_with(engine: &Engine, more: &[(&str, &str)]) -> Self {
        Self::start_at(engine.path(), more)
    }

    /// An agent that looks for its Engine on this path, listening by the time this returns.
    pub(crate) fn start_at(socket: &Path, more: &[(&str, &str)]) -> Self {
        let socket = socket.to_str().unwrap();
        let fixed = [("TOKEN", TOKEN), ("DOCKER_SOCKET", socket), ("LOG_LEVEL", "debug")];
        Self::start_alone(&[fixed.as_slice(), more].concat())
    }

    /// An agent with these variables only, on a free port of this machine.
    pub(crate) fn start_alone(variables: &[(&str, &str)]) -> Self {
        Self::start_under(&[], variables)
    }

    /// The same, started by another program that takes a command line.
    pub(crate) fn start_under(prefix: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_or_end(prefix, variables)
            .unwrap_or_else(|ended| panic!("it did not start ({:?}): {}", ended.code, ended.words()))
    }

    /// An agent that listens, or what it left behind instead.
    pub(crate) fn start_or_end(prefix: &[&str], variables: &[(&str, &str)]) -> Result<Self, Ended> {
        for _ in 0..5 {
            let mut agent = Self::spawn(prefix, &[], variables);
            if until("the agent listens or ends", || agent.listening_or_ended()) {
                return Ok(agent);
            }
            let ended = agent.ended();
            // Somebody was quicker to take the port.
            if !ended.words().to_lowercase().contains("in use") {
                return Err(ended);
            }
        }
        panic!("five free ports in a row were taken by others");
    }

    /// A child with these arguments, whatever becomes of it. Later variables win.
    pub(crate) fn spawn(prefix: &[&str], arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut port = free_port();
        let line = [prefix, &[BINARY], arguments].concat();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).env_clear().env("PORT", port.to_string()).env("BIND_ADDRESS", "127.0.0.1");
        for (name, value) in variables {
            command.env(name, value);
            if *name == "PORT" {
                port = value.parse().unwrap_or(port);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line:?}: {error}"));
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self { child, port, stdout, stderr }
    }

    fn listening_or_ended(&mut self) -> Option<bool> {
        if self.log().contains("\"server.listening\"") {
            return Some(true);
        }
        self.child.try_wait().unwrap().map(|_| false)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// One exchange on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.client().ask(request)
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.stdout.now()
    }

    /// Memory in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("this needs /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = until("the agent ends", || self.child.try_wait().unwrap());
        Ended { code: status.code(), stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    /// Asks it to end, and expects it to do so in order.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ended();
        assert_eq!(ended.code, Some(0), "after TERM: {}", ended.words());
        ended
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let words = self.stdout.now() + &self.stderr.now();
        assert!(thread::panicking() || !words.contains("panicked"), "something panicked inside: {words}");
    }
}

/// A subcommand, run to its end with these variables only.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    Agent::spawn(&[], arguments, variables).ended()
}
