//! A connection together with what it received and nobody has read yet.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};

use super::Conn;
use crate::clock::Deadline;
use crate::http;
use crate::limits::{BODY_BUFFER_BYTES, WRITE_STALL_SECS};

/// A connection and its received bytes. Its memory is taken when something is received and given
/// back when the connection falls idle.
pub(crate) struct Wire {
    pub(crate) conn: Conn,
    space: Box<[u8]>,
    spare: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes there shall be room for.
    wanted: usize,
    /// What follows is the rest of a body nobody read.
    is_mid_body: bool,
}

impl Wire {
    pub(crate) fn new(conn: Conn, wanted: usize) -> Self {
        Self {
            conn,
            space: Box::default(),
            spare: Box::default(),
            start: 0,
            end: 0,
            wanted,
            is_mid_body: false,
        }
    }

    pub(crate) fn received(&self) -> &[u8] {
        self.space.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn received_mut(&mut self) -> &mut [u8] {
        self.space.get_mut(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Receives once, making room first; 0 is the peer's end, an error may be a tick.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        let held = self.end.saturating_sub(self.start);
        if self.space.len() < self.wanted || held == self.space.len() {
            // Beyond what is wanted only for a head, which must be had whole.
            let len = self.wanted.max(held.saturating_mul(2));
            self.replace(vec![0; len].into_boxed_slice());
        } else if self.end == self.space.len() {
            self.space.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        let room = self.space.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.conn.read(room) {
                Ok(count) => {
                    if count == room.len() {
                        // More waits: whoever sends much is given more room.
                        self.wanted =
                            self.space.len().saturating_mul(4).min(BODY_BUFFER_BYTES).max(self.wanted);
                    }
                    self.end = self.end.saturating_add(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the first `count` bytes out, as the front of the memory they lie in. What follows
    /// them stays received.
    pub(crate) fn take(&mut self, count: usize) -> (Box<[u8]>, std::ops::Range<usize>) {
        let taken = self.start..self.start.saturating_add(count).min(self.end);
        self.start = taken.end;
        let mut next = std::mem::take(&mut self.spare);
        let held = self.end.saturating_sub(self.start);
        if taken.len() < held {
            // What follows is longer, as content behind a head: it stays where it is, and the head is copied.
            let head = self.space.get(taken).unwrap_or_default();
            if next.len() < head.len() {
                next = vec![0; head.len()].into_boxed_slice();
            }
            if let Some(front) = next.get_mut(..head.len()) {
                front.copy_from_slice(head);
            }
            return (next, 0..head.len());
        }
        if next.len() < held {
            next = vec![0; self.wanted.max(held)].into_boxed_slice();
        }
        (self.replace(next), taken)
    }

    /// Gives memory of [`Self::take`] back for the next time.
    pub(crate) fn give_back(&mut self, space: Box<[u8]>) {
        if self.space.is_empty() {
            self.space = space;
        } else {
            self.spare = space;
        }
    }

    /// Moves what is held into other memory.
    fn replace(&mut self, mut space: Box<[u8]>) -> Box<[u8]> {
        let held = self.space.get(self.start..self.end).unwrap_or_default();
        if let Some(front) = space.get_mut(..held.len()) {
            front.copy_from_slice(held);
        }
        (self.start, self.end) = (0, held.len());
        std::mem::replace(&mut self.space, space)
    }

    /// Asks for at least that much room from now on.
    pub(crate) fn want(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// What follows is the rest of a body nobody read, not a new message.
    pub(crate) fn is_mid_body(&self) -> bool {
        self.is_mid_body
    }

    /// Gives all memory back, if nothing is held in it.
    pub(crate) fn release(&mut self) {
        if self.start == self.end {
            (self.space, self.spare) = (Box::default(), Box::default());
        }
    }

    /// Nothing is held here, but TLS holds bytes the socket knows nothing of.
    pub(crate) fn has_decrypted(&mut self) -> bool {
        self.start == self.end && self.conn.is_buffered()
    }

    /// Bytes can be read without waiting on the socket.
    pub(crate) fn is_buffered(&mut self) -> bool {
        self.start < self.end || self.conn.is_buffered()
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.conn.as_fd()
    }
}

impl http::Source for Wire {
    fn received(&self) -> &[u8] {
        self.received()
    }

    fn consume(&mut self, count: usize) {
        self.consume(count);
    }

    fn receive(&mut self) -> io::Result<usize> {
        self.receive()
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.conn.as_fd()
    }

    fn is_buffered(&mut self) -> bool {
        self.is_buffered()
    }

    fn is_plain(&self) -> bool {
        self.conn.is_plain()
    }

    fn go_ahead(&mut self) -> io::Result<()> {
        self.conn.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", Deadline::after_secs(WRITE_STALL_SECS))
    }

    fn leave(&mut self, at_end: bool) {
        self.is_mid_body = !at_end;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn pair(wanted: usize) -> (Wire, UnixStream) {
        let place = std::env::temp_dir().join(format!("lookout-wire-{}-{wanted}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        let listener = UnixListener::bind(&place).unwrap();
        let conn = Conn::unix(&place).unwrap();
        std::fs::remove_file(&place).unwrap();
        (Wire::new(conn, wanted), listener.accept().unwrap().0)
    }

    #[test]
    fn what_follows_a_taken_head_stays_received() {
        let (mut wire, mut peer) = pair(16);
        peer.write_all(b"head:body").unwrap();
        assert_eq!(wire.receive().unwrap(), 9);
        let (space, range) = wire.take(5);
        assert_eq!((&space[range], wire.received()), (&b"head:"[..], &b"body"[..]));
        wire.consume(4);
        wire.give_back(space);
        peer.write_all(b"next").unwrap();
        wire.receive().unwrap();
        assert_eq!(wire.received(), b"next");
    }

    #[test]
    fn room_grows_only_while_what_comes_fills_it() {
        let (mut wire, mut peer) = pair(8);
        peer.write_all(&[b'x'; 40]).unwrap();
        for held in [8, 32, 40] {
            wire.receive().unwrap();
            assert_eq!(wire.received().len(), held);
        }
        wire.consume(40);
        wire.release();
        assert!(wire.space.is_empty() && wire.received().is_empty());
    }
}
