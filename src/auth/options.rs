//! What stands before a key on its line: options that narrow what the key may do.

use std::fmt;

use super::class::Classes;
use super::grant::{Glob, Grant, Label, Mode, Mount};
use super::networks::Network;
use crate::clock;

/// What a line says of its key. What is not named is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) grant: Grant,
    /// Only callers from these addresses.
    pub(crate) from: Vec<Network>,
    /// Unix seconds.
    pub(crate) expires: Option<u64>,
    /// What commands print and what is typed into them is recorded.
    pub(crate) records: bool,
}

/// An option without a value: it stands there or does not.
const RECORD: &str = "record";

/// One option: its name, what it wants, and how it is read.
struct Row {
    name: &'static str,
    wants: &'static str,
    read: fn(&mut Options, &str) -> Option<()>,
}

const ROWS: &[Row] = &[
    Row {
        name: "allow",
        wants: "classes out of view, logs, dump, power, pull, push, create, remove, exec, build, swarm, host, \
                compose, mcp, metrics, audit and all, each once, with commas and no spaces",
        read: |options, value| Classes::parse(value).map(|classes| options.grant.classes = classes),
    },
    Row {
        name: "label",
        wants: "key=value, the key of letters, digits, dots, dashes, underscores and slashes",
        read: |options, value| Label::parse(value).map(|label| options.grant.label = Some(label)),
    },
    Row {
        name: "image",
        wants: "image references, each once, with commas and no spaces, a * only at the end of one",
        read: |options, value| list(value, Glob::parse).map(|all| options.grant.images = all),
    },
    Row {
        name: "mount",
        wants: "absolute paths without empty, . or .. parts, each once, :ro behind one or not, with commas",
        read: |options, value| list(value, Mount::parse).map(|all| options.grant.mounts = all),
    },
    Row {
        name: "from",
        wants: "addresses or networks such as 10.8.0.0/16, each once, with commas and no spaces",
        read: |options, value| list(value, |item| Network::parse(item).ok()).map(|all| options.from = all),
    },
    Row {
        name: "expires",
        wants: "a time such as 2026-12-31T00:00:00Z",
        read: |options, value| clock::read_rfc3339(value).map(|at| options.expires = Some(at.as_secs())),
    },
    Row {
        name: "mode",
        wants: "enforce or audit",
        read: |options, value| Mode::parse(value).map(|mode| options.grant.mode = mode),
    },
];

impl Options {
    /// Reads `name="value"`, or `record`, and more of them behind commas. There is no escape: a quote ends a value.
    pub(super) fn parse(text: &str) -> Result<Self, BadOption> {
        let (mut options, mut seen, mut rest) = (Self::default(), Vec::new(), text);
        loop {
            let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let row = ROWS.iter().find(|row| row.name == name);
            let known = row.map(|row| row.name).or_else(|| (name == RECORD).then_some(RECORD));
            let known = known.ok_or_else(|| BadOption::unknown(rest))?;
            if seen.contains(&name) {
                return Err(BadOption::Twice(known));
            }
            seen.push(name);
            let after = match row {
                Some(row) => options.take(row, after)?,
                None if after.starts_with('=') => return Err(BadOption::Valued(known)),
                None => {
                    options.records = true;
                    after
                }
            };
            if after.is_empty() {
                return Ok(options);
            }
            rest = after.strip_prefix(',').ok_or(BadOption::Behind(known))?;
        }
    }

    /// Reads the value of an option, and says what stands behind it.
    fn take<'t>(&mut self, row: &Row, after: &'t str) -> Result<&'t str, BadOption> {
        let value = after.strip_prefix("=\"").and_then(|after| after.split_once('"'));
        let (value, after) = value.ok_or(BadOption::Unquoted(row.name))?;
        if value.is_empty() {
            return Err(BadOption::Empty(row.name));
        }
        (row.read)(self, value).ok_or(BadOption::Value { name: row.name, wants: row.wants })?;
        Ok(after)
    }
}

/// The options of a line, and what stands behind the first space or tab outside quotes.
pub(super) fn split(line: &str) -> (&str, &str) {
    let mut is_quoted = false;
    let end = line.find(|c: char| {
        is_quoted ^= c == '"';
        !is_quoted && matches!(c, ' ' | '\t')
    });
    end.and_then(|end| line.split_at_checked(end)).unwrap_or((line, ""))
}

/// What stands between commas, each once.
fn list<T: PartialEq>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for item in value.split(',') {
        let item = read(item)?;
        if all.contains(&item) {
            return None;
        }
        all.push(item);
    }
    Some(all)
}

/// Characters of an unknown option that are repeated in a message.
const NAME_CHARS_MAX: usize = 40;

/// What is wrong with an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadOption {
    Unknown(String),
    Twice(&'static str),
    Unquoted(&'static str),
    /// It takes no value.
    Valued(&'static str),
    Empty(&'static str),
    Value {
        name: &'static str,
        wants: &'static str,
    },
    Behind(&'static str),
}

impl BadOption {
    fn unknown(rest: &str) -> Self {
        let name = rest.split(['=', ',', ' ', '\t']).next().unwrap_or_default();
        Self::Unknown(name.chars().take(NAME_CHARS_MAX).collect())
    }
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name:?} is neither an option nor a type of key that is known"),
            Self::Twice(name) => write!(f, "option {name} stands twice"),
            Self::Unquoted(name) => write!(f, "option {name} wants a value in quotes: {name}=\"value\""),
            Self::Valued(name) => write!(f, "option {name} takes no value: write {name} alone"),
            Self::Empty(name) => write!(f, "option {name} has an empty value"),
            Self::Value { name, wants } => write!(f, "option {name} wants {wants}"),
            Self::Behind(name) => write!(f, "something other than a comma stands behind option {name}"),
        }
    }
}

impl std::error::Error for BadOption {}

#[cfg(test)]
mod tests;
