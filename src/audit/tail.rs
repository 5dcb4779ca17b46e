//! What a file ends with: where its chain stands, and what stands behind.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::chain::{self, Chain, Seal};
use crate::limits::{AUDIT_STRAY_BYTES_MAX, BODY_BUFFER_BYTES};

/// How the next record must begin.
#[derive(Clone)]
pub(super) enum Tail {
    /// As it is: what stands before has ended.
    Clean,
    /// With the end of the line before it, which is whole but for that.
    Open,
    /// Behind a record that tells of these bytes.
    Torn(Torn),
}

/// Bytes behind the last record that are none.
#[derive(Clone)]
pub(super) struct Torn {
    bytes: u64,
    hash: Sha256,
    /// Their line has ended.
    is_ended: bool,
}

impl Tail {
    /// Whether a line must end before the next begins.
    pub(super) fn is_unended(&self) -> bool {
        match self {
            Self::Clean => false,
            Self::Open => true,
            Self::Torn(torn) => !torn.is_ended,
        }
    }

    /// Only so much of a line was written. It began with the end of the line before, where that had none.
    pub(super) fn tear(&mut self, written: &[u8]) {
        match self {
            Self::Clean if !written.is_empty() => *self = Self::Torn(Torn::new(written)),
            Self::Open if !written.is_empty() => {
                *self = match written.get(1..) {
                    Some(rest) if !rest.is_empty() => Self::Torn(Torn::new(rest)),
                    Some(_) | None => Self::Clean,
                };
            }
            Self::Torn(torn) if !written.is_empty() => torn.add(written),
            Self::Clean | Self::Open | Self::Torn(_) => {}
        }
    }

    /// What comes next stands in another file.
    pub(super) fn leave(&mut self) {
        match self {
            Self::Clean => {}
            Self::Open => *self = Self::Clean,
            Self::Torn(torn) => torn.is_ended = true,
        }
    }
}

impl Torn {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut torn = Self { bytes: 0, hash: Sha256::new(), is_ended: false };
        torn.take(bytes);
        torn
    }

    /// Another line, of which so much was written.
    fn add(&mut self, written: &[u8]) {
        if self.is_ended {
            self.take(b"\n");
            self.is_ended = false;
        }
        self.take(written);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.hash.update(bytes);
    }

    /// Another line that is no record, without its end.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.take(b"\n");
        self.take(line);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn hash(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.hash.clone().finalize())
    }
}

/// The last record of the chain in a file, and what stands behind it.
pub(super) fn of_chain(file: &File) -> io::Result<(Option<Chain>, Tail)> {
    let size = file.metadata()?.len();
    let mut window = BODY_BUFFER_BYTES as u64;
    loop {
        let from = size.saturating_sub(window);
        let bytes = read(file, from, size)?;
        if let Some((chain, behind)) = last_record(&bytes, from == 0) {
            return Ok((Some(chain), tail(bytes.get(behind..).unwrap_or_default(), behind)));
        }
        if from == 0 {
            return Ok((None, torn(&bytes)));
        }
        if window >= AUDIT_STRAY_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it ends with more than 64 MiB of what is no chained record: move it away",
            ));
        }
        window = window.saturating_mul(4).min(AUDIT_STRAY_BYTES_MAX);
    }
}

/// Where no chain is kept: whether the last line has ended.
pub(super) fn of_lines(file: &File) -> io::Result<Tail> {
    let size = file.metadata()?.len();
    let bytes = read(file, size.saturating_sub(AUDIT_STRAY_BYTES_MAX.min(1024 * 1024)), size)?;
    let begin = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
    let last = bytes.get(begin..).unwrap_or_default();
    let is_whole = serde_json::from_slice::<IgnoredAny>(last).is_ok();
    Ok(if last.is_empty() {
        Tail::Clean
    } else if is_whole {
        Tail::Open
    } else {
        Tail::Torn(Torn::new(last))
    })
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// The last line that is a record, and where it ends, without its line end.
fn last_record(bytes: &[u8], is_whole_file: bool) -> Option<(Chain, usize)> {
    let mut end = bytes.len();
    loop {
        let before = bytes.get(..end)?;
        let begin = before.iter().rposition(|byte| *byte == b'\n');
        let line = before.get(begin.map_or(0, |at| at.saturating_add(1))..)?;
        // The first line of a window may have begun before it.
        if let Seal::Fits { seq, hash, .. } = chain::read(line)
            && (begin.is_some() || is_whole_file)
        {
            return Some((Chain::after(seq, hash), end));
        }
        end = begin?;
    }
}

/// What a record is followed by.
fn tail(rest: &[u8], behind: usize) -> Tail {
    match rest.split_first() {
        None if behind > 0 => Tail::Open,
        None | Some((_, [])) => Tail::Clean,
        Some((_, rest)) => torn(rest),
    }
}

fn torn(bytes: &[u8]) -> Tail {
    if bytes.is_empty() {
        return Tail::Clean;
    }
    let line = bytes.strip_suffix(b"\n");
    let mut torn = Torn::new(line.unwrap_or(bytes));
    torn.is_ended = line.is_some();
    Tail::Torn(torn)
}
