//! Where the agent listens and what it speaks there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::identity::{self, Around};
use super::parse::{list, number, quoted, switch, value};
use super::variables::{
    ALLOW_NON_LOOPBACK, ALLOWED_ORIGINS, BIND_ADDRESS, CLIENT_CA, CONNECTIONS_MAX, PORT, TLS_CERT, TLS_KEY,
    Variable,
};
use super::{exposure, origins};
use crate::api::Surface;
use crate::limits::CONNECTIONS_CEILING;
use crate::net::tls::{Acceptor, Clients};
use crate::server::Settings;

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Settings> {
    let ip = findings.take(bind_address(environment));
    let port = findings.take(port(environment));
    let tls = tls(environment, findings);
    let around = Around::read(environment, findings);
    let enrollment = identity::enrollment(environment, findings);
    let enrollment = findings.take(enrollment);
    let most = u64::try_from(CONNECTIONS_CEILING).unwrap_or(u64::MAX);
    let connections_max = findings.take(number(environment, &CONNECTIONS_MAX, 1..=most));
    let exposure = exposure::read(environment, ip, findings);
    let allowed_origins = allowed_origins(environment, findings);
    let address = ip.zip(port).map(SocketAddr::from);
    let plain = address.filter(|_| matches!(tls, Some(None)));
    plain_http(environment, plain, (&BIND_ADDRESS, "BIND_ADDRESS=127.0.0.1"), findings);
    let (address, tls) = (address?, tls?);
    let auth = around?.of(exposure?, enrollment?);
    let (connections_max, surface) = (connections_max?, Surface::Whole);
    Some(Settings { address, tls, connections_max, auth, allowed_origins, surface })
}

/// `localhost` is spelt out, because what it means elsewhere is decided elsewhere.
pub(super) fn bind_address(environment: &Environment) -> Result<IpAddr, Problem> {
    let text = value(environment, &BIND_ADDRESS)?;
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parsed = match bracketed {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| {
        let what =
            format!("{} is not an IP address; other names than localhost are not looked up", quoted(text));
        Problem::new(
            &[&BIND_ADDRESS],
            what,
            "set it to an address such as 127.0.0.1, 0.0.0.0 or ::1, without a port",
        )
    })
}

pub(super) fn port(environment: &Environment) -> Result<u16, Problem> {
    number(environment, &PORT, 1..=u64::from(u16::MAX))
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Both or neither; the inner `None` is plain HTTP.
pub(super) fn tls(environment: &Environment, findings: &mut Findings) -> Option<Option<Acceptor>> {
    let (cert, key) = (path(environment, &TLS_CERT), path(environment, &TLS_KEY));
    let (cert, key) = (findings.take(cert), findings.take(key));
    let (cert, key) = match (cert?, key?) {
        (None, None) => {
            if environment.is_set(&CLIENT_CA) {
                findings.no_effect(&CLIENT_CA, "without TLS_CERT and TLS_KEY no client shows a certificate");
            }
            return Some(None);
        }
        (Some(cert), Some(key)) => (cert, key),
        (cert, _) => {
            let missing = if cert.is_some() { &TLS_KEY } else { &TLS_CERT };
            let what = format!("only one of the two is set: {} is missing", missing.name);
            findings.refuse(&[&TLS_CERT, &TLS_KEY], what, "set both, or unset both to speak plain HTTP");
            return None;
        }
    };
    let ca = findings.take(path(environment, &CLIENT_CA))?;
    // Its own problem is told where the keys are read.
    let has_keys = identity::keys_file(environment).is_ok_and(|file| file.is_some());
    if ca.is_some() && !has_keys {
        let what = "it says whose certificates count, and no key is known that could be in one";
        findings.refuse(&[&CLIENT_CA], what, "set AUTHORIZED_KEYS too, or unset it");
        return None;
    }
    let clients = match ca {
        Some(ca) => Clients::Under(ca),
        None if has_keys => Clients::Keys,
        None => Clients::Nobody,
    };
    match Acceptor::load(cert, key, clients) {
        Ok((acceptor, concerns)) => {
            for (path, concern) in concerns {
                let what = format!("{} is not well kept", quoted(&path.to_string_lossy()));
                findings.warn("config.loose_file", &[&TLS_KEY], what, concern.to_string());
            }
            Some(Some(acceptor))
        }
        Err(bad) => {
            let remedy = "name a PEM file with a certificate chain and one with its key";
            findings.refuse(&[&TLS_CERT, &TLS_KEY], bad.to_string(), remedy);
            None
        }
    }
}

/// A path, unless it is the file's content, which must not end up in a message.
pub(super) fn path<'e>(
    environment: &'e Environment,
    variable: &'static Variable,
) -> Result<Option<&'e Path>, Problem> {
    let text = environment.text(variable)?;
    if text.is_some_and(|text| text.contains("-----BEGIN") || text.contains(char::is_control)) {
        let what = "it holds PEM text or control characters where a path is wanted";
        return Err(Problem::new(&[variable], what, "put the text into a file and name that"));
    }
    Ok(text.map(Path::new))
}

