//! How the agent lives and dies: builds, starts, waits, drains.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::api::Agent;
use crate::auth::{Exposure, Grant, Keyring};
use crate::clock::Deadline;
use crate::config::{Config, Problem};
use crate::docker::Docker;
use crate::exit::SOFTWARE;
use crate::host::Host;
use crate::inventory::Watcher;
use crate::limits::{DRAIN_SECS, MEASURED_AT_ONCE_MAX, TICK_MILLIS};
use crate::log::{self, number, text};
use crate::net::Shutdown;
use crate::policy::words::root_equivalent;
use crate::server::{Running, Server};
use crate::sys::poll::{Watch, wait};
use crate::sys::signals::{Signal, Signals};
use crate::sys::sockets::raise_descriptor_limit;
use crate::threads::{self, Resident};

/// Reads the configuration anew, files included.
pub(crate) type Reread = fn() -> Result<Config, Vec<Problem>>;

/// Serves until a signal says stop.
pub(crate) fn serve(config: Config, reread: Reread) -> ExitCode {
    threads::report_panics();
    let address = config.server.address;
    match start(config) {
        Ok(house) => live(house, reread),
        Err(error) => {
            log::error("agent.start_failed", &[("address", text(&address)), ("error", text(&error))]);
            ExitCode::from(SOFTWARE)
        }
    }
}

