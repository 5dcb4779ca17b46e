//! What is made when it is first wanted, and kept.

use std::sync::Arc;

use crate::shared::Shared;

/// Something that is made when it is first wanted, and anew where it is no longer good.
pub(super) struct Kept<T>(Shared<Option<Arc<T>>>);

impl<T> Kept<T> {
    pub(super) const fn new() -> Self {
        Self(Shared::new(None))
    }

    /// Nobody waits while it is made: where several make it at once, the last one is kept.
    pub(super) fn get<E>(
        &self,
        is_good: fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some(kept) = self.0.with(|kept| kept.clone()).filter(|kept| is_good(kept)) {
            return Ok(kept);
        }
        let made = Arc::new(make()?);
        self.0.with(|kept| *kept = Some(Arc::clone(&made)));
        Ok(made)
    }

    pub(super) fn forget(&self) {
        // Dropped after the turn: what goes with it takes its time.
        drop(self.0.with(Option::take));
    }
}
