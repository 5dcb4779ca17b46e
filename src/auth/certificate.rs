//! A client's certificate: whose key it carries, and whether it is valid now.
//!
//! Nobody's signature is looked at. Who completes the handshake holds the key, and what the key may
//! do stands in our own file; a certificate is only the envelope TLS wants it in.

use std::fmt;

use super::der::{BadDer, ED25519, INTEGER, OID, Reader, SEQUENCE, context, context_constructed};
use crate::limits::CERTIFICATE_BYTES_MAX;

/// Why a certificate identifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadCertificate {
    Malformed,
    NotEd25519,
    NotYetValid,
    Expired,
}

/// The Ed25519 key of a certificate that is valid at this second. The first and the last second of
/// its validity belong to it.
pub(crate) fn ed25519_key_of(certificate: &[u8], now_unix: u64) -> Result<[u8; 32], BadCertificate> {
    if certificate.len() > CERTIFICATE_BYTES_MAX {
        return Err(BadCertificate::Malformed);
    }
    let Parts { not_before, not_after, algorithm, key } = parts(certificate)?;
    if algorithm.0 != ED25519 {
        return Err(BadCertificate::NotEd25519);
    }
    // Nothing beside the identifier: RFC 8410 leaves no room for parameters.
    if !algorithm.1.is_empty() {
        return Err(BadCertificate::Malformed);
    }
    let key = key.try_into().map_err(|_| BadCertificate::Malformed)?;
    let now = i64::try_from(now_unix).unwrap_or(i64::MAX);
    if now < not_before {
        return Err(BadCertificate::NotYetValid);
    }
    if now > not_after {
        return Err(BadCertificate::Expired);
    }
    Ok(key)
}

/// The first and the last second of a certificate's validity, since 1970, whatever its key is.
pub(crate) fn validity(certificate: &[u8]) -> Result<[i64; 2], BadCertificate> {
    let Parts { not_before, not_after, .. } = parts(certificate)?;
    Ok([not_before, not_after])
}

/// What is of interest here.
struct Parts<'c> {
    not_before: i64,
    not_after: i64,
    /// The identifier of the key's algorithm, and the parameters that follow it.
    algorithm: (&'c [u8], &'c [u8]),
    key: &'c [u8],
}

/// The walk through RFC 5280 section 4.1. Whatever is passed over stands where it belongs.
fn parts(certificate: &[u8]) -> Result<Parts<'_>, BadDer> {
    let mut whole = Reader::new(certificate);
    let mut certificate = whole.sequence()?;
    whole.end()?;
    let mut signed = certificate.sequence()?;
    let _signature_algorithm = certificate.element(SEQUENCE)?;
    let _signature = certificate.bits()?;
    certificate.end()?;

    if let Some(version) = signed.optional(context_constructed(0))? {
        let mut version = Reader::new(version);
        version.element(INTEGER)?;
        version.end()?;
    }
    let _serial = signed.element(INTEGER)?;
    let _signature_algorithm = signed.element(SEQUENCE)?;
    let _issuer = signed.element(SEQUENCE)?;
    let mut validity = signed.sequence()?;
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    validity.end()?;
    let _subject = signed.element(SEQUENCE)?;
    let mut subject_key = signed.sequence()?;
    let mut algorithm = subject_key.sequence()?;
    let algorithm = (algorithm.element(OID)?, algorithm.rest());
    let key = subject_key.bits()?;
    subject_key.end()?;
    let _issuer_id = signed.optional(context(1))?;
    let _subject_id = signed.optional(context(2))?;
    let _extensions = signed.optional(context_constructed(3))?;
    signed.end()?;
    Ok(Parts { not_before, not_after, algorithm, key })
}

