//! Commands that are recorded: which requests start one, and what of their streams goes on the tape.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::containers;
use super::exchange::Exchange;
use super::failure::Failure;
use super::route::{Desk, Outcome, Reply, Response, Sift};
use crate::audit::{Recording, Side};
use crate::auth::Authenticated;
use crate::clock::Deadline;
use crate::docker;
use crate::docker::logs::{Logs, Source};
use crate::http::{Framing, Method, Request};
use crate::limits::{HELD_BODY_SECS, JSON_BODY_BYTES_MAX};
use crate::net::relay::Tap;
use crate::policy::engine;
use crate::policy::sieve::BadAnswer;

/// A command, or an attachment to one, that is to be recorded.
pub(super) enum Wanted {
    Start(Start),
    /// To this container.
    Attach(String),
}

/// A stream that is recorded, piece by piece, before it goes on.
pub(crate) struct Taped {
    recording: Recording,
    logs: Logs,
}

/// What is to be recorded of a request; nothing where its caller's commands are not, or where it starts
/// none. What could be recorded in part only is refused.
pub(super) fn wanted(known: &mut Authenticated<Request<'_>>) -> Result<Option<Wanted>, Failure> {
    if !known.principal().is_recorded() {
        return Ok(None);
    }
    let head = &known.inner().head;
    let path = head.target.path();
    match (head.method, engine::classify(head.method, path).pattern) {
        (Method::Post, "/exec/{}/start") => start(known).map(|start| Some(Wanted::Start(start))),
        (Method::Post, "/containers/{}/attach") => {
            let id = path.rsplit('/').nth(1).unwrap_or_default();
            Ok(Some(Wanted::Attach(id.to_owned())))
        }
        (Method::Get | Method::Head, "/containers/{}/attach/ws") => {
            Err(Failure::Untapeable("a WebSocket to a container is not: attach without one"))
        }
        _ => Ok(None),
    }
}

/// The body of a start, which says whether there is anything to record.
fn start(known: &mut Authenticated<Request<'_>>) -> Result<Start, Failure> {
    let is_empty = matches!(known.inner().body.framing(), Framing::None | Framing::Length(0));
    if is_empty {
        return Ok(Start::default());
    }
    let deadline = Deadline::after_secs(HELD_BODY_SECS);
    let document = known.document(JSON_BODY_BYTES_MAX, deadline).map_err(docker::Error::Body)?;
    let start = document.and_then(|document| serde_json::from_slice::<Start>(document).ok());
    match start {
        Some(start) if start.is_detached => {
            Err(Failure::Untapeable("one that is detached cannot be: start it attached"))
        }
        Some(start) => Ok(start),
        None => Err(Failure::Untapeable("what starts them must be JSON that tells its length")),
    }
}

impl Wanted {
    /// Begins the recording, before anything is asked of the Engine. `container` is a command's.
    pub(super) fn begin(
        self,
        desk: &mut Desk<'_>,
        exchange: &mut Exchange<'_>,
        container: String,
    ) -> Result<Taped, Failure> {
        let (title, has_terminal, size) = match self {
            Self::Start(start) => (container, start.has_terminal, start.size),
            Self::Attach(id) => match containers::terminal_of(desk, &id) {
                Some((full_id, has_terminal)) => (full_id, has_terminal, None),
                // There is no such container, and the Engine says so.
                None => (id, false, None),
            },
        };
        let recording = exchange.begin_tape(&title, size).map_err(Failure::NotTaped)?;
        Ok(Taped { recording, logs: Logs::new(has_terminal) })
    }
}

impl Taped {
    /// Puts what the Engine answers on the tape, where that is a command's stream.
    pub(super) fn onto(self, response: Response) -> Outcome {
        let is_stream = response.status.0 < 300;
        let reply = match response.reply {
            Reply::Upgraded(hijacked, place, _) => Reply::Upgraded(hijacked, place, Some(Box::new(self))),
            Reply::Stream(incoming, pace, _place) if is_stream => {
                Reply::Sifted(incoming, pace, Box::new(self))
            }
            reply @ (Reply::Empty | Reply::Bytes(_) | Reply::Nobody | Reply::Stream(..)) => {
                // It never ran.
                self.recording.discard();
                reply
            }
            // Nothing that starts a command is answered so; it would go by unrecorded.
            Reply::Sifted(..) | Reply::Feed(_) => {
                return Err(Failure::Untapeable("this is a stream that cannot be"));
            }
        };
        Ok(Response { reply, ..response })
    }

