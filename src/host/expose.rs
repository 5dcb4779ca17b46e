//! The figures of this machine and this process as metrics.

use super::process::Process;
use super::sample::Sample;
use crate::metrics::families::{
    HOST_CPU, HOST_DISK_TOTAL, HOST_DISK_USED, HOST_MEMORY_TOTAL, HOST_MEMORY_USED, HOST_RECEIVED, HOST_SENT,
    PROCESS_CPU, PROCESS_FDS, PROCESS_FDS_MAX, PROCESS_RESIDENT, PROCESS_START, PROCESS_THREADS,
    PROCESS_VIRTUAL,
};
use crate::metrics::{Number, Page};

impl Sample {
    /// All of them always: what cannot be read is 0.
    pub(crate) fn write(&self, page: &mut Page) {
        page.one(&HOST_CPU, self.cpu_usage);
        page.one(&HOST_MEMORY_TOTAL, self.memory_total);
        page.one(&HOST_MEMORY_USED, self.memory_used);
        page.one(&HOST_DISK_TOTAL, self.disk_total);
        page.one(&HOST_DISK_USED, self.disk_used);
        page.one(&HOST_RECEIVED, self.network_rx_bytes);
        page.one(&HOST_SENT, self.network_tx_bytes);
    }
}

impl Process {
    /// Those that the kernel tells.
    pub(crate) fn write(&self, page: &mut Page) {
        for (family, number) in [
            (&PROCESS_CPU, self.spent.map(Number::from)),
            (&PROCESS_RESIDENT, self.resident.map(Number::from)),
            (&PROCESS_VIRTUAL, self.mapped.map(Number::from)),
            (&PROCESS_THREADS, self.threads.map(Number::from)),
            (&PROCESS_FDS, self.open_files.map(Number::from)),
            (&PROCESS_FDS_MAX, self.open_files_max.map(Number::from)),
            (&PROCESS_START, self.started.map(Number::from)),
        ] {
            if let Some(number) = number {
                page.one(family, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::check::Checked;
    use crate::metrics::families::TABLE;

    #[test]
    fn every_family_of_the_host_and_the_process_is_told_once() {
        let mut page = Page::default();
        let process = Process { open_files_max: Some(1024), ..Process::read() };
        process.write(&mut page);
        Sample { cpu_usage: 12.5, network_rx_bytes: u64::MAX, ..Sample::default() }.write(&mut page);
        let checked = Checked::of(&page.finish());
        let mut expected: Vec<_> = TABLE.iter().map(|family| family.name).collect();
        expected.retain(|name| name.starts_with("process_") || name.starts_with("lookout_host_"));
        expected.sort_unstable();
        assert_eq!(checked.names(), expected);
        assert!((checked.number("lookout_host_cpu_usage_percent") - 12.5).abs() < 1e-9);
        assert!(checked.number("process_resident_memory_bytes") > 100_000.0);
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_not_there() {
        let mut page = Page::default();
        Process { open_files_max: None, ..Process::read() }.write(&mut page);
        assert!(Checked::of(&page.finish()).family("process_max_fds").is_empty());
    }
}
