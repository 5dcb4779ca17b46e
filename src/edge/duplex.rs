//! Both ways at once, between the tunnel and a stream of the Engine's: one thread, which sleeps only
//! after a turn that moved nothing.

use std::io::{self, IoSlice};

use super::frames;
use super::inbound::Grant;
use super::inlet::{Cause, Inlet, Input};
use super::out::Out;
use super::outbox::{Frame, Gone};
use super::session::Running;
use super::unanswered::Unanswered;
use crate::api::Taped;
use crate::clock::Deadline;
use crate::docker::logs::{Logs, Source, notice};
use crate::limits::{EDGE_EXEC_IDLE_SECS, STREAM_STALL_SECS};
use crate::net::relay::Tap;
use crate::net::{Wire, is_tick};
use crate::sys::poll::{Watch, wait};

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides said everything; of a command, it ended.
    Complete,
    Cancelled(Option<Cause>),
    /// Nothing moved for too long.
    Idle,
    Failed(String),
}

/// What is particular to a command.
pub(super) struct Command<R> {
    /// How its output is framed, where it has no terminal.
    pub(super) logs: Logs,
    /// Sets the size of its terminal: columns, rows.
    pub(super) resize: R,
}

/// Carries an upgraded stream until both directions ended. Also whether our own end was told already.
pub(super) fn carry(
    running: &Running,
    out: &Out<'_>,
    wire: &mut Wire,
    taped: Option<Box<Taped>>,
) -> (bool, Result<(), Unanswered>) {
    let grant = Grant { outbox: &running.session.outbox, request_id: running.name(), owed: 0 };
    let mut duplex = Duplex::new(out, wire, Some(grant), None::<Command<fn(u16, u16)>>);
    duplex.taped = taped;
    let outcome = match duplex.run() {
        End::Complete => Ok(()),
        End::Cancelled(Some(Cause::Overflow)) => {
            Err(Unanswered::new("overflow", "more content came than was allowed"))
        }
        End::Cancelled(_) => Err(Unanswered::new("canceled", "the request was canceled")),
        End::Idle => Err(Unanswered::new("idle", "nothing moved for an hour")),
        End::Failed(why) => Err(Unanswered::new("engine-failed", why)),
    };
    (duplex.is_end_told, outcome)
}

/// Carries what a command prints and what is typed until it ends.
pub(super) fn command(
    out: &Out<'_>,
    wire: &mut Wire,
    command: Command<impl FnMut(u16, u16)>,
    taped: Option<Box<Taped>>,
) -> End {
    let mut duplex = Duplex::new(out, wire, None, Some(command));
    duplex.taped = taped;
    duplex.run()
}

struct Duplex<'d, R> {
    out: &'d Out<'d>,
    inlet: &'d Inlet,
    wire: &'d mut Wire,
    grant: Option<Grant<'d>>,
    command: Option<Command<R>>,
    /// Where everything is recorded before it goes on.
    taped: Option<Box<Taped>>,
    /// Input on its way to the Engine, and how much of it has arrived.
    input: Vec<u8>,
    written: usize,
    /// The end of the input came; it is told once the input was written.
    is_last: bool,
    up_over: bool,
    engine_ended: bool,
    down_over: bool,
    /// The controller takes no more just now.
    is_blocked: bool,
    /// The controller knows that the Engine has ended.
    is_end_told: bool,
}

impl<'d, R: FnMut(u16, u16)> Duplex<'d, R> {
    fn new(
        out: &'d Out<'d>,
        wire: &'d mut Wire,
        grant: Option<Grant<'d>>,
        command: Option<Command<R>>,
    ) -> Self {
        Self {
            out,
            inlet: out.inlet,
            wire,
            grant,
            command,
            taped: None,
            input: Vec::new(),
            written: 0,
            is_last: false,
            up_over: false,
            engine_ended: false,
            down_over: false,
            is_blocked: false,
            is_end_told: false,
        }
    }