    /// The terminal has another size: columns and rows.
    pub(crate) fn resized(&self, size: (u16, u16)) -> io::Result<()> {
        self.recording.resized(size)
    }

    /// What was printed, without the frames around it. What cannot be read is not recorded, and so ends it.
    fn printed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let cut = self.logs.cut(bytes).map_err(|_| ErrorKind::InvalidData)?;
            if cut.left_out.is_some() {
                return Err(ErrorKind::FileTooLarge.into());
            }
            let side = match cut.source {
                Source::Stdin | Source::Stdout => Side::Output,
                Source::Stderr | Source::Engine => Side::Errors,
            };
            let rest = bytes.get(cut.framing..).unwrap_or_default();
            let (text, rest) = rest.split_at_checked(cut.text).unwrap_or((rest, &[]));
            self.recording.piece(side, text)?;
            bytes = rest;
        }
        Ok(())
    }
}

impl Tap for Taped {
    fn up(&mut self, piece: &[u8]) -> io::Result<()> {
        self.recording.piece(Side::Input, piece)
    }

    fn down(&mut self, piece: &[u8]) -> io::Result<()> {
        self.printed(piece)
    }
}

/// A command's output where the client did not ask for a switch of protocols.
impl Sift for Taped {
    fn push(&mut self, content: &[u8], told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        self.printed(content).map_err(|error| BadAnswer::NotRecorded(error.kind()))?;
        told.extend_from_slice(content);
        Ok(())
    }

    fn end(&mut self, _told: &mut Vec<u8>) -> Result<(), BadAnswer> {
        Ok(())
    }
}

/// What the body of a start says, read as leniently as an Engine reads it: a name in any case, and of
/// several the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    is_detached: bool,
    has_terminal: bool,
    /// Columns and rows.
    size: Option<(u16, u16)>,
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Start;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Start, A::Error> {
                let mut start = Start::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let is = |known: &str| name.eq_ignore_ascii_case(known);
                    if is("Detach") {
                        // Once said is said: what is detached after all must not be missed.
                        start.is_detached |= map.next_value::<Option<bool>>()?.unwrap_or_default();
                    } else if is("Tty") {
                        start.has_terminal = map.next_value::<Option<bool>>()?.unwrap_or(start.has_terminal);
                    } else if is("ConsoleSize") {
                        let size = map.next_value::<Option<[u16; 2]>>()?;
                        start.size =
                            size.filter(|size| !size.contains(&0)).map(|[rows, columns]| (columns, rows));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(start)
            }
        }
        from.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Start> {
        serde_json::from_str(body).ok()
    }

    #[test]
    fn a_start_is_read_as_the_engine_reads_it() {
        let start = |is_detached, has_terminal, size| Some(Start { is_detached, has_terminal, size });
        for (body, expected) in [
            ("{}", start(false, false, None)),
            (r#"{"Detach":false,"Tty":true,"ConsoleSize":[24,80]}"#, start(false, true, Some((80, 24)))),
            (r#"{"Tty":true,"ConsoleSize":[0,0],"Other":{"Detach":true}}"#, start(false, true, None)),
            (r#"{"Detach":null,"Tty":true,"Tty":null,"ConsoleSize":null}"#, start(false, true, None)),
            (r#"{"detach":true}"#, start(true, false, None)),
            (r#"{"DETACH":true,"Detach":false}"#, start(true, false, None)),
            (r#"{"Det\u0061ch":true}"#, start(true, false, None)),
            (r#"{"Tty":false,"tty":true}"#, start(false, true, None)),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
        for body in ["", "null", "[]", "{}{}", r#"{"Detach":1}"#, r#"{"Tty":"yes"}"#, r#"{"Detach":true"#] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
