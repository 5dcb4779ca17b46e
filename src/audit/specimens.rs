//! Trails for tests: a key that signs them, a directory each, and how they are read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::*;

/// A directory of a test's own, empty.
pub(super) fn dir(test: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("lookout-audit-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(super) fn public(number: u8) -> String {
    BASE64.encode(key(number).verifying_key().as_bytes())
}

pub(super) fn signer(number: u8) -> Signer {
    let key = key(number);
    Signer {
        public: key.verifying_key().to_bytes(),
        sign: Box::new(move |message| key.sign(message).to_bytes()),
    }
}

/// Whether any key signed this.
pub(super) fn is_signed(key: &str, message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(bytes) = BASE64.decode(key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()) else {
        return false;
    };
    let key = VerifyingKey::from_bytes(&bytes);
    key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// A chained, signed trail in a file that never ends.
pub(super) fn settings(path: &Path) -> Settings {
    Settings {
        place: Some(Place::File(path.to_owned())),
        ring: 8,
        chain: true,
        max_bytes: 0,
        keep: 3,
        required: false,
        redactor: Redactor::default(),
        signer: Some(signer(1)),
    }
}

/// A request like those of a real client.
pub(super) fn request(number: usize) -> Record {
    Record {
        actor: Some("203.0.113.42".to_owned()),
        method: Some("GET"),
        path: Some(format!("/v1.43/containers/c{number}/json")),
        outcome: Some(Outcome::Allowed),
        status: Some(200),
        duration: Some(Duration::from_nanos(84_125_u64.saturating_add(number as u64))),
        ..Record::new(Event::ApiRequest)
    }
}

/// Reads files, oldest first.
pub(super) fn verify(files: &[&[u8]], expected: Expected) -> Result<Report, Fault> {
    let mut verifier = Verifier::new(&is_signed, expected);
    for (at, file) in files.iter().enumerate() {
        if at > 0 {
            verifier.next_file();
        }
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            verifier.line(line)?;
        }
    }
    verifier.end()
}

/// Whether files on the disk are whole, oldest first.
pub(super) fn verify_files(paths: &[PathBuf]) -> Result<Report, Fault> {
    let files: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    verify(&files.iter().map(Vec::as_slice).collect::<Vec<_>>(), Expected::default())
}
