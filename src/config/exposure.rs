//! Who may come in: credentials, or the acknowledgements it takes to do without.

use std::net::IpAddr;

use super::environment::Environment;
use super::findings::Findings;
use super::parse::switch;
use super::place::{Dangerous, Place};
use super::variables::{
    ALLOW_UNAUTHENTICATED, ALLOW_UNAUTHENTICATED_REMOTE, BIND_ADDRESS, DD_AGENT_SECRET, DD_AGENT_SECRET_FILE,
    TOKEN, TOKEN_ALLOW, TOKEN_FILE, TOKEN_HASH, Variable,
};
use super::{identity, secrets};
use crate::auth::{Acknowledged, Credential, Credentials, Exposure, Keyring, Mode};

const PAIRS: &[(&Variable, &Variable)] = &[(&TOKEN, &TOKEN_FILE), (&DD_AGENT_SECRET, &DD_AGENT_SECRET_FILE)];

/// What the operator says about doing without credentials. `None` is malformed, and noted.
pub(super) struct Switches<'e> {
    pub(super) local: Option<bool>,
    pub(super) remote: Option<bool>,
    pub(super) place: Place<'e>,
}

impl<'e> Switches<'e> {
    pub(super) fn read(environment: &'e Environment, findings: &mut Findings) -> Self {
        Self {
            local: findings.take(switch(environment, &ALLOW_UNAUTHENTICATED)),
            remote: findings.take(switch(environment, &ALLOW_UNAUTHENTICATED_REMOTE)),
            place: Place::read(environment, findings),
        }
    }
}

/// Reads every credential; without any, asks whether that was acknowledged for this address.
pub(super) fn read(
    environment: &Environment,
    address: Option<IpAddr>,
    findings: &mut Findings,
) -> Option<Exposure> {
    let switches = Switches::read(environment, findings);
    let credentials = credentials(environment, findings)?;
    let has_none =
        credentials.tokens.is_empty() && credentials.hash.is_none() && credentials.keyring.is_none();
    if has_none {
        return open(&switches, address, findings).map(Exposure::Open);
    }
    let unneeded =
        [(&ALLOW_UNAUTHENTICATED, switches.local), (&ALLOW_UNAUTHENTICATED_REMOTE, switches.remote)];
    for (variable, _) in unneeded.into_iter().filter(|(_, on)| *on == Some(true)) {
        findings.no_effect(variable, "a credential is configured, so nobody comes in without");
    }
    let watched = watched(environment, credentials.keyring.as_ref());
    switches.place.permit(watched.as_slice(), findings)?;
    Some(Exposure::Guarded(credentials))
}

/// `None` when one of them has a problem, so that it is not mistaken for having no credential.
fn credentials(environment: &Environment, findings: &mut Findings) -> Option<Credentials> {
    let tokens = tokens(environment, findings);
    let hash = identity::token_hash(environment, findings);
    let hash = findings.take(hash);
    let keyring = identity::keyring(environment, findings);
    let keyring = findings.take(keyring);
    let allow = findings.take(identity::classes(environment, &TOKEN_ALLOW));
    let credentials = Credentials { tokens: tokens?, hash: hash?, keyring: keyring?, allow: allow? };
    one_of(&credentials.tokens, credentials.hash.as_ref(), findings)?;
    Some(credentials)
}

/// Every token, `TOKEN` first; `None` when one of them has a problem.
pub(super) fn tokens(environment: &Environment, findings: &mut Findings) -> Option<Vec<Credential>> {
    let take = |(direct, file): &(&'static Variable, &'static Variable)| {
        let outcome = secrets::token(environment, direct, file, findings);
        findings.take(outcome)
    };
    // Every pair is looked at, also after a problem.
    let outcomes: Vec<_> = PAIRS.iter().map(take).collect();
    let found: Vec<_> = outcomes.into_iter().collect::<Option<_>>()?;
    let credential = |found: secrets::Found| Credential { name: found.from.name, token: found.token };
    Some(found.into_iter().flatten().map(credential).collect())
}

