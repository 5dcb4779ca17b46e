//! Signs requests as a client does, written from the rules and not with the agent's own code.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

/// Whom version 3 signatures are meant for.
pub(crate) const AGENT_ID: &str = "measured-agent";

/// A client's key, and the nonces it has used.
pub(crate) struct Signer {
    key: SigningKey,
    key_id: String,
    body_sha256: String,
    nonce: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
}

impl Signer {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let digest = Sha256::digest(key.verifying_key().as_bytes());
        // Whatever ran a moment ago used smaller ones.
        let nonce = since_1970().as_nanos() << 64;
        let key_id = HEXLOWER.encode(&digest[..8]);
        Self { key, key_id, body_sha256: HEXLOWER.encode(&Sha256::digest(b"")), nonce }
    }

    /// The fields that sign a GET without a body, stamped now.
    pub(crate) fn fields(&mut self, version: Version, target: &str) -> String {
        self.nonce += 1;
        let nonce = format!("{:032x}", self.nonce);
        let stamp = since_1970().as_secs();
        let (body, key_id) = (&self.body_sha256, &self.key_id);
        let covered = format!("GET\n{target}\n{body}\n{stamp}\n{nonce}");
        let (message, more) = match version {
            Version::V1 => (covered, String::new()),
            Version::V2 => (covered, "X-Lookout-Signature-Version: 2\r\n".to_owned()),
            Version::V3 => (
                format!("LOOKOUT-ED25519-V3\n{covered}\n{AGENT_ID}"),
                format!("X-Lookout-Signature-Version: 3\r\nX-Lookout-Content-SHA256: {body}\r\n"),
            ),
        };
        let signature = BASE64URL_NOPAD.encode(&self.key.sign(message.as_bytes()).to_bytes());
        format!(
            "X-Lookout-Key-ID: {key_id}\r\nX-Lookout-Timestamp: {stamp}\r\nX-Lookout-Nonce: {nonce}\r\n\
             X-Lookout-Signature: {signature}\r\n{more}"
        )
    }
}

pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
