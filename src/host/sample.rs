//! The figures of this machine at one moment, read afresh.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::proc::{self, Memory, Status, Ticks, Traffic};
use super::reading;
use crate::shared::Shared;
use crate::sys::disk::{self, Space};

/// Where an Engine keeps its data when nobody says otherwise.
const ENGINE_DATA: &str = "/var/lib/docker";

/// What the operator says about this machine.
pub(crate) struct Settings {
    /// Where the machine's own /proc is to be seen, for an agent that runs in a container.
    pub(crate) proc: Option<PathBuf>,
    /// Whose file system is told of, instead of the one with the Engine's data.
    pub(crate) disk: Option<PathBuf>,
    /// Space of file systems is not asked for, and is told as 0.
    pub(crate) skips_disk: bool,
}

/// The figures of this machine, as every consumer is shown them. What cannot be read is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// Percent of all processors together.
    pub(crate) cpu_usage: f64,
    pub(crate) cpu_cores: u64,
    pub(crate) memory_total: u64,
    pub(crate) memory_used: u64,
    pub(crate) memory_free: u64,
    pub(crate) disk_total: u64,
    pub(crate) disk_used: u64,
    pub(crate) disk_free: u64,
    pub(crate) network_rx_bytes: u64,
    pub(crate) network_tx_bytes: u64,
    /// Whole seconds since the machine started.
    pub(crate) uptime: u64,
}

impl Sample {
    /// All memory in GiB with one decimal, as controllers are told it.
    pub(crate) fn memory_gib(&self) -> f64 {
        const GIB: u64 = 1024 * 1024 * 1024;
        let tenths = self.memory_total.saturating_mul(10).saturating_add(GIB / 2) / GIB;
        f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
    }
}

/// The machine, as far as it can be seen from here.
pub(super) struct Machine {
    settings: Settings,
    engine_data: Shared<Option<PathBuf>>,
}

