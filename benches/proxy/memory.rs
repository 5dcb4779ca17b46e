//! What a freshly started peer holds: idle, with idle connections, with followed logs.
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::answers::LOG_LINE;
use crate::client::{Client, SMALL_BUFFER_BYTES};
use crate::peers::Peer;
use crate::process::{self, Memory};
use crate::requests;

/// How many connections a difference is divided by.
pub(crate) const CONNECTIONS: usize = 1000;

/// Idle means that nothing has changed for so long: what a peer gives back after a moment, it does not hold.
const QUIET: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What a peer holds once it does nothing any more.
pub(crate) fn settled(peer: &Peer) -> io::Result<Memory> {
    settle(|| process::memory(&peer.processes()?))
}

/// The same of whatever tells what it holds.
pub(crate) fn settle(told: impl Fn() -> io::Result<Memory>) -> io::Result<Memory> {
    let begun = Instant::now();
    let mut held = told()?;
    let mut since = begun;
    while since.elapsed() < QUIET {
        thread::sleep(PAUSE);
        let now = told()?;
        if now.resident != held.resident {
            (held, since) = (now, Instant::now());
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("the memory of an idle peer does not settle"));
        }
    }
    Ok(held)
}

/// KiB for each of many connections that have made one request and now wait.
pub(crate) fn per_idle_connection(peer: &Peer, bytes_expected: u64) -> io::Result<f64> {
    let request = requests::get("/version");
    per_connection(peer, |client| client.exchange(&request, bytes_expected))
}

/// KiB for each of many logs that are followed and have sent their first line.
pub(crate) fn per_followed_log(peer: &Peer) -> io::Result<f64> {
    let request = requests::get("/containers/target/logs?follow=1&stdout=1");
    per_connection(peer, |client| {
        client.send(&request)?;
        client.receive_beginning(LOG_LINE)
    })
}

fn per_connection(peer: &Peer, mut begin: impl FnMut(&mut Client) -> io::Result<()>) -> io::Result<f64> {
    let before = settled(peer)?;
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(&peer.door, SMALL_BUFFER_BYTES)?;
        begin(&mut client)?;
        clients.push(client);
    }
    let after = settled(peer)?;
    Ok((after.resident - before.resident) / CONNECTIONS as f64)
}
