//! Every guard: what it keeps out, how it stands, what lifts it.

use super::environment::Environment;
use super::exposure::Switches;
use super::findings::Findings;
use super::listener::{bind_address, is_loopback};
use super::parse::{list, quoted, switch};
use super::place::Place;
use super::variables::{
    ALLOW_NON_LOOPBACK, ALLOWED_ORIGINS, AUTHORIZED_KEYS, AUTHORIZED_KEYS_FILE, DD_AGENT_SECRET,
    DD_AGENT_SECRET_FILE, TLS_CERT, TLS_KEY, TOKEN, TOKEN_FILE, TOKEN_HASH, TOKEN_HASH_FILE, Variable,
};
use super::{audit, edge};

/// One guard.
pub(super) struct Guard {
    pub(super) what: &'static str,
    pub(super) state: String,
    pub(super) lifted_by: &'static str,
}

/// How every guard of this environment's mode stands. Problems are told by the reading itself.
pub(super) fn guards(environment: &Environment) -> Vec<Guard> {
    let of_mode = if edge::is_meant(environment) { edge::guards(environment) } else { standard(environment) };
    let of_both = [
        Guard {
            what: "no requests from foreign web origins",
            state: origins(environment),
            lifted_by: "ALLOWED_ORIGINS=…",
        },
        Guard {
            what: "no answer without its record",
            state: audit::required_guard(environment),
            lifted_by: "AUDIT_REQUIRED=false",
        },
        Guard {
            what: "no record that is changed unseen",
            state: audit::chain_guard(environment),
            lifted_by: "AUDIT_CHAIN=false",
        },
        Guard { what: "no secret file that others may change", state: "on".to_owned(), lifted_by: "nothing" },
        Guard { what: "no variable that would be disregarded", state: "on".to_owned(), lifted_by: "nothing" },
    ];
    of_mode.into_iter().chain(of_both).collect()
}

fn standard(environment: &Environment) -> Vec<Guard> {
    let scratch = &mut Findings::default();
    let switches = Switches::read(environment, scratch);
    let is_beyond = bind_address(environment).ok().map(|ip| !is_loopback(ip));
    let every: [&Variable; 8] = [
        &TOKEN,
        &TOKEN_FILE,
        &DD_AGENT_SECRET,
        &DD_AGENT_SECRET_FILE,
        &TOKEN_HASH,
        &TOKEN_HASH_FILE,
        &AUTHORIZED_KEYS,
        &AUTHORIZED_KEYS_FILE,
    ];
    let credentials: Vec<&Variable> =
        every.into_iter().filter(|variable| environment.is_set(variable)).collect();
    vec![
        Guard {
            what: "no start without a credential",
            state: credential(&credentials, &switches),
            lifted_by: "ALLOW_UNAUTHENTICATED=true",
        },
        Guard {
            what: "  not even then beyond loopback",
            state: beyond_loopback(is_beyond, switches.remote),
            lifted_by: "ALLOW_UNAUTHENTICATED_REMOTE=true",
        },
        Guard {
            what: "  only in listed environments",
            state: listed_environments(&switches.place),
            lifted_by: "ALLOW_IN_ENVIRONMENTS=…, ALLOW_IN_PRODUCTION=true",
        },
        Guard {
            what: "a warning of plain HTTP beyond loopback",
            state: plain_http(environment, is_beyond),
            lifted_by: "ALLOW_NON_LOOPBACK=true",
        },
    ]
}

fn credential(credentials: &[&Variable], switches: &Switches<'_>) -> String {
    let names: Vec<_> = credentials.iter().map(|variable| variable.name).collect();
    match (names.is_empty(), switches.local) {
        (false, _) => format!("on, met by {}", names.join(" and ")),
        (true, Some(false)) => "on, and not met".to_owned(),
        (true, Some(true)) => "lifted".to_owned(),
        (true, None) => malformed(),
    }
}

fn beyond_loopback(is_beyond: Option<bool>, remote: Option<bool>) -> String {
    let lifted = match remote {
        Some(true) => "lifted",
        Some(false) => "on",
        None => return malformed(),
    };
    match is_beyond {
        Some(true) => format!("{lifted}, bound beyond loopback"),
        Some(false) => format!("{lifted}, bound to loopback"),
        None => lifted.to_owned(),
    }
}

