//! Why a caller was turned away: one spelling for header, log and metric.

use std::fmt;

use super::certificate::BadCertificate;
use super::signature::SignatureDenied;
use crate::http::BodyError;
use crate::limits::QUEUE_SECS;

/// Why a credential was not accepted.
#[derive(Debug)]
pub(crate) enum Denied {
    NoCredentials,
    BadToken,
    Signature(SignatureDenied),
    /// A client certificate that is no key of ours, or not now.
    Certificate(BadCertificate),
    /// It was good until just now.
    Ended,
    /// Too many failures from there; seconds to wait.
    Throttled(u64),
    /// Something that is bounded was taken for too long.
    Busy,
    /// The body had to be read to know the caller, and could not be.
    Body(BodyError),
}

impl Denied {
    /// What the reason header says, where there is one.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::BadToken => "bad_token",
            Self::Signature(why) => why.as_str(),
            Self::Certificate(BadCertificate::Expired | BadCertificate::NotYetValid) => "expired",
            Self::Certificate(BadCertificate::Malformed | BadCertificate::NotEd25519) => "unknown-key",
            Self::Body(BodyError::Forged) => SignatureDenied::InvalidSignature.as_str(),
            Self::Ended => "ended",
            Self::Throttled(_) => "rate_limited",
            Self::Busy => "busy",
            Self::Body(_) => "body",
        }
    }

    /// How long to wait before trying again, where that helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled(secs) => Some(*secs),
            Self::Busy => Some(QUEUE_SECS),
            Self::NoCredentials
            | Self::BadToken
            | Self::Signature(_)
            | Self::Certificate(_)
            | Self::Ended
            | Self::Body(_) => None,
        }
    }

    /// Counts towards the limit of failures. Who shows nothing guesses nothing: one `docker` without
    /// its token would otherwise lock out everyone who shares its address.
    pub(super) fn is_counted(&self) -> bool {
        match self {
            Self::BadToken | Self::Signature(_) | Self::Certificate(_) => true,
            Self::Body(why) => matches!(why, BodyError::Forged | BodyError::TooLarge(_)),
            Self::NoCredentials | Self::Ended | Self::Throttled(_) | Self::Busy => false,
        }
    }
}

impl From<SignatureDenied> for Denied {
    fn from(why: SignatureDenied) -> Self {
        Self::Signature(why)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredentials => {
                "no credential: sign the request, show a client certificate, or send Authorization: Bearer"
            }
            Self::BadToken => "the token is not accepted here",
            Self::Signature(SignatureDenied::TimestampSkew) => {
                "the signature's timestamp is too far from this host's clock, or from before the agent's start"
            }
            Self::Signature(SignatureDenied::Replay) => "the request was seen before",
            Self::Signature(SignatureDenied::UnknownKey) => "the key is not accepted here",
            Self::Signature(SignatureDenied::InvalidSignature) => "the signature is not good",
            Self::Certificate(why) => return write!(f, "the client certificate is not accepted: {why}"),
            Self::Ended => "the credential was withdrawn",
            Self::Throttled(secs) => {
                return write!(f, "too many failed attempts from this address: try again in {secs} seconds");
            }
            Self::Busy => "too many are being checked at once: try again",
            Self::Body(why) => return why.fmt(f),
        })
    }
}