/// A token stands there as itself or as its hash.
pub(super) fn one_of(
    tokens: &[Credential],
    hash: Option<&identity::Hash>,
    findings: &mut Findings,
) -> Option<()> {
    if hash.is_some() && tokens.iter().any(|credential| credential.name.starts_with("TOKEN")) {
        let what = "a token and a hash of one are both set";
        findings.refuse(&[&TOKEN, &TOKEN_HASH], what, "choose one and unset the other");
        return None;
    }
    Some(())
}

/// What it takes to start without a credential: the switch, an environment for it, the address.
fn open(switches: &Switches<'_>, address: Option<IpAddr>, findings: &mut Findings) -> Option<Acknowledged> {
    if !switches.local? {
        findings.refuse(
            &[&TOKEN, &TOKEN_FILE],
            "no credential is configured, and whoever reaches the agent would be root on this host",
            "name a file that holds one in TOKEN_FILE, or set TOKEN, TOKEN_HASH or AUTHORIZED_KEYS; for local development only: \
             ALLOW_UNAUTHENTICATED=true with LOOKOUT_ENV=Development and BIND_ADDRESS=127.0.0.1",
        );
        if switches.remote == Some(true) {
            findings.no_effect(&ALLOW_UNAUTHENTICATED_REMOTE, "it counts beside ALLOW_UNAUTHENTICATED only");
        }
        return None;
    }
    let dangerous = Dangerous {
        variable: &ALLOW_UNAUTHENTICATED,
        what: ALLOW_UNAUTHENTICATED.name.to_owned(),
        instead: "set TOKEN_FILE and unset it",
    };
    let permitted = switches.place.permit(&[dangerous], findings);
    let acknowledged = acknowledged(switches, address?, findings);
    permitted?;
    findings.warn(
        "config.unauthenticated",
        &[&ALLOW_UNAUTHENTICATED],
        "no credential is asked for, and whoever reaches the agent is root on this host",
        "set TOKEN_FILE and unset ALLOW_UNAUTHENTICATED",
    );
    acknowledged
}

/// A key whose limits are not enforced, where there is one.
pub(super) fn watched(environment: &Environment, keyring: Option<&Keyring>) -> Option<Dangerous> {
    let mut keys = keyring.into_iter().flat_map(Keyring::iter);
    let key = keys.find(|key| key.options.grant.mode == Mode::Audit)?;
    let (variable, _) = identity::keys_file(environment).ok().flatten()?;
    let what = format!("mode=\"audit\" of key {}, whose limits are told and not enforced,", key.id);
    Some(Dangerous { variable, what, instead: "take it off the key's line" })
}

