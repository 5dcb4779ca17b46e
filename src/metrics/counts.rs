//! What is counted, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that any thread changes.
#[derive(Debug)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn up(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// For what also goes down: each call follows one of [`Count::up`].
    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count for each of some names. The last of them takes what none of the others is.
#[derive(Debug)]
pub(crate) struct Tally<const N: usize> {
    names: &'static [&'static str; N],
    counts: [Count; N],
}

impl<const N: usize> Tally<N> {
    pub(super) const fn new(names: &'static [&'static str; N]) -> Self {
        Self { names, counts: [const { Count::new() }; N] }
    }

    pub(crate) fn up(&self, name: &str) {
        if let Some(count) = self.counts.get(place(self.names, name)) {
            count.up();
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().zip(&self.counts).map(|(name, count)| (*name, count.get()))
    }
}

/// Where a name stands, or else the last place.
pub(super) fn place(names: &[&str], name: &str) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| names.len().saturating_sub(1))
}

/// Up to how many seconds a time counts for a step, as the page writes it and in nanoseconds. What
/// is longer counts for the step of infinity.
const STEPS: [(&str, u64); 12] = [
    ("0.001", 1_000_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("5", 5_000_000_000),
    ("10", 10_000_000_000),
];

/// How long something took, each time.
#[derive(Debug)]
pub(crate) struct Times {
    steps: [Count; STEPS.len()],
    beyond: Count,
    /// 584 years of them fit.
    nanos: AtomicU64,
}

/// What [`Times`] say at one moment.
pub(super) struct Spread {
    /// Each step's bound and how many took that long at most.
    pub(super) steps: Vec<(&'static str, u64)>,
    pub(super) count: u64,
    pub(super) sum: Duration,
}

impl Times {
    pub(super) const fn new() -> Self {
        Self { steps: [const { Count::new() }; STEPS.len()], beyond: Count::new(), nanos: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let step = STEPS.iter().position(|(_, most)| nanos <= *most);
        step.and_then(|step| self.steps.get(step)).unwrap_or(&self.beyond).up();
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The count is made of the steps, so that they agree while others count on.
    pub(super) fn spread(&self) -> Spread {
        let mut count = 0_u64;
        let steps = STEPS.iter().zip(&self.steps).map(|((bound, _), step)| {
            count = count.saturating_add(step.get());
            (*bound, count)
        });
        let steps = steps.collect();
        count = count.saturating_add(self.beyond.get());
        Spread { steps, count, sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_counts_for_the_last() {
        let tally = Tally::new(&["replay", "expired", "other"]);
        for name in ["replay", "expired", "replay", "REPLAY", "", "other"] {
            tally.up(name);
        }
        assert_eq!(tally.each().collect::<Vec<_>>(), [("replay", 2), ("expired", 1), ("other", 3)]);
    }

    #[test]
    fn a_time_counts_for_every_step_that_is_not_shorter() {
        let times = Times::new();
        for nanos in [0, 1_000_000, 1_000_001, 10_000_000_000, 10_000_000_001, 60_000_000_000] {
            times.add(Duration::from_nanos(nanos));
        }
        let spread = times.spread();
        let expected: Vec<_> = STEPS
            .iter()
            .map(|(bound, _)| {
                (
                    *bound,
                    match *bound {
                        "0.001" => 2,
                        "10" => 4,
                        _ => 3,
                    },
                )
            })
            .collect();
        assert_eq!((spread.steps, spread.count), (expected, 6));
        assert_eq!(spread.sum, Duration::from_nanos(80_002_000_002));
    }

    #[test]
    fn the_steps_are_written_as_what_they_are() {
        for (text, nanos) in STEPS {
            assert_eq!(Duration::from_nanos(nanos), Duration::from_secs_f64(text.parse().unwrap()), "{text}");
        }
        assert!(STEPS.is_sorted_by_key(|(_, nanos)| *nanos));
    }

    #[test]
    fn threads_count_together() {
        let (count, times) = (Count::new(), Times::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        count.up();
                        times.add(Duration::from_millis(2));
                    }
                });
            }
        });
        assert_eq!((count.get(), times.spread().count), (4000, 4000));
        assert_eq!(times.spread().sum, Duration::from_secs(8));
    }
}
