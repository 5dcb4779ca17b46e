//! The two certificates we make: a client's and a server's, each signed with its own Ed25519 key.

use std::net::IpAddr;

use ed25519_dalek::{Signer, SigningKey};

use super::der::{
    BIT_STRING, BOOLEAN, ED25519, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, UTF8_STRING, bits, context,
    context_constructed, element, time,
};
use crate::clock;
use crate::limits::CERTIFICATE_BACKDATE_SECS;
use crate::secret::Secret;

/// Whom a certificate is for. The addresses and names are what a client compares a server with.
pub(crate) struct Name {
    pub(crate) common_name: String,
    pub(crate) dns: Vec<String>,
    pub(crate) ips: Vec<IpAddr>,
}

/// Which side of a handshake shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Client,
    Server,
}

/// From a little in the past, because clocks differ, until so many days from now.
pub(crate) fn from_now(days: u64) -> [u64; 2] {
    let now = clock::unix().as_secs();
    [now.saturating_sub(CERTIFICATE_BACKDATE_SECS), now.saturating_add(days.saturating_mul(86_400))]
}

/// A certificate in DER, valid from one second since 1970 to another.
pub(crate) fn self_signed(
    seed: &Secret<[u8; 32]>,
    name: &Name,
    not_before: u64,
    not_after: u64,
    usage: Usage,
) -> Result<Vec<u8>, getrandom::Error> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)?;
    let key = SigningKey::from_bytes(seed.expose());
    let algorithm = element(SEQUENCE, &[&element(OID, &[ED25519])]);
    let signed = to_be_signed(&key, &algorithm, name, [not_before, not_after], usage, serial);
    let signature = bits(&key.sign(&signed).to_bytes());
    Ok(element(SEQUENCE, &[&signed, &algorithm, &signature]))
}

/// RFC 5280 section 4.1.2: version 3, and issued by its own subject.
fn to_be_signed(
    key: &SigningKey,
    algorithm: &[u8],
    name: &Name,
    [not_before, not_after]: [u64; 2],
    usage: Usage,
    mut serial: [u8; 16],
) -> Vec<u8> {
    // Positive, and as long as it is: neither the sign bit nor a leading zero.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let subject = distinguished(&name.common_name);
    element(
        SEQUENCE,
        &[
            &element(context_constructed(0), &[&element(INTEGER, &[&[2]])]),
            &element(INTEGER, &[&serial]),
            algorithm,
            &subject,
            &element(SEQUENCE, &[&time(not_before), &time(not_after)]),
            &subject,
            &element(SEQUENCE, &[algorithm, &bits(key.verifying_key().as_bytes())]),
            &element(context_constructed(3), &[&extensions(name, usage)]),
        ],
    )
}

/// A name of one part, the common name.
fn distinguished(common_name: &str) -> Vec<u8> {
    let part = [element(OID, &[&[0x55, 0x04, 0x03]]), element(UTF8_STRING, &[common_name.as_bytes()])];
    element(SEQUENCE, &[&element(SET, &[&element(SEQUENCE, &[&part.concat()])])])
}

/// RFC 5280 section 4.2.1: no authority, signs handshakes, for one side, under these names.
fn extensions(name: &Name, usage: Usage) -> Vec<u8> {
    let purpose = match usage {
        Usage::Server => 1,
        Usage::Client => 2,
    };
    let purpose = element(OID, &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, purpose]]);
    let mut all = vec![
        extension(19, true, &element(SEQUENCE, &[])),
        // One bit of eight: digitalSignature.
        extension(15, true, &element(BIT_STRING, &[&[7, 0x80]])),
        extension(37, false, &element(SEQUENCE, &[&purpose])),
    ];
    let dns = name.dns.iter().map(|name| element(context(2), &[name.as_bytes()]));
    let ips = name.ips.iter().map(|ip| match ip.to_canonical() {
        IpAddr::V4(ip) => element(context(7), &[&ip.octets()]),
        IpAddr::V6(ip) => element(context(7), &[&ip.octets()]),
    });
    let names: Vec<_> = dns.chain(ips).collect();
    if !names.is_empty() {
        all.push(extension(17, false, &element(SEQUENCE, &[&names.concat()])));
    }
    element(SEQUENCE, &[&all.concat()])
}

