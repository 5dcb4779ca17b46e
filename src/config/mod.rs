//! From the environment to every room's settings: each problem collected, none guessed.

mod about;
mod columns;
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
mod probe;
mod secrets;
#[cfg(test)]
pub(crate) mod specimens;
#[cfg(test)]
mod tests;
mod variables;

use crate::{api, docker, host, log, server};

pub(crate) use columns::columns;
pub(crate) use environment::Environment;
pub(crate) use explain::explain;
pub(crate) use findings::{Problem, Warning};
pub(crate) use identity::{keys_of, tokens_of};
pub(crate) use probe::Probe;

use findings::Findings;
use variables::{LOG_LEVEL, Section, TABLE};

/// Everything the agent is told at its start.
pub(crate) struct Config {
    pub(crate) level: log::Level,
    pub(crate) server: server::Settings,
    pub(crate) docker: docker::Settings,
    pub(crate) about: api::About,
    pub(crate) host: host::Settings,
    /// What works and still should be known; for the log, at each start.
    pub(crate) warnings: Vec<Warning>,
}

const LEVELS: &[(&str, log::Level)] = &[
    ("debug", log::Level::Debug),
    ("info", log::Level::Info),
    ("warn", log::Level::Warn),
    ("error", log::Level::Error),
];

impl Config {
    /// Everything, or everything that is wrong.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Vec<Problem>> {
        let (settings, findings) = read(environment);
        match settings {
            Some(settings) if findings.problems.is_empty() => {
                let Settings { level, server, docker, about, host } = settings;
                Ok(Self { level, server, docker, about, host, warnings: findings.warnings })
            }
            _ => Err(findings.problems),
        }
    }
}

struct Settings {
    level: log::Level,
    server: server::Settings,
    docker: docker::Settings,
    about: api::About,
    host: host::Settings,
}

/// The settings are `None` only after a problem.
fn read(environment: &Environment) -> (Option<Settings>, Findings) {
    let mut findings = Findings::default();
    let server = listener::read(environment, &mut findings);
    let docker = engine::read(environment, &mut findings);
    let level = findings.take(parse::choice(environment, &LOG_LEVEL, LEVELS));
    let about = about::read(environment, &mut findings);
    let host = about::host(environment, &mut findings);
    not_in_this_version(environment, &mut findings);
    let settings =
        || Some(Settings { level: level?, server: server?, docker: docker?, about: about?, host: host? });
    (settings(), findings)
}

/// What this version does not do must not seem to be done.
fn not_in_this_version(environment: &Environment, findings: &mut Findings) {
    for variable in TABLE.iter().filter(|variable| environment.is_set(variable)) {
        match variable.section {
            Section::Refused => {
                let what = "this version of Lookout does not have it, and would run without what it asks for";
                findings.refuse(&[variable], what, "unset it");
            }
            Section::Edge => {
                findings.no_effect(
                    variable,
                    "it acts in edge mode only, which this version of Lookout does not have",
                );
            }
            Section::Idle => {
                findings.no_effect(variable, "this version of Lookout does not have what it is for")
            }
            Section::Listening
            | Section::Access
            | Section::Guards
            | Section::Engine
            | Section::Telling
            | Section::Output => {}
        }
    }
}
