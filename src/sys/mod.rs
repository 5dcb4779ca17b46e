//! The operating system, safely: the one room where `unsafe` may stand.

pub(crate) mod beneath;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod ids;
pub(crate) mod itself;
pub(crate) mod landlock;
pub(crate) mod lines;
pub(crate) mod memory;
pub(crate) mod passing;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod restraint;
mod seccomp;
pub(crate) mod signals;
pub(crate) mod sockets;
pub(crate) mod splice;
pub(crate) mod terminal;
