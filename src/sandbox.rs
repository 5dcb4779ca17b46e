//! What a process of ours gives up for good before it faces anybody, and how strict it is about that.

use std::io;
use std::path::PathBuf;

use crate::log::{self, text};
use crate::sys::landlock::{self, Ruleset};
use crate::sys::restraint::Right;

/// Whether what is not needed is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// As far as the kernel lets it.
    Try,
    /// Or the agent does not start.
    Require,
    Off,
}

/// A place in the file system that is kept, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) right: landlock::Right,
    pub(crate) path: PathBuf,
}

/// What the agent gives up, beside files.
pub(crate) const OF_AGENT: [Right; 5] =
    [Right::Privileges, Right::Dumps, Right::Capabilities, Right::Calls, Right::Execution];
/// What the one process gives up that starts programs.
pub(crate) const OF_RUNNER: [Right; 4] = [Right::Privileges, Right::Dumps, Right::Capabilities, Right::Calls];

/// What the system itself is made of: libraries, certificates and names of hosts. Nothing of it is anybody's secret.
pub(crate) const SYSTEM: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

impl Sandbox {
    pub(crate) const EVERY: [(&'static str, Self); 3] =
        [("try", Self::Try), ("require", Self::Require), ("off", Self::Off)];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|row| row.0 == name).map(|row| row.1)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::EVERY.into_iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }
}

/// Gives up rights, and of the file system all but these places. It is given up for the threads that are started from
/// here on: none may have been before.
pub(crate) fn restrain(
    process: &str,
    sandbox: Sandbox,
    rights: &[Right],
    places: Option<&[Place]>,
) -> io::Result<()> {
    if sandbox == Sandbox::Off {
        log::warn(&format!("{process}.unrestrained"), &[("why", text(&"SANDBOX=off"))]);
        return Ok(());
    }
    let rights = rights.iter().map(|right| (right.name(), right.give_up()));
    let files = places.map(|places| ("files", leave_only(places)));
    let mut given_up = Vec::new();
    for (name, outcome) in rights.chain(files) {
        match outcome {
            Ok(()) => given_up.push(name),
            Err(error) if sandbox == Sandbox::Require => {
                let why = format!("SANDBOX=require, and {name} cannot be given up: {error}");
                return Err(io::Error::other(why));
            }
            Err(error) => {
                let fields = [("right", text(&name)), ("error", text(&error))];
                log::warn(&format!("{process}.not_restrained"), &fields);
            }
        }
    }
    log::info(&format!("{process}.restrained"), &[("given_up", text(&given_up.join(", ")))]);
    Ok(())
}

fn leave_only(places: &[Place]) -> io::Result<()> {
    let Some(rules) = Ruleset::of_files()? else {
        return Err(io::Error::other("this kernel has no Landlock, or has it switched off"));
    };
    for place in SYSTEM {
        rules.give(landlock::Right::Read, place.as_ref())?;
    }
    for Place { right, path } in places {
        rules.give(*right, path)?;
    }
    rules.enforce()
}
