//! The agent's side of its runner: the one process of ours that may start a program.
//!
//! The agent itself gives up to execute anything. The runner is started before that, faces nobody but the agent, and
//! starts nothing but the compose program that it found itself, under rules that it makes itself.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdout};
use std::time::Duration;

use super::names::StackDir;
use super::operation::Generation;
use super::{Settings, words};
use crate::clock::Deadline;
use crate::limits::{COMPOSE_GOODBYE_SECS, COMPOSE_VISIT_SECS};
use crate::log;
use crate::sandbox::Sandbox;
use crate::shared::Shared;
use crate::sys::poll::{Watch, wait};
use crate::sys::process::{Ended, Pipes};
use crate::sys::{itself, passing};

/// What the runner is called by, as an argument of this program.
pub(crate) const RUNNER: &str = "compose-runner";
/// How it is shown among processes, in as many bytes as the kernel keeps.
pub(super) const SHOWN: &str = "lookout-compose";

pub(super) const READY: &[u8] = b"ready";
pub(super) const FIND: &[u8] = b"find";
pub(super) const START: &[u8] = b"start";
pub(super) const YES: &[u8] = b"yes";
pub(super) const NO: &[u8] = b"no";
pub(super) const CODE: &[u8] = b"code";
pub(super) const SIGNAL: &[u8] = b"signal";
/// What a program under way is sent.
pub(super) const TERMINATE: u8 = b'T';
pub(super) const KILL: u8 = b'K';

/// A compose program that runs here.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) generation: Generation,
    /// It has no builder of its own.
    pub(super) executes_builder: bool,
}

/// What is to be run, beside which program.
pub(super) struct Task<'a> {
    pub(super) stack: &'a StackDir,
    /// The private directory, as it is called below `RUNTIME_DIR`.
    pub(super) room: &'a str,
    pub(super) may_build: bool,
    pub(super) arguments: &'a [OsString],
    pub(super) environment: &'a [(OsString, OsString)],
}

/// The runner. It ends when this is dropped, with everything it started.
pub(super) struct Broker {
    control: UnixStream,
    process: Shared<std::process::Child>,
}

/// A talk with it, about one program.
pub(super) struct Visit(UnixStream);

/// A program that it started. Drop kills it, and everything it started.
pub(super) struct Process(UnixStream);

impl Broker {
    /// Starts it, and waits until it has given up what it does not need.
    pub(super) fn start(settings: &Settings, sandbox: Sandbox) -> io::Result<Self> {
        let (process, mut control) = itself::start(SHOWN, RUNNER)?;
        let home = settings.home.as_deref().map(|home| home.as_os_str().as_bytes()).unwrap_or_default();
        let told = [
            settings.stacks.as_os_str().as_bytes(),
            settings.runtime.as_os_str().as_bytes(),
            home,
            sandbox.name().as_bytes(),
            log::least().name().as_bytes(),
        ];
        words::write(&mut control, told)?;
        let broker = Self { control, process: Shared::new(process) };
        let answer = Visit(broker.control.try_clone()?).answer()?;
        match answer.as_slice() {
            [ready] if ready == READY => Ok(broker),
            [.., why] => Err(io::Error::other(String::from_utf8_lossy(why).into_owned())),
            [] => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// One more talk with it.
    pub(super) fn visit(&self) -> io::Result<Visit> {
        let (ours, theirs) = UnixStream::pair()?;
        passing::send(&self.control, 0, &[theirs.as_fd()])?;
        Ok(Visit(ours))
    }

    /// Readable once it is gone.
    pub(super) fn ending(&self) -> io::Result<OwnedFd> {
        self.control.as_fd().try_clone_to_owned()
    }

    /// Lets it end.
    pub(super) fn close(&self) {
        // Where it is gone already, there is nothing to close.
        let _ = self.control.shutdown(std::net::Shutdown::Write);
        let enough = Deadline::after_secs(COMPOSE_GOODBYE_SECS);
        if matches!(wait(&mut [Watch::readable(&self.control)], enough), Ok(true)) {
            // It is gone, or about to be.
            let _ = self.process.with(std::process::Child::wait);
        }
    }
}

impl Visit {
    /// The program there is, if any.
    pub(super) fn find(&mut self) -> io::Result<Option<Found>> {
        words::write(&mut self.0, [FIND])?;
        let [path, generation, executes_builder] = match <[_; 3]>::try_from(self.answer()?) {
            Ok(told) => told,
            Err(told) if told.is_empty() => return Ok(None),
            Err(_) => return Err(ErrorKind::InvalidData.into()),
        };
        let generation = if generation == b"1" { Generation::One } else { Generation::Two };
        let path = PathBuf::from(OsString::from_vec(path));
        Ok(Some(Found { path, generation, executes_builder: executes_builder == YES }))
    }

    pub(super) fn start(mut self, task: &Task<'_>) -> io::Result<(Process, Pipes)> {
        let arguments = words::joined(task.arguments.iter().map(|argument| argument.as_bytes()));
        let pairs = task.environment.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let (stack, room) = (task.stack.to_string(), task.room.as_bytes());
        let may_build = if task.may_build { YES } else { NO };
        let environment = words::joined(pairs);
        words::write(&mut self.0, [START, stack.as_bytes(), room, may_build, &arguments, &environment])?;
        if let [why] = self.answer()?.as_slice() {
            return Err(io::Error::other(String::from_utf8_lossy(why).into_owned()));
        }
        let (_, descriptors) = passing::receive(&self.0)?.ok_or(ErrorKind::UnexpectedEof)?;
        let [out, err] = descriptors.try_into().map_err(|_| ErrorKind::InvalidData)?;
        Ok((Process(self.0), Pipes { out: ChildStdout::from(out), err: ChildStderr::from(err) }))
    }

    /// What it says next, as long as it may take for that.
    fn answer(&mut self) -> io::Result<Vec<Vec<u8>>> {
        self.0.set_read_timeout(Some(Duration::from_secs(COMPOSE_VISIT_SECS)))?;
        let answer = words::read(&mut self.0)?.ok_or(ErrorKind::UnexpectedEof)?;
        self.0.set_read_timeout(None)?;
        Ok(answer)
    }
}

impl Process {
    /// Readable once it has ended.
    pub(super) fn ending(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Asks it, and everything it started, to end.
    pub(super) fn terminate(&self) {
        self.send(TERMINATE);
    }

    pub(super) fn kill(&self) {
        self.send(KILL);
    }

    fn send(&self, byte: u8) {
        // What has ended needs no signal.
        let _ = (&self.0).write(&[byte]);
    }

    /// Whether it has ended, and all that it left behind.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(wait(&mut [Watch::readable(&self.0)], Deadline::after(Duration::ZERO)), Ok(false))
    }

    /// Tells how it ended. Waits for it, where it has not ended yet.
    pub(super) fn reap(mut self) -> io::Result<Ended> {
        let told = words::read(&mut self.0)?.ok_or(ErrorKind::UnexpectedEof)?;
        let [kind, number] = told.as_slice() else { return Err(ErrorKind::InvalidData.into()) };
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        let number = number.ok_or(ErrorKind::InvalidData)?;
        Ok(if kind == CODE { Ended::Code(number) } else { Ended::Signal(number) })
    }
}
