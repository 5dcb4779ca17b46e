//! Which Engine the agent stands in front of, and how it gets there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::listener::{is_loopback, path};
use super::origins::host_and_port;
use super::parse::{number, quoted, switch};
use super::variables::{
    DOCKER_CERT_PATH, DOCKER_HOST, DOCKER_SOCKET, DOCKER_TLS_VERIFY, HOME, REQUEST_TIMEOUT, Variable,
};
use crate::docker::{Address, Settings};
use crate::limits::ENGINE_SECS_CEILING;
use crate::net::tls::Connector;
use crate::sys::ids;

/// The ports an Engine listens on, as it is registered.
const PORT_PLAIN: u16 = 2375;
const PORT_TLS: u16 = 2376;

pub(super) fn read(environment: &Environment, findings: &mut Findings) -> Option<Settings> {
    let secs = findings.take(number(environment, &REQUEST_TIMEOUT, 1..=ENGINE_SECS_CEILING));
    let address = address(environment, findings);
    Some(Settings { address: address?, head_within: Duration::from_secs(secs?) })
}

fn address(environment: &Environment, findings: &mut Findings) -> Option<Address> {
    let socket = findings.take(environment.text(&DOCKER_SOCKET))?;
    let host = match socket {
        Some(_) => None,
        None => findings.take(environment.text(&DOCKER_HOST))?,
    };
    if socket.is_some() && environment.is_set(&DOCKER_HOST) {
        findings.no_effect(&DOCKER_HOST, "DOCKER_SOCKET is set and wins");
    }
    if let Some(authority) = host.and_then(|host| host.strip_prefix("tcp://")) {
        return tcp(environment, authority, findings);
    }
    for variable in [&DOCKER_TLS_VERIFY, &DOCKER_CERT_PATH] {
        if environment.is_set(variable) {
            findings.no_effect(variable, "the Engine is not asked over tcp://");
        }
    }
    let sockets = match (socket, host) {
        (Some(socket), _) => findings.take(one_socket(socket)),
        (None, Some(host)) => findings.take(socket_of_host(host)),
        (None, None) => findings.take(environment.text(&HOME)).map(usual_sockets),
    };
    sockets.map(Address::Unix)
}

fn one_socket(value: &str) -> Result<Vec<PathBuf>, Problem> {
    let path = value.strip_prefix("unix://").unwrap_or(value);
    if path.starts_with('/') {
        return Ok(vec![path.into()]);
    }
    let what = format!("{} is not an absolute path", quoted(value));
    Err(Problem::new(
        &[&DOCKER_SOCKET],
        what,
        "set it to a path such as /var/run/docker.sock; tcp:// goes into DOCKER_HOST",
    ))
}

/// Every kind of address but `tcp://`, which the caller has dealt with.
fn socket_of_host(host: &str) -> Result<Vec<PathBuf>, Problem> {
    if let Some(path) = host.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
        return Ok(vec![path.into()]);
    }
    let what = match host.split_once("://") {
        Some(("unix", _)) => format!("{} does not hold an absolute path", quoted(host)),
        Some((scheme, _)) => format!("{} is not spoken here", quoted(&format!("{scheme}://"))),
        None => format!("{} does not say unix:// or tcp://", quoted(host)),
    };
    Err(Problem::new(&[&DOCKER_HOST], what, "set it to unix:///path or tcp://host:port"))
}

/// Where an Engine is usually found: Docker's, a desktop's, a user's own, Podman's.
fn usual_sockets(home: Option<&str>) -> Vec<PathBuf> {
    let user = ids::user();
    let home = home.filter(|home| home.starts_with('/'));
    let of_home = |below: &str| home.map(|home| Path::new(home).join(below));
    let candidates = [
        Some("/var/run/docker.sock".into()),
        of_home(".docker/run/docker.sock"),
        of_home(".orbstack/run/docker.sock"),
        Some("/run/docker.sock".into()),
        Some(format!("/run/user/{user}/docker.sock").into()),
        Some("/run/podman/podman.sock".into()),
        Some(format!("/run/user/{user}/podman/podman.sock").into()),
    ];
    candidates.into_iter().flatten().collect()
}

fn tcp(environment: &Environment, authority: &str, findings: &mut Findings) -> Option<Address> {
    let verify = findings.take(switch(environment, &DOCKER_TLS_VERIFY));
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let target = host_and_port(authority);
    if target.is_none() {
        let what = format!("{} is not a host with a port", quoted(&format!("tcp://{authority}")));
        findings.refuse(
            &[&DOCKER_HOST],
            what,
            "set it to tcp://host:port, without a user and without a path",
        );
    }
    let tls = if verify? {
        Some(connector(environment, findings)?)
    } else {
        certificates_unused(environment, findings)?;
        None
    };
    let (host, port) = target?;
    // The brackets belong to the URL, not to the address.
    let host = host.trim_matches(['[', ']']);
    if tls.is_none() && !is_near(host) {
        findings.warn(
            "config.plain_engine",
            &[&DOCKER_HOST],
            format!("plain TCP to the Engine on {host}: whoever is on the path is root on its host"),
            "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH",
        );
    }
    let usual = if tls.is_some() { PORT_TLS } else { PORT_PLAIN };
    Some(Address::Tcp { host: host.to_owned(), port: port.unwrap_or(usual), tls })
}