/// Everything that runs.
struct House {
    running: Running,
    /// Beside the one that accepts, with their names.
    residents: [(&'static str, Resident); 2],
    signals: Signals,
    roots: Vec<Root>,
}

fn start(config: Config) -> io::Result<House> {
    log::info(
        "agent.starting",
        &[("version", text(&env!("CARGO_PKG_VERSION"))), ("mode", text(&"standard"))],
    );
    let signals = Signals::catch()?;
    let (address, most) = (config.server.address, config.server.connections_max);
    check_descriptors(most);
    let (docker, host) = (Arc::new(Docker::new(config.docker)), Arc::new(Host::new(config.host)));
    let every = config.about.poll;
    let allowed_origins = config.server.allowed_origins.clone();
    let agent = Agent::new(Arc::clone(&docker), Arc::clone(&host), config.about, allowed_origins)?;
    let (shutdown, inventory) = (Shutdown::new()?, Arc::clone(&agent.inventory));
    let tls = config.server.tls.is_some();
    let roots = roots(&config.server.auth.exposure);
    let running = Server::bind(config.server, agent, shutdown.clone())?.start()?;
    log::info("server.listening", &[("address", text(&address)), ("tls", text(&tls))]);
    roots.iter().for_each(Root::log);
    // Its outcome is logged, and asked for again by whoever wants to know.
    running.agent().docker.is_ready();
    let watcher = Watcher { docker, inventory, every, shutdown };
    let residents = [
        ("watch", Resident::start("watch", move || watcher.run())?),
        ("sample", Resident::start("sample", move || host.keep())?),
    ];
    Ok(House { running, residents, signals, roots })
}

/// A credential with which its holder can become root on this host, and why.
#[derive(PartialEq, Eq)]
enum Root {
    Key { id: String, comment: String, why: String },
    Token { name: &'static str, why: String },
}

impl Root {
    fn log(&self) {
        match self {
            Self::Key { id, comment, why } => {
                let fields = [("key", text(id)), ("comment", text(comment)), ("why", text(why))];
                log::info("key.root_equivalent", &fields);
            }
            Self::Token { name, why } => {
                log::info("token.root_equivalent", &[("name", text(name)), ("why", text(why))]);
            }
        }
    }
}

/// Without credentials there is none: the configuration has warned of that.
fn roots(exposure: &Exposure) -> Vec<Root> {
    let Exposure::Guarded(credentials) = exposure else { return Vec::new() };
    let keys = credentials.keyring.iter().flat_map(Keyring::iter).filter_map(|key| {
        let why = root_equivalent(&key.options.grant)?;
        Some(Root::Key { id: key.id.to_string(), comment: key.comment.to_string(), why })
    });
    let names = credentials.tokens.iter().map(|credential| credential.name);
    let names = names.chain(credentials.hash.iter().map(|(name, ..)| *name));
    let why = root_equivalent(&Grant::of(credentials.allow));
    let tokens = names.filter_map(|name| Some(Root::Token { name, why: why.clone()? }));
    keys.chain(tokens).collect()
}

/// Each connection may need two descriptors: its own and one to the Engine. A page of metrics takes
/// further ones of those.
fn check_descriptors(connections: usize) {
    let beside = 64 + MEASURED_AT_ONCE_MAX;
    let needed = connections.saturating_mul(2).saturating_add(beside);
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let allowed = raise_descriptor_limit();
    if allowed < needed {
        log::warn("agent.few_descriptors", &[("allowed", number(allowed)), ("needed", number(needed))]);
    }
}

fn live(house: House, reread: Reread) -> ExitCode {
    let House { running, residents, mut signals, mut roots } = house;
    loop {
        let [watcher, sampler] = &residents;
        let mut watches = [
            Watch::readable(&signals),
            Watch::readable(&running.accepting),
            Watch::readable(&watcher.1),
            Watch::readable(&sampler.1),
        ];
        if let Err(error) = wait(&mut watches, Deadline::NEVER) {
            log::error("agent.wait_failed", &[("error", text(&error))]);
            return ExitCode::from(SOFTWARE);
        }
        let [on_signal, ended @ ..] = watches.map(|watch| watch.is_ready());
        let names = ["accept", watcher.0, sampler.0];
        if let Some((name, _)) = names.iter().zip(ended).find(|(_, ended)| *ended) {
            // Half an agent is worse than one that is started again.
            log::error("agent.resident_ended", &[("resident", text(name))]);
            return ExitCode::from(SOFTWARE);
        }
        if on_signal {
            match signals.next() {
                Ok(Signal::Reload) => running.between_enrollments(|| reload(&running, reread, &mut roots)),
                Ok(Signal::Stop) | Err(_) => return drain(running, &mut signals),
            }
        }
    }
}

/// Puts what the files now say in force, whole or not at all. What the listener itself was told
/// stays as it is until the next start.
fn reload(running: &Running, reread: Reread, known: &mut Vec<Root>) {
    match reread() {
        Ok(config) => {
            for warning in &config.warnings {
                warning.log();
            }
            let roots = roots(&config.server.auth.exposure);
            let ended = running.reload(config.server);
            log::info("agent.reloaded", &[("ended", number(ended))]);
            if roots != *known {
                roots.iter().for_each(Root::log);
                *known = roots;
            }
        }
        Err(problems) => {
            for problem in &problems {
                problem.log();
            }
            running.agent().metrics.reload_failures.up();
            log::error("agent.reload_refused", &[("problems", number(problems.len()))]);
        }
    }
}

/// Lets exchanges in flight finish; a second signal skips the wait.
fn drain(running: Running, signals: &mut Signals) -> ExitCode {
    log::info("agent.draining", &[("connections", number(running.connections()))]);
    running.begin_to_end();
    running.agent().host.close();
    let deadline = Deadline::after_secs(DRAIN_SECS);
    while !running.wait_ended(Deadline::after(Duration::from_millis(TICK_MILLIS))) {
        let hurried = is_told_to_stop(signals);
        if hurried || deadline.passed() {
            log::warn("agent.cut_off", &[("connections", number(running.connections()))]);
            return ExitCode::SUCCESS;
        }
    }
    let returned = running.accepting.join();
    log::info("agent.stopped", &[]);
    if returned { ExitCode::SUCCESS } else { ExitCode::from(SOFTWARE) }
}

fn is_told_to_stop(signals: &mut Signals) -> bool {
    while matches!(wait(&mut [Watch::readable(&*signals)], Deadline::after(Duration::ZERO)), Ok(true)) {
        if signals.next().is_ok_and(|signal| signal == Signal::Stop) {
            return true;
        }
    }
    false
}
