//! One connection to the controller: what was agreed on, and everything that is under way on it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::call::Agreed;
use super::inlet::{Bells, Cause, Inlet};
use super::outbox::Outbox;
use crate::api::Agent;
use crate::auth::Gate;
use crate::clock::Deadline;
use crate::docker::Line;
use crate::limits::{
    EDGE_BODIES_MAX, EDGE_CALLS_MAX, EDGE_ERRANDS_MAX, EDGE_EXECS_MAX, EDGE_LOGS_MAX, EDGE_WHOLE_MAX,
};
use crate::log::{self, text};
use crate::permits::Permits;
use crate::shared::Shared;
use crate::threads::Crew;

/// What every session shares.
pub(super) struct House {
    pub(super) agent: Arc<Agent>,
    /// Where the controller is, as the records name it.
    pub(super) controller: String,
    pub(super) gate: Gate,
    pub(super) crew: Crew,
    pub(super) places: Places,
}

/// Places for what a controller asks.
pub(super) struct Places {
    pub(super) calls: Permits,
    pub(super) execs: Permits,
    pub(super) logs: Permits,
    pub(super) errands: Permits,
    /// For large answers in one piece.
    pub(super) wholes: Permits,
    /// For large bodies in one piece.
    pub(super) bodies: Permits,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            calls: Permits::new(EDGE_CALLS_MAX),
            execs: Permits::new(EDGE_EXECS_MAX),
            logs: Permits::new(EDGE_LOGS_MAX),
            errands: Permits::new(EDGE_ERRANDS_MAX),
            wholes: Permits::new(EDGE_WHOLE_MAX),
            bodies: Permits::new(EDGE_BODIES_MAX),
        }
    }

    /// Waits until all of them are free, or the deadline.
    pub(super) fn wait_idle(&self, deadline: Deadline) -> bool {
        [&self.calls, &self.execs, &self.logs, &self.errands].iter().all(|places| places.wait_idle(deadline))
    }

    /// By name, for the figures.
    pub(super) fn pools(&self) -> [(&'static str, Permits); 6] {
        [
            ("edge_requests", self.calls.clone()),
            ("edge_commands", self.execs.clone()),
            ("edge_logs", self.logs.clone()),
            ("edge_errands", self.errands.clone()),
            ("edge_large_answers", self.wholes.clone()),
            ("edge_large_bodies", self.bodies.clone()),
        ]
    }
}

/// What is under way: each kind has names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Call,
    Exec,
    Logs,
    Errand,
    News,
}

/// One connection to the controller.
pub(super) struct Session {
    pub(super) house: Arc<House>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) agreed: Agreed,
    /// The controller's address.
    pub(super) peer: IpAddr,
    /// Nobody between us and the controller reads along.
    pub(super) is_private: bool,
    book: Shared<Book>,
    /// Connections to the Engine that are clean, for the next request of this session.
    lines: Shared<Vec<Line>>,
    bells: Arc<Bells>,
    /// A message could not be read, and the log knows.
    has_skipped: AtomicBool,
}

#[derive(Default)]
struct Book {
    entries: HashMap<(Kind, String), Entry>,
    channels: HashMap<u32, Arc<Inlet>>,
    /// How many there were.
    errands: u64,
    is_over: bool,
}

struct Entry {
    inlet: Arc<Inlet>,
    channel: Option<u32>,
    /// The controller may send content.
    takes: bool,
}

/// Why something is not begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// The name is taken, or the channel.
    Duplicate,
    /// Nothing is begun any more, or there are no descriptors.
    Over,
}

impl Session {
    pub(super) fn new(
        house: Arc<House>,
        outbox: Arc<Outbox>,
        agreed: Agreed,
        (peer, is_private): (IpAddr, bool),
    ) -> Self {
        let (book, lines) = (Shared::new(Book::default()), Shared::new(Vec::new()));
        let (bells, has_skipped) = (Arc::default(), AtomicBool::new(false));
        Self { house, outbox, agreed, peer, is_private, book, lines, bells, has_skipped }
    }

