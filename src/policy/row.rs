//! What the table of the Engine's routes says of each of them.

use super::guard::Guard;
use super::redact::Blank;
use super::refused::Kind;
use crate::auth::Class;
use crate::http::Method;

/// One route of the Engine.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// `{}` is one segment, `{*}` one or more: image references hold slashes.
    pub(crate) pattern: &'static str,
    pub(crate) class: Class,
    pub(crate) pace: Pace,
    /// Parameters, with spaces between them; one with a star may stand more than once.
    pub(crate) query: &'static str,
    pub(crate) body: Takes,
    pub(crate) reach: Reach,
    pub(crate) answer: Tells,
    /// The connection may become a stream.
    pub(crate) switches: bool,
    /// The Engine uses registry credentials that come with it.
    pub(crate) registry: bool,
}

/// The pattern of whatever is no route that we know.
pub(super) const ANYTHING: &str = "{*}";

/// How long an answer takes by nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Prompt,
    /// Its head comes when the work is done, however long that takes.
    Slow,
    /// Nor need it ever end: a followed log, events, statistics.
    Endless,
}

/// What body a caller with limits may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// JSON that is judged, and written anew.
    Judged(Guard),
    /// JSON that is passed on: its class holds the host anyway, or it only names a registry.
    Json,
    /// An archive of any size.
    Archive,
    /// An archive that the Engine unpacks into a container.
    Files,
}

/// What a request is about, for callers that are limited to some objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing: a client asks it before anything else, so that whoever has a class may.
    Anyone,
    /// Nobody's, or everybody's.
    Common,
    /// The object the path names.
    One(Kind),
    Every(Kind),
    Prune(Kind),
    Make(Kind),
    /// A container is given another name.
    Rename,
    /// The image of `fromImage` and `tag`.
    Pull,
    /// An image is given another name.
    Tag,
    /// The images of `names`.
    Save,
    /// What carries no label.
    Beyond,
}

/// What a caller is told that may not see everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    AsItIs,
    /// One document.
    Whole(Blank),
    /// A list, element by element.
    Each(Blank),
    /// One document after the other, without an end.
    Stream(Blank),
    /// A list of networks.
    NetworkList,
    /// A network.
    Network,
    /// A document with a list of volumes.
    VolumeList,
    /// A document with the id of a command, which is remembered.
    NewExec,
}

pub(super) const fn row(method: Method, pattern: &'static str, class: Class) -> Row {
    Row {
        method,
        pattern,
        class,
        pace: Pace::Prompt,
        query: "",
        body: Takes::Nothing,
        reach: Reach::Beyond,
        answer: Tells::AsItIs,
        switches: false,
        registry: false,
    }
}

pub(super) const fn get(pattern: &'static str, class: Class) -> Row {
    row(Method::Get, pattern, class)
}

pub(super) const fn post(pattern: &'static str, class: Class) -> Row {
    row(Method::Post, pattern, class)
}

pub(super) const fn delete(pattern: &'static str, class: Class) -> Row {
    row(Method::Delete, pattern, class)
}

impl Row {
    pub(super) const fn slow(self) -> Self {
        Self { pace: Pace::Slow, ..self }
    }

    pub(super) const fn endless(self) -> Self {
        Self { pace: Pace::Endless, ..self }
    }

    pub(super) const fn asks(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn takes(self, body: Takes) -> Self {
        Self { body, ..self }
    }

    pub(super) const fn judged(self, guard: Guard) -> Self {
        Self { body: Takes::Judged(guard), ..self }
    }

    pub(super) const fn on(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    pub(super) const fn common(self) -> Self {
        Self { reach: Reach::Common, ..self }
    }

    pub(super) const fn tells(self, answer: Tells) -> Self {
        Self { answer, ..self }
    }

    pub(super) const fn switches(self) -> Self {
        Self { switches: true, ..self }
    }

    pub(super) const fn registry(self) -> Self {
        Self { registry: true, ..self }
    }

    /// It is no route of the Engine's that we know.
    pub(crate) fn is_unknown(&self) -> bool {
        self.pattern == ANYTHING
    }

    /// Its body is an archive, of any size, rather than a document.
    pub(crate) fn takes_archive(&self) -> bool {
        matches!(self.body, Takes::Archive | Takes::Files)
    }
}
