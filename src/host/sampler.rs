//! Figures on a tick of their own: how often somebody asks does not change what is told.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sample::{Machine, Sample, Settings};
use crate::clock;
use crate::limits::{HOST_ASKED_SECS, HOST_FIRST_MILLIS, HOST_TICK_SECS, HOST_WAIT_MILLIS};

/// This machine's figures. One thread takes them while somebody asks, and sleeps otherwise.
pub(crate) struct Host {
    machine: Machine,
    pace: Pace,
    state: Mutex<State>,
    turned: Condvar,
}

/// How long what lasts.
struct Pace {
    /// Between the two moments of a first sample.
    first: Duration,
    /// Between a sample and the next.
    tick: Duration,
    /// From the last question to the end of sampling.
    asked: Duration,
}

#[derive(Default)]
struct State {
    asked: Option<Instant>,
    latest: Option<Sample>,
    is_over: bool,
}

impl Host {
    pub(crate) fn new(settings: Settings) -> Self {
        let pace = Pace {
            first: Duration::from_millis(HOST_FIRST_MILLIS),
            tick: Duration::from_secs(HOST_TICK_SECS),
            asked: Duration::from_secs(HOST_ASKED_SECS),
        };
        Self::paced(settings, pace)
    }

    fn paced(settings: Settings, pace: Pace) -> Self {
        Self { machine: Machine::new(settings), pace, state: Mutex::default(), turned: Condvar::new() }
    }

    /// The latest figures. Whoever asks after a while waits for them; in vain, they are all 0.
    pub(crate) fn sample(&self) -> Sample {
        let mut state = self.lock();
        state.asked = Some(clock::now());
        self.turned.notify_all();
        let span = Duration::from_millis(HOST_WAIT_MILLIS);
        let is_missing = |state: &mut State| state.latest.is_none() && !state.is_over;
        let waited = self.turned.wait_timeout_while(state, span, is_missing);
        waited.unwrap_or_else(PoisonError::into_inner).0.latest.unwrap_or_default()
    }

    /// Where the Engine keeps its data, as it says itself: the disk that is told of.
    pub(crate) fn learn_engine_data(&self, folder: &str) {
        self.machine.learn_engine_data(folder);
    }

    /// The work of the resident that takes samples; returns once [`Host::close`] was called.
    pub(crate) fn keep(&self) {
        while self.wait_until_asked() {
            let mut before = self.machine.ticks();
            let mut span = self.pace.first;
            while self.pause(span) && self.is_asked() {
                let sample;
                (sample, before) = self.machine.sample_since(before);
                span = self.pace.tick;
                self.lock().latest = Some(sample);
                self.turned.notify_all();
            }
        }
    }

    /// Ends the sampling, and every wait for it.
    pub(crate) fn close(&self) {
        self.lock().is_over = true;
        self.turned.notify_all();
    }

    /// False when it is over.
    fn wait_until_asked(&self) -> bool {
        let is_idle = |state: &mut State| state.asked.is_none() && !state.is_over;
        let state = self.turned.wait_while(self.lock(), is_idle);
        !state.unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// False when it is over.
    fn pause(&self, span: Duration) -> bool {
        let waited = self.turned.wait_timeout_while(self.lock(), span, |state| !state.is_over);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Whether somebody asked lately. If not, nobody is told old figures later.
    fn is_asked(&self) -> bool {
        let mut state = self.lock();
        let is_asked =
            state.asked.is_some_and(|at| clock::now().saturating_duration_since(at) <= self.pace.asked);
        if !is_asked {
            *state = State { is_over: state.is_over, ..State::default() };
        }
        is_asked
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::clock::Deadline;

    fn host(tick: Duration, asked: Duration) -> Host {
        let settings = Settings { proc: None, disk: None, skips_disk: true };
        Host::paced(settings, Pace { first: Duration::from_millis(1), tick, asked })
    }

    fn within_a_minute(what: &str, is_so: impl Fn() -> bool) {
        let deadline = Deadline::after_secs(60);
        while !is_so() {
            assert!(!deadline.passed(), "{what}");
            thread::yield_now();
        }
    }

    /// Ends the sampling also where an assertion fails, which would wait for its end.
    struct Closing<'h>(&'h Host);

    impl Drop for Closing<'_> {
        fn drop(&mut self) {
            self.0.close();
        }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn the_first_to_ask_waits_for_figures_and_the_next_are_told_the_same() {
        let host = host(LONG, LONG);
        thread::scope(|scope| {
            scope.spawn(|| host.keep());
            let _closing = Closing(&host);
            within_a_minute("no figures", || host.sample() != Sample::default());
            assert_eq!(host.sample(), host.sample());
        });
    }

    #[test]
    fn while_somebody_asks_there_are_new_figures_on_every_tick() {
        let host = host(Duration::from_millis(1), LONG);
        thread::scope(|scope| {
            scope.spawn(|| host.keep());
            let _closing = Closing(&host);
            within_a_minute("no figures", || host.sample() != Sample::default());
            let first = host.sample();
            within_a_minute("no new figures", || host.sample() != first);
        });
    }

    #[test]
    fn when_nobody_asks_the_figures_are_forgotten_and_taken_anew_for_the_next() {
        let host = host(Duration::from_millis(1), Duration::from_millis(20));
        thread::scope(|scope| {
            scope.spawn(|| host.keep());
            let _closing = Closing(&host);
            for _ in 0..3 {
                host.sample();
                within_a_minute("still asked", || host.lock().asked.is_none());
                assert!(host.lock().latest.is_none());
            }
        });
    }

    #[test]
    fn the_end_wakes_whoever_waits() {
        let host = host(LONG, LONG);
        thread::scope(|scope| {
            let asker = scope.spawn(|| host.sample());
            host.close();
            assert_eq!(asker.join().unwrap(), Sample::default());
            host.keep();
        });
    }
}
