//! For callers with limits: their bodies judged, their objects looked up, their answers sifted.

use std::net::IpAddr;
use std::time::Duration;

use super::failure::Failure;
use super::proxy::{Sent, ends_here, reply, send};
use super::route::{Desk, Outcome, Reply, Response};
use crate::auth::{Class, Denied, Principal};
use crate::clock::Deadline;
use crate::docker::{self, Answer, Content, Incoming};
use crate::http::{BodyError, Framing, Request, RequestHead};
use crate::limits::{
    HELD_BODY_SECS, HELD_FREE_BYTES, JSON_ANSWER_BYTES_MAX, JSON_BODY_BYTES_MAX, QUEUE_SECS,
};
use crate::policy::answer::{Screen, Telling};
use crate::policy::decide::Order;
use crate::policy::json::Json;
use crate::policy::row::Takes;
use crate::policy::scope::Scope;
use crate::policy::sieve::{Shape, Sieve, document};
use crate::policy::{Denial, Refused, Stop};

/// Sends what was ordered, and tells what may be told.
pub(super) fn pass(
    desk: &mut Desk<'_>,
    request: &mut Request<'_>,
    by: &Principal,
    mut order: Order,
) -> Outcome {
    let judged = judge(desk, request, by, &mut order)?;
    match order.row.body {
        Takes::Judged(_) | Takes::Nothing => request.body.replace(judged.unwrap_or_default()),
        // The magic number of a compressed archive makes the Engine run a program to unpack it.
        Takes::Files if !by.grant().has(Class::Host) => {
            request
                .body
                .screen(is_compressed)
                .map_err(|error| unwanted(docker::Error::Body(error).into(), by))?;
        }
        Takes::Files | Takes::Archive | Takes::Json => {}
    }
    let target = order.target();
    let is_judged = matches!(order.row.body, Takes::Judged(_));
    let sent = Sent { row: order.row, target: &target, takes: goes_on, is_json: is_judged };
    let (answer, place) = send(desk, request, &sent).map_err(|failure| unwanted(failure, by))?;
    // 304 says that there was nothing to do; any other leads elsewhere.
    if matches!(answer.status.0, 300..400) && answer.status.0 != 304 {
        return Err(docker::Error::Refused(answer.status).into());
    }
    if answer.status.0 >= 300 {
        return reply(answer, place, order.row.pace);
    }
    let screen = match order.telling(by.grant()) {
        Telling::AsItIs => return reply(answer, place, order.row.pace),
        Telling::Whole(screen) => {
            return whole(desk, answer, by, |document| screen.pass(document));
        }
        Telling::VolumeList(screen) => {
            return whole(desk, answer, by, |document| {
                screen.pass_list(document, "Volumes");
                true
            });
        }
        Telling::NewExec => {
            let (execs, mark) = (&desk.agent.execs, by.mark());
            return whole(desk, answer, by, |document| {
                if let Some(id) = document.member("Id").and_then(Json::text) {
                    execs.remember(id, mark);
                }
                true
            });
        }
        Telling::Each(screen) => (screen, Shape::List),
        Telling::Stream(screen) => (screen, Shape::Sequence),
    };
    sift(answer, screen, &order)
}

/// A body that turns out to be what may not be sent is refused like any other.
fn unwanted(failure: Failure, by: &Principal) -> Failure {
    if matches!(failure, Failure::Engine(docker::Error::Body(BodyError::Unwanted))) {
        return Denial { by: by.clone(), why: Refused::Compressed }.into();
    }
    failure
}

/// Asks what would be refused of a question of our own, and lets it be.
pub(super) fn watch_unsent(desk: &mut Desk<'_>, by: &Principal, mut order: Order) -> Result<(), Failure> {
    let peer = desk.peer;
    let settled = settle(desk, by, &mut order, None);
    tolerate(settled.map(drop), peer)
}

/// Asks what would be refused, and lets the request be.
pub(super) fn watch(
    desk: &mut Desk<'_>,
    request: &mut Request<'_>,
    by: &Principal,
    mut order: Order,
) -> Result<(), Failure> {
    let judged = judge(desk, request, by, &mut order);
    tolerate(judged.map(drop), request.peer)
}

/// What would be refused is told. A body that was not held to its end cannot go on.
fn tolerate(judged: Result<(), Failure>, peer: IpAddr) -> Result<(), Failure> {
    match judged {
        Err(Failure::NotPermitted(denial)) if !matches!(denial.why, Refused::TooLarge) => {
            super::telling::tell_refused("policy.would_deny", &denial.by, &denial.why, peer);
            Ok(())
        }
        // What the Engine cannot be asked now, it will say itself.
        Err(Failure::Engine(error)) if !matches!(error, docker::Error::Body(_)) => Ok(()),
        judged => judged,
    }
}

