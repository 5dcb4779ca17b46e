//! Why a caller was turned away: one spelling for header, log and metric.

/// Why a credential was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    NoCredentials,
    BadToken,
}

impl Denied {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::BadToken => "bad_token",
        }
    }

    /// What the caller is told.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::NoCredentials => {
                "lookout: no credential: send Authorization: Bearer, X-Lookout-Token or X-Dd-Agent-Secret"
            }
            Self::BadToken => "lookout: the token is not accepted here",
        }
    }
}
