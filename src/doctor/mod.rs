//! Why it does not work, in words: the configuration, the way to the controller or the listener, the
//! Engine. Whatever fails, what does not depend on it is looked at all the same.

mod controller;
mod engine;
mod exchange;
mod expiry;
mod releases;
mod row;
mod snippets;
mod standard;

pub(crate) use row::{Outcome, Row, Tell};

use crate::auth::{Exposure, Proof};
use crate::config::{Config, Environment, Mode, Pieces, Probe};
use crate::secret::Secret;
use controller::Controller;
use standard::Listener;

/// Whether the agent would start with this environment. `url` names another controller than the
/// environment does.
pub(crate) fn examine(environment: Environment, url: Option<&str>, tell: Tell<'_>) -> bool {
    let environment = match url {
        Some(url) => environment.toward(url),
        None => environment,
    };
    let config = configuration(&environment, tell);
    let pieces = Pieces::of(&environment);
    if let Some(Config { mode: Mode::Edge(edge), .. }) = &config {
        tell(proof(&edge.settings.terms.proof));
    }
    if let Some((url, way, protocol)) = &pieces.controller {
        Controller { url, way, protocol: *protocol }.examine(tell);
    } else if let Some(Config { mode: Mode::Standard(server), .. }) = &config {
        listener(&environment, &server.auth.exposure, tell);
    }
    match pieces.docker {
        Some(docker) => engine::examine(docker, pieces.home.as_deref(), tell),
        None => tell(Row::skipped("engine", "the configuration does not say where it is")),
    }
    config.is_some()
}

/// Every problem and every warning of a start.
fn configuration(environment: &Environment, tell: Tell<'_>) -> Option<Config> {
    const NAME: &str = "configuration";
    match Config::read(environment) {
        Ok(config) => {
            tell(Row::ok(NAME, "sound"));
            for warning in &config.warnings {
                let (what, remedy) = warning.parts();
                tell(Row::warn(NAME, what, remedy));
            }
            tell(Row::ok("mode", mode(&config.mode)));
            Some(config)
        }
        Err(problems) => {
            for problem in &problems {
                let (what, remedy) = problem.parts();
                tell(Row::fail(NAME, what, remedy));
            }
            None
        }
    }
}

fn mode(mode: &Mode) -> String {
    match mode {
        Mode::Standard(server) => format!("standard: the agent listens on {}", server.address),
        Mode::Edge(edge) => format!("edge: the agent calls {}", edge.settings.terms.url),
    }
}

fn proof(proof: &Proof) -> Row {
    const NAME: &str = "identity";
    match proof {
        Proof::Key(key) => {
            let public = key.public();
            let line = data_encoding::BASE64.encode(public.as_bytes());
            Row::ok(NAME, format!("key {}; the controller must know it: ed25519 {line}", public.id()))
        }
        Proof::Token(_) => {
            Row::ok(NAME, "a token, of which a hash is shown; some controllers take keys alone")
        }
    }
}

fn listener(environment: &Environment, exposure: &Exposure, tell: Tell<'_>) {
    let Ok(Probe::Standard { address, certificate }) = Probe::read(environment) else { return };
    let token: Option<&Secret<String>> = match exposure {
        Exposure::Guarded(credentials) => credentials.tokens.first().map(|credential| &credential.token),
        Exposure::Open(_) | Exposure::Tunnel(_) => None,
    };
    let is_open = matches!(exposure, Exposure::Open(_));
    Listener { address, certificate: certificate.as_deref(), token, is_open }.examine(tell);
}
