//! The shape of an endpoint.

use std::borrow::Cow;
use std::time::Instant;

use super::failure::Failure;
use crate::auth::{Gate, Pass};
use crate::clock;
use crate::docker::{Docker, Hijacked, Incoming, Line};
use crate::http::{Fields, Method, Request, Status};
use crate::limits::{JUDGED_BODIES_MAX, UPGRADES_MAX};
use crate::permits::{Permit, Permits};
use crate::policy::execs::Execs;
use crate::policy::row::Pace;
use crate::policy::sieve::Sieve;
use crate::policy::{Class, Permitted, Ruling};

/// What every request shares.
pub(crate) struct Agent {
    pub(crate) docker: Docker,
    pub(crate) started: Instant,
    /// Origins of web pages that may call; a browser tells, others do not.
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) upgrades: Permits,
    /// Places for bodies that are judged.
    pub(crate) judged: Permits,
    /// Who made which command.
    pub(crate) execs: Execs,
}

impl Agent {
    pub(crate) fn new(docker: Docker, allowed_origins: Vec<String>) -> Self {
        Self {
            docker,
            started: clock::now(),
            allowed_origins,
            upgrades: Permits::new(UPGRADES_MAX),
            judged: Permits::new(JUDGED_BODIES_MAX),
            execs: Execs::new(),
        }
    }
}

/// Where one request is handled: the agent, and its own connection's line to the Engine.
pub(crate) struct Desk<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) gate: &'a Gate,
    /// What the connection knows of its caller.
    pub(crate) pass: &'a mut Pass,
    /// Nobody between us and the caller reads along: TLS, or loopback.
    pub(crate) is_private: bool,
    pub(crate) line: &'a mut Line,
    /// Told as soon as the caller's credential is known to be good, and what marks it.
    pub(crate) on_admitted: &'a dyn Fn(u64),
}

/// Who may reach a handler. A guarded one cannot be called without proof.
pub(crate) enum Access {
    Public(fn(&mut Desk<'_>, Request<'_>) -> Outcome),
    Guarded(Class, fn(&mut Desk<'_>, Permitted<Request<'_>>) -> Outcome),
    /// Guarded by whichever of the Engine's routes is meant, and by what may be sent there.
    Engine(fn(&mut Desk<'_>, Permitted<Request<'_>>, Ruling) -> Outcome),
}

/// One endpoint.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Its name in logs.
    pub(crate) label: &'static str,
    /// What it is for, in a sentence.
    pub(crate) about: &'static str,
    pub(crate) access: Access,
}

pub(crate) type Outcome = Result<Response, Failure>;

/// An answer on its way to whoever asked.
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) fields: Fields,
    pub(crate) reply: Reply,
}

/// What follows the head.
pub(crate) enum Reply {
    Bytes(Vec<u8>),
    Stream(Incoming, Pace),
    /// The same through a sieve, which leaves out what the caller is not told.
    Sifted(Incoming, Pace, Box<Sieve>),
    /// The Engine switched protocols; the place is given back when the stream ends.
    Upgraded(Hijacked, Permit),
    /// Nobody is left to answer.
    Nobody,
}

impl Response {
    /// One JSON value and a line feed.
    pub(crate) fn json(status: Status, value: &impl serde::Serialize) -> Self {
        // Our own types hold nothing that JSON cannot: an empty body would be a bug of ours.
        let mut bytes = serde_json::to_vec(value).unwrap_or_default();
        bytes.push(b'\n');
        let mut fields = Fields::default();
        fields.push("Content-Type", b"application/json");
        Self { status, reason: Cow::Borrowed(status.reason()), fields, reply: Reply::Bytes(bytes) }
    }
}