    fn run(&mut self) -> End {
        if let Err(error) = self.wire.conn.set_nonblocking() {
            return End::Failed(format!("the stream cannot be read: {error}"));
        }
        // What came behind the head.
        if let Err(end) = self.tape(|taped, received| taped.down(received)) {
            return end;
        }
        let (mut may_read, mut idle) = (true, self.rest());
        loop {
            if self.inlet.is_cancelled() {
                return End::Cancelled(self.inlet.cancelled());
            }
            let has_moved = match self.up().and_then(|up| Ok(self.down(may_read)? || up)) {
                Ok(moved) => moved,
                Err(end) => return end,
            };
            // A command that ended takes no input; of an upgraded stream, each side ends for itself.
            if self.down_over && (self.up_over || self.command.is_some()) {
                return End::Complete;
            }
            if has_moved {
                idle = self.rest();
                may_read = true;
                continue;
            }
            match self.sleep(idle) {
                Ok(readable) => may_read = readable,
                Err(end) => return end,
            }
        }
    }

    /// How long nothing may move. Of an upgraded stream somebody may watch the silence.
    fn rest(&self) -> Deadline {
        self.command.as_ref().map_or(Deadline::NEVER, |_| Deadline::after_secs(EDGE_EXEC_IDLE_SECS))
    }

    /// Writes what came, as far as the Engine takes it.
    fn up(&mut self) -> Result<bool, End> {
        let mut has_moved = false;
        while !self.up_over {
            if self.written == self.input.len() {
                match self.next_input()? {
                    Some(true) => {}
                    Some(false) => return Ok(true),
                    None => return Ok(has_moved),
                }
            }
            let rest = self.input.get(self.written..).unwrap_or_default();
            match self.wire.conn.write(&[IoSlice::new(rest)]) {
                Ok(count) => {
                    has_moved = true;
                    self.written = self.written.saturating_add(count);
                    if let Some(grant) = &mut self.grant {
                        grant.took(count);
                    }
                }
                Err(error) if is_tick(&error) => return Ok(has_moved),
                // The Engine takes nothing more; what it still says is worth hearing.
                Err(_) => self.end_input(),
            }
        }
        // Nobody reads what still comes.
        while self.inlet.take().is_some() {}
        Ok(has_moved)
    }

    /// Takes the next input: true for bytes, false for anything else, `None` where nothing waits.
    fn next_input(&mut self) -> Result<Option<bool>, End> {
        if self.is_last {
            self.end_input();
            return Ok(Some(false));
        }
        (self.input, self.written) = (Vec::new(), 0);
        let Some(input) = self.inlet.take() else { return Ok(None) };
        Ok(Some(match input {
            Input::Data(data) => {
                self.tape(|taped, _| taped.up(&data))?;
                self.input = data;
                !self.input.is_empty()
            }
            Input::Resize { cols, rows } => {
                self.tape(|taped, _| taped.resized((cols, rows)))?;
                if let Some(command) = &mut self.command {
                    (command.resize)(cols, rows);
                }
                false
            }
            Input::End => {
                self.is_last = true;
                false
            }
        }))
    }

    /// What cannot be recorded does not go on.
    fn tape(&mut self, record: impl FnOnce(&mut Taped, &[u8]) -> io::Result<()>) -> Result<(), End> {
        let Some(taped) = &mut self.taped else { return Ok(()) };
        record(taped, self.wire.received())
            .map_err(|error| End::Failed(format!("the recording cannot be written: {}", error.kind())))
    }

    fn end_input(&mut self) {
        self.up_over = true;
        // An Engine that is gone needs no telling.
        let _ = self.wire.conn.end_writing();
    }

