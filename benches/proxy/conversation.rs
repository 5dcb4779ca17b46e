//! One connection to the fake Engine: requests in, prepared answers out.
use std::fs::File;
use std::io::{self, Read, Write};

use crate::answers::{self, Answers};
use crate::chunks::Chunks;
use crate::head::{self, Body};

/// Holds any head; an upload gets a larger buffer of its own.
const BUFFER_BYTES: usize = 8 * 1024;
/// Large enough that the Engine's own reads never bound an upload.
const UPLOAD_BUFFER_BYTES: usize = 512 * 1024;

pub(crate) struct Conversation {
    stream: File,
    buffer: Vec<u8>,
    filled: usize,
}

/// What to do with a connection after a turn.
pub(crate) enum Next {
    Stay,
    Close,
    /// The request takes long, so it needs a thread to itself.
    Alone,
}

/// What a request asks for.
enum Asked {
    Version,
    Containers,
    Log,
    Download { with_length: bool, blocks: u64 },
    Upload { body: Body, with_sum: bool },
    Upgrade,
    Unknown,
}

impl Conversation {
    pub(crate) fn new(stream: File) -> Self {
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    pub(crate) fn stream(&self) -> &File {
        &self.stream
    }

    /// Reads once and answers what is complete, up to the first request that takes long.
    pub(crate) fn turn(&mut self, answers: &Answers) -> io::Result<Next> {
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        if count == 0 {
            return Ok(Next::Close);
        }
        self.filled += count;
        while let Some(length) = head::end(&self.buffer[..self.filled]) {
            let head = &self.buffer[..length];
            let prepared = match asked(head) {
                Asked::Version => &answers.version,
                Asked::Containers => &answers.containers,
                Asked::Log => &answers.log,
                Asked::Unknown => &answers.not_found,
                Asked::Download { .. } | Asked::Upload { .. } | Asked::Upgrade => return Ok(Next::Alone),
            };
            self.stream.write_all(prepared)?;
            if closes(head) {
                return Ok(Next::Close);
            }
            self.forget(length);
        }
        Ok(Next::Stay)
    }

    /// Serves the connection in a thread of its own until it ends, beginning with the request that is here.
    pub(crate) fn alone(mut self, answers: &Answers) -> io::Result<()> {
        loop {
            if let Some(length) = head::end(&self.buffer[..self.filled]) {
                let close = closes(&self.buffer[..length]);
                self.answer_long(length, answers)?;
                if close {
                    return Ok(());
                }
                continue;
            }
            let count = self.stream.read(&mut self.buffer[self.filled..])?;
            if count == 0 {
                return Ok(());
            }
            self.filled += count;
        }
    }

    fn answer_long(&mut self, head_length: usize, answers: &Answers) -> io::Result<()> {
        let asked = asked(&self.buffer[..head_length]);
        self.forget(head_length);
        match asked {
            Asked::Version => self.stream.write_all(&answers.version),
            Asked::Containers => self.stream.write_all(&answers.containers),
            Asked::Log => self.stream.write_all(&answers.log),
            Asked::Unknown => self.stream.write_all(&answers.not_found),
            Asked::Download { with_length: true, blocks } => {
                let length = blocks * answers::BLOCK_BYTES as u64;
                self.stream.write_all(&answers::length_head("200 OK", "application/x-tar", length))?;
                (0..blocks).try_for_each(|_| self.stream.write_all(&answers.block))
            }
            Asked::Download { with_length: false, blocks } => {
                self.stream.write_all(&answers.chunked_head)?;
                (0..blocks).try_for_each(|_| self.stream.write_all(&answers.chunked_block))?;
                self.stream.write_all(b"0\r\n\r\n")
            }
            Asked::Upload { body, with_sum } => {
                let received = self.receive(body, with_sum)?;
                let said = format!("{{\"bytes\":{},\"sum\":{}}}\n", received.bytes, received.sum);
                self.stream.write_all(&answers::with_length("200 OK", "application/json", said.as_bytes()))
            }
            Asked::Upgrade => {
                self.stream.write_all(&answers.upgraded)?;
                self.echo()
            }
        }
    }

    /// Gives back what it gets, until the client leaves.
    fn echo(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.buffer[..self.filled])?;
        loop {
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.stream.write_all(&self.buffer[..count])?;
        }
    }

    /// Reads a body to its end. Nobody here pipelines behind a body, so what is left over can only be the body.
    fn receive(&mut self, body: Body, with_sum: bool) -> io::Result<Received> {
        let mut received = Received::default();
        let mut chunks = Chunks::new();
        let mut buffer = vec![0; UPLOAD_BUFFER_BYTES];
        let mut filled = self.filled;
        buffer[..filled].copy_from_slice(&self.buffer[..filled]);
        self.filled = 0;
        loop {
            let ended = match body {
                Body::Length(length) => {
                    received.take(&buffer[..filled], with_sum);
                    received.bytes >= length
                }
                Body::Chunked => {
                    chunks.feed(&buffer[..filled], |data| received.take(data, with_sum))?;
                    chunks.done()
                }
            };
            if ended {
                return Ok(received);
            }
            filled = self.stream.read(&mut buffer)?;
            if filled == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn forget(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
    }
}

fn closes(head: &[u8]) -> bool {
    head::field(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

fn asked(head: &[u8]) -> Asked {
    let target = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    // The frequent ones first, told apart by their end alone.
    if target.ends_with(b"/version") {
        return Asked::Version;
    }
    if target.ends_with(b"/containers/json") {
        return Asked::Containers;
    }
    let target = String::from_utf8_lossy(target);
    if target.contains("/logs?") {
        Asked::Log
    } else if target.contains("/get?") {
        let blocks = target.split_once("blocks=").and_then(|(_, digits)| digits.parse().ok()).unwrap_or(1);
        Asked::Download { with_length: target.contains("length=1"), blocks }
    } else if target.contains("/archive?") {
        Asked::Upload { body: head::body(head), with_sum: target.contains("sum=1") }
    } else if target.contains("/attach?") {
        Asked::Upgrade
    } else {
        Asked::Unknown
    }
}

/// What arrived of a body.
#[derive(Default)]
struct Received {
    bytes: u64,
    /// All bytes added up, when somebody asked; a measured upload does not pay for it.
    sum: u64,
}

impl Received {
    fn take(&mut self, data: &[u8], with_sum: bool) {
        self.bytes += data.len() as u64;
        if with_sum {
            self.sum += data.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        }
    }
}
