//! The only starter of threads: residents, fixed at start, and a crew that serves guests.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::limits::{STACK_BYTES, WORKER_IDLE_SECS};
use crate::log::{self, text};
use crate::metrics::Count;

/// Threads of ours that panicked. The hook that counts them is one for the whole process, too.
static PANICS: Count = Count::new();

/// A thread that lives as long as the agent. Its end, by return or panic, can be waited for.
pub(crate) struct Resident {
    ended: UnixStream,
    handle: JoinHandle<()>,
}

impl Resident {
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (ended, alive) = UnixStream::pair()?;
        let body = move || {
            let _dropped_at_the_end = alive;
            work();
        };
        let handle = builder(name).spawn(body)?;
        Ok(Self { ended, handle })
    }

    /// Whether it returned rather than panicked.
    pub(crate) fn join(self) -> bool {
        self.handle.join().is_ok()
    }
}

impl AsFd for Resident {
    /// Readable once the thread has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Workers that are kept and reused, and started when none is idle. Whoever submits holds a permit
/// for each job, which is what bounds their number.
#[derive(Clone)]
pub(crate) struct Crew(Arc<Hall>);

struct Hall {
    name: &'static str,
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    started: u64,
}

impl Crew {
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Arc::new(Hall { name, state: Mutex::default(), called: Condvar::new() }))
    }

    /// Hands a job to an idle worker or to a new one. A job that panics ends alone.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.idle > state.jobs.len() {
            state.jobs.push_back(Box::new(job));
            drop(state);
            self.0.called.notify_one();
            return Ok(());
        }
        state.started = state.started.saturating_add(1);
        let name = format!("{}-{}", self.0.name, state.started);
        drop(state);
        let hall = Arc::clone(&self.0);
        builder(&name).spawn(move || hall.work(Box::new(job)))?;
        Ok(())
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // The hook of `report_panics` has told of it; permits and sockets return by drop.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.wait();
        }
    }

    fn wait(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle = state.idle.saturating_add(1);
        let span = Duration::from_secs(WORKER_IDLE_SECS);
        let waited = self.called.wait_timeout_while(state, span, |state| state.jobs.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle = state.idle.saturating_sub(1);
        state.jobs.pop_front()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the starter of threads")]
fn builder(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES)
}

/// A panic becomes a log line with its place; the message may hold a caller's data and is left out.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.up();
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        match panic.location() {
            Some(place) => log::error("panic", &[("thread", text(&name)), ("at", text(place))]),
            None => log::error("panic", &[("thread", text(&name))]),
        }
    }));
}

/// How many panics were reported.
pub(crate) fn panics() -> u64 {
    PANICS.get()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_worker_outlives_a_job_that_panics() {
        let crew = Crew::new("test");
        let (told, tell) = mpsc::channel();
        let first = told.clone();
        crew.submit(move || {
            first.send(std::thread::current().id()).unwrap();
            panic!("on purpose");
        })
        .unwrap();
        let before = tell.recv().unwrap();
        while crew.0.lock().idle == 0 {
            std::thread::yield_now();
        }
        crew.submit(move || told.send(std::thread::current().id()).unwrap()).unwrap();
        assert_eq!(tell.recv().unwrap(), before);
    }

    #[test]
    fn jobs_run_side_by_side_when_nobody_is_idle() {
        let crew = Crew::new("test");
        let (one, other) = (mpsc::sync_channel::<()>(0), mpsc::sync_channel::<()>(0));
        let (done, finished) = mpsc::channel();
        let second_done = done.clone();
        crew.submit(move || {
            one.0.send(()).unwrap();
            other.1.recv().unwrap();
            done.send(()).unwrap();
        })
        .unwrap();
        crew.submit(move || {
            one.1.recv().unwrap();
            other.0.send(()).unwrap();
            second_done.send(()).unwrap();
        })
        .unwrap();
        finished.recv().unwrap();
        finished.recv().unwrap();
    }

    #[test]
    fn the_end_of_a_resident_is_told_apart() {
        assert!(Resident::start("returns", || {}).unwrap().join());
        assert!(!Resident::start("panics", || panic!("on purpose")).unwrap().join());
    }
}
