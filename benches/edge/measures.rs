//! What is measured, a round of each at a time, by name.
use std::io;
use std::time::Duration;

use crate::agent::{Agent, Session};
use crate::answers::{self, Answers};
use crate::bare::Bare;
use crate::figures::Figures;
use crate::options::Options;
use crate::peers::{Directory, Peer};
use crate::questions::{self, Question};
use crate::shell::Shell;
use crate::streams::{self, Frames};
use crate::{life, process};

const MEGABYTE: f64 = 1e6;
/// As fast as a good line to somewhere else takes a stream.
const SLOW_BYTES_PER_SECOND: f64 = 20e6;

const ENGINE: &str = "the Engine over its socket, one at a time";
const REQUESTS: [(&str, Asked, u32); 3] = [
    ("small request, one at a time", Asked::Small, 1),
    ("small request, sixteen at a time", Asked::Small, 16),
    ("50 KB JSON, one at a time", Asked::List, 1),
];
const STREAMS: [(&str, Frames); 2] =
    [("stream, text messages", Frames::Text), ("stream, binary messages", Frames::Binary)];
const SHELLS: [&str; 3] = ["shell alone", "shell beside one read at 20 MB/s", "shell beside a stream"];
const MEMORY: [&str; 4] =
    ["memory, welcomed", "memory, after a stream", "memory, at most with 100 at once", "memory, after those"];
const CUTS: [(&str, f64); 3] = [
    ("cut to next hello, shortest", 0.0),
    ("cut to next hello, median", 0.5),
    ("cut to next hello, longest", 1.0),
];

/// How much of everything.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// How long requests are counted, and shells typed into.
    pub(crate) duration: Duration,
    /// MiB of a stream that is measured.
    pub(crate) blocks: u64,
    /// MiB of each of many at once.
    pub(crate) blocks_each: u64,
    pub(crate) cuts: usize,
}

impl Scale {
    pub(crate) const WHOLE: Self =
        Self { rounds: 5, duration: Duration::from_millis(1000), blocks: 256, blocks_each: 4, cuts: 30 };
    pub(crate) const QUICK: Self =
        Self { rounds: 3, duration: Duration::from_millis(300), blocks: 48, blocks_each: 1, cuts: 5 };
}

#[derive(Clone, Copy)]
enum Asked {
    Small,
    List,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Agent,
    Bare,
}

/// Everything that a measure needs. The programs end when it is dropped.
pub(crate) struct Measures<'m> {
    options: &'m Options,
    scale: &'m Scale,
    session: Session,
    agent: Agent,
    bare: Bare,
    _engine: Peer,
    directory: Directory,
    small: Question,
    list: Question,
    pub(crate) figures: Figures,
}

impl<'m> Measures<'m> {
    /// Starts all that is compared, and compares what comes once to the last byte.
    pub(crate) fn new(options: &'m Options, scale: &'m Scale) -> io::Result<Self> {
        let directory = Directory::new()?;
        let engine = Peer::engine(&directory)?;
        let mut agent = Agent::start(&options.lookout, &directory)?;
        let mut session = agent.session()?;
        let block = answers::block();
        for (_, frames) in STREAMS {
            streams::probe(&mut session, frames, &block)?;
        }
        let small = Question::new(&mut session, "/version", answers::version())?;
        let list = Question::new(&mut session, "/containers/json", &answers::containers())?;
        let (bare, figures) = (Bare::start()?, Figures::default());
        Ok(Self { options, scale, session, agent, bare, _engine: engine, directory, small, list, figures })
    }

    /// One round of everything that is wanted.
    pub(crate) fn round(&mut self, number: usize) -> io::Result<()> {
        // Nobody is always the first after a pause.
        let sides =
            if number.is_multiple_of(2) { [Side::Agent, Side::Bare] } else { [Side::Bare, Side::Agent] };
        let options = self.options;
        if options.wants(ENGINE) {
            let (socket, answer) = (self.directory.socket(), Answers::new().version);
            let outcome = questions::engine(&socket, &answer, self.scale.duration / 2)?;
            self.figures.bare(ENGINE, "µs", 1e6 / outcome.per_second());
        }
        for (label, asked, at_once) in REQUESTS.into_iter().filter(|(label, ..)| options.wants(label)) {
            sides.into_iter().try_for_each(|side| self.requests(label, asked, at_once, side))?;
        }
        for (label, frames) in STREAMS.into_iter().filter(|(label, _)| options.wants(label)) {
            sides.into_iter().try_for_each(|side| self.stream(label, frames, side))?;
        }
        if SHELLS.iter().any(|label| options.wants(label)) {
            self.shells()?;
        }
        if MEMORY.iter().any(|label| options.wants(label)) {
            let held = life::memory(&mut self.fresh()?, self.scale.blocks_each)?;
            MEMORY
                .iter()
                .zip(held)
                .for_each(|(label, mebibytes)| self.figures.agent(label, "RSS MiB", mebibytes));
        }
        Ok(())
    }

