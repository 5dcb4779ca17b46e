//! One operation at a time on a stack: its name and its directory are each somebody's, or nobody's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::permits::{Permit, Permits};
use crate::shared::Shared;

/// Which stacks are worked on, by name and by directory.
#[derive(Clone)]
pub(super) struct Stacks(Arc<Shared<HashMap<String, Permits>>>);

/// A name that is ours until drop.
pub(super) struct Lock {
    stacks: Stacks,
    name: String,
    permit: Option<Permit>,
}

impl Stacks {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared::new(HashMap::new())))
    }

    /// Waits a little for a name; the caller looks around and asks again.
    pub(super) fn take_within(&self, name: &str, span: Duration) -> Option<Lock> {
        let permits = self.0.with(|stacks| match stacks.get(name) {
            Some(permits) => permits.clone(),
            None => stacks.entry(name.to_owned()).or_insert_with(|| Permits::new(1)).clone(),
        });
        let permit = permits.take_within(span);
        drop(permits);
        // Made before it is known whether it was got: its drop takes a name away that nobody wants any more.
        let lock = Lock { stacks: self.clone(), name: name.to_owned(), permit };
        lock.permit.is_some().then_some(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.permit = None;
        self.stacks.0.with(|stacks| {
            // Whoever waits has a clone, which keeps the entry.
            if stacks.get(&self.name).is_some_and(Permits::is_forgotten) {
                stacks.remove(&self.name);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_callers_at_a_time_and_forgotten_afterwards() {
        let stacks = Stacks::new();
        let count = || stacks.0.with(|stacks| stacks.len());
        let first = stacks.take_within("web", Duration::ZERO).unwrap();
        assert!(stacks.take_within("web", Duration::ZERO).is_none());
        assert!(stacks.take_within("db", Duration::ZERO).is_some());
        assert_eq!(count(), 1, "only the one that is held is known");
        drop(first);
        assert_eq!(count(), 0);
        assert!(stacks.take_within("web", Duration::ZERO).is_some());
    }

    #[test]
    fn who_waits_gets_it_when_it_is_given_back() {
        let stacks = Stacks::new();
        let first = stacks.take_within("web", Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| stacks.take_within("web", Duration::from_secs(60)).is_some());
            drop(first);
            assert!(waiter.join().unwrap());
        });
    }
}
