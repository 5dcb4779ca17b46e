//! Why a request is not permitted: one variant per reason, one spelling for log, audit and caller.

use std::fmt;

use super::json::BadJson;
use crate::auth::Class;
use crate::docker;
use crate::limits::JSON_BODY_BYTES_MAX;

/// Why a caller may not do what it asks.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The route asks for a class the caller does not have.
    Class(Class),
    /// Something about the request asks for a class beyond its route's.
    Beyond {
        what: String,
        class: Class,
    },
    /// An API version that is none, or outside of what is judged.
    Version(String),
    /// A name in the path that follows no grammar of the Engine's.
    Name(String),
    /// A parameter that is not on the route's list.
    Query(String),
    /// A parameter that stands twice, or whose value is not what it should be.
    QueryValue {
        name: String,
        why: &'static str,
    },
    /// A switch of protocols on a route that knows none.
    Upgrade,
    /// A body where there should be none.
    Body,
    /// A body that is no JSON by its type.
    MediaType,
    Json(BadJson),
    /// A body too large to be judged.
    TooLarge,
    /// An archive the Engine would run a program to unpack.
    Compressed,
    /// A member of the body, where it lies, and what is wrong with it.
    Member {
        path: String,
        why: String,
    },
    /// An image beyond those the key is limited to.
    Image(String),
    /// The key's label does not reach there: nothing it covers has labels.
    Reach,
    /// The object is not there, or not in the caller's reach: the two look the same.
    Absent {
        kind: Kind,
        name: String,
    },
    /// The same of what a new container would join or be given: 404 would mean its image is missing.
    AbsentPart {
        kind: Kind,
        name: String,
    },
    /// A name that could be taken for an id.
    Shadow(String),
}

/// Kinds of objects that a caller may be limited to some of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Container,
    Network,
    Volume,
    Image,
    Exec,
}

impl Refused {
    /// The reason's name in logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Class(_) => "class",
            Self::Beyond { .. } => "beyond",
            Self::Version(_) => "version",
            Self::Name(_) => "name",
            Self::Query(_) | Self::QueryValue { .. } => "query",
            Self::Upgrade => "upgrade",
            Self::Body => "body",
            Self::MediaType => "media-type",
            Self::Json(_) => "json",
            Self::TooLarge => "too-large",
            Self::Compressed => "compressed",
            Self::Member { .. } => "member",
            Self::Image(_) => "image",
            Self::Reach => "reach",
            Self::Absent { .. } | Self::AbsentPart { .. } => "scope",
            Self::Shadow(_) => "shadow",
        }
    }

    /// The class that is lacking, where one is.
    pub(crate) fn class(&self) -> Option<Class> {
        if let Self::Class(class) | Self::Beyond { class, .. } = self { Some(*class) } else { None }
    }

    /// A member of a body, by the path to it.
    pub(super) fn member(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Member { path: path.into(), why: why.into() }
    }
}

/// What follows "key NAME" in the sentence for the caller.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => write!(f, "lacks class {class}"),
            Self::Beyond { what, class } => write!(f, "lacks class {class}, which {what} needs"),
            Self::Version(version) => {
                write!(f, "may use the versions of the API that are judged, v1.24 and later, not {version:?}")
            }
            Self::Name(name) => write!(f, "may name objects as the Engine does, which {name:?} is not"),
            Self::Query(name) => write!(f, "may not use parameter {name:?} here"),
            Self::QueryValue { name, why } => write!(f, "may not use parameter {name:?} so: {why}"),
            Self::Upgrade => f.write_str("may not switch protocols here"),
            Self::Body => f.write_str("may not send a body here"),
            Self::MediaType => f.write_str("must send JSON here, as application/json"),
            Self::Json(why) => write!(f, "sent JSON that is not read: {why}"),
            Self::TooLarge => {
                write!(f, "sent a body of more than {JSON_BODY_BYTES_MAX} bytes, which is not judged")
            }
            Self::Compressed => f.write_str(
                "may not send a compressed archive, which the engine would run a program to unpack: send plain tar",
            ),
            Self::Member { path, why } => write!(f, "may not send {path}: {why}"),
            Self::Image(name) => write!(f, "is limited to other images than {name:?}"),
            Self::Reach => f.write_str("is limited by a label, which nothing here carries"),
            Self::Absent { kind, name } | Self::AbsentPart { kind, name } => kind.absent(name, f),
            Self::Shadow(name) => write!(f, "may not give {name:?} as a name: it looks like an id"),
        }
    }
}

impl Kind {
    /// As the Engine says it, so that nobody learns what there is beyond a caller's reach.
    fn absent(self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container => write!(f, "No such container: {name}"),
            Self::Network => write!(f, "network {name} not found"),
            Self::Volume => write!(f, "get {name}: no such volume"),
            Self::Image => write!(f, "No such image: {name}"),
            Self::Exec => write!(f, "No such exec instance: {name}"),
        }
    }
}

/// Why judging ended: the caller may not, or the Engine could not be asked.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(Refused),
    Engine(docker::Error),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<docker::Error> for Stop {
    fn from(error: docker::Error) -> Self {
        Self::Engine(error)
    }
}