    /// Another agent, of which nothing was asked yet.
    fn fresh(&self) -> io::Result<Agent> {
        Agent::start(&self.options.lookout, &self.directory)
    }

    fn requests(&mut self, label: &'static str, asked: Asked, at_once: u32, side: Side) -> io::Result<()> {
        let before = self.cpu(side)?;
        let question = match asked {
            Asked::Small => &mut self.small,
            Asked::List => &mut self.list,
        };
        let duration = self.scale.duration;
        let outcome = match side {
            Side::Agent => question.ask(&mut self.session, at_once, duration)?,
            Side::Bare => questions::echo(&mut self.bare.link, question, at_once, duration)?,
        };
        let cpu = (self.cpu(side)? - before) * 10_000.0 / outcome.requests;
        if at_once == 1 {
            self.add(side, label, "µs", 1e6 / outcome.per_second());
        }
        self.add(side, label, "per s", outcome.per_second());
        self.add(side, label, "CPU s / 10 000", cpu);
        Ok(())
    }

    fn stream(&mut self, label: &'static str, frames: Frames, side: Side) -> io::Result<()> {
        let (before, blocks) = (self.cpu(side)?, self.scale.blocks);
        let outcome = match side {
            Side::Agent => streams::stream(&mut self.session, frames, blocks)?,
            Side::Bare => streams::bare(&mut self.bare.link, frames, blocks)?,
        };
        let cpu = self.cpu(side)? - before;
        let megabytes = (blocks * answers::BLOCK_BYTES as u64) as f64 / MEGABYTE;
        self.add(side, label, "MB/s", megabytes / outcome.elapsed.as_secs_f64());
        self.add(side, label, "CPU ms / MB", cpu * 1e3 / megabytes);
        self.add(side, label, "KB a message", megabytes * 1e3 / outcome.messages as f64);
        Ok(())
    }

    /// By an agent of their own: what the kernel holds between the two grows with what was read before.
    fn shells(&mut self) -> io::Result<()> {
        let mut agent = self.fresh()?;
        let mut session = agent.session()?;
        let shell = Shell::start(&mut session)?;
        let duration = self.scale.duration;
        let alone = shell.echo(&mut session, duration)?;
        let slow = shell.beside(&mut session, duration * 2, Some(SLOW_BYTES_PER_SECOND))?;
        let fast = shell.beside(&mut session, duration, None)?;
        shell.end(&mut session)?;
        for (label, typed) in SHELLS.iter().zip([&alone, &slow, &fast]) {
            self.figures.agent(label, "p50 ms", typed.within(0.5));
            self.figures.agent(label, "p99 ms", typed.within(0.99));
            if let Some(beside) = typed.beside {
                let more = typed.within(0.99) - alone.within(0.99);
                self.figures.agent(label, "p99 ms more than alone", more);
                self.figures.agent(label, "MB/s of the stream", beside);
            }
        }
        Ok(())
    }

    /// What is measured once, since each time is another: the delays are drawn.
    pub(crate) fn cuts(&mut self) -> io::Result<()> {
        if !CUTS.iter().any(|(label, _)| self.options.wants(label)) {
            return Ok(());
        }
        let waits = life::reconnects(&mut self.fresh()?, self.scale.cuts)?;
        let last = waits.len().saturating_sub(1);
        for (label, share) in CUTS {
            let wait = waits.get((last as f64 * share) as usize).copied();
            self.figures.agent(label, "ms", wait.unwrap_or(f64::NAN));
        }
        Ok(())
    }

    fn cpu(&self, side: Side) -> io::Result<f64> {
        process::cpu_seconds(&[if side == Side::Agent { self.agent.id() } else { self.bare.id() }])
    }

    fn add(&mut self, side: Side, label: &'static str, unit: &'static str, value: f64) {
        match side {
            Side::Agent => self.figures.agent(label, unit, value),
            Side::Bare => self.figures.bare(label, unit, value),
        }
    }
}
