//! Signed requests: what a head claims, and whether the claim holds.

use std::str;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};

use super::key::{KeyId, PublicKey};
use super::keyring::{Key, Keyring};
use super::nonces::{Nonce, Nonces, Refused};
use crate::http::{Headers, Method, RequestHead, Target};

/// The dialects: how a signed request's fields begin. Nobody speaks two at once.
const DIALECTS: [&str; 2] = ["x-lookout-", "x-portwing-"];

/// What a version 3 message begins with, so that no message of another version is one.
const V3: &str = "LOOKOUT-ED25519-V3";

/// What a head says of its signature. Nothing is proved by it yet.
#[derive(Debug)]
pub(crate) struct Claim<'h> {
    version: Version,
    /// None where no key can have the id.
    key_id: Option<KeyId>,
    /// None where no clock can show the time.
    stamp: Option<Stamp<'h>>,
    nonce: Nonce,
    nonce_text: &'h str,
    /// None where nothing would verify: no signature at all, or a target that it cannot cover.
    signature: Option<[u8; 64]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Covers the decoded path alone, and so only a target that is nothing else.
    V1,
    /// Covers the target as it came.
    V2,
    /// Covers the agent it is meant for too, and declares the body in the head.
    V3 { body_sha256: [u8; 32] },
}

/// Unix seconds, and how they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp<'h> {
    seconds: i64,
    text: &'h str,
}

/// The times a stamp is held against; all since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) now: Duration,
    /// When this process began. What was stamped before, another may have accepted already.
    pub(crate) started: Duration,
    pub(crate) skew_secs: u64,
}

/// Why a signed request is turned away, as X-Lookout-Reason spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureDenied {
    TimestampSkew,
    Replay,
    UnknownKey,
    InvalidSignature,
}

impl SignatureDenied {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TimestampSkew => "timestamp-skew",
            Self::Replay => "replay",
            Self::UnknownKey => "unknown-key",
            Self::InvalidSignature => "invalid-signature",
        }
    }
}

impl From<Refused> for SignatureDenied {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Replay | Refused::Full => Self::Replay,
            Refused::Late => Self::TimestampSkew,
        }
    }
}

impl<'h> Claim<'h> {
    /// The claim of a request that has a signature, or none. What is signed is never taken for
    /// anything else, however bad the signature.
    pub(crate) fn parse(head: &RequestHead<'h>) -> Result<Option<Self>, SignatureDenied> {
        let fields = Fields::of(head.headers);
        if !fields.is_signed {
            return Ok(None);
        }
        fields.claim(&head.target).map(Some).ok_or(SignatureDenied::InvalidSignature)
    }

    #[cfg(test)]
    pub(super) fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// The body's hash where the head declares it: the signature is verified before the body is
    /// read, and the body held against it. Other versions need the hash of what was read.
    pub(crate) fn declared_body(&self) -> Option<[u8; 32]> {
        match self.version {
            Version::V1 | Version::V2 => None,
            Version::V3 { body_sha256 } => Some(body_sha256),
        }
    }

    /// How far the stamp lies from our clock.
    pub(crate) fn skew(&self, window: Window) -> Option<Duration> {
        self.stamp?.since_1970().map(|stamped| stamped.abs_diff(window.now))
    }

    /// Everything that can be told without the body, in the order that decides the reason.
    pub(crate) fn precheck(
        &self,
        keyring: &Keyring,
        nonces: &Nonces,
        window: Window,
    ) -> Result<Arc<Key>, SignatureDenied> {
        let key = self.key_id.and_then(|id| keyring.find(&id)).ok_or(SignatureDenied::UnknownKey)?;
        let stamped = self.stamp.and_then(|stamp| stamp.since_1970());
        if !stamped.is_some_and(|stamped| window.admits(stamped)) {
            return Err(SignatureDenied::TimestampSkew);
        }
        if nonces.has(key.id, &self.nonce) {
            return Err(SignatureDenied::Replay);
        }
        if self.signature.is_none() {
            return Err(SignatureDenied::InvalidSignature);
        }
        Ok(Arc::clone(key))
    }

    /// Whether the key signed this very request. `body_sha256` is the declared hash where there is
    /// one; `audience` is this agent's id.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        method: Method,
        target: &Target<'_>,
        body_sha256: &[u8; 32],
        audience: &str,
    ) -> Result<(), SignatureDenied> {
        let message = self.message(method, target, body_sha256, audience);
        let is_good = message
            .zip(self.signature)
            .is_some_and(|(message, signature)| key.verify(message.as_bytes(), &signature));
        if is_good { Ok(()) } else { Err(SignatureDenied::InvalidSignature) }
    }

    /// Uses the nonce up: the last step, which of two copies only one can take.
    pub(crate) fn spend(&self, key: KeyId, nonces: &Nonces, window: Window) -> Result<(), Refused> {
        let stamped = self.stamp.and_then(|stamp| stamp.since_1970()).ok_or(Refused::Late)?;
        // A copy passes for as long as the stamp lies within the window, and not a second longer.
        let expires = stamped.as_secs().saturating_add(window.skew_secs).saturating_add(1);
        nonces.insert(key, self.nonce, expires, window.now.as_secs())
    }

    fn message(
        &self,
        method: Method,
        target: &Target<'_>,
        body_sha256: &[u8; 32],
        audience: &str,
    ) -> Option<String> {
        let (stamp, target, nonce) = (self.stamp?, target.raw(), self.nonce_text);
        Some(match self.version {
            // Version 1 comes this far only where its path is the whole target.
            Version::V1 | Version::V2 => message(method, target, body_sha256, stamp.seconds, nonce),
            Version::V3 { .. } => message_v3(method, target, body_sha256, stamp.text, nonce, audience),
        })
    }
}

