//! Whether a trail is whole: every record, in its order, as it was written.
//!
//! What this cannot find: records before the first one that is shown, unless the first is expected; records
//! behind the last one that is shown, unless the head is expected, because a trail that is cut where a line
//! ends is a shorter trail; and what somebody with the agent's rights wrote anew from a record on, unless a
//! checkpoint behind that record, or a head from before, is held against it.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Deserialize;

use super::chain::{self, Seal};
use super::tail::Torn;
use crate::limits::AUDIT_KEYS_MAX;

/// Whether this key, in base64, is to be believed, and signed this.
pub(crate) type Check<'c> = &'c dyn Fn(&str, &[u8], &[u8; 64]) -> bool;

/// What is known of a trail beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// The number of the first record.
    pub(crate) first: Option<u64>,
    /// A record that must be there: its number and its hash, as the agent told them.
    pub(crate) head: Option<(u64, String)>,
}

/// Reads a trail line by line, oldest first.
#[derive(Clone)]
pub(crate) struct Verifier<'c> {
    check: Check<'c>,
    expected: Expected,
    at: Place,
    first_at: Place,
    last: Option<Known>,
    /// Lines that are no records, and wait for one that tells of them.
    stray: Option<Stray>,
    /// A record without the end of its line, which only the last of a trail may seem to be.
    unended: Option<(Place, u64)>,
    /// Records are missing, unless they come later.
    gap: Option<Fault>,
    report: Report,
}

/// A line of a file; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) line: u64,
}

#[derive(Clone)]
struct Known {
    at: Place,
    seq: u64,
    hash: String,
}

#[derive(Clone)]
struct Stray {
    at: Place,
    is_json: bool,
    torn: Torn,
}

/// A trail that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) records: u64,
    /// The numbers of the first and the last record.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The hash of the last one.
    pub(crate) head: String,
    pub(crate) checkpoints: u64,
    /// Records behind the last checkpoint, which no signature covers.
    pub(crate) unsigned: u64,
    /// Places with bytes that are no record, and that the next record told of; and how many bytes.
    pub(crate) torn: u64,
    pub(crate) torn_bytes: u64,
    /// Records that the agent could not write, and said so.
    pub(crate) lost: u64,
    /// The keys that signed, in base64.
    pub(crate) keys: Vec<String>,
}

/// The first record that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Place,
    /// The number that the record has, or should have.
    pub(crate) seq: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It is not what was hashed: its own hash does not fit it, or the next record was written behind
    /// another one, or it is not the record of an expected head.
    Changed,
    /// These are not there, before this record or, at the end, behind it.
    Missing { from: u64, to: u64 },
    /// It stands where another one should.
    Reordered,
    /// The line does not end, or is no record, and none behind it tells of that.
    Cut,
    /// The signature is not that of a believed key.
    Forged,
    /// No record of the trail is chained.
    Unchained,
}

/// The members that say more than the chain does.
#[derive(Deserialize)]
struct Members {
    event: String,
    #[serde(default)]
    torn: Option<u64>,
    #[serde(default)]
    torn_hash: Option<String>,
    #[serde(default)]
    lost: Option<u64>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    signature: Option<String>,
}

/// What a checkpoint signs: its own number and the hash of the record before it.
pub(super) fn signed_text(seq: u64, prev: &str) -> String {
    format!("LOOKOUT-AUDIT-V1\n{seq}\n{prev}")
}

impl<'c> Verifier<'c> {
    pub(crate) fn new(check: Check<'c>, expected: Expected) -> Self {
        Self {
            check,
            expected,
            at: Place { file: 1, line: 0 },
            first_at: Place::default(),
            last: None,
            stray: None,
            unended: None,
            gap: None,
            report: Report::default(),
        }
    }

    /// The next line is the first of another file.
    pub(crate) fn next_file(&mut self) {
        self.at = Place { file: self.at.file.saturating_add(1), line: 0 };
    }

