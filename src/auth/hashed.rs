//! Tokens known only by their hash: few derivations at once, shared by those who show the same
//! token, and none at all for a token that was good before.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::phc::Phc;
use crate::clock::Deadline;
use crate::limits::ARGON2_WAITING_MAX;
use crate::permits::{Permit, Permits};

type Fingerprint = [u8; 32];
type Outcome = Result<(), HashDenied>;

/// Hashes, and the fingerprint of the token behind each, once it was shown.
pub(crate) struct Hashed {
    hashes: Vec<Slot>,
    /// Derivations at once; shared by every set of hashes this process ever holds.
    places: Permits,
    desk: Mutex<Desk>,
    landed: Condvar,
}

/// Why a candidate was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashDenied {
    Wrong,
    /// Too many wait already, or the deadline passed first. It says nothing about the candidate.
    Busy,
}

/// A hash, and the fingerprint of its token once somebody showed it.
struct Slot {
    phc: Phc,
    shown: OnceLock<Fingerprint>,
}

/// Who derives and how many wait.
#[derive(Default)]
struct Desk {
    flights: Vec<Arc<Flight>>,
    waiting: usize,
}

/// A derivation that is under way or waits for its place.
struct Flight {
    candidate: Fingerprint,
    outcome: OnceLock<Outcome>,
}

/// Who derives for a caller.
enum Way<'h> {
    Ours(Pilot<'h>),
    Theirs(Arc<Flight>, Seat<'h>),
}

impl Hashed {
    /// `places` outlives a reload: the derivations of an old set count beside those of the new one.
    pub(crate) fn new(hashes: Vec<Phc>, places: Permits) -> Self {
        let hashes = hashes.into_iter().map(|phc| Slot { phc, shown: OnceLock::new() }).collect();
        Self { hashes, places, desk: Mutex::default(), landed: Condvar::new() }
    }

    /// Whether the candidate is one of the hashed tokens.
    pub(crate) fn check(&self, candidate: &[u8], deadline: Deadline) -> Outcome {
        self.check_by(candidate, deadline, Phc::verify)
    }

    fn check_by(
        &self,
        candidate: &[u8],
        deadline: Deadline,
        verify: impl Fn(&Phc, &[u8]) -> bool,
    ) -> Outcome {
        let fingerprint = Sha256::digest(candidate).into();
        loop {
            if let Some(outcome) = self.known(&fingerprint) {
                return outcome;
            }
            match self.way(fingerprint)? {
                Way::Ours(pilot) => return pilot.fly(deadline, |phc| verify(phc, candidate)),
                Way::Theirs(flight, seat) => {
                    if let Some(outcome) = seat.wait(&flight, deadline)? {
                        return outcome;
                    }
                    // Whoever derived gave up; somebody else has to.
                }
            }
        }
    }

    /// What can be said without a derivation and without a lock: that the token was shown before, or
    /// that every hash has its token and this is none of them.
    fn known(&self, candidate: &Fingerprint) -> Option<Outcome> {
        // Every fingerprint is compared, whichever matches: the time tells nothing.
        let mut matches = Choice::from(0);
        let mut are_all_shown = true;
        for slot in &self.hashes {
            match slot.shown.get() {
                Some(shown) => matches |= shown.ct_eq(candidate),
                None => are_all_shown = false,
            }
        }
        if bool::from(matches) {
            return Some(Ok(()));
        }
        are_all_shown.then_some(Err(HashDenied::Wrong))
    }

    fn way(&self, candidate: Fingerprint) -> Result<Way<'_>, HashDenied> {
        let mut desk = self.lock();
        let same = |flight: &&Arc<Flight>| bool::from(flight.candidate.ct_eq(&candidate));
        if let Some(flight) = desk.flights.iter().find(same).map(Arc::clone) {
            return Ok(Way::Theirs(flight, self.seat(&mut desk)?));
        }
        let flight = Arc::new(Flight { candidate, outcome: OnceLock::new() });
        desk.flights.push(Arc::clone(&flight));
        Ok(Way::Ours(Pilot { hashed: self, flight }))
    }

    /// A place to derive in, at once or from the queue.
    fn place(&self, deadline: Deadline) -> Result<Permit, HashDenied> {
        if let Some(place) = self.places.try_take() {
            return Ok(place);
        }
        let seat = self.seat(&mut self.lock())?;
        let place = self.places.take_within(patience(deadline));
        drop(seat);
        place.ok_or(HashDenied::Busy)
    }

    fn seat(&self, desk: &mut Desk) -> Result<Seat<'_>, HashDenied> {
        if desk.waiting >= ARGON2_WAITING_MAX {
            return Err(HashDenied::Busy);
        }
        desk.waiting = desk.waiting.saturating_add(1);
        Ok(Seat(self))
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller that derives. Drop, even by panic, ends the flight.
struct Pilot<'h> {
    hashed: &'h Hashed,
    flight: Arc<Flight>,
}

