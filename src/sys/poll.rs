//! Wait for any of these descriptors, or a deadline.
#![expect(unsafe_code, reason = "poll(2) has no safe binding in the standard library")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::clock::Deadline;

/// A descriptor and what is wanted of it; after [`wait`], what it has.
#[repr(transparent)]
pub(crate) struct Watch<'fd> {
    entry: libc::pollfd,
    descriptor: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> Watch<'fd> {
    fn new(fd: &'fd impl AsFd, events: i16) -> Self {
        let fd = fd.as_fd().as_raw_fd();
        Self { entry: libc::pollfd { fd, events, revents: 0 }, descriptor: PhantomData }
    }

    /// Bytes to read, or the end of them.
    pub(crate) fn readable(fd: &'fd impl AsFd) -> Self {
        Self::new(fd, libc::POLLIN)
    }

    /// The peer ended its side, however many bytes are still unread.
    pub(crate) fn departure(fd: &'fd impl AsFd) -> Self {
        Self::new(fd, libc::POLLRDHUP)
    }

    /// Readable, writable, both, or only broken.
    pub(crate) fn when(fd: &'fd impl AsFd, readable: bool, writable: bool) -> Self {
        let read = if readable { libc::POLLIN } else { 0 };
        let write = if writable { libc::POLLOUT } else { 0 };
        Self::new(fd, read | write)
    }

    /// The connection is over in both directions, or failed.
    pub(crate) fn breakage(fd: &'fd impl AsFd) -> Self {
        Self::new(fd, 0)
    }

    /// A place in the row that never becomes ready.
    pub(crate) fn nothing() -> Self {
        Self { entry: libc::pollfd { fd: -1, events: 0, revents: 0 }, descriptor: PhantomData }
    }

    /// Anything that was asked for, or an error.
    pub(crate) fn is_ready(&self) -> bool {
        self.entry.revents != 0
    }

    /// A read gives bytes, the end, or an error; it does not wait.
    pub(crate) fn can_read(&self) -> bool {
        self.entry.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
    }

    /// Both directions are over: nothing that is written arrives.
    pub(crate) fn is_broken(&self) -> bool {
        self.entry.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
    }
}

/// Waits until one of `watches` is ready; false when the deadline passed first.
pub(crate) fn wait(watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<bool> {
    loop {
        let timeout = deadline.left().map_or(-1, millis);
        let count = libc::nfds_t::try_from(watches.len()).unwrap_or(libc::nfds_t::MAX);
        // SAFETY: `Watch` is a transparent `pollfd`, the slice holds exactly `count` of them and is
        // borrowed mutably for the call; each descriptor is borrowed for as long as its `Watch`.
        let ready = unsafe { libc::poll(watches.as_mut_ptr().cast::<libc::pollfd>(), count, timeout) };
        match ready {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => {}
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Rounded up, so that a wait never ends before its deadline and spins.
fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_silent_peer_lets_the_deadline_pass() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert!(!wait(&mut [Watch::readable(&here)], Deadline::after(Duration::from_millis(1))).unwrap());
    }

    #[test]
    fn bytes_wake_a_reader_and_only_departure_wakes_the_other() {
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(b"x").unwrap();
        let mut watches = [Watch::readable(&here), Watch::departure(&here)];
        assert!(wait(&mut watches, Deadline::NEVER).unwrap());
        assert!(watches[0].can_read() && !watches[1].is_ready());
        drop(there);
        let mut watches = [Watch::departure(&here)];
        assert!(wait(&mut watches, Deadline::NEVER).unwrap());
        assert!(watches[0].is_ready() && watches[0].is_broken());
    }

    #[test]
    fn dropping_one_end_wakes_every_waiter() {
        let (here, there) = UnixStream::pair().unwrap();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..20)
                .map(|_| scope.spawn(|| wait(&mut [Watch::readable(&here)], Deadline::after_secs(60))))
                .collect();
            drop(there);
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap().unwrap()));
        });
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::MAX), i32::MAX);
    }
}
