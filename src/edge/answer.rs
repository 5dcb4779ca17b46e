//! From a request that came through the tunnel to its answer, and the one reply that ends it.

use std::time::Duration;

use super::call::Call;
use super::duplex;
use super::frames::{self, Head, Wrap};
use super::inbound::{Grant, Inbound};
use super::inlet::{Cause, Inlet};
use super::outbox::{Frame, Gone, Lane};
use super::session::{Running, Session};
use crate::api::{self, Desk, Failure, Follow, Reply, Response, Sift, Surface};
use crate::auth::Pass;
use crate::clock::Deadline;
use crate::docker::{self, Incoming, Line};
use crate::http::{Body, Fields, Framing, Request, Status, request_head, slots};
use crate::limits::{
    EDGE_CHUNK_BYTES, EDGE_MESSAGE_OUT_MAX, EDGE_TEXT_CHUNK_BYTES, EDGE_WHOLE_FREE_BYTES, HEARTBEAT_SECS,
    QUEUE_SECS,
};
use crate::log::{self, text};
use crate::net::is_tick;
use crate::permits::Permit;
use crate::sys::poll::{Watch, wait};

/// Why a request has no answer: a code, and a sentence.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Unanswered {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn cancelled(inlet: &Inlet) -> Self {
        match inlet.cancelled() {
            Some(Cause::Overflow) => Self::new("overflow", "more content came than was allowed"),
            Some(Cause::Asked | Cause::Ended) | None => Self::new("canceled", "the request was canceled"),
        }
    }

    /// The same at the end of a stream.
    pub(super) fn reason(&self) -> String {
        if self.code == "canceled" { "canceled".to_owned() } else { format!("error: {}", self.message) }
    }
}

/// Answers one request: exactly one reply ends it.
pub(super) fn serve(running: &Running, mut call: Call) {
    let session = &running.session;
    let lane = session.outbox.lane(&running.inlet, call.credit);
    let unfinished = Unfinished { lane: &lane, id: running.name().to_owned(), is_streaming: false };
    let (streams, channel) = (call.streams, call.channel);
    ask(session, &mut call, &running.inlet, |line, response| match streams {
        true => stream(running, channel, line, response, unfinished),
        false => reply(running, line, response, unfinished),
    });
}

/// Asks as every transport does, and hands the answer on.
pub(super) fn ask<R>(
    session: &Session,
    call: &mut Call,
    inlet: &Inlet,
    then: impl FnOnce(&mut Line, Response) -> R,
) -> R {
    let agent = &session.house.agent;
    let (mut line, mut pass, mut slots) = (session.line(), Pass::default(), slots());
    // Over when this exchange is, to the last byte of its answer.
    let mut flight = agent.metrics.requests.flight();
    let body = std::mem::take(&mut call.body);
    let grant =
        call.has_streamed_body.then_some(Grant { outbox: &session.outbox, request_id: &call.id, owed: 0 });
    let mut source = Inbound::new(body, inlet, grant);
    let response = match request_head(&call.head, &mut slots) {
        Err(why) => {
            flight.counts();
            flight.answered("", why.status().0);
            Failure::Malformed(why).response()
        }
        Ok(head) => {
            let peer = session.house.gate.client_of(session.peer, &head);
            let body = Body::new(&mut source, head.framing, false);
            let mut desk = Desk {
                agent,
                gate: &session.house.gate,
                pass: &mut pass,
                is_private: session.is_private,
                line: &mut line,
                peer,
                surface: Surface::Whole,
                on_admitted: &|mark| inlet.admitted(mark),
            };
            api::answer(&mut desk, Request { head, body, peer }, &mut flight)
        }
    };
    let told = then(&mut line, response);
    session.give_back(line);
    told
}

/// A request that was not answered yet. One that is dropped so was cut by a fault of ours.
struct Unfinished<'l> {
    lane: &'l Lane,
    id: String,
    is_streaming: bool,
}

impl Unfinished<'_> {
    fn finish(mut self, frame: String) {
        self.id.clear();
        // A session that is over needs no answers.
        let _ = self.lane.end(Frame::Text(frame));
    }

    fn fail(self, why: &Unanswered) {
        let frame = match self.is_streaming {
            true => frames::stream_end(&self.id, &why.reason()),
            false => frames::error(&self.id, why.code, &why.message),
        };
        self.finish(frame);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.id.is_empty() {
            let why = Unanswered::new("agent-failed", "the agent failed");
            let frame = match self.is_streaming {
                true => frames::stream_end(&self.id, &why.reason()),
                false => frames::error(&self.id, why.code, &why.message),
            };
            let _ = self.lane.end(Frame::Text(frame));
        }
    }
}

