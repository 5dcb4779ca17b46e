//! Stacks: compose, for whoever may, within what each of its calls may.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::errand::Caller;
use super::failure::Failure;
use super::route::{Access, Agent, Desk, Follow, Outcome, Reply, Response, Route};
use crate::audit::{self, Event, Record};
use crate::auth::{Class, Mode, Principal};
use crate::clock::Deadline;
use crate::compose::{last_line, Job, OpenDoor, Order, Run, Telling, Unfit, Unready};
use crate::docker;
use crate::http::{BodyError, Method, Request, Status};
use crate::limits::{COMPOSE_BODY_BYTES_MAX, HELD_BODY_SECS, HELD_FREE_BYTES, QUEUE_SECS};
use crate::policy::{Denial, Permitted, Refused};
use crate::sys::poll::{Watch, wait};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Post,
    path: "/_lookout/compose",
    label: "compose",
    about: "Runs compose on a stack, with the caller's own authority.",
    access: Access::Guarded(Class::Compose, compose),
    adapter: None,
}];

/// Asks for the answer line by line.
const LINES: &str = "application/x-ndjson";

/// What is told of a run that is over, or was never begun.
#[derive(Serialize)]
struct Told<'t> {
    success: bool,
    output: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'t str>,
}

fn compose(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let (mut request, by) = ask.into_parts();
    desk.agent.compose.check(by.grant().is_everything())?;
    let telling = if desk.can_follow { telling(&request) } else { Telling::Whole };
    let order = match read(desk, &mut request)? {
        Ok(order) if order.has_no_end() && telling == Telling::Whole => {
            let why = format!("\"follow\" has no end that could be waited for: ask with Accept: {LINES}");
            record(desk.agent, operated(desk, &by, order.operation.name(), order.stack.as_str()), false);
            return Ok(refused(telling, &why));
        }
        Ok(order) => order,
        Err(Unfit::Malformed(why)) => return Err(Failure::BadOrder(why)),
        Err(Unfit::Invalid { operation, stack, why }) => {
            record(desk.agent, operated(desk, &by, &operation, &stack), false);
            return Ok(refused(telling, &why.to_string()));
        }
    };
    let refused = operated(desk, &by, order.operation.name(), order.stack.as_str());
    let run = begin(desk, by, order, telling).inspect_err(|_| record(desk.agent, refused, false))?;
    match telling {
        Telling::Whole => whole(run, &request),
        Telling::Lines => Ok(of_lines(Reply::Feed(Box::new(Lines { run, has_ended: false })))),
    }
}

/// How the caller wants to be told.
fn telling(request: &Request<'_>) -> Telling {
    let accepts = |value: &[u8]| {
        let mut kinds = value.split(|byte| *byte == b',').map(|kind| kind.split(|byte| *byte == b';').next());
        kinds.any(|kind| kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(LINES.as_bytes())))
    };
    if request.head.values("accept").any(accepts) { Telling::Lines } else { Telling::Whole }
}

/// Reads the order. A large one has a place as long as it is read.
fn read(desk: &Desk<'_>, request: &mut Request<'_>) -> Result<Result<Order, Unfit>, Failure> {
    let documents = desk.agent.compose.documents()?;
    let mut take_place = || documents.take_within(Duration::from_secs(QUEUE_SECS));
    let deadline = Deadline::after_secs(HELD_BODY_SECS);
    let body = request.body.hold(COMPOSE_BODY_BYTES_MAX, HELD_FREE_BYTES, deadline, &mut take_place);
    let order = Order::parse(body.map_err(docker::Error::Body)?);
    // What it says is taken from it; the text is not held for as long as compose runs.
    request.body.replace(Vec::new());
    Ok(order)
}

/// An order that is none: nothing was done.
fn refused(telling: Telling, why: &str) -> Response {
    match telling {
        Telling::Whole => Response::json(Status::OK, &Told { success: false, output: "", error: Some(why) }),
        Telling::Lines => of_lines(Reply::Bytes(last_line(false, Some(why), 0))),
    }
}

