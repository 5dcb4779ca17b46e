//! What the Engine says a container uses, read for what is meant by it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// One answer of the Engine's to `stats`, as far as anything of it is told. What an Engine does not
/// measure is missing, or null.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Statistics {
    read: String,
    #[serde(deserialize_with = "null_is_none")]
    cpu_stats: Processors,
    #[serde(deserialize_with = "null_is_none")]
    memory_stats: Memory,
    /// Those of its own: a container within the host's network has none.
    #[serde(deserialize_with = "null_is_none")]
    networks: BTreeMap<String, Interface>,
    #[serde(deserialize_with = "null_is_none")]
    blkio_stats: BlockDevices,
    #[serde(deserialize_with = "null_is_none")]
    pids_stats: Tasks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Processors {
    #[serde(deserialize_with = "null_is_none")]
    cpu_usage: Spent,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spent {
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    #[serde(deserialize_with = "null_is_none")]
    stats: Cached,
}

/// Cached files that nobody looks at, under the names of both generations of control groups.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cached {
    total_inactive_file: Option<u64>,
    inactive_file: Option<u64>,
}

/// Bytes of one interface.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Interface {
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockDevices {
    io_service_bytes_recursive: Option<Vec<Transfer>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transfer {
    op: String,
    value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tasks {
    current: Option<u64>,
    limit: Option<u64>,
}

/// Bytes in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) inward: u64,
    pub(crate) outward: u64,
}

/// Why there are no statistics.
#[derive(Debug)]
pub(crate) enum Unmeasured {
    /// The Engine answers for those that do not run too, with zeros: no counter went back to them.
    NotRunning,
    Malformed(serde_json::Error),
}

impl Statistics {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unmeasured> {
        let read: Self = serde_json::from_slice(bytes).map_err(Unmeasured::Malformed)?;
        if read.read.starts_with("0001-") || read.memory_stats.usage.is_none() && read.spent().is_zero() {
            return Err(Unmeasured::NotRunning);
        }
        Ok(read)
    }

    /// Time on processors since it started.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.cpu_stats.cpu_usage.total_usage)
    }

    /// Bytes of memory, cached files included.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.memory_stats.usage
    }

    /// The same without cached files that nobody looks at, as `docker stats` shows it.
    pub(crate) fn working_set(&self) -> Option<u64> {
        let Memory { usage, stats, .. } = &self.memory_stats;
        let rest = |cached: Option<u64>| (*usage)?.checked_sub(cached?).filter(|rest| *rest > 0);
        // Only the first generation has the first name; it has the second too, for less.
        rest(stats.total_inactive_file).or_else(|| rest(stats.inactive_file)).or(*usage)
    }

    /// What it may use, as the Engine tells it: all of the machine's memory where nothing limits it.
    pub(crate) fn memory_limit_told(&self) -> Option<u64> {
        self.memory_stats.limit.filter(|limit| *limit > 0)
    }

    /// What it may use, where that is limited: the Engine tells all of its machine's memory instead
    /// of no limit.
    pub(crate) fn memory_limit(&self, machine: u64) -> Option<u64> {
        self.memory_limit_told().filter(|limit| *limit < machine)
    }

    pub(crate) fn interfaces(&self) -> &BTreeMap<String, Interface> {
        &self.networks
    }

    /// Over all interfaces of its own.
    pub(crate) fn network(&self) -> Option<Bytes> {
        let sum = self.networks.values().fold(Bytes::default(), |sum, one| Bytes {
            inward: sum.inward.saturating_add(one.rx_bytes),
            outward: sum.outward.saturating_add(one.tx_bytes),
        });
        (!self.networks.is_empty()).then_some(sum)
    }

    /// Over all block devices: inward is what was read.
    pub(crate) fn block_devices(&self) -> Option<Bytes> {
        let mut sum = Bytes::default();
        for Transfer { op, value } in self.blkio_stats.io_service_bytes_recursive.as_ref()? {
            // One generation of control groups writes `Read`, the other `read`. Sums and others are beside.
            if op.eq_ignore_ascii_case("read") {
                sum.inward = sum.inward.saturating_add(*value);
            } else if op.eq_ignore_ascii_case("write") {
                sum.outward = sum.outward.saturating_add(*value);
            }
        }
        Some(sum)
    }

    /// Processes and threads.
    pub(crate) fn tasks(&self) -> Option<u64> {
        self.pids_stats.current
    }

    /// How many it may have, where that is limited. Some Engines tell the largest number for no limit.
    pub(crate) fn tasks_limit(&self) -> Option<u64> {
        self.pids_stats.limit.filter(|limit| (1..u64::MAX).contains(limit))
    }
}

fn null_is_none<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(reader: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(reader).map(Option::unwrap_or_default)
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => f.write_str("the container does not run"),
            Self::Malformed(why) => write!(f, "the engine's statistics are not what they should be: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