fn reply(running: &Running, line: &mut Line, response: Response, unfinished: Unfinished<'_>) {
    let (session, id) = (&running.session, running.name());
    match whole(session, line, response, &running.inlet, Bounds::of(EDGE_MESSAGE_OUT_MAX)) {
        Err(why) => unfinished.fail(&why),
        Ok(whole) => {
            let head = Head { request_id: id, status: whole.status, fields: &whole.fields };
            match head.whole(&whole.content, session.agreed.body_base64) {
                Some(frame) => unfinished.finish(frame),
                None => unfinished.fail(&too_large()),
            }
        }
    }
}

fn too_large() -> Unanswered {
    let message = "the answer does not fit in a message: ask for less of it, or for a stream";
    Unanswered::new("response-too-large", message)
}

/// An answer that is held whole, and the place that takes.
pub(super) struct Whole {
    pub(super) status: Status,
    pub(super) fields: Fields,
    pub(super) content: Vec<u8>,
    _place: Option<Permit>,
}

/// How much of an answer is held.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    most: usize,
    /// What has come by then is the answer.
    window: Option<Deadline>,
}

impl Bounds {
    /// All of it, of at most so many bytes.
    pub(super) fn of(most: usize) -> Self {
        Self { most, window: None }
    }

    /// What comes of it until then.
    pub(super) fn until(self, window: Deadline) -> Self {
        Self { window: Some(window), ..self }
    }
}

/// Holds an answer.
pub(super) fn whole(
    session: &Session,
    line: &mut Line,
    response: Response,
    inlet: &Inlet,
    bounds: Bounds,
) -> Result<Whole, Unanswered> {
    let Response { status, fields, reply, .. } = response;
    let mut place = None;
    let content = match reply {
        Reply::Empty => Vec::new(),
        Reply::Bytes(bytes) => bytes,
        Reply::Stream(incoming, _, _taken) => {
            gather(session, line, (incoming, None), inlet, (bounds, &mut place))?
        }
        Reply::Sifted(incoming, _, sieve) => {
            gather(session, line, (incoming, Some(sieve)), inlet, (bounds, &mut place))?
        }
        Reply::Feed(_) | Reply::Upgraded(..) => return Err(no_end()),
        Reply::Nobody => return Err(Unanswered::cancelled(inlet)),
    };
    if content.len() > bounds.most {
        return Err(too_large());
    }
    Ok(Whole { status, fields, content, _place: place })
}

fn no_end() -> Unanswered {
    Unanswered::new("no-end", "the answer did not end in time: ask for it as a stream")
}

fn gather(
    session: &Session,
    line: &mut Line,
    (incoming, mut sieve): (Incoming, Option<Box<dyn Sift>>),
    inlet: &Inlet,
    (bounds, place): (Bounds, &mut Option<Permit>),
) -> Result<Vec<u8>, Unanswered> {
    let (mut held, mut told) = (Vec::new(), Vec::new());
    let patience = bounds.window.unwrap_or_else(|| session.house.agent.docker.patience());
    let outcome = incoming.pour(patience, line, |content| {
        if inlet.is_cancelled() {
            return Err(Stopped::Engine(docker::Error::ClientLeft));
        }
        let content = match &mut sieve {
            None => content,
            Some(sieve) => sieve.tell(content, false, &mut told).map_err(Stopped::Untold)?,
        };
        let length = held.len().saturating_add(content.len());
        if length > bounds.most {
            return Err(Stopped::Engine(docker::Error::TooLong));
        }
        if length > EDGE_WHOLE_FREE_BYTES && place.is_none() {
            let taken = session.house.places.wholes.take_within(Duration::from_secs(QUEUE_SECS));
            *place = Some(taken.ok_or(Stopped::Busy)?);
        }
        held.extend_from_slice(content);
        Ok(())
    });
    let outcome = outcome.and_then(|()| {
        if let Some(sieve) = &mut sieve {
            let rest = sieve.tell(&[], true, &mut told).map_err(Stopped::Untold)?;
            held.extend_from_slice(rest);
        }
        Ok(())
    });
    match outcome {
        Err(Stopped::Engine(docker::Error::Late)) if bounds.window.is_some() => Ok(held),
        outcome => outcome.map(|()| held).map_err(|why| why.told(inlet)),
    }
}

/// Why an answer was not held.
enum Stopped {
    Engine(docker::Error),
    Untold(crate::policy::sieve::BadAnswer),
    Busy,
}

impl From<docker::Error> for Stopped {
    fn from(error: docker::Error) -> Self {
        Self::Engine(error)
    }
}

impl Stopped {
    fn told(self, inlet: &Inlet) -> Unanswered {
        match self {
            Self::Engine(docker::Error::TooLong) => too_large(),
            Self::Engine(docker::Error::Late) => no_end(),
            Self::Engine(docker::Error::ClientLeft) => Unanswered::cancelled(inlet),
            Self::Engine(error) => broke_off(&error),
            Self::Untold(why) => broke_off(&why),
            Self::Busy => Unanswered::new("busy", "too many large answers are being held: try again"),
        }
    }
}

