//! What happens on the Engine, told as it happens: one JSON document a line, without an end.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use serde::Deserialize;

use super::answer::{Content, Incoming};
use super::call::{Ask, Patience};
use super::line::Line;
use super::{Docker, Error};
use crate::http::{Method, Status};
use crate::limits::EVENT_BYTES_MAX;
use crate::net::is_tick;

/// Something that happened to a container or an image.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "Type", default)]
    pub(crate) kind: String,
    /// The verb, and for some a colon and more.
    #[serde(rename = "Action", default)]
    pub(crate) action: String,
    #[serde(rename = "Actor", default)]
    pub(crate) actor: Actor,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano", default)]
    pub(crate) nanos: u64,
}

/// What it happened to.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Actor {
    #[serde(rename = "ID", default)]
    pub(crate) id: String,
    /// Labels, and what the Engine adds.
    #[serde(rename = "Attributes", default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Events as they come.
pub(crate) struct Events {
    incoming: Incoming,
    /// What has come of the next line.
    rest: Vec<u8>,
    /// That line is too long: what is still to come of it is dropped.
    is_passing_over: bool,
}

/// What came at once.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) events: Vec<Event>,
    /// Something came that was not to be read.
    pub(crate) is_missing_some: bool,
}

impl Docker {
    /// Follows what happens to containers and images, from a moment on where one is named. Events
    /// of that very nanosecond come again.
    pub(crate) fn events(&self, since_nanos: Option<u64>) -> Result<Events, Error> {
        // {"type":{"container":true,"image":true}}
        let filters = "%7B%22type%22%3A%7B%22container%22%3Atrue%2C%22image%22%3Atrue%7D%7D";
        let since = since_nanos.map(|nanos| {
            let (secs, rest) = (nanos / NANOS, nanos % NANOS);
            format!("&since={secs}.{rest:09}")
        });
        let target = format!("/events?filters={filters}{}", since.unwrap_or_default());
        // The head may come with the first event only.
        let ask = Ask::new(Vec::new(), Method::Get, &target, Patience::Bounded);
        let answer = self.call(&mut Line::default(), ask)?;
        match answer.content {
            Content::Incoming(incoming) if answer.status == Status::OK => {
                Ok(Events { incoming, rest: Vec::new(), is_passing_over: false })
            }
            Content::Incoming(_) => Err(Error::Refused(answer.status)),
            Content::Hijacked(_) => Err(Error::Switched),
        }
    }
}

/// In a second.
const NANOS: u64 = 1_000_000_000;

impl Events {
    /// The first events may have come together with the head.
    pub(crate) fn has_received(&self) -> bool {
        self.incoming.has_received()
    }

    /// Receives once and gives what came whole; nothing after a tick.
    pub(crate) fn receive(&mut self) -> Result<Received, Error> {
        let mut received = Received::default();
        loop {
            let gathered = self.incoming.gather().map_err(Error::Malformed)?;
            let has_content = !self.incoming.content(&gathered).is_empty();
            self.rest.extend_from_slice(self.incoming.content(&gathered));
            let ended = gathered.ended;
            self.incoming.consume(&gathered);
            if has_content {
                self.cut(&mut received);
                return Ok(received);
            }
            if ended {
                return Err(Error::Closed(io::ErrorKind::UnexpectedEof.into()));
            }
            match self.incoming.receive() {
                Ok(0) => return Err(Error::Closed(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if is_tick(&error) => return Ok(received),
                Err(error) => return Err(Error::Closed(error)),
            }
        }
    }

    /// Takes the lines that are whole. One that is too long, or cannot be read, is passed over: asking
    /// for it again would bring it again.
    fn cut(&mut self, received: &mut Received) {
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if std::mem::take(&mut self.is_passing_over) {
                continue;
            }
            match read(&line) {
                Ok(event) => received.events.extend(event),
                Err(()) => received.is_missing_some = true,
            }
        }
        if self.rest.len() > EVENT_BYTES_MAX {
            self.rest = Vec::new();
            self.is_passing_over = true;
            received.is_missing_some = true;
        }
    }
}

/// One line; a blank one is none.
fn read(line: &[u8]) -> Result<Option<Event>, ()> {
    // Newer Engines may set a record separator before each document.
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"\x1e").unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(drop)
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.incoming.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_from_its_line() {
        let line = br#"{"status":"start","id":"ab","Type":"container","Action":"health_status: healthy","Actor":{"ID":"ab","Attributes":{"name":"web"}},"scope":"local","time":1,"timeNano":1000000002}"#;
        let event = read(line).unwrap().unwrap();
        assert_eq!((event.kind.as_str(), event.action.as_str()), ("container", "health_status: healthy"));
        assert_eq!((event.actor.id.as_str(), event.nanos), ("ab", 1_000_000_002));
        assert_eq!(event.actor.attributes.get("name").map(String::as_str), Some("web"));
        assert!(read(b"\r\n").unwrap().is_none());
        assert!(read(b"\x1e{\"Type\":\"image\"}\n").unwrap().is_some());
        assert!(read(b"{\"Type\":1}\n").is_err());
    }
}
