//! What the Engine answered: a head, and content that is still coming.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use super::line::{Hijacked, Line, Link};
use crate::http::{Fields, Framing, Malformed, Status, Unframer};

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

/// Where content lies in the bytes received last.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) ranges: [Range<usize>; Self::MAX],
    pub(crate) count: usize,
    /// Bytes of content in all.
    pub(crate) content: usize,
    /// Bytes to consume once they were sent on.
    used: usize,
    pub(crate) ended: bool,
}

impl Pieces {
    /// Runs of content that are sent on with one write.
    pub(crate) const MAX: usize = 16;
}

impl Incoming {
    pub(super) fn new(link: Link, framing: Framing, is_keepable: bool) -> Self {
        Self { link, framing, unframer: Unframer::new(framing), is_keepable }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Looks for content in what was received.
    pub(crate) fn pieces(&mut self) -> Result<Pieces, Malformed> {
        let mut pieces = Pieces { ended: self.unframer.has_ended(), ..Pieces::default() };
        while !pieces.ended {
            let Some(range) = pieces.ranges.get_mut(pieces.count) else { break };
            let rest = self.link.wire.received().get(pieces.used..).unwrap_or_default();
            let cut = self.unframer.cut(rest)?;
            let start = pieces.used.saturating_add(cut.framing);
            pieces.used = start.saturating_add(cut.content);
            pieces.ended = cut.ended;
            if cut.content == 0 {
                break;
            }
            *range = start..pieces.used;
            pieces.count = pieces.count.saturating_add(1);
            pieces.content = pieces.content.saturating_add(cut.content);
        }
        Ok(pieces)
    }

    /// What the ranges of [`Pieces`] count in.
    pub(crate) fn received(&self) -> &[u8] {
        self.link.wire.received()
    }

    pub(crate) fn consume(&mut self, pieces: &Pieces) {
        self.link.wire.consume(pieces.used);
    }

    /// Receives once; 0 is the Engine's end, an error may be a tick.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        self.link.wire.receive()
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
