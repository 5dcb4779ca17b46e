//! TERM, INT and HUP as bytes on a socket.
//!
//! A handler rather than a blocked mask: children inherit a mask, and a handler works as PID 1.
#![expect(unsafe_code, reason = "sigaction(2) has no safe binding in the standard library")]

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

/// What the operator asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// TERM or INT.
    Stop,
    /// HUP.
    Reload,
}

/// The reading end.
pub(crate) struct Signals(UnixStream);

/// The writing end, for the handler, which can be handed nothing.
static SINK: AtomicI32 = AtomicI32::new(-1);

impl Signals {
    /// From here on the three signals no longer end the process.
    pub(crate) fn catch() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        // A full socket drops the byte: a hundred pending signals say no more than one.
        writer.set_nonblocking(true)?;
        // The writing end lives as long as the process, because the handler does.
        SINK.store(writer.into_raw_fd(), Ordering::SeqCst);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            handle(signal)?;
        }
        Ok(Self(reader))
    }

    /// Waits for the next one.
    pub(crate) fn next(&mut self) -> io::Result<Signal> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        Ok(if byte == [b'H'] { Signal::Reload } else { Signal::Stop })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn handle(signal: i32) -> io::Result<()> {
    let handler: extern "C" fn(i32) = on_signal;
    // SAFETY: a zeroed `sigaction` is a valid value of that plain C structure; every field that
    // matters is set below before it is used.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` lives through the call and its handler is async-signal-safe (see there);
    // the third argument may be null.
    if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_signal(signal: i32) {
    let byte: u8 = if signal == libc::SIGHUP { b'H' } else { b'T' };
    // SAFETY: `errno` belongs to this thread; an interrupted call must find its own value again.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: write(2) is async-signal-safe; the descriptor was stored before the handler was
    // installed and is never closed; the pointer is to one byte on this stack.
    unsafe { libc::write(SINK.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_arrive_as_values_and_do_not_end_the_process() {
        let mut signals = Signals::catch().unwrap();
        for (number, signal) in
            [(libc::SIGHUP, Signal::Reload), (libc::SIGTERM, Signal::Stop), (libc::SIGINT, Signal::Stop)]
        {
            // SAFETY: raising a signal this process handles.
            assert_eq!(unsafe { libc::raise(number) }, 0);
            assert_eq!(signals.next().unwrap(), signal);
        }
    }
}
