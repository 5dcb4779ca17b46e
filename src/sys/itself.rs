//! This program once more, as a process of its own: with nothing of ours but what is handed to it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Where the kernel shows which file this process runs, also when another one has its name by now.
const ITSELF: &str = "/proc/self/exe";

/// Starts it under a name of its own, which who looks for this process does not find, with one argument and the other
/// end of the socket as its input. Signals for the group of this process are none for it.
#[expect(clippy::disallowed_methods, reason = "it is started once, before anything is given up")]
pub(crate) fn start(name: &str, argument: &str) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(ITSELF);
    command.arg0(name).arg(argument).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    Ok((command.spawn()?, ours))
}
