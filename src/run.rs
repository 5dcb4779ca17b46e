//! How the agent lives and dies: builds, starts, waits, drains.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::api::{Agent, Tunnel};
use crate::audit::{Event, Outcome, Record, Recordings, Trail};
use crate::auth::{self, Exposure, Grant, Keyring};
use crate::clock::Deadline;
use crate::compose::Compose;
use crate::config::{Config, Edge, Mode, Problem};
use crate::docker::Docker;
use crate::edge;
use crate::exit::SOFTWARE;
use crate::host::Host;
use crate::inventory::Watcher;
use crate::limits::{
    DRAIN_SECS, EDGE_CALLS_MAX, EDGE_EXECS_MAX, EDGE_GOODBYE_SECS, EDGE_LOGS_MAX, MEASURED_AT_ONCE_MAX,
    TICK_MILLIS,
};
use crate::log::{self, number, text};
use crate::net::Shutdown;
use crate::policy::words::root_equivalent;
use crate::sandbox::{self, restrain};
use crate::server::{self, PrivateDoors, Server};
use crate::sys::poll::{Watch, wait};
use crate::sys::signals::{Signal, Signals};
use crate::sys::sockets::raise_descriptor_limit;
use crate::threads::{self, Resident};
use crate::version::VERSION;

/// Reads the configuration anew, files included.
pub(crate) type Reread = fn() -> Result<Config, Vec<Problem>>;

/// Serves until a signal says stop.
pub(crate) fn serve(config: Config, reread: Reread) -> ExitCode {
    threads::report_panics();
    let place = match &config.mode {
        Mode::Standard(settings) => settings.address.to_string(),
        Mode::Edge(edge) => edge.settings.terms.url.to_string(),
    };
    match start(config) {
        Ok(house) => live(house, reread),
        Err(error) => {
            log::error("agent.start_failed", &[("place", text(&place)), ("error", text(&error))]);
            ExitCode::from(SOFTWARE)
        }
    }
}

