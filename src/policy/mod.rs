//! What a caller may do.

pub(crate) mod engine;

use std::fmt;

use crate::auth::{Authenticated, Principal};

/// What a route asks of its caller. A key that may do everything is asked all the same, so that
/// what it used is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Redacted lists, inspections, statistics and events.
    View,
    Logs,
    /// Reads that carry secrets or file contents.
    Dump,
    /// Start, stop, restart, kill, pause, wait, resize.
    Power,
    Pull,
    Push,
    Create,
    Remove,
    /// Commands and files inside containers.
    Exec,
    Build,
    Swarm,
    /// Everything else, and every path nobody knows.
    Admin,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::View => "view",
            Self::Logs => "logs",
            Self::Dump => "dump",
            Self::Power => "power",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Create => "create",
            Self::Remove => "remove",
            Self::Exec => "exec",
            Self::Build => "build",
            Self::Swarm => "swarm",
            Self::Admin => "admin",
        })
    }
}

/// Proof that an authenticated caller may do what it asks. Only [`permit`] makes one.
#[must_use]
pub(crate) struct Permitted<T> {
    inner: T,
    principal: Principal,
    class: Class,
}

impl<T> Permitted<T> {
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    /// Who was permitted what.
    pub(crate) fn terms(&self) -> (&Principal, Class) {
        (&self.principal, self.class)
    }
}

/// Every credential of this version grants everything, so the answer is always yes; what was asked
/// for goes along.
pub(crate) fn permit<T>(ask: Authenticated<T>, class: Class) -> Permitted<T> {
    let (inner, principal) = ask.into_parts();
    Permitted { inner, principal, class }
}
