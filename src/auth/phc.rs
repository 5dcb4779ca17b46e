//! A token at rest: an Argon2id hash as a PHC string, read, checked and made.

use std::fmt;
use std::ops::RangeInclusive;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::limits::{
    ARGON2_HASH_BYTES, ARGON2_LANES, ARGON2_LANES_MAX, ARGON2_MEMORY_KIB, ARGON2_MEMORY_KIB_MAX,
    ARGON2_PASSES, ARGON2_PASSES_MAX, ARGON2_SALT_BYTES, PHC_BYTES_MAX, PHC_HASH_BYTES_MAX,
    PHC_HASH_BYTES_MIN, PHC_SALT_BYTES_MAX, PHC_SALT_BYTES_MIN,
};
use crate::log::{self, text};

const SALT_BYTES: RangeInclusive<usize> = PHC_SALT_BYTES_MIN..=PHC_SALT_BYTES_MAX;
const HASH_BYTES: RangeInclusive<usize> = PHC_HASH_BYTES_MIN..=PHC_HASH_BYTES_MAX;

/// A hash that a token may be checked against.
pub(crate) struct Phc {
    costs: Costs,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// What one derivation takes.
#[derive(Clone, Copy)]
struct Costs {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What is wrong with a PHC string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPhc {
    TooLong,
    Fields,
    Algorithm,
    Version,
    Parameters,
    /// The parameter of this name.
    Number(char),
    Memory,
    Passes,
    Lanes,
    Salt,
    SaltLength,
    Hash,
    HashLength,
}

/// Why no hash was made.
#[derive(Debug)]
pub(crate) enum HashFailed {
    Random(getrandom::Error),
    Derivation(argon2::Error),
}

impl Phc {
    /// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, and nothing that is written another way.
    pub(crate) fn parse(text: &str) -> Result<Self, BadPhc> {
        if text.len() > PHC_BYTES_MAX {
            return Err(BadPhc::TooLong);
        }
        let mut fields = text.split('$');
        let mut field = || fields.next().ok_or(BadPhc::Fields);
        let (before, algorithm, version) = (field()?, field()?, field()?);
        let (costs, salt, hash) = (field()?, field()?, field()?);
        if !before.is_empty() || field().is_ok() {
            return Err(BadPhc::Fields);
        }
        if algorithm != "argon2id" {
            return Err(BadPhc::Algorithm);
        }
        if version != "v=19" {
            return Err(BadPhc::Version);
        }
        Ok(Self {
            costs: Costs::parse(costs)?,
            salt: bytes(salt, &SALT_BYTES, BadPhc::Salt, BadPhc::SaltLength)?,
            hash: bytes(hash, &HASH_BYTES, BadPhc::Hash, BadPhc::HashLength)?,
        })
    }

    /// The PHC string of a token, with a salt of its own.
    pub(crate) fn of(token: &[u8]) -> Result<String, HashFailed> {
        let costs = Costs { memory_kib: ARGON2_MEMORY_KIB, passes: ARGON2_PASSES, lanes: ARGON2_LANES };
        let mut salt = vec![0; ARGON2_SALT_BYTES];
        getrandom::fill(&mut salt).map_err(HashFailed::Random)?;
        let hash = costs.derive(token, &salt, ARGON2_HASH_BYTES).map_err(HashFailed::Derivation)?;
        Ok(Self { costs, salt, hash: hash.to_vec() }.to_string())
    }

