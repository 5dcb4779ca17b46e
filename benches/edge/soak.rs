//! Long runs: a shell beside a stream for as long as is asked, and cut after cut, with what the agent holds.
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::agent::Agent;
use crate::life;
use crate::options::Options;
use crate::peers::{Directory, Peer};
use crate::shell::Shell;

/// One line of what is told.
const SPELL: Duration = Duration::from_secs(30);
/// Cuts in each spell, every one followed by a new session.
const CUTS: usize = 10;
/// The stream is read at this pace, so that something always waits.
const BYTES_PER_SECOND: f64 = 20e6;

pub(crate) fn run(options: &Options, minutes: u64) -> io::Result<()> {
    let directory = Directory::new()?;
    let _engine = Peer::engine(&directory)?;
    let mut agent = Agent::start(&options.lookout, &directory)?;
    let began = Instant::now();
    let mut cuts = 0;
    println!("minute  shell p50 ms  p99 ms  max ms  beside MB/s  RSS MiB  descriptors  threads  sessions");
    loop {
        let mut session = agent.session()?;
        let shell = Shell::start(&mut session)?;
        let typed = shell.beside(&mut session, SPELL, Some(BYTES_PER_SECOND))?;
        shell.end(&mut session)?;
        drop(session);
        life::reconnects(&mut agent, CUTS)?;
        cuts += CUTS + 2;
        let process = format!("/proc/{}", agent.id());
        let count = |of: &str| Ok::<_, io::Error>(fs::read_dir(format!("{process}/{of}"))?.count());
        println!(
            "{:6.1}  {:12.2}  {:6.2}  {:6.2}  {:11.1}  {:7.1}  {:11}  {:7}  {:8}",
            began.elapsed().as_secs_f64() / 60.0,
            typed.within(0.5),
            typed.within(0.99),
            typed.within(1.0),
            typed.beside.unwrap_or_default(),
            agent.mebibytes()?,
            count("fd")?,
            count("task")?,
            cuts,
        );
        if began.elapsed() >= Duration::from_secs(minutes * 60) {
            return Ok(());
        }
    }
}
