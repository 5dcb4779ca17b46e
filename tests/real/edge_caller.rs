//! A docker command's connection to the gateway, in HTTP: heads and bodies as they come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How soon a reader notices that nobody wants anything any more.
const TICK: Duration = Duration::from_millis(10);

/// The longest head of a request that is read.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn body(&self) -> Body {
        if self.value("transfer-encoding").is_some() {
            return Body::Chunks;
        }
        match self.value("content-length").map(|length| length.parse().expect("a length")) {
            None | Some(0) => Body::Over,
            Some(length) => Body::Left(length),
        }
    }
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Left(usize),
    /// At the beginning of a chunk.
    Chunks,
    /// Inside of one, with so much left.
    Chunk(usize),
    /// The connection itself, until its end.
    Raw,
    Over,
}

/// The reading half of a connection.
pub(crate) struct Caller {
    stream: TcpStream,
    /// What came and was not taken yet.
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(false).expect("a socket of ours");
        stream.set_nodelay(true).expect("a socket of ours");
        stream.set_read_timeout(Some(TICK)).expect("a socket of ours");
        Self { stream, buffer: Vec::new() }
    }

    /// The writing half.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("the same socket")
    }

    /// Reads more, if anything comes before nobody wants it; an end is nothing.
    fn fill(&mut self, is_over: &dyn Fn() -> bool) -> io::Result<usize> {
        let mut piece = [0; 65536];
        loop {
            match self.stream.read(&mut piece) {
                Ok(count) => {
                    self.buffer.extend(piece.iter().take(count));
                    return Ok(count);
                }
                Err(error) if is_tick(&error) && !is_over() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next request, unless the caller leaves before.
    pub(crate) fn asked(&mut self, is_over: &dyn Fn() -> bool) -> Option<Asked> {
        let end = loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end;
            }
            assert!(self.buffer.len() < HEAD_BYTES_MAX, "a head without an end");
            if self.fill(is_over).ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.take(end.saturating_add(4))).expect("text");
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some(Asked { method, target, fields })
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    fn line(&mut self, is_over: &dyn Fn() -> bool) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end.saturating_add(2));
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.fill(is_over)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Content of a body, at most so much at once; nothing at its end.
    pub(crate) fn content(
        &mut self,
        body: &mut Body,
        most: usize,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Vec<u8>> {
        if *body == Body::Chunks {
            let length = usize::from_str_radix(&self.line(is_over)?, 16).expect("the length of a chunk");
            *body = if length == 0 { Body::Over } else { Body::Chunk(length) };
            if length == 0 {
                self.line(is_over)?;
            }
        }
        let left = match *body {
            Body::Over | Body::Chunks => return Ok(Vec::new()),
            Body::Raw => usize::MAX,
            Body::Left(left) | Body::Chunk(left) => left,
        };
        if self.buffer.is_empty() && self.fill(is_over)? == 0 {
            let is_end = *body == Body::Raw;
            *body = Body::Over;
            return if is_end { Ok(Vec::new()) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        let content = self.take(most.min(left));
        let left = left.saturating_sub(content.len());
        *body = match *body {
            Body::Left(_) if left == 0 => Body::Over,
            Body::Left(_) => Body::Left(left),
            Body::Chunk(_) if left == 0 => {
                self.line(is_over)?;
                Body::Chunks
            }
            Body::Chunk(_) => Body::Chunk(left),
            Body::Chunks | Body::Raw | Body::Over => *body,
        };
        Ok(content)
    }

    /// Waits for the caller to leave, which is true, or until nobody wants to know.
    pub(crate) fn has_left(&self, is_over: &dyn Fn() -> bool) -> bool {
        let mut byte = [0];
        loop {
            match self.stream.peek(&mut byte) {
                Ok(0) => return true,
                // It asks on before it was answered: it is there.
                Ok(_) => return false,
                Err(error) if is_tick(&error) && !is_over() => {}
                Err(error) => return !is_tick(&error),
            }
        }
    }

    /// Whatever is still said goes nowhere, and nothing more is answered.
    pub(crate) fn leave(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn is_tick(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Writes a chunk of an answer; the empty one is its end.
pub(crate) fn chunk(out: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = format!("{:x}\r\n", bytes.len());
    out.write_all(&[length.as_bytes(), bytes, b"\r\n"].concat())
}