    /// Whether the candidate is the hashed token. Takes as long as the parameters say.
    pub(crate) fn verify(&self, candidate: &[u8]) -> bool {
        match self.costs.derive(candidate, &self.salt, self.hash.len()) {
            Ok(derived) => derived.ct_eq(&self.hash).into(),
            Err(error) => {
                log::error("argon2.failed", &[("error", text(&error))]);
                false
            }
        }
    }
}

impl Costs {
    fn parse(text: &str) -> Result<Self, BadPhc> {
        let (mut memory, mut passes, mut lanes) = (None, None, None);
        for part in text.split(',') {
            let (slot, name, digits) = match part.split_once('=') {
                Some(("m", digits)) => (&mut memory, 'm', digits),
                Some(("t", digits)) => (&mut passes, 't', digits),
                Some(("p", digits)) => (&mut lanes, 'p', digits),
                _ => return Err(BadPhc::Parameters),
            };
            if slot.replace(number(digits).ok_or(BadPhc::Number(name))?).is_some() {
                return Err(BadPhc::Parameters);
            }
        }
        let (Some(memory_kib), Some(passes), Some(lanes)) = (memory, passes, lanes) else {
            return Err(BadPhc::Parameters);
        };
        if !(1..=ARGON2_LANES_MAX).contains(&lanes) {
            return Err(BadPhc::Lanes);
        }
        if !(lanes.saturating_mul(8)..=ARGON2_MEMORY_KIB_MAX).contains(&memory_kib) {
            return Err(BadPhc::Memory);
        }
        if !(1..=ARGON2_PASSES_MAX).contains(&passes) {
            return Err(BadPhc::Passes);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// One derivation, in memory that is wiped afterwards.
    fn derive(self, token: &[u8], salt: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(len))?;
        let mut blocks: Zeroizing<Vec<Block>> = Zeroizing::default();
        // Memory that is not there is an error here and not the end of the process.
        blocks.try_reserve_exact(params.block_count()).map_err(|_| argon2::Error::OutOfMemory)?;
        blocks.resize(params.block_count(), Block::new());
        let mut derived = Zeroizing::new(vec![0; len]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into_with_memory(token, salt, &mut derived, blocks.as_mut_slice())?;
        Ok(derived)
    }
}

/// Decimal digits without a sign or leading zeros. What does not fit is beyond every maximum.
fn number(digits: &str) -> Option<u32> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = digits == "0" || !digits.starts_with('0');
    (is_plain && is_shortest).then(|| digits.parse().unwrap_or(u32::MAX))
}

/// Base64 without padding, whose unused bits are zero: one way of writing each value.
fn bytes(
    encoded: &str,
    lengths: &RangeInclusive<usize>,
    wrong: BadPhc,
    wrong_length: BadPhc,
) -> Result<Vec<u8>, BadPhc> {
    let bytes = BASE64_NOPAD.decode(encoded.as_bytes()).map_err(|_| wrong)?;
    if lengths.contains(&bytes.len()) { Ok(bytes) } else { Err(wrong_length) }
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Costs { memory_kib, passes, lanes } = self.costs;
        let (salt, hash) = (BASE64_NOPAD.encode(&self.salt), BASE64_NOPAD.encode(&self.hash));
        write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

impl fmt::Display for BadPhc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a hash of more than {PHC_BYTES_MAX} bytes"),
            Self::Fields => f.write_str(
                "a hash that is not five fields with a `$` before each, as `lookout hash-token` writes it: \
                 a shell takes a `$` for its own unless the hash is in single quotes",
            ),
            Self::Algorithm => f.write_str("an algorithm other than argon2id"),
            Self::Version => f.write_str("a version other than v=19"),
            Self::Parameters => f.write_str("parameters other than m, t and p, once each"),
            Self::Number(name) => write!(f, "a parameter {name} that is not a plain decimal number"),
            Self::Memory => {
                write!(f, "a parameter m that is not between 8 times p and {ARGON2_MEMORY_KIB_MAX} (KiB)")
            }
            Self::Passes => write!(f, "a parameter t that is not between 1 and {ARGON2_PASSES_MAX}"),
            Self::Lanes => write!(f, "a parameter p that is not between 1 and {ARGON2_LANES_MAX}"),
            Self::Salt => f.write_str("a salt that is not base64 without padding"),
            Self::SaltLength => {
                write!(f, "a salt that is not between {PHC_SALT_BYTES_MIN} and {PHC_SALT_BYTES_MAX} bytes")
            }
            Self::Hash => f.write_str("a hash value that is not base64 without padding"),
            Self::HashLength => write!(
                f,
                "a hash value that is not between {PHC_HASH_BYTES_MIN} and {PHC_HASH_BYTES_MAX} bytes"
            ),
        }
    }
}

impl fmt::Display for HashFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => write!(f, "the system gives no random bytes: {error}"),
            Self::Derivation(error) => write!(f, "argon2id: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
