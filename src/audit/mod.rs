//! The audit trail: what was done, by whom, in a chain of records that shows when one was changed.
//!
//! A record is stamped, kept in the ring, sealed and handed to the kernel before the caller goes on. What
//! cannot be written is counted, and the next record that can be is preceded by one that tells of it.

mod chain;
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod members;
mod record;
mod recordings;
mod redact;
mod ring;
mod sink;
#[cfg(test)]
mod specimens;
mod tail;
mod tape;
mod verify;

pub(crate) use record::{Event, Outcome, Record};
pub(crate) use recordings::{NotBegun, Recorded, Recording, Recordings};
pub(crate) use redact::Redactor;
pub(crate) use ring::{Export, Ring, Stale};
pub(crate) use sink::Place;
pub(crate) use tape::Side;
pub(crate) use verify::{Expected, Fault, Report, Verifier, What};

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::log::{self, number, text};
use crate::metrics::{self, Exported, Page};
use crate::shared::Shared;
use sink::Sink;

/// How the trail is kept.
pub(crate) struct Settings {
    /// Without a place there is only the ring.
    pub(crate) place: Option<Place>,
    /// Records in the ring; 0 for none.
    pub(crate) ring: usize,
    pub(crate) chain: bool,
    /// Size at which another file begins; 0 for never.
    pub(crate) max_bytes: u64,
    /// Files that are kept beside the one that is written.
    pub(crate) keep: usize,
    /// What cannot be recorded must not happen.
    pub(crate) required: bool,
    pub(crate) redactor: Redactor,
    pub(crate) signer: Option<Signer>,
}

/// The key that signs checkpoints.
pub(crate) struct Signer {
    pub(crate) public: [u8; 32],
    pub(crate) sign: Sign,
}

/// Signs a text.
pub(crate) type Sign = Box<dyn Fn(&[u8]) -> [u8; 64] + Send + Sync>;

/// Everything that keeps the trail. One for the agent's life.
pub(crate) struct Trail {
    ring: Ring,
    sink: Option<Shared<Sink>>,
    redactor: Redactor,
    required: bool,
    is_failing: AtomicBool,
    is_in_trouble: AtomicBool,
    /// Records that could not be written since the last one that could.
    missed: AtomicU64,
    sequence: AtomicU64,
    counts: metrics::Trail,
}

/// A record could not be written. It is counted, and told of in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWritten;

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit trail cannot be written")
    }
}

