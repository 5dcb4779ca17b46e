//! The one owner of the WebSocket: reads what the controller says, writes whose turn it is, and sleeps
//! when there is nothing to read and nothing was written.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};

use super::frames;
use super::outbox::{Frame, Gone};
use super::session::Session;
use crate::clock::{self, Deadline};
use crate::limits::{
    EDGE_GOODBYE_SECS, EDGE_MESSAGE_IN_MAX, EDGE_READ_BYTES, EDGE_READ_IN_A_ROW, EDGE_SILENCE_SECS,
    EDGE_STALL_SECS, EDGE_TURN_BYTES, EDGE_UNSENT_BYTES,
};
use crate::net::{Conn, Shutdown, is_tick};
use crate::sys::poll::{Watch, wait};

/// Why a session is over.
#[derive(Debug)]
pub(super) enum Break {
    /// The agent ends.
    Shutdown,
    /// The controller said goodbye, in its words.
    Closed(String),
    /// It said nothing for too long.
    Silent,
    /// It took nothing for too long.
    Stalled,
    Failed(String),
}

/// A WebSocket whose calls never wait.
pub(super) struct Socket {
    ws: WebSocket<Pipe>,
    /// Bytes were handed over that the kernel did not take yet.
    is_blocked: bool,
    /// When it took something last, or had nothing to take.
    took: Deadline,
}

/// The connection, as the WebSocket sees it.
struct Pipe {
    conn: Conn,
    has_written: bool,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.conn.read(into)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.conn.write(&[IoSlice::new(bytes)])?;
        self.has_written = true;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.conn.flush()
    }
}

impl Socket {
    /// `early` came behind the answer to the upgrade.
    pub(super) fn new(conn: Conn, early: Vec<u8>) -> io::Result<Self> {
        conn.set_nonblocking()?;
        conn.limit_unsent(EDGE_UNSENT_BYTES)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(EDGE_MESSAGE_IN_MAX))
            .max_frame_size(Some(EDGE_MESSAGE_IN_MAX))
            .read_buffer_size(EDGE_READ_BYTES)
            // It is flushed when a turn is over, and holds no more than a turn and one message.
            .write_buffer_size(usize::MAX / 2)
            .max_write_buffer_size(usize::MAX);
        let pipe = Pipe { conn, has_written: false };
        let ws = WebSocket::from_partially_read(pipe, early, Role::Client, Some(config));
        Ok(Self { ws, is_blocked: false, took: Deadline::after_secs(EDGE_STALL_SECS) })
    }

    /// The next message; `None` where none is there now.
    pub(super) fn read(&mut self) -> Result<Option<Message>, Break> {
        match self.ws.read() {
            Ok(Message::Close(frame)) => {
                let said = frame.map_or_else(String::new, |frame| {
                    format!("{} {}", u16::from(frame.code), frame.reason.as_str())
                });
                // Takes the answer to it out, as far as that goes.
                let _ = self.ws.flush();
                Err(Break::Closed(said))
            }
            Ok(message) => Ok(Some(message)),
            Err(Error::Io(error)) if is_tick(&error) => Ok(None),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Hands a message over; it goes out with the next flush.
    fn write(&mut self, frame: Frame) -> Result<(), Break> {
        let message = match frame {
            Frame::Text(text) => Message::Text(Utf8Bytes::from(text)),
            Frame::Binary(bytes) => Message::Binary(Bytes::from(bytes)),
        };
        match self.ws.write(message) {
            Ok(()) => Ok(()),
            Err(Error::Io(error)) if is_tick(&error) => {
                self.is_blocked = true;
                Ok(())
            }
            Err(error) => Err(broken(&error)),
        }
    }

    /// Writes what the kernel takes. Whether that was anything.
    pub(super) fn flush(&mut self) -> Result<bool, Break> {
        self.is_blocked = match self.ws.flush() {
            Ok(()) => self.ws.get_ref().conn.owes(),
            Err(Error::Io(error)) if is_tick(&error) => true,
            Err(error) => return Err(broken(&error)),
        };
        let has_written = std::mem::take(&mut self.ws.get_mut().has_written);
        if has_written || !self.is_blocked {
            self.took = Deadline::after_secs(EDGE_STALL_SECS);
        }
        Ok(has_written)
    }

    /// Sends one message, before there is an outbox.
    pub(super) fn send(&mut self, text: String) -> Result<(), Break> {
        self.write(Frame::Text(text))
    }

    /// Waits until it can be read, or written where that is wanted; false when the deadline passed.
    pub(super) fn wait(&mut self, shutdown: &Shutdown, deadline: Deadline) -> Result<bool, Break> {
        if self.ws.get_mut().conn.is_buffered() {
            return Ok(true);
        }
        let mut watches =
            [Watch::when(&self.ws.get_ref().conn, true, self.is_blocked), Watch::readable(shutdown)];
        let is_ready = wait(&mut watches, deadline).map_err(|error| Break::Failed(error.to_string()))?;
        if shutdown.has_begun() { Err(Break::Shutdown) } else { Ok(is_ready) }
    }

    /// Says goodbye, and waits a little for the same.
    fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("shutdown") };
        let deadline = Deadline::after_secs(EDGE_GOODBYE_SECS);
        let _ = self.ws.close(Some(frame));
        while !deadline.passed() {
            let flushed = self.flush();
            match self.ws.read() {
                Ok(_) => continue,
                Err(Error::Io(error)) if is_tick(&error) && flushed.is_ok() => {}
                Err(_) => return,
            }
            let mut watches = [Watch::when(&self.ws.get_ref().conn, true, self.is_blocked)];
            if wait(&mut watches, deadline).is_err() {
                return;
            }
        }
    }
}

