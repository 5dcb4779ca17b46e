//! Where health and metrics listen in edge mode, which opens no socket unless this is asked for.

use std::net::{Ipv4Addr, SocketAddr};

use crate::api::Surface;
use crate::auth::{Acknowledged, Class, Credential, Credentials, Exposure};
use crate::config::environment::Environment;
use crate::config::exposure::one_of;
use crate::config::findings::{Findings, Problem};
use crate::config::identity::{self, Around};
use crate::config::listener::{plain_http, tls};
use crate::config::parse::quoted;
use crate::config::variables::{OPERATIONS_ADDRESS, TOKEN_FILE};
use crate::limits::OPERATIONS_CONNECTIONS_MAX;
use crate::server::Settings;

/// `tokens` and `around` are `None` after a problem with them.
pub(super) fn read(
    environment: &Environment,
    tokens: Option<Vec<Credential>>,
    around: Option<Around>,
    findings: &mut Findings,
) -> Option<Settings> {
    let address = findings.take(address(environment));
    let tls = tls(environment, findings);
    let exposure = exposure(environment, address, tokens, findings);
    let plain = address.filter(|_| matches!(tls, Some(None)));
    let near = address.map(|address| format!("OPERATIONS_ADDRESS=127.0.0.1:{}", address.port()));
    plain_http(environment, plain, (&OPERATIONS_ADDRESS, &near.unwrap_or_default()), findings);
    Some(Settings {
        address: address?,
        tls: tls?,
        connections_max: OPERATIONS_CONNECTIONS_MAX,
        auth: around?.of(exposure?, None),
        allowed_origins: Vec::new(),
        surface: Surface::Operations,
    })
}

pub(super) fn address(environment: &Environment) -> Result<SocketAddr, Problem> {
    let text = environment.text(&OPERATIONS_ADDRESS)?.unwrap_or_default();
    let of_name = text.split_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
    let address = match of_name {
        Some((_, port)) => port.parse().ok().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into()),
        None => text.parse().ok(),
    };
    address.filter(|address: &SocketAddr| address.port() > 0).ok_or_else(|| {
        let what = format!("{} is not an IP address with a port", quoted(text));
        Problem::new(
            &[&OPERATIONS_ADDRESS],
            what,
            "set it to an address such as 127.0.0.1:9090 or [::1]:9090",
        )
    })
}

