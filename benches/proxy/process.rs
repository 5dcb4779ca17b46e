//! What the kernel says of a running program: the processor time it took and the memory it holds.
use std::{fs, io};

/// Ticks of /proc in a second: the same on every Linux machine a Docker Engine runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory in KiB. What processes share is whole in `resident` and divided among them in `proportional`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) proportional: f64,
}

/// A process and all that it started, so that a master and its workers are one peer.
pub(crate) fn family(first: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end between the listing and the reading; it is none of ours then.
        if let Ok(fields) = stat(id) {
            parents.push((id, fields.get(1).and_then(|field| field.parse().ok()).unwrap_or(0)));
        }
    }
    let mut family = vec![first];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        at += 1;
    }
    Ok(family)
}

/// Processor seconds, in programs and in the kernel, that these processes have taken so far.
pub(crate) fn cpu_seconds(processes: &[u32]) -> io::Result<f64> {
    let mut ticks = 0.0;
    for &process in processes {
        let fields = stat(process)?;
        for field in fields.get(11..13).unwrap_or_default() {
            ticks += field.parse::<f64>().map_err(io::Error::other)?;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// Processor seconds so far.
#[derive(Clone, Copy)]
pub(crate) struct Busy {
    /// Of the whole machine.
    all: f64,
    /// Of this run with all its peers.
    own: f64,
}

impl Busy {
    /// How much of the time the machine was busy it was busy with something else.
    pub(crate) fn share_of_others_since(self, before: Self) -> f64 {
        let all = self.all - before.all;
        ((all - (self.own - before.own)) / all).max(0.0)
    }
}

pub(crate) fn busy_seconds() -> io::Result<Busy> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // User, nice, system; then, after idling and waiting for disks, interrupts and what the host took.
    let all: f64 = ticks.iter().take(3).chain(ticks.iter().skip(5).take(3)).sum();
    let own = std::process::id();
    // Of peers that have ended, the kernel keeps the sum.
    let ended: f64 =
        stat(own)?.get(13..15).unwrap_or_default().iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Busy { all: all / TICKS_PER_SECOND, own: cpu_seconds(&family(own)?)? + ended / TICKS_PER_SECOND })
}

/// The fields of /proc/N/stat from the state on; the name before them may contain anything.
fn stat(process: u32) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").ok_or_else(|| io::Error::other("a process without a name"))?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

pub(crate) fn memory(processes: &[u32]) -> io::Result<Memory> {
    let mut memory = Memory::default();
    for process in processes {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        memory.resident += kibibytes(&text, "Rss:")?;
        memory.proportional += kibibytes(&text, "Pss:")?;
    }
    Ok(memory)
}

fn kibibytes(text: &str, name: &str) -> io::Result<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("the kernel does not tell {name}")))
}

/// How many files this process may have open.
pub(crate) fn open_files_max() -> io::Result<u64> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
    Ok(if soft == "unlimited" { u64::MAX } else { soft.parse().unwrap_or(0) })
}
