//! Chunked coding: a decoder that holds no content, and the size line we write.

use super::Malformed;
use super::framing::Cut;
use crate::limits::{CHUNK_DIGITS_MAX, CHUNK_HEAD_BYTES_MAX, TRAILER_BYTES_MAX};

/// Where a chunked body stands. Extensions and trailers are checked, bounded and dropped.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of the size line, or of the trailer section, so far.
    seen: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: usize },
    Extension { value: u64 },
    SizeEnd { value: u64 },
    Content { left: u64 },
    ContentEnd,
    ContentEndFeed,
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerFeed,
    LastFeed,
    Ended,
}

const FIRST: State = State::Size { value: 0, digits: 0 };

impl Decoder {
    pub(super) fn new() -> Self {
        Self { state: FIRST, seen: 0 }
    }

    /// Passes over framing at the front of `received`, up to and including one run of content.
    pub(super) fn cut(&mut self, received: &[u8]) -> Result<Cut, Malformed> {
        let mut framing = 0_usize;
        for &byte in received {
            if let State::Content { left } = self.state {
                let rest = received.len().saturating_sub(framing);
                let content = usize::try_from(left).unwrap_or(usize::MAX).min(rest);
                self.skip(u64::try_from(content).unwrap_or(u64::MAX));
                return Ok(Cut { framing, content, ended: false });
            }
            if self.state == State::Ended {
                break;
            }
            self.state = self.after(byte)?;
            framing = framing.saturating_add(1);
        }
        Ok(Cut { framing, content: 0, ended: self.has_ended() })
    }

    pub(super) fn direct(&self) -> u64 {
        if let State::Content { left } = self.state { left } else { 0 }
    }

