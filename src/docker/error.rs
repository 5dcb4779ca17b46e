//! Why the Engine did not answer. `Display` is for the log; callers get `api::failure`'s sentence.

use std::fmt;
use std::io;

use crate::http::{BodyError, Malformed, Status};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Error {
    /// Nothing answers at its address.
    Unreachable { place: String, cause: io::Error },
    /// Its socket is not open to us: the text says to whom it is, and what to change.
    Denied { explanation: String },
    /// No head within the time allowed.
    Late,
    /// It closed, or failed, before a whole head came.
    Closed(io::Error),
    /// What it sent is not HTTP.
    Malformed(Malformed),
    /// It answered a probe with anything but 200.
    Refused(Status),
    /// It switched protocols although nobody asked.
    Switched,
    /// The client's own body failed.
    Body(BodyError),
    /// The client is gone.
    ClientLeft,
    /// Its answer is too long to be held.
    TooLong,
    /// Its answer is not the document that was asked for.
    Unreadable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, cause } => write!(f, "cannot reach the engine at {place}: {cause}"),
            Self::Denied { explanation } => f.write_str(explanation),
            Self::Late => f.write_str("the engine did not answer in time"),
            Self::Closed(cause) => write!(f, "the engine closed before it answered: {cause}"),
            Self::Malformed(why) => write!(f, "the engine's answer is malformed: {why}"),
            Self::Refused(status) => write!(f, "the engine answered a probe with {}", status.0),
            Self::Switched => f.write_str("the engine switched protocols unasked"),
            Self::Body(why) => write!(f, "the request's body failed: {why}"),
            Self::ClientLeft => f.write_str("the client left"),
            Self::Unreadable => f.write_str("the engine's answer is not what was asked for"),
            Self::TooLong => f.write_str("the engine's answer is too long to be held"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { cause, .. } | Self::Closed(cause) | Self::Body(BodyError::Io(cause)) => {
                Some(cause)
            }
            Self::Denied { .. }
            | Self::Late
            | Self::Malformed(_)
            | Self::Refused(_)
            | Self::Switched
            | Self::Body(
                BodyError::Malformed(_)
                | BodyError::Cut
                | BodyError::TooLarge(_)
                | BodyError::NoPlace
                | BodyError::Forged
                | BodyError::Unwanted,
            )
            | Self::ClientLeft
            | Self::TooLong
            | Self::Unreadable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_error_stays_small_on_the_stack() {
        assert!(size_of::<super::Error>() <= 40);
    }
}
