//! Edge mode: which controller is called, how, and what it may do.

mod guards;
mod headers;
mod idle;
mod operations;
mod proof;
mod reach;
#[cfg(test)]
mod tests;
mod trust;

use std::time::Duration;

pub(super) use guards::guards;
pub(super) use idle::idle;
pub(super) use reach::way;

use super::environment::Environment;
use super::exposure::{self, watched};
use super::findings::{Findings, Problem};
use super::identity::{self, Around};
use super::listener::allowed_origins;
use super::parse::{choice, number, quoted_address, switch};
use super::place::Place;
use super::probe;
use super::variables::{
    ALL_PROXY, AUTHORIZED_KEYS, DRYDOCK_URL, EDGE_ALLOW, EDGE_PROTOCOL, EDGE_REQUIRE_SIGNATURE,
    HEARTBEAT_INTERVAL, HTTP_PROXY, HTTPS_PROXY, MAX_RECONNECT_DELAY, NO_PROXY, OPERATIONS_ADDRESS,
    PRIVATE_KEY_FILE, RECONNECT_DELAY, Variable, WELCOME_TIMEOUT,
};
use crate::auth::{Controller, Exposure};
use crate::edge::{LOOKOUT, PORTWING, Protocol, Proxies, Settings, Terms, Url, Way};
use crate::limits::{
    EDGE_FIRST_DELAY_CEILING, EDGE_HEARTBEAT_CEILING, EDGE_LONGEST_DELAY_CEILING, EDGE_WELCOME_CEILING,
};
use crate::server;
use trust::Trust;

/// An agent that calls its controller.
pub(crate) struct Edge {
    pub(crate) settings: Settings,
    /// Where health and metrics are told besides, if anywhere.
    pub(crate) operations: Option<server::Settings>,
    /// Pages that may call through the controller.
    pub(crate) allowed_origins: Vec<String>,
}

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("auto", Protocol::Auto),
    ("lookout", Protocol::Only(&LOOKOUT)),
    ("portwing", Protocol::Only(&PORTWING)),
];

/// Whether a controller is called. Otherwise one is waited for.
pub(super) fn is_meant(environment: &Environment) -> bool {
    environment.is_set(&DRYDOCK_URL)
}

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Edge> {
    let url = findings.take(url(environment));
    // What it is made of is read, and complained of, elsewhere too.
    let health = probe::socket_name(environment).ok();
    let protocol = findings.take(choice(environment, &EDGE_PROTOCOL, PROTOCOLS));
    // A key is shown instead of a token, which then guards health and metrics or nothing.
    let guards = environment.is_set(&OPERATIONS_ADDRESS);
    let uses_tokens = guards || !environment.is_set(&PRIVATE_KEY_FILE);
    let tokens = if uses_tokens { exposure::tokens(environment, findings) } else { Some(Vec::new()) };
    let proof = proof::read(environment, tokens.as_deref(), findings);
    let around = Around::read(environment, findings);
    let operations = match guards {
        true => operations::read(environment, tokens, around.clone(), findings).map(Some),
        false => Some(None),
    };
    let trust = trust::read(environment, url.as_ref(), findings);
    let controller = controller(environment, trust.as_ref(), findings);
    let connector = trust.and_then(|trust| trust.connector(findings));
    let proxies = findings.take(proxies(environment, url.as_ref()));
    let headers = headers::read(environment, findings);
    let pace = Pace::read(environment, findings);
    let allowed_origins = allowed_origins(environment, findings);
    if let Some(url) = &url {
        plain(url, findings);
    }
    for (variable, why) in idle(environment) {
        if environment.is_set(variable) {
            findings.no_effect(variable, why);
        }
    }
    let Pace { heartbeat, welcome_within, first_delay, longest_delay } = pace?;
    let terms = Terms {
        url: url?,
        protocol: protocol?,
        proof: proof?,
        way: Way { connector: connector?, proxies: proxies?, headers: headers? },
        heartbeat,
        welcome_within,
        first_delay,
        longest_delay,
    };
    let auth = around?.of(Exposure::Tunnel(controller?), None);
    let settings = Settings { terms, auth, health: health? };
    Some(Edge { settings, operations: operations?, allowed_origins })
}

fn url(environment: &Environment) -> Result<Url, Problem> {
    let text = environment.text(&DRYDOCK_URL)?.unwrap_or_default();
    Url::parse(text).map_err(|bad| {
        let what = format!("{} {bad}", quoted_address(text));
        Problem::new(&[&DRYDOCK_URL], what, "set it to wss://host, wss://host:port or wss://host/prefix")
    })
}

