//! What this process uses.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::proc::{Status, Times, boot_secs, open_files_max};
use super::reading;

/// This process, as the kernel sees it. What it does not tell is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// Time on processors.
    pub(crate) spent: Option<Duration>,
    /// Memory that is really held, and addresses that are taken.
    pub(crate) resident: Option<u64>,
    pub(crate) mapped: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_max: Option<u64>,
    /// When it started, since 1970.
    pub(crate) started: Option<Duration>,
}

impl Process {
    /// The machine's own /proc, whatever the operator says of another: we are in this one.
    pub(crate) fn read() -> Self {
        let proc = Path::new("/proc");
        let text = |name: &str| reading::text(&proc.join(name)).unwrap_or_default();
        let status = Status::read(&text("self/status"));
        let times = Times::read(&text("self/stat"));
        let started =
            |times: Times| Some(Duration::from_secs(boot_secs(&text("stat"))?).saturating_add(times.started));
        Self {
            spent: times.map(|times| times.spent),
            resident: status.resident,
            mapped: status.mapped,
            threads: status.threads,
            open_files: open_files(&proc.join("self/fd")),
            open_files_max: open_files_max(&text("self/limits")),
            started: times.and_then(started),
        }
    }
}

/// As many as the process may have open at most, without the one that counts them.
fn open_files(folder: &Path) -> Option<u64> {
    let count = fs::read_dir(folder).ok()?.count().saturating_sub(1);
    u64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn this_process_is_seen_as_it_is() {
        let process = Process::read();
        let (resident, mapped) = (process.resident.unwrap(), process.mapped.unwrap());
        assert!(resident > 100 * 1024 && resident <= mapped, "{process:?}");
        let (open, most) = (process.open_files.unwrap(), process.open_files_max.unwrap_or(u64::MAX));
        assert!(open >= 3 && open < most && process.threads.unwrap() >= 1, "{process:?}");
        let age = clock::unix().saturating_sub(process.started.unwrap());
        assert!(age < Duration::from_secs(24 * 3600), "{process:?}");
        assert!(process.spent.unwrap() <= age * 256, "{process:?}");
    }

    #[test]
    fn the_file_that_counts_them_is_no_open_file() {
        let folder = std::env::temp_dir().join(format!("lookout-fd-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(open_files(&folder), Some(0));
        for name in ["0", "1", "2"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(open_files(&folder), Some(2));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(open_files(&folder), None);
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        // Far above what other tests may give back meanwhile.
        const MORE: usize = 128 * 1024 * 1024;
        let before = Process::read().resident.unwrap();
        let held = std::hint::black_box(vec![1_u8; MORE]);
        let after = Process::read().resident.unwrap();
        assert!(after >= before + u64::try_from(MORE / 2).unwrap(), "{before} {after}");
        drop(held);
    }
}
