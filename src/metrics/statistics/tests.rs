//! Statistics as Engines write them, and what is made of them.

use serde_json::{Value, json};

use super::*;
use crate::metrics::specimens::{MACHINE, first_generation, second_generation, stopped};

fn read(value: &Value) -> Statistics {
    Statistics::read(value.to_string().as_bytes()).unwrap()
}

/// The first specimen with another value at a place.
fn with(place: &str, value: Value) -> Statistics {
    let mut changed = first_generation();
    *changed.pointer_mut(place).unwrap() = value;
    read(&changed)
}

#[test]
fn both_generations_of_control_groups_are_read() {
    let first = read(&first_generation());
    assert_eq!(first.spent(), Duration::from_nanos(1_565_334_852));
    assert_eq!((first.memory(), first.working_set()), (Some(9_326_592), Some(937_984)));
    assert_eq!(first.network(), Some(Bytes { inward: 1113, outward: 9 }));
    assert_eq!(first.block_devices(), Some(Bytes { inward: 4097, outward: 512 }));
    assert_eq!((first.tasks(), first.tasks_limit()), (Some(2), Some(50)));
    let second = read(&second_generation());
    assert_eq!((second.memory(), second.working_set()), (Some(1_000_000), Some(600_000)));
    assert_eq!((second.network(), second.interfaces().len()), (None, 0));
    assert_eq!(second.block_devices(), Some(Bytes { inward: 10, outward: 20 }));
    assert_eq!((second.tasks(), second.tasks_limit()), (Some(1), None));
}

#[test]
fn what_does_not_run_has_no_statistics() {
    let mut zeros = stopped();
    zeros["memory_stats"] = json!({"usage": 0, "limit": 0});
    for value in [stopped(), zeros, json!({}), json!({"read": "2026-11-20T14:42:27Z", "memory_stats": {}})] {
        let why = Statistics::read(value.to_string().as_bytes()).unwrap_err();
        assert!(matches!(why, Unmeasured::NotRunning), "{value}");
    }
}

#[test]
fn what_is_no_statistics_is_malformed() {
    for text in [
        "",
        "null",
        "[1]",
        "{",
        r#"{"memory_stats":{"usage":"9"}}"#,
        r#"{"memory_stats":{"usage":-1}}"#,
        r#"{"read":1}"#,
    ] {
        assert!(matches!(Statistics::read(text.as_bytes()), Err(Unmeasured::Malformed(_))), "{text}");
    }
}

#[test]
fn cached_files_are_subtracted_as_docker_does() {
    let memory = |usage: u64, first: Option<u64>, second: Option<u64>| {
        let stats = json!({"total_inactive_file": first, "inactive_file": second});
        with("/memory_stats", json!({"usage": usage, "stats": stats})).working_set()
    };
    for (usage, first, second, rest) in [
        (100, None, None, 100),
        (100, Some(30), None, 70),
        (100, Some(30), Some(10), 70),
        (100, None, Some(10), 90),
        (100, Some(100), Some(10), 90),
        (100, Some(200), Some(200), 100),
        (100, Some(0), Some(10), 100),
        (0, Some(0), Some(0), 0),
    ] {
        assert_eq!(memory(usage, first, second), Some(rest), "{usage} {first:?} {second:?}");
    }
    assert_eq!(with("/memory_stats", json!({"usage": 5, "stats": null})).working_set(), Some(5));
    assert_eq!(with("/memory_stats", json!(null)).working_set(), None);
}

#[test]
fn a_limit_is_told_only_where_there_is_one() {
    let limited = read(&first_generation());
    let free = read(&second_generation());
    for (statistics, machine, limit) in [
        (&limited, MACHINE, Some(67_108_864)),
        (&free, MACHINE, None),
        // A limit beyond what there is is none.
        (&free, MACHINE - 1, None),
        (&limited, 0, None),
    ] {
        assert_eq!(statistics.memory_limit(machine), limit, "{machine}");
    }
    let untold = with("/memory_stats", json!({"usage": 1, "limit": 0}));
    assert_eq!((untold.memory_limit(MACHINE), untold.memory_limit_told()), (None, None));
    assert_eq!(free.memory_limit_told(), Some(MACHINE));
    for (told, limit) in
        [(json!({"current": 1}), None), (json!({"limit": 0}), None), (json!({"limit": 7}), Some(7))]
    {
        assert_eq!(with("/pids_stats", told).tasks_limit(), limit);
    }
}

#[test]
fn what_is_not_measured_is_not_zero() {
    assert_eq!(with("/blkio_stats/io_service_bytes_recursive", json!(null)).block_devices(), None);
    assert_eq!(with("/blkio_stats", json!(null)).block_devices(), None);
    assert_eq!(
        with("/blkio_stats/io_service_bytes_recursive", json!([])).block_devices(),
        Some(Bytes::default())
    );
    assert_eq!(with("/networks", json!({})).network(), None);
    assert_eq!(with("/pids_stats", json!(null)).tasks(), None);
    assert_eq!(
        with("/networks", json!({"a": {"rx_bytes": u64::MAX}, "b": {"rx_bytes": 1}}))
            .network()
            .unwrap()
            .inward,
        u64::MAX
    );
}
