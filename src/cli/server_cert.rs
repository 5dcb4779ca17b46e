//! A server's certificate that needs no authority: whoever has it knows the agent by it.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{self, Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::arguments::NAME;
use super::new_files::{self, NotMade};
use super::out::{complain, hand_over};
use crate::auth::self_signed::{Name, Usage, from_now, self_signed};
use crate::auth::{SigningKey, pem, pkcs8};
use crate::limits::{
    CERTIFICATE_DAYS, CERTIFICATE_DAYS_CEILING, CERTIFICATE_HOSTS_MAX, COMMON_NAME_CHARS_MAX,
};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    hosts: Vec<Host>,
    days: u64,
    /// Where the files go; without it, all goes to stdout.
    out: Option<PathBuf>,
}

/// How clients call the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Dns(String),
    Ip(IpAddr),
}

/// What is neither a name nor an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BadHost;

pub(super) fn arguments() -> Vec<Arg> {
    vec![
        Arg::new("host")
            .long("host")
            .value_name("NAME")
            .required(true)
            .action(ArgAction::Append)
            .value_parser(host)
            .help("Name or IP address that clients use; may stand several times"),
        Arg::new("days")
            .long("days")
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..=CERTIFICATE_DAYS_CEILING))
            .help("How long it is valid; ten years unless said otherwise"),
        Arg::new("out")
            .long("out")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .help("Write cert.pem and key.pem into DIR"),
    ]
}

impl Options {
    pub(super) fn of(matches: &mut ArgMatches) -> Self {
        let hosts = matches.remove_many("host").map(Iterator::collect).unwrap_or_default();
        let days = matches.remove_one("days").unwrap_or(CERTIFICATE_DAYS);
        Self { hosts, days, out: matches.remove_one("out") }
    }
}

/// An IP address, or a host name as RFC 1123 has it. Underscores pass, because containers are
/// called so; a last label of digits does not, because it is half an address.
fn host(text: &str) -> Result<Host, BadHost> {
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(ip));
    }
    let name = text.to_ascii_lowercase();
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    let is_name = labels.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit());
    if is_name && name.len() <= 253 { Ok(Host::Dns(name)) } else { Err(BadHost) }
}

/// Why there is no certificate.
#[derive(Debug)]
enum NoCertificate {
    TooManyHosts,
    Random(getrandom::Error),
    NotMade(NotMade),
    Untold(io::Error),
}

pub(super) fn server_cert(options: &Options) -> ExitCode {
    match make(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("lookout cert: {why}\n"));
            ExitCode::FAILURE
        }
    }
}

fn make(options: &Options) -> Result<(), NoCertificate> {
    if options.hosts.len() > CERTIFICATE_HOSTS_MAX {
        return Err(NoCertificate::TooManyHosts);
    }
    let seed = SigningKey::generate().map_err(NoCertificate::Random)?.seed();
    let [from, to] = from_now(options.days);
    let certificate = self_signed(&seed, &name(&options.hosts), from, to, Usage::Server);
    let certificate = pem::write("CERTIFICATE", &certificate.map_err(NoCertificate::Random)?);
    let key = pkcs8::write(&seed);
    let told = match &options.out {
        Some(dir) => {
            let made = [("cert.pem", certificate.as_str()), ("key.pem", key.expose())];
            new_files::make(dir, &made).map_err(NoCertificate::NotMade)?;
            complain(
                "The agent's user must be able to read both files. Clients know the agent by cert.pem:\n\
                 give it to them as their ca.pem.\n",
            );
            hand_over(&variables(dir))
        }
        None => hand_over(&certificate).and_then(|()| hand_over(key.expose())),
    };
    told.map_err(NoCertificate::Untold)
}

/// The name it carries, and those it is held against.
fn name(hosts: &[Host]) -> Name {
    let (mut dns, mut ips) = (Vec::new(), Vec::new());
    for host in hosts {
        match host {
            Host::Dns(name) => dns.push(name.clone()),
            Host::Ip(ip) => ips.push(*ip),
        }
    }
    let first = dns.first().cloned().or_else(|| ips.first().map(IpAddr::to_string));
    let fitting = first.filter(|name| name.len() <= COMMON_NAME_CHARS_MAX);
    Name { common_name: fitting.unwrap_or_else(|| NAME.to_owned()), dns, ips }
}

/// The lines of the agent's environment.
fn variables(dir: &Path) -> String {
    let dir = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let file = |name| dir.join(name).display().to_string();
    format!("TLS_CERT={}\nTLS_KEY={}\n", file("cert.pem"), file("key.pem"))
}

impl std::error::Error for BadHost {}

impl fmt::Display for BadHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a host name nor an IP address; without scheme, port and brackets")
    }
}

impl fmt::Display for NoCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyHosts => write!(f, "more than {CERTIFICATE_HOSTS_MAX} hosts"),
            Self::Random(error) => write!(f, "the system gives no random bytes: {error}"),
            Self::NotMade(why) => write!(f, "{why}"),
            Self::Untold(error) => write!(f, "the certificate could not be written: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let dns = |name: &str| Host::Dns(name.to_owned());
        for (text, outcome) in [
            ("agent.example", dns("agent.example")),
            ("Agent", dns("agent")),
            ("my_agent-1", dns("my_agent-1")),
            ("*.lan", dns("*.lan")),
            ("10.0.0.1.nip.example", dns("10.0.0.1.nip.example")),
            ("192.0.2.1", Host::Ip("192.0.2.1".parse().unwrap())),
            ("::1", Host::Ip("::1".parse().unwrap())),
        ] {
            assert_eq!(host(text), Ok(outcome), "{text}");
        }
    }

    #[test]
    fn what_no_client_could_call_is_refused() {
        let (long_label, long_name) = ("a".repeat(64), format!("{}a", "a.".repeat(127)));
        for text in [
            "",
            "agent:3000",
            "https://agent",
            "[::1]",
            "agent.",
            ".agent",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a,b",
            "a/b",
            "*",
            "*.",
            "a.*.b",
            "1.2.3",
            "256.0.0.1",
            "fe80::1%eth0",
            "\u{e4}gent",
            &long_label,
            &long_name,
        ] {
            assert_eq!(host(text), Err(BadHost), "{text}");
        }
        assert!(host(&long_label[1..]).is_ok() && host(&long_name[2..]).is_ok());
    }

    #[test]
    fn the_first_name_that_fits_is_the_common_one() {
        let hosts = |texts: &[&str]| texts.iter().map(|text| host(text).unwrap()).collect::<Vec<_>>();
        let long = format!("{}.example", "a".repeat(60));
        for (texts, common) in
            [(&["192.0.2.1", "agent", "other"][..], "agent"), (&["::1"], "::1"), (&[&long], "lookout")]
        {
            assert_eq!(name(&hosts(texts)).common_name, common);
        }
        let name = name(&hosts(&["a", "::1", "b"]));
        assert_eq!(
            (name.dns, name.ips),
            (vec!["a".to_owned(), "b".to_owned()], vec!["::1".parse().unwrap()])
        );
    }

    #[test]
    fn the_variables_name_the_files_wherever_the_agent_starts() {
        assert_eq!(variables(Path::new("/etc/x")), "TLS_CERT=/etc/x/cert.pem\nTLS_KEY=/etc/x/key.pem\n");
        assert!(variables(Path::new("x")).starts_with("TLS_CERT=/"));
    }
}
