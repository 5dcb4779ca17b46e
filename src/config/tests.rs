//! The configuration as a whole: all problems at once, and what this version does not do.

use super::*;
use crate::log::Level;

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
    assert_eq!(config.server.address.to_string(), "0.0.0.0:3000");
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
        ("DRYDOCK_URL", "wss://user:hunter2@host"),
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
        "DRYDOCK_URL",
    ] {
        let begin = format!("{name}: ");
        assert_eq!(problems.iter().filter(|problem| problem.starts_with(&begin)).count(), 1, "{name}");
    }
    assert_eq!(problems.iter().filter(|problem| problem.starts_with("ALLOWED_ORIGINS: ")).count(), 2);
    assert_eq!(problems.len(), 14);
    for problem in &problems {
        assert!(
            problem.contains("; ") && !problem.contains('\n') && !problem.contains("hunter2"),
            "{problem}"
        );
    }
}

#[test]
fn what_this_version_lacks_and_somebody_relies_on_is_refused() {
    let refused: Vec<_> = TABLE.iter().filter(|row| row.section == Section::Refused).collect();
    assert!(refused.len() > 5);
    for row in refused {
        let problems = told(&[TOKEN, LOOPBACK, (row.name, "/some/value")]).unwrap_err();
        let what =
            "this version of Lookout does not have it, and would run without what it asks for; unset it";
        assert_eq!(problems, [format!("{}: {what}", row.name)]);
    }
}

#[test]
fn what_this_version_lacks_and_nobody_misses_is_warned_about() {
    let idle: Vec<_> =
        TABLE.iter().filter(|row| matches!(row.section, Section::Edge | Section::Idle)).collect();
    assert!(idle.len() > 5);
    for row in idle {
        let warnings = told(&[TOKEN, LOOPBACK, (row.name, "1")]).unwrap();
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            warning.starts_with(&format!("{}: ", row.name)) && warning.ends_with("; unset it"),
            "{warning}"
        );
    }
}

#[test]
fn what_is_in_force_is_read_and_so_refused_when_it_is_not_text() {
    for row in TABLE {
        // Nothing is done with the one; the other only matters to an Engine that is reached by TLS.
        if ["NO_COLOR", "DOCKER_CERT_PATH"].contains(&row.name)
            || matches!(row.section, Section::Edge | Section::Idle)
        {
            continue;
        }
        let secure: &[_] = &[TOKEN, LOOPBACK, ("DOCKER_HOST", "tcp://localhost")];
        let values: Vec<_> = match row.name {
            "TOKEN" | "TOKEN_FILE" => vec![LOOPBACK],
            "DOCKER_TLS_VERIFY" => secure.to_vec(),
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
    for row in TABLE.iter().filter(|row| row.holds != variables::Holds::Plain) {
        for values in [vec![(row.name, SECRET)], vec![(row.name, SECRET), ("TLS_CERT", "/c")]] {
            let told = told(&values).unwrap_or_else(|problems| problems);
            assert!(told.iter().all(|line| !line.contains("hunter2")), "{told:?}");
        }
    }
}
