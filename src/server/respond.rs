//! An answer as bytes on the client's connection, while watching the client leave.

use std::io::{self, ErrorKind, IoSlice};

use super::connection::{End, Talk};
use crate::api::{Reply, Response};
use crate::clock::Deadline;
use crate::docker::{Hijacked, Incoming, Pieces};
use crate::http::{Framing, push_field, size_line};
use crate::limits::{HEAD_BUFFER_BYTES, STREAM_STALL_SECS, WRITE_STALL_SECS};
use crate::log::{self, text};
use crate::net::relay::relay;
use crate::net::{Conn, is_tick};
use crate::policy::engine::Pace;
use crate::sys::poll::{Watch, wait};

/// What the request says about its answer.
pub(super) struct Terms {
    pub(super) is_head: bool,
    pub(super) is_http_10: bool,
    pub(super) keep_alive: bool,
}

/// Writes an answer; `None` goes on with the next request.
pub(super) fn respond(talk: &mut Talk<'_>, response: Response, terms: &Terms) -> Option<End> {
    let Response { status, reason, fields, reply } = response;
    let mut code = [0; 3];
    talk.out.clear();
    for part in [b"HTTP/1.1 ", status.digits(&mut code), b" ", reason.as_bytes(), b"\r\n", fields.as_bytes()]
    {
        talk.out.extend_from_slice(part);
    }
    talk.line.give_back(fields.into_space());
    let keep = terms.keep_alive && !talk.wire.is_mid_body() && !talk.house.shutdown.has_begun();
    match reply {
        Reply::Bytes(bytes) => whole(talk, &bytes, terms, keep),
        Reply::Stream(incoming, pace) => stream(talk, incoming, pace, terms, keep),
        Reply::Upgraded(hijacked, _place) => Some(upgrade(talk, hijacked)),
        Reply::Nobody => Some(End::PeerFailed(ErrorKind::ConnectionAborted.into())),
    }
}

/// The last lines of a head.
fn close_head(talk: &mut Talk<'_>, terms: &Terms, keep: bool) {
    if !keep {
        push_field(&mut talk.out, "Connection", b"close");
    } else if terms.is_http_10 {
        push_field(&mut talk.out, "Connection", b"keep-alive");
    }
    talk.out.extend_from_slice(b"\r\n");
}

/// What to do once an answer was written whole.
fn next(talk: &Talk<'_>, keep: bool) -> Option<End> {
    if talk.wire.is_mid_body() {
        Some(End::UnreadBody)
    } else if keep {
        None
    } else {
        Some(End::Asked)
    }
}

fn whole(talk: &mut Talk<'_>, bytes: &[u8], terms: &Terms, keep: bool) -> Option<End> {
    push_field(&mut talk.out, "Content-Length", bytes.len().to_string().as_bytes());
    close_head(talk, terms, keep);
    let body = if terms.is_head { &[] } else { bytes };
    let mut slices = [IoSlice::new(&talk.out), IoSlice::new(body)];
    match talk.wire.conn.send(&mut slices, &mut stall_limit(WRITE_STALL_SECS)) {
        Ok(()) => next(talk, keep),
        Err(error) => Some(End::PeerFailed(error)),
    }
}

/// How the client sees where an answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It knows from the head.
    Known,
    Chunks,
    Close,
}

fn stream(talk: &mut Talk<'_>, mut incoming: Incoming, pace: Pace, terms: &Terms, keep: bool) -> Option<End> {
    let ending = match incoming.framing() {
        Framing::None => Ending::Known,
        Framing::Length(length) => {
            push_field(&mut talk.out, "Content-Length", length.to_string().as_bytes());
            Ending::Known
        }
        Framing::Chunked | Framing::UntilClose if terms.is_http_10 => Ending::Close,
        Framing::Chunked | Framing::UntilClose => {
            push_field(&mut talk.out, "Transfer-Encoding", b"chunked");
            Ending::Chunks
        }
    };
    let keep = keep && ending != Ending::Close;
    close_head(talk, terms, keep);
    match pour(talk, &mut incoming, pace, ending) {
        Ok(()) => {
            incoming.finish(&mut talk.line);
            next(talk, keep)
        }
        Err(end) => {
            // Where the end of the connection is the end of the answer, a plain one would lie.
            if ending == Ending::Close {
                talk.wire.conn.reset_on_close();
            }
            Some(end)
        }
    }
}

