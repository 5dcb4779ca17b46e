//! A child with nothing of ours: an environment of its own, a process group of its own, rules of its own.
#![expect(unsafe_code, reason = "what a child does before it becomes another program is unsafe by nature")]

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::landlock::{self, Ruleset};
use super::poll::{Watch, wait};
use super::seccomp::OnlyOnce;
use crate::clock::Deadline;
use crate::limits::TICK_MILLIS;

/// What to run. There is no shell between this and the program.
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    pub(crate) arguments: &'a [OsString],
    /// All of its environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    pub(crate) dir: &'a Path,
    pub(crate) rules: Option<&'a Ruleset>,
    /// Whether it may execute further programs, as far as the rules let it.
    pub(crate) executes_others: bool,
    /// Bytes of memory that it may take for its data.
    pub(crate) memory: u64,
}

/// A child that runs. Drop kills it and everything it started.
pub(crate) struct Child {
    inner: std::process::Child,
    group: libc::pid_t,
    /// Readable once it has ended; an old kernel has none.
    ending: Option<OwnedFd>,
    is_reaped: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
}

/// What it says, to be read.
pub(crate) struct Pipes {
    pub(crate) out: ChildStdout,
    pub(crate) err: ChildStderr,
}

/// A program as the kernel takes it: made before the fork, as nothing can be made after it.
struct Image {
    name: CString,
    /// What the pointers lead to. They end with a null, and nothing of this is ever changed.
    _texts: Vec<CString>,
    arguments: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
}

// SAFETY: the pointers are to texts that it owns itself, and that nobody changes.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    fn of(program: &Program<'_>) -> io::Result<Self> {
        let name = CString::new(program.path.as_os_str().as_bytes())?;
        let arguments = program.arguments.iter().map(|text| CString::new(text.as_bytes()));
        let environment = program
            .environment
            .iter()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let arguments: Vec<_> = [Ok(name.clone())].into_iter().chain(arguments).collect::<Result<_, _>>()?;
        let environment: Vec<_> = environment.collect::<Result<_, _>>()?;
        let pointers = |texts: &[CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        let (to_arguments, to_environment) = (pointers(&arguments), pointers(&environment));
        let texts = arguments.into_iter().chain(environment).collect();
        Ok(Self { name, _texts: texts, arguments: to_arguments, environment: to_environment })
    }

    /// Becomes it; what comes back is why not.
    fn become_it(&self) -> io::Error {
        // SAFETY: the name and all texts end with a zero, both lists end with a null, and all of it is owned.
        unsafe { libc::execve(self.name.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr()) };
        io::Error::last_os_error()
    }
}

impl Program<'_> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a program is started")]
    pub(crate) fn start(&self) -> io::Result<(Child, Pipes)> {
        let image = Image::of(self)?;
        let only_once = (!self.executes_others).then(|| OnlyOnce::new(&image.name));
        let (rules, memory) = (self.rules.map(Ruleset::descriptor), self.memory);
        let mut command = Command::new(self.path);
        command.current_dir(self.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: between fork and exec only system calls are made, with numbers and with what was made before;
        // nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                leave_nothing(memory)?;
                rules.map_or(Ok(()), landlock::enforce)?;
                only_once.as_ref().map_or(Ok(()), OnlyOnce::enforce)?;
                Err(image.become_it())
            });
        }
        let mut inner = command.spawn()?;
        let group = libc::pid_t::try_from(inner.id()).map_err(io::Error::other)?;
        let pipes = inner.stdout.take().zip(inner.stderr.take());
        let child = Child { inner, group, ending: ending_of(group), is_reaped: false };
        let (out, err) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((child, Pipes { out, err }))
    }
}

