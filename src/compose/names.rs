//! The names in an order: of a stack, of its directory, of its services and of its files.

use std::fmt;

use super::order::Invalid;
use crate::limits::{
    COMPOSE_DIR_SEGMENT_BYTES_MAX, COMPOSE_DIR_SEGMENTS_MAX, COMPOSE_FILE_SEGMENT_BYTES_MAX,
    COMPOSE_FILE_SEGMENTS_MAX, COMPOSE_SERVICE_BYTES_MAX, COMPOSE_STACK_BYTES_MAX,
};

/// Files that are being written have names that begin so, beside the ones they will replace.
pub(super) const UNFINISHED: &str = ".lookout-";

/// A stack's name, which is its project's: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackName(String);

impl StackName {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::NoStackName);
        }
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
        let is_name =
            is_name(text, COMPOSE_STACK_BYTES_MAX, fits, |byte| fits(byte) || matches!(byte, b'_' | b'-'));
        if is_name { Ok(Self(text.to_owned())) } else { Err(Invalid::StackName(text.to_owned())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stack's directory, below that of all stacks: one to eight plain names, so that it leads nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackDir(String);

impl StackDir {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_segment = |segment: &str| {
            is_name(segment, COMPOSE_DIR_SEGMENT_BYTES_MAX, fits, |byte| {
                fits(byte) || matches!(byte, b'.' | b'-')
            })
        };
        if text.split('/').count() <= COMPOSE_DIR_SEGMENTS_MAX && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::StackPath(text.to_owned()))
        }
    }

    /// The directories one after the other, downwards.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl From<&StackName> for StackDir {
    /// Every name of a stack is a name of a directory.
    fn from(name: &StackName) -> Self {
        Self(name.0.clone())
    }
}

/// A service's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, so that none is an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceName(String);

impl ServiceName {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric();
        let is_name = is_name(text, COMPOSE_SERVICE_BYTES_MAX, fits, |byte| {
            fits(byte) || matches!(byte, b'_' | b'.' | b'-')
        });
        if is_name { Ok(Self(text.to_owned())) } else { Err(Invalid::Service(text.to_owned())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a file of a stack stands, below the stack's directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FilePath(String);

impl FilePath {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let is_segment = |segment: &str| {
            // A client that separates by `\` would be surprised by the one file it gets.
            let is_plain = !segment.chars().any(|char| char.is_control() || char == '\\');
            let is_somewhere_else = matches!(segment, "" | "." | "..");
            let is_taken = segment.starts_with('-') || segment.starts_with(UNFINISHED);
            is_plain && !is_somewhere_else && !is_taken && segment.len() <= COMPOSE_FILE_SEGMENT_BYTES_MAX
        };
        if text.split('/').count() <= COMPOSE_FILE_SEGMENTS_MAX && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::FilePath(text.to_owned()))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories one after the other, downwards.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.rsplit_once('/').into_iter().flat_map(|(above, _)| above.split('/'))
    }

    /// The file's own name.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }
}

/// Whether a text has a first byte that fits, further ones that fit, and no more than `max`.
fn is_name(text: &str, max: usize, first: impl Fn(u8) -> bool, further: impl Fn(u8) -> bool) -> bool {
    let Some((head, tail)) = text.as_bytes().split_first() else { return false };
    text.len() <= max && first(*head) && tail.iter().all(|byte| further(*byte))
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StackDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
