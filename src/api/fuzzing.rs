//! Doors for the fuzzers, and an agent for those who need one: its Engine is never there.
#![expect(clippy::panic, reason = "a panic is a finding")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{About, Adapter, Agent};
use crate::auth::{self, Classes, Controller, Exposure, Gate};
use crate::docker::{self, Docker};
use crate::host::{self, Host};
use crate::inventory::Watcher;
use crate::log;
use crate::net::Shutdown;
use crate::threads::Resident;

pub(crate) use super::mcp::fuzzing::rpc;

/// An agent as it is after its start. One for the process.
pub(crate) fn agent(adapter: Adapter) -> Arc<Agent> {
    // What every input makes it say is nothing that anybody reads.
    log::set_level(log::Level::Error);
    let address = docker::Address::Unix(vec![PathBuf::from("/nonexistent/engine")]);
    let docker = Arc::new(Docker::new(docker::Settings { address, head_within: Duration::from_secs(1) }));
    let host = Arc::new(Host::new(host::Settings { proc: None, disk: None, skips_disk: true }));
    // Nobody takes samples, and nobody waits for one.
    host.close();
    let every = Duration::from_secs(3600);
    let about =
        About { adapter, id: None, name: "fuzzed".to_owned(), hostname: "fuzzed".to_owned(), poll: every };
    let agent =
        Agent::new(Arc::clone(&docker), host, about, Vec::new()).unwrap_or_else(|why| panic!("{why}"));
    let shutdown = Shutdown::new().unwrap_or_else(|why| panic!("{why}"));
    let watcher = Watcher { docker, inventory: Arc::clone(&agent.inventory), every, shutdown };
    let watching = Resident::start("watch", move || watcher.run());
    assert!(watching.is_ok(), "somebody looks for the containers");
    Arc::new(agent)
}

/// The gate of a tunnel whose controller may do everything.
pub(crate) fn gate() -> Gate {
    let controller = Controller { allow: Classes::ALL, keyring: None, requires_signature: false };
    Gate::new(auth::Settings {
        exposure: Exposure::Tunnel(controller),
        skew_secs: 60,
        nonces_per_key: 1,
        audience: None,
        trusted_proxies: Vec::new(),
        enrollment: None,
    })
}
