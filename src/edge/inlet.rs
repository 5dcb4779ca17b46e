//! What the controller sends to one call or command: in order, bounded, and its word to stop.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::limits::{EDGE_BELLS_KEPT, EDGE_CHUNK_BYTES, EDGE_INPUT_BYTES_MAX, EDGE_INPUTS_MAX};
use crate::shared::Shared;

/// One thing that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Data(Vec<u8>),
    Resize {
        cols: u16,
        rows: u16,
    },
    /// Nothing more comes.
    End,
}

/// Where it arrives. Its socket is readable once something did, and ends when it was cancelled: for
/// whoever waits on it, it is the socket of a client.
pub(super) struct Inlet {
    waiting: Shared<Waiting>,
    cancelled: OnceLock<Cause>,
    /// The credential that its call was admitted with; 0 before.
    mark: AtomicU64,
    lane: AtomicU64,
    pair: Arc<Pair>,
    bells: Arc<Bells>,
    /// Something happened to its sockets: nobody else may have them.
    was_rung: AtomicBool,
}

/// What is rung, and what hears it.
struct Pair {
    bell: UnixStream,
    ear: UnixStream,
}

/// Bells that were never rung, for the next ones: each takes five system calls to make and to close, and few are
/// ever needed.
pub(super) struct Bells(Shared<Vec<Arc<Pair>>>);

impl Default for Bells {
    fn default() -> Self {
        Self(Shared::new(Vec::new()))
    }
}

impl Bells {
    fn take(&self) -> io::Result<Arc<Pair>> {
        if let Some(pair) = self.0.with(Vec::pop) {
            return Ok(pair);
        }
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Arc::new(Pair { bell, ear }))
    }

    fn give_back(&self, pair: &Arc<Pair>) {
        self.0.with(|pairs| {
            if pairs.len() < EDGE_BELLS_KEPT {
                pairs.push(Arc::clone(pair));
            }
        });
    }
}

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    bytes: usize,
    has_ended: bool,
}

/// Why nobody wants it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The controller said so.
    Asked,
    /// It sent more than was allowed.
    Overflow,
    /// The session is over, or the credential.
    Ended,
}

/// More came than may wait, or something behind the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Inlet {
    pub(super) fn new(bells: &Arc<Bells>) -> io::Result<Self> {
        Ok(Self {
            waiting: Shared::new(Waiting::default()),
            cancelled: OnceLock::new(),
            mark: AtomicU64::new(0),
            lane: AtomicU64::new(0),
            pair: bells.take()?,
            bells: Arc::clone(bells),
            was_rung: AtomicBool::new(false),
        })
    }

    /// Its call was admitted with this credential.
    pub(super) fn admitted(&self, mark: u64) {
        self.mark.store(mark, Ordering::SeqCst);
    }

    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Ordering::SeqCst)
    }

    /// Which lane of the outbox answers.
    pub(super) fn speaks_on(&self, lane: u64) {
        self.lane.store(lane, Ordering::SeqCst);
    }

    pub(super) fn lane(&self) -> u64 {
        self.lane.load(Ordering::SeqCst)
    }

    pub(super) fn put(&self, input: Input) -> Result<(), Overflow> {
        let length = if let Input::Data(data) = &input { data.len() } else { 0 };
        self.waiting.with(|waiting| {
            let bytes = waiting.bytes.saturating_add(length);
            let is_too_much = bytes > EDGE_INPUT_BYTES_MAX || waiting.inputs.len() >= EDGE_INPUTS_MAX;
            if waiting.has_ended || is_too_much {
                return Err(Overflow);
            }
            waiting.has_ended = input == Input::End;
            waiting.bytes = bytes;
            match (waiting.inputs.back_mut(), input) {
                // One key stroke a message must not take a place each.
                (Some(Input::Data(last)), Input::Data(data)) if last.len() < EDGE_CHUNK_BYTES => {
                    last.extend_from_slice(&data);
                }
                (_, input) => waiting.inputs.push_back(input),
            }
            Ok(())
        })?;
        self.ring();
        Ok(())
    }

    /// The next in turn.
    pub(super) fn take(&self) -> Option<Input> {
        self.waiting.with(|waiting| {
            let input = waiting.inputs.pop_front();
            if let Some(Input::Data(data)) = &input {
                waiting.bytes = waiting.bytes.saturating_sub(data.len());
            }
            input
        })
    }

    /// Nothing is left to take.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.with(|waiting| waiting.inputs.is_empty())
    }

    /// Whether the end was put.
    pub(super) fn has_ended(&self) -> bool {
        self.waiting.with(|waiting| waiting.has_ended)
    }

    /// Wakes whoever waits on the socket.
    pub(super) fn ring(&self) {
        self.was_rung.store(true, Ordering::SeqCst);
        // A bell that rings already need not ring again.
        let _ = (&self.pair.bell).write(&[1]);
    }

    /// Lets the bell rest.
    pub(super) fn hear(&self) {
        let mut rings = [0; 64];
        while matches!((&self.pair.ear).read(&mut rings), Ok(count) if count == rings.len()) {}
    }

    /// Nobody wants it any more.
    pub(super) fn cancel(&self, cause: Cause) {
        // The first cause is the one.
        let _ = self.cancelled.set(cause);
        self.was_rung.store(true, Ordering::SeqCst);
        // Ends the socket; one that ended before is as good.
        let _ = self.pair.bell.shutdown(Shutdown::Both);
    }

    pub(super) fn cancelled(&self) -> Option<Cause> {
        self.cancelled.get().copied()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled().is_some()
    }
}

