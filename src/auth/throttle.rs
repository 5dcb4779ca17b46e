//! How often a peer may fail: so many times within a window that slides.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::net::listen::customer;
use crate::shared::Shared;

/// Remembers failures. Times are spans since any one moment.
pub(crate) struct Throttle {
    failures_max: usize,
    window: Duration,
    peers_max: usize,
    /// The second from which on every failure there was has left the window: until the next one
    /// nobody who asks takes the lock.
    quiet_from: AtomicU64,
    book: Shared<Book>,
}

/// Seconds until another attempt is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryAfter(pub(crate) u64);

#[derive(Default)]
struct Book {
    /// The latest failures of each peer, oldest first.
    failures: HashMap<IpAddr, VecDeque<Duration>>,
    /// Every peer by its last failure: who failed longest ago comes first.
    by_last: BTreeSet<(Duration, IpAddr)>,
}

impl Throttle {
    pub(crate) fn new(failures_max: usize, window_secs: u64, peers_max: usize) -> Self {
        let window = Duration::from_secs(window_secs);
        let quiet_from = AtomicU64::new(0);
        Self { failures_max, window, peers_max, quiet_from, book: Shared::new(Book::default()) }
    }

    /// Whether the peer may try. Asking changes nothing.
    pub(crate) fn check(&self, peer: IpAddr, now: Duration) -> Result<(), RetryAfter> {
        if now.as_secs() >= self.quiet_from.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.book.with(|book| {
            let failures = book.failures.get(&customer(peer)).into_iter().flatten();
            let mut ends = failures.map(|at| at.saturating_add(self.window)).filter(|end| *end > now);
            let Some(first) = ends.next() else { return Ok(()) };
            if ends.count().saturating_add(1) < self.failures_max {
                return Ok(());
            }
            let left = first.saturating_sub(now);
            Err(RetryAfter(left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))))
        })
    }

    /// The peer failed. In a full table whoever failed longest ago is forgotten for it.
    pub(crate) fn fail(&self, peer: IpAddr, now: Duration) {
        let peer = customer(peer);
        let ends = now.saturating_add(self.window).as_secs().saturating_add(1);
        self.quiet_from.fetch_max(ends, Ordering::Relaxed);
        self.book.with(|book| {
            book.forget_expired(self.window, now);
            if !book.failures.contains_key(&peer) && book.failures.len() >= self.peers_max {
                book.forget_first();
            }
            let failures = book.failures.entry(peer).or_default();
            let last = failures.back().copied();
            // Threads may come in another order than they read the clock.
            let at = last.map_or(now, |last| last.max(now));
            while failures.len() >= self.failures_max.max(1) {
                failures.pop_front();
            }
            failures.push_back(at);
            if let Some(last) = last {
                book.by_last.remove(&(last, peer));
            }
            book.by_last.insert((at, peer));
        });
    }
}

