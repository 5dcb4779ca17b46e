//! Who is calling.

mod certificate;
mod class;
mod denied;
mod der;
mod enroll;
mod exposure;
mod gate;
mod grant;
mod guard;
mod hashed;
mod hello;
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

pub(crate) use certificate::validity;
pub(crate) use class::{Class, Classes};
pub(crate) use denied::Denied;
pub(crate) use enroll::{EnrollmentTerms, NotEnrolled};
pub(crate) use exposure::{Acknowledged, Controller, Credential, Credentials, Exposure};
pub(crate) use gate::{Bodies, Gate, Pass, Settings};
pub(crate) use grant::{Glob, Grant, Label, Mode, Mount};
pub(crate) use hello::{Proof, Shown};
pub(crate) use key::{KeyId, PublicKey, SigningKey};
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

use sha2::{Digest, Sha256};

use crate::clock::Deadline;
use crate::http::{BodyError, Framing, Request};
use keyring::Key;

/// A caller whose credential was checked.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    Anyone,
    Token(Arc<Token>),
    Key(Arc<Key>),
}

impl Principal {
    /// Its name in a sentence for the caller.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Anyone => "anyone".to_owned(),
            Self::Token(token) => token.name.to_owned(),
            Self::Key(key) if key.comment.as_str().is_empty() => format!("key {}", key.id),
            Self::Key(key) => format!("key {}", key.comment),
        }
    }

    /// Whether its commands are recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        match self {
            Self::Anyone | Self::Token(_) => false,
            Self::Key(key) => key.options.records,
        }
    }

    pub(crate) fn grant(&self) -> &Grant {
        // A static, because what is dropped cannot be borrowed for good.
        static EVERYTHING: Grant = Grant::EVERYTHING;
        match self {
            Self::Anyone => &EVERYTHING,
            Self::Token(token) => &token.grant,
            Self::Key(key) => &key.options.grant,
        }
    }

    /// What tells this credential, with what it grants, from others; never 0.
    pub(crate) fn mark(&self) -> u64 {
        match self {
            Self::Anyone => 1,
            Self::Token(token) => token.mark,
            Self::Key(key) => key.mark,
        }
    }
}

/// A shared token, by the variable it came from.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) name: &'static str,
    pub(crate) grant: Grant,
    mark: u64,
}

impl Token {
    fn new(name: &'static str, grant: Grant, secret: &[u8; 32]) -> Self {
        let mark = mark(&[secret, grant.to_string().as_bytes()]);
        Self { name, grant, mark }
    }
}

/// Tells credentials apart that differ in any of these parts; never 0.
fn mark(parts: &[&[u8]]) -> u64 {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize();
    digest.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte)).max(1)
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token(token) => f.write_str(token.name),
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
    pub(crate) fn inner(&self) -> &T {
        &self.inner
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn into_parts(self) -> (T, Principal) {
        (self.inner, self.principal)
    }
}

impl Authenticated<Request<'_>> {
    /// Its body, if that is a JSON document of at most so many bytes. It is held, and read again by
    /// whoever comes next.
    pub(crate) fn document(&mut self, most: usize, deadline: Deadline) -> Result<Option<&[u8]>, BodyError> {
        let Request { head, body, .. } = &mut self.inner;
        let is_json = head.values("content-type").any(|kind| kind.starts_with(b"application/json"));
        let Framing::Length(length) = body.framing() else { return Ok(None) };
        if !is_json || length == 0 || length > most as u64 {
            return Ok(None);
        }
        body.hold(most, most, deadline, &mut || None).map(Some)
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
