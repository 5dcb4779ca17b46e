//! Content on its way to the controller, as it comes.

use super::frames::Wrap;
use super::inlet::Inlet;
use super::outbox::{Gone, Lane};
use super::unanswered::{Unanswered, broke_off};
use crate::api::{Beat, Follow, Sift};
use crate::clock::Deadline;
use crate::docker::{Incoming, Line};
use crate::http::Framing;
use crate::limits::{EDGE_CHUNK_BYTES, EDGE_TEXT_CHUNK_BYTES};
use crate::net::is_tick;
use crate::sys::poll::{Watch, wait};

/// Where content goes.
pub(super) struct Out<'o> {
    pub(super) lane: &'o Lane,
    pub(super) inlet: &'o Inlet,
    pub(super) wrap: Wrap,
    pub(super) channel: Option<u32>,
}

impl Out<'_> {
    /// The most one message holds.
    pub(super) fn most(&self) -> usize {
        if self.channel.is_some() { EDGE_CHUNK_BYTES } else { EDGE_TEXT_CHUNK_BYTES }
    }

    pub(super) fn put(&self, mut content: &[u8]) -> Result<(), Unanswered> {
        while !content.is_empty() {
            let most = content.len().min(self.most());
            let allowed = self.lane.allowance(most).map_err(|Gone| Unanswered::cancelled(self.inlet))?;
            let (piece, rest) = content.split_at_checked(allowed).unwrap_or((content, &[]));
            self.lane.send(self.wrap.frame(piece, None)).map_err(|Gone| Unanswered::cancelled(self.inlet))?;
            content = rest;
        }
        Ok(())
    }

    /// Sends content on as it comes.
    pub(super) fn pour(
        &self,
        incoming: Incoming,
        sieve: Option<Box<dyn Sift>>,
        line: &mut Line,
    ) -> Result<(), Unanswered> {
        pour(incoming, sieve, self.inlet, line, |content| self.put(content))
    }

    /// Tells what is followed, and now and then that there is nothing to tell.
    pub(super) fn follow(&self, mut follow: Box<dyn Follow>) -> Result<(), Unanswered> {
        let (mut told, mut beat) = (Vec::new(), Beat::new());
        loop {
            let until = beat.tell(&mut *follow, &mut told);
            let is_over = follow.has_ended();
            self.put(&told)?;
            told.clear();
            if is_over {
                return Ok(());
            }
            let mut watches = [Watch::readable(&follow), Watch::departure(self.inlet)];
            wait(&mut watches, until).map_err(|error| broke_off(&error))?;
            let [_, on_cancel] = watches;
            if on_cancel.is_ready() {
                return Err(Unanswered::cancelled(self.inlet));
            }
        }
    }
}

/// Hands an answer on as it comes, until it ended, or nobody wants it.
pub(super) fn pour(
    mut incoming: Incoming,
    mut sieve: Option<Box<dyn Sift>>,
    inlet: &Inlet,
    line: &mut Line,
    mut each: impl FnMut(&[u8]) -> Result<(), Unanswered>,
) -> Result<(), Unanswered> {
    let (mut is_over, mut told) = (false, Vec::new());
    loop {
        let mut gathered = incoming.gather().map_err(|why| broke_off(&why))?;
        gathered.ended |= is_over;
        let content = incoming.content(&gathered);
        match &mut sieve {
            None => each(content)?,
            Some(sieve) => {
                each(sieve.tell(content, gathered.ended, &mut told).map_err(|why| broke_off(&why))?)?;
            }
        }
        incoming.consume(&gathered);
        if gathered.ended {
            incoming.finish(line);
            return Ok(());
        }
        match incoming.receive() {
            Ok(0) if incoming.framing() == Framing::UntilClose => is_over = true,
            Ok(0) => return Err(broke_off(&"the Engine closed")),
            Ok(_) => {}
            Err(error) if is_tick(&error) => wait_quietly(&incoming, inlet)?,
            Err(error) => return Err(broke_off(&error)),
        }
    }
}

/// The Engine is silent: sleeps until it speaks, or nobody wants to hear it.
fn wait_quietly(incoming: &Incoming, inlet: &Inlet) -> Result<(), Unanswered> {
    let mut watches = [Watch::readable(incoming), Watch::departure(inlet)];
    wait(&mut watches, Deadline::NEVER).map_err(|error| broke_off(&error))?;
    let [_, on_cancel] = watches;
    if on_cancel.is_ready() { Err(Unanswered::cancelled(inlet)) } else { Ok(()) }
}
