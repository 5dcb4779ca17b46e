//! Credentials for registries, as the compose program finds them for one operation.

use std::net::Ipv4Addr;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::order::Invalid;
use crate::limits::COMPOSE_REGISTRY_BYTES_MAX;
use crate::secret::Secret;

/// The name under which every client keeps the credentials of Docker's own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A registry, and who we are there.
#[derive(Debug)]
pub(crate) struct Registry {
    key: String,
    username: String,
    password: Secret<String>,
}

/// What is wrong with a registry of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    NoServer,
    Address,
    Plain,
    Username,
    Password,
}

impl Registry {
    pub(crate) fn parse(server: &str, username: &str, password: Secret<String>) -> Result<Self, Invalid> {
        let wrong = |why| Err(Invalid::Registry { server: server.to_owned(), why });
        let key = match key_of(server) {
            Ok(key) => key,
            Err(why) => return wrong(why),
        };
        let is_text = |text: &str| {
            !text.is_empty() && text.len() <= COMPOSE_REGISTRY_BYTES_MAX && !text.contains(char::is_control)
        };
        if !is_text(username) || username.contains(':') {
            return wrong(Unusable::Username);
        }
        if !is_text(password.expose()) {
            return wrong(Unusable::Password);
        }
        Ok(Self { key, username: username.to_owned(), password })
    }

    /// Under this the credentials are found: two registries with the same one are the same.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// The host of an address, with its port. Credentials go in the open to this machine at most.
fn key_of(server: &str) -> Result<String, Unusable> {
    if server.is_empty() {
        return Err(Unusable::NoServer);
    }
    let (is_plain, rest) = match server.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (false, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (true, rest),
        Some(_) => return Err(Unusable::Address),
        None => (false, server),
    };
    // The path of an address says where the registry's interface begins, and is no part of the name.
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte));
    let (host, port) = host_and_port(authority).filter(|_| is_path).ok_or(Unusable::Address)?;
    if is_plain && !is_this_machine(&host) {
        return Err(Unusable::Plain);
    }
    let is_hub = ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&host.as_str());
    match port {
        None | Some(443) if is_hub => Ok(DOCKER_HUB.to_owned()),
        None => Ok(host),
        Some(port) => Ok(format!("{host}:{port}")),
    }
}

/// A name, an address or one in brackets, in small letters, and a port.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        Some(port) => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
            Some(port.parse().ok().filter(|_| is_number)?)
        }
        None => None,
    };
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.len() <= 253 && host.split('.').all(is_label),
    };
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(fits)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host == "[::1]"
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// A program's `config.json`: the credentials, and where the programs are that it may start itself.
pub(crate) fn config_json(registries: &[Registry], plugin_dirs: &[&str]) -> Secret<Vec<u8>> {
    let begin = match plugin_dirs {
        [] => String::from("{"),
        dirs => format!(r#"{{"cliPluginsExtraDirs":{},"#, serde_json::Value::from(dirs.to_vec())),
    };
    let credential = |registry: &Registry| {
        registry.username.len().saturating_add(registry.password.expose().len()).saturating_add(1)
    };
    // Three bytes become four, and names are short: nothing is moved and left behind.
    let size = |registry| credential(registry).saturating_mul(2).saturating_add(NAMES_BYTES);
    let size =
        registries.iter().map(size).fold(begin.len().saturating_add(NAMES_BYTES), usize::saturating_add);
    let mut text = String::with_capacity(size);
    text.push_str(&begin);
    text.push_str(r#""auths":{"#);
    for (index, registry) in registries.iter().enumerate() {
        let mut plain = Zeroizing::new(String::with_capacity(credential(registry)));
        plain.push_str(&registry.username);
        plain.push(':');
        plain.push_str(registry.password.expose());
        if index > 0 {
            text.push(',');
        }
        // A key has no character that JSON would escape.
        text.push('"');
        text.push_str(&registry.key);
        text.push_str(r#"":{"auth":""#);
        BASE64.encode_append(plain.as_bytes(), &mut text);
        text.push_str(r#""}"#);
    }
    text.push_str("}}");
    Secret::new(text.into_bytes())
}

/// More than a registry's key takes, and what is written around it.
const NAMES_BYTES: usize = 512;

#[cfg(test)]
mod tests;