impl AsFd for Inlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pair.ear.as_fd()
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if !self.was_rung.load(Ordering::SeqCst) {
            self.bells.give_back(&self.pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::clock::Deadline;
    use crate::sys::poll::{Watch, wait};

    fn rings(inlet: &Inlet) -> bool {
        wait(&mut [Watch::readable(inlet)], Deadline::after_secs(0)).unwrap()
    }

    #[test]
    fn sockets_that_nothing_happened_to_serve_again_and_no_others() {
        let bells = Arc::new(Bells::default());
        let kept = || bells.0.with(|pairs| pairs.len());
        let quiet = Inlet::new(&bells).unwrap();
        let socket = quiet.as_fd().as_raw_fd();
        drop(quiet);
        assert_eq!(kept(), 1);
        let again = Inlet::new(&bells).unwrap();
        assert_eq!((again.as_fd().as_raw_fd(), kept()), (socket, 0));
        again.put(Input::Data(vec![1])).unwrap();
        again.hear();
        drop(again);
        let cancelled = Inlet::new(&bells).unwrap();
        cancelled.cancel(Cause::Asked);
        drop(cancelled);
        assert_eq!(kept(), 0, "what was rung or ended is closed");
        drop((0..=EDGE_BELLS_KEPT).map(|_| Inlet::new(&bells).unwrap()).collect::<Vec<_>>());
        assert_eq!(kept(), EDGE_BELLS_KEPT);
    }

    #[test]
    fn what_comes_is_taken_in_its_order_and_nothing_comes_behind_the_end() {
        let inlet = Inlet::new(&Arc::default()).unwrap();
        assert!(!rings(&inlet));
        inlet.put(Input::Data(b"ls\n".to_vec())).unwrap();
        inlet.put(Input::Resize { cols: 80, rows: 24 }).unwrap();
        inlet.put(Input::End).unwrap();
        assert_eq!(inlet.put(Input::Data(b"x".to_vec())), Err(Overflow));
        assert!(rings(&inlet) && inlet.has_ended());
        inlet.hear();
        assert!(!rings(&inlet));
        assert_eq!(inlet.take(), Some(Input::Data(b"ls\n".to_vec())));
        assert_eq!(inlet.take(), Some(Input::Resize { cols: 80, rows: 24 }));
        assert_eq!((inlet.take(), inlet.take()), (Some(Input::End), None));
    }

    #[test]
    fn more_than_may_wait_is_refused_whether_it_is_many_or_large() {
        let inlet = Inlet::new(&Arc::default()).unwrap();
        for cols in 0..u16::try_from(EDGE_INPUTS_MAX).unwrap() {
            inlet.put(Input::Resize { cols, rows: 1 }).unwrap();
        }
        assert_eq!(inlet.put(Input::Data(Vec::new())), Err(Overflow));
        let inlet = Inlet::new(&Arc::default()).unwrap();
        inlet.put(Input::Data(vec![0; EDGE_INPUT_BYTES_MAX])).unwrap();
        assert_eq!(inlet.put(Input::Data(vec![0])), Err(Overflow));
        assert!(inlet.take().is_some());
        inlet.put(Input::Data(vec![0])).unwrap();
    }

    #[test]
    fn key_strokes_that_wait_take_one_place() {
        let inlet = Inlet::new(&Arc::default()).unwrap();
        for _ in 0..EDGE_INPUTS_MAX * 2 {
            inlet.put(Input::Data(b"x".to_vec())).unwrap();
        }
        assert_eq!(inlet.take(), Some(Input::Data(vec![b'x'; EDGE_INPUTS_MAX * 2])));
        assert_eq!(inlet.take(), None);
    }

    #[test]
    fn who_waits_on_its_socket_sees_a_client_that_leaves() {
        let inlet = Inlet::new(&Arc::default()).unwrap();
        assert!(!wait(&mut [Watch::departure(&inlet)], Deadline::after_secs(0)).unwrap());
        inlet.cancel(Cause::Overflow);
        inlet.cancel(Cause::Ended);
        assert_eq!(inlet.cancelled(), Some(Cause::Overflow));
        assert!(wait(&mut [Watch::departure(&inlet)], Deadline::after_secs(0)).unwrap());
    }
}