    /// Enters something under its name.
    pub(super) fn begin(
        self: &Arc<Self>,
        kind: Kind,
        name: &str,
        channel: Option<u32>,
        takes: bool,
    ) -> Result<Running, NotBegun> {
        let inlet = Arc::new(Inlet::new(&self.bells).map_err(|_| NotBegun::Over)?);
        let key = (kind, name.to_owned());
        self.book.with(|book| {
            if book.is_over {
                return Err(NotBegun::Over);
            }
            let is_channel_taken = channel.is_some_and(|channel| book.channels.contains_key(&channel));
            if is_channel_taken || book.entries.contains_key(&key) {
                return Err(NotBegun::Duplicate);
            }
            if let Some(channel) = channel {
                book.channels.insert(channel, Arc::clone(&inlet));
            }
            book.entries.insert(key.clone(), Entry { inlet: Arc::clone(&inlet), channel, takes });
            Ok(())
        })?;
        Ok(Running { session: Arc::clone(self), key, inlet })
    }

    /// Enters something the controller has no name for, or none that must be its own.
    pub(super) fn begin_errand(self: &Arc<Self>) -> Result<Running, NotBegun> {
        let number = self.book.with(|book| {
            book.errands = book.errands.saturating_add(1);
            book.errands
        });
        self.begin(Kind::Errand, &number.to_string(), None, false)
    }

    /// What is under way under that name, and whether the controller may send it content.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Option<(Arc<Inlet>, bool)> {
        self.book.with(|book| {
            let entry = book.entries.get(&(kind, name.to_owned()))?;
            Some((Arc::clone(&entry.inlet), entry.takes))
        })
    }

    /// What content of that channel is for.
    pub(super) fn on_channel(&self, channel: u32) -> Option<Arc<Inlet>> {
        self.book.with(|book| book.channels.get(&channel).cloned())
    }

    /// A message that means nothing. All are counted; the log is told of the first.
    pub(super) fn skipped(&self, why: &str) {
        if let Some(tunnel) = &self.house.agent.tunnel {
            tunnel.malformed();
        }
        let tell = if self.has_skipped.swap(true, Ordering::Relaxed) { log::debug } else { log::warn };
        tell("edge.skipped", &[("why", text(&why))]);
    }

    /// So many bytes came in one message.
    pub(super) fn heard(&self, bytes: usize) {
        if let Some(tunnel) = &self.house.agent.tunnel {
            tunnel.received(bytes);
        }
    }

    /// So many bytes go out in one message.
    pub(super) fn said(&self, bytes: usize) {
        if let Some(tunnel) = &self.house.agent.tunnel {
            tunnel.sent(bytes);
        }
    }

    /// Ends one thing.
    pub(super) fn cancel(&self, inlet: &Inlet, cause: Cause) {
        inlet.cancel(cause);
        self.outbox.nudge(inlet);
    }

    /// Ends everything; nothing of it goes out on a later connection.
    pub(super) fn end(&self) {
        self.outbox.close();
        self.cancel_where(|_| true);
        self.book.with(|book| book.is_over = true);
        self.lines.with(Vec::clear);
    }

    /// Ends what was admitted with a credential that is no longer good; says how many that were.
    pub(super) fn end_unless(&self, is_good: impl Fn(u64) -> bool) -> usize {
        self.cancel_where(|mark| mark != 0 && !is_good(mark))
    }

    fn cancel_where(&self, is_meant: impl Fn(u64) -> bool) -> usize {
        let inlets: Vec<_> =
            self.book.with(|book| book.entries.values().map(|entry| Arc::clone(&entry.inlet)).collect());
        let meant = inlets.iter().filter(|inlet| is_meant(inlet.mark()));
        meant.map(|inlet| self.cancel(inlet, Cause::Ended)).count()
    }

    pub(super) fn line(&self) -> Line {
        self.lines.with(|lines| lines.pop().unwrap_or_default())
    }

    pub(super) fn give_back(&self, line: Line) {
        self.lines.with(|lines| {
            if lines.len() < EDGE_CALLS_MAX {
                lines.push(line);
            }
        });
    }
}

/// Something under way. Drop takes its name out of the book.
pub(super) struct Running {
    pub(super) session: Arc<Session>,
    key: (Kind, String),
    pub(super) inlet: Arc<Inlet>,
}

impl Running {
    pub(super) fn name(&self) -> &str {
        &self.key.1
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.book.with(|book| {
            if let Some(channel) = book.entries.remove(&self.key).and_then(|entry| entry.channel) {
                book.channels.remove(&channel);
            }
        });
    }
}
