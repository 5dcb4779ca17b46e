//! Why an order is refused, in a sentence for whoever gave it.

use std::fmt;

use super::super::registry::Unusable;
use crate::limits::{
    COMPOSE_ENV_BYTES_MAX, COMPOSE_ENV_VALUE_BYTES_MAX, COMPOSE_SHOWN_CHARS_MAX, COMPOSE_STOP_SECS_MAX,
};

/// What is wrong with an order that could be read, or with the stack that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Operation(String),
    NoStackName,
    StackName(String),
    StackPath(String),
    EnvKey(String),
    EnvDenied(String),
    /// The key, never the value.
    EnvValue(String),
    EnvLong(String),
    EnvLarge,
    Service(String),
    FilePath(String),
    /// A file where another one needs a directory.
    FileAsDirectory(String),
    FileContent(String),
    /// The file of variables is given, and so are variables.
    FileOfVariables(String),
    TooMany {
        what: &'static str,
        max: usize,
    },
    Timeout(i64),
    Format(String),
    Registry {
        server: String,
        why: Unusable,
    },
    RegistryTwice(String),
    NeedsTwo(&'static str),
    Remote(String),
    Provider(String),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = |f: &mut fmt::Formatter<'_>, what: &str, shown: &str, remedy: &str| {
            write!(f, "invalid {what}: {}; {remedy}", Shown(shown))
        };
        match self {
            Self::Operation(text) => write!(f, "unsupported compose operation: {}", Shown(text)),
            Self::NoStackName => f.write_str("stack name is required"),
            Self::StackName(text) => wrong(
                f,
                "stack name",
                text,
                "it begins with a-z or 0-9, goes on with these, '_' and '-', and has 63 characters at most",
            ),
            Self::StackPath(text) => wrong(
                f,
                "stack path",
                text,
                "it is one to eight names below the directory of stacks, with '/' between them, of letters, \
                 digits, '_', '-' and '.', and none begins with '-' or '.'",
            ),
            Self::EnvKey(text) => write!(f, "invalid env var key: {}", Shown(text)),
            Self::EnvDenied(text) => write!(f, "env var {} is not allowed", Shown(text)),
            Self::EnvValue(key) => write!(f, "env var {}: value contains invalid characters", Shown(key)),
            Self::EnvLong(key) => {
                let max = COMPOSE_ENV_VALUE_BYTES_MAX;
                write!(f, "env var {}: value is longer than {max} bytes", Shown(key))
            }
            Self::EnvLarge => write!(f, "env vars are larger than {COMPOSE_ENV_BYTES_MAX} bytes together"),
            Self::Service(text) => write!(f, "invalid service name: {}", Shown(text)),
            Self::FilePath(text) => wrong(
                f,
                "file path",
                text,
                "it leads downwards from the stack's directory, with '/' between its names, none of which is \
                 empty, '.' or '..', begins with '-' or '.lookout-', or has a '\\' or a control character",
            ),
            Self::FileAsDirectory(text) => {
                wrong(f, "file path", text, "another file of the request stands below it")
            }
            Self::FileContent(text) => write!(f, "invalid file content: {} is not base64", Shown(text)),
            Self::FileOfVariables(text) => {
                wrong(f, "file path", text, "it is written from envVars; give the one or the other")
            }
            Self::TooMany { what, max } => write!(f, "more than {max} {what}"),
            Self::Timeout(secs) => {
                write!(f, "invalid timeout: {secs}; it is 0 to {COMPOSE_STOP_SECS_MAX} seconds")
            }
            Self::Format(text) => wrong(f, "format", text, "it is json or yaml"),
            Self::Registry { server, why } => registry(f, server, *why),
            Self::RegistryTwice(key) => write!(f, "registry {} is given twice", Shown(key)),
            Self::NeedsTwo(what) => {
                write!(f, "{what}: compose 2 is needed, and this host has docker-compose 1")
            }
            Self::Remote(text) => write!(
                f,
                "include and extends take files of the stack's directory only: {} would be fetched; send it \
                 with files instead",
                Shown(text)
            ),
            Self::Provider(service) => write!(
                f,
                "service {} has a provider, which is a program that compose would run: remove it",
                Shown(service)
            ),
        }
    }
}

fn registry(f: &mut fmt::Formatter<'_>, server: &str, why: Unusable) -> fmt::Result {
    let server = Shown(server);
    match why {
        Unusable::NoServer => f.write_str("registry server is required"),
        Unusable::Address => {
            write!(f, "invalid registry server: {server}; it is host, host:port or https://host")
        }
        Unusable::Plain => {
            write!(f, "invalid registry server: {server}; http is for this machine alone, use https://")
        }
        Unusable::Username => write!(
            f,
            "registry {server}: invalid username; it is required, and has neither ':' nor control characters"
        ),
        Unusable::Password => {
            write!(f, "registry {server}: invalid password; it is required, and has no control characters")
        }
    }
}

/// What a caller wrote, in quotes, and not more of it than a line takes.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(COMPOSE_SHOWN_CHARS_MAX) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

impl std::error::Error for Invalid {}
