//! Ed25519 private keys as files: PKCS#8 in PEM, the form that openssl and everybody else reads.

use std::fmt;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::der::{
    BadDer, ED25519, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, context, context_constructed, element,
};
use super::pem::{self, BadPem};
use crate::secret::Secret;

const LABEL: &str = "PRIVATE KEY";

/// Why a file holds no key of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadKey {
    NoBlock,
    /// The label of the first block.
    Label(String),
    NotPkcs8,
    NotEd25519,
    /// The public key that stands beside the private one is not its own.
    PublicKey,
}

/// The seed of the first private key in the text.
pub(crate) fn read(text: &[u8]) -> Result<Secret<[u8; 32]>, BadKey> {
    let der = pem::read(text, LABEL).map_err(|bad| match bad {
        BadPem::NoBlock => BadKey::NoBlock,
        BadPem::Label(label) => BadKey::Label(label),
        BadPem::Malformed => BadKey::NotPkcs8,
    })?;
    let Pair { seed, public } = pair(&der)?;
    let own = SigningKey::from_bytes(seed.expose()).verifying_key();
    if public.is_none_or(|public| public == own.as_bytes()) { Ok(seed) } else { Err(BadKey::PublicKey) }
}

/// The PEM text of a seed.
pub(crate) fn write(seed: &Secret<[u8; 32]>) -> Secret<String> {
    let key = Zeroizing::new(element(OCTET_STRING, &[seed.expose()]));
    let key = Zeroizing::new(element(OCTET_STRING, &[&key]));
    let algorithm = element(SEQUENCE, &[&element(OID, &[ED25519])]);
    let der = Zeroizing::new(element(SEQUENCE, &[&element(INTEGER, &[&[0]]), &algorithm, &key]));
    Secret::new(pem::write(LABEL, &der))
}

/// A private key, and the public one where it stands beside it.
struct Pair<'d> {
    seed: Secret<[u8; 32]>,
    public: Option<&'d [u8]>,
}

/// RFC 5958, filled as RFC 8410 has it: version 0 without a public key, 1 with one.
fn pair(der: &[u8]) -> Result<Pair<'_>, BadKey> {
    let mut whole = Reader::new(der);
    let mut fields = whole.sequence()?;
    whole.end()?;
    let has_public = match fields.element(INTEGER)? {
        [0] => false,
        [1] => true,
        _ => return Err(BadKey::NotPkcs8),
    };
    let mut algorithm = fields.sequence()?;
    if algorithm.element(OID)? != ED25519 {
        return Err(BadKey::NotEd25519);
    }
    algorithm.end()?;
    let mut key = Reader::new(fields.element(OCTET_STRING)?);
    let seed = key.element(OCTET_STRING)?.try_into().map_err(|_| BadKey::NotPkcs8)?;
    key.end()?;
    let _attributes = fields.optional(context_constructed(0))?;
    let public = if has_public { Some(public(&mut fields)?) } else { None };
    fields.end()?;
    Ok(Pair { seed: Secret::new(seed), public })
}

/// Tagged in place as RFC 8410 has it, or around a bit string as some libraries wrote it.
fn public<'d>(fields: &mut Reader<'d>) -> Result<&'d [u8], BadDer> {
    if let Some(bits) = fields.optional(context(1))? {
        return bits.strip_prefix(&[0]).ok_or(BadDer);
    }
    let mut around = Reader::new(fields.element(context_constructed(1))?);
    let bits = around.bits()?;
    around.end()?;
    Ok(bits)
}

