//! References to images, read by the Engine's grammar and completed as the Engine completes them.

use std::borrow::Cow;
use std::fmt;

use crate::limits::REFERENCE_BYTES_MAX;

/// Where a name without a registry is.
pub(crate) const HUB: &str = "docker.io";
/// Another name of the same, from when it was an index.
const HUB_INDEX: &str = "index.docker.io";
/// Whose images the Hub's one-word names are.
const OFFICIAL: &str = "library/";

/// The grammar's own bounds.
const PATH_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// A path in a registry, perhaps with a tag, perhaps with a digest, perhaps with both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    registry: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// `name = [registry "/"] path [":" tag] ["@" digest]`. Whether the first word is a registry is
    /// told by a point, a colon, a capital, or by being `localhost`.
    pub(crate) fn parse(text: &str) -> Result<Self, BadReference> {
        if text.is_empty() {
            return Err(BadReference::Empty);
        }
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(BadReference::TooLong);
        }
        if text.len() == 64 && text.bytes().all(is_hex) {
            return Err(BadReference::Id);
        }
        let (registry, rest) = split_registry(text);
        // A first word that looks like a registry and is none may still be part of a path, as in
        // `my_host.lan/app`.
        let (registry, rest) = if is_registry(registry) { (registry, rest) } else { (HUB, text) };
        let (rest, digest) = split_last_part(rest, '@');
        let (path, tag) = split_last_part(rest, ':');
        check_path(path)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(BadReference::Tag);
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(BadReference::Digest);
        }
        let reference = Self {
            registry: registry.to_owned(),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        };
        if reference.full_path().len() > PATH_BYTES_MAX {
            return Err(BadReference::PathTooLong);
        }
        Ok(reference)
    }

    /// `docker.io` where none was written.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The path as it was written: `nginx` and `library/nginx` are the same image of the Hub's.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The path as the registry knows it.
    pub(crate) fn full_path(&self) -> Cow<'_, str> {
        if self.registry == HUB && !self.path.contains('/') {
            Cow::Owned([OFFICIAL, &self.path].concat())
        } else {
            Cow::Borrowed(&self.path)
        }
    }

    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Whether both are names of one repository, whatever their tags and digests.
    pub(crate) fn is_of_same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.full_path() == other.full_path()
    }
}

/// The canonical name: complete, whatever was left out when it was written.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.full_path())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        match self.digest() {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadReference {
    Empty,
    TooLong,
    /// An image's id, which is not the name of anything.
    Id,
    Capital,
    Path,
    PathTooLong,
    Tag,
    Digest,
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty reference",
            Self::TooLong => "a reference that is too long",
            Self::Id => "an id instead of a reference",
            Self::Capital => "a capital in a repository's name",
            Self::Path => "a malformed repository's name",
            Self::PathTooLong => "a repository's name that is too long",
            Self::Tag => "a malformed tag",
            Self::Digest => "a malformed digest",
        })
    }
}

impl std::error::Error for BadReference {}

/// `sha256:` and its hexadecimal digits, or one of its longer sisters.
pub(super) fn is_digest(text: &str) -> bool {
    let Some((algorithm, hash)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hash.len() == length && hash.bytes().all(is_hex)
}

pub(super) fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The registry, which is the Hub unless the first word can be nothing but another, and the rest.
fn split_registry(text: &str) -> (&str, &str) {
    let Some((first, rest)) = text.split_once('/') else { return (HUB, text) };
    let is_registry = first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase());
    match first {
        HUB_INDEX => (HUB, rest),
        _ if is_registry => (first, rest),
        _ => (HUB, text),
    }
}

fn split_last_part(text: &str, sign: char) -> (&str, Option<&str>) {
    match text.split_once(sign) {
        Some((front, last)) => (front, Some(last)),
        None => (text, None),
    }
}

/// A host, and perhaps a port behind a colon.
fn is_registry(text: &str) -> bool {
    let (is_host, behind) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, behind)) => (is_address(address), behind),
        None => {
            let (host, behind) =
                text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default();
            (host.split('.').all(is_label), behind)
        }
    };
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_host && (behind.is_empty() || behind.strip_prefix(':').is_some_and(is_number))
}

/// An address of version 6, which stands in brackets.
fn is_address(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

/// A part of a host's name.
fn is_label(text: &str) -> bool {
    let is_inside = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !text.is_empty() && is_inside && !text.starts_with('-') && !text.ends_with('-')
}

/// Words of small letters and digits; between them one point, one or two underscores, or hyphens;
/// slashes between all that.
fn check_path(path: &str) -> Result<(), BadReference> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(BadReference::Capital);
    }
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_good = |part: &str| {
        let is_between =
            |sign: &str| matches!(sign, "" | "." | "_" | "__") || sign.bytes().all(|byte| byte == b'-');
        let mut between = part.split(|c: char| u8::try_from(c).is_ok_and(is_word));
        part.bytes().next().is_some_and(is_word)
            && part.bytes().last().is_some_and(is_word)
            && between.all(is_between)
    };
    if path.split('/').all(is_good) { Ok(()) } else { Err(BadReference::Path) }
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_BYTES_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests;
