//! From a request that came through the tunnel to its answer, and the one reply that ends it.

use super::call::Call;
use super::duplex;
use super::frames::{self, Head, Wrap};
use super::inbound::{Grant, Inbound};
use super::inlet::Inlet;
use super::out::Out;
use super::outbox::{Frame, Gone, Lane};
use super::session::{Running, Session};
use super::unanswered::Unanswered;
use super::whole::{Bounds, too_large, whole};
use crate::api::{self, Desk, Failure, Reply, Response, Surface};
use crate::auth::Pass;
use crate::docker::Line;
use crate::http::{Body, Request, request_head, slots};
use crate::limits::EDGE_MESSAGE_OUT_MAX;

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
    let mut exchange = agent.exchange();
    let body = std::mem::take(&mut call.body);
    let grant =
        call.has_streamed_body.then_some(Grant { outbox: &session.outbox, request_id: &call.id, owed: 0 });
    let mut source = Inbound::new(body, inlet, grant);
    let response = match request_head(&call.head, &mut slots) {
        Err(why) => {
            exchange.flight.counts();
            exchange.flight.answered("", why.status().0);
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
                can_follow: call.streams,
                peer,
                surface: Surface::Whole,
                actor: Some(&session.house.controller),
                parent: None,
                request_id: None,
                enrolled: None,
                on_admitted: &|mark| inlet.admitted(mark),
            };
            api::answer(&mut desk, Request { head, body, peer }, &mut exchange)
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
        Reply::Upgraded(mut hijacked, _place, taped) => {
            let (told, outcome) = duplex::carry(running, &out, hijacked.wire(), taped);
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
