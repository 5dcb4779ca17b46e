//! The controller's end of a WebSocket: messages are told apart and counted, and unmasked only where somebody reads.
//!
//! The library itself would unmask and look through every byte of a stream on the one thread of this controller,
//! which would then be what is measured. It is what the bare peer speaks with.
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Holds the largest message here several times over.
const BUFFER_BYTES: usize = 1024 * 1024;
/// What is read at a time by a controller that reads slowly: less than a millisecond's worth.
const SLOW_READ_BYTES: usize = 16 * 1024;
/// No single read or write takes longer unless something hangs.
pub(crate) const STALL: Duration = Duration::from_secs(20);

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const CONTROL: u8 = 8;

pub(crate) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    pace: Option<Pace>,
}

/// How fast is read.
struct Pace {
    bytes_per_second: f64,
    since: Instant,
    read: f64,
}

/// A message as it came.
pub(crate) struct Message<'l> {
    pub(crate) is_text: bool,
    mask: [u8; 4],
    masked: &'l [u8],
}

impl Message<'_> {
    pub(crate) fn len(&self) -> usize {
        self.masked.len()
    }

    /// The bytes of a part of it.
    pub(crate) fn part(&self, from: usize, to: usize) -> impl Iterator<Item = u8> {
        let to = to.min(self.masked.len());
        (from..to).map(|at| self.masked[at] ^ self.mask[at % 4])
    }

    pub(crate) fn starts_with(&self, text: &[u8]) -> bool {
        self.len() >= text.len() && self.part(0, text.len()).eq(text.iter().copied())
    }

    pub(crate) fn ends_with(&self, text: &[u8]) -> bool {
        let from = self.len().checked_sub(text.len());
        from.is_some_and(|from| self.part(from, self.len()).eq(text.iter().copied()))
    }

    pub(crate) fn whole(&self) -> Vec<u8> {
        self.part(0, self.len()).collect()
    }

    /// For whoever must say what came instead of what should have come.
    pub(crate) fn brief(&self) -> String {
        let said: Vec<u8> = self.part(0, 300).collect();
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// Where a message is in the buffer.
struct Found {
    opcode: u8,
    mask: [u8; 4],
    from: usize,
    to: usize,
}

impl Link {
    pub(crate) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, pace: None })
    }

    /// Reads no faster from now on; nothing is as fast as it can.
    pub(crate) fn read_at(&mut self, bytes_per_second: Option<f64>) {
        self.pace = bytes_per_second.map(|bytes_per_second| Pace {
            bytes_per_second,
            since: Instant::now(),
            read: 0.0,
        });
    }

    /// The next message that is no sign of life of the WebSocket's own.
    pub(crate) fn next(&mut self) -> io::Result<Message<'_>> {
        let found = loop {
            let Some(found) = self.find()? else {
                self.fill()?;
                continue;
            };
            self.start = found.to;
            if found.opcode < CONTROL {
                break found;
            }
            if found.opcode == CLOSE {
                return Err(io::Error::other("the peer said goodbye"));
            }
        };
        let Found { opcode, mask, from, to } = found;
        Ok(Message { is_text: opcode == TEXT, mask, masked: &self.buffer[from..to] })
    }

    /// A message that is here whole.
    fn find(&self) -> io::Result<Option<Found>> {
        let bytes = &self.buffer[self.start..self.end];
        let &[first, second, ..] = bytes else { return Ok(None) };
        let (opcode, is_last) = (first & 15, first & 0x80 != 0);
        let is_known = [TEXT, BINARY].contains(&opcode) || opcode >= CONTROL;
        if !is_last || !is_known || second & 0x80 == 0 {
            return Err(io::Error::other("the peer sends what no client of ours sends"));
        }
        let (length, at) = match second & 0x7f {
            126 => (bytes.get(2..4).map(number), 4),
            127 => (bytes.get(2..10).map(number), 10),
            short => (Some(usize::from(short)), 2),
        };
        let (Some(length), Some(&[a, b, c, d])) = (length, bytes.get(at..at + 4)) else { return Ok(None) };
        let (from, to) = (self.start + at + 4, self.start + at + 4 + length);
        if length + 14 > self.buffer.len() {
            return Err(io::Error::other("a message is larger than any that is measured"));
        }
        Ok((to <= self.end).then_some(Found { opcode, mask: [a, b, c, d], from, to }))
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < BUFFER_BYTES / 4 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.buffer.len() - self.end;
        let room = self.pace.as_mut().map_or(room, |pace| pace.wait(room));
        let count = self.stream.read(&mut self.buffer[self.end..self.end + room])?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(pace) = &mut self.pace {
            pace.read += count as f64;
        }
        self.end += count;
        Ok(())
    }

    /// Sends a prepared message.
    pub(crate) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)
    }

    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(&frame(text))
    }
}

impl Pace {
    /// Waits until something may be read, and says how much.
    fn wait(&mut self, room: usize) -> usize {
        let due = self.since + Duration::from_secs_f64(self.read / self.bytes_per_second);
        match due.checked_duration_since(Instant::now()) {
            Some(early) => thread::sleep(early),
            // Time in which nothing came is not made up for.
            None => (self.since, self.read) = (Instant::now(), 0.0),
        }
        room.min(SLOW_READ_BYTES)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// A text message as a server sends it.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut frame = vec![0x80 | TEXT];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => frame.push(short),
        (_, Ok(middle)) => {
            frame.push(126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}
