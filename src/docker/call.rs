//! One exchange with the Engine: our head, the client's body, the Engine's head.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::answer::{Answer, Content, Incoming};
use super::line::{Hijacked, Line, Link};
use super::upload::{Unsent, send};
use super::{Docker, Error};
use crate::clock::Deadline;
use crate::http::{
    self, Body, Fields, Framing, Method, ResponseHead, Status, end_of_head, is_hop_by_hop, response_head,
};
use crate::net::is_tick;
use crate::sys::poll::{Watch, wait};

/// Whether a call must answer soon, or takes its time by nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the operator allows.
    Bounded,
    Unbounded,
    Within(Duration),
}

/// A request to the Engine. Every byte of its head is written here.
pub(crate) struct Ask<'c, 'b> {
    pub(super) method: Method,
    pub(super) head: Vec<u8>,
    pub(super) body: Option<&'c mut Body<'b>>,
    is_upgrade: bool,
    patience: Patience,
}

impl<'c, 'b> Ask<'c, 'b> {
    /// Begins a head in `space`. The target must have been checked.
    pub(crate) fn new(space: Vec<u8>, method: Method, target: &str, patience: Patience) -> Self {
        let mut head = space;
        head.clear();
        for part in [method.as_str(), " ", target, " HTTP/1.1\r\nHost: docker\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        Self { method, head, body: None, is_upgrade: false, patience }
    }

    pub(crate) fn field(&mut self, name: &str, value: &[u8]) {
        http::push_field(&mut self.head, name, value);
    }

    pub(crate) fn upgrade(&mut self, protocol: &[u8]) {
        self.field("Connection", b"Upgrade");
        self.field("Upgrade", protocol);
        self.is_upgrade = true;
    }

    pub(crate) fn body(&mut self, body: &'c mut Body<'b>) {
        match body.framing() {
            Framing::Length(length) => self.field("Content-Length", length.to_string().as_bytes()),
            Framing::Chunked => self.field("Transfer-Encoding", b"chunked"),
            Framing::None | Framing::UntilClose => {}
        }
        self.body = Some(body);
    }

    /// The socket of whoever waits for the answer.
    fn client(&self) -> Option<BorrowedFd<'_>> {
        self.body.as_ref().map(|body| body.socket())
    }

    fn has_content(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.framing() != Framing::None)
    }
}

