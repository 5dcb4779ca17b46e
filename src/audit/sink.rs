//! Where the lines go: one write for each, and none that is torn or missing without a word about it.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use data_encoding::{BASE64, BASE64URL_NOPAD};

use super::Signer;
use super::chain::Chain;
use super::file::{self, Out};
use super::record::{Event, Record};
use super::tail::Tail;
use super::verify::signed_text;
use crate::clock;
use crate::limits::{AUDIT_CHECKPOINT_RECORDS, AUDIT_CHECKPOINT_SECS};

/// Where the trail is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Stdout,
    Stderr,
    File(PathBuf),
}

pub(super) struct Sink {
    place: Place,
    out: Out,
    /// Bytes of the file.
    size: u64,
    /// Beyond this many bytes another file begins; 0 for never.
    max_bytes: u64,
    /// Files that are kept beside it.
    keep: usize,
    chain: Option<Chain>,
    tail: Tail,
    /// Records that could not be written, of which no record tells yet.
    lost: u64,
    /// The file was taken away, of which no record tells yet.
    was_removed: bool,
    signer: Option<Signer>,
    /// Records behind the last checkpoint, and when that was.
    unsigned: u64,
    signed_at: Instant,
    /// What went wrong without a record being lost, to be told in the log.
    trouble: Option<io::Error>,
}

impl Sink {
    pub(super) fn open(
        place: Place,
        with_chain: bool,
        (max_bytes, keep): (u64, usize),
        signer: Option<Signer>,
    ) -> io::Result<Self> {
        let opened = file::open(&place, with_chain)?;
        Ok(Self {
            place,
            out: opened.out,
            size: opened.size,
            max_bytes,
            keep,
            chain: with_chain.then(|| opened.chain.unwrap_or(Chain::new())),
            tail: opened.tail,
            lost: 0,
            was_removed: false,
            signer: signer.filter(|_| with_chain),
            unsigned: 0,
            signed_at: clock::now(),
            trouble: None,
        })
    }

    /// Writes a record, which is an object that is still open. What goes wrong is told by a record that
    /// comes before the next one.
    pub(super) fn append(&mut self, open: Vec<u8>) -> io::Result<()> {
        let done = self.mend().and_then(|()| self.put(open));
        match &done {
            Ok(()) => self.unsigned = self.unsigned.saturating_add(1),
            Err(_) => self.lost = self.lost.saturating_add(1),
        }
        done
    }

    /// Tells of what went wrong, if anything did, so that the next record may follow.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.out.is_removed() {
            self.was_removed = true;
            self.reopen()?;
        }
        let (torn, torn_hash) = match &self.tail {
            Tail::Torn(torn) => (Some(torn.bytes()), Some(torn.hash())),
            Tail::Clean | Tail::Open => (None, None),
        };
        if torn.is_none() && self.lost == 0 && !self.was_removed {
            return Ok(());
        }
        let record = Record {
            reason: self.was_removed.then(|| "removed".to_owned()),
            torn,
            torn_hash,
            lost: Some(self.lost).filter(|lost| *lost > 0),
            ..Record::new(Event::Recovered)
        };
        self.put(record.line(clock::unix()))?;
        self.unsigned = self.unsigned.saturating_add(1);
        (self.lost, self.was_removed) = (0, false);
        Ok(())
    }

    /// Signs what stands before, if it is time to and there is anything new.
    pub(super) fn checkpoint_if_due(&mut self) -> io::Result<()> {
        let span = Duration::from_secs(AUDIT_CHECKPOINT_SECS);
        let is_time = clock::now().saturating_duration_since(self.signed_at) >= span;
        if self.unsigned >= AUDIT_CHECKPOINT_RECORDS || is_time { self.checkpoint() } else { Ok(()) }
    }

    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        if self.unsigned == 0 || self.signer.is_none() {
            return Ok(());
        }
        self.mend()?;
        let (Some(signer), Some(chain)) = (&self.signer, &self.chain) else { return Ok(()) };
        let signature = (signer.sign)(signed_text(chain.next(), &chain.prev()).as_bytes());
        let record = Record {
            key: Some(BASE64.encode(&signer.public)),
            signature: Some(BASE64URL_NOPAD.encode(&signature)),
            ..Record::new(Event::Checkpoint)
        };
        // Were it to fail, the next one comes after as long again.
        self.signed_at = clock::now();
        self.put(record.line(clock::unix()))?;
        self.unsigned = 0;
        Ok(())
    }

    /// Goes on in the file that has the name now, if that is another one.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if !self.is_elsewhere() {
            return Ok(());
        }
        let opened = file::open(&self.place, self.chain.is_some())?;
        self.end_line();
        self.tail.leave();
        if !matches!(opened.tail, Tail::Clean) {
            self.tail = opened.tail;
        }
        (self.out, self.size) = (opened.out, opened.size);
        Ok(())
    }

    pub(super) fn head(&self) -> Option<(u64, String)> {
        self.chain.as_ref()?.head()
    }

    /// The number of the last record; 0 without a chain.
    pub(super) fn sequence(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.next().saturating_sub(1))
    }

    pub(super) fn trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }

    /// Ends the object and its line, and writes it. The chain goes on only behind what was written.
    fn put(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        let mut chain = self.chain.clone();
        match &mut chain {
            Some(chain) => chain.seal(&mut line),
            None => line.push(b'}'),
        }
        line.push(b'\n');
        self.make_room(line.len());
        if self.tail.is_unended() {
            line.insert(0, b'\n');
        }
        let (written, failed) = self.out.write(&line);
        self.size = self.size.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        if written < line.len().saturating_sub(1) {
            self.tail.tear(line.get(..written).unwrap_or_default());
            return Err(failed.unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
        }
        // What lacks no more than the end of its line is a record all the same.
        self.tail = if written == line.len() { Tail::Clean } else { Tail::Open };
        self.chain = chain;
        Ok(())
    }

    /// Begins another file where this one is full. Should that fail, the record goes to this one.
    fn make_room(&mut self, bytes: usize) {
        let Place::File(path) = &self.place else { return };
        let size = self.size.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let is_torn = matches!(self.tail, Tail::Torn(_));
        if self.max_bytes == 0 || self.size == 0 || size <= self.max_bytes || is_torn {
            return;
        }
        // Where somebody else moved the file there is nothing to move.
        let moved = if self.is_elsewhere() { Ok(()) } else { file::shift(path, self.keep) };
        if let Err(error) = moved.and_then(|()| self.reopen()) {
            self.trouble = Some(error);
        }
    }

    /// Whether the name is that of another file, or of none.
    fn is_elsewhere(&self) -> bool {
        match &self.place {
            Place::Stdout | Place::Stderr => false,
            Place::File(path) => !self.out.is(path),
        }
    }

    /// Ends the last line of a file that is left. Where that fails, verification finds it cut.
    fn end_line(&mut self) {
        if matches!(self.tail, Tail::Open) && self.out.write(b"\n").0 == 1 {
            self.tail = Tail::Clean;
        }
    }

    #[cfg(test)]
    pub(super) fn narrow(&mut self, room: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
        self.out.narrow(room);
    }
}

#[cfg(test)]
mod tests;
