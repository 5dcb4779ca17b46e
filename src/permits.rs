//! The only semaphore: a bounded number of places, each given back by drop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;

/// A bounded number of places.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Places>);

struct Places {
    max: usize,
    taken: Mutex<usize>,
    given_back: Condvar,
}

/// A place was free; drop gives it back.
#[must_use]
pub(crate) struct Permit(Arc<Places>);

impl Permits {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Places { max, taken: Mutex::new(0), given_back: Condvar::new() }))
    }

    pub(crate) fn try_take(&self) -> Option<Permit> {
        let mut taken = self.0.lock();
        if *taken >= self.0.max {
            return None;
        }
        *taken = taken.saturating_add(1);
        Some(Permit(Arc::clone(&self.0)))
    }

    /// Waits a little for a place; the caller looks around and asks again.
    pub(crate) fn take_within(&self, span: Duration) -> Option<Permit> {
        let full = |taken: &mut usize| *taken >= self.0.max;
        let waited = self.0.given_back.wait_timeout_while(self.0.lock(), span, full);
        let (mut taken, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        if outcome.timed_out() && *taken >= self.0.max {
            return None;
        }
        *taken = taken.saturating_add(1);
        Some(Permit(Arc::clone(&self.0)))
    }

    /// Waits until every place is free, or the deadline.
    pub(crate) fn wait_idle(&self, deadline: Deadline) -> bool {
        let span = deadline.left().unwrap_or(Duration::MAX);
        let waited = self.0.given_back.wait_timeout_while(self.0.lock(), span, |taken| *taken > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    pub(crate) fn taken(&self) -> usize {
        *self.0.lock()
    }

    /// How many places there are.
    pub(crate) fn max(&self) -> usize {
        self.0.max
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.0.lock();
        *taken = taken.saturating_sub(1);
        drop(taken);
        self.0.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_is_refused_until_one_is_given_back() {
        let permits = Permits::new(2);
        let first = permits.try_take().unwrap();
        let _second = permits.try_take().unwrap();
        assert!(permits.try_take().is_none());
        assert!(permits.take_within(Duration::ZERO).is_none());
        drop(first);
        assert_eq!(permits.taken(), 1);
        assert!(permits.take_within(Duration::ZERO).is_some());
    }

    #[test]
    fn idle_means_that_every_place_is_free() {
        let permits = Permits::new(1);
        assert!(permits.wait_idle(Deadline::after(Duration::ZERO)));
        let permit = permits.try_take().unwrap();
        assert!(!permits.wait_idle(Deadline::after(Duration::ZERO)));
        drop(permit);
        assert!(permits.wait_idle(Deadline::NEVER));
    }
}