/// Holds a body that is judged, looks up what the request names, and gives the body to send.
fn judge(
    desk: &mut Desk<'_>,
    request: &mut Request<'_>,
    by: &Principal,
    order: &mut Order,
) -> Result<Option<Vec<u8>>, Failure> {
    let refused = |why| Failure::from(Denial { by: by.clone(), why });
    let held = match order.row.body {
        Takes::Judged(_) => Some((JSON_BODY_BYTES_MAX, Refused::TooLarge)),
        Takes::Nothing if request.body.framing() != Framing::None => Some((0, Refused::Body)),
        Takes::Nothing | Takes::Json | Takes::Archive | Takes::Files => None,
    };
    let body = match held {
        None => None,
        Some((most, otherwise)) => match hold(desk, request, most) {
            Ok(bytes) => Some(bytes),
            Err(BodyError::TooLarge(_)) => return Err(refused(otherwise)),
            Err(error) => return Err(docker::Error::Body(error).into()),
        },
    };
    settle(desk, by, order, body)
}

/// Looks up what an order names, and judges its body.
pub(super) fn settle(
    desk: &mut Desk<'_>,
    by: &Principal,
    order: &mut Order,
    body: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Failure> {
    let refused = |why| Failure::from(Denial { by: by.clone(), why });
    if let Some(minor) = order.version().filter(|minor| !desk.agent.docker.speaks(*minor)) {
        return Err(refused(Refused::Version(format!("1.{minor}"))));
    }
    let (agent, grant) = (desk.agent, by.grant());
    let mut scope = Scope::new((&agent.docker, desk.line), &agent.execs, (grant, by.mark()), order);
    order.settle(grant, body, &mut scope).map_err(|stop| match stop {
        Stop::Refused(why) => refused(why),
        Stop::Engine(error) => error.into(),
    })
}

fn hold<'r>(desk: &Desk<'_>, request: &'r mut Request<'_>, most: usize) -> Result<&'r [u8], BodyError> {
    let mut take_place = || desk.agent.judged.take_within(Duration::from_secs(QUEUE_SECS));
    request.body.hold(most, HELD_FREE_BYTES, Deadline::after_secs(HELD_BODY_SECS), &mut take_place)
}

/// Holds a document, and gives what is to be told of it, if anything is.
fn whole(
    desk: &mut Desk<'_>,
    answer: Answer,
    by: &Principal,
    mut judge: impl FnMut(&mut Json) -> bool,
) -> Outcome {
    let (incoming, pace) = (incoming(answer.content)?, desk.agent.docker.patience());
    let told = incoming.whole(JSON_ANSWER_BYTES_MAX, pace, desk.line)?;
    let _place = match told.len() > HELD_FREE_BYTES {
        true => Some(desk.agent.judged.take_within(Duration::from_secs(QUEUE_SECS)).ok_or(Denied::Busy)?),
        false => None,
    };
    let mut is_told = false;
    let told = document(&told, |value| is_told = judge(value)).map_err(Failure::Untellable)?;
    if !is_told {
        return Err(Denial { by: by.clone(), why: Refused::Reach }.into());
    }
    Ok(Response {
        status: answer.status,
        reason: answer.reason,
        fields: answer.fields,
        reply: Reply::Bytes(told),
    })
}

/// Tells a list or a stream value by value.
fn sift(answer: Answer, (screen, shape): (Screen, Shape), order: &Order) -> Outcome {
    let sieve = Sieve::new(shape, Box::new(move |value| screen.pass(value)));
    let reply = Reply::Sifted(incoming(answer.content)?, order.row.pace, Box::new(sieve));
    Ok(Response { status: answer.status, reason: answer.reason, fields: answer.fields, reply })
}

fn incoming(content: Content) -> Result<Incoming, Failure> {
    match content {
        Content::Incoming(incoming) => Ok(incoming),
        Content::Hijacked(_) => Err(docker::Error::Switched.into()),
    }
}

/// Fields that mean something to the Engine on a route a caller with limits may use. Accept does
/// not: answers that are told in part must come in the one form that is read.
fn goes_on(head: &RequestHead<'_>, name: &str) -> bool {
    let known = ["content-type", "user-agent", "x-registry-auth", "x-registry-config"];
    let families = ["sec-websocket-", "x-docker-expose-session-"];
    let is_known = known.iter().any(|known| name.eq_ignore_ascii_case(known))
        || families
            .iter()
            .any(|family| name.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family)));
    is_known && !ends_here(head, name)
}

/// The front of gzip, bzip2, xz or zstd.
fn is_compressed(front: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    let is_skippable = matches!(front, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    is_skippable || magics.iter().any(|magic| front.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::is_compressed;

    #[test]
    fn archives_that_need_a_program_are_told_from_plain_ones() {
        for front in
            [&b"\x1f\x8b\x08\0"[..], b"BZh9", b"\xfd7zXZ\0\0", b"\x28\xb5\x2f\xfd", b"\x5a\x2a\x4d\x18"]
        {
            assert!(is_compressed(front), "{front:x?}");
        }
        for front in [&b""[..], b"\x1f", b"\x1f\x8b", b"BZ", b"etc/passwd\0\0\0\0\0\0", b"\0\0\0\0"] {
            assert!(!is_compressed(front), "{front:x?}");
        }
    }
}
