//! What an agent holds: threads, descriptors and memory, as the kernel counts them.
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::patience::PATIENCE;

/// A worker that waits for its next client, a probe of the Engine, the file that is being counted.
const AT_HAND: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    /// The most memory it ever held, in KiB.
    pub(crate) peak_kib: u64,
}

impl Census {
    pub(crate) fn of(agent: &Agent) -> Self {
        let count =
            |what| fs::read_dir(format!("/proc/{}/{what}", agent.pid())).expect("this needs /proc").count();
        Self { threads: count("task"), descriptors: count("fd"), peak_kib: peak_kib(agent) }
    }

    /// Waits until threads and descriptors are as few as they were, but for what anybody may hold for a moment.
    /// A thread waits ten seconds for its next client before it ends.
    pub(crate) fn until_back(self, agent: &Agent) {
        self.until(agent, |now| now.threads <= self.threads + AT_HAND);
    }

    /// The same, where its threads are left to themselves.
    pub(crate) fn until_closed(self, agent: &Agent) {
        self.until(agent, |_| true);
    }

    fn until(self, agent: &Agent, is_it: impl Fn(Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = Self::of(agent);
            if now.descriptors <= self.descriptors + AT_HAND && is_it(now) {
                return;
            }
            assert!(Instant::now() < end, "{now:?} and not {self:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn peak_kib(agent: &Agent) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("this needs /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