    /// One line with its end, which only the last line of a file may lack. A fault may be told later than
    /// at its line, where it takes what comes later to know it.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some((at, seq)) = self.unended.take() {
            return Err(self.fault(at, seq, What::Cut));
        }
        self.at.line = self.at.line.saturating_add(1);
        let line = bytes.strip_suffix(b"\n");
        let is_ended = line.is_some();
        let line = line.unwrap_or(bytes);
        match chain::read(line) {
            Seal::None => {
                self.stray_line(line);
                Ok(())
            }
            Seal::Broken { .. } => Err(self.unclaimed().unwrap_or_else(|| self.fault_here(What::Changed))),
            Seal::Fits { seq, prev, hash } => self.record(line, seq, prev, HEXLOWER.encode(&hash), is_ended),
        }
    }

    /// All lines were shown.
    pub(crate) fn end(mut self) -> Result<Report, Fault> {
        if let Some(gap) = self.gap.take() {
            return Err(gap);
        }
        if let Some(stray) = self.stray.take() {
            let is_unchained = stray.is_json && self.report.records == 0;
            let what = if is_unchained { What::Unchained } else { stray.what() };
            return Err(self.fault(stray.at, self.next(), what));
        }
        if let Some((at, seq)) = self.unended.take() {
            return Err(self.fault(at, seq, What::Cut));
        }
        if let Some((seq, _)) = self.expected.head
            && (seq > self.report.last || seq < self.report.first)
        {
            let (from, to) = if seq > self.report.last {
                (self.next(), seq)
            } else {
                (seq, self.report.first.saturating_sub(1))
            };
            return Err(self.fault(self.at, from, What::Missing { from, to }));
        }
        Ok(self.report)
    }

    /// A line that is no record of a chain.
    fn stray_line(&mut self, line: &[u8]) {
        match &mut self.stray {
            Some(stray) => stray.torn.line(line),
            None => {
                let is_json = serde_json::from_slice::<Members>(line).is_ok();
                self.stray = Some(Stray { at: self.at, is_json, torn: Torn::new(line) });
            }
        }
    }

    /// A line whose hash fits it.
    fn record(
        &mut self,
        line: &[u8],
        seq: u64,
        prev: &str,
        hash: String,
        is_ended: bool,
    ) -> Result<(), Fault> {
        let Ok(members) = serde_json::from_slice::<Members>(line) else {
            return Err(self.unclaimed().unwrap_or_else(|| self.fault_here(What::Changed)));
        };
        self.claim(&members)?;
        self.place(seq, prev)?;
        if members.event == super::Event::Checkpoint.name() {
            self.checkpoint(&members, seq, prev)?;
        } else {
            self.report.unsigned = self.report.unsigned.saturating_add(1);
        }
        if self.expected.head.as_ref().is_some_and(|(head, said)| *head == seq && *said != hash) {
            return Err(self.fault(self.at, seq, What::Changed));
        }
        if self.report.records == 0 {
            self.report.first = seq;
        }
        self.report.records = self.report.records.saturating_add(1);
        self.report.last = seq;
        self.report.head.clone_from(&hash);
        self.unended = (!is_ended).then_some((self.at, seq));
        self.last = Some(Known { at: self.at, seq, hash });
        Ok(())
    }

    /// Lines that are no records stand behind one that tells of them, or are a fault.
    fn claim(&mut self, members: &Members) -> Result<(), Fault> {
        let claims = members.event == super::Event::Recovered.name();
        let claimed = members.torn.filter(|_| claims);
        if claims {
            self.report.lost = self.report.lost.saturating_add(members.lost.unwrap_or(0));
        }
        match (&self.stray, claimed) {
            (None, None) => Ok(()),
            // What it tells of may stand in a file that is not shown.
            (None, Some(_)) if self.report.records == 0 => Ok(()),
            (None, Some(_)) => Err(self.fault_here(What::Cut)),
            (Some(stray), Some(bytes))
                if bytes == stray.torn.bytes() && members.torn_hash == Some(stray.torn.hash()) =>
            {
                self.report.torn = self.report.torn.saturating_add(1);
                self.report.torn_bytes = self.report.torn_bytes.saturating_add(bytes);
                self.stray = None;
                Ok(())
            }
            (Some(_), _) => Err(self.unclaimed().unwrap_or_else(|| self.fault_here(What::Cut))),
        }
    }

    /// Whether a record stands where it should.
    fn place(&mut self, seq: u64, prev: &str) -> Result<(), Fault> {
        let Some(last) = &self.last else {
            let is_bad_first = seq == 1 && prev.bytes().any(|byte| byte != b'0');
            match self.expected.first {
                Some(first) if seq > first => self.missing(first, seq),
                Some(first) if seq < first => return Err(self.fault(self.at, seq, What::Reordered)),
                Some(_) | None if is_bad_first => return Err(self.fault(self.at, seq, What::Changed)),
                Some(_) | None => {}
            }
            self.report.first = seq;
            self.first_at = self.at;
            return Ok(());
        };
        let next = last.seq.saturating_add(1);
        if seq == next {
            // Both fit their hashes; the later one was written behind another.
            let is_bad = last.hash != prev;
            let (at, seq) = (last.at, last.seq);
            return if is_bad { Err(self.fault(at, seq, What::Changed)) } else { Ok(()) };
        }
        if seq > next {
            self.missing(next, seq);
            return Ok(());
        }
        Err(match self.gap.take() {
            Some(Fault { at, seq: found, what: What::Missing { from, to } })
                if (from..=to).contains(&seq) =>
            {
                Fault { at, seq: found, what: What::Reordered }
            }
            Some(gap) => gap,
            None if seq < self.report.first => self.fault(self.first_at, self.report.first, What::Reordered),
            None => self.fault(self.at, seq, What::Reordered),
        })
    }

    /// A record came too early. Unless those before it come later, they are missing.
    fn missing(&mut self, from: u64, seq: u64) {
        let what = What::Missing { from, to: seq.saturating_sub(1) };
        self.gap.get_or_insert(Fault { at: self.at, seq, what });
    }

    fn checkpoint(&mut self, members: &Members, seq: u64, prev: &str) -> Result<(), Fault> {
        let key = members.key.as_deref().unwrap_or_default();
        let signature = members.signature.as_deref().unwrap_or_default();
        let signature =
            BASE64URL_NOPAD.decode(signature.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let is_good =
            signature.is_some_and(|bytes| (self.check)(key, signed_text(seq, prev).as_bytes(), &bytes));
        let is_known = self.report.keys.iter().any(|known| known == key);
        if !is_good || !is_known && self.report.keys.len() >= AUDIT_KEYS_MAX {
            return Err(self.fault(self.at, seq, What::Forged));
        }
        if !is_known {
            self.report.keys.push(key.to_owned());
        }
        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        self.report.unsigned = 0;
        Ok(())
    }

    /// The number that the next record should have.
    fn next(&self) -> u64 {
        self.last.as_ref().map_or_else(|| self.expected.first.unwrap_or(1), |last| last.seq.saturating_add(1))
    }

    /// The first line that is no record, which none told of.
    fn unclaimed(&mut self) -> Option<Fault> {
        let stray = self.stray.take()?;
        Some(self.fault(stray.at, self.next(), stray.what()))
    }

    fn fault_here(&mut self, what: What) -> Fault {
        self.fault(self.at, self.next(), what)
    }

    /// This fault, or the one before it.
    fn fault(&mut self, at: Place, seq: u64, what: What) -> Fault {
        self.gap.take().unwrap_or(Fault { at, seq, what })
    }
}

impl Stray {
    fn what(&self) -> What {
        if self.is_json { What::Changed } else { What::Cut }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at: Place { line, .. }, seq, what } = self;
        match what {
            What::Changed => write!(f, "line {line}: record {seq} was changed"),
            What::Missing { from, to } if from == to => write!(f, "line {line}: record {from} is missing"),
            What::Missing { from, to } => write!(f, "line {line}: records {from} to {to} are missing"),
            What::Reordered => write!(f, "line {line}: record {seq} stands in another's place"),
            What::Cut => write!(f, "line {line}: record {seq} is cut, or something else stands in its place"),
            What::Forged => write!(f, "line {line}: checkpoint {seq} was not signed by the agent's key"),
            What::Unchained => write!(f, "line {line}: the records are not chained; nothing can be proved"),
        }
    }
}

#[cfg(test)]
mod tests;
