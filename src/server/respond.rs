//! An answer as bytes on the client's connection, while watching the client leave.

use std::io::{self, ErrorKind, IoSlice};

use super::connection::{End, Talk};
use crate::api::{Beat, Follow, Reply, Response, Sift, Taped};
use crate::clock::Deadline;
use crate::docker::{Hijacked, Incoming};
use crate::http::{Framing, push_field, size_line};
use crate::limits::{HEAD_BUFFER_BYTES, STREAM_STALL_SECS, WRITE_STALL_SECS};
use crate::log::{self, text};
use crate::net::relay::{Tap, relay};
use crate::net::{Conn, is_tick};
use crate::policy::row::Pace;
use crate::sys::memory;
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
        Reply::Empty if status.is_bodiless() => bare(talk, terms, keep),
        Reply::Empty => whole(talk, &[], terms, keep),
        Reply::Bytes(bytes) => whole(talk, &bytes, terms, keep),
        Reply::Feed(follow) => Some(feed(talk, follow, terms)),
        Reply::Stream(incoming, pace, _place) => stream(talk, incoming, None, pace, terms, keep),
        Reply::Sifted(incoming, pace, sieve) => stream(talk, incoming, Some(sieve), pace, terms, keep),
        Reply::Upgraded(hijacked, _place, taped) => Some(upgrade(talk, hijacked, taped)),
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

