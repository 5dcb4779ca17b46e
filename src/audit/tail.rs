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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::specimens::dir;
    use super::*;

    /// How many bytes are torn, what they are, and whether their line has ended.
    fn told(tail: &Tail) -> Option<(u64, String, bool)> {
        match tail {
            Tail::Clean | Tail::Open => None,
            Tail::Torn(torn) => Some((torn.bytes(), torn.hash(), torn.is_ended)),
        }
    }

    fn torn(text: &str, is_ended: bool) -> Option<(u64, String, bool)> {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(text));
        Some((text.len() as u64, hash, is_ended))
    }

    #[test]
    fn what_was_written_of_a_line_is_told_of_and_nothing_else() {
        let mut clean = Tail::Clean;
        clean.tear(b"");
        assert!(matches!(clean, Tail::Clean), "nothing was written");
        clean.tear(b"{\"a");
        assert_eq!((told(&clean), clean.is_unended()), (torn("{\"a", false), true));
        clean.tear(b"");
        assert_eq!(told(&clean), torn("{\"a", false));
        clean.tear(b"bc");
        assert_eq!(told(&clean), torn("{\"abc", false));
        clean.leave();
        assert_eq!((told(&clean), clean.is_unended()), (torn("{\"abc", true), false));
        clean.tear(b"");
        assert_eq!(told(&clean), torn("{\"abc", true), "nothing does not begin another line");
        clean.tear(b"d");
        assert_eq!(told(&clean), torn("{\"abc\nd", false));
    }

    #[test]
    fn the_end_of_the_line_before_is_not_torn() {
        for (written, expected) in [("", None), ("\n", None), ("\n{", torn("{", false))] {
            let mut open = Tail::Open;
            open.tear(written.as_bytes());
            assert_eq!(told(&open), expected, "{written:?}");
            assert_eq!(matches!(open, Tail::Open), written.is_empty(), "{written:?}");
        }
        let mut open = Tail::Open;
        assert!(open.is_unended());
        open.leave();
        assert!(!open.is_unended());
    }

    /// What a file with this in it ends with.
    fn of(test: &str, bytes: &[u8]) -> (Option<u64>, Tail) {
        let dir = dir(test);
        let path = dir.join("audit.log");
        fs::write(&path, bytes).unwrap();
        let (chain, tail) = of_chain(&File::open(&path).unwrap()).unwrap();
        fs::remove_dir_all(dir).unwrap();
        (chain.and_then(|chain| chain.head()).map(|(seq, _)| seq), tail)
    }

    fn sealed(after: u64, open: &str) -> String {
        let mut line = open.as_bytes().to_vec();
        Chain::after(after, [7; 32]).seal(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_chain_goes_on_behind_its_last_record() {
        let (one, two) = (sealed(0, "{\"a\":1"), sealed(1, "{\"b\":2"));
        for (text, seq, expected) in [
            (String::new(), None, None),
            (one.clone(), Some(1), None),
            (format!("{one}\n"), Some(1), None),
            (format!("{one}\n{two}\n"), Some(2), None),
            (format!("{one}\n{two}\n{{\"c"), Some(2), torn("{\"c", false)),
            (format!("{one}\n{{\"c\nd\n"), Some(1), torn("{\"c\nd", true)),
            ("{\"c\n".to_owned(), None, torn("{\"c", true)),
        ] {
            let (found, tail) = of("goes-on", text.as_bytes());
            assert_eq!((found, told(&tail)), (seq, expected), "{text}");
            let ends_open = seq.is_some() && text.ends_with('}');
            assert_eq!(matches!(tail, Tail::Open), ends_open, "{text}");
        }
    }

    #[test]
    fn without_a_chain_the_last_line_is_whole_if_it_is_json() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 - 8));
        for (text, is_open, expected) in [
            (String::new(), false, None),
            ("{}\n".to_owned(), false, None),
            ("{}\n{}".to_owned(), true, None),
            ("{}\n{\"a".to_owned(), false, torn("{\"a", false)),
            (long, true, None),
        ] {
            let dir = dir("lines");
            let path = dir.join("audit.log");
            fs::write(&path, &text).unwrap();
            let tail = of_lines(&File::open(&path).unwrap()).unwrap();
            fs::remove_dir_all(dir).unwrap();
            let shown = text.get(..20).unwrap_or(&text);
            assert_eq!((matches!(tail, Tail::Open), told(&tail)), (is_open, expected), "{shown}");
        }
    }

    #[test]
    fn a_record_is_a_whole_line_wherever_the_window_begins() {
        let (first, inner) = (sealed(0, "{\"a\":1"), sealed(41, "{\"b\":2"));
        // As long as what is looked at first; the line that it ends begins a byte before.
        let frame = inner.len() - "2".len();
        let inner = sealed(41, &format!("{{\"b\":{}", "2".repeat(BODY_BUFFER_BYTES - frame)));
        assert_eq!(inner.len(), BODY_BUFFER_BYTES);
        let (found, tail) = of("window", format!("{first}\nx{inner}").as_bytes());
        assert_eq!((found, told(&tail)), (Some(1), torn(&format!("x{inner}"), false)));
    }
}