    pub(super) fn skip(&mut self, moved: u64) {
        if let State::Content { left } = self.state {
            let left = left.saturating_sub(moved);
            self.state = if left == 0 { State::ContentEnd } else { State::Content { left } };
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The state after one byte of framing.
    fn after(&mut self, byte: u8) -> Result<State, Malformed> {
        self.seen = self.seen.saturating_add(1);
        let is_trailer = matches!(
            self.state,
            State::TrailerStart | State::TrailerName | State::Trailer | State::TrailerFeed | State::LastFeed
        );
        if is_trailer && self.seen > TRAILER_BYTES_MAX {
            return Err(Malformed::TrailerTooLarge);
        }
        if !is_trailer && self.seen > CHUNK_HEAD_BYTES_MAX {
            return Err(Malformed::ChunkHeadTooLong);
        }
        Ok(match (self.state, byte) {
            (State::Size { value, digits: 1.. }, b'\r') => State::SizeEnd { value },
            (State::Size { value, digits: 1.. }, b';') => State::Extension { value },
            (State::Size { value, digits }, digit) if digits < CHUNK_DIGITS_MAX => {
                let digit = char::from(digit).to_digit(16).ok_or(Malformed::ChunkSize)?;
                State::Size { value: value << 4 | u64::from(digit), digits: digits.saturating_add(1) }
            }
            (State::Size { .. }, _) => return Err(Malformed::ChunkSize),
            (State::Extension { value }, b'\r') => State::SizeEnd { value },
            (State::Extension { value }, byte) if is_text(byte) => State::Extension { value },
            (State::Extension { .. }, _) => return Err(Malformed::ChunkSize),
            (State::SizeEnd { value: 0 }, b'\n') => {
                self.seen = 0;
                State::TrailerStart
            }
            (State::SizeEnd { value }, b'\n') => {
                self.seen = 0;
                State::Content { left: value }
            }
            (State::ContentEnd, b'\r') => State::ContentEndFeed,
            (State::ContentEndFeed, b'\n') => {
                self.seen = 0;
                FIRST
            }
            (State::SizeEnd { .. }, _) => return Err(Malformed::ChunkSize),
            (State::ContentEnd | State::ContentEndFeed, _) => return Err(Malformed::ChunkEnd),
            (State::TrailerStart, b'\r') => State::LastFeed,
            (State::Trailer, b'\r') => State::TrailerFeed,
            (State::TrailerFeed, b'\n') => State::TrailerStart,
            (State::LastFeed, b'\n') => State::Ended,
            (State::TrailerName, b':') => State::Trailer,
            (State::TrailerStart | State::TrailerName, byte) if is_name(byte) => State::TrailerName,
            (State::TrailerStart | State::TrailerName, _) => return Err(Malformed::HeaderLine),
            (State::Trailer, byte) if is_text(byte) => State::Trailer,
            (State::Trailer | State::TrailerFeed | State::LastFeed, _) => return Err(Malformed::LineEnd),
            // Neither is passed here: `cut` looks first.
            (state @ (State::Content { .. } | State::Ended), _) => state,
        })
    }
}

/// What may stand in a field's name: no blank, so that no line continues the one before.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b':'
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// `1f4\r\n` without an allocation; the used part of the array.
pub(crate) fn size_line(size: usize, line: &mut [u8; 18]) -> &[u8] {
    let mut at = line.len();
    let mut put = |byte: u8| {
        at = at.saturating_sub(1);
        if let Some(place) = line.get_mut(at) {
            *place = byte;
        }
    };
    put(b'\n');
    put(b'\r');
    let mut left = size;
    loop {
        let digit = u32::try_from(left & 15).unwrap_or(0);
        put(char::from_digit(digit, 16).and_then(|c| u8::try_from(c).ok()).unwrap_or(b'0'));
        left >>= 4;
        if left == 0 {
            break;
        }
    }
    line.get(at..).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test's own sums")]
mod tests {
    use super::*;

    /// Decodes a message that arrives in pieces of `step` bytes.
    fn decode(message: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), Malformed> {
        let mut decoder = Decoder::new();
        let (mut content, mut used) = (Vec::new(), 0);
        for piece in message.chunks(step) {
            let mut rest = piece;
            while !rest.is_empty() && !decoder.has_ended() {
                let cut = decoder.cut(rest)?;
                content.extend_from_slice(&rest[cut.framing..cut.framing + cut.content]);
                used += cut.framing + cut.content;
                rest = &rest[cut.framing + cut.content..];
            }
        }
        Ok((content, used, decoder.has_ended()))
    }

    #[test]
    fn a_message_cut_anywhere_reads_as_the_whole() {
        let message =
            b"5\r\nhello\r\n00A;name=\"v\"\r\n, engine!!\r\n0;x\r\nTrailer: dropped\r\nAnd: this\r\n\r\n";
        for step in 1..=message.len() {
            assert_eq!(decode(message, step), Ok((b"hello, engine!!".to_vec(), message.len(), true)));
        }
    }

    #[test]
    fn what_follows_the_body_is_left() {
        let (content, used, ended) = decode(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 99).unwrap();
        assert_eq!((content.as_slice(), used, ended), (&b"x"[..], 11, true));
    }

    #[test]
    fn sloppy_framing_is_refused() {
        for (message, why) in [
            (&b"\r\n"[..], Malformed::ChunkSize),
            (b";x\r\n", Malformed::ChunkSize),
            (b"0x0\r\n", Malformed::ChunkSize),
            (b"+1\r\n", Malformed::ChunkSize),
            (b" 1\r\n", Malformed::ChunkSize),
            (b"1 \r\n", Malformed::ChunkSize),
            (b"g\r\n", Malformed::ChunkSize),
            (b"1\nx", Malformed::ChunkSize),
            (b"1\r\r\n", Malformed::ChunkSize),
            (b"1;a\nx", Malformed::ChunkSize),
            (b"1;\0\r\n", Malformed::ChunkSize),
            (b"0000000000000001\r\n", Malformed::ChunkSize),
            (b"1\r\nxy", Malformed::ChunkEnd),
            (b"1\r\nx\n", Malformed::ChunkEnd),
            (b"1\r\nx\rx", Malformed::ChunkEnd),
            (b"0\r\n\n", Malformed::HeaderLine),
            (b"0\r\nno colon\r\n", Malformed::HeaderLine),
            (b"0\r\n: no name\r\n", Malformed::HeaderLine),
            (b"0\r\nA: b\r\n folded\r\n", Malformed::HeaderLine),
            (b"0\r\nA: b\n", Malformed::LineEnd),
            (b"0\r\nA: b\r\r\n", Malformed::LineEnd),
            (b"0\r\n\rx", Malformed::LineEnd),
        ] {
            assert_eq!(decode(message, 1), Err(why), "{:?}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let longest = CHUNK_HEAD_BYTES_MAX - "0;\r\n".len();
        assert!(decode(format!("0;{}\r\n\r\n", "e".repeat(longest)).as_bytes(), 7).is_ok());
        let longer = format!("0;{}\r\n\r\n", "e".repeat(longest + 1));
        assert_eq!(decode(longer.as_bytes(), 7), Err(Malformed::ChunkHeadTooLong));
        let endless = format!("0\r\n{}", "T: t\r\n".repeat(TRAILER_BYTES_MAX));
        assert_eq!(decode(endless.as_bytes(), 7), Err(Malformed::TrailerTooLarge));
        let longest = TRAILER_BYTES_MAX - "T:\r\n\r\n".len();
        let trailer = |length: usize| format!("0\r\nT:{}\r\n\r\n", "t".repeat(length));
        assert!(decode(trailer(longest).as_bytes(), 7).is_ok_and(|(_, _, ended)| ended));
        assert_eq!(decode(trailer(longest + 1).as_bytes(), 7), Err(Malformed::TrailerTooLarge));
    }

    #[test]
    fn every_digit_of_a_size_counts() {
        for (size, digits) in [(0x1a, "1A"), (0x1a, "01a"), (0x100, "100"), (0x2f3, "2F3")] {
            let message = format!("{digits}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
            assert_eq!(
                decode(message.as_bytes(), 99),
                Ok((vec![b'x'; size], message.len(), true)),
                "{digits}"
            );
        }
        let mut largest = Decoder::new();
        largest.cut(b"fffffffffffffff\r\n").unwrap();
        assert_eq!(largest.direct(), (1 << 60) - 1);
    }

    #[test]
    fn content_may_go_by_unseen() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.direct(), 0, "a size comes first");
        assert_eq!(decoder.cut(b"5\r\n").unwrap(), Cut { framing: 3, content: 0, ended: false });
        assert_eq!(decoder.direct(), 5);
        decoder.skip(3);
        assert_eq!(decoder.direct(), 2);
        decoder.skip(2);
        assert_eq!((decoder.direct(), decoder.has_ended()), (0, false));
        assert_eq!(decoder.cut(b"\r\n0\r\n\r\nnext").unwrap(), Cut { framing: 7, content: 0, ended: true });
        decoder.skip(9);
        assert!(decoder.has_ended(), "nothing is skipped where there is no content");
    }

    #[test]
    fn sizes_are_written_as_they_are_read() {
        let mut line = [0; 18];
        assert_eq!(size_line(0, &mut line), b"0\r\n");
        assert_eq!(size_line(500, &mut line), b"1f4\r\n");
        assert_eq!(size_line(usize::MAX, &mut line), b"ffffffffffffffff\r\n");
    }
}
