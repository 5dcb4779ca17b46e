//! What is wrong with the world at the moment, and which failures that excuses.
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Until a failure is held against the agent though something was wrong: what was cut off needs a moment.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// With everything well for so long, nothing may still hang.
pub(crate) const SETTLED: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is dead or does not move.
    Engine,
    /// The trail has no room.
    Disk,
    /// It closed, does not read, or refuses.
    Controller,
}

impl Trouble {
    pub(crate) const ALL: [Self; 3] = [Self::Engine, Self::Disk, Self::Controller];
}

struct Spell {
    trouble: Trouble,
    ended: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct Weather(Mutex<Vec<Spell>>);

impl Weather {
    pub(crate) fn begins(&self, trouble: Trouble) {
        let mut spells = self.0.lock().unwrap();
        // What ended long ago excuses nobody.
        spells.retain(|spell| spell.ended.is_none_or(|ended| ended.elapsed() < Duration::from_secs(300)));
        spells.push(Spell { trouble, ended: None });
    }

    pub(crate) fn ends(&self, trouble: Trouble) {
        for spell in &mut *self.0.lock().unwrap() {
            if spell.trouble == trouble && spell.ended.is_none() {
                spell.ended = Some(Instant::now());
            }
        }
    }

    /// The trouble there was at some time since then, or less than `grace` before.
    pub(crate) fn since(&self, then: Instant, grace: Duration, of: &[Trouble]) -> Option<Trouble> {
        let spells = self.0.lock().unwrap();
        let overlaps = |spell: &&Spell| spell.ended.is_none_or(|ended| ended + grace >= then);
        spells.iter().rev().filter(overlaps).map(|spell| spell.trouble).find(|trouble| of.contains(trouble))
    }

    /// For how long there was none of these; nothing where there never was.
    pub(crate) fn fair_for(&self, of: &[Trouble]) -> Option<Duration> {
        let spells = self.0.lock().unwrap();
        let times = spells.iter().filter(|spell| of.contains(&spell.trouble));
        times.map(|spell| spell.ended.map_or(Duration::ZERO, |ended| ended.elapsed())).min()
    }
}
