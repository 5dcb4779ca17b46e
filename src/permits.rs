//! The only semaphore: a bounded number of places, each given back by drop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;

/// A bounded number of places.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Places>);

struct Places {
    max: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// Who waits: waking nobody costs a system call, too.
    waiting: usize,
}

/// A place was free; drop gives it back.
#[must_use]
pub(crate) struct Permit(Arc<Places>);

impl Permits {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Places { max, state: Mutex::default(), given_back: Condvar::new() }))
    }

    pub(crate) fn try_take(&self) -> Option<Permit> {
        self.take(&mut self.0.lock())
    }

    /// Waits a little for a place; the caller looks around and asks again.
    pub(crate) fn take_within(&self, span: Duration) -> Option<Permit> {
        self.take(&mut self.0.wait_while(span, |taken| taken >= self.0.max))
    }

    fn take(&self, state: &mut State) -> Option<Permit> {
        if state.taken >= self.0.max {
            return None;
        }
        state.taken = state.taken.saturating_add(1);
        Some(Permit(Arc::clone(&self.0)))
    }

    /// Waits until every place is free, or the deadline.
    pub(crate) fn wait_idle(&self, deadline: Deadline) -> bool {
        self.0.wait_while(deadline.left().unwrap_or(Duration::MAX), |taken| taken > 0).taken == 0
    }

    pub(crate) fn taken(&self) -> usize {
        self.0.lock().taken
    }

    /// How many places there are.
    pub(crate) fn max(&self) -> usize {
        self.0.max
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as so many taken places are too many, or until the time is over.
    fn wait_while(&self, span: Duration, is_too_many: impl Fn(usize) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_add(1);
        let waited = self.given_back.wait_timeout_while(state, span, |state| is_too_many(state.taken));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting = state.waiting.saturating_sub(1);
        state
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.taken = state.taken.saturating_sub(1);
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.0.given_back.notify_all();
        }
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
