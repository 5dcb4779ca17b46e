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
use crate::compose::{Job, OpenDoor, Order, Ready, Run, Telling, Unfit, Unready, last_line};
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
    let ready = desk.agent.compose.ready(by.grant().is_everything())?;
    let telling = if desk.can_follow { telling(&request) } else { Telling::Whole };
    let read = match read(&ready, &mut request)? {
        Err(Unfit::Malformed(why)) => return Err(Failure::BadOrder(why)),
        Err(Unfit::Invalid { operation, stack, why }) => {
            Err((operated(desk, &by, &operation, &stack), why.to_string()))
        }
        Ok(order) => {
            let operated = operated(desk, &by, order.operation.name(), order.stack.as_str());
            match order.has_no_end() && telling == Telling::Whole {
                true => Err((operated, format!("\"follow\" has no end that could be waited for: ask with Accept: {LINES}"))),
                false => Ok((order, operated)),
            }
        }
    };
    let (order, operated) = match read {
        Ok(read) => read,
        Err((operated, why)) => {
            record(desk.agent, operated, false);
            return Ok(refused(telling, &why));
        }
    };
    let begun = begin(desk, &ready, by, order, telling, operated.clone());
    let run = begun.inspect_err(|_| record(desk.agent, operated, false))?;
    match telling {
        Telling::Whole => whole(run, &request),
        Telling::Lines => Ok(Response::feed(LINES, Box::new(Lines { run, has_ended: false }))),
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
fn read(ready: &Ready<'_>, request: &mut Request<'_>) -> Result<Result<Order, Unfit>, Failure> {
    let documents = ready.documents();
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
        Telling::Lines => Response::of(LINES, Reply::Bytes(last_line(false, Some(why), 0))),
    }
}

fn begin(
    desk: &Desk<'_>,
    ready: &Ready<'_>,
    by: Principal,
    order: Order,
    telling: Telling,
    operated: Record,
) -> Result<Run, Failure> {
    let grant = by.grant();
    if order.builds() && !grant.has(Class::Build) && grant.mode == Mode::Enforce {
        // Left to itself, compose would fetch a builder of its own, and fail with that.
        return Err(Denial { by, why: Refused::Class(Class::Build) }.into());
    }
    let gone = || Unready::Failed(std::io::ErrorKind::NotConnected.into());
    let agent = desk.agent.me.upgrade().ok_or_else(gone)?;
    let caller = Caller {
        gate: desk.gate.for_errand(by),
        peer: desk.peer,
        actor: desk.asker(),
        request_id: desk.request_id.clone(),
    };
    let behind = Arc::clone(&agent);
    let open_door: OpenDoor = Box::new(move |at: &Path| match &behind.doors {
        Some(doors) => doors.open(Arc::clone(&behind), at, caller),
        None => Err(std::io::ErrorKind::Unsupported.into()),
    });
    let on_end = Box::new(move |succeeded| record(&agent, operated, succeeded));
    Ok(ready.begin(Job { order, telling, open_door, on_end })?)
}

/// What is recorded of an operation, but for how it ended.
fn operated(desk: &Desk<'_>, by: &Principal, operation: &str, stack: &str) -> Record {
    let mut record = Record::new(Event::ComposeOp);
    record.actor = Some(desk.asker());
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