impl Book {
    fn forget_expired(&mut self, window: Duration, now: Duration) {
        while self.by_last.first().is_some_and(|(last, _)| last.saturating_add(window) <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, peer)) = self.by_last.pop_first() {
            self.failures.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_window_slides_with_every_failure() {
        let throttle = Throttle::new(3, 60, 10);
        let peer = ip("192.0.2.1");
        for (secs, before) in [(0, Ok(())), (30, Ok(())), (50, Ok(()))] {
            assert_eq!(throttle.check(peer, at(secs)), before, "{secs}");
            throttle.fail(peer, at(secs));
        }
        assert_eq!(throttle.check(peer, at(50)), Err(RetryAfter(10)));
        assert_eq!(throttle.check(peer, at(59)), Err(RetryAfter(1)));
        assert_eq!(throttle.check(peer, at(60)), Ok(()));
        throttle.fail(peer, at(61));
        // A window fixed at the first failure would have begun anew.
        assert_eq!(throttle.check(peer, at(61)), Err(RetryAfter(29)));
        assert_eq!(throttle.check(peer, at(90)), Ok(()));
    }

    #[test]
    fn the_wait_is_rounded_up_so_that_it_is_long_enough() {
        let throttle = Throttle::new(1, 60, 10);
        throttle.fail(ip("192.0.2.1"), Duration::from_millis(500));
        for (millis, outcome) in [
            (500, Err(RetryAfter(60))),
            (501, Err(RetryAfter(60))),
            (60_499, Err(RetryAfter(1))),
            (60_500, Ok(())),
        ] {
            assert_eq!(throttle.check(ip("192.0.2.1"), Duration::from_millis(millis)), outcome, "{millis}");
        }
    }

    #[test]
    fn ten_failures_are_answered_and_an_eleventh_attempt_is_not_looked_at() {
        let throttle = Throttle::new(10, 60, 10);
        let peer = ip("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(throttle.check(peer, at(5)), Ok(()));
            throttle.fail(peer, at(5));
        }
        assert_eq!(throttle.check(peer, at(5)), Err(RetryAfter(60)));
        assert_eq!(throttle.check(peer, at(5)), Err(RetryAfter(60)));
        assert_eq!(throttle.check(peer, at(65)), Ok(()));
    }

    #[test]
    fn one_customer_shares_its_count_and_no_other_does() {
        let throttle = Throttle::new(2, 60, 10);
        throttle.fail(ip("2001:db8:1:2::1"), at(0));
        throttle.fail(ip("2001:db8:1:2:ffff::9"), at(0));
        throttle.fail(ip("192.0.2.1"), at(0));
        throttle.fail(ip("::ffff:192.0.2.1"), at(0));
        for (peer, is_free) in [
            ("2001:db8:1:2::77", false),
            ("2001:db8:1:3::1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
        ] {
            assert_eq!(throttle.check(ip(peer), at(1)).is_ok(), is_free, "{peer}");
        }
    }

    #[test]
    fn a_full_table_forgets_who_failed_longest_ago_and_goes_on_counting() {
        let throttle = Throttle::new(2, 60, 3);
        let peers = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map(ip);
        for (secs, peer) in (0..).zip(&peers[..3]) {
            throttle.fail(*peer, at(secs));
        }
        // One that is known is counted although the table is full, and is no longer the oldest.
        throttle.fail(peers[0], at(5));
        assert!(throttle.check(peers[0], at(5)).is_err());
        throttle.fail(peers[3], at(6));
        throttle.fail(peers[3], at(6));
        assert!(throttle.check(peers[3], at(6)).is_err());
        assert!(throttle.check(peers[0], at(6)).is_err());
        throttle.book.with(|book| {
            assert!(!book.failures.contains_key(&peers[1]) && book.failures.contains_key(&peers[2]));
        });
    }

    #[test]
    fn memory_is_bounded_in_peers_and_in_failures() {
        let throttle = Throttle::new(10, 60, 100);
        for number in 0..5000_u32 {
            throttle.fail(IpAddr::V4((number % 250).into()), at(1));
            throttle.fail(ip("192.0.2.1"), at(1));
        }
        throttle.book.with(|book| {
            assert_eq!((book.failures.len(), book.by_last.len()), (100, 100));
            assert!(book.failures.values().all(|failures| failures.len() <= 10));
        });
        throttle.fail(ip("192.0.2.1"), at(61));
        throttle.book.with(|book| assert_eq!((book.failures.len(), book.by_last.len()), (1, 1)));
    }

    #[test]
    fn a_time_that_goes_back_frees_nobody() {
        let throttle = Throttle::new(2, 60, 10);
        throttle.fail(ip("192.0.2.1"), at(100));
        throttle.fail(ip("192.0.2.1"), at(90));
        assert_eq!(throttle.check(ip("192.0.2.1"), at(90)), Err(RetryAfter(70)));
        // Whoever is forgotten is forgotten by the latest failure, in whatever order they came.
        throttle.fail(ip("192.0.2.2"), at(155));
        assert_eq!(throttle.check(ip("192.0.2.1"), at(155)), Err(RetryAfter(5)));
        throttle.book.with(|book| assert_eq!((book.failures.len(), book.by_last.len()), (2, 2)));
    }
}