/// On loopback nothing is asked for unless there is a token; beyond, there has to be one.
fn exposure(
    environment: &Environment,
    address: Option<SocketAddr>,
    tokens: Option<Vec<Credential>>,
    findings: &mut Findings,
) -> Option<Exposure> {
    let hash = identity::token_hash(environment, findings);
    let (tokens, hash) = (tokens?, findings.take(hash)?);
    one_of(&tokens, hash.as_ref(), findings)?;
    if tokens.is_empty() && hash.is_none() {
        let ip = address?.ip();
        let acknowledged = Acknowledged::operations(ip);
        if acknowledged.is_none() {
            let what = format!("{ip} is not loopback, and no token guards what is told there");
            let remedy = "set TOKEN_FILE too, or an address such as 127.0.0.1:9090";
            findings.refuse(&[&OPERATIONS_ADDRESS, &TOKEN_FILE], what, remedy);
        }
        return acknowledged.map(Exposure::Open);
    }
    // Its problems and warnings are told where the controller's signatures are looked at.
    let keyring = identity::keyring(environment, &mut Findings::default()).ok()?;
    let allow = [Class::Metrics].into_iter().collect();
    Some(Exposure::Guarded(Credentials { tokens, hash, keyring, allow }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::specimens;

    const GOOD: (&str, &str) = ("TOKEN", "0123456789abcdef0123456789abcdef");
    const PHC: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    /// The settings, then every problem and every warning.
    fn of(address: &str, others: &[(&str, &str)]) -> (Option<Settings>, Vec<String>, Vec<String>) {
        let environment = Environment::of(&[others, &[("OPERATIONS_ADDRESS", address)]].concat());
        let mut findings = Findings::default();
        let tokens = crate::config::exposure::tokens(&environment, &mut findings);
        let around = Around::read(&environment, &mut findings);
        let settings = read(&environment, tokens, around, &mut findings);
        let problems: Vec<_> = findings.problems.iter().map(ToString::to_string).collect();
        assert_eq!(settings.is_some(), problems.is_empty(), "{problems:?}");
        (settings, problems, findings.warnings.iter().map(ToString::to_string).collect())
    }

    fn exposed(address: &str, others: &[(&str, &str)]) -> Exposure {
        let (settings, problems, _) = of(address, others);
        settings.unwrap_or_else(|| panic!("{problems:?}")).auth.exposure
    }

    fn refused(address: &str, others: &[(&str, &str)], begin: &str) {
        let (_, problems, _) = of(address, others);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.starts_with(begin), "{problem}");
    }

    #[test]
    fn the_address_has_a_port_and_no_name() {
        for (text, address) in [
            ("127.0.0.1:9090", "127.0.0.1:9090"),
            ("[::1]:1", "[::1]:1"),
            ("LocalHost:9090", "127.0.0.1:9090"),
        ] {
            assert_eq!(of(text, &[]).0.unwrap().address.to_string(), address);
        }
        for text in [
            "9090",
            ":9090",
            "127.0.0.1",
            "127.0.0.1:0",
            "localhost:",
            "localhost:0",
            "host:9090",
            "::1:x",
            "[::1]",
        ] {
            refused(
                text,
                &[],
                &format!("OPERATIONS_ADDRESS: {text:?} is not an IP address with a port; set it to"),
            );
        }
    }

    #[test]
    fn health_and_metrics_are_all_that_is_found_there() {
        let settings = of("127.0.0.1:9090", &[]).0.unwrap();
        assert!(matches!(settings.surface, Surface::Operations) && settings.auth.enrollment.is_none());
        assert_eq!(settings.connections_max, OPERATIONS_CONNECTIONS_MAX);
    }

    #[test]
    fn on_loopback_a_token_is_asked_for_where_there_is_one() {
        for address in ["127.0.0.1:9090", "[::1]:9090"] {
            assert!(matches!(exposed(address, &[]), Exposure::Open(_)));
            let Exposure::Guarded(credentials) = exposed(address, &[GOOD]) else { panic!("not guarded") };
            assert_eq!(credentials.tokens.len(), 1);
            assert_eq!(credentials.allow.to_string(), "metrics");
            let hash = exposed(address, &[("TOKEN_HASH", PHC)]);
            assert!(matches!(hash, Exposure::Guarded(Credentials { hash: Some(_), .. })));
        }
    }

    #[test]
    fn keys_are_good_beside_a_token_and_no_token_by_themselves() {
        let line = "ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= ci\n";
        let file = specimens::file("operations", "keys", line, 0o600);
        let keys = ("AUTHORIZED_KEYS", file.to_str().unwrap());
        let Exposure::Guarded(credentials) = exposed("127.0.0.1:9", &[GOOD, keys]) else { panic!("open") };
        assert!(credentials.keyring.is_some());
        assert!(matches!(exposed("127.0.0.1:9", &[keys]), Exposure::Open(_)));
        refused("192.0.2.1:9", &[keys], "OPERATIONS_ADDRESS, TOKEN_FILE: 192.0.2.1 is not loopback");
    }

    #[test]
    fn beyond_loopback_there_must_be_a_token() {
        for address in ["0.0.0.0:9090", "[::]:9090", "192.0.2.1:9090"] {
            refused(address, &[], "OPERATIONS_ADDRESS, TOKEN_FILE: ");
            assert!(matches!(exposed(address, &[GOOD]), Exposure::Guarded(_)));
        }
    }

    #[test]
    fn a_credential_with_a_problem_is_not_mistaken_for_none() {
        let both = [GOOD, ("TOKEN_HASH", PHC)];
        refused("127.0.0.1:9090", &both, "TOKEN, TOKEN_HASH: a token and a hash of one are both set");
        refused("127.0.0.1:9090", &[("TOKEN_FILE", "/no/such")], "TOKEN_FILE: \"/no/such\" cannot be read");
        refused("127.0.0.1:9090", &[("TOKEN_HASH", "x")], "TOKEN_HASH: ");
    }

    #[test]
    fn tls_is_spoken_where_it_is_configured_and_else_warned_about_beyond_loopback() {
        let warnings = of("192.0.2.1:9090", &[GOOD]).2;
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.starts_with("OPERATIONS_ADDRESS: plain HTTP on 192.0.2.1:9090, beyond loopback"));
        assert!(warning.contains("OPERATIONS_ADDRESS=127.0.0.1:9090"), "{warning}");
        assert_eq!(of("192.0.2.1:9090", &[GOOD, ("ALLOW_NON_LOOPBACK", "1")]).2, Vec::<String>::new());
        assert_eq!(of("127.0.0.1:9090", &[]).2, Vec::<String>::new());
        let (cert, key) = specimens::pair("operations-tls");
        let tls = [GOOD, ("TLS_CERT", cert.to_str().unwrap()), ("TLS_KEY", key.to_str().unwrap())];
        let (settings, _, warnings) = of("192.0.2.1:9090", &tls);
        assert!(settings.unwrap().tls.is_some() && warnings.is_empty());
        refused("127.0.0.1:9090", &tls[..2], "TLS_CERT, TLS_KEY: only one of the two is set");
    }
}
