//! A client's own line to the Engine: kept between its requests, never shared with another client.

use std::time::Duration;

use crate::clock::Deadline;
use crate::limits::LINK_BUFFER_BYTES;
use crate::net::{Conn, Wire};
use crate::sys::poll::{Watch, wait};

/// One connection to the Engine.
pub(super) struct Link {
    pub(super) wire: Wire,
    /// It carried an exchange before, so the Engine may have closed it meanwhile.
    pub(super) is_reused: bool,
}

impl Link {
    pub(super) fn new(conn: Conn) -> Self {
        Self { wire: Wire::new(conn, LINK_BUFFER_BYTES), is_reused: false }
    }

    /// Nothing has come since the last answer: neither an end nor bytes nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let now = Deadline::after(Duration::ZERO);
        let is_unreadable = matches!(wait(&mut [Watch::readable(&self.wire)], now), Ok(false));
        self.wire.received().is_empty() && (is_unreadable || !self.wire.conn.has_news())
    }
}

/// What a client's connection keeps for its next request.
#[derive(Default)]
pub(crate) struct Line {
    pub(super) link: Option<Link>,
    spare: Vec<Vec<u8>>,
}

impl Line {
    /// Hangs up and gives all memory back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Memory for a head, used again where there is some.
    pub(crate) fn space(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes memory of a head back; two are all an exchange needs.
    pub(crate) fn give_back(&mut self, space: Vec<u8>) {
        if self.spare.len() < 2 {
            self.spare.push(space);
        }
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn keep(&mut self, mut link: Link) {
        link.is_reused = true;
        self.link = Some(link);
    }
}

/// The Engine agreed to switch protocols; what follows is the caller's own.
pub(crate) struct Hijacked(pub(super) Link);

impl Hijacked {
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.0.wire
    }
}
