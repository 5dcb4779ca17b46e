//! Words for whoever sits at the terminal; the log has its own way out.

use std::io::{self, Write};

/// What was asked for. A reader that has seen enough (`lookout routes | head`) is no failure.
pub(super) fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// What went wrong. Where nobody can be told, the exit code still tells.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What must not be lost: a key on a full disk is no key.
pub(super) fn hand_over(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