fn is_near(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// Docker's clients speak TLS as soon as there are certificates. So that nobody believes we do, too:
fn certificates_unused(environment: &Environment, findings: &mut Findings) -> Option<()> {
    if !environment.is_set(&DOCKER_CERT_PATH) {
        return Some(());
    }
    let both: [&'static Variable; 2] = [&DOCKER_CERT_PATH, &DOCKER_TLS_VERIFY];
    let what = "there are certificates for the Engine, and without DOCKER_TLS_VERIFY they would not be used";
    findings.refuse(&both, what, "set DOCKER_TLS_VERIFY=1 to speak TLS, or unset DOCKER_CERT_PATH");
    None
}

fn connector(environment: &Environment, findings: &mut Findings) -> Option<Connector> {
    let dir = match findings.take(path(environment, &DOCKER_CERT_PATH))? {
        Some(dir) => dir.to_owned(),
        None => match findings.take(environment.text(&HOME))? {
            Some(home) => Path::new(home).join(".docker"),
            None => {
                let what =
                    "DOCKER_TLS_VERIFY asks for certificates, and neither DOCKER_CERT_PATH nor HOME is set";
                findings.refuse(&[&DOCKER_CERT_PATH], what, "name the directory of ca.pem");
                return None;
            }
        },
    };
    let connector = Connector::docker(&dir).map_err(|bad| {
        let remedy =
            "name a directory with ca.pem, and with cert.pem and key.pem where the Engine asks for them";
        Problem::new(&[&DOCKER_CERT_PATH], bad.to_string(), remedy)
    });
    findings.take(connector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::specimens;

    /// The settings, then every problem and every warning.
    fn of(values: &[(&str, &str)]) -> (Option<Settings>, Vec<String>, Vec<String>) {
        let mut findings = Findings::default();
        let settings = read(&Environment::of(values), &mut findings);
        let problems: Vec<_> = findings.problems.iter().map(ToString::to_string).collect();
        assert_eq!(settings.is_some(), problems.is_empty(), "{problems:?}");
        (settings, problems, findings.warnings.iter().map(ToString::to_string).collect())
    }

    /// The sockets that are tried, and every warning.
    fn sockets(values: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let (settings, problems, warnings) = of(values);
        let Some(Settings { address: Address::Unix(paths), .. }) = settings else { panic!("{problems:?}") };
        (paths.iter().map(|path| path.display().to_string()).collect(), warnings)
    }

    /// Host, port and whether TLS is spoken; and every warning.
    fn host(values: &[(&str, &str)]) -> (String, u16, bool, Vec<String>) {
        let (settings, problems, warnings) = of(values);
        let Some(Settings { address: Address::Tcp { host, port, tls }, .. }) = settings else {
            panic!("{problems:?}")
        };
        (host, port, tls.is_some(), warnings)
    }

    fn refused(values: &[(&str, &str)], begin: &str) {
        let (_, problems, _) = of(values);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.starts_with(begin), "{problem}");
    }

    #[test]
    fn the_usual_sockets_are_tried_in_order() {
        let user = ids::user();
        let rest = [
            "/run/docker.sock".to_owned(),
            format!("/run/user/{user}/docker.sock"),
            "/run/podman/podman.sock".to_owned(),
            format!("/run/user/{user}/podman/podman.sock"),
        ];
        let of_home =
            ["/home/a/.docker/run/docker.sock".to_owned(), "/home/a/.orbstack/run/docker.sock".to_owned()];
        let first = ["/var/run/docker.sock".to_owned()];
        assert_eq!(sockets(&[("HOME", "/home/a")]).0, [&first[..], &of_home, &rest].concat());
        for home in ["", "not/absolute"] {
            assert_eq!(sockets(&[("HOME", home)]).0, [&first[..], &rest].concat());
        }
    }

    #[test]
    fn a_socket_that_is_named_is_the_only_one() {
        for values in [
            ("DOCKER_SOCKET", "/run/my.sock"),
            ("DOCKER_SOCKET", "unix:///run/my.sock"),
            ("DOCKER_HOST", "unix:///run/my.sock"),
        ] {
            assert_eq!(sockets(&[values]), (vec!["/run/my.sock".to_owned()], vec![]));
        }
    }

    #[test]
    fn the_socket_wins_over_the_host_and_says_so() {
        let (paths, warnings) = sockets(&[("DOCKER_SOCKET", "/a.sock"), ("DOCKER_HOST", "tcp://b")]);
        assert_eq!(paths, ["/a.sock"]);
        assert_eq!(warnings, ["DOCKER_HOST: DOCKER_SOCKET is set and wins; unset it"]);
    }

    #[test]
    fn other_addresses_are_refused_by_name() {
        for (value, what) in [
            ("ssh://user:secret@host", "\"ssh://\" is not spoken here"),
            ("npipe:////./pipe/docker_engine", "\"npipe://\" is not spoken here"),
            ("fd://", "\"fd://\" is not spoken here"),
            ("http://host:2375", "\"http://\" is not spoken here"),
            ("TCP://host", "\"TCP://\" is not spoken here"),
            ("unix://run/docker.sock", "\"unix://run/docker.sock\" does not hold an absolute path"),
            ("/run/docker.sock", "\"/run/docker.sock\" does not say unix:// or tcp://"),
            ("host:2375", "\"host:2375\" does not say unix:// or tcp://"),
            ("tcp://", "\"tcp://\" is not a host with a port"),
            ("tcp://:2375", "\"tcp://:2375\" is not a host with a port"),
            ("tcp://host:0", "\"tcp://host:0\" is not a host with a port"),
            ("tcp://host/prefix", "\"tcp://host/prefix\" is not a host with a port"),
            ("tcp://user:secret@host", "\"tcp://***@host\" is not a host with a port"),
            ("tcp://::1", "\"tcp://::1\" is not a host with a port"),
        ] {
            refused(&[("DOCKER_HOST", value)], &format!("DOCKER_HOST: {what}; set it to "));
        }
        for value in ["docker.sock", "tcp://host:2375", "unix://docker.sock"] {
            refused(
                &[("DOCKER_SOCKET", value)],
                &format!("DOCKER_SOCKET: {value:?} is not an absolute path"),
            );
        }
    }

    #[test]
    fn tcp_has_the_usual_ports() {
        for (value, to, port) in [
            ("tcp://localhost", "localhost", 2375),
            ("tcp://127.0.0.1:99/", "127.0.0.1", 99),
            ("tcp://[::1]:99", "::1", 99),
            ("tcp://[::1]", "::1", 2375),
        ] {
            assert_eq!(host(&[("DOCKER_HOST", value)]), (to.to_owned(), port, false, vec![]));
        }
    }

    #[test]
    fn tls_takes_its_certificates_from_the_usual_place() {
        let (cert, _) = specimens::pair("engine");
        let home = cert.parent().unwrap();
        let certificate = std::fs::read(&cert).unwrap();
        let dir = home.join(".docker");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("ca.pem"), certificate).unwrap();
        let (home, dir) = (home.to_str().unwrap(), dir.to_str().unwrap());
        let remote = [("DOCKER_HOST", "tcp://docker.example"), ("DOCKER_TLS_VERIFY", "1")];
        for place in [("HOME", home), ("DOCKER_CERT_PATH", dir)] {
            let told = host(&[remote[0], remote[1], place]);
            assert_eq!(told, ("docker.example".to_owned(), 2376, true, vec![]));
        }
        refused(&remote, "DOCKER_CERT_PATH: DOCKER_TLS_VERIFY asks for certificates");
        refused(
            &[remote[0], remote[1], ("DOCKER_CERT_PATH", "/no/such")],
            "DOCKER_CERT_PATH: /no/such/ca.pem ",
        );
        refused(&[remote[0], ("DOCKER_TLS_VERIFY", "ja")], "DOCKER_TLS_VERIFY: \"ja\" is neither yes nor no");
    }

    #[test]
    fn certificates_that_would_not_be_used_are_refused() {
        let values = [("DOCKER_HOST", "tcp://localhost"), ("DOCKER_CERT_PATH", "/certs")];
        refused(&values, "DOCKER_CERT_PATH, DOCKER_TLS_VERIFY: there are certificates");
    }

    #[test]
    fn plain_tcp_beyond_loopback_warns() {
        let (.., warnings) = host(&[("DOCKER_HOST", "tcp://docker.example:2375")]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.starts_with("DOCKER_HOST: plain TCP to the Engine on docker.example: "));
    }

    #[test]
    fn tls_without_tcp_has_no_effect_and_says_so() {
        let (_, warnings) = sockets(&[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")]);
        assert_eq!(
            warnings,
            [
                "DOCKER_TLS_VERIFY: the Engine is not asked over tcp://; unset it",
                "DOCKER_CERT_PATH: the Engine is not asked over tcp://; unset it"
            ]
        );
    }

    #[test]
    fn the_engine_may_take_its_time_within_bounds() {
        for (value, secs) in [("", 30), ("1", 1), ("3600", 3600)] {
            let (settings, ..) = of(&[("REQUEST_TIMEOUT", value)]);
            assert_eq!(settings.unwrap().head_within, Duration::from_secs(secs));
        }
        for value in ["0", "3601", "-1", "30s"] {
            refused(
                &[("REQUEST_TIMEOUT", value)],
                &format!("REQUEST_TIMEOUT: {value:?} is not a whole number"),
            );
        }
    }
}
