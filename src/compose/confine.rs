//! What a compose program may reach of this machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys::beneath::Directory;
use crate::sys::landlock::{Right, Ruleset};

/// Libraries, certificates and names of hosts. Nothing of it is anybody's secret.
const READABLE: &[&str] = &[
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
/// The one device: others have no end, and a program that reads a file of variables reads to its end.
const NOTHING: &str = "/dev/null";

/// Rules under which a program of these files may read one stack, and own one private directory; `None` where the
/// kernel cannot enforce any.
pub(super) fn rules(
    executes: &[PathBuf],
    stack: Option<&Directory>,
    own: Option<&Path>,
    leaves_tcp: bool,
) -> io::Result<Option<Ruleset>> {
    let Some(rules) = Ruleset::new(leaves_tcp)? else { return Ok(None) };
    for place in READABLE {
        rules.give(Right::Read, Path::new(place))?;
    }
    rules.give(Right::Device, Path::new(NOTHING))?;
    for program in executes {
        rules.give(Right::Execute, program)?;
    }
    if let Some(stack) = stack {
        rules.give_opened(Right::Read, stack)?;
    }
    if let Some(own) = own {
        rules.give(Right::Own, own)?;
    }
    Ok(Some(rules))
}
