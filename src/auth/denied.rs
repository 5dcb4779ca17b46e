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
    /// It came through a controller, and what does must be signed.
    NotSigned,
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
            Self::NotSigned => "signature_required",
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
            | Self::NotSigned
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
            Self::NoCredentials | Self::NotSigned | Self::Ended | Self::Throttled(_) | Self::Busy => false,
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
            Self::NotSigned => "what comes through the controller must be signed by a key this agent knows",
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metrics::{REASONS, THROTTLED};

    /// One of each. A new variant does not compile until it stands here.
    fn every() -> Vec<Denied> {
        let next = |before: &Denied| match before {
            Denied::NoCredentials => Some(Denied::NotSigned),
            Denied::NotSigned => Some(Denied::BadToken),
            Denied::BadToken => Some(Denied::Signature(SignatureDenied::TimestampSkew)),
            Denied::Signature(SignatureDenied::TimestampSkew) => {
                Some(Denied::Signature(SignatureDenied::Replay))
            }
            Denied::Signature(SignatureDenied::Replay) => {
                Some(Denied::Signature(SignatureDenied::UnknownKey))
            }
            Denied::Signature(SignatureDenied::UnknownKey) => {
                Some(Denied::Signature(SignatureDenied::InvalidSignature))
            }
            Denied::Signature(SignatureDenied::InvalidSignature) => {
                Some(Denied::Certificate(BadCertificate::Malformed))
            }
            Denied::Certificate(BadCertificate::Malformed) => {
                Some(Denied::Certificate(BadCertificate::NotEd25519))
            }
            Denied::Certificate(BadCertificate::NotEd25519) => {
                Some(Denied::Certificate(BadCertificate::NotYetValid))
            }
            Denied::Certificate(BadCertificate::NotYetValid) => {
                Some(Denied::Certificate(BadCertificate::Expired))
            }
            Denied::Certificate(BadCertificate::Expired) => Some(Denied::Ended),
            Denied::Ended => Some(Denied::Throttled(1)),
            Denied::Throttled(_) => Some(Denied::Busy),
            Denied::Busy => Some(Denied::Body(BodyError::Forged)),
            Denied::Body(BodyError::Forged) => Some(Denied::Body(BodyError::Cut)),
            Denied::Body(_) => None,
        };
        std::iter::successors(Some(Denied::NoCredentials), next).collect()
    }

    #[test]
    fn every_reason_is_one_that_is_counted_and_spelled_in_one_way() {
        let told: BTreeSet<_> = every().iter().map(Denied::reason).collect();
        let counted: BTreeSet<_> = REASONS.into_iter().chain([THROTTLED]).collect();
        assert_eq!(counted.difference(&told).copied().collect::<Vec<_>>(), ["other"]);
        assert_eq!(told.difference(&counted).count(), 0, "{told:?}");
    }
}
