//! The Docker catch-all: parse, decide, re-emit. Nothing of the client's bytes is passed on as it
//! stood: the head is written anew, and the body in our own framing.

use super::bounds;
use super::failure::Failure;
use super::route::{Access, Desk, Outcome, Reply, Response, Route};
use crate::auth::carries_credential_header;
use crate::docker::{self, Answer, Ask, Content, Patience};
use crate::http::{Framing, Method, Request, RequestHead, is_hop_by_hop};
use crate::permits::Permit;
use crate::policy::engine;
use crate::policy::row::{Pace, Row};
use crate::policy::{Permitted, Ruling, is_true};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "*",
    label: "engine",
    about: "Everything else, with every method, goes to the Docker Engine.",
    access: Access::Engine(pass_on),
    adapter: None,
}];

fn pass_on(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>, ruling: Ruling) -> Outcome {
    let (mut request, by) = ask.into_parts();
    if has_ambiguous_body(&request.head) {
        return Err(Failure::MediaType);
    }
    match ruling {
        Ruling::Free => {}
        Ruling::Watched(order) => bounds::watch(desk, &mut request, &by, order)?,
        Ruling::Bound(order) => return bounds::pass(desk, &mut request, &by, order),
    }
    let head = &request.head;
    let row = engine::classify(head.method, head.target.path());
    let takes = |head: &RequestHead<'_>, name: &str| !ends_here(head, name);
    let sent = Sent { row, target: head.target.raw(), takes, is_json: false };
    let (answer, place) = send(desk, &mut request, &sent)?;
    reply(answer, place, row.pace)
}

/// What of a request goes on.
pub(super) struct Sent<'s> {
    pub(super) row: &'static Row,
    pub(super) target: &'s str,
    /// Which fields.
    pub(super) takes: fn(&RequestHead<'_>, &str) -> bool,
    /// The body is JSON that we wrote.
    pub(super) is_json: bool,
}

/// Sends a request to the Engine, and waits for the answer's head. A switch of protocols needs a
/// place.
pub(super) fn send(
    desk: &mut Desk<'_>,
    request: &mut Request<'_>,
    sent: &Sent<'_>,
) -> Result<(Answer, Option<Permit>), Failure> {
    let head = &request.head;
    let place = match head.upgrade {
        Some(_) => Some(desk.agent.upgrades.try_take().ok_or(Failure::TooManyUpgrades)?),
        // Controllers leave some of these open when nobody looks any more.
        None if is_endless_statistics(sent) => {
            Some(desk.agent.statistics.try_take().ok_or(Failure::TooManyStatistics)?)
        }
        None => None,
    };
    let patience = match sent.row.pace {
        Pace::Prompt => Patience::Bounded,
        Pace::Slow | Pace::Endless => Patience::Unbounded,
    };
    let mut ask = Ask::new(desk.line.space(), head.method, sent.target, patience);
    // What stands for no content has no type.
    let is_empty = matches!(request.body.framing(), Framing::None | Framing::Length(0));
    for header in head.headers {
        let is_ours = (is_empty || sent.is_json) && header.name.eq_ignore_ascii_case("content-type");
        if !is_ours && (sent.takes)(head, header.name) && is_used(sent.row, header.name) {
            ask.field(header.name, header.value);
        }
    }
    if sent.is_json {
        ask.field("Content-Type", b"application/json");
    }
    if let Some(protocol) = head.upgrade {
        ask.upgrade(protocol);
    }
    ask.body(&mut request.body);
    Ok((desk.agent.docker.call(desk.line, ask)?, place))
}

/// Statistics come again and again unless the query says otherwise.
fn is_endless_statistics(sent: &Sent<'_>) -> bool {
    let query = || sent.target.split_once('?').map_or("", |(_, query)| query).split('&');
    let stream = || query().find_map(|pair| pair.strip_prefix("stream="));
    sent.row.pattern.ends_with("/stats") && stream().is_none_or(is_true)
}

/// The answer, as it comes.
pub(super) fn reply(answer: Answer, place: Option<Permit>, pace: Pace) -> Outcome {
    let reply = match (answer.content, place) {
        (Content::Incoming(incoming), place) => Reply::Stream(incoming, pace, place),
        (Content::Hijacked(hijacked), Some(place)) => Reply::Upgraded(hijacked, place, None),
        // `call` refuses a switch nobody asked for.
        (Content::Hijacked(_), None) => return Err(docker::Error::Switched.into()),
    };
    Ok(Response { status: answer.status, reason: answer.reason, fields: answer.fields, reply })
}

/// Fields that are ours, of this connection, or credentials.
pub(super) fn ends_here(head: &RequestHead<'_>, name: &str) -> bool {
    is_hop_by_hop(name)
        || name.eq_ignore_ascii_case("host")
        || name.eq_ignore_ascii_case("expect")
        || name.eq_ignore_ascii_case("origin")
        || carries_credential_header(name)
        || head.is_nominated(name)
}

/// Credentials for registries go where the Engine uses them, or where nobody knows.
fn is_used(row: &Row, name: &str) -> bool {
    let is_registrys = ["x-registry-auth", "x-registry-config"].iter().any(|own| name.eq_ignore_ascii_case(own));
    !is_registrys || row.registry || row.is_unknown()
}

/// The Engine merges a form's fields into the query, and Podman hands gRPC to another server
/// before it looks at the path: both would read another request than the one that was judged.
fn has_ambiguous_body(head: &RequestHead<'_>) -> bool {
    if matches!(head.framing, Framing::None | Framing::Length(0)) {
        return false;
    }
    head.values("content-type").map(<[u8]>::trim_ascii).any(|value| {
        [&b"application/x-www-form-urlencoded"[..], b"multipart/", b"application/grpc"]
            .iter()
            .any(|kind| value.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)))
    })
}
