//! Why a key was not let in: what the caller is told, and what the operator.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::auth::key::{BadKey, KeyId};
use crate::auth::keyring::{BadKeyring, Barred};
use crate::http::BodyError;
use crate::limits::QUEUE_SECS;
use crate::sys::lines::NotAdded;

/// Why a key was not let in.
#[derive(Debug)]
pub(crate) enum NotEnrolled {
    /// Too many failures from there; seconds to wait.
    Throttled(u64),
    Body(BodyError),
    Json,
    WrongToken,
    Spent(KeyId),
    Key(BadPublicKey),
    /// The file knows the key, and does not accept it now or from there.
    Barred(KeyId, Barred),
    /// Another process is at the same files.
    Busy(KeyId),
    Failed(KeyId, Box<Trouble>),
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPublicKey {
    Base64,
    Length(usize),
    Key(BadKey),
}

/// What went wrong on our side; for the operator.
#[derive(Debug)]
pub(crate) enum Trouble {
    Lines(PathBuf, NotAdded),
    Keyring(PathBuf, BadKeyring),
    NotInForce,
}

impl NotEnrolled {
    pub(super) fn failed(id: KeyId, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lines(_, NotAdded::Busy) => Self::Busy(id),
            trouble @ (Trouble::Lines(..) | Trouble::Keyring(..) | Trouble::NotInForce) => {
                Self::Failed(id, Box::new(trouble))
            }
        }
    }

    pub(super) fn is_counted(&self) -> bool {
        match self {
            Self::Body(_) | Self::Json | Self::WrongToken | Self::Spent(_) | Self::Key(_) => true,
            Self::Throttled(_) | Self::Barred(..) | Self::Busy(_) | Self::Failed(..) => false,
        }
    }

    /// The key it is about, where that is known.
    pub(crate) fn key(&self) -> Option<KeyId> {
        match self {
            Self::Spent(id) | Self::Barred(id, _) | Self::Busy(id) | Self::Failed(id, _) => Some(*id),
            Self::Throttled(_) | Self::Body(_) | Self::Json | Self::WrongToken | Self::Key(_) => None,
        }
    }

    /// How long to wait before trying again, where that helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled(secs) => Some(*secs),
            Self::Busy(_) => Some(QUEUE_SECS),
            Self::Body(_)
            | Self::Json
            | Self::WrongToken
            | Self::Spent(_)
            | Self::Key(_)
            | Self::Barred(..)
            | Self::Failed(..) => None,
        }
    }
}

/// The sentence for the caller. Places and causes are for the log.
impl fmt::Display for NotEnrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled(secs) => {
                write!(f, "too many failed enrollments from this address: try again in {secs} seconds")
            }
            Self::Body(BodyError::Cut | BodyError::Io(_)) => {
                f.write_str("the request's body did not come to its end")
            }
            Self::Body(why) => why.fmt(f),
            Self::Json => {
                f.write_str("invalid JSON: send one object with the strings enrollment_token and public_key")
            }
            Self::WrongToken => f.write_str("the enrollment token is not accepted here"),
            Self::Spent(_) => f.write_str("the enrollment token is already used: ask for a new one"),
            Self::Key(why) => write!(f, "public_key: {why}"),
            Self::Barred(_, why) => why.fmt(f),
            Self::Busy(_) => f.write_str("another enrollment is under way: try again"),
            Self::Failed(..) => f.write_str("the key could not be added: the agent's log says why"),
        }
    }
}

impl fmt::Display for BadPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64 => f.write_str("invalid base64, which must have its padding"),
            Self::Length(length) => write!(f, "expected 32 bytes, got {length}"),
            Self::Key(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Lines(path, why) => write!(f, "{} {why}", shown(path)),
            Self::Keyring(path, why) => write!(f, "{}: {why}", shown(path)),
            Self::NotInForce => f.write_str("the key is not in force after it was added"),
        }
    }
}