/// A head whose status says that nothing follows.
fn bare(talk: &mut Talk<'_>, terms: &Terms, keep: bool) -> Option<End> {
    close_head(talk, terms, keep);
    match talk.wire.conn.send(&mut [IoSlice::new(&talk.out)], &mut stall_limit(WRITE_STALL_SECS)) {
        Ok(()) => next(talk, keep),
        Err(error) => Some(End::PeerFailed(error)),
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

/// Tells what is followed, and now and then that there is nothing to tell. Where it has no end of its own,
/// what cuts it is the client, or the agent's end.
fn feed(talk: &mut Talk<'_>, mut follow: Box<dyn Follow>, terms: &Terms) -> End {
    let ending = if terms.is_http_10 { Ending::Close } else { Ending::Chunks };
    if ending == Ending::Chunks {
        push_field(&mut talk.out, "Transfer-Encoding", b"chunked");
    }
    close_head(talk, terms, false);
    if terms.is_head {
        return match put(talk, &[], false, Ending::Known) {
            Ok(()) => End::Asked,
            Err(error) => End::PeerFailed(error),
        };
    }
    let (mut told, mut beat) = (Vec::new(), Beat::new());
    loop {
        let until = beat.tell(&mut *follow, &mut told);
        let is_over = follow.has_ended();
        if let Err(error) = put(talk, &told, is_over, ending) {
            return End::PeerFailed(error);
        }
        if is_over {
            return End::Asked;
        }
        told.clear();
        memory::give_back_stack();
        let on_end = if follow.will_end() { Watch::nothing() } else { Watch::readable(&talk.house.shutdown) };
        let mut watches = [Watch::readable(&follow), Watch::departure(&talk.wire), on_end];
        match wait(&mut watches, until) {
            Ok(_) => {}
            Err(error) => return End::PeerFailed(error),
        }
        let [_, on_client, on_shutdown] = watches.map(|watch| watch.is_ready());
        if on_client {
            return End::PeerClosed;
        }
        if on_shutdown {
            return match put(talk, &[], true, ending) {
                Ok(()) => End::Draining,
                Err(error) => End::PeerFailed(error),
            };
        }
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

fn stream(
    talk: &mut Talk<'_>,
    mut incoming: Incoming,
    mut sieve: Option<Box<dyn Sift>>,
    pace: Pace,
    terms: &Terms,
    keep: bool,
) -> Option<End> {
    let ending = match incoming.framing() {
        Framing::None => Ending::Known,
        // What a sieve leaves of it is not known yet.
        Framing::Length(length) if sieve.is_none() => {
            push_field(&mut talk.out, "Content-Length", length.to_string().as_bytes());
            Ending::Known
        }
        Framing::Chunked | Framing::UntilClose | Framing::Length(_) if terms.is_http_10 => Ending::Close,
        Framing::Chunked | Framing::UntilClose | Framing::Length(_) => {
            push_field(&mut talk.out, "Transfer-Encoding", b"chunked");
            Ending::Chunks
        }
    };
    let keep = keep && ending != Ending::Close;
    close_head(talk, terms, keep);
    match pour(talk, &mut incoming, &mut sieve, pace, ending) {
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
fn pour(
    talk: &mut Talk<'_>,
    incoming: &mut Incoming,
    sieve: &mut Option<Box<dyn Sift>>,
    pace: Pace,
    ending: Ending,
) -> Result<(), End> {
    let (mut is_over, mut sifted) = (false, Vec::new());
    loop {
        let mut gathered = incoming.gather().map_err(|why| {
            log::warn("engine.malformed", &[("error", text(&why))]);
            End::EngineFailed
        })?;
        gathered.ended |= is_over;
        let content = match sieve {
            None => incoming.content(&gathered),
            Some(sieve) => {
                sieve.tell(incoming.content(&gathered), gathered.ended, &mut sifted).map_err(|why| {
                    log::warn("engine.untellable", &[("error", text(&why))]);
                    End::EngineFailed
                })?
            }
        };
        put(talk, content, gathered.ended, ending).map_err(End::PeerFailed)?;
        incoming.consume(&gathered);
        if gathered.ended {
            return Ok(());
        }
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
fn put(talk: &mut Talk<'_>, content: &[u8], is_last: bool, ending: Ending) -> io::Result<()> {
    let mut line = [0; 18];
    let is_chunk = ending == Ending::Chunks && !content.is_empty();
    let (size, after): (&[u8], &[u8]) = match (is_chunk, ending == Ending::Chunks && is_last) {
        (false, false) => (b"", b""),
        (false, true) => (b"", b"0\r\n\r\n"),
        (true, false) => (size_line(content.len(), &mut line), b"\r\n"),
        (true, true) => (size_line(content.len(), &mut line), b"\r\n0\r\n\r\n"),
    };
    let limit = &mut stall_limit(STREAM_STALL_SECS);
    let sent = if content.len() <= HEAD_BUFFER_BYTES {
        // One buffer costs the kernel less than a list of short ones.
        for part in [size, content, after] {
            talk.out.extend_from_slice(part);
        }
        if talk.out.is_empty() { Ok(()) } else { talk.wire.conn.send(&mut [IoSlice::new(&talk.out)], limit) }
    } else {
        talk.out.extend_from_slice(size);
        let parts = &mut [IoSlice::new(&talk.out), IoSlice::new(content), IoSlice::new(after)];
        talk.wire.conn.send(parts, limit)
    };
    talk.out.clear();
    sent
}

/// The Engine is silent: sleeps until it speaks, the client leaves, or, where the answer need never
/// end, the agent does. One that will end is given the time the agent has left.
fn wait_quietly(talk: &mut Talk<'_>, incoming: &mut Incoming, pace: Pace) -> Result<(), End> {
    // Thousands may follow what hardly ever speaks.
    talk.wire.release();
    incoming.release();
    talk.out = Vec::new();
    memory::give_back_stack();
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
fn upgrade(talk: &mut Talk<'_>, mut hijacked: Hijacked, mut taped: Option<Box<Taped>>) -> End {
    talk.out.extend_from_slice(b"\r\n");
    let head = &mut [IoSlice::new(&talk.out)];
    if let Err(error) = talk.wire.conn.send(head, &mut stall_limit(WRITE_STALL_SECS)) {
        return End::PeerFailed(error);
    }
    let tap = taped.as_deref_mut().map(|taped| taped as &mut dyn Tap);
    match relay(&mut talk.wire, hijacked.wire(), &talk.house.shutdown, tap) {
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