/// Everything that runs.
struct House {
    agent: Arc<Agent>,
    shutdown: Shutdown,
    /// In edge mode only for health and metrics, where they have an address.
    listening: Option<server::Running>,
    edge: Option<edge::Running>,
    /// Further threads that live as long as the agent, with their names.
    residents: Vec<(&'static str, Resident)>,
    signals: Signals,
    roots: Vec<Root>,
}

fn start(config: Config) -> io::Result<House> {
    let Config {
        mode, docker, about, host, audit, audit_detail, recordings, sandbox, reach, compose, ..
    } = config;
    let name = if matches!(mode, Mode::Edge(_)) { "edge" } else { "standard" };
    log::info("agent.starting", &[("version", text(&VERSION)), ("mode", text(&name))]);
    let (signals, every) = (Signals::catch()?, about.poll);
    let (docker, host) = (Arc::new(Docker::new(docker)), Arc::new(Host::new(host)));
    let (server, edge, allowed_origins) = match mode {
        Mode::Standard(settings) => {
            check_descriptors(settings.connections_max);
            let allowed_origins = settings.allowed_origins.clone();
            (Some(settings), None, allowed_origins)
        }
        Mode::Edge(edge) => {
            let Edge { settings, operations, allowed_origins } = *edge;
            check_descriptors(EDGE_CALLS_MAX + EDGE_EXECS_MAX + EDGE_LOGS_MAX);
            (operations, Some(settings), allowed_origins)
        }
    };
    let roots = roots(edge.as_ref().map(|edge| &edge.auth), server.as_ref().map(|server| &server.auth));
    let mut agent = Agent::new(Arc::clone(&docker), Arc::clone(&host), about, allowed_origins)?;
    agent.tunnel = edge.is_some().then(Tunnel::new);
    agent.trail = Trail::new(audit)?;
    agent.tells_details = audit_detail;
    let shutdown = Shutdown::new()?;
    agent.compose = Compose::new(compose, sandbox, shutdown.clone())?;
    agent.add_pools(agent.compose.pools());
    agent.doors = Some(Box::new(PrivateDoors::new()));
    agent.recordings = recordings.map(Recordings::new);
    if let Some(recordings) = &agent.recordings {
        agent.add_pools([("recordings", recordings.places().clone())]);
    }
    record(
        &agent,
        Record { version: Some(VERSION.to_owned()), mode: Some(name), ..Record::new(Event::Start) },
    )?;
    let agent = Arc::new_cyclic(|me| {
        agent.me = me.clone();
        agent
    });
    let inventory = Arc::clone(&agent.inventory);
    let door = server.as_ref().map(|settings| (settings.address, settings.tls.is_some()));
    // A port below 1024 takes a right that is given up next.
    let bind = |settings| Server::bind(settings, Arc::clone(&agent), shutdown.clone());
    let listener = server.map(bind).transpose()?;
    restrain("agent", sandbox, &sandbox::OF_AGENT, Some(&reach))?;
    let listening = listener.map(Server::start).transpose()?;
    if let Some((address, tls)) = door {
        log::info("server.listening", &[("address", text(&address)), ("tls", text(&tls))]);
    }
    roots.iter().for_each(Root::log);
    // Its outcome is logged, and asked for again by whoever wants to know.
    agent.docker.is_ready();
    let start = |settings| edge::Running::start(settings, Arc::clone(&agent), shutdown.clone());
    let mut edge = edge.map(start).transpose()?;
    let watcher = Watcher { docker, inventory, every, shutdown: shutdown.clone() };
    let mut residents = vec![
        ("watch", Resident::start("watch", move || watcher.run())?),
        ("sample", Resident::start("sample", move || host.keep())?),
    ];
    let (kept, ending) = (Arc::clone(&agent), shutdown.clone());
    residents.push(("audit", Resident::start("audit", move || keep_trail(&kept, &ending))?));
    if let Some(ending) = agent.compose.ending()? {
        residents.push(("compose", Resident::start("compose", move || until_readable(&ending))?));
    }
    residents.extend(edge.iter_mut().flat_map(edge::Running::residents));
    Ok(House { agent, shutdown, listening, edge, residents, signals, roots })
}

/// Records what the agent itself does. Where it must be, what is not is not done.
fn record(agent: &Agent, record: Record) -> io::Result<()> {
    match agent.trail.write(record) {
        Err(why) if agent.trail.required() => Err(io::Error::other(why.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn until_readable(what: &OwnedFd) {
    // Where it cannot be watched, it is as good as gone.
    let _ = wait(&mut [Watch::readable(what)], Deadline::NEVER);
}

/// Signs what was recorded, and tries anew what could not be written, as time goes by.
fn keep_trail(agent: &Agent, shutdown: &Shutdown) {
    while !shutdown.has_begun() {
        agent.trail.tick();
        // What is kept in memory alone needs no keeping.
        let second = if agent.trail.is_kept() { Deadline::after_secs(1) } else { Deadline::NEVER };
        if let Err(error) = wait(&mut [Watch::readable(shutdown)], second) {
            log::error("audit.not_kept", &[("error", text(&error))]);
            return;
        }
    }
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

/// Of the tunnel, where there is one: what listens beside it tells nothing but health and figures.
/// Without credentials there is none: the configuration has warned of that.
fn roots(tunnel: Option<&auth::Settings>, listener: Option<&auth::Settings>) -> Vec<Root> {
    let (keyring, names, allow) = match tunnel.or(listener).map(|auth| &auth.exposure) {
        None | Some(Exposure::Open(_)) => return Vec::new(),
        Some(Exposure::Tunnel(controller)) => (&controller.keyring, vec!["controller"], controller.allow),
        Some(Exposure::Guarded(credentials)) => {
            let names = credentials.tokens.iter().map(|credential| credential.name);
            let names = names.chain(credentials.hash.iter().map(|(name, ..)| *name)).collect();
            (&credentials.keyring, names, credentials.allow)
        }
    };
    let keys = keyring.iter().flat_map(Keyring::iter).filter_map(|key| {
        let why = root_equivalent(&key.options.grant)?;
        Some(Root::Key { id: key.id.to_string(), comment: key.comment.to_string(), why })
    });
    let why = root_equivalent(&Grant::of(allow));
    let tokens = names.into_iter().filter_map(|name| Some(Root::Token { name, why: why.clone()? }));
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

fn live(mut house: House, reread: Reread) -> ExitCode {
    loop {
        let (on_signal, ended) = match house.wait() {
            Ok(happened) => happened,
            Err(error) => {
                log::error("agent.wait_failed", &[("error", text(&error))]);
                return ExitCode::from(SOFTWARE);
            }
        };
        if let Some(name) = ended {
            // Half an agent is worse than one that is started again.
            log::error("agent.resident_ended", &[("resident", text(&name))]);
            return ExitCode::from(SOFTWARE);
        }
        if on_signal {
            match house.signals.next() {
                Ok(Signal::Reload) => house.reload(reread),
                Ok(Signal::Stop) | Err(_) => return house.drain(),
            }
        }
    }
}

impl House {
    /// Waits until there is a signal, or a resident ended, which is then named.
    fn wait(&self) -> io::Result<(bool, Option<&'static str>)> {
        let accepting = self.listening.iter().map(|running| ("accept", &running.accepting));
        let kept = self.residents.iter().map(|(name, resident)| (*name, resident));
        let residents: Vec<_> = accepting.chain(kept).collect();
        let mut watches = vec![Watch::readable(&self.signals)];
        watches.extend(residents.iter().map(|(_, resident)| Watch::readable(*resident)));
        wait(&mut watches, Deadline::NEVER)?;
        let mut ready = watches.iter().map(Watch::is_ready);
        let on_signal = ready.next().unwrap_or_default();
        let ended = residents.iter().zip(ready).find(|(_, has_ended)| *has_ended);
        Ok((on_signal, ended.map(|((name, _), _)| *name)))
    }

    /// Lets no key in meanwhile, so that files are read and put in force as one step.
    fn reload(&mut self, reread: Reread) {
        let Self { agent, listening, edge, roots, .. } = self;
        let (listening, edge) = (listening.as_ref(), edge.as_ref());
        let mut step = || reload(agent, (listening, edge), reread, roots);
        match listening {
            Some(running) => running.between_enrollments(step),
            None => step(),
        }
    }

    /// Lets exchanges in flight finish; a second signal skips the wait.
    fn drain(mut self) -> ExitCode {
        log::info("agent.draining", &[("connections", number(self.connections()))]);
        self.shutdown.begin();
        if let Some(running) = &self.listening {
            running.begin_to_end();
        }
        self.agent.host.close();
        let secs = if self.edge.is_some() { EDGE_GOODBYE_SECS } else { DRAIN_SECS };
        let deadline = Deadline::after_secs(secs);
        let tick = || Deadline::after(Duration::from_millis(TICK_MILLIS));
        while !self.has_ended(tick()) {
            let hurried = is_told_to_stop(&mut self.signals);
            if hurried || deadline.passed() {
                log::warn("agent.cut_off", &[("connections", number(self.connections()))]);
                self.leave_in_order();
                return ExitCode::SUCCESS;
            }
        }
        self.leave_in_order();
        let returned = self.listening.is_none_or(|running| running.accepting.join());
        log::info("agent.stopped", &[]);
        if returned { ExitCode::SUCCESS } else { ExitCode::from(SOFTWARE) }
    }

    /// What compose left, the last record, and the signature under all of them.
    fn leave_in_order(&self) {
        self.agent.compose.close();
        // Its failure is in the log, and there is nobody else to tell.
        let _ = self.agent.trail.write(Record::new(Event::Stop));
        self.agent.trail.checkpoint();
    }

    fn connections(&self) -> usize {
        self.listening.as_ref().map_or(0, server::Running::connections)
    }

    /// Waits until every exchange is over and goodbye was said, or the deadline.
    fn has_ended(&self, deadline: Deadline) -> bool {
        let gone = |(_, resident): &(&str, Resident)| {
            matches!(wait(&mut [Watch::readable(resident)], deadline), Ok(true))
        };
        self.agent.compose.wait_idle(deadline)
            && self.listening.as_ref().is_none_or(|running| running.wait_ended(deadline))
            && self.edge.as_ref().is_none_or(|edge| {
                edge.wait_ended(deadline)
                    && self.residents.iter().filter(|(name, _)| *name == "edge").all(gone)
            })
    }
}

/// What the files said is in force, or is not and why.
fn tell_reload(agent: &Agent, outcome: Outcome, ended: Option<usize>, reason: Option<String>) {
    let ended = ended.map(|ended| u64::try_from(ended).unwrap_or(u64::MAX));
    let record = Record { outcome: Some(outcome), ended, reason, ..Record::new(Event::Reload) };
    // What is in force is in force; a trail that fails is told of by the log and by its figures.
    let _ = agent.trail.write(record);
}

/// Puts what the files now say in force, whole or not at all. What the listener and the tunnel
/// themselves were told stays as it is until the next start.
fn reload(
    agent: &Agent,
    (listening, edge): (Option<&server::Running>, Option<&edge::Running>),
    reread: Reread,
    known: &mut Vec<Root>,
) {
    match reread() {
        Ok(config) => {
            for warning in &config.warnings {
                warning.log();
            }
            let (server, tunnel) = match config.mode {
                Mode::Standard(settings) => (Some(settings), None),
                Mode::Edge(edge) => (edge.operations, Some(edge.settings.auth)),
            };
            let roots = roots(tunnel.as_ref(), server.as_ref().map(|server| &server.auth));
            let mut ended = 0_usize;
            if let (Some(running), Some(settings)) = (listening, server) {
                ended = ended.saturating_add(running.reload(settings));
            }
            if let (Some(running), Some(auth)) = (edge, tunnel) {
                ended = ended.saturating_add(running.reload(auth.exposure));
            }
            log::info("agent.reloaded", &[("ended", number(ended))]);
            agent.trail.reopen();
            tell_reload(agent, Outcome::Allowed, Some(ended), None);
            if roots != *known {
                roots.iter().for_each(Root::log);
                *known = roots;
            }
        }
        Err(problems) => {
            for problem in &problems {
                problem.log();
            }
            agent.metrics.reload_failures.up();
            agent.trail.reopen();
            let culprit = problems.first().map(ToString::to_string);
            tell_reload(agent, Outcome::Error, None, culprit);
            log::error("agent.reload_refused", &[("problems", number(problems.len()))]);
        }
    }
}

fn is_told_to_stop(signals: &mut Signals) -> bool {
    while matches!(wait(&mut [Watch::readable(&*signals)], Deadline::after(Duration::ZERO)), Ok(true)) {
        if signals.next().is_ok_and(|signal| signal == Signal::Stop) {
            return true;
        }
    }
    false
}
