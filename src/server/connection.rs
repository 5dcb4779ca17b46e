//! One connection: handshake, then request after request until somebody has a reason to end it.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::House;
use super::respond::{Terms, respond};
use crate::api::{self, Desk, Exchange, Failure, Response};
use crate::auth::Pass;
use crate::clock::Deadline;
use crate::docker::Line;
use crate::http::{Body, Malformed, Method, Request, end_of_head, request_head, slots};
use crate::limits::{
    HEAD_BUFFER_BYTES, HEAD_SECS, IDLE_SECS, LINGER_BYTES_MAX, LINGER_SECS, TLS_HANDSHAKE_SECS,
};
use crate::log::{self, text};
use crate::net::listen::Guest;
use crate::net::{Conn, Wire, is_tick};
use crate::sys::memory;
use crate::sys::poll::{Watch, wait};

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The client, or the answer, asked for it.
    Asked,
    /// The client closed between two requests.
    PeerClosed,
    Handshake(io::Error),
    Idle,
    SlowHead,
    MadeRoom,
    Draining,
    Malformed(Malformed),
    /// The client was answered before it had sent its whole body.
    UnreadBody,
    /// The client left, or took nothing for too long.
    PeerFailed(io::Error),
    /// The Engine's answer broke off; the client was cut off in turn.
    EngineFailed,
    /// An upgraded stream came to its end.
    StreamEnded,
}

/// Who made a connection.
pub(super) enum Visitor<'g> {
    Guest(&'g Guest),
    /// A program that acts for a caller, from this address. It came through a private door, and takes nobody's place.
    Errand(IpAddr),
}

impl Visitor<'_> {
    fn peer(&self) -> IpAddr {
        match self {
            Self::Guest(guest) => guest.peer.ip(),
            Self::Errand(peer) => *peer,
        }
    }

    fn is_idle(&self) {
        if let Self::Guest(guest) = self {
            guest.is_idle();
        }
    }

    fn is_busy(&self) -> bool {
        match self {
            Self::Guest(guest) => guest.is_busy(),
            Self::Errand(_) => true,
        }
    }

    fn is_known(&self, mark: u64) {
        if let Self::Guest(guest) = self {
            guest.is_known(mark);
        }
    }
}

pub(super) fn serve(house: &House, guest: &Guest) {
    let tls = house.tls.with(|tls| tls.clone());
    let conn = Conn::accepted(Arc::clone(&guest.socket), tls.as_ref());
    attend(house, conn, tls.is_some(), &Visitor::Guest(guest));
}

/// Serves a connection that came through a private door.
pub(super) fn serve_errand(house: &House, socket: UnixStream, peer: IpAddr) {
    attend(house, Conn::of_unix(socket), true, &Visitor::Errand(peer));
}

fn attend(house: &House, conn: io::Result<Conn>, is_private: bool, visitor: &Visitor<'_>) {
    let end = converse(house, conn, is_private, visitor);
    log::debug("connection.ended", &[("peer", text(&visitor.peer())), ("reason", text(&end))]);
}

/// What a connection holds from one request to the next.
pub(super) struct Talk<'h> {
    pub(super) house: &'h House,
    pub(super) wire: Wire,
    pub(super) line: Line,
    /// Memory for heads of answers.
    pub(super) out: Vec<u8>,
    pass: Pass,
    is_private: bool,
}

fn converse(house: &House, conn: io::Result<Conn>, is_private: bool, visitor: &Visitor<'_>) -> End {
    let mut talk = match meet(house, conn, is_private, visitor) {
        Ok(talk) => talk,
        Err(error) => return End::Handshake(error),
    };
    loop {
        let end = match await_head(&mut talk, visitor) {
            Ok(at) => exchange(&mut talk, visitor, at),
            Err(end) => Some(end),
        };
        match end {
            None => {}
            Some(End::Malformed(why)) => return refuse(&mut talk, why),
            Some(End::UnreadBody) => {
                linger(&mut talk.wire);
                return End::UnreadBody;
            }
            Some(end) => return end,
        }
    }
}

/// Agrees on TLS, where there is any, and looks at the certificate the client showed.
#[inline(never)]
fn meet<'h>(
    house: &'h House,
    conn: io::Result<Conn>,
    is_private: bool,
    visitor: &Visitor<'_>,
) -> io::Result<Talk<'h>> {
    let mut conn = conn?;
    conn.handshake(Deadline::after_secs(TLS_HANDSHAKE_SECS))?;
    let pass = Pass::new(conn.peer_certificate());
    let is_private = is_private || visitor.peer().to_canonical().is_loopback();
    let wire = Wire::new(conn, HEAD_BUFFER_BYTES);
    Ok(Talk { house, wire, line: Line::default(), out: Vec::new(), pass, is_private })
}

/// Waits for a whole head; says where it lies in what was received.
fn await_head(talk: &mut Talk<'_>, visitor: &Visitor<'_>) -> Result<(usize, usize), End> {
    talk.wire.want(HEAD_BUFFER_BYTES);
    if talk.wire.received().is_empty() {
        await_first_byte(talk, visitor)?;
    }
    let (mut seen, mut deadline) = (0, None);
    loop {
        if let Some(at) = end_of_head(talk.wire.received(), seen).map_err(End::Malformed)? {
            return Ok(at);
        }
        seen = talk.wire.received().len();
        // Nearly every head comes in one piece, and then nobody asks for the time.
        let deadline = *deadline.get_or_insert_with(|| Deadline::after_secs(HEAD_SECS));
        match talk.wire.receive() {
            Ok(0) => return Err(End::PeerClosed),
            Ok(_) if deadline.passed() => return Err(End::SlowHead),
            Ok(_) => {}
            Err(error) if is_tick(&error) && deadline.passed() => return Err(End::SlowHead),
            Err(error) if is_tick(&error) => {}
            Err(error) => return Err(End::PeerFailed(error)),
        }
    }
}

