//! What a compose program may reach of this machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::sandbox::SYSTEM;
use crate::sys::beneath::Directory;
use crate::sys::landlock::{Right, Ruleset};

/// The one device: others have no end, and a program that reads a file of variables reads to its end.
const NOTHING: &str = "/dev/null";

/// Rules under which a program of these files may read one stack, and own one private directory; `None` where the
/// kernel cannot enforce any.
pub(super) fn rules(
    executes: &[PathBuf],
    stack: Option<&Directory>,
    own: Option<&Directory>,
    leaves_tcp: bool,
) -> io::Result<Option<Ruleset>> {
    let Some(rules) = Ruleset::new(leaves_tcp)? else { return Ok(None) };
    for place in SYSTEM {
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
        rules.give_opened(Right::Own, own)?;
    }
    Ok(Some(rules))
}
