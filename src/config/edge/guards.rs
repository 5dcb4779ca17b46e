//! The guards of edge mode: what each keeps out, how it stands, what lifts it.

use super::trust::{self, Trust};
use super::{operations, url};
use crate::config::environment::Environment;
use crate::config::findings::Findings;
use crate::config::guards::{Guard, listed_environments, malformed};
use crate::config::listener::is_loopback;
use crate::config::parse::{quoted, switch, unquoted, value};
use crate::config::place::Place;
use crate::config::variables::{
    DD_AGENT_SECRET, DD_AGENT_SECRET_FILE, EDGE_ALLOW, EDGE_REQUIRE_SIGNATURE, OPERATIONS_ADDRESS,
    PRIVATE_KEY_FILE, TOKEN, TOKEN_FILE, Variable,
};
use crate::edge::Url;

/// Those that standard mode does not have.
pub(in crate::config) fn guards(environment: &Environment) -> Vec<Guard> {
    let url = url(environment).ok();
    vec![
        Guard {
            what: "no start without a credential to show",
            state: credential(environment),
            lifted_by: "nothing",
        },
        Guard {
            what: "no controller with a bad certificate",
            state: certificate(environment, url.as_ref()),
            lifted_by: "TLS_SKIP_VERIFY=true",
        },
        Guard {
            what: "  only in listed environments",
            state: listed_environments(&Place::read(environment, &mut Findings::default())),
            lifted_by: "ALLOW_IN_ENVIRONMENTS=…, ALLOW_IN_PRODUCTION=true",
        },
        Guard {
            what: "a warning of a controller without TLS",
            state: plain(url.as_ref()),
            lifted_by: "nothing",
        },
        Guard {
            what: "no more for it than it is granted",
            state: granted(environment),
            lifted_by: "EDGE_ALLOW=…",
        },
        Guard {
            what: "nothing for it without a signature",
            state: signature(environment),
            lifted_by: "EDGE_REQUIRE_SIGNATURE=false",
        },
        Guard {
            what: "no socket that listens",
            state: listens(environment),
            lifted_by: "OPERATIONS_ADDRESS=…",
        },
    ]
}

fn credential(environment: &Environment) -> String {
    let shown: [&Variable; 5] =
        [&PRIVATE_KEY_FILE, &TOKEN, &TOKEN_FILE, &DD_AGENT_SECRET, &DD_AGENT_SECRET_FILE];
    match shown.into_iter().find(|variable| environment.is_set(variable)) {
        Some(variable) => format!("on, met by {}", variable.name),
        None => "on, and not met".to_owned(),
    }
}

fn certificate(environment: &Environment, url: Option<&Url>) -> String {
    match trust::read(environment, url, &mut Findings::default()) {
        None => malformed(),
        Some(Trust::Plain) => "lifted, without TLS there is none".to_owned(),
        Some(Trust::System) => "on, by the system's authorities".to_owned(),
        Some(Trust::Authority(_)) => "on, by CA_CERT".to_owned(),
        Some(Trust::Anyone) => "lifted".to_owned(),
    }
}

fn plain(url: Option<&Url>) -> String {
    match url {
        None => malformed(),
        Some(url) if url.is_tls() => "on, TLS is spoken".to_owned(),
        Some(url) if url.is_loopback() => "on, on loopback".to_owned(),
        Some(_) => "on, and warns".to_owned(),
    }
}

fn granted(environment: &Environment) -> String {
    match value(environment, &EDGE_ALLOW) {
        Err(_) => malformed(),
        Ok("all") => "lifted".to_owned(),
        Ok(classes) => format!("on, but for {}", unquoted(&quoted(classes))),
    }
}

fn signature(environment: &Environment) -> String {
    match switch(environment, &EDGE_REQUIRE_SIGNATURE) {
        Err(_) => malformed(),
        Ok(true) => "on".to_owned(),
        Ok(false) => "lifted".to_owned(),
    }
}

fn listens(environment: &Environment) -> String {
    if !environment.is_set(&OPERATIONS_ADDRESS) {
        return "on".to_owned();
    }
    match operations::address(environment) {
        Err(_) => malformed(),
        Ok(address) if is_loopback(address.ip()) => format!("lifted, on loopback at {address}"),
        Ok(address) => format!("lifted, beyond loopback at {address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = ("DRYDOCK_URL", "wss://controller.example");

    fn states(values: &[(&str, &str)]) -> Vec<String> {
        guards(&Environment::of(values)).into_iter().map(|guard| guard.state).collect()
    }

    #[test]
    fn with_a_key_alone_the_guards_are_on_but_for_what_the_controller_may() {
        assert_eq!(
            states(&[URL, ("PRIVATE_KEY_FILE", "/k")]),
            [
                "on, met by PRIVATE_KEY_FILE",
                "on, by the system's authorities",
                "on, \"Production\" is not listed",
                "on, TLS is spoken",
                "lifted",
                "lifted",
                "on"
            ]
        );
    }

    #[test]
    fn what_was_narrowed_or_lifted_is_told() {
        let told = states(&[
            ("DRYDOCK_URL", "ws://controller.example"),
            ("EDGE_ALLOW", "view,logs"),
            ("EDGE_REQUIRE_SIGNATURE", "1"),
            ("OPERATIONS_ADDRESS", "192.0.2.1:9090"),
        ]);
        assert_eq!(told[0], "on, and not met");
        assert_eq!(told[1], "lifted, without TLS there is none");
        assert_eq!(
            told[3..],
            ["on, and warns", "on, but for view,logs", "on", "lifted, beyond loopback at 192.0.2.1:9090"]
        );
        let told = states(&[URL, ("TLS_SKIP_VERIFY", "1"), ("LOOKOUT_ENV", "Development")]);
        assert_eq!(told[1..3], ["lifted", "on, \"Development\" is listed"]);
        assert_eq!(states(&[URL, ("CA_CERT", "/ca.pem")])[1], "on, by CA_CERT");
        assert_eq!(states(&[("DRYDOCK_URL", "ws://[::1]:80")])[3], "on, on loopback");
        assert_eq!(
            states(&[URL, ("OPERATIONS_ADDRESS", "localhost:9090")])[6],
            "lifted, on loopback at 127.0.0.1:9090"
        );
    }

    #[test]
    fn what_is_malformed_leaves_its_guard_unclear() {
        for (name, value, at) in [
            ("TLS_SKIP_VERIFY", "maybe", 1),
            ("ALLOW_IN_PRODUCTION", "maybe", 2),
            ("DRYDOCK_URL", "controller", 3),
            ("EDGE_REQUIRE_SIGNATURE", "maybe", 5),
            ("OPERATIONS_ADDRESS", "9090", 6),
        ] {
            assert_eq!(states(&[(name, value), URL])[at], malformed(), "{name}");
        }
    }
}
