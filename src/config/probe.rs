//! What it takes to ask the running agent how it is: a few variables, whatever the others hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::listener::{bind_address, path, port};
use super::variables::TLS_CERT;

/// Where the agent of this environment is asked.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) address: SocketAddr,
    /// The certificate it shows, where it speaks TLS.
    pub(crate) certificate: Option<PathBuf>,
}

impl Probe {
    pub(crate) fn read(environment: &Environment) -> Result<Self, Vec<Problem>> {
        let mut findings = Findings::default();
        let ip = findings.take(bind_address(environment)).map(reachable);
        let port = findings.take(port(environment));
        let certificate = findings.take(path(environment, &TLS_CERT));
        match (ip, port, certificate) {
            (Some(ip), Some(port), Some(certificate)) => {
                let certificate = certificate.map(PathBuf::from);
                Ok(Self { address: SocketAddr::new(ip, port), certificate })
            }
            _ => Err(findings.problems),
        }
    }
}

/// Who listens on every address is asked on loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_asked_where_it_listens() {
        for (bind, asked) in [
            ("", "127.0.0.1:3000"),
            ("0.0.0.0", "127.0.0.1:3000"),
            ("::", "[::1]:3000"),
            ("[::]", "[::1]:3000"),
            ("localhost", "127.0.0.1:3000"),
            ("192.0.2.7", "192.0.2.7:3000"),
        ] {
            let probe = Probe::read(&Environment::of(&[("BIND_ADDRESS", bind)])).unwrap();
            assert_eq!(probe.address.to_string(), asked, "{bind}");
            assert_eq!(probe.certificate, None);
        }
    }

    #[test]
    fn other_variables_do_not_matter() {
        let values = [("LOG_LEVEL", "loud"), ("TOKEN_HASH", "x"), ("TLS_CERT", "/c.pem"), ("PORT", "8443")];
        let probe = Probe::read(&Environment::of(&values)).unwrap();
        assert_eq!(probe.address.port(), 8443);
        assert_eq!(probe.certificate, Some(PathBuf::from("/c.pem")));
    }

    #[test]
    fn its_own_variables_do() {
        let environment = Environment::of(&[("PORT", "0"), ("BIND_ADDRESS", "example.com")]);
        let problems = Probe::read(&environment).unwrap_err();
        assert_eq!(problems.len(), 2);
    }
}
