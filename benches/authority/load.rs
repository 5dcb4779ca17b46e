//! Many requests over a few kept-alive connections: how many are answered in a second.
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::client::{Client, LARGE_BUFFER_BYTES};
use crate::readiness::Readiness;

/// What one connection is going to ask.
pub(crate) enum Requests {
    /// The same as often as there is time.
    Repeated(Vec<u8>),
    /// Each once, from the last: a signature is good for one request.
    OnceEach(Vec<Vec<u8>>),
}

/// What every answer must be, to the byte.
pub(crate) struct Expected<'e> {
    pub(crate) status: u64,
    pub(crate) body: &'e [u8],
}

pub(crate) struct Outcome {
    pub(crate) requests: f64,
    pub(crate) elapsed: Duration,
}

/// A connection that was answered once, and what it asks next.
pub(crate) struct Lane {
    client: Client,
    requests: Requests,
}

/// Asks once over a connection of its own, and gives the status and the body.
pub(crate) fn ask_once(address: SocketAddr, request: &[u8]) -> io::Result<(u64, Vec<u8>)> {
    let mut client = Client::connect(address, LARGE_BUFFER_BYTES)?;
    client.send(request)?;
    let mut body = Vec::new();
    let status = client.receive(|data| body.extend_from_slice(data))?;
    Ok((status, body))
}

/// Asks again on whichever connection was answered, until the time is over or one has nothing more to ask.
pub(crate) fn ask(mut lanes: Vec<Lane>, expected: &Expected<'_>, duration: Duration) -> io::Result<Outcome> {
    let mut readiness = Readiness::new()?;
    let mut ready = Vec::with_capacity(lanes.len());
    let mut by_number = Vec::new();
    for (lane, index) in lanes.iter().zip(0..) {
        readiness.add(lane.client.socket())?;
        let number = usize::try_from(lane.client.socket().as_raw_fd()).unwrap_or_default();
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
            lane.receive(expected)?;
            requests += 1.0;
            if begun.elapsed() >= duration || !lane.send()? {
                return Ok(Outcome { requests, elapsed: begun.elapsed() });
            }
        }
    }
}

impl Lane {
    /// Asks once and waits for the answer, before any clock starts.
    pub(crate) fn begin(
        address: SocketAddr,
        requests: Requests,
        expected: &Expected<'_>,
    ) -> io::Result<Self> {
        let mut lane = Self { client: Client::connect(address, LARGE_BUFFER_BYTES)?, requests };
        lane.send()?;
        lane.receive(expected)?;
        Ok(lane)
    }

    fn send(&mut self) -> io::Result<bool> {
        match &mut self.requests {
            Requests::Repeated(request) => self.client.send(request)?,
            Requests::OnceEach(requests) => match requests.pop() {
                Some(request) => self.client.send(&request)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn receive(&mut self, expected: &Expected<'_>) -> io::Result<()> {
        let (mut rest, mut is_same) = (expected.body, true);
        let status = self.client.receive(|data| match rest.split_at_checked(data.len()) {
            Some((wanted, after)) => {
                is_same &= wanted == data;
                rest = after;
            }
            None => is_same = false,
        })?;
        if status == expected.status && is_same && rest.is_empty() {
            return Ok(());
        }
        Err(io::Error::other(format!("answered {status}, and not as before the clock started")))
    }
}
