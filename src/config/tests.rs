//! The configuration as a whole: all problems at once, and what this version does not do.

use super::*;
use crate::log::Level;
use variables::{Holds, Variable};

const TOKEN: (&str, &str) = ("TOKEN", "0123456789abcdef0123456789abcdef");
const LOOPBACK: (&str, &str) = ("BIND_ADDRESS", "127.0.0.1");

fn told(values: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
    match Config::read(&Environment::of(values)) {
        Ok(config) => Ok(config.warnings.iter().map(ToString::to_string).collect()),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn a_token_is_all_that_it_takes() {
    let config = Config::read(&Environment::of(&[TOKEN])).ok().unwrap();
    let Mode::Standard(server) = config.mode else { panic!("edge mode without a controller") };
    assert_eq!(server.address.to_string(), "0.0.0.0:3000");
    assert!(matches!(server.surface, api::Surface::Whole));
    assert_eq!(config.level, Level::Info);
    assert_eq!(told(&[TOKEN, LOOPBACK]), Ok(vec![]));
}

#[test]
fn every_level_is_known_in_any_case() {
    for (text, level) in
        [("debug", Level::Debug), ("Info", Level::Info), ("WARN", Level::Warn), ("error", Level::Error)]
    {
        let config = Config::read(&Environment::of(&[TOKEN, ("LOG_LEVEL", text)])).ok().unwrap();
        assert_eq!(config.level, level);
    }
    let problems = told(&[TOKEN, ("LOG_LEVEL", "loud")]).unwrap_err();
    assert_eq!(
        problems,
        ["LOG_LEVEL: \"loud\" is none of debug, info, warn, error; set it to one of them, or unset it"]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = told(&[
        ("PORT", "0"),
        ("BIND_ADDRESS", "here"),
        ("TLS_CERT", "/c"),
        ("CONNECTIONS_MAX", "0"),
        ("ALLOWED_ORIGINS", "*,null"),
        ("TOKEN_FILE", "/no/such"),
        ("DD_AGENT_SECRET", " "),
        ("ALLOW_NON_LOOPBACK", "maybe"),
        ("DOCKER_HOST", "ssh://host"),
        ("REQUEST_TIMEOUT", "0"),
        ("LOG_LEVEL", "loud"),
        ("TOKEN_HASH", "x"),
    ])
    .unwrap_err();
    for name in [
        "PORT",
        "BIND_ADDRESS",
        "TLS_CERT, TLS_KEY",
        "CONNECTIONS_MAX",
        "TOKEN_FILE",
        "DD_AGENT_SECRET",
        "ALLOW_NON_LOOPBACK",
        "DOCKER_HOST",
        "REQUEST_TIMEOUT",
        "LOG_LEVEL",
        "TOKEN_HASH",
    ] {
        let begin = format!("{name}: ");
        assert_eq!(problems.iter().filter(|problem| problem.starts_with(&begin)).count(), 1, "{name}");
    }
    assert_eq!(problems.iter().filter(|problem| problem.starts_with("ALLOWED_ORIGINS: ")).count(), 2);
    assert_eq!(problems.len(), 13);
    for problem in &problems {
        assert!(problem.contains("; ") && !problem.contains('\n'), "{problem}");
    }
}

#[test]
fn what_this_version_lacks_and_nobody_misses_is_warned_about() {
    let idle: Vec<_> = TABLE.iter().filter(|row| row.section == Section::Idle).collect();
    assert!(!idle.is_empty());
    idle.into_iter().for_each(has_no_effect);
}

#[test]
fn what_acts_in_edge_mode_only_is_warned_about_in_standard_mode() {
    let edge = TABLE.iter().filter(|row| row.section == Section::Edge);
    // The one that would make it edge mode.
    let others: Vec<_> = edge.filter(|row| row.name != "DRYDOCK_URL").collect();
    assert!(others.len() > 10);
    others.into_iter().for_each(has_no_effect);
    let proxies: Vec<_> = TABLE.iter().filter(|row| row.section == Section::Proxies).collect();
    assert_eq!(proxies.len(), 4);
    for row in proxies {
        assert_eq!(told(&[TOKEN, LOOPBACK, (row.name, "socks5://for.others")]), Ok(vec![]), "{}", row.name);
    }
}

fn has_no_effect(row: &&Variable) {
    let warnings = told(&[TOKEN, LOOPBACK, (row.name, "1")]).unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.starts_with(&format!("{}: ", row.name)) && warning.ends_with("; unset it"), "{warning}");
}

#[test]
fn what_is_in_force_is_read_and_so_refused_when_it_is_not_text() {
    for row in TABLE {
        // Nothing is done with the one; the other only matters to an Engine that is reached by TLS.
        if ["NO_COLOR", "DOCKER_CERT_PATH"].contains(&row.name) || row.section == Section::Idle {
            continue;
        }
        let (tls, plain) = (("DRYDOCK_URL", "wss://a.example"), ("DRYDOCK_URL", "ws://a.example"));
        let secure: &[_] = &[TOKEN, LOOPBACK, ("DOCKER_HOST", "tcp://localhost")];
        let values: Vec<_> = match row.name {
            "TOKEN" | "TOKEN_FILE" => vec![LOOPBACK],
            "DOCKER_TLS_VERIFY" => secure.to_vec(),
            "HTTP_PROXY" => vec![TOKEN, plain],
            _ if matches!(row.section, Section::Edge | Section::Proxies) => vec![TOKEN, tls],
            "CLIENT_CA" => vec![TOKEN, LOOPBACK, ("TLS_CERT", "/c"), ("TLS_KEY", "/k")],
            _ => vec![TOKEN, LOOPBACK],
        };
        let values: Vec<_> = values.into_iter().filter(|(name, _)| *name != row.name).collect();
        let problems = Config::read(&Environment::with_bytes(&values, row.name)).err().unwrap_or_default();
        let names = |problem: &Problem| problem.to_string().starts_with(&format!("{}: ", row.name));
        assert!(problems.iter().any(names), "{}: {problems:?}", row.name);
    }
}

#[test]
fn a_secret_is_never_part_of_what_is_told() {
    const SECRET: &str = "hunter2\u{7}";
    let is_secret = |row: &&&Variable| matches!(row.holds, Holds::Secret | Holds::SecretPath);
    for row in TABLE.iter().filter(is_secret) {
        for others in [
            &[][..],
            &[("TLS_CERT", "/c")],
            &[("DRYDOCK_URL", "ws://a.example")],
            &[("DRYDOCK_URL", "ws://a.example"), ("OPERATIONS_ADDRESS", "127.0.0.1:9")],
        ] {
            let told = told(&[others, &[(row.name, SECRET)]].concat()).unwrap_or_else(|problems| problems);
            assert!(told.iter().all(|line| !line.contains("hunter2")), "{told:?}");
        }
    }
}