fn broken(error: &Error) -> Break {
    let is_cut =
        |error: &Error| matches!(error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof);
    let is_end = matches!(error, Error::ConnectionClosed | Error::AlreadyClosed) || is_cut(error);
    if is_end { Break::Closed(String::new()) } else { Break::Failed(error.to_string()) }
}

/// Carries a session until something ends it.
pub(super) fn pump(
    mut socket: Socket,
    session: &Arc<Session>,
    shutdown: &Shutdown,
    heartbeat: Duration,
) -> Break {
    let why = match (Turns { socket: &mut socket, session, shutdown, heartbeat }).run() {
        Ok(never) => match never {},
        Err(why) => why,
    };
    session.end();
    if matches!(why, Break::Shutdown) {
        socket.close();
    }
    why
}

struct Turns<'t> {
    socket: &'t mut Socket,
    session: &'t Arc<Session>,
    shutdown: &'t Shutdown,
    heartbeat: Duration,
}

impl Turns<'_> {
    fn run(&mut self) -> Result<std::convert::Infallible, Break> {
        let silence = self.heartbeat.saturating_mul(2).max(Duration::from_secs(EDGE_SILENCE_SECS));
        let (mut heard, mut beat) = (Deadline::after(silence), Deadline::after(self.heartbeat));
        // As far as is known: a reading in vain costs as much as one that brings something.
        let (mut may_be_read, mut was_writing) = (true, false);
        loop {
            if may_be_read {
                let count = self.read()?;
                may_be_read = count == EDGE_READ_IN_A_ROW;
                if count > 0 {
                    heard = Deadline::after(silence);
                }
            }
            if beat.passed() {
                beat = Deadline::after(self.heartbeat);
                self.ping()?;
            }
            let has_written = self.write()?;
            if self.shutdown.has_begun() {
                return Err(Break::Shutdown);
            }
            if heard.passed() {
                return Err(Break::Silent);
            }
            if self.socket.is_blocked && self.socket.took.passed() && self.session.outbox.has_control() {
                return Err(Break::Stalled);
            }
            // Whoever writes turn after turn never sleeps, and listens all the same.
            may_be_read |= has_written && was_writing;
            was_writing = has_written;
            if !has_written && !may_be_read {
                may_be_read = self.sleep(heard, beat)?;
            }
        }
    }

    /// Reads what is there, up to a bound, and says how many messages that were.
    fn read(&mut self) -> Result<usize, Break> {
        for count in 0..EDGE_READ_IN_A_ROW {
            let Some(message) = self.socket.read()? else { return Ok(count) };
            self.session.heard(message.len());
            let obeyed = match message {
                Message::Text(text) => self.session.receive(text.as_str()),
                Message::Binary(bytes) => self.session.receive_binary(&bytes),
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => Ok(()),
            };
            // Refusals that nobody takes.
            obeyed.map_err(|Gone| Break::Stalled)?;
        }
        Ok(EDGE_READ_IN_A_ROW)
    }

    fn ping(&self) -> Result<(), Break> {
        let millis = u64::try_from(clock::unix().as_millis()).unwrap_or(u64::MAX);
        let ping = frames::envelope("ping", &serde_json::json!({ "timestamp": millis }));
        self.session.outbox.control(ping).map_err(|Gone| Break::Stalled)
    }

    /// Writes one turn's worth, once the last was taken.
    fn write(&mut self) -> Result<bool, Break> {
        if self.socket.is_blocked && !self.socket.flush()? {
            return Ok(false);
        }
        let (mut bytes, mut has_any) = (0_usize, false);
        while !self.socket.is_blocked && bytes < EDGE_TURN_BYTES {
            let Some(frame) = self.session.outbox.take() else { break };
            bytes = bytes.saturating_add(frame.len());
            self.session.said(frame.len());
            self.socket.write(frame)?;
            has_any = true;
        }
        // Also what the WebSocket answers by itself.
        Ok(self.socket.flush()? || has_any)
    }

    /// Until there is something to do. Whether that is reading.
    fn sleep(&mut self, heard: Deadline, beat: Deadline) -> Result<bool, Break> {
        let socket = &mut *self.socket;
        if socket.ws.get_mut().conn.is_buffered() {
            return Ok(true);
        }
        if !socket.is_blocked && !self.session.outbox.is_empty() {
            return Ok(false);
        }
        let stalled = if socket.is_blocked { socket.took } else { Deadline::NEVER };
        let until = heard.sooner(beat).sooner(stalled);
        let mut watches = [
            Watch::when(&socket.ws.get_ref().conn, true, socket.is_blocked),
            Watch::readable(&*self.session.outbox),
            Watch::readable(self.shutdown),
        ];
        wait(&mut watches, until).map_err(|error| Break::Failed(error.to_string()))?;
        let [on_socket, on_bell, _] = watches;
        if on_bell.is_ready() {
            self.session.outbox.hear();
        }
        Ok(on_socket.can_read())
    }
}
