//! The agent's end: drop one end of a pair, and every wait ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::shared::Shared;

/// Whether the agent is ending. Waits that may be long poll it beside their own descriptors.
#[derive(Clone)]
pub(crate) struct Shutdown(Arc<Bell>);

struct Bell {
    rung: AtomicBool,
    reader: UnixStream,
    writer: Shared<Option<UnixStream>>,
}

impl Shutdown {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        Ok(Self(Arc::new(Bell { rung: AtomicBool::new(false), reader, writer: Shared::new(Some(writer)) })))
    }

    pub(crate) fn begin(&self) {
        self.0.rung.store(true, Ordering::SeqCst);
        self.0.writer.with(|writer| *writer = None);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.rung.load(Ordering::SeqCst)
    }
}

impl AsFd for Shutdown {
    /// Readable once it has begun.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Deadline;
    use crate::sys::poll::{Watch, wait};

    #[test]
    fn the_beginning_wakes_every_wait_and_stays() {
        let shutdown = Shutdown::new().unwrap();
        assert!(!shutdown.has_begun());
        let other = shutdown.clone();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(move || wait(&mut [Watch::readable(&other)], Deadline::after_secs(60)));
            shutdown.begin();
            assert!(waiter.join().unwrap().unwrap());
        });
        assert!(shutdown.has_begun());
        assert!(wait(&mut [Watch::readable(&shutdown)], Deadline::after_secs(60)).unwrap());
    }
}
