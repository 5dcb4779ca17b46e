//! The containers of the fake Engine: a function of the time alone, so that a new Engine goes on where the last was killed.
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::signer::sha256;

const CONTAINER: &str = include_str!("../../tests/fixtures/inspect/sample.json");
pub(crate) const IMAGE: &str = include_str!("../../tests/fixtures/inspect/image-sample.json");
/// A container comes this often, and another one goes.
pub(crate) const SLOT: Duration = Duration::from_secs(3);
/// How many there are at a time.
const PRESENT: u64 = 3;

pub(crate) fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970")
}

/// The number of the container that came last.
pub(crate) fn slot() -> u64 {
    now().as_secs() / SLOT.as_secs()
}

fn present() -> impl Iterator<Item = u64> {
    let last = slot();
    last - PRESENT + 1..=last
}

pub(crate) fn name(number: u64) -> String {
    format!("c{number}")
}

/// The number of a container of this name.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.strip_prefix('c')?.parse().ok()
}

pub(crate) fn list() -> String {
    let rows: Vec<Value> = present()
        .map(|number| {
            let container = container(number);
            json!({
                "Id": container["Id"], "Names": [container["Name"]], "Image": container["Config"]["Image"],
                "ImageID": container["Image"], "State": "running", "Status": "Up 5 seconds",
                "Labels": {}, "Ports": [], "Mounts": [], "NetworkSettings": {"Networks": {}},
            })
        })
        .collect();
    Value::from(rows).to_string()
}

/// The inspection of a container that is there.
pub(crate) fn inspection(id: &str) -> Option<String> {
    let number = present().find(|number| sha256(name(*number)) == id)?;
    Some(container(number).to_string())
}

fn container(number: u64) -> Value {
    let mut container: Value = serde_json::from_str(CONTAINER).unwrap();
    container["Id"] = sha256(name(number)).into();
    container["Name"] = format!("/{}", name(number)).into();
    container["Config"]["Labels"] = json!({});
    container
}

/// What happens when a slot begins, in order: the nanosecond and the event.
pub(crate) fn events(slot: u64) -> Vec<(u128, String)> {
    let begins = u128::from(slot) * SLOT.as_nanos();
    let happens = |after: u128, number: u64, action: &str| {
        let at = begins + after;
        let attributes = json!({"name": name(number), "image": "acme/web:1.4.2"});
        let actor = json!({"ID": sha256(name(number)), "Attributes": attributes});
        let (secs, nanos) = ((at / 1_000_000_000) as u64, at as u64);
        let event =
            json!({"Type": "container", "Action": action, "Actor": actor, "time": secs, "timeNano": nanos});
        (at, event.to_string())
    };
    vec![happens(0, slot - PRESENT, "destroy"), happens(1, slot, "create"), happens(2, slot, "start")]
}

/// What a small question with this number is answered.
pub(crate) fn answer(number: u64) -> String {
    let text = "the quick brown fox \u{e4}\u{20ac} ".repeat((number % 60) as usize);
    json!({"n": number, "text": text}).to_string()
}

/// What a container uses, as far as a page of metrics asks.
pub(crate) const STATISTICS: &str = r#"{"read":"2026-11-20T14:42:27Z","pids_stats":{"current":2,"limit":50},
    "cpu_stats":{"cpu_usage":{"total_usage":1565334852}},
    "memory_stats":{"usage":9326592,"limit":67108864,"stats":{"total_inactive_file":8388608}}}"#;