/// How an attempt on a connection failed.
enum Attempt {
    /// The Engine had closed it before anything was sent that could have acted.
    Stale,
    Failed(Error),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Docker {
    /// Sends a request on the client's line and waits for the answer's head.
    pub(crate) fn call(&self, line: &mut Line, mut ask: Ask<'_, '_>) -> Result<Answer, Error> {
        let (connect, within) = match ask.patience {
            Patience::Bounded => (self.head_within, Some(self.head_within)),
            Patience::Unbounded => (self.head_within, None),
            Patience::Within(span) => (span, Some(span)),
        };
        ask.head.extend_from_slice(b"\r\n");
        // A repeated question does no harm; anything else first looks whether the Engine hung up.
        let kept =
            line.link.take().and_then(|mut link| (ask.method.is_safe() || link.is_quiet()).then_some(link));
        if let Some(link) = kept {
            match exchange(link, line, &mut ask, within) {
                Err(Attempt::Stale) => {}
                Err(Attempt::Failed(error)) => return Err(error),
                Ok(answer) => {
                    line.give_back(ask.head);
                    return Ok(answer);
                }
            }
        }
        let link = Link::new(self.address.connect(Deadline::after(connect))?);
        let outcome = exchange(link, line, &mut ask, within);
        line.give_back(ask.head);
        outcome.map_err(|attempt| match attempt {
            Attempt::Failed(error) => error,
            // A fresh connection is never called stale.
            Attempt::Stale => Error::Closed(ErrorKind::UnexpectedEof.into()),
        })
    }
}

fn exchange(
    mut link: Link,
    line: &mut Line,
    ask: &mut Ask<'_, '_>,
    within: Option<Duration>,
) -> Result<Answer, Attempt> {
    let sent_whole = match send(&mut link, ask) {
        Ok(sent_whole) => sent_whole,
        Err(Unsent::Stale) => return Err(Attempt::Stale),
        Err(Unsent::Failed(error)) => return Err(Attempt::Failed(error)),
    };
    // From here on the Engine has everything; how long the client took to send it is not its fault.
    let deadline = within.map_or(Deadline::NEVER, Deadline::after);
    loop {
        let end = await_head(&mut link, ask, deadline)?;
        let (space, range) = link.wire.take(end);
        let head = space.get(range).unwrap_or_default();
        let mut slots = http::slots();
        let parsed = response_head(head, ask.method, &mut slots).map_err(Error::Malformed)?;
        if parsed.status.is_interim() {
            link.wire.give_back(space);
            look_around(ask.client(), deadline)?;
            continue;
        }
        let switched = parsed.status == Status::SWITCHING_PROTOCOLS;
        if switched && !ask.is_upgrade {
            return Err(Error::Switched.into());
        }
        let fields = onward(&parsed, Fields::within(line.space()), switched);
        let reason = if parsed.reason == parsed.status.reason() {
            Cow::Borrowed(parsed.status.reason())
        } else {
            Cow::Owned(parsed.reason.to_owned())
        };
        let (status, framing) = (parsed.status, parsed.framing);
        // Kept only where nothing is in doubt: the whole request was taken, the answer's end is
        // known, and no switch was asked for that the Engine may still be thinking about.
        let is_keepable =
            sent_whole && parsed.keep_alive && !ask.is_upgrade && framing != Framing::UntilClose;
        link.wire.give_back(space);
        let content = if switched {
            Content::Hijacked(Hijacked(link))
        } else {
            Content::Incoming(Incoming::new(link, framing, is_keepable))
        };
        return Ok(Answer { status, reason, fields, content });
    }
}

/// The fields that go on to the client.
fn onward(head: &ResponseHead<'_>, mut fields: Fields, switched: bool) -> Fields {
    for header in head.headers {
        // An answer without content still tells how long it would be: to HEAD, and in a 304.
        let is_told_length = head.framing == Framing::None
            && head.status != Status(204)
            && header.name.eq_ignore_ascii_case("content-length");
        let is_switch = switched && header.name.eq_ignore_ascii_case("upgrade");
        let stays = is_hop_by_hop(header.name) || head.is_nominated(header.name);
        if !stays || (is_told_length && !switched) || is_switch {
            fields.push(header.name, header.value);
        }
    }
    if switched {
        fields.push("Connection", b"Upgrade");
    }
    fields
}

/// Waits for a whole head at the front of what is received, and says where it ends.
fn await_head(link: &mut Link, ask: &Ask<'_, '_>, deadline: Deadline) -> Result<usize, Attempt> {
    let mut seen = 0;
    loop {
        match end_of_head(link.wire.received(), seen).map_err(Error::Malformed)? {
            Some((0, end)) => return Ok(end),
            Some(_) => return Err(Error::Malformed(http::Malformed::StartLine).into()),
            None => seen = link.wire.received().len(),
        }
        let ended = match link.wire.receive() {
            Ok(0) => io::Error::from(ErrorKind::UnexpectedEof),
            Ok(_) => {
                // What came whole at once, as it nearly always does, needs no look.
                if seen > 0 {
                    look_around(ask.client(), deadline)?;
                }
                continue;
            }
            Err(error) if is_tick(&error) => {
                wait_quietly(link, ask.client(), deadline)?;
                continue;
            }
            Err(error) => error,
        };
        let could_not_act = ask.method.is_safe() && !ask.has_content();
        if seen == 0 && link.is_reused && could_not_act {
            return Err(Attempt::Stale);
        }
        return Err(Error::Closed(ended).into());
    }
}

/// The Engine says something, and never what is waited for: that, too, is taken for as long as there is
/// somebody to tell, and time.
fn look_around(client: Option<BorrowedFd<'_>>, deadline: Deadline) -> Result<(), Error> {
    if deadline.passed() {
        return Err(Error::Late);
    }
    let mut watches = [client.as_ref().map_or_else(Watch::nothing, Watch::departure)];
    // Asks without waiting; a failed poll is as good as nobody who left.
    let has_left = wait(&mut watches, Deadline::after(Duration::ZERO)).unwrap_or(false);
    if has_left { Err(Error::ClientLeft) } else { Ok(()) }
}

/// The Engine is taking its time: sleeps until it speaks, the client leaves, or it is too late.
fn wait_quietly(link: &Link, client: Option<BorrowedFd<'_>>, deadline: Deadline) -> Result<(), Error> {
    let on_client = client.as_ref().map_or_else(Watch::nothing, Watch::departure);
    let mut watches = [Watch::readable(&link.wire), on_client];
    match wait(&mut watches, deadline) {
        Ok(false) => Err(Error::Late),
        Err(error) => Err(Error::Closed(error)),
        Ok(true) => {
            let [on_engine, on_client] = watches;
            if !on_engine.is_ready() && on_client.is_ready() { Err(Error::ClientLeft) } else { Ok(()) }
        }
    }
}