/// After a quiet tick the connection is idle: it gives back its memory and its line, and sleeps
/// until somebody needs its place.
fn await_first_byte(talk: &mut Talk<'_>, visitor: &Visitor<'_>) -> Result<(), End> {
    let mut idle_until = None;
    loop {
        if talk.house.shutdown.has_begun() {
            return Err(End::Draining);
        }
        match talk.wire.receive() {
            Ok(0) => return Err(End::PeerClosed),
            Ok(_) => return Ok(()),
            Err(error) if is_tick(&error) => {}
            Err(error) => return Err(End::PeerFailed(error)),
        }
        talk.wire.release();
        talk.line.clear();
        talk.out = Vec::new();
        memory::give_back_stack();
        visitor.is_idle();
        if talk.house.shutdown.has_begun() {
            return Err(End::Draining);
        }
        let idle_until = *idle_until.get_or_insert_with(|| Deadline::after_secs(IDLE_SECS));
        match wait(&mut [Watch::readable(&talk.wire)], idle_until) {
            Ok(true) if visitor.is_busy() => {}
            Ok(true) if talk.house.shutdown.has_begun() => return Err(End::Draining),
            Ok(true) => return Err(End::MadeRoom),
            Ok(false) => return Err(End::Idle),
            Err(error) => return Err(End::PeerFailed(error)),
        }
    }
}

/// One request and its answer; `None` goes on with the next. Kept apart, so that its frame is gone while the
/// connection sleeps.
#[inline(never)]
fn exchange(talk: &mut Talk<'_>, visitor: &Visitor<'_>, at: (usize, usize)) -> Option<End> {
    let house = talk.house;
    // Over when this function is, to the last byte of its answer.
    let mut exchange = house.agent.exchange();
    match ask(talk, visitor, at, &mut exchange) {
        Ok((response, terms)) => respond(talk, response, &terms),
        Err(why) => Some(End::Malformed(why)),
    }
}

/// From the bytes of a head to the answer. Kept apart, so that its large frame is gone while the answer is sent,
/// which may take for ever.
#[inline(never)]
fn ask(
    talk: &mut Talk<'_>,
    visitor: &Visitor<'_>,
    (start, end): (usize, usize),
    exchange: &mut Exchange<'_>,
) -> Result<(Response, Terms), Malformed> {
    let (space, range) = talk.wire.take(end);
    let bytes = space.get(range).and_then(|head| head.get(start..)).unwrap_or_default();
    let mut slots = slots();
    let answered = request_head(bytes, &mut slots).map(|head| {
        let terms = Terms {
            is_head: head.method == Method::Head,
            is_http_10: head.is_http_10,
            keep_alive: head.keep_alive,
        };
        let body = Body::new(&mut talk.wire, head.framing, head.expects_continue);
        let errand = talk.house.errand.as_ref();
        let peer = talk.house.gate.client_of(visitor.peer(), &head);
        let mut desk = Desk {
            agent: &talk.house.agent,
            surface: talk.house.surface,
            actor: errand.map(|errand| errand.actor.as_str()),
            parent: errand.and_then(|errand| errand.request_id.as_deref()),
            request_id: None,
            enrolled: None,
            gate: &talk.house.gate,
            pass: &mut talk.pass,
            is_private: talk.is_private,
            line: &mut talk.line,
            can_follow: true,
            peer,
            on_admitted: &|mark| visitor.is_known(mark),
        };
        (api::answer(&mut desk, Request { head, body, peer }, exchange), terms)
    });
    talk.wire.give_back(space);
    answered
}

/// Says what is wrong with the bytes, and closes.
#[inline(never)]
fn refuse(talk: &mut Talk<'_>, why: Malformed) -> End {
    let terms = Terms { is_head: false, is_http_10: false, keep_alive: false };
    let mut flight = talk.house.agent.metrics.requests.flight();
    flight.counts();
    // Its method is unknown, or nothing that we could rely on.
    flight.answered("", why.status().0);
    match respond(talk, Failure::Malformed(why).response(), &terms) {
        Some(End::PeerFailed(error)) => End::PeerFailed(error),
        _ => {
            linger(&mut talk.wire);
            End::Malformed(why)
        }
    }
}

/// Closing on unread bytes would reset the connection, and the client might never read its answer.
fn linger(wire: &mut Wire) {
    let deadline = Deadline::after_secs(LINGER_SECS);
    let mut drained = 0_u64;
    if wire.conn.end_writing().is_err() {
        return;
    }
    while drained < LINGER_BYTES_MAX && !deadline.passed() {
        wire.consume(usize::MAX);
        match wire.receive() {
            Ok(0) => return,
            Ok(count) => drained = drained.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)),
            Err(error) if is_tick(&error) => {}
            Err(_) => return,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("one side asked for it"),
            Self::PeerClosed => f.write_str("the client closed"),
            Self::Handshake(error) => write!(f, "no TLS: {error}"),
            Self::Idle => f.write_str("idle for too long"),
            Self::SlowHead => f.write_str("a head that took too long"),
            Self::MadeRoom => f.write_str("idle, and its place was needed"),
            Self::Draining => f.write_str("the agent ends"),
            Self::Malformed(why) => why.fmt(f),
            Self::UnreadBody => f.write_str("answered before its body was read"),
            Self::PeerFailed(error) => write!(f, "the client failed: {error}"),
            Self::EngineFailed => f.write_str("the engine broke off"),
            Self::StreamEnded => f.write_str("the stream ended"),
        }
    }
}
