//! What an agent needs beside its work: the time until it calls again, and the memory it holds.
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::agent::Agent;
use crate::streams;

/// Streams at once: as many requests as an agent answers.
pub(crate) const STREAMS: usize = 100;
/// Idle means that nothing has changed for so long.
const QUIET: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Cuts the connection so many times; the milliseconds until the next hello, sorted.
pub(crate) fn reconnects(agent: &mut Agent, times: usize) -> io::Result<Vec<f64>> {
    let mut waits = Vec::with_capacity(times);
    let mut session = agent.session()?;
    for _ in 0..times {
        // A session that does something, and so is one.
        streams::many(&mut session, 1, 1)?;
        drop(session);
        let cut = Instant::now();
        let caller = agent.hello()?;
        waits.push(cut.elapsed().as_secs_f64() * 1e3);
        session = caller.welcome()?;
    }
    waits.sort_unstable_by(f64::total_cmp);
    Ok(waits)
}

/// MiB that a fresh agent holds: welcomed, after one stream, at most while there are many at once, and after those.
pub(crate) fn memory(agent: &mut Agent, blocks: u64) -> io::Result<[f64; 4]> {
    let mut session = agent.session()?;
    let at_rest = settled(agent)?;
    streams::many(&mut session, 1, blocks)?;
    let after_one = settled(agent)?;
    streams::many(&mut session, STREAMS, blocks)?;
    Ok([at_rest, after_one, agent.peak_mebibytes()?, settled(agent)?])
}

/// What it holds once it does nothing any more.
fn settled(agent: &Agent) -> io::Result<f64> {
    let begun = Instant::now();
    let (mut held, mut since) = (agent.mebibytes()?, begun);
    while since.elapsed() < QUIET {
        thread::sleep(PAUSE);
        let now = agent.mebibytes()?;
        if now != held {
            (held, since) = (now, Instant::now());
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("the memory of an idle agent does not settle"));
        }
    }
    Ok(held)
}
