//! A compose program while it runs: what it says is carried off, and it ends when it must.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::broker::Process;
use super::output::Stream;
use crate::clock::Deadline;
use crate::limits::{
    BODY_BUFFER_BYTES, COMPOSE_DRAIN_SECS, COMPOSE_GOODBYE_SECS, COMPOSE_KILL_SECS, COMPOSE_LAST_SECS,
};
use crate::net::Shutdown;
use crate::sys::poll::{Watch, wait};
use crate::sys::process::{Ended, Pipes};

/// Who is told what it says.
pub(super) trait Listener {
    fn hear(&mut self, stream: Stream, said: &[u8]);
    /// There is no room for more, for now.
    fn is_full(&self) -> bool;
    /// Readable when the listener made room, or has left.
    fn bell(&self) -> BorrowedFd<'_>;
    fn has_left(&self) -> bool;
}

/// Why a program is ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Late,
    /// The agent ends.
    Stopping,
    /// Nobody is left to be told what it only reads.
    Left,
}

/// What decides how long it may go on.
pub(super) struct Watching<'a> {
    pub(super) only_reads: bool,
    pub(super) deadline: Deadline,
    pub(super) shutdown: &'a Shutdown,
}

/// How far its end has come.
struct Life {
    cut: Option<Cut>,
    deadline: Deadline,
    is_killed: bool,
}

impl Life {
    /// Asks it to end; what is asked twice is asked once.
    fn cut(&mut self, child: &Process, why: Cut) {
        if self.cut.is_none() {
            self.cut = Some(why);
            let secs = if why == Cut::Stopping { COMPOSE_LAST_SECS } else { COMPOSE_KILL_SECS };
            self.deadline = Deadline::after_secs(secs);
            child.terminate();
        }
    }

    fn is_late(&mut self, child: &Process, is_stopping: bool) {
        if self.cut.is_none() {
            self.cut(child, if is_stopping { Cut::Stopping } else { Cut::Late });
        } else if !self.is_killed {
            self.is_killed = true;
            self.deadline = Deadline::NEVER;
            child.kill();
        }
    }
}

/// The two ends that are read, until each is at its end.
struct Mouths {
    pipes: Pipes,
    out_ended: bool,
    err_ended: bool,
    space: Vec<u8>,
}

impl Mouths {
    fn have_ended(&self) -> bool {
        self.out_ended && self.err_ended
    }

    /// Reads once from each that has something.
    fn take(&mut self, (on_out, on_err): (bool, bool), listener: &mut dyn Listener) -> io::Result<()> {
        if on_out {
            self.out_ended |= carry(&mut self.pipes.out, &mut self.space, Stream::Stdout, listener)?;
        }
        if on_err {
            self.err_ended |= carry(&mut self.pipes.err, &mut self.space, Stream::Stderr, listener)?;
        }
        Ok(())
    }

    /// What is still in the pipes of a program that is gone.
    fn rest(&mut self, listener: &mut dyn Listener) -> io::Result<()> {
        // One that hid from its end may go on talking.
        let enough = Deadline::after_secs(COMPOSE_GOODBYE_SECS);
        while !self.have_ended() && !enough.passed() {
            let mut watches = [
                if self.out_ended { Watch::nothing() } else { Watch::readable(&self.pipes.out) },
                if self.err_ended { Watch::nothing() } else { Watch::readable(&self.pipes.err) },
            ];
            if !wait(&mut watches, Deadline::after(Duration::ZERO))? {
                break;
            }
            let [on_out, on_err] = watches.map(|watch| watch.is_ready());
            self.take((on_out, on_err), listener)?;
        }
        Ok(())
    }
}

/// One reading; whether it was the end.
fn carry(
    from: &mut impl Read,
    space: &mut [u8],
    stream: Stream,
    listener: &mut dyn Listener,
) -> io::Result<bool> {
    match from.read(space) {
        Ok(0) => Ok(true),
        Ok(count) => {
            listener.hear(stream, space.get(..count).unwrap_or_default());
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

impl Watching<'_> {
    /// Until it is over: how it ended, and why, where that was our doing.
    pub(super) fn over(
        &self,
        (child, pipes): (Process, Pipes),
        listener: &mut dyn Listener,
    ) -> io::Result<(Ended, Option<Cut>)> {
        let space = vec![0; BODY_BUFFER_BYTES];
        let mut mouths = Mouths { pipes, out_ended: false, err_ended: false, space };
        let mut life = Life { cut: None, deadline: self.deadline, is_killed: false };
        let (mut is_listening, mut is_stopping) = (true, false);
        while !child.has_ended() {
            // What only reads waits with who is told of it; what changes something does not.
            let is_full = self.only_reads && is_listening && listener.is_full();
            let readable = |ended: bool| !ended && !is_full;
            let (bell, ending) = (listener.bell(), child.ending());
            let mut watches = [
                if readable(mouths.out_ended) {
                    Watch::readable(&mouths.pipes.out)
                } else {
                    Watch::nothing()
                },
                if readable(mouths.err_ended) {
                    Watch::readable(&mouths.pipes.err)
                } else {
                    Watch::nothing()
                },
                if is_listening { Watch::readable(&bell) } else { Watch::nothing() },
                if is_stopping { Watch::nothing() } else { Watch::readable(self.shutdown) },
                Watch::readable(&ending),
            ];
            wait(&mut watches, life.deadline)?;
            let [on_out, on_err, on_bell, on_shutdown, _] = watches.map(|watch| watch.is_ready());
            mouths.take((on_out, on_err), listener)?;
            if on_bell && listener.has_left() {
                is_listening = false;
                if self.only_reads {
                    life.cut(&child, Cut::Left);
                }
            }
            if on_shutdown {
                is_stopping = true;
                match self.only_reads {
                    true => life.cut(&child, Cut::Stopping),
                    false if life.cut.is_none() => {
                        life.deadline = life.deadline.sooner(Deadline::after_secs(COMPOSE_DRAIN_SECS));
                    }
                    // One that was asked to end already has no more time than others.
                    false => life.deadline = life.deadline.sooner(Deadline::after_secs(COMPOSE_LAST_SECS)),
                }
            }
            if life.deadline.passed() {
                life.is_late(&child, is_stopping);
            }
        }
        mouths.rest(listener)?;
        Ok((child.reap()?, life.cut))
    }
}
