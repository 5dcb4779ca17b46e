//! Bodies that arrive in pieces, are held, and are checked against their digest.
#![expect(clippy::arithmetic_side_effects, reason = "a test's own sums")]

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;

/// Gives its bytes in pieces, and counts how often it was told to go ahead.
struct Pieces {
    to_come: Vec<Vec<u8>>,
    received: Vec<u8>,
    invited: usize,
    left_at_end: Option<bool>,
    socket: UnixStream,
}

impl Pieces {
    fn new(pieces: &[&str]) -> Self {
        let to_come = pieces.iter().rev().map(|piece| piece.as_bytes().to_vec()).collect();
        Self {
            to_come,
            received: Vec::new(),
            invited: 0,
            left_at_end: None,
            socket: UnixStream::pair().unwrap().0,
        }
    }
}

impl Source for Pieces {
    fn received(&self) -> &[u8] {
        &self.received
    }
    fn consume(&mut self, count: usize) {
        self.received.drain(..count);
    }
    fn receive(&mut self) -> io::Result<usize> {
        let piece = self.to_come.pop().unwrap_or_default();
        self.received.extend_from_slice(&piece);
        Ok(piece.len())
    }
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
    fn is_buffered(&mut self) -> bool {
        !self.received.is_empty()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn go_ahead(&mut self) -> io::Result<()> {
        self.invited += 1;
        Ok(())
    }
    fn leave(&mut self, at_end: bool) {
        self.left_at_end = Some(at_end);
    }
}

fn read(source: &mut Pieces, framing: Framing) -> Result<String, BodyError> {
    let mut body = Body::new(source, framing, true);
    let mut text = String::new();
    loop {
        body.fill()?;
        if body.content().is_empty() {
            assert!(body.has_ended());
            return Ok(text);
        }
        text.push_str(std::str::from_utf8(body.content()).unwrap());
        body.consume(body.content().len());
    }
}

#[test]
fn content_ends_where_the_framing_says_and_the_rest_stays() {
    let mut source = Pieces::new(&["he", "llo", "GET /next"]);
    assert_eq!(read(&mut source, Framing::Length(5)).unwrap(), "hello");
    let mut source = Pieces::new(&["5\r", "\nhel", "lo\r\n0\r\n\r\nGET /next"]);
    assert_eq!(read(&mut source, Framing::Chunked).unwrap(), "hello");
    assert_eq!((source.received(), source.invited), (&b"GET /next"[..], 1));
    assert_eq!(source.left_at_end, Some(true));
}

#[test]
fn a_peer_that_sends_unasked_is_not_told_to() {
    let mut source = Pieces::new(&[]);
    source.received = b"hello".to_vec();
    assert_eq!(read(&mut source, Framing::Length(5)).unwrap(), "hello");
    assert_eq!(source.invited, 0);
}

#[test]
fn a_body_that_stops_short_is_cut() {
    let mut source = Pieces::new(&["he"]);
    assert!(matches!(read(&mut source, Framing::Length(5)), Err(BodyError::Cut)));
    assert_eq!(source.left_at_end, Some(false));
    let broken = read(&mut Pieces::new(&["x\r\n"]), Framing::Chunked);
    assert!(matches!(broken, Err(BodyError::Malformed(Malformed::ChunkSize))));
}

#[test]
fn a_body_that_was_held_is_read_again_and_the_source_is_at_its_end() {
    for (pieces, framing) in
        [(&["he", "llo"][..], Framing::Length(5)), (&["5\r\nhello\r\n0\r\n\r\n"][..], Framing::Chunked)]
    {
        let mut source = Pieces::new(pieces);
        let mut body = Body::new(&mut source, framing, false);
        assert_eq!(body.hold(5, 5, Deadline::NEVER, &mut || None).unwrap(), b"hello");
        assert_eq!(body.framing(), Framing::Length(5));
        body.fill().unwrap();
        assert_eq!(body.content(), b"hello");
        body.consume(2);
        assert!(!body.has_ended() && body.content() == b"llo");
        body.consume(3);
        assert!(body.has_ended() && body.direct() == 0);
        drop(body);
        assert_eq!(source.left_at_end, Some(true));
    }
}

#[test]
fn no_more_is_held_than_may_be() {
    let mut source = Pieces::new(&["hello", "!"]);
    let mut body = Body::new(&mut source, Framing::Length(6), false);
    assert!(matches!(body.hold(5, 5, Deadline::NEVER, &mut || None), Err(BodyError::TooLarge(5))));
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_a_byte_is_read() {
    for length in [6, u64::MAX] {
        let mut source = Pieces::new(&["hello", "!"]);
        let mut body = Body::new(&mut source, Framing::Length(length), false);
        assert!(matches!(body.hold(5, 5, Deadline::NEVER, &mut || None), Err(BodyError::TooLarge(5))));
        assert_eq!(body.content(), b"");
        body.look().unwrap();
        assert_eq!(body.content(), b"", "nothing was received");
    }
}

/// Reads a body of "hello" whose digest was announced, and what of it was given out.
fn read_announced(pieces: &[&str], framing: Framing, digest: [u8; 32]) -> (Vec<u8>, bool) {
    let mut source = Pieces::new(pieces);
    let mut body = Body::new(&mut source, framing, false);
    let mut given = Vec::new();
    let mut outcome = body.announce(digest);
    while outcome.is_ok() && !body.has_ended() {
        assert_eq!(body.direct(), 0);
        outcome = body.fill();
        if outcome.is_ok() {
            given.extend_from_slice(body.content());
            body.consume(body.content().len());
        }
    }
    assert!(matches!(outcome, Ok(()) | Err(BodyError::Forged)));
    (given, outcome.is_ok())
}

#[test]
fn the_last_bytes_of_a_forged_body_are_never_given_out() {
    let (good, bad): ([u8; 32], _) = (Sha256::digest(b"hello").into(), [7; 32]);
    let chunks = &["5\r\nhello\r\n", "0\r\n\r\n"];
    assert_eq!(read_announced(&["he", "llo"], Framing::Length(5), good), (b"hello".to_vec(), true));
    assert_eq!(read_announced(&["he", "llo"], Framing::Length(5), bad), (b"he".to_vec(), false));
    assert_eq!(read_announced(chunks, Framing::Chunked, good), (b"hello".to_vec(), true));
    // The content is there, but the end of it never is.
    assert_eq!(read_announced(chunks, Framing::Chunked, bad), (b"hello".to_vec(), false));
    assert_eq!(read_announced(&[], Framing::None, Sha256::digest(b"").into()), (vec![], true));
    assert_eq!(read_announced(&[], Framing::None, bad), (vec![], false));
}

#[test]
fn a_body_that_is_late_is_not_held() {
    let mut source = Pieces::new(&["hello"]);
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    let late = body.hold(5, 5, Deadline::after(std::time::Duration::ZERO), &mut || None);
    assert!(matches!(late, Err(BodyError::Io(error)) if error.kind() == ErrorKind::TimedOut));
}

#[test]
fn more_than_what_is_free_needs_a_place_which_goes_with_the_last_byte() {
    let permits = crate::permits::Permits::new(1);
    let mut source = Pieces::new(&["hello"]);
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    body.hold(5, 4, Deadline::NEVER, &mut || permits.try_take()).unwrap();
    assert_eq!(permits.taken(), 1);
    body.consume(5);
    assert_eq!((permits.taken(), body.has_ended()), (0, true));
    let mut other = Pieces::new(&["hello"]);
    let mut body = Body::new(&mut other, Framing::Length(5), false);
    assert!(matches!(body.hold(5, 4, Deadline::NEVER, &mut || None), Err(BodyError::NoPlace)));
}

#[test]
fn what_was_held_is_shown_again_to_whoever_takes_as_much() {
    let mut source = Pieces::new(&["hello"]);
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    body.hold(5, 5, Deadline::NEVER, &mut || None).unwrap();
    for most in [5, 6] {
        assert_eq!(body.hold(most, 0, Deadline::NEVER, &mut || None).unwrap(), b"hello");
    }
    assert!(matches!(body.hold(4, 0, Deadline::NEVER, &mut || None), Err(BodyError::TooLarge(4))));
    body.consume(2);
    assert_eq!(body.hold(3, 0, Deadline::NEVER, &mut || None).unwrap(), b"llo");
}

#[test]
fn other_content_takes_the_place_of_what_was_held_or_of_none() {
    let permits = crate::permits::Permits::new(1);
    let mut source = Pieces::new(&["hello"]);
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    body.hold(5, 4, Deadline::NEVER, &mut || permits.try_take()).unwrap();
    body.replace(b"other".to_vec());
    assert_eq!((body.framing(), body.content(), permits.taken()), (Framing::Length(5), &b"other"[..], 1));
    body.replace(Vec::new());
    assert_eq!((body.framing(), body.content()), (Framing::Length(0), &b""[..]));
    drop(body);
    let mut source = Pieces::new(&[]);
    let mut body = Body::new(&mut source, Framing::None, false);
    body.replace(Vec::new());
    assert_eq!(body.framing(), Framing::None, "nothing in the place of nothing needs no length");
    body.replace(b"x".to_vec());
    assert_eq!((body.framing(), body.content()), (Framing::Length(1), &b"x"[..]));
}

/// Whether it begins as no test's body may.
fn is_bad(front: &[u8]) -> bool {
    front.starts_with(b"bad") || front.get(12..16) == Some(b"evil")
}

/// What a screened body gives out, and whether it was refused.
fn screened(pieces: &[&str], framing: Framing) -> (String, bool) {
    let mut source = Pieces::new(pieces);
    let mut body = Body::new(&mut source, framing, false);
    let (mut given, mut outcome) = (String::new(), body.screen(is_bad));
    while outcome.is_ok() && !body.has_ended() {
        outcome = body.fill();
        if outcome.is_ok() {
            given.push_str(std::str::from_utf8(body.content()).unwrap());
            body.consume(body.content().len());
        }
    }
    assert!(matches!(outcome, Ok(()) | Err(BodyError::Unwanted)), "{outcome:?}");
    (given, outcome.is_err())
}

#[test]
fn content_is_refused_by_its_first_sixteen_bytes_however_they_come() {
    let told = |text: &str, is_refused| (text.to_owned(), is_refused);
    assert_eq!(screened(&["good"], Framing::Length(4)), told("good", false));
    assert_eq!(screened(&["bad!"], Framing::Length(4)), told("", true));
    // What went on before was not yet bad.
    assert_eq!(screened(&["b", "ad", "!"], Framing::Length(4)), told("b", true));
    assert_eq!(screened(&["0123456789ab", "evil"], Framing::Length(16)), told("0123456789ab", true));
    assert_eq!(
        screened(&["0123456789ab", "evi", "LEVIL"], Framing::Length(20)),
        told("0123456789abeviLEVIL", false)
    );
    // Behind the front nobody looks.
    assert_eq!(
        screened(&["0123456789abcdef", "bad"], Framing::Length(19)),
        told("0123456789abcdefbad", false)
    );
    assert_eq!(screened(&["3\r\nba", "d\r\n0\r\n\r\n"], Framing::Chunked), told("ba", true));
}

#[test]
fn the_kernel_moves_nothing_that_is_still_to_be_screened() {
    let mut source = Pieces::new(&["0123456789ab", "cdef"]);
    let mut body = Body::new(&mut source, Framing::Length(99), false);
    assert_eq!(body.direct(), 99);
    body.screen(is_bad).unwrap();
    assert_eq!(body.direct(), 0);
    for left in [0, 99 - 16] {
        body.fill().unwrap();
        assert!(body.is_buffered() && body.direct() == 0, "content that is here is not on the socket");
        body.consume(body.content().len());
        assert_eq!((body.is_buffered(), body.direct()), (false, left));
    }
    body.skip(99 - 16);
    assert!(body.has_ended());
}

#[test]
fn what_was_held_is_screened_where_it_is() {
    for (text, is_refused) in [("bad", true), ("good", false), ("0123456789abevil and more", true)] {
        let mut source = Pieces::new(&[text]);
        let length = u64::try_from(text.len()).unwrap();
        let mut body = Body::new(&mut source, Framing::Length(length), false);
        body.hold(99, 99, Deadline::NEVER, &mut || None).unwrap();
        assert!(body.is_buffered());
        assert_eq!(body.screen(is_bad).is_err(), is_refused, "{text}");
    }
}

/// A source that says first that nothing came, or that it broke.
struct Late(Pieces, Option<ErrorKind>);

impl Source for Late {
    fn received(&self) -> &[u8] {
        self.0.received()
    }
    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
    fn receive(&mut self) -> io::Result<usize> {
        self.1.take().map_or_else(|| self.0.receive(), |kind| Err(kind.into()))
    }
    fn socket(&self) -> BorrowedFd<'_> {
        self.0.socket()
    }
    fn is_buffered(&mut self) -> bool {
        self.0.is_buffered()
    }
    fn is_plain(&self) -> bool {
        false
    }
    fn go_ahead(&mut self) -> io::Result<()> {
        self.0.go_ahead()
    }
    fn leave(&mut self, at_end: bool) {
        self.0.leave(at_end);
    }
}

#[test]
fn whoever_holds_a_body_waits_while_nothing_comes_and_not_when_it_broke() {
    let mut source = Late(Pieces::new(&["hello"]), Some(ErrorKind::WouldBlock));
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    assert_eq!(body.direct(), 0, "what is encrypted on the socket is not the content");
    assert_eq!(body.hold(5, 5, Deadline::NEVER, &mut || None).unwrap(), b"hello");
    let mut source = Late(Pieces::new(&["hello"]), Some(ErrorKind::ConnectionReset));
    let mut body = Body::new(&mut source, Framing::Length(5), false);
    let broke = body.hold(5, 5, Deadline::NEVER, &mut || None);
    assert!(matches!(broke, Err(BodyError::Io(error)) if error.kind() == ErrorKind::ConnectionReset));
}
