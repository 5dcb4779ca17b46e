//! Tools that read containers: all of them, one of them, and what one uses.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::failure::Failure;
use super::super::inquiry;
use super::super::route::Desk;
use super::tools::Told;
use crate::auth::Principal;
use crate::docker;
use crate::limits::{JSON_ANSWER_BYTES_MAX, TOOL_LIST_BYTES_MAX};
use crate::metrics::{Statistics, Unmeasured};

pub(super) fn list(desk: &mut Desk<'_>, by: &Principal) -> Result<Told, Failure> {
    let list = inquiry::document(desk, by, "/containers/json?all=1", TOOL_LIST_BYTES_MAX)?;
    listed(&list)
}

pub(super) fn inspect(desk: &mut Desk<'_>, by: &Principal, id: &str) -> Result<Told, Failure> {
    let inspection = inquiry::document(desk, by, &format!("/containers/{id}/json"), JSON_ANSWER_BYTES_MAX)?;
    inspected(&inspection)
}

pub(super) fn stats(desk: &mut Desk<'_>, by: &Principal, id: &str) -> Result<Told, Failure> {
    let target = format!("/containers/{id}/stats?stream=false&one-shot=true");
    measured(id, &inquiry::document(desk, by, &target, JSON_ANSWER_BYTES_MAX)?)
}

/// One element of the Engine's list, as far as it is told.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    status: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    names: Vec<String>,
    image: String,
    state: String,
    status: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}

/// The text is the list itself; for programs it must lie in an object.
fn listed(list: &[u8]) -> Result<Told, Failure> {
    let list: Option<Vec<Listed>> = read(list)?;
    let rows = list.unwrap_or_default().into_iter().map(|one| Row {
        id: one.id,
        names: one.names.unwrap_or_default(),
        image: one.image,
        state: one.state,
        status: one.status,
        labels: one.labels.unwrap_or_default(),
    });
    let Told { text, structured } = Told::of(&rows.collect::<Vec<_>>());
    Ok(Told { text, structured: json!({ "containers": structured }) })
}

/// An inspection, as far as it is told. Of the environment not even a name is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    name: String,
    state: Option<State>,
    config: Option<Config>,
    mounts: Option<Vec<Mounted>>,
    network_settings: Option<NetworkSettings>,
    host_config: Option<HostConfig>,
}

/// Told in the Engine's own words.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    status: String,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i64,
    exit_code: i64,
    started_at: String,
    finished_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: String,
    env: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mounted {
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    is_writable: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    restart_policy: Option<RestartPolicy>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    id: String,
    name: String,
    state: State,
    image: String,
    env_count: usize,
    mounts: Vec<Mount>,
    networks: Vec<String>,
    restart_policy: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    destination: String,
    source: String,
    read_only: bool,
}

