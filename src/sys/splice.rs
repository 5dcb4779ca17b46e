//! Bytes from socket to socket without a copy.
#![expect(unsafe_code, reason = "splice(2) and pipe2(2) have no safe binding in the standard library")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use crate::limits::SPLICE_BYTES;

/// A pipe the kernel moves bytes through; what went in and has not come out is in `held`.
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

impl Pipe {
    pub(crate) fn new() -> io::Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: the array has room for the two descriptors the call writes.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let [reader, writer] = ends;
        // SAFETY: the call above just opened both and nothing else owns them.
        let (reader, writer) = unsafe { (OwnedFd::from_raw_fd(reader), OwnedFd::from_raw_fd(writer)) };
        let size = i32::try_from(SPLICE_BYTES).unwrap_or(i32::MAX);
        // SAFETY: the descriptor is owned. A refusal leaves the pipe at its default size, which
        // only makes more turns.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, size) };
        Ok(Self { reader, writer, held: 0 })
    }

    /// Bytes that went in and have not come out.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes up to `most` bytes from `source` without waiting; 0 is its end.
    pub(crate) fn fill(&mut self, source: &impl AsFd, most: u64) -> io::Result<usize> {
        let most = usize::try_from(most).unwrap_or(SPLICE_BYTES).min(SPLICE_BYTES);
        let moved = splice(source, &self.writer, most, libc::SPLICE_F_NONBLOCK)?;
        self.held = self.held.saturating_add(moved);
        Ok(moved)
    }

    /// Gives what is held to `sink`, as much as it takes; waits as long as that socket's own
    /// write deadline.
    pub(crate) fn drain(&mut self, sink: &impl AsFd, more_follows: bool) -> io::Result<usize> {
        let flags = if more_follows { libc::SPLICE_F_MORE } else { 0 };
        let moved = splice(&self.reader, sink, self.held, flags)?;
        self.held = self.held.saturating_sub(moved);
        Ok(moved)
    }
}

fn splice(from: &impl AsFd, to: &impl AsFd, most: usize, flags: u32) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    // SAFETY: both descriptors are borrowed through the call; the two offsets may be null and must
    // be for sockets and pipes.
    let moved = unsafe {
        libc::splice(from, std::ptr::null_mut(), to, std::ptr::null_mut(), most, libc::SPLICE_F_MOVE | flags)
    };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_arrive_whole_and_the_end_is_seen() {
        let (mut source, from) = UnixStream::pair().unwrap();
        let (to, mut sink) = UnixStream::pair().unwrap();
        source.write_all(b"hello engine").unwrap();
        drop(source);
        let mut pipe = Pipe::new().unwrap();
        assert_eq!(pipe.fill(&from, 5).unwrap(), 5);
        assert_eq!(pipe.drain(&to, true).unwrap(), 5);
        assert_eq!(pipe.fill(&from, u64::MAX).unwrap(), 7);
        assert_eq!((pipe.held(), pipe.drain(&to, false).unwrap(), pipe.held()), (7, 7, 0));
        assert_eq!(pipe.fill(&from, 1).unwrap(), 0);
        drop(to);
        let mut text = String::new();
        sink.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello engine");
    }

    #[test]
    fn an_empty_source_says_would_block() {
        let (_source, from) = UnixStream::pair().unwrap();
        let error = Pipe::new().unwrap().fill(&from, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
