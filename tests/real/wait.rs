//! Waiting for a condition, never for a while; every wait has a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Generous: only a hang reaches it, not a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is asked for.
const PACE: Duration = Duration::from_millis(20);

/// What `condition` finds, or the end of the test when it finds nothing within `PATIENCE`.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        thread::sleep(PACE);
    }
}