fn inspected(inspection: &[u8]) -> Result<Told, Failure> {
    let found: Inspected = read(inspection)?;
    let config = found.config.unwrap_or_default();
    let mounts = found.mounts.unwrap_or_default().into_iter().map(|mount| Mount {
        destination: mount.destination,
        source: mount.source,
        read_only: !mount.is_writable,
    });
    // The Engine tells them in any order.
    let mut mounts: Vec<_> = mounts.collect();
    mounts.sort();
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let policy = found.host_config.and_then(|config| config.restart_policy).unwrap_or_default().name;
    Ok(Told::of(&Container {
        id: found.id,
        name: found.name,
        state: found.state.unwrap_or_default(),
        image: config.image,
        env_count: config.env.map_or(0, |env| env.len()),
        mounts,
        networks: networks.into_keys().collect(),
        // Older clients write nothing where they mean this.
        restart_policy: if policy.is_empty() { "no".to_owned() } else { policy },
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage<'a> {
    id: &'a str,
    cpu_total_usage: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_usage: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_limit: Option<u64>,
    networks: BTreeMap<&'a str, Traffic>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traffic {
    rx_bytes: u64,
    tx_bytes: u64,
}

fn measured(id: &str, statistics: &[u8]) -> Result<Told, Failure> {
    let found = Statistics::read(statistics).map_err(|why| match why {
        Unmeasured::NotRunning => Failure::Unfit(format!("container {id} does not run, so it uses nothing")),
        Unmeasured::Malformed(_) => docker::Error::Unreadable.into(),
    })?;
    let networks = found.interfaces().iter().map(|(name, bytes)| {
        (name.as_str(), Traffic { rx_bytes: bytes.rx_bytes, tx_bytes: bytes.tx_bytes })
    });
    Ok(Told::of(&Usage {
        id,
        cpu_total_usage: u64::try_from(found.spent().as_nanos()).unwrap_or(u64::MAX),
        mem_usage: found.memory(),
        mem_limit: found.memory_limit_told(),
        networks: networks.collect(),
    }))
}

fn read<'d, T: Deserialize<'d>>(document: &'d [u8]) -> Result<T, Failure> {
    Ok(serde_json::from_slice(document).map_err(|_| docker::Error::Unreadable)?)
}

#[cfg(test)]
mod tests {
    use super::super::schemas::{self, misfits};
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/fixtures/", $name))
        };
    }

    fn is_unreadable(outcome: &Result<Told, Failure>) -> bool {
        matches!(outcome, Err(Failure::Engine(docker::Error::Unreadable)))
    }

    #[test]
    fn the_list_is_told_with_empty_lists_for_nothing() {
        let told = listed(
            br#"[{"Id":"a","Names":null,"Image":"web","State":"running","Status":"Up","Command":"s3cret","Labels":null},
                {"Id":"b","Names":["/b","/b2"],"Labels":{"k":"v"},"Ports":[]}]"#,
        );
        let told = told.unwrap();
        let list = json!([
            { "id": "a", "names": [], "image": "web", "state": "running", "status": "Up" },
            { "id": "b", "names": ["/b", "/b2"], "image": "", "state": "", "status": "", "labels": { "k": "v" } },
        ]);
        assert_eq!(told.text, list.to_string());
        assert_eq!(told.structured, json!({ "containers": list }));
        for nothing in ["[]", "null"] {
            assert_eq!(listed(nothing.as_bytes()).unwrap().text, "[]");
        }
        assert!(is_unreadable(&listed(b"{}")) && is_unreadable(&listed(b"[{}]")) && is_unreadable(&listed(b"")));
    }

    #[test]
    fn a_container_is_told_in_order_and_without_nulls() {
        let told = inspected(
            br#"{"Id":"i","Name":"/web","Image":"sha256:1","Config":{"Image":"web:1","Env":["A=s3cret","B=2"]},
                "State":{"Status":"exited","ExitCode":137,"OOMKilled":true,"Pid":0,"Error":"s3cret",
                         "Health":{"Status":"unhealthy","Log":[{"Output":"s3cret"}]}},
                "Mounts":[{"Source":"/z","Destination":"/z","RW":true},{"Source":"/y","Destination":"/a","RW":false}],
                "NetworkSettings":{"Networks":{"b":null,"a":{"IPAddress":"x"}}},
                "HostConfig":{"RestartPolicy":{"Name":"always"}}}"#,
        );
        let told = told.unwrap();
        let state = json!({
            "Status": "exited", "Running": false, "Paused": false, "Restarting": false, "OOMKilled": true,
            "Dead": false, "Pid": 0, "ExitCode": 137, "StartedAt": "", "FinishedAt": "",
            "Health": { "Status": "unhealthy" },
        });
        let container = json!({
            "id": "i", "name": "/web", "state": state, "image": "web:1", "envCount": 2,
            "mounts": [
                { "source": "/y", "destination": "/a", "readOnly": true },
                { "source": "/z", "destination": "/z", "readOnly": false },
            ],
            "networks": ["a", "b"], "restartPolicy": "always",
        });
        assert_eq!((told.structured.clone(), told.text), (container, told.structured.to_string()));
        let bare = inspected(br#"{"Id":"i","Mounts":null,"NetworkSettings":{"Networks":null}}"#).unwrap();
        assert_eq!(bare.structured["networks"], json!([]));
        assert_eq!(bare.structured["mounts"], json!([]));
        assert_eq!((&bare.structured["envCount"], &bare.structured["restartPolicy"]), (&json!(0), &json!("no")));
        assert!(is_unreadable(&inspected(b"{}")) && is_unreadable(&inspected(b"[]")));
    }

    #[test]
    fn what_a_container_uses_is_told_under_the_id_that_was_asked_for() {
        let told = measured(
            "web",
            br#"{"read":"2026-11-20T10:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":5}},
                "memory_stats":{"usage":7,"limit":9},"networks":{"eth0":{"rx_bytes":1,"tx_bytes":2}}}"#,
        );
        let told = told.unwrap().structured;
        let networks = json!({ "eth0": { "rxBytes": 1, "txBytes": 2 } });
        assert_eq!(
            told,
            json!({ "id": "web", "cpuTotalUsage": 5, "memUsage": 7, "memLimit": 9, "networks": networks })
        );
        let stopped = measured("web", br#"{"read":"0001-01-01T00:00:00Z"}"#).unwrap_err();
        assert_eq!(stopped.sentence(), "lookout: container web does not run, so it uses nothing");
        assert!(is_unreadable(&measured("web", b"[")));
    }

    #[test]
    fn what_is_told_is_as_the_schemas_say() {
        let real: [&[u8]; 5] = [
            fixture!("inspect/web.json"),
            fixture!("inspect/created.json"),
            fixture!("inspect/killed.json"),
            fixture!("inspect/terminal.json"),
            fixture!("answers/container.json"),
        ];
        for inspection in real {
            let told = inspected(inspection).unwrap();
            assert_eq!(misfits(&told.structured, &schemas::container()), Vec::<String>::new(), "{}", told.text);
        }
        let list = listed(fixture!("answers/containers.json")).unwrap();
        assert!(!list.structured["containers"].as_array().unwrap().is_empty());
        assert_eq!(misfits(&list.structured, &schemas::containers()), Vec::<String>::new());
        let statistics = br#"{"read":"2026","cpu_stats":{"cpu_usage":{"total_usage":1}},"networks":{"a":{"rx_bytes":1}}}"#;
        let used = measured("web", statistics).unwrap();
        assert_eq!(misfits(&used.structured, &schemas::usage()), Vec::<String>::new());
        let host = Told::of(&crate::host::Sample::default());
        assert_eq!(misfits(&host.structured, &schemas::host()), Vec::<String>::new());
    }

    #[test]
    fn a_misfit_is_found() {
        let wrong = |value| misfits(&value, &schemas::lines()).len();
        assert_eq!(wrong(json!({ "id": "a", "lines": [] })), 0);
        assert_eq!(wrong(json!({ "id": "a" })), 1);
        assert_eq!(wrong(json!({ "id": 1, "lines": [2], "more": 3 })), 3);
    }
}
