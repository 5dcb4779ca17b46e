//! What the Engine answered: a head, and content that is still coming.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use super::Error;
use super::line::{Hijacked, Line, Link};
use crate::clock::Deadline;
use crate::http::{Fields, Framing, Malformed, Status, Unframer};
use crate::limits::DOCUMENT_VALUES_MAX;
use crate::net::is_tick;

/// The Engine's answer.
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) reason: Cow<'static, str>,
    /// Its fields, without those that speak of its own connection.
    pub(crate) fields: Fields,
    pub(crate) content: Content,
}

/// What follows the head.
pub(crate) enum Content {
    Incoming(Incoming),
    Hijacked(Hijacked),
}

/// Content on its way from the Engine.
pub(crate) struct Incoming {
    link: Link,
    framing: Framing,
    unframer: Unframer,
    /// The connection may serve again once this answer was read to its end.
    is_keepable: bool,
}

/// Content at the front of what was received.
pub(crate) struct Gathered {
    content: Range<usize>,
    /// Bytes to consume once it was sent on.
    used: usize,
    pub(crate) ended: bool,
}

impl Incoming {
    pub(super) fn new(link: Link, framing: Framing, is_keepable: bool) -> Self {
        Self { link, framing, unframer: Unframer::new(framing), is_keepable }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Gathers all content in what was received into one run: an Engine that writes a log line a
    /// chunk would otherwise cost a write a line.
    pub(crate) fn gather(&mut self) -> Result<Gathered, Malformed> {
        let received = self.link.wire.received_mut();
        let (mut used, mut content) = (0_usize, 0..0);
        while !self.unframer.has_ended() {
            let cut = self.unframer.cut(received.get(used..).unwrap_or_default())?;
            let start = used.saturating_add(cut.framing);
            used = start.saturating_add(cut.content);
            if cut.content == 0 {
                break;
            }
            if content.is_empty() {
                content = start..used;
            } else {
                received.copy_within(start..used, content.end);
                content.end = content.end.saturating_add(cut.content);
            }
        }
        Ok(Gathered { content, used, ended: self.unframer.has_ended() })
    }

    /// The bytes of what was gathered last.
    pub(crate) fn content(&self, gathered: &Gathered) -> &[u8] {
        self.link.wire.received().get(gathered.content.clone()).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, gathered: &Gathered) {
        self.link.wire.consume(gathered.used);
    }

    /// Gives back the memory for what is received, if it holds nothing.
    pub(crate) fn release(&mut self) {
        self.link.wire.release();
    }

    /// Something was received and not yet gathered: what waits for the connection would miss it.
    pub(crate) fn has_received(&self) -> bool {
        !self.link.wire.received().is_empty()
    }

    /// Receives once; 0 is the Engine's end, an error may be a tick.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        self.link.wire.receive()
    }

    /// Reads all of it, at most `most` bytes, and keeps the connection where it is clean.
    pub(crate) fn whole(self, most: usize, deadline: Deadline, line: &mut Line) -> Result<Vec<u8>, Error> {
        let (mut bytes, mut values) = (Vec::new(), 0_usize);
        self.pour(deadline, line, |content| {
            // As many as its values, but for a few: the smallest take fifty times their bytes once read.
            let commas = content.iter().filter(|&&byte| byte == b',').count();
            values = values.saturating_add(commas);
            if bytes.len().saturating_add(content.len()) > most || values > DOCUMENT_VALUES_MAX {
                return Err(Error::TooLong);
            }
            bytes.extend_from_slice(content);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Hands all of it on, piece by piece as it comes, and keeps the connection where it is clean.
    pub(crate) fn pour<E: From<Error>>(
        mut self,
        deadline: Deadline,
        line: &mut Line,
        mut into: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut is_over = false;
        loop {
            let gathered = self.gather().map_err(Error::Malformed)?;
            into(self.content(&gathered))?;
            self.consume(&gathered);
            if gathered.ended || is_over {
                self.finish(line);
                return Ok(());
            }
            match self.receive() {
                Ok(0) if self.framing == Framing::UntilClose => is_over = true,
                Ok(0) => return Err(Error::Closed(ErrorKind::UnexpectedEof.into()).into()),
                // Also of one that never rests: a byte now and then keeps no thread for long.
                Ok(_) if deadline.passed() => return Err(Error::Late.into()),
                Ok(_) => {}
                Err(error) if is_tick(&error) && deadline.passed() => return Err(Error::Late.into()),
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(Error::Closed(error).into()),
            }
        }
    }

    /// Everything was read: keeps the connection for the client's next request, if it is clean.
    pub(crate) fn finish(self, line: &mut Line) {
        let is_clean = self.unframer.has_ended() && self.link.wire.received().is_empty();
        if self.is_keepable && is_clean {
            line.keep(self.link);
        }
    }
}

impl AsFd for Incoming {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.wire.as_fd()
    }
}
