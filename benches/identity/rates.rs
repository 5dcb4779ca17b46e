//! Many requests over a few kept-alive connections: how many are answered in a second.
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::answers;
use crate::connection::{Answer, Connection};
use crate::readiness::Readiness;

/// What one connection is going to ask.
pub(crate) struct Requests {
    prepared: Vec<Vec<u8>>,
    is_repeatable: bool,
    used: usize,
}

impl Requests {
    /// The same request as often as there is time.
    pub(crate) fn repeated(request: Vec<u8>) -> Self {
        Self { prepared: vec![request], is_repeatable: true, used: 0 }
    }

    /// Each once: a signature is good for one request.
    pub(crate) fn once_each(prepared: Vec<Vec<u8>>) -> Self {
        Self { prepared, is_repeatable: false, used: 0 }
    }

    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let at = if self.is_repeatable { 0 } else { self.used };
        self.used += 1;
        self.prepared.get(at).map(Vec::as_slice)
    }
}

/// A connection that was answered once, and what it asks next.
pub(crate) struct Lane {
    pub(crate) connection: Connection,
    pub(crate) requests: Requests,
}

pub(crate) struct Outcome {
    pub(crate) requests: f64,
    pub(crate) elapsed: Duration,
}

/// Asks again on whichever connection was answered, until the time is over or one has nothing more to ask.
pub(crate) fn ask(mut lanes: Vec<Lane>, duration: Duration) -> io::Result<Outcome> {
    let mut readiness = Readiness::new()?;
    let mut ready = Vec::with_capacity(lanes.len());
    let mut by_number = Vec::new();
    for (lane, index) in lanes.iter().zip(0..) {
        let socket = lane.connection.socket();
        readiness.add(socket)?;
        let number = usize::try_from(socket.as_raw_fd()).unwrap_or_default();
        by_number.resize(by_number.len().max(number + 1), usize::MAX);
        by_number[number] = index;
    }
    let mut requests = 0.0;
    let begun = Instant::now();
    for lane in &mut lanes {
        lane.send()?;
    }
    loop {
        ready.extend(readiness.wait()?);
        for number in ready.drain(..) {
            let lane = &mut lanes[by_number[usize::try_from(number).unwrap_or_default()]];
            accept(&lane.connection.receive()?)?;
            requests += 1.0;
            if begun.elapsed() >= duration || !lane.send()? {
                return Ok(Outcome { requests, elapsed: begun.elapsed() });
            }
        }
    }
}

impl Lane {
    /// Asks once and waits for the answer, before any clock starts.
    pub(crate) fn begin(mut connection: Connection, mut requests: Requests) -> io::Result<Self> {
        let first = requests.next().ok_or_else(|| io::Error::other("nothing to ask"))?;
        accept(&connection.exchange(first)?)?;
        Ok(Self { connection, requests })
    }

    fn send(&mut self) -> io::Result<bool> {
        match self.requests.next() {
            Some(request) => self.connection.send(request).map(|()| true),
            None => Ok(false),
        }
    }
}

/// An answer must be the Engine's, to the byte.
fn accept(answer: &Answer<'_>) -> io::Result<()> {
    if answer.status == 200 && answer.body == answers::version().as_bytes() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(answer.head);
    Err(io::Error::other(format!("answered {} and not as the Engine answered: {said}", answer.status)))
}