pub(super) fn allowed_origins(environment: &Environment, findings: &mut Findings) -> Vec<String> {
    let items = findings.take(list(environment, &ALLOWED_ORIGINS)).unwrap_or_default();
    items.into_iter().filter_map(|item| findings.take(origins::origin(item))).collect()
}

/// Warns of what can be read on the way, unless that is silenced. `bound` says where we listen, and
/// `near` would keep it on loopback.
pub(super) fn plain_http(
    environment: &Environment,
    address: Option<SocketAddr>,
    (bound, near): (&'static Variable, &str),
    findings: &mut Findings,
) {
    let silenced = findings.take(switch(environment, &ALLOW_NON_LOOPBACK));
    let Some(address) = address.filter(|address| silenced == Some(false) && !is_loopback(address.ip()))
    else {
        return;
    };
    findings.warn(
        "config.plain_http",
        &[bound],
        format!(
            "plain HTTP on {address}, beyond loopback: whoever is on the path reads the token and can use it"
        ),
        format!(
            "set TLS_CERT and TLS_KEY; or {near} behind something that speaks TLS; or, where the network is \
             trusted, ALLOW_NON_LOOPBACK=true, which silences this"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::specimens;

    const GOOD: (&str, &str) = ("TOKEN", "0123456789abcdef0123456789abcdef");

    /// The settings, then every problem and every warning.
    fn of(values: &[(&str, &str)]) -> (Option<Settings>, Vec<String>, Vec<String>) {
        let mut findings = Findings::default();
        let settings = read(&Environment::of(&[values, &[GOOD]].concat()), &mut findings);
        let problems = findings.problems.iter().map(ToString::to_string).collect();
        (settings, problems, findings.warnings.iter().map(ToString::to_string).collect())
    }

    fn sound(values: &[(&str, &str)]) -> Settings {
        let (settings, problems, _) = of(values);
        assert_eq!(problems, Vec::<String>::new());
        settings.unwrap()
    }

    fn refused(values: &[(&str, &str)], begin: &str) {
        let (_, problems, _) = of(values);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.starts_with(begin), "{problem}");
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (bind, port, address) in [
            ("", "", "0.0.0.0:3000"),
            ("127.0.0.1", "1", "127.0.0.1:1"),
            ("::1", "65535", "[::1]:65535"),
            ("[::]", "", "[::]:3000"),
            ("LocalHost", "", "127.0.0.1:3000"),
        ] {
            let settings = sound(&[("BIND_ADDRESS", bind), ("PORT", port)]);
            assert_eq!(settings.address.to_string(), address);
        }
    }

    #[test]
    fn what_is_no_address_or_port_is_refused() {
        for bind in [
            "example.com",
            "*",
            "1.2.3",
            "127.0.0.1:3000",
            "[127.0.0.1]",
            "[::1",
            "::1%lo",
            " 127.0.0.1",
            "0",
        ] {
            refused(&[("BIND_ADDRESS", bind)], &format!("BIND_ADDRESS: {bind:?} is not an IP address"));
        }
        for port in ["0", "65536", "http"] {
            refused(&[("PORT", port)], &format!("PORT: {port:?} is not a whole number from 1 to 65535"));
        }
    }

    #[test]
    fn connections_are_bounded_both_ways() {
        assert_eq!(sound(&[]).connections_max, 1024);
        assert_eq!(sound(&[("CONNECTIONS_MAX", "65536")]).connections_max, 65_536);
        for most in ["0", "65537"] {
            refused(&[("CONNECTIONS_MAX", most)], "CONNECTIONS_MAX: ");
        }
    }

    #[test]
    fn tls_takes_a_certificate_and_its_key_or_neither() {
        let (cert, key) = specimens::pair("listener");
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        assert!(sound(&[("TLS_CERT", cert), ("TLS_KEY", key)]).tls.is_some());
        assert!(sound(&[]).tls.is_none());
        refused(&[("TLS_CERT", cert)], "TLS_CERT, TLS_KEY: only one of the two is set: TLS_KEY is missing");
        refused(&[("TLS_KEY", key)], "TLS_CERT, TLS_KEY: only one of the two is set: TLS_CERT is missing");
        for (cert, key) in [("/no/such.pem", key), (cert, "/no/such.pem"), (key, key), (cert, cert)] {
            refused(&[("TLS_CERT", cert), ("TLS_KEY", key)], "TLS_CERT, TLS_KEY: /");
        }
    }

    #[test]
    fn a_key_that_is_set_as_text_is_not_repeated() {
        let (_, problems, _) = of(&[("TLS_CERT", "/c"), ("TLS_KEY", "-----BEGIN PRIVATE KEY-----\nhunter2")]);
        assert_eq!(
            problems,
            [
                "TLS_KEY: it holds PEM text or control characters where a path is wanted; put the text into a file and name that"
            ]
        );
    }

    #[test]
    fn a_key_that_everyone_reads_is_a_warning() {
        let (cert, key) = specimens::pair("listener-loose");
        let loose = specimens::file("listener-loose", "loose.pem", std::fs::read(key).unwrap(), 0o644);
        let (settings, _, warnings) =
            of(&[("TLS_CERT", cert.to_str().unwrap()), ("TLS_KEY", loose.to_str().unwrap())]);
        assert!(settings.is_some());
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.starts_with("TLS_KEY: \"/") && warning.contains("everyone can read it (mode 0644)"));
    }

    #[test]
    fn plain_http_beyond_loopback_warns_with_the_remedy_unless_that_is_silenced() {
        let warnings_of = |values: &[(&str, &str)]| of(values).2;
        for bind in ["", "192.0.2.1", "::"] {
            let warnings = warnings_of(&[("BIND_ADDRESS", bind)]);
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.starts_with("BIND_ADDRESS: plain HTTP on "), "{warning}");
            for remedy in ["TLS_CERT and TLS_KEY", "BIND_ADDRESS=127.0.0.1", "ALLOW_NON_LOOPBACK=true"] {
                assert!(warning.contains(remedy));
            }
        }
        for bind in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"] {
            assert_eq!(warnings_of(&[("BIND_ADDRESS", bind)]), Vec::<String>::new(), "{bind}");
        }
        assert_eq!(warnings_of(&[("ALLOW_NON_LOOPBACK", "true")]), Vec::<String>::new());
        let (cert, key) = specimens::pair("listener-tls");
        let tls = [("TLS_CERT", cert.to_str().unwrap()), ("TLS_KEY", key.to_str().unwrap())];
        assert_eq!(warnings_of(&tls), Vec::<String>::new());
        refused(&[("ALLOW_NON_LOOPBACK", "ja")], "ALLOW_NON_LOOPBACK: \"ja\" is neither yes nor no");
    }

    #[test]
    fn origins_are_read_one_by_one() {
        let settings = sound(&[("ALLOWED_ORIGINS", "https://a.example, http://localhost:8080")]);
        assert_eq!(settings.allowed_origins, ["https://a.example", "http://localhost:8080"]);
        refused(&[("ALLOWED_ORIGINS", "https://a.example,*")], "ALLOWED_ORIGINS: \"*\" is not an origin");
    }
}