pub(super) fn listed_environments(place: &Place<'_>) -> String {
    let (Some(here), Some(is_listed), Some(everywhere)) = (place.name, place.is_listed(), place.everywhere)
    else {
        return malformed();
    };
    let state = if everywhere { "lifted" } else { "on" };
    let listed = if is_listed { "listed" } else { "not listed" };
    format!("{state}, {} is {listed}", quoted(here))
}

fn plain_http(environment: &Environment, is_beyond: Option<bool>) -> String {
    let speaks_tls = environment.is_set(&TLS_CERT) && environment.is_set(&TLS_KEY);
    match switch(environment, &ALLOW_NON_LOOPBACK) {
        Err(_) => malformed(),
        Ok(true) => "lifted".to_owned(),
        Ok(false) if speaks_tls => "on, TLS is spoken".to_owned(),
        Ok(false) if is_beyond == Some(true) => "on, and warns".to_owned(),
        Ok(false) => "on".to_owned(),
    }
}

fn origins(environment: &Environment) -> String {
    match list(environment, &ALLOWED_ORIGINS) {
        Err(_) => malformed(),
        Ok(items) if items.is_empty() => "on, for all".to_owned(),
        Ok(items) => format!("on, but for {}", items.len()),
    }
}

pub(super) fn malformed() -> String {
    "unclear, see the problems".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(values: &[(&str, &str)]) -> Vec<String> {
        guards(&Environment::of(values)).into_iter().map(|guard| guard.state).collect()
    }

    #[test]
    fn by_default_every_guard_is_on() {
        let states = states(&[]);
        assert_eq!(
            states,
            [
                "on, and not met",
                "on, bound beyond loopback",
                "on, \"Production\" is not listed",
                "on, and warns",
                "on, for all",
                "lifted",
                "lifted, nothing is recorded",
                "on",
                "on"
            ]
        );
    }

    #[test]
    fn every_guard_that_can_be_lifted_is_told_to_be() {
        let values = [
            ("ALLOW_UNAUTHENTICATED", "1"),
            ("ALLOW_UNAUTHENTICATED_REMOTE", "1"),
            ("ALLOW_IN_PRODUCTION", "1"),
            ("ALLOW_NON_LOOPBACK", "1"),
            ("ALLOWED_ORIGINS", "https://a,https://b"),
        ];
        let states = states(&values);
        for state in &states[..4] {
            assert!(state.starts_with("lifted"), "{state}");
        }
        assert_eq!(states[4], "on, but for 2");
    }

    #[test]
    fn a_guard_that_is_met_says_by_what() {
        let states = states(&[
            ("TOKEN", "x"),
            ("DD_AGENT_SECRET_FILE", "/x"),
            ("BIND_ADDRESS", "::1"),
            ("LOOKOUT_ENV", "development"),
            ("TLS_CERT", "/c"),
            ("TLS_KEY", "/k"),
        ]);
        let expected = [
            "on, met by TOKEN and DD_AGENT_SECRET_FILE",
            "on, bound to loopback",
            "on, \"development\" is listed",
            "on, TLS is spoken",
        ];
        assert_eq!(states[..4], expected);
    }

    #[test]
    fn edge_mode_has_guards_of_its_own_beside_those_of_both() {
        let whats = |values| guards(&Environment::of(values)).into_iter().map(|guard| guard.what).collect();
        let (standard, edge): (Vec<_>, Vec<_>) = (whats(&[]), whats(&[("DRYDOCK_URL", "wss://a")]));
        assert_eq!(standard[4..], edge[7..]);
        assert!(standard.iter().chain(&edge).all(|what| what.len() <= 40), "a column has room for 40");
        assert!(edge.contains(&"no socket that listens") && !standard.contains(&"no socket that listens"));
    }

    #[test]
    fn a_malformed_switch_leaves_its_guard_unclear() {
        let names = [
            "ALLOW_UNAUTHENTICATED",
            "ALLOW_UNAUTHENTICATED_REMOTE",
            "ALLOW_IN_PRODUCTION",
            "ALLOW_NON_LOOPBACK",
        ];
        for (at, name) in names.into_iter().enumerate() {
            assert_eq!(states(&[(name, "maybe")])[at], malformed(), "{name}");
        }
    }
}
