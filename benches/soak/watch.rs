//! What the agents hold, as the kernel tells it: at rest before, at rest after, and every ten seconds between.
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::process;
use crate::shift::Shift;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(10);
/// At rest there may be this many more than before: a worker that has not ended yet, a connection of the inventory's.
const MORE_AT_REST_MAX: usize = 3;
/// What memory may have grown by over the second half, as the line through its samples has it: more than noise, and
/// below what a leak of one small object in each request comes to within an hour.
const GROWTH_KIB_MAX: f64 = 2048.0;

/// Below so many minutes an agent still takes what it then keeps.
const LEARNT_MINUTES: f64 = 5.0;

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    at: Duration,
    threads: usize,
    descriptors: usize,
    resident_kib: f64,
}

/// One agent, watched.
pub(crate) struct Watch {
    pub(crate) name: &'static str,
    process: u32,
    began: Instant,
    samples: Mutex<Vec<Sample>>,
}

impl Watch {
    pub(crate) fn new(name: &'static str, process: u32) -> Self {
        Self { name, process, began: Instant::now(), samples: Mutex::default() }
    }

    pub(crate) fn now(&self) -> io::Result<Sample> {
        let mut sample = Sample { at: self.began.elapsed(), threads: 0, descriptors: 0, resident_kib: 0.0 };
        for process in self.family()? {
            let place = format!("/proc/{process}");
            let count = |of: &str| Ok::<_, io::Error>(fs::read_dir(format!("{place}/{of}"))?.count());
            sample.threads += count("task")?;
            sample.descriptors += count("fd")?;
            sample.resident_kib += process::memory(&[process])?.resident;
        }
        Ok(sample)
    }

    /// The agent, and what it started of its own program; what it runs for others comes and goes.
    fn family(&self) -> io::Result<Vec<u32>> {
        let program = |process: u32| fs::read_link(format!("/proc/{process}/exe")).ok();
        let own = program(self.process);
        let mut family = process::family(self.process)?;
        family.retain(|process| program(*process) == own);
        Ok(family)
    }

    /// Looks again and again until the shift is over.
    pub(crate) fn during(&self, shift: &Shift) {
        while shift.rest(EVERY) {
            if let Ok(sample) = self.now() {
                self.samples.lock().unwrap().push(sample);
            }
        }
    }

    /// What was found, and a row of the table.
    pub(crate) fn verdict(&self, before: Sample, after: Sample) -> (Vec<String>, String) {
        let samples = self.samples.lock().unwrap();
        let most = |of: fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
        let second = samples.get(samples.len() / 2..).unwrap_or_default();
        let per_minute = slope(second);
        let minutes = second
            .last()
            .zip(second.first())
            .map_or(0.0, |(last, first)| last.at.saturating_sub(first.at).as_secs_f64() / 60.0);
        let mut found = Vec::new();
        for (what, before, after) in [
            ("threads", before.threads, after.threads),
            ("descriptors", before.descriptors, after.descriptors),
        ] {
            if after > before + MORE_AT_REST_MAX {
                found.push(format!("{}: {after} {what} at rest, and {before} before", self.name));
            }
        }
        if minutes >= LEARNT_MINUTES && per_minute * minutes > GROWTH_KIB_MAX {
            found.push(format!("{}: memory grows by {per_minute:.1} KiB a minute", self.name));
        }
        let mut row = String::new();
        let _ = write!(
            row,
            "| {} | {} / {:.0} / {} | {} / {:.0} / {} | {:.0} / {:.0} / {:.0} | {per_minute:.1} |",
            self.name,
            before.threads,
            most(|sample| sample.threads as f64),
            after.threads,
            before.descriptors,
            most(|sample| sample.descriptors as f64),
            after.descriptors,
            before.resident_kib,
            most(|sample| sample.resident_kib),
            after.resident_kib,
        );
        (found, row)
    }
}

pub(crate) const HEADING: &str = "| agent | threads before / most / after | descriptors | RSS KiB | KiB a minute, second half |\n\
     | --- | --- | --- | --- | ---: |";

/// KiB a minute by the least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&minutes), mean(&|sample| sample.resident_kib));
    let both: f64 = samples.iter().map(|one| (minutes(one) - x) * (one.resident_kib - y)).sum();
    let squares: f64 = samples.iter().map(|one| (minutes(one) - x).powi(2)).sum();
    if squares > 0.0 { both / squares } else { 0.0 }
}
