//! A terminal that does not show what is typed.
#![expect(unsafe_code, reason = "tcgetattr(3) and tcsetattr(3) have no safe binding in the standard library")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What is typed is not shown, only the end of the line. Drop makes the terminal what it was.
pub(crate) struct Silence<'t> {
    terminal: BorrowedFd<'t>,
    before: libc::termios,
}

impl<'t> Silence<'t> {
    /// What was typed before is forgotten: it was shown.
    pub(crate) fn of(terminal: &'t impl AsFd) -> io::Result<Self> {
        let terminal = terminal.as_fd();
        let before = settings(terminal)?;
        let mut silent = before;
        silent.c_lflag = silent.c_lflag & !libc::ECHO | libc::ECHONL;
        change(terminal, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to show.
        let _ = change(self.terminal, &self.before);
    }
}

fn settings(terminal: BorrowedFd<'_>) -> io::Result<libc::termios> {
    let mut settings = MaybeUninit::uninit();
    // SAFETY: the descriptor is borrowed; the pointer is to room for one `termios`, which lives
    // through the call and is taken for filled only where the call says that it filled it.
    unsafe {
        if libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(settings.assume_init())
    }
}

/// Changes the settings once everything is written, and drops what was typed but not read.
fn change(terminal: BorrowedFd<'_>, settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed; the structure is only read and lives through the call.
    if unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSAFLUSH, settings) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn echo(terminal: &impl AsFd) -> bool {
        settings(terminal.as_fd()).unwrap().c_lflag & libc::ECHO != 0
    }

    #[test]
    fn echo_is_off_until_the_silence_ends_even_by_panic() {
        // The controlling side of a new pseudo-terminal answers for both.
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
        assert!(echo(&terminal));
        let silence = Silence::of(&terminal).unwrap();
        assert!(!echo(&terminal));
        drop(silence);
        assert!(echo(&terminal));
        let panicking = std::panic::catch_unwind(|| {
            let _silence = Silence::of(&terminal).unwrap();
            panic!("on purpose");
        });
        assert!(panicking.is_err() && echo(&terminal));
    }

    #[test]
    fn what_is_no_terminal_cannot_be_silenced() {
        let file = OpenOptions::new().read(true).open("/dev/null").unwrap();
        let error = Silence::of(&file).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
