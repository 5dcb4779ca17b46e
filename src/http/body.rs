//! A body: content read from its connection, bounded by its framing.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use sha2::{Digest, Sha256};

use super::{Framing, Malformed, Unframer};

/// Where a body's bytes come from: a client's connection, or whatever stands for one.
pub(crate) trait Source {
    /// Received and not yet consumed.
    fn received(&self) -> &[u8];
    fn consume(&mut self, count: usize);
    /// Receives more; 0 is the peer's end, `WouldBlock` says that nothing came for a while.
    fn receive(&mut self) -> io::Result<usize>;
    /// The peer's socket, to wait for it or to notice that it left.
    fn socket(&self) -> BorrowedFd<'_>;
    /// Bytes wait that the socket knows nothing of, or are encrypted on it.
    fn is_buffered(&mut self) -> bool;
    /// The kernel may move the socket's bytes itself: they are the content as it stands.
    fn is_plain(&self) -> bool;
    /// Tells a peer that waits for a word to send its body.
    fn go_ahead(&mut self) -> io::Result<()>;
    /// Nobody reads this body any more; unless it was read to its end, what follows in the
    /// source is the rest of it and not a new message.
    fn leave(&mut self, at_end: bool);
}

/// Why content cannot be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    Malformed(Malformed),
    /// The peer ended in the middle.
    Cut,
    /// More than may be held.
    TooLarge(usize),
    /// It is not what its digest announced.
    Forged,
    Io(io::Error),
}

/// The content of a request. It cannot give more than its framing allows.
pub(crate) struct Body<'c> {
    source: &'c mut dyn Source,
    framing: Framing,
    unframer: Unframer,
    /// Content at the front of what was received.
    ready: usize,
    /// The peer waits for a word before it sends.
    is_awaited: bool,
    /// All of it, read beforehand, and how much of that was consumed.
    held: Option<(Vec<u8>, usize)>,
    /// The digest so far, and what it must turn out to be.
    announced: Option<(Sha256, [u8; 32])>,
}

impl<'c> Body<'c> {
    pub(crate) fn new(source: &'c mut dyn Source, framing: Framing, is_awaited: bool) -> Self {
        let unframer = Unframer::new(framing);
        Self { source, framing, unframer, ready: 0, is_awaited, held: None, announced: None }
    }

    /// Reads all of it, at most `most` bytes, to be read again by whoever comes next. `on_tick` is
    /// asked whenever nothing came for a while.
    pub(crate) fn hold(
        &mut self,
        most: usize,
        on_tick: &mut dyn FnMut(&io::Error) -> bool,
    ) -> Result<&[u8], BodyError> {
        let mut bytes = Vec::new();
        loop {
            match self.fill() {
                Err(BodyError::Io(error)) if on_tick(&error) => continue,
                outcome => outcome?,
            }
            if self.ready == 0 {
                break;
            }
            if bytes.len().saturating_add(self.ready) > most {
                return Err(BodyError::TooLarge(most));
            }
            bytes.extend_from_slice(self.content());
            self.consume(self.ready);
        }
        if self.framing != Framing::None {
            self.framing = Framing::Length(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        Ok(&self.held.insert((bytes, 0)).0)
    }

    /// Announces the digest of the content. The last bytes are not given out before it is known to
    /// be right: a length is not filled, and a chunked body does not end.
    pub(crate) fn announce(&mut self, digest: [u8; 32]) -> Result<(), BodyError> {
        self.announced = Some((Sha256::new(), digest));
        self.check()
    }

    /// Compares the digests, once there is nothing more to come.
    fn check(&mut self) -> Result<(), BodyError> {
        if !self.unframer.has_ended() {
            return Ok(());
        }
        let Some((digest, announced)) = self.announced.take() else { return Ok(()) };
        let digest: [u8; 32] = digest.finalize().into();
        if digest == announced { Ok(()) } else { Err(BodyError::Forged) }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Everything there was has been consumed.
    pub(crate) fn has_ended(&self) -> bool {
        self.ready == 0 && self.unframer.has_ended() && self.content().is_empty()
    }

    /// Makes the next content there is to [`Self::content`], empty at the end. Receives, once, only
    /// when none is there; an error may be a tick.
    pub(crate) fn fill(&mut self) -> Result<(), BodyError> {
        self.look()?;
        while self.ready == 0 && !self.unframer.has_ended() {
            self.receive()?;
            self.look()?;
        }
        Ok(())
    }

    /// Looks for content in what was received already, without receiving.
    pub(crate) fn look(&mut self) -> Result<(), BodyError> {
        while self.ready == 0 && !self.unframer.has_ended() && !self.source.received().is_empty() {
            let cut = self.unframer.cut(self.source.received()).map_err(BodyError::Malformed)?;
            self.source.consume(cut.framing);
            self.ready = cut.content;
            if let Some((digest, _)) = &mut self.announced {
                digest.update(self.source.received().get(..cut.content).unwrap_or_default());
            }
            self.check()?;
        }
        Ok(())
    }

    /// The content found last.
    pub(crate) fn content(&self) -> &[u8] {
        match &self.held {
            Some((bytes, at)) => bytes.get(*at..).unwrap_or_default(),
            None => self.source.received().get(..self.ready).unwrap_or_default(),
        }
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some((_, at)) = &mut self.held {
            *at = at.saturating_add(count);
            return;
        }
        let count = count.min(self.ready);
        self.ready = self.ready.saturating_sub(count);
        self.source.consume(count);
    }

    /// Tells the peer to go ahead, where it waits for that.
    pub(crate) fn invite(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_awaited) && self.source.received().is_empty() {
            self.source.go_ahead()?;
        }
        Ok(())
    }

    /// Content the kernel may move from [`Self::socket`] itself.
    pub(crate) fn direct(&mut self) -> u64 {
        let is_read_here = self.held.is_some() || self.announced.is_some();
        let nothing_between =
            self.ready == 0 && !is_read_here && self.source.is_plain() && !self.source.is_buffered();
        if nothing_between { self.unframer.direct() } else { 0 }
    }

    /// The kernel moved that much.
    pub(crate) fn skip(&mut self, moved: u64) {
        self.unframer.skip(moved);
    }

    /// More can be read without waiting on the socket.
    pub(crate) fn is_buffered(&mut self) -> bool {
        self.held.is_some() || self.ready > 0 || self.source.is_buffered()
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.source.socket()
    }

    fn receive(&mut self) -> Result<(), BodyError> {
        self.invite().map_err(BodyError::Io)?;
        match self.source.receive() {
            Ok(0) => Err(BodyError::Cut),
            Ok(_) => Ok(()),
            Err(error) => Err(BodyError::Io(error)),
        }
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.source.leave(self.ready == 0 && self.unframer.has_ended());
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::Cut => f.write_str("the client ended in the middle of its body"),
            Self::TooLarge(most) => write!(f, "a body of more than {most} bytes, which is what can be held"),
            Self::Forged => f.write_str("a body that is not what its digest announced"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test's own sums")]
mod tests {
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
            assert_eq!(body.hold(5, &mut |_| false).unwrap(), b"hello");
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
        assert!(matches!(body.hold(5, &mut |_| false), Err(BodyError::TooLarge(5))));
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
}
