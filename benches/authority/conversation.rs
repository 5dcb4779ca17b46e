//! One connection to the fake Engine: requests in, prepared answers out, bodies read and passed over.
use std::fs::File;
use std::io::{self, Read, Write};

use crate::answers::{Answers, NETWORK};
use crate::head::{self, Body};

/// Holds any request here whole.
const BUFFER_BYTES: usize = 32 * 1024;

pub(crate) struct Conversation {
    stream: File,
    buffer: Vec<u8>,
    filled: usize,
}

/// What to do with a connection after a turn.
pub(crate) enum Next {
    Stay,
    Close,
    /// A body has not come whole, so that somebody must wait for it.
    Alone,
}

impl Conversation {
    pub(crate) fn new(stream: File) -> Self {
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    pub(crate) fn stream(&self) -> &File {
        &self.stream
    }

    /// Reads once and answers what is complete.
    pub(crate) fn turn(&mut self, answers: &Answers) -> io::Result<Next> {
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        if count == 0 {
            return Ok(Next::Close);
        }
        self.filled += count;
        while let Some(head_length) = head::end(&self.buffer[..self.filled]) {
            let head = &self.buffer[..head_length];
            let Body::Length(body) = head::body(head) else {
                return Err(io::Error::other("nothing that is measured here comes in chunks"));
            };
            let length = head_length + usize::try_from(body).unwrap_or(usize::MAX);
            if length > self.buffer.len() {
                return Err(io::Error::other("nothing that is measured here is as large"));
            }
            if length > self.filled {
                return Ok(Next::Alone);
            }
            self.stream.write_all(answer(head, answers))?;
            self.buffer.copy_within(length..self.filled, 0);
            self.filled -= length;
        }
        Ok(Next::Stay)
    }

    /// Goes on in a thread of its own until the connection ends.
    pub(crate) fn alone(mut self, answers: &Answers) -> io::Result<()> {
        while !matches!(self.turn(answers)?, Next::Close) {}
        Ok(())
    }
}

fn answer<'a>(head: &[u8], answers: &'a Answers) -> &'a [u8] {
    let mut words = head.split(|&byte| byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    if method == b"POST" {
        return if path.ends_with(b"/containers/create") { &answers.created } else { &answers.not_found };
    }
    if path.ends_with(b"/version") {
        &answers.version
    } else if path.ends_with(b"/containers/json") {
        &answers.containers
    } else if path.ends_with(b"/json") {
        &answers.container
    } else if path.ends_with(NETWORK.as_bytes()) {
        &answers.network
    } else if path.ends_with(b"/_ping") {
        &answers.ping
    } else {
        &answers.not_found
    }
}