/// The extension 2.5.29.`number`.
fn extension(number: u8, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { element(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    let id = element(OID, &[&[0x55, 0x1d, number]]);
    element(SEQUENCE, &[&id, &critical, &element(OCTET_STRING, &[value])])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ed25519_dalek::{Signature, VerifyingKey};

    use super::*;
    use crate::auth::certificate::{BadCertificate, ed25519_key_of};
    use crate::auth::der::Reader;
    use crate::auth::{pem, pkcs8};
    use crate::net::tls::{Acceptor, Clients};

    const SEED: [u8; 32] = [9; 32];

    fn made(usage: Usage) -> Vec<u8> {
        let name = Name {
            common_name: "a name".to_owned(),
            dns: vec!["agent.example".to_owned(), "*.lan".to_owned()],
            ips: vec![
                "192.0.2.1".parse().unwrap(),
                "::ffff:192.0.2.2".parse().unwrap(),
                "::1".parse().unwrap(),
            ],
        };
        self_signed(&Secret::new(SEED), &name, 1_000, 2_000, usage).unwrap()
    }

    fn holds(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn its_key_is_read_again_while_it_is_valid() {
        let key = SigningKey::from_bytes(&SEED).verifying_key().to_bytes();
        for usage in [Usage::Client, Usage::Server] {
            let made = made(usage);
            for (now, outcome) in [
                (999, Err(BadCertificate::NotYetValid)),
                (1_000, Ok(key)),
                (2_000, Ok(key)),
                (2_001, Err(BadCertificate::Expired)),
            ] {
                assert_eq!(ed25519_key_of(&made, now), outcome, "{now}");
            }
        }
    }

    #[test]
    fn it_is_signed_with_its_own_key() {
        let made = made(Usage::Server);
        let mut certificate = Reader::new(&made).sequence().unwrap();
        let signed = element(SEQUENCE, &[certificate.element(SEQUENCE).unwrap()]);
        certificate.element(SEQUENCE).unwrap();
        let signature = Signature::from_slice(certificate.bits().unwrap()).unwrap();
        let key = VerifyingKey::from_bytes(&ed25519_key_of(&made, 1_500).unwrap()).unwrap();
        key.verify_strict(&signed, &signature).unwrap();
    }

    #[test]
    fn serials_differ_and_are_positive() {
        let serial = |made: &[u8]| {
            let mut signed = Reader::new(made).sequence().unwrap().sequence().unwrap();
            signed.element(context_constructed(0)).unwrap();
            signed.element(INTEGER).unwrap().to_vec()
        };
        let (one, other) = (serial(&made(Usage::Client)), serial(&made(Usage::Client)));
        assert_ne!(one, other);
        assert!(one.len() == 16 && (0x40..0x80).contains(&one[0]));
    }

    #[test]
    fn names_and_addresses_stand_in_it_as_a_client_looks_for_them() {
        let made = made(Usage::Server);
        for part in [
            &b"\x82\x0dagent.example"[..],
            b"\x82\x05*.lan",
            b"\x87\x04\xc0\x00\x02\x01",
            b"\x87\x04\xc0\x00\x02\x02",
            b"\x87\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
        ] {
            assert!(holds(&made, part), "{part:x?}");
        }
    }

    #[test]
    fn it_is_for_one_side_only_and_for_no_authority() {
        let (server, client) =
            (&b"\x2b\x06\x01\x05\x05\x07\x03\x01"[..], &b"\x2b\x06\x01\x05\x05\x07\x03\x02"[..]);
        for (usage, own, others) in [(Usage::Server, server, client), (Usage::Client, client, server)] {
            let made = made(usage);
            assert!(holds(&made, own) && !holds(&made, others));
            assert!(holds(&made, b"\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"));
            assert!(holds(&made, b"\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80"));
        }
    }

    #[test]
    fn the_servers_side_of_tls_takes_it_with_its_key() {
        let dir = std::env::temp_dir().join(format!("lookout-self-signed-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        fs::write(&cert, pem::write("CERTIFICATE", &made(Usage::Server))).unwrap();
        fs::write(&key, pkcs8::write(&Secret::new(SEED)).expose()).unwrap();
        assert!(Acceptor::load(&cert, &key, Clients::Nobody).is_ok());
        fs::write(&key, pkcs8::write(&Secret::new([8; 32])).expose()).unwrap();
        assert!(Acceptor::load(&cert, &key, Clients::Nobody).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
