//! What waits to be sent, and whose turn it is.
//!
//! Whoever speaks has a lane of its own and waits when that is full: so the Engine is read no faster
//! than the controller takes. Signs of life go before everything; lanes with little to say go before
//! those with much, which share what is left, one message each in turn.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::inlet::Inlet;
use crate::clock::Deadline;
use crate::limits::{
    EDGE_CONTROL_MAX, EDGE_LANE_BYTES, EDGE_LITTLE_BYTES, EDGE_LITTLE_IN_A_ROW, STREAM_STALL_SECS,
};

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

impl Frame {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// The session is over, or nobody wants this any more, or has taken any of it for too long.
#[derive(Debug)]
pub(super) struct Gone;

pub(super) struct Outbox {
    state: Mutex<State>,
    /// A byte here wakes whoever sends.
    bell: UnixStream,
    ear: UnixStream,
}

#[derive(Default)]
struct State {
    control: VecDeque<Frame>,
    lanes: HashMap<u64, Waiting>,
    /// Lanes with something to say.
    little: VecDeque<u64>,
    much: VecDeque<u64>,
    little_in_a_row: u32,
    next: u64,
    is_closed: bool,
    /// Whoever sends waits for the bell.
    is_awaited: bool,
}

/// A lane's messages.
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// What the controller allows to be sent to it, where it counts.
    credit: Option<u64>,
    inlet: Arc<Inlet>,
    has_room: Arc<Condvar>,
    /// Its owner waits there: waking nobody costs a system call, too.
    is_awaited: bool,
    /// Its owner polls, and is to be woken when there is room.
    rings: bool,
    /// Its owner has said everything.
    is_left: bool,
}

/// A place to speak from. Drop gives it back once everything was sent.
pub(super) struct Lane {
    outbox: Arc<Outbox>,
    id: u64,
    has_room: Arc<Condvar>,
    inlet: Arc<Inlet>,
}

impl Outbox {
    pub(super) fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self { state: Mutex::default(), bell, ear })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A short message that goes before all others. Only a controller that takes nothing makes them
    /// pile up, and the session then ends.
    pub(super) fn control(&self, text: String) -> Result<(), Gone> {
        let mut state = self.lock();
        if state.is_closed || state.control.len() >= EDGE_CONTROL_MAX {
            return Err(Gone);
        }
        state.control.push_back(Frame::Text(text));
        self.wake(state);
        Ok(())
    }

    /// A lane for what answers to `inlet`; with a credit, for no more bytes than the controller allows.
    pub(super) fn lane(self: &Arc<Self>, inlet: &Arc<Inlet>, credit: Option<u64>) -> Lane {
        let (inlet, has_room) = (Arc::clone(inlet), Arc::new(Condvar::new()));
        let mut state = self.lock();
        state.next = state.next.saturating_add(1);
        let id = state.next;
        let waiting = Waiting {
            frames: VecDeque::new(),
            bytes: 0,
            credit,
            inlet: Arc::clone(&inlet),
            has_room: Arc::clone(&has_room),
            is_awaited: false,
            rings: false,
            is_left: false,
        };
        state.lanes.insert(id, waiting);
        inlet.speaks_on(id);
        drop(state);
        Lane { outbox: Arc::clone(self), id, has_room, inlet }
    }

    /// The controller takes so many bytes more on the lane of this inlet.
    pub(super) fn allow(&self, inlet: &Inlet, bytes: u64) {
        if let Some(waiting) = self.lock().lanes.get_mut(&inlet.lane())
            && let Some(credit) = &mut waiting.credit
        {
            *credit = credit.saturating_add(bytes);
            waiting.tell_owner();
        }
    }

    /// Wakes the owner of an inlet's lane, which was cancelled.
    pub(super) fn nudge(&self, inlet: &Inlet) {
        if let Some(waiting) = self.lock().lanes.get_mut(&inlet.lane()) {
            waiting.has_room.notify_all();
        }
    }

    /// The next message in turn.
    pub(super) fn take(&self) -> Option<Frame> {
        let mut state = self.lock();
        if let Some(frame) = state.control.pop_front() {
            return Some(frame);
        }
        state.take()
    }

    /// Nothing waits; from here on whoever sends something rings.
    pub(super) fn is_empty(&self) -> bool {
        let mut state = self.lock();
        let is_empty = state.control.is_empty() && state.little.is_empty() && state.much.is_empty();
        state.is_awaited = is_empty;
        is_empty
    }

    pub(super) fn has_control(&self) -> bool {
        !self.lock().control.is_empty()
    }

    /// Lets the bell rest.
    pub(super) fn hear(&self) {
        let mut rings = [0; 64];
        while matches!((&self.ear).read(&mut rings), Ok(count) if count == rings.len()) {}
    }

    /// Nothing goes out any more, and nobody waits for room.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for waiting in state.lanes.values_mut() {
            waiting.frames.clear();
            waiting.has_room.notify_all();
        }
        state.control.clear();
        state.little.clear();
        state.much.clear();
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        if is_awaited {
            // A bell that rings already need not ring again.
            let _ = (&self.bell).write(&[1]);
        }
    }
}

