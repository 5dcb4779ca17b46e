//! Twenty clients that show a hashed token to an agent that has not seen it yet, all at once.
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::agents::Agent;
use crate::connection::Connection;
use crate::requests;

pub(crate) const CLIENTS: usize = 20;

pub(crate) struct Burst {
    pub(crate) clients: usize,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Clients that were let in.
    pub(crate) admitted: usize,
    /// MiB resident at most, before and after.
    pub(crate) peak: [f64; 2],
}

/// So many clients at once on a fresh agent. They are connected before the clock starts.
pub(crate) fn burst(agent: &Agent, clients: usize) -> io::Result<Burst> {
    let before = agent.peak_mebibytes()?;
    let connections: Vec<_> =
        (0..clients).map(|_| Connection::open(agent.address, None)).collect::<io::Result<_>>()?;
    let request = requests::get("/version");
    let start = Barrier::new(clients + 1);
    let (request, start) = (&request, &start);
    let (elapsed, statuses) = thread::scope(|scope| {
        let ask = |mut connection: Connection| {
            start.wait();
            connection.exchange(request).map(|answer| answer.status)
        };
        let asking: Vec<_> =
            connections.into_iter().map(|connection| scope.spawn(move || ask(connection))).collect();
        start.wait();
        let begun = Instant::now();
        let statuses: Vec<_> = asking
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked"))))
            .collect();
        (begun.elapsed(), statuses)
    });
    let statuses = statuses.into_iter().collect::<io::Result<Vec<u64>>>()?;
    let admitted = statuses.iter().filter(|&&status| status == 200).count();
    Ok(Burst { clients, elapsed, admitted, peak: [before, agent.peak_mebibytes()?] })
}
