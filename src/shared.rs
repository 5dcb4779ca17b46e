//! A mutex reached by closure, indifferent to poison.

use std::sync::{Mutex, PoisonError};

/// A value several threads take turns with. Code gets in only through [`Shared::with`], so no
/// guard outlives the closure; poison is ignored because every value behind it is replaced whole.
pub(crate) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn with<R>(&self, turn: impl FnOnce(&mut T) -> R) -> R {
        turn(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;

    #[test]
    fn a_panic_inside_does_not_lock_others_out() {
        let shared = Shared::new(1);
        let turn = std::panic::AssertUnwindSafe(|| shared.with(|_| panic!("inside")));
        assert!(std::panic::catch_unwind(turn).is_err());
        assert_eq!(shared.with(|n| *n), 1);
    }
}
