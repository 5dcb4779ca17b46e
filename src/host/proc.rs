//! What the files of /proc say. Nothing here reads one, so all of it takes any text.

use std::time::Duration;

/// Ticks in a second, as the kernel counts them for programs on every platform we are built for.
const TICKS_PER_SEC: u64 = 100;
/// How much of a kB of /proc there is in a byte of ours.
const KIB: u64 = 1024;

/// What all processors together spent since the machine started, column by column: user, nice,
/// system, idle, waiting for disks, interrupts, soft interrupts, stolen by the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks([u64; 8]);

/// The columns in which nothing is done.
const IDLE: [usize; 2] = [3, 4];

impl Ticks {
    /// The line of all processors in /proc/stat. Guests' time is part of the first two columns.
    pub(super) fn read(stat: &str) -> Option<Self> {
        let mut columns = line(stat, "cpu ")?.split_ascii_whitespace().map_while(|word| word.parse().ok());
        let mut ticks = [0; 8];
        for place in &mut ticks {
            *place = columns.next()?;
        }
        Some(Self(ticks))
    }

    /// How busy the processors were since `before`, 0 to 100. Columns can step back, which is no time.
    pub(super) fn busy_percent(self, before: Self) -> f64 {
        let (mut busy, mut all) = (0_u64, 0_u64);
        for (column, (now, then)) in self.0.into_iter().zip(before.0).enumerate() {
            let spent = now.saturating_sub(then);
            all = all.saturating_add(spent);
            if !IDLE.contains(&column) {
                busy = busy.saturating_add(spent);
            }
        }
        if all == 0 { 0.0 } else { ticks(busy).div_duration_f64(ticks(all)).clamp(0.0, 1.0) * 100.0 }
    }
}

/// Processors that are there, by their own lines in /proc/stat.
pub(super) fn processors(stat: &str) -> u64 {
    let is_one = |line: &&str| {
        let word = line.split_ascii_whitespace().next().unwrap_or_default();
        word.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok())
    };
    u64::try_from(stat.lines().filter(is_one).count()).unwrap_or(u64::MAX)
}

/// When the machine started, as seconds since 1970, from /proc/stat.
pub(super) fn boot_secs(stat: &str) -> Option<u64> {
    line(stat, "btime ")?.trim().parse().ok()
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    /// What could be had without swapping, which is more than what lies idle.
    pub(super) free: u64,
}

impl Memory {
    /// /proc/meminfo. Kernels before 3.14 do not say what is available.
    pub(super) fn read(meminfo: &str) -> Option<Self> {
        let total = kib(meminfo, "MemTotal:")?;
        let free = kib(meminfo, "MemAvailable:").or_else(|| {
            let rest = ["Buffers:", "Cached:"].into_iter().filter_map(|name| kib(meminfo, name));
            Some(rest.fold(kib(meminfo, "MemFree:")?, u64::saturating_add))
        });
        Some(Self { total, free: free.unwrap_or(0) })
    }
}

/// Whole seconds since the machine started, from /proc/uptime.
pub(super) fn uptime(text: &str) -> Option<u64> {
    text.split(['.', ' ']).next()?.parse().ok()
}

/// Bytes over every interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// Interfaces whose bytes never leave the machine, or pass another interface as well: bridges and
/// the containers' ends at them, and bonds beside their members. A digit must follow some.
const INNER: &[&str] = &["veth", "br-", "docker_gwbridge"];
const INNER_NUMBERED: &[&str] = &["docker", "bond", "virbr", "podman", "cni"];

impl Traffic {
    /// /proc/net/dev: two lines of headings, then a line an interface.
    pub(super) fn read(dev: &str) -> Option<Self> {
        let (mut sum, mut lines) = (Self::default(), dev.lines());
        lines.next().filter(|heading| heading.contains('|'))?;
        for (name, figures) in lines.filter_map(|line| line.split_once(':')) {
            let figures: Vec<u64> =
                figures.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
            if let (Some(received), Some(sent), false) =
                (figures.first(), figures.get(8), is_inner(name.trim()))
            {
                sum.received = sum.received.saturating_add(*received);
                sum.sent = sum.sent.saturating_add(*sent);
            }
        }
        Some(sum)
    }
}

fn is_inner(name: &str) -> bool {
    let is_numbered = |prefix: &&str| {
        name.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    name == "lo"
        || INNER.iter().any(|prefix| name.starts_with(prefix))
        || INNER_NUMBERED.iter().any(is_numbered)
}

/// What /proc/self/status says of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) resident: Option<u64>,
    pub(super) mapped: Option<u64>,
    pub(super) threads: Option<u64>,
    /// Processors it may run on.
    pub(super) processors: Option<u64>,
}

impl Status {
    pub(super) fn read(status: &str) -> Self {
        Self {
            resident: kib(status, "VmRSS:"),
            mapped: kib(status, "VmSize:"),
            threads: line(status, "Threads:").and_then(|number| number.trim().parse().ok()),
            processors: line(status, "Cpus_allowed_list:").and_then(listed),
        }
    }
}

/// What /proc/self/stat says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// On processors, in the program and in the kernel.
    pub(super) spent: Duration,
    /// From the machine's start to its own.
    pub(super) started: Duration,
}

impl Times {
    pub(super) fn read(stat: &str) -> Option<Self> {
        // Its name comes second, and may hold anything, even brackets.
        let (_, rest) = stat.rsplit_once(')')?;
        let figure = |column: usize| rest.split_ascii_whitespace().nth(column)?.parse::<u64>().ok();
        let spent = figure(11)?.saturating_add(figure(12)?);
        Some(Self { spent: ticks(spent), started: ticks(figure(19)?) })
    }
}

/// How many files a process may have open, from /proc/self/limits; none where there is no limit.
pub(super) fn open_files_max(limits: &str) -> Option<u64> {
    line(limits, "Max open files")?.split_ascii_whitespace().next()?.parse().ok()
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(1000 / TICKS_PER_SEC))
}

/// What follows `name` on the line that begins with it.
fn line<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// `  1756 kB` as bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let number = line(text, name)?.trim().strip_suffix("kB")?;
    number.trim().parse().ok().map(|kib: u64| kib.saturating_mul(KIB))
}

/// How many `0-3,8` lists.
fn listed(list: &str) -> Option<u64> {
    let mut sum = 0_u64;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        sum = sum.saturating_add(last.checked_sub(first)?.saturating_add(1));
    }
    Some(sum)
}

/// Every reader, with a text that may be anything.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_any(text: &str) {
    let idle = Ticks([0; 8]);
    if let Some(now) = Ticks::read(text) {
        let percents = [now.busy_percent(idle), idle.busy_percent(now)];
        assert!(percents.iter().all(|percent| (0.0..=100.0).contains(percent)), "no more than everything");
    }
    let _ = (processors(text), boot_secs(text), Memory::read(text), uptime(text), Traffic::read(text));
    let _ = (Status::read(text), Times::read(text), open_files_max(text));
}

#[cfg(test)]
mod tests;
