//! What it takes to ask the running agent how it is: a few variables, whatever the others hold.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::edge;
use super::environment::Environment;
use super::findings::{Findings, Problem};
use super::listener::{bind_address, path, port};
use super::variables::{AGENT_ID, AGENT_NAME, DRYDOCK_URL, TLS_CERT};

/// Where the agent of this environment is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Standard {
        address: SocketAddr,
        /// The certificate it shows, where it speaks TLS.
        certificate: Option<PathBuf>,
    },
    /// By the name of its abstract socket.
    Edge { name: String },
}

impl Probe {
    pub(crate) fn read(environment: &Environment) -> Result<Self, Vec<Problem>> {
        if edge::is_meant(environment) {
            let name = socket_name(environment).map_err(|problem| vec![problem])?;
            return Ok(Self::Edge { name });
        }
        let mut findings = Findings::default();
        let ip = findings.take(bind_address(environment)).map(reachable);
        let port = findings.take(port(environment));
        let certificate = findings.take(path(environment, &TLS_CERT));
        match (ip, port, certificate) {
            (Some(ip), Some(port), Some(certificate)) => {
                let certificate = certificate.map(PathBuf::from);
                Ok(Self::Standard { address: SocketAddr::new(ip, port), certificate })
            }
            _ => Err(findings.problems),
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard { address, .. } => address.fmt(f),
            // As tools that list sockets write it.
            Self::Edge { name } => write!(f, "@{name}"),
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

/// The abstract socket on which an agent in edge mode says how it is: the same for whoever has its
/// variables, and another one for agents of other controllers, ids or names in one namespace.
pub(super) fn socket_name(environment: &Environment) -> Result<String, Problem> {
    let [url, id, name] = [
        environment.text(&DRYDOCK_URL)?.unwrap_or_default(),
        environment.text(&AGENT_ID)?.unwrap_or_default(),
        environment.text(&AGENT_NAME)?.unwrap_or_default(),
    ];
    let digest: [u8; 32] = Sha256::digest(format!("{url}\0{id}\0{name}")).into();
    let short: String = HEXLOWER.encode(&digest).chars().take(16).collect();
    Ok(format!("lookout-{short}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Address and certificate of an agent in standard mode.
    fn standard(values: &[(&str, &str)]) -> (SocketAddr, Option<PathBuf>) {
        match Probe::read(&Environment::of(values)).unwrap() {
            Probe::Standard { address, certificate } => (address, certificate),
            Probe::Edge { name } => panic!("asked at {name}"),
        }
    }

    fn edge(values: &[(&str, &str)]) -> String {
        match Probe::read(&Environment::of(values)).unwrap() {
            Probe::Edge { name } => name,
            Probe::Standard { address, .. } => panic!("asked at {address}"),
        }
    }

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
            assert_eq!(standard(&[("BIND_ADDRESS", bind)]), (asked.parse().unwrap(), None), "{bind}");
        }
    }

    #[test]
    fn other_variables_do_not_matter() {
        let values = [("LOG_LEVEL", "loud"), ("TOKEN_HASH", "x"), ("TLS_CERT", "/c.pem"), ("PORT", "8443")];
        let (address, certificate) = standard(&values);
        assert_eq!(address.port(), 8443);
        assert_eq!(certificate, Some(PathBuf::from("/c.pem")));
        let url = ("DRYDOCK_URL", "wss://controller.example");
        assert_eq!(edge(&[url]), edge(&[url, ("PORT", "0"), ("PRIVATE_KEY_FILE", "/no/such")]));
    }

    #[test]
    fn its_own_variables_do() {
        let environment = Environment::of(&[("PORT", "0"), ("BIND_ADDRESS", "example.com")]);
        let problems = Probe::read(&environment).unwrap_err();
        assert_eq!(problems.len(), 2);
        let environment = Environment::with_bytes(&[("DRYDOCK_URL", "wss://a")], "AGENT_NAME");
        assert_eq!(Probe::read(&environment).unwrap_err().len(), 1);
    }

    #[test]
    fn an_agent_that_does_not_listen_is_asked_on_a_socket_of_its_own() {
        let url = ("DRYDOCK_URL", "wss://controller.example");
        let (id, name) = (("AGENT_ID", "web-1"), ("AGENT_NAME", "web 1"));
        // printf 'wss://controller.example\0\0' | sha256sum
        assert_eq!(edge(&[url]), "lookout-857a2ca884b5652b");
        assert_eq!(edge(&[url, id, name]), "lookout-85373ed054693134");
        let names = [
            edge(&[url]),
            edge(&[url, id]),
            edge(&[url, name]),
            edge(&[url, ("AGENT_NAME", "web-1")]),
            edge(&[url, id, name]),
            edge(&[("DRYDOCK_URL", "wss://other.example"), id, name]),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