fn broke_off(why: &dyn std::fmt::Display) -> Unanswered {
    log::warn("engine.broke_off", &[("error", text(&why))]);
    Unanswered::new("engine-failed", "the answer broke off")
}

/// Sends head and content on as they come.
fn stream(
    running: &Running,
    channel: Option<u32>,
    line: &mut Line,
    response: Response,
    mut unfinished: Unfinished<'_>,
) {
    let Response { status, fields, reply, .. } = response;
    let (lane, inlet) = (unfinished.lane, &*running.inlet);
    if matches!(reply, Reply::Nobody) {
        return unfinished.fail(&Unanswered::cancelled(inlet));
    }
    let head = Head { request_id: &unfinished.id, status, fields: &fields };
    let began = lane.send(Frame::Text(head.streamed()));
    unfinished.is_streaming = began.is_ok();
    let out = Out { lane, inlet, wrap: Wrap::stream(&unfinished.id, channel), channel };
    let mut is_end_told = false;
    let outcome = began.map_err(|Gone| Unanswered::cancelled(inlet)).and_then(|()| match reply {
        Reply::Empty | Reply::Nobody => Ok(()),
        Reply::Bytes(bytes) => out.put(&bytes),
        Reply::Stream(incoming, _, _place) => out.pour(incoming, None, line),
        Reply::Sifted(incoming, _, sieve) => out.pour(incoming, Some(sieve), line),
        Reply::Feed(follow) => out.follow(follow),
        Reply::Upgraded(mut hijacked, _place) => {
            let (told, outcome) = duplex::carry(running, &out, hijacked.wire());
            is_end_told = told;
            outcome
        }
    });
    if is_end_told {
        return unfinished.id.clear();
    }
    match outcome {
        Ok(()) => {
            let end = frames::stream_end(&unfinished.id, "complete");
            unfinished.finish(end);
        }
        Err(why) => unfinished.fail(&why),
    }
}

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

    fn put(&self, mut content: &[u8]) -> Result<(), Unanswered> {
        while !content.is_empty() {
            let most = content.len().min(self.most());
            let allowed = self.lane.allowance(most).map_err(|Gone| Unanswered::cancelled(self.inlet))?;
            let (piece, rest) = content.split_at_checked(allowed).unwrap_or((content, &[]));
            self.lane.send(self.wrap.frame(piece, None)).map_err(|Gone| Unanswered::cancelled(self.inlet))?;
            content = rest;
        }
        Ok(())
    }

    fn pour(
        &self,
        mut incoming: Incoming,
        mut sieve: Option<Box<dyn Sift>>,
        line: &mut Line,
    ) -> Result<(), Unanswered> {
        let (mut is_over, mut told) = (false, Vec::new());
        loop {
            let mut gathered = incoming.gather().map_err(|why| broke_off(&why))?;
            gathered.ended |= is_over;
            let content = incoming.content(&gathered);
            match &mut sieve {
                None => self.put(content)?,
                Some(sieve) => {
                    let sifted = sieve.tell(content, gathered.ended, &mut told);
                    self.put(sifted.map_err(|why| broke_off(&why))?)?;
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
                Err(error) if is_tick(&error) => self.wait_quietly(&incoming)?,
                Err(error) => return Err(broke_off(&error)),
            }
        }
    }

    /// The Engine is silent: sleeps until it speaks, or nobody wants to hear it.
    fn wait_quietly(&self, incoming: &Incoming) -> Result<(), Unanswered> {
        let mut watches = [Watch::readable(incoming), Watch::departure(self.inlet)];
        wait(&mut watches, Deadline::NEVER).map_err(|error| broke_off(&error))?;
        let [_, on_cancel] = watches;
        if on_cancel.is_ready() { Err(Unanswered::cancelled(self.inlet)) } else { Ok(()) }
    }

    /// Tells what is followed, and now and then that there is nothing to tell.
    fn follow(&self, mut follow: Box<dyn Follow>) -> Result<(), Unanswered> {
        let (mut told, mut beat) = (Vec::new(), Deadline::after_secs(HEARTBEAT_SECS));
        loop {
            follow.tell(&mut told);
            if told.is_empty() && beat.passed() {
                told.extend_from_slice(b": heartbeat\n\n");
            }
            if !told.is_empty() {
                beat = Deadline::after_secs(HEARTBEAT_SECS);
            }
            self.put(&told)?;
            told.clear();
            let mut watches = [Watch::readable(&follow), Watch::departure(self.inlet)];
            wait(&mut watches, beat).map_err(|error| broke_off(&error))?;
            let [_, on_cancel] = watches;
            if on_cancel.is_ready() {
                return Err(Unanswered::cancelled(self.inlet));
            }
        }
    }
}
