//! The keys that are accepted, as `authorized_keys` lists them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE64;

use super::key::{BadKey, KeyId, PublicKey};
use super::mark;
use super::options::{self, BadOption, Options};
use crate::limits::{
    KEY_COMMENT_BYTES_MAX, KEYRING_FILE_BYTES_MAX, KEYRING_KEYS_MAX, KEYRING_LINE_BYTES_MAX,
};

/// Every key of one file. A file with a bad line is none: whoever wrote it meant something else
/// than we would read.
#[derive(Debug, Default)]
pub(crate) struct Keyring(BTreeMap<KeyId, Arc<Key>>);

/// One key and what its line says of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) public: PublicKey,
    pub(crate) comment: Comment,
    pub(crate) options: Options,
    /// Tells the key, with what its line says, from others.
    pub(super) mark: u64,
}

/// Why a key is not accepted just now or just here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    Expired,
    Address,
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the key has expired",
            Self::Address => "the key is not for this address",
        })
    }
}

impl Keyring {
    pub(crate) fn parse(file: &[u8]) -> Result<Self, BadKeyring> {
        if u64::try_from(file.len()).is_ok_and(|length| length > KEYRING_FILE_BYTES_MAX) {
            return Err(BadKeyring::TooLarge);
        }
        let (mut keys, mut lines) = (BTreeMap::new(), BTreeMap::new());
        for (number, line) in (1..).zip(file.split(|&byte| byte == b'\n')) {
            let bad = |why| BadKeyring::Line { number, why };
            let Some(key) = Key::parse(line).map_err(bad)? else { continue };
            if keys.len() >= KEYRING_KEYS_MAX {
                return Err(bad(BadLine::TooMany));
            }
            if let Some(first) = lines.insert(key.id, number) {
                return Err(bad(BadLine::Twice { first }));
            }
            keys.insert(key.id, Arc::new(key));
        }
        Ok(Self(keys))
    }

    pub(crate) fn find(&self, id: &KeyId) -> Option<&Arc<Key>> {
        self.0.get(id)
    }

    pub(crate) fn find_public(&self, public: &PublicKey) -> Option<&Arc<Key>> {
        self.find(&public.id()).filter(|key| key.public == *public)
    }

    /// Every key, by id.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Key>> {
        self.0.values()
    }
}

impl Key {
    /// Whether the key is accepted from there and then.
    pub(crate) fn admits(&self, peer: IpAddr, now_unix: u64) -> Result<(), Barred> {
        if self.options.expires.is_some_and(|end| end <= now_unix) {
            return Err(Barred::Expired);
        }
        let from = &self.options.from;
        let is_from_there = from.is_empty() || from.iter().any(|network| network.contains(peer));
        if is_from_there { Ok(()) } else { Err(Barred::Address) }
    }

    /// Reads a line; one that is blank or a remark is no key.
    fn parse(line: &[u8]) -> Result<Option<Self>, BadLine> {
        if line.len() > KEYRING_LINE_BYTES_MAX {
            return Err(BadLine::TooLong);
        }
        let line = std::str::from_utf8(line).map_err(|_| BadLine::NotUtf8)?.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.chars().any(is_control) {
            return Err(BadLine::Control);
        }
        let (options, line) = match field(line) {
            ("ed25519" | "ssh-ed25519", _) => (Options::default(), line),
            _ => {
                let (options, rest) = options::split(line);
                (Options::parse(options).map_err(BadLine::Option)?, rest)
            }
        };
        let (kind, rest) = field(line);
        let (encoded, comment) = field(rest);
        let public = match kind {
            "ed25519" => bare(encoded)?,
            "ssh-ed25519" => wired(encoded)?,
            _ => return Err(BadLine::Kind),
        };
        let public = PublicKey::from_bytes(&public).map_err(BadLine::Key)?;
        let comment = Comment::parse(comment).map_err(|_| BadLine::TooLong)?;
        let mark = mark(&[public.as_bytes(), format!("{options:?}").as_bytes()]);
        Ok(Some(Self { id: public.id(), public, comment, options, mark }))
    }
}

/// The line that stands for a key without options, its newline not included.
pub(crate) fn line(public: &PublicKey, comment: &Comment) -> String {
    let key = BASE64.encode(public.as_bytes());
    let space = if comment.0.is_empty() { "" } else { " " };
    format!("ed25519 {key}{space}{comment}")
}

/// The first field, and what follows it.
fn field(line: &str) -> (&str, &str) {
    let line = line.trim_ascii_start();
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    line.split_at_checked(end).unwrap_or((line, ""))
}

/// The 32 bytes of a key.
fn bare(encoded: &str) -> Result<[u8; 32], BadLine> {
    if encoded.is_empty() {
        return Err(BadLine::NoKey);
    }
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadLine::Base64)?;
    bytes.try_into().map_err(|_| BadLine::Length)
}

/// The same as SSH carries it (RFC 8709 §4): name and key, each behind its length.
fn wired(encoded: &str) -> Result<[u8; 32], BadLine> {
    if encoded.is_empty() {
        return Err(BadLine::NoKey);
    }
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadLine::Base64)?;
    let key = bytes.strip_prefix(b"\0\0\0\x0bssh-ed25519\0\0\0\x20").ok_or(BadLine::Wire)?;
    key.try_into().map_err(|_| BadLine::Wire)
}

/// Whose key it is: words with one space between them, on one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comment(String);

impl Comment {
    pub(crate) fn parse(text: &str) -> Result<Self, BadComment> {
        if text.chars().any(is_control) {
            return Err(BadComment::Control);
        }
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        let comment = words.join(" ");
        if comment.len() > KEY_COMMENT_BYTES_MAX { Err(BadComment::TooLong) } else { Ok(Self(comment)) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Why a text is no comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadComment {
    Control,
    TooLong,
}

impl fmt::Display for BadComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("the comment holds a control character"),
            Self::TooLong => write!(f, "the comment is longer than {KEY_COMMENT_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for BadComment {}

/// Why a whole file is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadKeyring {
    TooLarge,
    Line { number: usize, why: BadLine },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    TooLong,
    NotUtf8,
    Control,
    Option(BadOption),
    Kind,
    NoKey,
    Base64,
    Length,
    Wire,
    Key(BadKey),
    Twice { first: usize },
    TooMany,
}

impl fmt::Display for BadKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "larger than {KEYRING_FILE_BYTES_MAX} bytes"),
            Self::Line { number, why } => write!(f, "line {number}: {why}"),
        }
    }
}

impl std::error::Error for BadKeyring {}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {KEYRING_LINE_BYTES_MAX} bytes"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Control => f.write_str("a control character"),
            Self::Option(bad) => bad.fmt(f),
            Self::Kind => f.write_str("neither ed25519 nor ssh-ed25519 behind the options"),
            Self::NoKey => f.write_str("no key"),
            Self::Base64 => f.write_str("the key is not in base64 with its padding"),
            Self::Length => f.write_str("the key is not 32 bytes long"),
            Self::Wire => f.write_str("the key is not what ssh-ed25519 announces"),
            Self::Key(bad) => bad.fmt(f),
            Self::Twice { first } => write!(f, "the same key as on line {first}"),
            Self::TooMany => write!(f, "more than {KEYRING_KEYS_MAX} keys"),
        }
    }
}

#[cfg(test)]
mod tests;
