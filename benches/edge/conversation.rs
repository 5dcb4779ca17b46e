//! One connection to the fake Engine: small answers at once, downloads, and a command that gives back what it is typed.
use std::fs::File;
use std::io::{self, Read, Write};

use crate::answers::{self, Answers};
use crate::head::{self, Body};

/// Holds any request here whole.
const BUFFER_BYTES: usize = 8 * 1024;

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

impl Conversation {
    pub(crate) fn new(stream: File) -> Self {
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    pub(crate) fn stream(&self) -> &File {
        &self.stream
    }

    /// Reads once and answers what is complete, up to the first request that takes long.
    pub(crate) fn turn(&mut self, answers: &Answers) -> io::Result<Next> {
        if !self.read()? {
            return Ok(Next::Close);
        }
        while let Some((head_length, length)) = self.request()? {
            match asked(&self.buffer[..head_length]) {
                Asked::Prepared(said) => self.stream.write_all(&said(answers))?,
                Asked::Version => self.stream.write_all(&answers.version)?,
                Asked::Containers => self.stream.write_all(&answers.containers)?,
                Asked::Download(_) | Asked::Command => return Ok(Next::Alone),
            }
            self.forget(length);
        }
        Ok(Next::Stay)
    }

    /// Serves the connection in a thread of its own until it ends, beginning with the request that is here.
    pub(crate) fn alone(mut self, answers: &Answers) -> io::Result<()> {
        loop {
            while let Some((head_length, length)) = self.request()? {
                let asked = asked(&self.buffer[..head_length]);
                self.forget(length);
                match asked {
                    Asked::Prepared(said) => self.stream.write_all(&said(answers))?,
                    Asked::Version => self.stream.write_all(&answers.version)?,
                    Asked::Containers => self.stream.write_all(&answers.containers)?,
                    Asked::Download(blocks) => {
                        self.stream.write_all(&answers.chunked_head)?;
                        (0..blocks).try_for_each(|_| self.stream.write_all(&answers.chunked_block))?;
                        self.stream.write_all(b"0\r\n\r\n")?;
                    }
                    Asked::Command => {
                        self.stream.write_all(&answers.upgraded)?;
                        return self.echo();
                    }
                }
            }
            if !self.read()? {
                return Ok(());
            }
        }
    }

    /// Gives back what it gets, until the client leaves.
    fn echo(&mut self) -> io::Result<()> {
        loop {
            self.stream.write_all(&self.buffer[..self.filled])?;
            self.filled = 0;
            if !self.read()? {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<bool> {
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        self.filled += count;
        Ok(count > 0)
    }

    /// How long head and body are of a request that is here whole.
    fn request(&self) -> io::Result<Option<(usize, usize)>> {
        let Some(head_length) = head::end(&self.buffer[..self.filled]) else { return Ok(None) };
        let Body::Length(body) = head::body(&self.buffer[..head_length]) else {
            return Err(io::Error::other("nothing that is measured here is uploaded in chunks"));
        };
        let length = head_length + usize::try_from(body).unwrap_or(usize::MAX);
        if length > self.buffer.len() {
            return Err(io::Error::other("nothing that is measured here is as large"));
        }
        Ok((length <= self.filled).then_some((head_length, length)))
    }

    fn forget(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
    }
}

/// What a request asks for.
enum Asked {
    Version,
    Containers,
    /// Something that is asked once in a while, and is not what is measured.
    Prepared(fn(&Answers) -> Vec<u8>),
    /// So many blocks.
    Download(u64),
    Command,
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
    let path = target.split('?').next().unwrap_or_default();
    if let Some((_, digits)) = target.split_once("/get?blocks=") {
        Asked::Download(digits.parse().unwrap_or(1))
    } else if path.contains("/exec/") && path.ends_with("/start") {
        Asked::Command
    } else if path.contains("/containers/") && path.ends_with("/exec") {
        Asked::Prepared(|_| json("201 Created", b"{\"Id\":\"0123456789abcdef\"}\n"))
    } else if path.contains("/exec/") && path.ends_with("/json") {
        Asked::Prepared(|_| json("200 OK", b"{\"Running\":false,\"ExitCode\":0}\n"))
    } else if path.ends_with("/containers/json") {
        // The agent's own look around finds nothing, and costs as much.
        Asked::Prepared(|_| json("200 OK", b"[]\n"))
    } else if path.ends_with("/events") {
        // Nothing ever happens.
        Asked::Prepared(|answers| answers.chunked_head.clone())
    } else {
        Asked::Prepared(|answers| answers.not_found.clone())
    }
}

fn json(status: &str, body: &[u8]) -> Vec<u8> {
    answers::with_length(status, "application/json", body)
}