impl Trail {
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let Settings { place, ring, chain, max_bytes, keep, required, redactor, signer } = settings;
        let sink = place.map(|place| Sink::open(place, chain, (max_bytes, keep), signer)).transpose()?;
        let sequence = AtomicU64::new(sink.as_ref().map_or(0, Sink::sequence));
        Ok(Self {
            ring: Ring::new(ring),
            sink: sink.map(Shared::new),
            redactor,
            required,
            is_failing: AtomicBool::new(false),
            is_in_trouble: AtomicBool::new(false),
            missed: AtomicU64::new(0),
            sequence,
            counts: metrics::Trail::new(),
        })
    }

    /// A trail that keeps nothing.
    pub(crate) fn off() -> Self {
        Self {
            ring: Ring::new(0),
            sink: None,
            redactor: Redactor::default(),
            required: false,
            is_failing: AtomicBool::new(false),
            is_in_trouble: AtomicBool::new(false),
            missed: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            counts: metrics::Trail::new(),
        }
    }

    /// Whether a record goes anywhere.
    pub(crate) fn is_on(&self) -> bool {
        self.sink.is_some() || self.ring.capacity() > 0
    }

    /// Whether records are kept beyond the agent's memory.
    pub(crate) fn is_kept(&self) -> bool {
        self.sink.is_some()
    }

    /// What is asked of a caller that may go on only once its record is written.
    pub(crate) fn required(&self) -> bool {
        self.required
    }

    /// Whether the last record could not be written.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Writes a record. Once this returns well the kernel has it.
    pub(crate) fn write(&self, mut record: Record) -> Result<(), NotWritten> {
        if !self.is_on() {
            return Ok(());
        }
        record.bound();
        let time = clock::unix();
        let line = self.sink.as_ref().map(|_| record.line(time));
        self.keep(time, record);
        let Some(line) = line else {
            self.counts.records.up();
            return Ok(());
        };
        let mut is_written = false;
        // The record stands, whatever becomes of the checkpoint behind it; the log tells of that.
        let _ = self.turn(|sink| {
            sink.append(line)?;
            is_written = true;
            sink.checkpoint_if_due()
        });
        if !is_written {
            return Err(NotWritten);
        }
        self.counts.records.up();
        Ok(())
    }

    /// Once a second: signs what was written, and tries anew what failed.
    pub(crate) fn tick(&self) {
        let _ = self.turn(|sink| sink.mend().and_then(|()| sink.checkpoint_if_due()));
    }

    /// Signs what was written so far, as at the agent's end.
    pub(crate) fn checkpoint(&self) {
        let _ = self.turn(Sink::checkpoint);
    }

    /// Goes on in the file that has the name now.
    pub(crate) fn reopen(&self) {
        let _ = self.turn(Sink::reopen);
    }

    /// The number and the hash of the chain's last record.
    pub(crate) fn head(&self) -> Option<(u64, String)> {
        self.sink.as_ref()?.with(|sink| sink.head())
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Records behind a cursor; what comes of it is counted.
    pub(crate) fn export(
        &self,
        cursor: Option<u64>,
        most: usize,
        generation: Option<&str>,
    ) -> Result<Export, Stale> {
        let export = self.ring.export(cursor, most, generation);
        self.counts.exported(match &export {
            Ok(_) => Exported::Ok,
            Err(Stale::Older { .. }) => Exported::Older,
            Err(Stale::Newer { .. }) => Exported::Newer,
            Err(Stale::Generation { .. }) => Exported::Generation,
        });
        export
    }

    /// An export was asked for in words that are not understood.
    pub(crate) fn export_was_invalid(&self) {
        self.counts.exported(Exported::Invalid);
    }

    pub(crate) fn write_metrics(&self, page: &mut Page) {
        let now = metrics::TrailNow {
            kept: self.ring.len(),
            capacity: self.ring.capacity(),
            has_sink: self.sink.is_some(),
            sequence: self.sequence.load(Ordering::Relaxed),
        };
        self.counts.write(page, &now);
    }

    fn keep(&self, time: Duration, mut record: Record) {
        if self.ring.capacity() > 0 {
            // It is long, and those who want it read the sink.
            record.detail = None;
            self.ring.push(time, record);
        }
    }

    /// Something is done with the sink, alone; how it went is told once others may go on.
    fn turn(&self, work: impl FnOnce(&mut Sink) -> io::Result<()>) -> io::Result<()> {
        let Some(sink) = &self.sink else { return Ok(()) };
        let (done, trouble) = sink.with(|sink| {
            let done = work(sink);
            self.sequence.store(sink.sequence(), Ordering::Relaxed);
            (done, sink.trouble())
        });
        self.tell_trouble(trouble.as_ref());
        match &done {
            Ok(()) => self.worked(),
            Err(error) => self.failed(error),
        }
        done
    }

    fn failed(&self, error: &io::Error) {
        self.counts.failures.up();
        self.missed.fetch_add(1, Ordering::Relaxed);
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            log::error("audit.failed", &[("error", text(error))]);
        }
    }

    fn worked(&self) {
        if self.is_failing() && self.is_failing.swap(false, Ordering::Relaxed) {
            let missed = self.missed.swap(0, Ordering::Relaxed);
            log::info("audit.restored", &[("failures", number(missed))]);
        }
    }

    /// A file that could not be begun is told of once, and again after one that could.
    fn tell_trouble(&self, trouble: Option<&io::Error>) {
        let was_in_trouble = self.is_in_trouble.swap(trouble.is_some(), Ordering::Relaxed);
        if let Some(error) = trouble
            && !was_in_trouble
        {
            log::warn("audit.not_rotated", &[("error", text(error))]);
        }
    }
}

#[cfg(test)]
mod tests;
