//! Nonces that were used, kept for as long as a copy of their request could pass.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::key::KeyId;
use crate::shared::Shared;

pub(crate) type Nonce = [u8; 16];

/// What every key has used up. One key's excess is no other key's trouble. Times are seconds.
pub(crate) struct Nonces {
    per_key_max: usize,
    used: Shared<HashMap<KeyId, Used>>,
}

#[derive(Default)]
struct Used {
    nonces: HashSet<Nonce>,
    /// The same by the second in which they may be forgotten.
    by_expiry: BTreeMap<u64, Vec<Nonce>>,
    /// Everything that expires by then is forgotten. It never goes back, though a clock may.
    forgotten_to: u64,
}

/// Why a nonce was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Replay,
    /// The key used so many that remembering one more would mean forgetting one too early.
    Full,
    /// It would be forgotten at once: its request took longer than its timestamp is good for.
    Late,
}

impl Nonces {
    pub(crate) fn new(per_key_max: usize) -> Self {
        Self { per_key_max, used: Shared::new(HashMap::new()) }
    }

    /// A first look that saves work. [`Nonces::insert`] is what decides.
    pub(crate) fn has(&self, key: KeyId, nonce: &Nonce) -> bool {
        self.used.with(|keys| keys.get(&key).is_some_and(|used| used.nonces.contains(nonce)))
    }

    /// Takes a nonce once, for a request whose signature was verified.
    pub(crate) fn insert(&self, key: KeyId, nonce: Nonce, expires: u64, now: u64) -> Result<(), Refused> {
        self.used.with(|keys| {
            let used = keys.entry(key).or_default();
            used.sweep(now);
            if used.nonces.contains(&nonce) {
                return Err(Refused::Replay);
            }
            if expires <= used.forgotten_to {
                return Err(Refused::Late);
            }
            if used.nonces.len() >= self.per_key_max {
                return Err(Refused::Full);
            }
            used.nonces.insert(nonce);
            used.by_expiry.entry(expires).or_default().push(nonce);
            Ok(())
        })
    }

    /// Drops keys that are known no more, each once nothing of it could be replayed if it came back.
    pub(crate) fn forget(&self, is_known: impl Fn(KeyId) -> bool, now: u64) {
        self.used.with(|keys| {
            keys.retain(|key, used| {
                used.sweep(now);
                !used.nonces.is_empty() || is_known(*key)
            });
        });
    }
}

impl Used {
    fn sweep(&mut self, now: u64) {
        self.forgotten_to = self.forgotten_to.max(now);
        while let Some(second) = self.by_expiry.first_entry().filter(|second| *second.key() <= now) {
            for nonce in second.remove() {
                self.nonces.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn key(digit: char) -> KeyId {
        KeyId::parse(&digit.to_string().repeat(16)).unwrap()
    }

    fn nonce(number: u32) -> Nonce {
        u128::from(number).to_be_bytes()
    }

    #[test]
    fn a_nonce_is_taken_once_for_each_key() {
        let nonces = Nonces::new(10);
        assert!(!nonces.has(key('a'), &nonce(1)));
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 100), Ok(()));
        assert!(nonces.has(key('a'), &nonce(1)) && !nonces.has(key('b'), &nonce(1)));
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 100), Err(Refused::Replay));
        assert_eq!(nonces.insert(key('a'), nonce(1), 190, 130), Err(Refused::Replay));
        assert_eq!(nonces.insert(key('a'), nonce(2), 161, 100), Ok(()));
        assert_eq!(nonces.insert(key('b'), nonce(1), 161, 100), Ok(()));
    }

    #[test]
    fn of_fifty_at_once_exactly_one_is_taken() {
        let (nonces, start) = (Nonces::new(100), Barrier::new(50));
        for round in 0..20 {
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let insert = || {
                    start.wait();
                    nonces.insert(key('a'), nonce(round), 161, 100)
                };
                let threads: Vec<_> = (0..50).map(|_| scope.spawn(insert)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(Refused::Replay)).count(), 49);
        }
    }

    #[test]
    fn a_request_stamped_ahead_is_a_replay_until_its_stamp_is_too_old() {
        let (skew, now) = (60, 1000);
        let stamp = now + skew - 1;
        let expires = stamp + skew + 1;
        let nonces = Nonces::new(10);
        assert_eq!(nonces.insert(key('a'), nonce(1), expires, now), Ok(()));
        for (number, later) in (2..).zip([now + skew, now + skew + 1, stamp + skew]) {
            assert_eq!(nonces.insert(key('a'), nonce(number), later + 1, later), Ok(()));
            assert!(nonces.has(key('a'), &nonce(1)), "{later}");
            assert_eq!(nonces.insert(key('a'), nonce(1), expires, later), Err(Refused::Replay), "{later}");
        }
        // From here on the timestamp alone is refused, and so is the nonce.
        assert_eq!(nonces.insert(key('a'), nonce(1), expires, expires), Err(Refused::Late));
        assert!(!nonces.has(key('a'), &nonce(1)));
    }

    #[test]
    fn a_full_key_is_refused_alone_and_only_until_one_expires() {
        let nonces = Nonces::new(3);
        for (number, expires) in [(1, 150), (2, 160), (3, 160)] {
            assert_eq!(nonces.insert(key('a'), nonce(number), expires, 100), Ok(()));
        }
        assert_eq!(nonces.insert(key('a'), nonce(4), 160, 149), Err(Refused::Full));
        assert_eq!(nonces.insert(key('a'), nonce(1), 150, 149), Err(Refused::Replay));
        assert_eq!(nonces.insert(key('b'), nonce(4), 160, 149), Ok(()));
        assert_eq!(nonces.insert(key('a'), nonce(4), 160, 150), Ok(()));
        assert_eq!(nonces.insert(key('a'), nonce(5), 161, 150), Err(Refused::Full));
    }

    #[test]
    fn what_was_forgotten_is_not_taken_again_when_the_clock_goes_back() {
        let nonces = Nonces::new(10);
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 100), Ok(()));
        assert_eq!(nonces.insert(key('a'), nonce(2), 3761, 3700), Ok(()));
        assert!(!nonces.has(key('a'), &nonce(1)));
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 101), Err(Refused::Late));
    }

    #[test]
    fn of_two_slow_copies_the_one_that_outlives_the_stamp_is_refused() {
        let nonces = Nonces::new(10);
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 160), Ok(()));
        assert_eq!(nonces.insert(key('a'), nonce(1), 161, 300), Err(Refused::Late));
    }

    #[test]
    fn a_removed_key_is_dropped_once_nothing_of_it_can_be_replayed() {
        let nonces = Nonces::new(10);
        for key in [key('a'), key('b')] {
            assert_eq!(nonces.insert(key, nonce(1), 161, 100), Ok(()));
        }
        nonces.forget(|known| known == key('a'), 160);
        assert!(nonces.has(key('b'), &nonce(1)));
        nonces.forget(|known| known == key('a'), 161);
        nonces.used.with(|keys| assert_eq!(keys.keys().collect::<Vec<_>>(), [&key('a')]));
    }
}
