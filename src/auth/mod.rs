//! Who is calling.

mod certificate;
mod denied;
mod der;
mod enroll;
mod expiry;
mod exposure;
mod gate;
mod hashed;
mod key;
pub(crate) mod keyring;
mod networks;
mod nonces;
mod options;
pub(crate) mod pem;
mod phc;
pub(crate) mod pkcs8;
pub(crate) mod self_signed;
mod signature;
mod throttle;
mod token;

pub(crate) use denied::Denied;
pub(crate) use enroll::{EnrollmentTerms, NotEnrolled};
pub(crate) use exposure::{Acknowledged, Credential, Credentials, Exposure};
pub(crate) use gate::{Bodies, Gate, Pass, Settings};
pub(crate) use key::{KeyId, SigningKey};
pub(crate) use keyring::Keyring;
pub(crate) use networks::Network;
pub(crate) use phc::{HashFailed, Phc};
pub(crate) use token::carries_credential_header;

#[cfg(fuzzing)]
pub(crate) use {
    certificate::ed25519_key_of,
    networks::client,
    nonces::Nonces,
    signature::{Claim, Window},
};

use std::fmt;
use std::sync::Arc;

use crate::http::Request;
use keyring::Key;

/// A caller whose credential was checked.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    Anyone,
    Token { name: &'static str, mark: u64 },
    Key(Arc<Key>),
}

impl Principal {
    /// What tells this credential from others; never 0.
    pub(crate) fn mark(&self) -> u64 {
        match self {
            Self::Anyone => 1,
            Self::Token { mark, .. } => *mark,
            Self::Key(key) => key.id.number().max(1),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token { name, .. } => f.write_str(name),
            Self::Key(key) => write!(f, "{} {}", key.id, key.comment.as_str()),
        }
    }
}

/// Proof that `T` came from a caller whose credential was checked. Only [`Gate::admit`] makes one.
#[must_use]
pub(crate) struct Authenticated<T> {
    inner: T,
    principal: Principal,
}

impl<T> Authenticated<T> {
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn into_parts(self) -> (T, Principal) {
        (self.inner, self.principal)
    }
}

/// A query that carries a credential: it would stand in every log between the caller and us.
pub(crate) fn is_in_query(request: &Request<'_>) -> bool {
    request
        .head
        .target
        .query_names()
        .any(|name| ["token", "access_token"].iter().any(|credential| name.eq_ignore_ascii_case(credential)))
}
