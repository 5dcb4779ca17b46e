//! The key that must have signed a trail, as people have it at hand.

use std::path::Path;

use data_encoding::BASE64;

use super::audit::NoAnswer;
use crate::auth::{PublicKey, SigningKey, pkcs8};
use crate::limits::PEM_FILE_BYTES_MAX;
use crate::sys::files;

/// RFC 8410: what stands before the 32 bytes in a PEM file of a public key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key that was checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key(PublicKey);

impl Key {
    pub(super) fn of_base64(text: &str) -> Option<Self> {
        Self::of(&BASE64.decode(text.as_bytes()).ok()?)
    }

    /// Also the one line of a public key in PEM.
    fn of_word(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        Self::of(bytes.strip_prefix(&SPKI).unwrap_or(&bytes))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        PublicKey::from_bytes(bytes.try_into().ok()?).ok().map(Self)
    }

    pub(super) fn base64(&self) -> String {
        BASE64.encode(self.0.as_bytes())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(message, signature)
    }
}

/// The key itself in base64, or the file that holds one: a line of `lookout keygen`, a public key in PEM, or the
/// agent's own `audit.pem`.
pub(super) fn find(text: &str) -> Result<Key, NoAnswer> {
    if let Some(key) = Key::of_base64(text) {
        return Ok(key);
    }
    let path = Path::new(text);
    let failed = |why: String| NoAnswer::Key(path.to_owned(), why);
    let taken = files::read_trusted(path, PEM_FILE_BYTES_MAX);
    let taken = taken.map_err(|bad| failed(format!("is no key in base64, and as a file {bad}")))?;
    let bytes = taken.bytes.expose();
    let private = || pkcs8::read(bytes).ok().map(|seed| Key(SigningKey::from_seed(&seed).public()));
    let public = || std::str::from_utf8(bytes).ok()?.split_whitespace().find_map(Key::of_word);
    private().or_else(public).ok_or_else(|| failed("holds no Ed25519 key".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::auth::pem;

    #[test]
    fn a_key_is_found_in_every_form_that_people_have() {
        let key = SigningKey::generate().unwrap();
        let base64 = BASE64.encode(key.public().as_bytes());
        assert_eq!(find(&base64).unwrap().base64(), base64);
        let path = std::env::temp_dir().join(format!("lookout-audit-key-{}", std::process::id()));
        let private = pkcs8::write(&key.seed());
        let public = pem::write("PUBLIC KEY", &[SPKI.as_slice(), key.public().as_bytes()].concat());
        for text in
            [private.expose(), &public, &format!("ed25519 {base64} agent-1\n"), &format!("{base64}\n")]
        {
            fs::write(&path, text).unwrap();
            assert_eq!(find(path.to_str().unwrap()).unwrap().base64(), base64, "{text}");
        }
        for text in ["", "nothing here", "AAAA", &pem::write("PUBLIC KEY", &SPKI)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(find(path.to_str().unwrap()), Err(NoAnswer::Key(..))), "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert!(find(path.to_str().unwrap()).unwrap_err().to_string().contains("is no key in base64"));
    }
}
