//! Ed25519 keys: their names, and what they sign and verify.

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A key whose one encoding was checked, and under which not everything verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(VerifyingKey);

impl PublicKey {
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BadKey> {
        if !is_canonical(bytes) {
            return Err(BadKey::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey::NoPoint)?;
        if key.is_weak() { Err(BadKey::SmallOrder) } else { Ok(Self(key)) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(crate) fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.as_bytes()).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        KeyId([a, b, c, d, e, f, g, h])
    }

    /// Strict: S below the group's order, no point of small order (RFC 8032 leaves both open).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The 255 bits of y are below the prime 2^255 - 19. A y that is not would be another spelling of
/// a key, under another id.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || *high & 0x7f != 0x7f || middle.iter().any(|&byte| byte != 0xff)
}

/// Why 32 bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadKey {
    NotCanonical,
    NoPoint,
    SmallOrder,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotCanonical => "the key is not in its canonical encoding",
            Self::NoPoint => "the key is no point of the curve",
            Self::SmallOrder => "the key has a small order: anybody can sign for it",
        })
    }
}

impl std::error::Error for BadKey {}

/// The first eight bytes of the SHA-256 of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId([u8; 8]);

impl KeyId {
    /// Sixteen lower-case hexadecimal digits and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 {
            return None;
        }
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

/// A private key, wiped on drop.
pub(crate) struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    pub(crate) fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    /// What a key file holds.
    pub(crate) fn seed(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        ed25519_dalek::Signer::sign(&self.0, message).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 8032 §7.1: seed, public key, message, signature.
    const VECTORS: [[&str; 4]; 2] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ],
    ];

    #[test]
    fn the_vectors_of_the_standard_sign_and_verify() {
        for [seed, public, message, signature] in VECTORS {
            let key = SigningKey::from_seed(&Secret::new(bytes(seed)));
            let message = HEXLOWER.decode(message.as_bytes()).unwrap();
            assert_eq!(key.public().as_bytes(), &bytes::<32>(public));
            assert_eq!(key.seed().expose(), &bytes::<32>(seed));
            assert_eq!(key.sign(&message), bytes::<64>(signature));
            let public = PublicKey::from_bytes(&bytes(public)).unwrap();
            assert!(public.verify(&message, &bytes(signature)));
            assert!(!public.verify(b"another message", &bytes(signature)));
        }
    }

    #[test]
    fn a_signature_has_one_spelling() {
        // The order of the group, which can be added to S without changing what S means.
        let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let key = SigningKey::from_seed(&Secret::new([7; 32]));
        let signature = key.sign(b"m");
        assert!(key.public().verify(b"m", &signature));
        let mut other = signature;
        let mut carry = 0;
        for (byte, more) in other[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert_ne!(other, signature);
        assert!(!key.public().verify(b"m", &other));
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.public().verify(b"m", &other), "bit {bit}");
        }
    }

    #[test]
    fn a_signature_whose_r_has_a_small_order_is_refused() {
        let public =
            PublicKey::from_bytes(&bytes("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"));
        // R is the neutral point and S what makes the equation hold; RFC 8032 would accept it.
        let signature = bytes(
            "0100000000000000000000000000000000000000000000000000000000000000\
             5129092a73acadb1fcd9c3de95b9a2a33279c4a1985f2c48558702232a367308",
        );
        let key = public.unwrap();
        assert!(ed25519_dalek::Verifier::verify(&key.0, b"m", &Signature::from_bytes(&signature)).is_ok());
        assert!(!key.verify(b"m", &signature));
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        for hex in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            assert_eq!(PublicKey::from_bytes(&bytes(hex)), Err(BadKey::SmallOrder), "{hex}");
        }
    }

    #[test]
    fn only_the_canonical_encoding_is_a_key() {
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut encoding = [0xff; 32];
                (encoding[0], encoding[31]) = (low, high);
                assert_eq!(PublicKey::from_bytes(&encoding), Err(BadKey::NotCanonical), "{low:x} {high:x}");
            }
        }
        let mut encoding = [0; 32];
        encoding[0] = 2;
        assert_eq!(PublicKey::from_bytes(&encoding), Err(BadKey::NoPoint));
    }

    #[test]
    fn an_id_is_the_beginning_of_the_keys_digest() {
        let id = PublicKey::from_bytes(&bytes(VECTORS[0][1])).unwrap().id();
        assert_eq!(id.to_string(), "21fe31dfa154a261");
        assert_eq!(KeyId::parse("21fe31dfa154a261"), Some(id));
        for text in [
            "",
            "21fe31dfa154a26",
            "21fe31dfa154a2611",
            "21FE31DFA154A261",
            "21fe31dfa154a26g",
            " 1fe31dfa154a261",
        ] {
            assert_eq!(KeyId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_two_generated_keys_are_the_same() {
        let (one, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        assert_ne!(one.public(), other.public());
        assert!(one.public().verify(b"m", &one.sign(b"m")) && !other.public().verify(b"m", &one.sign(b"m")));
    }
}
