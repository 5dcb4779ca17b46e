//! A request on its way to the Engine: the head and the client's body, in our own framing.
//!
//! An answer that comes while the body is still on its way ends the upload.

use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use super::Error;
use super::call::Ask;
use super::line::Link;
use crate::clock::Deadline;
use crate::http::{Body, BodyError, Framing, size_line};
use crate::limits::{SPLICE_FROM_BYTES, STREAM_STALL_SECS};
use crate::net::is_tick;
use crate::sys::poll::{Watch, wait};
use crate::sys::splice::Pipe;

/// Why a request was not sent.
pub(super) enum Unsent {
    Stale,
    Failed(Error),
}

/// Sends head and body. False when the Engine answers, or hung up, before it took everything.
pub(super) fn send(link: &mut Link, ask: &mut Ask<'_, '_>) -> Result<bool, Unsent> {
    let Ask { head, body, .. } = ask;
    let fail = |error: BodyError| Unsent::Failed(Error::Body(error));
    link.wire.conn.take_has_written();
    let Some(body) = body else {
        return match link.wire.conn.send(&mut [IoSlice::new(head)], &mut |_| Ok(())) {
            Ok(()) => Ok(true),
            Err(error) => hung_up(link, error),
        };
    };
    body.look().map_err(fail)?;
    let first = put(link, body, head);
    match first {
        Put::Taken => {}
        Put::Answered => return Ok(false),
        Put::ClientLeft => return Err(Unsent::Failed(Error::ClientLeft)),
        Put::Failed(error) => return hung_up(link, error),
    }
    let mut pipe = None;
    while !body.has_ended() {
        if !body.is_buffered() {
            body.invite().map_err(|error| fail(BodyError::Io(error)))?;
            let (client, engine) = (body.socket(), &link.wire);
            let mut watches = [Watch::readable(&client), Watch::readable(engine)];
            let stall = Deadline::after_secs(STREAM_STALL_SECS);
            match wait(&mut watches, stall) {
                Ok(true) => {}
                Ok(false) => return Err(fail(BodyError::Io(ErrorKind::TimedOut.into()))),
                Err(error) => return Err(fail(BodyError::Io(error))),
            }
            let [_, on_engine] = watches;
            if on_engine.is_ready() && link.wire.conn.has_news() {
                return Ok(false);
            }
            let direct = body.direct();
            let is_plain = link.wire.conn.is_plain() && matches!(body.framing(), Framing::Length(_));
            if direct >= SPLICE_FROM_BYTES && is_plain {
                match splice(link, body, &mut pipe) {
                    Ok(true) => continue,
                    Ok(false) => return Ok(false),
                    Err(error) => return Err(Unsent::Failed(error)),
                }
            }
        }
        match body.fill() {
            Ok(()) => {}
            Err(BodyError::Io(error)) if is_tick(&error) => continue,
            Err(error) => return Err(fail(error)),
        }
        match put(link, body, &[]) {
            Put::Taken => {}
            Put::ClientLeft => return Err(Unsent::Failed(Error::ClientLeft)),
            // What it may have said before it hung up is worth reading.
            Put::Answered | Put::Failed(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// The first write failed: stale where a kept connection took nothing at all; otherwise the Engine
/// may still have said why.
fn hung_up(link: &mut Link, error: io::Error) -> Result<bool, Unsent> {
    if link.wire.conn.take_has_written() {
        return Ok(false);
    }
    if link.is_reused { Err(Unsent::Stale) } else { Err(Unsent::Failed(Error::Closed(error))) }
}

/// What became of one write.
enum Put {
    Taken,
    /// The Engine takes no more, and has something to say.
    Answered,
    ClientLeft,
    Failed(io::Error),
}

/// Writes `head` and the content at hand, in our own framing, with as few calls as it takes.
fn put(link: &mut Link, body: &mut Body<'_>, head: &[u8]) -> Put {
    let mut line = [0; 18];
    let content = body.content();
    let is_chunked = body.framing() == Framing::Chunked;
    let (size, end): (&[u8], &[u8]) = match (is_chunked, content.is_empty()) {
        (true, false) => (size_line(content.len(), &mut line), b"\r\n"),
        (true, true) if body.has_ended() => (b"", b"0\r\n\r\n"),
        _ => (b"", b""),
    };
    let mut slices = [IoSlice::new(&[]); 4];
    let mut parts = 0_usize;
    let filled = [head, size, content, end].into_iter().filter(|part| !part.is_empty());
    for (slice, part) in slices.iter_mut().zip(filled) {
        *slice = IoSlice::new(part);
        parts = parts.saturating_add(1);
    }
    let slices = slices.get_mut(..parts).unwrap_or_default();
    let client = body.socket();
    let mut stalled = None;
    let sent = link.wire.conn.send(slices, &mut |engine| {
        let mut watches = [Watch::readable(&*engine), Watch::departure(&client)];
        // Asks without waiting; a failed poll is as good as nothing to tell.
        let _ = wait(&mut watches, Deadline::after(Duration::ZERO));
        let [on_engine, on_client] = watches.map(|watch| watch.is_ready());
        stalled = if on_engine && engine.has_news() {
            Some(Put::Answered)
        } else if on_client {
            Some(Put::ClientLeft)
        } else {
            return Ok(());
        };
        Err(ErrorKind::Other.into())
    });
    let count = content.len();
    match (sent, stalled) {
        (Ok(()), _) => {
            body.consume(count);
            Put::Taken
        }
        (Err(_), Some(put)) => put,
        (Err(error), None) => Put::Failed(error),
    }
}

/// Lets the kernel move one turn of content. False when the Engine hung up.
fn splice(link: &mut Link, body: &mut Body<'_>, pipe: &mut Option<Pipe>) -> Result<bool, Error> {
    let unread = |error| Error::Body(BodyError::Io(error));
    let pipe = match pipe {
        Some(pipe) => pipe,
        None => pipe.insert(Pipe::new().map_err(unread)?),
    };
    let most = body.direct();
    match pipe.fill(&body.socket(), most) {
        Ok(0) => return Err(Error::Body(BodyError::Cut)),
        Ok(moved) => body.skip(u64::try_from(moved).unwrap_or(u64::MAX)),
        Err(error) if is_tick(&error) => return Ok(true),
        Err(error) => return Err(unread(error)),
    }
    while pipe.held() > 0 {
        match pipe.drain(&link.wire, !body.has_ended()) {
            Ok(_) => {}
            Err(error) if is_tick(&error) => {
                let client = body.socket();
                let mut watches = [Watch::readable(&link.wire), Watch::departure(&client)];
                wait(&mut watches, Deadline::after(Duration::ZERO)).map_err(unread)?;
                let [on_engine, on_client] = watches;
                if on_engine.is_ready() {
                    return Ok(false);
                }
                if on_client.is_ready() {
                    return Err(Error::ClientLeft);
                }
            }
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}