/// What is signed in version 1, where `target` is a path, and in version 2.
pub(crate) fn message(
    method: Method,
    target: &str,
    body_sha256: &[u8; 32],
    seconds: i64,
    nonce: &str,
) -> String {
    let body = HEXLOWER.encode(body_sha256);
    format!("{method}\n{target}\n{body}\n{seconds}\n{nonce}")
}

/// What is signed in version 3. The stamp is the text that is sent.
pub(crate) fn message_v3(
    method: Method,
    target: &str,
    body_sha256: &[u8; 32],
    stamp: &str,
    nonce: &str,
    audience: &str,
) -> String {
    let body = HEXLOWER.encode(body_sha256);
    format!("{V3}\n{method}\n{target}\n{body}\n{stamp}\n{nonce}\n{audience}")
}

/// No query, and nothing that decoding changes: the path can be meant in one way only.
fn is_path_alone(target: &Target<'_>) -> bool {
    target.path() == target.raw()
}

impl Window {
    fn admits(self, stamped: Duration) -> bool {
        stamped >= self.started && stamped.abs_diff(self.now) <= Duration::from_secs(self.skew_secs)
    }
}

impl<'h> Stamp<'h> {
    fn parse(text: &'h str) -> Option<Self> {
        text.parse().ok().map(|seconds| Self { seconds, text })
    }

    fn since_1970(self) -> Option<Duration> {
        u64::try_from(self.seconds).ok().map(Duration::from_secs)
    }
}

/// The fields of a signed request, as they stand in a head.
#[derive(Default)]
struct Fields<'h> {
    key_id: Option<&'h [u8]>,
    timestamp: Option<&'h [u8]>,
    nonce: Option<&'h [u8]>,
    signature: Option<&'h [u8]>,
    version: Option<&'h [u8]>,
    content_sha256: Option<&'h [u8]>,
    dialect: Option<&'static str>,
    is_signed: bool,
    /// A field stands twice, or two dialects are mixed: two readers could read two requests.
    is_ambiguous: bool,
}

impl<'h> Fields<'h> {
    fn of(headers: Headers<'h>) -> Self {
        let mut fields = Self::default();
        for header in headers {
            for dialect in DIALECTS {
                if let Some(name) = behind(dialect, header.name) {
                    fields.take(dialect, name, header.value);
                }
            }
        }
        fields
    }

    fn take(&mut self, dialect: &'static str, name: &str, value: &'h [u8]) {
        let is = |own: &str| name.eq_ignore_ascii_case(own);
        let field = if is("key-id") {
            &mut self.key_id
        } else if is("timestamp") {
            &mut self.timestamp
        } else if is("nonce") {
            &mut self.nonce
        } else if is("signature") {
            self.is_signed |= !value.is_empty();
            &mut self.signature
        } else if is("signature-version") {
            &mut self.version
        } else if is("content-sha256") {
            &mut self.content_sha256
        } else {
            return;
        };
        self.is_ambiguous |= field.replace(value).is_some();
        self.is_ambiguous |= self.dialect.replace(dialect).is_some_and(|other| other != dialect);
    }

    fn claim(&self, target: &Target<'_>) -> Option<Claim<'h>> {
        if self.is_ambiguous {
            return None;
        }
        let present = |field: Option<&'h [u8]>| field.filter(|value| !value.is_empty());
        let (key_id, timestamp) = (present(self.key_id)?, present(self.timestamp)?);
        let (nonce, signature) = (present(self.nonce)?, present(self.signature)?);
        let version = match self.version {
            None => Version::V1,
            Some(b"2") => Version::V2,
            Some(b"3") => {
                let body_sha256 = HEXLOWER.decode(self.content_sha256?).ok()?.try_into().ok()?;
                Version::V3 { body_sha256 }
            }
            Some(_) => return None,
        };
        let is_covered = version != Version::V1 || is_path_alone(target);
        Some(Claim {
            version,
            key_id: str::from_utf8(key_id).ok().and_then(KeyId::parse),
            stamp: str::from_utf8(timestamp).ok().and_then(Stamp::parse),
            nonce: HEXLOWER_PERMISSIVE.decode(nonce).ok()?.try_into().ok()?,
            nonce_text: str::from_utf8(nonce).ok()?,
            signature: decode(signature).filter(|_| is_covered),
        })
    }
}

/// What a field's name has behind a dialect's beginning.
fn behind<'n>(dialect: &str, name: &'n str) -> Option<&'n str> {
    let (start, rest) = name.split_at_checked(dialect.len())?;
    start.eq_ignore_ascii_case(dialect).then_some(rest)
}

fn decode(signature: &[u8]) -> Option<[u8; 64]> {
    BASE64URL_NOPAD.decode(signature).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