/// Sends head and content on as they come.
fn pour(talk: &mut Talk<'_>, incoming: &mut Incoming, pace: Pace, ending: Ending) -> Result<(), End> {
    let mut is_over = false;
    loop {
        let mut pieces = incoming.pieces().map_err(|why| {
            log::warn("engine.malformed", &[("error", text(&why))]);
            End::EngineFailed
        })?;
        pieces.ended |= is_over;
        let mut limit = stall_limit(STREAM_STALL_SECS);
        put(talk, incoming, &pieces, ending, &mut limit).map_err(End::PeerFailed)?;
        incoming.consume(&pieces);
        if pieces.ended {
            return Ok(());
        }
        talk.out.clear();
        match incoming.receive() {
            Ok(0) if incoming.framing() == Framing::UntilClose => is_over = true,
            Ok(0) => {
                log::warn("engine.broke_off", &[]);
                return Err(End::EngineFailed);
            }
            Ok(_) => {}
            Err(error) if is_tick(&error) => wait_quietly(talk, incoming, pace)?,
            Err(error) => {
                log::warn("engine.broke_off", &[("error", text(&error))]);
                return Err(End::EngineFailed);
            }
        }
    }
}

/// One write: what is left of the head, and the content at hand in the client's framing.
fn put(
    talk: &mut Talk<'_>,
    incoming: &Incoming,
    pieces: &Pieces,
    ending: Ending,
    limit: &mut dyn FnMut(&mut Conn) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = [0; 18];
    let is_chunk = ending == Ending::Chunks && pieces.content > 0;
    let size: &[u8] = if is_chunk { size_line(pieces.content, &mut line) } else { b"" };
    let chunk_end: &[u8] = if is_chunk { b"\r\n" } else { b"" };
    let last: &[u8] = if ending == Ending::Chunks && pieces.ended { b"0\r\n\r\n" } else { b"" };
    let content =
        pieces.ranges.iter().take(pieces.count).filter_map(|range| incoming.received().get(range.clone()));
    let total = talk.out.len().saturating_add(pieces.content);
    if total <= HEAD_BUFFER_BYTES {
        // One buffer costs the kernel less than a list of short ones.
        let mut out = std::mem::take(&mut talk.out);
        for part in [size].into_iter().chain(content).chain([chunk_end, last]) {
            out.extend_from_slice(part);
        }
        let sent =
            if out.is_empty() { Ok(()) } else { talk.wire.conn.send(&mut [IoSlice::new(&out)], limit) };
        talk.out = out;
        return sent;
    }
    let parts = [&talk.out[..], size].into_iter().chain(content).chain([chunk_end, last]);
    let mut slices = [IoSlice::new(&[]); Pieces::MAX + 4];
    let mut count = 0_usize;
    for (slice, part) in slices.iter_mut().zip(parts.filter(|part| !part.is_empty())) {
        *slice = IoSlice::new(part);
        count = count.saturating_add(1);
    }
    talk.wire.conn.send(slices.get_mut(..count).unwrap_or_default(), limit)
}

/// The Engine is silent: sleeps until it speaks, the client leaves, or, where the answer need never
/// end, the agent does. One that will end is given the time the agent has left.
fn wait_quietly(talk: &Talk<'_>, incoming: &Incoming, pace: Pace) -> Result<(), End> {
    let on_end = match pace {
        Pace::Endless => Watch::readable(&talk.house.shutdown),
        Pace::Prompt | Pace::Slow => Watch::nothing(),
    };
    let mut watches = [Watch::readable(incoming), Watch::departure(&talk.wire), on_end];
    wait(&mut watches, Deadline::NEVER).map_err(End::PeerFailed)?;
    let [on_engine, on_client, on_shutdown] = watches;
    if on_engine.is_ready() {
        Ok(())
    } else if on_client.is_ready() {
        Err(End::PeerClosed)
    } else if on_shutdown.is_ready() {
        Err(End::Draining)
    } else {
        Ok(())
    }
}

/// Hands the connection over to both sides.
fn upgrade(talk: &mut Talk<'_>, mut hijacked: Hijacked) -> End {
    talk.out.extend_from_slice(b"\r\n");
    let head = &mut [IoSlice::new(&talk.out)];
    if let Err(error) = talk.wire.conn.send(head, &mut stall_limit(WRITE_STALL_SECS)) {
        return End::PeerFailed(error);
    }
    match relay(&mut talk.wire, hijacked.wire(), &talk.house.shutdown) {
        Ok(()) => End::StreamEnded,
        Err(error) => End::PeerFailed(error),
    }
}

/// A limit on how long a client may take nothing; the time runs from the first stall.
fn stall_limit(secs: u64) -> impl FnMut(&mut Conn) -> io::Result<()> {
    let mut deadline = None;
    move |_| {
        let deadline = *deadline.get_or_insert_with(|| Deadline::after_secs(secs));
        if deadline.passed() { Err(ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}