impl AsFd for Outbox {
    /// Readable once the bell rang.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}

impl State {
    fn take(&mut self) -> Option<Frame> {
        let is_muchs_turn = self.little_in_a_row >= EDGE_LITTLE_IN_A_ROW && !self.much.is_empty();
        let id = if is_muchs_turn || self.little.is_empty() {
            self.little_in_a_row = 0;
            self.much.pop_front()?
        } else {
            self.little_in_a_row = self.little_in_a_row.saturating_add(1);
            self.little.pop_front()?
        };
        let waiting = self.lanes.get_mut(&id)?;
        let frame = waiting.frames.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(frame.len());
        if waiting.bytes < EDGE_LANE_BYTES {
            waiting.tell_owner();
        }
        if waiting.frames.is_empty() {
            if waiting.is_left {
                self.lanes.remove(&id);
            }
        } else if waiting.bytes <= EDGE_LITTLE_BYTES {
            self.little.push_back(id);
        } else {
            self.much.push_back(id);
        }
        Some(frame)
    }

    fn put(&mut self, id: u64, frame: Frame) -> Result<(), Gone> {
        let waiting = self.lanes.get_mut(&id).ok_or(Gone)?;
        let was_empty = waiting.frames.is_empty();
        waiting.bytes = waiting.bytes.saturating_add(frame.len());
        waiting.frames.push_back(frame);
        if was_empty && waiting.bytes <= EDGE_LITTLE_BYTES {
            self.little.push_back(id);
        } else if was_empty {
            self.much.push_back(id);
        }
        Ok(())
    }
}

impl Waiting {
    fn tell_owner(&mut self) {
        if std::mem::take(&mut self.is_awaited) {
            self.has_room.notify_all();
        }
        if std::mem::take(&mut self.rings) {
            self.inlet.ring();
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= EDGE_LANE_BYTES
    }
}

impl Lane {
    /// Waits for room. A message of any size goes where there is some.
    pub(super) fn send(&self, frame: Frame) -> Result<(), Gone> {
        let mut state = self.wait(|waiting| waiting.is_full())?;
        state.put(self.id, frame)?;
        self.outbox.wake(state);
        Ok(())
    }

    /// Sends even where there is no room: for the one message that ends what was said.
    pub(super) fn end(&self, frame: Frame) -> Result<(), Gone> {
        let mut state = self.outbox.lock();
        if state.is_closed {
            return Err(Gone);
        }
        state.put(self.id, frame)?;
        self.outbox.wake(state);
        Ok(())
    }

    /// Waits until some content may be sent: how much, at most `most`.
    pub(super) fn allowance(&self, most: usize) -> Result<usize, Gone> {
        let mut state = self.wait(|waiting| waiting.is_full() || waiting.credit == Some(0))?;
        Ok(state.lanes.get_mut(&self.id).map_or(0, |waiting| waiting.spend(most)))
    }

    /// How much content may be sent just now; where it is none, the inlet's bell rings once it is some.
    pub(super) fn allowance_now(&self, most: usize) -> Result<usize, Gone> {
        let mut state = self.outbox.lock();
        if state.is_closed || self.inlet.is_cancelled() {
            return Err(Gone);
        }
        let waiting = state.lanes.get_mut(&self.id).ok_or(Gone)?;
        if waiting.is_full() || waiting.credit == Some(0) {
            waiting.rings = true;
            return Ok(0);
        }
        Ok(waiting.spend(most))
    }

    fn wait(&self, is_blocked: impl Fn(&Waiting) -> bool) -> Result<MutexGuard<'_, State>, Gone> {
        let deadline = Deadline::after_secs(STREAM_STALL_SECS);
        let mut state = self.outbox.lock();
        loop {
            if deadline.passed() || state.is_closed || self.inlet.is_cancelled() {
                return Err(Gone);
            }
            let waiting = state.lanes.get_mut(&self.id).ok_or(Gone)?;
            if !is_blocked(waiting) {
                return Ok(state);
            }
            waiting.is_awaited = true;
            // Whoever cancels may do so between the look and the wait.
            let waited = self.has_room.wait_timeout(state, Duration::from_secs(1));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Waiting {
    fn spend(&mut self, most: usize) -> usize {
        let Some(credit) = &mut self.credit else { return most };
        let spent = most.min(usize::try_from(*credit).unwrap_or(usize::MAX));
        *credit = credit.saturating_sub(u64::try_from(spent).unwrap_or(u64::MAX));
        spent
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut state = self.outbox.lock();
        match state.lanes.get_mut(&self.id) {
            Some(waiting) if !waiting.frames.is_empty() => waiting.is_left = true,
            _ => drop(state.lanes.remove(&self.id)),
        }
    }
}

#[cfg(test)]
mod tests;
