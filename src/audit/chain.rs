//! The chain: each record holds its number, the hash of the one before it, and its own.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

const SEQ: &[u8] = br#","seq":"#;
const PREV: &[u8] = br#","prev":""#;
const HASH: &[u8] = br#","hash":""#;
const END: &[u8] = br#""}"#;
/// Hexadecimal digits of a hash.
const HEX: usize = 64;

/// Where the chain stands: the number and the hash of its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    seq: u64,
    head: [u8; 32],
}

impl Chain {
    /// Before the first record, whose `prev` is all zeros.
    pub(crate) const fn new() -> Self {
        Self { seq: 0, head: [0; 32] }
    }

    /// Behind a record that others wrote.
    pub(crate) const fn after(seq: u64, head: [u8; 32]) -> Self {
        Self { seq, head }
    }

    /// Ends an object that is still open: with its number, the hash of the record before, and the hash
    /// of everything up to here.
    pub(crate) fn seal(&mut self, line: &mut Vec<u8>) {
        self.seq = self.next();
        line.extend_from_slice(SEQ);
        line.extend_from_slice(self.seq.to_string().as_bytes());
        line.extend_from_slice(PREV);
        line.extend_from_slice(self.prev().as_bytes());
        line.push(b'"');
        self.head = Sha256::digest(&line).into();
        line.extend_from_slice(HASH);
        line.extend_from_slice(HEXLOWER.encode(&self.head).as_bytes());
        line.extend_from_slice(END);
    }

    /// The number of the record that comes next.
    pub(crate) const fn next(&self) -> u64 {
        self.seq.saturating_add(1)
    }

    /// What that record says of the one before it.
    pub(crate) fn prev(&self) -> String {
        HEXLOWER.encode(&self.head)
    }

    /// The last record's number and hash, if there is one.
    pub(crate) fn head(&self) -> Option<(u64, String)> {
        (self.seq > 0).then(|| (self.seq, self.prev()))
    }
}

/// What a line says of its place in a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seal<'l> {
    /// Nothing: it is no record of a chain.
    None,
    /// Its hash is not that of its bytes.
    Broken {
        seq: u64,
    },
    Fits {
        seq: u64,
        prev: &'l str,
        hash: [u8; 32],
    },
}

/// Reads the end of a line, which is written in one way only.
pub(super) fn read(line: &[u8]) -> Seal<'_> {
    let Some((sealed, seq, prev, said)) = parts(line) else { return Seal::None };
    let hash: [u8; 32] = Sha256::digest(sealed).into();
    if HEXLOWER.encode(&hash).as_bytes() == said {
        Seal::Fits { seq, prev, hash }
    } else {
        Seal::Broken { seq }
    }
}

/// The bytes that are hashed, the number, the hash before, and the hash.
fn parts(line: &[u8]) -> Option<(&[u8], u64, &str, &[u8])> {
    let (sealed, hash) = hex_behind(line.strip_suffix(END)?, HASH)?;
    let (rest, prev) = hex_behind(sealed.strip_suffix(b"\"")?, PREV)?;
    let at = rest.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let (front, digits) = rest.split_at_checked(at.checked_add(1)?)?;
    let is_object = front.ends_with(SEQ) && front.starts_with(b"{");
    let is_plain = digits.first().is_some_and(|first| *first != b'0');
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (is_object && is_plain).then_some((sealed, seq, std::str::from_utf8(prev).ok()?, hash))
}

/// What stands before a member, and the digits in it.
fn hex_behind<'l>(text: &'l [u8], member: &[u8]) -> Option<(&'l [u8], &'l [u8])> {
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(HEX)?)?;
    let is_hex = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    rest.strip_suffix(member).filter(|_| is_hex).map(|front| (front, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(chain: &mut Chain, open: &str) -> String {
        let mut line = open.as_bytes().to_vec();
        chain.seal(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_record_is_sealed_as_sha256sum_would_do_it() {
        let mut chain = Chain::new();
        assert_eq!(chain.head(), None);
        let zeros = "0".repeat(64);
        let first = sealed(&mut chain, r#"{"event":"start""#);
        // printf '{"event":"start","seq":1,"prev":"000…000"' | sha256sum
        let hash = "e295fb92a2596be347cc8d991473109fdb7e2bbf24d605200138f4832a17b794";
        assert_eq!(first, format!(r#"{{"event":"start","seq":1,"prev":"{zeros}","hash":"{hash}"}}"#));
        assert_eq!(chain.head(), Some((1, hash.to_owned())));
        let second = sealed(&mut chain, r#"{"event":"stop""#);
        assert!(second.starts_with(&format!(r#"{{"event":"stop","seq":2,"prev":"{hash}","hash":""#)));
        assert_eq!((chain.next(), chain.prev()), (3, second[second.len() - 66..second.len() - 2].to_owned()));
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        let mut chain = Chain::after(41, [7; 32]);
        let line = sealed(&mut chain, "{\"a\":1");
        let Seal::Fits { seq, prev, hash } = read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((seq, prev), (42, "07".repeat(32).as_str()));
        assert_eq!(Chain::after(seq, hash), chain);
    }

    #[test]
    fn every_changed_byte_of_a_record_is_seen() {
        let line = sealed(&mut Chain::new(), "{\"a\":1");
        for at in 0..line.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut changed = line.clone().into_bytes();
                changed[at] ^= flip;
                assert!(!matches!(read(&changed), Seal::Fits { .. }), "{at} ^ {flip}");
            }
        }
        for end in 0..line.len() {
            assert_eq!(read(&line.as_bytes()[..end]), Seal::None);
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        let line = sealed(&mut Chain::new(), "{\"a\":1");
        for number in ["01", "", "+1", "1 ", "18446744073709551616"] {
            assert_eq!(read(line.replace(":1,\"prev", &format!(":{number},\"prev")).as_bytes()), Seal::None);
        }
        assert_eq!(read(line.replace(":1,\"prev", ":2,\"prev").as_bytes()), Seal::Broken { seq: 2 });
    }
}
