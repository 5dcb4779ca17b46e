//! Is the Engine there? One probe at a time; everyone who asks meanwhile shares its outcome.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Content;
use super::call::{Ask, Patience};
use super::line::Line;
use super::{Docker, Error};
use crate::clock;
use crate::http::{Method, Status};
use crate::limits::{PROBE_FRESH_MILLIS, PROBE_SECS};
use crate::log::{self, text};

/// What is known of the Engine, and whether somebody is just finding out.
#[derive(Default)]
pub(super) struct Readiness {
    state: Mutex<State>,
    probed: Condvar,
}

#[derive(Default)]
struct State {
    is_probing: bool,
    /// When it was probed last, and whether it answered.
    last: Option<(Instant, bool)>,
    /// The newest version of the API it spoke of, `1.41` as 41.
    newest_minor: Option<u8>,
}

impl Docker {
    /// Asks the Engine whether it is there, or whoever asked it just now.
    pub(crate) fn is_ready(&self) -> bool {
        let Some(_probing) = self.readiness.begin() else { return self.readiness.outcome() };
        let outcome = self.probe();
        self.tell(&outcome);
        self.readiness.settle(&outcome);
        outcome.is_ok()
    }

    /// Whether the Engine speaks this version of its API, as far as it told; asked anew before the
    /// answer is no, because it may have been replaced by a newer one. One that never told is away,
    /// and whoever calls it is told so.
    pub(crate) fn speaks(&self, minor: u8) -> bool {
        let speaks = || self.readiness.lock().newest_minor.is_none_or(|newest| minor <= newest);
        let is_known = self.readiness.lock().newest_minor.is_some();
        (is_known && speaks()) || {
            self.is_ready();
            speaks()
        }
    }

    /// The Engine's API version, which is asked anew each time: it may have been replaced.
    fn probe(&self) -> Result<String, Error> {
        let ask =
            Ask::new(Vec::new(), Method::Get, "/_ping", Patience::Within(Duration::from_secs(PROBE_SECS)));
        let answer = self.call(&mut Line::default(), ask)?;
        match answer.content {
            Content::Incoming(_) if answer.status == Status::OK => {
                Ok(answer.fields.value("api-version").unwrap_or("unknown").to_owned())
            }
            Content::Incoming(_) => Err(Error::Refused(answer.status)),
            Content::Hijacked(_) => Err(Error::Switched),
        }
    }

    /// Changes are news; the rest is not.
    fn tell(&self, outcome: &Result<String, Error>) {
        let before = self.readiness.lock().last.map(|(_, is_ready)| is_ready);
        let engine = &self.address;
        match outcome {
            Ok(version) if before != Some(true) => {
                log::info("engine.reachable", &[("engine", text(engine)), ("api", text(version))]);
            }
            Err(error) if before != Some(false) => {
                log::warn("engine.unreachable", &[("engine", text(engine)), ("error", text(error))]);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// This caller probes. Drop, even by panic, lets the next one.
struct Probing<'r>(&'r Readiness);

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        self.0.lock().is_probing = false;
        self.0.probed.notify_all();
    }
}

impl Readiness {
    /// `None` when an outcome is, or becomes, available without probing.
    fn begin(&self) -> Option<Probing<'_>> {
        let mut state = self.lock();
        if state.is_probing {
            let span = Duration::from_secs(PROBE_SECS);
            let waited = self.probed.wait_timeout_while(state, span, |state| state.is_probing);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            return None;
        }
        let fresh = Duration::from_millis(PROBE_FRESH_MILLIS);
        if state.last.is_some_and(|(at, _)| clock::now().saturating_duration_since(at) < fresh) {
            return None;
        }
        state.is_probing = true;
        Some(Probing(self))
    }

    fn settle(&self, outcome: &Result<String, Error>) {
        let mut state = self.lock();
        state.last = Some((clock::now(), outcome.is_ok()));
        if let Ok(version) = outcome {
            state.newest_minor = version.strip_prefix("1.").and_then(|minor| minor.parse().ok());
        }
    }

    fn outcome(&self) -> bool {
        self.lock().last.is_some_and(|(_, is_ready)| is_ready)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probes_and_the_others_share_its_outcome() {
        let readiness = Readiness::default();
        let probing = readiness.begin().unwrap();
        std::thread::scope(|scope| {
            let others: Vec<_> =
                (0..8).map(|_| scope.spawn(|| readiness.begin().is_none() && readiness.outcome())).collect();
            readiness.settle(&Ok("1.41".to_owned()));
            drop(probing);
            assert!(others.into_iter().all(|other| other.join().unwrap()));
        });
        assert!(readiness.begin().is_none());
    }
}
