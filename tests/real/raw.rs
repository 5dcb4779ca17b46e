//! HTTP by hand, for what the docker command does not show.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use crate::agent::{Agent, TOKEN};
use crate::docker::SOCKET;
use crate::wait::PATIENCE;

/// A connection to an Engine, straight or through an agent.
pub(crate) trait Stream: Read + Write {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

/// The answer to a request that asked for an upgrade, and the connection it came on.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) stream: Box<dyn Stream>,
}

/// Sends `request` (its request line and headers, each line ended) straight to the Engine.
pub(crate) fn straight(request: &str) -> Answer {
    let stream = UnixStream::connect(SOCKET).expect("an Engine: run scripts/engine");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    ask(Box::new(stream), request)
}

/// Sends `request` through `agent`, with its token.
pub(crate) fn through(agent: &Agent, request: &str) -> Answer {
    without_token(agent, &format!("{request}Authorization: Bearer {TOKEN}\r\n"))
}

/// Sends `request` to `agent` as a stranger would.
pub(crate) fn without_token(agent: &Agent, request: &str) -> Answer {
    let stream = connect(agent.address()).expect("the agent accepts");
    ask(Box::new(stream), request)
}

/// The whole answer to a GET without credentials; none when nobody answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask(mut stream: Box<dyn Stream>, request: &str) -> Answer {
    stream.write_all(format!("{request}\r\n").as_bytes()).expect("the request is taken");
    let mut head = Vec::new();
    // Byte by byte: what follows the head belongs to the upgraded stream.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_array::<1>(&mut *stream)[0]);
    }
    Answer { head: String::from_utf8(head).expect("a head in ASCII"), stream }
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).expect("the stream takes bytes");
    }

    pub(crate) fn read<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        read_array(&mut *self.stream)
    }

    /// The whole body of an answer that is no upgrade, however its length is told.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        if let Some(length) = self.header("Content-Length") {
            let length = length.parse().expect("a length");
            return self.read_vec(length);
        }
        let mut body = Vec::new();
        if self.header("Transfer-Encoding").is_some() {
            loop {
                let length = usize::from_str_radix(self.line().trim(), 16).expect("the length of a chunk");
                body.extend(self.read_vec(length));
                self.line();
                if length == 0 {
                    return body;
                }
            }
        }
        self.stream.read_to_end(&mut body).expect("an end");
        body
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(self.read::<1>()[0]);
        }
        String::from_utf8(line).expect("a line in ASCII")
    }

    pub(crate) fn read_vec(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the stream goes on");
        bytes
    }
}

fn read_array<const LENGTH: usize>(stream: &mut dyn Stream) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).expect("the answer goes on");
    bytes
}