impl Machine {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, engine_data: Shared::new(None) }
    }

    pub(super) fn learn_engine_data(&self, folder: &str) {
        let folder = PathBuf::from(folder);
        if folder.is_absolute() {
            self.engine_data.with(|known| *known = Some(folder));
        }
    }

    pub(super) fn ticks(&self) -> Option<Ticks> {
        Ticks::read(&self.text("stat"))
    }

    /// The figures of now, and the ticks that the next sample is held against.
    pub(super) fn sample_since(&self, before: Option<Ticks>) -> (Sample, Option<Ticks>) {
        let (mut sample, now) = (self.sample(), self.ticks());
        if let (Some(now), Some(before)) = (now, before) {
            sample.cpu_usage = now.busy_percent(before);
        }
        (sample, now)
    }

    /// Everything but how busy the processors are, for which it takes two moments.
    fn sample(&self) -> Sample {
        let memory = Memory::read(&self.text("meminfo")).unwrap_or(Memory { total: 0, free: 0 });
        let space = self.space();
        let traffic = self.traffic();
        Sample {
            cpu_usage: 0.0,
            cpu_cores: self.processors(),
            memory_total: memory.total,
            memory_used: memory.total.saturating_sub(memory.free),
            memory_free: memory.free,
            disk_total: space.total,
            disk_used: space.total.saturating_sub(space.free),
            disk_free: space.free,
            network_rx_bytes: traffic.received,
            network_tx_bytes: traffic.sent,
            uptime: proc::uptime(&self.text("uptime")).unwrap_or(0),
        }
    }

    /// Those we may run on; where that is not told, all.
    fn processors(&self) -> u64 {
        let own = Status::read(&self.text("self/status")).processors;
        own.unwrap_or_else(|| proc::processors(&self.text("stat")))
    }

    /// A /proc of the machine shows the first process, which has its network; our own has ours.
    fn traffic(&self) -> Traffic {
        let first = self.settings.proc.as_ref().and_then(|proc| reading::text(&proc.join("1/net/dev")));
        let dev = first.unwrap_or_else(|| self.text("net/dev"));
        Traffic::read(&dev).unwrap_or_default()
    }

    fn space(&self) -> Space {
        const NONE: Space = Space { total: 0, free: 0 };
        if self.settings.skips_disk {
            return NONE;
        }
        if let Some(chosen) = &self.settings.disk {
            return disk::space(chosen).unwrap_or(NONE);
        }
        let data = self.engine_data.with(|known| known.clone()).unwrap_or_else(|| PathBuf::from(ENGINE_DATA));
        // In a container that does not see the Engine's data, its own root lies among them.
        disk::space(&data).or_else(|_| disk::space(Path::new("/"))).unwrap_or(NONE)
    }

    fn text(&self, name: &str) -> String {
        let proc = self.settings.proc.as_deref().unwrap_or_else(|| Path::new("/proc"));
        reading::text(&proc.join(name)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings() -> Settings {
        Settings { proc: None, disk: None, skips_disk: false }
    }

    /// A folder that looks like /proc.
    fn proc(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lookout-proc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn this_machine_is_seen() {
        let sample = Machine::new(settings()).sample();
        assert!(sample.cpu_cores >= 1 && sample.uptime > 0, "{sample:?}");
        assert!(sample.memory_total > sample.memory_used && sample.memory_used > 0, "{sample:?}");
        assert!(sample.memory_used + sample.memory_free == sample.memory_total, "{sample:?}");
        assert!(sample.disk_total > sample.disk_free, "{sample:?}");
    }

    #[test]
    fn another_proc_is_looked_at_where_one_is_named() {
        const HEADING: &str = "Inter-| Receive\n face | bytes\n";
        let folder = proc(
            "other",
            &[
                ("stat", "cpu  1 2 3 4 5 6 7 8\ncpu0 1\ncpu1 1\ncpu2 1\n"),
                ("meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n"),
                ("uptime", "99.9 1.0\n"),
                ("net/dev", &format!("{HEADING}eth0: 1 0 0 0 0 0 0 0 2\n")),
            ],
        );
        let at = |folder: &Path| Machine::new(Settings { proc: Some(folder.to_owned()), ..settings() });
        let sample = at(&folder).sample();
        assert_eq!((sample.cpu_cores, sample.uptime), (3, 99));
        assert_eq!((sample.memory_total, sample.memory_used), (1_024_000, 614_400));
        assert_eq!((sample.network_rx_bytes, sample.network_tx_bytes), (1, 2));
        fs::create_dir_all(folder.join("1/net")).unwrap();
        fs::write(folder.join("1/net/dev"), format!("{HEADING}eth0: 10 0 0 0 0 0 0 0 20\n")).unwrap();
        assert_eq!(at(&folder).sample().network_rx_bytes, 10);
        fs::remove_dir_all(&folder).unwrap();
        let gone = at(&folder);
        assert_eq!(gone.ticks(), None);
        assert_eq!(Sample { disk_total: 0, disk_used: 0, disk_free: 0, ..gone.sample() }, Sample::default());
    }

    #[test]
    fn how_busy_it_is_is_told_since_the_moment_before() {
        let folder = proc("busy", &[("stat", "cpu  100 0 0 100 0 0 0 0\n")]);
        let machine = Machine::new(Settings { proc: Some(folder.clone()), ..settings() });
        let (first, before) = machine.sample_since(None);
        fs::write(folder.join("stat"), "cpu  130 0 0 110 0 0 0 0\n").unwrap();
        let (second, _) = machine.sample_since(before);
        assert!(first.cpu_usage.abs() < 1e-9 && (second.cpu_usage - 75.0).abs() < 1e-9, "{second:?}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_disk_is_that_of_the_engines_data_or_the_chosen_one() {
        let total = |machine: &Machine| machine.sample().disk_total;
        let machine = Machine::new(settings());
        machine.learn_engine_data("/proc");
        assert_eq!(total(&machine), 0);
        machine.learn_engine_data("proc");
        assert_eq!(total(&machine), 0);
        machine.learn_engine_data("/no/such/folder");
        assert_eq!(total(&machine), disk::space(Path::new("/")).unwrap().total);
        assert_eq!(total(&Machine::new(Settings { disk: Some("/proc".into()), ..settings() })), 0);
        assert_eq!(total(&Machine::new(Settings { disk: Some("/no/such".into()), ..settings() })), 0);
        assert_eq!(total(&Machine::new(Settings { skips_disk: true, ..settings() })), 0);
    }

    #[test]
    fn the_object_has_every_member() {
        let text =
            serde_json::to_string(&Sample { cpu_usage: 12.5, uptime: 3, ..Sample::default() }).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"cpuUsage":12.5,"cpuCores":0,"memoryTotal":0,"memoryUsed":0,"memoryFree":0,"#,
                r#""diskTotal":0,"diskUsed":0,"diskFree":0,"networkRxBytes":0,"networkTxBytes":0,"uptime":3}"#
            )
        );
    }

    #[test]
    fn memory_is_told_to_controllers_with_one_decimal() {
        for (bytes, gib) in [(0, 0.0), (25_276_502_016, 23.5), (1 << 30, 1.0), (536_870_912, 0.5)] {
            let told = Sample { memory_total: bytes, ..Sample::default() }.memory_gib();
            assert!((told - gib).abs() < 1e-6, "{bytes}: {told}");
        }
    }
}