fn begin(desk: &Desk<'_>, by: Principal, order: Order, telling: Telling) -> Result<Run, Failure> {
    let grant = by.grant();
    if order.builds() && !grant.has(Class::Build) && grant.mode == Mode::Enforce {
        // Left to itself, compose would fetch a builder of its own, and fail with that.
        return Err(Denial { by, why: Refused::Class(Class::Build) }.into());
    }
    let gone = || Unready::Failed(std::io::ErrorKind::NotConnected.into());
    let agent = desk.agent.me.upgrade().ok_or_else(gone)?;
    let record_of = operated(desk, &by, order.operation.name(), order.stack.as_str());
    let caller = Caller {
        gate: desk.gate.for_errand(by),
        peer: desk.peer,
        actor: actor(desk),
        request_id: desk.request_id.clone(),
    };
    let behind = Arc::clone(&agent);
    let open_door: OpenDoor = Box::new(move |at: &Path| match &behind.doors {
        Some(doors) => doors.open(Arc::clone(&behind), at, caller),
        None => Err(std::io::ErrorKind::Unsupported.into()),
    });
    let on_end = Box::new(move |succeeded| record(&agent, record_of, succeeded));
    Ok(desk.agent.compose.begin(Job { order, telling, open_door, on_end })?)
}

fn actor(desk: &Desk<'_>) -> String {
    desk.actor.map_or_else(|| desk.peer.to_string(), str::to_owned)
}

/// What is recorded of an operation, but for how it ended.
fn operated(desk: &Desk<'_>, by: &Principal, operation: &str, stack: &str) -> Record {
    let mut record = Record::new(Event::ComposeOp);
    record.actor = Some(actor(desk));
    record.operation = Some(operation.to_owned());
    record.stack = Some(stack.to_owned());
    record.request_id.clone_from(&desk.request_id);
    if let Principal::Key(key) = by {
        record.key_id = Some(key.id.to_string());
    }
    record
}

fn record(agent: &Agent, mut record: Record, succeeded: bool) {
    record.outcome = Some(if succeeded { audit::Outcome::Allowed } else { audit::Outcome::Error });
    // Where what is done must be recorded, its calls were: this one only sums them up.
    let _ = agent.trail.write(record);
}

/// Waits until it is over, or the caller has left.
fn whole(mut run: Run, request: &Request<'_>) -> Outcome {
    loop {
        if let Some(outcome) = run.outcome() {
            let (output, error) = (outcome.output.as_str(), outcome.error.as_deref());
            let told = Told { success: error.is_none(), output, error };
            return Ok(Response::json(Status::OK, &told));
        }
        let socket = request.body.socket();
        let mut watches = [Watch::readable(&run), Watch::departure(&socket)];
        wait(&mut watches, Deadline::NEVER).map_err(|error| docker::Error::Body(BodyError::Io(error)))?;
        let [on_run, on_client] = watches.map(|watch| watch.is_ready());
        if on_client && !on_run {
            return Err(docker::Error::ClientLeft.into());
        }
    }
}

fn of_lines(reply: Reply) -> Response {
    let mut response = Response { reply, ..Response::empty(Status::OK) };
    response.fields.push("Content-Type", LINES.as_bytes());
    response.fields.push("Cache-Control", b"no-cache");
    response.fields.push("X-Accel-Buffering", b"no");
    response
}

/// A run, told as it goes on.
struct Lines {
    run: Run,
    has_ended: bool,
}

impl Follow for Lines {
    fn tell(&mut self, told: &mut Vec<u8>) {
        self.has_ended = self.run.lines(told);
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn will_end(&self) -> bool {
        true
    }

    /// A value that says nothing.
    fn sign_of_life(&self) -> &'static [u8] {
        b"{}\n"
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.run.as_fd()
    }
}
