//! Follows a chunked body to its end, passing over the data without looking at it.
use std::io;

/// Where in the body we are.
pub(crate) struct Chunks {
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The digits of a size so far.
    Size(u64),
    /// Between a size and the end of its line.
    SizeEnd(u64),
    /// So many bytes of data remain.
    Data(u64),
    /// The line end after data.
    DataEnd,
    /// A line after the last chunk; whether it is empty so far.
    Trailer(bool),
    Done,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { state: State::Size(0) }
    }

    pub(crate) fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what belongs to the body, hands its data on, and says how many bytes were taken.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data(left) = self.state {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                data(&bytes[at..at + count]);
                at += count;
                let left = left - count as u64;
                self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                continue;
            }
            if self.done() {
                break;
            }
            self.state = self.after(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    /// The state after one byte of framing.
    fn after(&self, byte: u8) -> io::Result<State> {
        Ok(match (self.state, byte) {
            (State::Size(size), b'\r' | b';') => State::SizeEnd(size),
            (State::Size(size), digit) => {
                let digit = char::from(digit)
                    .to_digit(16)
                    .ok_or_else(|| io::Error::other("a chunk size is not a number"))?;
                State::Size(size * 16 + u64::from(digit))
            }
            (State::SizeEnd(0), b'\n') => State::Trailer(true),
            (State::SizeEnd(size), b'\n') => State::Data(size),
            (State::SizeEnd(size), _) => State::SizeEnd(size),
            (State::DataEnd, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size(0),
            (State::DataEnd, _) => return Err(io::Error::other("a chunk is longer than its size")),
            (State::Trailer(true), b'\n') => State::Done,
            (State::Trailer(empty), b'\r') => State::Trailer(empty),
            (State::Trailer(_), byte) => State::Trailer(byte == b'\n'),
            (State::Data(left), _) => State::Data(left),
            (State::Done, _) => State::Done,
        })
    }
}
