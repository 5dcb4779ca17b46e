//! Workers that do their one thing again and again, at a pace, until the shift is over.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::ground::Ground;
use crate::tally::{Fault, Side};
use crate::weather::GRACE;

#[derive(Default)]
pub(crate) struct Shift {
    is_over: Mutex<bool>,
    changed: Condvar,
}

/// Ends a shift when it is dropped, also by a panic: nobody waits for ever.
pub(crate) struct Ends<'s>(&'s Shift);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        *self.0.is_over.lock().unwrap() = true;
        self.0.changed.notify_all();
    }
}

impl Shift {
    pub(crate) fn ends(&self) -> Ends<'_> {
        Ends(self)
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.is_over.lock().unwrap()
    }

    /// Waits for so long, or for the end; whether there is time left.
    pub(crate) fn rest(&self, span: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.is_over.lock().unwrap(), span, |is_over| !*is_over);
        !*waited.unwrap().0
    }
}

/// What a worker is.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) kind: &'static str,
    pub(crate) side: Side,
    /// From the end of one turn to the beginning of the next, in the middle.
    pub(crate) pause: Duration,
    /// How long after some trouble it is still excused.
    pub(crate) grace: Duration,
}

impl Work {
    pub(crate) fn new(kind: &'static str, side: Side, pause_millis: u64) -> Self {
        Self { kind, side, pause: Duration::from_millis(pause_millis), grace: GRACE }
    }

    /// Starts a worker.
    pub(crate) fn start<'s>(
        self,
        scope: &'s Scope<'s, '_>,
        (ground, shift): (&'s Ground, &'s Shift),
        seed: u64,
        mut turn: impl FnMut(&mut Chance) -> Result<(), Fault> + Send + 's,
    ) {
        scope.spawn(move || {
            let mut chance = Chance::new(seed);
            loop {
                let millis = self.pause.as_millis() as u64;
                let pause = Duration::from_millis(chance.within(millis / 2, millis * 3 / 2));
                if !shift.rest(pause) {
                    return;
                }
                let since = Instant::now();
                let done = catch_unwind(AssertUnwindSafe(|| turn(&mut chance))).unwrap_or_else(|panic| {
                    let text = panic.downcast_ref::<String>().cloned();
                    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    Err(Fault::Wrong(text.unwrap_or_else(|| "a panic without words".to_owned())))
                });
                match done {
                    Ok(()) => ground.tally.did(self.kind),
                    Err(fault) => {
                        let kind = (self.kind, self.side);
                        ground.tally.judge(kind, (since, self.grace), &ground.weather, &fault);
                    }
                }
            }
        });
    }
}
