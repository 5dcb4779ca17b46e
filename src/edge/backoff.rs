//! How long to wait before the next attempt: longer each time, and never all agents at once.

use std::time::Duration;

/// The delays between attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next delay, drawn evenly between nothing and what it may be.
    pub(super) fn draw(&mut self) -> Duration {
        let most = self.next.min(self.longest);
        self.next = self.next.saturating_mul(2).min(self.longest);
        some_of(most)
    }

    /// A session was good: the next attempt is a first one again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Between nothing and all of a span, evenly.
fn some_of(span: Duration) -> Duration {
    let mut bytes = [0; 4];
    // Without randomness every agent waits as long, which is no harm to this one.
    if getrandom::fill(&mut bytes).is_err() {
        return span;
    }
    let (part, all) = (u64::from(u32::from_le_bytes(bytes)), u64::from(u32::MAX));
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.saturating_mul(part).checked_div(all).unwrap_or(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_begin_anew_after_a_good_session() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, longest);
        for most in [1, 2, 4, 5, 5, 5] {
            assert_eq!(backoff.next.min(longest).as_secs(), most);
            assert!(backoff.draw() <= Duration::from_secs(most));
        }
        backoff.reset();
        assert!(backoff.draw() <= first);
    }

    #[test]
    fn no_two_agents_wait_alike() {
        let span = Duration::from_secs(3600);
        let drawn: std::collections::BTreeSet<_> = (0..32).map(|_| some_of(span)).collect();
        assert!(drawn.len() > 16 && drawn.iter().all(|delay| *delay <= span));
    }
}