    /// Reads once, where that does not wait, and sends on what the controller takes.
    fn down(&mut self, may_read: bool) -> Result<bool, End> {
        if self.down_over {
            return Ok(false);
        }
        let mut has_moved = false;
        if may_read && !self.engine_ended && self.wire.received().is_empty() {
            match self.wire.receive() {
                Ok(0) => (self.engine_ended, has_moved) = (true, true),
                Ok(_) => {
                    self.tape(|taped, received| taped.down(received))?;
                    has_moved = true;
                }
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        self.is_blocked = false;
        while !self.wire.received().is_empty() {
            let most = self.wire.received().len().min(self.out.most());
            let gone = |Gone| End::Cancelled(self.inlet.cancelled());
            let allowed = self.out.lane.allowance_now(most).map_err(gone)?;
            if allowed == 0 {
                self.is_blocked = true;
                return Ok(has_moved);
            }
            self.send(allowed)?;
            has_moved = true;
        }
        if self.engine_ended {
            self.down_over = true;
            if let Some(grant) = self.grant.as_ref().filter(|_| !self.up_over) {
                self.tell(Frame::Text(frames::stream_end(grant.request_id, "complete")))?;
                self.is_end_told = true;
            }
        }
        Ok(has_moved)
    }

    /// Sends so many of the bytes received.
    fn send(&mut self, count: usize) -> Result<(), End> {
        let piece = self.wire.received().get(..count).unwrap_or_default();
        let Some(command) = &mut self.command else {
            let frame = self.out.wrap.frame(piece, None);
            self.tell(frame)?;
            self.wire.consume(count);
            return Ok(());
        };
        let has_terminal = matches!(command.logs, Logs::Terminal);
        let cut = command.logs.cut(piece).map_err(|bad| End::Failed(bad.to_string()))?;
        let writer = match cut.source {
            _ if has_terminal => None,
            Source::Stdin | Source::Stdout => Some("stdout"),
            Source::Stderr | Source::Engine => Some("stderr"),
        };
        let text = piece.get(cut.framing..cut.framing.saturating_add(cut.text)).unwrap_or_default();
        let said = cut.left_out.map(|bytes| self.out.wrap.frame(notice(bytes).as_bytes(), writer));
        let printed = (!text.is_empty()).then(|| self.out.wrap.frame(text, writer));
        for frame in said.into_iter().chain(printed) {
            self.tell(frame)?;
        }
        self.wire.consume(cut.framing.saturating_add(cut.text));
        Ok(())
    }

    fn tell(&self, frame: Frame) -> Result<(), End> {
        self.out.lane.end(frame).map_err(|Gone| End::Cancelled(self.inlet.cancelled()))
    }

    fn failed(&self, error: &io::Error) -> End {
        End::Failed(format!("the stream broke off: {}", error.kind()))
    }

    /// Sleeps until something can move; whether the Engine can be read then.
    fn sleep(&mut self, idle: Deadline) -> Result<bool, End> {
        let has_decrypted = self.wire.has_decrypted();
        let reads = !self.engine_ended && !self.is_blocked && self.wire.received().is_empty();
        if has_decrypted && reads {
            return Ok(true);
        }
        let writes = (!self.up_over && self.written < self.input.len()) || self.wire.conn.owes();
        let deadline = if writes { Deadline::after_secs(STREAM_STALL_SECS) } else { idle };
        let on_engine = match reads || writes {
            true => Watch::when(&*self.wire, reads, writes),
            // An Engine that ended is no news; one that is gone both ways ends the stream.
            false if self.down_over => Watch::breakage(&*self.wire),
            false => Watch::nothing(),
        };
        let mut watches = [on_engine, Watch::readable(self.inlet)];
        match wait(&mut watches, deadline) {
            Ok(true) => {}
            Ok(false) => return Err(End::Idle),
            Err(error) => return Err(self.failed(&error)),
        }
        let [on_engine, on_inlet] = watches;
        let (readable, is_broken) = (on_engine.can_read(), on_engine.is_broken());
        if on_inlet.is_ready() {
            self.inlet.hear();
        }
        if self.down_over && is_broken {
            return Err(End::Complete);
        }
        Ok(readable)
    }
}
