//! Statistics as Engines write them.

use serde_json::{Value, json};

/// All memory of the machine they were taken on.
pub(crate) const MACHINE: u64 = 25_276_502_016;

/// An Engine 20.10 on control groups of the first generation: what it wrote, shortened.
pub(crate) fn first_generation() -> Value {
    json!({
        "read": "2026-11-20T14:42:27.816202054Z",
        "preread": "2026-11-20T14:42:26.813279676Z",
        "pids_stats": {"current": 2, "limit": 50},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 4096},
                {"major": 8, "minor": 0, "op": "Write", "value": 512},
                {"major": 8, "minor": 0, "op": "Sync", "value": 4608},
                {"major": 8, "minor": 0, "op": "Total", "value": 4608},
                {"major": 8, "minor": 16, "op": "Read", "value": 1}
            ],
            "sectors_recursive": []
        },
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": 1_565_334_852,
                "percpu_usage": [722_373_842, 842_961_010],
                "usage_in_kernelmode": 50_000_000,
                "usage_in_usermode": 10_000_000
            },
            "system_cpu_usage": 23_142_450_000_000_u64,
            "online_cpus": 2,
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
        },
        "precpu_stats": {
            "cpu_usage": {"total_usage": 1_067_834_852},
            "system_cpu_usage": 23_140_460_000_000_u64,
            "online_cpus": 2
        },
        "memory_stats": {
            "usage": 9_326_592,
            "max_usage": 10_526_720,
            "stats": {
                "cache": 8_388_608,
                "hierarchical_memory_limit": 67_108_864,
                "inactive_file": 8_000_000,
                "total_inactive_file": 8_388_608
            },
            "limit": 67_108_864
        },
        "name": "/limited",
        "id": "aec2",
        "networks": {
            "eth0": {"rx_bytes": 1112, "rx_packets": 12, "tx_bytes": 7},
            "eth1": {"rx_bytes": 1, "tx_bytes": 2}
        }
    })
}

/// The second generation: other names, and nulls.
pub(crate) fn second_generation() -> Value {
    json!({
        "read": "2026-11-20T14:42:27Z",
        "preread": "0001-01-01T00:00:00Z",
        "pids_stats": {"current": 1, "limit": 18_446_744_073_709_551_615_u64},
        "blkio_stats": {
            "io_service_bytes_recursive": [{"op": "read", "value": 10}, {"op": "write", "value": 20}],
            "io_serviced_recursive": null
        },
        "cpu_stats": {
            "cpu_usage": {"total_usage": 41_486_192, "usage_in_kernelmode": 1},
            "system_cpu_usage": 23_132_480_000_000_u64,
            "online_cpus": 2
        },
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {
            "usage": 1_000_000,
            "limit": MACHINE,
            "stats": {"active_file": 9, "inactive_file": 400_000}
        },
        "networks": null
    })
}

/// What an Engine answers for a container that does not run.
pub(crate) fn stopped() -> Value {
    json!({
        "read": "0001-01-01T00:00:00Z",
        "preread": "0001-01-01T00:00:00Z",
        "pids_stats": {},
        "blkio_stats": {"io_service_bytes_recursive": null},
        "cpu_stats": {"cpu_usage": {"total_usage": 0}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {},
        "name": "/stopped",
        "id": "4262"
    })
}
