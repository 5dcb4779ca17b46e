//! The way to the controller alone, for whoever looks for what is wrong with the rest.

use super::{PROTOCOLS, controller, headers, proxies, trust, url};
use crate::config::environment::Environment;
use crate::config::findings::Findings;
use crate::config::parse::choice;
use crate::config::variables::EDGE_PROTOCOL;
use crate::edge::{Protocol, Url, Way};

/// Whom the environment calls and how, as far as nothing is wrong with that. What is not permitted
/// here is not done for a look at it either.
pub(in crate::config) fn way(environment: &Environment) -> Option<(Url, Way, Protocol)> {
    let mut findings = Findings::default();
    let url = url(environment).ok()?;
    let trust = trust::read(environment, Some(&url), &mut findings)?;
    if trust.dangerous().is_some() {
        controller(environment, Some(&trust), &mut findings)?;
    }
    let connector = trust.connector(&mut findings)?;
    let proxies = proxies(environment, Some(&url)).ok()?;
    let headers = headers::read(environment, &mut findings)?;
    let protocol = choice(environment, &EDGE_PROTOCOL, PROTOCOLS).ok()?;
    Some((url, Way { connector, proxies, headers }, protocol))
}