impl Pilot<'_> {
    fn fly(self, deadline: Deadline, matches: impl Fn(&Phc) -> bool) -> Outcome {
        let place = self.hashed.place(deadline)?;
        let candidate = self.flight.candidate;
        // While this one waited, others were shown.
        let outcome = self.hashed.known(&candidate).unwrap_or_else(|| {
            let mut open = self.hashed.hashes.iter().filter(|slot| slot.shown.get().is_none());
            let found = open.find(|slot| matches(&slot.phc)).ok_or(HashDenied::Wrong)?;
            found.shown.get_or_init(|| candidate);
            Ok(())
        });
        drop(place);
        // Those who wait read it as soon as `self` is dropped.
        *self.flight.outcome.get_or_init(|| outcome)
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        self.hashed.lock().flights.retain(|flight| !Arc::ptr_eq(flight, &self.flight));
        self.hashed.landed.notify_all();
    }
}

/// A place in the queue. Drop gives it back.
struct Seat<'h>(&'h Hashed);

impl Seat<'_> {
    /// The outcome of another's derivation; `None` when it ended without one.
    fn wait(self, flight: &Arc<Flight>, deadline: Deadline) -> Result<Option<Outcome>, HashDenied> {
        let is_flying = |desk: &mut Desk| desk.flights.iter().any(|other| Arc::ptr_eq(other, flight));
        let waited = self.0.landed.wait_timeout_while(self.0.lock(), patience(deadline), is_flying);
        let (desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // The seat's drop takes this very lock.
        drop(desk);
        match flight.outcome.get() {
            Some(outcome) => Ok(Some(*outcome)),
            None if deadline.passed() => Err(HashDenied::Busy),
            None => Ok(None),
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut desk = self.0.lock();
        desk.waiting = desk.waiting.saturating_sub(1);
    }
}

fn patience(deadline: Deadline) -> Duration {
    deadline.left().unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::limits::ARGON2_AT_ONCE_MAX;

    const ENOUGH: u64 = 60;

    /// The hashes of "first" and, if asked for, "second": as cheap as Argon2 gets.
    const FIRST: &str = "$argon2id$v=19$m=8,t=1,p=1$OCBieXRlcyE$9iBLGnTfD2rIzDrbtiPM7w";
    const SECOND: &str = "$argon2id$v=19$m=8,t=1,p=1$OCBieXRlcyE$rLgEQG7MAXr/SGkK1JO2kQ";

    fn hashed(hashes: &[&str]) -> Hashed {
        let hashes = hashes.iter().map(|text| Phc::parse(text).ok().unwrap());
        Hashed::new(hashes.collect(), Permits::new(ARGON2_AT_ONCE_MAX))
    }

    fn until(is_so: impl Fn() -> bool) {
        let deadline = Deadline::after_secs(ENOUGH);
        while !is_so() {
            assert!(!deadline.passed(), "it does not come to that");
            std::thread::yield_now();
        }
    }

    /// The outcome, and how many hashes were derived against for it.
    fn counted(hashed: &Hashed, candidate: &str) -> (Outcome, usize) {
        let count = AtomicUsize::new(0);
        let outcome =
            hashed.check_by(candidate.as_bytes(), Deadline::after_secs(ENOUGH), |phc, candidate| {
                count.fetch_add(1, Ordering::SeqCst);
                phc.verify(candidate)
            });
        (outcome, count.into_inner())
    }

    fn is_at_rest(hashed: &Hashed) -> bool {
        let desk = hashed.lock();
        desk.flights.is_empty() && desk.waiting == 0 && hashed.places.taken() == 0
    }

    #[test]
    fn a_burst_of_twenty_valid_clients_takes_one_derivation_and_refuses_nobody() {
        let hashed = hashed(&[FIRST]);
        let count = AtomicUsize::new(0);
        let verify = |phc: &Phc, candidate: &[u8]| {
            count.fetch_add(1, Ordering::SeqCst);
            until(|| hashed.lock().waiting == 19);
            phc.verify(candidate)
        };
        std::thread::scope(|scope| {
            let check = || hashed.check_by(b"first", Deadline::after_secs(ENOUGH), verify);
            let callers: Vec<_> = (0..20).map(|_| scope.spawn(check)).collect();
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == Ok(())));
        });
        assert_eq!(count.into_inner(), 1);
        assert!(is_at_rest(&hashed));
    }

    #[test]
    fn once_the_only_token_was_shown_nothing_is_derived_any_more() {
        let hashed = hashed(&[FIRST]);
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 1));
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 1));
        assert_eq!(counted(&hashed, "first"), (Ok(()), 1));
        assert_eq!(counted(&hashed, "first"), (Ok(()), 0));
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 0));
    }

    #[test]
    fn a_candidate_is_derived_only_against_hashes_whose_token_was_not_shown() {
        let hashed = hashed(&[FIRST, SECOND]);
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 2));
        assert_eq!(counted(&hashed, "first"), (Ok(()), 1));
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 1));
        assert_eq!(counted(&hashed, "second"), (Ok(()), 1));
        assert_eq!(counted(&hashed, "wrong"), (Err(HashDenied::Wrong), 0));
        assert_eq!((counted(&hashed, "first"), counted(&hashed, "second")), ((Ok(()), 0), (Ok(()), 0)));
    }

    #[test]
    fn without_a_hash_every_candidate_is_wrong() {
        assert_eq!(counted(&hashed(&[]), ""), (Err(HashDenied::Wrong), 0));
    }

    #[test]
    fn no_more_than_two_derive_at_once_and_the_others_wait() {
        let hashed = hashed(&[FIRST]);
        let (at_once, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let may_go = AtomicBool::new(false);
        let verify = |_: &Phc, _: &[u8]| {
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            until(|| may_go.load(Ordering::SeqCst));
            at_once.fetch_sub(1, Ordering::SeqCst);
            false
        };
        std::thread::scope(|scope| {
            let check =
                |candidate: &str| hashed.check_by(candidate.as_bytes(), Deadline::after_secs(ENOUGH), verify);
            let callers: Vec<_> =
                ["a", "b", "c", "d", "e"].iter().map(|one| scope.spawn(move || check(one))).collect();
            until(|| hashed.lock().waiting == 3 && at_once.load(Ordering::SeqCst) == ARGON2_AT_ONCE_MAX);
            may_go.store(true, Ordering::SeqCst);
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == Err(HashDenied::Wrong)));
        });
        assert_eq!(most.into_inner(), ARGON2_AT_ONCE_MAX);
        assert!(is_at_rest(&hashed));
    }

    #[test]
    fn a_caller_whose_deadline_passes_is_told_that_it_is_busy() {
        let hashed = hashed(&[FIRST]);
        let places = [hashed.places.try_take().unwrap(), hashed.places.try_take().unwrap()];
        assert_eq!(hashed.check(b"first", Deadline::after(Duration::ZERO)), Err(HashDenied::Busy));
        let Ok(Way::Ours(pilot)) = hashed.way(Sha256::digest(b"first").into()) else { panic!("a first") };
        assert_eq!(hashed.check(b"first", Deadline::after(Duration::ZERO)), Err(HashDenied::Busy));
        drop((places, pilot));
        assert_eq!(hashed.check(b"first", Deadline::after(Duration::ZERO)), Ok(()));
        assert!(is_at_rest(&hashed));
    }

    #[test]
    fn beyond_the_last_seat_nobody_waits() {
        let hashed = hashed(&[FIRST]);
        let never = Deadline::NEVER;
        let places = [hashed.places.try_take().unwrap(), hashed.places.try_take().unwrap()];
        hashed.lock().waiting = ARGON2_WAITING_MAX;
        assert_eq!(hashed.check(b"other", never), Err(HashDenied::Busy));
        let Ok(Way::Ours(pilot)) = hashed.way(Sha256::digest(b"first").into()) else { panic!("a first") };
        assert_eq!(hashed.check(b"first", never), Err(HashDenied::Busy));
        drop((places, pilot));
        // Who need not wait needs no seat.
        assert_eq!(hashed.check(b"first", never), Ok(()));
        assert_eq!(hashed.lock().waiting, ARGON2_WAITING_MAX);
    }

    #[test]
    fn a_derivation_that_panics_frees_its_place() {
        let hashed = hashed(&[FIRST]);
        for _ in 0..=ARGON2_AT_ONCE_MAX {
            let check = || hashed.check_by(b"first", Deadline::NEVER, |_, _| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(check)).is_err());
            assert!(is_at_rest(&hashed));
        }
        assert_eq!(counted(&hashed, "first"), (Ok(()), 1));
    }

    #[test]
    fn a_caller_that_waited_for_one_who_gave_up_derives_itself() {
        let hashed = hashed(&[FIRST]);
        let Ok(Way::Ours(pilot)) = hashed.way(Sha256::digest(b"first").into()) else { panic!("a first") };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| counted(&hashed, "first"));
            until(|| hashed.lock().waiting == 1);
            drop(pilot);
            assert_eq!(waiting.join().unwrap(), (Ok(()), 1));
        });
        assert!(is_at_rest(&hashed));
    }

    #[test]
    fn a_candidate_that_waited_while_the_only_token_was_shown_is_wrong_at_once() {
        let hashed = hashed(&[FIRST]);
        let Ok(Way::Ours(pilot)) = hashed.way(Sha256::digest(b"wrong").into()) else { panic!("a first") };
        assert_eq!(hashed.check(b"first", Deadline::NEVER), Ok(()));
        assert_eq!(pilot.fly(Deadline::NEVER, |_| panic!("a derivation")), Err(HashDenied::Wrong));
    }
}
