//! From the environment to every room's settings: each problem collected, none guessed.

mod about;
mod audit;
mod columns;
mod compose;
mod edge;
mod engine;
mod environment;
mod explain;
mod exposure;
mod findings;
mod guards;
mod identity;
mod listener;
mod origins;
mod parse;
mod pieces;
mod place;
mod probe;
mod reach;
mod recordings;
mod secrets;
#[cfg(test)]
pub(crate) mod specimens;
mod state;
#[cfg(test)]
mod tests;
mod trail_file;
mod variables;

use std::path::PathBuf;

use crate::audit::Settings as AuditSettings;
use crate::auth::{Exposure, Keyring};
use crate::compose::Wish;
use crate::sandbox::{Place, Sandbox};
use crate::{api, docker, host, log, server};

pub(crate) use columns::columns;
pub(crate) use edge::Edge;
pub(crate) use environment::Environment;
pub(crate) use explain::explain;
pub(crate) use findings::{Problem, Warning};
pub(crate) use identity::{keys_of, tokens_of};
pub(crate) use pieces::Pieces;
pub(crate) use probe::Probe;

use findings::Findings;
use variables::{LOG_LEVEL, SANDBOX, Section, TABLE};

/// Everything the agent is told at its start.
pub(crate) struct Config {
    pub(crate) level: log::Level,
    pub(crate) mode: Mode,
    pub(crate) docker: docker::Settings,
    pub(crate) about: api::About,
    pub(crate) host: host::Settings,
    pub(crate) audit: AuditSettings,
    /// Records tell of queries, headers and bodies, too.
    pub(crate) audit_detail: bool,
    /// The directory for what is recorded of commands, where keys ask for it.
    pub(crate) recordings: Option<PathBuf>,
    pub(crate) sandbox: Sandbox,
    /// What of the file system it keeps then.
    pub(crate) reach: Vec<Place>,
    /// Whether there are stacks, where they lie, and how compose is run on them.
    pub(crate) compose: Wish,
    /// What works and still should be known; for the log, at each start.
    pub(crate) warnings: Vec<Warning>,
}

/// Who calls whom.
#[expect(clippy::large_enum_variant, reason = "there is one at the start and one at each reload")]
pub(crate) enum Mode {
    /// Whoever reaches the listener calls the agent.
    Standard(server::Settings),
    /// The agent calls its controller, and nobody calls the agent.
    Edge(Box<Edge>),
}

impl Mode {
    /// Whether any key asks that its commands are recorded.
    fn records(&self) -> bool {
        let exposure = match self {
            Self::Standard(settings) => &settings.auth.exposure,
            Self::Edge(edge) => &edge.settings.auth.exposure,
        };
        let keyring = match exposure {
            Exposure::Guarded(credentials) => credentials.keyring.as_ref(),
            Exposure::Tunnel(controller) => controller.keyring.as_ref(),
            Exposure::Open(_) => None,
        };
        keyring.into_iter().flat_map(Keyring::iter).any(|key| key.options.records)
    }
}

const LEVELS: &[(&str, log::Level)] = &[
    ("debug", log::Level::Debug),
    ("info", log::Level::Info),
    ("warn", log::Level::Warn),
    ("error", log::Level::Error),
];

impl Config {
    /// Everything, for an agent that starts now: the key that signs its audit trail is made where there is none yet.
    pub(crate) fn start(environment: &Environment) -> Result<Self, Vec<Problem>> {
        let mut config = Self::read(environment)?;
        audit::sign(environment, &mut config.audit).map_err(|problem| vec![problem])?;
        Ok(config)
    }

    /// Everything, or everything that is wrong. Nothing is made or changed by looking.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Vec<Problem>> {
        let (settings, findings) = read(environment);
        match settings {
            Some(settings) if findings.problems.is_empty() => {
                let warnings = findings.warnings;
                let Settings { level, mode, docker, about, host, audit, recordings, sandbox, compose } =
                    settings;
                let (audit, audit_detail) = audit;
                Ok(Self {
                    level,
                    mode,
                    docker,
                    about,
                    host,
                    audit,
                    audit_detail,
                    recordings,
                    sandbox,
                    reach: reach::reach(environment),
                    compose,
                    warnings,
                })
            }
            _ => Err(findings.problems),
        }
    }
}

struct Settings {
    level: log::Level,
    mode: Mode,
    docker: docker::Settings,
    about: api::About,
    host: host::Settings,
    audit: (AuditSettings, bool),
    recordings: Option<PathBuf>,
    sandbox: Sandbox,
    compose: Wish,
}

/// The settings are `None` only after a problem.
fn read(environment: &Environment) -> (Option<Settings>, Findings) {
    let mut findings = Findings::default();
    let mode = match edge::is_meant(environment) {
        true => edge::read(environment, &mut findings).map(|edge| Mode::Edge(Box::new(edge))),
        false => listener::read(environment, &mut findings).map(Mode::Standard),
    };
    let docker = engine::read(environment, &mut findings);
    let level = findings.take(parse::choice(environment, &LOG_LEVEL, LEVELS));
    let about = about::read(environment, &mut findings);
    let host = about::host(environment, &mut findings);
    let records = mode.as_ref().is_some_and(Mode::records);
    let audit = audit::read(environment, records, &mut findings);
    let recordings = recordings::read(environment, records, &mut findings);
    let sandbox = findings.take(parse::choice(environment, &SANDBOX, &Sandbox::EVERY));
    let compose = compose::read(environment, &mut findings);
    without_effect(environment, &mut findings);
    let settings = || {
        let (level, mode, docker, about, host) = (level?, mode?, docker?, about?, host?);
        let (audit, recordings, sandbox, compose) = (audit?, recordings?, sandbox?, compose?);
        Some(Settings { level, mode, docker, about, host, audit, recordings, sandbox, compose })
    };
    (settings(), findings)
}

/// What this version or this mode does not do must not seem to be done.
fn without_effect(environment: &Environment, findings: &mut Findings) {
    for variable in TABLE.iter().filter(|variable| environment.is_set(variable)) {
        match variable.section {
            Section::Edge if !edge::is_meant(environment) => {
                findings.no_effect(variable, "it acts in edge mode only, and DRYDOCK_URL is not set");
            }
            Section::Idle => {
                findings.no_effect(variable, "this version of Lookout does not have what it is for")
            }
            Section::Listening
            | Section::Access
            | Section::Guards
            | Section::Engine
            | Section::Telling
            | Section::Output
            | Section::Audit
            | Section::Compose
            | Section::Edge
            | Section::Proxies => {}
        }
    }
}