/// What the controller may do, where everything dangerous about it may be in use.
fn controller(
    environment: &Environment,
    trust: Option<&Trust<'_>>,
    findings: &mut Findings,
) -> Option<Controller> {
    let allow = findings.take(identity::classes(environment, &EDGE_ALLOW));
    let keyring = identity::keyring(environment, findings);
    let keyring = findings.take(keyring);
    let requires_signature = findings.take(switch(environment, &EDGE_REQUIRE_SIGNATURE));
    if let (Some(true), Some(None)) = (requires_signature, &keyring) {
        let what = "requests must be signed, and no key is known that could have signed one";
        findings.refuse(
            &[&EDGE_REQUIRE_SIGNATURE, &AUTHORIZED_KEYS],
            what,
            "set AUTHORIZED_KEYS too, or unset it",
        );
    }
    let place = Place::read(environment, findings);
    let watched = watched(environment, keyring.as_ref().and_then(Option::as_ref));
    let dangerous: Vec<_> = trust.and_then(Trust::dangerous).into_iter().chain(watched).collect();
    place.permit(&dangerous, findings)?;
    Some(Controller { allow: allow?, keyring: keyring?, requires_signature: requires_signature? })
}

/// A proxy that would not be asked is not looked at: it is there for other programs.
fn proxies(environment: &Environment, url: Option<&Url>) -> Result<Proxies, Problem> {
    let is_near = url.is_some_and(Url::is_loopback);
    let own = if url.is_none_or(Url::is_tls) { &HTTPS_PROXY } else { &HTTP_PROXY };
    let asked = if environment.is_set(own) { own } else { &ALL_PROXY };
    let value = |variable: &'static Variable| {
        let is_asked = variable.name == asked.name && !is_near;
        if is_asked { environment.text(variable) } else { Ok(None) }
    };
    let none = environment.text(&NO_PROXY)?;
    Proxies::new(value(&HTTPS_PROXY)?, value(&HTTP_PROXY)?, value(&ALL_PROXY)?, none).map_err(|bad| {
        let remedy = "set it to http://host:port or http://user:password@host:port, or unset it";
        Problem::new(&[asked], format!("it {}", bad.why), remedy)
    })
}

/// When the agent speaks, and how long it waits.
struct Pace {
    heartbeat: Duration,
    welcome_within: Duration,
    first_delay: Duration,
    longest_delay: Duration,
}

impl Pace {
    fn read(environment: &Environment, findings: &mut Findings) -> Option<Self> {
        let rows = [
            (&HEARTBEAT_INTERVAL, EDGE_HEARTBEAT_CEILING),
            (&WELCOME_TIMEOUT, EDGE_WELCOME_CEILING),
            (&RECONNECT_DELAY, EDGE_FIRST_DELAY_CEILING),
            (&MAX_RECONNECT_DELAY, EDGE_LONGEST_DELAY_CEILING),
        ];
        let take = |(variable, ceiling)| {
            findings.take(number(environment, variable, 1..=ceiling)).map(Duration::from_secs)
        };
        let [heartbeat, welcome_within, first_delay, longest_delay] = rows.map(take);
        let pace = Self {
            heartbeat: heartbeat?,
            welcome_within: welcome_within?,
            first_delay: first_delay?,
            longest_delay: longest_delay?,
        };
        let (first, longest) = (pace.first_delay.as_secs(), pace.longest_delay.as_secs());
        if first > longest {
            findings.refuse(
                &[&RECONNECT_DELAY, &MAX_RECONNECT_DELAY],
                format!("the first delay, {first} seconds, is longer than the longest, {longest}"),
                "set MAX_RECONNECT_DELAY to as much as RECONNECT_DELAY at least",
            );
            return None;
        }
        Some(pace)
    }
}

fn plain(url: &Url, findings: &mut Findings) {
    if url.is_tls() || url.is_loopback() {
        return;
    }
    findings.warn(
        "config.plain_controller",
        &[&DRYDOCK_URL],
        format!(
            "the controller on {} is called without TLS: whoever is on the path reads the hello and everything \
             after it, and can give commands in its place",
            url.host()
        ),
        "set it to wss://…, with CA_CERT where no public authority signed the controller's certificate",
    );
}
