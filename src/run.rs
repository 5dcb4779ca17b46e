//! How the agent lives and dies: builds, starts, waits, drains.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use crate::api::Agent;
use crate::clock::Deadline;
use crate::config::{Config, Problem};
use crate::docker::Docker;
use crate::exit::SOFTWARE;
use crate::limits::{DRAIN_SECS, TICK_MILLIS};
use crate::log::{self, number, text};
use crate::net::Shutdown;
use crate::server::{Running, Server};
use crate::sys::poll::{Watch, wait};
use crate::sys::signals::{Signal, Signals};
use crate::sys::sockets::raise_descriptor_limit;
use crate::threads;

/// Reads the configuration anew, files included.
pub(crate) type Reread = fn() -> Result<Config, Vec<Problem>>;

/// Serves until a signal says stop.
pub(crate) fn serve(config: Config, reread: Reread) -> ExitCode {
    threads::report_panics();
    let address = config.server.address;
    match start(config) {
        Ok((running, signals)) => live(running, signals, reread),
        Err(error) => {
            log::error("agent.start_failed", &[("address", text(&address)), ("error", text(&error))]);
            ExitCode::from(SOFTWARE)
        }
    }
}

fn start(config: Config) -> io::Result<(Running, Signals)> {
    log::info(
        "agent.starting",
        &[("version", text(&env!("CARGO_PKG_VERSION"))), ("mode", text(&"standard"))],
    );
    let signals = Signals::catch()?;
    let (address, most) = (config.server.address, config.server.connections_max);
    check_descriptors(most);
    let docker = Docker::new(config.docker);
    let allowed_origins = config.server.allowed_origins.clone();
    let agent = Agent::new(docker, allowed_origins);
    let tls = config.server.tls.is_some();
    let running = Server::bind(config.server, agent, Shutdown::new()?)?.start()?;
    log::info("server.listening", &[("address", text(&address)), ("tls", text(&tls))]);
    // Its outcome is logged, and asked for again by whoever wants to know.
    running.agent().docker.is_ready();
    Ok((running, signals))
}

/// Each connection may need two descriptors: its own and one to the Engine.
fn check_descriptors(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(64);
    let allowed = raise_descriptor_limit();
    if allowed < needed {
        log::warn("agent.few_descriptors", &[("allowed", number(allowed)), ("needed", number(needed))]);
    }
}

fn live(running: Running, mut signals: Signals, reread: Reread) -> ExitCode {
    loop {
        let mut watches = [Watch::readable(&signals), Watch::readable(&running.accepting)];
        if let Err(error) = wait(&mut watches, Deadline::NEVER) {
            log::error("agent.wait_failed", &[("error", text(&error))]);
            return ExitCode::from(SOFTWARE);
        }
        let [on_signal, on_accepting] = watches;
        if on_accepting.is_ready() {
            // Half an agent is worse than one that is started again.
            log::error("agent.resident_ended", &[("resident", text(&"accept"))]);
            return ExitCode::from(SOFTWARE);
        }
        if on_signal.is_ready() {
            match signals.next() {
                Ok(Signal::Reload) => running.between_enrollments(|| reload(&running, reread)),
                Ok(Signal::Stop) | Err(_) => return drain(running, &mut signals),
            }
        }
    }
}

/// Puts what the files now say in force, whole or not at all. What the listener itself was told
/// stays as it is until the next start.
fn reload(running: &Running, reread: Reread) {
    match reread() {
        Ok(config) => {
            for warning in &config.warnings {
                warning.log();
            }
            let ended = running.reload(config.server);
            log::info("agent.reloaded", &[("ended", number(ended))]);
        }
        Err(problems) => {
            for problem in &problems {
                problem.log();
            }
            log::error("agent.reload_refused", &[("problems", number(problems.len()))]);
        }
    }
}

/// Lets exchanges in flight finish; a second signal skips the wait.
fn drain(running: Running, signals: &mut Signals) -> ExitCode {
    log::info("agent.draining", &[("connections", number(running.connections()))]);
    running.begin_to_end();
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
