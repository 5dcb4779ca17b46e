//! The Docker catch-all: parse, decide, re-emit. Nothing of the client's bytes is passed on as it
//! stood: the head is written anew, and the body in our own framing.

use super::failure::Failure;
use super::route::{Access, Desk, Outcome, Reply, Response, Route};
use crate::auth::carries_credential_header;
use crate::docker::{Ask, Content, Patience};
use crate::http::{Method, Request, RequestHead, is_hop_by_hop};
use crate::policy::engine::{self, Pace};
use crate::policy::Permitted;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "*",
    label: "engine",
    about: "Everything else, with every method, goes to the Docker Engine.",
    access: Access::Engine(pass_on),
}];

fn pass_on(desk: &mut Desk<'_>, ask: Permitted<Request<'_>>) -> Outcome {
    let mut request = ask.into_inner();
    let head = &request.head;
    if has_ambiguous_body(head) {
        return Err(Failure::MediaType);
    }
    let place = match head.upgrade {
        Some(_) => Some(desk.agent.upgrades.try_take().ok_or(Failure::TooManyUpgrades)?),
        None => None,
    };
    let row = engine::classify(head.method, head.target.path());
    let patience = match row.pace {
        Pace::Prompt => Patience::Bounded,
        Pace::Slow | Pace::Endless => Patience::Unbounded,
    };
    let mut ask = Ask::new(desk.line.space(), head.method, head.target.raw(), patience);
    for header in head.headers {
        if !ends_here(head, header.name) {
            ask.field(header.name, header.value);
        }
    }
    if let Some(protocol) = head.upgrade {
        ask.upgrade(protocol);
    }
    ask.body(&mut request.body);
    let answer = desk.agent.docker.call(desk.line, ask)?;
    let reply = match (answer.content, place) {
        (Content::Incoming(incoming), _) => Reply::Stream(incoming, row.pace),
        (Content::Hijacked(hijacked), Some(place)) => Reply::Upgraded(hijacked, place),
        // `call` refuses a switch nobody asked for.
        (Content::Hijacked(_), None) => return Err(crate::docker::Error::Switched.into()),
    };
    Ok(Response { status: answer.status, reason: answer.reason, fields: answer.fields, reply })
}

/// Fields that are ours, of this connection, or credentials.
fn ends_here(head: &RequestHead<'_>, name: &str) -> bool {
    is_hop_by_hop(name)
        || name.eq_ignore_ascii_case("host")
        || name.eq_ignore_ascii_case("expect")
        || name.eq_ignore_ascii_case("origin")
        || carries_credential_header(name)
        || head.is_nominated(name)
}

/// The Engine merges a form's fields into the query, and Podman hands gRPC to another server
/// before it looks at the path: both would read another request than the one that was judged.
fn has_ambiguous_body(head: &RequestHead<'_>) -> bool {
    head.values("content-type").map(<[u8]>::trim_ascii).any(|value| {
        [&b"application/x-www-form-urlencoded"[..], b"multipart/", b"application/grpc"]
            .iter()
            .any(|kind| value.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)))
    })
}
