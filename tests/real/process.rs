//! A child whose output is collected while it runs, and which never outlives its test.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::folder::Folder;
use crate::wait::until;

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Outcome {
    /// The exit code; none when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Itself, when it succeeded.
    pub(crate) fn good(self) -> Self {
        assert!(self.status.success(), "{}: {}{}", self.status, self.text(), self.errors());
        self
    }
}

/// A running child with open standard streams.
pub(crate) struct Running {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
    /// A directory the child reads from, which must not go before it.
    _reads: Option<Rc<Folder>>,
}

/// What one pipe has carried so far.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {what}: {error}; run scripts/setup"));
        let stdin = child.stdin.take();
        let stdout = Collected::from(child.stdout.take().expect("a pipe"));
        let stderr = Collected::from(child.stderr.take().expect("a pipe"));
        Self { what, child, stdin, stdout, stderr, _reads: None }
    }

    /// The same child, with a directory that lives as long as it.
    pub(crate) fn reading(mut self, folder: Rc<Folder>) -> Self {
        self._reads = Some(folder);
        self
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input, which stays open. The text must fit in a pipe.
    pub(crate) fn type_in(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("its input takes text");
    }

    /// Writes all of `input` from a thread, then closes its standard input.
    pub(crate) fn feed(&mut self, input: Vec<u8>) {
        let mut stdin = self.stdin.take().expect("its input is open");
        // A child that ends early leaves a broken pipe: its exit code tells the story, not ours.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Everything its standard output carried so far.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.stdout.bytes.lock().unwrap()).into_owned()
    }

    /// Waits until its standard output contains `text`, while it still runs or after.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        let what = format!("{} says {text:?}", self.what);
        until(&what, || {
            if self.so_far().contains(text) {
                return Some(());
            }
            let ended = self.stdout.reader.is_finished().then(|| self.child.try_wait().unwrap()).flatten();
            // One more look: the last words may have come between the two questions.
            match ended {
                Some(status) if !self.so_far().contains(text) => {
                    let errors = String::from_utf8_lossy(&self.stderr.bytes.lock().unwrap()).into_owned();
                    panic!(
                        "{} ended ({status}) without saying {text:?}: {}{errors}",
                        self.what,
                        self.so_far()
                    )
                }
                Some(_) | None => None,
            }
        });
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; a hang ends the test.
    pub(crate) fn finish(mut self) -> Outcome {
        self.stdin = None;
        self.outcome()
    }

    /// Waits for its end with its input still open.
    pub(crate) fn finish_by_itself(mut self) -> Outcome {
        self.outcome()
    }

    /// Ends it without a chance to say good-bye.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child of ours");
        self.outcome();
    }

    fn outcome(&mut self) -> Outcome {
        let status = until(&format!("{} ends", self.what), || self.child.try_wait().unwrap());
        Outcome { status, stdout: self.stdout.all(&self.what), stderr: self.stderr.all(&self.what) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Collected {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                shared.lock().unwrap().extend(buffer.iter().take(length));
            }
        });
        Self { bytes, reader }
    }

    fn all(&self, what: &str) -> Vec<u8> {
        until(&format!("the output of {what} ends"), || self.reader.is_finished().then_some(()));
        self.bytes.lock().unwrap().clone()
    }
}

/// Runs a command to its end, with nothing on its standard input.
pub(crate) fn run(command: &mut Command) -> Outcome {
    Running::start(command).finish()
}

/// Asks a process, by its number, to end.
pub(crate) fn terminate(process: u32) {
    run(Command::new("kill").args(["-TERM", &process.to_string()])).good();
}