/// Beyond loopback it takes a second word.
fn acknowledged(switches: &Switches<'_>, address: IpAddr, findings: &mut Findings) -> Option<Acknowledged> {
    if let Some(loopback) = Acknowledged::covering(address, true, false) {
        if switches.remote == Some(true) {
            findings.no_effect(&ALLOW_UNAUTHENTICATED_REMOTE, format!("{address} is loopback"));
        }
        return Some(loopback);
    }
    let acknowledged = Acknowledged::covering(address, true, switches.remote?);
    if acknowledged.is_none() {
        findings.refuse(
            &[&ALLOW_UNAUTHENTICATED, &BIND_ADDRESS],
            format!("{address} is not loopback, and whoever reaches it would be root on this host"),
            "set TOKEN_FILE instead, or BIND_ADDRESS=127.0.0.1; or, where everyone may, set \
             ALLOW_UNAUTHENTICATED_REMOTE=true too",
        );
    }
    acknowledged
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0123456789abcdef0123456789abcdef";
    const LOCAL: (&str, &str) = ("ALLOW_UNAUTHENTICATED", "true");
    const REMOTE: (&str, &str) = ("ALLOW_UNAUTHENTICATED_REMOTE", "true");
    const DEVELOPMENT: (&str, &str) = ("LOOKOUT_ENV", "Development");
    const EVERYWHERE: (&str, &str) = ("ALLOW_IN_PRODUCTION", "true");

    /// What came of it, then every problem and every warning.
    struct Outcome {
        exposure: Option<Exposure>,
        problems: Vec<String>,
        warnings: Vec<String>,
    }

    impl Outcome {
        fn of(address: &str, values: &[(&str, &str)]) -> Self {
            let mut findings = Findings::default();
            let exposure = read(&Environment::of(values), address.parse().ok(), &mut findings);
            let problems: Vec<_> = findings.problems.iter().map(ToString::to_string).collect();
            // An address with a problem of its own is told of by whoever read it.
            assert!(address.is_empty() || exposure.is_some() == problems.is_empty(), "{problems:?}");
            Self { exposure, problems, warnings: findings.warnings.iter().map(ToString::to_string).collect() }
        }

        fn is_open(&self) -> bool {
            matches!(self.exposure, Some(Exposure::Open(_)))
        }

        /// Exactly these problems, by how they begin.
        fn refused(&self, begins: &[&str]) {
            assert!(!self.is_open());
            begin(&self.problems, begins);
        }

        /// Exactly these warnings, by how they begin.
        fn warned(&self, begins: &[&str]) {
            begin(&self.warnings, begins);
        }
    }

    fn begin(told: &[String], begins: &[&str]) {
        assert_eq!(told.len(), begins.len(), "{told:?}");
        for (line, begin) in told.iter().zip(begins) {
            assert!(line.starts_with(begin), "{line:?} does not begin with {begin:?}");
        }
    }

    #[test]
    fn every_credential_that_is_set_is_accepted() {
        let outcome =
            Outcome::of("0.0.0.0", &[("TOKEN", GOOD), ("DD_AGENT_SECRET", "another-one-of-enough-bytes")]);
        let Some(Exposure::Guarded(credentials)) = &outcome.exposure else { panic!("not guarded") };
        let told: Vec<_> =
            credentials.tokens.iter().map(|one| (one.name, one.token.expose().as_str())).collect();
        assert_eq!(told, [("TOKEN", GOOD), ("DD_AGENT_SECRET", "another-one-of-enough-bytes")]);
        outcome.warned(&[]);
    }

    #[test]
    fn without_a_credential_the_start_is_refused_with_its_variables_and_the_way_out() {
        for address in ["127.0.0.1", "0.0.0.0", ""] {
            let outcome = Outcome::of(address, &[]);
            outcome.refused(&["TOKEN, TOKEN_FILE: no credential is configured"]);
            for word in ["TOKEN_FILE", "ALLOW_UNAUTHENTICATED=true", "LOOKOUT_ENV=Development"] {
                assert!(outcome.problems[0].contains(word));
            }
        }
    }

    #[test]
    fn a_credential_with_a_problem_is_not_mistaken_for_none() {
        let all = [("TOKEN_FILE", "/no/such/file"), LOCAL, DEVELOPMENT];
        Outcome::of("127.0.0.1", &all).refused(&["TOKEN_FILE: \"/no/such/file\" cannot be read"]);
        let both = [("TOKEN_FILE", "/no/such/file"), ("DD_AGENT_SECRET", " ")];
        Outcome::of("127.0.0.1", &both).refused(&["TOKEN_FILE: ", "DD_AGENT_SECRET: "]);
    }

    /// Every combination of the four switches, on loopback and beyond.
    #[test]
    fn without_a_credential_only_every_acknowledgement_together_opens() {
        for bits in 0..32_u8 {
            let [beyond, local, remote, development, everywhere] =
                [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
            let switches =
                [(local, LOCAL), (remote, REMOTE), (development, DEVELOPMENT), (everywhere, EVERYWHERE)];
            let values: Vec<_> = switches.into_iter().filter(|(on, _)| *on).map(|(_, value)| value).collect();
            let address = if beyond { "192.0.2.1" } else { "127.0.0.1" };
            let outcome = Outcome::of(address, &values);
            let expected = local && (development || everywhere) && (remote || !beyond);
            assert_eq!(outcome.is_open(), expected, "{address} {values:?}");
            let says_so =
                outcome.warnings.iter().any(|line| line.contains("whoever reaches the agent is root"));
            assert!(says_so || !expected, "{address} {values:?}");
        }
    }

    #[test]
    fn the_environment_is_compared_with_a_list_that_replaces_its_default() {
        let listed = ("ALLOW_IN_ENVIRONMENTS", "Staging, Test");
        for (environment, is_open) in
            [("Staging", true), ("test", true), ("Development", false), ("Tes", false)]
        {
            let outcome = Outcome::of("::1", &[LOCAL, listed, ("LOOKOUT_ENV", environment)]);
            assert_eq!(outcome.is_open(), is_open, "{environment}");
        }
        assert!(!Outcome::of("::1", &[LOCAL, DEVELOPMENT, ("ALLOW_IN_ENVIRONMENTS", " , ")]).is_open());
    }

    #[test]
    fn the_refusal_names_the_environment_and_the_override() {
        let outcome = Outcome::of("127.0.0.1", &[LOCAL]);
        outcome.refused(&[
            "ALLOW_UNAUTHENTICATED, LOOKOUT_ENV: ALLOW_UNAUTHENTICATED is refused in the environment \"Production\"; \
             it is allowed in: \"Development\"; ",
        ]);
        for word in
            ["TOKEN_FILE", "LOOKOUT_ENV=Development", "ALLOW_IN_ENVIRONMENTS", "ALLOW_IN_PRODUCTION=true"]
        {
            assert!(outcome.problems[0].contains(word));
        }
    }

    #[test]
    fn both_refusals_are_told_at_once() {
        Outcome::of("0.0.0.0", &[LOCAL]).refused(&[
            "ALLOW_UNAUTHENTICATED, LOOKOUT_ENV: ALLOW_UNAUTHENTICATED is refused in the environment",
            "ALLOW_UNAUTHENTICATED, BIND_ADDRESS: 0.0.0.0 is not loopback",
        ]);
    }

    #[test]
    fn an_agent_without_credentials_warns_at_every_start() {
        let open = "ALLOW_UNAUTHENTICATED: no credential is asked for";
        Outcome::of("127.0.0.1", &[LOCAL, DEVELOPMENT]).warned(&[open]);
        let outcome = Outcome::of("0.0.0.0", &[LOCAL, REMOTE, EVERYWHERE]);
        outcome.warned(&[
            "ALLOW_IN_PRODUCTION: ALLOW_UNAUTHENTICATED is in use in the environment \"Prod",
            open,
        ]);
    }

    #[test]
    fn a_switch_that_is_not_needed_warns() {
        let outcome = Outcome::of("0.0.0.0", &[("TOKEN", GOOD), LOCAL, REMOTE, EVERYWHERE]);
        assert!(matches!(outcome.exposure, Some(Exposure::Guarded(_))));
        outcome.warned(&[
            "ALLOW_UNAUTHENTICATED: a credential is configured",
            "ALLOW_UNAUTHENTICATED_REMOTE: a credential is configured",
            "ALLOW_IN_PRODUCTION: no switch is on",
        ]);
        let outcome = Outcome::of("127.0.0.1", &[LOCAL, REMOTE, DEVELOPMENT, EVERYWHERE]);
        outcome.warned(&[
            "ALLOW_IN_PRODUCTION: the environment \"Development\" is listed",
            "ALLOW_UNAUTHENTICATED_REMOTE: 127.0.0.1 is loopback",
            "ALLOW_UNAUTHENTICATED: no credential is asked for",
        ]);
        let outcome = Outcome::of("0.0.0.0", &[REMOTE]);
        outcome.refused(&["TOKEN, TOKEN_FILE: "]);
        outcome.warned(&["ALLOW_UNAUTHENTICATED_REMOTE: it counts beside ALLOW_UNAUTHENTICATED only"]);
    }

    #[test]
    fn a_malformed_switch_opens_nothing() {
        for (name, others) in [
            ("ALLOW_UNAUTHENTICATED", vec![REMOTE, DEVELOPMENT]),
            ("ALLOW_UNAUTHENTICATED_REMOTE", vec![LOCAL, DEVELOPMENT]),
            ("ALLOW_IN_PRODUCTION", vec![LOCAL, REMOTE]),
        ] {
            let values: Vec<_> = others.into_iter().chain([(name, "maybe")]).collect();
            Outcome::of("0.0.0.0", &values).refused(&[&format!("{name}: \"maybe\" is neither yes nor no")]);
        }
    }
}