impl From<BadDer> for BadCertificate {
    fn from(_: BadDer) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a certificate that is not X.509",
            Self::NotEd25519 => "a certificate whose key is not Ed25519",
            Self::NotYetValid => "a certificate that is not valid yet",
            Self::Expired => "a certificate that has expired",
        })
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// Made by openssl: valid from 2026-11-20 as UTCTime to 2126-10-27 as GeneralizedTime.
    const OPENSSL: &str = "\
        3082016e30820120a003020102020107300506032b6570302a3111300f06035504030c0873706563696d656e31\
        153013060355040a0c0cc38475c39f657265204f72673020170d3236313132303132353430375a180f32313236\
        313032373132353430375a302a3111300f06035504030c0873706563696d656e31153013060355040a0c0cc384\
        75c39f657265204f7267302a300506032b6570032100a03546f661e415a957f840b1a5f74f9d81f3e4d17a2f45\
        8b885dc0370902d9d2a3693067301d0603551d0e04160414902d11fc5c105cc66294290d065eaac71445417030\
        1f0603551d23041830168014902d11fc5c105cc66294290d065eaac714454170300f0603551d130101ff040530\
        030101ff30140603551d11040d300b8209612e6578616d706c65300506032b6570034100e20988a455e170a2fc\
        7365b5be92fd66c6954f8664da1dcee0d51b77d79ee82cf8d733958cf7224996c6b246b11ba008d46cd156f266\
        6cf40fa780722105720a";
    const NOT_BEFORE: u64 = 1_795_179_247;
    const NOT_AFTER: u64 = 4_948_779_247;
    const KEY: &str = "a03546f661e415a957f840b1a5f74f9d81f3e4d17a2f458b885dc0370902d9d2";

    /// The same of a P-256 key.
    const P256: &str = "\
        3082016e30820115a00302010202147547206939112a218fb35338df728527fda625f4300a06082a8648ce3d04\
        0302300c310a300806035504030c01703020170d3236313132303132353433395a180f32313236313032373132\
        353433395a300c310a300806035504030c01703059301306072a8648ce3d020106082a8648ce3d030107034200\
        041161076b270badfed9a8503234b00cc89e633b66e6d553a19d6283775a8bde662d762f80bffffcdc6e041f83\
        5efcd7e1991d0181d20c1418e2e28efda541d7d2a3533051301d0603551d0e0416041455830408424c7d1d0b7c\
        297275c70e39eac2852e301f0603551d2304183016801455830408424c7d1d0b7c297275c70e39eac2852e300f\
        0603551d130101ff040530030101ff300a06082a8648ce3d040302034700304402203a88c58f38b351f26002a0\
        00df21b33d94548df2aabbcbb652ead0e1a35d0cff0220663200992c78e140be760f39d5d265ec5919b5dfeb51\
        973a54d734067775ccaf";

    fn bytes(hex: &str) -> Vec<u8> {
        HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    /// The key in hexadecimal.
    fn key(hex: &str, now: u64) -> Result<String, BadCertificate> {
        ed25519_key_of(&bytes(hex), now).map(|key| HEXLOWER.encode(&key))
    }

    #[test]
    fn the_key_of_a_valid_certificate_is_found() {
        for (now, outcome) in [
            (0, Err(BadCertificate::NotYetValid)),
            (NOT_BEFORE - 1, Err(BadCertificate::NotYetValid)),
            (NOT_BEFORE, Ok(KEY.to_owned())),
            (NOT_AFTER, Ok(KEY.to_owned())),
            (NOT_AFTER + 1, Err(BadCertificate::Expired)),
            (u64::MAX, Err(BadCertificate::Expired)),
        ] {
            assert_eq!(key(OPENSSL, now), outcome, "{now}");
        }
    }

    #[test]
    fn keys_of_other_kinds_are_told_apart() {
        assert_eq!(key(P256, NOT_BEFORE), Err(BadCertificate::NotEd25519));
        // X25519 and Ed448 under an otherwise equal envelope.
        for other in ["302a300506032b656e", "302a300506032b6571"] {
            let other = OPENSSL.replace("302a300506032b6570", other);
            assert_eq!(key(&other, NOT_BEFORE), Err(BadCertificate::NotEd25519));
        }
    }

    #[test]
    fn what_bends_the_structure_is_malformed() {
        for (from, to) in [
            // The outer tag; a version that is none; no serial; the times in another type.
            ("3082016e30", "3182016e30"),
            ("a003020102020107", "a003040102020107"),
            ("a003020102020107", "a003020102040107"),
            ("170d3236", "160d3236"),
            // Another letter than Z; a month that is none.
            ("3132303132353430375a18", "3132303132353430375918"),
            ("3236313132303132", "3236313332303132"),
            // The key in bits that are not whole bytes; extensions under a tag of their own.
            ("032100a035", "032101a035"),
            ("a3693067", "a4693067"),
            // The signature as another type.
            ("034100e209", "044100e209"),
        ] {
            let bent = OPENSSL.replacen(from, to, 1);
            assert_ne!(bent, OPENSSL, "{from}");
            assert_eq!(key(&bent, NOT_BEFORE), Err(BadCertificate::Malformed), "{from}");
        }
    }

    #[test]
    fn no_part_of_a_certificate_and_nothing_after_it_is_one() {
        let whole = bytes(OPENSSL);
        for len in 0..whole.len() {
            assert_eq!(ed25519_key_of(&whole[..len], NOT_BEFORE), Err(BadCertificate::Malformed), "{len}");
        }
        assert_eq!(key(&format!("{OPENSSL}00"), NOT_BEFORE), Err(BadCertificate::Malformed));
        let long = [whole, vec![0; CERTIFICATE_BYTES_MAX]].concat();
        assert_eq!(ed25519_key_of(&long, NOT_BEFORE), Err(BadCertificate::Malformed));
    }

    #[test]
    fn an_algorithm_with_parameters_is_malformed() {
        // Two bytes more in the key's algorithm, and so in everything around it.
        let with_null = OPENSSL.replacen("3082016e30820120", "3082017030820122", 1).replacen(
            "302a300506032b6570",
            "302c300706032b65700500",
            1,
        );
        assert_eq!(key(&with_null, NOT_BEFORE), Err(BadCertificate::Malformed));
        let other = with_null.replacen("302c300706032b6570", "302c300706032b6571", 1);
        assert_eq!(key(&other, NOT_BEFORE), Err(BadCertificate::NotEd25519));
    }

    #[test]
    fn one_changed_byte_never_yields_another_key_unless_it_is_the_keys() {
        let whole = bytes(OPENSSL);
        let own = bytes(KEY);
        let at = whole.windows(32).position(|window| window == own).unwrap();
        for place in (0..whole.len()).filter(|place| !(at..at + 32).contains(place)) {
            for bit in 0..8 {
                let mut bent = whole.clone();
                bent[place] ^= 1 << bit;
                if let Ok(key) = ed25519_key_of(&bent, NOT_BEFORE) {
                    assert_eq!(key[..], own, "{place}");
                }
            }
        }
    }
}
