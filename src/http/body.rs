//! A body: content read from its connection, bounded by its framing.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use sha2::{Digest, Sha256};

use super::{Framing, Malformed, Unframer};
use crate::clock::Deadline;
use crate::permits::Permit;

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
    /// Too many are held at once.
    NoPlace,
    /// It is not what its digest announced.
    Forged,
    /// It begins as nothing may that goes where it was sent.
    Unwanted,
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
    held: Option<Held>,
    /// The digest so far, and what it must turn out to be.
    announced: Option<(Sha256, [u8; 32])>,
    screen: Option<Screen>,
}

/// Bytes by which the formats of archives are told apart, and more.
const FRONT_BYTES: usize = 16;

/// Looks at how content begins.
struct Screen {
    judge: fn(&[u8]) -> bool,
    seen: Vec<u8>,
}

/// All of a body, read beforehand, and how much of that was consumed.
struct Held {
    bytes: Vec<u8>,
    at: usize,
    _place: Option<Permit>,
}

impl<'c> Body<'c> {
    pub(crate) fn new(source: &'c mut dyn Source, framing: Framing, is_awaited: bool) -> Self {
        let unframer = Unframer::new(framing);
        Self { source, framing, unframer, ready: 0, is_awaited, held: None, announced: None, screen: None }
    }

    /// Reads all of it, at most `most` bytes and before the deadline, to be read again by whoever
    /// comes next. More than `free` bytes need a place, which is kept as long as they are.
    pub(crate) fn hold(
        &mut self,
        most: usize,
        free: usize,
        deadline: Deadline,
        take_place: &mut dyn FnMut() -> Option<Permit>,
    ) -> Result<&[u8], BodyError> {
        if self.held.is_some() {
            return self.held_again(most);
        }
        // What is announced to be too long need not be read to be known.
        if matches!(self.framing, Framing::Length(length) if usize::try_from(length).map_or(true, |it| it > most))
        {
            return Err(BodyError::TooLarge(most));
        }
        let (mut bytes, mut place) = (Vec::new(), None);
        loop {
            if deadline.passed() {
                return Err(BodyError::Io(ErrorKind::TimedOut.into()));
            }
            match self.fill() {
                Err(BodyError::Io(error)) if error.kind() == ErrorKind::WouldBlock => continue,
                outcome => outcome?,
            }
            if self.ready == 0 {
                break;
            }
            if bytes.len().saturating_add(self.ready) > most {
                return Err(BodyError::TooLarge(most));
            }
            if place.is_none() && bytes.len().saturating_add(self.ready) > free {
                place = Some(take_place().ok_or(BodyError::NoPlace)?);
            }
            bytes.extend_from_slice(self.content());
            self.consume(self.ready);
        }
        if self.framing != Framing::None {
            self.framing = Framing::Length(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        Ok(&self.held.insert(Held { bytes, at: 0, _place: place }).bytes)
    }

    /// What was held before, for whoever looks next.
    fn held_again(&mut self, most: usize) -> Result<&[u8], BodyError> {
        let bytes = self.content();
        if bytes.len() > most { Err(BodyError::TooLarge(most)) } else { Ok(bytes) }
    }

    /// Puts other content in the place of what was held, or of none.
    pub(crate) fn replace(&mut self, bytes: Vec<u8>) {
        self.framing = match (self.framing, u64::try_from(bytes.len()).unwrap_or(u64::MAX)) {
            (Framing::None, 0) => Framing::None,
            (_, length) => Framing::Length(length),
        };
        let place = self.held.take().and_then(|held| held._place);
        self.held = Some(Held { bytes, at: 0, _place: place });
    }

    /// Refuses content by how it begins: `judge` is shown more and more of its first bytes, and
    /// nothing behind them goes on before it was.
    pub(crate) fn screen(&mut self, judge: fn(&[u8]) -> bool) -> Result<(), BodyError> {
        if let Some(held) = &self.held {
            let front = held.bytes.get(..FRONT_BYTES).unwrap_or(&held.bytes);
            return if judge(front) { Err(BodyError::Unwanted) } else { Ok(()) };
        }
        self.screen = Some(Screen { judge, seen: Vec::new() });
        self.look()
    }

    /// Shows the screen what was found, as long as it has not seen the whole front.
    fn show_front(&mut self, count: usize) -> Result<(), BodyError> {
        let Some(screen) = &mut self.screen else { return Ok(()) };
        let wanted = FRONT_BYTES.saturating_sub(screen.seen.len()).min(count);
        screen.seen.extend_from_slice(self.source.received().get(..wanted).unwrap_or_default());
        let is_unwanted = (screen.judge)(&screen.seen);
        if screen.seen.len() >= FRONT_BYTES {
            self.screen = None;
        }
        if is_unwanted { Err(BodyError::Unwanted) } else { Ok(()) }
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
            self.show_front(cut.content)?;
            self.check()?;
        }
        Ok(())
    }

    /// The content found last.
    pub(crate) fn content(&self) -> &[u8] {
        match &self.held {
            Some(held) => held.bytes.get(held.at..).unwrap_or_default(),
            None => self.source.received().get(..self.ready).unwrap_or_default(),
        }
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(held) = &mut self.held {
            held.at = held.at.saturating_add(count);
            if held.at >= held.bytes.len() {
                // Its memory and its place go as soon as the last byte has gone on.
                *held = Held { bytes: Vec::new(), at: 0, _place: None };
            }
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
        let is_read_here = self.held.is_some() || self.announced.is_some() || self.screen.is_some();
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
            Self::NoPlace => f.write_str("too many bodies are held at once: try again"),
            Self::Forged => f.write_str("a body that is not what its digest announced"),
            Self::Unwanted => f.write_str("a body that begins as none may that goes there"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
