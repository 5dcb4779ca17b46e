//! Doors for the fuzzers; built only under `cfg(fuzzing)`.

mod authority;
mod golden;
mod guard;
mod loose;
mod tells;
mod wire;

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::keyring::line;
use crate::auth::{Claim, Keyring, Network, Nonces, Phc, Window, client, ed25519_key_of, pkcs8};
use crate::http::{self, slots};

pub use authority::{decide, json, query, sieve};
pub use guard::guard;
pub use tells::{image_reference, inspections, log_stream, moment, proc_files};
pub use wire::{chunked, framing, request_head, response_head};

/// A target.
pub fn target(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(target) = http::Target::parse(text)
    {
        assert!(!target.path().split('/').any(|segment| segment == ".."), "no segment leads upwards");
    }
}

/// A message of a controller's.
pub fn edge_message(bytes: &[u8]) {
    crate::edge::fuzzing::message(bytes);
}

/// A whole session: how it was agreed on, and what the controller says in it.
pub fn edge_session(bytes: &[u8]) {
    crate::edge::fuzzing::session(bytes);
}

/// A message of an assistant's.
pub fn json_rpc(bytes: &[u8]) {
    crate::api::fuzzing::rpc(bytes);
}

/// The files of a trail, or what was done to those of one that was whole.
pub fn audit_verify(bytes: &[u8]) {
    crate::audit::fuzzing::verify(bytes);
}

/// An address of a controller's, a line feed, and its answer to the upgrade.
pub fn edge_upgrade(bytes: &[u8]) {
    crate::edge::fuzzing::upgrade(bytes);
}

/// An order for compose, or one of its files.
pub fn compose_order(bytes: &[u8]) {
    crate::compose::fuzzing::order(bytes);
}

/// A file of keys: what is read can be written and read again.
pub fn authorized_keys(bytes: &[u8]) {
    let Ok(keyring) = Keyring::parse(bytes) else { return };
    for key in keyring.iter() {
        let again = Keyring::parse(line(&key.public, &key.comment).as_bytes());
        let again = again.as_ref().ok().and_then(|keyring| keyring.find_public(&key.public));
        let is_same = again.is_some_and(|again| again.id == key.id && again.comment == key.comment);
        assert!(is_same, "a line that was written is read back");
    }
}

/// A key's options alone, where a fuzzer need not find a key first.
pub fn key_options(bytes: &[u8]) {
    let mut file = bytes.to_vec();
    file.extend_from_slice(b" ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= test");
    if let Ok(keyring) = Keyring::parse(&file) {
        assert!(keyring.iter().len() <= bytes.len().saturating_add(1), "a line is at most one key");
    }
}

/// The fields of a signed request: whatever they say, without a key nothing passes.
pub fn signature_fields(bytes: &[u8]) {
    let head = [b"POST /x?y=z HTTP/1.1\r\nHost: h\r\n", bytes, b"\r\n\r\n"].concat();
    let mut slots = slots();
    let Ok(head) = http::request_head(&head, &mut slots) else { return };
    if let Ok(Some(claim)) = Claim::parse(&head) {
        let window = Window { now: Duration::MAX, started: Duration::ZERO, skew_secs: u64::MAX };
        let checked = claim.precheck(&Keyring::default(), &Nonces::new(1), window);
        assert!(checked.is_err(), "no keyring, no key");
    }
}

/// X-Forwarded-For, one line of the field for each of the input; the last is X-Real-IP.
pub fn forwarded_for(bytes: &[u8]) {
    let peer = IpAddr::from([10, 0, 0, 1]);
    let networks =
        |texts: &[&str]| texts.iter().filter_map(|text| Network::parse(text).ok()).collect::<Vec<_>>();
    let find = |trusted: &[Network]| {
        let mut lines: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
        let real_ip = lines.pop();
        client(peer, trusted, lines.into_iter(), real_ip)
    };
    assert_eq!(find(&[]), peer, "an untrusted peer speaks for itself");
    let ours = networks(&["10.0.0.0/8"]);
    let found = find(&ours);
    assert_eq!(found, found.to_canonical(), "an address has one form");
}

/// A network holds the address it was written with.
pub fn network(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(network) = Network::parse(text) {
        let address = text.split('/').next().and_then(|address| address.parse().ok());
        assert!(address.is_some_and(|address| network.contains(address)), "{text}");
    }
}

/// A token's hash: what is read is written again byte for byte, but for the order of its parameters.
pub fn phc(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(phc) = Phc::parse(text) {
        let written = phc.to_string();
        assert_eq!(written.len(), text.len(), "no value has two spellings");
        let again = Phc::parse(&written).ok().map(|again| again.to_string());
        assert_eq!(again, Some(written), "what was written is read again");
    }
}

/// A private key's file: what is read can be written and read again.
pub fn private_key(bytes: &[u8]) {
    if let Ok(seed) = pkcs8::read(bytes) {
        let again = pkcs8::read(pkcs8::write(&seed).expose().as_bytes());
        assert!(again.is_ok_and(|again| again.expose() == seed.expose()), "a key that was written is read");
    }
}

/// A client's certificate: at no time does it carry a key that does not stand in it.
pub fn certificate(bytes: &[u8]) {
    for now in [0, 1_800_000_000, u64::MAX] {
        if let Ok(key) = ed25519_key_of(bytes, now) {
            assert!(bytes.windows(key.len()).any(|window| window == key), "the key stands in it");
        }
    }
}
