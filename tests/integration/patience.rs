//! How long a test waits: every wait has a deadline, and says what it was waiting for.
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The outer deadline of every single wait. Far beyond anything expected: it only ends what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Holds a script back until the test lets it go on.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Returns once the gate is open.
    pub(crate) fn pass(&self) {
        let guard = self.0.0.lock().unwrap();
        let (guard, late) = self.0.1.wait_timeout_while(guard, PATIENCE, |open| !*open).unwrap();
        // Released first: a panic that holds it would take everybody else at the gate along.
        drop(guard);
        assert!(!late.timed_out(), "a gate stayed shut for {PATIENCE:?}");
    }
}
