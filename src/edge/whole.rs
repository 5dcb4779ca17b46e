//! An answer that is held whole, because it goes out in one message.

use std::time::Duration;

use super::inlet::Inlet;
use super::session::Session;
use super::unanswered::{Unanswered, broke_off};
use crate::api::{Reply, Response, Sift};
use crate::clock::Deadline;
use crate::docker::{self, Incoming, Line};
use crate::http::{Fields, Status};
use crate::limits::{EDGE_WHOLE_FREE_BYTES, QUEUE_SECS};
use crate::permits::Permit;
use crate::policy::sieve::BadAnswer;

pub(super) fn too_large() -> Unanswered {
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
    Untold(BadAnswer),
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
