//! DER, as far as certificates and keys need it: read strictly, written plainly.
//!
//! Nothing here calls itself: how deep a reader goes is written in the code of whoever reads.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::clock;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The object identifier 1.3.101.112: Ed25519 as key and as signature.
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The tag `[number]` of a plain value.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` of a value that holds others.
pub(super) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// The bytes are not DER, or not the element that belongs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadDer;

/// Elements one after the other.
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    /// The next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8) -> Result<&'d [u8], BadDer> {
        self.optional(tag)?.ok_or(BadDer)
    }

    /// The next element if it has this tag; another one is left for the next question.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'d [u8]>, BadDer> {
        match self.0.split_first() {
            Some((first, rest)) if *first == tag => {
                let (content, rest) = content(rest)?;
                self.0 = rest;
                Ok(Some(content))
            }
            _ => Ok(None),
        }
    }

    /// The elements of the next one.
    pub(super) fn sequence(&mut self) -> Result<Self, BadDer> {
        self.element(SEQUENCE).map(Self)
    }

    /// Whole bytes of a bit string.
    pub(super) fn bits(&mut self) -> Result<&'d [u8], BadDer> {
        self.element(BIT_STRING)?.strip_prefix(&[0]).ok_or(BadDer)
    }

    /// A time as seconds since 1970.
    pub(super) fn time(&mut self) -> Result<i64, BadDer> {
        let (text, year_digits) = match self.optional(UTC_TIME)? {
            Some(text) => (text, 2),
            None => (self.element(GENERALIZED_TIME)?, 4),
        };
        let digits = text.strip_suffix(b"Z").ok_or(BadDer)?;
        let (year, rest) = digits.split_at_checked(year_digits).ok_or(BadDer)?;
        let year = match (number(year)?, year_digits) {
            (short @ 50.., 2) => short.saturating_add(1900),
            (short, 2) => short.saturating_add(2000),
            (year, _) => year,
        };
        let mut pairs = rest.chunks(2);
        let mut pair = |bounds: RangeInclusive<i64>| {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or(BadDer)?;
            number(pair).and_then(|value| if bounds.contains(&value) { Ok(value) } else { Err(BadDer) })
        };
        let month = pair(1..=12)?;
        let day = pair(1..=days_of(year, month))?;
        let (hour, minute, second) = (pair(0..=23)?, pair(0..=59)?, pair(0..=59)?);
        if pairs.next().is_some() {
            return Err(BadDer);
        }
        Ok(since_1970(year, month, day, hour, minute, second))
    }

    /// Whatever follows, unread.
    pub(super) fn rest(self) -> &'d [u8] {
        self.0
    }

    /// Nothing follows.
    pub(super) fn end(self) -> Result<(), BadDer> {
        if self.0.is_empty() { Ok(()) } else { Err(BadDer) }
    }
}

/// Content and what follows it, behind a definite length in its shortest form of at most 64 KiB.
fn content(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadDer> {
    let (len, rest) = match bytes {
        [len @ 0..=0x7f, rest @ ..] => (usize::from(*len), rest),
        [0x81, len @ 0x80..=0xff, rest @ ..] => (usize::from(*len), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return Err(BadDer),
    };
    rest.split_at_checked(len).ok_or(BadDer)
}

/// The number that up to four digits stand for.
fn number(digits: &[u8]) -> Result<i64, BadDer> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_plain);
    text.and_then(|text| text.parse().ok()).ok_or(BadDer)
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The proleptic Gregorian calendar, in which a year begins in March so that the leap day comes last.
#[expect(clippy::arithmetic_side_effects, reason = "every part was held against its bounds above")]
fn since_1970(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leaps + (month * 153 + 2) / 5 + day - 719_469;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}

/// An element that holds the parts one after the other.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(len @ 0..=0x7f) => out.push(len),
        _ => {
            let len = content.len().to_be_bytes();
            let significant = len.iter().skip_while(|byte| **byte == 0);
            let count = u8::try_from(significant.clone().count()).unwrap_or(u8::MAX);
            out.push(0x80 | count);
            out.extend(significant);
        }
    }
    out.extend(content);
    out
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes])
}

/// A time given in seconds since 1970: until 2049 with a year of two digits, as RFC 5280 demands.
pub(super) fn time(unix: u64) -> Vec<u8> {
    let text = clock::rfc3339(Duration::from_secs(unix));
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).take(14).collect();
    match digits.strip_prefix(b"20") {
        Some(short @ [b'0'..=b'4', ..]) => element(UTC_TIME, &[short, b"Z"]),
        _ => match digits.strip_prefix(b"19") {
            Some(short) => element(UTC_TIME, &[short, b"Z"]),
            None => element(GENERALIZED_TIME, &[&digits, b"Z"]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_their_order() {
        let bytes = [0x30, 0x08, 0x02, 0x01, 0x07, 0x03, 0x03, 0x00, 0xab, 0xcd];
        let mut reader = Reader::new(&bytes);
        let mut inside = reader.sequence().unwrap();
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(inside.optional(OCTET_STRING), Ok(None));
        assert_eq!(inside.element(INTEGER), Ok(&[7][..]));
        assert_eq!(inside.element(INTEGER), Err(BadDer));
        assert_eq!(inside.bits(), Ok(&[0xab, 0xcd][..]));
        assert_eq!(inside.optional(INTEGER), Ok(None));
        assert_eq!(inside.end(), Ok(()));
    }

    #[test]
    fn lengths_that_are_not_the_shortest_or_not_definite_or_too_long_are_refused() {
        let padded = |head: &[u8], len| [head, &vec![0; len]].concat();
        for (head, len, is_good) in [
            (&[0x04, 0x00][..], 0, true),
            (&[0x04, 0x7f], 0x7f, true),
            (&[0x04, 0x81, 0x80], 0x80, true),
            (&[0x04, 0x81, 0xff], 0xff, true),
            (&[0x04, 0x82, 0x01, 0x00], 0x100, true),
            (&[0x04, 0x82, 0xff, 0xff], 0xffff, true),
            (&[0x04, 0x81, 0x7f], 0x7f, false),
            (&[0x04, 0x82, 0x00, 0xff], 0xff, false),
            (&[0x04, 0x83, 0x01, 0x00, 0x00], 0x1_0000, false),
            (&[0x04, 0x84, 0x00, 0x00, 0x00, 0x01], 1, false),
            (&[0x04, 0x80, 0x00, 0x00], 0, false),
            (&[0x04, 0xff], 0x7f, false),
            (&[0x04, 0x02], 1, false),
            (&[0x04], 0, false),
            (&[], 0, false),
        ] {
            let bytes = padded(head, len);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.element(OCTET_STRING).is_ok(), is_good, "{head:x?}");
            if is_good {
                assert_eq!(reader.end(), Ok(()));
                assert_eq!(element(OCTET_STRING, &[&vec![0; len]]), bytes);
            }
        }
    }

    #[test]
    fn bits_that_are_not_whole_bytes_are_refused() {
        for bytes in [&[0x03, 0x00][..], &[0x03, 0x02, 0x01, 0x80], &[0x03, 0x02, 0x08, 0x00]] {
            assert_eq!(Reader::new(bytes).bits(), Err(BadDer));
        }
        assert_eq!(bits(&[1, 2]), [0x03, 0x03, 0x00, 0x01, 0x02]);
    }

    fn read(tag: u8, text: &str) -> Result<i64, BadDer> {
        Reader::new(&element(tag, &[text.as_bytes()])).time()
    }

    #[test]
    fn times_are_read_as_the_calendar_has_them() {
        for (tag, text, unix) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "500101000000Z", -631_152_000),
            (UTC_TIME, "000229000000Z", 951_782_400),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (GENERALIZED_TIME, "20240229235959Z", 1_709_251_199),
            (GENERALIZED_TIME, "21000301000000Z", 4_107_542_400),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
            (GENERALIZED_TIME, "00000101000000Z", -62_167_219_200),
        ] {
            assert_eq!(read(tag, text), Ok(unix), "{text}");
        }
    }

    #[test]
    fn times_that_are_not_are_refused() {
        for (tag, text) in [
            (UTC_TIME, "700101000000"),
            (UTC_TIME, "7001010000Z"),
            (UTC_TIME, "70010100000Z"),
            (UTC_TIME, "7001010000000Z"),
            (UTC_TIME, "700101000000+0000"),
            (UTC_TIME, "700001000000Z"),
            (UTC_TIME, "701301000000Z"),
            (UTC_TIME, "700100000000Z"),
            (UTC_TIME, "700431000000Z"),
            (UTC_TIME, "010229000000Z"),
            (UTC_TIME, "700101240000Z"),
            (UTC_TIME, "700101006000Z"),
            (UTC_TIME, "700101000060Z"),
            (UTC_TIME, "+00101000000Z"),
            (UTC_TIME, "7001010000 0Z"),
            (UTC_TIME, "19700101000000Z"),
            (GENERALIZED_TIME, "700101000000Z"),
            (GENERALIZED_TIME, "19700101000000.5Z"),
            (GENERALIZED_TIME, "21000229000000Z"),
            (GENERALIZED_TIME, "Z"),
            (OCTET_STRING, "19700101000000Z"),
        ] {
            assert_eq!(read(tag, text), Err(BadDer), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (unix, len) in
            [(0, 13), (951_782_400, 13), (2_524_607_999, 13), (2_524_608_000, 15), (253_402_300_799, 15)]
        {
            let written = time(unix);
            assert_eq!(written.len(), len + 2);
            assert_eq!(Reader::new(&written).time().map(u64::try_from), Ok(Ok(unix)));
        }
    }
}