/// The child dies with the thread that waits for it, takes no more memory than this, leaves no core with somebody's
/// secrets in it, and takes no file along that whoever started the agent left open.
fn leave_nothing(memory: u64) -> io::Result<()> {
    // The same on every platform.
    const SYS_CLOSE_RANGE: libc::c_long = 436;
    const ON_EXEC: u32 = 4;
    let most = libc::rlim_t::try_from(memory).unwrap_or(libc::RLIM_INFINITY);
    let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let data = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: numbers, and a structure that lives through the call.
    let done = unsafe {
        // A kernel that does not know it has no way to confine the child either.
        libc::syscall(SYS_CLOSE_RANGE, 3_u32, u32::MAX, ON_EXEC);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)
            | libc::setrlimit(libc::RLIMIT_CORE, &raw const nothing)
            | libc::setrlimit(libc::RLIMIT_DATA, &raw const data)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn ending_of(pid: libc::pid_t) -> Option<OwnedFd> {
    // The same on every platform.
    const SYS_PIDFD_OPEN: libc::c_long = 434;
    // SAFETY: the call takes numbers; what it opened is owned by nobody else.
    unsafe {
        let fd = libc::syscall(SYS_PIDFD_OPEN, pid, 0_u32);
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

impl Child {
    /// Readable once it has ended; where there is none, [`Self::has_ended`] is asked now and then.
    pub(crate) fn ending(&self) -> Option<BorrowedFd<'_>> {
        self.ending.as_ref().map(AsFd::as_fd)
    }

    /// Asks it, and everything it started, to end.
    pub(crate) fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: i32) {
        if !self.is_reaped {
            // SAFETY: the call takes numbers. The group is ours: its leader was not reaped, so that its number
            // is nobody else's. A group that is gone needs no signal.
            unsafe { libc::kill(self.group.saturating_neg(), signal) };
        }
    }

    /// Whether it has ended; it stays there to be reaped, so that its group keeps its number.
    pub(crate) fn has_ended(&self) -> bool {
        self.look(libc::WNOHANG)
    }

    /// Waits for its end; false when the deadline passed first.
    pub(crate) fn wait_ended(&self, deadline: Deadline) -> io::Result<bool> {
        while !self.has_ended() {
            let ending = self.ending();
            // An old kernel does not say that it ended: it is asked at every tick.
            let tick = Deadline::after(Duration::from_millis(TICK_MILLIS));
            let until = if ending.is_some() { deadline } else { deadline.sooner(tick) };
            wait(&mut [ending.as_ref().map_or_else(Watch::nothing, Watch::readable)], until)?;
            if deadline.passed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn look(&self, how: i32) -> bool {
        // SAFETY: a structure of zeros is a valid one, and it lives through the call.
        unsafe {
            let mut about: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT | how;
            libc::waitid(libc::P_PID, self.inner.id(), &raw mut about, options) != 0 || about.si_pid() != 0
        }
    }

    /// Ends what it left behind, and tells how it ended. Waits for it, where it has not ended yet.
    pub(crate) fn reap(mut self) -> io::Result<Ended> {
        self.look(0);
        self.kill();
        self.is_reaped = true;
        let status = self.inner.wait()?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or_default()),
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            self.is_reaped = true;
            // It was killed: its end is near, and nobody asks how it was.
            let _ = self.inner.wait();
        }
    }
}

#[cfg(test)]
impl<'a> Program<'a> {
    /// One that nothing is kept from.
    pub(crate) fn free(path: &'a str, arguments: &'a [OsString]) -> Self {
        let (path, dir) = (Path::new(path), Path::new("/"));
        Self { path, arguments, environment: &[], dir, rules: None, executes_others: true, memory: 1 << 30 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::PathBuf;

    use super::*;
    use crate::clock::Deadline;
    use crate::sys::landlock::Right;
    use crate::sys::poll::{Watch, wait};

    fn run(arguments: &[&str], rules: Option<&Ruleset>) -> (String, String, Ended) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let environment = [("GIVEN".into(), "this".into())];
        let free = Program::free("/usr/bin/env", &arguments);
        let program = Program { environment: &environment, rules, ..free };
        let (child, mut pipes) = program.start().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        pipes.out.read_to_string(&mut out).unwrap();
        pipes.err.read_to_string(&mut err).unwrap();
        (out, err, child.reap().unwrap())
    }

    #[test]
    fn the_environment_is_what_was_given_and_nothing_else() {
        let (out, _, ended) = run(&[], None);
        assert_eq!((out.as_str(), ended), ("GIVEN=this\n", Ended::Code(0)));
    }

    #[test]
    fn its_end_is_seen_and_told() {
        assert_eq!(run(&["false"], None).2, Ended::Code(1));
        let arguments = ["60".into()];
        let program = Program::free("/bin/sleep", &arguments);
        let (child, _pipes) = program.start().unwrap();
        assert!(!child.has_ended());
        child.terminate();
        let ending = child.ending().unwrap();
        assert!(wait(&mut [Watch::readable(&ending)], Deadline::after_secs(60)).unwrap());
        assert!(child.has_ended());
        assert_eq!(child.reap().unwrap(), Ended::Signal(libc::SIGTERM));
    }

    /// The kernels we test on have it; one that has not is a gap in what is proven, not a success.
    fn rules() -> Ruleset {
        let rules =
            Ruleset::new(false).unwrap().expect("this kernel has no Landlock: boot with lsm=landlock,...");
        for place in ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"] {
            rules.give(Right::Read, Path::new(place)).unwrap();
            rules.give(Right::Execute, Path::new(place)).unwrap();
        }
        rules
    }

    fn file(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("lookout-process-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), "content\n").unwrap();
        dir.join("file")
    }

    #[test]
    fn what_no_rule_gives_cannot_be_read() {
        let (given, kept) = (file("given"), file("kept"));
        let rules = rules();
        rules.give(Right::Read, given.parent().unwrap()).unwrap();
        let read = |path: &Path| run(&["cat", path.to_str().unwrap()], Some(&rules));
        assert_eq!(read(&given).0, "content\n");
        let (out, err, ended) = read(&kept);
        assert!(err.contains("Permission denied"), "{err}");
        assert_eq!((out.as_str(), ended), ("", Ended::Code(1)));
    }

    #[test]
    fn what_is_given_to_be_read_cannot_be_written_or_executed() {
        let given = file("read-only");
        let rules = rules();
        rules.give(Right::Read, given.parent().unwrap()).unwrap();
        let (given, other) = (given.to_str().unwrap(), given.with_extension("new"));
        assert_ne!(run(&["cp", "/etc/ld.so.cache", given], Some(&rules)).2, Ended::Code(0));
        assert_ne!(run(&["touch", other.to_str().unwrap()], Some(&rules)).2, Ended::Code(0));
        // Copied by a child: a file that a fork of another test holds open for writing cannot be executed.
        assert_eq!(run(&["cp", "/bin/true", other.to_str().unwrap()], None).2, Ended::Code(0));
        assert_eq!(run(&[other.to_str().unwrap()], None).2, Ended::Code(0));
        assert_eq!(run(&[other.to_str().unwrap()], Some(&rules)).2, Ended::Code(126));
    }

    #[test]
    fn what_it_owns_it_may_change() {
        let own = file("own");
        let rules = rules();
        rules.give(Right::Own, own.parent().unwrap()).unwrap();
        let copy = own.with_extension("copy");
        assert_eq!(
            run(&["cp", own.to_str().unwrap(), copy.to_str().unwrap()], Some(&rules)).2,
            Ended::Code(0)
        );
        assert_eq!(run(&["rm", own.to_str().unwrap()], Some(&rules)).2, Ended::Code(0));
    }

    #[test]
    fn a_program_that_may_execute_no_other_cannot() {
        let run = |executes_others: bool| {
            let arguments = ["true".into()];
            let environment = [("PATH".into(), "/usr/bin".into())];
            let program = Program {
                environment: &environment,
                executes_others,
                ..Program::free("/usr/bin/env", &arguments)
            };
            let (child, _pipes) = program.start().unwrap();
            child.reap().unwrap()
        };
        assert_eq!(run(true), Ended::Code(0));
        assert_eq!(run(false), Ended::Code(126), "as env says that it cannot be executed");
    }

    #[test]
    fn a_child_that_is_dropped_is_killed_with_all_it_started() {
        // A time-out in the foreground, which has a child of its own in the same group.
        let arguments = ["--foreground", "60", "sleep", "60"].map(OsString::from);
        let program = Program::free("/usr/bin/timeout", &arguments);
        let (child, mut pipes) = program.start().unwrap();
        drop(child);
        // The grandchild held the other end; it ends with it.
        let mut said = Vec::new();
        pipes.out.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"");
    }
}
