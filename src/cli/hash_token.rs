//! The hash of a token, for those who do not want the token itself in their configuration.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::out::{complain, hand_over};
use crate::auth::{HashFailed, Phc};
use crate::clock::Deadline;
use crate::limits::{SECRET_FILE_BYTES_MAX, TOKEN_BYTES_ADVISED};
use crate::secret::Secret;
use crate::sys::poll::{Watch, wait};
use crate::sys::signals::Signals;
use crate::sys::terminal::Silence;

/// One line in, the hash out.
pub(super) fn hash_token() -> ExitCode {
    match token().and_then(|token| tell(&token)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("lookout hash-token: {why}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Why there is no hash.
#[derive(Debug)]
enum NoHash {
    NoInput,
    Empty,
    TooLong,
    NotText,
    Control,
    Interrupted,
    Unreadable(io::Error),
    Failed(HashFailed),
    Untold(io::Error),
}

fn tell(token: &Secret<String>) -> Result<(), NoHash> {
    let token = token.expose();
    let hash = Phc::of(token.as_bytes()).map_err(NoHash::Failed)?;
    if token.len() < TOKEN_BYTES_ADVISED {
        complain(&format!(
            "lookout hash-token: warning: the token is shorter than {TOKEN_BYTES_ADVISED} bytes, and may be guessed\n"
        ));
    }
    hand_over(&format!("{hash}\n")).map_err(NoHash::Untold)
}

/// The token, asked for where somebody sits at a terminal.
fn token() -> Result<Secret<String>, NoHash> {
    let input = io::stdin();
    // Read past the standard library's buffer, which nobody wipes.
    let mut unbuffered = File::from(input.as_fd().try_clone_to_owned().map_err(NoHash::Unreadable)?);
    if !input.is_terminal() {
        return first_line(&mut unbuffered, || Ok(()));
    }
    let signals = Signals::catch().map_err(NoHash::Unreadable)?;
    let _silence = Silence::of(&input).map_err(NoHash::Unreadable)?;
    complain("Enter token: ");
    first_line(&mut unbuffered, || {
        let mut watches = [Watch::readable(&input), Watch::readable(&signals)];
        wait(&mut watches, Deadline::NEVER).map_err(NoHash::Unreadable)?;
        let [line, _] = &watches;
        // An interruption ends the process only after the terminal shows again what is typed.
        if line.can_read() { Ok(()) } else { Err(NoHash::Interrupted) }
    })
}

/// The first line, trimmed, without a copy that is not wiped. `ready` returns when there is
/// something to read.
fn first_line(
    input: &mut impl Read,
    ready: impl Fn() -> Result<(), NoHash>,
) -> Result<Secret<String>, NoHash> {
    let most = usize::try_from(SECRET_FILE_BYTES_MAX).unwrap_or(usize::MAX);
    let mut buffer = Zeroizing::new(vec![0; most.saturating_add(1)]);
    let mut filled = 0_usize;
    let end = loop {
        let before = filled;
        ready()?;
        match input.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) if filled > most => return Err(NoHash::TooLong),
            Ok(0) => break filled,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(NoHash::Unreadable(error)),
        }
        let fresh = buffer.get(before..filled).unwrap_or_default();
        if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
            break before.saturating_add(at);
        }
    };
    if filled == 0 {
        return Err(NoHash::NoInput);
    }
    let line = buffer.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_| NoHash::NotText)?.trim();
    if text.is_empty() {
        return Err(NoHash::Empty);
    }
    // No header could carry it.
    if text.contains(char::is_control) {
        return Err(NoHash::Control);
    }
    Ok(Secret::new(text.to_owned()))
}

impl fmt::Display for NoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInput => f.write_str("no input provided"),
            Self::Empty => f.write_str("token must not be empty"),
            Self::TooLong => write!(f, "the line is longer than {SECRET_FILE_BYTES_MAX} bytes"),
            Self::NotText => f.write_str("the line is not UTF-8 text"),
            Self::Control => f.write_str("the token holds a control character, which no request can carry"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Unreadable(error) => write!(f, "error reading input: {error}"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Untold(error) => write!(f, "the hash could not be written: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token read from these bytes, whole or one by one: both readings agree.
    fn read(bytes: &[u8]) -> Result<String, String> {
        let told = |outcome: Result<Secret<String>, NoHash>| {
            outcome.map(|token| token.expose().clone()).map_err(|why| why.to_string())
        };
        let whole = told(first_line(&mut &*bytes, || Ok(())));
        assert_eq!(told(first_line(&mut OneByOne(bytes), || Ok(()))), whole);
        whole
    }

    struct OneByOne<'b>(&'b [u8]);

    impl Read for OneByOne<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let len = room.len().min(1);
            self.0.read(&mut room[..len])
        }
    }

    #[test]
    fn the_first_line_is_the_token_trimmed() {
        for input in ["a token", "a token\n", "  a token \t\r\n", "a token\nanother", "a token\n\n"] {
            assert_eq!(read(input.as_bytes()).as_deref(), Ok("a token"), "{input:?}");
        }
        let longest = "a".repeat(64 * 1024);
        assert_eq!(read(longest.as_bytes()), Ok(longest));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_with_its_reason() {
        for (input, why) in [
            (&b""[..], "no input provided"),
            (b"\n", "token must not be empty"),
            (b" \t \na token", "token must not be empty"),
            (b"\xff\xfe", "the line is not UTF-8 text"),
            (b"a\x00b", "the token holds a control character, which no request can carry"),
            (b"a\rb\n", "the token holds a control character, which no request can carry"),
            (&[b'a'; 64 * 1024 + 1], "the line is longer than 65536 bytes"),
        ] {
            assert_eq!(read(input), Err(why.to_owned()));
        }
    }
}