impl From<BadDer> for BadKey {
    fn from(_: BadDer) -> Self {
        Self::NotPkcs8
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no PEM block"),
            Self::Label(label) => write!(f, "expected PEM type \"{LABEL}\", got \"{label}\""),
            Self::NotPkcs8 => f.write_str("a private key that is not PKCS#8"),
            Self::NotEd25519 => f.write_str("a private key that is not Ed25519"),
            Self::PublicKey => f.write_str("a public key that does not belong to its private key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// Written by openssl.
    const OPENSSL: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICgopQHae/e7aMeJK5t4t2EZ/R8u3p58SucHFjId9nJw
-----END PRIVATE KEY-----
";
    const SEED: &str = "2828a501da7bf7bb68c7892b9b78b76119fd1f2ede9e7c4ae70716321df67270";
    const PUBLIC: &str = "a03546f661e415a957f840b1a5f74f9d81f3e4d17a2f458b885dc0370902d9d2";

    /// The example of RFC 8410 section 10.3, with attributes and public key.
    const RFC: &str = "\
-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    /// A P-256 key, written by openssl.
    const P256: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQAvrafQLtw/uBIYS
wZD/hPmlEfkshCdf+L31+eMN3aGhRANCAAQRYQdrJwut/tmoUDI0sAzInmM7ZubV
U6GdYoN3WoveZi12L4C///zcbgQfg1781+GZHQGB0gwUGOLijv2lQdfS
-----END PRIVATE KEY-----
";

    /// The seed in hexadecimal.
    fn seed(text: &str) -> Result<String, BadKey> {
        read(text.as_bytes()).map(|seed| HEXLOWER.encode(seed.expose()))
    }

    /// The same of DER in hexadecimal.
    fn seed_of(hex: &str) -> Result<String, BadKey> {
        seed(&pem::write(LABEL, &HEXLOWER.decode(hex.as_bytes()).unwrap()))
    }

    #[test]
    fn keys_of_every_writer_are_read() {
        assert_eq!(seed(OPENSSL).as_deref(), Ok(SEED));
        assert_eq!(
            seed(RFC).as_deref(),
            Ok("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842")
        );
        for (len, text) in [
            (48, format!("302e020100300506032b657004220420{SEED}")),
            (83, format!("3051020101300506032b657004220420{SEED}812100{PUBLIC}")),
            (85, format!("3053020101300506032b657004220420{SEED}a123032100{PUBLIC}")),
        ] {
            assert_eq!(text.len(), len * 2);
            assert_eq!(seed_of(&text).as_deref(), Ok(SEED));
        }
    }

    #[test]
    fn a_key_is_written_as_openssl_writes_it() {
        let seed = read(OPENSSL.as_bytes()).unwrap();
        assert_eq!(write(&seed).expose(), OPENSSL);
    }

    #[test]
    fn text_around_the_block_is_ignored() {
        assert_eq!(seed(&format!("{OPENSSL}ed25519 {PUBLIC} comment\n")).as_deref(), Ok(SEED));
        assert_eq!(seed(&format!("a note\n\n{OPENSSL}")).as_deref(), Ok(SEED));
    }

    #[test]
    fn a_file_without_such_a_key_is_refused_by_what_it_holds() {
        for (text, why) in [
            ("", BadKey::NoBlock),
            ("ssh-ed25519 AAAA", BadKey::NoBlock),
            (&OPENSSL.replace("PRIVATE", "EC PRIVATE"), BadKey::Label("EC PRIVATE KEY".to_owned())),
            (&OPENSSL.replace("PRIVATE", "PUBLIC"), BadKey::Label("PUBLIC KEY".to_owned())),
            (&OPENSSL.replace("MC4", "MC5"), BadKey::NotPkcs8),
            (&OPENSSL.replace("MC4", "M"), BadKey::NotPkcs8),
            (P256, BadKey::NotEd25519),
        ] {
            assert_eq!(seed(text), Err(why), "{text}");
        }
        let label = BadKey::Label("EC PRIVATE KEY".to_owned());
        assert_eq!(label.to_string(), "expected PEM type \"PRIVATE KEY\", got \"EC PRIVATE KEY\"");
    }

    #[test]
    fn what_is_almost_pkcs8_is_refused() {
        let stranger = PUBLIC.replace("a0", "a1");
        for (text, why) in [
            // Version 0 with a public key, 1 without, 2.
            (format!("3051020100300506032b657004220420{SEED}812100{PUBLIC}"), BadKey::NotPkcs8),
            (format!("302e020101300506032b657004220420{SEED}"), BadKey::NotPkcs8),
            (format!("302e020102300506032b657004220420{SEED}"), BadKey::NotPkcs8),
            // Parameters, a seed of 31 bytes, no inner octet string, one byte after the end.
            (format!("3030020100300706032b6570050004220420{SEED}"), BadKey::NotPkcs8),
            (format!("302d020100300506032b65700421041f{}", &SEED[2..]), BadKey::NotPkcs8),
            (format!("302c020100300506032b65700420{SEED}"), BadKey::NotPkcs8),
            (format!("302e020100300506032b657004220420{SEED}00"), BadKey::NotPkcs8),
            // X25519.
            (format!("302e020100300506032b656e04220420{SEED}"), BadKey::NotEd25519),
            (format!("3051020101300506032b657004220420{SEED}812100{stranger}"), BadKey::PublicKey),
            (format!("3050020101300506032b657004220420{SEED}812000{}", &PUBLIC[2..]), BadKey::PublicKey),
        ] {
            assert_eq!(seed_of(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn no_part_of_a_key_is_one_and_no_bit_of_its_frame_may_change() {
        let whole =
            HEXLOWER.decode(format!("3051020101300506032b657004220420{SEED}812100{PUBLIC}").as_bytes());
        let whole = whole.unwrap();
        for len in 0..whole.len() {
            assert!(read(pem::write(LABEL, &whole[..len]).as_bytes()).is_err(), "{len}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            // Neither may a bit of the keys: they no longer belong together.
            assert!(read(pem::write(LABEL, &bent).as_bytes()).is_err(), "{bit}");
        }
    }
}
