//! Many requests over kept-alive connections, or over a new one each: rates and latencies.
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, Door};
use crate::readiness::Readiness;

/// One thread asks over so many connections. More threads would only take the processor from the proxy:
/// with one each, 64 connections reached a third less straight to the Engine.
const CONNECTIONS_PER_THREAD_MAX: usize = 32;
/// Threads that open connections: opening blocks, so one thread would measure latency and not capacity.
const OPENING_THREADS: usize = 8;

/// What to ask, and for how long.
pub(crate) struct Load<'a> {
    pub(crate) request: &'a [u8],
    pub(crate) bytes_expected: u64,
    pub(crate) buffer_bytes: usize,
    pub(crate) duration: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    elapsed: Duration,
    /// Nanoseconds of each request, sorted.
    latencies: Vec<u64>,
}

impl Outcome {
    pub(crate) fn requests(&self) -> f64 {
        self.latencies.len() as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.requests() / self.elapsed.as_secs_f64()
    }

    /// The microseconds within which this share of the requests was answered.
    pub(crate) fn within(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get((last as f64 * share) as usize)
            .map_or(f64::NAN, |&nanoseconds| nanoseconds as f64 / 1e3)
    }
}

/// Connections that have made a request each and now wait: opened before any clock starts.
pub(crate) fn open(door: &Door, count: usize, load: &Load<'_>) -> io::Result<Vec<Client>> {
    (0..count)
        .map(|_| {
            let mut client = Client::connect(door, load.buffer_bytes)?;
            client.exchange(load.request, load.bytes_expected)?;
            Ok(client)
        })
        .collect()
}

/// Asks over kept-alive connections, one request at a time on each.
pub(crate) fn keep_alive(mut clients: Vec<Client>, load: &Load<'_>) -> io::Result<Outcome> {
    let mut lanes = Vec::new();
    while !clients.is_empty() {
        lanes.push(clients.split_off(clients.len().saturating_sub(CONNECTIONS_PER_THREAD_MAX)));
    }
    together(lanes, |lane| ask_in_turn(lane, load))
}

/// Asks again on whichever connection was answered.
fn ask_in_turn(clients: Vec<Client>, load: &Load<'_>) -> io::Result<Vec<u64>> {
    let mut latencies = Vec::with_capacity(256 * 1024);
    let mut readiness = Readiness::new()?;
    let mut ready = Vec::with_capacity(clients.len());
    let mut by_number = Vec::new();
    let begun = Instant::now();
    for mut client in clients {
        readiness.add(client.socket())?;
        client.send(load.request)?;
        let index = usize::try_from(client.socket().as_raw_fd()).unwrap_or_default();
        if by_number.len() <= index {
            by_number.resize_with(index + 1, || None);
        }
        by_number[index] = Some((client, begun));
    }
    loop {
        ready.extend(readiness.wait()?);
        for number in ready.drain(..) {
            let index = usize::try_from(number).unwrap_or_default();
            let Some((client, sent)) = by_number.get_mut(index).and_then(Option::as_mut) else { continue };
            client.receive_expected(load.bytes_expected)?;
            let now = Instant::now();
            latencies.push((now - *sent).as_nanos() as u64);
            if now - begun >= load.duration {
                return Ok(latencies);
            }
            *sent = now;
            client.send(load.request)?;
        }
    }
}

/// Opens a connection for each request; the peer closes it after the answer.
pub(crate) fn new_connections(door: &Door, load: &Load<'_>) -> io::Result<Outcome> {
    together(vec![(); OPENING_THREADS], |()| {
        let mut latencies = Vec::with_capacity(16 * 1024);
        let until = Instant::now() + load.duration;
        loop {
            let begun = Instant::now();
            let mut client = Client::connect(door, load.buffer_bytes)?;
            client.exchange(load.request, load.bytes_expected)?;
            client.receive_end()?;
            let now = Instant::now();
            latencies.push((now - begun).as_nanos() as u64);
            if now >= until {
                return Ok(latencies);
            }
        }
    })
}

/// Starts the work of all lanes at once, and takes the time until the last one ends.
fn together<T: Send>(lanes: Vec<T>, work: impl Fn(T) -> io::Result<Vec<u64>> + Sync) -> io::Result<Outcome> {
    let start = Barrier::new(lanes.len() + 1);
    let (start, work) = (&start, &work);
    thread::scope(|scope| {
        let ask = |lane| {
            start.wait();
            work(lane)
        };
        let workers: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || ask(lane))).collect();
        start.wait();
        let begun = Instant::now();
        let mut latencies = Vec::new();
        for worker in workers {
            let mut more = worker.join().map_err(|_| io::Error::other("a thread of the load panicked"))??;
            latencies.append(&mut more);
        }
        let elapsed = begun.elapsed();
        latencies.sort_unstable();
        Ok(Outcome { elapsed, latencies })
    })
}
